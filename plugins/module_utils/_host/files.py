# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing so that a power cut leaves the old or the new, never half: new inodes, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping

from .._core.account import ROOT, Access, Account


def fsync_directory(path: str) -> None:
    """Make the names in a directory last: a rename is only durable with it (fsync(2), NOTES)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: str, data: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Create *path*, which must not exist, with *mode* from its first byte on, and fsync it.

    *owner*: user and group id, -1 for who runs this. Nobody but who runs this can read it before it is whole.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode & 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if owner != (-1, -1):
            os.fchown(descriptor, *owner)
        # The umask may have taken bits of the mode away, and only those are given back.
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: str, data: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Put *data* at *path* by one rename(2); what was there keeps its inode until the last reader is gone."""
    temporary = f"{path}.new-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        write_new(temporary, data, mode, owner)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    fsync_directory(os.path.dirname(path))


def replace_link(path: str, target: str) -> None:
    """Let the symlink *path* name *target* by one rename(2)."""
    temporary = f"{path}.new-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, path)
    fsync_directory(os.path.dirname(path))


def remove_file(path: str) -> None:
    """Take a file off its directory, and make that last."""
    os.unlink(path)
    fsync_directory(os.path.dirname(path))


def make_directory(path: str, mode: int) -> bool:
    """Create one directory with *mode* if it is missing, to last, and say whether it was."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        # Who made it may have been killed before it lasted.
        fsync_directory(os.path.dirname(path))
        return False
    os.chmod(path, mode)
    fsync_directory(os.path.dirname(path))
    return True


def make_parents(path: str) -> None:
    """Create the directories above *path* that are missing, 0755, each to last."""
    parent = os.path.dirname(path)
    if parent != "/":
        make_parents(parent)
        make_directory(parent, 0o755)


def write_tree(root: str, files: Mapping[str, tuple[bytes, int]], account: Account = ROOT) -> None:
    """Create the directory *root* (must not exist) with *files*, each file and directory fsynced.

    *account*: who is to read it, see ``Account``.
    """
    os.mkdir(root, 0o700)
    made = {root}
    for name, (data, mode) in sorted(files.items()):
        folder = root
        for step in name.split("/")[:-1]:
            folder = f"{folder}/{step}"
            if folder not in made:
                os.mkdir(folder, 0o700)
                made.add(folder)
        access = account.file(mode)
        write_new(f"{root}/{name}", data, access.mode, (access.uid, access.gid))
    for folder in sorted(made, reverse=True):
        if account.is_root:
            fsync_directory(folder)
        else:
            set_directory(folder, account.folder)


def read_tree(root: str) -> dict[str, bytes]:
    """Relative path → bytes of every regular file below *root*; links are not followed, and a fifo is not
    waited for.

    Empty without *root*.
    """
    return {name: read_file(f"{root}/{name}") for name in _names(root)}


def _names(root: str) -> Iterator[str]:
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, root)


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def is_wrong(path: str, access: Access) -> bool:
    """Whether a file has more permissions than *access* gives, or another owner."""
    found = os.lstat(path)
    mode = stat.S_IMODE(found.st_mode)
    owner = os.geteuid() if access.uid < 0 else access.uid
    fewer = access.exact and (access.mode & ~mode or access.gid not in (-1, found.st_gid))
    return bool(mode & ~access.mode or found.st_uid != owner or fewer)


def wrong_directories(root: str, access: Access) -> list[str]:
    """Relative paths, each with a final slash, of the directories at and below *root* that are not as
    *access* says: others may look or write into them."""
    found = [
        os.path.relpath(folder, root) + "/"
        for folder, dummy, dummy_too in os.walk(root)
        if is_wrong(folder, access)
    ]
    return sorted(found)


def set_directory(path: str, access: Access) -> None:
    """Give a directory its owner and mode, to last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # Closed while its owner changes: the group of before is none of those who may look.
        os.fchmod(descriptor, access.mode & 0o700)
        uid = os.geteuid() if access.uid < 0 else access.uid
        os.fchown(descriptor, uid, os.getegid() if access.gid < 0 else access.gid)
        os.fchmod(descriptor, access.mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_directories(root: str, access: Access) -> None:
    """All directories at and below *root*; links are not followed."""
    for folder, dummy, dummy_too in os.walk(root):
        set_directory(folder, access)


def remove_tree(path: str) -> None:
    """Remove a directory if it is there. A link in its place is removed itself, never what it names."""
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
