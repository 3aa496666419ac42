# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of error logs as nginx 1.22, 1.26 and 1.30 write them, and what may come of them."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_log import event, own_line

READING = "while reading client request headers"
SHAKING = "while SSL handshaking"
UP = "while SSL handshaking to upstream"
SSL = "SSL_do_handshake() failed (SSL: error:"
SECRET = "s3cr3t"  # what a client sends
ASKED = f'request: "GET /{SECRET} HTTP/1.1"'
ADDRESS = "10.0.0.1:443"
RESET, REFUSED = "(104: Connection reset by peer)", "(111: Connection refused)"
IN = "in /etc/nginx/nginx.conf:3"


def line(
    said: str, level: str = "info", upstream: str = "https://10.0.0.1:443/s3cr3t", more: str = ""
) -> str:
    whose = "client: 10.0.0.9, server: orders.example.com"
    if "handshaking" in said and "upstream" not in said:
        whose = "client: 10.0.0.9, server: 0.0.0.0:443"
    elif "handshaking" not in said or "upstream" in said:
        whose += f", {ASKED}"
    if "upstream" in said:
        whose += f', upstream: "{upstream}"'
    if "request" in whose:
        whose += f', host: "{SECRET}.example.com", referrer: "https://{SECRET}/"'
    return f"2026/11/22 13:00:00 [{level}] 123#123: *45 {said}, {whose}{more}"


VERIFY = {
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    7: "certificate signature failure",
    9: "certificate is not yet valid or the system clock is incorrect",
    10: "certificate has expired",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    14: "format error in certificate's notAfter field",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    23: "certificate revoked",
    26: "unsuitable certificate purpose",
    66: "EE certificate key too weak",
    68: "CA signature digest algorithm too weak",
}
#: what is said, its kind, code and alert
CASES: list[tuple[str, str, Optional[int], Optional[int]]] = [
    *(
        (f"client SSL certificate verify error: ({code}:{text}) {READING}", "client_verify", code, None)
        for code, text in VERIFY.items()
    ),
    *(
        (f"upstream SSL certificate verify error: ({code}:{text}) {UP}", "upstream_verify", code, None)
        for code, text in VERIFY.items()
    ),
    (f"client sent no required SSL certificate {READING}", "client_no_certificate", None, None),
    (
        "client attempted to request the server name different from the one that was negotiated " + READING,
        "misdirected", None, None,
    ),
    (f"{SSL}0A000102:SSL routines::unsupported protocol) {SHAKING}", "handshake", None, None),
    (f"{SSL}0A0000C1:SSL routines::no shared cipher) {SHAKING}", "handshake", None, None),
    (
        ("SSL_read() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)"
        " while waiting for request"), "handshake", None, 48,
    ),
    (f"peer closed connection in SSL handshake {SHAKING}", "handshake", None, None),
    (f"handshake rejected {SHAKING}", "rejected", None, None),
    (f"client sent plain HTTP request to HTTPS port {READING}", "plain_http", None, None),
    ("access forbidden by rule", "access_denied", None, None),
    (f'limiting requests, excess: 0.950 by zone "{SECRET}"', "limited", None, None),
    (f'limiting connections by zone "{SECRET}"', "limited", None, None),
    (f'upstream SSL certificate does not match "{SECRET}.example.com" {UP}', "upstream_name", None, None),
    (f"{SSL}0A00010B:SSL routines::wrong version number) {UP}", "upstream_handshake", None, None),
    (
        f"{SSL}0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) {UP}",
        "upstream_handshake", None, 112,
    ),
    (
        f"{SSL}0A000410:SSL routines::ssl/tls alert handshake failure:SSL alert number 40) {UP}",
        "upstream_handshake", None, 40,
    ),
    (
        f"{SSL}0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) {UP}",
        "upstream_handshake", None, 40,
    ),
    (f"{SSL}0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70) {UP}",
     "upstream_handshake", None, 70),
    (f"peer closed connection in SSL handshake {RESET} {UP}", "upstream_handshake", None, None),
    (f"connect() failed {REFUSED} while connecting to upstream", "upstream_connect", None, None),
    (f"upstream timed out (110: Connection timed out) {UP}", "upstream_timeout", None, None),
    ("upstream timed out (110: Connection timed out) while reading response header from upstream",
     "upstream_timeout", None, None),
    ("upstream prematurely closed connection while reading response header from upstream",
     "upstream_closed", None, None),
    ("recv() failed (104: Connection reset by peer) while reading response header from upstream",
     "upstream_closed", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind", "code", "alert"), CASES)
def test_each_kind_is_told_with_whose_it_is(
    said: str, kind: str, code: Optional[int], alert: Optional[int]
) -> None:
    found = event(line(said), "/var/log/nginx/error.log")
    assert found is not None
    shaking = "handshaking" in said and "upstream" not in said
    assert found == {
        "time": "2026-11-22T13:00:00",
        "level": "info",
        "file": "/var/log/nginx/error.log",
        "kind": kind,
        "code": code,
        "alert": alert,
        "text": found["text"],
        "client": "10.0.0.9",
        "server": "" if shaking else "orders.example.com",
        "upstream": ADDRESS if kind.startswith("upstream_") else "",
    }
    assert SECRET not in str(found)
    if kind not in ("upstream_name", "limited"):
        assert found["text"] == said.partition(" while ")[0]


@pytest.mark.parametrize("where", ["[fd00::99]:443", f"unix:/run/{SECRET}", "10.0.0.1:443"])
@pytest.mark.parametrize("why", ["(101: Network is unreachable)", "(2: No such file or directory)"])
def test_a_connection_that_was_not_made(where: str, why: str) -> None:
    found = event(line(f"connect() to {where} failed {why} while connecting to upstream"))
    assert found is not None and found["kind"] == "upstream_connect"
    assert found["text"] == f"connect() failed {why}"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("accept4() failed (24: Too many open files)", "accept4() failed (24: Too many open files)"),
        ("*7 768 worker_connections are not enough while connecting to upstream, client: 10.0.0.9, server: x",
         "768 worker_connections are not enough"),
        (f'*7 open() "/var/{SECRET}" failed (24: Too many open files), client: 10.0.0.9, server: x',
         "open() failed (24: Too many open files)"),
        (f'*7 open() "/var/{SECRET}" failed (24: Too many open files) while reading client request body',
         "open() failed (24: Too many open files)"),
        (f'*7 write() to "/var/{SECRET}" failed (28: No space left on device) while logging request',
         "write() failed (28: No space left on device)"),
        # Nothing that it has none of, and what a client may have written.
        (f'open() "/var/{SECRET}" failed (13: Permission denied)', None),
        (f'*7 open() "/x" {SECRET}() failed (28: No space left on device)" failed (36: x)', None),
    ],
)  # fmt: skip
def test_what_nginx_has_run_out_of(said: str, text: Optional[str]) -> None:
    found = event(f"2026/11/22 13:00:00 [crit] 1#1: {said}")
    assert (found and (found["kind"], found["text"])) == (text and ("exhausted", text))
    # A line that is only a warning has helped itself.
    assert event(f"2026/11/22 13:00:00 [warn] 1#1: {said}") is None


WORKER = (
    'cannot load certificate "/etc/keys/s3cr3t.pem": BIO_new_file() failed (SSL: error:8000000D:system'
    " library::Permission denied:calling fopen(/etc/keys/s3cr3t.pem, r) error:10080002:BIO routines::lib)"
)


def test_a_file_of_a_variable_is_told_without_its_name() -> None:
    for what in ("certificate", "certificate key"):
        said = WORKER.replace("certificate ", f"{what} ", 1)
        found = event(line(f"{said} while SSL handshaking", "error"))
        assert found is not None
        assert found["kind"] == "worker_file"
        assert SECRET not in str(found)
        assert "Permission denied:calling fopen()" in found["text"]


def test_a_name_that_does_not_resolve_is_not_told() -> None:
    for said in (f"{SECRET}.example.com could not be resolved (3: Host not found)",
                 f"no resolver defined to resolve {SECRET}.example.com"):  # fmt: skip
        found = event(line(said, "error"))
        assert found is not None and found["kind"] == "upstream_resolve" and SECRET not in str(found)


@pytest.mark.parametrize(
    "said",
    [
        "client closed connection while waiting for request",
        f"client sent no required SSL certificate {SECRET} {READING}",
        f"client sent invalid header line: \"{SECRET}\" {READING}",
        f'open() "/var/www/{SECRET}" failed (2: No such file or directory)',
        f'access forbidden by rule {SECRET}',
        f"{SSL}0A000102:{SECRET}\") {SHAKING}",
        f'[lua] x.lua:1: "{SECRET}"',
        f"SSL_shutdown() failed (SSL: error:80000020:system library::Broken pipe) {SHAKING}",
        # of another connection than a client's
        f"handshake rejected {UP}",
        f"client SSL certificate verify error: (10:certificate has expired) {UP}",
    ],
)  # fmt: skip
def test_all_other_lines_are_dropped(said: str) -> None:
    assert event(line(said)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "client sent no required SSL certificate",
        "2026/11/22 13:00:00 [info] 1#1: *4 client sent no required SSL certificate",
        "2026/11/22 13:00:00 [info] 1#1: *4 handshake rejected, client: s3cr3t, server: a",
        '10.0.0.9 - - [22/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"',
        "2026/11/22 13:00:00 [notice] 1#1: signal process started",
        (
            f"2026/11/22 13:00:00 [error] 1#1: *4 connect() failed {REFUSED} while connecting to"
            ' upstream, client: 10.0.0.9, server: a, request: "GET / HTTP/1.1", upstream: "http://10.0.0.1/"'
        ),
    ],
)
def test_what_is_no_such_line_or_not_of_tls_is_dropped(text: str) -> None:
    assert event(text) is None


def test_an_address_that_a_client_writes_into_its_request_is_not_told() -> None:
    said = f"{SSL}0A00010B:SSL routines::wrong version number) {UP}"
    forged = line(said, more=', upstream: "https://6.6.6.6:1/"')
    plain = event(line(said))
    assert plain is not None and plain["upstream"] == ADDRESS
    found = event(forged)
    assert found is not None and found["upstream"] == ""


def test_a_request_that_looks_like_a_line_is_part_of_its_own() -> None:
    forged = "x, client: 6.6.6.6, server: evil, request: handshake rejected while SSL handshaking"
    found = event(line(f"client sent plain HTTP request to HTTPS port {READING}", more=f", {forged}"))
    assert found is not None and (found["client"], found["server"]) == ("10.0.0.9", "orders.example.com")


EMERG: list[tuple[str, Any]] = [
    ('cannot load certificate "/etc/a.pem": BIO_new_file() failed (2: No)', None),
    ('"ssl_certificate" directive is duplicate in /etc/nginx/nginx.conf:3', None),
    ('no "ssl_certificate" is defined for the "listen ... ssl" directive in /etc/nginx/nginx.conf:3',
     'no "ssl_certificate" is defined for the "…" directive in /etc/nginx/nginx.conf:3'),
    ("bind() to 0.0.0.0:443 failed (98: Address already in use)", None),
    (f'unknown directive "s3cr3t" {IN}', f'unknown directive "…" {IN}'),
    (f'invalid value "a" s3cr3t "b" {IN}', f'invalid value "…" {IN}'),
    ('directive "s3cr3t', 'directive "…"'),
    ('cannot load certificate "/etc/x:pin=s3cr3t": BIO_new_file() (calling fopen(/etc/x:pin=s3cr3t, r))',
     'cannot load certificate "…": BIO_new_file() (calling fopen())'),
    ("init_by_lua error: init_by_lua(nginx.conf:9):1: '=' expected near 's3cr3t'", "init_by_lua error: …"),
    ("failed to load inlined Lua code: x(nginx.conf:9):1: '=' expected near ''s3cr3t''",
     "failed to load inlined Lua code: …"),
    ("could not build lua_hash: 3", None),
    ('unexpected end of file, expecting ";" or "}" in /etc/nginx/nginx.conf:3', None),
]  # fmt: skip


@pytest.mark.parametrize(("said", "told"), EMERG)
def test_of_its_own_lines_nothing_of_the_configuration_is_told(said: str, told: Optional[str]) -> None:
    assert own_line(said) == (told or said)
    found = event(f"2026/11/22 13:00:00 [emerg] 1#1: {said}")
    assert found is not None and (found["kind"], found["text"]) == ("emerg", told or said)
