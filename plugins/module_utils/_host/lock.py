# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One transaction at a time on a host: flock(2), which a dead process cannot leave behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Callable

from .._core.errors import MtlsError

_STEP_S = 0.1


def _nothing() -> None:
    """The directory is somebody else's to make."""


@contextlib.contextmanager
def locked(path: str, timeout_s: float, create: Callable[[], None] = _nothing) -> Iterator[None]:
    """Hold the lock of *path*, which is created when missing. Raises MtlsError after *timeout_s* seconds.

    *create* makes its directory anew, should the holder before have taken that away.
    """
    end = time.monotonic() + timeout_s
    descriptor = _open(path, create)
    try:
        _acquire(descriptor, path, timeout_s)
        while not _is_there(descriptor, path):
            # The holder before has taken everything off the host, the lock's file too.
            fresh = _open(path, create)
            os.close(descriptor)
            descriptor = fresh
            _acquire(descriptor, path, max(0.0, end - time.monotonic()))
        # The holder's pid is for people only, the lock itself is the kernel's: a full disk must not stop who
        # comes to take a release back.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(path: str, create: Callable[[], None]) -> int:
    try:
        if not os.path.isdir(os.path.dirname(path)):
            create()
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise MtlsError(
            f"The lock's file cannot be opened: {error.strerror}.",
            path,
            "Mend that (a read-only file system, a link in its place) and run again.",
        ) from error


def _is_there(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _acquire(descriptor: int, path: str, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise MtlsError(
                    f"Another run holds the lock{_holder(descriptor)}; waited {timeout_s:g} s for it.",
                    path,
                    "Let it finish and run again, or raise lock_timeout_s. Do not delete the file.",
                ) from None
        except OSError as error:
            # flock(2) on a network file system whose lock manager is away: ENOLCK, EIO, EOPNOTSUPP.
            raise MtlsError(
                f"The file system gives no lock: {error.strerror}.",
                path,
                "Keep nginx_mtls_base on a local file system, or mend the network file system's locks.",
            ) from error
        time.sleep(min(_STEP_S, max(0.0, end - time.monotonic())))


def _holder(descriptor: int) -> str:
    """Who wrote itself into the lock's file, and when."""
    process = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    if not process:
        return ""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.fstat(descriptor).st_mtime))
    return f" (process {process}, since {since})"
