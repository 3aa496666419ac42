# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom nginx's master runs as. The master opens keys, logs and pid file, so the files of a release follow it.

With root's master everything is root's, and only root may look inside. An ordinary user's gets what it needs
to read and nothing to write: directories by its group, keys by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Optional

from .errors import MtlsError

KEY_MODE = 0o600


class Access(NamedTuple):
    """Of a file or directory. *uid* and *gid*: -1 for those of who runs this. *exact*: fewer permissions are
    wrong, too, because somebody else has to read it."""

    mode: int
    uid: int = -1
    gid: int = -1
    exact: bool = False


@dataclass(frozen=True)
class Account:
    """*groups*: all of its groups. *capabilities*: those that it passes on, as setpriv(1) calls them."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    capabilities: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        return self.uid == 0

    @property
    def folder(self) -> Access:
        """Of a directory of a release: nobody else may know what is in it."""
        return Access(0o700) if self.is_root else Access(0o750, -1, self.gid, True)

    def file(self, mode: int) -> Access:
        """Of a file that is *mode* where the master is root's."""
        if self.is_root:
            return Access(mode)
        # Not 0640 of its group: a group may have members who are to read pages, or logs.
        return Access(0o400, self.uid, -1, True) if mode == KEY_MODE else Access(mode, exact=True)

    def command(self, setpriv: str, *more: str) -> list[str]:
        """What goes before a program so that root runs it as this account; nothing for root."""
        if self.is_root:
            return []
        groups = ",".join(str(one) for one in self.groups)
        caps = ",".join(["-all", *(f"+{one}" for one in self.capabilities)])
        return [
            *(setpriv, f"--reuid={self.uid}", f"--regid={self.gid}"),
            f"--groups={groups}" if groups else "--clear-groups",
            *(f"--inh-caps={caps}", f"--ambient-caps={caps}", *more, "--"),
        ]


ROOT = Account()


def of_process(status: str) -> Account:
    """Of ``/proc/PID/status`` (proc_pid_status(5)); root where it says nothing: the process is gone."""

    def field(name: str) -> list[str]:
        found = re.search(rf"^{name}:(.*)$", status, re.MULTILINE)
        return found.group(1).split() if found else []

    # Real, effective, saved and that of the file system.
    uid, gid, ambient = field("Uid"), field("Gid"), field("CapAmb")
    if len(uid) < 4 or len(gid) < 4:
        return ROOT
    mask = int(ambient[0], 16) if ambient else 0
    return Account(
        int(uid[3]),
        int(gid[3]),
        tuple(int(one) for one in field("Groups")),
        tuple(f"cap_{number}" for number in range(64) if mask >> number & 1),
    )


def files_for(running: Optional[Account], unit: Account, service: str) -> Account:
    """Whom the files of a release are for: the master that runs, and the one that its unit will start.

    Root can read what is an ordinary user's. Raises MtlsError where they are two ordinary users.
    """
    if running is None or running.is_root:
        return unit
    if not unit.is_root and unit.uid != running.uid:
        raise MtlsError(
            f"nginx runs as the user with number {running.uid}, and User= of its unit is number {unit.uid}: "
            "a key is readable for one of them.",
            f"service {service}",
            f"Name the unit that starts this nginx in nginx_mtls_service, or restart it (systemctl restart "
            f"{service}), and run again.",
        )
    return running
