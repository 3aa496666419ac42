# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

AT = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

LEFT = [(AT + DAY, 1), (AT + DAY - SECOND, 0), (AT, 0), (AT - SECOND, -1), (AT - DAY, -1)]


@pytest.mark.parametrize(("end", "days"), LEFT)
def test_days_left(end, days) -> None:
    assert expiry.days_left(end, AT) == days


SOON = [
    # start, end, min_days, soon
    (AT - 60 * DAY, AT + 30 * DAY, None, True),
    (AT - 60 * DAY, AT + 30 * DAY + SECOND, None, False),
    (AT - 60 * DAY, AT + 10 * DAY, 10, False),
    (AT - 60 * DAY, AT + 10 * DAY - SECOND, 10, True),
    (AT - 60 * DAY, AT + 10 * DAY, 0, False),
    (AT - 60 * DAY, AT + 10 * DAY, 10**12, True),
    (AT - 60 * DAY, AT + 10 * DAY, -(10**12), False),
]


@pytest.mark.parametrize(("start", "end", "min_days", "soon"), SOON)
def test_soon(start, end, min_days, soon) -> None:
    assert expiry.is_soon(start, end, AT, min_days) is soon


TIMES = [
    ("2026-06-01T12:00:00Z", AT),
    ("2026-06-01t12:00:00z", AT),
    ("2026-06-01T14:00:00+02:00", AT),
    ("2026-06-01T00:30:00-11:30", AT),
    ("2026-06-01 12:00:00Z", AT),
    ("2026-06-01T12:00:00.999999999Z", AT),
    (" 2026-06-01T12:00:00Z\n", AT),
]


@pytest.mark.parametrize(("text", "moment"), TIMES)
def test_rfc3339(text, moment) -> None:
    assert expiry.parse_rfc3339(text) == moment
    assert expiry.rfc3339(moment) == "2026-06-01T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-06-01",
        "2026-06-01T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-06-01T24:00:00Z",
        "2026-06-01T12:00:60Z",
        "2026-06-01T12:00Z",
        "20260601T120000Z",
        "2026-W23-1T12:00:00Z",
        "2026-06-01T12:00:00+0200",
        "2026-06-01T12:00:00+25:00",
        "2026-06-01T12:00:00+01:60",
        "0000-06-01T12:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "２０２６-06-01T12:00:00Z",
    ],
)
def test_no_time(text) -> None:
    with pytest.raises(MtlsError) as caught:
        expiry.parse_rfc3339(text, "at")
    assert caught.value.place == "at" and "2026-11-21T07:38:44Z" in caught.value.remedy


def test_a_time_without_zone_is_utc() -> None:
    assert expiry.utc(AT.replace(tzinfo=None)) == AT


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_time(text) -> None:
    assert expiry.rfc3339(expiry.parse_rfc3339(text)) == text


def test_days_between_the_ends_of_time() -> None:
    first, last = (expiry.parse_rfc3339(text) for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))
    assert expiry.days_left(last, first) == 3_652_058
    assert expiry.days_left(first, last) == -3_652_059
    assert not expiry.is_soon(first, last, first)
    assert expiry.is_soon(first, last, last)
