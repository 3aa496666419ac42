# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role mtls_proxy makes of variables: its own templates, rendered here by Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: "{{ role }}/vars/main.yml"
    - ansible.builtin.copy:
        dest: "{{ out }}"
        mode: "0600"
        content: "{{ lookup('ansible.builtin.template', role ~ '/templates/blocks.json.j2') }}"
"""


def proxy_blocks(folder: Path, fleet: dict[str, Any], host: str, nginx_version: str) -> dict[str, Any]:
    """``{listeners, routes}`` as `release` takes them, of *host* in the model *fleet*."""
    local = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "mtls_nginx_version": nginx_version,
    }
    out = folder / "blocks.json"
    given = {"mtls_fleet": fleet, "role": str(ROOT / "roles" / "mtls_proxy"), "out": str(out)}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {host: local}}}))
    (folder / "vars.json").write_text(json.dumps(given))
    (folder / "play.yml").write_text(PLAY)
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "-i", "hosts.json", "-e", "@vars.json", "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    blocks: dict[str, Any] = json.loads(out.read_text())
    return blocks
