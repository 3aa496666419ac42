# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every history of a fleet under ``rotate`` and ``rotate_ca``: any phase begun at any time, two controllers,
each host done, refused by its proof, not reached, killed before or behind the switch, each run stopped and
made again.

A state is the hosts, the authority's directory, and the runs that go on. Runs may be begun for ever, so all
histories of any length are covered once no new state turns up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_rotation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import (
    ISSUE,
    PHASES,
    RETIRE,
    Host,
    Work,
)

OLD, NEW = "old", "new"
ROTATE = "rotate"
KINDS = (*PHASES, ROTATE)
Hosts = tuple[Host, ...]


@dataclass(frozen=True)
class Store:
    """The authority's directory: who signs, and whether the old one is retired."""

    issuing: str = OLD
    retired: bool = False


@dataclass(frozen=True)
class Run:
    """One controller's run: *plan* holds what is still to be done, by host; *stale*: hosts that somebody
    else has changed since they were read; *signed*: the issuer of the certificate that waits to be
    delivered."""

    kind: str
    plan: tuple[Optional[Work], ...]
    stale: frozenset[int] = frozenset()
    signer: str = OLD
    signed: str = ""


@dataclass(frozen=True)
class State:
    hosts: Hosts
    store: Store = Store()
    runs: tuple[Run, ...] = ()


@dataclass
class Rules:
    """What the project does; a mutant changes one of them."""

    held_back: Callable[..., Mapping[str, str]] = ca_rotation.held_back
    work: Callable[..., Optional[Work]] = ca_rotation.work
    #: `release` refuses where the live release is not the one that was read.
    expected: bool = True
    #: The directory refuses to list what another than the present issuer signed.
    recorded: bool = True
    #: B's release asks its A, and goes back where it is refused.
    proof: bool = True


@dataclass
class Fleet:
    """*servers* of the hosts are A, the rest B; every B asks every A."""

    servers: int
    proxies: int
    controllers: int
    rules: Rules = field(default_factory=Rules)

    @property
    def size(self) -> int:
        return self.servers + self.proxies

    def start(self) -> State:
        one = Host(frozenset({OLD}), frozenset({OLD}))
        return State((one,) * self.size)

    def works(self, hosts: Hosts) -> bool:
        """Whether every A accepts every B and the reverse."""
        servers, proxies = hosts[: self.servers], hosts[self.servers :]
        return all(a.issuers <= b.trusts and b.issuers <= a.trusts for a in servers for b in proxies)

    # -- what may happen next

    def after(self, state: State) -> Iterator[tuple[str, State]]:
        for number, run in enumerate(state.runs):
            for told, changed, on in self._step(state, run):
                others = tuple(one for place, one in enumerate(changed.runs) if place != number)
                yield told, replace(changed, runs=_sorted((*others, on) if on else others))
        if len(state.runs) < self.controllers:
            for kind in KINDS:
                yield from self._begin(state, kind)

    def _begin(self, state: State, kind: str) -> Iterator[tuple[str, State]]:
        """A run reads the fleet, with one host that it does not reach, or all of them; and passes its barrier
        or ends."""
        for missing in (None, *range(self.size)):
            read = {str(n): None if n == missing else host for n, host in enumerate(state.hosts)}
            store = state.store
            if kind in PHASES and self.rules.held_back(kind, read, OLD, NEW):
                continue
            if kind == ROTATE:
                plan = tuple(None if host is None else Work(reissue=True) for host in read.values())
            else:
                # What trust adds are the authorities of the directory; a retired one is none of them.
                plan = tuple(
                    None if host is None else self.rules.work(kind, host, OLD, NEW) for host in read.values()
                )
            if kind == ISSUE:
                store = replace(store, issuing=NEW)
            if kind == RETIRE:
                store = replace(store, retired=True)
            if any(plan) or store != state.store:
                run = Run(kind, plan, signer=store.issuing)
                yield (
                    f"{kind} begins",
                    replace(
                        state, store=store, runs=_sorted((*state.runs, run) if any(plan) else state.runs)
                    ),
                )

    def _step(self, state: State, run: Run) -> Iterator[tuple[str, State, Optional[Run]]]:
        """The next step of a run; it has ended where there is no run any more."""
        yield f"{run.kind} is stopped", state, None
        place = min(n for n, one in enumerate(run.plan) if one)
        work = run.plan[place]
        assert work is not None
        if work.reissue and not run.signed:
            if self.rules.recorded and run.signer != state.store.issuing:
                yield f"{run.kind}: the authority signs no more", state, None
            else:
                yield f"{run.kind}: signed for {place}", state, replace(run, signed=run.signer)
            return
        changed = self._changed(state, run, place, work)
        rest = replace(run, plan=(*run.plan[:place], None, *run.plan[place + 1 :]), signed="")
        if changed is None:
            yield f"{run.kind}: refused on {place}", state, None
            return
        yield f"{run.kind}: done on {place}", changed, rest if any(rest.plan) else None
        yield f"{run.kind}: killed behind the switch on {place}", changed, None

    def _changed(self, state: State, run: Run, place: int, work: Work) -> Optional[State]:
        """The state with that host changed, None where its release does not happen."""
        if self.rules.expected and place in run.stale:
            return None
        host = state.hosts[place]
        if work.reissue:
            host = replace(host, issuers=frozenset({run.signed}))
            asks = place >= self.servers
            servers = state.hosts[: self.servers]
            if self.rules.proof and asks and not all(host.issuers <= a.trusts for a in servers):
                return None
        if work.trusts is not None:
            host = replace(host, trusts=work.trusts)
        runs = tuple(one if one is run else replace(one, stale=one.stale | {place}) for one in state.runs)
        hosts = (*state.hosts[:place], host, *state.hosts[place + 1 :])
        return replace(state, hosts=hosts, runs=runs)

    # -- what must hold

    def fault(self, before: State, state: State) -> str:
        if not self.works(state.hosts):
            return "an edge that worked is broken"
        for old, new in zip(before.hosts, state.hosts):
            if OLD in new.trusts and OLD not in old.trusts:
                return "a host trusts the old authority again"
        if state.store.retired and any(OLD in host.issuers for host in state.hosts):
            return "it is retired, and a certificate of it is live"
        return ""

    def finishes(self, state: State) -> bool:
        """Whether the three phases, run once more without a fault, end with the new authority alone."""
        state = replace(state, runs=())
        for kind in PHASES:
            # The first of its beginnings is the one that reads all hosts.
            begun = next((after for _told, after in self._begin(state, kind)), state)
            state = self._through(begun)
        only = frozenset({NEW})
        return all(host == Host(only, only) for host in state.hosts)

    def _through(self, state: State) -> State:
        while state.runs:
            for told, changed, on in self._step(state, state.runs[0]):
                if "stopped" in told or "killed" in told:
                    continue
                state = replace(changed, runs=(on,) if on else ())
                break
        return state


def _sorted(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Controllers have no names: two that have changed places are one state."""
    return tuple(sorted(runs, key=repr))


@dataclass
class Explored:
    states: int
    steps: int
    fault: str = ""
    history: tuple[str, ...] = ()


def explore(fleet: Fleet, most: int = 5_000_000) -> Explored:
    """All states, breadth first; ends at the first fault, with its shortest history."""
    start = fleet.start()
    came: dict[State, Optional[tuple[State, str]]] = {start: None}
    layer, steps = [start], 0
    while layer:
        following = []
        for state in layer:
            if not state.runs and not fleet.finishes(state):
                return Explored(len(came), steps, "a rerun does not end", _history(came, state))
            for told, reached in fleet.after(state):
                steps += 1
                fault = fleet.fault(state, reached)
                if fault:
                    return Explored(len(came), steps, fault, (*_history(came, state), told))
                if reached not in came:
                    came[reached] = (state, told)
                    following.append(reached)
        assert len(came) <= most, "too many states"
        layer = following
    return Explored(len(came), steps)


def _history(came: Mapping[State, Optional[tuple[State, str]]], state: State) -> tuple[str, ...]:
    told: list[str] = []
    at = came[state]
    while at is not None:
        told.append(at[1])
        at = came[at[0]]
    return tuple(reversed(told))
