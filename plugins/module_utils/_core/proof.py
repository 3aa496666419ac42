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

from .proof_plan import GOOD, NO_CERTIFICATE, NOBODYS_HOST, ROUTE, SERVER, SESSION, Probe

_WORD_LIMIT = 64
#: As much of a body as is compared; a page of a stranger may be long.
_BODY_LIMIT = 4096
#: By these a server says that the client's certificate is missing or not accepted (RFC 8446, 6.2); in TLS
#: 1.3 they come with the first read, since the handshake is over by then.
_CLIENT_ALERTS = frozenset((41, 42, 43, 44, 45, 46, 48, 116))
#: What nginx answers to a client that it does not verify; 495 and 496 are its own inner numbers.
_REFUSALS = (400, 495, 496)
#: Of nginx's page for a refused client, in any of its wordings: 400 may be an application's, too.
_NGINX_SAYS = "SSL certificate"
#: Causes that are this host's own fault, however something failed before.
_NEVER_CARRIED = ("id", "admitted", "identity", "leaf")
OK, FAILED, INCONCLUSIVE, WAS_FAILING = "ok", "failed", "inconclusive", "was_failing"
#: Phases of an answer that nobody gave: there was no time to ask, or this host has no such address.
LATE, NOT_HERE = "late", "not here"


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
    if probe.revoked and probe.resumes:
        return "not asked: the revoked client was not let in before the switch"
    if not probe.rounds:
        return "not asked: the site has no name that a client could send"
    if probe.kind == SESSION:
        return "not asked: the good client was not let in before the switch"
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
        return Row(probe, _words(answer), OK if good else FAILED, "" if good else "admitted")
    return _judge_accepted(probe, answer)


def _words(answer: Answer) -> str:
    if answer.status is not None:
        return str(answer.status)
    alert = f", alert {answer.alert}" if answer.alert is not None else ""
    return f"no answer ({answer.phase}: {answer.error}{alert})"


def _cause(answer: Answer) -> str:
    if answer.phase in ("resolve", "connect"):
        return "unreachable"
    if answer.phase == LATE:
        return "late"
    if answer.phase == "load":
        return "load"
    if "no end within" in answer.error:
        return "unreachable"
    # In TLS 1.3 the refusal of a client comes after the handshake, with the first read.
    if answer.alert is not None:
        return "refused"
    return "certificate" if answer.phase == "handshake" else "other"


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
        return Row(probe, f"{how}{answer.status}: admitted", FAILED, "admitted")
    return Row(probe, f"{how}{answer.status}", INCONCLUSIVE)


def _judge_accepted(probe: Probe, answer: Answer) -> Row:
    words = answer.body.split()
    if answer.status in probe.want_status and probe.want_words:
        return _judge_words(probe, answer, words)
    if answer.status in _REFUSALS:
        return Row(probe, f"{answer.status}: the client certificate is not accepted", FAILED, "refused")
    if answer.status == 403 and probe.want_words:
        return Row(probe, "403: the certificate is accepted, its owner is not allowed", FAILED, "forbidden")
    if probe.want_words or answer.status is None:
        return Row(probe, _words(answer), FAILED, "upstream" if answer.status in (502, 504) else "other")
    return _judge_stranger(probe, answer.status)


def _judge_stranger(probe: Probe, status: int) -> Row:
    """An answer that is not ours to read; see ``compare`` for what it was before."""
    if status < 500:
        return Row(probe, f"{status}, an answer that is not ours to read", INCONCLUSIVE)
    if probe.part == "proxy" and probe.kind != SERVER:
        # This host's own nginx answers so where it does not accept the other side.
        return Row(probe, f"{status}: no answer of A that this side accepts", FAILED, "upstream")
    return Row(probe, f"{status}: it took the certificate, and what is behind it fails", INCONCLUSIVE)


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
    """Judge the rows that say something only beside another one.

    A refusal that the good client got as well proves nothing: inconclusive. A site may answer refused
    clients with a page of its own (``error_page 495 496``): that is a refusal where the good client got the
    site's answer, and for a certificate also where it is the answer to a client without one, which nginx
    cannot have let in. A 502 of B's listener is A's own where each server of the route gave the same one.
    """
    good = {_place(row.probe): row for row in rows if row.probe.kind == GOOD}
    none = {_place(row.probe): row for row in rows if row.probe.kind == NO_CERTIFICATE}
    # First the rows without a certificate: the others are compared with them.
    for row in sorted(rows, key=lambda one: one.probe.kind != NO_CERTIFICATE):
        if row.probe.refused:
            _beside_good(row, good.get(_place(row.probe)), none.get(_place(row.probe)))
    for row in rows:
        if row.verdict == FAILED and row.cause == "upstream" and not row.probe.want_words:
            _beside_servers(row, [one for one in rows if one.probe.kind == SERVER])


def _beside_good(row: Row, good: Optional[Row], none: Optional[Row]) -> None:
    let_in = good is not None and good.verdict == OK and bool(good.probe.want_words)
    if row.verdict == OK:
        if good is not None and not let_in and set(row.statuses) & set(good.statuses) - {None}:
            row.verdict = INCONCLUSIVE
            row.got += ", as the good client did"
        return
    own_page = row.verdict == INCONCLUSIVE and all(status and status < 500 for status in row.statuses)
    if not own_page or not row.statuses or not let_in or row.probe.want_status != (400,):
        return
    if none is row:
        row.verdict = OK
        row.got += ", the site's page for who is refused"
    elif none is not None and none.verdict == OK and _alike(none, row):
        row.verdict = OK
        row.got += ", as without a certificate"


def _alike(one: Row, other: Row) -> bool:
    return set(one.statuses) == set(other.statuses) and set(one.bodies) == set(other.bodies)


def _beside_servers(row: Row, servers: Sequence[Row]) -> None:
    mine = [one for one in servers if one.probe.subject == row.probe.subject]
    if mine and all(set(one.statuses) == set(row.statuses) for one in mine):
        row.verdict, row.cause = INCONCLUSIVE, ""
        row.got = f"{row.statuses[0]}, as A itself answers: what is behind it fails"


def _place(probe: Probe) -> tuple[str, str, str, int, str]:
    return probe.subject, probe.server_name, probe.address, probe.port, probe.tls_version


def compare(rows: Sequence[Row], baseline: Mapping[Any, Row]) -> None:
    """Judge answers that are not ours to read by those from before the switch: never worse in class.

    Any answer but a refusal (400) or a server's fault is fine; so is a 400 that was there before, unless it
    is nginx's own page for a refused client.
    """
    for row in rows:
        before = baseline.get(row.probe.key)
        if row.probe.want_words or row.probe.kind not in (GOOD, SERVER, ROUTE) or not row.statuses:
            continue
        said = f"before the switch {before.statuses[0]}" if before and before.statuses else "none from before"
        if row.verdict == INCONCLUSIVE and _fine(row) and row.probe.kind != GOOD:
            row.verdict = OK
            row.got += f" ({said})"
        elif row.cause == "refused" and row.statuses[0] and before is not None and before is not row:
            same = bool(before.statuses) and before.statuses[0] in _REFUSALS
            if same and not any(_NGINX_SAYS in body for body in row.bodies):
                row.verdict, row.cause = INCONCLUSIVE, ""
                row.got = f"{row.statuses[0]}, as before the switch: it may be the application's"
            elif not same:
                row.got += f" ({said})"


def _fine(row: Row) -> bool:
    return all(status and status < 500 and status not in _REFUSALS for status in row.statuses)


def settle(
    rows: Sequence[Row], changed: frozenset[tuple[str, str]], baseline: Mapping[Any, Row]
) -> list[Row]:
    """The rows that block. What is only carried over and failed before, too, becomes ``was_failing``: an
    expired half of a host never keeps the other half from being mended, nor what is mended there from
    being seen (behind A's expired certificate B's own may stand).

    *changed*: (kind of thing, name) of what this call changes: ``(part, credential)`` as ``("server",
    "orders")`` and blocks as ``("server block", "orders")``.
    """
    compare(rows, baseline)
    blocking = []
    for row in rows:
        if row.verdict != FAILED:
            continue
        before = _before(row, rows, baseline)
        if before is not None and _carried(row, before) and not _things(row.probe) & changed:
            row.verdict = WAS_FAILING
            if before.got != row.got:
                row.got += f" (before the switch: {before.got})"
        else:
            blocking.append(row)
    return blocking


def _before(row: Row, rows: Sequence[Row], baseline: Mapping[Any, Row]) -> Optional[Row]:
    """How it was before the switch. nginx's own sessions with a server outlive a certificate until it is
    reloaded (``proxy_ssl_session_reuse``): a route that seemed to work was broken, if each of its servers
    refused a new connection then as now."""
    before = baseline.get(row.probe.key)
    if row.probe.kind != ROUTE or (before is not None and before.verdict == FAILED):
        return before
    now = [one for one in rows if one.probe.kind == SERVER and one.probe.subject == row.probe.subject]
    then = [baseline[one.probe.key] for one in now if one.probe.key in baseline]
    broken = all(one.verdict in (FAILED, WAS_FAILING) for one in [*now, *then])
    return then[0] if then and len(then) == len(now) and broken else before


def _things(probe: Probe) -> set[tuple[str, str]]:
    """All that a call may change and the answer hangs on."""
    named = {(probe.part, name) for name in (probe.credential, probe.identity, probe.trust) if name}
    return named | {(f"{probe.part} block", probe.subject)}


def _carried(row: Row, before: Row) -> bool:
    # The id of the release is this call's doing, whatever was served before; a revoked client that gets in
    # is what the call is about.
    if before.verdict != FAILED or row.cause == "id" or row.probe.revoked:
        return False
    return row.cause == before.cause or row.cause not in _NEVER_CARRIED


def positive(rows: Sequence[Row]) -> str:
    """``proven`` when every good client was let in, else ``unproven``; a host without sites has nothing
    open."""
    good = [row for row in rows if row.probe.kind == GOOD]
    return "proven" if all(row.verdict == OK for row in good) else "unproven"


def drifted(rows: Sequence[Row]) -> bool:
    """Does nginx serve something else than this release? Only rows that this host alone decides count."""
    return any(
        row.verdict == FAILED and row.cause in ("id", "leaf", "unreachable") and _local(row.probe)
        for row in rows
    )


def _local(probe: Probe) -> bool:
    return probe.kind in (GOOD, "certificate served", "release served")


_REMEDIES = {
    "id": "nginx serves another release: see whether somebody else's reload or a second nginx is at work.",
    "leaf": "Another server block answers with its own certificate there: look for one with the same name.",
    "unreachable": "Start that server, or open the way to it, and run again.",
    "certificate": "Mend the certificate or the name of that server, or this side's trust, and run again.",
    "refused": "The other side's trust does not accept it, or it is sent without its intermediate.",
    "forbidden": "Put the client on the site's allow list, or use another credential.",
    "upstream": "See nginx's error log on this host for the cause; endpoint_info asks that server directly.",
    "late": "The time for all questions was over: see who is slow to answer, or raise timeout_s.",
    "load": "Mend that certificate and key: nobody could be asked with them.",
    "admitted": "Somebody got in who must not: look at trust, ssl_verify_client and sessions of the site, "
    "and at other server blocks of that address and port.",
    "identity": "Another client certificate was seen: does another upstream or server block answer?",
}


def remedy(row: Row) -> str:
    """What a person does about a failed row."""
    if row.cause == "refused" and row.probe.part == "server":
        return "The site does not accept the probe's certificate: is its CA trusted, its CRL current?"
    return _REMEDIES.get(row.cause, "See the row's got, and nginx's error log on this host.")
