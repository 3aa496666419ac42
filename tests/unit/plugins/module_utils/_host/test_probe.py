# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against real servers on the loopback: what each refusal looks like, and that nothing hangs."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import dial
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import (
    Identity,
    Observation,
    Target,
    probe,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import (
    ANSWER,
    PASSPHRASE,
    Pki,
    Served,
    http_server,
    issue,
    listening,
    make_pki,
    read_request,
    s_server,
    server_context,
    tls_server,
)

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CHAIN_IS_SEEN = sys.version_info >= (3, 10)


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="client")
def _client(pki: Pki) -> Identity:
    return Identity(pki.path("client.pem"), pki.path("client.key"))


def ask(
    served: Served, identity: Any = None, timeout_s: float = 5, session: Any = None, **more: Any
) -> Observation:
    more.setdefault("address", "127.0.0.1")
    return probe(Target(port=served.port, **more), identity, timeout_s, session)


# What a good answer shows


def test_plain_http() -> None:
    with http_server() as served:
        seen = ask(served, tls=False, path="/x?y=1", headers=(("X-A", "1"), ("X-A", "2")))
    assert (seen.phase, seen.status, seen.body, seen.error) == ("done", 200, b"ok\n", "")
    assert (seen.protocol, seen.cipher, seen.served, seen.session) == ("", "", [], None)
    assert ("Server", "lab") in seen.headers
    assert served.requests == [
        b"GET /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
    ]
    assert set(seen.seconds) == {"resolve", "connect", "request", "response"}


@pytest.mark.parametrize(("version", "name"), [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
def test_tls_shows_protocol_cipher_and_chain(pki: Pki, version: str, name: str) -> None:
    with tls_server(server_context(pki)) as served:
        seen = ask(served, tls_version=version)
    assert (seen.phase, seen.status, seen.protocol) == ("done", 200, name)
    assert seen.cipher
    assert seen.served_complete is CHAIN_IS_SEEN
    assert seen.served == [pki.server.der, pki.intermediate.der][: 2 if CHAIN_IS_SEEN else 1]
    assert set(seen.seconds) == {"resolve", "connect", "handshake", "request", "response"}


def test_a_leaf_sent_alone_is_a_chain_of_one(pki: Pki, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pem"
    alone.write_bytes(pki.server.pem)
    context = server_context(pki)
    context.load_cert_chain(str(alone), pki.path("server.key"))
    with tls_server(context) as served:
        assert ask(served).served == [pki.server.der]


def test_each_probe_sees_what_is_served_now(pki: Pki, tmp_path: Path) -> None:
    context, new = server_context(pki), issue("new")
    with tls_server(context) as served:
        before = ask(served)
        _write(tmp_path, new)
        context.load_cert_chain(str(tmp_path / "new.pem"), str(tmp_path / "new.key"))
        after = ask(served)
    assert (before.served[0], after.served[0]) == (pki.server.der, new.der)


def _write(directory: Path, pair: Any) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    (directory / "new.pem").write_bytes(pair.pem)
    (directory / "new.key").write_bytes(
        pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


@pytest.mark.parametrize(
    ("target", "name", "host"),
    [
        ({"server_name": "server.test"}, "server.test", "server.test"),
        ({"server_name": "server.test", "http_host": "other.test:8"}, "server.test", "other.test:8"),
        ({"http_host": "server.test"}, None, "server.test"),
        ({}, None, "127.0.0.1"),
        ({"server_name": "127.0.0.1"}, None, "127.0.0.1"),
        ({"address": "localhost"}, None, "localhost"),
    ],
)
def test_server_name_and_host(pki: Pki, target: dict[str, str], name: Any, host: str) -> None:
    with tls_server(server_context(pki)) as served:
        assert ask(served, **target).status == 200
    assert served.names == [name]
    assert f"\r\nHost: {host}\r\n".encode() in served.requests[0]


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with http_server(path=path) as served:
        # As a listen line is read: a unix socket has no port.
        seen = probe(Target(f"unix:{path}", port=0, tls=False, proxy_protocol=True))
    assert seen.status == 200
    assert served.requests[0].startswith(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: localhost\r\n")
    assert probe(Target(f"unix:{path}.none", tls=False)).phase == "connect"


def test_proxy_protocol_comes_before_tls(pki: Pki) -> None:
    first: list[bytes] = []

    def handle(raw: socket.socket) -> None:
        while not first or not first[0].endswith(b"\n"):
            first[:] = [b"".join(first) + raw.recv(1)]
        with server_context(pki).wrap_socket(raw, server_side=True) as connection:
            read_request(connection)
            connection.sendall(ANSWER)

    with listening(handle) as port:
        assert ask(Served(port), proxy_protocol=True).status == 200
    words = first[0].split()
    assert words[:4] == [b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"]
    assert int(words[5]) == port
    assert first[0].endswith(b"\r\n")


# Who is refused, and how that looks


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_certificate_is_sent(pki: Pki, client: Identity, version: str) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        assert ask(served, client, tls_version=version).status == 200
    assert served.clients == ["client"]


@pytest.mark.parametrize(
    ("version", "who", "phase", "alert"),
    [
        ("1.2", None, "handshake", 40),
        ("1.3", None, "response", 116),
        ("1.2", "foreign", "handshake", 48),
        ("1.3", "foreign", "response", 48),
    ],
)
def test_a_refusal_by_alert(pki: Pki, version: str, who: Any, phase: str, alert: int) -> None:
    identity = Identity(pki.path(f"{who}.pem"), pki.path(f"{who}.key")) if who else None
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        seen = ask(served, identity, tls_version=version)
    assert (seen.phase, seen.alert, seen.status) == (phase, alert, None)
    assert seen.error.startswith(f"the server sent TLS alert {alert} (")


def _reject(_connection: Any, _name: Any, _context: Any) -> int:
    return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)


@pytest.mark.parametrize(
    ("settings", "ciphers", "target", "alert"),
    [
        ({"sni_callback": _reject}, "", {}, 112),
        ({"maximum_version": V1_2}, "", {"tls_version": "1.3"}, 70),
        ({"maximum_version": V1_2}, "ECDHE-RSA-AES256-GCM-SHA384", {}, 40),
    ],
)
def test_a_handshake_that_the_server_ends(
    pki: Pki, settings: dict[str, Any], ciphers: str, target: dict[str, Any], alert: int
) -> None:
    context = server_context(pki, **settings)
    if ciphers:
        context.set_ciphers(ciphers)
    with tls_server(context) as served:
        seen = ask(served, **target)
    assert (seen.phase, seen.alert, seen.protocol, seen.served) == ("handshake", alert, "", [])


def test_tls_to_a_plain_port_and_plain_to_a_tls_port(pki: Pki) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(handle) as port:
        seen = ask(Served(port))
    assert (seen.phase, seen.alert, seen.error) == (
        "handshake",
        None,
        "the answer is not TLS",
    )
    with tls_server(server_context(pki)) as served:
        seen = ask(served, tls=False)
    assert (seen.phase, seen.status) == ("response", None)
    assert seen.error


@pytest.mark.parametrize(
    ("ca", "target", "word"),
    [
        ("root.pem", {}, ""),
        ("root.pem", {"server_name": "server.test", "verify_hostname": True}, ""),
        ("root.pem", {"server_name": "a.srv.test", "verify_hostname": True}, ""),
        ("root.pem", {"verify_hostname": True}, ""),
        ("root.pem", {"server_name": "wrong.test"}, ""),
        ("root.pem", {"server_name": "wrong.test", "verify_hostname": True}, "wrong.test"),
        ("root.pem", {"server_name": "127.0.0.2", "verify_hostname": True}, "127.0.0.2"),
        ("other.pem", {}, "issuer"),
    ],
)
def test_verification_of_the_server(pki: Pki, ca: str, target: dict[str, Any], word: str) -> None:
    with tls_server(server_context(pki)) as served:
        seen = ask(served, cafile=pki.path(ca), **target)
    assert (seen.status, seen.phase) == ((None, "handshake") if word else (200, "done"))
    assert word in seen.error
    assert bool(seen.error) is bool(word)
    assert seen.alert is None


def test_http_refusal_is_an_answer() -> None:
    page = b"<title>400 The SSL certificate error</title>"
    with http_server(
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    ) as served:
        seen = ask(served, tls=False)
    assert (seen.phase, seen.status, seen.body, seen.error) == ("done", 400, page, "")


def test_nobody_listens() -> None:
    with listening(lambda connection: None) as port:
        pass
    seen = probe(Target("127.0.0.1", port))
    assert (seen.phase, seen.error) == ("connect", "Connection refused")
    assert (seen.timed_out, seen.errno) == (False, errno.ECONNREFUSED)


@pytest.mark.parametrize("name", ["nowhere.invalid", "a" * 64 + ".test", "a..test", "a\0b"])
def test_a_name_without_an_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, *_rest: Any, **_more: Any) -> Any:
        if "\0" in host:
            raise ValueError("embedded null character")
        host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    seen = probe(Target(name, 443, http_host="h"))
    assert seen.phase == "resolve"
    assert seen.error


def test_the_second_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server() as served:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0))
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", served.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [dead, live])
        assert ask(served, address="two.test", tls=False).status == 200


def test_an_address_that_is_silent_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server() as served, socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _place in range(8):  # fill the queue: the kernel drops what comes after
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        silent, live = (
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (full.getsockname(), ("127.0.0.1", served.port))
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [silent, live])
        seen = ask(served, address="two.test", tls=False, timeout_s=1)
    assert (seen.status, seen.error) == (200, "")
    assert seen.seconds["connect"] > 0.4


# Nothing hangs, nothing grows


def drip(connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _second in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def interim_for_ever(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def silent(connection: socket.socket) -> None:
    connection.recv(100)
    time.sleep(5)


@pytest.mark.parametrize(
    ("handler", "tls", "phase", "status"),
    [
        (silent, False, "response", None),
        (silent, True, "handshake", None),
        (drip, False, "response", None),
        (drip_body, False, "response", 200),
        (interim_for_ever, False, "response", None),
    ],
)
def test_the_deadline_is_for_the_whole_call(handler: Any, tls: bool, phase: str, status: Any) -> None:
    with listening(handler) as port:
        begun = time.monotonic()
        seen = ask(Served(port), tls=tls, timeout_s=0.4)
        took = time.monotonic() - begun
    assert (seen.phase, seen.status, seen.error) == (phase, status, "no end within 0.4 s")
    assert (seen.timed_out, seen.errno) == (True, None)
    assert took < 3


def test_the_deadline_holds_inside_tls(pki: Pki) -> None:
    def pause(connection: socket.socket) -> None:
        for _part in range(200):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)

    with tls_server(server_context(pki), pause=pause) as served:
        begun = time.monotonic()
        seen = ask(served, timeout_s=0.4)
        took = time.monotonic() - begun
    assert (seen.phase, seen.error) == ("response", "no end within 0.4 s")
    assert took < 3


def test_the_deadline_holds_for_a_peer_that_does_not_read() -> None:
    with listening(lambda connection: time.sleep(8)) as port:
        begun = time.monotonic()
        seen = ask(Served(port), tls=False, method="POST", body=b"x" * 30_000_000, timeout_s=0.4)
    assert (seen.phase, seen.error) == ("request", "no end within 0.4 s")
    assert time.monotonic() - begun < 3


def test_the_deadline_holds_for_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: time.sleep(8))
    begun = time.monotonic()
    seen = probe(Target("slow.test"), timeout_s=0.2)
    assert (seen.phase, seen.error) == ("resolve", "no end within 0.2 s")
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("end", [b"", b"Content-Length: 9000000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_without_end_is_cut(end: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + end + b"\r\n")
        while True:
            connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" if b"chunked" in end else b"x" * 0x8000)

    with listening(handle) as port:
        seen = ask(Served(port), tls=False)
    assert (seen.phase, seen.status, seen.truncated) == ("done", 200, True)
    assert len(seen.body) == 64 * 1024


def test_a_header_without_end_is_an_error() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X: " + b"x" * 1000 + b"\r\n")

    with listening(handle) as port:
        seen = ask(Served(port), tls=False)
    assert (seen.phase, seen.status) == ("response", None)
    assert "longer than" in seen.error


@pytest.mark.parametrize(
    "garbage", [b"", b"\0" * 100, b"SSH-2.0-x\r\n", b"HTTP/1.1 999\r\n", b"\x15\x03\x01\0\x02"]
)
@pytest.mark.parametrize("tls", [True, False])
def test_garbage_is_a_result(garbage: bytes, tls: bool) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(garbage)

    with listening(handle) as port:
        seen = ask(Served(port), tls=tls, timeout_s=2)
    assert seen.phase == ("handshake" if tls else "response")
    assert seen.error
    assert seen.alert is None


def test_an_answer_before_the_request_is_read() -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.1)

    with listening(handle) as port:
        seen = ask(Served(port), tls=False, method="POST", body=b"x" * 20_000_000, timeout_s=3)
    assert (seen.phase, seen.status) == ("done", 413)


def test_a_cut_in_the_body_keeps_the_status() -> None:
    with http_server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") as served:
        seen = ask(served, tls=False)
    assert (seen.phase, seen.status, seen.body) == ("response", 200, b"abc")
    assert "3 of 10" in seen.error


# Sessions


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_is_resumed(pki: Pki, client: Identity, version: str) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        first = ask(served, client, tls_version=version)
        again = ask(served, session=first.session)
        fresh = ask(served, client, tls_version=version)
    assert [seen.session_reused for seen in (first, again, fresh)] == [False, True, False]
    assert served.reused == [False, True, False]
    assert served.clients == ["client"] * 3


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_that_the_server_has_forgotten(pki: Pki, client: Identity, version: str) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        session = ask(served, client, tls_version=version).session
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        seen = ask(served, session=session)
    assert (seen.status, seen.session_reused) == (200, False)
    assert served.clients == ["client"]  # the session's context brings the identity to the full handshake


def test_no_session_where_the_server_gives_none(pki: Pki) -> None:
    context = server_context(pki)
    context.num_tickets = 0
    with tls_server(context) as served:
        assert ask(served, tls_version="1.3").session is None
        assert ask(served, tls_version="1.2").session is not None


def test_sessions_and_secrets_are_not_printed(pki: Pki) -> None:
    with tls_server(server_context(pki)) as served:
        assert "session=" not in repr(ask(served))
    assert "horse" not in repr(Identity("a", "b", PASSPHRASE))


@pytest.fixture(name="verifying")
def _verifying(pki: Pki) -> Iterator[Served]:
    with s_server(pki, "-Verify", "3", "-CAfile", pki.path("root.pem"), "-verify_return_error") as port:
        yield Served(port)


def test_against_openssl_s_server(pki: Pki, client: Identity, verifying: Served) -> None:
    first = ask(verifying, client, server_name="server.test", cafile=pki.path("root.pem"))
    assert (first.status, first.protocol, first.error) == (200, "TLSv1.3", "")
    assert ask(verifying, session=first.session).session_reused
    refused = ask(verifying, Identity(pki.path("foreign.pem"), pki.path("foreign.key")))
    assert (refused.status, refused.alert) == (None, 48)
    assert ask(verifying).alert == 116


# What is wrong on this side is never taken for a refusal


def test_an_encrypted_key(pki: Pki) -> None:
    files = pki.path("client.pem"), pki.path("client.enc")
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        assert ask(served, Identity(*files, PASSPHRASE)).status == 200
        for passphrase, word in ((None, "is encrypted"), (b"wrong", "decrypted"), (b"", "decrypted")):
            with pytest.raises(MtlsError, match=word) as caught:
                ask(served, Identity(*files, passphrase))
            assert caught.value.place == files[1]
        with pytest.raises(MtlsError, match="mismatch"):
            ask(served, Identity(pki.path("foreign.pem"), files[1], PASSPHRASE))
        with pytest.raises(MtlsError, match="longer than OpenSSL"):
            ask(served, Identity(*files, b"x" * 2000))
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("certificate", "key", "word"),
    [
        ("none.pem", "client.key", "No such file"),
        ("client.pem", "none.key", "No such file"),
        ("client.pem", "foreign.key", "mismatch"),
        ("client.key", "client.key", "cannot be loaded"),
        ("client.pem", "client.pem", "cannot be loaded"),
    ],
)
def test_an_identity_that_cannot_be_loaded(pki: Pki, certificate: str, key: str, word: str) -> None:
    with pytest.raises(MtlsError, match=word):
        probe(Target("127.0.0.1", 1), Identity(pki.path(certificate), pki.path(key)))


@pytest.mark.parametrize("name", ["none.pem", "client.key"])
def test_a_trust_file_that_cannot_be_loaded(pki: Pki, name: str) -> None:
    with pytest.raises(MtlsError, match="CA file cannot be loaded"):
        probe(Target("127.0.0.1", 1, cafile=pki.path(name)))


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ({"address": ""}, "host"),
        ({"address": "unix:"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"path": "x"}, "path"),
        ({"path": "/a b"}, "path"),
        ({"path": "/\r\nX: y"}, "path"),
        ({"path": "/é"}, "path"),
        ({"method": "GET /"}, "method"),
        ({"method": ""}, "method"),
        ({"http_host": "a\r\nb"}, "http_host"),
        ({"headers": (("X", "a\r\nY: b"),)}, "headers"),
        ({"headers": (("X:", "a"),)}, "headers"),
        ({"headers": (("X", "\ud800"),)}, "headers"),
        ({"headers": (("HOST", "a"),)}, "headers"),
        ({"headers": (("Content-Length", "1"),)}, "headers"),
        ({"tls_version": "1.1"}, "tls_version"),
        ({"server_name": ".a"}, "server_name"),
        ({"server_name": "a\0b"}, "server_name"),
        ({"server_name": "a b"}, "server_name"),
        ({"server_name": "\ud800"}, "server_name"),
        ({"server_name": "a" * 64}, "server_name"),
        ({"verify_hostname": True}, "verify_hostname"),
        ({"address": "a.test", "cafile": "x", "verify_hostname": True}, "verify_hostname"),
    ],
)
def test_a_target_that_cannot_be_meant(target: dict[str, Any], place: str) -> None:
    with pytest.raises(MtlsError) as caught:
        probe(dataclasses.replace(Target("127.0.0.1", 1), **target))
    assert caught.value.place == place


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_time_that_cannot_be_meant(timeout_s: float) -> None:
    with pytest.raises(MtlsError) as caught:
        probe(Target("127.0.0.1", 1), timeout_s=timeout_s)
    assert caught.value.place == "timeout_s"


@pytest.mark.parametrize(
    ("address", "port", "name"),
    [
        ("a.test", 443, "a.test:443"),
        ("::1", 8, "[::1]:8"),
        ("[::1]", 8, "[::1]:8"),
        ("unix:/s", 1, "unix:/s"),
    ],
)
def test_the_name_of_a_target(address: str, port: int, name: str) -> None:
    assert Target(address, port).name == name


def test_ipv6_in_the_header_of_the_proxy_protocol() -> None:
    class Connection:
        family = socket.AF_INET6

        @staticmethod
        def getsockname() -> Any:
            return ("::1", 5, 0, 0)

        @staticmethod
        def getpeername() -> Any:
            return ("2001:db8::1", 443, 0, 0)

    header = dial.proxy_header(Connection())
    assert header == b"PROXY TCP6 ::1 2001:db8::1 5 443\r\n"
