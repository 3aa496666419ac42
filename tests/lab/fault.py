#!/usr/bin/env python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills real calls of `release` at every event, on throw-away hosts with three versions of nginx.

    fault.py             at least 300 kills, and a table: where, how many, whole old, whole new, mended
    fault.py --sample    about 20 of them

Killed are the module, nginx's master, both, or the connection (SIGHUP, and nobody reads); or nothing is,
and the clock goes back ten years. After each, nginx restarts from disk and must serve one whole release,
the old or the new one, by its id on both parts; the same call made again must end as if nothing had
happened. What runs on the hosts is fault_host.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pki import CLIENT, SERVER, Authority

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
THERE = "/root/fault"
IMAGES = ("bookworm", "trixie", "sid")
#: Scenario → kills on each version of nginx, and the version (by its number) that the sample uses.
SCENARIOS = {
    "first install": (15, 0),
    "B beside A": (8, 1),
    "change of A": (15, 1),
    "change of B": (15, 2),
    "rollback of B": (15, 0),
    "rollback of A": (15, 1),
    "rolled_back": (8, 2),
    "until checked": (8, 0),
    "to prepared": (8, 1),
    "absent B": (8, 2),
    "absent": (10, 0),
}
SAMPLE = 2
_COLUMNS = "{:16} {:12} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6}"


def run(*words: str, check: bool = True) -> str:
    return subprocess.run(words, check=check, stdout=subprocess.PIPE, text=True).stdout


def lab(*words: str) -> str:
    return run(sys.executable, str(HERE / "hosts.py"), *words, "--lab", "fault")


def lay_down(folder: Path) -> None:
    """Certificates of both parts in two generations, the product, and what of Ansible a module needs."""
    servers, clients = Authority.make("CN=Servers"), Authority.make("CN=Clients")
    (folder / "servers.pem").write_bytes(servers.pem())
    (folder / "clients.pem").write_bytes(clients.pem())
    for number in (1, 2):
        servers.leaf(folder / f"server{number}", "CN=a.test", SERVER, ("a.test",))
        clients.leaf(folder / f"client{number}", f"CN=b{number}.test", CLIENT)
    clients.leaf(folder / "probe", "CN=mtls-probe.a.test", CLIENT)
    import ansible

    library = folder / "lib"
    collection = library / "ansible_collections" / "mutual_tls" / "nginx"
    collection.mkdir(parents=True)
    (library / "ansible").mkdir()
    (library / "ansible" / "__init__.py").write_text(f'__version__ = "{ansible.__version__}"\n')
    for name in ("release.py", "module_utils"):
        run("cp", "-r", str(Path(ansible.__file__).parent / name), str(library / "ansible"))
    run("cp", "-r", str(ROOT / "plugins"), str(collection))
    run("cp", str(HERE / "fault_host.py"), str(folder))


def kill(image: str, folder: Path, kills: dict[str, int]) -> list[dict[str, Any]]:
    """All cases of one version of nginx."""
    name, cases = f"fault-{image}.example.com", []
    lab("stop", name)  # what a broken run left has an older product, and another configuration
    try:
        host = lab("start", name, image).split()[-1]
        run("podman", "cp", f"{folder}", f"{host}:{THERE}")
        for offset, (scenario, number) in enumerate(kills.items()):
            command = ["python3", f"{THERE}/fault_host.py", scenario, str(number), str(offset)]
            clean = ["--env", f"PYTHONPATH={THERE}/lib", "--env", "PYTHONDONTWRITEBYTECODE=1"]
            said = run("podman", "exec", *clean, host, *command)
            for line in map(json.loads, said.splitlines()):
                if "target" in line:
                    cases.append({"nginx": image, **line})
                    for fault in line["bad"]:
                        print(
                            f"{image}, {scenario}, event {line['at']} ({line['event']}): {fault}", flush=True
                        )
            print(f"{image}: {scenario}: {said.splitlines()[-1]}", flush=True)
    finally:
        lab("stop", name)
    return cases


def table(cases: list[dict[str, Any]]) -> str:
    """A row for each step of a call: kills, of whom, and what came of them."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    total = Counter[str]()
    for case in cases:
        for counts in (rows.setdefault((case["scenario"], case["step"]), Counter()), total):
            counts.update(["kills", case["whole"], *(["mended"] if case["mended"] else [])])
            counts.update(["bad"] if case["bad"] else [])
    head = _COLUMNS.format("call", "step", "kills", "old", "new", "none", "mended", "bad")
    lines = [head]
    for (scenario, step), counts in [*rows.items(), (("all", ""), total)]:
        numbers = [counts[name] for name in ("kills", "old", "new", "none", "mended", "bad")]
        lines.append(_COLUMNS.format(scenario, step, *numbers))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--only", choices=SCENARIOS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "fault"
        folder.mkdir()
        lay_down(folder)
        work = {
            image: {
                scenario: SAMPLE if given.sample else kills
                for scenario, (kills, sampled) in SCENARIOS.items()
                if given.only in (None, scenario) and (not given.sample or sampled == number)
            }
            for number, image in enumerate(IMAGES)
        }
        with ThreadPoolExecutor(len(IMAGES)) as pool:
            found = pool.map(lambda image: kill(image, folder, work[image]), IMAGES)
            cases = [case for each in found for case in each]
    print(table(cases))
    killed = Counter(case["target"] for case in cases)
    print(f"{len(cases)} kills ({', '.join(f'{name} {count}' for name, count in sorted(killed.items()))})")
    wrong = sum(bool(case["bad"]) for case in cases)
    print(f"{wrong} with a fault")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
