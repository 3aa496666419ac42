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

from .._core.errors import MtlsError

_STEP_S = 0.1


@contextlib.contextmanager
def locked(path: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock of *path*, which is created when missing. Raises MtlsError after *timeout_s* seconds."""
    end = time.monotonic() + timeout_s
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, timeout_s)
        while not _is_there(descriptor, path):
            # The holder before has taken everything off the host, the lock's file too.
            os.close(descriptor)
            descriptor = _open(path)
            _acquire(descriptor, path, max(0.0, end - time.monotonic()))
        # The holder's pid is for people only; the lock itself is the kernel's.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


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
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                raise MtlsError(
                    f"Another run holds the lock{f' (process {holder})' if holder else ''}; "
                    f"waited {timeout_s:g} s for it.",
                    path,
                    "Let it finish and run again, or raise lock_timeout_s. Do not delete the file.",
                ) from None
        time.sleep(min(_STEP_S, max(0.0, end - time.monotonic())))
