# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate and which CRL a rotation run replaces, and why: the first reason that holds, the most
urgent first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional

from . import expiry

EXPIRED = "expired"
#: A finding of severity error about the certificate or its key.
FINDING = "finding"
#: Other names, key type, purpose or issuer than the inventory wants: `_core/request.py` has them one by one.
WANTED = "wanted"
#: The controller's file holds another certificate than the live release.
FILE = "file"
#: nginx serves another one than the live release has: a reload, no new certificate.
SERVED = "served"
THIRD = "third"
MIN_DAYS = "min_days"
FORCED = "forced"
#: The CRLs of a credential. Why is EXPIRED, THIRD, or this where the inventory or the private authority has
#: other ones.
CRL = "crl"

#: The private authority dates its certificates back by so much, for hosts whose clock is behind.
BACKDATED = timedelta(hours=1)
#: Findings about one's own certificate or key, which a new one mends; those about trust and CRLs it does not.
#: Dates are judged here, by one clock for the whole fleet.
_OWN = ("chain.", "format.", "key.", "name.", "pair.", "purpose.", "signature.")
#: The part of those that is about whom the other side trusts.
_NOT_OWN = frozenset(["chain.root_missing", "chain.root_not_trusted"])


@dataclass(frozen=True)
class Facts:
    """The live certificate; *errors*: codes of its findings of severity error; *differs*: why it is not what
    the inventory wants, "" where it is; *file_differs*: whether the controller's file, where that is the
    model, is another certificate; *served_differs*: whether nginx serves another one."""

    not_before: datetime
    not_after: datetime
    errors: Collection[str] = ()
    differs: str = ""
    file_differs: bool = False
    served_differs: bool = False


@dataclass(frozen=True)
class Rule:
    """*min_days*: so many days must be left. *force*: replace it anyway, or those made before a time."""

    min_days: int = 0
    force: bool = False
    made_before: Optional[datetime] = None


def reason(found: Facts, rule: Rule, at: datetime) -> str:
    """One of the words above, "" where nothing is due at the time *at*."""
    if expiry.is_expired(found.not_after, at):
        return EXPIRED
    if any(code.startswith(_OWN) and code not in _NOT_OWN for code in found.errors):
        return FINDING
    if found.differs:
        return WANTED
    if found.file_differs:
        return FILE
    if expiry.is_soon(found.not_before, found.not_after, at):
        return THIRD
    if expiry.is_soon(found.not_before, found.not_after, at, rule.min_days):
        return MIN_DAYS
    if rule.force or (rule.made_before and found.not_before + BACKDATED < rule.made_before):
        return FORCED
    return SERVED if found.served_differs else ""


def crl_reason(last_update: datetime, next_update: datetime, differs: bool, at: datetime) -> str:
    """The same for the CRL of a credential that ends first; *differs*: others are wanted. From its end on
    nginx refuses every client of its issuer."""
    if expiry.is_expired(next_update, at):
        return EXPIRED
    if expiry.is_soon(last_update, next_update, at):
        return THIRD
    return CRL if differs else ""
