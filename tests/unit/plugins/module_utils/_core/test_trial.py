# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import trial, trial_answers
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import changed_things
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import parse

ID = "0" * 16
SITE = """server {
    listen 443 ssl; listen [::]:443 ssl;
    server_name %s;
    include @MTLS_RELEASE@/server/credentials/%s/tls.conf;
    ssl_verify_client %s; ssl_protocols TLSv1.3; ssl_ciphers "A:!B"; access_log /var/log/x "a;b";
    location / { return 200; }
}"""
LOCATION = """location %s {
    include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
    proxy_ssl_name %s; proxy_ssl_protocols TLSv1.3; proxy_set_header Host %s; proxy_pass https://%s;
}"""
UPSTREAM = b"upstream up { server a1.test:443; server [2001:db8::1]:8443; server unix:/x; }"


def site(name: str = "a.test", credential: str = "orders", verify: str = "on") -> bytes:
    return (SITE % (name, credential, verify)).encode()


def listener(*locations: str) -> bytes:
    return f"server {{ listen 127.0.0.1:8080; {' '.join(locations)} }}".encode()


def route(
    path: str = "= /.mtls/probe/r", name: str = "a.test", host: str = "a.test", to: str = "up/p"
) -> str:
    return LOCATION % (path, name, host, to)


def proxy(*locations: str) -> dict[str, bytes]:
    return {"proxy/listeners/1.conf": listener(*locations or (route(),)), "proxy/routes/r.conf": UPSTREAM}


def tried(source: dict[str, bytes], touched: Any = None) -> trial.Trial:
    """The trial of a release of which *touched* changes, or all."""
    return trial.trial(source, ID, changed_things({}, source) if touched is None else touched)


def text(source: dict[str, bytes], touched: Any = None, tree: str = "") -> str:
    around = trial.surroundings(parse(tree), "/usr/share/nginx", frozenset({"scgi"}))
    return trial.configuration(tried(source, touched), around, "/run/t", "/releases/1", ID)


def block(source: dict[str, bytes], number: int = 1) -> Any:
    (http,) = [item for item in parse(text(source)) if item.name == "http"]
    return http.children("server")[number]


def test_a_site_is_a_server_of_its_own_with_its_own_words() -> None:
    found = block({"server/sites/orders.conf": site()})
    assert found.value("listen") == "unix:/run/t/0.sock ssl"
    assert found.value("include") == "/releases/1/server/credentials/orders/tls.conf"
    assert found.value("ssl_verify_client") == "on"
    assert found.value("ssl_ciphers") == "A:!B"
    assert found.value("access_log") is None


def test_each_kind_of_client_is_asked_for() -> None:
    found = tried({"server/sites/orders.conf": site()})
    kinds = {(one.asked.kind, one.asked.identity) for one in found.server}
    refused = {("no certificate", ""), ("foreign certificate", "foreign:")}
    assert kinds == {("client accepted", "probe"), *refused}
    assert {one.asked.address for one in found.server} == {"unix:@TRIAL@/0.sock"}
    assert {one.asked.path for one in found.server} == {"/.mtls/trial/0"}
    assert {one.shown.target for one in found.server} == {"server orders at unix:trial TLS 1.3"}
    # The key that a baseline is found by has nothing of this trial's.
    assert {"/run" in str(one.shown.key) or "@" in str(one.shown.key) for one in found.server} == {False}


def test_one_way_of_using_a_credential_is_asked_once() -> None:
    source = {"server/sites/a.conf": site("a.test"), "server/sites/b.conf": site("b.test")}
    assert {one.shown.subject for one in tried(source).server} == {"a"}
    source["server/sites/b.conf"] = site("b.test", verify="optional")
    assert {one.shown.subject for one in tried(source).server} == {"a", "b"}


def test_each_block_of_a_text_has_its_own_credential() -> None:
    plain = b"server { listen 80; } map $a $b { c d; } server { listen 443 ssl; server_name none.test; }"
    source = {"server/sites/a.conf": plain + site("a.test") + plain + site("b.test", "other", "optional")}
    found = [block(source, number) for number in (1, 2)]
    assert [(one.value("server_name"), one.value("ssl_verify_client")) for one in found] == [
        ("a.test", "on"),
        ("b.test", "optional"),
    ]
    assert [str(one.value("include")).split("/")[-2] for one in found] == ["orders", "other"]
    assert block(source, 0).value("listen") == "unix:/run/t/alive.sock"


@pytest.mark.parametrize(
    ("touched", "subjects"),
    [
        ({("server", "orders")}, {"a"}),
        ({("server", "other")}, {"b"}),
        ({("server", "probe")}, {"a", "b"}),
        ({("server block", "b")}, {"b"}),
        ({("proxy", "orders")}, set()),
    ],
)
def test_only_what_changes_is_asked(touched: set[tuple[str, str]], subjects: set[str]) -> None:
    source = {"server/sites/a.conf": site(), "server/sites/b.conf": site("b.test", "other")}
    found = tried(source, frozenset(touched))
    assert {one.shown.subject for one in found.server} == subjects
    assert found.empty == (not subjects)


def test_a_block_that_changes_gives_its_name_to_the_row() -> None:
    source = {"server/sites/a.conf": site("a.test"), "server/sites/b.conf": site("b.test")}
    found = tried(source, frozenset({("server", "orders"), ("server block", "b")}))
    assert {one.shown.subject for one in found.server} == {"b"}


def test_each_server_of_a_route_has_an_upstream_of_its_own() -> None:
    source = proxy()
    found = tried(source)
    assert [one.shown.target for one in found.proxy] == [
        "proxy r at a1.test:443",
        "proxy r at [2001:db8::1]:8443",
    ]
    whole = text(source)
    assert "upstream mtls_trial_0 { server a1.test:443 max_fails=0; }" in whole
    assert "upstream mtls_trial_1 { server [2001:db8::1]:8443 max_fails=0; }" in whole
    first, second = block(source).children("location")[:2]
    assert first.value("proxy_pass") == "https://mtls_trial_0/p"
    assert second.value("proxy_pass") == "https://mtls_trial_1/p"
    assert first.value("include") == "/releases/1/proxy/credentials/client/tls.conf"
    assert (first.value("proxy_ssl_name"), first.value("proxy_ssl_protocols")) == ("a.test", "TLSv1.3")
    assert "Host a.test" in [" ".join(item.args) for item in first.children("proxy_set_header")]


def test_the_probe_location_is_preferred_and_a_stranger_is_asked_by_the_routes_path() -> None:
    both = tried(proxy(route("/", to="up"), route())).proxy
    assert {(one.shown.path, bool(one.shown.want_words)) for one in both} == {("/p", True)}
    stranger = tried(proxy(route("/api", to="up"))).proxy
    assert {(one.shown.path, bool(one.shown.want_words)) for one in stranger} == {("/api", False)}


@pytest.mark.parametrize(
    ("location", "why"),
    [
        (route(name="$host"), "variable"),
        (route(to="elsewhere/p"), "no upstream elsewhere"),
    ],
)
def test_what_cannot_be_asked_is_inconclusive(location: str, why: str) -> None:
    found = tried(proxy(location))
    assert not found.proxy
    assert [(row.verdict, why in row.got) for row in found.unasked] == [("inconclusive", True)]


def test_a_host_that_is_a_variable_is_the_name_that_a_is_asked_by() -> None:
    (first, *_rest) = block(proxy(route(host="$host"))).children("location")
    assert "Host a.test" in [" ".join(item.args) for item in first.children("proxy_set_header")]


def test_what_the_live_configuration_lends() -> None:
    tree = """user www-data www; worker_processes 8; load_module modules/a.so; load_module /b.so;
    env SECRET=1; http { ssl_protocols TLSv1.2; proxy_ssl_ciphers "x y"; add_header A "geheim";
    server { ssl_protocols TLSv1; } }"""
    found = text({"server/sites/orders.conf": site()}, tree=tree)
    main = {item.name: item.args for item in parse(found)}
    assert main["user"] == ("www-data", "www")
    assert main["worker_processes"] == ("1",)
    assert 'load_module "/usr/share/nginx/modules/a.so";' in found
    assert 'load_module "/b.so";' in found
    (http,) = [item for item in parse(found) if item.name == "http"]
    assert http.value("ssl_protocols") == "TLSv1.2"
    assert http.value("proxy_ssl_ciphers") == "x y"
    assert "geheim" not in found
    assert "uwsgi_temp_path" in found
    assert "scgi_temp_path" not in found.replace("uwsgi_temp_path", "")


def test_no_word_of_a_block_ends_its_directive() -> None:
    odd = site().replace(b'"A:!B"', b'"x\\"; } evil; \'y"')
    assert block({"server/sites/orders.conf": odd}).value("ssl_ciphers") == "x\"; } evil; 'y"


LOG = """2026/01/01 00:00:00 [info] 1#1: *3 client SSL certificate verify error: (21:unable to verify the first certificate) while reading client request headers, client: unix:, server: a, request: "GET /.mtls/trial/0 HTTP/1.1", host: "a"
2026/01/01 00:00:00 [error] 1#1: *4 upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream, client: unix:, server: , request: "GET /.mtls/trial/1 HTTP/1.1", upstream: "https://192.0.2.1:443/p", host: "x"
2026/01/01 00:00:00 [error] 1#1: *5 connect() failed (111: Connection refused) while connecting to upstream, client: unix:, server: , request: "GET /.mtls/trial/2 HTTP/1.1", upstream: "https://192.0.2.1:443/p"
2026/01/01 00:00:00 [error] 1#1: *6 upstream SSL certificate does not match "a.test" while SSL handshaking to upstream, client: unix:, server: , request: "GET /.mtls/trial/3 HTTP/1.1"
2026/01/01 00:00:00 [error] 1#1: *7 SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::ssl/tls alert handshake failure:SSL alert number 40) while SSL handshaking to upstream, client: unix:, server: , request: "GET /.mtls/trial/4 HTTP/1.1"
2026/01/01 00:00:00 [error] 1#1: *8 upstream timed out (110: Connection timed out) while reading response header from upstream, client: unix:, server: , request: "GET /.mtls/trial/5 HTTP/1.1"
2026/01/01 00:00:00 [info] 1#1: *9 client closed connection while SSL handshaking, client: unix:, server: unix:/run/t/0.sock
"""  # noqa: E501 lines of nginx


@pytest.mark.parametrize(
    ("number", "status", "cause", "got"),
    [
        (1, 502, "certificate", "502: the server's certificate is not accepted, code 20, unable to get"),
        (2, 502, "unreachable", "502: connect() failed (111: Connection refused)"),
        (3, 502, "certificate", "502: the server's certificate has another name"),
        (4, 502, "refused", "502: the server refuses, alert 40"),
        (5, 504, "unreachable", "504: upstream timed out"),
        (6, 400, "refused", "400: the client certificate is not accepted"),
    ],
)
def test_the_error_log_gives_the_cause(number: int, status: int, cause: str, got: str) -> None:
    (one, *_rest) = tried(proxy()).proxy
    row = trial_answers.judge_route(
        one.shown, Answer("done", status), trial_answers.said(LOG).get(number, "")
    )
    assert (row.verdict, row.cause) == ("failed", cause)
    assert row.got.startswith(got)
    assert "/.mtls/trial" not in row.got


def test_the_good_client_that_a_site_refuses() -> None:
    (one, *_rest) = tried({"server/sites/orders.conf": site()}).server
    row = judge(one.asked, [Answer("done", 400)])
    told = trial_answers.with_cause(row, trial_answers.said(LOG)[0])
    assert (told.cause, told.got) == (
        "refused",
        "400: the client is not accepted, code 21, unable to verify the first certificate",
    )
    fine = dataclasses.replace(row, verdict="ok")
    assert trial_answers.with_cause(fine, trial_answers.said(LOG)[0]) is fine


@pytest.mark.parametrize(
    ("status", "body", "number", "verdict"),
    [
        (200, "hello", None, "inconclusive"),
        (404, "", None, "inconclusive"),
        (502, "", None, "inconclusive"),
        (400, "field missing", None, "inconclusive"),
        (400, "<center>The SSL certificate error</center>", None, "failed"),
        (400, "<center>No required SSL certificate was sent</center>", None, "failed"),
        (504, "", 5, "inconclusive"),
        (502, "", 1, "failed"),
        (None, "", None, "failed"),
    ],
)
def test_a_server_that_is_not_ours_is_judged_as_far_as_tls_goes(
    status: Optional[int], body: str, number: Optional[int], verdict: str
) -> None:
    (one, *_rest) = tried(proxy(route("/", to="up"))).proxy
    line = trial_answers.said(LOG)[number] if number else ""
    assert trial_answers.judge_route(one.shown, Answer("done", status, body), line).verdict == verdict
