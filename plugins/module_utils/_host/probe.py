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
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional

from .dial import Deadline, Peer, connect, proxy_header, resolve, send
from .http1 import HttpError, Response, read_response
from .probe_target import NO_LIMITS, Limits, Target, check
from .tls_client import Identity, client_context, not_tls, received_alert, served_chain, words

__all__ = ["Identity", "Limits", "Observation", "Session", "Target", "probe"]


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
    the kernel's number of the error, None for one that is not the kernel's. ``peer``: whom the connection was
    made to. ``alpn``: the protocol agreed on. ``stray``: how that began which came in place of TLS or HTTP.
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
    peer: Optional[Peer] = None
    alpn: str = ""
    stray: bytes = b""


def probe(
    target: Target,
    identity: Optional[Identity] = None,
    timeout_s: float = 5.0,
    session: Optional[Session] = None,
    limits: Limits = NO_LIMITS,
) -> Observation:
    """Ask *target* once and return what was seen; *timeout_s* bounds the whole call, *limits* its parts.

    With *session* its own context is used: *identity*, and the target's ``tls_version``, ``cafile``,
    ``verify_hostname`` and ``alpn``, are then those of the call that the session came from.

    Never raises for what a peer or the network does. Raises MtlsError for what is wrong on this side (a
    key that cannot be loaded, a header with a line break): taken for a refusal, it would make every
    negative probe pass.
    """
    request = check(target, timeout_s, limits)
    context = None
    if target.tls:
        context = (
            session.context
            if session
            else client_context(
                identity, target.cafile, target.verify_hostname, target.tls_version, target.alpn
            )
        )
    call = _Call(target, Deadline(timeout_s, limits))
    with contextlib.ExitStack() as stack:
        try:
            call.run(stack, request, context, session)
        except (OSError, HttpError) as error:
            call.fail(error)
    return call.seen


class _Call:
    """The state of one probe: the deadline, the open socket, and what was seen so far."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self.seen = Observation()
        self._deadline = deadline

    def run(
        self,
        stack: contextlib.ExitStack,
        request: bytes,
        context: Optional[ssl.SSLContext],
        session: Optional[Session],
    ) -> None:
        self._deadline.begin("connect")
        with self._phase("resolve"):
            peers = resolve(self.target, self._deadline)
        with self._phase("connect"):
            connection, self.seen.peer = connect(peers, self._deadline)
            stack.enter_context(connection)
            if self.target.proxy_protocol:
                send(connection, proxy_header(connection), self._deadline)
        tls: Optional[ssl.SSLSocket] = None
        if context is not None:
            self._deadline.begin("handshake")
            with self._phase("handshake"):
                tls = stack.enter_context(self._wrap(connection, context, session))
                self._handshake(tls)
            connection = tls
        self._deadline.begin("response")
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
            self.seen.timed_out, self.seen.error = True, self._deadline.words
        else:
            self.seen.errno = getattr(error, "errno", None)
            self.seen.error = str(getattr(error, "strerror", None) or error)

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.seen.phase = name
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seen.seconds[name] = round(time.monotonic() - begun, 6)

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

    def _handshake(self, tls: ssl.SSLSocket) -> None:
        tls.settimeout(self._deadline.left())
        try:
            tls.do_handshake()
        except ssl.SSLError as error:
            self.seen.stray = not_tls(tls, error)
            raise
        self.seen.alpn = tls.selected_alpn_protocol() or ""
        self.seen.protocol = tls.version() or ""
        self.seen.cipher = (tls.cipher() or ("",))[0]
        self.seen.session_reused = bool(tls.session_reused)
        self.seen.served, self.seen.served_complete = served_chain(tls)

    def _exchange(self, connection: socket.socket, request: bytes) -> None:
        refused: Optional[OSError] = None
        with self._phase("request"):
            try:
                send(connection, request, self._deadline)
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
            self.seen.truncated, self.seen.stray = response.truncated, response.stray

    def _receive(self, connection: socket.socket, size: int) -> bytes:
        connection.settimeout(self._deadline.left())
        return connection.recv(size)

    def _keep_session(self, tls: ssl.SSLSocket, context: ssl.SSLContext) -> None:
        """Note the session to resume by, if there is one.

        In TLS 1.3 that takes a ticket: it follows the handshake, and is taken in while reading the answer.
        """
        kept = tls.session
        if kept is not None and (kept.has_ticket or (kept.id and self.seen.protocol != "TLSv1.3")):
            self.seen.session = Session(context, kept)
