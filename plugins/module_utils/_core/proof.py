# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers to a proof's questions mean, and which of them block a release.

A refused client is one that gets HTTP 400: nginx completes the handshake with it. So every row is judged by
what came back over HTTP and by the certificate that was served, never by the handshake alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from .proof_plan import NOBODYS_HOST, SESSION, Probe

_WORD_LIMIT = 64
#: The rows in which a client must be refused by the site itself.
_REFUSED = ("no certificate", "foreign certificate")
OK, FAILED, INCONCLUSIVE, WAS_FAILING = "ok", "failed", "inconclusive", "was_failing"


@dataclass(frozen=True)
class Answer:
    """One answer as plain values; *reused* is about the TLS session, *offered* whether there was one to
    offer."""

    phase: str
    status: Optional[int] = None
    body: str = ""
    error: str = ""
    alert: Optional[int] = None
    leaf_sha256: str = ""
    reused: bool = False
    offered: bool = True


@dataclass
class Row:
    """One line of the proof. *cause* groups failures; ``remedy`` knows them."""

    probe: Probe
    got: str
    verdict: str
    cause: str = ""
    statuses: tuple[Optional[int], ...] = field(default=())

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
    return Row(probe, got, worst.verdict, worst.cause, tuple(answer.status for answer in answers))


def _not_asked(probe: Probe) -> str:
    if not probe.rounds:
        return "not asked: the site has no name that a client could send"
    if probe.kind == SESSION:
        return "not asked: the good client was not let in before the switch"
    return "not asked: the release has no probe identity"


def _judge_one(probe: Probe, answer: Answer) -> Row:
    if probe.kind == SESSION:
        return _judge_session(probe, answer)
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
        return Row(probe, _words(answer), OK if good else FAILED, "" if good else "admitted")
    if probe.kind in _REFUSED:
        return _judge_refusal(probe, answer)
    return _judge_accepted(probe, answer)


def _words(answer: Answer) -> str:
    if answer.status is not None:
        return str(answer.status)
    alert = f", alert {answer.alert}" if answer.alert is not None else ""
    return f"no answer ({answer.phase}: {answer.error}{alert})"


def _cause(answer: Answer) -> str:
    if answer.phase in ("resolve", "connect"):
        return "unreachable"
    if "no end within" in answer.error:
        return "unreachable"
    if answer.phase == "handshake":
        return "refused" if answer.alert is not None else "certificate"
    return "other"


def _judge_session(probe: Probe, answer: Answer) -> Row:
    if answer.reused:
        return Row(probe, "resumed, so the client was not verified again", FAILED, "admitted")
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
    return Row(probe, f"the leaf {answer.leaf_sha256[:16]}", OK if same else FAILED, "" if same else "leaf")


def _judge_rejected(probe: Probe, answer: Answer) -> Row:
    """Only the alert that ssl_reject_handshake sends is a refusal; silence and other alerts are faults."""
    if answer.status is not None:
        return Row(probe, f"{answer.status}: a server answered", FAILED, "admitted")
    if answer.alert == probe.want_alert:
        return Row(probe, f"refused, alert {answer.alert}", OK)
    return Row(probe, _words(answer), FAILED, _cause(answer))


def _judge_outside(probe: Probe, answer: Answer) -> Row:
    """A user's default server may answer what it likes, or refuse the handshake, but not as our site."""
    if answer.status is not None:
        inside = probe.unwanted in answer.body
        return Row(probe, _words(answer), FAILED if inside else OK, "admitted" if inside else "")
    if answer.alert is not None and not probe.kind.startswith(NOBODYS_HOST):
        return Row(probe, f"refused, alert {answer.alert}", OK)
    return Row(probe, _words(answer), FAILED, _cause(answer))


def _judge_refusal(probe: Probe, answer: Answer) -> Row:
    if answer.status in probe.want_status:
        return Row(probe, _words(answer), OK)
    admitted = answer.status is not None and answer.status < 400
    if admitted:
        return Row(probe, f"{answer.status}: admitted", FAILED, "admitted")
    return Row(probe, _words(answer), INCONCLUSIVE)


def _judge_accepted(probe: Probe, answer: Answer) -> Row:
    words = answer.body.split()
    if answer.status in probe.want_status:
        if not probe.want_words:
            return Row(probe, f"{answer.status}, an answer that is not ours to read", INCONCLUSIVE)
        return _judge_words(probe, answer, words)
    if answer.status == 400:
        return Row(probe, "400: the client certificate is not accepted", FAILED, "refused")
    if answer.status == 403 and probe.want_words:
        return Row(probe, "403: the certificate is accepted, its owner is not allowed", FAILED, "forbidden")
    if answer.status in (502, 504):
        return Row(probe, f"{answer.status}: no answer of A that this side accepts", FAILED, "upstream")
    foreign = not probe.want_words and answer.status is not None and answer.status < 500
    return Row(probe, _words(answer), INCONCLUSIVE if foreign else FAILED, "" if foreign else "other")


def _judge_words(probe: Probe, answer: Answer, words: Sequence[str]) -> Row:
    found = [words[n] if n < len(words) else "nothing" for n in range(len(probe.want_words))]
    # What a stranger answers goes into the result: a word of it is enough to recognise it by.
    found = [word[:_WORD_LIMIT] for word in found]
    wrong = [n for n, want in enumerate(probe.want_words) if want not in ("", "*", found[n])]
    if not wrong:
        return Row(probe, f"{answer.status}, {' '.join(found[:2])}", OK)
    if wrong[0] == 0:
        return Row(probe, f"{answer.status}, release {found[0]}", FAILED, "id")
    return Row(probe, f"{answer.status}, {' '.join(found[1:])}", FAILED, "identity")


def cross_check(rows: Sequence[Row]) -> None:
    """A refusal that the good client got as well proves nothing: such rows become inconclusive."""
    good = {_place(row.probe): row.statuses for row in rows if row.probe.kind == "client accepted"}
    for row in rows:
        same = set(row.statuses) & set(good.get(_place(row.probe), ())) - {None}
        if row.verdict == OK and row.probe.kind in _REFUSED and same:
            row.verdict = INCONCLUSIVE
            row.got += ", as the good client did"


def _place(probe: Probe) -> tuple[str, str, int, str]:
    return probe.subject, probe.address, probe.port, probe.tls_version


def settle(
    rows: Sequence[Row], changed: frozenset[tuple[str, str]], baseline: Mapping[Any, Row]
) -> list[Row]:
    """The rows that block. What is only carried over and failed before in the same way becomes
    ``was_failing``.

    *changed*: (kind of thing, name) of what this call changes: ``(part, credential)`` as ``("server",
    "orders")`` and blocks as ``("server block", "orders")``.
    """
    blocking = []
    for row in rows:
        if row.verdict != FAILED:
            continue
        before = baseline.get(row.probe.key)
        touched = {
            (row.probe.part, row.probe.credential),
            (f"{row.probe.part} block", row.probe.subject),
        } & changed
        same = before is not None and before.verdict == FAILED and before.cause == row.cause
        # The id of the release is this call's doing, whatever was served before.
        if same and not touched and row.cause != "id":
            row.verdict = WAS_FAILING
        else:
            blocking.append(row)
    return blocking


def positive(rows: Sequence[Row]) -> str:
    """``proven`` when every good client was let in, else ``unproven``; a host without sites has nothing
    open."""
    good = [row for row in rows if row.probe.kind == "client accepted"]
    return "proven" if all(row.verdict == OK for row in good) else "unproven"


def drifted(rows: Sequence[Row]) -> bool:
    """Does nginx serve something else than this release? Only rows that this host alone decides count."""
    return any(
        row.verdict == FAILED and row.cause in ("id", "leaf", "unreachable") and _local(row.probe)
        for row in rows
    )


def _local(probe: Probe) -> bool:
    return probe.kind in ("client accepted", "certificate served", "release served")


_REMEDIES = {
    "id": "nginx serves another release: see whether somebody else's reload or a second nginx is at work.",
    "leaf": "Another server block answers with its own certificate there: look for one with the same name.",
    "unreachable": "Start that server, or open the way to it, and run again.",
    "certificate": "Mend the certificate or the name of that server, or this side's trust, and run again.",
    "refused": "The other side's trust does not accept it, or it is sent without its intermediate.",
    "forbidden": "Put the client on the site's allow list, or use another credential.",
    "upstream": "See nginx's error log on this host for the cause; endpoint_info asks that server directly.",
    "admitted": "Somebody got in who must not: look at trust, ssl_verify_client and sessions of the site, "
    "and at other server blocks of that address and port.",
    "identity": "Another client certificate was seen: does another upstream or server block answer?",
}


def remedy(row: Row) -> str:
    """What a person does about a failed row."""
    if row.cause == "refused" and row.probe.part == "server":
        return "The site does not accept the probe's certificate: is its CA trusted, its CRL current?"
    return _REMEDIES.get(row.cause, "See the row's got, and nginx's error log on this host.")
