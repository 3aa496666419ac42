# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone

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


@pytest.mark.parametrize(("min_days", "due"), [(0, False), (30, False), (31, True)])
def test_a_certificate_with_fewer_days_left_than_asked_for_is_due(min_days, due):
    def credential(side, days):
        return {"name": "orders", "side": side, "renew": {"before": "third", "min_days": days}}

    model = {"sides": ["server"], "credentials": [credential("server", min_days), credential("proxy", 99)]}
    result = {
        "state": "stable",
        "credentials": [{"part": "server", "name": "orders", "not_after": "2026-02-01T00:00:00Z"}],
    }
    at = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    lines = site_report({"hosts": {"a1": model}}, {"a1": {"mtls_server_result": result}}, at=at)
    told = ["a1 server: WARNING: the certificate of orders is due: 30 days are left, and 31 are wanted"]
    assert lines[1:] == (told if due else [])


@pytest.mark.parametrize(
    ("reason", "part", "told"),
    [("names", "proxy", True), ("expired", "proxy", False), ("names", "server", False)],
)
def test_a_client_that_is_called_otherwise_is_told(reason, part, told):
    """As an only credential it had the host's name, beside another it has one of its own."""
    model = {
        "sides": [part],
        "credentials": [
            {"name": "partner", "side": part, "common_name": "b1.partner", "renew": {"min_days": 0}},
        ],
    }
    asked = {"credentials": [{"part": part, "name": "partner", "needed": True, "reason": reason}]}
    lines = site_report({"hosts": {"b1": model}}, {"b1": {"mtls_requests": asked}})
    said = (
        "b1 proxy: WARNING: the certificate of partner is issued anew for CN=b1.partner. Who lets it in by"
        " its former name has to be told."
    )
    assert lines[1:] == ([said] if told else [])


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
        "doubtful": ["b2 to a1: y"],
        "revoked": ["b3 to a1: z"],
        "unknown": ["1 edge is unknown"],
    }
    assert site_report(FLEET, {}, told)[:-1] == [
        "edges: 2 of 4 accepted in both directions",
        "edges: WARNING: b3 to a1: z",
        "edges: warning: b1 to a1: x",
        "edges: warning: b2 to a1: y",
        "edges: 1 edge is unknown",
    ]
    assert site_report(FLEET, {}, {**told, "edges": 0}) == ["a1 server: not done in this run"]


LEFT = {
    "exists": True,
    "parts": ["server", "proxy"],
    "sites": [{"name": "stock"}, {"name": "orders"}],
    "routes": [{"name": "ledger"}],
}


def installed(**more):
    return {"a1": {"mtls_installed": {"installed": {**LEFT, **more}}}}


@pytest.mark.parametrize(
    ("sides", "more", "told"),
    [
        (["server"], {}, [("mtls_proxies", "Server B (route ledger)")]),
        (["proxy"], {}, [("mtls_servers", "Server A (sites stock, orders)")]),
        (["proxy"], {"sites": []}, [("mtls_servers", "Server A")]),
        (["server", "proxy"], {}, []),
        (["server"], {"parts": ["server"], "routes": []}, []),
    ],
)
def test_a_part_whose_group_the_host_has_left(sides, more, told):
    lines = site_report({"hosts": {"a1": {"sides": sides}}, "warnings": []}, installed(**more))
    assert lines[: len(told)] == [
        f"WARNING: a1 is not in {group}, and goes on as {what}. Nothing of that is renewed or changed any"
        " more. Put it back, or take it off: ansible-playbook --limit a1 mutual_tls.nginx.remove"
        for group, what in told
    ]
    assert len(lines) == len(told) + len(sides)


@pytest.mark.parametrize("result", [{}, {"failed": True}, {"installed": None}, {"unreachable": True}])
def test_of_a_host_that_was_not_read_nothing_is_known(result):
    assert site_report(FLEET, {"a1": {"mtls_installed": result}}) == ["a1 server: not done in this run"]
