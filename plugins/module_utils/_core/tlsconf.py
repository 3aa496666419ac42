# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``tls.conf``: everything of TLS that belongs to one credential, closed against http-level defaults.

Nothing in it is left to inheritance: ``ssl_trusted_certificate``, ``ssl_crl`` and the session settings of the
http level leak into a server block that does not name them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .nginx_conf import parse

#: nginx's own default for ssl_verify_depth and proxy_ssl_verify_depth: one intermediate.
DEFAULT_DEPTH = 1


@dataclass(frozen=True)
class TlsSettings:
    """What cannot be read from a credential's PEM files. *sessions* is ``off``, ``shared``, or empty for what
    is usual of the part: a server keeps none, a proxy resumes those of the servers that do."""

    verify_depth: int = DEFAULT_DEPTH
    sessions: str = ""


def tls_conf(part: str, name: str, settings: TlsSettings, trust: bytes, crl: bytes) -> str:
    """The text with ``@MTLS_RELEASE@`` for the directory; an empty *crl* closes the directive."""
    folder = f"@MTLS_RELEASE@/{part}/credentials/{name}"
    crl_path = f"{folder}/crl.pem" if crl else '""'
    if part == "proxy":
        lines = [
            f"proxy_ssl_certificate {folder}/fullchain.pem",
            f"proxy_ssl_certificate_key {folder}/privkey.pem",
            f"proxy_ssl_trusted_certificate {folder}/trust.pem",
            f"proxy_ssl_crl {crl_path}",
            "proxy_ssl_verify on",
            f"proxy_ssl_verify_depth {settings.verify_depth}",
            "proxy_ssl_server_name on",
            # Safe with one upstream for each identity: the session cache belongs to the upstream's peer.
            f"proxy_ssl_session_reuse {'off' if settings.sessions == 'off' else 'on'}",
        ]
    else:
        lines = [
            f"ssl_certificate {folder}/fullchain.pem",
            f"ssl_certificate_key {folder}/privkey.pem",
            f"ssl_client_certificate {folder}/trust.pem",
            'ssl_trusted_certificate ""',
            f"ssl_crl {crl_path}",
            f"ssl_verify_depth {settings.verify_depth}",
            *_sessions(name, settings.sessions, trust, crl),
        ]
    return "".join(f"{line};\n" for line in lines)


def _sessions(name: str, sessions: str, trust: bytes, crl: bytes) -> list[str]:
    if sessions != "shared":
        return ["ssl_session_cache off", "ssl_session_tickets off"]
    # A resumed session is not verified again. A zone of another name starts empty, so nobody who was let in
    # under the old trust or CRL resumes under the new one (nginx-facts: "Sessions outlive trust").
    digest = hashlib.sha256(trust + b"\0" + crl).hexdigest()[:16]
    return [f"ssl_session_cache shared:mtls_{name}_{digest}:1m", "ssl_session_tickets off"]


def settings_of(text: str) -> TlsSettings:
    """The settings that a tls.conf was written with: it is where the live release keeps them."""
    values = {item.name: " ".join(item.args) for item in parse(text)}
    depth = values.get("ssl_verify_depth") or values.get("proxy_ssl_verify_depth") or str(DEFAULT_DEPTH)
    kept = values.get("ssl_session_cache") or values.get("proxy_ssl_session_reuse") or ""
    return TlsSettings(int(depth), "shared" if kept == "on" or kept.startswith("shared:") else kept)
