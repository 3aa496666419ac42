# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of one run of ``rotate.yml``: extra vars of any type, as the command line gives them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional
from zoneinfo import ZoneInfo

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry, window
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import suggest

NAMES = (
    "batches",
    "dry_run",
    "force",
    "hosts",
    "json",
    "min_days",
    "to",
    "until",
    "window",
)
CHECKED, STABLE, PREVIOUS = "checked", "stable", "previous"
#: How AWX says that a job is one of several, each with a part of the inventory.
SLICES = ("awx_job_slice_count", "tower_job_slice_count")


@dataclass(frozen=True)
class Options:
    """*hosts*: None for all. *made_before*: replace what was issued before that time; *force*: everything."""

    hosts: Optional[frozenset[str]] = None
    force: bool = False
    made_before: Optional[datetime] = None
    min_days: int = 0
    until: str = STABLE
    to: str = ""
    dry_run: bool = False
    window: Optional[window.Window] = None


def read(given: Mapping[str, Any], hosts: Iterable[str], groups: Mapping[str, Collection[str]]) -> Options:
    """The options of *given* (without their prefix, None for what is not given); *hosts* are those of the
    fleet. Raises MtlsError naming the option."""
    force, made_before = _force(given.get("force"))
    until, to = str(given.get("until") or STABLE), str(given.get("to") or "")
    if until not in (CHECKED, STABLE):
        raise MtlsError(
            f"{until!r} is no step to stop at.", "rotate_until", f"Give {CHECKED} or leave it out."
        )
    if to not in ("", PREVIOUS):
        raise MtlsError(f"{to!r} is nowhere to go.", "rotate_to", f"Give {PREVIOUS} or leave it out.")
    if to and (until != STABLE or force or made_before):
        raise MtlsError(
            "It goes back to what was there, so nothing is forced or prepared.",
            "rotate_to",
            "Leave rotate_force and rotate_until out.",
        )
    return Options(
        hosts=_hosts(given.get("hosts"), set(hosts), groups),
        force=force,
        made_before=made_before,
        min_days=number(given.get("min_days"), "rotate_min_days"),
        until=until,
        to=to,
        dry_run=truth(given.get("dry_run"), "rotate_dry_run"),
        window=window.parse(given["window"], ZoneInfo) if given.get("window") else None,
    )


def truth(value: Any, place: str) -> bool:
    """Of an option that may not be given. Raises MtlsError."""
    try:
        return bool(boolean(value)) if value is not None else False
    except TypeError:
        raise MtlsError(f"{value!r} is neither true nor false.", place, "Give true or false.") from None


def _force(value: Any) -> tuple[bool, Optional[datetime]]:
    try:
        return truth(value, "rotate_force"), None
    except MtlsError:
        pass
    try:
        return False, expiry.parse_rfc3339(str(value))
    except MtlsError:
        raise MtlsError(
            f"{value!r} is neither true nor a time.",
            "rotate_force",
            "Give true, or a time like 2026-11-21T07:38:44Z: what was issued before it is replaced.",
        ) from None


def number(value: Any, place: str) -> int:
    """Of an option that may not be given; raises MtlsError."""
    try:
        found = int(value or 0)
    except (TypeError, ValueError):
        found = -1
    if found < 0:
        raise MtlsError(f"{value!r} is no such number.", place, "Give a whole number from 0 on.")
    return found


def refuse_part(given: Mapping[str, Any], hosts: Collection[str], option: str, why: str) -> None:
    """A part of the fleet must not pass for all of it. *option* of *given* says how many *hosts* there are,
    *why* that counts. Raises MtlsError."""
    for name in SLICES:
        if given.get(name) is not None and number(given[name], name) > 1:
            raise MtlsError(
                "This job is a slice, and sees a part of the inventory only.",
                name,
                f"Run it in one job: {why}.",
            )
    expected: Optional[Any] = given.get(option)
    if expected is not None and number(expected, option) != len(hosts):
        raise MtlsError(
            f"{expected} hosts are expected, and mtls_servers and mtls_proxies have {len(hosts)}.",
            option,
            "Run it with the whole inventory, or give the number that is right.",
        )


def _hosts(
    given: Any, hosts: Collection[str], groups: Mapping[str, Collection[str]]
) -> Optional[frozenset[str]]:
    """A name or names of hosts and groups, separated by commas in one text, as a set of hosts of the
    fleet."""
    if not given:
        return None
    names = given.split(",") if isinstance(given, str) else list(given)
    members = {name: set(group) & set(hosts) for name, group in groups.items()}
    found: set[str] = set()
    for name in (str(name).strip() for name in names):
        meant = {name} if name in hosts else members.get(name)
        if not meant:
            what = "There is no host or group" if meant is None else "No host is of group"
            known = [*hosts, *(group for group in members if members[group])]
            raise MtlsError(
                f"{what} {name!r} in mtls_servers and mtls_proxies.",
                "rotate_hosts",
                suggest(name, known) or "Give names of hosts or groups of the inventory, no patterns.",
            )
        found |= meant
    return frozenset(found)
