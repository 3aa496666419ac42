# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import window
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

EAST = timezone(timedelta(hours=2))
GOOD = {"days": ["sat", "sun"], "start": "02:00", "hours": 4, "timezone": "East"}


def zone_of(name):
    return {"East": EAST}[name]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=EAST)


@pytest.mark.parametrize(
    ("given", "moment", "is_open"),
    [
        ({}, "2026-11-21T02:00", True),  # a Saturday
        ({}, "2026-11-21T05:59", True),
        ({}, "2026-11-21T06:00", False),
        ({}, "2026-11-21T01:59", False),
        ({}, "2026-11-22T03:00", True),
        ({}, "2026-11-23T03:00", False),
        ({"days": "sat"}, "2026-11-22T03:00", False),
        ({"days": ["Saturday"]}, "2026-11-21T03:00", True),
        # Over midnight it is the day on which it opened that counts.
        ({"days": ["sat"], "start": "22:00"}, "2026-11-22T01:59", True),
        ({"days": ["sat"], "start": "22:00"}, "2026-11-21T01:59", False),
        ({"days": ["sun"], "start": "23:30", "hours": 0.5}, "2026-11-22T23:59", True),
        ({"days": ["sun"], "start": "23:30", "hours": 0.5}, "2026-11-23T00:00", False),
        ({"days": None}, "2026-11-23T03:00", True),
        ({"timezone": None}, "2026-11-21T03:00", False),  # 01:00 UTC
        ({"timezone": None}, "2026-11-21T04:00", True),
        ({"days": ["mon"], "hours": 168}, "2026-11-22T03:00", True),
    ],
)
def test_open(given, moment, is_open):
    assert window.parse({**GOOD, **given}, zone_of).is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-20T12:00", "2026-11-21T06:00"),
        ("2026-11-21T02:00", "2026-11-22T06:00"),  # it is open: the next one is the one after it
        ("2026-11-22T07:00", "2026-11-28T06:00"),
    ],
)
def test_the_next_end(moment, end):
    assert window.parse(GOOD, zone_of).next_end(at(moment)) == at(end)


def test_the_clock_is_that_of_the_zone_when_it_changes():
    zoneinfo = pytest.importorskip("zoneinfo", reason="window.py takes any tzinfo")
    berlin = {"days": ["sun"], "start": "02:30", "hours": 1, "timezone": "Europe/Berlin"}
    found = window.parse(berlin, zoneinfo.ZoneInfo)
    summer, skipped = (
        datetime(2026, 7, 5, 0, 30, tzinfo=timezone.utc),
        datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc),
    )
    assert found.is_open(summer)
    assert found.is_open(skipped)  # 02:30 is 03:30 on that day
    assert not found.is_open(skipped - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ("sat", "rotate_window", "dictionary"),
        ({**GOOD, "day": "sat"}, "rotate_window", "no key day"),
        ({**GOOD, "days": ["someday"]}, "rotate_window.days", "no days"),
        ({**GOOD, "days": 6}, "rotate_window.days", "no days"),
        ({**GOOD, "start": 120}, "rotate_window.start", "quotes"),
        ({**GOOD, "start": "24:00"}, "rotate_window.start", "no time"),
        ({**GOOD, "hours": 0}, "rotate_window.hours", "no length"),
        ({**GOOD, "hours": 169}, "rotate_window.hours", "no length"),
        ({**GOOD, "hours": None}, "rotate_window.hours", "no length"),
        ({**GOOD, "timezone": "West"}, "rotate_window.timezone", "no time zone"),
    ],
)
def test_what_is_no_window(given, place, said):
    with pytest.raises(MtlsError) as caught:
        window.parse(given, zone_of)
    assert caught.value.place == place
    assert said in str(caught.value)
