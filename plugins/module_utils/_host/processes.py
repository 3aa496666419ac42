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

from .._core.account import Account, of_process
from .._core.errors import MtlsError

_STEP_S = 0.01
_SETTLE_S = 0.5
_LOOKS, _LOOK_AGAIN_S = 5, 0.1


@dataclass(frozen=True)
class Process:
    """One nginx process. *title* is what nginx set as its command line; *stopped* (SIGSTOP): it does
    nothing."""

    pid: int
    parent: int
    title: str
    stopped: bool = False

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
        """The words of the master's argv; nginx prints it behind its title, without quotes."""
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
                if not title.startswith("nginx: "):
                    continue
                parent, state = self._stat(name)
                # Without a parent it has ended since its title was read.
                if parent and not self._in_container(name):
                    yield Process(int(name), parent, title, state in "Tt")

    def _in_container(self, name: str) -> bool:
        # NSpid has one number for each pid namespace from here inwards (proc_pid_status(5)). The link ns/pid
        # would be refused for a worker's uid where root lacks CAP_SYS_PTRACE.
        found = re.search(r"^NSpid:((?:\s+\d+)+)$", _read(f"{self._proc}/{name}/status"), re.MULTILINE)
        return bool(found and len(found.group(1).split()) > 1)

    def _stat(self, name: str) -> tuple[int, str]:
        """Parent and state: fields 4 and 3 of /proc/PID/stat, behind the command, which may hold blanks."""
        fields = _read(f"{self._proc}/{name}/stat").rpartition(")")[2].split()
        return (int(fields[1]), fields[0]) if len(fields) > 1 else (0, "X")

    def master(
        self, pid_file: str, ours: Callable[[Process], bool] = lambda dummy: True
    ) -> Optional[Process]:
        """The master that serves; None where there is none. *ours*: does this master read our configuration?

        Raises MtlsError for what we must not touch. What is gone after a moment is none of it: a worker that
        was just forked bears its master's title.
        """
        for _look in range(_LOOKS - 1):
            try:
                return self._look(pid_file, ours)
            except MtlsError:
                time.sleep(_LOOK_AGAIN_S)
        return self._look(pid_file, ours)

    def _look(self, pid_file: str, ours: Callable[[Process], bool]) -> Optional[Process]:
        processes = list(self.all())
        masters = {process.pid: process for process in processes if process.is_master}
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
        mine = [one for one in masters.values() if ours(one)]
        for one in mine:
            # The pid file names the new one of the two from the start.
            if one.parent in masters:
                raise MtlsError(
                    f"Two nginx masters run, {one.pid} below {one.parent}: a binary upgrade is in flight.",
                    pid_file,
                    "Finish the upgrade (QUIT the old master) or take it back, then run again.",
                    "nginx.upgrade_in_flight",
                )
        found = self._of(pid_file, mine)
        if found is not None and found.stopped:
            raise MtlsError(
                f"The master {found.pid} of nginx is stopped: it takes no signal, so no reload happens.",
                pid_file,
                f"Let it go on (kill -CONT {found.pid}) or restart nginx, then run again.",
                "nginx.master_stopped",
            )
        return found

    @staticmethod
    def _of(pid_file: str, masters: list[Process]) -> Optional[Process]:
        """The one that the pid file names. A file that is gone, empty, stale or names another process says
        nothing, and what serves is what counts."""
        text = _read(pid_file).strip()
        for one in masters:
            if text == str(one.pid):
                return one
        if len(masters) > 1:
            raise MtlsError(
                "Several nginx masters read one configuration, and it names none of them: "
                f"{', '.join(str(one.pid) for one in masters)}.",
                pid_file,
                "Stop those that are not wanted, then run again.",
                "nginx.many_masters",
            )
        return masters[0] if masters else None

    def account(self, pid: int) -> Account:
        """Whom a process runs as."""
        return of_process(_read(f"{self._proc}/{pid}/status"))

    def program(self, pid: int) -> str:
        """The file that a process runs, "" where that cannot be told; of one that was replaced, the new one
        of its name."""
        try:
            return os.readlink(f"{self._proc}/{pid}/exe").removesuffix(" (deleted)")
        except OSError:
            return ""

    def directory(self, pid: int) -> str:
        """Where a process is, "/" where that cannot be told."""
        try:
            return os.readlink(f"{self._proc}/{pid}/cwd")
        except OSError:
            return "/"

    def has_own_root(self, pid: int) -> bool:
        """Whether its root directory is another one: it is in a chroot, or in a container with our pids."""
        try:
            return not os.path.samefile(f"{self._proc}/{pid}/root", "/")
        except OSError:
            return False

    def unit(self, pid: int) -> str:
        """The service unit of systemd that a process belongs to (proc_pid_cgroup(5)), "" without one."""
        for line in _read(f"{self._proc}/{pid}/cgroup").splitlines():
            names = [name for name in line.split("/") if name.endswith(".service")]
            if names:
                return names[-1]
        return ""

    def started(self, pid: int) -> Optional[float]:
        """When a process began, in seconds since 1970, right to a second; None where it is gone."""
        fields = _read(f"{self._proc}/{pid}/stat").rpartition(")")[2].split()
        boot = re.search(r"^btime (\d+)$", _read(f"{self._proc}/stat"), re.MULTILINE)
        # starttime is field 22, and the first one here is field 3.
        if len(fields) < 20 or not boot:
            return None
        return int(boot.group(1)) + int(fields[19]) / os.sysconf("SC_CLK_TCK")

    def open_files(self, pid: int) -> tuple[int, int]:
        """(open files, how many it may have open) of a process; (0, 0) where that cannot be read."""
        limit = re.search(r"^Max open files\s+(\d+)", _read(f"{self._proc}/{pid}/limits"), re.MULTILINE)
        try:
            return (len(os.listdir(f"{self._proc}/{pid}/fd")), int(limit.group(1))) if limit else (0, 0)
        except OSError:
            return 0, 0

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
