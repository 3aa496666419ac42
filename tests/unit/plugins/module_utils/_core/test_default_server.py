# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.blocks import Site
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.default_server import (
    DefaultPlan,
    plan_defaults,
    user_servers,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.listen import parse_listen
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import (
    Directive,
    parse,
    read_dump,
)

ENTRY = "mtls/current/mtls.conf"
BOTH = ("TLSv1.2", "TLSv1.3")
TRUST = ("T", "", "", "1")


def site(
    name: str = "orders", listen: str = "443 ssl", protocols: tuple[str, ...] = BOTH, curves: str = ""
) -> Site:
    listens = (parse_listen(tuple(listen.split())),)
    return Site(
        name,
        listens,
        (f"{name}.test",),
        "server",
        "on",
        protocols,
        "/p",
        curves,
        Directive("server", (), "", 0),
    )


def plan(
    *sites: Site,
    http: str = "",
    version: tuple[int, ...] = (1, 26, 3),
    caches: dict[str, str] | None = None,
) -> DefaultPlan:
    """The plan beside a user's *http* level, in which our entry is written as ENTRY;."""
    text = f"# configuration file /etc/nginx/nginx.conf:\nhttp {{\n{http or 'ENTRY;'}\n}}\n".replace(
        "ENTRY", f"include {ENTRY}"
    )
    users = user_servers(read_dump(text).tree(), ENTRY)
    return plan_defaults(
        sites,
        users,
        version,
        lambda one: TRUST,
        lambda one: (caches or {}).get(one.name, "off"),
        lambda path: path,
    )


def test_ours_refuses_the_handshake_and_keeps_nothing() -> None:
    (server,) = parse(plan(site()).text)
    assert server.value("listen") == "*:443 ssl default_server"
    assert server.value("ssl_reject_handshake") == "on"
    assert server.value("ssl_session_cache") == "off"
    assert server.value("ssl_session_tickets") == "off"
    # Without it nginx 1.22 has no TLS 1.3 on any site of the socket.
    assert server.value("ssl_protocols") == "TLSv1.2 TLSv1.3"
    # A Host that no block has, behind a handshake with a site's name, ends here without client certificate.
    assert server.value("return") == "421"


def test_curves_are_the_default_servers() -> None:
    assert (
        parse(plan(site(curves="X25519"), site("b", curves="X25519")).text)[0].value("ssl_ecdh_curve")
        == "X25519"
    )
    assert "ssl_ecdh_curve" not in plan(site()).text


@pytest.mark.parametrize("curves", ["", "ssl_ecdh_curve prime256v1;"])
def test_a_users_default_with_other_curves_is_refused_where_a_site_has_its_own(curves: str) -> None:
    http = f"server {{ listen 443 ssl; {curves} }} ENTRY;"
    assert plan(site(), http=http).text == ""
    with pytest.raises(MtlsError, match="has other curves"):
        plan(site(curves="X25519"), http=http)
    assert plan(site(curves="X25519"), http=f"ssl_ecdh_curve X25519; {http.replace(curves, '')}").text == ""


def test_http2_of_a_listen_holds_for_the_whole_socket() -> None:
    (server,) = parse(plan(site(listen="443 ssl http2")).text)
    assert server.value("listen") == "*:443 ssl http2 default_server"


def test_one_for_each_socket() -> None:
    found = plan(site(), site("b"), site("c", "[::]:443 ssl"), site("d", "8443 ssl proxy_protocol"))
    assert [server.value("listen") for server in parse(found.text)] == [
        "*:443 ssl default_server",
        "*:8443 ssl proxy_protocol default_server",
        "[::]:443 ssl default_server",
    ]


def test_socket_options_are_not_repeated() -> None:
    assert "reuseport" not in plan(site(listen="443 ssl reuseport backlog=8")).text


def test_other_sockets_of_the_user_do_not_matter() -> None:
    http = "server { listen 80 default_server; } server { listen 10.0.0.1:443 ssl default_server; } ENTRY;"
    assert "ssl_reject_handshake" in plan(site(), http=http).text


@pytest.mark.parametrize(
    "http",
    [
        "ENTRY; server { listen 443 ssl default_server; }",
        "server { listen 443 ssl; } ENTRY;",
        "server { listen 443 ssl default_server; ssl_session_cache off; } ENTRY;",
        "ssl_session_cache none; server { listen 443 ssl; ssl_verify_client off; } ENTRY;",
        "ignore_invalid_headers off; server { listen 443 ssl; ignore_invalid_headers on; } ENTRY;",
    ],
)
def test_a_users_default_that_lets_nobody_in_stays(http: str) -> None:
    assert plan(site(), http=http).text == ""


@pytest.mark.parametrize(
    ("http", "words"),
    [
        ("server { listen 443 ssl; ssl_session_cache shared:x:1m; } ENTRY;", "keeps sessions"),
        ("ssl_session_cache shared:x:1m; server { listen 443 ssl; } ENTRY;", "keeps sessions"),
        ("server { listen 443 ssl; ssl_session_ticket_key /k; } ENTRY;", "ticket key"),
        ("server { listen 443 ssl; ignore_invalid_headers off; } ENTRY;", "ignore_invalid_headers on"),
        ("ignore_invalid_headers off; server { listen 443 ssl; } ENTRY;", "ignore_invalid_headers on"),
        ("server { listen 443 ssl; ssl_protocols TLSv1.2; } ENTRY;", "rules out TLSv1.3"),
        ("server { listen 443 ssl; ssl_protocols TLSv1 TLSv1.2 TLSv1.3; } ENTRY;", "also allows TLSv1"),
        (
            "server { listen 443 ssl; ssl_verify_client on; ssl_client_certificate X; } ENTRY;",
            "another trust",
        ),
        (
            "server { listen 443 ssl; ssl_verify_client on; ssl_client_certificate T; ssl_crl C; } ENTRY;",
            "another trust",
        ),
        (
            (
                "server { listen 443 ssl; ssl_verify_client on; ssl_client_certificate T;"
                " ssl_verify_depth 3; } ENTRY;"
            ),
            "another trust",
        ),
    ],
)
def test_a_users_default_that_governs_is_refused_with_its_line(http: str, words: str) -> None:
    with pytest.raises(MtlsError, match=words) as found:
        plan(site(), http="\n" + http)
    assert found.value.code == "server.default_governs"
    assert found.value.place == "/etc/nginx/nginx.conf:3"


def test_a_users_default_with_our_trust_is_allowed() -> None:
    http = "server { listen 443 ssl; ssl_verify_client on; ssl_client_certificate T; } ENTRY;"
    assert plan(site(), http=http).text == ""


@pytest.mark.parametrize(
    ("version", "refused"), [((1, 22, 1), True), ((1, 23, 4), False), ((1, 30, 6), False)]
)
def test_the_defaults_protocols_are_those_of_its_nginx(version: tuple[int, ...], refused: bool) -> None:
    http = "server { listen 443 ssl; } ENTRY;"
    if refused:
        with pytest.raises(MtlsError, match=r"rules out TLSv1\.3"):
            plan(site(), http=http, version=version)
    else:
        assert plan(site(), http=http, version=version).text == ""


def test_nginx_1_30_applies_a_sites_own_protocols_too() -> None:
    http = "server { listen 443 ssl; } ENTRY;"
    modern = site(protocols=("TLSv1.3",))
    assert plan(modern, http=http, version=(1, 30, 6)).text == ""
    with pytest.raises(MtlsError, match=r"also allows TLSv1\.2"):
        plan(modern, http=http, version=(1, 26, 3))


def test_an_implicit_default_behind_ours_is_replaced_only_with_a_word() -> None:
    found = plan(site(), http="ENTRY;\nserver { listen 443 ssl; }")
    assert "ssl_reject_handshake" in found.text
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("/etc/nginx/nginx.conf:3:")
    assert plan(site(), http="ENTRY; server { listen 80; }").warnings == ()


@pytest.mark.parametrize(
    "other",
    [site("b", protocols=("TLSv1.3",)), site("b", "443 ssl proxy_protocol"), site("b", curves="X25519")],
    ids=["protocols", "proxy", "curves"],
)
def test_sites_of_one_socket_must_be_alike(other: Site) -> None:
    with pytest.raises(MtlsError, match="shares"):
        plan(site(), other)


def test_an_ipv6_address_has_one_default_server_however_it_is_spelt() -> None:
    found = parse(plan(site(listen="[0::0]:443 ssl"), site("stock", "[::]:443 ssl")).text)
    assert [server.value("listen") for server in found] == ["[0::0]:443 ssl default_server"]
    two = parse(plan(site(listen="[::1]:443 ssl"), site("stock", "[::]:443 ssl")).text)
    assert len(two) == 2
    users = "server { listen [0:0::]:443 ssl default_server; ssl_session_cache shared:own:1m; } ENTRY;"
    with pytest.raises(MtlsError, match="keeps sessions"):
        plan(site(listen="[::]:443 ssl"), http=users)
    assert "default_server" in plan(site(listen="[::1]:443 ssl"), http=users).text


def test_shared_sessions_are_the_default_servers_too() -> None:
    # The default server's settings govern: with its cache off, a site's own would keep nothing.
    found = plan(site(), site("b"), caches={"orders": "shared:z:1m", "b": "shared:z:1m"})
    assert parse(found.text)[0].value("ssl_session_cache") == "shared:z:1m"
    with pytest.raises(MtlsError, match="sessions"):
        plan(site(), site("b"), caches={"orders": "shared:z:1m"})


def test_ours_inherits_no_verification() -> None:
    """With ssl_verify_client of the http level it would not load without an authority of its own."""
    assert "    ssl_verify_client off;\n" in plan(site()).text
