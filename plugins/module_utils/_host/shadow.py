# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shadow: nginx's own configuration with another release in place of the live one, for ``nginx -T -c``.

nginx resolves a relative include against the directory of the ``-c`` file as it is written and follows no
links for that. So a directory of links to everything in ``/etc/nginx``, with a base of its own in which
``current`` names the release under test, tests the release inside the whole configuration and touches nothing
live.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .._core import release
from . import files

SCRATCH = "/run"
_PREFIX = "mutual-tls."


def scratch_directory(root: str = SCRATCH) -> str:
    """A new 0700 directory that no reboot keeps."""
    number = 0
    while True:
        path = f"{root}/{_PREFIX}{os.getpid()}.{number}"
        try:
            os.mkdir(path, 0o700)
            return path
        except FileExistsError:
            number += 1


@contextlib.contextmanager
def scratch(root: str = SCRATCH) -> Iterator[str]:
    """A scratch directory that is gone afterwards."""
    path = scratch_directory(root)
    try:
        yield path
    finally:
        files.remove_tree(path)


def sweep(root: str = SCRATCH, proc: str = "/proc") -> None:
    """Remove the scratch directories of runs that were killed: their process is gone, keys may be in them."""
    for name in os.listdir(root):
        process = name[len(_PREFIX) :].split(".")[0]
        if name.startswith(_PREFIX) and process.isdigit() and not os.path.exists(f"{proc}/{process}"):
            files.remove_tree(f"{root}/{name}")


def build(folder: str, conf_path: str, base: str, release_directory: str) -> str:
    """Fill *folder* and return the path of its main file. *base* lies below the directory of *conf_path*.

    The whole way from the root down to the base is there, so that ``include ../x.conf`` leads where it leads
    from the real directory (``real_directory``): the kernel, which resolves it, follows links.
    """
    directory = real_directory(conf_path)
    inner = os.path.relpath(base, os.path.dirname(conf_path))
    live, shadow = "", folder
    for step in f"{directory}/{inner}".strip("/").split("/"):
        _link_all(live or "/", shadow, leave_out=step)
        live, shadow = f"{live}/{step}", f"{shadow}/{step}"
        os.mkdir(shadow, 0o700)
    _link_all(live, shadow, leave_out="current")
    os.symlink(release_directory, f"{shadow}/current")
    return f"{folder}{directory}/{os.path.basename(conf_path)}"


def without_blocks(folder: str, live_directory: str) -> str:
    """A release in *folder* that has no block, and the parts of the live one by links: no key is copied."""
    path = f"{folder}/{release.EMPTY}"
    files.write_tree(path, release.render(release.empty_source(), path, release.EMPTY))
    for part in release.PARTS:
        if os.path.isdir(f"{live_directory}/{part}"):
            os.symlink(f"{live_directory}/{part}", f"{path}/{part}")
    return path


def real_directory(conf_path: str) -> str:
    """The directory of the main file, without links."""
    return os.path.realpath(os.path.dirname(conf_path))


def _link_all(source: str, target: str, leave_out: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(source):
            if name != leave_out:
                os.symlink(f"{source.rstrip('/')}/{name}", f"{target}/{name}")
