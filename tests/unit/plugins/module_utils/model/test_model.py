# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction, model-checked: the product's engine over a host that is one value.

Here: every history with one interruption, and a sample of those with two. ``make model`` takes every pair of
interruptions, and for some of the calls every history whatever, until no new state is found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.explore import (
    CALLS,
    Caller,
    Explored,
    Explorer,
    alone,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.invariants import Invariants
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.mutants import MUTANTS
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.world import (
    CUT,
    EMPTY,
    WHOLE,
    WORN,
    Disk,
    Frozen,
    World,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.tally import COUNTS

pytestmark = pytest.mark.once

WHOLE_MODEL = os.environ.get("MTLS_MODEL", "") == "whole"
SAMPLE = 1 if WHOLE_MODEL else 64


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with alone():
        yield


def ids() -> tuple[str, str]:
    """The release that nothing proves, and the one with the key that was made on the host."""
    caller = Caller()
    return caller.bad, caller.run(Frozen(), CALLS["B"]).outcome.release


def holds(
    calls: tuple[str, ...],
    interruptions: int | None,
    sample: int = 1,
    name: str = "",
    by_hand: bool = True,
) -> Explored:
    """Explore, and fail with a shortest history of each invariant that is broken."""
    bad, with_key = ids()
    some = {one: intent for one, intent in CALLS.items() if one in calls}
    explorer = Explorer(
        Caller(bad), Invariants(bad, with_key), interruptions, some, sample=sample, by_hand=by_hand
    )
    found = explorer.explore()
    assert not found.broken, "\n".join(
        f"{invariant}: {history}" for invariant, several in found.broken.items() for history in several
    )
    if name:
        COUNTS["model", f"{name}: states"] += found.states
        COUNTS["model", f"{name}: transitions"] += found.transitions
        COUNTS["model", f"{name}: calls run"] += found.runs
    return found


def test_every_invariant_holds_in_every_history() -> None:
    name = "every pair" if WHOLE_MODEL else f"1 in {SAMPLE} pairs"
    found = holds(tuple(CALLS), 2, SAMPLE, name)
    assert set(found.by_interruptions) == {0, 1, 2}
    assert found.by_interruptions[1] > 1000


@pytest.mark.skipif(not WHOLE_MODEL, reason="make model")
@pytest.mark.parametrize("calls", [("A", "bad", "same"), ("A", "same", "absent"), ("A", "bad", "previous")])
def test_to_the_last_state(calls: tuple[str, ...]) -> None:
    """Nobody touches the files, and anything else happens, however often, until no new host is found."""
    assert holds(calls, None, name="+".join(calls), by_hand=False).states > 100


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_step_breaks_an_invariant(name: str) -> None:
    mutant = MUTANTS[name]
    bad, with_key = ids()
    calls = {one: intent for one, intent in CALLS.items() if one in mutant.calls}
    with mutant.broken():
        explorer = Explorer(Caller(bad), Invariants(bad, with_key), mutant.interruptions, calls, True)
        found = explorer.explore()
    assert found.broken, f"nobody saw it in {found.states} states"
    COUNTS["mutant", f"{name:56} {', '.join(sorted(found.broken))}"] += 1


@pytest.mark.parametrize("calls", [("A", "bad", "same"), ("A", "bad", "same", "absent")])
def test_what_the_mutants_break_holds_without_them(calls: tuple[str, ...]) -> None:
    assert holds(calls, 1).states > 100


# -- the disk of the model beside the real one

SOURCES = [
    release.with_entry({"proxy/listeners/1.conf": text}) for text in (b"server { }", b"server { listen 1; }")
]
IDS = [release.release_id(source) for source in SOURCES]
STATE = State("stable", IDS[0], IDS[1], prepared=IDS[0])


class Both:
    """One call after the other to the store and to its stand-in; what they say must be the same."""

    def __init__(self, root: Path) -> None:
        self.real = Store(str(root / "mtls"))
        self.world = World(Frozen(pending=False), {})
        self.made_up = Disk(self.world)

    def do(self, name: str, *arguments: object) -> None:
        one, other = (getattr(store, name)(*arguments) for store in (self.real, self.made_up))
        assert one == other, name
        self.compare()

    def compare(self) -> None:
        for name in ("exists", "has_link", "has_state", "current", "state", "whole"):
            assert getattr(self.real, name)() == getattr(self.made_up, name)(), name
        assert set(self.real.names()) == set(self.made_up.names())
        for name in self.real.names():
            assert bool(self.real.damaged(name)) == bool(self.made_up.damaged(name)), name
            one, other = (release.unrender(store.read(name)) for store in (self.real, self.made_up))
            assert (one == other) or name not in self.real.whole()

    def spoil(self, identity: str, condition: str) -> None:
        folder = Path(self.real.directory(identity))
        (folder / "mtls.conf").unlink()
        if condition == CUT:
            (folder / "mtls.conf.in").unlink()
        pairs = tuple(
            (name, condition if name == identity else how) for name, how in self.world.host.releases
        )
        self.world.become(releases=pairs)
        self.compare()


def test_the_disk_of_the_model_does_what_the_store_does(tmp_path: Path) -> None:
    both = Both(tmp_path)
    both.do("create")
    both.do("stage", EMPTY, release.empty_source(), {})
    both.do("switch", EMPTY)
    for identity, source in zip(IDS, SOURCES):
        both.do("stage", identity, source, {})
        both.do("stage", identity, source, {})
        both.do("switch", identity)
    both.do("write_state", STATE)
    for condition in (WORN, CUT):
        both.spoil(IDS[1], condition)
        both.do("stage", IDS[1], SOURCES[1], {})
        assert (IDS[1], WHOLE) in both.world.host.releases
    both.spoil(IDS[0], WORN)
    both.do("repair", IDS[0], ["mtls.conf"])
    both.do("remove", IDS[0])
    both.do("remove", IDS[1])
    assert both.real.current() is None, "a link that leads nowhere"
    both.do("drop_unfinished")
    Path(both.real.lock_file).touch()
    both.real.remove_all()
    both.made_up.remove_all()
    both.compare()
