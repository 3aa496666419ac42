# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities and leaves as files, for demo and scenarios: good ones, and those of strangers."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

DAY = datetime.timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
PEM = serialization.Encoding.PEM


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)


def private_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    encrypted = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encrypted)


class Authority:
    """A CA whose key is in memory."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @classmethod
    def read(cls, certificate: Path, key: Path) -> Authority:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), private)

    @classmethod
    def make(cls, subject: str, days: tuple[int, int] = (-1, 365)) -> Authority:
        """A self-signed root; *subject* as in RFC 4514, for example "CN=Clients,O=Shop"; *days* from now."""
        return cls._issued(subject, None, days)

    def intermediate(self, subject: str) -> Authority:
        """A CA below this one."""
        return self._issued(subject, self, (-1, 365))

    def cross_signed(self, other: Authority) -> Authority:
        """The other one once more, below this one."""
        return self._issued(other.certificate.subject.rfc4514_string(), self, (-1, 365), other.key)

    @classmethod
    def _issued(
        cls,
        subject: str,
        issuer: Authority | None,
        days: tuple[int, int],
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Authority:
        key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name.from_rfc4514_string(subject)
        builder = x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
        builder = builder.issuer_name(issuer.certificate.subject if issuer else name)
        builder = builder.serial_number(x509.random_serial_number())
        start, end = days
        builder = builder.not_valid_before(now() + start * DAY).not_valid_after(now() + end * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        if issuer:
            builder = builder.add_extension(issuer._key_identifier(), critical=False)
        return cls(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def private(self) -> bytes:
        return private_pem(self.key)

    def leaf(
        self,
        path: Path,
        subject: str,
        usage: x509.ObjectIdentifier,
        names: tuple[str, ...] = (),
        days: tuple[int, int] = (-1, 30),
        serial: int | None = None,
        passphrase: bytes = b"",
    ) -> x509.Certificate:
        """Writes *path*.pem and *path*.key (0600, PKCS#8); *days* are counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        start, end = days
        builder = x509.CertificateBuilder().subject_name(x509.Name.from_rfc4514_string(subject))
        builder = builder.issuer_name(self.certificate.subject).public_key(key.public_key())
        builder = builder.serial_number(serial or x509.random_serial_number())
        builder = builder.not_valid_before(now() + start * DAY).not_valid_after(now() + end * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(self._key_identifier(), critical=False)
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        path.with_name(path.name + ".pem").write_bytes(certificate.public_bytes(PEM))
        write_private(path.with_name(path.name + ".key"), private_pem(key, passphrase))
        return certificate

    def revocation_list(self, *revoked: x509.Certificate) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now() - DAY).next_update(now() + 30 * DAY)
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        builder = builder.add_extension(self._key_identifier(), critical=False)
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now() - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
