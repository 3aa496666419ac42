# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that has expired, or whose authority is lost, comes back by playbooks alone."""

from __future__ import annotations

import datetime
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ageing import age, answers, clock, generation, live, short_crl
from answers import ADMITTED
from pki import now
from scene import BASE, ROOT, Scene

A, B, C = "a.example.com", "b.example.com", "c.example.com"
WORKS = {"b": 200, "c": 200, "caller of a": 200, "caller of c": 200}
TRUSTING = (("a", "server/credentials/server"), ("b", "proxy/credentials/client"))


# The commands of docs/recovery.md; what these tests run begins with one of them.
PAGE = re.findall(
    r"^(?:ansible|mkdir)(?:.*\\\n)*.*", (ROOT / "docs" / "recovery.md").read_text(), re.MULTILINE
)


class Run(NamedTuple):
    code: int
    output: str
    rows: list[dict[str, Any]]

    @property
    def states(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in self.rows:
            found.setdefault(row["host"], set()).add(row["state"])
        return found


def play(scene: Scene, tmp_path: Path, name: str, *arguments: str) -> Run:
    report = tmp_path / "report.json"
    report.unlink(missing_ok=True)
    code, output = scene.ansible(
        "ansible-playbook", f"mutual_tls.nginx.{name}", "-e", f"rotate_json={report}", *arguments
    )
    rows = json.loads(report.read_text()) if report.exists() else []
    return Run(code, " ".join(output.split()), rows)


def test_the_page_has_no_other_commands():
    playbook = "ansible-playbook mutual_tls.nginx."
    known = {f"{playbook}rotate_ca -e rotate_ca_phase={phase}" for phase in ("trust", "issue", "retire")}
    known |= {f"{playbook}rotate", f"{playbook}rotate -e rotate_dry_run=true"}
    others = [command.split()[0] for command in PAGE if command not in known]
    assert known < set(PAGE)
    assert others == ["mkdir", "ansible", "ansible"], "as `fetched` does"


def rotate(scene: Scene, tmp_path: Path, *arguments: str) -> Run:
    return play(scene, tmp_path, "rotate", *arguments)


def rotate_ca(scene: Scene, tmp_path: Path, phase: str, *arguments: str) -> Run:
    return play(
        scene,
        tmp_path,
        "rotate_ca",
        "-e",
        f"rotate_ca_phase={phase}",
        "-e",
        "rotate_ca_soak_days=0",
        *arguments,
    )


def issuers(scene: Scene) -> set[str]:
    """Of everything that is live and of the private CA."""
    places = (("a", "server", "server"), ("a", "server", "probe"), ("b", "proxy", "client"))
    places += (("c", "server", "server"), ("c", "server", "probe"), ("c", "proxy", "client"))
    return {live(scene, *place).issuer.rfc4514_string() for place in places}


def roots(scene: Scene, host: str, place: str) -> list[str]:
    """Subjects in a live trust.pem."""
    said = scene.run(
        host,
        f"openssl crl2pkcs7 -nocrl -certfile {BASE}/current/{place}/trust.pem"
        " | openssl pkcs7 -print_certs -noout | sed -n 's/^subject=//p'",
    )
    return [line.replace(" ", "") for line in said.splitlines() if line.strip()]


def newest(scene: Scene) -> str:
    return f"CN=mtls CA {generation(scene).name}"


def works_and_nothing_is_due(scene: Scene, tmp_path: Path) -> None:
    scene.lay_tools()  # the caller's certificate, of the newest generation
    assert answers(scene) == WORKS
    assert issuers(scene) == {newest(scene)}
    run = rotate(scene, tmp_path)
    assert (run.code, set().union(*run.states.values())) == (0, {"fresh"}), run.output


@pytest.mark.whole
def test_every_certificate_has_expired(scene, tmp_path):
    age(scene, "leaves")
    broken = answers(scene)
    assert (broken["b"], broken["c"]) == (502, 502)
    before = [scene.snapshot(host) for host in "abc"]
    said = rotate(scene, tmp_path, "-e", "rotate_dry_run=true")
    assert said.code == 0
    assert said.output.count("it has expired; -1 days left") == 6
    assert [scene.snapshot(host) for host in "abc"] == before

    run = rotate(scene, tmp_path)
    assert run.code == 0, run.output
    assert run.states == {A: {"stable"}, C: {"stable"}, B: {"stable"}}
    # A's before B's: whoever asks needs somebody who answers.
    order = [
        run.output.index(f"changed: [{host}]", run.output.index("Install what is new")) for host in (A, C, B)
    ]
    assert order == sorted(order)
    works_and_nothing_is_due(scene, tmp_path)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_the_root_has_expired(scene, tmp_path, whole):
    """With it everything has. Nothing but rotate.yml is needed, and it says first what it makes."""
    number = int(generation(scene).name)
    age(scene, "root")
    assert set(answers(scene).values()) <= {400, 502}
    before = [scene.snapshot(host) for host in "abc"]
    says = (
        f"generations/{number}/root.pem expired on",
        "It makes another generation, and all hosts get to trust it",
    )
    for more in [("-e", "rotate_dry_run=true"), ("--check",)] if whole else []:
        said = rotate(scene, tmp_path, *more)
        assert said.code == 0, said.output
        assert all(words in said.output for words in says)
        assert [scene.snapshot(host) for host in "abc"] == before
        assert int(generation(scene).name) == number
    if whole:
        code, output = scene.site()
        assert code != 0
        assert "Run rotate.yml: it makes what is to sign next" in " ".join(output.split())

    run = rotate(scene, tmp_path)
    assert run.code == 0, run.output
    assert run.states == {A: {"stable"}, C: {"stable"}, B: {"stable"}}
    assert all(run.output.index(words) < run.output.index("Install what is new") for words in says)
    assert int(generation(scene).name) == number + 1
    for host, place in TRUSTING:
        assert roots(scene, host, place) == [newest(scene).replace(" ", "")]
    scene.lay_tools()
    assert answers(scene) == WORKS
    assert issuers(scene) == {newest(scene)}
    if whole:
        works_and_nothing_is_due(scene, tmp_path)
        code, output = scene.site()
        assert code == 0, output
        assert set(re.findall(r"changed=(\d+)", output)) == {"0"}


@pytest.mark.whole
def test_the_intermediate_has_expired(scene, tmp_path):
    """Below a root that has not: another one comes, and nobody's trust changes."""
    signs = ("-e", "private_ca_intermediate=true")
    code, output = scene.site(*signs)
    assert code == 0, output
    rotate(scene, tmp_path, *signs, "-e", "rotate_force=true")  # what of c is a file is stuck
    number = generation(scene).name
    assert issuers(scene) == {f"CN=mtls CA {number} issuing"}
    assert answers(scene) == WORKS
    age(scene, "intermediate", 100)
    broken = answers(scene)
    assert (broken["b"], broken["c"]) == (502, 502)
    before = [scene.snapshot(host) for host in "abc"]
    trusted = {host: roots(scene, host, place) for host, place in TRUSTING}
    said = rotate(scene, tmp_path, *signs, "-e", "rotate_dry_run=true")
    assert said.code == 0, said.output
    says = ("intermediate.pem expired on", "It makes another intermediate below the same root")
    assert all(words in said.output for words in says)
    assert [scene.snapshot(host) for host in "abc"] == before
    assert not (generation(scene) / "intermediate-2.pem").exists()

    run = rotate(scene, tmp_path, *signs)
    assert run.code == 0, run.output
    assert run.states == {A: {"stable"}, C: {"stable"}, B: {"stable"}}
    assert (generation(scene).name, issuers(scene)) == (number, {f"CN=mtls CA {number} issuing 2"})
    assert {host: roots(scene, host, place) for host, place in TRUSTING} == trusted
    assert answers(scene) == WORKS
    run = rotate(scene, tmp_path, *signs)
    assert (run.code, set().union(*run.states.values())) == (0, {"fresh"}), run.output
    # Back to what the other tests have.
    rotate(scene, tmp_path, "-e", "rotate_force=true")
    assert (answers(scene), issuers(scene)) == (WORKS, {newest(scene)})


@pytest.mark.whole
def test_the_key_is_lost_and_a_host_was_away(scene, tmp_path):
    """Another generation takes over beside the old root, and nobody loses a request; what was away meanwhile
    comes back by rotate.yml, in one call."""
    number = int(generation(scene).name)
    lost = generation(scene) / "root.key"
    lost.unlink(missing_ok=True)
    code, output = scene.site()
    assert code != 0
    assert "has no root.key, so this CA cannot sign" in " ".join(output.split())
    assert "let rotate_ca.yml replace it" in " ".join(output.split())
    run = rotate(scene, tmp_path)
    assert (run.code, set().union(*run.states.values())) == (0, {"fresh"}), run.output
    assert "private CA: WARNING:" in run.output
    before = [scene.snapshot(host) for host in "abc"]
    run = rotate(scene, tmp_path, "-e", "rotate_force=true")
    assert run.code != 0
    assert "This run would break edges that work. No host was changed." in run.output
    assert "rotate_ca_phase=trust" in run.output
    assert [scene.snapshot(host) for host in "abc"] == before
    assert int(generation(scene).name) == number

    away = ("-e", f"rotate_ca_without={C}", "--limit", f"all:!{C}")
    with scene.meanwhile({"b": scene.questions("b")["b"]}) as watch:
        for phase in ("trust", "issue", "retire"):
            run = rotate_ca(scene, tmp_path, phase, *away)
            assert run.code == 0, run.output
    assert all(answer.startswith(ADMITTED) for answer in watch.answers["B"]), str(watch)
    assert int(generation(scene).name) == number + 1
    scene.lay_tools()
    found = answers(scene)
    assert (found["b"], found["caller of a"]) == (200, 200)
    assert (found["c"], found["caller of c"]) == (502, 400)

    run = rotate(scene, tmp_path)
    assert run.code == 0, run.output
    assert run.states == {A: {"fresh"}, C: {"stable"}, B: {"fresh"}}
    assert {row["reason"] for row in run.rows if row["host"] == C} >= {"its authority is retired"}
    assert roots(scene, "c", "proxy/credentials/client") == [newest(scene).replace(" ", "")]
    works_and_nothing_is_due(scene, tmp_path)


@pytest.mark.whole
def test_two_hosts_are_left_on_the_old_authority(scene, tmp_path):
    """The others have retired it, and between these two it works: they come over without losing a request."""
    for host in "ab":
        scene.run(host, f"rm -rf /root/before && cp -a {BASE} /root/before")
    for phase in ("trust", "issue", "retire"):
        run = rotate_ca(scene, tmp_path, phase)
        assert run.code == 0, run.output
    # As machines are that come out of a snapshot.
    for host in "ab":
        scene.run(host, f"rm -rf {BASE} && mv /root/before {BASE} && systemctl restart nginx")
    number = int(generation(scene).name)
    old, new = f"CN=mtlsCA{number - 1}", f"CN=mtlsCA{number}"
    scene.lay_tools()
    found = answers(scene)
    assert (found["b"], found["caller of c"]) == (200, 200)
    assert (found["c"], found["caller of a"]) == (502, 400)

    steps = [
        ([new, old], f"CN=mtls CA {number - 1}", "new certificates once all trust what signs"),
        ([new, old], newest(scene), "Others still use it"),
        ([new], newest(scene), ""),
    ]
    with scene.meanwhile({"b": scene.questions("b")["b"]}) as watch:
        for trusted, issuer, words in steps:
            run = rotate(scene, tmp_path)
            assert run.code == 0, run.output
            assert run.states == {A: {"stable"}, B: {"stable"}, C: {"fresh"}}
            assert words in run.output
            end = run.output.partition("TASK [What was done]")[2]
            assert ("run rotate.yml again" in end) is bool(words)
            for host, place in TRUSTING:
                part, _credentials, name = place.split("/")
                assert sorted(roots(scene, host, place)) == sorted(trusted)
                assert live(scene, host, part, name).issuer.rfc4514_string() == issuer
    assert all(answer.startswith(ADMITTED) for answer in watch.answers["B"]), str(watch)
    works_and_nothing_is_due(scene, tmp_path)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("ahead", "more", "words"),
    [
        ("+100d", (), "100 days ahead of the controller's, and what is valid now has expired there"),
        (
            "-3h",
            ("-e", "rotate_force=true"),
            "3 hours behind the controller's, and what is signed now is not",
        ),
    ],
)
def test_a_clock_is_wrong(scene, tmp_path, ahead, more, words):
    before = [scene.snapshot(host) for host in "abc"]
    with clock(scene, "b", ahead):
        # To b, the certificate of a has expired, or is not valid yet: this fleet is an hour old.
        assert answers(scene)["b"] == 502
        run = rotate(scene, tmp_path, "-e", f"rotate_hosts={B}", *more)
        assert run.code != 0
        assert run.states == {B: {"stuck"}}
        assert words in run.output
        assert "timedatectl" in run.rows[0]["reason"]
    assert [scene.snapshot(host) for host in "abc"] == before
    # Once it is right everything works, and what was wanted can be had.
    assert answers(scene)["b"] == 200
    run = rotate(scene, tmp_path, "-e", f"rotate_hosts={B}", *more)
    assert (run.code, run.states) == (0, {B: {"stable" if more else "fresh"}}), run.output
    assert answers(scene) == WORKS


@pytest.mark.whole
def test_the_directory_comes_from_an_old_backup(scene, tmp_path):
    """It lacks the generation that all hosts trust, and what was issued since."""
    store, backup = scene.project / "private_ca", tmp_path / "backup"
    shutil.copytree(store, backup)
    number = int(generation(scene).name)
    for phase in ("trust", "issue", "retire"):
        run = rotate_ca(scene, tmp_path, phase)
        assert run.code == 0, run.output
    works_and_nothing_is_due(scene, tmp_path)
    serials = issued(store)
    shutil.rmtree(store)
    shutil.copytree(backup, store)

    before = [scene.snapshot(host) for host in "abc"]
    for name in ("rotate", "rotate_ca", "site"):
        phase = ("-e", "rotate_ca_phase=trust") if name == "rotate_ca" else ()
        run = play(scene, tmp_path, name, *phase)
        assert run.code != 0, run.output
        assert f'has no root for "mtls CA {number + 1}", but 3 of the reached hosts trust one' in run.output
        assert f"generations/{number + 1}/root.pem: docs/recovery.md" in run.output
    assert [scene.snapshot(host) for host in "abc"] == before
    assert int(generation(scene).name) == number

    # As docs/recovery.md says, where it is generation 2.
    fetched(scene, number + 1, "root.pem")
    # No host trusts what came out of the backup: it is retired, and what is lost is followed by another one.
    (store / "generations" / str(number) / "retired").touch()
    (store / "issuing").write_text(f"{number + 1}\n")
    with scene.meanwhile({"b": scene.questions("b")["b"]}) as watch:
        for phase in ("trust", "issue", "retire"):
            run = rotate_ca(scene, tmp_path, phase)
            assert run.code == 0, run.output
    assert all(answer.startswith(ADMITTED) for answer in watch.answers["B"]), str(watch)
    assert int(generation(scene).name) == number + 2
    works_and_nothing_is_due(scene, tmp_path)
    everything = [*serials, *issued(store)[len(issued(backup)) :]]
    assert len(everything) == len(set(everything)), "a serial number was given twice"


def fetched(scene: Scene, number: int, *names: str) -> None:
    """As docs/recovery.md says, where it is generation 2: that generation as hosts have it."""
    commands = [
        shlex.split(one.replace("\\\n", "").replace("generations/2", f"generations/{number}"))
        for one in PAGE
        if one.startswith(("mkdir", "ansible "))
    ]
    subprocess.run(commands[0], cwd=scene.project, check=True)
    for command in commands[1:]:
        if any(f"/{name} flat" in command[-1] for name in names):
            code, output = scene.ansible(*command)
            assert code == 0, output
    found = (scene.project / "private_ca" / "generations" / str(number)).iterdir()
    assert {path.name for path in found} == set(names)


def issued(store: Path) -> list[str]:
    return [json.loads(line)["serial"] for line in (store / "issued.jsonl").read_text().splitlines()]


@pytest.mark.whole
def test_the_directory_is_lost_and_lists_are_in_use(scene, tmp_path):
    """Without a backup. The last list of what is lost is kept, and nobody loses a request."""
    number, store = int(generation(scene).name), scene.project / "private_ca"
    made = short_crl(scene.authority(), now() + datetime.timedelta(days=20))
    (generation(scene) / "root-crl.pem").write_text(made)
    run = rotate(scene, tmp_path)
    assert (run.code, run.states) == (0, {A: {"stable"}, B: {"stable"}, C: {"stable"}}), run.output

    shutil.rmtree(store)
    fetched(scene, number, "root.pem", "root-crl.pem")
    # The list would be made anew by now, and cannot be.
    run = rotate(scene, tmp_path, "-e", "private_ca_crl_days=90")
    assert (run.code, set().union(*run.states.values())) == (0, {"fresh"}), run.output
    assert f"generations/{number}/root.pem has lost its key, so its CRL is kept as it is" in run.output
    with scene.meanwhile({"b": scene.questions("b")["b"]}) as watch:
        for phase in ("trust", "issue", "retire"):
            run = rotate_ca(scene, tmp_path, phase)
            assert run.code == 0, run.output
    assert all(answer.startswith(ADMITTED) for answer in watch.answers["B"]), str(watch)
    assert int(generation(scene).name) == number + 1
    works_and_nothing_is_due(scene, tmp_path)


@pytest.mark.whole
def test_the_revocation_lists_have_expired(scene, tmp_path):
    """Then every host refuses everybody."""
    age(scene, "crl", 100)
    assert answers(scene) == {"b": 502, "c": 502, "caller of a": 400, "caller of c": 400}
    before, crl = [scene.snapshot(host) for host in "abc"], generation(scene) / "root-crl.pem"
    old = crl.read_text()
    said = rotate(scene, tmp_path, "-e", "rotate_dry_run=true")
    assert said.code == 0, said.output
    assert ([scene.snapshot(host) for host in "abc"], crl.read_text()) == (before, old)

    run = rotate(scene, tmp_path)
    assert run.code == 0, run.output
    assert run.states == {A: {"stable"}, C: {"stable"}, B: {"stable"}}
    assert crl.read_text() != old
    works_and_nothing_is_due(scene, tmp_path)
