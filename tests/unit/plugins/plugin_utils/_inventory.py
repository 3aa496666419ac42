# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories for tests, read and templated by Ansible itself: hostvars as a filter gets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model

A, B = "a1.example.com", "b1.example.com"
Hosts = Mapping[str, Mapping[str, Any]]


def load(source: str) -> tuple[HostVars, dict[str, list[str]]]:
    """``hostvars`` and ``groups`` of the inventory at *source*."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[source])
    variables = VariableManager(loader=loader, inventory=inventory)
    return HostVars(
        inventory=inventory, variable_manager=variables, loader=loader
    ), inventory.get_groups_dict()


def write(folder: Path, groups: Mapping[str, Hosts]) -> str:
    """An inventory file: group to host to its variables."""
    path = folder / "inventory.yml"
    text = yaml.safe_dump({group: {"hosts": dict(hosts)} for group, hosts in groups.items()})
    path.write_text(text, encoding="utf-8")
    return str(path)


def fleet(folder: Path, servers: Hosts, proxies: Hosts | None = None) -> dict[str, Any]:
    """The model of these hosts."""
    hostvars, groups = load(write(folder, {"mtls_servers": servers, "mtls_proxies": proxies or {}}))
    return fleet_model(hostvars, None, groups)
