# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a trust bundle: the same bytes for the same certificates, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._core import bundle as rules
from .._core import certificate as certificate_rules
from .._core import expiry
from .._core.certificate import CertificateFacts
from .._core.errors import MtlsError, SeveralError
from .._core.findings import CATALOGUE, ERROR, Finding
from .._core.forms import contents, kinds
from .._core.inputs import bytes_of
from . import certificate
from .certificate import Certificate, CertificateFile

# One source: what to call it in messages (variable or file), and its bytes.
Source = tuple[str, bytes]
# What is written is clean PEM, whatever nginx would make of the source. Not here: glued blocks, for they are
# lost to us as well.
FORMS = frozenset(f"format.{form}" for form in ("der", "pkcs7", "utf16", "bom", "wrong_kind"))
# So many offenders a message names.
_TOLD = 20


@dataclass(frozen=True)
class Bundle:
    """*certificates* and *dropped* are plain values; *earliest_expiry* is that of what is kept."""

    pem: bytes
    certificates: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    findings: list[Finding]
    verify_depth: int
    earliest_expiry: Optional[datetime]


@dataclass
class Gathered:
    """What all sources hold, before any policy."""

    certificates: dict[str, Certificate]
    facts: list[CertificateFacts]
    findings: list[Finding]
    refused: list[Finding]
    dropped: list[dict[str, Any]]


def build(
    sources: Iterable[Source],
    at: datetime,
    on_expired: str = rules.DROP,
    on_leaf: str = rules.REFUSE,
    on_non_ca: str = rules.REFUSE,
    allow_pinned: Sequence[str] = (),
    found: Iterable[Source] = (),
    refused: Sequence[Finding] = (),
    place: str = "trust.sources",
) -> Bundle:
    """The bundle of all certificates in *sources* and *found*.

    *found* is what lay in a directory: a file there that holds nothing of a certificate is dropped. *refused*
    are faults that the caller knows already, *place* is the option that the sources are given by.
    Raises MtlsError, naming every offender, for a private key (always), what the policy refuses, what cannot
    be read, and when nothing is left. Not checked: whether a CA of the bundle is itself signed by anybody.
    """
    pinned = frozenset(_digest(entry) for entry in allow_pinned)
    gathered = gather(sources, found)
    result = rules.sort(gathered.facts, at, rules.Policy(on_expired, on_leaf, on_non_ca, pinned))
    faults = [*refused, *gathered.refused, *result.refused]
    if faults:
        raise refusal(faults, [*gathered.findings, *result.findings])
    dropped = [{**described(cert), "place": cert.place, "reason": code} for cert, code in result.dropped]
    dropped += gathered.dropped
    if not result.kept:
        raise empty(dropped, place)
    return Bundle(
        pem=b"".join(gathered.certificates[cert.sha256].pem for cert in result.kept),
        certificates=[described(cert) for cert in result.kept],
        dropped=dropped,
        findings=gathered.findings + list(result.findings),
        verify_depth=rules.verify_depth(result.kept),
        earliest_expiry=min((cert.not_after for cert in result.kept if not cert.date_faults), default=None),
    )


def gather(sources: Iterable[Source], found: Iterable[Source]) -> Gathered:
    gathered = Gathered({}, [], [], [], [])
    for label, data, in_directory in in_order(sources, found):
        file = certificate.load("trust", data, label)
        keys = file.private_keys(label)
        if in_directory and not keys and is_something_else(file.contents, data, kinds.CERTIFICATE):
            gathered.dropped.append(_passed_over(label, file))
            continue
        held = [*file.certificates, *file.unseen]
        said = [finding for finding in file.findings if finding.code not in FORMS or not held]
        if not held and not any(finding.severity == ERROR for finding in said):
            said.append(Finding("format.unreadable", "The file holds no certificate.", label))
        gathered.refused += keys
        gathered.refused += [finding for finding in said if finding.severity == ERROR]
        gathered.findings += said
        for cert in held:
            gathered.certificates.setdefault(cert.facts.sha256, cert)
            gathered.facts.append(cert.facts)
    return gathered


def in_order(sources: Iterable[Source], found: Iterable[Source]) -> list[tuple[str, bytes, bool]]:
    """All, with whether it lay in a directory, in the order of their names: so that of two equal values the
    same place is told."""
    return sorted([(*one, False) for one in sources] + [(*one, True) for one in found])


def is_something_else(file: contents.Contents, data: bytes, wanted: str) -> bool:
    """A file with none of the *wanted* kind in it, not even a damaged one (a SEQUENCE of 128 octets or
    more)."""
    form = file.form
    if form == contents.OTHER:
        return not (data[:1] == b"\x30" and data[1:2] >= b"\x80")
    return form == contents.EMPTY or (
        form in (contents.PEM, contents.DER, contents.UTF16)
        and not file.of_kind(wanted)
        and all(problem.kind == "utf16" for problem in file.problems)
    )


def _passed_over(label: str, file: CertificateFile) -> dict[str, Any]:
    return dropped_file(file.findings[0] if file.findings else Finding("format.unreadable", "", label))


def dropped_file(finding: Finding) -> dict[str, Any]:
    """The element of `dropped` for a file that is none of a bundle."""
    empty = {"subject": None, "sha256": None, "not_after": None, "is_ca": None, "path_length": None}
    return {**empty, "place": finding.place, "reason": finding.code}


def _digest(entry: str) -> str:
    digest = entry.replace(":", "").strip().lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise MtlsError(
            "This is no SHA-256 of a certificate.",
            "allow_pinned",
            "Write 64 hexadecimal digits: openssl x509 -in FILE -noout -fingerprint -sha256",
        )
    return digest


def empty(dropped: Sequence[dict[str, Any]], place: str) -> MtlsError:
    reasons = _joined("; ", [_why_dropped(one) for one in dropped], "and {} more")
    return MtlsError(
        f"No certificate is left for the trust bundle{f' ({reasons})' if reasons else ''}.",
        place,
        CATALOGUE["bundle.empty"].remedy,
        "bundle.empty",
    )


def _why_dropped(one: dict[str, Any]) -> str:
    name = one["place"] if one["subject"] is None else f'"{one["subject"]}"'
    title = CATALOGUE[one["reason"]].title
    return f"{name}: {title[0].lower()}{title[1:]}"


def _joined(between: str, sentences: Sequence[str], rest: str) -> str:
    more = len(sentences) - _TOLD
    return between.join([*sentences[:_TOLD], *([rest.format(more)] if more > 0 else [])])


def refusal(refused: Sequence[Finding], findings: Sequence[Finding]) -> MtlsError:
    """The error that tells all of *refused*; its findings have the others, too."""
    first = refused[0]
    told = [
        f"{finding.place}: {finding.message}" if finding.place != first.place else finding.message
        for finding in refused
    ]
    message = _joined(" ", told, "And {} more.")
    every = list(dict.fromkeys([*refused, *findings]))
    return SeveralError(message, first.place, first.remedy, first.code, [one.to_dict() for one in every])


def described(cert: CertificateFacts) -> dict[str, Any]:
    """A certificate of a bundle as plain values."""
    return {
        "subject": cert.subject_text,
        "sha256": cert.sha256,
        "not_after": cert.not_after_text or None,
        "is_ca": certificate_rules.is_ca(cert),
        "path_length": certificate_rules.path_length(cert),
    }


def told(made: Bundle) -> dict[str, Any]:
    """What ``ca_bundle`` returns of a bundle."""
    return {
        "certificates": made.certificates,
        "dropped": made.dropped,
        "verify_depth": made.verify_depth,
        "earliest_expiry": None if made.earliest_expiry is None else expiry.rfc3339(made.earliest_expiry),
        "findings": [finding.to_dict() for finding in dict.fromkeys(made.findings)],
    }


def diff(before: Optional[bytes], after: Optional[bytes]) -> dict[str, str]:
    """Both files as lines of subject and fingerprint; never a byte of what else is in them."""
    lines = [_lines(data) for data in (before, after)]
    if before is not None and after is not None and before != after and lines[0] == lines[1]:
        lines[0] += "(the same certificates, written otherwise)\n"
    return {"before": lines[0], "after": lines[1]}


def _lines(data: Optional[bytes]) -> str:
    if data is None:
        return ""
    found = certificate.load("trust", data, "").certificates
    lines = [f"{cert.facts.subject_text} {cert.facts.sha256}\n" for cert in found]
    return "".join(lines) or "(no certificate)\n"


def _may_hold_a_key(data: bytes) -> bool:
    """Also where no program reads it as it is: behind a NUL, in base64, in a store that nobody opened."""
    forms = [contents.recognise(form) for form in (data, bytes_of(data.decode("latin-1")))]
    return b"PRIVATE KEY-----" in data or any(
        form.private_key_lines() or form.of_kind(kinds.PKCS12) for form in forms
    )


def refuse_keys(data: Optional[bytes], place: str) -> None:
    """Raises MtlsError where *data*, which is to be replaced or removed, holds a private key."""
    if data is not None and _may_hold_a_key(data):
        raise MtlsError(
            "The file holds a private key or may hold one, so it is no bundle, and it is left alone.",
            place,
            "Give the path of the bundle; if this is it, move the file away.",
            "bundle.private_key",
        )
