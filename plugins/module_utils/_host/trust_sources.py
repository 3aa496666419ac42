# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of a bundle of certificates or CRLs: files, contents, and the files of directories, whatever
they are called."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Union

from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.inputs import bytes_of
from .intake import shown

# A directory is read to be joined into one file that nginx loads, so it is no archive.
_MOST_FILES = 10_000
_MOST_BYTES = 64 << 20
# What a directory may hold beside files.
_PASSED_OVER = ("file.missing", "file.not_regular")


@dataclass
class Sources:
    """*given*: (name in messages, bytes). *found*: the same for what lay in a directory, where a file that
    holds nothing of what is wanted is no fault. *passed_over*: what of a directory is no file; *unreadable*:
    what cannot be read and should."""

    given: list[tuple[str, bytes]] = field(default_factory=list)
    found: list[tuple[str, bytes]] = field(default_factory=list)
    passed_over: list[Finding] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)


class SourceReader:
    """*read(path)* gives bytes or the Finding that says why not. *is_target* and *holds_target* say of a path
    whether it is the bundle that is made, or the directory that it lies in."""

    def __init__(
        self,
        read: Callable[[str], Union[bytes, Finding]],
        is_target: Callable[[str], bool],
        holds_target: Callable[[str], bool],
    ) -> None:
        self._read = read
        self._is_target = is_target
        self._holds_target = holds_target
        self._left = _MOST_BYTES

    def all(self, options: Sequence[Mapping[str, Any]], name: str = "sources") -> Sources:
        """All that the option *name* names. Raises MtlsError where the bundle would be one of them."""
        sources = Sources()
        for number, option in enumerate(options):
            if option.get("path") is not None:
                self._file(option["path"], sources)
            elif option.get("directory") is not None:
                self._directory(option["directory"], sources)
            elif option.get("content") is not None:
                sources.given.append((f"{name}[{number}].content", bytes_of(option["content"])))
        return sources

    def _file(self, path: str, sources: Sources) -> None:
        if self._is_target(path):
            raise MtlsError(
                "The bundle would be its own source, and nothing could ever leave it.",
                path,
                "Write the bundle to another path.",
            )
        taken = self._take(path)
        if isinstance(taken, Finding):
            sources.unreadable.append(taken)
        else:
            sources.given.append((shown(path), taken))

    def _directory(self, directory: str, sources: Sources) -> None:
        if self._holds_target(directory):
            raise MtlsError(
                "The bundle lies in this source directory, so it, and its backups, would be sources of the"
                " next one.",
                directory,
                "Write the bundle to another directory.",
            )
        for path in _names(directory):
            if self._is_target(path):
                raise MtlsError(
                    "It leads to the bundle, which would be its own source.", path, "Remove it from there."
                )
            taken = self._take(path)
            if not isinstance(taken, Finding):
                sources.found.append((shown(path), taken))
            elif taken.code in _PASSED_OVER or _leads_nowhere(path):
                sources.passed_over.append(taken)
            else:
                sources.unreadable.append(taken)

    def _take(self, path: str) -> Union[bytes, Finding]:
        taken = self._read(path)
        if isinstance(taken, bytes):
            self._left -= len(taken)
            if self._left < 0:
                raise MtlsError(
                    f"The sources have more than {_MOST_BYTES >> 20} MiB in all.",
                    path,
                    "Name the files, not an archive.",
                )
        return taken


def _leads_nowhere(path: str) -> bool:
    """A link whose end is gone, or that goes round in a circle: no CA is lost with it."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return False


def _names(directory: str) -> list[str]:
    """The paths in *directory*, sorted, without hidden ones."""
    try:
        names = [name for name in os.listdir(directory) if not name.startswith(".")]
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "this is no path"
        raise MtlsError(
            f"The directory cannot be read: {said}.", directory, "Give a directory on the host."
        ) from None
    if len(names) > _MOST_FILES:
        raise MtlsError(
            f"It has {len(names)} entries.",
            directory,
            "Name the files, or a directory of their own.",
        )
    return [os.path.join(directory, name) for name in sorted(names)]
