# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about time, over values only: the clock is the caller's."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from .errors import MtlsError


def utc(moment: datetime) -> datetime:
    """*moment* as an aware time in UTC; one without a zone is UTC. Raises OverflowError within a day of the
    years 1 and 9999 when its zone leads out of them."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


def rfc3339(moment: datetime) -> str:
    """`2026-11-21T07:38:44Z`."""
    # strftime writes the year 1 as "1" on Linux
    return utc(moment).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def parse_rfc3339(text: str, place: str = "at") -> datetime:
    """The aware time of an RFC 3339 text (`Z` or an offset is required), without its fraction of a second;
    raises MtlsError, also for a time before the year 1 or after 9999."""
    found = _RFC3339.fullmatch(text.strip())
    try:
        # Not fromisoformat: each version of Python reads other forms.
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        if found[7] is None:
            return moment
        offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
        if int(found[8]) > 23 or int(found[9]) > 59:
            raise ValueError
        return moment - offset if found[7] == "+" else moment + offset
    except (ValueError, OverflowError):
        raise MtlsError(
            f"{text!r} is not a time of RFC 3339.", place, "Write it like 2026-11-21T07:38:44Z."
        ) from None


def days_left(not_after: datetime, at: datetime) -> int:
    """Whole days from *at* to *not_after*, rounded down; negative when it has passed."""
    return (utc(not_after) - utc(at)) // timedelta(days=1)


def days_left_until(text: str, at: datetime) -> int | None:
    """``days_left`` of a certificate's `not_after_text`, right in the year 0 too; None for "", which stands
    for a date that cannot be read."""
    if not text:
        return None
    if not text.startswith("0000"):
        return days_left(parse_rfc3339(text), at)
    # No datetime has the year 0. The year 400 has the same calendar, 146,097 days later.
    return days_left(parse_rfc3339("0400" + text[4:]), at) - 146_097


def is_expired(not_after: datetime, at: datetime) -> bool:
    """OpenSSL refuses in the second of notAfter (X509_cmp_time), though RFC 5280, 4.1.2.5 includes it."""
    return utc(at) >= utc(not_after)


def is_not_yet_valid(not_before: datetime, at: datetime) -> bool:
    return utc(at) < utc(not_before)


def is_soon(not_before: datetime, not_after: datetime, at: datetime, min_days: int | None = None) -> bool:
    """Whether a certificate that is still valid should be renewed.

    With *min_days*: fewer days are left. Without: a third of the lifetime or less is left.
    """
    left = utc(not_after) - utc(at)
    if min_days is not None:
        return left // timedelta(days=1) < min_days
    return left * 3 <= utc(not_after) - utc(not_before)
