# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private CA's directory on disk: look at it, add a generation, add to the list of what was issued,
replace the files that say what signs, what is retired and what is revoked.

A file that is read without the lock is replaced by one rename: whoever reads has the old or the new.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable

from .._core import ca_store as rules
from .._core.errors import MtlsError

STAGING = ".new-"
UNFINISHED = ".new"
# A staging directory that old belongs to a killed run; nothing was ever signed by the key in it.
STALE_S = 3600.0
LOCK_TIMEOUT_S = 30.0


def temporary_folders(environment: Mapping[str, str]) -> list[str]:
    """The folders of this host that are emptied without asking, as named and without symbolic links."""
    named = ["/tmp", "/var/tmp", "/dev/shm", environment.get("TMPDIR", "")]
    return sorted({path for name in named if os.path.isabs(name) for path in (name, os.path.realpath(name))})


def generations(path: str) -> dict[int, set[str]]:
    """Number of each generation below *path* with the names of its files."""
    folder = os.path.join(path, "generations")
    if not os.path.isdir(folder):
        return {}
    return {
        int(name): set(os.listdir(os.path.join(folder, name)))
        for name in os.listdir(folder)
        if rules.is_generation(name)
    }


def entries(path: str) -> list[str]:
    """What is in the directory; nothing where there is none."""
    return os.listdir(path) if os.path.lexists(path) else []


def check_keys(path: str) -> None:
    """Raises MtlsError where somebody else may read a key."""
    for number, files in generations(path).items():
        for name in sorted(filter(rules.is_key, files)):
            key = os.path.join(path, "generations", str(number), name)
            rules.check_mode_of_key(key, os.stat(key).st_mode)


def stage(path: str, clock: Callable[[], float] = time.time) -> str:
    """Makes a private directory for the files of a new generation and returns its path.

    Each run has its own, and :func:`publish` is one rename: of two controllers that make the CA at the same
    time one wins whole, and no key ever meets the certificate of another.
    """
    with locked(path):
        folder = os.path.join(path, "generations")
        os.makedirs(folder, 0o700, exist_ok=True)
        for name in os.listdir(folder):
            old = os.path.join(folder, name)
            if name.startswith(STAGING) and clock() - os.stat(old).st_mtime > STALE_S:
                shutil.rmtree(old)
        return tempfile.mkdtemp(prefix=STAGING, dir=folder)


def publish(path: str, staging: str, generation: int) -> bool:
    """Makes what :func:`stage` gave the generation of this number; False where another run was first.

    *staging* may be the generation itself, one that a killed run left half made.
    """
    folder = os.path.join(path, "generations")
    target = os.path.join(folder, str(generation))
    with locked(path):
        for name in os.listdir(staging):
            _sync(os.path.join(staging, name))
        _sync(staging)
        if staging == target:
            return True
        if os.path.dirname(staging) != folder or not os.path.basename(staging).startswith(STAGING):
            raise MtlsError(f"{staging} is no staging directory of {path}.", "staging")
        try:
            os.rename(staging, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(staging)
            return False
        _sync(folder)
        return True


def text(path: str) -> str:
    """What is in a file; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def append(path: str, lines: Sequence[str], check: Callable[[], None]) -> None:
    """Adds lines to issued.jsonl, on the disk before it returns, unless *check*, which is called under the
    lock, raises.

    A line that a killed run left unfinished is closed first, so that it spoils no other.
    """
    with locked(path):
        check()
        name = os.path.join(path, rules.ISSUED)
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            start = b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
            data = start + b"".join(line.encode("utf-8") + b"\n" for line in lines)
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync(path)


def replace(path: str, data: bytes, mode: int = 0o600) -> None:
    """Gives the file *path* this content, on the disk before it returns; only for who holds the lock and has
    called :func:`settle`.

    Killed at any moment it leaves the old file or the new one.
    """
    folder, name = os.path.split(path)
    made = os.path.join(folder, f".{name}{UNFINISHED}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(handle, mode)
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(made, path)
    _sync(folder)


def settle(path: str) -> None:
    """Makes last what a killed run has renamed, since what is there is built on, and removes what it left
    unfinished; only for who holds the lock."""
    folder = os.path.join(path, "generations")
    for one in (path, *(os.path.join(folder, str(number)) for number in sorted(generations(path)))):
        for name in os.listdir(one):
            if name.startswith(".") and name.endswith(UNFINISHED):
                os.unlink(os.path.join(one, name))
        _sync(one)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """The directory with its first files, under flock(2): a dead process leaves no lock behind."""
    _home(path)
    handle = os.open(os.path.join(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise MtlsError(
                        f"{path}/.lock is held by another process for more than {LOCK_TIMEOUT_S:.0f} s.",
                        rules.PLACE,
                        f"See who it is with: fuser -v {path}/.lock",
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _home(path: str) -> None:
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
    if os.stat(path).st_mode & 0o077:
        os.chmod(path, 0o700)
    with contextlib.suppress(FileExistsError):
        handle = os.open(
            os.path.join(path, ".gitignore"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(handle, b"*\n")
        finally:
            os.close(handle)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
