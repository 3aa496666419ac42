# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rotate.yml on real hosts: what is new is served, what is not due stays, and nobody loses a request."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from page import Page
from scene import BASE, CALLER, Scene

A, B = "a.example.com", "b.example.com"
BOTH = ("-e", f"rotate_hosts={A},{B}")
PAGE = Page("rotation.md")
FORCED = PAGE.arguments("rotate -e rotate_hosts=b1,b2 -e rotate_force=true", {"b1,b2": f"{A},{B}"})


class Run(NamedTuple):
    code: int
    output: str
    rows: dict[str, dict[str, Any]]

    @property
    def states(self) -> dict[str, str]:
        return {place: row["state"] for place, row in self.rows.items()}


def rotate(scene: Scene, tmp_path: Path, *arguments: str, **variables: str) -> Run:
    report = tmp_path / "report.json"
    code, output = scene.ansible(
        "ansible-playbook", "mutual_tls.nginx.rotate", "-e", f"rotate_json={report}", *arguments, **variables
    )
    rows = json.loads(report.read_text()) if report.exists() else []
    return Run(code, " ".join(output.split()), {f"{row['host']} {row['credential']}": row for row in rows})


def serials(scene: Scene) -> dict[str, str]:
    """What lies in the live release, by place."""
    found = {}
    for host, part, name in (("a", "server", "server"), ("a", "server", "probe"), ("b", "proxy", "client")):
        path = f"{BASE}/current/{part}/credentials/{name}/fullchain.pem"
        text = scene.run(host, f"openssl x509 -in {path} -noout -serial").strip()
        found[f"{scene.full(host)} {part}/{name}"] = text.partition("=")[2]
    return found


def seen(scene: Scene) -> tuple[str, str]:
    """The certificate that A serves, and the serial number of B's that A sees."""
    served = scene.run(
        "stranger",
        "openssl s_client -connect a.example.com:443 -servername orders.example.com </dev/null 2>/dev/null"
        " | openssl x509 -noout -serial",
    )
    answer = scene.lab.ask(B, host="127.0.0.1", port=8080, tls=False, path="/.mtls/probe/orders")
    return served.strip().partition("=")[2], answer["body"].split()[3]


def test_nothing_is_due(scene, tmp_path):
    before = [scene.snapshot(host) for host in "abc"]
    run = rotate(scene, tmp_path, *PAGE.arguments("rotate"))
    assert (run.code, set(run.states.values())) == (0, {"fresh"})
    assert "3 hosts have nothing that is due" in run.output
    assert [scene.snapshot(host) for host in "abc"] == before


@pytest.mark.whole
@pytest.mark.parametrize(
    "more",
    [
        PAGE.arguments("rotate -e rotate_dry_run=true"),
        ["--check"],
        ["-e", json.dumps({"rotate_window": {"days": ["YESTERDAY"], "start": "00:00", "hours": 1}})],
    ],
    ids=["dry run", "check mode", "the window is closed"],
)
def test_what_only_says_what_is_due(scene, tmp_path, more):
    today = datetime.datetime.now(datetime.timezone.utc)
    more = [word.replace("YESTERDAY", (today - datetime.timedelta(days=2)).strftime("%a")) for word in more]
    before = [scene.snapshot(host) for host in "abc"]
    run = rotate(scene, tmp_path, *FORCED, *more)
    assert run.code == 0, run.output
    for place in serials(scene):
        assert f"{place}: forced; 89 days left" in run.output
    assert [scene.snapshot(host) for host in "abc"] == before


def test_both_sides_are_new_and_no_request_is_lost(scene, tmp_path):
    before, c = serials(scene), scene.snapshot("c")
    keys = set(scene.project.rglob("*.key"))
    with scene.watched("b") as watch:
        run = rotate(scene, tmp_path, *FORCED)
    watch.handed_over()
    assert run.code == 0, run.output
    after = serials(scene)
    assert run.states == dict.fromkeys(before, "stable")
    assert not set(before.values()) & set(after.values())
    for place, row in run.rows.items():
        assert (row["old_serial"], row["new_serial"], row["days_left"]) == (before[place], after[place], 89)
        assert row["seconds"] > 0
    assert seen(scene) == (after[f"{A} server/server"], after[f"{B} proxy/client"])
    assert "1 of 2 hosts done, 1 left" in run.output
    assert "Should this run be cut short, go on with -e rotate_force=20" in run.output
    assert scene.snapshot("c") == c
    # Made on the host, and nowhere else.
    assert scene.run("a", f"find {BASE} -name 'privkey.pem' ! -perm 0600") == ""
    assert "PRIVATE KEY" not in run.output
    assert set(scene.project.rglob("*.key")) == keys
    issued = (scene.project / "private_ca" / "issued.jsonl").read_text()
    assert set(after.values()) <= {json.loads(line)["serial"] for line in issued.splitlines()}


@pytest.mark.whole
def test_prepared_today_and_only_switched_to_later(scene, tmp_path):
    before = serials(scene)
    run = rotate(scene, tmp_path, *FORCED, "-e", "rotate_until=checked")
    assert (run.code, run.states) == (0, dict.fromkeys(before, "checked")), run.output
    assert serials(scene) == before
    issued = (scene.project / "private_ca" / "issued.jsonl").read_text()
    with scene.watched("b") as watch:
        run = rotate(scene, tmp_path, *BOTH)
    watch.handed_over()
    assert (run.code, run.states) == (0, dict.fromkeys(before, "stable")), run.output
    after = serials(scene)
    assert not set(before.values()) & set(after.values())
    assert (scene.project / "private_ca" / "issued.jsonl").read_text() == issued

    run = rotate(scene, tmp_path, "-e", f"rotate_hosts={B}", "-e", "rotate_to=previous")
    assert run.code == 0, run.output
    place = f"{B} proxy/client"
    assert serials(scene) == {**after, place: before[place]}
    assert seen(scene)[1] == before[place]
    # Once more does not bring back what was just taken off.
    run = rotate(scene, tmp_path, "-e", f"rotate_hosts={B}", "-e", "rotate_to=previous")
    assert (run.code, set(run.states.values())) == (0, {"fresh"}), run.output
    assert "it has gone back already" in run.output
    assert seen(scene)[1] == before[place]


@pytest.mark.whole
def test_what_was_prepared_for_another_inventory_is_left(scene, tmp_path):
    """Its twin is the one above."""
    run = rotate(scene, tmp_path, *FORCED, "-e", "rotate_until=checked")
    assert run.code == 0, run.output
    more = scene.project / "keys.yml"
    keys = {"mtls_proxy_credentials": [{"name": "client", "key": {"type": "p384"}}]}
    more.write_text(json.dumps({"all": {"hosts": {B: keys}}}))
    try:
        run = rotate(scene, tmp_path, "-i", "keys.yml", *BOTH)
    finally:
        more.unlink()
    assert run.code == 0, run.output
    assert "What was prepared is left: proxy/client of it would be due" in run.output
    path = f"{BASE}/current/proxy/credentials/client/fullchain.pem"
    assert "384 bit" in scene.run("b", f"openssl x509 -in {path} -noout -text")
    assert seen(scene)[1] == serials(scene)[f"{B} proxy/client"]
    run = rotate(scene, tmp_path, *BOTH)
    assert (run.code, set(run.states.values())) == (0, {"stable", "fresh"}), run.output


def test_a_host_that_is_not_reached_stops_the_run(scene, tmp_path):
    """Its twin: it is reached, and the run goes on with it."""
    before = serials(scene)
    began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    scene.run("b", "systemctl stop ssh.socket ssh; pkill sshd || true")
    try:
        run = rotate(scene, tmp_path, *FORCED)
    finally:
        scene.run("b", "systemctl start ssh")
    assert run.code != 0
    states = run.states
    assert {states[f"{A} server/server"], states[f"{A} server/probe"]} == {"stable"}
    assert [row["state"] for row in run.rows.values() if row["host"] == B] == ["unreachable"]
    assert "1 host is not done: b.example.com" in run.output
    after = serials(scene)
    assert after[f"{B} proxy/client"] == before[f"{B} proxy/client"]

    run = rotate(scene, tmp_path, *BOTH, "-e", f"rotate_force={began}")
    assert run.code == 0, run.output
    last = serials(scene)
    assert last[f"{A} server/server"] == after[f"{A} server/server"]
    assert last[f"{B} proxy/client"] != after[f"{B} proxy/client"]


@pytest.mark.whole
def test_a_host_whose_disk_is_full_stops_the_run(scene, tmp_path):
    """Its twin: there is room again, and the run goes on with it, one fork at a time."""
    before = serials(scene)
    began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    live = scene.live("a")
    with scene.disk_full("a"):
        run = rotate(scene, tmp_path, *FORCED)
        assert scene.live("a") == live
    assert run.code != 0
    assert {run.states[f"{A} server/server"], run.states[f"{A} server/probe"]} == {"failed"}
    assert run.states[f"{B} proxy/client"] == "not reached"
    assert f"1 host is not done: {A}. {A}: failed: {BASE}/pending/server/" in run.output
    assert "No space left on device" in run.output
    assert serials(scene) == before

    run = rotate(scene, tmp_path, *BOTH, "-e", f"rotate_force={began}", "--forks=1")
    assert (run.code, run.states) == (0, dict.fromkeys(before, "stable")), run.output
    after = serials(scene)
    assert not set(before.values()) & set(after.values())
    assert seen(scene) == (after[f"{A} server/server"], after[f"{B} proxy/client"])


@pytest.mark.whole
def test_nothing_of_a_key_is_said_at_any_verbosity(scene, tmp_path):
    run = rotate(scene, tmp_path, *FORCED, "-vvv", "--diff")
    assert run.code == 0
    assert "CERTIFICATE REQUEST-----" in run.output  # its twin: what is public is said
    assert "PRIVATE KEY-----" not in run.output
    keys = "".join(scene.run(host, f"find {BASE} -name privkey.pem -exec cat {{}} +") for host in "abc")
    keys += "".join(path.read_text() for path in scene.project.rglob("private_ca/**/*.key"))
    # Of P-256 in PKCS#8; the third line is of the public half.
    secret = {line for key in keys.split("-----BEGIN PRIVATE KEY-----")[1:] for line in key.split()[:2]}
    assert len(secret) > 6
    said = run.output + "".join(scene.run(host, "journalctl --no-pager --quiet --all") for host in "abc")
    assert not [line for line in secret if line in said]


@pytest.mark.whole
def test_a_client_that_a_knows_by_fingerprint_stops_the_run_before_it_begins(scene, tmp_path):
    """Its twin is above: nobody knows it so."""
    path = f"{BASE}/current/proxy/credentials/client/fullchain.pem"
    told = scene.run("b", f"openssl x509 -in {path} -noout -fingerprint -sha1")
    sha1 = told.strip().partition("=")[2].replace(":", "").lower()
    sites = scene.blocks("a", "server/sites")
    more = scene.project / "allowed.yml"
    more.write_text(
        json.dumps(
            {
                "all": {
                    "hosts": {
                        A: {
                            "mtls_server_sites": [
                                {
                                    "name": "orders",
                                    "server_names": ["orders.example.com"],
                                    "backend": "http://127.0.0.1:8000",
                                    "allow": [{"sha1": sha1}],
                                }
                            ]
                        }
                    }
                }
            }
        )
    )
    try:
        code, output = scene.site("-i", "allowed.yml", "--limit", f"{A},{B}")
        assert code == 0, output
        before = [scene.snapshot(host) for host in "abc"]
        run = rotate(scene, tmp_path, *FORCED)
        assert run.code != 0
        assert "This run would break edges that work. No host was changed." in run.output
        assert "by a fingerprint or a serial number" in run.output
        assert [scene.snapshot(host) for host in "abc"] == before
    finally:
        more.unlink()
        scene.change("a", {"server": {"sites": sites}})
    answer = scene.lab.ask("stranger.example.com", host=A, sni="orders.example.com", **CALLER)
    assert answer["status"] == 200


@pytest.mark.whole
def test_options_in_the_inventory_are_refused(scene, tmp_path):
    more = scene.project / "batches.yml"
    more.write_text(json.dumps({"all": {"vars": {"rotate_batches": ["100%"]}}}))
    try:
        run = rotate(scene, tmp_path, "-i", "batches.yml")
    finally:
        more.unlink()
    assert run.code != 0
    assert "rotate_batches: it is set in the inventory, and is an option of one run" in run.output


@pytest.mark.whole
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"rotate_batches": 0}, "rotate_batches: 0 is no size of a batch"),
        ({"rotate_hosts": ""}, "rotate_hosts: It is empty"),
        ({"rotate_dryrun": True}, 'rotate_dryrun: There is no such option. Did you mean "rotate_dry_run"?'),
    ],
)
def test_options_that_would_change_the_whole_fleet_are_refused(scene, tmp_path, option, words):
    before = [scene.snapshot(host) for host in "abc"]
    run = rotate(scene, tmp_path, "-e", "rotate_force=true", "-e", json.dumps(option))
    assert run.code != 0
    assert f"No host was asked. {words}" in run.output
    assert [scene.snapshot(host) for host in "abc"] == before


@pytest.mark.whole
def test_a_controller_that_prefers_another_strategy(scene, tmp_path):
    """Each host would plan by itself, before the others were read."""
    run = rotate(scene, tmp_path, *FORCED, "-e", "rotate_dry_run=true", ANSIBLE_STRATEGY="free")
    assert (run.code, run.output.count("2 hosts: 2 due")) == (0, 1), run.output
