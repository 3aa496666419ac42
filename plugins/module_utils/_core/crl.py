# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation as nginx asks OpenSSL for it: X509_V_FLAG_CRL_CHECK and _CRL_CHECK_ALL, over plain values.

Every certificate of the path, the root included, needs a CRL of its issuer. Which of several is used, and
what is wrong with it, follows check_cert and get_crl_score (crypto/x509/x509_vfy.c, 3.x) but for one thing:
before July 2026 OpenSSL took a delta CRL for a complete one, so that those passed who stood on the complete
one. Where it would still do so, here everybody is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Callable, NamedTuple, Optional

from . import certificate as rules
from . import expiry, names
from .asn1 import algorithms, distribution_points, revoked
from .asn1.distribution_points import ALL_REASONS, IssuingPoint
from .asn1.revoked import Entries, Entry
from .asn1.times import Moment
from .certificate import CertificateFacts
from .chain import Verdict
from .findings import Finding
from .names import Rdns

# From 3.6 on a self-signed certificate is not looked up, and from 3.6.4 on a delta CRL is passed over; before
# 3.5 an empty issuing distribution point was no fault. Whoever does not know the version gets the strictest.
SINCE_ROOTS_ARE_SKIPPED = (3, 6)
SINCE_DELTAS_ARE_PASSED_OVER = (3, 6, 4)
SINCE_EMPTY_POINTS_ARE_REFUSED = (3, 5)
STRICTEST = SINCE_EMPTY_POINTS_ARE_REFUSED

# What a message lists before it stops.
_LISTED = 8
# No certificate that a CRL speaks of has it: RFC 5280, 4.1.2.2 asks for at most 20 octets.
_NOBODYS_SERIAL = -(1 << 200)


@dataclass(frozen=True)
class CrlFacts:
    """Plain values of one CRL; equal when the bytes are equal.

    *issuer_key* is ``names.key`` of the issuer; without *next_update* it never ends; *base_number* is that
    of a delta CRL; *extension_faults* are sentences on what OpenSSL cannot read and passes over.
    """

    sha256: str
    der: bytes = field(compare=False, repr=False)
    issuer: Rdns = field(compare=False)
    issuer_key: bytes = field(compare=False, repr=False)
    last_update: Moment = field(compare=False)
    next_update: Optional[Moment] = field(compare=False)
    entries: Entries = field(compare=False, repr=False)
    tbs: bytes = field(compare=False, repr=False)
    signature: bytes = field(compare=False, repr=False)
    signature_oid: str = field(compare=False)
    signature_parameters: bytes = field(compare=False, repr=False)
    inner_signature_agrees: bool = field(compare=False, default=True)
    authority_key_id: Optional[bytes] = field(compare=False, default=None)
    authority_issuer: Optional[Rdns] = field(compare=False, default=None)
    authority_serial: Optional[int] = field(compare=False, default=None)
    number: Optional[int] = field(compare=False, default=None)
    base_number: Optional[int] = field(compare=False, default=None)
    point: Optional[IssuingPoint] = field(compare=False, default=None)
    unknown_critical: tuple[str, ...] = field(compare=False, default=())
    extension_faults: tuple[str, ...] = field(compare=False, default=())
    place: str = field(compare=False, default="")

    @property
    def is_delta(self) -> bool:
        return self.base_number is not None

    @property
    def text(self) -> str:
        """How a message begins that speaks of it."""
        return f'The CRL of "{names.text(self.issuer)}"'

    def entry(self, cert: CertificateFacts) -> Entry | None:
        """The entry of *cert*, whatever it says."""
        return self.entries.find(cert.serial, rules.issuer_key(cert), self.issuer_key)


# CRL, CA -> whether the CA's key made the CRL's signature; None: the library cannot tell
CrlSignedBy = Callable[[CrlFacts, CertificateFacts], Optional[bool]]


class _Score(NamedTuple):
    """What OpenSSL weighs, heaviest first. Whose CRL it is weighs less, and by then is decided."""

    no_critical: bool
    in_scope: bool
    in_time: bool
    of_issuer: bool


class _Choice(NamedTuple):
    """A CRL that may be used; *reasons* are those that are covered with it."""

    crl: CrlFacts
    signer: CertificateFacts
    score: _Score
    reasons: int


@dataclass(frozen=True)
class _Case:
    path: Sequence[CertificateFacts]
    crls: Sequence[CrlFacts]
    signed_by: CrlSignedBy
    at: datetime
    openssl: tuple[int, ...]

    @property
    def now(self) -> int:
        return math.floor(expiry.utc(self.at).timestamp())


def verify(
    verdict: Verdict,
    crls: Sequence[CrlFacts],
    signed_by: CrlSignedBy,
    at: datetime,
    openssl: tuple[int, ...] = STRICTEST,
) -> Verdict:
    """*verdict* on a path, as it is with these CRLs; *openssl* is the version whose verdict is wanted.

    Where there is no whole path nothing is looked up. Each fault of a CRL is told once.
    """
    if not verdict.path.complete:
        return verdict
    case = _Case(verdict.path.certificates, crls, signed_by, at, openssl)
    faults: dict[Finding, None] = {}
    questions: dict[str, None] = dict.fromkeys(verdict.open_questions)
    for index in range(len(case.path)):
        said = _Said()
        _look_up(case, index, said)
        faults.update(dict.fromkeys(said.faults))
        questions.update(dict.fromkeys(said.questions))
    if faults:
        return replace(verdict, accepted=False, findings=(*verdict.findings, *faults), open_questions=())
    if questions and verdict.accepted is not False:
        return replace(verdict, accepted=None, open_questions=tuple(questions))
    return verdict


def of_ca(
    ca: CertificateFacts,
    crls: Sequence[CrlFacts],
    signed_by: CrlSignedBy,
    at: datetime,
    openssl: tuple[int, ...] = STRICTEST,
) -> tuple[list[Finding], list[str]]:
    """What these CRLs make of any certificate that *ca* has issued: why it is refused, and what only OpenSSL
    can tell. Not looked at: *ca* itself and what is above it."""
    said = _Said()
    _look_up(_Case((issued_by(ca), ca), crls, signed_by, at, openssl), 0, said)
    return said.faults, said.questions


def issued_by(ca: CertificateFacts) -> CertificateFacts:
    """Some certificate of which only the issuer is known, and that no CRL revokes."""
    return replace(
        ca,
        sha256="",
        subject=(),
        subject_key=b"",
        issuer=ca.subject,
        issuer_key=ca.subject_key,
        serial=_NOBODYS_SERIAL,
        authority_key_id=ca.subject_key_id,
        authority_issuer=None,
        authority_serial=None,
        basic_constraints=(False, None),
        tbs=b"",
    )


@dataclass
class _Said:
    """Of one certificate of the path: why it is refused, and what only OpenSSL can tell."""

    faults: list[Finding] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def _look_up(case: _Case, index: int, said: _Said) -> None:
    """check_cert: CRLs until all reasons are covered."""
    cert = case.path[index]
    if cert.is_proxy or (cert.self_signed and case.openssl >= SINCE_ROOTS_ARE_SKIPPED):
        return
    covered = 0
    while covered != ALL_REASONS and not said.faults:
        choice = _best(case, index, covered)
        if choice is None:
            said.faults.append(_why_none(case, index, covered))
            return
        _check(case, choice, said)
        _check_entry(choice.crl, cert, said)
        covered = choice.reasons


def _signers(path: Sequence[CertificateFacts], index: int) -> Sequence[CertificateFacts]:
    """Who may have signed a CRL for this certificate: its issuer, or one of the same name above it."""
    return path[index + 1 :] or path[-1:]


def _best(case: _Case, index: int, covered: int) -> _Choice | None:
    """get_crl_sk: the heaviest; of two that weigh the same the newer one, then the first."""
    best: _Choice | None = None
    for crl in case.crls:
        choice = _choice(case, crl, index, covered)
        if choice is None or (best is not None and not _is_better(choice, best)):
            continue
        best = choice
    return best


def _is_better(choice: _Choice, best: _Choice) -> bool:
    if choice.score != best.score:
        return choice.score > best.score
    ours, theirs = choice.crl.last_update, best.crl.last_update
    return bool(ours.text and theirs.text) and ours.seconds > theirs.seconds


def _choice(case: _Case, crl: CrlFacts, index: int, covered: int) -> _Choice | None:
    """get_crl_score; None for a CRL that is no candidate at all."""
    cert = case.path[index]
    if crl.issuer_key != rules.issuer_key(cert) or _unusable(crl, case.openssl):
        return None
    nearest, *above = _signers(case.path, index)
    namesakes = (one for one in above if rules.subject_key(one) == crl.issuer_key)
    signer = next((one for one in (nearest, *namesakes) if _may_have_made(crl, one)), None)
    if signer is None:
        return None
    reasons = distribution_points.reasons_covered(cert, crl.issuer, crl.point)
    in_scope = reasons is not None
    if reasons is not None and not reasons & ~covered:
        return None
    score = _Score(not crl.unknown_critical, in_scope, _is_current(crl, case.now), signer is nearest)
    return _Choice(crl, signer, score, covered | (reasons or 0))


def _may_have_made(crl: CrlFacts, ca: CertificateFacts) -> bool:
    return rules.identifies(ca, crl.authority_key_id, crl.authority_issuer, crl.authority_serial)


def _unusable(crl: CrlFacts, openssl: tuple[int, ...]) -> bool:
    point = crl.point
    if crl.is_delta and openssl >= SINCE_DELTAS_ARE_PASSED_OVER:
        return True
    if point is None:
        return False
    empty = point.says_nothing and openssl >= SINCE_EMPTY_POINTS_ARE_REFUSED
    return point.contradicts_itself or point.indirect or point.some_reasons or empty


def _is_current(crl: CrlFacts, now: int) -> bool:
    """check_crl_time: the second of the next update is too late, as for certificates (X509_cmp_time)."""
    later = crl.next_update
    if crl.last_update.fault or (later is not None and later.fault):
        return False
    return crl.last_update.seconds <= now and (later is None or now < later.seconds)


# --- what is wrong with the one that is used ---


def _check(case: _Case, choice: _Choice, said: _Said) -> None:
    """check_crl, and the first half of cert_crl."""
    crl, signer = choice.crl, choice.signer
    if crl.is_delta:
        said.faults.append(_delta(crl))
        return
    if signer.key_usage is not None and "cRLSign" not in signer.key_usage:
        text = f'"{signer.subject_text}" may not sign CRLs.'
        said.faults.append(Finding("crl.not_allowed", text, signer.place))
    if not choice.score.in_scope:
        said.faults.append(_partial(crl, "does not speak of every certificate that needs it"))
    if not choice.score.in_time:
        said.faults += _date_faults(crl, case.at, case.now)
    _check_signature(case, crl, signer, said)
    if crl.unknown_critical:
        said.faults.append(_critical(crl))


def _check_signature(case: _Case, crl: CrlFacts, signer: CertificateFacts, said: _Said) -> None:
    if not crl.inner_signature_agrees:  # RFC 5280, 5.1.1.2, which OpenSSL looks at since 3.6.4
        text = f"{crl.text} names one algorithm of its signature inside and another one outside."
        said.faults.append(Finding("crl.signature_invalid", text, crl.place))
        return
    known = algorithms.in_every_openssl(*algorithms.signature(crl.signature_oid, crl.signature_parameters))
    signed = case.signed_by(crl, signer) if known else None
    if signed is None:
        said.questions.append(f'who signed the CRL of "{names.text(crl.issuer)}"')
    elif not signed:
        said.faults.append(not_signed(crl))


def not_signed(crl: CrlFacts) -> Finding:
    return Finding("crl.signature_invalid", f"{crl.text} is not signed with its key.", crl.place)


def _check_entry(crl: CrlFacts, cert: CertificateFacts, said: _Said) -> None:
    found = revocation(crl, cert)
    if found is not None:
        said.faults.append(found)


def revocation(crl: CrlFacts, cert: CertificateFacts, harmless: bool = False) -> Finding | None:
    """The second half of cert_crl; an unknown critical extension may change what an entry means."""
    entry = None if crl.unknown_critical else crl.entry(cert)
    if entry is None or entry.reason == revoked.REMOVE_FROM_CRL:
        return None
    since = f" since {entry.revoked_at.text}" if entry.revoked_at.text else ""
    why = f" ({entry.reason_text})" if entry.reason_text else ""
    return Finding("crl.revoked", f'"{cert.subject_text}" is revoked{since}{why}.', cert.place, harmless)


def _date_faults(crl: CrlFacts, at: datetime, now: int) -> Iterator[Finding]:
    for name, moment in (("thisUpdate", crl.last_update), ("nextUpdate", crl.next_update)):
        if moment is not None and moment.fault:
            text = f"{crl.text} has a date that cannot be read: {name} {moment.fault}."
            yield Finding("crl.unreadable_date", text, crl.place)
    if not crl.last_update.fault and crl.last_update.seconds > now:
        text = f"{crl.text} is valid from {crl.last_update.text} on, it was judged at {expiry.rfc3339(at)}."
        yield Finding("crl.not_yet_valid", text, crl.place)
    later = crl.next_update
    if later is not None and not later.fault and later.seconds <= now:
        yield Finding("crl.expired", f"{crl.text} ended at {later.text}.", crl.place)


# --- CRLs that are not used, or should not be ---


def _why_none(case: _Case, index: int, covered: int) -> Finding:
    cert = case.path[index]
    issuer = _signers(case.path, index)[0]
    own = [crl for crl in case.crls if crl.issuer_key == rules.issuer_key(cert)]
    for crl in own:
        if _unusable(crl, case.openssl):
            return _unused(crl)
    if covered:
        text = (
            f'The CRLs of "{issuer.subject_text}" speak of some reasons only for "{cert.subject_text}",'
            " as its distribution points say."
        )
        return Finding("crl.partial", text, cert.place)
    return missing(issuer, bool(own))


def missing(ca: CertificateFacts, of_a_namesake: bool) -> Finding:
    """*of_a_namesake*: there is a CRL of another CA of that name."""
    text = f'There is no CRL of the CA "{ca.subject_text}".'
    if of_a_namesake:
        text = text[:-1] + ", only of another one of this name (see their key identifiers)."
    return Finding("crl.missing_for_ca", text, ca.place)


def _unused(crl: CrlFacts, harmless: bool = False) -> Finding:
    """Why OpenSSL passes over this CRL, which ``_unusable`` found."""
    if crl.is_delta:
        return _delta(crl, harmless)
    point = crl.point or IssuingPoint()
    if point.indirect:
        text = f"{crl.text} is an indirect one, which nginx does not use."
        return Finding("crl.indirect", text, crl.place, harmless)
    if point.some_reasons:
        return _partial(crl, "speaks of some reasons only, so that nginx does not use it", harmless)
    return _partial(crl, "has an issuing distribution point that OpenSSL cannot make sense of", harmless)


def _partial(crl: CrlFacts, what: str, harmless: bool = False) -> Finding:
    return Finding("crl.partial", f"{crl.text} {what}.", crl.place, harmless)


MAX_NUMBER = 1 << 160  # RFC 5280, 5.2.3: a CRL's number has at most 20 octets


def _delta(crl: CrlFacts, harmless: bool = False) -> Finding:
    number = crl.base_number or 0
    # Python writes no integer of thousands of digits
    shown = str(number) if abs(number) < MAX_NUMBER else f"of {number.bit_length() // 8 + 1} octets"
    text = f"{crl.text} holds only what changed since its number {shown}."
    return Finding("crl.delta", text, crl.place, harmless)


def _critical(crl: CrlFacts, harmless: bool = False) -> Finding:
    oids = ", ".join(crl.unknown_critical[:_LISTED])
    text = f"{crl.text} has the critical extension {oids}, in itself or its entries."
    return Finding("crl.unknown_critical", text, crl.place, harmless)


def remarks(
    crls: Sequence[CrlFacts], cas: Sequence[CertificateFacts], told: Sequence[Finding] = ()
) -> list[Finding]:
    """What is odd about CRLs, where that refuses nobody here; *told* are the faults that do."""
    known = {(finding.code, finding.place) for finding in told}
    keys: dict[bytes, set[str]] = {}
    for ca in cas:
        keys.setdefault(rules.subject_key(ca), set()).add(ca.public_key_sha256)
    found = [finding for crl in crls for finding in _remarks(crl, len(keys.get(crl.issuer_key, ())))]
    return [one for one in dict.fromkeys(found) if (one.code, one.place) not in known]


def _remarks(crl: CrlFacts, namesakes: int) -> Iterator[Finding]:
    if crl.is_delta or _unusable(crl, STRICTEST):
        yield _unused(crl, harmless=True)
    if crl.unknown_critical:
        yield _critical(crl, harmless=True)
    for fault in crl.extension_faults[:_LISTED]:
        yield Finding("crl.invalid_extension", f"{crl.text}: {fault}.", crl.place)
    if namesakes > 1 and crl.authority_key_id is None and crl.authority_serial is None:
        yield untold(crl)


def untold(crl: CrlFacts) -> Finding:
    text = f"{crl.text} does not say which of the CAs of that name made it."
    return Finding("crl.no_key_identifier", text, crl.place)
