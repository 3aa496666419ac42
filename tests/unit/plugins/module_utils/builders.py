# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, made when they are needed. Each builder's docstring draws what it makes:

root ──> int ──> leaf      an arrow is a signature
[leaf]                     sent by the peer
(root)                     in the trust bundle
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AT = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
_USES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "mail": ExtendedKeyUsageOID.EMAIL_PROTECTION,
}
_ENCODING = serialization.Encoding


def new_key(kind: str = "p256"):
    """A key of its own at each call: p256, p384, rsa1024, rsa2048 or ed25519."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key(ec.SECP256R1() if kind == "p256" else ec.SECP384R1())


@cache
def slow_key(kind: str):
    """One key per kind for the whole run, where its making takes long and any key will do."""
    return new_key(kind)


def key_pem(key, passphrase: bytes = b"", form: str = "PKCS8") -> bytes:
    """PEM of a key; *form*: PKCS8 or TraditionalOpenSSL."""
    protection = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(_ENCODING.PEM, getattr(serialization.PrivateFormat, form), protection)


@dataclass(frozen=True)
class Issued:
    """One certificate with its key."""

    certificate: x509.Certificate
    key: object

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_ENCODING.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(_ENCODING.DER)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


def name(text: str) -> x509.Name:
    """`CN=a,O=b`, first RDN last as in RFC 4514; "" is the empty name."""
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}
    parts = [part.split("=", 1) for part in text.split(",") if part]
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in reversed(parts)])


def issue(
    subject: str,
    issuer: Issued | None = None,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    uses: tuple[str, ...] | None = None,
    key_usage: str | None = "",
    names: tuple[str, ...] = (),
    start: datetime = AT - 30 * DAY,
    end: datetime = AT + 60 * DAY,
    key=None,
    identifiers: bool = True,
    critical_oid: str = "",
    serial: int | None = None,
) -> Issued:
    """issuer ──> subject, or self-signed without *issuer*.

    *ca* None leaves basic constraints out; *key_usage* "" is the usual one, None leaves it out, else
    `sign`, `cert` or `encipher`.
    """
    key = key or new_key()
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer.certificate.subject if issuer else name(subject))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if key_usage is not None:
        usage = key_usage or ("cert" if ca else "sign")
        flags = [usage == "sign", False, usage == "encipher", False, False, usage == "cert", usage == "cert"]
        builder = builder.add_extension(x509.KeyUsage(*flags, False, False), critical=True)
    if uses is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([_USES[use] for use in uses]), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(entry) for entry in names]), False
        )
    if identifiers:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(own, False).add_extension(authority, False)
    if critical_oid:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(critical_oid), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, digest), key)


def _general_name(entry: str):
    try:
        return x509.IPAddress(ipaddress.ip_address(entry))
    except ValueError:
        return x509.DNSName(entry)


def revoke(
    issuer: Issued,
    *revoked: Issued,
    start: datetime = AT - DAY,
    end: datetime = AT + 7 * DAY,
    identifier: bool = True,
    signer: Issued | None = None,
) -> x509.CertificateRevocationList:
    """issuer ──> CRL of *revoked*; with *signer* it is another key that signs in the issuer's name"""
    key = (signer or issuer).key
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(start)
        .next_update(end)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    if identifier:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(authority, critical=False)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(start).build())
    return builder.sign(key, hashes.SHA256())


def root(subject: str = "CN=Root", **more) -> Issued:
    """(root), for ten years."""
    return issue(subject, **{"ca": True, "start": AT - 3000 * DAY, "end": AT + 650 * DAY, **more})


def intermediate(issuer: Issued, subject: str = "CN=Issuing", **more) -> Issued:
    """issuer ──> int"""
    return issue(subject, issuer, **{"ca": True, "start": AT - 1000 * DAY, "end": AT + 600 * DAY, **more})


def client(issuer: Issued | None, subject: str = "CN=b1.example.com", **more) -> Issued:
    """issuer ──> leaf for clientAuth, 90 days of which 60 are left"""
    return issue(subject, issuer, **{"uses": ("client",), "names": ("b1.example.com",), **more})


def server(issuer: Issued | None, subject: str = "CN=orders.example.com", **more) -> Issued:
    """issuer ──> leaf for serverAuth, 90 days of which 60 are left"""
    return issue(subject, issuer, **{"uses": ("server",), "names": ("orders.example.com",), **more})
