# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long rotate.yml takes for a fleet all of whose certificates are due, with how many tasks for each host.

Run from the checkout: ``.venv/bin/python tests/benchmarks/fleet.py [OPTIONS]``.
The hosts are containers on this machine, reached by ssh, and share its cores with Ansible. A third of them
is Server A, all with the same site; the others are B with a route to each A. Beside it a run for which
nothing is due: what reading the hosts costs. Processor seconds are those of Ansible and what it starts on
this machine, without the hosts'. Tasks are what Ansible counts for a host, median; `release s` is the
module's own time on a host, median. The code is not 0 where a run fails or a host is not done.
"""

from __future__ import annotations

import argparse
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
COLUMNS = (
    "hosts", "A", "B", "forks", "batches", "nothing due s", "all due s", "s per host",
    "processor s per host", "tasks per host", "release s",
)  # fmt: skip


class Run(NamedTuple):
    """Seconds of one run, on the clock and of the controller's processors, what Ansible counted for each host
    and the rows of its table.
    """

    seconds: float
    spent: float
    tasks: float
    rows: list[dict[str, Any]]


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
    """Runs a playbook as a user does; ends where it fails."""
    report = PROJECT / "report.json"
    report.unlink(missing_ok=True)
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
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{playbook} failed")
    counted = [int(ok) + int(skipped) for dummy, ok, dummy, skipped in RECAP.findall(done.stdout)]
    rows = json.loads(report.read_text()) if report.exists() else []
    return Run(seconds, processor() - spent, median(counted), rows)


def measured(hosts: int, image: str, forks: int, batches: list[str]) -> tuple[str, ...]:
    servers, proxies = bring_up(hosts, image)
    print(f"{hosts} hosts: site.yml took {play('site.yml', forks).seconds:.1f} s", flush=True)
    rotate = "mutual_tls.nginx.rotate"
    given = {"rotate_json": str(PROJECT / "report.json"), "rotate_batches": batches}
    idle = play(rotate, forks, **given)
    run = play(rotate, forks, **given, rotate_force=True)
    states = {row["host"]: row["state"] for row in run.rows}
    assert set(states.values()) == {"stable"} and len(states) == hosts, states
    assert {row["state"] for row in idle.rows} == {"fresh"}, idle.rows
    proven = {row["host"]: row["seconds"] for row in run.rows}
    return (
        str(hosts), str(servers), str(proxies), str(forks), ", ".join(batches),
        f"{idle.seconds:.1f}", f"{run.seconds:.1f}", f"{run.seconds / hosts:.2f}",
        f"{run.spent / hosts:.2f}", f"{run.tasks:g}", f"{median(proven.values()):.1f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", nargs="+", type=int, default=[2, 10, 30])
    parser.add_argument("--forks", type=int, default=10, help="of Ansible (10)")
    parser.add_argument("--batches", nargs="+", default=["1", "25%", "100%"], help="(1 25%% 100%%)")
    parser.add_argument("--image", default="trixie", help="of each host (trixie)")
    given = parser.parse_args()
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    try:
        for hosts in given.hosts:
            rows.append(measured(hosts, given.image, given.forks, given.batches))
    finally:
        lab("down", LAB)
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    main()
