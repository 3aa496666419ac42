# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CRLs belong beside a trust bundle, over plain values: one for each key of a CA, and none by which
nginx would refuse everybody.

- nginx sets X509_V_FLAG_CRL_CHECK and _CRL_CHECK_ALL (ngx_ssl_crl), so check_revocation of OpenSSL
  (crypto/x509/x509_vfy.c) wants a current CRL for each certificate of the path, the root included. Where one
  is missing or has ended, all clients of that CA get 400.
- The signature is that of the CA's key (RFC 5280, 6.3.3 (g); check_crl).
- Of two CAs of one name get_crl_score takes a CRL without an authority key identifier for one of either
  (crl_akid_check), and looks at the signature only afterwards: clients of the other CA are refused. RFC 5280,
  5.2.1 demands the identifier.
- The newest one counts: a CRL number only grows (RFC 5280, 5.2.3); without one thisUpdate decides.
- What ``crl`` refuses is no complete CRL: deltas (RFC 5280, 5.2.4), indirect and partial ones (5.2.5),
  critical extensions that OpenSSL does not know (5.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from . import certificate as rules
from . import crl as crl_rules
from . import expiry, names
from .bundle import DROP, REFUSE
from .certificate import CertificateFacts
from .crl import CrlFacts, CrlSignedBy
from .findings import Finding

_HOUR = 3600


@dataclass(frozen=True)
class Policy:
    """*min_hours*: how long a CRL has to last; what to do with one of a CA that the bundle does not have, and
    with an ended one beside a newer one that is current."""

    min_hours: int = 24
    on_foreign: str = REFUSE
    on_expired: str = DROP


@dataclass(frozen=True)
class Sorted:
    """*refused* makes the file impossible; *dropped* are left out, each with its reason."""

    kept: tuple[CrlFacts, ...]
    dropped: tuple[tuple[CrlFacts, str], ...]
    refused: tuple[Finding, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Authority:
    """One key under one name: a renewed or cross-signed CA has several certificates of it. *used* is the CRL
    of *crls* that is taken; *accused*: there is another one in its name that it has not signed."""

    certificates: list[CertificateFacts]
    crls: list[CrlFacts] = field(default_factory=list)
    used: CrlFacts | None = None
    accused: bool = False

    @property
    def first(self) -> CertificateFacts:
        return self.certificates[0]

    def is_named_by(self, crl: CrlFacts) -> bool:
        return any(_names(crl, cert) for cert in self.certificates)

    def issued(self, cert: CertificateFacts) -> bool:
        return any(rules.likely_issued(own, cert) for own in self.certificates)


def needs_crl(cert: CertificateFacts) -> bool:
    """Whether a path may go through this certificate of a bundle, or end there. A self-signed peer is its own
    issuer, and OpenSSL before 3.6 looks it up."""
    return rules.is_ca(cert) or cert.self_signed


def sort(
    crls: Sequence[CrlFacts],
    cas: Sequence[CertificateFacts],
    gone: Sequence[tuple[CertificateFacts, str]],
    signed_by: CrlSignedBy,
    at: datetime,
    policy: Policy,
) -> Sorted:
    """The CRLs for *cas*, the bundle's certificates that need one, in an order that does not depend on the
    input.

    *gone* are CAs that were left out of the bundle, each with its reason: their CRLs go with them.
    """
    unique: dict[str, CrlFacts] = {}
    for crl in crls:
        unique.setdefault(crl.sha256, crl)
    issuers = frozenset(crl.issuer_key for crl in unique.values())
    gate = _Gate(_authorities(cas), issuers, gone, signed_by, at, policy)
    for crl in unique.values():
        gate.assign(crl)
    for authority in gate.authorities:
        gate.choose(authority)
    kept = [authority.used for authority in gate.authorities if authority.used]
    findings = [*gate.findings, *_revoked(gate.authorities, cas), *crl_rules.remarks(kept, cas)]
    return Sorted(tuple(kept), tuple(gate.dropped), tuple(gate.refused), tuple(findings))


def _names(crl: CrlFacts, cert: CertificateFacts) -> bool:
    """Whether the CRL may be of this CA, by its issuer and its authority key identifier."""
    return crl.issuer_key == rules.subject_key(cert) and rules.identifies(
        cert, crl.authority_key_id, crl.authority_issuer, crl.authority_serial
    )


def _authorities(cas: Sequence[CertificateFacts]) -> list[_Authority]:
    found: dict[tuple[names.Rdns, str], _Authority] = {}
    for cert in cas:
        key = (names.canonical(cert.subject), cert.public_key_sha256)
        found.setdefault(key, _Authority([])).certificates.append(cert)
    return [found[key] for key in sorted(found)]


@dataclass
class _Gate:
    """*issuers*: the names of all CRLs, as they are compared."""

    authorities: Sequence[_Authority]
    issuers: frozenset[bytes]
    gone: Sequence[tuple[CertificateFacts, str]]
    signed_by: CrlSignedBy
    at: datetime
    policy: Policy
    dropped: list[tuple[CrlFacts, str]] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def assign(self, crl: CrlFacts) -> None:
        """Gives it to the CA that has signed it."""
        named = [one for one in self.authorities if one.is_named_by(crl)]
        signer = next((one for one in named if self.signed_by(crl, one.first) is not False), None)
        if signer:
            signer.crls.append(crl)
            return
        for cert, reason in self.gone:
            if _names(crl, cert) and self.signed_by(crl, cert):
                self.dropped.append((crl, reason))
                return
        if named:
            self.refused.append(crl_rules.not_signed(crl))
            named[0].accused = len(named) == 1
        elif self.policy.on_foreign == DROP:
            self._drop(crl, self._foreign(crl))
        else:
            self.refused.append(self._foreign(crl))

    def _foreign(self, crl: CrlFacts) -> Finding:
        text = f"{crl.text} is of no CA in the trust bundle."
        if any(rules.subject_key(one.first) == crl.issuer_key for one in self.authorities):
            text = f"{crl.text} is of another CA of that name than those in the trust bundle."
        return Finding("crl.foreign", text, crl.place)

    def choose(self, authority: _Authority) -> None:
        """The newest one without a fault. One that is newer and has a fault is refused: without it the
        certificates would pass that were revoked since."""
        for crl in _newest_first(authority.crls):
            faults = list(dict.fromkeys(self._faults(crl, authority)))
            is_refused = self.policy.on_expired == REFUSE and any(one.code == "crl.expired" for one in faults)
            if authority.used and not is_refused:
                self._drop(crl, faults[0] if faults else _superseded(crl, authority.used))
            elif faults:
                self.refused += faults
            else:
                authority.used = crl
                self.refused += self._ends_soon(crl)
        if not authority.crls and not authority.accused:
            of_a_namesake = rules.subject_key(authority.first) in self.issuers
            self.refused.append(crl_rules.missing(authority.first, of_a_namesake))

    def _faults(self, crl: CrlFacts, authority: _Authority) -> Iterator[Finding]:
        for cert in authority.certificates:
            faults, questions = crl_rules.of_ca(cert, [crl], self.signed_by, self.at)
            yield from faults
            for question in questions:
                text = f"Not every OpenSSL can tell {question}: with some nginx refuses all of its clients."
                yield Finding("chain.undecided", text, crl.place)
        if sum(one.is_named_by(crl) for one in self.authorities) > 1:
            yield crl_rules.untold(crl)

    def _ends_soon(self, crl: CrlFacts) -> Iterator[Finding]:
        later, now = crl.next_update, math.floor(expiry.utc(self.at).timestamp())
        if later is not None and later.seconds - now < self.policy.min_hours * _HOUR:
            text = (
                f"{crl.text} ends at {later.text}, less than {self.policy.min_hours} hours after"
                f" {expiry.rfc3339(self.at)}."
            )
            yield Finding("crl.ends_soon", text, crl.place)

    def _drop(self, crl: CrlFacts, why: Finding) -> None:
        self.dropped.append((crl, why.code))
        self.findings.append(replace(why, harmless=True))


def _newest_first(crls: Sequence[CrlFacts]) -> list[CrlFacts]:
    """By their numbers where each has one, then by thisUpdate. Of equal ones that with more entries, then by
    the fingerprint, so that the order of the input does not matter."""
    numbered = all(crl.number is not None for crl in crls)

    def age(crl: CrlFacts) -> tuple[int, int, int, str]:
        return (crl.number or 0) if numbered else 0, crl.last_update.seconds, len(crl.entries), crl.sha256

    return sorted(crls, key=age, reverse=True)


def _superseded(crl: CrlFacts, used: CrlFacts) -> Finding:
    return Finding("crl.superseded", f"{crl.text} is older than the one in {used.place}.", crl.place)


def _revoked(authorities: Sequence[_Authority], cas: Sequence[CertificateFacts]) -> Iterator[Finding]:
    """CAs of the bundle that are revoked themselves: on purpose, but all of their clients are refused."""
    for authority in authorities:
        for cert in cas:
            if authority.used and authority.issued(cert):
                found = crl_rules.revocation(authority.used, cert, harmless=True)
                yield from [found] if found else []
