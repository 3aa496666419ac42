# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and real servers on the loopback for the tests of the probe.

root ── intermediate ── server (server.test, *.srv.test, 127.0.0.1)
  │                └── client, client.enc (the same key, encrypted with PASSPHRASE)
other ── foreign      (a CA and a client that nobody trusts)
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

PASSPHRASE = b"correct horse"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: lab\r\n\r\nok\n"

Handler = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def issue(name: str, issuer: Optional[Pair] = None, ca: bool = False, names: tuple[str, ...] = ()) -> Pair:
    """A P-256 certificate for *name*, self-signed without *issuer*, valid around now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        general: list[Any] = []
        for entry in names:
            try:
                general.append(x509.IPAddress(ipaddress.ip_address(entry)))
            except ValueError:
                general.append(x509.DNSName(entry))
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@dataclass(frozen=True)
class Pki:
    directory: Path
    server: Pair
    intermediate: Pair

    def path(self, name: str) -> str:
        return str(self.directory / name)


def make_pki(directory: Path) -> Pki:
    """Write root, other, intermediate (``.pem``), server, client, foreign (``.pem`` with chain, ``.key``) and
    client.enc."""
    root, other = issue("root", ca=True), issue("other", ca=True)
    intermediate = issue("intermediate", root, ca=True)
    server = issue("server", intermediate, names=("server.test", "*.srv.test", "127.0.0.1"))
    client, foreign = issue("client", intermediate), issue("foreign", other)

    def key(pair: Pair, encryption: Any = None) -> bytes:
        return pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())

    files = {
        "root.pem": root.pem,
        "other.pem": other.pem,
        "intermediate.pem": intermediate.pem,
        "server.pem": server.pem + intermediate.pem,
        "server.key": key(server),
        "client.pem": client.pem + intermediate.pem,
        "client.key": key(client),
        "client.enc": key(client, BestAvailableEncryption(PASSPHRASE)),
        "client.both": client.pem + intermediate.pem + key(client),
        "foreign.pem": foreign.pem,
        "foreign.key": key(foreign),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return Pki(directory, server, intermediate)


@dataclass
class Served:
    """What a server of a test saw, in order; *port* is where it listens."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    names: list[Optional[str]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    reused: list[bool] = field(default_factory=list)


@contextlib.contextmanager
def listening(handler: Handler, path: str = "", address: str = "127.0.0.1") -> Iterator[int]:
    """Serve each connection by *handler* in a thread of its own, on a free port of *address* or the unix
    socket *path*.

    Faults of the connection are the peer's business; any other fault of a handler fails the test.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(socket.AF_UNIX if path else family, socket.SOCK_STREAM)
    listener.bind(path or (address, 0))
    listener.listen(16)
    faults: list[Exception] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                handler(connection)
            except OSError:
                pass
            except Exception as fault:  # noqa: BLE001 - raised again below, in the test's own thread
                faults.append(fault)

    def accept() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield 0 if path else listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        listener.close()
        thread.join(5)
    if faults:
        raise faults[0]


def read_request(connection: socket.socket) -> bytes:
    """Read up to the empty line after the header."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        if not part:
            break
        data += part
    return data


def server_context(pki: Pki, **settings: Any) -> ssl.SSLContext:
    """A server's context; *settings* are attributes of it. Clients are verified with ``verify_mode``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.path("server.pem"), pki.path("server.key"))
    context.load_verify_locations(pki.path("root.pem"))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


@contextlib.contextmanager
def tls_server(
    context: ssl.SSLContext, answer: bytes = ANSWER, pause: Optional[Handler] = None
) -> Iterator[Served]:
    """Serve *answer* over TLS; *pause* runs between the request and the answer."""
    served = Served(0)

    def note_name(_connection: Any, name: Optional[str], _context: Any) -> None:
        served.names.append(name)

    if context.sni_callback is None:
        context.sni_callback = note_name

    def handle(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as connection:
            served.reused.append(bool(connection.session_reused))
            subject = (connection.getpeercert() or {}).get("subject", ())
            served.clients.append("".join(value for part in subject for _key, value in part))
            served.requests.append(read_request(connection))
            if pause:
                pause(connection)
            connection.sendall(answer)
            with contextlib.suppress(OSError):
                connection.unwrap()

    with listening(handle) as port:
        served.port = port
        yield served


@contextlib.contextmanager
def http_server(answer: bytes = ANSWER, path: str = "") -> Iterator[Served]:
    """Serve *answer* over plain HTTP."""
    served = Served(0)

    def handle(connection: socket.socket) -> None:
        served.requests.append(read_request(connection))
        connection.sendall(answer)

    with listening(handle, path) as port:
        served.port = port
        yield served


@contextlib.contextmanager
def s_server(pki: Pki, *options: str) -> Iterator[int]:
    """openssl's own server. Other than Python's it names its authorities (``-CAfile``), and refuses by alert
    120 where no protocol is common (``-alpn``)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", *options]
    command += ["-cert", pki.path("server.pem"), "-key", pki.path("server.key")]
    command += ["-cert_chain", pki.path("intermediate.pem")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _try in range(100):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()
