# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up PKIs against `openssl verify`: a sample here, as many as wanted by `python -m pytest` with
MTLS_RANDOM_CHAINS=FIRST-LAST in the environment (`make matrix`)."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl, random_chains
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._x509.test_verdict import (
    JUDGE,
    asked,
    examined,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

_FIRST, _LAST = map(int, os.environ.get("MTLS_RANDOM_CHAINS", "0-120").split("-"))
_BATCH = 20


@needs_openssl
@pytest.mark.parametrize("first", range(_FIRST, _LAST, _BATCH))
def test_openssl_says_the_same(first: int) -> None:
    for seed in range(first, min(first + _BATCH, _LAST)):
        chain = random_chains.chain(seed)
        result = examined(chain, Shelf(JUDGE))
        openssl.compare("chains", result["verifies"], asked(chain).ok, f"random {seed}")


def test_most_are_decided_by_the_rules_and_both_ways() -> None:
    verdicts = [examined(random_chains.chain(seed), Shelf())["verifies"] for seed in range(60)]
    assert verdicts.count(None) <= 3
    assert min(verdicts.count(True), verdicts.count(False)) > 10
