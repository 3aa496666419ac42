# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client certificates that Server A must refuse, for the demo and for Molecule.

    foreign       its own CA      -> leaf (clientAuth)              a CA that nobody here trusts
    expired       the private CA  -> leaf (clientAuth, ended)       the right CA, too late
    server-only   the private CA  -> leaf (serverAuth)              the right CA, made for the other end

Two of them are signed by the private CA of the project under test, so its key is read from private_ca_dir.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Issuer:
    """A CA in memory."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @classmethod
    def read(cls, directory: Path) -> Issuer:
        """The newest generation of the private CA in *directory*."""
        generation = max((directory / "generations").iterdir(), key=lambda path: int(path.name))
        certificate = x509.load_pem_x509_certificate((generation / "root.pem").read_bytes())
        key = serialization.load_pem_private_key((generation / "root.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(certificate, key)

    @classmethod
    def make(cls, name: str, now: datetime.datetime) -> Issuer:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key.public_key(), now - DAY, now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def _leaf(
    directory: Path,
    name: str,
    issuer: Issuer,
    usage: x509.ObjectIdentifier,
    start: datetime.datetime,
    end: datetime.datetime,
    host: str,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = _builder(subject, issuer.certificate.subject, key.public_key(), start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    certificate = builder.add_extension(names, critical=False).sign(issuer.key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    with os.fdopen(
        os.open(directory / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
    ) as out:
        out.write(private)


def make(directory: Path, private_ca: Path) -> None:
    """Writes <name>.pem and <name>.key of each stranger to *directory*, which must not exist yet."""
    directory.mkdir(mode=0o700, parents=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    trusted, foreign = Issuer.read(private_ca), Issuer.make("Foreign CA", now)
    soon = now + 7 * DAY
    _leaf(directory, "foreign", foreign, CLIENT, now - DAY, soon, "b1.example.com")
    _leaf(directory, "expired", trusted, CLIENT, now - 9 * DAY, now - DAY, "b1.example.com")
    _leaf(directory, "server-only", trusted, SERVER, now - DAY, soon, "b1.example.com")
