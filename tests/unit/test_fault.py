# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make fault` counts (tests/lab/fault.py, fault_host.py): no step without a kill, no kill that was not
seen, and no call that says what is not so."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

import fault
import fault_host
import pytest
from fault_host import KILLS, NOTHING, Ended

LABELS = [("between", "x")] + [("stage", "x")] * 40 + [("prove", "x")] * 9 + [("between", "y")] * 3
OLD, NEW = {("old",) * 3}, {("new",) * 3}


def test_each_step_gets_a_kill_and_no_event_is_hit_twice() -> None:
    found = fault_host.points(LABELS, False, 5, 0)
    assert len(found) == len({point for point, dummy in found}) == 3 + 5
    assert {step for (step, dummy), target in found[:3] if target in KILLS} == {"between", "stage", "prove"}
    counts = Counter(step for step, dummy in LABELS)
    assert all(1 <= number <= counts[step] for (step, number), dummy in found)
    assert Counter(target for dummy, target in found[3:]) == Counter(fault_host.MORE)


def test_the_sample_goes_through_steps_and_targets() -> None:
    found = [one for offset in range(11) for one in fault_host.points(LABELS, True, 2, offset)]
    counts = Counter(target for dummy, target in found)
    assert sum(counts[target] for target in KILLS) == 18
    assert (counts["connection"], counts["clock"]) == (2, 2)
    assert {step for (step, dummy), target in found if target in KILLS} == {"between", "stage", "prove"}


def test_where_a_step_had_fewer_events_one_that_it_had_is_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def call(options: Any, watch: fault_host.Watch) -> Ended:
        asked.append(watch.point)
        return ended(mark=watch.point[0] == "prove" and watch.point[1] <= 9)

    monkeypatch.setattr(fault_host, "lay", lambda source: None)
    monkeypatch.setattr(fault_host, "call", call)
    assert fault_host.hit({}, "prove", 12, "module").mark
    assert asked == [("prove", 12), ("prove", 5)]
    assert not fault_host.hit({}, "stage", 99, "module").mark
    assert asked[2:] == [("stage", 99), ("stage", 20), ("stage", 20)]
    assert not fault_host.hit({}, "no such step", 9, "module").mark
    assert asked[5:] == [("no such step", 9), ("no such step", 1), ("no such step", 1)]


def ended(result: Any = None, mark: Any = True, by: int = 0) -> Ended:
    return Ended(result, LABELS, {"at": 45, "label": LABELS[44], "master": 7} if mark else None, by)


@pytest.mark.parametrize(
    ("target", "run", "words"),
    [
        ("module", ended(by=signal.SIGKILL), ""),
        ("module", ended({"state": "stable"}), "the module was not killed"),
        ("both", ended(by=signal.SIGTERM), "the module was not killed"),
        ("both", ended(by=signal.SIGKILL)._replace(mark={"at": 1, "master": 0}), "no master"),
        ("nginx", ended({"state": "stable"}), ""),
        ("nginx", ended({"state": "stable"})._replace(mark={"at": 1, "master": 0}), "no master"),
        ("nginx", ended(by=signal.SIGSEGV), "has no result"),
        ("clock", ended(), "has no result"),
        ("connection", ended(by=signal.SIGHUP), ""),
        *((target, ended(mark=False), "never came") for target in fault_host.MORE),
    ],
)
def test_what_was_not_hit_is_a_fault(target: str, run: Ended, words: str) -> None:
    found = fault_host.struck(target, run)
    assert words in " ".join(found)
    assert bool(found) == bool(words)


STABLE = {"state": "stable"}
#: Below no base the link leads to its own name.
FAILED = {"state": "", "failed": True, "release": "current", "previous": "current"}
ELSEWHERE = {"state": "", "failed": True, "release": "other", "previous": "other"}
BACK = {"state": "rolled_back", "failed": True}
EARLY = {"at": 30, "label": LABELS[29], "master": 7}


@pytest.mark.parametrize(
    ("target", "told", "found", "words"),
    [
        ("nginx", STABLE, NEW, ""),
        ("nginx", STABLE, NOTHING, ""),
        ("nginx", STABLE, OLD, "serve"),
        ("nginx", STABLE, OLD | NEW, "serve"),
        ("clock", STABLE, NEW, ""),
        ("clock", STABLE, NOTHING, "serve"),
        ("nginx", BACK, OLD, ""),
        ("nginx", BACK, NOTHING, ""),
        ("nginx", BACK, NEW, "serve"),
        ("nginx", FAILED, OLD, ""),
        ("nginx", FAILED, NEW, "serve"),
        ("nginx", ELSEWHERE, OLD, "current names"),
        ("clock", BACK, OLD, "without the clock"),
    ],
)
def test_what_a_call_says_must_be_so(
    monkeypatch: pytest.MonkeyPatch, target: str, told: Any, found: Any, words: str
) -> None:
    monkeypatch.setattr(fault_host, "BASE", "/nowhere")
    run = ended(told)
    wrong = fault_host.claims("change of A", target, run, found, OLD, NEW)
    assert words in " ".join(wrong)
    assert bool(wrong) == bool(words)


def test_stable_before_the_proof_is_told_without_one() -> None:
    run = ended({"state": "stable"})
    assert fault_host.claims("change of A", "nginx", run, NOTHING, OLD, NEW) == []
    early = run._replace(mark=EARLY)
    assert "serve" in " ".join(fault_host.claims("change of A", "nginx", early, NOTHING, OLD, NEW))
    prepared = early._replace(result={"state": "checked"})
    assert fault_host.claims("until checked", "nginx", prepared, NOTHING, OLD, OLD) == []


def test_what_cannot_be_proven_is_never_told_as_good() -> None:
    run = ended({"state": "stable"})
    assert "as good" in " ".join(fault_host.claims("rollback of B", "nginx", run, NEW, OLD, NEW))


def case(target: str, step: str = "stage", hit: bool = True) -> dict[str, Any]:
    return {
        "scenario": "x",
        "target": target,
        "step": step,
        "hit": hit,
        "bad": [],
        "whole": "old",
        "mended": True,
    }


def test_only_what_was_hit_is_counted() -> None:
    cases = [case("module"), case("nginx"), case("both", hit=False), case("connection"), case("clock")]
    assert fault.summary(cases) == (
        "2 kills (module 1, nginx 1, both 0), 1 lost connections and 1 turns of the clock"
    )
    row = next(line for line in fault.table(cases).splitlines() if line.startswith("all"))
    assert row.split()[1:] == ["2", "1", "1", "4", "0", "0", "4", "0"]


@pytest.mark.parametrize(
    ("one", "missing"), [(case("both"), []), (case("both", hit=False), ["stage"]), (case("clock"), ["stage"])]
)
def test_a_step_without_a_kill_is_a_fault_of_the_run(one: dict[str, Any], missing: list[str]) -> None:
    found = fault.unkilled("x", {"stage": 4}, [one])
    assert [each["step"] for each in found] == missing
    assert all(each["bad"] for each in found)
