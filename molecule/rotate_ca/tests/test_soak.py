# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds the last phase, and what lets it go on. In an emergency who is cut off is told first.

All but the last test are one replacement, two phases of which are done.
"""

from __future__ import annotations

import pytest
from ca_scene import (
    A,
    B,
    C,
    admitted,
    as_documented,
    caller,
    everything,
    finished,
    issued_by,
    of_generation,
    older_logs,
    roots,
    rotate_ca,
    served_by,
    signing,
    unreachable,
)
from scene import BASE

pytestmark = pytest.mark.whole


@pytest.fixture(name="gone", scope="module")
def _gone(scene, old) -> int:
    """Trust and issue are done; nobody has come with the old one for 8 days."""
    for phase in ("trust", "issue"):
        run = rotate_ca(scene, phase)
        assert run.code == 0, run.output
    scene.lay_tools()
    older_logs(scene, 8)
    return old


def held_back(scene, *arguments: str) -> tuple[set[str], str]:
    before = everything(scene)
    run = rotate_ca(scene, "retire", *arguments)
    assert everything(scene) == before
    return run.held_back("retire"), run.said


def test_a_log_that_does_not_reach_back(scene, gone):
    """c has served for longer than its log is old. The twin is the last test: it has not."""
    time = scene.run("c", f"stat -c %Y {BASE}/releases/empty").strip()
    log = "/var/log/nginx/mtls-stock.access.log"
    scene.run("c", f"touch -d '30 days ago' {BASE}/releases/empty; cp {log} /root/log; : >{log}")
    try:
        hosts, said = held_back(scene)
    finally:
        scene.run("c", f"touch -d @{time} {BASE}/releases/empty; cat /root/log >{log}")
    assert hosts == {C}
    assert "its logs do not tell of all clients" in said


def test_a_client_of_one_of_them(scene, gone):
    """It came four days ago, to a alone: it holds for a week."""
    someone = caller(scene, of_generation(scene, gone), "once")
    request = {"host": A, "sni": "orders.example.com", **someone.pair}
    assert scene.lab.ask("stranger.example.com", **request)["status"] == 200
    older_logs(scene, 4)
    hosts, said = held_back(scene)
    assert hosts == {A}
    assert someone.serial in said
    assert "rotate_ca_soak_days" in said


def test_a_shorter_soak_and_a_host_that_is_not_reached(scene, gone):
    """The same client does not hold for three days. c holds, and is left out by name: then it trusts the old
    one until the next run that reaches it."""
    shorter = ("-e", "rotate_ca_soak_days=3")
    with unreachable(scene, "c"):
        hosts, dummy = held_back(scene, *shorter)
        assert hosts == {C}
        run = rotate_ca(scene, "retire", *shorter, "-e", f"rotate_ca_without={C}")
    assert run.code == 0, run.output
    assert "rotate_ca_without" in run.said
    assert roots(scene).keys() == {gone + 1}
    someone = caller(scene, of_generation(scene, gone), "behind")
    assert admitted(scene, someone) == [400, 200]
    run = as_documented(scene, "rotate_ca -e rotate_ca_phase=retire -e rotate_ca_soak_days=3")
    assert run.code != 0, "it came just now"
    older_logs(scene, 4)
    run = as_documented(scene, "rotate_ca -e rotate_ca_phase=retire -e rotate_ca_soak_days=3")
    assert run.code == 0, run.output
    assert admitted(scene, someone) == [400, 400]


def test_an_emergency_tells_first_whom_it_cuts_off(scene):
    """b was not reached when the others were issued anew, and a client of the old one came just now."""
    finished(scene)
    number = signing(scene)
    assert rotate_ca(scene, "trust").code == 0
    with unreachable(scene, "b"):
        run = as_documented(scene, "rotate_ca -e rotate_ca_phase=issue -e rotate_ca_without=b.example.com")
    assert run.code == 0, run.output
    older_logs(scene, 8)
    someone = caller(scene, of_generation(scene, number), "thief")
    assert admitted(scene, someone) == [200, 200]
    before = everything(scene)
    run = as_documented(scene, "rotate_ca -e rotate_ca_phase=retire -e rotate_ca_soak_days=0")
    assert run.held_back("retire") == {B}
    assert everything(scene) == before
    run = as_documented(scene, "rotate_ca -e rotate_ca_phase=retire -e rotate_ca_emergency=true")
    assert run.code == 0, run.output
    told = run.output.partition("TASK [Begin]")[0]
    assert told != run.output
    assert "EMERGENCY: these are cut off by this run" in told
    for word in (B, someone.serial, someone.subject):
        assert word in told.partition("EMERGENCY")[2]
    assert admitted(scene, someone) == [400, 400]
    assert set(issued_by(scene).values()) == {f"CN=mtls CA {number + 1}"}
    assert set(served_by(scene).values()) == {f"CN=mtls CA {number + 1}"}
