# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prober of the scenarios and the judge of what it saw (tests/lab): silence never passes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from answers import Watch

LAB = Path(__file__).resolve().parents[1] / "lab"
OLD, NEW = "200, client 0A", "200, client 0B"
NO = "A, no certificate"


def watch(*runs: tuple, seconds: float = 4.0, question: str = "B") -> Watch:
    found = Watch([question])
    found.add({question: {"seconds": seconds, "slowest": 1.2, "runs": [list(run) for run in runs]}})
    return found


def passes(found: Watch) -> tuple[bool, bool]:
    """(undisturbed, handed over)."""
    verdicts = []
    for check in (found.undisturbed, found.handed_over):
        try:
            check()
            verdicts.append(True)
        except AssertionError:
            verdicts.append(False)
    return verdicts[0], verdicts[1]


@pytest.mark.parametrize(
    ("found", "verdicts"),
    [
        (watch((OLD, 40, 0, 3.9)), (True, True)),
        (watch((OLD, 20, 0, 1.9), (NEW, 20, 2, 3.9)), (False, True)),
        # nginx's old and new workers beside each other, for a moment
        (watch((OLD, 20, 0, 1.9), (NEW, 1, 2, 2), (OLD, 1, 2.1, 2.1), (NEW, 18, 2.2, 3.9)), (False, True)),
        # twice
        (watch((OLD, 10, 0, 0.9), (NEW, 10, 1, 1.9), (OLD, 10, 2, 2.9), (NEW, 10, 3, 3.9)), (False, False)),
        (watch((OLD, 10, 0, 0.9), (NEW, 10, 1, 1.9), (OLD, 20, 2, 3.9)), (False, False)),
        (watch((OLD, 20, 0, 1.9), (NEW, 1, 2, 2), (OLD, 19, 2.1, 3.9)), (False, False)),
        # three
        (watch((OLD, 20, 0, 1.9), (NEW, 10, 2, 2.9), ("200, client 0C", 10, 3, 3.9)), (False, False)),
        (watch((OLD, 20, 0, 1.9), ("502", 1, 2, 2), (OLD, 19, 2.1, 3.9)), (False, False)),
        (watch((OLD, 20, 0, 1.9), ("fault: refused", 20, 2, 3.9)), (False, False)),
        (watch(("400, leaf 01", 40, 0, 3.9)), (False, False)),
        (watch(("400, leaf 01", 40, 0, 3.9), question=NO), (True, True)),
        (watch((OLD, 40, 0, 3.9), question=NO), (False, False)),
        # not looked, or not all the time
        (watch(), (False, False)),
        (watch((OLD, 11, 0, 3.9), seconds=12), (False, False)),
        (watch((OLD, 12, 0, 3.9), seconds=12), (True, True)),
        (watch((OLD, 4, 0, 0.3), seconds=0.4), (False, False)),
        (Watch([]), (False, False)),
        (Watch(["B"]), (False, False)),
    ],
)
def test_what_passes(found: Watch, verdicts: tuple[bool, bool]) -> None:
    assert passes(found) == verdicts


def test_a_slow_answer_is_told() -> None:
    found = watch((OLD, 40, 0, 3.9))
    assert str(found) == f"B: 40 x ({OLD}), the slowest in 1.2 s"
    found.slowest["B"] = 0.2
    assert str(found) == f"B: 40 x ({OLD})"


def test_a_question_without_an_answer_fails() -> None:
    found = watch((OLD, 40, 0, 3.9))
    found.asked.add("A")
    assert passes(found) == (False, False)
    with pytest.raises(AssertionError):
        assert found.answers


ANSWERS = (b"HTTP/1.1 204 No Content\r\n\r\n", b"nonsense\r\n\r\n", b"", b"HTTP/1.1 204 No Content\r\n\r\n")


def test_the_prober_asks_on_whatever_it_is_answered() -> None:
    """No HTTP at all, and nothing at all, are answers, told in their order."""
    server = socket.create_server(("127.0.0.1", 0))
    asked = threading.Event()

    def serve() -> None:
        for answer in ANSWERS:
            connection, dummy = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
        asked.set()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    questions = {"B": {"host": "127.0.0.1", "port": server.getsockname()[1], "tls": False}}
    with subprocess.Popen(
        [sys.executable, str(LAB / "prober.py"), json.dumps(questions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as prober:
        assert asked.wait(20)
        out, dummy = prober.communicate()
    begins, line = out.splitlines()
    told = json.loads(line)["B"]
    runs = [run[0] for run in told["runs"]]
    assert (begins, runs[0], runs[3]) == ("asking", "204", "204")
    assert 0 < told["slowest"] <= told["seconds"]
    assert all(run.startswith("fault: ") for run in (runs[1], runs[2], *runs[4:]))
    assert told["seconds"] >= told["runs"][-1][3] > 0.2
