# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of nginx's error logs: what they say of TLS since a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Optional

from .._core.nginx_log import Event, event

_TAIL = 4 * 1024 * 1024
_LONGEST = 4096
_MOST_FILES, _MOST_EVENTS = 32, 1000


def events(paths: Iterable[str], since: datetime) -> list[Event]:
    """The last ones of all logs since *since* (local time, as nginx writes it), the oldest first."""
    begin = since.isoformat(timespec="seconds")
    found: list[Event] = []
    for path in list(dict.fromkeys(path for path in paths if path.startswith("/")))[:_MOST_FILES]:
        lines = _lines(path)
        first = next((one for one in lines if one[:4].isdigit()), "")
        # logrotate may just have moved what was said in the time.
        if first[:19].replace("/", "-").replace(" ", "T") > begin or not first:
            found += _since(_lines(f"{path}.1"), begin, path)
        found += _since(lines, begin, path)
    return sorted(found, key=lambda one: str(one["time"]))[-_MOST_EVENTS:]


def _since(lines: Iterable[str], begin: str, path: str) -> Iterator[Event]:
    for line in lines:
        told: Optional[Event] = event(line, path)
        if told and told["time"] >= begin:
            yield told


def _lines(path: str) -> list[str]:
    """The whole lines at the end of a file; none where it cannot be read. Too long ones are left out."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return []
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read(_TAIL)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").split("\n")
    return [line for line in (lines[1:] if size > _TAIL else lines) if len(line) <= _LONGEST]
