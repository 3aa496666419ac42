# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as the kernel shows it: the master, its workers, and whether a reload has really happened.

Exit codes of reload commands say nothing: a port taken by another process gives 0 everywhere and leaves the
old workers (nginx-facts: "Files, reload, atomicity"). So a reload is judged by the set of workers.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable, Optional

from .._core.errors import MtlsError

_STEP_S = 0.01
_SETTLE_S = 0.5
_LOOKS, _LOOK_AGAIN_S = 5, 0.1


@dataclass(frozen=True)
class Process:
    """One nginx process. *title* is what nginx set as its command line."""

    pid: int
    parent: int
    title: str

    @property
    def is_master(self) -> bool:
        return self.title.startswith("nginx: master process")

    @property
    def is_worker(self) -> bool:
        return self.title.startswith("nginx: worker process")

    @property
    def draining(self) -> bool:
        return "shutting down" in self.title

    @property
    def arguments(self) -> list[str]:
        """The master's own argv; nginx prints it behind its title, without quotes."""
        return self.title.partition("master process ")[2].split()


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


class Processes:
    """nginx processes below *proc*, in this process's own pid namespace; those of containers are not ours."""

    def __init__(self, proc: str = "/proc", kill: Callable[[int, int], None] = os.kill) -> None:
        self._proc = proc
        self._kill = kill

    def all(self) -> Iterator[Process]:
        for name in os.listdir(self._proc):
            if name.isdigit():
                title = _read(f"{self._proc}/{name}/cmdline").replace("\0", " ").strip()
                parent = self._parent(name)
                # Without a parent it has ended since its title was read.
                if parent and title.startswith("nginx: ") and not self._in_container(name):
                    yield Process(int(name), parent, title)

    def _in_container(self, name: str) -> bool:
        # NSpid has one number for each pid namespace from here inwards (proc_pid_status(5)). The link ns/pid
        # would be refused for a worker's uid where root lacks CAP_SYS_PTRACE.
        found = re.search(r"^NSpid:((?:\s+\d+)+)$", _read(f"{self._proc}/{name}/status"), re.MULTILINE)
        return bool(found and len(found.group(1).split()) > 1)

    def _parent(self, name: str) -> int:
        # Field 4 of /proc/PID/stat, counted behind the command, which may hold blanks and parentheses.
        fields = _read(f"{self._proc}/{name}/stat").rpartition(")")[2].split()
        return int(fields[1]) if len(fields) > 1 else 0

    def master(self, pid_file: str) -> Optional[Process]:
        """The master that *pid_file* names, if that process is one.

        Raises MtlsError for what we must not touch. What is gone after a moment is none of it: a worker that
        was just forked bears its master's title.
        """
        for _look in range(_LOOKS - 1):
            try:
                return self._look(pid_file)
            except MtlsError:
                time.sleep(_LOOK_AGAIN_S)
        return self._look(pid_file)

    def _look(self, pid_file: str) -> Optional[Process]:
        processes = list(self.all())
        masters = {process.pid: process for process in processes if process.is_master}
        text = _read(pid_file).strip()
        found = masters.get(int(text)) if text.isdigit() else None
        orphans = [
            one.pid for one in processes if one.is_worker and one.parent not in masters and not one.draining
        ]
        if orphans:
            raise MtlsError(
                f"Workers of a dead nginx master still serve: {', '.join(map(str, orphans))}.",
                pid_file,
                "Stop them and start nginx again; no reload reaches them.",
                "nginx.orphan_workers",
            )
        if found is not None and any(one.parent == found.pid for one in masters.values()):
            raise MtlsError(
                f"A second nginx master runs below {found.pid}: a binary upgrade is in flight.",
                pid_file,
                "Finish the upgrade (QUIT the old master) or take it back, then run again.",
                "nginx.upgrade_in_flight",
            )
        if found is None and len(masters) == 1 and not text:
            # Another instance may have its own configuration; one that is alone and has lost
            # its pid file is ours.
            return next(iter(masters.values()))
        return found

    def workers(self, master: int) -> tuple[frozenset[int], frozenset[int]]:
        """(serving, draining) workers of *master*."""
        mine = [one for one in self.all() if one.is_worker and one.parent == master]
        return (
            frozenset(one.pid for one in mine if not one.draining),
            frozenset(one.pid for one in mine if one.draining),
        )

    def reload(self, master: int, timeout_s: float, test_s: float, gave_up: Callable[[], bool]) -> bool:
        """Send HUP and wait until none of the old workers serves, new ones do, and the set has settled.

        *test_s*: how long ``nginx -t`` took here; somebody else's reload in flight shows within twice of it.
        Returns False when that did not happen in time, or as soon as *gave_up* says that nginx refuses: it
        then goes on with the old configuration.
        """
        old, _draining = self.workers(master)
        self._kill(master, signal.SIGHUP)
        end = time.monotonic() + timeout_s
        settle = max(_SETTLE_S, 2 * test_s)
        seen, since = frozenset(old), time.monotonic()
        while time.monotonic() < end + settle:
            serving, _draining = self.workers(master)
            if serving != seen:
                seen, since = serving, time.monotonic()
            replaced = bool(seen) and not seen & old
            if replaced and time.monotonic() - since >= settle:
                return True
            if not replaced and (time.monotonic() >= end or gave_up()):
                return False
            time.sleep(_STEP_S)
        return False
