# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``rotate_ca.yml`` asks in the course of a run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import ISSUE, RETIRE, TRUST
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    ca_rotation,
    ca_rotation_options,
    ca_soak,
    rotation_edges,
    rotation_options,
    rotation_report,
    sources,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.ca_rotation import Replacement

_SHARED = ("window",)


def plan(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Collection[str],
    given: Mapping[str, Any],
    opened: Mapping[str, str],
    private_ca: Mapping[str, Any],
    issued: Collection[Mapping[str, Any]],
    at: str = "",
) -> dict[str, Any]:
    """What ``rotation_run.plan`` tells, with what holds the phase back and what it changes in the private CA.

    *hosts* are those of this run; *given* its options by their whole names; *private_ca* the fact of that
    name, *issued* what has not expired of it; *at* the time, RFC 3339, by default now. Raises MtlsError.
    """
    now = expiry.parse_rfc3339(at) if at else datetime.now(timezone.utc)
    options = ca_rotation_options.read(given, fleet["hosts"])
    if not options.is_private:
        options = replace(options, new=_found(options.new, hostvars))
    change = ca_rotation.change(options, private_ca)
    future = ca_rotation.after(options, private_ca, change)
    run = {
        "phase": options.phase,
        "emergency": options.emergency,
        "passes_unread": options.emergency,
        "soak_days": options.soak_days if options.phase == RETIRE else 0,
        "clients": [],
        "change": change.to_dict,
        "private_ca": future,
        "refused": list(change.refused),
        "cut_off": [],
        "plan": {},
        "lines": [],
        "breaking": [],
        "until": rotation_options.STABLE,
        "dry_run": options.dry_run,
        "given": {name: given[f"rotate_{name}"] for name in _SHARED if given.get(f"rotate_{name}")},
        "began": now.timestamp(),
        "again": "",
    }
    if change.refused and not change.retire:
        return run
    if change.make and not ca_rotation.is_pending(private_ca):
        made = (
            f"phase {TRUST} makes the new {change.make} of the private CA, which every host is to trust then"
        )
        return {**run, "lines": [made]}
    replacement = Replacement(fleet, hostvars, options, opened, future, now)
    states = replacement.states()
    if run["soak_days"]:
        run["clients"] = ca_soak.asked(replacement)
    refused = [*change.refused, *replacement.missing_sources()]
    found = replacement.held_back(issued, states)
    if run["soak_days"] and _soaked(fleet, hostvars):
        seen = {host: hostvars[host].get("mtls_clients") or {} for host in states if host in hostvars}
        found = {**ca_soak.held_back(replacement, seen, issued), **found}
    if options.emergency:
        run["cut_off"] = [f"{host}: {why}" for host, why in sorted(found.items())]
    else:
        refused += [f"{host}: {why}" for host, why in sorted(found.items())]
    run["refused"] = refused
    run["plan"] = replacement.plan(hosts, states)
    told = _judge(replacement, fleet, hostvars, run["plan"], private_ca, opened, now)
    if options.emergency:
        run["cut_off"] += told["breaking"]
    else:
        run["breaking"] = told["breaking"]
    run["lines"] = [
        *_about(replacement, options),
        *rotation_report.plan_lines(run["plan"]),
        *rotation_report.edge_lines(told),
    ]
    return run


def _found(path: str, hostvars: Mapping[str, Any]) -> str:
    """As the paths of the inventory: relative to its directory, then to the working directory."""
    folders = [one["inventory_dir"] for one in hostvars.values() if one.get("inventory_dir")]
    return sources.find(path, [*folders[:1], os.getcwd()], "rotate_ca_new")


def _about(replacement: Replacement, options: ca_rotation_options.Options) -> list[str]:
    lines = [f"phase {options.phase}: {replacement.name}"]
    if options.phase == ISSUE:
        revoked = sorted(f"{host} {side}/{name}" for host, side, name in replacement.barred)
        lines += [f"{one} is revoked, and gets a new certificate by rotate_force only" for one in revoked]
    if options.phase == RETIRE and not options.is_private:
        lines += [
            f"WARNING: {name} is in trust.sources of {', '.join(places)}, and stays trusted. If it is the old"
            " one, take it out, and run again."
            for name, places in replacement.kept().items()
        ]
    if options.without:
        lines.append(
            "WARNING: by rotate_ca_without these hosts do not count and are not touched, and whom they"
            f" refuse after this is not known: {', '.join(sorted(options.without))}"
        )
    return lines


def _soaked(fleet: Mapping[str, Any], hostvars: Mapping[str, Any]) -> bool:
    """Whether the logs have been read in this run."""
    return any("mtls_clients" in hostvars[host] for host in fleet["hosts"] if host in hostvars)


def _judge(
    replacement: Replacement,
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    planned: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    opened: Mapping[str, str],
    at: datetime,
) -> dict[str, Any]:
    if replacement.options.phase == ISSUE:
        newest = private_ca.get("newest") or {}
        return rotation_edges.judge(fleet, hostvars, planned, newest, opened, at)
    return replacement.judge(planned)
