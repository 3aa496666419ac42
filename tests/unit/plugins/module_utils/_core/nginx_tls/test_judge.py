# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about configurations: where they stay silent, and whom they name."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.backends import taking
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.judge import Known
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.configurations import (
    NEW,
    OLD,
    in_force,
    judged,
    location,
    server,
)

B = "proxy_ssl_certificate b.pem; proxy_ssl_certificate_key b.key;"
GOOD = (
    f"{B} proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_server_name on;"
    " proxy_ssl_name a.example.com;"
)


def codes(text: str, version: tuple[int, ...] = NEW, known: Optional[Known] = None) -> set[str]:
    return {one.code for one in judged(text, version, known or Known())}


def two(first: str, second: str, upstream: str = "server 192.0.2.1:443;") -> str:
    ways = "".join(
        f"location /{number}/ {{ {lines} proxy_pass https://u.test; }}"
        for number, lines in enumerate((first, second))
    )
    return f"upstream u.test {{ {upstream} }} server {{ listen 127.0.0.1:80; {ways} }}"


OTHER = GOOD.replace("b.pem", "c.pem")
NO_REUSE = "proxy_ssl_session_reuse off;"


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (two(GOOD, GOOD), False),
        (two(GOOD, OTHER), True),
        (two(GOOD, GOOD.replace("verify on", "verify off")), True),
        (two(GOOD, GOOD.replace("ca.pem", "x.pem")), True),
        # neither sessions nor connections are kept, or each location keeps its own
        (two(GOOD + NO_REUSE, OTHER + NO_REUSE), False),
        (two(GOOD + NO_REUSE, OTHER + NO_REUSE, "server 192.0.2.1:443; keepalive 8 local;"), False),
        (two(GOOD + NO_REUSE, OTHER + NO_REUSE, "server 192.0.2.1:443; keepalive 0;"), False),
        (two(GOOD + NO_REUSE, OTHER + NO_REUSE, "server 192.0.2.1:443; keepalive 8;"), True),
        (two(GOOD + NO_REUSE, OTHER), False),
        (two(GOOD, OTHER).replace("https://u.test", "https://$a"), False),
        (
            two(GOOD, OTHER)
            .replace("https://u.test", "https://$a")
            .replace("listen", "set $a u.test; listen"),
            True,
        ),
        (two(GOOD, GOOD.replace("b.", "$x.")), True),
        (
            two(GOOD.replace("b.", "$x."), GOOD.replace("b.", "$x.")).replace("https://u.test", "https://$a"),
            False,
        ),
    ],
)
def test_identities_share_what_is_kept(text: str, shared: bool) -> None:
    assert ("proxy.identity_shared" in codes(text)) == shared


def test_each_of_two_locations_is_named_with_the_other() -> None:
    text = two(GOOD, OTHER).replace("location /1/", "\nlocation /1/")
    found = [one for one in judged(text) if one.code == "proxy.identity_shared"]
    lines = ["/etc/nginx/nginx.conf:1", "/etc/nginx/nginx.conf:2"]
    assert [one.place for one in found] == lines
    assert all(line in one.message for one, line in zip(found, reversed(lines)))


@pytest.mark.parametrize(
    ("listen", "lines", "is_open"),
    [
        ("80", "", True),
        ("192.0.2.1:80", "", True),
        ("[::]:80", "", True),
        ("127.0.0.1:80", "", False),
        ("127.8.8.8:80", "", False),
        ("[::1]:80", "", False),
        ("unix:/run/a", "", False),
        ("443 ssl", "", False),
        ("80", "allow 192.0.2.0/24; deny all;", False),
        ("80", "allow all;", True),
        ("80", "deny all;", False),
        ("80", "auth_basic x;", False),
        ("80", "auth_basic off;", True),
        ("80", "auth_request /a;", False),
    ],
)
def test_who_may_speak_with_our_certificate(listen: str, lines: str, is_open: bool) -> None:
    text = f"server {{ listen {listen}; location / {{ {GOOD} {lines} proxy_pass https://a.example.com; }} }}"
    assert ("proxy.open_listener" in codes(text)) == is_open


@pytest.mark.parametrize(
    ("to", "lines", "mismatch"),
    [
        ("orders", B + "proxy_ssl_verify on;", True),
        ("orders", B, False),  # not verified: another finding
        ("orders.example.com", B + "proxy_ssl_verify on;", False),  # an upstream may have the server's name
        ("orders", GOOD, False),
        ("192.0.2.1", B + "proxy_ssl_verify on;", True),
        ("[2001:db8::1]", B + "proxy_ssl_verify on;", True),
        ("192.0.2.1", GOOD, False),
        ("$host", B + "proxy_ssl_verify on;", False),
        ("single", B + "proxy_ssl_verify on;", False),  # no upstream block: a name of the search domain
    ],
)
def test_names_that_cannot_match(to: str, lines: str, mismatch: bool) -> None:
    upstreams = "".join(
        f"upstream {name} {{ server 192.0.2.1:443; }}" for name in ("orders", "orders.example.com")
    )
    text = f"{upstreams} server {{ listen 127.0.0.1:80; location / {{ {lines} proxy_pass https://{to}; }} }}"
    assert ("proxy.name_mismatch" in codes(text)) == mismatch


def block(name: str, ca: str, lines: str = "", verify: str = "on") -> str:
    return (
        f"server {{ listen 443 ssl; server_name {name}; ssl_client_certificate {ca};"
        f" ssl_verify_client {verify}; {lines} }}"
    )


CAS = {
    "/etc/nginx/a.pem": frozenset("a"),
    "/etc/nginx/b.pem": frozenset("b"),
    "/etc/nginx/ab.pem": frozenset("ab"),
}
KNOWN = Known(CAS, {"/etc/nginx/a.crl": "1", "/etc/nginx/same.crl": "1", "/etc/nginx/b.crl": "2"})


@pytest.mark.parametrize(
    ("default", "other", "admitted"),
    [
        (block("d", "a.pem"), block("s", "b.pem"), True),
        (block("d", "a.pem"), block("s", "a.pem"), False),
        (block("d", "a.pem"), block("s", "ab.pem"), False),  # whom it lets in, the other one does, too
        (block("d", "ab.pem"), block("s", "a.pem"), True),
        (block("d", "a.pem", verify="off"), block("s", "b.pem"), False),
        (block("d", "a.pem", verify="optional"), block("s", "b.pem"), True),
        (block("d", "a.pem"), block("s", "b.pem", verify="off"), False),
        (block("d", "a.pem", "ssl_reject_handshake on;"), block("s", "b.pem"), False),
        (block("d", "a.pem", "ssl_verify_depth 2;"), block("s", "a.pem"), True),
        (block("d", "a.pem"), block("s", "a.pem", "ssl_crl a.crl;"), True),
        (block("d", "a.pem", "ssl_crl same.crl;"), block("s", "a.pem", "ssl_crl a.crl;"), False),
        (block("d", "a.pem", "ssl_crl b.crl;"), block("s", "a.pem", "ssl_crl a.crl;"), True),
        (block("d", "a.pem", "ssl_trusted_certificate b.pem;"), block("s", "a.pem"), True),
        (block("d", "gone.pem"), block("s", "gone.pem"), False),
        (block("d", "gone.pem"), block("s", "a.pem"), True),
    ],
)
def test_who_gets_in_by_the_default_server(default: str, other: str, admitted: bool) -> None:
    assert ("server.other_trust_admitted" in codes(default + other, NEW, KNOWN)) == admitted


@pytest.mark.parametrize(
    ("lines", "version", "kept"),
    [
        ("", NEW, False),
        ("ssl_session_cache shared:x:1m;", NEW, True),
        ("ssl_session_cache shared:x:1m;", OLD, False),
        ("ssl_session_cache shared:x:1m; ssl_session_tickets off;", OLD, True),
        ("ssl_session_cache builtin; ssl_session_tickets off;", NEW, False),
        ("ssl_session_cache off; ssl_session_ticket_key t.key;", OLD, True),
    ],
)
def test_sessions_of_the_default_server_govern(lines: str, version: tuple[int, ...], kept: bool) -> None:
    for text in (block("d", "a.pem", lines), block("d", "a.pem", lines, "off") + block("s", "a.pem")):
        assert ("server.sessions_outlive_trust" in codes(text, version)) == kept
    own = block("d", "a.pem") + block("s", "a.pem", lines)
    assert "server.sessions_outlive_trust" not in codes(own, version), "a block that is not the default"


def test_blocks_of_a_release_are_told_as_ours() -> None:
    main = "http { include mtls/current/mtls.conf; }"
    path = "/etc/nginx/mtls/releases/0123456789abcdef/server/sites/a.conf"
    found = in_force(
        {
            "/etc/nginx/nginx.conf": main,
            "/etc/nginx/mtls/current/mtls.conf": f"include {path};",
            path: "server { listen 443 ssl; }",
        }
    )
    assert [one["ours"] for one in found.servers] == [True]
    assert not server("listen 443 ssl;")["ours"] and not location(f"{B} proxy_pass https://a;")["ours"]


VERIFIES = "listen 443 ssl; server_name s.test; ssl_client_certificate ca.pem; ssl_verify_client on;"
ASKS_NOBODY = "listen 443 ssl default_server; server_name {};"
TO = "proxy_pass http://127.0.0.1:9000;"


def site(lines: str, neighbour: str = "", outer: str = "") -> str:
    return f"{outer} server {{ {VERIFIES} {lines} }}" + (f" server {{ {neighbour} }}" if neighbour else "")


def beside(lines: str, name: str = "_", mine: str = f"location / {{ {TO} }}") -> str:
    return site(mine, ASKS_NOBODY.format(name) + lines)


UPSTREAM = "upstream u { server 127.0.0.1:9000; } "
ANY = f"location / {{ {TO} }}"
BY_NAME = "location / { proxy_pass http://u; }"
HOST = "proxy_set_header Host $host;"
WAYS = [
    (beside(f"location / {{ {TO} }}"), True),
    (beside(f"location / {{ {TO} }}", "other.test"), True),
    (beside(f"location ^~ / {{ {TO} }}"), True),
    (UPSTREAM + beside(BY_NAME, mine=BY_NAME), True),
    (beside("location / { proxy_pass http://127.0.0.1:9001; }"), False),
    (beside(f"return 421; location / {{ {TO} }}"), False),
    (beside(f"location / {{ return 404; {TO} }}"), False),
    (beside(f"ssl_reject_handshake on; location / {{ {TO} }}"), False),
    (beside(f"ssl_client_certificate x.pem; ssl_verify_client on; location / {{ {TO} }}"), False),
    (beside(f"location / {{ deny all; {TO} }}"), False),
    (beside(f"location / {{ if ($http_x = '') {{ return 403; }} {TO} }}"), False),
    (beside(f"if ($http_x = '') {{ return 403; }} location / {{ {TO} }}"), False),
    (beside(f"location / {{ if ($http_x = '') {{ set $x 1; }} {TO} }}"), True),
    # Other paths.
    (beside(f"location /health {{ {TO} }}"), False),
    (beside(f"location = / {{ {TO} }}"), False),
    (beside(f"location / {{ {TO} }}", mine=f"location /api/ {{ {TO} }}"), True),
    (beside(f"location = /x {{ {TO} }}", mine=f"location = /x {{ {TO} }}"), True),
    (beside(f"location ~ x {{ {TO} }}"), False),
    # By Host the backend may tell one application from the other.
    (beside(f"{HOST} {ANY}", mine=f"{HOST} {ANY}"), True),
    (beside(f"{HOST} {ANY}", "x.test", f"{HOST} {ANY}"), False),
    (beside(f"proxy_set_header Host s.test; {ANY}", "x.test", f"{HOST} {ANY}"), True),
    (beside(f"proxy_set_header Host y.test; {ANY}", "x.test", f"{HOST} {ANY}"), False),
    (beside(f"proxy_set_header Host y.test; {ANY}", "x.test"), False),
    # Another socket: of this host only, or of others, too.
    (site(f"location / {{ {TO} }}", f"listen 127.0.0.1:80; location / {{ {TO} }}"), False),
    (site(f"location / {{ {TO} }}", f"listen 80; location / {{ {TO} }}"), True),
    # Nobody is required to have a certificate here.
    (beside(f"location / {{ {TO} }}").replace("verify_client on", "verify_client optional"), False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WAYS)
def test_a_way_past_the_block_that_verifies(text: str, told: bool) -> None:
    assert ("server.backend_unguarded" in codes(text)) == told


def test_a_way_past_it_is_told_once_and_by_its_place() -> None:
    text = beside(f"\nlocation /a {{ {TO} }}", mine=f"location /ab {{ {TO} }} location /ac {{ {TO} }}")
    (found,) = [one for one in judged(text) if one.code == "server.backend_unguarded"]
    assert found.place == "/etc/nginx/nginx.conf:2"


DN = "proxy_set_header X-DN $ssl_client_s_dn;"
MAP = "map $ssl_client_verify $seen { default 0; SUCCESS 1; } map $seen $who { 1 $a; } "
OWN = "proxy_set_header X-More 1;"
LOST = [
    (site(f"{DN} location / {{ {TO} }}"), False),
    (site(f"{DN} location / {{ {OWN} {TO} }}"), True),
    (site(f"{DN} location / {{ {OWN} {DN} {TO} }}"), False),
    (site(f"{DN} location / {{ {OWN} proxy_set_header x-dn ''; {TO} }}"), False),
    (site(f"location / {{ {OWN} {TO} }}"), False),
    (site(f"location / {{ {OWN} {TO} }}", outer=DN), True),
    (site(f"location / {{ {DN} location /a {{ {OWN} {TO} }} }}"), True),
    (site(f"proxy_set_header X-Host $host; location / {{ {OWN} {TO} }}"), False),
    (site(f"proxy_set_header X-DN '${{ssl_client_s_dn}} x'; location / {{ {OWN} {TO} }}"), True),
    (site(f"proxy_set_header X-Who $who; location / {{ {OWN} {TO} }}", outer=MAP), True),
    (site(f"set $w $ssl_client_s_dn; proxy_set_header X-Who $w; location / {{ {OWN} {TO} }}"), True),
    (site(f"proxy_set_header X-Who $a; location / {{ {OWN} {TO} }}", outer=MAP), False),
    (site("grpc_set_header X $ssl_client_serial; location / { grpc_set_header Y 1; grpc_pass a:1; }"), True),
    (site("uwsgi_param DN $ssl_client_s_dn; location / { uwsgi_param X 1; uwsgi_pass a:1; }"), True),
    # Nobody verifies: a fault where there is a trust, else it keeps out forged headers.
    (site(f"{DN} location / {{ {TO} }}").replace("ssl_verify_client on;", ""), True),
    (f"server {{ listen 80; {DN} location / {{ {TO} }} }}", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), LOST)
def test_headers_of_identity_that_get_lost(text: str, told: bool) -> None:
    assert ("server.identity_lost" in codes(text)) == told


def test_variables_that_are_made_of_each_other_in_a_ring() -> None:
    ring = "map $a $b { default $c; } map $b $c { default $a; } map $c $a { default $b; } "
    asked = f"proxy_set_header X $a; location / {{ {OWN} {TO} }}"
    assert "server.identity_lost" not in codes(site(asked, outer=ring))
    assert "server.identity_lost" in codes(
        site(asked, outer=ring + "map $ssl_client_s_dn $b { default 1; } ")
    )


@pytest.mark.parametrize(
    ("path", "place"),
    [("/", 1), ("/api/x", 2), ("/api", 1), ("/one", 3), ("/one/", 1), ("/prefer/x", 4), ("/regex", 1)],
)
def test_which_backend_takes_a_request(path: str, place: int) -> None:
    written = ("/", "/api/", "= /one", "^~ /prefer", "~ regex")
    found = [{"path": one, "place": number} for number, one in enumerate(written, 1)]
    told = taking(found, path)
    assert told is not None and told["place"] == place
    assert taking(found[1:], "/") is None


def test_no_value_of_a_header_is_told() -> None:
    (found,) = server(
        f'proxy_set_header X-Secret "s3cr3t"; {DN} proxy_set_header "s3 cr3t" $ssl_client_serial;'
        f" listen 443 ssl; location / {{ {TO} }}"
    )["backends"]
    assert found["identity"] == ["X-DN"] and "s3" not in str(found)


def test_nothing_closes_what_would_be_inherited() -> None:
    outer = f"{B} ssl_trusted_certificate a.pem; ssl_crl a.crl;"
    closed = server('listen 443 ssl; ssl_trusted_certificate ""; ssl_crl "";', outer)
    assert closed["trusted"] is None and closed["crl"] is None and closed["inherited"] == []
    found = location('proxy_ssl_certificate ""; proxy_pass https://a;', outer)
    assert found["certificate"] is None and found["key"]["path"] == "/etc/nginx/b.key"


def test_ssl_on_of_old_versions() -> None:
    text = "listen 443; ssl on; ssl_certificate a.pem; ssl_certificate_key a.key;"
    assert server(text, version=OLD)["listens"][0]["tls"] and not server(text)["tls"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a.pem", {"path": "/etc/nginx/a.pem", "variable": False, "scheme": "", "text": ""}),
        ("../a/.//b.pem", {"path": "/etc/nginx/../a/b.pem", "variable": False, "scheme": "", "text": ""}),
        ('"engine:pkcs11:pin-value=s3cr3t"', {"path": "", "variable": False, "scheme": "engine", "text": ""}),
        ('"store:pkcs11:pin=s3cr3t"', {"path": "", "variable": False, "scheme": "store", "text": ""}),
        (
            '"pkcs11:a;pin-value=s3cr3t"',
            {"path": "", "variable": False, "scheme": "pkcs11", "text": ""},
        ),
        ("Data:s3cr3t", {"path": "", "variable": False, "scheme": "data", "text": ""}),
        (
            "database:a.pem",
            {"path": "/etc/nginx/database:a.pem", "variable": False, "scheme": "", "text": ""},
        ),
        ("data:$key", {"path": "", "variable": True, "scheme": "data", "text": ""}),
        ("$name.key", {"path": "", "variable": True, "scheme": "", "text": "$name.key"}),
    ],
)
def test_what_a_file_is_told_as(value: str, told: dict[str, object]) -> None:
    (pair,) = server(f"listen 443 ssl; ssl_certificate a.pem; ssl_certificate_key {value};")["certificates"]
    assert pair["key"] == {**told, "place": "/etc/nginx/nginx.conf:1"}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("A.example.com _ .b.test *.c.test d.* my_app 192.0.2.1 [::1] bücher.test", None),
        ("~^(?<sub>.+)\\.a\\.test$ a.test", None),
        ('"" a.test', ["a.test"]),
        ('a.test b.test\nproxy_set_header Authorization "Bearer s3cr3t"', ["a.test", "b.test"]),
        ("a.test\nadd_header X-Token s3cr3t", ["a.test"]),
        ("a.test\nreturn 200 s3cr3t", ["a.test"]),
        ("a.test\nset $token s3cr3t", ["a.test", "set"]),
        ('a.test\nroot "/srv/s3 cr3t"', ["a.test", "root"]),
        ("proxy_pass.example.com add-header", None),
        ("a.test sub_filter 'x' 's3cr3t'", ["a.test"]),
        ("a.test js_var $x s3cr3t", ["a.test"]),
        ("a.test shop_sub", None),
    ],
)
def test_names_end_where_a_semicolon_is_missing(said: str, names: Optional[list[str]]) -> None:
    wanted = said.replace("\\\\", "\\").lower().split() if names is None else names
    assert server(f"listen 443 ssl; server_name {said};")["names"] == wanted


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("ssl_ciphers HIGH:!aNULL;", "HIGH:!aNULL"),
        ('ssl_ciphers "ECDHE+AESGCM !MD5 @SECLEVEL=0";', "ECDHE+AESGCM !MD5 @SECLEVEL=0"),
        ("ssl_ciphers HIGH\nproxy_set_header X s3cr3t;", "HIGH"),
        ('ssl_ciphers "s3cr3t/$x";', ""),
    ],
)
def test_ciphers_are_one_word(lines: str, told: str) -> None:
    assert server(f"listen 443 ssl; {lines}")["ciphers"] == told
    assert location(f"{B} proxy_{lines} proxy_pass https://a;")["ciphers"] == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("builtin:1000 shared:SSL:10m", None),
        ("none", None),
        ("shared:le_nginx_SSL:1024", None),
        ("shared:a:1m\nproxy_set_header X s3cr3t", "shared:a:1m"),
    ],
)
def test_a_session_cache_is_words_of_nginx(said: str, told: Optional[str]) -> None:
    assert server(f"listen 443 ssl; ssl_session_cache {said};")["session_cache"] == (told or said)


MAPS = "map $host $to { default http://a; b.test https://b; } map $host $off { default http://a; x httpsx; }"


@pytest.mark.parametrize(
    ("lines", "listen", "told"),
    [
        ("proxy_pass $scheme://b;", "443 ssl", "$scheme://b"),
        ("proxy_pass ${scheme}://u:s3cr3t@b/;", "443 ssl", "${scheme}://b"),
        ("proxy_pass $scheme://b;", "80", None),
        ("proxy_pass $to;", "80", "$to"),
        ("proxy_pass $to/x;", "80", "$to"),
        ("proxy_pass $off;", "80", None),
        ("proxy_pass $other;", "80", None),
        ("proxy_pass http://$to;", "80", None),
        ("set $s https; proxy_pass $s://b;", "80", "$s://b"),
        ("set $s http; if ($x) { set $s https; } proxy_pass $s://b;", "80", "$s://b"),
        ("set $s http; if ($x) { set $s httpd; } proxy_pass $s://b;", "80", None),
    ],
)
def test_a_scheme_that_a_variable_tells(lines: str, listen: str, told: Optional[str]) -> None:
    text = f"{MAPS} server {{ listen {listen}; location / {{ {lines} }} }}"
    found = in_force(f"events {{}} http {{ {text} }}").locations
    assert [(one["protocol"], one["pass"]) for one in found] == ([("https", told)] if told else [])
    assert ("proxy.not_verified" in codes(text)) is bool(told)


def test_a_server_of_mail() -> None:
    text = "mail { ssl_certificate a.pem; server { listen 993 ssl; server_name m.test; ssl_verify_client on;"
    text += " ssl_client_certificate ca.pem; } server { listen 143; starttls on; } server { listen 110; } }"
    found = in_force(text).servers
    assert [(one["module"], one["tls"], one["names"]) for one in found] == [
        ("mail", True, ["m.test"]), ("mail", True, []), ("mail", False, []),
    ]  # fmt: skip
    assert (
        found[0]["verify"] == "on"
        and found[1]["certificates"][0]["certificate"]["path"] == "/etc/nginx/a.pem"
    )
