# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery table of the design, row by row, and that nothing falls through it."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import (
    STEPS,
    Action,
    State,
    read_state,
    recover,
    removable,
)

A, B, C = "a" * 16, "b" * 16, "c" * 16
ALL = frozenset({A, B, C, "empty"})


def state(step: str, origin: str = A, target: str = B) -> State:
    return State(step, origin, target)


@pytest.mark.parametrize(
    ("found", "link", "whole", "action", "origin", "live"),
    [
        (None, B, ALL, Action.ADOPT, B, B),
        (state("staged"), A, ALL, Action.GO_ON, A, A),
        (state("checked"), A, ALL, Action.GO_ON, A, A),
        (state("switched"), A, ALL, Action.GO_ON, A, A),
        (state("switched"), B, ALL, Action.FINISH, A, B),
        (state("reloaded"), B, ALL, Action.FINISH, A, B),
        (state("proven"), B, ALL, Action.COMMIT, B, B),
        (state("rolling_back"), B, ALL, Action.ROLL_BACK, A, A),
        (state("rolling_back"), A, ALL, Action.ROLL_BACK, A, A),
        (state("stable"), B, ALL, Action.GO_ON, B, B),
        (state("rolled_back"), A, ALL, Action.GO_ON, A, A),
        # Moved by hand: treated as switched, with the way back to what was proven.
        (state("stable"), C, ALL, Action.FINISH, B, C),
        (state("rolled_back"), C, ALL, Action.FINISH, A, C),
        (state("switched"), C, ALL, Action.FINISH, A, C),
        (state("proven"), A, ALL, Action.FINISH, B, A),
        (state("proven"), C, ALL, Action.FINISH, B, C),
        # The link leads nowhere.
        (state("stable"), None, ALL, Action.RESTORE, B, B),
        (state("switched"), None, ALL, Action.RESTORE, A, A),
        (None, None, ALL, Action.RESTORE, "empty", "empty"),
        (state("stable"), None, frozenset({A}), Action.REFUSE, B, ""),
        # `empty` itself, half gone: it can always be written again.
        (state("stable", target="empty"), "empty", frozenset({A}), Action.RESTORE, "empty", "empty"),
        (None, "empty", frozenset({A}), Action.RESTORE, "empty", "empty"),
        # It leads to something that is not what was written.
        (state("switched"), B, frozenset({A}), Action.RESTORE, A, A),
        (state("stable"), B, frozenset({A}), Action.REFUSE, B, B),
        (state("rolling_back"), B, frozenset({B}), Action.REFUSE, A, B),
    ],
)
def test_row(
    found: State | None, link: str | None, whole: frozenset[str], action: Action, origin: str, live: str
) -> None:
    recovery = recover(found, link, whole, fresh=False)
    assert (recovery.action, recovery.origin, recovery.live) == (action, origin, live)
    assert recovery.reason or action is Action.GO_ON


#: Steps, link, row of the recovery table in its own words, action and words for people. from is A, to is B.
TABLE = [
    ("none", "none", "lay down `empty`, then fresh", Action.LAY_EMPTY, ""),
    ("none", "a complete release", "adopt: test, reload, prove", Action.ADOPT, "missing or unreadable"),
    ("unreadable", "a complete release", "adopt: test, reload, prove", Action.ADOPT, "missing or unreadable"),
    ("staged", "from", "go on", Action.GO_ON, "before it switched"),
    ("checked", "from", "go on", Action.GO_ON, "before it switched"),
    ("switched", "from", "killed before the rename: nothing to undo", Action.GO_ON, "before it switched"),
    ("switched", "to", "finish, or back to from", Action.FINISH, "after it switched"),
    ("reloaded", "to", "finish, or back to from", Action.FINISH, "after it switched"),
    ("proven", "to", "write `stable`", Action.COMMIT, "not yet written stable"),
    ("rolling_back", "from", "HUP, prove, `rolled_back`", Action.ROLL_BACK, "rollback to"),
    ("rolling_back", "to", "rename to `from`, HUP, prove, `rolled_back`", Action.ROLL_BACK, "rollback to"),
    ("stable", "to", "prove that what is served is the release", Action.GO_ON, ""),
    ("rolled_back", "from", "prove that what is served is the release", Action.GO_ON, ""),
    ("stable", "another release", "moved by hand: treat as switched", Action.FINISH, "moved by hand"),
    ("any", "dangling or no link", "restore `from` if its bytes verify", Action.RESTORE, "leads nowhere"),
    ("none", "dangling or no link", "restore `empty`: none is known", Action.RESTORE, "leads nowhere"),
    ("any", "no link, and from is not whole", "fail; delete nothing", Action.REFUSE, "no whole release"),
]


@pytest.mark.parametrize(("step", "link", "row", "action", "words"), TABLE)
def test_the_recovery_table_row_by_row(step: str, link: str, row: str, action: Action, words: str) -> None:
    whole = frozenset({B, "empty"}) if "not whole" in link else ALL
    links = {"from": A, "to": B, "a complete release": B, "another release": C}
    fresh = (step, link) == ("none", "none")
    for one in STEPS if step == "any" else (step,):
        found = None if one in ("none", "unreadable") else state(one)
        if "not whole" in link and found is not None and found.home in whole:
            continue
        recovery = recover(found, links.get(link), whole, fresh)
        assert recovery.action is action, row
        assert words in recovery.reason
        assert bool(words) == bool(recovery.reason)
        # What nobody has seen served is proven before anything counts on it; what was proven needs no reload.
        must_prove = action in (Action.ADOPT, Action.FINISH, Action.RESTORE)
        assert recovery.unproven is must_prove
        left = action is Action.ROLL_BACK or "before it switched" in recovery.reason
        assert recovery.unfinished is (must_prove or left)
        if action is Action.RESTORE:
            assert recovery.live == recovery.origin == (found.home if found else "empty")
        if action is Action.FINISH:
            assert (recovery.origin, recovery.live) == ((B, C) if step == "stable" else (A, B))


def test_a_fresh_host_gets_the_empty_release() -> None:
    recovery = recover(None, None, frozenset(), fresh=True)
    assert (recovery.action, recovery.live) == (Action.LAY_EMPTY, "empty")


def test_every_combination_leads_to_a_release_that_is_whole_or_is_refused() -> None:
    states = [None, *(state(step, one, other) for step in STEPS for one in (A, B) for other in (A, B))]
    links = (None, A, B, C)
    wholes = [frozenset(some) for size in range(4) for some in itertools.combinations((A, B, C), size)]
    count = 0
    for found, link, whole in itertools.product(states, links, wholes):
        recovery = recover(found, link, whole, fresh=False)
        count += 1
        if recovery.action is not Action.REFUSE:
            assert recovery.live in whole | {"empty"}
            # Nothing that nobody has proven is taken for granted.
            assert recovery.unproven or found is not None
    assert count == len(states) * len(links) * len(wholes)


def test_only_proven_releases_are_left_alone() -> None:
    assert not recover(state("stable"), B, ALL, False).unproven
    assert not recover(state("proven"), B, ALL, False).unproven
    assert recover(state("switched"), B, ALL, False).unproven
    assert recover(None, B, ALL, False).unproven


@pytest.mark.parametrize("step", STEPS)
def test_a_state_survives_its_file(step: str) -> None:
    one = State(step, A, "empty", "2026-01-01T00:00:00+00:00", "why", C, ("server/credentials/server",))
    assert read_state(one.to_dict()) == one


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "stable",
        {},
        {"step": "stable"},
        {"step": "done", "from": A, "to": B},
        {"step": "stable", "from": "../x", "to": B},
        {"step": "stable", "from": A, "to": 7},
    ],
)
def test_what_is_no_state(data: object) -> None:
    assert read_state(data) is None


def test_cleaning_spares_the_protected_ones_and_empty() -> None:
    names = [C, B, "empty", A]
    assert removable(names, 1, frozenset({C})) == [B, A]
    assert removable(names, 2, frozenset({C})) == [A]
    assert removable(names, 9, frozenset({C})) == []
    assert removable(names, 0, frozenset({C, B, "empty"})) == [A]


def test_a_release_that_is_used_again_counts_before_newer_ones() -> None:
    """The live one may be the oldest directory: it is not written again."""
    assert removable([C, B, "empty", A], 1, frozenset({A})) == [C, B]
    assert removable([C, B, "empty", A], 2, frozenset({A})) == [B]


@pytest.mark.parametrize("step", ["stable", "switched", "reloaded"])
def test_a_way_back_that_is_gone_leaves_the_live_release_to_take_over(step: str) -> None:
    """Its twin: the way back is whole, or it is the empty release, which can be written again."""
    found = State("stable", A, B) if step == "stable" else State(step, B, C)
    assert recover(found, C, frozenset({B, C}), fresh=False).action is Action.FINISH
    recovery = recover(found, C, frozenset({C}), fresh=False)
    assert (recovery.action, recovery.origin, recovery.live) == (Action.ADOPT, C, C)
    assert "not whole any more" in recovery.reason
    assert recover(State(step, "empty", "empty"), C, frozenset({C}), fresh=False).action is Action.FINISH
