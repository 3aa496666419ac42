# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario, by name, as testinfra sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import testinfra

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def hosts() -> dict[str, Any]:
    """{"a1.example.com": testinfra host, ...}, through the connection that Ansible uses."""
    command = [sys.executable, PROJECT / "tests" / "lab" / "hosts.py", "inventory", "molecule"]
    inventory = json.loads(subprocess.check_output(command, env=os.environ))
    reach = inventory["all"]["hosts"]
    return {name: testinfra.get_host(f"podman://{reach[name]['ansible_host']}") for name in reach}


@pytest.fixture
def server(hosts: dict[str, Any]) -> Any:
    return hosts["a1.example.com"]


@pytest.fixture
def proxy(hosts: dict[str, Any]) -> Any:
    return hosts["b1.example.com"]


@pytest.fixture
def stranger(hosts: dict[str, Any]) -> Any:
    return hosts["stranger.example.com"]
