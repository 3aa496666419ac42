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


def leading(inside: str) -> list[blocks.Route]:
    (listener,) = blocks.listeners({"1": f"server {{ listen 8080; {inside} }}"})
    return [*listener.routes, *listener.ways]


TLS = "include @MTLS_RELEASE@/proxy/credentials/%s/tls.conf;"


def test_what_a_location_inherits() -> None:
    inside = f"""
    {TLS % "client"} proxy_ssl_name a.test; proxy_set_header Host h.test; deny 10.0.0.1;
    location /a {{
        proxy_pass https://up;
        location /a/b {{ proxy_set_header X y; proxy_pass https://low/; }}
    }}
    location /c {{
        {TLS % "other"} proxy_ssl_name c.test; proxy_set_header Host $host; proxy_pass https://up;
    }}
    """
    upper, lower, other = leading(inside)
    assert upper.towards == ("client", "up", "a.test")
    assert (upper.host, upper.asked, upper.path, upper.limited) == ("h.test", "/a", "/a", True)
    assert lower.towards == ("client", "low", "a.test")
    # Whoever says one header of its own inherits none: nginx's own Host is the upstream's name.
    assert (lower.host, lower.asked, lower.path) == ("low", "/a/b", "/")
    assert other.towards == ("other", "up", "c.test")
    assert (other.host, other.asked) == ("c.test", "/c")


def test_of_itself_a_location_has_no_identity_and_its_upstreams_name() -> None:
    (way,) = leading(
        f"location / {{ proxy_pass https://up; }} location /x {{ {TLS % 'client'} return 404; }}"
    )
    assert way.towards == (None, "up", "up")
    assert (way.host, way.limited) == ("up", False)
    (way,) = leading(f"{TLS.replace('proxy/', 'server/') % 'client'} location / {{ proxy_pass https://up; }}")
    assert way.credential is None


@pytest.mark.parametrize(
    ("location", "upstream", "asked", "path"),
    [
        ("location / { proxy_pass https://up; }", "up", "/", "/"),
        ("location = /x { proxy_pass https://up/v1/; }", "up", "/x", "/v1/"),
        ("location ^~ /x { proxy_pass https://up; }", "up", "/x", "/x"),
        ("location ~ ^/x { proxy_pass https://up; }", "up", "", "/"),
        ("location @back { proxy_pass https://up; }", "up", "", "/"),
        ("location ~ x { location ~ xy { proxy_pass https://up; } }", "up", "", "/"),
        ("location / { if ($x) { proxy_pass https://up; } }", "up", "", "/"),
        ("location / { limit_except GET { proxy_pass https://up; } }", "up", "", "/"),
        ("location / { proxy_pass https://up$request_uri; }", "up", "/", "$request_uri"),
        ("location / { proxy_pass https://$up/a; }", "$up", "/", "/a"),
    ],
)
def test_each_kind_of_location_that_leads_on(location: str, upstream: str, asked: str, path: str) -> None:
    (way,) = leading(location)
    assert (way.name, way.ours) == ("", False)
    assert (way.upstream, way.asked, way.path) == (upstream, asked, path)


@pytest.mark.parametrize(
    "location", ["location / { proxy_pass http://up; }", "location / { return 404; }", "proxy_ssl_name x;"]
)
def test_what_leads_nowhere_over_tls(location: str) -> None:
    assert leading(location) == []


@pytest.mark.parametrize(
    ("location", "name", "ours"),
    [
        ("location = /.mtls/probe/r { proxy_pass https://up/p; }", "r", True),
        ("location = /.mtls/probe/r { proxy_pass https://up/; }", "r", False),
        ("location = /.mtls/probe/r { proxy_pass https://up; }", "r", False),
        ("location = /.mtls/probe/r { proxy_pass https://up/$p; }", "r", False),
        ("location /.mtls/probe/r { proxy_pass https://up/p; }", "", False),
        ("location = /r { proxy_pass https://up/p; }", "", False),
    ],
)
def test_a_probe_location_leads_to_as_probe_path(location: str, name: str, ours: bool) -> None:
    (way,) = leading(location)
    assert (way.name, way.ours) == (name, ours)
    assert blocks.called(way, {"up": "orders"}) == (name or "orders")
    assert blocks.called(way, {}) == (name or "up")


def test_credentials_that_a_text_names() -> None:
    assert blocks.credentials_in(LISTENER) == [("proxy", "client"), ("proxy", "other")]


def test_servers_of_an_upstream() -> None:
    text = "upstream up { server a1:443 max_fails=0; server [::1]:444; server unix:/x; keepalive 4; }"
    assert blocks.upstream_servers({"orders": text}) == {"up": [("a1", 443), ("::1", 444)]}


def test_a_broken_block_names_its_place() -> None:
    with pytest.raises(MtlsError) as found:
        blocks.sites({"orders": "server {\n listen 443 ssl;\n"})
    assert found.value.place.startswith("site orders:")
