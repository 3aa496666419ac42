# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each nginx of this host: the masters that run, and the installed one that does not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from .._core.account import Account
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.nginx_conf import parse
from .._core.nginx_program import Invocation, configuration_path, invocation
from . import files, nginx
from .file_state import user_name
from .nginx import Finished, Nginx, build_of, wrapped_by
from .processes import Process, Processes
from .service import Service

_UNIT = "nginx.service"


@dataclass
class Instance:
    """*loaded*: seconds since 1970, None where it does not run. *nginx* is None where its program says
    nothing of itself; then *fault* says why."""

    pid: Optional[int]
    program: str
    conf_path: str = ""
    unit: str = ""
    nginx: Optional[Nginx] = None
    loaded: Optional[float] = None
    user: str = ""
    fault: str = ""
    findings: list[Finding] = field(default_factory=list)


class Instances:
    """*run* runs programs, *locate* finds the installed nginx."""

    def __init__(
        self,
        timeout_s: float,
        processes: Optional[Processes] = None,
        run: Callable[..., Finished] = nginx.run,
        locate: Callable[[], Optional[str]] = nginx.locate,
    ) -> None:
        self._timeout_s = timeout_s
        self._processes = processes or Processes()
        self._run = run
        self._locate = locate

    def found(self) -> Iterator[Instance]:
        """The running ones first, by their pid."""
        every = list(self._processes.all())
        masters = {one.pid: one for one in every if one.is_master}
        running = [self._running(one, masters) for dummy, one in sorted(masters.items())]
        known: dict[str, Instance] = {}
        for one in running:
            other = known.setdefault(os.path.realpath(one.conf_path), one)
            if one.conf_path and other is not one and masters[one.pid or 0].parent != other.pid:
                said = f"The masters {other.pid} and {one.pid} of nginx read one configuration."
                one.findings.append(Finding("nginx.many_masters", said, one.conf_path))
        yield from running
        installed = self._installed()
        if installed and os.path.realpath(installed.conf_path) not in known:
            yield installed

    def orphans(self) -> list[Finding]:
        """Workers whose master is dead."""
        every = list(self._processes.all())
        masters = {one.pid for one in every if one.is_master}
        dead = [one.pid for one in every if one.is_worker and one.parent not in masters and not one.draining]
        said = f"Workers of a dead nginx master still serve: {', '.join(map(str, sorted(dead)))}."
        return [Finding("nginx.orphan_workers", said, "nginx")] if dead else []

    def _running(self, master: Process, masters: dict[int, Process]) -> Instance:
        program = self._processes.program(master.pid)
        if not os.path.exists(program):
            program = self._locate() or program
        found = Instance(master.pid, program, unit=self._processes.unit(master.pid))
        if self._processes.has_own_root(master.pid):
            found.fault = "it runs with a root directory of its own, where its files are"
        else:
            self._prepare(found, lambda: (self._invocation(master), self._processes.account(master.pid)))
        serving, _draining = self._processes.workers(master.pid)
        starts = [self._processes.started(pid) for pid in serving]
        found.loaded = min((start for start in starts if start is not None), default=None)
        if master.stopped:
            said = f"The master {master.pid} of nginx is stopped: it takes no signal, so no reload happens."
            found.findings.append(Finding("nginx.master_stopped", said, found.conf_path or "nginx"))
        if master.parent in masters:
            said = (
                f"Two nginx masters run, {master.pid} below {master.parent}: a binary upgrade is in flight."
            )
            found.findings.append(Finding("nginx.upgrade_in_flight", said, found.conf_path or "nginx"))
        return found

    def _invocation(self, master: Process) -> Invocation:
        """With ``-p`` complete: it may be told from where the master was started."""
        told = invocation(master.arguments)
        if not told.prefix or os.path.isabs(told.prefix):
            return told
        return replace(told, prefix=os.path.join(self._processes.directory(master.pid), told.prefix))

    def _installed(self) -> Optional[Instance]:
        """The one that would be started; None where no nginx is installed."""
        program = self._locate()
        if not program:
            return None
        service = Service(_UNIT, self._run, self._timeout_s)
        found = Instance(None, program, unit=_UNIT if service.exists() else "")
        self._prepare(found, lambda: (service.invocation(), service.account()))
        return found

    def _prepare(self, found: Instance, told: Callable[[], tuple[Invocation, Account]]) -> None:
        """*told*: what it was, or will be, started with, and whom it runs as."""
        try:
            started, account = told()
            built = build_of(found.program, self._timeout_s, self._run)
            found.conf_path = configuration_path(built, started)
            service = Service(found.unit, self._run, self._timeout_s)
            found.nginx = Nginx(
                found.program,
                built,
                found.conf_path,
                self._timeout_s,
                self._run,
                started,
                service.environment() if found.unit else {},
                wrapped_by(account),
            )
            found.user = "" if account.is_root else user_name(account.uid)
        except (MtlsError, OSError) as error:
            found.fault = str(error)


def pid_file(instance: Instance) -> str:
    """Where a stopped nginx's test leaves an empty pid file, "" where that cannot be told."""
    if instance.nginx is None:
        return ""
    path = instance.nginx.built.pid_path
    with contextlib.suppress(OSError, MtlsError):
        main = parse(files.read_file(instance.conf_path).decode("utf-8", "replace"))
        path = next((one.args[0] for one in main if one.name == "pid" and one.args), path)
    return os.path.join(instance.nginx.prefix, path)
