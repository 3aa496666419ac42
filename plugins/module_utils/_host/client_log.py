# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access logs of Server A on this host, with what logrotate made of them: read as a stream."""

from __future__ import annotations

import contextlib
import importlib
import os
import stat
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._core import blocks, client_log, expiry, release
from .._core.client_log import Log, Rotated, Tally, Wanted
from .._core.errors import MtlsError
from . import installed
from .intake import shown
from .store import Store

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it
    LZMAError = EOFError  # type: ignore[misc,assignment]  # a stand-in of the same use: caught beside it

_BLOCK = 256 * 1024
#: Enough for the first line's time; of some files no more is read.
_BEGINNING = 16 * 1024
_TRIES = 3
#: What a file begins with, whatever it is called, and the module that reads it.
_FORMS = {
    b"\x1f\x8b": ("gzip", "gzip"),
    b"BZh": ("bzip2", "bz2"),
    b"\xfd7zXZ\x00": ("xz", "lzma"),
    b"\x28\xb5\x2f\xfd": ("zstd", ""),
    b"\x04\x22\x4d\x18": ("lz4", ""),
    b"\x1f\x9d": ("compress", ""),
    b"PK\x03\x04": ("zip", ""),
}
_BROKEN = (OSError, EOFError, zlib.error, LZMAError)


@dataclass
class File:
    """One file of a log, open. *stream* is None where it cannot be read, and *fault* says why.

    *left*: how many octets are read, None for all; of a file that is not compressed as many as it had when it
    was opened, for nginx writes on.
    """

    path: str
    fault: str = ""
    stream: Any = None
    left: Optional[int] = None
    beginning: bytes = b""

    @property
    def first(self) -> Optional[int]:
        return client_log.first_time(self.beginning)

    def read(self, size: int) -> bytes:
        """Raises what is in _BROKEN."""
        if self.stream is None:
            return b""
        if self.left is None:
            return bytes(self.stream.read(size))
        block = bytes(self.stream.read(min(size, self.left)))
        self.left -= len(block)
        return block


def _open(path: str, stack: contextlib.ExitStack) -> File:
    """The file with its beginning read; *stack* closes it."""
    file = File(path)
    try:
        # Without O_NONBLOCK a fifo would wait for a writer; without O_NOCTTY a terminal would become ours.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            file.fault = "It is no regular file."
            return file
        raw = stack.enter_context(os.fdopen(descriptor, "rb"))
        magic = raw.peek(8)
        form, reader = next((kind for begin, kind in _FORMS.items() if magic.startswith(begin)), ("", ""))
        if not form:
            file.stream, file.left = raw, found.st_size
        elif reader:
            file.stream = importlib.import_module(reader).open(raw)
        else:
            file.fault = f"It is compressed with {form}, not read here."
        file.beginning = file.read(_BEGINNING)
    except ImportError as error:
        file.fault = f"Python on this host does not read it: {error}."
    except ValueError:
        file.fault = "A path cannot hold a NUL character."
    except _BROKEN as error:
        file.fault = f"It cannot be read: {_words(error)}."
    return file


def _words(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.rstrip(".")


@dataclass(frozen=True)
class Chosen:
    """The files to read, the oldest first, and why they may not be all there were."""

    files: Sequence[File]
    unknown: Sequence[str]


def _choose(path: str, since: int, stack: contextlib.ExitStack) -> Chosen:
    """The log and what logrotate made of it, back to the file that begins before *since*.

    All are opened before one is read: what is renamed or removed meanwhile is the same file still.
    """
    folder, name = os.path.split(path)
    for _try in range(_TRIES):
        opened = contextlib.ExitStack()
        before = _inodes(folder, name)
        chosen = _back_to(since, path, client_log.rotated(name, before), opened)
        if before == _inodes(folder, name):
            stack.push(opened)
            return chosen
        opened.close()
    return Chosen([], [f"{shown(path)}: It is rotated again and again while it is read."])


def _inodes(folder: str, name: str) -> dict[str, int]:
    """Name → inode of what is called like the log; nothing where that cannot be read, as opening tells."""
    stem = name.rpartition(".")[0] or name
    with contextlib.suppress(OSError, ValueError):
        return {entry.name: entry.inode() for entry in os.scandir(folder) if entry.name.startswith(stem)}
    return {}


def _back_to(since: int, path: str, older: Sequence[Rotated], stack: contextlib.ExitStack) -> Chosen:
    """*older*: the oldest first. Of those that are not needed no more than the beginning is read."""
    files, kept, unknown = [_open(path, stack)], [], []
    begin = files[0].first
    for one in reversed(older):
        needed = begin is None or begin > since
        with contextlib.ExitStack() as short:
            file = _open(os.path.join(os.path.dirname(path), one.name), stack if needed else short)
        if needed:
            files.append(file)
            kept.append(one)
        if file.first is not None:
            if begin is not None and file.first > begin + client_log.TOLERANCE:
                unknown.append(
                    f"{shown(file.path)}: It begins later than what follows it: the clock was set."
                )
            begin = file.first
    missing = ", ".join(map(str, client_log.missing_numbers(kept)))
    if missing:
        unknown.append(f"{shown(path)}: Rotated files are missing between others: {missing}.")
    return Chosen(files[::-1], unknown)


def _as_given(paths: Sequence[str], stack: contextlib.ExitStack) -> Chosen:
    return Chosen([_open(path, stack) for path in paths], [])


@dataclass(frozen=True)
class Task:
    """What is asked of each log. *since* and *now* are time_t."""

    since: int
    now: int
    wanted: Wanted
    with_match: bool


def _counted(log: Log, chosen: Chosen, born: Optional[int], task: Task) -> dict[str, Any]:
    """One element of the result."""
    tally = Tally(task.since, task.now, task.wanted, log.probe_paths)
    unknown = [*log.unknown, *chosen.unknown]
    for file in chosen.files:
        tally.begin(shown(file.path))
        if not file.fault:
            _read(file, tally)
        if file.fault:
            unknown.append(f"{shown(file.path)}: {file.fault}")
        tally.end(live=file is chosen.files[-1])
    unknown += [*tally.unknown(), client_log.not_reached(tally.first, task.since, born)]
    unknown = [sentence for sentence in unknown if sentence]
    return {
        "site": log.site,
        "paths": [shown(file.path) for file in chosen.files],
        **tally.to_dict(task.with_match),
        "complete": not unknown,
        "unknown": unknown,
    }


def _read(file: File, tally: Tally) -> None:
    block = file.beginning
    try:
        while block:
            tally.feed(block)
            block = file.read(_BLOCK)
    except _BROKEN as error:
        file.fault = f"It cannot be read to its end: {_words(error)}."


def _born(base: str, found: installed.Installed, site: str) -> Optional[int]:
    """A time at which nginx did not serve the site, or had just begun to; None where none is known."""
    store, state = Store(base), found.facts["state"] or {}
    with contextlib.suppress(OSError, MtlsError):
        if state.get("step") == "stable" and state["to"] == found.facts["release"]:
            before = release.unrender(store.read(state["from"]))
            if before and site not in release.texts(before, "sites"):
                return int(expiry.parse_rfc3339(state["since"]).timestamp())
    # The link named it last when nothing was installed, and `release` sets the time of what the link names.
    with contextlib.suppress(OSError):
        return int(os.stat(store.directory(release.EMPTY)).st_mtime)
    return None


def _logs(found: installed.Installed, names: Optional[Sequence[str]]) -> tuple[list[Log], list[str]]:
    """The logs of the sites *names*, None for all of the live release, and what else is not known."""
    unknown = [f"{one.place}: {one.message}" for one in found.findings]
    if not found.facts["release"]:
        unknown.append(f"There is no live release below {shown(found.facts['base'])}.")
    logs: list[Log] = []
    for name, text in _texts(found).items():
        if names is None or name in names:
            try:
                logs += client_log.logs(blocks.sites({name: text}))
            except MtlsError as error:
                logs.append(Log(name, client_log.usual(name), unknown=(str(error),)))
    for name in names or ():
        if not any(log.site == name for log in logs):
            said = "The live release has no such site with TLS."
            logs.append(Log(release.check_name(name, "site"), client_log.usual(name), unknown=(said,)))
    return logs, unknown


def _texts(found: installed.Installed) -> Mapping[str, str]:
    """The sites of the live release by name, also one that somebody has saved in another encoding."""
    prefix, suffix = release.FOLDERS["sites"] + "/", ".conf"
    return {
        path[len(prefix) : -len(suffix)]: data.decode("utf-8", "replace")
        for path, data in sorted(found.source.items())
        if path.startswith(prefix) and path.endswith(suffix)
    }


def look(params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The whole call. Raises MtlsError for wrong options only."""
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    since = client_log.begin_of(params["since"], params["days"], at)
    task = Task(since, int(now.timestamp()), Wanted(params["clients"] or []), params["clients"] is not None)
    found = installed.look(params["base"])
    logs, unknown = _logs(found, params["sites"])
    if params["paths"]:
        known = frozenset(path for log in logs for path in log.probe_paths)
        logs, unknown = [Log("", params["paths"][-1], known | {client_log.PROBE_PATH})], []
    sites = []
    for log in logs:
        with contextlib.ExitStack() as stack:
            chosen = Chosen([], [])
            if params["paths"]:
                chosen = _as_given(params["paths"], stack)
            elif log.path:
                chosen = _choose(log.path, since, stack)
            sites.append(_counted(log, chosen, _born(params["base"], found, log.site), task))
    unknown += [f"{one['site'] or 'paths'}: {sentence}" for one in sites for sentence in one["unknown"]]
    return {
        "changed": False,
        "since": client_log.shown(since),
        "release": found.facts["release"],
        "sites": sites,
        "complete": not unknown,
        "unknown": unknown,
    }
