#!/usr/bin/env python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills real calls of `release` at every event, on throw-away hosts with three versions of nginx.

    fault.py             at least 300 kills, one at each step of each call on each version of nginx and more,
                         and a table: where, how many, whole old, whole new, mended
    fault.py --sample    22 cases, two of each call

Killed are the module, nginx's master, or both. Besides, the connection is lost (SIGHUP, and nobody reads),
or the clock goes back ten years. After each, nginx restarts from disk and must serve one whole release, the
old or the new one, by its id on both parts; the same call made again must end as if nothing had happened;
and what a call that lived on has told must be so. What was not seen to be hit is a fault, and counted as
nothing. What runs on the hosts is fault_host.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pki import CLIENT, SERVER, Authority

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
THERE = "/root/fault"
IMAGES = ("bookworm", "trixie", "sid")
#: Scenario → cases on each version of nginx besides one at each step, and the version (by its number) that
#: the sample uses.
SCENARIOS = {
    "first install": (5, 0),
    "B beside A": (5, 1),
    "change of A": (5, 1),
    "change of B": (5, 2),
    "rollback of B": (5, 0),
    "rollback of A": (5, 1),
    "rolled_back": (5, 2),
    "until checked": (5, 0),
    "to prepared": (5, 1),
    "absent B": (5, 2),
    "absent": (5, 0),
}
SAMPLE = 2
KILLS = ("module", "nginx", "both")
ENOUGH = 300
_COLUMNS = "{:16} {:12}" + " {:>6}" * 8
_COUNTED = ("kills", "lost", "clock", "old", "new", "none", "mended", "bad")
#: Who is hit → the column.
_KINDS = {**dict.fromkeys(KILLS, "kills"), "connection": "lost", "clock": "clock"}


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


def kill(image: str, folder: Path, work: dict[str, list[str]]) -> list[dict[str, Any]]:
    """All cases of one version of nginx; *work*: what each scenario's run is told."""
    name, cases = f"fault-{image}.example.com", []
    lab("stop", name)  # what a broken run left has an older product, and another configuration
    try:
        host = lab("start", name, image).split()[-1]
        run("podman", "cp", f"{folder}", f"{host}:{THERE}")
        for scenario, arguments in work.items():
            begin = time.monotonic()
            command = ["python3", f"{THERE}/fault_host.py", scenario, *arguments]
            clean = ["--env", f"PYTHONPATH={THERE}/lib", "--env", "PYTHONDONTWRITEBYTECODE=1"]
            said = run("podman", "exec", *clean, host, *command)
            steps, *found = map(json.loads, said.splitlines())
            if arguments[0] == "whole":
                found += unkilled(scenario, steps["steps"], found)
            for case in found:
                cases.append({"nginx": image, **case})
                for fault in case["bad"]:
                    place = f"{case['step']} ({case['event']}), {case['target']}"
                    print(f"{image}, {scenario}, {place}: {fault}", flush=True)
            spent = time.monotonic() - begin
            events = sum(steps["steps"].values())
            print(f"{image}: {scenario}: {events} events, {len(found)} cases, {spent:.0f} s", flush=True)
    finally:
        lab("stop", name)
    return cases


def unkilled(scenario: str, steps: dict[str, int], cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A fault of the run for each step of the call at which nobody was killed."""
    killed = {case["step"] for case in cases if case["hit"] and case["target"] in KILLS}
    nothing = {
        "scenario": scenario,
        "hit": False,
        "target": "nobody",
        "event": "",
        "mended": False,
        "whole": "",
    }
    return [
        {**nothing, "step": step, "bad": ["no kill at this step"]} for step in steps if step not in killed
    ]


def table(cases: list[dict[str, Any]]) -> str:
    """A row for each step of a call: how many were hit there, and what came of them."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    total = Counter[str]()
    for case in cases:
        for counts in (rows.setdefault((case["scenario"], case["step"]), Counter()), total):
            if case["hit"]:
                counts.update(
                    [_KINDS[case["target"]], case["whole"], *(["mended"] if case["mended"] else [])]
                )
            counts.update(["bad"] if case["bad"] else [])
    lines = [_COLUMNS.format("call", "step", *_COUNTED)]
    for (scenario, step), counts in [*rows.items(), (("all", ""), total)]:
        lines.append(_COLUMNS.format(scenario, step, *(counts[name] for name in _COUNTED)))
    return "\n".join(lines)


def summary(cases: list[dict[str, Any]]) -> str:
    """How many kills, of whom, and what else was done."""
    counted = Counter(case["target"] for case in cases if case["hit"])
    of_whom = ", ".join(f"{name} {counted[name]}" for name in KILLS)
    return (
        f"{sum(counted[name] for name in KILLS)} kills ({of_whom}), {counted['connection']} lost connections"
        f" and {counted['clock']} turns of the clock"
    )


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
        how = "sample" if given.sample else "whole"
        work = {
            image: {
                scenario: [
                    how,
                    str(SAMPLE if given.sample else more),
                    str(offset + number * (not given.sample)),
                ]
                for offset, (scenario, (more, sampled)) in enumerate(SCENARIOS.items())
                if given.only in (None, scenario) and (not given.sample or sampled == number)
            }
            for number, image in enumerate(IMAGES)
        }
        with ThreadPoolExecutor(len(IMAGES)) as pool:
            found = pool.map(lambda image: kill(image, folder, work[image]), IMAGES)
            cases = [case for each in found for case in each]
    print(table(cases))
    print(summary(cases))
    wrong = sum(bool(case["bad"]) for case in cases)
    print(f"{wrong} with a fault")
    kills = sum(case["hit"] and case["target"] in KILLS for case in cases)
    few = kills < ENOUGH and not given.sample and given.only is None
    if few:
        print(f"fewer than {ENOUGH} kills")
    return bool(wrong or few)


if __name__ == "__main__":
    sys.exit(main())
