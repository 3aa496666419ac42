# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each play says itself, since the controller's settings may say otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT, files_below

PLAYS = [
    pytest.param(play, id=f"{path.stem}: {play['name']}")
    for path in files_below("playbooks", suffixes=(".yml",))
    for play in yaml.safe_load(path.read_text(encoding="utf-8"))
    if "hosts" in play
]


@pytest.mark.parametrize("play", PLAYS)
def test_hosts_wait_for_each_other(play):
    """By strategy `free` a plan for the fleet is made before all of it is read, once for each host."""
    assert play["strategy"] == "linear"


@pytest.mark.parametrize("play", PLAYS)
def test_a_rescue_is_of_one_host(play):
    """By `any_errors_fatal` it is of all hosts of the batch."""
    if any("rescue" in task for task in play["tasks"]):
        assert play["any_errors_fatal"] is False


@pytest.mark.parametrize("play", PLAYS)
def test_a_relative_path_of_an_option_begins_where_the_user_is(play):
    """A task on the controller begins beside the playbook, that is in the collection."""
    for task in play["tasks"]:
        copy = task.get("ansible.builtin.copy")
        if copy and task.get("delegate_to") == "localhost":
            given = " ".join([copy["dest"], *map(str, play.get("vars", {}).values())])
            assert "| realpath" in given


NO_HOST_OF_OURS = "The inventory has no host in the groups mtls_servers and mtls_proxies"


@pytest.mark.parametrize(
    ("playbook", "hosts", "said"),
    [
        pytest.param("audit", {}, "The inventory has no host, or could not be read", id="audit"),
        pytest.param("diagnose", {}, "The inventory has no host, or could not be read", id="diagnose"),
        *(
            pytest.param(name, hosts, NO_HOST_OF_OURS, id=f"{name}-{kind}", marks=marks)
            for kind, hosts in (("no host at all", {}), ("no host of ours", {"x1": {}}))
            for name, marks in (
                ("revoke", ()),
                *((name, pytest.mark.whole) for name in ("site", "rotate", "rotate_ca")),
            )
        ),
    ],
)
def test_an_inventory_without_hosts_is_not_taken_for_done(playbook, hosts, said, tmp_path):
    """Ansible itself says `skipping: no hosts matched`, and ends well."""
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible.cli.playbook", "-i", "inventory.json"),
            f"mutual_tls.nginx.{playbook}",
        ],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    assert said in done.stdout


def test_two_audits_at_once_do_not_disturb_each_other(tmp_path):
    """Each writes under a name of its own, before that becomes the file's."""
    nobody = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"x1": nobody}}}), encoding="utf-8")
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", "inventory.json", "mutual_tls.nginx.audit"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1"}
    runs = [
        subprocess.Popen(
            [*command, "-e", "audit_fail_on=never"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _run in range(3)
    ]
    said = [(run.communicate()[0], run.returncode) for run in runs]
    assert [code for _said, code in said] == [0, 0, 0], said
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == [
        "audit.html", "audit.json", "mtls.prom",
    ]  # fmt: skip
