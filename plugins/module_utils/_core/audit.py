# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the audit: what is said of a host that was not read, and how near an end is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Optional

from .findings import Finding

#: Read whole; one of the two calls only; not reached; reached and not read; no part of this run.
READ, PARTLY, UNREACHABLE, FAILED, NOT_ASKED = "read", "partly", "unreachable", "failed", "not_asked"
STATES = (READ, PARTLY, UNREACHABLE, FAILED, NOT_ASKED)

EXPIRED, NOT_YET, CRITICAL, SOON, OK, UNKNOWN = (
    "expired",
    "not_yet_valid",
    "critical",
    "soon",
    "ok",
    "unknown",
)
VALIDITIES = (EXPIRED, NOT_YET, CRITICAL, SOON, OK, UNKNOWN)

#: So much is left when a long life ends soon, and when that is critical; of a short one a third and a ninth.
SOON_DAYS, CRITICAL_DAYS = 30, 7

#: Steps of a transaction at which a host rests (``transaction.py``).
_AT_REST = ("stable", "rolled_back")


def unread(state: str, host: str, why: str) -> Optional[Finding]:
    """What is said of a host in that *state*; nothing of one that was read. *why*: Ansible's or the module's
    words."""
    reason = " ".join(why.split()).rstrip(".")
    if state == UNREACHABLE:
        return Finding("audit.unreachable", f"The host could not be reached: {reason or 'no reason'}.", host)
    if state in (FAILED, PARTLY):
        some = "A part of the host" if state == PARTLY else "The host"
        return Finding("audit.failed", f"{some} could not be read: {reason or 'no reason'}.", host)
    if state == NOT_ASKED:
        return Finding("audit.not_asked", "The host is outside this run, and nothing is known of it.", host)
    return None


def unproven(step: Optional[str], host: str) -> Optional[Finding]:
    """*step* of the host's state.json, None where there is none."""
    if step is None or step in _AT_REST:
        return None
    return Finding("audit.unproven", f"A run was cut off at the step {step!r}.", host)


def inventory_refused(problems: str) -> Optional[Finding]:
    """*problems*: why the variables of the inventory make no model, empty where they do."""
    if not problems.strip():
        return None
    told = " ".join(problems.split()).rstrip(".")
    return Finding("audit.inventory_refused", f"The inventory's variables are refused: {told}.", "inventory")


def validity(begin: Optional[datetime], end: Optional[datetime], at: datetime) -> str:
    """One of VALIDITIES. A CRL's *end* is its next update; without any it is UNKNOWN."""
    if end is None:
        return UNKNOWN
    if end <= at:
        return EXPIRED
    if begin is not None and begin > at:
        return NOT_YET
    life, left = end - (begin or at), end - at
    if left <= min(timedelta(days=CRITICAL_DAYS), life / 9):
        return CRITICAL
    return SOON if left <= min(timedelta(days=SOON_DAYS), life / 3) else OK
