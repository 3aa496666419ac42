# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every history of calls upon one made-up host: each call in full, killed behind each of its effects, with
each of its steps failing, and with something else happening before each of its steps.

A node is a host between two calls. A kill needs no run of its own: what it leaves is what the run had made of
the host by then, for nothing of a killed process lives on.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unittest import mock

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import blocks, proof_plan
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import Intent
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import engine
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Options, Outcome
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.made_up_host import parts, ports_of
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.world import (
    ALWAYS,
    BY_HAND,
    EVENTS,
    FAILURES,
    PENDING_KEY,
    Disk,
    Frozen,
    Step,
    World,
    canonical,
    loaded,
)

_PEM = "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n"


def _with_credential(text: str) -> dict[str, Any]:
    """A part whose credential's key was made on the host and waits for its certificate."""
    given = parts(text)["proxy"]
    credential = {
        "name": "client",
        "certificate_content": _PEM,
        "private_key_content": PENDING_KEY.decode(),
        "trust": {"sources": [{"content": _PEM}]},
    }
    return {"proxy": {**given, "credentials": [credential]}}


CALLS: Mapping[str, Intent] = {
    "A": Intent(parts=parts("deny all;")),
    "B": Intent(parts=_with_credential("allow all;")),
    # Passes every test, but nothing proves it once it is live.
    "bad": Intent(parts=parts("allow 10.0.0.1;")),
    "same": Intent(),
    "prepare B": Intent(parts=_with_credential("allow all;"), until="checked"),
    "to prepared": Intent(to="prepared"),
    "previous": Intent("rolled_back"),
    "part absent": Intent("absent", {"proxy": {}}),
    "absent": Intent("absent"),
}


#: Steps before which another link, or another nginx, makes a difference: before any other it is the same as
#: before the next of these. (Between the look at the link and the removal of a release there is no time that
#: anybody could wait for.)
OF_LINK = ("read link", "switch", "test live", "reload", "start")
OF_NGINX = ("master", "reload", "start", "prove", "switch", "repair", "write include", "remove include")


@dataclass(frozen=True)
class Ran:
    """What one call made of a host."""

    intent: Intent
    start: Frozen
    end: Frozen
    outcome: Outcome
    error: Exception | None
    steps: Sequence[Step]
    left: Mapping[Frozen, str]
    removed: Sequence[tuple[str, Frozen]]
    event: str = ""

    @property
    def uninterrupted(self) -> bool:
        return not self.event

    @property
    def undisturbed(self) -> bool:
        """Nothing but this call has touched the host."""
        return self.event not in EVENTS


class Caller:
    """Runs calls. *bad*: the release that is never proven; unless told, the one of the call of that name."""

    def __init__(self, bad: str = "") -> None:
        self.sources: dict[str, dict[str, bytes]] = {}
        self.runs = 0
        self.bad = bad
        self.bad = bad or self.run(Frozen(), CALLS["bad"]).outcome.release

    def run(self, host: Frozen, intent: Intent, at: int = 0, event: str = "") -> Ran:
        """As the module does it: a part that is to go from a host without a base needs no transaction."""
        self.runs += 1
        world = World(host, self.sources, frozenset({self.bad}), at, event)
        if intent.state == "absent" and not host.base:
            return Ran(intent, host, host, Outcome(state="absent"), None, [], {}, [], event)
        disk = Disk(world)
        call = engine.Transaction(ports_of(disk, world, lambda: True), Options(keep=1, rounds=1))
        error = None
        try:
            call.apply(intent)
        except (MtlsError, OSError) as found:
            error = found
        end = canonical(world.host)
        return Ran(intent, host, end, call.outcome, error, world.steps, world.left, world.removed, event)


def _once(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A pure function of sources and plain values that is asked the same a million times."""
    known: dict[Any, list[Any]] = {}

    def answer(*values: Any, **named: Any) -> list[Any]:
        key = tuple(repr(one) if isinstance(one, (dict, list)) else one for one in (*values, *named.items()))
        if key not in known:
            known[key] = function(*values, **named)
        return list(known[key])

    return answer


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """No lock and no signal handlers, as there is one call at a time; what is pure is asked once."""

    @contextlib.contextmanager
    def nothing(*_arguments: Any) -> Iterator[Any]:
        yield lambda: None

    with (
        mock.patch.object(engine, "locked", nothing),
        mock.patch.object(engine, "signals_ignored", nothing),
        mock.patch.object(blocks, "parse", lru_cache(None)(blocks.parse)),
        mock.patch.object(proof_plan, "plan", _once(proof_plan.plan)),
    ):
        yield


@dataclass
class Explored:
    """*broken*: invariant → the shortest histories that break it."""

    states: int = 0
    transitions: int = 0
    runs: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)
    by_interruptions: Counter[int] = field(default_factory=Counter)


class Explorer:
    """Breadth first by the number of interruptions, so that the first history found is a shortest one.

    *sample*: of the hosts after two interruptions only every so-manieth is looked at, and of those after one
    only as many see a second one that needs a run of its own to be known: a failing step, and what happens
    between two steps of a call. The kills, and what happens between two calls, are free. *by_hand*: whether
    somebody moves or loses the link, loses state.json or edits the live release.
    """

    def __init__(
        self,
        caller: Caller,
        check: Any,
        interruptions: int | None,
        calls: Mapping[str, Intent] | None = None,
        stop_at_first: bool = False,
        sample: int = 1,
        by_hand: bool = True,
    ) -> None:
        self.caller, self.check, self.interruptions = caller, check, interruptions
        self.calls, self.stop_at_first = calls or CALLS, stop_at_first
        self.sample = sample
        self.happens = {name: event for name, event in EVENTS.items() if by_hand or name not in BY_HAND}
        self.found = Explored()
        self._came: dict[Frozen, tuple[Frozen | None, str]] = {}
        self._plain: dict[tuple[Frozen, str], Ran] = {}

    def plain(self, host: Frozen, name: str) -> Ran:
        key = (host, name)
        if key not in self._plain:
            self._plain[key] = self.caller.run(host, self.calls[name])
        return self._plain[key]

    def explore(self) -> Explored:
        start = canonical(Frozen())
        self._came = {start: (None, "")}
        level, number = [start], 0
        while level:
            later: list[Frozen] = []
            free = self.interruptions is None or number < self.interruptions
            # It grows while it is read: an uninterrupted call costs nothing.
            for place, host in enumerate(level):
                if number > 1 and place % self.sample:
                    continue
                self.found.states += 1
                self.found.by_interruptions[number] += 1
                whole = number == 0 or place % self.sample == 0
                self._expand(host, level, later, free, whole)
                if self.stop_at_first and self.found.broken:
                    return self._done()
            level, number = later, number + 1
        return self._done()

    def _done(self) -> Explored:
        self.found.runs = self.caller.runs
        return self.found

    def _expand(
        self, host: Frozen, level: list[Frozen], later: list[Frozen], free: bool, whole: bool
    ) -> None:
        for name, intent in self.calls.items():
            ran = self.plain(host, name)
            self._judge(ran, name)
            if ran.error is None or ran.end != host:
                again = self.plain(self._ended(ran), name)
                self._report(self.check.twice(ran, again, self.plain(self._ended(again), name)), ran, name)
            self._add(self._ended(ran), host, name, level)
            if not free:
                continue
            for left, where in ran.left.items():
                self._add(left, host, f"{name}, killed at {where}", later)
            for at, step in enumerate(ran.steps if whole else (), 1):
                for event in self._events(step):
                    label = f"{name}, {event} at {at} ({step.kind})"
                    disturbed = self.caller.run(host, intent, at, event)
                    self._judge(disturbed, label)
                    self._add(self._ended(disturbed), host, label, later)
                    self.found.transitions += len(disturbed.left)
        if free:
            for event, happens in self.happens.items():
                self._add(canonical(happens(host)), host, event, later)

    def _events(self, step: Step) -> list[str]:
        changes = [
            event
            for event, happens in ALWAYS.items()
            if event in self.happens
            and step.kind in (OF_LINK if event.startswith("link moved") else OF_NGINX)
            and happens(step.before) != step.before
        ]
        return [*FAILURES.get(step.kind, ()), *changes]

    @staticmethod
    def _ended(ran: Ran) -> Frozen:
        """Where nginx can start again, it must be so from here on."""
        return ran.end._replace(tampered=False) if ran.end.tampered and loaded(ran.end) else ran.end

    def _add(self, host: Frozen, came_from: Frozen, label: str, to: list[Frozen]) -> None:
        self.found.transitions += 1
        if host not in self._came:
            self._came[host] = (came_from, label)
            to.append(host)

    def _judge(self, ran: Ran, label: str) -> None:
        self._report(self.check.one(ran), ran, label)

    def _report(self, broken: Mapping[str, str], ran: Ran, label: str) -> None:
        for invariant, words in broken.items():
            histories = self.found.broken.setdefault(invariant, [])
            if len(histories) < 3:
                histories.append(f"{self.history(ran.start)} -> [{label}]: {words}")

    def history(self, host: Frozen) -> str:
        came, labels = self._came.get(host, (None, "?")), []
        while came[0] is not None:
            labels.append(f"[{came[1]}]")
            came = self._came[came[0]]
        return " -> ".join(reversed(labels)) or "a new host"
