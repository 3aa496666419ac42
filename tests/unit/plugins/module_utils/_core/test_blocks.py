# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import blocks
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

SITE = """
map $host $named { default 0; a.example.com 1; }
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name a.example.com "~^b$";
    include @MTLS_RELEASE@/server/credentials/main/tls.conf;
    ssl_verify_client optional;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1;
    location = /.mtls/probe { if ($x) { return 403; } return 200 "@MTLS_ID@ $ssl_client_verify\\n"; }
    location = /other { return 200 "no id"; }
}
server { listen 80; return 301 https://$host; }
"""
LISTENER = """
server {
    listen 127.0.0.1:8080;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location = /.mtls/probe/orders {
        include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
        proxy_ssl_name a.example.com;
        proxy_pass https://up/.mtls/probe;
    }
    location = /.mtls/probe/odd { proxy_pass http://plain; }
    location / { include @MTLS_RELEASE@/proxy/credentials/other/tls.conf; proxy_pass https://up; }
}
"""


def test_a_site_of_the_roles() -> None:
    (site,) = blocks.sites({"orders": SITE})
    assert [listen.key for listen in site.listens] == ["*:443", "[::]:443"]
    assert site.host_name == "a.example.com"
    assert (site.credential, site.verify, site.probe_path) == ("main", "optional", "/.mtls/probe")
    assert (site.protocols, site.curves) == (("TLSv1.2", "TLSv1.3"), "X25519:prime256v1")


def test_a_block_of_another_make_yields_less_and_no_guess() -> None:
    (site,) = blocks.sites({"x": "server { listen 443 ssl; ssl_certificate /a; }"})
    assert (site.credential, site.verify, site.probe_path, site.host_name) == (None, "off", None, None)
    assert site.curves == ""


def test_a_block_without_tls_is_no_site() -> None:
    assert blocks.sites({"x": "server { listen 80; }"}) == []


def test_a_listener_and_its_routes() -> None:
    (listener,) = blocks.listeners({"1": LISTENER})
    assert listener.has_probe
    (route,) = listener.routes
    assert (route.name, route.credential, route.server_name) == ("orders", "client", "a.example.com")
    assert (route.upstream, route.path) == ("up", "/.mtls/probe")


def test_credentials_that_a_text_names() -> None:
    assert blocks.credentials_in(LISTENER) == [("proxy", "client"), ("proxy", "other")]


def test_servers_of_an_upstream() -> None:
    text = "upstream up { server a1:443 max_fails=0; server [::1]:444; server unix:/x; keepalive 4; }"
    assert blocks.upstream_servers({"orders": text}) == {"up": [("a1", 443), ("::1", 444)]}


def test_a_broken_block_names_its_place() -> None:
    with pytest.raises(MtlsError) as found:
        blocks.sites({"orders": "server {\n listen 443 ssl;\n"})
    assert found.value.place.startswith("site orders:")
