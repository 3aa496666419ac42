# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one pending credential: a key made on this host and its request."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import Optional

from .._core.errors import MtlsError
from . import files

_TEMPORARY = ".new-"


def path_of(base: str, part: str, name: str, file: str = "") -> str:
    return "/".join(step for step in (base, "pending", part, name, file) if step)


def read_live(base: str, part: str, name: str, file: str) -> Optional[bytes]:
    """A file of the live release's credential, or None where there is none."""
    path = f"{base}/current/{part}/credentials/{name}/{file}"
    try:
        return files.read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MtlsError(
            f"It cannot be read: {error.strerror}.", path, "Run as root (become: true)."
        ) from None


@contextlib.contextmanager
def opened(base: str, part: str, name: str) -> Iterator[Directory]:
    """The directory, made where it is missing, for this process alone (flock: a dead one leaves no lock).

    Raises MtlsError where a step of the path below *base* is a link or no directory.
    """
    directory = path_of(base, part, name)
    try:
        os.makedirs(os.path.dirname(base), exist_ok=True)
        files.make_directory(base, 0o755)
        for path in (path_of(base, "", ""), path_of(base, part, ""), directory):
            files.make_directory(path, 0o700)
            _refuse_others(path)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Directory(directory)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise MtlsError(
            f"It cannot be written: {error.strerror}.",
            error.filename or directory,
            "Run as root (become: true), and see that the file system has room.",
        ) from None


def _refuse_others(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise MtlsError(
            "It is a link or no directory.", path, "Remove it: keys are made in plain directories only."
        )
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise MtlsError(
            "Somebody else may write in it.",
            path,
            "Remove it, or set its owner to root and its mode to 0700.",
        )


class Directory:
    """Reads and writes files of 0600 in one directory."""

    def __init__(self, path: str) -> None:
        self.path = path
        # What a killed run left may hold half a key that nobody will ever use.
        for entry in os.listdir(path):
            if _TEMPORARY in entry:
                os.unlink(f"{path}/{entry}")

    def read(self, name: str) -> Optional[bytes]:
        """None also for a file that others could read or write: a key in it is no secret any more."""
        path = f"{self.path}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError:
            _refuse_link(path)
            raise
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise MtlsError("It is no plain file.", path, "Remove it.")
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return None
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """By one rename, 0600 from the first byte on."""
        files.replace_file(f"{self.path}/{name}", data, 0o600)


def _refuse_link(path: str) -> None:
    if os.path.islink(path):
        raise MtlsError("It is a link.", path, "Remove it: pending keys are plain files.")
