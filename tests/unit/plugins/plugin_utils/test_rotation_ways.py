# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are left on a retired authority: every history of rotate.yml over 2 A and 2 B, whatever each of
them has at first, with two controllers, each host done or not, each run stopped and made again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import Host, Work
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import rotation_authority

pytestmark = pytest.mark.once

OLD, NEW = "old", "new"
SERVERS, PROXIES = (0, 1), (2, 3)
Hosts = tuple[Host, ...]
Works = tuple[Optional[Work], ...]
KINDS = [
    Host(frozenset(trusts), frozenset(issuers))
    for trusts, issuers in (({OLD}, {OLD}), ({OLD, NEW}, {OLD}), ({OLD, NEW}, {NEW}), ({NEW}, {NEW}))
]


@dataclass(frozen=True)
class Run:
    """*plan* holds what is still to be done; *stale*: hosts that the other one has changed since."""

    plan: Works
    stale: frozenset[int] = frozenset()


@dataclass(frozen=True)
class State:
    hosts: Hosts
    runs: tuple[Run, ...] = ()


def edges(hosts: Hosts) -> frozenset[tuple[int, int]]:
    """Those that work."""
    return frozenset(
        (a, b)
        for a in SERVERS
        for b in PROXIES
        if hosts[a].issuers <= hosts[b].trusts and hosts[b].issuers <= hosts[a].trusts
    )


def changed(host: Host, work: Optional[Work]) -> Host:
    if work is None:
        return host
    trusts = host.trusts if work.trusts is None else work.trusts
    return Host(trusts, frozenset({NEW}) if work.reissue else host.issuers)


def breaks(hosts: Hosts, works: Works) -> bool:
    """As ``rotation_edges`` asks it: with either end as it is, or as it is to be."""
    for part in itertools.product((False, True), repeat=len(hosts)):
        mixed = tuple(changed(host, work if new else None) for host, work, new in zip(hosts, works, part))
        if edges(hosts) - edges(mixed):
            return True
    return False


def wanted(hosts: Hosts) -> dict[str, Any]:
    """What ``rotation.plan`` says of them."""
    plan: dict[str, Any] = {}
    for number, host in enumerate(hosts):
        changes = [{"lacks": NEW not in host.trusts}] if host.trusts != {NEW} else []
        credentials = [{"action": "request"}] if OLD in host.issuers else []
        state = "due" if changes or credentials else "fresh"
        plan[str(number)] = {
            "state": state, "settings": changes, "credentials": credentials, "why": "", "to": "",
        }  # fmt: skip
    return plan


def works(hosts: Hosts, plan: Mapping[str, Any]) -> Works:
    found: list[Optional[Work]] = []
    for number, host in enumerate(hosts):
        planned = plan[str(number)]
        trusts = None
        for one in planned["settings"]:
            trusts = frozenset({NEW}) | (host.trusts if one.get("beside") else frozenset())
        work = Work(trusts, bool(planned["credentials"]))
        found.append(work if planned["state"] == "due" and work != Work() else None)
    return tuple(found)


Ways = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]


def all_ways(plan: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return rotation_authority.ways(plan, {})


def begun(hosts: Hosts, ways: Ways, judges: bool) -> Optional[Works]:
    """What a run does, None where each way would break an edge."""
    for plan in ways(wanted(hosts)):
        found = works(hosts, plan)
        if not judges or not breaks(hosts, found):
            return found
    return None


def after(state: State, ways: Ways, judges: bool) -> Iterator[State]:
    for number, run in enumerate(state.runs):
        others = tuple(one for place, one in enumerate(state.runs) if place != number)
        yield replace(state, runs=others)  # it is stopped
        for place, work in enumerate(run.plan):
            if work is None or place in run.stale:  # `release` refuses where it is not as it was read
                continue
            hosts = (*state.hosts[:place], changed(state.hosts[place], work), *state.hosts[place + 1 :])
            rest = (*run.plan[:place], None, *run.plan[place + 1 :])
            told = tuple(replace(one, stale=one.stale | {place}) for one in others)
            more = (replace(run, plan=rest),) if any(rest) else ()
            yield State(hosts, tuple(sorted((*told, *more), key=repr)))
    if len(state.runs) < 2:
        plan = begun(state.hosts, ways, judges)
        if plan and any(plan):
            yield replace(state, runs=tuple(sorted((*state.runs, Run(plan)), key=repr)))


def explore(ways: Ways = all_ways, judges: bool = True) -> tuple[int, str]:
    """How many states there are, and the first fault."""
    seen = {State(hosts) for hosts in itertools.product(KINDS, repeat=4)}
    layer = list(seen)
    while layer:
        following = []
        for state in layer:
            if not state.runs and (fault := endless(state.hosts, ways, judges)):
                return len(seen), fault
            for reached in after(state, ways, judges):
                if edges(state.hosts) - edges(reached.hosts):
                    return len(seen), "an edge that worked is broken"
                if reached not in seen:
                    seen.add(reached)
                    following.append(reached)
        layer = following
    return len(seen), ""


def endless(hosts: Hosts, ways: Ways, judges: bool) -> str:
    """Three runs without a fault end it, from wherever."""
    for _run in range(3):
        plan = begun(hosts, ways, judges)
        if plan is None:
            return "no way is open"
        hosts = tuple(map(changed, hosts, plan))
    return "" if set(hosts) == {KINDS[-1]} else "three runs do not end it"


def test_no_history_breaks_an_edge_and_three_runs_end_it() -> None:
    states, fault = explore()
    print(f"2 A, 2 B, two controllers: {states} states")
    assert fault == ""
    assert states > 1000


@pytest.mark.parametrize(
    ("ways", "judges", "fault"),
    [
        (lambda plan: [plan], True, "no way is open"),
        (lambda plan: list(all_ways(plan))[:2], True, "no way is open"),
        (lambda plan: [plan, *list(all_ways(plan))[2:]], True, "no way is open"),
        (lambda plan: list(all_ways(plan))[-1:], True, "three runs do not end it"),
        (all_ways, False, "an edge that worked is broken"),
    ],
    ids=["as wanted", "without trust first", "without certificates alone", "gently always", "not judged"],
)
def test_each_way_is_needed(ways: Ways, judges: bool, fault: str) -> None:
    assert explore(ways, judges)[1] == fault
