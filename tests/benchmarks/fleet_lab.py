# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What benchmarks of whole fleets share: hosts, a project for them, and a playbook run as a user runs it.

The hosts are containers on this machine, reached by ssh, and share its cores with Ansible. A third of them
is Server A, all with the same site; the others are B with a route to each A. Processor seconds are those of
Ansible and what it starts on this machine, without the hosts'. Tasks are what Ansible counts for a host,
median.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB_TOOLS = ROOT / "tests" / "lab"
PROJECT = Path(os.environ.get("LAB_STATE", ROOT / ".cache")) / "fleet-bench"
LAB = "fleet-bench"
RECAP = re.compile(r"^(\S+) +: ok=(\d+) .* failed=(\d+) +skipped=(\d+) ", re.MULTILINE)


class Run(NamedTuple):
    """Seconds of one run, on the clock and of the controller's processors, and the tasks of a host."""

    seconds: float
    spent: float
    tasks: float


def lab(*arguments: str) -> str:
    command = [sys.executable, str(LAB_TOOLS / "hosts.py"), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def bring_up(hosts: int, image: str) -> tuple[int, int]:
    """The containers, and a project of theirs; how many are A and B."""
    servers = max(1, hosts // 3)
    names = {
        "mtls_servers": [f"a{n}.example.com" for n in range(1, servers + 1)],
        "mtls_proxies": [f"b{n}.example.com" for n in range(1, hosts - servers + 1)],
    }
    shutil.rmtree(PROJECT, ignore_errors=True)  # there may be none
    shutil.copytree(ROOT / "examples" / "simple", PROJECT, ignore=shutil.ignore_patterns("private_ca"))
    groups = {group: {"hosts": dict.fromkeys(listed)} for group, listed in names.items()}
    (PROJECT / "inventory.yml").write_text(yaml.safe_dump(groups))
    definition = PROJECT / "hosts.yml"
    definition.write_text(
        yaml.safe_dump(
            {
                name: {"image": image, "backend": group == "mtls_servers"}
                for group, listed in names.items()
                for name in listed
            }
        )
    )
    lab("down", LAB)
    lab("up", LAB, "--definition", str(definition))
    reached = lab("inventory", LAB, "--definition", str(definition), "--connection", "ssh")
    (PROJECT / "lab.json").write_text(reached)
    return servers, hosts - servers


def processor() -> float:
    """Seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def play(playbook: str, forks: int, **variables: Any) -> Run:
    """Runs a playbook in the project; ends where it fails. What it printed stays there, in `output`."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", "inventory.yml", "-i", "lab.json", f"--forks={forks}", playbook]
    began, spent = time.monotonic(), processor()
    done = subprocess.run(
        [*command, "-e", json.dumps(variables)],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    (PROJECT / "output").write_text(done.stdout)
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{playbook} failed: {PROJECT}/output")
    counted = [int(ok) + int(skipped) for dummy, ok, dummy, skipped in RECAP.findall(done.stdout)]
    return Run(seconds, processor() - spent, median(counted))


def table(rows: list[tuple[str, ...]]) -> str:
    """The rows in Markdown; the first one has the names of the columns."""
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rest))
