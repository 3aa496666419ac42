# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to one endpoint, as a client would make it, and what was seen on the way.

nginx completes the handshake with a client that it then refuses by HTTP 400, other servers send an alert
on the first read of TLS 1.3: so the observation has the phase, the alert and the status, and the caller
judges. Each call makes a new SSLContext: on a resumed connection Python reports the certificate of the
session, that is of the past.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.http1 import (
    HttpError,
    Response,
    read_response,
    render_request,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.tls_client import (
    TLS_VERSIONS,
    Identity,
    client_context,
    received_alert,
    served_chain,
    words,
)

__all__ = ["Identity", "Observation", "Session", "Target", "probe"]

_TIMEOUT_LIMIT_S = 3600
_UNIX = "unix:"

_Address = Union[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Target:
    """Whom to ask, and what. Nothing here is a secret.

    *address*: a name, an IP address, or ``unix:/path``. *server_name*: the SNI; "" and IP addresses send
    none. *http_host*: default *server_name*, else the address. *tls_version*: "", "1.2" or "1.3".
    *cafile*: verify the server's chain by it; with *verify_hostname* also *server_name* (the address,
    where that is an IP address and there is no name). What nginx's ``proxy_ssl_verify`` would refuse and
    this does not: an IP address among the names of the certificate, a chain of more than one intermediate.
    """

    address: str
    port: int = 443
    server_name: str = ""
    http_host: str = ""
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = True
    proxy_protocol: bool = False
    body: bytes = b""
    tls_version: str = ""
    cafile: str = ""
    verify_hostname: bool = False

    @property
    def name(self) -> str:
        """``host:port``, ``[v6]:port`` or ``unix:/path``, for people."""
        if self.address.startswith(_UNIX):
            return self.address
        host = self.address.strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True)
class Session:
    """A TLS session to resume, with the context it belongs to: identity and trust of its first use."""

    context: ssl.SSLContext = field(repr=False)
    tls: ssl.SSLSession = field(repr=False)


@dataclass
class Observation:
    """What was seen. ``phase`` is the step it ended in; "done" means a whole answer was read.

    ``served``: DER, leaf first; where Python has no access to the chain (before 3.10) the leaf alone, and
    ``served_complete`` is false. ``alert``: the number of the alert that the peer sent. ``body`` holds at
    most 64 KiB, ``truncated`` says when there was more. ``session``: for *session* of a later call, None
    if the peer gave none. ``seconds``: per phase that was begun. ``timed_out``: the time was over. ``errno``:
    the kernel's number of the error, None for one that is not the kernel's.
    """

    phase: str = "resolve"
    protocol: str = ""
    cipher: str = ""
    served: list[bytes] = field(default_factory=list)
    served_complete: bool = False
    status: Optional[int] = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    truncated: bool = False
    error: str = ""
    timed_out: bool = False
    errno: Optional[int] = None
    alert: Optional[int] = None
    session_reused: bool = False
    session: Optional[Session] = field(default=None, repr=False)
    seconds: dict[str, float] = field(default_factory=dict)


def probe(
    target: Target,
    identity: Optional[Identity] = None,
    timeout_s: float = 5.0,
    session: Optional[Session] = None,
) -> Observation:
    """Ask *target* once and return what was seen; *timeout_s* bounds the whole call.

    With *session* its own context is used: *identity*, and the target's ``tls_version``, ``cafile`` and
    ``verify_hostname``, are then those of the call that the session came from.

    Never raises for what a peer or the network does. Raises MtlsError for what is wrong on this side (a
    key that cannot be loaded, a header with a line break): taken for a refusal, it would make every
    negative probe pass.
    """
    request = _check(target, timeout_s)
    context = None
    if target.tls:
        context = (
            session.context
            if session
            else client_context(identity, target.cafile, target.verify_hostname, target.tls_version)
        )
    call = _Call(target, time.monotonic() + timeout_s, timeout_s)
    with contextlib.ExitStack() as stack:
        try:
            call.run(stack, request, context, session)
        except (OSError, HttpError) as error:
            call.fail(error)
    return call.seen


class _Call:
    """The state of one probe: the deadline, the open socket, and what was seen so far."""

    def __init__(self, target: Target, end: float, timeout_s: float) -> None:
        self.target = target
        self.seen = Observation()
        self._end = end
        self._timeout_s = timeout_s

    def run(
        self,
        stack: contextlib.ExitStack,
        request: bytes,
        context: Optional[ssl.SSLContext],
        session: Optional[Session],
    ) -> None:
        with self._phase("resolve"):
            addresses = self._resolve()
        with self._phase("connect"):
            connection = stack.enter_context(self._connect(addresses))
            if self.target.proxy_protocol:
                self._send(connection, _proxy_header(connection))
        tls: Optional[ssl.SSLSocket] = None
        if context is not None:
            with self._phase("handshake"):
                tls = stack.enter_context(self._wrap(connection, context, session))
                tls.settimeout(self._left())
                tls.do_handshake()
                self._note_handshake(tls)
            connection = tls
        try:
            self._exchange(connection, request)
        finally:
            if tls is not None and context is not None:
                self._keep_session(tls, context)
        self.seen.phase = "done"

    def fail(self, error: Exception) -> None:
        """Put *error* into words; the phase stays the one it happened in."""
        if isinstance(error, ssl.SSLError):
            self.seen.alert, self.seen.error = received_alert(error), words(error)
        # socket.timeout became TimeoutError in Python 3.10; one with an errno is the kernel's own.
        elif isinstance(error, (socket.timeout, TimeoutError)) and not error.errno:
            self.seen.timed_out, self.seen.error = True, f"no end within {self._timeout_s:g} s"
        else:
            self.seen.errno = getattr(error, "errno", None)
            self.seen.error = str(getattr(error, "strerror", None) or error)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout()
        return left

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.seen.phase = name
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seen.seconds[name] = round(time.monotonic() - begun, 6)

    def _resolve(self) -> list[tuple[int, _Address]]:
        address = self.target.address
        if address.startswith(_UNIX):
            return [(socket.AF_UNIX, address[len(_UNIX) :])]
        return [(family, to) for family, _t, _p, _c, to in self._bounded(self._lookup)]

    def _lookup(self) -> list[Any]:
        return socket.getaddrinfo(self.target.address.strip("[]"), self.target.port, type=socket.SOCK_STREAM)

    def _bounded(self, call: Callable[[], list[Any]]) -> list[Any]:
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
        thread.join(self._left())
        if failed:
            raise failed[0]
        if not done:
            raise socket.timeout()
        return done[0]

    def _connect(self, addresses: list[tuple[int, _Address]]) -> socket.socket:
        """Return a connection to the first address that answers; each gets an equal share of the time."""
        error: OSError = OSError("the name has no address")
        for position, (family, address) in enumerate(addresses):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._left() / (len(addresses) - position))
                connection.connect(address)
                return connection
            except OSError as caught:
                connection.close()
                error = caught
        raise error

    def _wrap(
        self, connection: socket.socket, context: ssl.SSLContext, session: Optional[Session]
    ) -> ssl.SSLSocket:
        name = self.target.server_name or (
            self.target.address.strip("[]") if context.check_hostname else None
        )
        return context.wrap_socket(
            connection,
            server_hostname=name,
            do_handshake_on_connect=False,
            session=session.tls if session else None,
        )

    def _note_handshake(self, tls: ssl.SSLSocket) -> None:
        self.seen.protocol = tls.version() or ""
        self.seen.cipher = (tls.cipher() or ("",))[0]
        self.seen.session_reused = bool(tls.session_reused)
        self.seen.served, self.seen.served_complete = served_chain(tls)

    def _exchange(self, connection: socket.socket, request: bytes) -> None:
        refused: Optional[OSError] = None
        with self._phase("request"):
            try:
                self._send(connection, request)
            except socket.timeout:
                raise
            except OSError as error:
                # A server that refuses may have closed while we were still writing; its alert or its
                # answer is waiting to be read.
                refused = error
        response = Response()
        try:
            with self._phase("response"):
                read_response(lambda size: self._receive(connection, size), self.target.method, response)
        except (OSError, HttpError) as error:
            if (
                refused is None
                or response.status
                or (isinstance(error, ssl.SSLError) and received_alert(error))
            ):
                raise
            self.seen.phase = "request"
            raise refused from error
        finally:
            self.seen.status = response.status or None
            self.seen.headers, self.seen.body = response.headers, response.body
            self.seen.truncated = response.truncated

    def _send(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            connection.settimeout(self._left())
            view = view[connection.send(view[:16384]) :]

    def _receive(self, connection: socket.socket, size: int) -> bytes:
        connection.settimeout(self._left())
        return connection.recv(size)

    def _keep_session(self, tls: ssl.SSLSocket, context: ssl.SSLContext) -> None:
        """Note the session to resume by, if there is one.

        In TLS 1.3 that takes a ticket: it follows the handshake, and is taken in while reading the answer.
        """
        kept = tls.session
        if kept is not None and (kept.has_ticket or (kept.id and self.seen.protocol != "TLSv1.3")):
            self.seen.session = Session(context, kept)


def _check(target: Target, timeout_s: float) -> bytes:
    """Return the request to send. Raises MtlsError for a target that nobody could be asked by."""
    if not 0 < timeout_s <= _TIMEOUT_LIMIT_S:  # so put, it refuses NaN, too
        raise MtlsError(
            f"{timeout_s:g} is not a time to wait.", "timeout_s", f"Give up to {_TIMEOUT_LIMIT_S} seconds."
        )
    if not target.address or target.address == _UNIX:
        raise MtlsError("There is nobody to ask.", "host", "Give a name, an IP address or unix:/path.")
    if not target.address.startswith(_UNIX) and not 1 <= target.port <= 65535:
        raise MtlsError(f"{target.port} is not a TCP port.", "port", "Give a number from 1 to 65535.")
    if target.tls_version and target.tls_version not in TLS_VERSIONS:
        raise MtlsError(
            f"{target.tls_version!r} is not offered.", "tls_version", 'Give "1.2", "1.3" or nothing.'
        )
    try:
        valid = not re.search(r"[^!-\U0010ffff]", target.server_name)
        target.server_name.encode("idna")  # as ssl does it, after the connection is made
    except UnicodeError:
        valid = False
    if not valid:
        raise MtlsError(f"{target.server_name!r} cannot be sent as a server name.", "server_name")
    if target.verify_hostname:
        if not target.cafile:
            raise MtlsError(
                "A name is only worth checking in a verified chain.",
                "verify_hostname",
                "Give the CAs to trust.",
            )
        if not target.server_name and not _is_ip(target.address):
            raise MtlsError("There is no name to check.", "verify_hostname", "Give server_name.")
    host = target.http_host or target.server_name
    if not host:
        host = "localhost" if target.address.startswith(_UNIX) else target.name.rpartition(":")[0]
    return render_request(target.method, target.path, host, target.headers, target.body)


def _proxy_header(connection: socket.socket) -> bytes:
    """Return the header of the PROXY protocol, version 1, that tells the truth about *connection*."""
    if connection.family == getattr(socket, "AF_UNIX", None):
        return b"PROXY UNKNOWN\r\n"
    family = "TCP6" if connection.family == socket.AF_INET6 else "TCP4"
    source, destination = connection.getsockname(), connection.getpeername()
    return f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode("ascii")


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
