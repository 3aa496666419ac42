# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the filter mtls_edges takes where nothing changes, and where every certificate is replaced.

Run from the checkout: ``PYTHONPATH=.cache .venv/bin/python tests/benchmarks/edges.py [HOSTS]``.
A fleet of HOSTS (default 1000), half of them A and half B. Each B asks ten A. Each host has files of its own,
and all trust one authority. Seconds are those of the processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import edges
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils.test_edges import ROOT, A, B, World

CELL = 10
SIDES = (("a", A, "server", builders.server), ("b", B, "client", builders.client))


def fleets(folder: Path, hosts: int) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What is said of the run → the model and hostvars."""
    world = World(folder)
    like = world.wanted()
    kept: dict[str, Any] = {"hosts": {}, "edges": [], "addresses": {}}
    replaced: dict[str, Any] = {**kept, "hosts": {}}
    variables = {}
    for number in range(hosts // 2):
        for letter, model_of, name, issue in SIDES:
            host = f"{letter}{number}"
            before, after = issue(ROOT).pem, issue(ROOT).pem
            world.installed(model_of, **{name: before})
            variables[host] = dict(world.variables[model_of])
            for model, data, kind in ((kept, before, "old"), (replaced, after, "new")):
                path = world.file(f"{host}.{kind}.pem", data)["src"]
                one = like["hosts"][model_of]
                listed = [
                    {**each, "files": {**each["files"], "certificate": path}} for each in one["credentials"]
                ]
                model["hosts"][host] = {**one, "host": host, "credentials": listed}
        cell = number // CELL * CELL
        for other in range(cell, min(cell + CELL, hosts // 2)):
            kept["edges"].append({**like["edges"][0], "proxy": f"b{number}", "server": f"a{other}"})
    return {"nothing changes": (kept, variables), "all is replaced": (replaced, variables)}


def main() -> None:
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        for said, (model, variables) in fleets(Path(folder), hosts).items():
            started = time.process_time()
            told = edges.judge(model, variables, None, {}, builders.AT)["told"]
            seconds = time.process_time() - started
            assert told["working"] == told["edges"], told
            print(f"{said}: {hosts} hosts, {told['edges']} edges: {seconds:.2f} s")


if __name__ == "__main__":
    main()
