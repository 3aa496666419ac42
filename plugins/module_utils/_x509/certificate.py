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


def load(data: bytes, place: str, slot: str = "certificate") -> tuple[list[Certificate], list[Finding]]:
    """All certificates of a file, whatever its form, and what is wrong with it in that *slot*.

    Never raises for what the bytes are. What cannot be read is a finding and is left out, and so is a block
    that OpenSSL takes for a part of the one before.
    """
    found = contents.recognise(data)
    certificates, _unseen, unreadable = of_contents(found, place)
    findings = [*found.findings(slot, place), *unreadable]
    if not certificates and not findings:
        findings = [Finding("format.unreadable", "The file holds no certificate.", place)]
    return certificates, findings


def of_contents(found: Contents, place: str) -> tuple[list[Certificate], list[Certificate], list[Finding]]:
    """The certificates of a file that is recognised already: those that OpenSSL sees, those that it takes for
    a part of the block before, and a finding for each that cannot be read."""
    certificates: dict[bool, list[Certificate]] = {True: [], False: []}
    findings: list[Finding] = []
    for item in found.certificates():
        try:
            certificates[item.seen].append(from_der(item.der, item.place(place), item.aux))
        except MtlsError as error:
            findings.append(Finding("format.unreadable", error.message, error.place))
    return certificates[True], certificates[False], findings


# Forms that nginx does not read, and that hold whole certificates all the same.
_WHOLE = frozenset(["format.der", "format.pkcs7"])


def split(data: bytes, place: str = "certificate") -> list[Certificate]:
    """The certificates of *data* in order; raises MtlsError when one cannot be read or none is there."""
    certificates, findings = load(data, place)
    for finding in findings:
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
