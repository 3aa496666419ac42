# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No phase breaks an edge that worked, no authority is retired early, a rerun ends; each rule is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_rotation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import (
    ISSUE,
    RETIRE,
    TRUST,
    Host,
    Work,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.fleet_model.explore import (
    Fleet,
    Rules,
    explore,
)

pytestmark = pytest.mark.once

SIZES = [
    pytest.param(1, 1, 2, 3_000, id="1 A, 1 B, two controllers"),
    pytest.param(2, 2, 1, 500, id="2 A, 2 B, one controller"),
    pytest.param(2, 2, 2, 100_000, id="2 A, 2 B, two controllers", marks=pytest.mark.whole),
]


@pytest.mark.parametrize(("servers", "proxies", "controllers", "least"), SIZES)
def test_no_history_breaks_anything(servers: int, proxies: int, controllers: int, least: int) -> None:
    found = explore(Fleet(servers, proxies, controllers))
    print(f"{servers} A, {proxies} B, {controllers} controllers: {found.states} states, {found.steps} steps")
    assert (found.fault, found.history) == ("", ())
    assert found.states > least


def _without_unknown(phase: str, hosts: Mapping[str, Optional[Host]], *more: Any) -> Mapping[str, str]:
    return ca_rotation.held_back(phase, {name: host for name, host in hosts.items() if host}, *more)


def _without_trust(phase: str, *more: Any) -> Mapping[str, str]:
    return {} if phase == ISSUE else ca_rotation.held_back(phase, *more)


def _without_issued(phase: str, *more: Any) -> Mapping[str, str]:
    return ca_rotation.held_back(ISSUE if phase == RETIRE else phase, *more)


def _dropping(phase: str, host: Host, old: str, new: str) -> Optional[Work]:
    """The first phase takes the old one off at once."""
    return Work(trusts=frozenset({new})) if phase == TRUST else ca_rotation.work(phase, host, old, new)


def _idle(phase: str, host: Host, old: str, new: str) -> Optional[Work]:
    return None if phase == RETIRE else ca_rotation.work(phase, host, old, new)


BROKEN: dict[str, tuple[Rules, str]] = {
    "an unread host is passed over": (Rules(held_back=_without_unknown), "an edge that worked is broken"),
    "issue does not wait for trust": (Rules(held_back=_without_trust), "an edge that worked is broken"),
    "retire does not wait for issue": (Rules(held_back=_without_issued), "a certificate of it is live"),
    "nothing is held back": (Rules(held_back=lambda *_given: {}), "a certificate of it is live"),
    "trust drops the old one": (Rules(work=_dropping), "an edge that worked is broken"),
    "a host that was changed meanwhile is changed": (Rules(expected=False), "a certificate of it is live"),
    "retire does nothing": (Rules(work=_idle), "a rerun does not end"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_that_is_left_out_is_caught(name: str) -> None:
    rules, fault = BROKEN[name]
    found = explore(Fleet(1, 1, 2, rules))
    assert fault in found.fault, found
    print(f"{name}: {', '.join(found.history)}")


# -- what a person reads


@pytest.mark.parametrize(
    ("phase", "host", "without", "said"),
    [
        (TRUST, None, (), ""),
        (ISSUE, None, (), "it was not read"),
        (ISSUE, None, ("b1",), ""),
        (RETIRE, None, ("b1",), ""),
        (RETIRE, None, ("b2",), "it was not read"),
        (ISSUE, ({"old"}, {"old"}), (), "phase trust is not done"),
        (ISSUE, ({"old", "new"}, {"old"}), (), ""),
        (RETIRE, ({"old", "new"}, {"old", "new"}), (), "phase issue is not done"),
        (RETIRE, ({"old", "new"}, {"new"}), (), ""),
        (RETIRE, ({"new"}, set()), (), ""),
    ],
)
def test_what_holds_a_phase_back(
    phase: str, host: Optional[tuple[set[str], set[str]]], without: Collection[str], said: str
) -> None:
    hosts = {"b1": host and Host(frozenset(host[0]), frozenset(host[1]))}
    found = ca_rotation.held_back(phase, hosts, "old", "new", without)
    assert list(found) == (["b1"] if said else [])
    assert said in " ".join(found.values())
