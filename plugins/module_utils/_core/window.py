# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hours in which rotations may happen: weekdays, a start by the clock of a time zone, a length."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Callable

from .errors import MtlsError
from .expiry import utc

PLACE = "rotate_window"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS = ("days", "start", "hours", "timezone")
_WEEK = 7
_START = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_EXAMPLE = (
    'Write it like {"days": ["sat", "sun"], "start": "02:00", "hours": 4, "timezone": "Europe/Berlin"}.'
)


@dataclass(frozen=True)
class Window:
    """Opens on each of *days* (0 is Monday) at *start* in *zone*, for *length*, over midnight as well."""

    days: frozenset[int]
    start: time
    length: timedelta
    zone: tzinfo

    def is_open(self, at: datetime) -> bool:
        return any(opening <= utc(at) < opening + self.length for opening in self._openings(at))

    def next_end(self, at: datetime) -> datetime:
        """When the first opening that begins after *at* ends."""
        return min(opening for opening in self._openings(at) if opening > utc(at)) + self.length

    def _openings(self, at: datetime) -> Iterator[datetime]:
        """Those of a week before *at* and of the week after it. An hour that the clock skips is the one after
        it, one that comes twice is the first (PEP 495, fold=0)."""
        today: date = utc(at).astimezone(self.zone).date()
        for offset in range(-_WEEK - 1, _WEEK + 2):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                yield utc(datetime.combine(day, self.start, self.zone))


def parse(given: Any, zone_of: Callable[[str], tzinfo]) -> Window:
    """The window of an option ``{days, start, hours, timezone}``; *days* and *timezone* may be left out:
    every day, and UTC.

    *zone_of* gives the time zone of an IANA name and raises LookupError for none. Raises MtlsError.
    """
    if not isinstance(given, Mapping):
        raise MtlsError("It is not a dictionary.", PLACE, _EXAMPLE)
    strange = sorted(str(key) for key in given if key not in _KEYS)
    if strange:
        raise MtlsError(f"It has no key {', '.join(strange)}.", PLACE, f"Its keys are {', '.join(_KEYS)}.")
    try:
        zone = zone_of(str(given["timezone"])) if given.get("timezone") else timezone.utc
    except (LookupError, ValueError):
        raise MtlsError(
            f"{given['timezone']!r} is no time zone that is known here.",
            f"{PLACE}.timezone",
            "Give its name of the IANA database, like Europe/Berlin.",
        ) from None
    return Window(
        _days(DAYS if given.get("days") is None else given["days"]),
        _start(given.get("start")),
        _length(given.get("hours")),
        zone,
    )


def _days(given: Any) -> frozenset[int]:
    listed: Collection[Any] = [given] if isinstance(given, str) else given
    try:
        found = frozenset(DAYS.index(str(day).strip().lower()[:3]) for day in listed)
    except (ValueError, TypeError):
        found = frozenset()
    if not found:
        raise MtlsError(f"{given!r} are no days.", f"{PLACE}.days", f"Give a list of {', '.join(DAYS)}.")
    return found


def _start(given: Any) -> time:
    found = _START.fullmatch(str(given))
    if found is None:
        # YAML 1.1 reads an unquoted 02:00 as the number 120.
        raise MtlsError(f"{given!r} is no time of a day.", f"{PLACE}.start", 'Write it in quotes: "02:00".')
    return time(int(found[1]), int(found[2]))


def _length(given: Any) -> timedelta:
    try:
        hours = float(given)
    except (TypeError, ValueError):
        hours = 0.0
    if not 0 < hours <= 24 * _WEEK:
        raise MtlsError(
            f"{given!r} is no length in hours.", f"{PLACE}.hours", "Give a number above 0, at most 168."
        )
    return timedelta(hours=hours)
