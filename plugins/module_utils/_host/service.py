# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit that starts nginx, as systemd tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .._core.errors import MtlsError
from .._core.nginx_program import Invocation, invocation
from .nginx import Finished


def stays_stopped(name: str) -> MtlsError:
    """Why a stopped nginx is not started: nobody has said that it shall run."""
    return MtlsError(
        f"nginx does not run, and its service {name} is not enabled.",
        "nginx",
        f"Start it, or enable it: systemctl enable --now {name} (a masked one needs systemctl unmask first).",
    )


@dataclass(frozen=True)
class Service:
    """The unit that starts nginx; *run* is the injected runner of commands."""

    name: str
    run: Callable[..., Finished]
    timeout_s: float

    def invocation(self) -> Invocation:
        """What its ExecStart starts nginx with; nothing where there is no such unit."""
        shown = self._out(["systemctl", "show", self.name, "-pExecStart"])
        return invocation(shown.partition("argv[]=")[2].partition(" ; ignore_errors=")[0].split())

    def journal(self, since: float) -> list[str]:
        """The messages of nginx since that time (seconds since 1970); none where there is no journal."""
        # A unit's own stderr, syslog from a master that was started by hand, and what systemd itself says.
        unit = self.name if "." in self.name else f"{self.name}.service"
        which = [f"_SYSTEMD_UNIT={unit}", "+", f"UNIT={unit}", "+", "SYSLOG_IDENTIFIER=nginx"]
        begin = f"--since=@{since:.6f}"
        return self._out(["journalctl", "-q", "--no-pager", "-ocat", "-n200", begin, *which]).splitlines()

    def _out(self, command: list[str]) -> str:
        try:
            return self.run(command, self.timeout_s).out
        except OSError:
            return ""

    def enabled(self) -> bool:
        try:
            return self.run(["systemctl", "is-enabled", "--quiet", self.name], self.timeout_s).code == 0
        except OSError:
            return False

    def start(self) -> bool:
        try:
            return self.run(["systemctl", "start", self.name], self.timeout_s).code == 0
        except OSError:
            return False
