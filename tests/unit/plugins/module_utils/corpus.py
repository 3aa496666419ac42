# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sound object of each kind that a person may hand to us: what tests mutate, convert and mix.

(root) ──> int ──> leaf      with a CRL of root and one of int; made once per process
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import DAY, Issued

PASSPHRASE = "open sesame"
SIGNED_DATA, DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"

ROOT = builders.root()
INTERMEDIATE = builders.intermediate(ROOT)
LEAF = builders.client(INTERMEDIATE)
# Of another CA, with keys of other kinds; its names are in no file but its own.
STRANGER = builders.root("CN=Stranger,O=Elsewhere", key=ed25519.Ed25519PrivateKey.generate())
RSA_LEAF = builders.server(STRANGER, key=builders.slow_key("rsa2048"))


@dataclass(frozen=True)
class Seed:
    """*label* is that of its PEM block, "" for what has none; *text* where the armour has headers."""

    name: str
    der: bytes
    label: str
    text: bytes = b""

    @property
    def pem(self) -> bytes:
        return self.text or (raw.pem(self.der, self.label) if self.label else self.der)


def crl_der(issuer: Issued, *revoked: Issued) -> bytes:
    return builders.revoke(issuer, *revoked).public_bytes(serialization.Encoding.DER)


def pkcs7(*certificates: bytes, crls: tuple[bytes, ...] = ()) -> bytes:
    """SignedData without any signer (RFC 2315, 9.1), the usual bag of certificates; all DER."""
    bag = raw.seq(
        raw.integer(1),
        raw.set_of(),
        raw.seq(raw.oid(DATA)),
        raw.context(0, *certificates),
        raw.context(1, *crls) if crls else b"",
        raw.set_of(),
    )
    return raw.seq(raw.oid(SIGNED_DATA), raw.context(0, bag))


def everything() -> bytes:
    """DER of a self-signed certificate with each extension and kind of name that we read."""
    key = builders.new_key()
    directory = raw.name(
        raw.attribute("2.5.4.10", raw.bmp("Käse")), raw.attribute("2.5.4.6", raw.printable("DE"))
    )
    subject = raw.name(
        raw.attribute("2.5.4.10", raw.t61("caf\xe9")),
        (raw.attribute("2.5.4.11", raw.universal("x")), raw.attribute("1.2.3.4", raw.visible("y"))),
        raw.attribute(raw.COMMON_NAME, raw.utf8("every.example.com")),
    )
    names = (
        raw.dns_name("every.example.com"),
        raw.email_name("a@example.com"),
        raw.uri_name("https://every.example.com/x"),
        raw.ip_name(bytes([192, 0, 2, 1])),
        raw.directory_name(directory),
        raw.other_name("1.3.6.1.4.1.311.20.2.3", raw.utf8("upn")),
        raw.rid_name("1.2.3.4"),
    )
    constraints = [raw.subtree(raw.dns_name("example.com")), raw.subtree(raw.directory_name(directory), 0, 3)]
    return raw.certificate(
        subject,
        key=key,
        serial=-5,
        not_after=raw.generalized_time("20500101000000Z"),
        extensions=[
            raw.basic_constraints(True, 3),
            raw.key_usage(0x86, 1),
            raw.extended_key_usage("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"),
            raw.alternative_names(*names),
            raw.name_constraints(constraints, [raw.subtree(raw.ip_name(bytes(8)))]),
            raw.subject_key_id(b"12345678901234567890"),
            raw.authority_key_id(b"12345678901234567890", subject, -5),
            raw.extension("2.16.840.1.113730.1.1", raw.bit_string(b"\xc7")),
            raw.extension("1.2.3.4.5", b"whatever"),
        ],
    )


def _crl_of_everything() -> bytes:
    entries = [
        raw.revoked(1),
        raw.revoked(2, extensions=[raw.reason(8)]),
        raw.revoked(
            3,
            extensions=[
                raw.reason(1),
                raw.extension(raw.INVALIDITY_DATE, raw.generalized_time("20260101000000Z")),
            ],
        ),
        raw.revoked(
            4,
            extensions=[
                raw.extension(raw.CERTIFICATE_ISSUER, raw.seq(raw.directory_name(raw.common_name("x"))), True)
            ],
        ),
    ]
    extensions = [
        raw.crl_number(7),
        raw.authority_key_id(b"1234"),
        raw.extension(raw.DELTA_CRL_INDICATOR, raw.integer(3), True),
        raw.extension(
            raw.ISSUING_DISTRIBUTION_POINT, raw.seq(raw.context(4, b"\xff", constructed=False)), True
        ),
    ]
    return raw.crl("Root", ROOT.key, entries, extensions=extensions)


def _private(key, form: str, encoding: str = "DER", secret: str = "") -> bytes:
    protection = (
        serialization.BestAvailableEncryption(secret.encode()) if secret else serialization.NoEncryption()
    )
    return key.private_bytes(
        getattr(serialization.Encoding, encoding), getattr(serialization.PrivateFormat, form), protection
    )


def _keys() -> list[Seed]:
    curve, rsa_key = LEAF.key, RSA_LEAF.key
    public = serialization.PublicFormat
    return [
        Seed("PKCS#8 of EC", _private(curve, "PKCS8"), "PRIVATE KEY"),
        Seed("PKCS#8 of RSA", _private(rsa_key, "PKCS8"), "PRIVATE KEY"),
        Seed("PKCS#8 of Ed25519", _private(STRANGER.key, "PKCS8"), "PRIVATE KEY"),
        Seed("SEC1", _private(curve, "TraditionalOpenSSL"), "EC PRIVATE KEY"),
        Seed("PKCS#1", _private(rsa_key, "TraditionalOpenSSL"), "RSA PRIVATE KEY"),
        Seed("PKCS#8 encrypted", _private(curve, "PKCS8", secret=PASSPHRASE), "ENCRYPTED PRIVATE KEY"),
        Seed(
            "SEC1 encrypted",
            _private(curve, "TraditionalOpenSSL"),
            "EC PRIVATE KEY",
            _private(curve, "TraditionalOpenSSL", "PEM", PASSPHRASE),
        ),
        Seed(
            "public key",
            curve.public_key().public_bytes(serialization.Encoding.DER, public.SubjectPublicKeyInfo),
            "PUBLIC KEY",
        ),
        Seed("parameters", raw.oid("1.2.840.10045.3.1.7"), "EC PARAMETERS"),
    ]


def _request() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(builders.name("CN=b1.example.com"))
    return builder.sign(LEAF.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _pkcs12(secret: str) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(secret.encode()) if secret else serialization.NoEncryption()
    )
    return pkcs12.serialize_key_and_certificates(
        b"b1", LEAF.key, LEAF.certificate, [INTERMEDIATE.certificate, ROOT.certificate], protection
    )


@cache
def seeds() -> tuple[Seed, ...]:
    """All of them; the first are the credential that verifies: leaf, int, root."""
    return (
        Seed("leaf", LEAF.der, "CERTIFICATE"),
        Seed("intermediate", INTERMEDIATE.der, "CERTIFICATE"),
        Seed("root", ROOT.der, "CERTIFICATE"),
        Seed("leaf of RSA", RSA_LEAF.der, "CERTIFICATE"),
        Seed("stranger of Ed25519", STRANGER.der, "X509 CERTIFICATE"),
        Seed("every extension", everything(), "CERTIFICATE"),
        Seed(
            "trusted certificate",
            LEAF.der + raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.3.1"))),
            "TRUSTED CERTIFICATE",
        ),
        Seed("CRL of root", crl_der(ROOT), "X509 CRL"),
        Seed("CRL of int", crl_der(INTERMEDIATE, LEAF), "X509 CRL"),
        Seed("CRL with everything", _crl_of_everything(), "X509 CRL"),
        *_keys(),
        Seed("request", _request(), "CERTIFICATE REQUEST"),
        Seed("PKCS#7", pkcs7(LEAF.der, INTERMEDIATE.der, crls=(crl_der(ROOT),)), "PKCS7"),
        Seed("PKCS#12", _pkcs12(PASSPHRASE), ""),
        Seed("PKCS#12 without passphrase", _pkcs12(""), ""),
        Seed("openssh key", b"openssh-key-v1\x00" + bytes(60), "OPENSSH PRIVATE KEY"),
    )


def private_octets() -> tuple[bytes, ...]:
    """Bytes that no message and no bundle may hold, as hexadecimal, decimal and raw would show them."""
    keys = [key for key in (LEAF.key, ROOT.key) if isinstance(key, ec.EllipticCurvePrivateKey)]
    numbers = [key.private_numbers().private_value for key in keys]
    return tuple(
        form for number in numbers for form in (b"%x" % number, b"%d" % number, number.to_bytes(32, "big"))
    )


def good() -> dict[str, object]:
    """A spec for ``credential.examine`` that verifies and has no finding, CRLs included."""
    return {
        "name": "good",
        "certificate": LEAF.pem + INTERMEDIATE.pem,
        "private_key": LEAF.key_pem,
        "trust": ROOT.pem,
        "crl": raw.pem(crl_der(ROOT), "X509 CRL") + raw.pem(crl_der(INTERMEDIATE), "X509 CRL"),
        "purpose": "client",
        "hostnames": ["b1.example.com"],
        "min_days": 0,
    }


# A moment at which `good` is good.
AT = builders.AT + DAY
