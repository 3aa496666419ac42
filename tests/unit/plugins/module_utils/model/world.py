# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that fits into one value: what lies on its disk and what its nginx serves, and every step of a call
upon it, at each of which the call may be killed, the step may fail, or something else may happen.

``Disk`` stands for ``_host.store.Store`` (test_model compares the two), ``World`` for the host, its service
and the prover. The engine above them is the product's own.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer, Row, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Verdict
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.made_up_host import QuietHost

BASE = "/etc/nginx/mtls"
EMPTY = release.EMPTY
#: nginx serves nothing of ours: there is no include file.
NOTHING = "-"
UP, ORPHANS, DOWN = "up", "orphans", "down"
#: A directory with all files; one whose source is whole but not all that nginx reads; one cut short.
WHOLE, WORN, CUT = "whole", "worn", "cut"


class Frozen(NamedTuple):
    """The host as a value. *releases*: (id, condition), the newest first.

    *litter*: what a killed run was writing below the base; *outside*: likewise beside the include file.
    *tampered*: somebody took a file of ours away, so that nginx may not start until the next run.
    """

    base: bool = False
    releases: tuple[tuple[str, str], ...] = ()
    litter: bool = False
    outside: bool = False
    link: str = ""
    state: State | None = None
    torn: bool = False
    include: bool = False
    timeout: bool = False
    pending: bool = True
    nginx: str = UP
    serves: tuple[str, ...] = (NOTHING,)
    tampered: bool = False


class Step(NamedTuple):
    """One step of a call: what it is, and the host just before it."""

    kind: str
    before: Frozen


#: How a step of each kind can fail.
FAILURES: Mapping[str, tuple[str, ...]] = {
    "stage": ("disk full",),
    "write state": ("disk full",),
    "switch": ("disk full",),
    "write include": ("disk full",),
    "write timeout": ("disk full",),
    "repair": ("disk full",),
    "test live": ("refused",),
    "test shadow": ("refused",),
    "reload": ("refused", "late"),
    "start": ("refused",),
    "prove": ("failed",),
}


@dataclass
class World(QuietHost):
    """One call upon a host. *unprovable*: the releases that never pass their proof.

    At step number *at* there is *event*: a failure of that step, or a change of the host just before it.
    """

    host: Frozen
    sources: dict[str, dict[str, bytes]]
    unprovable: frozenset[str] = frozenset()
    at: int = 0
    event: str = ""

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        #: Every host that a kill can leave.
        self.left: dict[Frozen, str] = {}
        #: Releases removed, each with the host just before.
        self.removed: list[tuple[str, Frozen]] = []

    def step(self, kind: str) -> str:
        """Begin a step; the failure that it meets, "" for none."""
        self.host = settled(self.host)
        self.steps.append(Step(kind, self.host))
        if len(self.steps) != self.at:
            return ""
        if self.event in FAILURES.get(kind, ()):
            return self.event
        self.host = EVENTS[self.event](self.host)
        return ""

    def become(self, **changes: Any) -> None:
        """The effect of a step; the call may be killed right behind it."""
        self.host = self.host._replace(**changes)
        self.leave(self.host)

    def leave(self, host: Frozen) -> None:
        self.left.setdefault(canonical(host), f"{len(self.steps)} ({self.steps[-1].kind})")

    # what the engine asks of a Host

    @property
    def processes(self) -> World:
        return self

    def master(self) -> Any:
        self.step("master")
        if self.host.nginx == ORPHANS:
            raise MtlsError("Workers of a dead nginx master still serve.", "nginx.pid", "Stop them.")
        return SimpleNamespace(pid=1) if self.host.nginx == UP else None

    def refuse_few_files(self, _master: Any) -> None:
        """There are always enough: what the check reads is no part of the state."""

    def workers(self, _master: int) -> tuple[frozenset[int], frozenset[int]]:
        return frozenset({2}), frozenset()

    def reload(self, _master: int, *_judged: Any) -> bool:
        failure = self.step("reload")
        if self.host.nginx != UP:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        loads = loaded(self.host)
        if failure == "refused" or not loads:
            return False
        self.become(serves=mixture(self.host.serves[0], loads))
        self.become(serves=(loads,))
        return failure != "late"

    def error_log(self) -> Any:
        return SimpleNamespace(urgent=lambda: ["[emerg] no"], gave_up=lambda: False)

    def write_include(self) -> bool:
        if self.host.outside:
            self.step("drop unfinished")
            self.become(outside=False)
        if self.host.include:
            return False
        if self.step("write include"):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.leave(self.host._replace(outside=True))
        self.become(include=True)
        return True

    def remove_include(self) -> None:
        self.step("remove include")
        self.become(include=False)

    def configuration_without_us(self, _empty: str) -> Dump:
        self.step("read dump")
        return Dump()

    def shutdown_timeout(self, _dump: Dump, _wanted: str) -> Callable[[], Callable[[], None]] | None:
        if self.host.timeout:
            return None

        def put(there: bool) -> None:
            if self.step("write timeout"):
                raise OSError(errno.ENOSPC, "No space left on device")
            if there:
                self.leave(self.host._replace(outside=True))
            self.become(timeout=there)

        def change() -> Callable[[], None]:
            put(True)
            return lambda: put(False)

        return change

    def remove_shutdown_timeout(self) -> None:
        self.step("remove timeout")
        self.become(timeout=False)

    def test_live(self) -> Verdict:
        ok = not self.step("test live") and bool(loaded(self.host))
        return Verdict(ok, [] if ok else ["[emerg] no"], 0.0)

    def test_with(self, _directory: str) -> Verdict:
        ok = not self.step("test shadow")
        return Verdict(ok, [] if ok else ["[emerg] no"], 0.0, Dump() if ok else None)

    # what it asks of a Service and a Prover

    def start(self) -> bool:
        failure = self.step("start")
        loads = loaded(self.host)
        if failure or not loads or self.host.nginx == ORPHANS:
            return False
        self.become(nginx=UP, serves=(loads,))
        return True

    def rows(
        self, probes: Sequence[Probe], directory: str, _sessions: Mapping[Any, Any] | None = None
    ) -> list[Row]:
        failure = self.step("prove") if probes else ""
        bad = self.unprovable | ({directory.rpartition("/")[2]} if failure else set())
        answers = [
            Answer("connect", error="refused")
            if self.host.nginx == DOWN
            else Answer("done", 200, "OTHER" if one in bad else one)
            for one in self.host.serves
        ]
        return [judge(probe, answers) for probe in probes]

    def sessions(self, _probes: Sequence[Probe], _directory: str) -> dict[Any, Any]:
        return {}


@lru_cache(None)
def canonical(host: Frozen) -> Frozen:
    """One value for all hosts that no run can tell apart: texts for people, the order of older releases."""
    state = host.state
    if state is not None and (state.since or state.reason):
        state = replace(state, since="", reason="")
    releases = host.releases[:1] + tuple(sorted(host.releases[1:]))
    return settled(host)._replace(state=state, releases=releases)


def mixture(old: str, new: str) -> tuple[str, ...]:
    return (old,) if old == new else (old, new)


def settled(host: Frozen) -> Frozen:
    """After a while the workers of a reload's old set are gone."""
    return host if len(host.serves) == 1 else host._replace(serves=host.serves[1:])


def loaded(host: Frozen) -> str:
    """What nginx would serve after a start or a reload; "" where it would not take what is on disk."""
    if not host.include:
        return NOTHING
    return host.link if (host.link, WHOLE) in host.releases else ""


# -- what may happen to a host, between two steps of a call or between two calls


def _restarted(host: Frozen) -> Frozen:
    loads = loaded(host)
    return host._replace(nginx=UP if loads else DOWN, serves=(loads or NOTHING,))


def _stopped(host: Frozen) -> Frozen:
    return host._replace(nginx=DOWN, serves=(NOTHING,))


def _killed(host: Frozen) -> Frozen:
    return host._replace(nginx=ORPHANS) if host.nginx == UP else host


def _reloaded(host: Frozen) -> Frozen:
    loads = loaded(host)
    return host._replace(serves=mixture(host.serves[0], loads)) if host.nginx == UP and loads else host


def _moved(number: int) -> Callable[[Frozen], Frozen]:
    def event(host: Frozen) -> Frozen:
        others = sorted(name for name, condition in host.releases if condition == WHOLE and name != host.link)
        return host._replace(link=others[number]) if host.link and len(others) > number else host

    return event


def _detoured(host: Frozen) -> Frozen:
    """Somebody moved the link, reloaded, and moved it back. (Nothing tells that of a release without a
    listener.)"""
    others = sorted(name for name, condition in host.releases if condition == WHOLE and name != host.link)
    if host.nginx != UP or host.link == EMPTY or not loaded(host) or not others:
        return host
    return host._replace(serves=(others[0],))


def _link_lost(host: Frozen) -> Frozen:
    return host._replace(link="", tampered=True) if host.link else host


def _state_lost(host: Frozen) -> Frozen:
    return host._replace(state=None, torn=False)


def _state_torn(host: Frozen) -> Frozen:
    return host._replace(state=None, torn=True) if host.state is not None else host


def _live_edited(host: Frozen) -> Frozen:
    releases = tuple((name, WORN if name == host.link else how) for name, how in host.releases)
    return host._replace(releases=releases, tampered=True) if releases != host.releases else host


#: During a call or between two.
ALWAYS: Mapping[str, Callable[[Frozen], Frozen]] = {
    "nginx restarted": _restarted,
    "nginx stopped": _stopped,
    "master killed": _killed,
    "foreign reload": _reloaded,
    **{f"link moved to other {number}": _moved(number) for number in range(4)},
}
#: Between two calls only.
BETWEEN: Mapping[str, Callable[[Frozen], Frozen]] = {
    "link moved, reload, link moved back": _detoured,
    "link lost": _link_lost,
    "state.json lost": _state_lost,
    "state.json torn": _state_torn,
    "live release edited": _live_edited,
}
EVENTS = {**ALWAYS, **BETWEEN}
#: Of these some cannot be told from outside, where the live release has no listener (``_detoured``).
BY_HAND = [event for event in EVENTS if event in BETWEEN or event.startswith("link")]


class Disk:
    """The base directory of ``World.host``, with the interface and the steps of ``Store``."""

    base = BASE
    releases = f"{BASE}/releases"
    link = f"{BASE}/current"
    lock_file = f"{BASE}/.lock"

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def _host(self) -> Frozen:
        return self.world.host

    def _full(self, kind: str) -> bool:
        return self.world.step(kind) == "disk full"

    def exists(self) -> bool:
        return self._host.base

    def create(self) -> None:
        if not self._host.base:
            self.world.step("create")
            self.world.become(base=True)

    def directory(self, identity: str) -> str:
        return f"{self.releases}/{identity}"

    def _condition(self, identity: str) -> str:
        return dict(self._host.releases).get(identity, "")

    def _with(self, identity: str, condition: str) -> tuple[tuple[str, str], ...]:
        """The releases with one in another condition, "" for gone."""
        others = [(name, condition if name == identity else how) for name, how in self._host.releases]
        return tuple(pair for pair in others if pair[1])

    def read(self, identity: str) -> dict[str, bytes]:
        condition = self._condition(identity)
        files = _files(identity, tuple(self.world.sources[identity].items())) if condition else {}
        if condition == WORN:
            return {path: data for path, data in files.items() if path != "mtls.conf"}
        if condition == CUT:
            return {path: data for path, data in files.items() if path.endswith(".conf")}
        return dict(files)

    def names(self) -> list[str]:
        return [name for name, condition in self._host.releases]

    def whole(self) -> frozenset[str]:
        return frozenset(name for name, condition in self._host.releases if condition in (WHOLE, WORN))

    def stage(self, identity: str, source: Mapping[str, bytes], _manifest: Mapping[str, Any]) -> bool:
        self.world.sources[identity] = dict(source)
        if self._condition(identity) in (WHOLE, WORN):
            self.repair(identity, self.damaged(identity))
            return False
        if self._condition(identity):
            self.remove(identity)
        if self._full("stage"):
            raise MtlsError("The release cannot be written.", self.releases, "Make room and run again.")
        self.world.leave(self._host._replace(litter=True))
        self.world.become(releases=((identity, WHOLE), *self._host.releases))
        return True

    def damaged(self, identity: str) -> list[str]:
        return {WORN: ["mtls.conf"], CUT: ["id"]}.get(self._condition(identity), [])

    def let_read(self, _identity: str) -> list[str]:
        return []

    def repair(self, identity: str, paths: list[str]) -> None:
        if paths:
            if self._full("repair"):
                raise OSError(errno.ENOSPC, "No space left on device")
            self.world.become(releases=self._with(identity, WHOLE))

    def remove(self, identity: str) -> None:
        self.world.step("remove release")
        if self._condition(identity):
            self.world.removed.append((identity, self._host))
            for condition in (WORN, CUT):
                self.world.leave(self._host._replace(releases=self._with(identity, condition)))
            self.world.become(releases=self._with(identity, ""))

    def drop_unfinished(self) -> None:
        if self._host.litter:
            self.world.step("drop unfinished")
            self.world.become(litter=False)

    def remove_all(self) -> None:
        self.world.step("remove base")
        self.world.removed += [(name, self._host) for name in self.names()]
        for gone in _subsets(self._host):
            self.world.leave(self._host._replace(**gone))
        self.world.become(
            base=False, releases=(), litter=False, link="", state=None, torn=False, pending=False
        )

    def current(self) -> str | None:
        self.world.step("read link")
        return self._host.link if self._condition(self._host.link) else None

    def has_link(self) -> bool:
        return bool(self._host.link)

    def switch(self, identity: str) -> None:
        if self._full("switch"):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.world.leave(self._host._replace(litter=True))
        self.world.become(link=identity)

    def state(self) -> State | None:
        return self._host.state

    def has_state(self) -> bool:
        return self._host.torn or self._host.state is not None

    def write_state(self, state: State) -> None:
        if self._full("write state"):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.world.leave(self._host._replace(litter=True))
        self.world.become(state=state, torn=False)

    def pending_key(self, _part: str, _name: str) -> bytes | None:
        return PENDING_KEY if self._host.pending else None

    def drop_pending(self, _part: str, _name: str) -> None:
        self.world.step("drop pending")
        self.world.become(pending=False)


PENDING_KEY = b"-----BEGIN PRIVATE KEY-----\nbmV3\n-----END PRIVATE KEY-----\n"


@lru_cache(None)
def _files(identity: str, source: tuple[tuple[str, bytes], ...]) -> dict[str, bytes]:
    files = release.render(dict(source), f"{BASE}/releases/{identity}", identity)
    return {path: data for path, (data, mode) in files.items()}


def _subsets(host: Frozen) -> Iterator[dict[str, Any]]:
    """What a base that was being removed may lack: the link goes first, then the state, then the rest in any
    order."""
    yield {"link": ""}
    cut = tuple((name, CUT) for name, condition in host.releases)
    for releases, pending, litter in itertools.product(
        (host.releases, host.releases[:1], cut, ()), {host.pending, False}, {host.litter, False}
    ):
        yield {
            "link": "",
            "state": None,
            "torn": False,
            "releases": releases,
            "pending": pending,
            "litter": litter,
        }
