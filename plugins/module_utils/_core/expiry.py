# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about time, over values only: the clock is the caller's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .errors import MtlsError


def utc(moment: datetime) -> datetime:
    """*moment* as an aware time in UTC; one without a zone is UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


def rfc3339(moment: datetime) -> str:
    """`2026-11-21T07:38:44Z`."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str, place: str = "at") -> datetime:
    """The aware time of an RFC 3339 text (`Z` or an offset is required); raises MtlsError."""
    fault = MtlsError(f"{text!r} is not a time of RFC 3339.", place, "Write it like 2026-11-21T07:38:44Z.")
    try:
        # fromisoformat reads no `Z` before Python 3.11
        moment = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError:
        raise fault from None
    if moment.tzinfo is None:
        raise fault
    return utc(moment)


def days_left(not_after: datetime, at: datetime) -> int:
    """Whole days from *at* to *not_after*, rounded down; negative when it has passed."""
    return (utc(not_after) - utc(at)) // timedelta(days=1)


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
        return left < timedelta(days=min_days)
    return left * 3 <= utc(not_after) - utc(not_before)
