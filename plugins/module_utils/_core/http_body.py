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
GATEWAY_TIMEOUT = "gateway_timeout"
INTERNAL_ERROR = "internal_error"
OTHER = "other"
# Of what is no answer of HTTP/1.x
HTTP2 = "http2"
TLS = "tls"
NOT_HTTP = "not_http"
TLS_TO_PLAIN_HTTP = "tls_to_plain_http"
NOT_TLS = "not_tls"

# nginx answers these with status 400 and says which it is only in the page (ngx_http_special_response.c).
# Its own 500 it is that a worker gives which cannot read a client certificate behind a variable.
_TITLES = {
    "500 Internal Server Error": INTERNAL_ERROR,
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
    504: GATEWAY_TIMEOUT,
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
    if status in (400, 500):
        title = _TITLE.search(body)
        words = title.group(1).decode("latin-1") if title and (status == 400 or _NGINX in body) else ""
        return _TITLES.get(words, OTHER) if words.startswith(str(status)) else OTHER
    return _STATUSES.get(status, OTHER)


# How each of nginx's pages ends, whatever `server_tokens` is. Others use the title of its 500, too.
_NGINX = b"<hr><center>nginx"
# What a server of HTTP/2 sends first: a SETTINGS frame of stream 0 (RFC 9113, 3.4 and 6.5)
_SETTINGS = re.compile(rb"\x00.{2}\x04\x00\x00{4}", re.DOTALL)
# An alert in a record of its own, as TLS answers what is no ClientHello (RFC 8446, 5.1 and 6). Which one it
# is says nothing: each library has its own.
_ALERT = re.compile(rb"\x15\x03[\x00-\x04]\x00\x02[\x01\x02].", re.DOTALL)


def classify_stray(stray: bytes, tls: bool, connected: bool) -> str:
    """Return the class of what came in place of TLS or HTTP/1.x, "" for nothing.

    *stray*: how it began. *tls*: TLS was spoken; *connected*: and its handshake was over.
    """
    if not stray:
        return ""
    if tls and not connected:
        return TLS_TO_PLAIN_HTTP if stray.startswith(b"HTTP/") else NOT_TLS
    if _SETTINGS.match(stray):
        return HTTP2
    return TLS if not tls and _ALERT.match(stray) else NOT_HTTP
