# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of nginx's error log about TLS, without a word that a client or a configuration has chosen.

A line is taken whole by one of the expressions here, or not at all. What nginx quotes (names, requests,
values) is cut out; its own words, OpenSSL's, numbers, addresses and paths stay.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"([^"]*)"')
#: What may stand in quotes: an absolute path, a directive about TLS or servers.
_MAY_STAND = re.compile(
    r"/[A-Za-z0-9._/+@:-]*|(?:proxy_|grpc_|uwsgi_)?(?:ssl_|pass)[a-z_]*|listen|server|server_name|include|user|pid"
)


def own_line(line: str) -> str:
    """A line that nginx wrote about itself, with what it quotes of a configuration left out."""
    return _QUOTED.sub(lambda found: found.group() if _MAY_STAND.fullmatch(found.group(1)) else '"…"', line)
