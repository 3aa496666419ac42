# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges before, during and after a run: what a run breaks, what was broken before, and what nobody can tell.

An edge has two directions: does Server A accept the client certificate of B, and does B accept A's. Each has
an answer at three times: *now*; *during* the run, when A is done and B is not (``site.yml`` does all A before
any B); *after* it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .findings import Finding

NOW, DURING, AFTER = "now", "during", "after"

ACCEPTED = "accepted"
REFUSED = "refused"
UNKNOWN = "unknown"
#: There is no such edge at that time.
NEW = "new"

WORKS = "works"
BREAKS = "breaks"
#: It would break because a CRL revokes the certificate, which is what the CRL is for.
REVOKED = "revoked"
#: Refused before and refused after: the run makes nothing worse, and it may be on the way to mend it.
BROKEN = "broken"
#: Refused after the run, and what was before is not known.
DOUBTFUL = "doubtful"
#: There is no such edge after the run.
ABSENT = "absent"

CLIENT, SERVER = "client", "server"
#: So many edges, or hosts, one sentence names.
_TOLD = 4
_NO_SITE = "edge.no_site"
_TRUST = {
    CLIENT: "trust.sources of Server A (mtls_server_credentials)",
    SERVER: "trust.sources of Server B (mtls_proxy_credentials)",
}
_WHEN = {
    (BREAKS, DURING): "while this run goes, when Server A is done and Server B is not",
    (BREAKS, AFTER): "after this run",
    (REVOKED, DURING): "while this run goes, when Server A is done and Server B is not",
    (REVOKED, AFTER): "after this run",
    (BROKEN, AFTER): "after this run as before it",
    (DOUBTFUL, AFTER): "after this run, and what it did before is not known",
}


@dataclass(frozen=True)
class Answer:
    """What one side says at one time. *code*, *message* and *remedy* are those of the finding that explains a
    refusal; of an unknown answer *message* says why, and *subject* of whom. *verified*, of an unknown answer:
    the chain verifies, and only whom the allowlist has is not known."""

    state: str
    code: str = ""
    message: str = ""
    remedy: str = ""
    subject: str = ""
    verified: bool = False


YES = Answer(ACCEPTED)
NO_EDGE = Answer(NEW)


def refused(found: Finding) -> Answer:
    return Answer(REFUSED, found.code, found.message, found.remedy)


@dataclass(frozen=True)
class Verdict:
    """One direction of one edge. *time* and *answer* explain *outcome*."""

    edge: Mapping[str, Any]
    side: str
    answers: Mapping[str, Answer]
    outcome: str
    time: str

    @property
    def answer(self) -> Answer:
        return self.answers[self.time]

    def with_remedy(self, remedy: str) -> Verdict:
        answer = replace(self.answer, remedy=remedy)
        return replace(self, answers={**self.answers, self.time: answer})

    def to_dict(self) -> dict[str, Any]:
        answer = self.answer
        why = {"code": answer.code, "message": answer.message, "remedy": answer.remedy}
        return {
            **{time: answer.state for time, answer in self.answers.items()},
            "outcome": self.outcome,
            "reason": why if self.outcome not in (WORKS, ABSENT) else None,
        }


def judge(edge: Mapping[str, Any], side: str, now: Answer, during: Answer, after: Answer) -> Verdict:
    answers = {NOW: now, DURING: during, AFTER: after}
    # Who verifies and may be on the list is taken for one that was let in: better a refusal than an outage.
    before = ACCEPTED if now.verified else now.state
    outcome, time = _outcome(before, during.state, after.state)
    if outcome == BREAKS and answers[time].code == "crl.revoked":
        outcome = REVOKED
    return Verdict(edge, side, answers, outcome, time)


def _outcome(now: str, during: str, after: str) -> tuple[str, str]:
    if after == REFUSED:
        return {REFUSED: BROKEN, UNKNOWN: DOUBTFUL}.get(now, BREAKS), AFTER
    if now == ACCEPTED and during == REFUSED:
        return BREAKS, DURING
    if after == UNKNOWN:
        return UNKNOWN, AFTER
    if now == ACCEPTED and during == UNKNOWN:
        return UNKNOWN, DURING
    if now == UNKNOWN and during == REFUSED:
        return UNKNOWN, NOW
    return (ABSENT if after == NEW else WORKS), AFTER


def authority_remedy(side: str, dropped: Sequence[str]) -> str:
    """What to do where a working edge would end at its authority. *dropped*: the authorities that the side
    which accepts would trust no longer."""
    if dropped:
        names = ", ".join(f'"{name}"' for name in dropped)
        first = f"Keep {names} in {_TRUST[side]} until no edge needs it any more."
    else:
        first = f"Put the new authority into {_TRUST[side]} first, in a run of its own, beside the old one."
    return f"{first} rotate_ca.yml replaces an authority in such phases."


def summary(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """What a run says: how many edges there are after it and how many of them work, and sentences about all
    others, equal ones once."""
    groups: dict[str, dict[tuple[str, ...], list[Verdict]]] = {
        BREAKS: {},
        REVOKED: {},
        BROKEN: {},
        DOUBTFUL: {},
        UNKNOWN: {},
    }
    every: dict[int, bool] = {}
    for one in verdicts:
        if one.answers[AFTER].state != NEW:
            every[id(one.edge)] = every.get(id(one.edge), True) and one.outcome == WORKS
        if one.outcome == UNKNOWN:
            groups[UNKNOWN].setdefault((one.answer.message,), []).append(one)
        elif one.outcome in groups:
            key = (one.side, one.time, one.answer.code, one.answer.remedy)
            groups[one.outcome].setdefault(key, []).append(one)
    return {
        "edges": len(every),
        "working": sum(every.values()),
        "breaking": [_sentence(group) for group in groups[BREAKS].values()],
        "revoked": [_sentence(group) for group in groups[REVOKED].values()],
        "broken": [_sentence(group) for group in groups[BROKEN].values()],
        "doubtful": [_sentence(group) for group in groups[DOUBTFUL].values()],
        "unknown": [_counted(group) for group in groups[UNKNOWN].values()],
    }


def _sentence(group: Sequence[Verdict]) -> str:
    first = group[0]
    edge, answer = first.edge, first.answer
    if answer.code == _NO_SITE:
        who = f"{edge['server']} would not answer there"
    elif first.side == CLIENT:
        who = f"{edge['server']} would refuse the client certificate"
    else:
        who = f"{edge['proxy']} would refuse the certificate of {edge['server']}"
    others = ", ".join(_named(one.edge) for one in group[1:_TOLD])
    more = f" and {len(group) - _TOLD} more" if len(group) > _TOLD else ""
    same = f" The same: {others}{more}." if others else ""
    return (
        f"{_named(edge)}: {who} {_WHEN[first.outcome, first.time]}: {answer.message} [{answer.code}]{same}"
        f" {answer.remedy}"
    )


def _named(edge: Mapping[str, Any]) -> str:
    return f"{edge['proxy']} (route {edge['route']}) to {edge['server']} (site {edge['site']})"


def _counted(group: Sequence[Verdict]) -> str:
    count = len({id(one.edge) for one in group})
    subjects = list(dict.fromkeys(one.answer.subject for one in group))
    more = f" and {len(subjects) - _TOLD} more" if len(subjects) > _TOLD else ""
    return (
        f"{count} {'edge is' if count == 1 else 'edges are'} unknown: {', '.join(subjects[:_TOLD])}{more}:"
        f" {group[0].answer.message}"
    )
