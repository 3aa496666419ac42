# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed release on a made-up host, as ``release`` writes it."""

from __future__ import annotations

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store

SITE = """server {
    listen 127.0.0.1:%d ssl;
    server_name %s;
    include @MTLS_RELEASE@/server/credentials/%s/tls.conf;
    location = /.mtls/probe { return 200 "@MTLS_ID@ $ssl_client_verify"; }
}
"""
LISTENER = """server {
    listen 127.0.0.1:%d;
    location = /.mtls/proxy { return 200 "@MTLS_ID@"; }
    location /x/ {
        proxy_pass https://orders;
        include @MTLS_RELEASE@/proxy/credentials/%s/tls.conf;
    }
}
"""


def credential(part: str, name: str, **files: bytes) -> dict[str, bytes]:
    """The files of one credential: `fullchain`, `privkey`, `trust`, `crl`."""
    found = {f"{part}/credentials/{name}/{file}.pem": data for file, data in files.items()}
    return {**found, f"{part}/credentials/{name}/tls.conf": b"# tls\n"}


def site(name: str, port: int, host: str, credential_name: str = "server") -> dict[str, bytes]:
    return {f"server/sites/{name}.conf": (SITE % (port, host, credential_name)).encode()}


def listener(name: str, port: int, credential_name: str = "client") -> dict[str, bytes]:
    return {f"proxy/listeners/{name}.conf": (LISTENER % (port, credential_name)).encode()}


def install(base: str, *files: dict[str, bytes], state: bool = True) -> str:
    """The id of the release that is live then, and stable with *state*."""
    source = release.with_entry({path: data for each in files for path, data in each.items()})
    identity = release.release_id(source)
    store = Store(base)
    store.create()
    store.stage(identity, source, {})
    store.switch(identity)
    if state:
        store.write_state(State("stable", "empty", identity, "2026-06-01T12:00:00+00:00"))
    return identity
