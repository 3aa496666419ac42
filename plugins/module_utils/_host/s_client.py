# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's `openssl s_client`, for what Python's ssl does not tell of a handshake (_core/s_client.py).

It knows neither the PROXY protocol nor a time to wait, and reads addresses in a way of its own. So it gets a
unix socket in a folder of ours, and what comes there is passed on over a connection made as the probe's are.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

from .._core import s_client as core
from .._core.tls_messages import Flight
from . import openssl
from .dial import Deadline, Peer, connect, proxy_header, send
from .openssl import Ended
from .probe_target import Limits, Target, is_ip

# A handshake has some KB; OpenSSL itself takes 100 KiB of certificates at most.
_MOST_OCTETS = 1024 * 1024
_MISSING = "the command openssl is not on this host; its package is openssl"


class Run(Protocol):
    """``openssl.run``, or what a test puts in its place."""

    def __call__(self, arguments: Sequence[str], *, cwd: str = "/", timeout_s: float = 5.0) -> Ended: ...


class Heard(NamedTuple):
    """*flight* is what the server said, to be trusted where *why* is empty. *spoke* is who asked, "" where
    nobody did."""

    flight: Flight
    spoke: str
    why: str


class SClient:
    """Asks servers; the version is asked once. Raises nothing: what could not be asked is in ``why``."""

    def __init__(self, run: Run = openssl.run) -> None:
        self._run = run

    @cached_property
    def version(self) -> str:
        """``3.5.7``; "" where there is no such command, or it is not OpenSSL's."""
        return core.version(self._run(["version"]).out.decode("ascii", "replace"))

    def __call__(self, target: Target, peer: Peer, timeout_s: float, limits: Limits) -> Heard:
        """What *peer* says in a handshake with *target*'s server name, version and protocols, and without a
        client certificate. No request is sent."""
        if not self.version:
            return Heard(Flight(), "", _MISSING)
        deadline = Deadline(timeout_s, limits)
        try:
            with tempfile.TemporaryDirectory(prefix="mtls-s_client-") as folder:  # of mode 0700
                ended = self._ask(target, peer, deadline, folder)
                dumped = _dumped(os.path.join(folder, core.MESSAGES))
        except OSError as error:
            return Heard(Flight(), "", f"openssl s_client had nobody to ask: {error.strerror or error}")
        heard = core.hear(dumped, ended.err.decode("ascii", "replace"))
        return Heard(heard.flight, f"openssl s_client {self.version}", heard.why)

    def _ask(self, target: Target, peer: Peer, deadline: Deadline, folder: str) -> Ended:
        deadline.begin("connect")
        name = "" if is_ip(target.server_name) else target.server_name.encode("idna").decode("ascii")
        with contextlib.ExitStack() as stack:
            server, _peer = connect([peer], deadline)
            stack.enter_context(server)
            if target.proxy_protocol:
                send(server, proxy_header(server), deadline)
            deadline.begin("handshake")
            stack.enter_context(_passed_on(os.path.join(folder, core.SOCKET), server, deadline))
            # It ends by itself when the relay hangs up; a second more, for a host under load.
            return self._run(
                core.arguments(name, target.tls_version, target.alpn),
                cwd=folder,
                timeout_s=deadline.left() + 1,
            )


def _dumped(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except FileNotFoundError:  # it ended before it began, by an option that it does not know
        return ""


@contextlib.contextmanager
def _passed_on(path: str, server: socket.socket, deadline: Deadline) -> Iterator[None]:
    """Who connects to the unix socket *path* speaks with *server*, until one of them ends, the time is over,
    or more was sent than a handshake has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(deadline.left())

        def work() -> None:
            with contextlib.suppress(OSError):
                client, _address = listener.accept()
                with client:
                    _relay(client, server, deadline)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            # Where nobody came: accept() is not woken by a shutdown of every kernel's.
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
                nobody.connect(path)
            thread.join()


def _relay(client: socket.socket, server: socket.socket, deadline: Deadline) -> None:
    left = _MOST_OCTETS
    other = {client: server, server: client}
    with selectors.DefaultSelector() as selector:
        for one in other:
            selector.register(one, selectors.EVENT_READ)
        while left > 0:
            for key, _events in selector.select(deadline.left()):
                one = client if key.fileobj is client else server
                data = one.recv(16384)
                if not data:
                    return
                left -= len(data)
                send(other[one], data, deadline)
