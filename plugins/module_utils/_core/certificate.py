# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules need to know of one certificate, as plain values, and the rules about one certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from . import names
from .asn1.general_names import GeneralName, NameConstraints
from .findings import Finding
from .names import Rdns

SERVER = "server"
CLIENT = "client"
ANY = "any"

# The bits of the Netscape certificate type, the first one first; the fourth from the last is reserved.
NETSCAPE_TYPES = (
    "sslClient",
    "sslServer",
    "smime",
    "objectSigning",
    "",
    "sslCA",
    "smimeCA",
    "objectSigningCA",
)
_NETSCAPE_CA = frozenset(["sslCA", "smimeCA", "objectSigningCA"])
_NETSCAPE_USE = {SERVER: "sslServer", CLIENT: "sslClient"}

_MAX_SERIAL = 20  # octets
_MAX_TEXT = 1000  # characters of a name in a message


@dataclass(frozen=True)
class CertificateFacts:
    """Plain values of one certificate; equal when the bytes are equal.

    *subject* and *issuer* are as written (``names.canonical`` for comparison); *basic_constraints* is None
    or (ca, path length or None); *key_usage* and *extended_key_usage* are None where the extension is
    absent; *place* is the file and line that it came from.

    *spki*, *tbs*, *signature*, *key_parameters* and *signature_parameters* are DER as written; *curve* is
    OpenSSL's name of a named curve or its OID, "explicit" for one with its parameters written out, "" for no
    EC key. *not_before_text* is right where the datetime is not: the year 0 is no datetime, so that is the
    first second of year 1. *extension_faults* are sentences: an extension that cannot be read or stands
    twice, whose value is then absent. *trusted_for* and *rejected_for* are the OIDs of a
    `TRUSTED CERTIFICATE`, None where the certificate says nothing of them.
    """

    sha256: str
    subject: Rdns = field(compare=False)
    issuer: Rdns = field(compare=False)
    serial: int = field(compare=False)
    version: int = field(compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    key_type: str = field(compare=False)
    key_bits: int = field(compare=False)
    public_key_sha256: str = field(compare=False)
    signature_type: str = field(compare=False, default="")
    signature_digest: str = field(compare=False, default="")
    basic_constraints: tuple[bool, int | None] | None = field(compare=False, default=None)
    key_usage: frozenset[str] | None = field(compare=False, default=None)
    extended_key_usage: tuple[str, ...] | None = field(compare=False, default=None)
    subject_key_id: bytes | None = field(compare=False, default=None)
    authority_key_id: bytes | None = field(compare=False, default=None)
    authority_issuer: Rdns | None = field(compare=False, default=None)
    authority_serial: int | None = field(compare=False, default=None)
    san_dns: tuple[str, ...] = field(compare=False, default=())
    san_ip: tuple[str, ...] = field(compare=False, default=())
    san_uri: tuple[str, ...] = field(compare=False, default=())
    san_email: tuple[str, ...] = field(compare=False, default=())
    unknown_critical: tuple[str, ...] = field(compare=False, default=())
    place: str = field(compare=False, default="")
    # Everything below is as written, without a word of the installed library.
    tbs: bytes = field(compare=False, default=b"", repr=False)
    signature: bytes = field(compare=False, default=b"", repr=False)
    signature_oid: str = field(compare=False, default="")
    signature_parameters: bytes = field(compare=False, default=b"", repr=False)
    inner_signature_agrees: bool = field(compare=False, default=True)
    spki: bytes = field(compare=False, default=b"", repr=False)
    key_parameters: bytes = field(compare=False, default=b"", repr=False)
    curve: str = field(compare=False, default="")
    not_before_text: str = field(compare=False, default="")
    not_after_text: str = field(compare=False, default="")
    date_faults: tuple[str, ...] = field(compare=False, default=())
    serial_octets: int = field(compare=False, default=0)
    extension_faults: tuple[str, ...] = field(compare=False, default=())
    general_names: tuple[GeneralName, ...] = field(compare=False, default=())
    name_constraints: NameConstraints | None = field(compare=False, default=None)
    netscape_types: frozenset[str] | None = field(compare=False, default=None)
    is_proxy: bool = field(compare=False, default=False)
    has_rfc3779: bool = field(compare=False, default=False)
    trusted_for: tuple[str, ...] | None = field(compare=False, default=None)
    rejected_for: tuple[str, ...] | None = field(compare=False, default=None)
    # The names in the form that OpenSSL compares (``names.key``), made once; b"" where they were not.
    subject_key: bytes = field(compare=False, default=b"", repr=False)
    issuer_key: bytes = field(compare=False, default=b"", repr=False)

    @property
    def subject_text(self) -> str:
        """For people, and as nginx prints it, but for what no name has: more than a thousand characters."""
        return _shortened(names.text(self.subject))

    @property
    def issuer_text(self) -> str:
        return _shortened(names.text(self.issuer))

    @property
    def common_name(self) -> str:
        """The first one of the subject, or ""."""
        return next(iter(names.common_names(self.subject)), "")

    @property
    def self_issued(self) -> bool:
        return subject_key(self) == issuer_key(self)

    @property
    def self_signed(self) -> bool:
        """As OpenSSL decides it, without checking the signature (EXFLAG_SS, crypto/x509/v3_purp.c)."""
        return likely_issued(self, self)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."


def subject_key(cert: CertificateFacts) -> bytes:
    """The subject in the form that OpenSSL compares, made now where the facts have it not."""
    return cert.subject_key or names.key(cert.subject)


def issuer_key(cert: CertificateFacts) -> bytes:
    """The same of the issuer."""
    return cert.issuer_key or names.key(cert.issuer)


def likely_issued(issuer: CertificateFacts, subject: CertificateFacts) -> bool:
    """OpenSSL's test for a candidate (ossl_x509_likely_issued): names, the authority key identifier where
    both have one, and the kind of key against the kind of signature. The signature itself is not checked."""
    if subject_key(issuer) != issuer_key(subject):
        return False
    if not identifies(issuer, subject.authority_key_id, subject.authority_issuer, subject.authority_serial):
        return False
    return may_sign(issuer.key_type, subject.signature_type)


def may_sign(key_type: str, signature_type: str) -> bool:
    """check_sig_alg_match; an algorithm that is not known here may be that of any key."""
    return signature_type in ("", key_type) or (key_type == "rsa" and signature_type == "rsa-pss")


def identifies(ca: CertificateFacts, key_id: bytes | None, issuer: Rdns | None, serial: int | None) -> bool:
    """Whether *ca* may be the one that an authority key identifier names (X509_check_akid): what is absent on
    either side does not disagree."""
    by_key = key_id is None or ca.subject_key_id is None or key_id == ca.subject_key_id
    by_serial = serial is None or serial == ca.serial
    return by_key and by_serial and (issuer is None or names.key(issuer) == issuer_key(ca))


def is_ca(cert: CertificateFacts) -> bool:
    """Whether OpenSSL uses it as a trust anchor that issues (check_ca, crypto/x509/v3_purp.c): CA:TRUE, a
    self-signed certificate of version 1, key usage keyCertSign without basic constraints, or one of the CA
    types of Netscape's without either."""
    if cert.key_usage is not None and "keyCertSign" not in cert.key_usage:
        return False
    if cert.basic_constraints is not None:
        return cert.basic_constraints[0]
    if cert.version == 1 and cert.self_signed:
        return True
    return cert.key_usage is not None or bool(_NETSCAPE_CA & (cert.netscape_types or frozenset()))


def is_intermediate(cert: CertificateFacts) -> bool:
    """Whether OpenSSL uses it between leaf and anchor: CA:TRUE only (check_extensions is strict there)."""
    return cert.basic_constraints is not None and is_ca(cert)


def is_leaf(cert: CertificateFacts) -> bool:
    """A peer's certificate: CA:FALSE, or no basic constraints and not self-issued."""
    if cert.basic_constraints is not None:
        return not cert.basic_constraints[0]
    return not cert.self_issued


def path_length(cert: CertificateFacts) -> int | None:
    return cert.basic_constraints[1] if cert.basic_constraints is not None else None


def serves_purpose(cert: CertificateFacts, purpose: str, as_issuer: bool = False) -> bool:
    """check_purpose_ssl_client and _server of OpenSSL: no extended key usage means any; one that is there
    must name the purpose in each certificate of the path, the CAs included; anyExtendedKeyUsage does not
    count. Whether an issuer is a CA at all is ``is_ca``."""
    wanted = {SERVER: ("serverAuth", "msSGC", "nsSGC"), CLIENT: ("clientAuth",)}.get(purpose)
    if wanted is None:
        return True
    if cert.extended_key_usage is not None and not set(wanted) & set(cert.extended_key_usage):
        return False
    if as_issuer:
        return not _is_netscape_ca_only(cert) or "sslCA" in (cert.netscape_types or ())
    if cert.netscape_types is not None and _NETSCAPE_USE[purpose] not in cert.netscape_types:
        return False
    uses = {"digitalSignature", "keyAgreement"} | ({"keyEncipherment"} if purpose == SERVER else set())
    return cert.key_usage is None or bool(uses & cert.key_usage)


def _is_netscape_ca_only(cert: CertificateFacts) -> bool:
    """Nothing but its Netscape certificate type makes it a CA (check_ssl_ca)."""
    if cert.basic_constraints is not None or cert.key_usage is not None:
        return False
    return cert.netscape_types is not None and not (cert.version == 1 and cert.self_signed)


def serial_findings(cert: CertificateFacts) -> list[Finding]:
    """RFC 5280, 4.1.2.2. OpenSSL and nginx take any number; other programs do not."""
    fault = ""
    if cert.serial <= 0:
        fault = "zero" if cert.serial == 0 else "negative"
    elif cert.serial_octets > _MAX_SERIAL:
        fault = f"{cert.serial_octets} octets long"
    if not fault:
        return []
    return [
        Finding("serial.irregular", f'The serial number of "{cert.subject_text}" is {fault}.', cert.place)
    ]
