# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own openssl s_client against real servers on the loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import s_client as core
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import openssl, s_client
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.dial import Deadline, Peer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl import NO_ANSWER, Ended
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe_target import (
    NO_LIMITS,
    Limits,
    Target,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.s_client import Heard, SClient
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import (
    Pki,
    Served,
    http_server,
    listening,
    make_pki,
    read_request,
    s_server,
    server_context,
    tls_server,
)

VERSION = core.version(openssl.run(["version"]).out.decode())


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No folder outlives a call."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a unix socket has no room for pytest's
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        assert list(Path(folder).iterdir()) == []


def ask(served: Served, limits: Limits = NO_LIMITS, timeout_s: float = 5, **more: Any) -> Heard:
    peer = Peer(socket.AF_INET, ("127.0.0.1", served.port))
    return SClient()(Target("127.0.0.1", served.port, **more), peer, timeout_s, limits)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_a_server_asks_for(pki: Pki, version: str) -> None:
    with s_server(pki, "-Verify", "3", "-CAfile", pki.path("root.pem")) as port:
        heard = ask(Served(port), tls_version=version)
    assert (heard.why, heard.spoke) == ("", f"openssl s_client {VERSION}")
    assert list(heard.flight.certificates) == [pki.server.der, pki.intermediate.der]
    asked = core.requested(heard.flight)
    assert (asked["certificate"], asked["names"]) == (True, ["CN=root"])
    assert "ecdsa_secp256r1_sha256" in asked["signature_algorithms"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_names_nobody(pki: Pki, version: str) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        asked = core.requested(ask(served, tls_version=version).flight)
    assert (asked["certificate"], asked["names"]) == (True, [])


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_asks_for_nothing(pki: Pki, version: str) -> None:
    with tls_server(server_context(pki)) as served:
        heard = ask(served, tls_version=version)
    assert heard.why == ""
    assert core.requested(heard.flight)["certificate"] is False
    assert core.staple(heard.flight)["status"] == "none"
    assert served.names == [None]


@pytest.mark.parametrize(
    ("name", "sent"), [("bücher.test", "xn--bcher-kva.test"), ("127.0.0.1", None), ("", None)]
)
def test_the_server_name_is_that_of_the_probe(pki: Pki, name: str, sent: Any) -> None:
    with tls_server(server_context(pki)) as served:
        ask(served, server_name=name)
    assert served.names == [sent]


def test_alpn(pki: Pki) -> None:
    context = server_context(pki)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tls_server(context) as served:
        assert ask(served, alpn=("http/1.1",)).flight.alpn == "http/1.1"
        assert ask(served, alpn=()).flight.alpn == ""


@pytest.mark.parametrize("address", ["::1", "unix"])
def test_other_families(pki: Pki, tmp_path: Path, address: str) -> None:
    first: list[bytes] = []

    def handle(raw: socket.socket) -> None:
        while not first or not first[0].endswith(b"\n"):
            first[:] = [b"".join(first) + raw.recv(1)]
        with server_context(pki, verify_mode=ssl.CERT_REQUIRED).wrap_socket(
            raw, server_side=True
        ) as connection:
            read_request(connection)

    path = str(tmp_path / "s") if address == "unix" else ""
    with listening(handle, path, address if not path else "") as port:
        peer = Peer(socket.AF_UNIX, path) if path else Peer(socket.AF_INET6, ("::1", port, 0, 0))
        heard = SClient()(Target("any", port or 443, proxy_protocol=True), peer, 5, NO_LIMITS)
    assert (heard.why, heard.flight.request is not None) == ("", True)
    assert first[0].startswith(b"PROXY UNKNOWN\r\n" if path else b"PROXY TCP6 ::1 ::1 ")


def test_a_plain_server_and_a_refusal(pki: Pki) -> None:
    with http_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as served:
        heard = ask(served, timeout_s=0.5)
    assert heard.flight.whole is False
    assert heard.why
    with tls_server(server_context(pki, maximum_version=ssl.TLSVersion.TLSv1_2)) as served:
        heard = ask(served, tls_version="1.3")
    assert heard.why.endswith("the server sent TLS alert 70 (protocol version)")


def stall(connection: socket.socket) -> None:
    connection.recv(1000)
    time.sleep(4)


def drip(connection: socket.socket) -> None:
    connection.recv(1000)
    for octet in b"\x16\x03\x03\x40\0" + bytes(80):
        connection.sendall(bytes([octet]))
        time.sleep(0.05)


@pytest.mark.parametrize("handler", [stall, drip])
@pytest.mark.parametrize(("timeout_s", "limits"), [(0.5, NO_LIMITS), (20, Limits(handshake=0.5))])
def test_a_server_that_does_not_end(handler: Any, timeout_s: float, limits: Limits) -> None:
    with listening(handler) as port:
        begun = time.monotonic()
        heard = ask(Served(port), limits, timeout_s)
        took = time.monotonic() - begun
    assert heard.flight.whole is False
    assert heard.why.startswith("the handshake of openssl s_client did not come to its end: ")
    assert took < 3


def test_a_server_that_is_gone() -> None:
    with listening(lambda _connection: None) as port:
        pass
    heard = ask(Served(port))
    assert (heard.spoke, heard.why) == ("", "openssl s_client had nobody to ask: Connection refused")


@pytest.mark.parametrize(
    "ended", [Ended(NO_ANSWER, b"", b"no such program"), Ended(0, b"LibreSSL 3.8.2\n", b"")]
)
def test_without_the_command(ended: Ended) -> None:
    heard = SClient(lambda *_a, **_k: ended)(
        Target("a"), Peer(socket.AF_INET, ("127.0.0.1", 1)), 5, NO_LIMITS
    )
    assert (heard.spoke, heard.why) == ("", "the command openssl is not on this host; its package is openssl")


def test_a_command_that_ends_at_once(pki: Pki) -> None:
    def run(arguments: Any, **_more: Any) -> Ended:
        return (
            Ended(0, b"OpenSSL 9.0.0 x", b"")
            if arguments == ["version"]
            else Ended(1, b"", b"Unknown option")
        )

    with tls_server(server_context(pki)) as served:
        begun = time.monotonic()
        peer = Peer(socket.AF_INET, ("127.0.0.1", served.port))
        heard = SClient(run)(Target("a"), peer, 20, NO_LIMITS)
    assert heard.why.endswith("no more came")
    assert time.monotonic() - begun < 3


def test_what_floods_is_cut() -> None:
    """A server may send tickets for ever: openssl reads what comes before it looks at its own input."""
    (ours, client), (server, theirs) = socket.socketpair(), socket.socketpair()
    got = 0
    with ours, client, server, theirs:

        def run(*_nothing: Any) -> None:
            s_client._relay(client, server, Deadline(10, NO_LIMITS))
            client.close()

        def feed() -> None:
            with contextlib.suppress(OSError):
                theirs.sendall(bytes(2_000_000))

        thread = threading.Thread(target=run)
        thread.start()
        feeder = threading.Thread(target=feed)
        feeder.start()
        while data := ours.recv(65536):
            got += len(data)
        thread.join()
        server.close()
        feeder.join()
    assert 1024 * 1024 <= got < 1024 * 1024 + 16384
