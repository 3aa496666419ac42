# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a power cut may leave of a directory tree, by a recorded trace of every call that changes it.

The file system is the weakest that fsync(2) allows: without a journal. Sure is what was fsynced: bytes of a
file by the file, names by their directory. Everything else may be there or not, each for itself; one rename
is one change of a directory, as rename(2) promises.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

#: Path below the root → what is there: bytes of a file, text of a link's target, None for a directory.
Tree = dict[str, "bytes | str | None"]
#: Who asked for an fsync: the product's functions from the one that called os.fsync outwards.
Site = tuple[str, ...]
_PRODUCT = "module_utils/_host/"


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


@dataclass(eq=False)
class Node:
    """A file (*now*, *sure*: bytes), a link (text), or a directory (*sure* names, *changes* since)."""

    now: Any = None
    sure: Any = None
    entries: dict[str, Node] = field(default_factory=dict)
    sure_entries: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[str, str, Node]] = field(default_factory=list)

    @property
    def is_directory(self) -> bool:
        return self.now is None


@dataclass(frozen=True)
class Left:
    """What one cut leaves, and after which event, for people. *promised*: the files that nginx must read
    then, None where it may be the old ones or the new ones."""

    after: str
    tree: Tree
    promised: frozenset[tuple[str, str]] | None = None


class Recorder:
    """Follows every call that changes something below *root* while it is active.

    *lost*: sites whose fsync is taken for not done: the mutation. *kill_at*: the event after which the
    process is gone (KilledError), 0 for none.
    """

    def __init__(
        self, root: Path, lost: Callable[[Site], bool] = lambda site: False, kill_at: int = 0
    ) -> None:
        self.kill_at = kill_at
        self.root = str(root)
        self.lost = lost
        self.top = _read(root)
        self.sites: dict[Site, int] = {}
        self.found: dict[frozenset[Any], Left] = {}
        self._opened: dict[int, Node] = {}
        self.events = 0

    # -- the calls

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("open", "write", "close", "fsync", "rename", "symlink", "unlink", "mkdir", "rmdir"):
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            for name in ("replace", "link", "truncate", "fdatasync", "sync"):
                patch.setattr(os, name, self._unknown(name))
            yield

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        follow = getattr(self, f"_{name}")

        def call(*given: Any, **more: Any) -> Any:
            return follow(real, *given, **more)

        return call

    def _unknown(self, name: str) -> Callable[..., Any]:
        def call(*_given: Any, **_more: Any) -> Any:
            raise AssertionError(f"os.{name} is not followed: teach the recorder")

        return call

    def _path(self, path: Any, dir_fd: int | None = None) -> str | None:
        """The path below the root, None outside of it."""
        text = os.fspath(path) if not isinstance(path, int) else os.readlink(f"/proc/self/fd/{path}")
        if dir_fd is not None:
            text = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), text)
        return os.path.relpath(text, self.root) if f"{text}/".startswith(f"{self.root}/") else None

    def _at(self, path: str) -> Node:
        node = self.top
        for step in path.split("/") if path != "." else ():
            node = node.entries[step]
        return node

    def _change(self, what: str, path: str, node: Node, other: str = "") -> None:
        folder, name = self._at(os.path.dirname(path) or "."), os.path.basename(path)
        if what == "set":
            folder.entries[name] = node
        elif what == "drop":
            del folder.entries[name]
        else:
            assert os.path.dirname(path) == os.path.dirname(other), "a rename across directories is two"
            folder.entries[os.path.basename(other)] = folder.entries.pop(name)
            what = f"move {os.path.basename(other)}"
        folder.changes.append((what, name, node))
        self._cut(f"{what} {path}")

    def _open(self, real: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        where = self._path(path, dir_fd)
        new = where is not None and not os.path.lexists(f"{self.root}/{where}")
        descriptor: int = real(path, flags, mode, dir_fd=dir_fd)
        if where is not None:
            if new:
                self._change("set", where, Node(b"", b""))
            self._opened[descriptor] = self._at(where)
        return descriptor

    def _close(self, real: Any, descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        real(descriptor)

    def _write(self, real: Any, descriptor: int, data: Any) -> int:
        size: int = real(descriptor, data)
        if descriptor in self._opened:
            self._opened[descriptor].now += bytes(data)[:size]
            self._cut("write")
        return size

    def _fsync(self, real: Any, descriptor: int) -> None:
        real(descriptor)
        node = self._opened.get(descriptor)
        site = _site()
        if node is None or not site:
            return
        self.sites[site] = self.sites.get(site, 0) + 1
        if not self.lost(site):
            node.sure = node.now
            node.sure_entries, node.changes = dict(node.entries), []

    def _rename(self, real: Any, source: str, target: str) -> None:
        real(source, target)
        here, there = self._path(source), self._path(target)
        if here is not None and there is not None:
            self._change("move", here, self._at(here), there)

    def _symlink(self, real: Any, target: str, path: str) -> None:
        real(target, path)
        where = self._path(path)
        if where is not None:
            self._change("set", where, Node(target, target))

    def _mkdir(self, real: Any, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        real(path, mode, dir_fd=dir_fd)
        where = self._path(path, dir_fd)
        if where is not None:
            self._change("set", where, Node())

    def _unlink(self, real: Any, path: Any, *, dir_fd: int | None = None) -> None:
        where = self._path(path, dir_fd)
        real(path, dir_fd=dir_fd)
        if where is not None:
            self._change("drop", where, self._at(where))

    _rmdir = _unlink

    # -- what a cut leaves

    def promise(self, why: str, files: Mapping[str, str]) -> None:
        """From this instant on a cut may only leave what nginx reads now."""
        self._note(why, frozenset(files.items()))

    def _cut(self, after: str) -> None:
        self.events += 1
        self._note(after)
        if self.events == self.kill_at:
            raise KilledError

    def _note(self, after: str, promised: frozenset[tuple[str, str]] | None = None) -> None:
        """Note every tree that power may leave at this instant: all unsure things lost, all kept, each single
        one lost, each single one kept, a file's bytes also by half."""
        unsure: list[Any] = []
        _collect(self.top, unsure, set())
        everything = frozenset(unsure)
        ways = [frozenset(), everything]
        ways += [everything - {one} for one in unsure] + [frozenset({one}) for one in unsure]
        for kept in dict.fromkeys(ways):
            for half in (False, True):
                tree: Tree = {}
                _lay(self.top, kept, half, "", tree)
                left = Left(f"{self.events}: {after}", tree, promised)
                self.found.setdefault(frozenset([*tree.items(), ("", promised)]), left)


def _collect(node: Node, unsure: list[Any], seen: set[int]) -> None:
    """All that is not sure, of whatever can be reached by a name that is there, or is sure, or was moved."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if node.is_directory:
        unsure += [(node, number) for number in range(len(node.changes))]
        changed = [child for dummy, dummy_too, child in node.changes]
        for child in [*node.entries.values(), *node.sure_entries.values(), *changed]:
            _collect(child, unsure, seen)
    elif node.now != node.sure:
        unsure.append((node, -1))


def _lay(node: Node, kept: frozenset[Any], half: bool, path: str, tree: Tree) -> None:
    if not node.is_directory:
        lost = node.now[: len(node.now) // 2] if half and isinstance(node.now, bytes) else node.sure
        tree[path] = node.now if (node, -1) in kept or node.now == node.sure else lost
        return
    if path:
        tree[path] = None
    entries = dict(node.sure_entries)
    for number, (what, name, child) in enumerate(node.changes):
        if (node, number) not in kept:
            continue
        if what == "set":
            entries[name] = child
        else:
            entries.pop(name, None)
            if what.startswith("move "):
                entries[what[len("move ") :]] = child
    for name, child in entries.items():
        _lay(child, kept, half, f"{path}/{name}" if path else name, tree)


def _read(path: Path) -> Node:
    """What lies there already, all of it sure."""
    if path.is_symlink():
        return Node(os.readlink(path), os.readlink(path))
    if path.is_file():
        return Node(path.read_bytes(), path.read_bytes())
    entries = {child.name: _read(child) for child in path.iterdir()}
    return Node(entries=entries, sure_entries=dict(entries))


def _site() -> Site:
    names = []
    frame: Any = sys._getframe(1)
    while frame:
        code = frame.f_code
        if _PRODUCT in code.co_filename and "/tests/" not in code.co_filename:
            names.append(f"{Path(code.co_filename).stem}.{code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(names)


def lay_down(tree: Tree, root: Path) -> None:
    """Let *root* hold exactly this tree."""
    for child in root.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    for path, content in sorted(tree.items()):
        place = root / path
        if content is None:
            place.mkdir(0o700)
        elif isinstance(content, str):
            place.symlink_to(content)
        else:
            place.touch(0o600)
            place.write_bytes(content)
