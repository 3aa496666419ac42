# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the CRL file of a trust bundle: the same bytes for the same CRLs, and none that shuts all out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._core import bundle as bundle_rules
from .._core import crl as crl_rules
from .._core import crl_bundle as rules
from .._core import expiry, names
from .._core.bundle import DROP, KEEP
from .._core.certificate import CertificateFacts
from .._core.crl import CrlFacts
from .._core.errors import MtlsError
from .._core.findings import ERROR, Finding
from .._core.forms import contents, kinds, pem
from . import bundle, crl
from .bundle import Source
from .shelf import Shelf


@dataclass(frozen=True)
class Sources:
    """*given* by name, and *found* in directories, where a file that holds nothing of what is wanted is no
    fault. *unreadable*: what the caller could not read and should have."""

    given: Sequence[Source] = ()
    found: Sequence[Source] = ()
    unreadable: Sequence[Finding] = ()


@dataclass(frozen=True)
class CrlBundle:
    """*crls* and *dropped* are plain values; *earliest_next_update* is that of what is kept, RFC 3339."""

    pem: bytes
    crls: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    findings: list[Finding]
    earliest_next_update: Optional[str]


@dataclass
class _Gathered:
    """What all sources hold, before any rule."""

    crls: list[CrlFacts]
    findings: list[Finding]
    refused: list[Finding]
    dropped: list[dict[str, Any]]


def build(
    trust: Sources,
    sources: Sources,
    at: datetime,
    policy: rules.Policy,
    shelf: Optional[Shelf] = None,
) -> CrlBundle:
    """The CRLs in *sources* that belong beside the certificates in *trust*, one for each key of a CA.

    An expired CA of *trust* needs none: its clients are refused anyway. Raises MtlsError, naming every fault
    at once: what cannot be read, a private key or a certificate among the CRLs, what *policy* refuses, and a
    CA without a CRL that nginx would use. Not checked: whether a CA that clients send themselves, and that
    is not in *trust*, has one.
    """
    if policy.min_hours < 0:
        raise MtlsError(f"{policy.min_hours} is no number of hours.", "min_hours", "Give 0 or more.")
    at, shelf = expiry.utc(at), shelf or Shelf()
    cas = bundle.gather(trust.given, trust.found)
    trusted = bundle_rules.sort(cas.facts, at, bundle_rules.Policy(DROP, KEEP, KEEP))
    needing = [cert for cert in trusted.kept if rules.needs_crl(cert)]
    faults = [*trust.unreadable, *cas.refused, *trusted.refused]
    if not needing and not faults:
        faults.append(_no_ca(trusted.dropped))
    lists = _gather(sources)
    findings = [*cas.findings, *trusted.findings, *lists.findings]
    if faults:  # of which CA a CRL is cannot be said
        raise bundle.refusal([*faults, *sources.unreadable, *lists.refused], findings)
    chosen = rules.sort(lists.crls, needing, trusted.dropped, shelf.crl_signed_by, at, policy)
    findings += chosen.findings
    faults = [*sources.unreadable, *lists.refused, *chosen.refused]
    if faults:
        raise bundle.refusal(faults, findings)
    dropped = [{**described(one), "place": one.place, "reason": code} for one, code in chosen.dropped]
    ends = [one.next_update for one in chosen.kept if one.next_update is not None]
    return CrlBundle(
        pem=b"".join(pem.encode(pem.CRL_LABEL, one.der) for one in chosen.kept),
        crls=[described(one) for one in chosen.kept],
        dropped=dropped + lists.dropped,
        findings=list(dict.fromkeys(findings)),
        earliest_next_update=min(ends, key=lambda moment: moment.seconds).text if ends else None,
    )


def _no_ca(dropped: Sequence[tuple[CertificateFacts, str]]) -> Finding:
    told = [{**bundle.described(cert), "place": cert.place, "reason": code} for cert, code in dropped]
    error = bundle.empty(told, "trust")
    return Finding(error.code, error.message, error.place)


def _gather(sources: Sources) -> _Gathered:
    gathered = _Gathered([], [], [], [])
    for label, data, in_directory in bundle.in_order(sources.given, sources.found):
        file = contents.recognise(data)
        held, said = crl.of_contents(file, label)
        keys = [_private_key(label, line) for line in file.private_key_lines()]
        if in_directory and not keys and bundle.is_something_else(file, data, kinds.CRL):
            finding = said[0] if said else Finding("format.unreadable", "", label)
            gathered.dropped.append(dropped_file(finding))
            continue
        said = [finding for finding in said if finding.code not in bundle.FORMS or not held]
        gathered.refused += keys
        gathered.refused += [finding for finding in said if finding.severity == ERROR]
        if held:
            gathered.refused += [_certificate(one.place(label)) for one in file.certificates()[:1]]
        gathered.findings += said
        gathered.crls += [one.facts for one in held]
    return gathered


def _private_key(label: str, line: int) -> Finding:
    place = f"{label}:{line}" if line else label
    return Finding("bundle.private_key", "A private key stands among the CRLs.", place)


def _certificate(place: str) -> Finding:
    said = "A certificate stands among the CRLs, and nginx before 1.27.4 would trust it: give the CRLs alone."
    return Finding("format.wrong_kind", said, place)


def described(one: CrlFacts) -> dict[str, Any]:
    """A CRL as plain values. No number is told that is longer than RFC 5280 allows."""
    number = one.number
    return {
        "issuer": names.text(one.issuer),
        "authority_key_id": None if one.authority_key_id is None else one.authority_key_id.hex(),
        "number": None if number is None or abs(number) >= crl_rules.MAX_NUMBER else number,
        "this_update": one.last_update.text or None,
        "next_update": None if one.next_update is None else one.next_update.text or None,
        "revoked": len(one.entries),
        "sha256": one.sha256,
    }


def dropped_file(finding: Finding) -> dict[str, Any]:
    """The element of `dropped` for a file that holds no CRL."""
    keys = ("issuer", "authority_key_id", "number", "this_update", "next_update", "revoked", "sha256")
    return {**dict.fromkeys(keys), "place": finding.place, "reason": finding.code}


def told(made: CrlBundle) -> dict[str, Any]:
    """What ``crl_bundle`` returns of one."""
    return {
        "crls": made.crls,
        "dropped": made.dropped,
        "earliest_next_update": made.earliest_next_update,
        "findings": [finding.to_dict() for finding in made.findings],
        "content": made.pem.decode("ascii"),
    }


def diff(before: Optional[bytes], after: Optional[bytes]) -> dict[str, str]:
    """Both files as lines of issuer, number, dates and count; never a byte of what else is in them."""
    lines = [_lines(data) for data in (before, after)]
    if before is not None and after is not None and before != after and lines[0] == lines[1]:
        lines[0] += "(others of the same numbers and dates, or written otherwise)\n"
    return {"before": lines[0], "after": lines[1]}


def _lines(data: Optional[bytes]) -> str:
    if data is None:
        return ""
    found = [described(one.facts) for one in crl.load(data, "")[0]]
    return "".join(_line(one) for one in found) or "(no CRL)\n"


def _line(one: dict[str, Any]) -> str:
    number = "without a number" if one["number"] is None else f"number {one['number']}"
    dates = f"{one['this_update'] or 'no date'} to {one['next_update'] or 'no date'}"
    return f"{one['issuer']}, {number}, {dates}, {one['revoked']} revoked\n"
