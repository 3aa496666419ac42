# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of one run of ``rotate_ca.yml``: extra vars of any type, as the command line gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import PHASES, RETIRE
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_options import NAMES as ROTATION
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_options import (
    number,
    refuse_part,
    truth,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import suggest

NAMES = ("emergency", "expected_hosts", "new", "phase", "soak_days", "without")
#: Options of ``rotate.yml`` that mean the same here.
SHARED = ("batches", "dry_run", "json", "window")
GENERATION, INTERMEDIATE = "generation", "intermediate"
#: How many days a client of the old authority must not have been seen.
SOAK_DAYS = 7


@dataclass(frozen=True)
class Options:
    """*new*: GENERATION or INTERMEDIATE of the private CA, or the path of a certificate. *without*: hosts
    that do not count and are not touched."""

    phase: str
    new: str = GENERATION
    soak_days: int = SOAK_DAYS
    without: frozenset[str] = frozenset()
    emergency: bool = False
    dry_run: bool = False

    @property
    def is_private(self) -> bool:
        return self.new in (GENERATION, INTERMEDIATE)


def read(given: Mapping[str, Any], hosts: Collection[str]) -> Options:
    """The options of *given*, by their whole names, None for what is not given; *hosts* are those of the
    fleet. Raises MtlsError naming the option."""
    _names(given)
    refuse_part(given, hosts, "rotate_ca_expected_hosts", "a phase begins on the state of the whole fleet")
    phase = str(given.get("rotate_ca_phase") or "")
    if phase not in PHASES:
        raise MtlsError(
            f"{phase!r} is no phase." if phase else "It is not given.",
            "rotate_ca_phase",
            f"Give {', '.join(PHASES[:-1])} or {PHASES[-1]}, each in a run of its own and in this order.",
        )
    emergency = truth(given.get("rotate_ca_emergency"), "rotate_ca_emergency")
    if emergency and phase != RETIRE:
        raise MtlsError(
            f"Phase {phase} cuts nobody off, so there is no emergency in it.",
            "rotate_ca_emergency",
            f"Give it with rotate_ca_phase={RETIRE}.",
        )
    soak = given.get("rotate_ca_soak_days")
    return Options(
        phase,
        str(given.get("rotate_ca_new") or GENERATION),
        SOAK_DAYS if soak is None else number(soak, "rotate_ca_soak_days"),
        _without(given.get("rotate_ca_without"), hosts),
        emergency,
        truth(given.get("rotate_dry_run"), "rotate_dry_run"),
    )


def _names(given: Mapping[str, Any]) -> None:
    for name in sorted(given):
        if name.startswith("rotate_") and name[len("rotate_") :] in set(ROTATION) - set(SHARED):
            raise MtlsError("It is an option of rotate.yml, and says nothing here.", name, "Leave it out.")


def _without(given: Any, hosts: Collection[str]) -> frozenset[str]:
    """Also names of hosts that the inventory has no more, which may hold a phase back, too."""
    if not given:
        return frozenset()
    names = given.split(",") if isinstance(given, str) else list(given)
    found = frozenset(str(name).strip() for name in names)
    for name in sorted(found - set(hosts)):
        if near := suggest(name, hosts):
            raise MtlsError(f"There is no host {name!r}.", "rotate_ca_without", near)
    return found
