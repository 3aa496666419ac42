# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of nginx means for a TLS client: a word for its page."""

from __future__ import annotations

import re
from typing import Optional

NO_CERTIFICATE = "no_certificate"
CERTIFICATE_ERROR = "certificate_error"
PLAIN_HTTP_TO_TLS = "plain_http_to_tls"
MISDIRECTED = "misdirected"
FORBIDDEN = "forbidden"
BAD_GATEWAY = "bad_gateway"
OTHER = "other"

# nginx answers these with status 400 and says which it is only in the page (ngx_http_special_response.c).
_TITLES = {
    "400 No required SSL certificate was sent": NO_CERTIFICATE,
    "400 The SSL certificate error": CERTIFICATE_ERROR,
    "400 The plain HTTP request was sent to HTTPS port": PLAIN_HTTP_TO_TLS,
}
# 495 to 497 are its internal codes for the same; they show where an `error_page 495 =495 …` keeps them.
_STATUSES = {
    403: FORBIDDEN,
    421: MISDIRECTED,
    495: CERTIFICATE_ERROR,
    496: NO_CERTIFICATE,
    497: PLAIN_HTTP_TO_TLS,
    502: BAD_GATEWAY,
}
_TITLE = re.compile(rb"<title>\s*(.{1,200}?)\s*</title>", re.IGNORECASE | re.DOTALL)


def classify(status: Optional[int], body: bytes) -> str:
    """Return the class of an answer: one of the words above, or "".

    "" means nothing to explain: no answer (*status* is None), or one below 400.
    A page of 400 is told by its title alone, so a text that merely quotes nginx is `other`; so is a
    400 whose page was replaced by ``error_page``, and every 400 that came without a body (HEAD).
    Not checked: that nginx wrote the page. Behind a proxy it may be the page of the server behind it.
    """
    if status is None or status < 400:
        return ""
    if status == 400:
        title = _TITLE.search(body)
        return _TITLES.get(title.group(1).decode("latin-1"), OTHER) if title else OTHER
    return _STATUSES.get(status, OTHER)
