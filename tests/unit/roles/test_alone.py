# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role in a play of one's own, without site.yml before it, as ansible-playbook runs it.

No host is touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
GROUPS = {"mtls_server": "mtls_servers", "mtls_proxy": "mtls_proxies"}


def play(folder: Path, groups: dict[str, Any], task: str) -> subprocess.CompletedProcess[str]:
    """One task on all hosts of *groups*."""
    inventory = {"all": {"vars": LOCAL, "children": {name: {"hosts": of} for name, of in groups.items()}}}
    (folder / "inventory.json").write_text(json.dumps(inventory))
    (folder / "play.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n")
    return subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "-i", "inventory.json", "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("role", GROUPS)
def test_a_role_refuses_a_host_outside_its_group(role, tmp_path):
    """It would send empty lists there, which take that part off. The twin comes further: to `release`."""
    # mtls_requests: as if the steps before had been done.
    role_task = f"ansible.builtin.include_role: {{name: mutual_tls.nginx.{role}}}"
    task = f"{role_task}\n      vars: {{mtls_requests: {{}}}}"
    other = next(group for group in GROUPS.values() if group != GROUPS[role])
    done = play(tmp_path, {other: {"a1": {}}}, task)
    assert done.returncode != 0
    assert f"a1 is not in the group {GROUPS[role]}" in done.stdout
    done = play(tmp_path, {GROUPS[role]: {"a1": {}}}, task)
    assert "is not in the group" not in done.stdout
    assert "'mtls_fleet' is undefined" in done.stdout


def test_what_the_model_warns_of_is_told_once(tmp_path):
    site = {"name": "orders", "server_names": ["o.example.com"], "verify": "optional_no_ca"}
    hosts = {name: {"mtls_server_sites": [site]} for name in ("a1", "a2")}
    task = "ansible.builtin.include_role: {name: mutual_tls.nginx.nginx, tasks_from: fleet.yml}"
    done = play(tmp_path, {"mtls_servers": hosts}, task)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("a1, a2: site orders: verify optional_no_ca") == 1
    quiet = {name: {"mtls_server_sites": [{**site, "verify": "on"}]} for name in hosts}
    done = play(tmp_path, {"mtls_servers": quiet}, task)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "optional_no_ca" not in done.stdout
