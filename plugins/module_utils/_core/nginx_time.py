# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time as nginx writes it (ngx_parse_time, src/core/ngx_parse.c)."""

from __future__ import annotations

import re

from .errors import MtlsError

# Largest unit first. Left out: blanks between them, which need quotes; a number without unit behind others;
# numbers so large that nginx's own would overflow.
_UNITS = "".join(rf"([0-9]{{1,8}}{unit})?" for unit in ("y", "M", "w", "d", "h", "m", "s", "ms"))
_TIME = re.compile(rf"(?=.)(?:{_UNITS}|[0-9]{{1,8}})\Z")


#: The same in milliseconds; no unit is seconds.
_LENGTH = {
    "y": 365 * 86400000,
    "M": 30 * 86400000,
    "w": 7 * 86400000,
    "d": 86400000,
    "h": 3600000,
    "m": 60000,
    "s": 1000,
    "": 1000,
    "ms": 1,
}


def seconds(text: str) -> int:
    """Of a time that nginx has taken, rounded up."""
    found = re.findall(r"([0-9]+)(ms|[yMwdhms]?)", text)
    return -(-sum(int(number) * _LENGTH[unit] for number, unit in found) // 1000)


def check(text: str, place: str = "") -> str:
    """The text itself. Raises MtlsError where nginx would not take it."""
    if not _TIME.match(text):
        raise MtlsError(f"{text!r} is not a time.", place, "Write it as nginx does, for example 60s or 5m.")
    return text
