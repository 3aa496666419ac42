# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump tells of lines that undo the release; what nginx makes of them: tests/live/test_shadow.py."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import read_dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.undone import refuse, undone

ENTRY = "/etc/nginx/mtls/current/mtls.conf"
HOME = "/etc/nginx/mtls/releases/0123456789abcdef"
SERVER_TLS = """
ssl_certificate C; ssl_certificate_key K; ssl_client_certificate T; ssl_trusted_certificate ""; ssl_crl "";
ssl_verify_depth 1; ssl_session_cache off; ssl_session_tickets off;
"""
PROXY_TLS = """
proxy_ssl_certificate C; proxy_ssl_certificate_key K; proxy_ssl_trusted_certificate T; proxy_ssl_crl "";
proxy_ssl_verify on; proxy_ssl_verify_depth 1; proxy_ssl_server_name on; proxy_ssl_session_reuse on;
"""


def findings(
    http: str = "",
    before: str = "",
    behind: str = "",
    site: str = "",
    verify: str = "ssl_verify_client on;",
    route: str = "",
    **more: str,
) -> list[Finding]:
    """Of a release with one site and one listener. *http*, *before* and *behind* are the user's; *site* and
    *route* stand in the blocks of the release; *more* are further files below /etc/nginx."""
    main = f"http {{ {http}\n {before}\n include conf.d/mtls.conf;\n {behind} }}"
    texts = {
        "/etc/nginx/nginx.conf": main,
        "/etc/nginx/conf.d/mtls.conf": "include mtls/current/mtls.conf;",
        ENTRY: f"include {HOME}/server/sites/s.conf;\ninclude {HOME}/proxy/listeners/1.conf;",
        f"{HOME}/server/sites/s.conf": (
            f"server {{\n listen 443 ssl;\n server_name site.example.com;\n"
            f" include {HOME}/server/credentials/c/tls.conf;\n {verify}\n {site}\n}}"
        ),
        f"{HOME}/server/credentials/c/tls.conf": SERVER_TLS,
        f"{HOME}/proxy/listeners/1.conf": (
            f"server {{\n listen 127.0.0.1:8080;\n server_name _;\n location / {{\n"
            f" include {HOME}/proxy/credentials/c/tls.conf;\n {route}\n }}\n}}"
        ),
        f"{HOME}/proxy/credentials/c/tls.conf": PROXY_TLS,
        **{f"/etc/nginx/{name}": text for name, text in more.items()},
    }
    dump = read_dump("".join(f"# configuration file {name}:\n{text}\n" for name, text in texts.items()))
    return undone(dump.tree(), ENTRY)


def told(**texts: str) -> list[Finding]:
    return findings(**texts)


def codes(**texts: str) -> list[tuple[str, str]]:
    return [(one.code, one.place) for one in findings(**texts)]


def test_a_release_as_the_roles_write_it_is_silent() -> None:
    assert codes() == []
    assert codes(http="ssl_trusted_certificate /x; ssl_crl /y; ssl_session_cache shared:a:1m;") == []
    assert undone((), ENTRY) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ssl_certificate /x;", True),
        ("ssl_certificate_key /x;", True),
        ("ssl_session_cache shared:x:1m;", True),
        ("include snippets/tls.conf;", True),
        ("location / { include snippets/proxy.conf; proxy_ssl_verify off; }", False),
        ("ssl_ciphers HIGH;", False),
        ("ssl_protocols TLSv1.2; ssl_protocols TLSv1.2 TLSv1.3;", True),
        ("ssl_protocols TLSv1.2; location / { include snippets/proxy.conf; }", False),
    ],
)
def test_a_line_of_tls_conf_repeated_in_the_site(line: str, found: bool) -> None:
    snippets = {"snippets/tls.conf": "ssl_session_cache shared:SSL:10m;", "snippets/proxy.conf": ""}
    place = "/etc/nginx/snippets/tls.conf:1" if "snippets/tls" in line else "site s, line 6"
    assert codes(site=line, **snippets) == ([("server.tls_repeated", place)] if found else [])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("location /x { proxy_ssl_verify off; }", True),
        ("location /x { location /x/y { proxy_ssl_verify off; } }", True),
        ("if ($a) { proxy_ssl_certificate /x; }", True),
        ("limit_except GET { proxy_ssl_server_name off; }", True),
        ("location /x { proxy_ssl_session_reuse off; }", False),
        ("location /x { proxy_ssl_protocols TLSv1.3; }", False),
        (f"location /x {{ include {HOME}/proxy/credentials/c/tls.conf; }}", False),
    ],
)
def test_a_line_of_tls_conf_overridden_below(line: str, found: bool) -> None:
    assert codes(route=line) == ([("server.tls_overridden", "listener 1, line 6")] if found else [])


@pytest.mark.parametrize(
    ("line", "harmless"),
    [
        ("VerifyCAFile /x", False),
        ("verifycafile /x", False),
        ("VerifyMode Request", False),
        ("Certificate /x", False),
        ("Protocol ALL", False),
        ("CipherString ALL", False),
        ("Options SessionTicket", False),
        ("Options KTLS,SessionTicket", False),
        ("Options KTLS SessionTicket", False),
        ("SomethingNew on", False),
        ("Options PrioritizeChaCha", True),
        ("Options -SessionTicket,KTLS", True),
        ("MinProtocol TLSv1.2", True),
        ("Ciphersuites TLS_AES_256_GCM_SHA384", True),
    ],
)
def test_a_command_of_openssl(line: str, harmless: bool) -> None:
    def at(place: str) -> list[tuple[str, str]]:
        return [] if harmless else [("server.tls_command", place)]

    snippets = {"snippets/c.conf": f"ssl_conf_command {line};"}
    own = "ssl_conf_command Options KTLS;"
    assert codes(site=f"ssl_conf_command {line};") == at("site s, line 6")
    assert codes(site="include snippets/c.conf;", **snippets) == at("/etc/nginx/snippets/c.conf:1")
    assert codes(http=f"ssl_conf_command {line};") == at("/etc/nginx/nginx.conf:1")
    assert codes(http=f"ssl_conf_command {line};", site=own) == [], (
        "a block with one of its own inherits none"
    )
    assert codes(behind=f"server {{ listen 1 ssl; ssl_conf_command {line}; }}") == [], "the user's own"
    there = f"proxy_ssl_conf_command {line};"
    assert codes(route=there) == at("listener 1, line 6")
    assert codes(http=there) == at("/etc/nginx/nginx.conf:1")
    assert codes(route=f"location /x {{ {there} }}") == at("listener 1, line 6")
    assert codes(site=f"location /x {{ {there} proxy_pass https://app; }}") == [], "the site's own backend"


CLEARED = 'proxy_set_header X-SSL-Client-Verify ""; proxy_set_header X-Who $mtls_server_s_subject; '
ALL = 'proxy_set_header x-ssl-client-verify ""; proxy_set_header X-Who a; '


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("location /x { proxy_set_header A b; proxy_pass http://a; }", True),
        ("location /x { proxy_set_header X-Who a; proxy_pass http://a; }", True),
        ("location /x { proxy_set_header A b; location /x/y { proxy_pass http://a; } }", True),
        ("location /x { location /x/y { proxy_set_header A b; proxy_pass http://a; } }", True),
        ("location /x { if ($a) { proxy_pass http://a; } proxy_set_header A b; }", True),
        ("include snippets/x.conf;", True),
        ("location /x { proxy_pass http://a; }", False),
        (f"location /x {{ proxy_set_header A b; {ALL} proxy_pass http://a; }}", False),
        ("location /x { proxy_set_header A b; return 204; }", False),
        ("proxy_set_header A b; location /x { proxy_pass http://a; }", False),
    ],
)
def test_a_location_in_which_a_client_could_say_who_it_is(lines: str, found: bool) -> None:
    snippets = {"snippets/x.conf": "location /x { proxy_set_header A b; proxy_pass http://a; }"}
    place = "/etc/nginx/snippets/x.conf:1" if "snippets" in lines else "site s, line 6"
    assert codes(site=CLEARED + lines, **snippets) == ([("server.headers_dropped", place)] if found else [])
    assert codes(site=lines, **snippets) == [], "a block without such headers"
    assert codes(behind=f"server {{ {CLEARED} {lines} }}", **snippets) == [], "the user's own"


@pytest.mark.parametrize("name", ["fastcgi_pass", "grpc_pass", "scgi_pass", "uwsgi_pass"])
def test_what_knows_nothing_of_identity_headers(name: str) -> None:
    line = f"location /x {{ {name} a; }}"
    assert codes(site=line) == [("server.headers_passed", "site s, line 6")]
    assert codes(behind=f"server {{ {line} }}") == []


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        ({"http": "ssl_verify_client optional;", "verify": ""}, "/etc/nginx/nginx.conf:1"),
        ({"verify": "include snippets/v.conf;"}, "/etc/nginx/snippets/v.conf:1"),
        ({"verify": "include snippets/n.conf;"}, "/etc/nginx/snippets/n.conf:1"),
        ({"verify": "", "http": "ssl_verify_client optional_no_ca;"}, "/etc/nginx/nginx.conf:1"),
        ({"http": "ssl_verify_client optional_no_ca;"}, None),
        ({"http": "ssl_verify_client off;"}, None),
        ({"verify": ""}, None),
        ({"verify": "ssl_verify_client optional;"}, None),
    ],
)
def test_who_says_whether_clients_are_verified(texts: dict[str, str], place: str | None) -> None:
    snippets = {
        "snippets/v.conf": "ssl_verify_client off_is_not_a_value;",
        "snippets/n.conf": "ssl_verify_client optional_no_ca;",
    }
    found = codes(**texts, **snippets)
    assert found == ([("server.verify_changed", place)] if place else [])


@pytest.mark.parametrize(("value", "told"), [("optional_no_ca", True), ("optional", False), ("on", False)])
def test_a_site_that_lets_unverified_clients_in_is_a_warning(value: str, told: bool) -> None:
    found = findings(verify=f"ssl_verify_client {value};", http="ssl_verify_client optional;")
    assert refuse(found) == found
    assert [(one.code, one.place) for one in found] == (
        [("server.unverified_clients", "site s, line 5")] if told else []
    )


USER = "server { listen %s; server_name %s; }"


@pytest.mark.parametrize(
    ("listen", "names", "taken"),
    [
        ("443", "site.example.com", True),
        ("0.0.0.0:443", "other SITE.example.com", True),
        ("80; listen 443", ".site.example.com", True),
        ("443", "*.site.example.com", False),
        ("443", "_", False),
        ("443", '""', False),
        ("127.0.0.1:443", "site.example.com", False),
        ("[::]:443", "site.example.com", False),
        ("127.0.0.1:8080", "_", True),
        ("$nonsense:x:y", "_", False),
    ],
)
def test_one_name_in_two_blocks(listen: str, names: str, taken: bool) -> None:
    text = USER % (listen, names)
    ours = ("site s", "listener 1")["8080" in listen] + ", line 1"
    assert codes(before=text) == ([("server.name_taken", ours)] if taken else [])
    assert codes(behind=text) == ([("server.name_hidden", "/etc/nginx/nginx.conf:4")] if taken else [])


def test_two_blocks_of_the_user_are_the_users() -> None:
    assert codes(before=(USER % ("443", "own")) * 2) == []
    twice = USER % ("443", "site.example.com")
    assert [one for one, dummy in codes(behind=twice * 2)] == ["server.name_hidden"]


def test_an_address_without_listen_is_port_80() -> None:
    assert codes(before="server { server_name site.example.com; }") == []


def test_errors_are_raised_and_the_rest_is_told() -> None:
    hidden = findings(behind=USER % ("443", "site.example.com"))
    assert refuse(hidden) == hidden
    with pytest.raises(MtlsError) as caught:
        refuse(hidden + findings(site="ssl_certificate /x; ssl_certificate_key /secret;"))
    assert caught.value.code == "server.tls_repeated"
    assert "1 more" in caught.value.message
    assert "secret" not in str(caught.value)
