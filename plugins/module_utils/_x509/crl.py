# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate revocation lists: from bytes to plain facts, and who signed them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from .._core import pem
from .._core.crl import CrlFacts
from .._core.errors import MtlsError
from .._core.findings import Finding
from . import _deps
from .certificate import Certificate, rdns


@dataclass(frozen=True)
class Crl:
    """One CRL with its facts; *parsed* is the library's object."""

    der: bytes
    facts: CrlFacts
    parsed: Any

    @property
    def pem(self) -> bytes:
        return pem.encode(pem.CRL_LABEL, self.der)


def load(data: bytes, place: str) -> tuple[list[Crl], list[Finding]]:
    """All CRLs of a PEM file, or the one of a DER file, and what is wrong with the file; never raises."""
    if pem.looks_like_der(data):
        try:
            crl = from_der(data, place)
        except MtlsError as error:
            return [], [Finding("format.unreadable", error.message, place)]
        return [crl], [Finding("format.der", "The CRL is DER, nginx reads PEM only.", place)]
    document = pem.parse(data)
    findings = document.findings(place)
    crls: list[Crl] = []
    for block in document.blocks:
        if block.label == pem.CRL_LABEL:
            try:
                crls.append(from_der(block.der, f"{place}:{block.line}"))
            except MtlsError as error:
                findings.append(Finding("format.unreadable", error.message, error.place))
    if not crls and not findings:
        said = "The file is empty." if not data.strip() else "The file holds no CRL."
        findings.append(Finding("format.unreadable", said, place))
    return crls, findings


def from_der(der: bytes, place: str = "") -> Crl:
    """Raises MtlsError when the bytes are no CRL."""
    try:
        with _deps.untrusted():
            parsed = _deps.x509.load_der_x509_crl(der)
            facts = CrlFacts(
                sha256=hashlib.sha256(der).hexdigest(),
                issuer=rdns(parsed.issuer),
                last_update=_moment(parsed, "last_update") or datetime.min.replace(tzinfo=timezone.utc),
                next_update=_moment(parsed, "next_update"),
                authority_key_id=_authority_key_id(parsed),
                revoked=frozenset(entry.serial_number for entry in parsed),
                place=place,
            )
    except _deps.UnreadableError as error:
        raise MtlsError(
            f"The CRL cannot be read ({error}).",
            place,
            "Fetch the file again from its source.",
            "format.unreadable",
        ) from None
    return Crl(der, facts, parsed)


def _moment(parsed: Any, attribute: str) -> Optional[datetime]:
    # naive before cryptography 42, and the naive form is deprecated since
    if hasattr(parsed, attribute + "_utc"):
        aware: Optional[datetime] = getattr(parsed, attribute + "_utc")
        return aware
    naive: Optional[datetime] = getattr(parsed, attribute)
    return None if naive is None else naive.replace(tzinfo=timezone.utc)


def _authority_key_id(parsed: Any) -> Optional[bytes]:
    for extension in parsed.extensions:
        if isinstance(extension.value, _deps.x509.AuthorityKeyIdentifier):
            identifier: Optional[bytes] = extension.value.key_identifier
            return identifier
    return None


def signed_by(crl: Crl, issuer: Certificate) -> bool:
    """Whether *issuer*'s key made the signature; False for algorithms that the library lacks."""
    try:
        with _deps.untrusted():
            return bool(crl.parsed.is_signature_valid(issuer.public_key))
    except _deps.UnreadableError:
        return False
