# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation as nginx asks OpenSSL for it: X509_V_FLAG_CRL_CHECK and _CRL_CHECK_ALL, over plain values.

Every certificate of the path, the root included, needs a CRL of its issuer that is current. Not checked:
delta and indirect CRLs, distribution points, critical extensions of CRLs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Callable, Optional

from . import expiry, names
from .certificate import CertificateFacts
from .findings import Finding
from .names import Rdns


@dataclass(frozen=True)
class CrlFacts:
    """*sha256* is that of its DER; *revoked* are serial numbers; without *next_update* it never ends."""

    sha256: str
    issuer: Rdns
    last_update: datetime
    next_update: Optional[datetime]
    authority_key_id: Optional[bytes]
    revoked: frozenset[int]
    place: str = ""

    def is_current(self, at: datetime) -> bool:
        ended = self.next_update is not None and expiry.is_expired(self.next_update, at)
        return not ended and not expiry.is_not_yet_valid(self.last_update, at)


# CRL, CA -> whether the CA's key made the CRL's signature
CrlSignedBy = Callable[[CrlFacts, CertificateFacts], bool]


def faults(
    path: Sequence[CertificateFacts], crls: Sequence[CrlFacts], signed_by: CrlSignedBy, at: datetime
) -> list[Finding]:
    """Why nginx with these CRLs refuses the *path* (leaf first); empty when it does not. Each fault of a CRL
    is told once, with the CA that it concerns."""
    found: list[Finding] = []
    for cert, issuer in zip(path, [*path[1:], path[-1]]):
        crl = _best(issuer, crls, at)
        if crl is None:
            found.append(
                Finding(
                    "crl.missing_for_ca", f'There is no CRL of the CA "{issuer.subject_text}".', issuer.place
                )
            )
            continue
        found += _faults_of(crl, issuer, signed_by, at)
        if cert.serial in crl.revoked:
            found.append(Finding("crl.revoked", f'"{cert.subject_text}" is revoked.', cert.place))
    return list(dict.fromkeys(found))


def _best(issuer: CertificateFacts, crls: Sequence[CrlFacts], at: datetime) -> Optional[CrlFacts]:
    """A current one first, then the newest, then the first (get_crl_sk, crypto/x509/x509_vfy.c)."""
    fitting = [crl for crl in crls if _concerns(crl, issuer)]
    return max(fitting, key=lambda crl: (crl.is_current(at), crl.last_update), default=None)


def _concerns(crl: CrlFacts, issuer: CertificateFacts) -> bool:
    if names.canonical(crl.issuer) != names.canonical(issuer.subject):
        return False
    identifiers = (crl.authority_key_id, issuer.subject_key_id)
    return None in identifiers or identifiers[0] == identifiers[1]


def _faults_of(
    crl: CrlFacts, issuer: CertificateFacts, signed_by: CrlSignedBy, at: datetime
) -> list[Finding]:
    name = f'The CRL of "{issuer.subject_text}"'
    found: list[Finding] = []
    if crl.next_update is not None and expiry.is_expired(crl.next_update, at):
        found.append(Finding("crl.expired", f"{name} ended at {expiry.rfc3339(crl.next_update)}.", crl.place))
    elif not crl.is_current(at):
        found.append(
            Finding(
                "crl.not_yet_valid",
                f"{name} is valid from {expiry.rfc3339(crl.last_update)} on, this host's time is"
                f" {expiry.rfc3339(at)}.",
                crl.place,
            )
        )
    if issuer.key_usage is not None and "cRLSign" not in issuer.key_usage:
        found.append(Finding("crl.not_allowed", f'"{issuer.subject_text}" may not sign CRLs.', issuer.place))
    if not signed_by(crl, issuer):
        found.append(Finding("crl.signature_invalid", f"{name} is not signed with its key.", crl.place))
    return found


def remarks(crls: Sequence[CrlFacts], cas: Sequence[CertificateFacts]) -> list[Finding]:
    """CRLs that do not say which of two CAs of one name made them."""
    keys: dict[Rdns, set[str]] = {}
    for ca in cas:
        keys.setdefault(names.canonical(ca.subject), set()).add(ca.public_key_sha256)
    return [
        Finding(
            "crl.no_key_identifier",
            f'The CRL of "{names.text(crl.issuer)}" does not say which of the CAs of that name made it.',
            crl.place,
        )
        for crl in crls
        if crl.authority_key_id is None and len(keys.get(names.canonical(crl.issuer), ())) > 1
    ]
