# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full, read-only, out of inodes or over quota, from each call of a transaction on, or for one
call only: nginx starts and serves one whole release, the fault is told, and the next run mends it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import (
    power as tree,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import (
    test_power_loss as power,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.test_engine import apply

pytestmark = pytest.mark.once

#: Fault → calls that it stops. A full disk still removes and renames; some file systems need room for a name.
FAULTS = {
    "full": (errno.ENOSPC, ("write", "open", "mkdir", "symlink")),
    "full, names too": (errno.ENOSPC, ("write", "open", "mkdir", "symlink", "rename")),
    "no inodes": (errno.ENOSPC, ("open", "mkdir", "symlink")),
    "quota": (errno.EDQUOT, ("write", "open", "mkdir", "symlink", "fsync")),
    "read-only": (errno.EROFS, ("write", "open", "mkdir", "symlink", "rename", "unlink", "rmdir", "chmod")),
    "broken": (errno.EIO, ("write", "fsync")),
}
CALLS = ("open", "write", "fsync", "rename", "symlink", "unlink", "mkdir", "rmdir", "chmod")


class Faulty:
    """Counts the calls that change something, and lets those of *kind* fail from number *begin* to *end*."""

    def __init__(self, root: Path, kind: str, begin: int, end: float) -> None:
        self.root, self.begin, self.end = str(root), begin, end
        self.number, self.stopped = FAULTS[kind]
        self.calls = self.failed = 0
        #: Numbers of the calls that this fault can stop.
        self.stoppable: list[int] = []

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            yield

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            writes = name != "open" or given[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
            # What is there is not made: EEXIST comes first, and so does opening it.
            there = name in ("open", "mkdir") and os.path.lexists(given[0])
            if there and (name == "mkdir" or self.number != errno.EROFS):
                return real(*given, **more)
            if writes and self._below(given[0], more.get("dir_fd")):
                self.calls += 1
                if name in self.stopped:
                    self.stoppable.append(self.calls)
                if name in self.stopped and self.begin <= self.calls <= self.end:
                    self.failed += 1
                    raise OSError(self.number, os.strerror(self.number), str(given[0]))
            return real(*given, **more)

        return call

    def _below(self, what: Any, folder: int | None) -> bool:
        if folder is not None:
            what = folder
        path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else str(what)
        return path.startswith(self.root)


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "nginx"
    root.mkdir()
    power.reset(root)
    return root


def left_over(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if ".new-" in path.name]


def tree_of(root: Path) -> tree.Tree:
    found: tree.Tree = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def attempt(world: power.Disk, name: str, disk: Faulty) -> str:
    """Make the call on this disk; what it told, "" where it went well."""
    with disk.active():
        try:
            told = power.CALLS[name][1](world)
            return told if isinstance(told, str) else ""
        except (MtlsError, OSError) as error:
            return str(error)
        except pytest.fail.Exception:
            return "the rollback that was looked for did not come about"


SWEPT = [(name, kind) for name in ("change", "rollback") for kind in FAULTS]
SWEPT += [(name, "full") for name in power.CALLS if name not in ("change", "rollback")]
SAMPLE = [("change", "full"), ("change", "read-only"), ("rollback", "broken"), ("absent", "full")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(*row, marks=() if row in SAMPLE else pytest.mark.whole) for row in SWEPT],
)
def test_each_call_that_fails(root: Path, name: str, kind: str) -> None:
    before, call, allowed, end = power.CALLS[name]
    world = power.Disk(root)
    for one in before:
        one(world)
    begin, serves = tree_of(root), world.serves
    dry = Faulty(root, kind, 0, -1)
    attempt(world, name, dry)
    wrong: list[str] = []
    for number, last in [(one, last) for one in dry.stoppable for last in (one, float("inf"))]:
        tree.lay_down(begin, root)
        world = power.Disk(root)
        world.serves = serves
        told = attempt(world, name, Faulty(root, kind, number, last))
        served = world.serves
        try:
            world.begin()
            assert world.serves in allowed, f"{world.serves} serves"
            assert world.serves == served or not served or "did not end" in told, f"{served} served"
            call(world)
            world.begin()
            assert world.serves == end, f"after the rerun {world.serves} serves"
            assert not left_over(root), left_over(root)
        except (AssertionError, power.EmergError, MtlsError, OSError, pytest.fail.Exception) as error:
            wrong.append(f"call {number} to {last}, told: {told[:150]}: {type(error).__name__}: {error}")
    assert len(dry.stoppable) > 3
    assert wrong[:5] == [], len(wrong)


def test_a_full_disk_does_not_stop_the_way_back_of_the_next_run(root: Path) -> None:
    """A run was killed after its switch, and the disk filled up: the old release comes back all the same."""
    world = power.Disk(root)
    power.first_install(world)
    origin = world.store.current() or ""
    power.change(world)
    target = world.store.current() or ""
    world.store.write_state(State("rolling_back", origin, target))
    disk = Faulty(root, "full", 1, float("inf"))
    disk.stopped = ("write",)
    with disk.active(), pytest.raises((MtlsError, OSError), match="No space"):
        apply(world, power.OLD)
    assert world.store.current() == world.serves == origin


@pytest.mark.parametrize("jump_s", [-10 * 365 * 86400, 10 * 365 * 86400])
def test_a_clock_that_jumps_costs_no_release_that_is_needed(root: Path, jump_s: int) -> None:
    """Age is read from directories; what is live, and what it came from, goes by its name."""
    world = power.Disk(root)
    for number in range(6):
        before = world.store.current()
        apply(world, power.parts(f"allow 10.0.0.{number};"))
        live = world.store.current() or ""
        seconds = os.stat(world.store.directory(live)).st_mtime + jump_s * (number + 1)
        os.utime(world.store.directory(live), (seconds, seconds))
        assert {live, before} - {None} <= set(world.store.names())
    assert apply(world, {}, state="rolled_back").state == "stable"
