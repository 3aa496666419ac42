# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.site_report import site_report

FLEET = {"hosts": {"a1": {"sides": ["server"]}}, "warnings": []}
STABLE = {
    "state": "stable",
    "release": "0123456789abcdef",
    "changed": True,
    "proof": [{"verdict": "ok"}, {"verdict": "ok"}, {"verdict": "inconclusive"}],
    "positive": "proven",
    "credentials": [{"findings": [{"severity": "warning", "message": "ends in 3 days"}]}],
}

LINE = "a1 server: stable, release 0123456789abcdef"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            STABLE,
            f"{LINE}, changed, 1 inconclusive, 2 ok, positive proven, warning: ends in 3 days",
        ),
        (
            {**STABLE, "changed": False, "proof": [], "credentials": []},
            f"{LINE}, unchanged, positive proven",
        ),
        ({"failed": True, "msg": "port 443 is taken"}, "a1 server: FAILED: port 443 is taken"),
        ({"skipped": True}, "a1 server: not done in this run"),
        (None, "a1 server: not done in this run"),
    ],
)
def test_a_line_for_each_host_and_side(result, expected):
    hostvars = {"a1": {"mtls_server_result": result} if result else {}}
    assert site_report(FLEET, hostvars) == [expected]


def test_a_host_that_was_not_read_is_not_done():
    assert site_report(FLEET, {}) == ["a1 server: not done in this run"]


def test_warnings_of_the_model_come_first():
    assert site_report({**FLEET, "warnings": ["b1 listens on 0.0.0.0"]}, {})[0] == "b1 listens on 0.0.0.0"


def test_edges_are_counted_and_those_that_do_not_work_are_told():
    told = {
        "edges": 4,
        "working": 2,
        "breaking": [],
        "broken": ["b1 to a1: x"],
        "unknown": ["1 edge is unknown"],
    }
    assert site_report(FLEET, {}, told)[:-1] == [
        "edges: 2 of 4 accepted in both directions",
        "edges: warning: b1 to a1: x",
        "edges: 1 edge is unknown",
    ]
    assert site_report(FLEET, {}, {**told, "edges": 0}) == ["a1 server: not done in this run"]
