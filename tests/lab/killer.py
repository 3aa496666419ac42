# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills the run that holds the lock as soon as state.json names a step: killer.py BASE STEP

Prints "waiting", then "killed" once the run is gone, or fails after five minutes.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import sys
import time

WAIT_S = 300


def step(base: str) -> str:
    try:
        with open(f"{base}/state.json", encoding="utf-8") as file:
            return str(json.load(file)["step"])
    except (OSError, ValueError):
        return ""


def holders(path: str) -> list[int]:
    """The processes that have that file open."""
    found = []
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == path:
                found.append(int(link.split("/")[2]))
        except OSError:
            continue
    return found


def main() -> None:
    base, wanted = sys.argv[1:]
    print("waiting", flush=True)
    until = time.monotonic() + WAIT_S
    while step(base) != wanted:
        if time.monotonic() > until:
            sys.exit(f"no run came to the step {wanted}")
    for pid in holders(f"{base}/.lock"):
        os.kill(pid, signal.SIGKILL)
    print("killed")


if __name__ == "__main__":
    main()
