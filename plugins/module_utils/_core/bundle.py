# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a trust bundle over plain values: what each certificate is, what stays, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from . import certificate as rules
from . import expiry, names, trust
from .certificate import CertificateFacts
from .chain import NGINX_DEPTH
from .findings import Finding
from .path import Pool

REFUSE = "refuse"
DROP = "drop"
KEEP = "keep"

# A path length is a number of the certificate's author: no more than this becomes a verify depth.
_DEEPEST = 10


@dataclass(frozen=True)
class Policy:
    """What to do with each kind (refuse, drop or keep); *pinned* are SHA-256 of self-signed leaves that are
    trusted on purpose, lower-case hex without colons."""

    on_expired: str = DROP
    on_leaf: str = REFUSE
    on_non_ca: str = REFUSE
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sorted:
    """*refused* makes the bundle impossible; *dropped* are left out, each with its reason."""

    kept: tuple[CertificateFacts, ...]
    dropped: tuple[tuple[CertificateFacts, str], ...]
    refused: tuple[Finding, ...]
    findings: tuple[Finding, ...]


def fault_of(cert: CertificateFacts, pinned: frozenset[str] = frozenset()) -> str:
    """ "" for a CA, else the finding's code: a leaf, or something else that is never used as an issuer."""
    if rules.is_leaf(cert):
        # only a self-signed one can be its own anchor (tried on nginx 1.22 to 1.30)
        return "" if cert.self_signed and cert.sha256 in pinned else "bundle.leaf"
    return "" if rules.is_ca(cert) else "bundle.not_a_ca"


def roles(certificates: Sequence[CertificateFacts]) -> list[tuple[str, Finding]]:
    """A finding for each certificate that is no CA, with its SHA-256 where pinning it would mend that."""
    return [
        (cert.sha256 if not fault_of(cert, frozenset([cert.sha256])) else "", _finding(code, cert))
        for cert in certificates
        for code in [fault_of(cert)]
        if code
    ]


def _finding(code: str, cert: CertificateFacts) -> Finding:
    said = {
        "bundle.leaf": "is the certificate of a peer, not of a CA",
        "bundle.not_a_ca": "is not usable as an issuer",
        "bundle.expired": f"expired at {cert.not_after_text or expiry.rfc3339(cert.not_after)}",
        "chain.rejected": "comes with trust settings that reject its use by TLS",
        "expiry.unreadable": f"has a date that cannot be read ({'; '.join(cert.date_faults)})",
    }[code]
    return Finding(code, f'"{cert.subject_text}" {said}.', cert.place, harmless=code == "chain.rejected")


def distrust(cert: CertificateFacts) -> str:
    """What to do with a CA whose TRUSTED CERTIFICATE block rejects TLS, which a bundle of plain blocks would
    lose: DROP where it rejects servers and clients, REFUSE where it rejects one of them, "" where none."""
    rejects = [trust.explicit(cert, purpose) == trust.REJECTED for purpose in (rules.SERVER, rules.CLIENT)]
    return DROP if all(rejects) else REFUSE if any(rejects) else ""


def sort(certificates: Sequence[CertificateFacts], at: datetime, policy: Policy) -> Sorted:
    """Duplicates go; the rest is judged by *policy* and put in an order that does not depend on the input.

    The order is by name, then the newer first, then the fingerprint: OpenSSL takes the first of equal
    candidates.
    """
    kept: list[CertificateFacts] = []
    dropped: list[tuple[CertificateFacts, str]] = []
    refused: list[Finding] = []
    findings: list[Finding] = []
    # By fingerprint: who rejects a CA in one source is not overruled by another one that has it plain.
    distrusted = {cert.sha256: distrust(cert) for cert in certificates if distrust(cert)}
    for cert in _ordered(certificates):
        fault = fault_of(cert, policy.pinned)
        actions: list[tuple[str, str]] = []
        if cert.sha256 in distrusted:
            actions.append(("chain.rejected", distrusted[cert.sha256]))
        if fault:
            actions.append((fault, policy.on_leaf if fault == "bundle.leaf" else policy.on_non_ca))
        if cert.date_faults:  # OpenSSL accepts no path with it (check_cert_time)
            actions.append(("expiry.unreadable", policy.on_expired))
        elif expiry.is_expired(cert.not_after, at):
            actions.append(("bundle.expired", policy.on_expired))
        findings += [_finding(code, cert) for code, _action in actions]
        refused += [_finding(code, cert) for code, action in actions if action == REFUSE]
        drops = [code for code, action in actions if action == DROP]
        if drops:
            dropped.append((cert, drops[0]))
        else:
            kept.append(cert)
    findings += namesake_findings(kept)
    return Sorted(tuple(kept), tuple(dropped), tuple(refused), tuple(findings))


def _ordered(certificates: Sequence[CertificateFacts]) -> list[CertificateFacts]:
    unique: dict[str, CertificateFacts] = {}
    for cert in certificates:
        unique.setdefault(cert.sha256, cert)
    return sorted(
        unique.values(),
        key=lambda cert: (names.canonical(cert.subject), -cert.not_before.timestamp(), cert.sha256),
    )


def namesake_findings(certificates: Sequence[CertificateFacts]) -> list[Finding]:
    """One finding for each CA whose name an earlier one has with another key."""
    seen: dict[names.Rdns, CertificateFacts] = {}
    found: list[Finding] = []
    for cert in certificates:
        earlier = seen.setdefault(names.canonical(cert.subject), cert)
        if earlier.public_key_sha256 != cert.public_key_sha256:
            found.append(
                Finding(
                    "bundle.same_subject_other_key",
                    f'Two CAs are named "{cert.subject_text}" and have different keys'
                    f" (SHA-256 {earlier.sha256[:16]}… and {cert.sha256[:16]}…).",
                    cert.place,
                )
            )
    return found


def verify_depth(certificates: Sequence[CertificateFacts]) -> int:
    """The intermediates that a path to this bundle may have, at least nginx's default: those in the bundle,
    and below each CA what its path length announces."""
    deepest = NGINX_DEPTH
    pool = Pool(certificates)
    for cert in certificates:
        if rules.is_ca(cert):
            announced: int | None = rules.path_length(cert)
            deepest = max(deepest, _level(cert, pool) + (announced or 0))
    return min(deepest, _DEEPEST)


def _level(cert: CertificateFacts, pool: Pool) -> int:
    """0 for a root, 1 for an intermediate below it, and so on, no further than counts: CAs that have issued
    each other stand in a circle."""
    level, current = 0, cert
    while not current.self_signed and level < _DEEPEST:
        issuer = next((other for other in pool.issuers(current) if other != current), None)
        level += 1
        if issuer is None:
            break
        current = issuer
    return level
