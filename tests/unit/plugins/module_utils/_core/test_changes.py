# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import (
    Decoder,
    changed_things,
    changes,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import (
    bytes_of,
    content_of,
    hide_passphrase,
    passphrase_of,
)

DECODER = Decoder(
    certificates=lambda data: [{"subject": f"CN={data.decode()}", "sha256": "f"}],
    key_sha256=lambda data: "digest of the public half",
    digest=lambda data: "digest",
)


def test_a_key_is_never_shown() -> None:
    path = "server/credentials/s/privkey.pem"
    (entry,) = changes({path: b"OLD SECRET"}, {path: b"NEW SECRET"}, DECODER)
    assert "SECRET" not in "".join(entry.values())
    assert "digest of the public half" in entry["after"]


def test_certificates_are_shown_by_their_facts() -> None:
    path = "server/credentials/s/fullchain.pem"
    (entry,) = changes({}, {path: b"new"}, DECODER)
    assert entry["before"] == ""
    assert "subject: CN=new\n" in entry["after"]


def test_blocks_are_shown_as_text_and_equal_files_not_at_all() -> None:
    before = {"server/sites/a.conf": b"old", "mtls.conf": b"same"}
    (entry,) = changes(before, {**before, "server/sites/a.conf": b"new"}, DECODER)
    assert (entry["before_header"], entry["before"], entry["after"]) == ("server/sites/a.conf", "old", "new")


def test_what_a_call_touches() -> None:
    before = {
        "server/sites/a.conf": b"1",
        "proxy/credentials/c/trust.pem": b"1",
        "mtls.conf": b"1",
        "server/default.conf": b"1",
    }
    after = {**before, "server/sites/a.conf": b"2", "proxy/credentials/c/trust.pem": b"2", "mtls.conf": b"2"}
    assert changed_things(before, after) == {("server block", "a"), ("proxy", "c")}
    assert changed_things(before, before) == frozenset()
    assert changed_things(before, {**before, "server/default.conf": b"2"}) == {("server block", "default")}


LISTENER = """server {
    listen 127.0.0.1:8080; LEVEL
    location = /.mtls/proxy { return 200 "@MTLS_ID@"; }
    location = /.mtls/probe/orders {
        if ($mtls_proxy_1_local = 0) { return 404; }
        proxy_ssl_name a.test; proxy_pass https://up_o/.mtls/probe;
    }
    location /orders/ { proxy_ssl_name a.test; proxy_pass https://up_o; }
    location /bills/ { proxy_ssl_name b.test; proxy_pass https://up_b; }
}"""


@pytest.mark.parametrize(
    ("old", "new", "routes"),
    [
        (
            "proxy_ssl_name a.test; proxy_pass https://up_o/",
            "proxy_ssl_name c.test; proxy_pass https://up_o/",
            "orders",
        ),
        (
            "proxy_ssl_name a.test; proxy_pass https://up_o;",
            "proxy_ssl_name c.test; proxy_pass https://up_o;",
            "orders",
        ),
        ("proxy_ssl_name b.test", "proxy_ssl_name c.test", "bills"),
        ("b.test;", "b.test; if ($x) { set $y 1; }", "bills"),
        ("https://up_b", "https://up_o", "bills orders"),
        ("LEVEL", "proxy_ssl_protocols TLSv1.2;", "bills orders"),
        ("server {", "server { location /more/ { proxy_pass https://other; }", "other"),
        # What leads to no route, or says the same in other lines.
        ("8080", "8081", ""),
        ("LEVEL", "server_name x;", ""),
        ("$mtls_proxy_1_local", "$mtls_proxy_2_local", ""),
        ("$mtls_proxy_1_local", "$mtls_other_local", "orders"),
        ("return 200", "return 201", ""),
        ("\n", "\n\n", ""),
        ("server {", "server { location /more/ { proxy_pass http://127.0.0.1:1; }", ""),
    ],
)
def test_a_route_changes_with_the_location_that_leads_to_it(old: str, new: str, routes: str) -> None:
    text = LISTENER if old == "LEVEL" else LISTENER.replace("LEVEL", "")
    before = {
        "proxy/listeners/1.conf": text.replace("LEVEL", "").encode(),
        "proxy/routes/orders.conf": b"upstream up_o { server a:443; }",
        "proxy/routes/bills.conf": b"upstream up_b { server b:443; }",
    }
    after = {**before, "proxy/listeners/1.conf": text.replace(old, new).encode()}
    assert old in text and before != after
    assert changed_things(before, after) == {("proxy block", name) for name in ["1", *routes.split()]}
    # The same under another name is another file, and the same route.
    moved = {**before, "proxy/listeners/2.conf": after.pop("proxy/listeners/1.conf")}
    moved.pop("proxy/listeners/1.conf")
    assert changed_things(before, moved) == {("proxy block", name) for name in ["1", "2", *routes.split()]}


@pytest.mark.parametrize(
    ("old", "new", "routes"),
    [
        ("credentials/client/", "credentials/other/", {"orders", "bills"}),
        ("proxy_ssl_name a.test", "proxy_ssl_name c.test", {"orders", "bills"}),
        # A location is one value with those inside it.
        ("proxy_read_timeout 5s", "proxy_read_timeout 6s", {"orders", "bills"}),
        ("https://up_b", "https://up_b/v2", {"orders", "bills"}),
        # Where the outer location leads is not inherited.
        ("https://up_o", "https://up_o/v2", {"orders"}),
        ("server_name b.test", "server_name c.test", set()),
    ],
)
def test_a_route_changes_with_what_its_location_inherits(old: str, new: str, routes: set[str]) -> None:
    text = """server {
        listen 8080; server_name b.test; proxy_ssl_name a.test;
        include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
        location /o/ { proxy_pass https://up_o; }
        location /out/ {
            proxy_read_timeout 5s; proxy_pass https://up_o;
            location /out/b/ { proxy_pass https://up_b; }
        }
    }"""
    before = {
        "proxy/listeners/1.conf": text.encode(),
        "proxy/routes/orders.conf": b"upstream up_o { server a:443; }",
        "proxy/routes/bills.conf": b"upstream up_b { server b:443; }",
    }
    assert old in text
    after = {**before, "proxy/listeners/1.conf": text.replace(old, new).encode()}
    assert changed_things(before, after) == {("proxy block", name) for name in {"1", *routes}}


def test_a_route_of_another_name_changes_with_its_upstream() -> None:
    before = {
        "proxy/listeners/1.conf": b"server { location = /.mtls/probe/foo { proxy_pass https://up/p; } }",
        "proxy/routes/orders.conf": b"upstream up { server a:443; }",
    }
    after = {**before, "proxy/routes/orders.conf": b"upstream up { server b:443; }"}
    assert changed_things(before, after) == {("proxy block", "orders"), ("proxy block", "foo")}


def test_of_a_listener_that_cannot_be_read_each_route_has_changed() -> None:
    routes = {"proxy/routes/orders.conf": b"upstream up_o { server a:443; }"}
    for broken in (b"server {", b"\xff"):
        before = {**routes, "proxy/listeners/1.conf": broken}
        after = {**routes, "proxy/listeners/1.conf": b"server { location / { proxy_pass https://up_o; } }"}
        assert changed_things(before, after) == {("proxy block", "1"), ("proxy block", "orders")}


@pytest.mark.parametrize(
    "data", [b"-----BEGIN X-----\nA\n", b"\x30\x82\x01\x00\xff", b"text", b"aGVsbG8=", b""]
)
def test_content_survives_the_way_through_an_option(data: bytes) -> None:
    assert bytes_of(content_of(data)) == data


def test_base64_of_a_binary_file_is_taken() -> None:
    assert bytes_of("AAEC\nAwQ=\n") == b"\x00\x01\x02\x03\x04"


def test_a_short_passphrase_does_not_stand_in_the_arguments() -> None:
    hidden = hide_passphrase("a")
    assert passphrase_of(hidden) == b"a"
    assert len(hidden) > 8
    assert passphrase_of("plain") == b"plain"
    assert passphrase_of(hide_passphrase("pä ss")) == "pä ss".encode()
