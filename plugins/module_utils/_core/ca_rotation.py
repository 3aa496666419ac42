# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority replaced in three phases: what each does on a host, and what holds it back.

``trust``: everybody trusts the new one beside the old one. ``issue``: all certificates are of the new one.
``retire``: nobody trusts the old one any more. A phase begins on the real state of the whole fleet, or not at
all; a host that was not read is unknown, and unknown holds it back. Between reading and changing a host
somebody else may have changed it: its change then does not happen (``release`` with ``expected``), or a
certificate that was signed by the old one long ago could come back behind ``retire``'s back.

tests/unit/plugins/module_utils/fleet_model explores every interleaving of two controllers over these rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Optional

TRUST, ISSUE, RETIRE = "trust", "issue", "retire"
PHASES = (TRUST, ISSUE, RETIRE)


@dataclass(frozen=True)
class Host:
    """What a host has live and served. *trusts*: the authorities that each of its credentials accepts;
    *issuers*: those of its own certificates, A's probe identity among them. Any name that is one authority's
    alone, for example the SHA-256 of its root."""

    trusts: frozenset[str]
    issuers: frozenset[str]


@dataclass(frozen=True)
class Work:
    """What a phase changes on a host: the authorities that it is to trust, None to leave them; *reissue*:
    whether its certificates are made anew."""

    trusts: Optional[frozenset[str]] = None
    reissue: bool = False


def held_back(
    phase: str,
    hosts: Mapping[str, Optional[Host]],
    old: str,
    new: str,
    without: Collection[str] = (),
) -> dict[str, str]:
    """Host to why the phase may not begin; empty where it may.

    *hosts*: all of the inventory's groups, None for one that was not read. *without*: those that a person has
    named as not counting.
    """
    if phase == TRUST:
        return {}
    found = {}
    for name, host in hosts.items():
        if name in without:
            continue
        if host is None:
            found[name] = "it was not read, and what it has is not known"
        elif new not in host.trusts:
            found[name] = "it does not trust the new authority yet: phase trust is not done"
        elif phase == RETIRE and host.issuers - {new}:
            found[name] = "it has a certificate of the old authority: phase issue is not done"
    return found


def work(phase: str, host: Host, old: str, new: str) -> Optional[Work]:
    """What the phase changes on a host, None where it has nothing to do there any more."""
    if phase == TRUST:
        return None if new in host.trusts else Work(trusts=host.trusts | {new})
    if phase == ISSUE:
        return None if host.issuers <= {new} else Work(reissue=True)
    return Work(trusts=host.trusts - {old}) if old in host.trusts else None
