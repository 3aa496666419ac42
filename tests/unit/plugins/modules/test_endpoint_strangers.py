# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""endpoint_info and servers that speak something else than it asks for, each beside one that does not."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import time
from typing import Any
from unittest import mock

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import openssl
from ansible_collections.mutual_tls.nginx.plugins.modules import endpoint_info
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import (
    ANSWER,
    PASSPHRASE,
    Handler,
    Pki,
    http_server,
    listening,
    make_pki,
    read_request,
    s_server,
    server_context,
    tls_server,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner

SETTINGS = bytes.fromhex("00001204000000000000030000008000040001000000050000ffff")
ALERT_70 = bytes.fromhex("15030300020246")


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(endpoint_info.main, monkeypatch, capsys)


def ask(run: Runner, port: int, **more: Any) -> dict[str, Any]:
    (seen,) = run(**{"host": "127.0.0.1", "port": port, "timeout_s": 5, **more})["probes"]
    return dict(seen)


def says(answer: bytes) -> Handler:
    """Sends *answer* to whatever comes, and waits for more."""

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)
        time.sleep(0.3)

    return handle


def over_tls(pki: Pki, answer: bytes) -> Handler:
    def handle(raw: socket.socket) -> None:
        with server_context(pki).wrap_socket(raw, server_side=True) as connection:
            connection.sendall(answer)
            read_request(connection)

    return handle


@pytest.mark.parametrize(
    ("answer", "body_class"),
    [
        (SETTINGS, "http2"),
        (SETTINGS[:9], "http2"),
        (ALERT_70, "tls"),
        (b"SSH-2.0-OpenSSH\r\n", "not_http"),
        (b"\0", "not_http"),
        (b"", ""),
        (ANSWER, ""),
    ],
)
def test_plain_http_to(run: Runner, answer: bytes, body_class: str) -> None:
    with listening(says(answer)) as port:
        seen = ask(run, port, tls=False)
    good = answer == ANSWER
    assert (seen["body_class"], seen["alert"], seen["status"]) == (body_class, None, 200 if good else None)
    assert (seen["phase"], bool(seen["error"])) == ("done" if good else "response", not good)
    assert (seen["requested"], seen["ocsp"], seen["why"]) == (None, None, "")
    assert seen["spoke"] == {"exchange": "python", "served": "", "requested": ""}


@pytest.mark.parametrize(
    ("answer", "body_class"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>", "tls_to_plain_http"),
        (b"HTTP/1.0 400 Bad\r\n\r\n", "tls_to_plain_http"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "not_tls"),
        (b"HTTP is what we speak\r\n", "not_tls"),
        (b"", ""),
    ],
)
def test_tls_to(run: Runner, answer: bytes, body_class: str) -> None:
    with listening(says(answer)) as port:
        seen = ask(run, port)
    assert (seen["phase"], seen["status"], seen["body_class"]) == ("handshake", None, body_class)
    assert seen["error"]
    assert (seen["requested"], bool(seen["why"])) == (None, True)


@pytest.mark.parametrize(
    ("answer", "body_class"), [(SETTINGS, "http2"), (b"220 mail\r\n", "not_http"), (ALERT_70, "not_http")]
)
def test_over_tls(pki: Pki, run: Runner, answer: bytes, body_class: str) -> None:
    with listening(over_tls(pki, answer)) as port:
        seen = ask(run, port)
    assert (seen["phase"], seen["body_class"], seen["alpn"]) == ("response", body_class, "")
    assert (seen["alert"], seen["requested"]["certificate"]) == (None, False)


@pytest.mark.parametrize(
    ("offered", "options", "alert", "body_class", "alpn"),
    [
        ("h2", {}, 120, "http2", ""),
        ("h2", {"requested": False}, 120, "", ""),
        ("mqtt", {}, 120, "", ""),
        ("h2", {"alpn": ["mqtt"]}, 120, "", ""),
        ("http/1.1", {"alpn": ["h2"]}, 120, "", ""),
        ("h2", {"alpn": []}, None, "", ""),
        ("h2,http/1.1", {}, None, "", "http/1.1"),
    ],
)
def test_alpn(
    pki: Pki, run: Runner, offered: str, options: dict[str, Any], alert: Any, body_class: str, alpn: str
) -> None:
    if alert and ssl.OPENSSL_VERSION_INFO < (3,):
        pytest.skip("s_server 1.1.1 goes on without a common protocol")
    with s_server(pki, "-alpn", offered) as port:
        seen = ask(run, port, **options)
    assert (seen["alert"], seen["body_class"], seen["alpn"]) == (alert, body_class, alpn)
    assert seen["phase"] == ("handshake" if alert else "done")
    assert (seen["requested"] is None) is (offered == "mqtt" or "requested" in options)


def test_closed_without_a_word(pki: Pki, run: Runner) -> None:
    with listening(lambda connection: connection.close()) as port:
        at_once = ask(run, port)
    with listening(over_tls(pki, b"")) as port:
        after = ask(run, port)
    assert (at_once["phase"], at_once["alert"], at_once["served"]) == ("handshake", None, [])
    assert at_once["error"]
    assert (after["phase"], after["error"]) == ("response", "the connection was closed without an answer")
    assert after["timed_out"] is at_once["timed_out"] is False


@pytest.mark.parametrize(("version", "phase", "alert"), [("1.2", "handshake", 40), ("1.3", "response", 116)])
def test_a_refusal_by_alert_says_what_was_asked_for(
    pki: Pki, run: Runner, version: str, phase: str, alert: int
) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        seen = ask(run, served.port, tls_version=version)
    assert (seen["phase"], seen["alert"], seen["why"]) == (phase, alert, "")
    assert seen["requested"]["certificate"] is True
    assert [one["subject"] for one in seen["served"]] == ["CN=server", "CN=intermediate"]
    assert seen["served_complete"] is True


def test_the_chain_of_a_server_that_is_not_accepted(pki: Pki, run: Runner) -> None:
    with tls_server(server_context(pki)) as served:
        wrong = ask(run, served.port, trust_path=pki.path("other.pem"))
        quiet = ask(run, served.port, trust_path=pki.path("other.pem"), requested=False)
        right = ask(run, served.port, trust_path=pki.path("root.pem"), requested=False)
    assert "not accepted" in wrong["error"]
    leaf = hashlib.sha256(pki.server.der).hexdigest()
    assert [seen["served"][0]["sha256"] if seen["served"] else "" for seen in (wrong, quiet, right)] == [
        leaf,
        "",
        leaf,
    ]
    assert wrong["spoke"]["served"].startswith("openssl s_client ")
    assert (quiet["requested"], quiet["why"], quiet["spoke"]["requested"]) == (None, "", "")
    assert right["spoke"]["served"] == f"python-ssl {' '.join(ssl.OPENSSL_VERSION.split()[:2])}"


def test_ipv6(pki: Pki, run: Runner) -> None:
    def handle(raw: socket.socket) -> None:
        with server_context(pki).wrap_socket(raw, server_side=True) as connection:
            read_request(connection)
            connection.sendall(ANSWER)

    with listening(handle, address="::1") as port:
        bare, bracketed = ask(run, port, host="::1"), ask(run, port, host="[::1]")
        other = ask(run, port, requested=False)
    for seen in (bare, bracketed):
        assert (seen["status"], seen["target"], seen["address"]) == (200, f"[::1]:{port}", f"[::1]:{port}")
        assert seen["requested"]["certificate"] is False
    assert (other["phase"], other["address"]) == ("connect", "")


def test_megabytes_are_cut(pki: Pki, run: Runner) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with listening(handle) as port:
        seen = ask(run, port, tls=False, return_body=True)
    assert (seen["phase"], seen["status"], len(seen["body"])) == ("done", 200, 65536)
    with http_server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65535) as served:
        assert len(ask(run, served.port, tls=False, return_body=True)["body"]) == 65535


def test_the_phase_that_had_no_end(run: Runner) -> None:
    with listening(lambda connection: time.sleep(3)) as port:
        seen = ask(run, port, handshake_timeout_s=0.3)
    assert (seen["phase"], seen["timed_out"]) == ("handshake", True)
    assert seen["error"] == "no end within 0.3 s (handshake_timeout_s)"
    assert 0.2 < seen["seconds"]["handshake"] < 2
    assert seen["why"] == "the handshake did not end"


def test_nobody_is_asked_twice_where_nobody_is(run: Runner) -> None:
    seen = ask(run, 1)
    assert (seen["phase"], seen["why"]) == ("connect", "there was no connection")
    assert (seen["address"], seen["timed_out"], seen["spoke"]["requested"]) == ("", False, "")


def test_without_openssl(pki: Pki, run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(openssl, "_SEARCHED", str(tmp_path))
    with tls_server(server_context(pki)) as served:
        seen = ask(run, served.port)
    assert (seen["status"], seen["requested"], seen["ocsp"]) == (200, None, None)
    assert seen["why"] == "the command openssl is not on this host; its package is openssl"


def test_the_key_stays_in_python(pki: Pki, run: Runner) -> None:
    """An encrypted key asks nobody, and stands in no process list."""
    watched = mock.patch.object(subprocess, "run", wraps=subprocess.run)
    with watched as started, tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        seen = ask(
            run,
            served.port,
            certificate_path=pki.path("client.pem"),
            private_key_path=pki.path("client.enc"),
            private_key_passphrase=PASSPHRASE.decode(),
        )
    assert (seen["status"], seen["requested"]["certificate"]) == (200, True)
    commands = [call.args[0] for call in started.call_args_list]
    assert [command[1] for command in commands] == ["version", "s_client"]
    assert [call.kwargs["input"] for call in started.call_args_list] == [b"", b""]
    assert str(pki.directory) not in " ".join(commands[1])


@pytest.mark.parametrize("protocol", ["", "a,b", "a b", "ä", "x" * 256])
def test_a_protocol_that_cannot_be_offered(run: Runner, protocol: str) -> None:
    result = run(host="127.0.0.1", port=1, alpn=[protocol])
    assert result["failed"] is True
    assert "alpn: " in result["msg"]
