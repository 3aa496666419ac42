# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong along a path and refuses it: dates, purpose, CAs, signatures, extensions, name constraints,
the security level (check_extensions, check_name_constraints, check_auth_level and internal_verify of
crypto/x509/x509_vfy.c)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Callable, NamedTuple, Optional

from . import certificate as rules
from . import expiry, name_constraints, strength, trust
from .certificate import CertificateFacts
from .findings import Finding
from .path import Path, Pool

# subject, issuer -> whether the issuer's key made the subject's signature; None: the library cannot tell
SignedBy = Callable[[CertificateFacts, CertificateFacts], Optional[bool]]

_PURPOSE_CODES = {rules.SERVER: "purpose.server_auth_missing", rules.CLIENT: "purpose.client_auth_missing"}
_MOST_TWINS = 16  # enough for any explanation; each costs the check of a signature


class Constrained(NamedTuple):
    """What the name constraints of *issuer* say of *cert*."""

    cert: CertificateFacts
    issuer: CertificateFacts
    outcome: name_constraints.Outcome


@dataclass(frozen=True)
class Case:
    """What every check looks at."""

    path: Path
    known: Pool
    signed_by: SignedBy
    at: datetime
    constrained: tuple[Constrained, ...]

    @property
    def pairs(self) -> Iterator[tuple[CertificateFacts, CertificateFacts]]:
        """(subject, issuer) from below."""
        certificates = self.path.certificates
        return zip(certificates, certificates[1:])


def date_faults(certificates: Sequence[CertificateFacts], at: datetime) -> list[Finding]:
    """Every certificate of the path is checked, the trusted root too (internal_verify)."""
    return [found for cert in certificates if (found := _date_fault(cert, at)) is not None]


def _date_fault(cert: CertificateFacts, at: datetime) -> Finding | None:
    if cert.date_faults:
        return Finding("expiry.unreadable", f"{quoted(cert)}: {'; '.join(cert.date_faults)}.", cert.place)
    if expiry.is_expired(cert.not_after, at):
        ended = cert.not_after_text or expiry.rfc3339(cert.not_after)
        return Finding("expiry.expired", f"{quoted(cert)} expired at {ended}.", cert.place)
    if expiry.is_not_yet_valid(cert.not_before, at):
        return Finding(
            "expiry.not_yet_valid",
            f"{quoted(cert)} is valid from {cert.not_before_text or expiry.rfc3339(cert.not_before)} on,"
            f" it was judged at {expiry.rfc3339(at)}.",
            cert.place,
        )
    return None


def purpose_faults(
    certificates: Sequence[CertificateFacts], purpose: str, harmless: bool = False
) -> list[Finding]:
    """The first certificate is the leaf, the others are its issuers."""
    return [
        found
        for index, cert in enumerate(certificates)
        if (found := _purpose_fault(cert, purpose, index > 0, harmless)) is not None
    ]


def _purpose_fault(
    cert: CertificateFacts, purpose: str, as_issuer: bool, harmless: bool = False
) -> Finding | None:
    code = _PURPOSE_CODES.get(purpose)
    if code is None or rules.serves_purpose(cert, purpose, as_issuer):
        return None
    listed = f"extended key usage {_listed(cert.extended_key_usage)}, key usage {_listed(cert.key_usage)}"
    if cert.netscape_types is not None:
        listed += f", Netscape certificate type {_listed(cert.netscape_types)}"
    return Finding(
        code, f"{quoted(cert)} does not allow the use by a TLS {purpose} ({listed}).", cert.place, harmless
    )


def path_purpose_faults(path: Path, purpose: str) -> list[Finding]:
    """Trust settings of the bundle that name the purpose outweigh a certificate's own (check_purpose)."""
    found = [
        _purpose_fault(cert, purpose, index > 0)
        for index, cert in enumerate(path.certificates)
        if not path.is_trusted(index) or trust.explicit(cert, purpose) == trust.SILENT
    ]
    return [one for one in found if one is not None]


def issuer_faults(case: Case) -> list[Finding]:
    faults: list[Finding] = []
    below = 0  # CAs below the issuer, self-issued ones not counted (RFC 5280, 6.1.4)
    for subject, issuer in case.pairs:
        if not (rules.is_ca(issuer) if issuer is case.path.top else rules.is_intermediate(issuer)):
            faults.append(
                Finding(
                    "chain.not_a_ca",
                    f"{quoted(issuer)} has issued {quoted(subject)} but is no CA.",
                    issuer.place,
                )
            )
        limit = rules.path_length(issuer)
        if limit is not None and below > limit:
            faults.append(
                Finding(
                    "chain.path_length",
                    f"{quoted(issuer)} allows {limit} CAs below it, the chain has {below}.",
                    issuer.place,
                )
            )
        if not issuer.self_issued:
            below += 1
        faults += _signature_fault(subject, issuer, case)
    return faults


def _signature_fault(subject: CertificateFacts, issuer: CertificateFacts, case: Case) -> list[Finding]:
    if not subject.inner_signature_agrees:
        said = f"{quoted(subject)} names two different signature algorithms, inside and outside."
        return [Finding("chain.signature_invalid", said, subject.place)]
    if case.signed_by(subject, issuer) is not False:
        return []
    if any(case.signed_by(subject, twin) for twin in untold(subject, issuer, case.known)):
        return [
            Finding(
                "chain.no_key_identifier",
                f"{quoted(subject)} does not say which key signed it, and of the CAs called"
                f" {quoted(issuer)} OpenSSL tries the first only, which did not.",
                subject.place,
            )
        ]
    said = f"The signature of {quoted(subject)} was not made with the key of {quoted(issuer)}."
    return [Finding("chain.signature_invalid", said, subject.place)]


def untold(subject: CertificateFacts, issuer: CertificateFacts, known: Pool) -> list[CertificateFacts]:
    """Others of the issuer's name, with other keys, that no identifier tells from it; the first ones."""
    others = (cert for cert in known.issuers(subject) if cert.public_key_sha256 != issuer.public_key_sha256)
    return list(islice(others, _MOST_TWINS))


def extension_faults(path: Path) -> list[Finding]:
    """Of every certificate of the path, the root too (check_extensions)."""
    faults: list[Finding] = []
    for cert in path.certificates:
        if cert.extension_faults:
            faults.append(invalid(cert))
        if cert.unknown_critical:
            faults.append(
                Finding(
                    "chain.unknown_critical",
                    f"{quoted(cert)} has the critical extension {', '.join(cert.unknown_critical)}.",
                    cert.place,
                )
            )
        if cert.is_proxy:
            said = f"{quoted(cert)} is a proxy certificate (RFC 3820), which nginx does not allow."
            faults.append(Finding("chain.refused", said, cert.place))
    return faults


def invalid(cert: CertificateFacts) -> Finding:
    return Finding(
        "chain.invalid_extension", f"{quoted(cert)}: {'; '.join(cert.extension_faults)}.", cert.place
    )


def constrained(path: Path) -> Iterator[Constrained]:
    """Every certificate under the constraints of each CA above it (check_name_constraints).

    Self-issued certificates are exempt, but not the leaf; the trust anchor's own constraints count. OpenSSL
    bounds the work for each pair, here it is bounded for the path.
    """
    left = name_constraints.MAX_COMPARISONS
    for index, cert in enumerate(path.certificates):
        if index and cert.self_issued:
            continue
        for issuer in path.certificates[index + 1 :]:
            if issuer.name_constraints is None:
                continue
            number = name_constraints.comparisons(cert, issuer.name_constraints)
            if left < number <= name_constraints.MAX_COMPARISONS:
                yield Constrained(cert, issuer, _TOO_MANY)
                continue
            left -= number
            outcome = name_constraints.check(cert, issuer.name_constraints, index == 0)
            yield Constrained(cert, issuer, outcome)


_TOO_MANY = name_constraints.Outcome(name_constraints.UNSURE, "is one of very many names and constraints")


def constraint_faults(case: Case) -> list[Finding]:
    return [
        Finding(
            "chain.name_constraints",
            f"{quoted(cert)} {outcome.said} (name constraints of {quoted(issuer)}).",
            cert.place,
        )
        for cert, issuer, outcome in case.constrained
        if outcome.verdict == name_constraints.VIOLATED
    ]


def strength_faults(path: Path) -> list[Finding]:
    """Keys of all, digests of all but the trust anchor (check_auth_level)."""
    faults = [_weak_key(cert) for cert in path.certificates if strength.weak_key(cert)]
    return faults + [
        Finding("signature.weak", f"{quoted(cert)} is signed with {cert.signature_digest}.", cert.place)
        for cert in signed(path)
        if strength.weak_signature(cert)
    ]


def _weak_key(cert: CertificateFacts) -> Finding:
    article = "a" if cert.key_type == "dsa" else "an"
    said = f"{quoted(cert)} has {article} {cert.key_type} key of {cert.key_bits} bits."
    return Finding("key.weak", said, cert.place)


def signed(path: Path) -> Sequence[CertificateFacts]:
    return path.certificates[:-1] if path.complete or path.rejected else path.certificates


def quoted(cert: CertificateFacts) -> str:
    return f'"{cert.subject_text}"'


def _listed(values: Iterable[str] | None) -> str:
    return ", ".join(sorted(values)) if values else "none"
