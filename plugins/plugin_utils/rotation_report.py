# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``rotate.yml`` says: its plan, how far it is, and the table at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation import (
    DUE,
    FRESH,
    READY,
    REVOKED,
    STUCK,
    UNREAD,
    WAITS,
)

#: The fact `mtls_rotate_state` of a host on which the run has begun, and stops; of one on which it has ended
#: well; and of one that is not done, and that no other host waits for.
ATTEMPTED, DONE, PASSED = "attempted", "done", "passed"
#: States of the table that a person has to look at.
FAILED, ROLLED_BACK, UNREACHABLE = "failed", "rolled back", "unreachable"
NOT_REACHED = "not reached"
BAD = (FAILED, ROLLED_BACK, UNREACHABLE, STUCK, UNREAD)
_HEAD = ("host", "credential", "old serial", "new serial", "days left", "seconds", "state", "reason")
_SERIAL = 12


def plan_lines(plan: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each certificate that is due, and one for each host that a person has to look at."""
    lines = []
    for host, planned in plan.items():
        if planned["state"] in (UNREAD, STUCK) and planned["why"]:
            lines.append(f"{host}: {planned['state'].upper()}: {planned['why']}")
        # New trust has no end of its own: it is in the host's `why`.
        lists = [one for one in planned["settings"] if "action" in one]
        for one in (*lists, *planned["credentials"]):
            wait = f" ({planned['why']})" if planned["state"] == WAITS else ""
            stuck = "STUCK: " if one["action"] == STUCK else ""
            left = "unknown" if one["days_left"] is None else one["days_left"]
            lines.append(f"{host} {_called(one)}: {stuck}{one['why']}; {left} days left{wait}")
        if planned["why"] and planned["state"] in (DUE, FRESH):
            lines.append(f"{host}: {planned['why']}")
        if planned["to"] and planned["state"] == DUE:
            lines.append(f"{host}: switches to what is {planned['to']}")
    counts = Counter(planned["state"] for planned in plan.values())
    told = ", ".join(
        f"{counts[state]} {state}" for state in (DUE, WAITS, READY, FRESH, STUCK, UNREAD) if counts[state]
    )
    return [*lines, f"{len(plan)} hosts: {told or 'none'}"]


def rows(
    plan: Mapping[str, Mapping[str, Any]], hostvars: Mapping[str, Any], until: str, lost: str = ""
) -> list[dict[str, Any]]:
    """A row for each certificate that is or was due, one for the CRLs of a credential that are, and one for a
    host where nothing is known or nothing is due:
    ``{host, credential, old_serial, new_serial, days_left, seconds, state, reason}``.

    *lost*: what is said of a host that was lost on the way.
    """
    found: list[dict[str, Any]] = []
    for host, planned in plan.items():
        variables = hostvars.get(host, {})
        result = variables.get("mtls_rotate_result") or {}
        asked = variables.get("mtls_requests") or {}
        # Lost before `release` was called, so that this was left out.
        told = asked if asked.get("unreachable") else result
        marked = variables.get("mtls_rotate_state") or ""
        state, why = _state(planned, marked, told, until)
        why = str(variables.get("mtls_rotate_reason") or "") if state in BAD and not why else why
        why = f"{why.rstrip('.')}. {lost}" if state == UNREACHABLE and lost else why
        after = {(one["part"], one["name"]): one for one in result.get("credentials") or []}
        seconds = round(sum((result.get("seconds") or {}).values()), 1) if result else None
        changing = _changing(planned, variables.get("mtls_installed") or {}, after)
        lists = [one for one in planned["settings"] if "action" in one]
        for one in [*lists, *changing] or [{}]:
            key = (one.get("part"), one.get("name"))
            left = one.get("action") in (STUCK, REVOKED)
            own, said = (one["action"], one["why"]) if left else (state, why)
            ended = _ended(result) if marked == DONE and "clients" in planned and key[0] == "server" else ""
            new = (after.get(key) or {}).get("serial") or ""
            found.append(
                {
                    "host": host,
                    "credential": _called(one) if one else "",
                    "old_serial": one.get("serial") or "",
                    "new_serial": new if own == until and "kinds" not in one else "",
                    "days_left": one.get("days_left"),
                    "seconds": seconds,
                    "state": own,
                    "reason": (said or one.get("why") or planned["why"]) + ended,
                }
            )
    return found


def _ended(result: Mapping[str, Any]) -> str:
    """Of ``revoke.yml``, which waits for that: a connection from before would go by the list from before."""
    after = result.get("shutdown_timeout_s")
    return "; no connection from before is open" + (f", nginx ends them after {after} s" if after else "")


def _called(one: Mapping[str, Any]) -> str:
    """``server/orders``, and of its CRLs ``server/orders crl``."""
    return " ".join([f"{one['part']}/{one['name']}", *one.get("kinds", ())])


def _changing(
    planned: Mapping[str, Any], told: Mapping[str, Any], after: Mapping[Any, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """What is due; of a release that was there before, also what turned out to be another certificate in
    it."""
    found = list(planned["credentials"])
    listed = {(one["part"], one["name"]) for one in found}
    for one in told.get("credentials") or [] if planned["to"] else []:
        key, known = (one.get("part"), one.get("name")), one.get("certificate") or {}
        if key in after and key not in listed and after[key].get("serial") != known.get("serial"):
            more = {"why": f"the release that was {planned['to']}", "action": ""}
            found.append({**more, "part": key[0], "name": key[1], **known})
    return found


def _state(planned: Mapping[str, Any], marked: str, result: Mapping[str, Any], until: str) -> tuple[str, str]:
    """The word of the table, and a sentence where the plan or ``release`` has one."""
    if marked == DONE:
        return until, ""
    if marked in (ATTEMPTED, PASSED):
        if result.get("unreachable"):
            return UNREACHABLE, str(result.get("msg") or "")
        if planned["state"] == UNREAD:
            return UNREACHABLE, planned["why"]
        if result.get("state") == "rolled_back":
            return ROLLED_BACK, str(result.get("msg") or "")
        return FAILED, str(result.get("msg") or "")
    if planned["state"] == DUE:
        return NOT_REACHED, "the run ended before it"
    return planned["state"], planned["why"]


def table(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as lines of equal columns; what is fine and has nothing to tell is one line at the end."""
    shown = [one for one in found if one["state"] != FRESH]
    cells = [_HEAD, *(_cells(one) for one in shown)] if shown else []
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD) - 1)] if cells else []
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip()
        for row in cells
    ]
    fresh = len({one["host"] for one in found if one["state"] == FRESH})
    if fresh:
        lines.append(f"{fresh} {'host has' if fresh == 1 else 'hosts have'} nothing that is due")
    return lines


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        one["host"],
        one["credential"] or "-",
        one["old_serial"][:_SERIAL] or "-",
        one["new_serial"][:_SERIAL] or "-",
        "-" if one["days_left"] is None else str(one["days_left"]),
        "-" if one["seconds"] is None else f"{one['seconds']:.1f}",
        one["state"],
        " ".join(one["reason"].split()),
    )


def progress(hostvars: Mapping[str, Any], hosts: Iterable[str], seconds: float) -> str:
    """How far the run is after a batch: *hosts* are all of this run, *seconds* have passed since it began."""
    hosts = list(hosts)
    states = {host: (hostvars[host].get("mtls_rotate_state") or "") for host in hosts if host in hostvars}
    done = sum(state == DONE for state in states.values())
    bad = [host for host, state in states.items() if state in (ATTEMPTED, PASSED)]
    stops = [host for host in bad if states[host] == ATTEMPTED]
    back = sum((hostvars[host].get("mtls_rotate_result") or {}).get("state") == "rolled_back" for host in bad)
    left = len(hosts) - done - len(bad)
    line = f"{done} of {len(hosts)} hosts done, {left} left, {back} rolled back, {len(bad) - back} failed"
    if stops:
        return f"{line}; the run stops after {', '.join(stops[:5])}"
    if bad:
        line += f"; not done, and nobody waits for it: {', '.join(bad[:5])}"
    tried = done + len(bad)
    return f"{line}; about {_minutes(seconds / tried * left)} more" if tried and left else line


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def edge_lines(told: Mapping[str, Any]) -> list[str]:
    """Of the edges only what is not well; those that would break end the run, and are told there."""
    lines = [f"edges: WARNING: {text}" for text in told["revoked"]]
    lines += [f"edges: warning: {text}" for text in told["broken"] + told["doubtful"]]
    return lines + [f"edges: {text}" for text in told["unknown"]]


def message(found: Sequence[Mapping[str, Any]], again: str = "") -> str:
    """Why the run ends with an error, and what to do. *again*: how the run that goes on differs from this
    one."""
    hosts = failing(found)
    first = next((one for one in found if one["state"] in BAD), None)
    if first is None:
        return ""
    return (
        f"{len(hosts)} {'host is' if len(hosts) == 1 else 'hosts are'} not done: {', '.join(hosts[:5])}."
        f" {first['host']}: {first['state']}: {first['reason']}"
        f" What is done stays done; mend it, and run the same again{again and ' ' + again}:"
        " it goes on with the rest."
    )


def failing(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The hosts for which the run ends with an error."""
    return sorted({one["host"] for one in found if one["state"] in BAD})
