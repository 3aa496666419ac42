# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``rotate.yml`` asks in the course of a run, by the clock of the controller."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    rotation,
    rotation_authority,
    rotation_edges,
    rotation_options,
    rotation_report,
)

_REST = "Not all is done, so that no edge breaks: run rotate.yml again, it goes on with the rest."


def plan(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Container[str],
    given: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    opened: Mapping[str, str],
    private_ca: Mapping[str, Any],
) -> dict[str, Any]:
    """What a run with the options *given* does on each host, and which edges it would break."""
    now = datetime.now(timezone.utc)
    options = _options(fleet, given, groups)
    wanted = rotation.plan(fleet, hostvars, hosts, options, opened, now)
    planned, told = unbroken(wanted, fleet, hostvars, private_ca, opened, now)
    unable = private_ca.get("unable") or {}
    signs = rotation.asks(planned)
    # By force everything is due, also what this run has just replaced.
    again = f"with -e rotate_force={expiry.rfc3339(now)}" if options.force else ""
    return {
        "plan": planned,
        "lines": rotation_authority.lines(private_ca, signs)
        + rotation_report.plan_lines(planned)
        + rotation_report.edge_lines(told)
        + ([f"Should this run be cut short, go on {again}"] if again and not options.dry_run else []),
        "breaking": told["breaking"],
        # What has to be made before anything can be signed: a generation, an intermediate, "" for nothing.
        "makes": unable["next"] if unable and signs else "",
        "until": options.until,
        "dry_run": options.dry_run,
        "given": {name: value for name, value in given.items() if name in ("window", "until")},
        "began": now.timestamp(),
        "rest": "" if planned is wanted else _REST,
        "again": again,
    }


def unbroken(
    wanted: Mapping[str, Any],
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    opened: Mapping[str, str],
    now: datetime,
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Of the ways to begin what is *wanted* the one that does most and breaks no edge, and what is told of
    the edges; where each breaks one, what is wanted, and what even the gentlest would break."""
    told: dict[str, Any] = {}
    for planned in rotation_authority.ways(wanted, private_ca):
        told = rotation_edges.judge(fleet, hostvars, planned, private_ca, opened, now)
        if not told["breaking"]:
            return planned, told
    return wanted, told


def is_open(planned: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether the window lets this host begin now."""
    options = _options({"hosts": {}}, run["given"], {})
    return rotation.may_begin(planned, options, datetime.now(timezone.utc))


def progress(run: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Iterable[str]) -> str:
    """How far the run is, one sentence."""
    seconds = datetime.now(timezone.utc).timestamp() - run["began"]
    return rotation_report.progress(hostvars, hosts, seconds)


def report(run: Mapping[str, Any], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """The table at the end, the same as data, and the hosts for which the run fails."""
    found = rotation_report.rows(run["plan"], hostvars, run["until"], run.get("lost", ""))
    return {
        "table": rotation_report.table(found) + ([run["rest"]] if run.get("rest") else []),
        "rows": found,
        "failing": rotation_report.failing(found),
        "message": rotation_report.message(found, run["again"]),
    }


def _options(
    fleet: Mapping[str, Any], given: Mapping[str, Any], groups: Mapping[str, Iterable[str]]
) -> rotation_options.Options:
    return rotation_options.read(given, fleet["hosts"], {name: list(group) for name, group in groups.items()})
