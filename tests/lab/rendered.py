# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles mtls_server and mtls_proxy make of variables: their own templates, rendered by Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.part import release_credentials
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sources import with_content
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import load, write

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: "{{ role }}/vars/main.yml"
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ lookup('ansible.builtin.template', template) | from_json | to_json }}"
"""


def proxy_blocks(folder: Path, fleet: dict[str, Any], host: str, nginx_version: str) -> dict[str, Any]:
    """``{listeners, routes}`` as `release` takes them, of *host* in the model *fleet*."""
    blocks: dict[str, Any] = _rendered(folder, "mtls_proxy", "blocks.json.j2", fleet, [host], nginx_version)[
        host
    ]
    return blocks


def server_parts(folder: Path, nginx_version: str, hosts: Mapping[str, Any]) -> dict[str, Any]:
    """``{parts: {host: parts}, warnings}`` by the hosts' variables, with the files that these name."""
    hostvars, groups = load(write(folder, {"mtls_servers": hosts, "mtls_proxies": {}}))
    fleet = fleet_model(hostvars, None, groups)
    sites = _rendered(folder, "mtls_server", "sites.json.j2", fleet, hosts, nginx_version)
    parts = {}
    for name in hosts:
        part = {
            "credentials": release_credentials(fleet["hosts"][name], "server", {}, {}, {}),
            "sites": sites[name],
        }
        arguments = with_content({"parts": {"server": part}}, lambda path, option: Path(path).read_bytes())
        parts[name] = arguments["parts"]
    return {"parts": parts, "warnings": fleet["warnings"]}


def _rendered(
    folder: Path, role: str, template: str, fleet: dict[str, Any], hosts: Iterable[str], nginx_version: str
) -> dict[str, Any]:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    given = {
        "mtls_fleet": fleet,
        "mtls_nginx_version": nginx_version,
        "role": str(ROOT / "roles" / role),
        "template": str(ROOT / "roles" / role / "templates" / template),
        "out": str(folder),
    }
    play(folder, PLAY, dict.fromkeys(hosts, local), given)
    return {host: json.loads((folder / f"{host}.json").read_text()) for host in hosts}


def play(folder: Path, text: str, hosts: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Runs the play *text*: *hosts* with their variables, and *given* for all of them."""
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "vars.json").write_text(json.dumps(given))
    (folder / "play.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "-i", "hosts.json", "-e", "@vars.json", "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
