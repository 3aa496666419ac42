# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of each part of a probe: who stalls or drips there is left, who is slow in another part is not."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import Limits, Target, probe
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import (
    ANSWER,
    Pki,
    http_server,
    listening,
    make_pki,
    read_request,
    server_context,
    tls_server,
)

SHORT_S = 0.3
RECORD = bytes.fromhex("160303004a020000460303") + bytes(68)


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def drip(connection: socket.socket, data: bytes) -> None:
    for octet in data:
        connection.sendall(bytes([octet]))
        time.sleep(0.05)


def stall(connection: socket.socket) -> None:
    connection.recv(100)
    time.sleep(3)


def drip_hello(connection: socket.socket) -> None:
    connection.recv(1000)
    drip(connection, RECORD)


def drip_answer(connection: socket.socket) -> None:
    read_request(connection)
    drip(connection, ANSWER * 2)


def drip_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    drip(connection, b"x" * 100)


def deaf(_connection: socket.socket) -> None:
    time.sleep(3)


@contextlib.contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full: the kernel drops what comes."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _place in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


CASES: list[tuple[Any, dict[str, Any], str, str]] = [
    (full, {"tls": False}, "connect", "connect"),
    (lambda: listening(stall), {}, "handshake", "handshake"),
    (lambda: listening(drip_hello), {}, "handshake", "handshake"),
    (
        lambda: listening(deaf),
        {"tls": False, "method": "POST", "body": b"x" * 30_000_000},
        "response",
        "request",
    ),
    (lambda: listening(stall), {"tls": False}, "response", "response"),
    (lambda: listening(drip_answer), {"tls": False}, "response", "response"),
    (lambda: listening(drip_body), {"tls": False}, "response", "response"),
]


@pytest.mark.parametrize(("server", "target", "part", "phase"), CASES)
def test_a_part_that_does_not_end(server: Any, target: dict[str, Any], part: str, phase: str) -> None:
    with server() as port:
        seen = probe(Target("127.0.0.1", port, **target), timeout_s=20, limits=Limits(**{part: SHORT_S}))
    assert (seen.phase, seen.timed_out, seen.error) == (
        phase,
        True,
        f"no end within {SHORT_S:g} s ({part}_timeout_s)",
    )
    assert SHORT_S - 0.05 < seen.seconds[phase] < 3


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: time.sleep(8))
    seen = probe(Target("slow.test"), timeout_s=20, limits=Limits(connect=SHORT_S))
    assert (seen.phase, seen.error) == ("resolve", "no end within 0.3 s (connect_timeout_s)")


def test_the_whole_time_counts_where_it_is_shorter() -> None:
    with listening(stall) as port:
        seen = probe(Target("127.0.0.1", port), timeout_s=SHORT_S, limits=Limits(handshake=9))
    assert (seen.phase, seen.timed_out, seen.error) == ("handshake", True, "no end within 0.3 s")


def test_a_limit_is_for_its_own_part_only(pki: Pki) -> None:
    with tls_server(server_context(pki), pause=lambda _connection: time.sleep(0.6)) as served:
        limits = Limits(connect=0.5, handshake=0.5)
        seen = probe(Target("127.0.0.1", served.port), timeout_s=20, limits=limits)
    assert (seen.status, seen.timed_out) == (200, False)
    assert seen.seconds["response"] > 0.5


def test_limits_that_are_met() -> None:
    with http_server() as served:
        target = Target("127.0.0.1", served.port, tls=False)
        assert probe(target, limits=Limits(5, 5, 5)).status == 200


@pytest.mark.parametrize("part", ["connect", "handshake", "response"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 4000])
def test_a_limit_that_cannot_be_meant(part: str, seconds: float) -> None:
    with pytest.raises(MtlsError) as caught:
        probe(Target("127.0.0.1", 1), limits=Limits(**{part: seconds}))
    assert caught.value.place == f"{part}_timeout_s"
