# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit that starts nginx, as systemd tells of it."""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
from dataclasses import dataclass
from typing import Callable

from .._core.account import ROOT, Account
from .._core.errors import MtlsError
from .._core.nginx_program import Invocation, invocation
from .._core.unit_environment import expanded, merged, unit_environment
from . import files
from .nginx import Finished

#: For a host without systemd: what an init script has.
_BARE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def stays_stopped(name: str) -> MtlsError:
    """Why a stopped nginx is not started: nobody has said that it shall run."""
    return MtlsError(
        f"nginx does not run, and its service {name} is not enabled.",
        "nginx",
        f"Start it, or enable it: systemctl enable --now {name} (a masked one needs systemctl unmask first).",
    )


def _gid(group: str) -> int:
    """Raises KeyError where there is no such group."""
    return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid


@dataclass(frozen=True)
class Service:
    """The unit that starts nginx; *run* is the injected runner of commands."""

    name: str
    run: Callable[..., Finished]
    timeout_s: float

    def invocation(self) -> Invocation:
        """What its ExecStart starts nginx with; nothing where there is no such unit."""
        shown = self._done("systemctl", "show", self.name, "-pExecStart").out
        words = shown.partition("argv[]=")[2].partition(" ; ignore_errors=")[0].split()
        return invocation(expanded(words, self.environment()) if "$" in shown else words)

    def account(self) -> Account:
        """Whom it starts nginx as; root where there is no such unit.

        Raises MtlsError where nobody can be named.
        """
        asked = "-pLoadState,User,Group,DynamicUser,SupplementaryGroups,AmbientCapabilities"
        lines = self._done("systemctl", "show", self.name, asked).out.splitlines()
        shown = {name: value for name, dummy, value in (line.partition("=") for line in lines)}
        user = shown.get("User", "")
        if shown.get("LoadState") != "loaded" or user in ("", "root", "0"):
            return ROOT
        if shown.get("DynamicUser") == "yes":
            raise MtlsError(
                "DynamicUser= of its unit gives nginx another user from time to time, and keys must belong "
                "to it.",
                f"service {self.name}",
                "Create a user for nginx, name it in User= and set DynamicUser=no.",
            )
        try:
            found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
            group = shown.get("Group", "")
            gid = _gid(group) if group else found.pw_gid
            groups = [
                *os.getgrouplist(found.pw_name, gid),
                *(_gid(one) for one in shown.get("SupplementaryGroups", "").split()),
            ]
        except (KeyError, OverflowError) as error:
            raise MtlsError(
                f"This host has not the user or the group that its unit names: {error.args[0]}.",
                f"service {self.name}",
                "Create it, or mend User= and Group=.",
            ) from None
        capabilities = shown.get("AmbientCapabilities", "").lower().split()
        names = tuple(one[4:] if one.startswith("cap_") else one for one in capabilities)
        return Account(found.pw_uid, gid, tuple(dict.fromkeys(groups)), names)

    def journal(self, since: float) -> list[str]:
        """The messages of nginx since that time (seconds since 1970); none where there is no journal."""
        # A unit's own stderr, syslog from a master that was started by hand, and what systemd itself says.
        unit = self.name if "." in self.name else f"{self.name}.service"
        which = [f"_SYSTEMD_UNIT={unit}", "+", f"UNIT={unit}", "+", "SYSLOG_IDENTIFIER=nginx"]
        begin = f"--since=@{since:.6f}"
        return self._done("journalctl", "-q", "--no-pager", "-ocat", "-n200", begin, *which).out.splitlines()

    def environment(self) -> dict[str, str]:
        """What systemd gives it; a plain one where there is no systemd or no such unit."""
        asked = "-pLoadState,Environment,EnvironmentFiles,UnsetEnvironment"
        shown = self._done("systemctl", "show", self.name, asked)
        manager = self._done("systemctl", "show-environment")
        if shown.code or manager.code or "LoadState=loaded" not in shown.out:
            return dict(_BARE)
        unit = unit_environment(shown.out)
        texts = []
        for pattern in unit.files:
            for path in sorted(glob.glob(pattern)):
                with contextlib.suppress(OSError):
                    texts.append(files.read_file(path).decode("utf-8", "replace"))
        return {**_BARE, **merged(manager.out, unit, texts)}

    def exists(self) -> bool:
        return "=loaded" in self._done("systemctl", "show", self.name, "-pLoadState").out

    def enabled(self) -> bool:
        return self._done("systemctl", "is-enabled", "--quiet", self.name).code == 0

    def start(self) -> bool:
        return self._done("systemctl", "start", self.name).code == 0

    def _done(self, *command: str) -> Finished:
        try:
            return self.run(list(command), self.timeout_s)
        except OSError:
            return Finished(-1, "", "")
