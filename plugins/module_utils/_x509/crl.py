# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate revocation lists: from the bytes of a file to plain facts, and who signed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._core.asn1 import crl_reader
from .._core.asn1.der import DerError
from .._core.certificate import CertificateFacts
from .._core.crl import CrlFacts
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.forms import contents, pem
from . import signature


@dataclass(frozen=True)
class Crl:
    """One CRL as it stands in the file, and its facts."""

    facts: CrlFacts

    @property
    def der(self) -> bytes:
        return self.facts.der

    @property
    def pem(self) -> bytes:
        return pem.encode(pem.CRL_LABEL, self.facts.der)


def load(data: bytes, place: str) -> tuple[list[Crl], list[Finding]]:
    """All CRLs of a file in any form, and what is wrong with the file; never raises for the bytes."""
    return of_contents(contents.recognise(data), place)


def of_contents(found: contents.Contents, place: str) -> tuple[list[Crl], list[Finding]]:
    """The same of a file that is recognised."""
    findings = found.findings("crl", place)
    crls: list[Crl] = []
    for item in found.crls():
        try:
            crls.append(from_der(item.der, item.place(place)))
        except MtlsError as error:
            findings.append(Finding("format.unreadable", error.message, error.place))
    if not crls and not findings:
        findings.append(Finding("format.unreadable", "The file holds no CRL.", place))
    return crls, findings


def from_der(der: bytes, place: str = "") -> Crl:
    """Raises MtlsError when the bytes are no CRL."""
    try:
        return Crl(crl_reader.read(der, place))
    except DerError as error:
        raise MtlsError(
            f"The CRL cannot be read ({error}).",
            place,
            "Fetch the file again from its source.",
            "format.unreadable",
        ) from None


def signed_by(crl: CrlFacts, issuer: CertificateFacts) -> Optional[bool]:
    """Whether *issuer*'s key made the signature; None where the installed library cannot tell."""
    signed = signature.Signed(crl.tbs, crl.signature, crl.signature_oid, crl.signature_parameters)
    return signature.made_by(issuer, signed)
