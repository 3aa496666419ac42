# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many lines a second client_log_info reads, beside what else one would do.

Run from the checkout: ``PYTHONPATH=.cache .venv/bin/python tests/benchmarks/client_log.py [LINES]``,
1,000,000 lines by default, of 40 clients, each tenth refused. Seconds are those of the processor, the starts
of the programs included; memory is the most that one held.

json loop   Python: json.loads for each line, requests counted by issuer and serial
jq          jq writes issuer and serial of each line, where it is installed; the counting is not in its time
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.access_logs import line

CLIENTS = 40
START = datetime(2026, 11, 16, tzinfo=timezone.utc)
MODULE = "ansible_collections.mutual_tls.nginx.plugins.modules.client_log_info"
LOOP = """
import collections, json, sys
counts = collections.Counter()
with open(sys.argv[1], "rb") as log:
    for line in log:
        one = json.loads(line)
        if one["verify"] == "SUCCESS":
            counts[one["issuer"] + " " + one["serial"]] += 1
print(json.dumps(counts))
"""
FILTER = 'select(.verify == "SUCCESS") | .issuer + " " + .serial'


def write(path: Path, lines: int) -> None:
    usual = [
        line(
            time="@TIME@",
            request="GET /orders/@NUMBER@ HTTP/1.1",
            verify="FAILED:certificate has expired" if number % 10 == 9 else "SUCCESS",
            serial=f"{number * 7919:040X}",
            sha1=f"{number:040x}",
            subject=f"CN=b{number}.example.com",
        )
        for number in range(CLIENTS)
    ]
    with path.open("wb") as log:
        for number in range(lines):
            time = (START + timedelta(seconds=number // 3)).isoformat().encode()
            text = usual[number * 17 % CLIENTS].replace(b"@TIME@", time)
            log.write(text.replace(b"@NUMBER@", b"%d" % number))


def run(command: list[str], folder: Path) -> tuple[float, int, bytes]:
    """Seconds of the processor, the most KiB that it held, and what it printed."""
    with (folder / "out").open("wb") as out:
        pid = os.posix_spawnp(
            command[0], command, dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)]
        )
        dummy, status, used = os.wait4(pid, 0)
    assert status == 0, command
    return used.ru_utime + used.ru_stime, used.ru_maxrss, (folder / "out").read_bytes()


def ours(path: Path) -> list[str]:
    options = {
        "paths": [str(path)],
        "since": START.isoformat(),
        "base": str(path.parent),
        "_ansible_remote_tmp": "/tmp",
    }
    arguments = path.with_name("arguments")
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    return [sys.executable, "-m", MODULE, str(arguments)]


def told_by_us(printed: bytes) -> Counter[str]:
    (site,) = json.loads(printed)["sites"]
    return Counter({f"{one['issuer']} {one['serial']}": one["requests"] for one in site["clients"]})


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, packed = folder / "log", folder / "log.gz"
        write(log, lines)
        with log.open("rb") as plain, gzip.open(packed, "wb", compresslevel=6) as out:
            shutil.copyfileobj(plain, out)
        rows: list[tuple[str, list[str], Callable[[bytes], Counter[str]]]] = [
            ("client_log_info", ours(log), told_by_us),
            ("client_log_info, gzip", ours(packed), told_by_us),
            ("json loop", [sys.executable, "-c", LOOP, str(log)], lambda text: Counter(json.loads(text))),
        ]
        if shutil.which("jq"):
            rows.append(
                ("jq", ["jq", "-r", FILTER, str(log)], lambda text: Counter(text.decode().split("\n")[:-1]))
            )
        first: tuple[float, Counter[str]] | None = None
        print(f"{lines} lines, {log.stat().st_size / lines:.0f} octets each")
        for title, command, counted in rows:
            seconds, memory, printed = run(command, folder)
            counts = counted(printed)
            first = first or (seconds, counts)
            assert counts == first[1] and sum(counts.values()) == lines * 9 // 10, title
            told = f"{seconds:7.2f} s {lines / seconds:10,.0f} lines/s {seconds / first[0]:5.1f} times"
            print(f"{title:22} {told} {memory / 1024:6.0f} MiB")


if __name__ == "__main__":
    main()
