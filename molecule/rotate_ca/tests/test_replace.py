# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new generation in three phases: nothing breaks at any time, and no way leads round a barrier.

One replacement, from the first test to the last. b is not reached at first, so that it alone holds back.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import pytest
import yaml
from ca_scene import (
    NO_SOAK,
    A,
    B,
    C,
    Run,
    admitted,
    as_documented,
    caller,
    everything,
    generations,
    issued_by,
    newest,
    of_generation,
    older_logs,
    roots,
    rotate_ca,
    served_by,
    signing,
    trusted,
    unreachable,
    watched,
)
from scene import BASE, cases

ALL = {A, B, C}


def of(scene, number: int) -> set[str]:
    return {roots(scene)[number]}


@pytest.mark.whole
def test_no_replacement_is_under_way(scene, old):
    before = everything(scene)
    run = rotate_ca(scene, "issue")
    assert run.held_back("issue") == set()
    assert "No replacement is under way" in run.said
    assert everything(scene) == before


@pytest.fixture(name="half", scope="module")
def _half(scene, old):
    """Phase trust, without b: it is not reached."""
    before = scene.snapshot("b")
    with unreachable(scene, "b"), watched(scene) as watch:
        run = rotate_ca(scene, "trust", "-e", f"rotate_ca_without={B}")
    assert scene.snapshot("b") == before
    return run, watch


@pytest.mark.whole
def test_who_is_left_out_is_named(scene, old, half):
    run, watch = half
    assert run.code == 0, run.output
    watch.handed_over()
    assert re.search(rf"rotate_ca_without.{{0,160}}{re.escape(B)}", run.said), run.output
    assert newest(scene) == old + 1
    assert signing(scene) == old
    both = set(roots(scene).values())
    assert len(both) == 2
    assert trusted(scene) == {
        "a server/server": both,
        "b proxy/client": of(scene, old),
        "c server/server": both,
        "c proxy/client": both,
    }
    assert set(served_by(scene).values()) == {f"CN=mtls CA {old}"}
    modes = {path.name: path.stat().st_mode & 0o777 for path in generations(scene)[old + 1].iterdir()}
    assert modes["root.key"] == 0o600
    assert generations(scene)[old + 1].stat().st_mode & 0o777 == 0o700


#: Ways round the barrier of `issue` that b alone holds; all others have done `trust`.
WAYS: dict[str, list[str]] = {
    "nothing in its way": [],
    "other hosts only": ["--limit", f"{A},{C}"],
    "other hosts only, one named": ["--limit", f"{A},{C}", "-e", f"rotate_ca_without={C}"],
    "one of them": ["--limit", A],
    "a tag": ["--tags", "issue"],
    "no barrier": ["--skip-tags", "barrier"],
    "a slice": [],
    "a slice that says how many": ["-e", "rotate_ca_expected_hosts=2"],
    "not as many as there are": ["-e", "rotate_ca_expected_hosts=4"],
    "not reached": [],
    "emergency": ["-e", "rotate_ca_emergency=true"],
}


@pytest.mark.parametrize("case", cases(WAYS, ()))
def test_no_way_leads_round_the_barrier(scene, half, case):
    before = everything(scene)
    run = issue_as(scene, case)
    assert run.code != 0, run.output
    if case == "emergency":
        assert "rotate_ca_emergency" in run.said
    elif case == "not as many as there are":
        assert "rotate_ca_expected_hosts: 4 hosts are expected" in run.said, run.output
    else:
        assert B in run.held_back("issue"), run.output
        assert not run.held_back("issue") & ({A, C} if not WAYS[case] else set()), run.output
    assert everything(scene) == before


def issue_as(scene, case: str) -> Run:
    if case == "not reached":
        with unreachable(scene, "b"):
            return rotate_ca(scene, "issue")
    if not case.startswith("a slice"):
        return rotate_ca(scene, "issue", *WAYS[case])
    with sliced(scene):
        return rotate_ca(scene, "issue", *WAYS[case])


@contextlib.contextmanager
def sliced(scene) -> Iterator[None]:
    """The inventory has no b."""
    inventory = yaml.safe_load((scene.project / "inventory.yml").read_text())
    del inventory["all"]["children"]["mtls_proxies"]["hosts"][B]
    (scene.project / "slice.yml").write_text(yaml.safe_dump(inventory))
    scene.inventory = "slice.yml"
    try:
        yield
    finally:
        scene.inventory = "inventory.yml"
        (scene.project / "slice.yml").unlink()


#: Ways to begin behind the barrier, or without it. They may end well, having done nothing.
PAST = {
    "every task but the barrier's kind": ["--skip-tags", "always"],
    "at the first host": ["--start-at-task", "Begin"],
    "at the change": ["--start-at-task", "Rotate one host"],
    "at the line-up": ["--start-at-task", "Line up"],
    "check mode": ["--check"],
}


@pytest.mark.parametrize("case", cases(PAST, ()))
def test_nothing_is_done_behind_the_barrier(scene, half, case):
    before = everything(scene)
    run = rotate_ca(scene, "issue", *PAST[case])
    assert run.changed == 0, run.output
    assert everything(scene) == before
    if "always" in PAST[case]:
        assert run.code != 0
        assert "--skip-tags always" in run.said


@pytest.mark.whole
def test_who_is_left_out_stays_behind_and_is_named(scene, half):
    """A dry run: the phase would begin with b named, and b stays as it is."""
    before = everything(scene)
    with unreachable(scene, "b"):
        run = rotate_ca(scene, "issue", "-e", f"rotate_ca_without={B}", "-e", "rotate_dry_run=true")
    assert run.code == 0, run.output
    assert re.search(rf"rotate_ca_without.{{0,160}}{re.escape(B)}", run.said), run.output
    assert everything(scene) == before


@pytest.fixture(name="trust", scope="module")
def _trust(scene, old):
    """Phase trust as the page has it, with b; a and c are left alone where they have done it without b."""
    begun, others = newest(scene) != old, (scene.snapshot("a"), scene.snapshot("c"))
    with watched(scene) as watch:
        run = as_documented(scene, "rotate_ca -e rotate_ca_phase=trust")
    assert begun == ((scene.snapshot("a"), scene.snapshot("c")) == others)
    return run, watch


def test_the_twin_everybody_trusts_both(scene, old, trust):
    run, watch = trust
    assert run.code == 0, run.output
    watch.handed_over()
    both = set(roots(scene).values())
    assert list(trusted(scene).values()) == [both] * 4
    assert newest(scene) == old + 1
    assert set(issued_by(scene).values()) == {f"CN=mtls CA {old}"}
    for number in (old, old + 1):
        assert admitted(scene, caller(scene, of_generation(scene, number), f"of-{number}")) == [200, 200]


@pytest.mark.whole
def test_the_same_again_does_nothing(scene, trust):
    before = everything(scene)
    run = rotate_ca(scene, "trust")
    assert (run.code, run.changed) == (0, 0), run.output
    assert "3 hosts have nothing that is due" in run.said
    assert everything(scene) == before


def test_who_has_done_it_and_is_not_read_holds_the_next_phase(scene, trust):
    """The private CA has issued b's certificates. The twin is the phase with b in the inventory."""
    before = everything(scene)
    with sliced(scene):
        run = rotate_ca(scene, "issue")
    assert run.held_back("issue") == {B}
    assert everything(scene) == before


def test_retire_does_not_begin_before_issue(scene, trust):
    before = everything(scene)
    run = rotate_ca(scene, "retire", *NO_SOAK)
    assert run.held_back("retire") == ALL
    assert everything(scene) == before


@pytest.fixture(name="issue", scope="module")
def _issue(scene, trust):
    scene.lay_tools()
    keys = set(scene.project.rglob("*.key"))
    report = scene.project / "report.json"
    with watched(scene) as watch:
        run = rotate_ca(scene, "issue", "-e", "rotate_ca_expected_hosts=3", "-e", f"rotate_json={report}")
    assert set(scene.project.rglob("*.key")) == keys
    return run, watch, json.loads(report.read_text())


def test_all_certificates_are_of_the_new_one(scene, old, issue):
    run, watch, rows = issue
    assert run.code == 0, run.output
    watch.handed_over()
    new = f"CN=mtls CA {old + 1}"
    assert issued_by(scene) == dict.fromkeys(
        [
            "a server/server",
            "a server/probe",
            "b proxy/client",
            "c server/server",
            "c server/probe",
            "c proxy/client",
        ],
        new,
    )
    assert served_by(scene) == dict.fromkeys(["a", "b", "c", "c as client"], new)
    assert {(row["host"], row["state"]) for row in rows} == {(host, "stable") for host in ALL}
    for name in "abc":
        assert scene.run(name, f"find {BASE} -name privkey.pem ! -perm 0600") == ""
    lines = (scene.project / "private_ca" / "issued.jsonl").read_text().splitlines()
    known = {json.loads(line)["serial"]: json.loads(line)["generation"] for line in lines}
    assert {known[row["new_serial"]] for row in rows} == {old + 1}


@pytest.mark.whole
@pytest.mark.parametrize(
    "command",
    [
        "rotate_ca -e rotate_ca_phase=issue",
        "rotate_ca -e rotate_ca_phase=issue -e rotate_ca_expected_hosts=3",
    ],
)
def test_the_same_again_issues_nothing(scene, issue, command):
    before = everything(scene)
    run = as_documented(scene, command)
    assert (run.code, run.changed) == (0, 0), run.output
    assert everything(scene) == before


@pytest.mark.whole
def test_the_next_one_does_not_begin_before_this_one_is_ended(scene, issue):
    before = everything(scene)
    run = rotate_ca(scene, "trust")
    assert run.held_back("trust") == set()
    assert "the replacement before this one is not ended" in run.said
    assert everything(scene) == before


def test_a_client_of_the_old_one_holds_retire(scene, old, issue):
    """Its twin is the next one: the same client, longer ago."""
    older_logs(scene, 8)
    someone = caller(scene, of_generation(scene, old), "partner")
    assert admitted(scene, someone) == [200, 200]
    before = everything(scene)
    run = as_documented(scene, "rotate_ca -e rotate_ca_phase=retire")
    assert run.held_back("retire") == {A, C}
    for word in ("orders", "stock", someone.subject, someone.serial):
        assert word in run.said
    assert not [word for word in re.findall(r"CN=\S+", run.said) if word.startswith(f"CN={B}")]
    assert everything(scene) == before


@pytest.fixture(name="retire", scope="module")
def _retire(scene, old, issue):
    older_logs(scene, 8)
    gone = of(scene, old)
    with watched(scene) as watch:
        run = rotate_ca(scene, "retire")
    return run, watch, gone


def test_nobody_trusts_the_old_one(scene, old, retire):
    run, watch, gone = retire
    assert run.code == 0, run.output
    watch.handed_over()
    assert roots(scene).keys() == {old + 1}
    assert list(trusted(scene).values()) == [set(roots(scene).values())] * 4
    assert not gone & set(roots(scene).values())
    assert admitted(scene, caller(scene, of_generation(scene, old), "partner")) == [400, 400]
    assert admitted(scene, caller(scene, of_generation(scene, old + 1), "guest")) == [200, 200]


@pytest.mark.whole
def test_the_same_again_retires_nothing(scene, retire):
    before = everything(scene)
    run = rotate_ca(scene, "retire")
    assert (run.code, run.changed) == (0, 0), run.output
    assert "3 hosts have nothing that is due" in run.said
    assert everything(scene) == before


def test_site_yml_has_nothing_to_do(scene, retire):
    before = everything(scene)
    code, output = scene.site()
    assert (code, Run(code, output).changed) == (0, 0), output
    assert everything(scene) == before
