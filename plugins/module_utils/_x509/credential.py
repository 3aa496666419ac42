# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One credential as a whole: facts and findings of certificate, key, chain and trust together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from .._core import certificate as rules
from .._core import chain, expiry, hostnames
from .._core import path as paths
from .._core.certificate import CertificateFacts
from .._core.findings import Finding
from . import certificate, key, pair, slots, verdict
from .shelf import Shelf
from .slots import Slots


def examine(spec: Mapping[str, Any], at: datetime, shelf: Optional[Shelf] = None) -> dict[str, Any]:
    """The element of credential_info's output for one credential, plain values only.

    *spec*: `name`; `certificate`, `private_key`, `chain`, `trust`, `crl`, each as bytes in memory, as the
    Finding that says why its file cannot be read, or None; `passphrase`, `purpose` (server, client, any),
    `hostnames`, `verify_depth` (default nginx's 1), `min_days` (default: a third of the lifetime),
    `findings` that are known already. `<file>_place` may name a file in findings. *shelf* is that of the
    call, where several credentials share files, and has the judge of what the rules cannot decide.
    Raises nothing for what the bytes are: an unreadable file is a finding and the rest goes on.
    """
    at = expiry.utc(at)
    files = slots.read(spec, shelf or Shelf())
    findings = files.findings
    leaf = files.leaf
    purpose = spec.get("purpose") or rules.ANY
    result: dict[str, Any] = {
        "name": spec.get("name", ""),
        "matches": None,
        "private_key": _describe_key(files.private_key),
        "certificate": certificate.describe(leaf, at, files.form) if leaf else None,
        "chain": _describe_chain(files),
        "verifies": None,
        "engines": {"matches": None, "verifies": None},
        "hostnames": {},
        "findings": findings,
    }
    _matches(files, result)
    if leaf is not None:
        _verifies(files, purpose, spec, at, result)
        result["hostnames"], said = hostnames.examine(leaf.facts, spec.get("hostnames") or [])
        findings += said
        findings += _soon(leaf.facts, at, spec.get("min_days"))
        findings += rules.serial_findings(leaf.facts)
    elif spec.get("certificate") is not None and files.trusted is not None:
        result["verifies"] = False
    result["findings"] = [finding.to_dict() for finding in _unique(findings)]
    return result


def _describe_key(private_key: Optional[key.PrivateKey]) -> dict[str, Any] | None:
    if private_key is None:
        return None
    kind, size = private_key.kind
    return {
        "type": kind,
        "size": size,
        "encrypted": private_key.encrypted,
        "public_key_sha256": private_key.public_key_sha256,
    }


def _describe_chain(files: Slots) -> dict[str, Any] | None:
    """*complete* is None where only a bundle could tell (no root sent, no trust given)."""
    if not files.sent:
        return None
    sent = [cert.facts for cert in files.sent]
    leaf = sent[0]
    ordered = paths.order(leaf, sent[1:])
    length = next(
        (
            index
            for index, (before, after) in enumerate(zip(ordered, ordered[1:]), start=1)
            if not rules.likely_issued(after, before)
        ),
        len(ordered),
    )
    path, extraneous = ordered[:length], ordered[length:]
    unique = list(dict.fromkeys(sent))
    complete: bool | None = True if path[-1].self_signed else None
    if complete is None and files.trusted is not None:
        complete = any(
            cert.facts.self_signed and rules.likely_issued(cert.facts, path[-1]) for cert in files.trusted
        )
    return {
        "ordered": paths.in_order(unique[:length]),
        "complete": complete,
        "leaf_first": not any(rules.likely_issued(leaf, other) for other in sent[1:] if other != leaf),
        "has_root": any(cert.self_signed and rules.is_ca(cert) for cert in sent),
        "duplicates": len(sent) - len(unique),
        "extraneous": [cert.sha256 for cert in extraneous],
        "sha256": [cert.sha256 for cert in sent],
    }


def _matches(files: Slots, result: dict[str, Any]) -> None:
    """nginx loads the first certificate, so a later one that fits the key does not count."""
    if files.private_key is None:
        return
    findings = result["findings"]
    findings += pair.findings(files.private_key)
    if files.leaf is None:
        return
    leaf = files.leaf.facts
    verdict_of_pair = pair.matches(leaf, files.private_key, files.shelf.ask_public)
    result["matches"], result["engines"]["matches"] = verdict_of_pair
    if result["matches"] is None:
        findings.append(pair.undecided(leaf, files.private_key))
    if result["matches"] is not False:
        return
    for position, cert in enumerate(files.sent[1:], start=2):
        if pair.matches(cert.facts, files.private_key)[0]:
            said = f"The private key's certificate is number {position} in the file, it must be the first."
            findings.append(Finding("chain.wrong_order", said, cert.facts.place))
            return
    said = f'The private key is not that of "{leaf.subject_text}".'
    findings.append(Finding("pair.key_mismatch", said, leaf.place))


def _verifies(
    files: Slots, purpose: str, spec: Mapping[str, Any], at: datetime, result: dict[str, Any]
) -> None:
    leaf = files.sent[0].facts
    if files.trusted is None:
        result["findings"] += chain.alone(leaf, at, purpose)
        return
    decided = verdict.decide(files, purpose, spec.get("verify_depth"), at)
    result["verifies"] = decided.accepted
    result["engines"]["verifies"] = decided.engine
    result["findings"] += decided.findings


def _soon(leaf: CertificateFacts, at: datetime, min_days: int | None) -> list[Finding]:
    soon = expiry.is_soon(leaf.not_before, leaf.not_after, at, min_days)
    if not soon or leaf.date_faults or expiry.is_expired(leaf.not_after, at):
        return []
    return [
        Finding(
            "expiry.soon",
            f'"{leaf.subject_text}" expires at {leaf.not_after_text}'
            f" ({expiry.days_left(leaf.not_after, at)} days left).",
            leaf.place,
        )
    ]


def _unique(findings: Sequence[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def assemble(certificate_data: bytes, chain_data: bytes | None = None) -> bytes:
    """What nginx gets as ssl_certificate: the leaf, then its issuers in order, as clean PEM without
    duplicates. Private keys and text between the blocks are left out.

    Where the first certificate is an issuer of the others and just one of them has issued nothing, that one
    is the leaf. Raises MtlsError when a certificate cannot be read.
    """
    certs = certificate.split(certificate_data, "certificate")
    if chain_data:
        certs += certificate.split(chain_data, "chain")
    by_digest = {cert.facts.sha256: cert for cert in certs}
    facts = [cert.facts for cert in certs]
    return b"".join(by_digest[cert.sha256].pem for cert in paths.order(_leaf(facts), facts))


def _leaf(facts: Sequence[CertificateFacts]) -> CertificateFacts:
    childless = [
        cert
        for cert in dict.fromkeys(facts)
        if not any(other != cert and rules.likely_issued(cert, other) for other in facts)
    ]
    if facts[0] not in childless and len(childless) == 1:
        return childless[0]
    return facts[0]
