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
from typing import Any, Callable, NoReturn, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tls_alert import alert_name, alert_number
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.http1 import (
    HttpError,
    Response,
    read_response,
    render_request,
)

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_TICKET_WAIT_S = 0.25
_UNIX = "unix:"

_Address = Union[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Target:
    """Whom to ask, and what. Nothing here is a secret.

    *address*: a name, an IP address, or ``unix:/path``. *server_name*: the SNI; "" and IP addresses send
    none. *http_host*: default *server_name*, else the address. *tls_version*: "", "1.2" or "1.3".
    *cafile*: verify the server's chain by it; with *verify_hostname* also *server_name* (the address,
    where that is an IP address and there is no name).
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
class Identity:
    """The client certificate (leaf first, then its chain) and its key, both PEM files."""

    certificate_path: str
    private_key_path: str
    passphrase: Optional[bytes] = field(default=None, repr=False)


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
    if the peer gave none. ``seconds``: per phase that was begun.
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
        context = session.context if session else _context(target, identity)
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
            self.seen.alert = _alert(error)
            self.seen.error = _tls_words(error, self.seen.alert)
        # socket.timeout became TimeoutError in Python 3.10; one with an errno is the kernel's own.
        elif isinstance(error, (socket.timeout, TimeoutError)) and not error.errno:
            self.seen.error = f"no end within {self._timeout_s:g} s"
        else:
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
            except UnicodeError:  # a label over 63 characters, from the idna codec
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
        self.seen.served, self.seen.served_complete = _served(tls)

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
            if refused is None or response.status or (isinstance(error, ssl.SSLError) and _alert(error)):
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

        TLS 1.3 tickets follow the handshake and are only taken in while reading, some after the answer.
        A connection that ends without close_notify makes its session useless (OpenSSL,
        ssl_clear_bad_session), so ours is sent.
        """
        with contextlib.suppress(OSError, ValueError):
            if tls.session is not None and self.seen.protocol == "TLSv1.3" and not tls.session.has_ticket:
                tls.settimeout(min(_TICKET_WAIT_S, max(self._end - time.monotonic(), 0.001)))
                tls.recv(1)
        with contextlib.suppress(OSError, ValueError):
            kept = tls.session
            tls.setblocking(False)
            if kept is not None and (kept.has_ticket or (kept.id and self.seen.protocol != "TLSv1.3")):
                self.seen.session = Session(context, kept)
            tls.unwrap()


def _check(target: Target, timeout_s: float) -> bytes:
    """Return the request to send. Raises MtlsError for a target that nobody could be asked by."""
    if timeout_s <= 0:
        raise MtlsError(f"{timeout_s:g} is not a time to wait.", "timeout_s", "Give seconds above 0.")
    if not target.address or target.address == _UNIX:
        raise MtlsError("There is nobody to ask.", "host", "Give a name, an IP address or unix:/path.")
    if not 1 <= target.port <= 65535:
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


def _context(target: Target, identity: Optional[Identity]) -> ssl.SSLContext:
    """Return a new context with Python's and the system's own minimum for protocols, keys and digests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if target.cafile:
        try:
            context.load_verify_locations(cafile=target.cafile)
        except OSError as error:
            _unusable("CA file", target.cafile, error)
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = target.verify_hostname
    if target.tls_version:
        context.minimum_version = context.maximum_version = TLS_VERSIONS[target.tls_version]
    if identity is not None:
        _load_identity(context, identity)
    return context


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    asked = []

    def passphrase() -> bytes:
        # Without a callable OpenSSL would ask on the terminal, and hang there.
        asked.append(True)
        if identity.passphrase is None:
            raise MtlsError(
                "The private key is encrypted.", identity.private_key_path, "Give its passphrase."
            )
        return identity.passphrase

    try:
        context.load_cert_chain(identity.certificate_path, identity.private_key_path, passphrase)
    except OSError as error:
        if asked:
            raise MtlsError(
                "The private key cannot be decrypted with this passphrase.", identity.private_key_path
            ) from error
        _unusable("client certificate and key", identity.certificate_path, error)
    except ValueError as error:
        raise MtlsError(
            "The passphrase is longer than OpenSSL can take.", identity.private_key_path
        ) from error


def _unusable(what: str, path: str, error: OSError) -> NoReturn:
    reason = str(error.strerror or error)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "it is not in PEM form").lower().replace("_", " ")
    raise MtlsError(f"The {what} cannot be loaded: {reason}.", path) from error


def _served(tls: ssl.SSLSocket) -> tuple[list[bytes], bool]:
    """Return the certificates that the peer sent and whether these are all of them."""
    leaf = tls.getpeercert(binary_form=True)
    if leaf is None:
        return [], False
    public = getattr(tls, "get_unverified_chain", None)  # Python 3.13: list of DER
    if public is not None:
        return [bytes(der) for der in public()] or [leaf], True
    private = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)  # 3.10 to 3.12
    chain = private() if private is not None else None
    if not chain:
        return [leaf], False
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain], True


def _tls_words(error: ssl.SSLError, alert: Optional[int]) -> str:
    if alert is not None:
        return f"the server sent TLS alert {alert} ({alert_name(alert)})"
    if isinstance(error, ssl.SSLEOFError):
        return "the connection was closed without a word of TLS"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message} ({error.verify_code})"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "the answer is not TLS"
    # "[SSL: BAD_SIGNATURE] bad signature (_ssl.c:1000)": the line is one of CPython's own source.
    return re.sub(r"\s*\(_ssl\.c:\d+\)$", "", str(error.args[-1]))


def _alert(error: ssl.SSLError) -> Optional[int]:
    number = alert_number(error.reason or "")
    return alert_number(str(error)) if number is None else number


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
