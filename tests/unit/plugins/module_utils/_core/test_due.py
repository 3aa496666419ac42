# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import due
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.due import Facts, Rule

MADE = datetime(2026, 1, 1, tzinfo=timezone.utc)
FACTS = Facts(MADE, MADE + timedelta(days=90))
NOW = MADE + timedelta(days=10)
NEVER = Rule()


@pytest.mark.parametrize(
    ("day", "rule", "expected"),
    [
        (10, NEVER, ""),
        (59.9, NEVER, ""),
        (60, NEVER, due.THIRD),
        (90, NEVER, due.EXPIRED),
        (89.9, NEVER, due.THIRD),
        (49, Rule(min_days=41), ""),
        (49.1, Rule(min_days=41), due.MIN_DAYS),
        (10, Rule(force=True), due.FORCED),
        # Dated back by an hour when it was made.
        (10, Rule(made_before=MADE + timedelta(hours=1)), ""),
        (10, Rule(made_before=MADE + timedelta(hours=1, seconds=1)), due.FORCED),
    ],
)
def test_by_time(day, rule, expected):
    assert due.reason(FACTS, rule, MADE + timedelta(days=day)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"errors": ["key.weak"]}, due.FINDING),
        ({"errors": ["pair.key_mismatch"]}, due.FINDING),
        ({"errors": ["chain.missing_intermediate"]}, due.FINDING),
        # About whom it trusts, or by the host's clock: a new certificate mends neither.
        ({"errors": ["crl.expired"]}, ""),
        ({"errors": ["bundle.leaf"]}, ""),
        ({"errors": ["chain.root_not_trusted"]}, ""),
        ({"errors": ["expiry.not_yet_valid"]}, ""),
        ({"differs": "names"}, due.WANTED),
        ({"file_differs": True}, due.FILE),
        ({"served_differs": True}, due.SERVED),
        # A new certificate is loaded as well.
        ({"served_differs": True, "file_differs": True}, due.FILE),
    ],
)
def test_by_what_is_wrong(change, expected):
    assert due.reason(replace(FACTS, **change), NEVER, NOW) == expected


@pytest.mark.parametrize(
    ("day", "differs", "expected"),
    [
        (10, False, ""),
        (10, True, due.CRL),
        (59.9, False, ""),
        (60, False, due.THIRD),
        (60, True, due.THIRD),
        (90, True, due.EXPIRED),
    ],
)
def test_a_crl(day, differs, expected):
    at = MADE + timedelta(days=day)
    assert due.crl_reason(MADE, MADE + timedelta(days=90), differs, at) == expected


def test_the_most_urgent_reason_is_told():
    everything = replace(FACTS, errors=["key.weak"], differs="names", file_differs=True, served_differs=True)
    assert due.reason(everything, Rule(force=True), MADE + timedelta(days=90)) == due.EXPIRED
    assert due.reason(everything, Rule(force=True), NOW) == due.FINDING
