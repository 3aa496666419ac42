# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of nginx's error logs, files or the journal: what they say of TLS since a time."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Callable, Optional

from .._core.nginx_log import Event, event
from . import nginx
from .nginx import Finished

_TAIL = 4 * 1024 * 1024
_LONGEST = 4096
_MOST_FILES, _MOST_EVENTS = 32, 1000
_JOURNAL, _JOURNAL_LINES, _JOURNAL_S = "journalctl ", 5000, 20.0
#: Where journald takes what is meant for syslog (systemd-journald-dev-log.socket).
_DEV_LOG = ("unix:/dev/log", "unix:/run/systemd/journal/dev-log", "unix:/var/run/systemd/journal/dev-log")
Run = Callable[..., Finished]


def read_as(log: Mapping[str, str], unit: str) -> str:
    """What *log*, an element of ``error_logs``, is read by: its path, or the command that shows it; "" where
    its lines are not on this host. *unit*: which has started nginx, "" for none."""
    if log["path"].startswith("/"):
        return log["path"]
    local = log["path"] == "syslog" and log["to"] in _DEV_LOG
    if not local and not (log["path"] == "stderr" and unit):
        return ""
    return _JOURNAL + shlex.quote(f"_SYSTEMD_UNIT={unit}" if unit else "_COMM=nginx")


def events(places: Iterable[str], since: datetime, run: Run = nginx.run) -> tuple[list[Event], list[str]]:
    """The last ones of all logs since *since* (local time, as nginx writes it), the oldest first; and those
    commands that did not work. *places*: as ``read_as`` tells them."""
    begin = since.isoformat(timespec="seconds")
    found: list[Event] = []
    told = list(dict.fromkeys(place for place in places if place))[:_MOST_FILES]
    failed = []
    for command in (place for place in told if place.startswith(_JOURNAL)):
        journal = _journal(command, since, run)
        if journal is None:
            failed.append(command)
        found += _since(journal or (), begin, command)
    for path in (place for place in told if place.startswith("/")):
        lines = _lines(path)
        first = next((one for one in lines if one[:4].isdigit()), "")
        # logrotate may just have moved what was said in the time.
        if first[:19].replace("/", "-").replace(" ", "T") > begin or not first:
            found += _since(_lines(f"{path}.1"), begin, path)
        found += _since(lines, begin, path)
    return sorted(found, key=lambda one: str(one["time"]))[-_MOST_EVENTS:], failed


def _journal(command: str, since: datetime, run: Run) -> Optional[list[str]]:
    """The messages since then; None where there is no journal that can be read."""
    more = ["-q", "--no-pager", "-ocat", f"-n{_JOURNAL_LINES}", f"--since=@{since.timestamp():.0f}"]
    try:
        done = run([*shlex.split(command), *more], _JOURNAL_S)
    except OSError:
        return None
    return None if done.code else [line for line in done.out.split("\n") if len(line) <= _LONGEST]


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
