# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers to one question of a proof mean.

A refused client is one that gets HTTP 400: nginx completes the handshake with it. So every row is judged by
what came back over HTTP and by the certificate that was served, never by the handshake alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from .probes import NOBODYS_HOST, SERVER, SESSION, Probe

_WORD_LIMIT = 64
#: As much of a body as is compared; a page of a stranger may be long.
_BODY_LIMIT = 4096
#: By these a server says that the client's certificate is missing or not accepted (RFC 8446, 6.2); in TLS
#: 1.3 they come with the first read, since the handshake is over by then.
_CLIENT_ALERTS = frozenset((41, 42, 43, 44, 45, 46, 48, 116))
#: What nginx answers to a client that it does not verify; 495 and 496 are its own inner numbers.
REFUSALS = (400, 495, 496)
#: Of nginx's page for a refused client, in any of its wordings (ngx_http_special_response.c); an
#: application's own 400 has not got it.
REFUSED_PAGE = "SSL certificate"
OK, FAILED, INCONCLUSIVE, WAS_FAILING = "ok", "failed", "inconclusive", "was_failing"
#: Phases of an answer that nobody gave: there was no time to ask, the identity cannot be loaded, or this host
#: has no such address. The first two are causes, too.
LATE, LOAD, NOT_HERE = "late", "load", "not here"
#: Causes of a failure; ``proof.remedy`` knows them.
ID, LEAF, IDENTITY, ADMITTED = "id", "leaf", "identity", "admitted"
UNREACHABLE, CERTIFICATE, REFUSED, FORBIDDEN = "unreachable", "certificate", "refused", "forbidden"
UPSTREAM, OTHER = "upstream", "other"


@dataclass(frozen=True)
class Answer:
    """One answer as plain values; *reused* is about the TLS session, *offered* whether there was one to
    offer."""

    phase: str
    status: Optional[int] = None
    body: str = ""
    error: str = ""
    timed_out: bool = False
    alert: Optional[int] = None
    leaf_sha256: str = ""
    reused: bool = False
    offered: bool = True


@dataclass
class Row:
    """One line of the proof. *cause* groups failures."""

    probe: Probe
    got: str
    verdict: str
    cause: str = ""
    statuses: tuple[Optional[int], ...] = field(default=())
    bodies: tuple[str, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, str]:
        return {
            "probe": self.probe.kind,
            "target": self.probe.target,
            "expected": self.probe.expected,
            "got": self.got,
            "verdict": self.verdict,
        }


def judge(probe: Probe, answers: Sequence[Answer]) -> Row:
    """The row for what came back. Never ``ok`` for a question that could not be asked."""
    if not answers:
        return Row(probe, _not_asked(probe), INCONCLUSIVE)
    rows = [_judge_one(probe, answer) for answer in answers]
    worst = next((row for row in rows if row.verdict == FAILED), None)
    worst = worst or next((row for row in rows if row.verdict == INCONCLUSIVE), rows[-1])
    count = sum(row.verdict == OK for row in rows)
    got = worst.got if len(rows) == 1 else f"{worst.got} ({count} of {len(rows)} as expected)"
    statuses = tuple(answer.status for answer in answers)
    bodies = tuple(answer.body[:_BODY_LIMIT] for answer in answers)
    return Row(probe, got, worst.verdict, worst.cause, statuses, bodies)


def _not_asked(probe: Probe) -> str:
    if probe.without:
        return f"not asked: {probe.without}"
    if probe.resumes:
        who = "good" if probe.kind == SESSION else "revoked"
        return f"not asked: the {who} client was not let in before the switch"
    return "not asked: the release has no probe identity"


def _judge_one(probe: Probe, answer: Answer) -> Row:
    if answer.phase == NOT_HERE:
        return Row(probe, f"not asked: {answer.error}", INCONCLUSIVE)
    if probe.kind == SESSION:
        return _judge_session(probe, answer)
    if probe.refused:
        return _judge_refusal(probe, answer)
    if probe.want_leaf:
        return _judge_leaf(probe, answer)
    if probe.want_alert is not None:
        return _judge_rejected(probe, answer)
    if probe.unwanted:
        return _judge_outside(probe, answer)
    if answer.status is None:
        return Row(probe, _words(answer), FAILED, _cause(answer))
    if probe.kind.startswith(NOBODYS_HOST):
        good = answer.status in probe.want_status
        return Row(probe, _words(answer), OK if good else FAILED, "" if good else ADMITTED)
    return _judge_accepted(probe, answer)


def _words(answer: Answer) -> str:
    if answer.status is not None:
        return str(answer.status)
    alert = f", alert {answer.alert}" if answer.alert is not None else ""
    return f"no answer ({answer.phase}: {answer.error}{alert})"


def _cause(answer: Answer) -> str:
    if answer.phase in (LATE, LOAD):
        return answer.phase
    if answer.phase in ("resolve", "connect") or answer.timed_out:
        return UNREACHABLE
    # In TLS 1.3 the refusal of a client comes after the handshake, with the first read.
    if answer.alert is not None:
        return REFUSED
    return CERTIFICATE if answer.phase == "handshake" else OTHER


def _judge_session(probe: Probe, answer: Answer) -> Row:
    if answer.reused:
        return Row(probe, "resumed, so the client was not verified again", FAILED, ADMITTED)
    if answer.status is None:
        return Row(probe, _words(answer), FAILED, _cause(answer))
    if answer.offered:
        return Row(probe, "not resumed", OK)
    got = f"there was no session to resume; a new connection: {answer.status}"
    return Row(probe, got, OK if answer.status == 200 else INCONCLUSIVE)


def _judge_leaf(probe: Probe, answer: Answer) -> Row:
    if not answer.leaf_sha256:
        return Row(probe, _words(answer), FAILED, _cause(answer))
    same = answer.leaf_sha256 == probe.want_leaf
    return Row(probe, f"the leaf {answer.leaf_sha256[:16]}", OK if same else FAILED, "" if same else LEAF)


def _judge_rejected(probe: Probe, answer: Answer) -> Row:
    """Only the alert that ssl_reject_handshake sends is a refusal; silence and other alerts are faults."""
    if answer.status is not None:
        return Row(probe, f"{answer.status}: a server answered", FAILED, ADMITTED)
    if answer.alert == probe.want_alert:
        return Row(probe, f"refused, alert {answer.alert}", OK)
    return Row(probe, _words(answer), FAILED, _cause(answer))


def _judge_outside(probe: Probe, answer: Answer) -> Row:
    """A user's default server may answer what it likes, or refuse the handshake, but not as our site."""
    if answer.status is not None:
        inside = probe.unwanted in answer.body
        return Row(probe, _words(answer), FAILED if inside else OK, ADMITTED if inside else "")
    if answer.alert is not None and not probe.kind.startswith(NOBODYS_HOST):
        return Row(probe, f"refused, alert {answer.alert}", OK)
    return Row(probe, _words(answer), FAILED, _cause(answer))


def _judge_refusal(probe: Probe, answer: Answer) -> Row:
    """By itself only the expected status, or an alert about the certificate, is a refusal; see
    ``cross_check`` for pages of the site's own."""
    how = "resumed, " if answer.reused else ""
    if probe.resumes and not answer.offered:
        how = "there was no session to resume; a new connection: "
    if answer.status is None:
        if answer.alert in _CLIENT_ALERTS:
            return Row(probe, f"{how}refused, alert {answer.alert}", OK)
        return Row(probe, f"{how}{_words(answer)}", FAILED, _cause(answer))
    if answer.status in probe.want_status:
        return Row(probe, f"{how}{answer.status}", OK)
    # The site's own answer has the release's id; without it a status below 300 is taken for the site's.
    inside = probe.unwanted in answer.body if probe.unwanted else answer.status < 300
    if inside:
        return Row(probe, f"{how}{answer.status}: admitted", FAILED, ADMITTED)
    return Row(probe, f"{how}{answer.status}", INCONCLUSIVE)


def _judge_accepted(probe: Probe, answer: Answer) -> Row:
    words = answer.body.split()
    if answer.status in probe.want_status and probe.want_words:
        return _judge_words(probe, answer, words)
    if answer.status in REFUSALS:
        return Row(probe, f"{answer.status}: the client certificate is not accepted", FAILED, REFUSED)
    if answer.status == 403 and probe.want_words:
        return Row(probe, "403: the certificate is accepted, its owner is not allowed", FAILED, FORBIDDEN)
    if probe.want_words or answer.status is None:
        return Row(probe, _words(answer), FAILED, UPSTREAM if answer.status in (502, 504) else OTHER)
    return _judge_stranger(probe, answer.status)


def _judge_stranger(probe: Probe, status: int) -> Row:
    """An answer that is not ours to read; see ``compare`` for what it was before."""
    if status < 500:
        return Row(probe, f"{status}, an answer that is not ours to read", INCONCLUSIVE)
    if probe.part == "proxy" and probe.kind != SERVER:
        # This host's own nginx answers so where it does not accept the other side.
        return Row(probe, f"{status}: no answer of A that this side accepts", FAILED, UPSTREAM)
    return Row(probe, f"{status}: it took the certificate, and what is behind it fails", INCONCLUSIVE)


def _judge_words(probe: Probe, answer: Answer, words: Sequence[str]) -> Row:
    found = [words[n] if n < len(words) else "nothing" for n in range(len(probe.want_words))]
    # What a stranger answers goes into the result: a word of it is enough to recognise it by.
    found = [word[:_WORD_LIMIT] for word in found]
    wrong = [n for n, want in enumerate(probe.want_words) if want not in ("", "*", found[n])]
    if not wrong:
        return Row(probe, f"{answer.status}, {' '.join(found[:2])}", OK)
    if wrong[0] == 0:
        return Row(probe, f"{answer.status}, release {found[0]}", FAILED, ID)
    return Row(probe, f"{answer.status}, {' '.join(found[1:])}", FAILED, IDENTITY)
