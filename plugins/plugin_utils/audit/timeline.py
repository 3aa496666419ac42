# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what ends: the bars of the page's time line, a week each, and the list below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit, expiry
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.host import parsed

WEEKS = 26
#: Pixels: a bar and its distance to the next one, the first bar, a lane, its highest bar, its base line.
STEP, LEFT, LANE, HIGHEST, BASE = 30, 112, 92, 56, 78
#: Of a certificate's validity, the colour and the word.
VALIDITIES = {
    audit.EXPIRED: ("error", "expired"),
    audit.NOT_YET: ("error", "not valid yet"),
    audit.CRITICAL: ("error", "ends now"),
    audit.SOON: ("warning", "ends soon"),
    audit.OK: ("ok", ""),
    audit.UNKNOWN: ("info", "no date"),
}
_LANES = (("leaf", "Certificates"), ("trust", "Authorities"), ("crl", "CRLs"))


def lanes(found: Mapping[str, Any]) -> dict[str, Any]:
    """``{lanes: [{name, y, bars: [{x, y, count, title, parts}]}], months: [{x, name}], width,
    height}``. The first bar is what has ended, the last what ends after the weeks."""
    at = expiry.parse_rfc3339(found["generated"])
    rows = ends(found)
    made = []
    for kind, name in _LANES:
        weeks = _weeks([row for row in rows if row["kind"] == kind], at)
        total = sum(map(Counter.total, weeks))
        if total:
            made.append({"name": name, "total": total, "y": len(made) * LANE, "bars": list(_bars(weeks, at))})
    return {
        "lanes": made,
        "base": BASE,
        "step": STEP,
        "left": LEFT,
        "months": list(_months(at)),
        "width": LEFT + (WEEKS + 2) * STEP + 8,
        "height": len(made) * LANE + 24,
    }


def _weeks(rows: Iterable[Mapping[str, Any]], at: datetime) -> list[Counter[str]]:
    """For each bar how many things of which severity."""
    found: list[Counter[str]] = [Counter() for _bar in range(WEEKS + 2)]
    for row in rows:
        end = parsed(row["end"])
        if end is not None:
            position = 0 if end <= at else min((end - at) // timedelta(weeks=1), WEEKS) + 1
            found[position][VALIDITIES[row["validity"]][0]] += 1
    return found


def _bars(weeks: Sequence[Counter[str]], at: datetime) -> Iterator[dict[str, Any]]:
    most = max(map(Counter.total, weeks))
    for position, counts in enumerate(weeks):
        if not counts:
            continue
        top, parts = BASE, []
        for severity, count in sorted(counts.items()):
            height = max(3, round(HIGHEST * count / most))
            top -= height
            parts.append({"y": top, "height": height, "severity": severity})
        count = counts.total()
        yield {
            "x": LEFT + position * STEP,
            "y": top,
            "parts": parts,
            "count": count,
            "title": f"{count} {_when(position, at)}",
        }


def _when(position: int, at: datetime) -> str:
    if position == 0:
        return "ended already"
    begin = at + timedelta(weeks=position - 1)
    if position == WEEKS + 1:
        return f"from {begin:%Y-%m-%d} on"
    return f"from {begin:%Y-%m-%d} to {begin + timedelta(weeks=1):%Y-%m-%d}"


def _months(at: datetime) -> Iterator[dict[str, Any]]:
    """The first day of each month within the weeks, and where it lies."""
    first = at.replace(day=1, hour=0, minute=0, second=0)
    for _month in range(WEEKS // 4 + 1):
        first = (first + timedelta(days=32)).replace(day=1)
        days = (first - at) / timedelta(days=1)
        if days < WEEKS * 7 - 10:
            yield {"x": round(LEFT + STEP + days * STEP / 7), "name": f"{first:%b %Y}"}


def ends(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each thing that ends, the first one first: an authority or a CRL once, however many hosts have it."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in _things(found):
        merged.setdefault(row["key"], {**row, "hosts": []})["hosts"].append(row["host"])
    rows = [{**row, "hosts": list(dict.fromkeys(row["hosts"]))} for row in merged.values()]
    return sorted(rows, key=lambda row: (row["end"] or "9999", row["name"]))


def _things(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for host in found["hosts"]:
        for one in host["certificates"]:
            role = "leaf" if one["role"] == "leaf" else "trust"
            more = (host["name"],) if role == "leaf" else ()
            yield _thing(host, one, role, one["subject"], one["not_after"], (role, one["sha256"], *more))
        for one in host["crls"]:
            key = ("crl", one["issuer"], one["number"], one["next_update"])
            yield _thing(host, one, "crl", one["issuer"], one["next_update"], key)


def _thing(
    host: Mapping[str, Any], one: Mapping[str, Any], kind: str, name: Any, end: Any, key: tuple[Any, ...]
) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "host": host["name"],
        "name": name or "",
        "file": one["file"],
        "end": end,
        "days_left": one["days_left"],
        "validity": one["validity"],
    }
