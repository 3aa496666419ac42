# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UTCTime and GeneralizedTime as OpenSSL reads them, in certificates and CRLs.

Two readers differ there: what is printed may have no seconds, a fraction or an offset (ossl_asn1_time_to_tm,
crypto/asn1/a_time.c), what is compared may not (X509_cmp_time, crypto/x509/x509_vfy.c): such a date is an
error in every verification.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .. import names
from . import der
from .der import DerError, Element

# What the datetime of an unreadable date is: neither begun nor left.
NEVER = datetime(1, 1, 1, tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FOUR_CENTURIES = 146_097 * 86_400  # seconds; the calendar repeats itself after them

_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:Z|([+-])(\d\d)(\d\d))", re.ASCII)
_GENERALIZED = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d(?:\.\d+)?)?(?:Z|([+-])(\d\d)(\d\d))", re.ASCII
)
_COMPARED = {der.UTC_TIME: re.compile(rb"\d{12}Z"), der.GENERALIZED_TIME: re.compile(rb"\d{14}Z")}


class Moment(NamedTuple):
    """*at* is in UTC, and the first second of the year 1 for all of the year 0 and for what cannot be read;
    *text* is RFC 3339, exact in the year 0 too, "" for what cannot be read; *seconds* since 1970, exact too;
    *fault* says why OpenSSL will not compare it, "" where it will."""

    at: datetime
    text: str
    seconds: int
    fault: str


def read(element: Element) -> Moment:
    """The date that *element* is; raises DerError when it is of another type.

    OpenSSL 3.5 refuses a whole certificate for a date shorter than YYMMDDHHMMSSZ, 3.0 reads it and fails to
    compare the date; here it is the date that is at fault.
    """
    if element.tag not in _COMPARED:
        raise DerError(f"{der.tag_name(element.tag)} stands where a date belongs")
    octets = der.string(element)
    moment = _parse(octets, element.tag)
    if moment is None:
        return Moment(NEVER, "", _since_1970(NEVER), f'"{_shown(octets)}" is no date')
    if _COMPARED[element.tag].fullmatch(octets) is None:
        form = "YYMMDDHHMMSSZ" if element.tag == der.UTC_TIME else "YYYYMMDDHHMMSSZ"
        return moment._replace(fault=f'"{_shown(octets)}" is not of the form {form}')
    return moment


def _shown(octets: bytes) -> str:
    shown = names.printable(octets[:40])
    return shown + "..." if len(octets) > 40 else shown


def _parse(octets: bytes, tag: int) -> Moment | None:
    found = (_UTC if tag == der.UTC_TIME else _GENERALIZED).fullmatch(octets)
    if found is None:
        return None
    year = int(found[1])
    if tag == der.UTC_TIME:
        year += 2000 if year < 50 else 1900
    month, day, hour, minute = (int(part) for part in found.group(2, 3, 4, 5))
    second = int((found[6] or b"0")[:2])
    try:
        # The year 0 is a leap year like 2000.
        moment = datetime(year or 2000, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    if found[7] is not None:
        return _shifted(moment, year, found[7], int(found[8]), int(found[9]))
    return _moment(moment, year)


def _shifted(moment: datetime, year: int, sign: bytes, hours: int, minutes: int) -> Moment | None:
    """With an offset, which OpenSSL reads up to 12:59 and between 1900 and 9999 only."""
    if hours > 12 or minutes > 59 or year < 1900:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    try:
        moment = moment - offset if sign == b"+" else moment + offset
    except OverflowError:
        return None
    return _moment(moment, moment.year)


def _moment(moment: datetime, year: int) -> Moment:
    text = f"{year:04d}{moment.isoformat()[4:19]}Z"
    if year:
        return Moment(moment, text, _since_1970(moment), "")
    return Moment(NEVER, text, _since_1970(moment) - 5 * _FOUR_CENTURIES, "")


def _since_1970(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
