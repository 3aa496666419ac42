# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as it lies on the disk: who may read it, and when it was changed."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from datetime import datetime, timezone
from typing import Any, Optional, Union

from .._core.findings import Finding
from . import intake

#: The start of a process is known to a second.
_SLACK_S = 1.0
_STATES = {"file.missing": "missing", "file.unreadable": "unreadable"}


def user_name(uid: int) -> str:
    """The number as text where nobody has that name."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def group_name(gid: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


def rfc3339(seconds: float) -> str:
    """*seconds* since 1970."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat().replace("+00:00", "Z")


def state(path: str, loaded: Optional[float]) -> tuple[dict[str, Any], Union[bytes, Finding]]:
    """(facts of the file, its bytes or why there are none). *loaded*: when nginx read it, seconds since 1970,
    None where it has not."""
    taken = intake.read(path)
    facts: dict[str, Any] = {
        "state": _STATES.get(taken.code, "other") if isinstance(taken, Finding) else "ok",
        "mode": None, "owner": None, "group": None, "changed": None, "newer_than_loaded": None,
    }  # fmt: skip
    with contextlib.suppress(OSError, ValueError, OverflowError):
        found = os.stat(path)
        newest = changed_at(path)
        facts.update(
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            owner=user_name(found.st_uid),
            group=group_name(found.st_gid),
            changed=rfc3339(found.st_mtime),
            newer_than_loaded=None if loaded is None or newest is None else newest > loaded + _SLACK_S,
        )
    return facts, taken


def changed_at(path: str) -> Optional[float]:
    """When what *path* leads to was last changed, seconds since 1970; None where that cannot be told.

    A file that was moved here keeps its time of change; that of its inode tells (inode(7)), and of a link at
    the end of the path its own.
    """
    try:
        found, link = os.stat(path), os.lstat(path)
    except (OSError, ValueError):
        return None
    return max(found.st_mtime, found.st_ctime, link.st_ctime)


def is_newer(path: str, loaded: float) -> bool:
    newest = changed_at(path)
    return newest is not None and newest > loaded + _SLACK_S


def how_newer(path: str, loaded: float) -> str:
    """A sentence about a file that ``is_newer``. A file that was moved here has the time of its content from
    before, and so has one that chmod or chown was called for: that is not told apart."""
    with contextlib.suppress(OSError, ValueError):
        if os.stat(path).st_mtime > loaded + _SLACK_S:
            return "It was changed after nginx has read it"
    return "It, or its owner or mode alone, was changed after nginx has read it"
