# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: from bytes to plain facts, and the one question that needs a key (who signed it)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Union

from .._core import certificate as rules
from .._core import expiry, pem
from .._core.certificate import CertificateFacts
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.names import Rdns
from . import _deps

_EXTENDED_USES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.4.1.311.10.3.3": "msSGC",
    "2.16.840.1.113730.4.1": "nsSGC",
}
_KEY_USES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "nonRepudiation"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)
# X509_supported_extension (crypto/x509/v3_purp.c): a critical one beyond these refuses the certificate.
_KNOWN_TO_OPENSSL = frozenset(
    [
        "2.16.840.1.113730.1.1",
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.19",
        "2.5.29.32",
        "2.5.29.31",
        "2.5.29.37",
        "2.5.29.36",
        "2.5.29.30",
        "2.5.29.33",
        "2.5.29.54",
        "2.5.29.35",
        "2.5.29.14",
        "1.3.6.1.5.5.7.1.7",
        "1.3.6.1.5.5.7.1.8",
        "1.3.6.1.5.5.7.48.1.5",
        "1.3.6.1.5.5.7.1.14",
    ]
)


@dataclass(frozen=True)
class Certificate:
    """One certificate: its bytes, its facts, and the library's public key (None when it is of no kind that
    the library knows)."""

    der: bytes
    facts: CertificateFacts
    parsed: Any
    public_key: Any

    @property
    def pem(self) -> bytes:
        return pem.encode("CERTIFICATE", self.der)


def load(data: bytes, place: str) -> tuple[list[Certificate], list[Finding]]:
    """All certificates of a PEM file, or the one of a DER file, and what is wrong with the file.

    Never raises for what the bytes are. A block that cannot be read is a finding and is left out.
    """
    if pem.looks_like_der(data):
        try:
            cert = from_der(data, place)
        except MtlsError as error:
            return [], [Finding("format.unreadable", error.message, place)]
        return [cert], [Finding("format.der", "The certificate is DER, nginx reads PEM only.", place)]
    document = pem.parse(data)
    findings = document.findings(place)
    certificates: list[Certificate] = []
    for block in document.certificates():
        try:
            certificates.append(from_der(block.der, f"{place}:{block.line}"))
        except MtlsError as error:
            findings.append(Finding("format.unreadable", error.message, error.place))
    if not certificates and not findings:
        said = "The file is empty." if not data.strip() else "The file holds no certificate."
        findings.append(Finding("format.unreadable", said, place))
    return certificates, findings


def split(data: bytes, place: str = "certificate") -> list[Certificate]:
    """The certificates of *data* in order; raises MtlsError when one cannot be read or none is there."""
    certificates, findings = load(data, place)
    for finding in findings:
        if finding.severity == "error" and finding.code != "format.der":
            raise MtlsError(finding.message, finding.place, finding.remedy, finding.code)
    return certificates


def from_der(der: bytes, place: str = "") -> Certificate:
    """Raises MtlsError when the bytes are no certificate."""
    try:
        with _deps.untrusted():
            parsed = _deps.x509.load_der_x509_certificate(der)
            public_key = _public_key(parsed)
            facts = _facts(der, parsed, public_key, place)
    except _deps.UnreadableError as error:
        raise MtlsError(
            f"The certificate cannot be read ({error}).",
            place,
            "Fetch the file again from its source.",
            "format.unreadable",
        ) from None
    return Certificate(der, facts, parsed, public_key)


def _public_key(parsed: Any) -> Any:
    try:
        return parsed.public_key()
    except (ValueError, _deps.UnsupportedAlgorithm):
        return None  # an unknown curve or algorithm: still a certificate


def spki_sha256(public_key: Any) -> str:
    """The key's fingerprint: SHA-256 of its SubjectPublicKeyInfo, EC points always uncompressed (the library
    writes them so, however the certificate had them), so equal keys are equal texts."""
    spki = public_key.public_bytes(
        _deps.serialization.Encoding.DER, _deps.serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).hexdigest()


def key_kind(key: Any) -> tuple[str, int]:
    """(rsa|ec|ed25519|ed448|dsa|unknown, bits) of a public or private key."""
    if isinstance(key, (_deps.rsa.RSAPublicKey, _deps.rsa.RSAPrivateKey)):
        return "rsa", key.key_size
    if isinstance(key, (_deps.ec.EllipticCurvePublicKey, _deps.ec.EllipticCurvePrivateKey)):
        return "ec", key.curve.key_size
    if isinstance(key, (_deps.ed25519.Ed25519PublicKey, _deps.ed25519.Ed25519PrivateKey)):
        return "ed25519", 256
    if isinstance(key, (_deps.ed448.Ed448PublicKey, _deps.ed448.Ed448PrivateKey)):
        return "ed448", 456
    if isinstance(key, (_deps.dsa.DSAPublicKey, _deps.dsa.DSAPrivateKey)):
        return "dsa", key.key_size
    return "unknown", 0


def _facts(der: bytes, parsed: Any, public_key: Any, place: str) -> CertificateFacts:
    kind, bits = key_kind(public_key)
    signature_type, digest = _signature(parsed)
    facts = CertificateFacts(
        sha256=hashlib.sha256(der).hexdigest(),
        subject=rdns(parsed.subject),
        issuer=rdns(parsed.issuer),
        serial=parsed.serial_number,
        version=parsed.version.value + 1,
        not_before=_moment(parsed, "not_valid_before"),
        not_after=_moment(parsed, "not_valid_after"),
        key_type=kind,
        key_bits=bits,
        public_key_sha256=spki_sha256(public_key) if public_key is not None else "",
        signature_type=signature_type,
        signature_digest=digest,
        place=place,
    )
    return replace(facts, **extension_values(parsed))


def _moment(parsed: Any, attribute: str) -> datetime:
    # naive before cryptography 42, and the naive form is deprecated since
    aware: datetime | None = getattr(parsed, attribute + "_utc", None)
    if aware is not None:
        return aware
    naive: datetime = getattr(parsed, attribute)
    return naive.replace(tzinfo=timezone.utc)


def rdns(name: Any) -> Rdns:
    return tuple(
        tuple((attribute.oid.dotted_string, _text(attribute.value)) for attribute in rdn) for rdn in name.rdns
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else "#" + value.hex()


def _signature(parsed: Any) -> tuple[str, str]:
    """(kind of the signing key, digest); "" for what the library does not know."""
    oid = parsed.signature_algorithm_oid.dotted_string
    if oid.startswith("1.2.840.113549.1.1."):
        kind = "rsa"
    elif oid.startswith("1.2.840.10045.4."):
        kind = "ec"
    else:
        kind = {"1.3.101.112": "ed25519", "1.3.101.113": "ed448"}.get(oid, "")
        if oid.startswith(("1.2.840.10040.4.", "2.16.840.1.101.3.4.3.")):
            kind = "dsa"
    try:
        algorithm = parsed.signature_hash_algorithm
    except _deps.UnsupportedAlgorithm:
        return kind, {"1.2.840.113549.1.1.2": "md2", "1.2.840.113549.1.1.4": "md5"}.get(oid, "")
    return kind, algorithm.name if algorithm is not None else ""


def extension_values(parsed: Any) -> dict[str, Any]:
    x509 = _deps.x509
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for extension in parsed.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            values["basic_constraints"] = (value.ca, value.path_length)
        elif isinstance(value, x509.KeyUsage):
            values["key_usage"] = _key_usage(value)
        elif isinstance(value, x509.ExtendedKeyUsage):
            values["extended_key_usage"] = tuple(
                _EXTENDED_USES.get(oid.dotted_string, oid.dotted_string) for oid in value
            )
        elif isinstance(value, x509.SubjectKeyIdentifier):
            values["subject_key_id"] = value.digest
        elif isinstance(value, x509.AuthorityKeyIdentifier):
            values.update(_authority(value))
        elif isinstance(value, x509.SubjectAlternativeName):
            values.update(_alternative_names(value))
        if extension.critical and extension.oid.dotted_string not in _KNOWN_TO_OPENSSL:
            unknown.append(extension.oid.dotted_string)
    values["unknown_critical"] = tuple(unknown)
    return values


def _key_usage(value: Any) -> frozenset[str]:
    uses = {name for attribute, name in _KEY_USES if getattr(value, attribute)}
    if value.key_agreement:  # the library forbids asking otherwise
        uses |= {
            name
            for name, given in (("encipherOnly", value.encipher_only), ("decipherOnly", value.decipher_only))
            if given
        }
    return frozenset(uses)


def _authority(value: Any) -> dict[str, Any]:
    issuer: Rdns | None = None
    for general in value.authority_cert_issuer or []:
        if isinstance(general, _deps.x509.DirectoryName):
            issuer = rdns(general.value)
            break
    return {
        "authority_key_id": value.key_identifier,
        "authority_issuer": issuer,
        "authority_serial": value.authority_cert_serial_number,
    }


def _alternative_names(value: Any) -> dict[str, Any]:
    x509 = _deps.x509
    return {
        "san_dns": tuple(value.get_values_for_type(x509.DNSName)),
        "san_ip": tuple(str(address) for address in value.get_values_for_type(x509.IPAddress)),
        "san_uri": tuple(value.get_values_for_type(x509.UniformResourceIdentifier)),
        "san_email": tuple(value.get_values_for_type(x509.RFC822Name)),
    }


def signed_by(subject: Certificate, issuer: Certificate) -> bool:
    """Whether *issuer*'s key made *subject*'s signature; False for algorithms that the library lacks."""
    try:
        with _deps.untrusted():
            return _signed(issuer.public_key, subject.parsed)
    except _deps.UnreadableError:  # InvalidSignature among others
        return False


def _signed(key: Any, cert: Any) -> bool:
    if isinstance(key, _deps.rsa.RSAPublicKey):
        return _rsa_signed(key, cert)
    if isinstance(key, _deps.ec.EllipticCurvePublicKey):
        digest = _deps.ec.ECDSA(cert.signature_hash_algorithm)
        key.verify(cert.signature, cert.tbs_certificate_bytes, digest)
    elif isinstance(key, _deps.dsa.DSAPublicKey):
        key.verify(cert.signature, cert.tbs_certificate_bytes, cert.signature_hash_algorithm)
    elif isinstance(key, (_deps.ed25519.Ed25519PublicKey, _deps.ed448.Ed448PublicKey)):
        key.verify(cert.signature, cert.tbs_certificate_bytes)
    else:
        return False
    return True


_RSASSA_PSS = "1.2.840.113549.1.1.10"


def _rsa_signed(key: Any, cert: Any) -> bool:
    padding, hashes = _deps.padding, _deps.hashes
    if cert.signature_algorithm_oid.dotted_string != _RSASSA_PSS:
        key.verify(
            cert.signature, cert.tbs_certificate_bytes, padding.PKCS1v15(), cert.signature_hash_algorithm
        )
        return True
    # The library tells the parameters of PSS only since version 41; RFC 4055, 3.1 advises a salt as long as
    # the digest, which is what CAs do.
    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        try:
            key.verify(cert.signature, cert.tbs_certificate_bytes, pss, digest)
            return True
        except _deps.InvalidSignature:
            continue
    return False


def describe(source: Source, at: datetime | None = None, form: str = "pem") -> dict[str, Any]:
    """The `certificate` element of credential_info: plain values only; `days_left` is None without *at*."""
    cert = first(source)
    facts = cert.facts
    return {
        "subject": facts.subject_text,
        "issuer": facts.issuer_text,
        "serial": serial_hex(cert),
        "not_before": expiry.rfc3339(facts.not_before),
        "not_after": expiry.rfc3339(facts.not_after),
        "days_left": None if at is None else expiry.days_left(facts.not_after, at),
        "san": {
            "dns": list(facts.san_dns),
            "ip": list(facts.san_ip),
            "uri": list(facts.san_uri),
            "email": list(facts.san_email),
        },
        "is_ca": rules.is_ca(facts),
        "key_usage": sorted(facts.key_usage or ()),
        "extended_key_usage": list(facts.extended_key_usage or ()),
        "sha256": facts.sha256,
        "format": form,
    }


Source = Union[Certificate, bytes]


def first(source: Source) -> Certificate:
    """The first certificate of PEM or DER bytes, as nginx loads it; raises MtlsError when there is none."""
    return source if isinstance(source, Certificate) else split(source)[0]


def sha1_hex(source: Source) -> str:
    """Lower-case, as nginx's $ssl_client_fingerprint."""
    return hashlib.sha1(first(source).der).hexdigest()


def sha256_hex(source: Source) -> str:
    return first(source).facts.sha256


def serial_hex(source: Source) -> str:
    """Upper-case with whole bytes, as nginx's $ssl_client_serial (i2a_ASN1_INTEGER)."""
    return serial_text(first(source).facts.serial)


def serial_text(serial: int) -> str:
    """``serial_hex`` of the number."""
    digits = f"{abs(serial):X}"
    return ("-" if serial < 0 else "") + ("0" if len(digits) % 2 else "") + digits
