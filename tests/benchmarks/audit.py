# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long audit.yml takes for a fleet, beside what is done by hand: nginx -T and the ends of certificates.

Run from the checkout: ``.venv/bin/python tests/benchmarks/audit.py [OPTIONS]``.
Hosts, processor seconds and tasks are those of fleet_lab.py. By hand (by_hand.yml) is less than the
audit says: no chain, no served state, no edge. Each is run three times in turn, the medians count; the ratio
is between them. `page kB` is the size of audit.html. The code is not 0 where a run fails, a host was not read
or an edge is not accepted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median

from fleet_lab import LAB, PROJECT, bring_up, lab, play, table

COLUMNS = (
    "hosts", "A", "B", "edges", "forks", "audit s", "by hand s", "ratio", "s per host",
    "processor s per host", "tasks per host", "page kB", "audit.json kB",
)  # fmt: skip
BY_HAND = Path(__file__).with_name("by_hand.yml")
RUNS = 3


def measured(hosts: int, image: str, forks: int) -> tuple[str, ...]:
    servers, proxies = bring_up(hosts, image)
    print(f"{hosts} hosts: site.yml took {play('site.yml', forks).seconds:.1f} s", flush=True)
    audits, others = [], []
    for dummy in range(RUNS):
        audits.append(play("mutual_tls.nginx.audit", forks))
        others.append(play(str(BY_HAND), forks))
    report = json.loads((PROJECT / "audit" / "audit.json").read_text())
    states = [host["state"] for host in report["hosts"]]
    assert states == ["read"] * hosts, states
    edges = [edge["state"] for edge in report["edges"]]
    assert len(edges) == servers * proxies and set(edges) == {"works"}, set(edges)
    seconds, by_hand = (median(run.seconds for run in runs) for runs in (audits, others))
    size = {name: (PROJECT / "audit" / name).stat().st_size / 1000 for name in ("audit.html", "audit.json")}
    return (
        str(hosts), str(servers), str(proxies), str(len(edges)), str(forks),
        f"{seconds:.1f}", f"{by_hand:.1f}", f"{seconds / by_hand:.1f}", f"{seconds / hosts:.2f}",
        f"{median(run.spent for run in audits) / hosts:.2f}", f"{audits[0].tasks:g}",
        f"{size['audit.html']:.0f}", f"{size['audit.json']:.0f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", nargs="+", type=int, default=[10, 100])
    parser.add_argument("--forks", type=int, default=10, help="of Ansible (10)")
    parser.add_argument("--image", default="trixie", help="of each host (trixie)")
    given = parser.parse_args()
    rows = [COLUMNS]
    try:
        for hosts in given.hosts:
            rows.append(measured(hosts, given.image, given.forks))
    finally:
        lab("down", LAB)
    print(table(rows))


if __name__ == "__main__":
    main()
