# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long rotate.yml takes for a fleet all of whose certificates are due, with how many tasks for each host.

Run from the checkout: ``.venv/bin/python tests/benchmarks/fleet.py [OPTIONS]``.
Hosts, processor seconds and tasks are those of fleet_lab.py. Beside it a run for which nothing is due: what
reading the hosts costs. `release s` is the module's own time on a host, median. The code is not 0 where a run
fails or a host is not done.
"""

from __future__ import annotations

import argparse
import json
from statistics import median
from typing import Any

from fleet_lab import LAB, PROJECT, bring_up, lab, play, table

COLUMNS = (
    "hosts", "A", "B", "forks", "batches", "nothing due s", "all due s", "s per host",
    "processor s per host", "tasks per host", "release s",
)  # fmt: skip
REPORT = PROJECT / "report.json"


def table_of_last_run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(REPORT.read_text())
    REPORT.unlink()
    return rows


def measured(hosts: int, image: str, forks: int, batches: list[str]) -> tuple[str, ...]:
    servers, proxies = bring_up(hosts, image)
    print(f"{hosts} hosts: site.yml took {play('site.yml', forks).seconds:.1f} s", flush=True)
    rotate = "mutual_tls.nginx.rotate"
    given = {"rotate_json": str(REPORT), "rotate_batches": batches}
    idle = play(rotate, forks, **given)
    unchanged = table_of_last_run()
    assert {row["state"] for row in unchanged} == {"fresh"}, unchanged
    run = play(rotate, forks, **given, rotate_force=True)
    rows = table_of_last_run()
    states = {row["host"]: row["state"] for row in rows}
    assert set(states.values()) == {"stable"} and len(states) == hosts, states
    return (
        str(hosts), str(servers), str(proxies), str(forks), ", ".join(batches),
        f"{idle.seconds:.1f}", f"{run.seconds:.1f}", f"{run.seconds / hosts:.2f}",
        f"{run.spent / hosts:.2f}", f"{run.tasks:g}", f"{median(row['seconds'] for row in rows):.1f}",
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
    rows = [COLUMNS]
    try:
        for hosts in given.hosts:
            rows.append(measured(hosts, given.image, given.forks, given.batches))
    finally:
        lab("down", LAB)
    print(table(rows))


if __name__ == "__main__":
    main()
