# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server that claims to be somebody else, with a self-signed certificate for that name.

    impostor.py orders.example.com --report /run/impostor.jsonl

Notes one JSON line per connection: {"handshake": true, "application_bytes": 0, "error": ""}. The handshake
may well end (the client judges the certificate after it); what counts is that no application byte follows.
Needs python3-cryptography.
"""

from __future__ import annotations

import argparse
import datetime
import json
import socket
import ssl
import tempfile
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

IDLE_S = 5


def self_signed(name: str) -> bytes:
    """Returns PEM: a private key and a certificate for `name`, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def context_for(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(self_signed(name))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


def serve(connection: socket.socket, context: ssl.SSLContext, report: Path) -> None:
    seen = {"handshake": False, "application_bytes": 0, "error": ""}
    connection.settimeout(IDLE_S)
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            seen["handshake"] = True
            while data := tls.recv(65536):
                seen["application_bytes"] += len(data)
    except OSError as error:
        seen["error"] = str(error)
    with report.open("a", encoding="utf-8") as out:
        print(json.dumps(seen), file=out, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--address", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    context = context_for(given.name)
    with socket.create_server((given.address, given.port)) as listener:
        given.report.touch()
        while True:
            connection, _peer = listener.accept()
            threading.Thread(target=serve, args=(connection, context, given.report), daemon=True).start()


if __name__ == "__main__":
    main()
