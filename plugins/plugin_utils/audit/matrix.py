# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks whom: the page's matrix of edges, B by A. In a large fleet those that look alike are one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import REFUSED, UNKNOWN, WORKS

#: With more rows, or columns, equal ones are put together.
MANY = 24
_WORSE = (REFUSED, UNKNOWN, WORKS)


def matrix(edges: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``{columns: [[name, ..]], rows: [{names: [..], cells: [state or None]}]}``: each column and row stands
    for all of its names."""
    cells: dict[tuple[str, str], str] = {}
    for edge in edges:
        key = edge["proxy"], edge["server"] or edge["address"]
        states = {edge["state"], cells.get(key, WORKS)}
        cells[key] = next(state for state in _WORSE if state in states)
    names = sorted({row for row, _column in cells})
    columns = sorted({column for _row, column in cells})
    rows = _together(names, [{(column, cells.get((row, column))) for column in columns} for row in names])
    first = [row[0] for row in rows]
    groups = _together(columns, [{(row, cells.get((row, column))) for row in first} for column in columns])
    heads = [group[0] for group in groups]
    found = [{"names": row, "cells": [cells.get((row[0], head)) for head in heads]} for row in rows]
    found.sort(key=lambda row: (min(map(_rank, row["cells"])), row["names"]))
    return {"columns": groups, "rows": found}


def _rank(state: Any) -> int:
    return _WORSE.index(state) if state in _WORSE else len(_WORSE)


def _together(names: list[str], patterns: list[set[Any]]) -> list[list[str]]:
    if len(names) <= MANY:
        return [[name] for name in names]
    groups: dict[frozenset[Any], list[str]] = {}
    for name, pattern in zip(names, patterns):
        groups.setdefault(frozenset(pattern), []).append(name)
    return list(groups.values())


def reasons(edges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why edges do not work: equal reasons once, with the edges."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for edge in edges:
        for key, who in (("client_accepted", "A refuses B"), ("server_accepted", "B refuses A")):
            answer = edge[key]
            if answer["state"] not in (REFUSED, UNKNOWN):
                continue
            unknown = answer["state"] == UNKNOWN
            row = {**answer, "who": "" if unknown else who, "edges": []}
            found = groups.setdefault((answer["state"], row["who"], answer["code"], answer["message"]), row)
            found["edges"].append(f"{edge['proxy']} ({edge['route']}) → {edge['server'] or edge['address']}")
    return sorted(groups.values(), key=lambda one: (_rank(one["state"]), -len(one["edges"])))
