# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a prepared release is its own, and how it is laid over a live one that has moved."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.prepared import (
    laid_over,
    outdated,
    own_paths,
)

KEY, CHAIN = "server/credentials/a/privkey.pem", "server/credentials/a/fullchain.pem"
CRL = "server/credentials/a/crl.pem"
OTHER = "server/credentials/ab/privkey.pem"
SITE, ROUTE = "server/sites/s.conf", "proxy/routes/r.conf"
ENTRY, DEFAULT = "mtls.conf", "server/default.conf"
LIVE = {
    KEY: b"k1",
    CHAIN: b"c1",
    CRL: b"l1",
    OTHER: b"o1",
    SITE: b"s1",
    ROUTE: b"r1",
    ENTRY: b"e1",
    DEFAULT: b"d1",
}


@pytest.mark.parametrize(
    ("change", "own"),
    [
        ({}, ()),
        ({KEY: b"k2", CHAIN: b"c2"}, ("server/credentials/a",)),
        ({SITE: b"s2", ENTRY: b"e2", DEFAULT: b"d2"}, (SITE,)),
        ({OTHER: b"o2", ROUTE: b"r2"}, (ROUTE, "server/credentials/ab")),
        ({"server/sites/new.conf": b"n"}, ("server/sites/new.conf",)),
    ],
)
def test_what_is_its_own(change: dict[str, bytes], own: tuple[str, ...]) -> None:
    assert own_paths(LIVE, {**LIVE, **change}) == own


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({}, False),
        ({SITE: b"s2", ROUTE: b"r2", DEFAULT: b"d2"}, False),
        ({CRL: b"l2"}, True),
        ({OTHER: b"o2"}, True),
    ],
)
def test_other_credentials_make_a_prepared_release_stale(change: dict[str, bytes], stale: bool) -> None:
    assert outdated(LIVE, {**LIVE, **change}) is stale
    assert outdated({**LIVE, **change}, LIVE) is stale


def test_what_is_gone_is_its_own_as_well() -> None:
    assert own_paths(LIVE, {path: data for path, data in LIVE.items() if path != ROUTE}) == (ROUTE,)


def test_a_credential_is_taken_whole_and_the_rest_from_the_live_one() -> None:
    prepared = {**LIVE, KEY: b"k2", CHAIN: b"c2"}
    moved = {**LIVE, CRL: b"l2", OTHER: b"o2", SITE: b"s2"}
    found = laid_over(moved, prepared, own_paths(LIVE, prepared))
    assert (found[KEY], found[CHAIN], found[CRL]) == (b"k2", b"c2", b"l1")
    assert (found[OTHER], found[SITE]) == (b"o2", b"s2")


def test_what_it_took_away_stays_away_and_what_came_since_stays() -> None:
    prepared = {path: data for path, data in LIVE.items() if path != ROUTE}
    found = laid_over({**LIVE, "proxy/routes/new.conf": b"n"}, prepared, own_paths(LIVE, prepared))
    assert ROUTE not in found
    assert found["proxy/routes/new.conf"] == b"n"
