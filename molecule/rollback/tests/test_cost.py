# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs: which tasks of site.yml reach a host that needs nothing, and where a call's time goes."""

from __future__ import annotations

import json

import pytest
from scene import cases

# Asked of every host at every run: packages (which distribution, which are there), nginx's version, requests,
# what is installed.
REACHING = {
    "Ask which distribution this is",
    "Ask which packages are there",
    "Ask for the version of nginx",
    "Keys and requests on the host",
    "Read what is installed",
    "Install the proxy part and prove it",
}
ALWAYS = {"lock", "recover", "read", "credentials", "prove"}
CHANGED = {"stage", "check", "baseline", "switch", "reload"}


def test_an_unchanged_host_costs_one_release_call(scene):
    """A task that reached the host has its arguments in the result; the controller's own tasks have none."""
    code, output = scene.ansible(
        *("ansible-playbook", "mutual_tls.nginx.site", "--limit", "b.example.com"),
        ANSIBLE_LOAD_CALLBACK_PLUGINS="true",
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
    )
    assert code == 0, output
    data = json.JSONDecoder().raw_decode(output[output.index("{\n") :])[0]
    tasks = [
        (task["task"]["name"].rpartition(" : ")[2], task["hosts"]["b.example.com"])
        for play in data["plays"]
        for task in play["tasks"]
        if "b.example.com" in task["hosts"]
    ]
    reached = [name for name, result in tasks if "invocation" in result and not result.get("skipped")]
    releases = [result for name, result in tasks if name == "Install the proxy part and prove it"]
    assert set(reached) - REACHING == set()
    assert len(releases) == 1
    assert (releases[0]["changed"], releases[0]["state"]) == (False, "stable")


@pytest.mark.parametrize("host", cases("abc", "c"))
def test_where_the_time_goes(scene, host):
    """An unchanged host is not reloaded. Its twin: a changed block names each step."""
    quiet = scene.release(host)
    assert (quiet.code, quiet.told["changed"]) == (0, False), quiet.told.get("msg")
    assert set(quiet.told["seconds"]) >= ALWAYS
    assert not CHANGED & set(quiet.told["seconds"])
    part, kind = ("proxy", "routes") if host == "b" else ("server", "sites")
    blocks = scene.blocks(host, f"{part}/{kind}")
    blocks[0]["content"] += "# one line more\n"
    loud = scene.release(host, parts={part: {kind: blocks}})
    assert (loud.code, loud.told["changed"]) == (0, True), loud.told.get("msg")
    assert set(loud.told["seconds"]) >= ALWAYS | CHANGED
    print(f"\n{host}: unchanged {quiet.told['seconds']}\n   changed {loud.told['seconds']}")
