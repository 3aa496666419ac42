# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a trust bundle: the same bytes for the same certificates, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._core import bundle as rules
from .._core import certificate as certificate_rules
from .._core import expiry, pem
from .._core.certificate import CertificateFacts
from .._core.errors import MtlsError
from .._core.findings import CATALOGUE, ERROR, Finding
from . import certificate

# One source: what to call it in messages (variable or file), and its bytes.
Source = tuple[str, bytes]


@dataclass(frozen=True)
class Bundle:
    """*certificates* and *dropped* are plain values; *earliest_expiry* is that of what is kept."""

    pem: bytes
    certificates: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    findings: list[Finding]
    verify_depth: int
    earliest_expiry: datetime | None


def build(
    sources: Iterable[Source],
    at: datetime,
    on_expired: str = rules.DROP,
    on_leaf: str = rules.REFUSE,
    on_non_ca: str = rules.REFUSE,
    allow_pinned: Sequence[str] = (),
) -> Bundle:
    """The bundle of all certificates in *sources*.

    Raises MtlsError, naming every offender, for a private key (always), what the policy refuses, what cannot
    be read, and when nothing is left. Not checked: whether a CA of the bundle is itself signed by anybody.
    """
    certs: dict[str, certificate.Certificate] = {}
    facts: list[CertificateFacts] = []
    findings: list[Finding] = []
    refused: list[Finding] = []
    # In the order of their names, so that of two equal certificates the same place is told.
    for label, data in sorted(sources):
        loaded, said = certificate.load(data, label)
        said = [finding for finding in said if finding.code != "format.der"]  # what we write is PEM
        refused += private_keys(data, label)
        refused += [finding for finding in said if finding.severity == ERROR]
        findings += said
        for cert in loaded:
            certs.setdefault(cert.facts.sha256, cert)
            facts.append(cert.facts)

    pinned = frozenset(entry.replace(":", "").strip().lower() for entry in allow_pinned)
    result = rules.sort(facts, at, rules.Policy(on_expired, on_leaf, on_non_ca, pinned))
    refused += result.refused
    if refused:
        raise _refusal(refused)
    if not result.kept:
        reasons = "; ".join(
            f'"{cert.subject_text}": {CATALOGUE[code].title.lower()}' for cert, code in result.dropped
        )
        raise MtlsError(
            f"No certificate is left for the trust bundle{f' ({reasons})' if reasons else ''}.",
            "trust.sources",
            CATALOGUE["bundle.empty"].remedy,
            "bundle.empty",
        )
    return Bundle(
        pem=b"".join(certs[cert.sha256].pem for cert in result.kept),
        certificates=[_described(cert) for cert in result.kept],
        dropped=[{**_described(cert), "reason": code} for cert, code in result.dropped],
        findings=findings + list(result.findings),
        verify_depth=rules.verify_depth(result.kept),
        earliest_expiry=min(cert.not_after for cert in result.kept),
    )


def private_keys(data: bytes, place: str) -> list[Finding]:
    """A finding for each private key among the blocks of *data*."""
    return [
        Finding(
            "bundle.private_key",
            f"In line {block.line} of the trust bundle stands a private key.",
            f"{place}:{block.line}",
        )
        for block in pem.parse(data).private_keys()
    ]


def _refusal(refused: Sequence[Finding]) -> MtlsError:
    first = refused[0]
    message = " ".join(
        f"{finding.place}: {finding.message}" if finding.place != first.place else finding.message
        for finding in refused
    )
    return MtlsError(message, first.place, first.remedy, first.code)


def _described(cert: CertificateFacts) -> dict[str, Any]:
    return {
        "subject": cert.subject_text,
        "sha256": cert.sha256,
        "not_after": expiry.rfc3339(cert.not_after),
        "is_ca": certificate_rules.is_ca(cert),
        "path_length": certificate_rules.path_length(cert),
    }
