# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of Server A's access log, in the format of the role's own template and with nginx's escapes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[4] / "roles" / "mtls_server" / "templates" / "site.conf.j2"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
ISSUER = "CN=mtls CA 1"
#: What a usual request of a verified client is; the time is an hour before NOW.
USUAL = {
    "$time_iso8601": "2026-11-22T11:00:00+00:00",
    "{{ site.name }}": "orders",
    "$remote_addr": "192.0.2.10",
    "$host": "orders.example.com",
    "$request": "GET /api?x=1 HTTP/1.1",
    "$status": "200",
    "$ssl_client_verify": "SUCCESS",
    "$ssl_client_serial": "1FAB",
    "$ssl_client_fingerprint": "ab" * 20,
    "$ssl_client_i_dn": ISSUER,
    "$ssl_client_s_dn": "CN=b1.example.com",
    "$ssl_protocol": "TLSv1.3",
    "$ssl_session_reused": ".",
    "$upstream_status": "200",
    "$request_time": "0.001",
}
#: The words of the tests for nginx's.
NAMES = {
    "time": "$time_iso8601",
    "site": "{{ site.name }}",
    "client": "$remote_addr",
    "request": "$request",
    "status": "$status",
    "verify": "$ssl_client_verify",
    "serial": "$ssl_client_serial",
    "sha1": "$ssl_client_fingerprint",
    "issuer": "$ssl_client_i_dn",
    "subject": "$ssl_client_s_dn",
}


@lru_cache(maxsize=1)
def log_format() -> tuple[str, ...]:
    """What the template writes between the quotes of its log_format, cut before and behind each variable."""
    text = TEMPLATE.read_text(encoding="utf-8")
    found = re.search(r"^log_format .* escape=json (.*?);$", text, re.MULTILINE | re.DOTALL)
    assert found
    whole = "".join(re.findall(r"'([^']*)'", found[1]))
    return tuple(re.split(r"(\$[a-z0-9_]+|\{\{[^}]*\}\})", whole))


def escaped(value: bytes) -> bytes:
    """As ngx_escape_json (src/core/ngx_string.c): nothing is done to bytes beyond ASCII."""
    short = {
        0x22: b'\\"',
        0x5C: b"\\\\",
        0x0A: b"\\n",
        0x0D: b"\\r",
        0x09: b"\\t",
        0x08: b"\\b",
        0x0C: b"\\f",
    }
    return b"".join(
        short.get(byte) or (b"\\u%04X" % byte if byte < 0x20 else bytes([byte])) for byte in value
    )


def line(**given: str | bytes) -> bytes:
    """One line with its end; *given* by the words of NAMES."""
    values = {**USUAL, **{NAMES[name]: value for name, value in given.items()}}
    parts = [values[part] if index % 2 else part for index, part in enumerate(log_format())]
    raws = [part if isinstance(part, bytes) else part.encode() for part in parts]
    return b"".join(escaped(raw) if index % 2 else raw for index, raw in enumerate(raws)) + b"\n"


def at(**before: float) -> str:
    """The time of a line so long before NOW, as `days=8`."""
    return (NOW - timedelta(**before)).isoformat()
