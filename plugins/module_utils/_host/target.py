# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that a module keeps: what is there, and how it is replaced whole, with owner and mode."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
import stat
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Callable, Optional, Union

from .._core.errors import MtlsError
from .._core.findings import Finding
from . import files

NEW_MODE = 0o644
# No set-uid, set-gid or sticky bit: the number 644 without its zero would be such a mode.
_LARGEST_MODE = 0o777
# chown(2) takes the next one for "leave it as it is".
_LARGEST_ID = 2**32 - 2
# Before the process id, in the name of a file that is not whole yet.
_NEW = ".mtls-new-"
_LEFT_S = 3600.0


@dataclass(frozen=True)
class There:
    """What is at the path now. *data* is None where there is nothing."""

    data: Optional[bytes] = None
    mode: int = NEW_MODE
    uid: int = -1
    gid: int = -1


@dataclass(frozen=True)
class Wish:
    """How the file is to be: *mode* as octal text or number, *owner* and *group* as name or number; what is
    empty stays as it is, and a new file is 0644 and of who makes it."""

    data: bytes
    mode: Union[str, int, None] = None
    owner: str = ""
    group: str = ""


class Target:
    """A file at *path*. A link there is never followed: through it, root would write wherever it leads."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))

    def look(self, read: Callable[[str], Union[bytes, Finding]]) -> There:
        """What is there, the content by *read(path)*.

        Raises MtlsError for what is no plain file or cannot be read.
        """
        if os.path.basename(self.path) in ("", ".", ".."):
            raise MtlsError("It is no plain file.", self.path or "path", "Name a file.")
        try:
            found = os.lstat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return There()
        except (OSError, ValueError) as error:
            raise _fault(error, self.path) from None
        if stat.S_ISLNK(found.st_mode):
            raise MtlsError("It is a link.", self.path, "Name the file that it leads to, or remove the link.")
        if not stat.S_ISREG(found.st_mode):
            raise MtlsError("It is no plain file.", self.path, "Name a file.")
        taken = read(self.path)
        if isinstance(taken, Finding):
            raise MtlsError(taken.message, taken.place, taken.remedy, taken.code)
        return There(taken, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)

    def plan(self, wish: Wish, there: There) -> There:
        """What will be there.

        Raises MtlsError for a mode, an owner or a group that is none, and where the directory is missing.
        """
        if not os.path.isdir(self.folder):
            raise MtlsError(
                "The directory is missing.", self.folder, "Create it first (ansible.builtin.file)."
            )
        mode = there.mode if wish.mode in (None, "") else _mode(wish.mode)
        uid = (
            _number(wish.owner, "owner", lambda name: pwd.getpwnam(name).pw_uid) if wish.owner else there.uid
        )
        gid = (
            _number(wish.group, "group", lambda name: grp.getgrnam(name).gr_gid) if wish.group else there.gid
        )
        return There(wish.data, mode, uid, gid)

    def write(self, planned: There) -> None:
        """By one rename: what is there is the old file or the new one, with its owner and mode."""
        self._put(self.path, planned)

    def back_up(self, there: There, now: datetime) -> str:
        """The path of a copy of *there* beside the file; a copy is whole or not there."""
        copy = f"{self.path}.{os.getpid()}.{now:%Y-%m-%d@%H:%M:%S.%f}~"
        if os.path.lexists(copy):  # somebody's
            raise _fault(OSError(errno.EEXIST, os.strerror(errno.EEXIST)), copy)
        self._put(copy, there)
        return copy

    def change(self, planned: Optional[There], there: There, at: Optional[datetime]) -> str:
        """Write *planned*, or remove what is there; with *at*, keep a copy of that, and return its path."""
        copy = self.back_up(there, at) if at and there.data is not None else ""
        try:
            if planned:
                self.write(planned)
            else:
                self.remove()
        except MtlsError:
            if copy:
                self.drop_copy(copy, there)
            raise
        return copy

    def drop_copy(self, copy: str, there: There) -> None:
        """Remove what ``back_up`` made of *there*, unless the file is another one by now."""
        with contextlib.suppress(OSError):
            if files.read_file(self.path) == there.data:
                os.unlink(copy)

    def _put(self, path: str, planned: There) -> None:
        temporary = f"{self.folder}/{_NEW}{os.getpid()}"
        try:
            self._sweep()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            files.write_new(temporary, planned.data or b"", planned.mode, (planned.uid, planned.gid))
            os.rename(temporary, path)
            files.fsync_directory(self.folder)
        except OSError as error:
            raise _fault(error, path) from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _sweep(self) -> None:
        """Remove what killed runs have left, here or in a container that sees this directory, too: by its
        age, for a run takes seconds."""
        before = time.time() - _LEFT_S
        for name in os.listdir(self.folder):
            if name.startswith(_NEW) and name[len(_NEW) :].isdecimal():
                left = f"{self.folder}/{name}"
                with contextlib.suppress(OSError):
                    if os.lstat(left).st_mtime < before:
                        os.unlink(left)

    def remove(self) -> None:
        try:
            os.unlink(self.path)
            files.fsync_directory(self.folder)
        except OSError as error:
            raise _fault(error, self.path) from None

    def header(self, state: Optional[There]) -> str:
        """The file with its owner and mode, as the head of a diff."""
        if state is None or state.data is None:
            return f"{self.path} (absent)"
        owner = "" if state.uid < 0 else f", owner {state.uid}"
        group = "" if state.gid < 0 else f", group {state.gid}"
        return f"{self.path} (mode {state.mode:04o}{owner}{group})"

    def is_same(self, path: str) -> bool:
        """Whether *path* leads to this file, by whatever name."""
        try:
            return os.path.samefile(path, self.path)
        except (OSError, ValueError):
            return False

    def lies_in(self, directory: str) -> bool:
        try:
            return os.path.samefile(directory, self.folder)
        except (OSError, ValueError):
            return False


def _mode(given: Union[str, int, None]) -> int:
    text = str(given).strip()
    number = -1
    if isinstance(given, int):
        number = -1 if isinstance(given, bool) or _is_odd(given) else given
    elif re.fullmatch(r"(0o?)?[0-7]{3,4}", text):
        number = int(text.replace("o", ""), 8)
    if not 0 <= number <= _LARGEST_MODE:
        raise MtlsError(f"{text} is no mode of a bundle.", "mode", 'Write it as octal text: mode: "0644".')
    return number


def _is_odd(number: int) -> bool:
    """Whether somebody may execute, or write and not read: 400, 440 and 444 without quotes are such modes."""
    return bool(number & 0o111 or (number >> 1) & ~(number >> 2) & 0o111)


def _number(given: str, option: str, look_up: Callable[[str], int]) -> int:
    if given.isdecimal() and given.isascii() and len(given) <= 10 and int(given) <= _LARGEST_ID:
        return int(given)
    try:
        return look_up(given)
    except (KeyError, ValueError):
        raise MtlsError(f"This host has no {option} {given}.", option, "Create it first.") from None


def _fault(error: Union[OSError, ValueError], path: str) -> MtlsError:
    said = getattr(error, "strerror", None) or "this is no path"
    return MtlsError(
        f"It cannot be written or read: {said}.",
        path,
        "Run as root (become: true), and see that the file system has room.",
    )
