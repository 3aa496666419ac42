# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one server block presents to those who connect, and by what it lets them in."""

from __future__ import annotations

import re
from typing import Any, Optional

from ..nginx_conf import Directive
from . import defaults
from .scope import Scope
from .values import File, Program, file_of

#: Directives whose place is told.
NAMES = (
    "ssl_certificate ssl_certificate_key ssl_client_certificate ssl_trusted_certificate ssl_crl"
    " ssl_verify_client ssl_verify_depth ssl_protocols ssl_ciphers ssl_reject_handshake ssl_session_cache"
    " ssl_session_tickets ssl_session_ticket_key ssl_password_file ssl_conf_command"
).split()  # fmt: skip
_CIPHERS = re.compile(r"[\w:+!@=,. -]*")
_CACHE = re.compile(r"off|none|builtin(?::\d+)?|shared:\w[\w.-]*:\d+[KkMm]?")
_VERIFY = ("on", "optional", "optional_no_ca")
_PROTOCOLS = {name.lower(): name for name in ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")}


def settings(scope: Scope, program: Program) -> dict[str, Any]:
    """The part of SERVER that says what is in force, whoever wrote it."""
    certificates = [file_of(item, program) for item in scope.all("ssl_certificate")]
    keys = [file_of(item, program) for item in scope.all("ssl_certificate_key")]
    tickets = [file_of(item, program) for item in scope.all("ssl_session_ticket_key")]
    verify = scope.last("ssl_verify_client")
    word = verify.args[0].lower() if verify else "off"
    return {
        "verify": word if word in _VERIFY else "off",
        "certificates": _pairs(certificates, keys),
        "trust": file_of(scope.last("ssl_client_certificate"), program),
        "trusted": file_of(scope.last("ssl_trusted_certificate"), program),
        "crl": file_of(scope.last("ssl_crl"), program),
        "depth": scope.number("ssl_verify_depth", defaults.DEPTH),
        "protocols": protocols(scope.last("ssl_protocols"), program),
        "ciphers": ciphers(scope.last("ssl_ciphers")),
        "reject_handshake": scope.flag("ssl_reject_handshake", False),
        "session_cache": _cache(scope.last("ssl_session_cache")) or "none",
        "session_tickets": scope.flag("ssl_session_tickets", True),
        "session_ticket_key": tickets[0] if tickets else None,
        "session_ticket_keys": [one for one in tickets if one],
        "password": file_of(scope.last("ssl_password_file"), program),
        "places": places(scope, NAMES),
        "inherited": [name for name in NAMES if scope.is_outer(name)],
    }


def _pairs(certificates: list[Optional[File]], keys: list[Optional[File]]) -> list[dict[str, Any]]:
    """nginx takes the first key for the first certificate, and so on (ngx_ssl_certificates)."""
    padded = [*keys, *([None] * len(certificates))]
    return [{"certificate": one, "key": key} for one, key in zip(certificates, padded) if one]


def protocols(item: Optional[Directive], program: Program) -> list[str]:
    """Versions of TLS in nginx's words."""
    if item is None:
        return defaults.protocols(program.version)
    return [_PROTOCOLS[word.lower()] for word in item.args if word.lower() in _PROTOCOLS]


def ciphers(item: Optional[Directive]) -> str:
    """The one argument that nginx takes: more of them are a directive whose semicolon is missing."""
    text = item.args[0] if item else ""
    return text if _CIPHERS.fullmatch(text) else ""


def _cache(item: Optional[Directive]) -> str:
    """The same: what nginx would not take there is not told."""
    return " ".join(word for word in (item.args if item else ()) if _CACHE.fullmatch(word))


def places(scope: Scope, names: list[str]) -> dict[str, str]:
    """Where each of *names* that is in force was written."""
    found = {name: scope.last(name) for name in names}
    return {name: item.place for name, item in found.items() if item}
