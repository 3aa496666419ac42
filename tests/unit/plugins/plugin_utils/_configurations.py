# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `nginx_tls_info` returns of configurations, written by hand."""

from __future__ import annotations

from typing import Any

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

NAME = "orders.example.com"
ROOT, OTHER = builders.root(), builders.root("CN=Other")
INTERMEDIATE = builders.intermediate(ROOT)
CLIENT, SERVER = builders.client(ROOT), builders.server(ROOT)
LISTEN = {"address": "127.0.0.1", "port": 8080, "tls": False, "default": True, "proxy_protocol": False}


def file(path: str) -> dict[str, Any]:
    return {"path": path, "variable": False, "scheme": "", "place": "/etc/nginx/x.conf:1"}


def state(path: str, *issued: builders.Issued, crl: bytes = b"", **more: Any) -> dict[str, Any]:
    said = [
        {
            "subject": one.certificate.subject.rfc4514_string(),
            "issuer": one.certificate.issuer.rfc4514_string(),
            "sha256": one.certificate.fingerprint(builders.hashes.SHA256()).hex(),
        }
        for one in issued
    ]
    pem = (crl or b"".join(one.pem for one in issued)).decode()
    return {
        "path": path,
        "certificates": said,
        "pem": pem,
        "findings": [],
        "newer_than_loaded": False,
        **more,
    }


def location(**more: Any) -> dict[str, Any]:
    return {
        "place": "/etc/nginx/b.conf:9", "module": "http", "protocol": "https", "path": "/",
        "pass": "https://192.0.2.1", "ours": False, "server_names": ["b.example.com"],
        "listens": [LISTEN],
        "servers": ["192.0.2.1:443"], "certificate": file("/b/cert.pem"), "key": file("/b/key.pem"),
        "trust": file("/b/trust.pem"), "crl": None, "verify": True, "depth": 1, "name": NAME,
        "name_variable": False, "sni": True, "host": NAME, "protocols": ["TLSv1.2", "TLSv1.3"],
        "places": {}, "findings": [],
        **more,
    }  # fmt: skip


def block(**more: Any) -> dict[str, Any]:
    return {
        "place": "/etc/nginx/a.conf:2", "names": [NAME], "listens": [{**LISTEN, "port": 443, "tls": True}],
        "certificates": [{"certificate": file("/a/cert.pem"), "key": file("/a/key.pem")}], "verify": "on",
        "trust": file("/a/trust.pem"), "trusted": None, "crl": None, "depth": 1, "places": {}, "served": [],
        "session_cache": "none", "session_ticket_key": None, "reject_handshake": False, **more,
    }  # fmt: skip


def nginx(servers: Any = (), locations: Any = (), **more: Any) -> dict[str, Any]:
    logs = [{"path": "/var/log/e.log", "level": "error", "place": ""}]
    return {
        "pid": 1, "ok": True, "emerg": [], "loaded": "2026-06-01T00:00:00Z", "error_logs": logs,
        "servers": list(servers), "locations": list(locations), **more,
    }  # fmt: skip
