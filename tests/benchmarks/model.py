# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the filter mtls_model takes: one pass over the fleet against one call for each host.

Run from the checkout: ``PYTHONPATH=.cache .venv/bin/python tests/benchmarks/model.py [HOSTS]``.
A fleet of HOSTS (default 1000), half of them A and half B. Ten of each share a server name of their own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model, host_model
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import load, write

CELL = 10


def inventory(folder: Path, hosts: int) -> str:
    servers, proxies = {}, {}
    for number in range(hosts // 2):
        cell = f"cell{number // CELL}"
        site = {
            "name": "orders",
            "server_names": ["{{ cell }}.example.internal"],
            "backend": "http://127.0.0.1:8000",
        }
        route = {"name": "orders", "server_name": "{{ cell }}.example.internal"}
        servers[f"a{number}"] = {"cell": cell, "mtls_server_sites": [site]}
        proxies[f"b{number}"] = {"cell": cell, "mtls_proxy_routes": [route]}
    return write(folder, {"mtls_servers": servers, "mtls_proxies": proxies})


def main() -> None:
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        hostvars, groups = load(inventory(Path(folder), hosts))
    names = [*groups["mtls_servers"], *groups["mtls_proxies"]]

    started = time.perf_counter()
    found = fleet_model(hostvars, None, groups)
    once = time.perf_counter() - started
    print(f"one pass over {len(names)} hosts, {len(found['edges'])} edges: {once:.2f} s")

    started = time.perf_counter()
    for name in names:
        host_model(hostvars[name])
    print(f"one call for each host, without edges:    {time.perf_counter() - started:.2f} s")
    print(f"one pass in a per-host task would be {len(names)} of them: {once * len(names) / 60:.0f} min")


if __name__ == "__main__":
    main()
