# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rows of a proof mean beside each other and beside those from before the switch, and which of them
block a release. ``_core/answers.py`` judges each by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .answers import (
    ADMITTED,
    CERTIFICATE,
    FAILED,
    FORBIDDEN,
    ID,
    IDENTITY,
    INCONCLUSIVE,
    LATE,
    LEAF,
    LOAD,
    OK,
    REFUSALS,
    REFUSED,
    REFUSED_PAGE,
    UNREACHABLE,
    UPSTREAM,
    WAS_FAILING,
    Row,
)
from .desired import PROBE
from .probes import GOOD, NO_CERTIFICATE, ROUTE, SERVER, Probe
from .release import credential_names
from .revocation import Clients

#: What is said of a Server A that lets a revoked client in.
ADMITS = ", though it is revoked"
#: This host's own faults: that something failed in another way before excuses none of them.
_OWN = (ID, ADMITTED, IDENTITY, LEAF)


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
        if row.verdict == FAILED and row.cause == UPSTREAM and not row.probe.want_words:
            _beside_servers(row, [one for one in rows if one.probe.kind == SERVER])


def _beside_good(row: Row, good: Optional[Row], none: Optional[Row]) -> None:
    let_in = good is not None and good.verdict == OK
    if row.verdict == OK:
        if good is not None and set(row.statuses) & set(good.statuses) - {None}:
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
        elif row.cause == REFUSED and row.statuses[0] and before is not None:
            same = bool(before.statuses) and before.statuses[0] in REFUSALS
            if same and not any(REFUSED_PAGE in body for body in row.bodies):
                row.verdict, row.cause = INCONCLUSIVE, ""
                row.got = f"{row.statuses[0]}, as before the switch: it may be the application's"
            elif not same:
                row.got += f" ({said})"


def _fine(row: Row) -> bool:
    return all(status and status < 500 and status not in REFUSALS for status in row.statuses)


def settle(
    rows: Sequence[Row],
    changed: frozenset[tuple[str, str]],
    baseline: Mapping[Any, Row],
    clients: Optional[Clients] = None,
) -> list[Row]:
    """The rows that block. What is only carried over and failed before, too, becomes ``was_failing``: an
    expired half of a host never keeps the other half from being mended, nor what is mended there from
    being seen (behind A's expired certificate B's own may stand).

    *changed*: (kind of thing, name) of what this call changes: ``(part, credential)`` as ``("server",
    "orders")`` and blocks as ``("server block", "orders")``. *clients* of part proxy may be refused because
    they are revoked, which is right.
    """
    compare(rows, baseline)
    blocking = []
    for row in rows:
        if row.verdict == OK and row.probe.kind == SERVER and clients:
            # This Server A has no list that says so; who sent the list there is to know.
            row.got += ADMITS if clients.is_revoked(row.probe.credential) else ""
        if row.verdict != FAILED:
            continue
        before = _before(row, rows, baseline)
        if clients and _is_refused(row) and clients.is_revoked(row.probe.credential):
            row.verdict, row.cause = OK, ""
            row.got += ", as it must be: it is revoked"
        elif before is not None and _failed_alike(row, before) and is_carried(row, changed, clients):
            row.verdict = WAS_FAILING
            if before.got != row.got:
                row.got += f" (before the switch: {before.got})"
        else:
            blocking.append(row)
    return blocking


def is_carried(row: Row, changed: frozenset[tuple[str, str]], clients: Optional[Clients] = None) -> bool:
    """Whether a call that changes *changed* may only carry the failure of *row* over. The id of the release
    is its doing, whatever was served before; a revoked client that gets in is what it is about. That A
    refuses a certificate that stays as it is, is not the doing of new trust or CRLs beside it; that A is
    down, not of CRLs."""
    if clients and row.probe.part == "proxy":
        refused = row.cause == REFUSED and clients.is_kept(row.probe.credential)
        down = row.cause in (UNREACHABLE, UPSTREAM) and clients.has_other_lists(row.probe.credential)
        if refused or down:
            changed -= {("proxy", row.probe.credential)}
    return row.cause != ID and not row.probe.revoked and not _things(row.probe) & changed


def _is_refused(row: Row) -> bool:
    return row.cause == REFUSED and row.probe.part == "proxy"


def settle_unchanged(rows: Sequence[Row]) -> list[Row]:
    """The rows that block a call that changes nothing: what others answer, and whom they are, is not its
    doing, and becomes ``was_failing``. But what nobody had the time to ask is not known."""
    compare(rows, {})
    blocking = []
    for row in rows:
        if row.verdict == FAILED and row.cause != LATE and is_carried(row, frozenset()):
            row.verdict = WAS_FAILING
        elif row.verdict == FAILED:
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


def _failed_alike(row: Row, before: Row) -> bool:
    return before.verdict == FAILED and (row.cause == before.cause or row.cause not in _OWN)


def positive(rows: Sequence[Row]) -> str:
    """``proven`` when every good client was let in, else ``unproven``; a host without sites has nothing
    open."""
    good = [row for row in rows if row.probe.kind == GOOD]
    return "proven" if all(row.verdict == OK for row in good) else "unproven"


def warnings(rows: Sequence[Row], source: Mapping[str, bytes]) -> list[str]:
    """Sentences about the proof of the release of *source*: what failed before as well, and that nobody was
    seen to get in, since a host that lets nobody in looks like a good one."""
    still = [row for row in rows if row.verdict == WAS_FAILING]
    found = [
        f"Row 1 of {len(still)} of the proof that fail as they did before: {row.probe.kind}, "
        f"{row.probe.target}: {row.got}. {remedy(row)}"
        for row in still[:1]
    ]
    good = [row for row in rows if row.probe.kind == GOOD]
    unseen = [row for row in good if row.verdict == INCONCLUSIVE]
    for row in unseen[:1]:
        what = ""
        if PROBE not in credential_names(source, "server"):
            what = (
                "Give Server A a client certificate that its sites accept, with its key: "
                f"mtls_server_credentials[].probe, or credential {PROBE} of part server."
            )
        elif row.probe.rounds and not row.probe.want_words:
            what = "Give the site a probe path, which answers with the release's id."
        places = f"at {len(unseen)} of {len(good)} places" if len(good) > 1 else "there"
        words = f"the first: {row.probe.target}: {row.got}. {what}".strip()
        found.append(f"A good client was not seen to get in {places} (positive: unproven), {words}")
    return found


def drifted(rows: Sequence[Row]) -> bool:
    """Does nginx serve something else than this release? Only rows that this host alone decides count."""
    return any(row.verdict == FAILED and _local(row) for row in rows)


def _local(row: Row) -> bool:
    """Whether it is this host's nginx that fails, as far as a reload may mend it. The good client may be
    refused because its own certificate has expired, and what nobody had the time to ask says nothing."""
    if row.probe.kind in (ROUTE, SERVER) or row.probe.revoked or row.cause in (LATE, LOAD):
        return False
    return row.probe.kind != GOOD or row.cause not in (REFUSED, FORBIDDEN)


_REMEDIES = {
    ID: "nginx serves another release: see whether somebody else's reload or a second nginx is at work.",
    LEAF: "Another server block answers with its own certificate there: look for one with the same name.",
    UNREACHABLE: "Start that server, or open the way to it, and run again.",
    CERTIFICATE: "Mend the certificate or the name of that server, or this side's trust, and run again.",
    REFUSED: "The other side's trust does not accept it, or it is sent without its intermediate.",
    FORBIDDEN: "Put the client on the site's allow list, or use another credential.",
    UPSTREAM: "See nginx's error log on this host for the cause; endpoint_info asks that server directly.",
    LATE: "The time for all questions was over: see who is slow to answer, or raise timeout_s.",
    LOAD: "Mend that certificate and key: nobody could be asked with them.",
    ADMITTED: "Somebody got in who must not: look at trust, ssl_verify_client and sessions of the site, "
    "and at other server blocks of that address and port.",
    IDENTITY: "Another client certificate was seen: does another upstream or server block answer?",
}


def remedy(row: Row) -> str:
    """What a person does about a failed row."""
    if row.cause == REFUSED and row.probe.part == "server":
        return "The site does not accept the probe's certificate: is its CA trusted, its CRL current?"
    return _REMEDIES.get(row.cause, "See the row's got, and nginx's error log on this host.")
