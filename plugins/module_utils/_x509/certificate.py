# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: from bytes to plain facts, and the one question that needs a key (who signed it).

The facts come from the reader in ``_core``, the same with every version of the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union

from .._core import certificate as rules
from .._core import expiry
from .._core.asn1 import certificate_reader
from .._core.asn1.der import DerError
from .._core.certificate import CertificateFacts
from .._core.errors import MtlsError
from .._core.findings import CATALOGUE, ERROR, Finding
from .._core.forms import contents, pem
from .._core.forms.contents import Contents
from . import signature


@dataclass(frozen=True)
class Certificate:
    """One certificate: its bytes as OpenSSL would write them, and its facts."""

    der: bytes
    facts: CertificateFacts

    @property
    def pem(self) -> bytes:
        return pem.encode("CERTIFICATE", self.der)


@dataclass(frozen=True)
class CertificateFile:
    """*certificates* in the order of the file; *unseen*: those that OpenSSL takes for a part of the block
    before, so that nginx never gets them. *findings*: of its form, for its slot, and of what cannot be read
    in it."""

    contents: Contents
    certificates: tuple[Certificate, ...]
    unseen: tuple[Certificate, ...]
    findings: tuple[Finding, ...]

    def private_keys(self, place: str) -> list[Finding]:
        """A finding for each private key, of whatever form, encrypted, damaged or neither."""
        return [
            Finding(
                "bundle.private_key",
                "A private key stands in the trust bundle.",
                f"{place}:{line}" if line else place,
            )
            for line in self.contents.private_key_lines()
        ]


def load(slot: str, data: bytes, place: str) -> CertificateFile:
    """All certificates of a file, whatever its form; *slot* is one of ``contents.SLOTS``.

    Never raises for what the bytes are: a certificate that cannot be read is a finding and left out.
    """
    found = contents.recognise(data)
    certificates: dict[bool, list[Certificate]] = {True: [], False: []}
    findings = found.findings(slot, place)
    for item in found.certificates():
        try:
            certificates[item.seen].append(from_der(item.der, item.place(place), item.aux))
        except MtlsError as error:
            findings.append(Finding("format.unreadable", error.message, error.place))
    if not certificates[True] and not findings:
        findings = [Finding("format.unreadable", "The file holds no certificate.", place)]
    return CertificateFile(found, tuple(certificates[True]), tuple(certificates[False]), tuple(findings))


# Forms that nginx does not read, and that hold whole certificates all the same.
_WHOLE = frozenset(["format.der", "format.pkcs7"])


def split(data: bytes, place: str = "certificate") -> list[Certificate]:
    """The certificates of *data* in order; raises MtlsError when one cannot be read or none is there."""
    file = load("certificate", data, place)
    certificates = list(file.certificates)
    for finding in file.findings:
        if finding.severity == ERROR and (finding.code not in _WHOLE or not certificates):
            raise MtlsError(finding.message, finding.place, finding.remedy, finding.code)
    if not certificates:
        code = "format.unreadable"
        raise MtlsError("The file holds no certificate.", place, CATALOGUE[code].remedy, code)
    return certificates


def from_der(der: bytes, place: str = "", aux: bytes = b"") -> Certificate:
    """The certificate that begins *der*; *aux* is what follows it in a `TRUSTED CERTIFICATE`. Raises
    MtlsError when the bytes are no certificate for OpenSSL."""
    try:
        facts, written = certificate_reader.read(der, place, aux)
    except DerError as error:
        raise MtlsError(
            f"The certificate cannot be read ({error}).",
            place,
            "Fetch the file again from its source.",
            "format.unreadable",
        ) from None
    return Certificate(written, facts)


def signed_by(subject: Certificate, issuer: Certificate) -> bool | None:
    """Whether *issuer*'s key made *subject*'s signature; None where the library cannot tell."""
    return signature.made_by(issuer.facts, signature.of(subject.facts))


def describe(source: Source, at: datetime | None = None, form: str = "pem") -> dict[str, Any]:
    """The `certificate` element of credential_info: plain values only; `days_left` is None without *at*, it
    and a date are None where the date cannot be read."""
    facts = first(source).facts
    return {
        "subject": facts.subject_text,
        "issuer": facts.issuer_text,
        "serial": serial_text(facts.serial),
        "not_before": facts.not_before_text or None,
        "not_after": facts.not_after_text or None,
        "days_left": None if at is None else expiry.days_left_until(facts.not_after_text, at),
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


def sha256_hex(source: Source) -> str:
    return first(source).facts.sha256


def serial_text(serial: int) -> str:
    """Upper-case with whole bytes, as nginx's $ssl_client_serial (i2a_ASN1_INTEGER)."""
    digits = f"{abs(serial):X}"
    return ("-" if serial < 0 else "") + ("0" if len(digits) % 2 else "") + digits
