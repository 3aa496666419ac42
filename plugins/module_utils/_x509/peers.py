# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed credential accepts from the other side: its trust bundle and its CRLs, on their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from .._core import bundle as rules
from .._core import certificate as certificate_rules
from .._core import crl as crl_rules
from .._core import expiry
from .._core.certificate import CertificateFacts
from .._core.chain import Verdict
from .._core.findings import Finding
from .._core.path import Path, order
from . import bundle
from .crl import Crl
from .shelf import Shelf


def examine(
    spec: Mapping[str, Any], at: datetime, shelf: Shelf
) -> tuple[Optional[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The certificates of `peers_trust` of *spec*, None without it, and the findings of it and `peers_crl`.

    A self-signed leaf is taken for one that is pinned on purpose: ``release`` has let it in.
    """
    at = expiry.utc(at)
    findings: list[Finding] = []
    facts: list[CertificateFacts] = []
    given = spec.get("peers_trust")
    if given is not None:
        file = shelf.certificates("trust", given, spec.get("peers_trust_place") or "trust")
        facts = [cert.facts for cert in file.certificates]
        pinned = frozenset(cert.sha256 for cert in facts if cert.self_signed)
        found = rules.sort(facts, at, rules.Policy(rules.KEEP, rules.KEEP, rules.KEEP, pinned))
        findings += [*file.findings, *found.findings]
    if spec.get("peers_crl") is not None:
        lists, said = shelf.crls(spec["peers_crl"], spec.get("peers_crl_place") or "crl")
        findings += [*said, *_revocation(facts, lists, at, shelf)]
    trusted = None if given is None else [bundle.described(cert) for cert in facts]
    return trusted, [finding.to_dict() for finding in dict.fromkeys(findings)]


def _revocation(
    trusted: Sequence[CertificateFacts], lists: Sequence[Crl], at: datetime, shelf: Shelf
) -> Iterator[Finding]:
    """What these CRLs would make of any certificate that one of the CAs has issued."""
    crls = [one.facts for one in lists]
    told: list[Finding] = []
    for ca in trusted:
        if certificate_rules.is_ca(ca) and not expiry.is_expired(ca.not_after, at):
            above = _upwards(ca, trusted)
            verdict = Verdict(True, Path((crl_rules.issued_by(ca), *above), len(above), bool(above)), ())
            told += crl_rules.verify(verdict, crls, shelf.crl_signed_by, at, shelf.openssl).findings
    yield from told
    yield from crl_rules.remarks(crls, trusted, told)


def _upwards(ca: CertificateFacts, trusted: Sequence[CertificateFacts]) -> list[CertificateFacts]:
    """*ca* and its issuers in the bundle, up to the root; empty where that is not there."""
    path: list[CertificateFacts] = []
    for cert in order(ca, trusted):
        if path and (path[-1].self_signed or not certificate_rules.likely_issued(cert, path[-1])):
            break
        path.append(cert)
    return path if path[-1].self_signed else []
