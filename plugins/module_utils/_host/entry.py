# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two small files outside the base by which nginx finds us: the include of our blocks, and
``worker_shutdown_timeout`` on the main level."""

from __future__ import annotations

import glob
import os
import re
from typing import Callable, Optional

from .._core import nginx_time
from .._core.errors import MtlsError
from .._core.nginx_conf import Directive, Dump
from . import files

_TIMEOUT = re.compile(rb"worker_shutdown_timeout \S+;\n")


class Entry:
    """*base*: of the releases, below the directory of *conf_path*."""

    def __init__(self, base: str, conf_path: str) -> None:
        self._conf_path = conf_path
        self._directory = os.path.dirname(conf_path)
        self.include = f"{os.path.relpath(base, self._directory)}/current/mtls.conf"
        self.include_file = f"{self._directory}/conf.d/mtls.conf"
        self.main_file = f"{self._directory}/modules-enabled/mtls.conf"

    @property
    def included(self) -> bool:
        return os.path.lexists(self.include_file)

    def write_include(self) -> bool:
        """Create the one line by which nginx enters; True when it was not there.

        Raises MtlsError for a foreign file.
        """
        self._drop_unfinished()
        if self.included:
            if self._read(self.include_file) != self._line:
                raise self._not_ours()
            # Who wrote the two may have been killed before they lasted, and nginx will serve by them.
            for path in (self.include_file, self.main_file):
                if os.path.lexists(path):
                    files.fsync_directory(os.path.dirname(path))
            return False
        if not os.path.isdir(os.path.dirname(self.include_file)):
            raise MtlsError(
                f"{os.path.dirname(self.include_file)} does not exist.",
                self._conf_path,
                "Create it and let the http block include conf.d/*.conf.",
                "include.missing",
            )
        files.replace_file(self.include_file, self._line, 0o644)
        return True

    @property
    def _line(self) -> bytes:
        return f"include {self.include};\n".encode()

    def _not_ours(self) -> MtlsError:
        return MtlsError(
            "It is not the file that release writes there.",
            self.include_file,
            f"Move it away, or let it hold the one line `include {self.include};`.",
        )

    def left(self) -> list[str]:
        """Those of the two files that are there and are ours.

        Raises MtlsError where the first includes us and has more than our line: nobody else takes it away.
        """
        found = self._read(self.include_file) or b""
        if found != self._line and self._line.strip() in found:
            raise self._not_ours()
        there = (found == self._line, self._main_is_ours())
        return [path for path, ours in zip((self.include_file, self.main_file), there) if ours]

    def remove_left(self) -> None:
        """Remove what ``left`` names, and what a killed run was writing beside it."""
        for path in self.left():
            files.remove_file(path)
        self._drop_unfinished()

    def _drop_unfinished(self) -> None:
        """Remove what a killed run was writing beside the two files; only called under the lock."""
        for path in (self.include_file, self.main_file):
            for left in glob.glob(f"{glob.escape(path)}.new-*"):
                os.unlink(left)

    def remove_include(self) -> None:
        # What it includes goes next: after a power cut it must not be there without it.
        files.remove_file(self.include_file)

    @staticmethod
    def _read(path: str) -> Optional[bytes]:
        try:
            return files.read_file(path)
        except OSError:
            return None

    def shutdown_timeout(self, dump: Dump, wanted: str) -> Optional[Callable[[], Callable[[], None]]]:
        """How to bring ``worker_shutdown_timeout`` to *wanted*; None where nothing is to do. It returns its
        undoing.

        A second one is emerg, so ours goes where anybody else sets it. A main level that reads no
        modules-enabled has no place for it, and then old workers end when their last connection does. Raises
        MtlsError where somebody else's file has its place.
        """
        here, ours = self._read(self.main_file), self._main_is_ours()
        text: Optional[bytes] = f"worker_shutdown_timeout {wanted};\n".encode() if wanted else None
        named = self._timeouts(dump)
        if any(item.file != self.main_file or not ours for item in named):
            text = None
        if here is not None and not ours:
            if text is None:
                return None
            raise MtlsError(
                "It is not the file that release writes there.",
                self.main_file,
                "Move it away, or leave worker_shutdown_timeout alone (an empty string).",
            )
        if here == text or (text is not None and not self._reads_modules(dump.tree())):
            return None

        def change() -> Callable[[], None]:
            self._put(self.main_file, text)
            return lambda: self._put(self.main_file, here)

        return change

    def timeout_has_no_place(self, dump: Dump, wanted: str) -> bool:
        """Whether ``worker_shutdown_timeout`` is wanted, nobody says it, and there is nowhere to say it."""
        return bool(wanted) and not self._timeouts(dump) and not self._reads_modules(dump.tree())

    def shutdown_timeout_s(self, dump: Dump) -> Optional[int]:
        """After how many seconds nginx ends a worker that it has told to stop, whoever has set that; None
        where nothing does."""
        found = self._timeouts(dump)
        # 0 sets no timer (ngx_set_shutdown_timer).
        return nginx_time.seconds(" ".join(found[0].args)) or None if found else None

    def _timeouts(self, dump: Dump) -> list[Directive]:
        return [item for item in dump.tree() if item.name == "worker_shutdown_timeout"]

    def remove_shutdown_timeout(self) -> None:
        if self._main_is_ours():
            files.remove_file(self.main_file)

    def _main_is_ours(self) -> bool:
        return _TIMEOUT.fullmatch(self._read(self.main_file) or b"") is not None

    @staticmethod
    def _put(path: str, data: Optional[bytes]) -> None:
        if data is None:
            files.remove_file(path)
        else:
            files.replace_file(path, data, 0o644)

    def _reads_modules(self, tree: tuple[Directive, ...]) -> bool:
        folder = os.path.dirname(self.main_file)
        patterns = [
            os.path.join(self._directory, item.args[0])
            for item in tree
            if item.name == "include" and item.args
        ]
        return os.path.isdir(folder) and f"{folder}/*.conf" in patterns
