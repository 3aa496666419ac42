# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a file that somebody else named: whatever stands there, it is read once, whole, or a finding says
why not. Never waits for a fifo, a device or a terminal, and never takes more than LIMIT into memory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Union

from .._core.findings import Finding

#: In octets. A CRL of 100,000 entries is 5.5 MB as PEM, the bundle of all public CAs 0.25 MB.
LIMIT = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_TRIES = 3

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def read(path: str, after_reading: Callable[[], object] = lambda: None) -> Union[bytes, Finding]:
    """The bytes of *path*, links followed; or file.missing, .not_regular, .unreadable or .too_large.

    A file that another process writes meanwhile is read again, at most three times. *after_reading* is called
    between reading and looking whether it stayed the same (for tests).
    """
    try:
        for _try in range(_TRIES):
            taken = _read_once(path, after_reading)
            if taken is not None:
                return taken
    except ValueError:
        return Finding("file.missing", "A path cannot hold a NUL character.", shown(path))
    except OSError as error:
        return _finding(error, path)
    return Finding("file.unreadable", "The file changes while it is read.", shown(path))


def _read_once(path: str, after_reading: Callable[[], object]) -> Union[bytes, Finding, None]:
    """None where the file changed meanwhile. Raises OSError and ValueError."""
    # Asked before opening too: to open some devices (a watchdog, a tape) is to use them.
    refused = _not_regular(os.stat(path), path)
    if refused is not None:
        return refused
    # Without O_NONBLOCK a fifo would wait for a writer; without O_NOCTTY a terminal would become ours.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        refused = _not_regular(before, path)
        if refused is not None:
            return refused
        data = _take(descriptor)
        after_reading()
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if len(data) > LIMIT:
        size = max(len(data), after.st_size)
        said = f"The file has {size} octets, more than the {LIMIT} that are read."
        return Finding("file.too_large", said, shown(path))
    # Not compared with the length of the data: files of /proc say a size of 0 and have content.
    return data if _version(before) == _version(after) else None


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _not_regular(found: os.stat_result, path: str) -> Union[Finding, None]:
    if stat.S_ISREG(found.st_mode):
        return None
    return Finding("file.not_regular", f"It is {_kind(found.st_mode)}.", shown(path))


def _take(descriptor: int) -> bytes:
    """All there is, or one octet more than LIMIT."""
    parts: list[bytes] = []
    left = LIMIT + 1
    while left:
        part = os.read(descriptor, min(left, _CHUNK))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _kind(mode: int) -> str:
    return next((name for test, name in _KINDS if test(mode)), "no regular file")


def _finding(error: OSError, path: str) -> Finding:
    place = shown(path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if _is_link(path):
            return Finding("file.missing", "The symbolic link leads to nothing.", place)
        return Finding("file.missing", "There is no such file.", place)
    if error.errno == errno.ELOOP:
        return Finding("file.unreadable", "The symbolic links lead in a circle.", place)
    if error.errno == errno.ENAMETOOLONG:
        return Finding("file.missing", "The path is longer than a path can be.", place)
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return Finding("file.not_regular", "It is a socket or a device that is not there.", place)
    return Finding("file.unreadable", f"The file cannot be read: {os.strerror(error.errno or 0)}.", place)


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False


def shown(path: str) -> str:
    """Control characters of a name do not reach a terminal or a log as they are."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in path)


def private_key_findings(path: str, what: str = "private key") -> list[Finding]:
    """file.permissions for a file with a private key, or another secret (*what*), that others than its owner
    can read; nothing where that cannot be told."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return []
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & 0o077:
        return []
    said = f"The {what}'s file has the mode {stat.S_IMODE(found.st_mode):04o}."
    return [Finding("file.permissions", said, shown(path))]
