# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a target, within a time: the name's resolution, each address, the PROXY protocol."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Callable, NamedTuple, Optional, Union

from .probe_target import UNIX, Limits, Target

_MOST_AT_ONCE = 16384


class Peer(NamedTuple):
    """Where a connection goes: the family of sockets, and the address in its form."""

    family: int
    address: Union[str, tuple[Any, ...]]

    @property
    def name(self) -> str:
        """``10.0.0.1:443``, ``[::1]:443`` or ``unix:/path``, for people."""
        if isinstance(self.address, str):
            return f"{UNIX}{self.address}"
        host, port = self.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Deadline:
    """The time of one connection: the whole, and within it what the present part may take."""

    def __init__(self, timeout_s: float, limits: Limits) -> None:
        self._whole_s = timeout_s
        self._limits = limits
        self._end = self._until = time.monotonic() + timeout_s
        self._part = ""

    def begin(self, part: str) -> None:
        """*part*, a field of Limits, begins now."""
        limit_s: Optional[float] = getattr(self._limits, part)
        until = self._end if limit_s is None else time.monotonic() + limit_s
        self._until, self._part = min(until, self._end), part if until < self._end else ""

    def left(self) -> float:
        """Seconds. Raises socket.timeout where none is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise socket.timeout()
        return left

    @property
    def words(self) -> str:
        """What is over, and by which option."""
        if not self._part:
            return f"no end within {self._whole_s:g} s"
        return f"no end within {getattr(self._limits, self._part):g} s ({self._part}_timeout_s)"


def resolve(target: Target, deadline: Deadline) -> list[Peer]:
    """The addresses of *target*, in the system's order. Raises OSError, socket.timeout among them."""
    if target.address.startswith(UNIX):
        return [Peer(socket.AF_UNIX, target.address[len(UNIX) :])]

    def lookup() -> list[Any]:
        return socket.getaddrinfo(target.address.strip("[]"), target.port, type=socket.SOCK_STREAM)

    return [Peer(family, address) for family, _type, _proto, _name, address in _bounded(lookup, deadline)]


def _bounded(call: Callable[[], list[Any]], deadline: Deadline) -> list[Any]:
    """Return ``call()``; getaddrinfo(3) takes no timeout, so it is left behind in its thread."""
    done: list[list[Any]] = []
    failed: list[OSError] = []

    def work() -> None:
        try:
            done.append(call())
        except ValueError:  # a label over 63 characters (UnicodeError of the idna codec), a NUL
            failed.append(OSError("this is no host name"))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failed:
        raise failed[0]
    if not done:
        raise socket.timeout()
    return done[0]


def connect(peers: list[Peer], deadline: Deadline) -> tuple[socket.socket, Peer]:
    """A connection to the first of *peers* that answers, and which that is; each gets an equal share of the
    time. Raises OSError."""
    error: OSError = OSError("the name has no address")
    for position, peer in enumerate(peers):
        connection = socket.socket(peer.family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left() / (len(peers) - position))
            connection.connect(peer.address)
            return connection, peer
        except OSError as caught:
            connection.close()
            error = caught
    raise error


def send(connection: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of *data*. Raises OSError."""
    view = memoryview(data)
    while view:
        connection.settimeout(deadline.left())
        view = view[connection.send(view[:_MOST_AT_ONCE]) :]


def proxy_header(connection: socket.socket) -> bytes:
    """The header of the PROXY protocol, version 1, that tells the truth about *connection*."""
    if connection.family == getattr(socket, "AF_UNIX", None):
        return b"PROXY UNKNOWN\r\n"
    family = "TCP6" if connection.family == socket.AF_INET6 else "TCP4"
    source, destination = connection.getsockname(), connection.getpeername()
    return f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode("ascii")
