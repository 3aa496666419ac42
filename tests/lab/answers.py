# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the prober saw while something was done to a host, and whether anybody was disturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

STRANGERS = ("A, no certificate",)
ADMITTED, REFUSED = "200, ", "400, "
# Of the ten a second that prober.py asks. A machine with much other work takes most of them (2.8 were left
# once); silence is no good answer.
LEAST_A_SECOND, LEAST = 1, 5
# Seconds, from which the table tells how long the slowest answer took.
SLOW_S = 1.0
# For 0.1 s and more nginx's old and new workers take connections beside each other. Two changes of a release
# are farther apart: each waits for its workers to settle.
OVERLAP_S = 0.5


class Run(NamedTuple):
    """One answer, how often it came one time after the other, and when it was asked for first and last."""

    answer: str
    count: int
    first: float
    last: float


class Watch:
    """The answers to the questions that were asked; they are there when the watching has ended."""

    def __init__(self, asked: Iterable[str]) -> None:
        self.asked = set(asked)
        self.runs: dict[str, list[Run]] = {}
        self.seconds: dict[str, float] = {}
        self.slowest: dict[str, float] = {}

    def add(self, told: dict[str, Any]) -> None:
        """What one prober.py printed."""
        for question, found in told.items():
            self.runs[question] = [Run(*run) for run in found["runs"]]
            self.seconds[question] = found["seconds"]
            self.slowest[question] = found["slowest"]

    @property
    def answers(self) -> dict[str, Counter[str]]:
        """{question: {answer: how often}}; fails where a question was not asked all the time."""
        assert self.asked, "nothing was asked"
        assert set(self.runs) == self.asked, str(self)
        found: dict[str, Counter[str]] = {}
        for question, runs in self.runs.items():
            counts = found[question] = Counter()
            for run in runs:
                counts[run.answer] += run.count
            least = max(LEAST, LEAST_A_SECOND * self.seconds[question])
            assert sum(counts.values()) >= least, f"{question} was not asked all the time: {self}"
        return found

    def undisturbed(self) -> None:
        """Fails where any question ever got another answer than the good one."""
        self._good()
        assert all(len(runs) == 1 for runs in self.runs.values()), str(self)

    def handed_over(self) -> None:
        """Fails where any question ever got a bad answer; the good one may change, once."""
        self._good()
        for runs in self.runs.values():
            old, new = runs[0].answer, runs[-1].answer
            assert {run.answer for run in runs} == {old, new}, str(self)
            assert (old == new) is (len(runs) == 1), str(self)
            if old != new:
                first_of_new = next(run.first for run in runs if run.answer == new)
                last_of_old = [run.last for run in runs if run.answer == old][-1]
                assert last_of_old - first_of_new < OVERLAP_S, str(self)

    def _good(self) -> None:
        for question, counts in self.answers.items():
            wanted = REFUSED if question in STRANGERS else ADMITTED
            assert all(answer.startswith(wanted) for answer in counts), str(self)

    def __str__(self) -> str:
        return "; ".join(self._line(question) for question in sorted(self.runs))

    def _line(self, question: str) -> str:
        seen = ", ".join(f"{run.count} x ({run.answer})" for run in self.runs[question]) or "nothing"
        slowest = self.slowest[question]
        return f"{question}: {seen}" + (f", the slowest in {slowest} s" if slowest > SLOW_S else "")
