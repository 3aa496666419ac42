# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rotate.yml plans for what is installed, what it would break, and what it says."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    rotation,
    rotation_edges,
    rotation_options,
    rotation_report,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, fleet

CA, OTHER = builders.root("CN=mtls CA 1"), builders.root("CN=mtls CA 2")
YOUNG = {"start": AT - 10 * DAY, "end": AT + 80 * DAY}
OLD = {"start": AT - 61 * DAY, "end": AT + 29 * DAY}
HOSTS = {"a": A, "b": B}
OLDER, NEWER = "a" * 16, "b" * 16
GROUPS = {"mtls_servers": [A], "mtls_proxies": [B], "canaries": [B], "spares": []}


def leaf(which: str, issuer: Any = CA, **more: Any) -> Any:
    made = {**YOUNG, **more}
    if which == "server":
        return builders.server(issuer, f"CN={A}", names=made.pop("names", (A,)), **made)
    name = f"mtls-probe.{A}" if which == "probe" else B
    return builders.client(issuer, f"CN={name}", names=(), **made)


def element(part: str, name: str, issued: Any, trust: Any = CA, **more: Any) -> dict[str, Any]:
    """What ``credential_info`` says of an installed credential."""
    return {
        "part": part,
        "name": name,
        "matches": True,
        "private_key": {"type": "ec", "size": 256},
        "certificate": certificate.describe(issued.pem, AT),
        "findings": [],
        "pem": {
            "certificate": issued.pem.decode(),
            "trust": trust.pem.decode(),
            "crl": None,
            "verify_depth": 1,
        },
        **more,
    }


class Fleet:
    """One A and one B of the private authority, as site.yml has left them."""

    def __init__(self, folder: Path, servers: Mapping[str, Any] | None = None, proxies: Any = None) -> None:
        self.model = fleet(folder, {A: servers or {}}, {B: proxies or {}})
        self.variables: dict[str, dict[str, Any]] = {}
        self.run = [A, B]
        self.install(
            A, element("server", "probe", leaf("probe")), element("server", "server", leaf("server"))
        )
        self.install(B, element("proxy", "client", leaf("client")))

    def install(
        self, host: str, *credentials: dict[str, Any], allow: Any = (), prepared: Any = None, **state: Any
    ) -> None:
        site = {
            "name": "default", "server_names": [A], "listen": ["*:443"], "credential": "server",
            "verify": "on", "allow": list(allow), "probes": [], "protocols": ["TLSv1.3"], "curves": [],
        }  # fmt: skip
        route = {"name": "default", "server_name": A, "credential": "client", "servers": [f"{A}:443"]}
        self.variables[host] = {
            "mtls_installed": {
                "installed": {
                    "sites": [site] if host == A else [],
                    "routes": [route] if host == B else [],
                    "state": {"step": "stable", **state},
                    "prepared": prepared,
                },
                "credentials": list(credentials),
            }
        }

    def plan(self, **given: Any) -> dict[str, dict[str, Any]]:
        return self.plan_with({}, **given)

    def plan_with(self, private_ca: Mapping[str, Any], **given: Any) -> dict[str, dict[str, Any]]:
        for variables in self.variables.values():
            variables["mtls_private_ca"] = {**variables.get("mtls_private_ca", {}), **private_ca}
        options = rotation_options.read(given, self.model["hosts"], GROUPS)
        return rotation.plan(self.model, self.variables, self.run, options, {}, AT)

    def broken(self, plan: Any = None, issuer: Any = CA) -> list[str]:
        signs = {"certificate": issuer.pem.decode(), "root": issuer.pem.decode()}
        plan = plan or self.plan(force=True)
        return rotation_edges.judge(self.model, self.variables, plan, {"issuer": signs}, {}, AT)["breaking"]


@pytest.fixture(name="hosts")
def _hosts(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def due(plan: Mapping[str, Any], host: str) -> dict[str, str]:
    return {f"{one['part']}/{one['name']}": one["reason"] for one in plan[host]["credentials"]}


# -- what is due


def test_nothing_is_due_after_site_yml(hosts):
    assert {host: one["state"] for host, one in hosts.plan().items()} == {A: "fresh", B: "fresh"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issued": leaf("server", **OLD)}, "third"),
        ({"issued": leaf("server", start=AT - 90 * DAY, end=AT)}, "expired"),
        ({"issued": leaf("server", names=("other.example.com",))}, "wanted"),
        ({"issued": leaf("server", builders.root("CN=Somebody"))}, "wanted"),
        ({"private_key": {"type": "rsa", "size": 2048}}, "wanted"),
        ({"matches": False}, "wanted"),
        ({"findings": [{"code": "key.weak", "severity": "error", "message": "weak"}]}, "finding"),
        ({"findings": [{"code": "key.weak", "severity": "warning", "message": "weak"}]}, ""),
        (
            {
                "findings": [
                    {"code": "endpoint.served_differs_from_file", "severity": "warning", "message": "x"}
                ]
            },
            "served",
        ),
        ({"certificate": None}, "finding"),
    ],
)
def test_each_reason(hosts, change, reason):
    issued = change.pop("issued", leaf("server"))
    hosts.install(A, element("server", "probe", leaf("probe")), element("server", "server", issued, **change))
    plan = hosts.plan()
    assert due(plan, A) == ({"server/server": reason} if reason else {})
    assert plan[B]["state"] == "fresh"
    action = {"served": "reload", "": None}.get(reason, "request")
    assert [one["action"] for one in plan[A]["credentials"]] == ([action] if action else [])


def test_forced_everything_or_what_is_older_or_some_hosts(hosts):
    hosts.install(B, element("proxy", "client", leaf("client", start=AT - DAY)))
    assert due(hosts.plan(force="yes"), A) == {"server/probe": "forced", "server/server": "forced"}
    since = hosts.plan(force="2026-01-01T00:00:00Z" if AT.year > 2026 else (AT - 5 * DAY).isoformat())
    assert (since[A]["state"], since[B]["state"]) == ("due", "fresh")
    assert set(hosts.plan(force=True, hosts="canaries")) == {B}
    assert set(hosts.plan(force=True, hosts=[A, B])) == {A, B}


@pytest.mark.parametrize(("days", "reason"), [(80, ""), (81, "min_days")])
def test_days_that_must_be_left_by_the_run_or_the_inventory(tmp_path, days, reason):
    told = {"proxy/client": reason} if reason else {}
    assert due(Fleet(tmp_path).plan(min_days=str(days)), B) == told
    asked = {"mtls_proxy_credentials": [{"name": "client", "renew": {"min_days": days}}]}
    assert due(Fleet(tmp_path, None, asked).plan(), B) == told


def test_what_a_killed_run_left_is_ended(hosts):
    """Its certificate may be new on the disk already, and not loaded."""
    hosts.install(B, element("proxy", "client", leaf("client")))
    told = hosts.variables[B]["mtls_installed"]["installed"]
    told["next_run"] = ""
    assert hosts.plan()[B]["state"] == "fresh"
    told["next_run"] = "a run stopped at 'reloaded' after it switched"
    plan = hosts.plan()
    planned, model = plan[B], hosts.model["hosts"][B]
    assert (planned["state"], planned["credentials"], planned["to"]) == ("due", [], "")
    assert rotation.asked(model, planned) == []
    assert rotation.parts(planned, model, hosts.variables[B]["mtls_installed"], {}, {}, {}) == {}
    why = "It is not at rest: a run stopped at 'reloaded' after it switched."
    assert rotation_report.plan_lines(plan) == [f"{B}: {why}", "2 hosts: 1 due, 1 fresh"]
    facts = {B: {"mtls_rotate_state": "done", "mtls_rotate_result": RESULT}}
    row = rotation_report.rows(plan, facts, "stable")[-1]
    assert (row["host"], row["state"], row["reason"]) == (B, "stable", why)
    # What is due besides goes with it.
    hosts.variables[B]["mtls_installed"]["credentials"] = [element("proxy", "client", leaf("client", **OLD))]
    assert due(hosts.plan(), B) == {"proxy/client": "third"}


@pytest.mark.parametrize(
    "told", [{"unreachable": True}, {"failed": True}, {}], ids=["away", "failed", "silent"]
)
def test_what_is_not_read_is_no_pass(hosts, told):
    hosts.variables[A] = {"mtls_installed": {**told, "msg": "timed out"}}
    del hosts.variables[B]
    plan = hosts.plan()
    assert (plan[A]["state"], plan[A]["why"]) == ("unread", "timed out")
    assert plan[B]["state"] == "unread"


def test_what_the_inventory_has_no_more_is_left_to_site_yml(hosts):
    hosts.install(
        B, element("proxy", "client", leaf("client")), element("proxy", "left", leaf("client", **OLD))
    )
    assert hosts.plan()[B]["state"] == "fresh"


# -- certificates that are files


@pytest.fixture(name="filed")
def _filed(tmp_path: Path):
    """filed(live, file): B's certificate is a file of the controller."""

    def make(live: Any, file: Any, later: Any = b"") -> dict[str, Any]:
        """*later*: what is in the file by the time of the run, None for no file."""
        path = tmp_path / "client.pem"
        path.write_bytes(file.pem)
        (tmp_path / "ca.pem").write_bytes(CA.pem)
        credential = {
            "name": "client",
            "issuer": "files",
            "files": {"certificate": str(path), "private_key": "/never/read.key"},
            "trust": {"sources": [{"src": str(tmp_path / "ca.pem")}]},
        }
        hosts = Fleet(tmp_path, None, {"mtls_proxy_credentials": [credential]})
        hosts.install(B, element("proxy", "client", live))
        if later is None:
            path.unlink()
        elif later:
            path.write_bytes(later)
        return hosts.plan()[B]

    return make


def test_a_file_that_is_due_and_unchanged_is_a_fault(filed):
    live = leaf("client", **OLD)
    planned = filed(live, live)
    (one,) = planned["credentials"]
    assert (planned["state"], one["action"]) == ("stuck", "stuck")
    assert "client.pem still holds what is live" in one["why"]


@pytest.mark.parametrize("data", [None, b"nothing"], ids=["gone", "no certificate"])
def test_a_file_that_cannot_be_read_when_it_is_due_is_a_fault(filed, tmp_path, data):
    planned = filed(leaf("client", **OLD), leaf("client"), data)
    assert planned["state"] == "stuck"
    assert "client.pem cannot be read or holds no certificate" in planned["credentials"][0]["why"]


@pytest.mark.parametrize(("live", "reason"), [(OLD, "file"), (YOUNG, "file")])
def test_a_file_that_has_changed_is_installed(filed, live, reason):
    planned = filed(leaf("client", **live), leaf("client"))
    assert planned["state"] == "due"
    assert [(one["reason"], one["action"]) for one in planned["credentials"]] == [(reason, "files")]


def test_a_file_that_is_live_and_not_due(filed):
    live = leaf("client")
    assert filed(live, live)["state"] == "fresh"


# -- when, and where to

WINDOW = {"days": ["sat"], "start": "02:00", "hours": 1}


def test_the_window_holds_back_what_can_wait(hosts):
    hosts.install(B, element("proxy", "client", leaf("client", **OLD)))
    shut = {**WINDOW, "days": [(AT + 2 * DAY).strftime("%a")]}
    assert hosts.plan(window=shut)[B]["state"] == "waits"
    hosts.install(B, element("proxy", "client", leaf("client", start=AT - 61 * DAY, end=AT + DAY)))
    assert hosts.plan(window=shut)[B]["state"] == "due"
    # Nothing is switched, so it may be prepared at any time.
    hosts.install(B, element("proxy", "client", leaf("client", **OLD)))
    assert hosts.plan(window=shut, until="checked")[B]["state"] == "due"
    wide = {"days": None, "start": "00:00", "hours": 24}
    assert hosts.plan(window=wide)[B]["state"] == "due"


def waiting(issuer: Any = CA, **dates: Any) -> dict[str, Any]:
    """What ``credential_info`` says of a client that is prepared."""
    return element("proxy", "client", leaf("client", issuer, **dates))


@pytest.mark.parametrize("live", [OLD, YOUNG], ids=["due", "not due"])
def test_what_is_prepared_is_switched_to(hosts, live):
    hosts.install(B, element("proxy", "client", leaf("client", **live)), prepared=[waiting()])
    assert (hosts.plan()[B]["state"], hosts.plan()[B]["to"]) == ("due", "prepared")
    assert hosts.plan(until="checked")[B]["state"] == "ready"
    assert (hosts.plan(force=True)[B]["state"], hosts.plan(force=True)[B]["to"]) == ("due", "")
    assert hosts.plan(force=True, until="checked")[B]["state"] == "due"
    shut = {**WINDOW, "days": [(AT + 2 * DAY).strftime("%a")]}
    assert hosts.plan(window=shut)[B]["state"] == "waits"


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ({"start": AT - 91 * DAY, "end": AT - DAY}, "it has expired"),
        (OLD, "a third of its lifetime or less is left"),
        ({"issuer": builders.root("CN=Else")}, "it is of another issuer"),
    ],
    ids=["expired", "due", "another issuer"],
)
def test_what_was_prepared_and_is_due_by_now_is_left(hosts, late, words):
    """Else the run would fail on it, and the next one again. Its twin is the one above."""
    old = leaf("client", start=AT - 91 * DAY, end=AT - DAY)
    hosts.install(B, element("proxy", "client", old), prepared=[waiting(**late)])
    for given in ({}, {"until": "checked"}):
        planned = hosts.plan_with({"generations": []}, **given)[B]
        assert (planned["state"], planned["to"]) == ("due", "")
        assert [one["action"] for one in planned["credentials"]] == ["request"]
        assert "What was prepared is left: proxy/client of it would be due" in planned["why"]
        assert words in planned["why"]


def test_what_was_prepared_for_other_names_is_left(tmp_path):
    hosts = Fleet(
        tmp_path,
        {"mtls_server_sites": [{"name": "x", "server_names": ["x.example.com"], "backend": "http://h"}]},
    )
    for names, to in (((A,), ""), (("x.example.com",), "prepared")):
        made = builders.server(CA, f"CN={names[0]}", names=names, **YOUNG)
        prepared = [element("server", "server", made)]
        hosts.install(A, element("server", "server", leaf("server")), prepared=prepared)
        assert (hosts.plan()[A]["state"], hosts.plan()[A]["to"]) == ("due", to)


def test_a_row_for_what_the_prepared_release_has_changed(hosts):
    hosts.install(B, element("proxy", "client", leaf("client")), prepared=[waiting()])
    facts = {**hosts.variables[B], "mtls_rotate_state": "done", "mtls_rotate_result": RESULT}
    rows = rotation_report.rows({B: hosts.plan()[B]}, {B: facts}, "stable")
    told = hosts.variables[B]["mtls_installed"]["credentials"][0]["certificate"]
    assert [(row["credential"], row["old_serial"], row["new_serial"]) for row in rows] == [
        ("proxy/client", told["serial"], "NEW")
    ]
    facts["mtls_rotate_result"] = {
        **RESULT,
        "credentials": [{**RESULT["credentials"][0], "serial": told["serial"]}],
    }
    (row,) = rotation_report.rows({B: hosts.plan()[B]}, {B: facts}, "stable")
    assert (row["credential"], row["state"]) == ("", "stable")


def test_who_is_outside_the_limit_is_no_part_of_the_run(hosts):
    del hosts.variables[A]
    hosts.run = [B]
    assert set(hosts.plan()) == {B}


def test_back_to_the_previous(hosts):
    plan = hosts.plan(to="previous", hosts=B)
    assert {host: (one["state"], one["to"]) for host, one in plan.items()} == {B: ("due", "previous")}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"from": OLDER, "to": NEWER}, ""),
        ({"from": NEWER, "to": OLDER, "back": True}, "it has gone back already"),
        ({"from": NEWER, "to": OLDER, "back": True, "step": "rolled_back"}, ""),
        ({"from": OLDER, "to": NEWER, "step": "rolled_back"}, "failed and was taken back"),
        ({"from": "empty", "to": OLDER}, "nothing is known from before"),
        ({"from": OLDER, "to": NEWER, "back": True, "step": "reloaded"}, ""),
    ],
)
def test_a_second_time_back_brings_no_host_forward_again(hosts, state, words):
    """Nor out of service: before its first release a host served nothing."""
    hosts.install(B, element("proxy", "client", leaf("client")), **state)
    planned = hosts.plan(to="previous")[B]
    assert (planned["state"], planned["to"]) == (("fresh", "") if words else ("due", "previous"))
    assert words in planned["why"]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"force": "soon"}, "rotate_force"),
        ({"until": "switched"}, "rotate_until"),
        ({"to": "next"}, "rotate_to"),
        ({"to": "previous", "force": True}, "rotate_to"),
        ({"min_days": -1}, "rotate_min_days"),
        ({"min_days": "many"}, "rotate_min_days"),
        ({"dry_run": "maybe"}, "rotate_dry_run"),
        ({"hosts": "b2.example.com"}, "rotate_hosts"),
        ({"window": {**WINDOW, "hours": 0}}, "rotate_window.hours"),
    ],
)
def test_an_option_that_says_nothing(hosts, given, place):
    with pytest.raises(MtlsError) as caught:
        hosts.plan(**given)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("spares", "No host is of group 'spares' in mtls_servers and mtls_proxies. Give names"),
        ("spare", "There is no host or group 'spare' in mtls_servers and mtls_proxies. Give names"),
        (
            "canary",
            "There is no host or group 'canary' in mtls_servers and mtls_proxies. Did you mean \"canaries\"?",
        ),
    ],
)
def test_a_group_without_hosts_is_not_recommended(hosts, name, says):
    with pytest.raises(MtlsError) as caught:
        hosts.plan(hosts=f"{A},{name}")
    assert says in str(caught.value)


# -- what is asked for, and given to `release`


def test_only_what_is_due_is_given_and_the_rest_is_kept(hosts):
    hosts.install(
        A, element("server", "probe", leaf("probe")), element("server", "server", leaf("server", **OLD))
    )
    planned, model = hosts.plan()[A], hosts.model["hosts"][A]
    (asked,) = rotation.asked(model, planned)
    assert (asked["part"], asked["name"], asked["force"]) == ("server", "server", True)
    requests = {"credentials": [{"part": "server", "name": "server", "private_key_path": "/pending/key"}]}
    parts = rotation.parts(
        planned,
        model,
        hosts.variables[A]["mtls_installed"],
        requests,
        {"server/server": "PEM"},
        {"chain": "MID", "trust": ["X"]},
    )
    assert parts == {
        "server": {
            "credentials": [
                {"name": "probe"},
                {
                    "name": "server",
                    "certificate_content": "PEM",
                    "private_key_path": "/pending/key",
                    "chain_content": "MID",
                    "hostnames": [A],
                },
            ]
        }
    }


def test_what_is_only_not_loaded_asks_for_nothing(hosts):
    finding = {"code": "endpoint.served_differs_from_file", "severity": "warning", "message": "x"}
    hosts.install(B, element("proxy", "client", leaf("client"), findings=[finding]))
    planned, model = hosts.plan()[B], hosts.model["hosts"][B]
    assert rotation.asked(model, planned) == []
    assert rotation.parts(planned, model, hosts.variables[B]["mtls_installed"], {}, {}, {}) == {}


@pytest.mark.parametrize(
    ("kinds", "given"),
    [
        (["trust"], {"trust", "verify_depth"}),
        (["crl"], {"crl"}),
        (["trust", "crl"], {"trust", "verify_depth", "crl"}),
    ],
)
def test_trust_and_lists_are_given_where_the_plan_says_so_and_the_pair_is_kept(hosts, kinds, given):
    model = hosts.model["hosts"][A]
    for credential in model["credentials"]:
        credential["verify_depth"] = 2
    planned = {"credentials": [], "settings": [{"part": "server", "name": "server", "kinds": kinds}]}
    installed = hosts.variables[A]["mtls_installed"]
    requests = {"credentials": [{"part": "server", "name": "server", "private_key_path": "/pending/key"}]}
    parts = rotation.parts(
        planned, model, installed, requests, {"server/server": "PEM"}, {"trust": ["X"], "crls": ["L"]}
    )
    assert list(parts) == ["server"]
    probe, server = parts["server"]["credentials"]
    assert probe == {"name": "probe"}
    assert set(server) == {"name", "hostnames"} | given


# -- edges


def test_the_same_issuer_breaks_no_edge(hosts):
    assert hosts.broken() == []


def test_an_issuer_that_the_other_side_does_not_trust(hosts):
    told = " ".join(hosts.broken(issuer=OTHER))
    assert f"{A} would refuse the client certificate" in told
    assert f"{B} would refuse the certificate of {A}" in told


def test_what_is_not_due_is_not_judged_by_the_new_issuer(hosts):
    hosts.install(B, element("proxy", "client", leaf("client", **OLD)))
    told = " ".join(hosts.broken(hosts.plan(), issuer=OTHER))
    assert f"{A} would refuse" in told
    assert f"{B} would refuse" not in told


@pytest.mark.parametrize(
    ("entry", "breaks"),
    [("dn", False), ("sha1", True), ("serial", True)],
)
def test_an_allowlist_that_has_the_present_certificate_only(hosts, entry, breaks):
    live = leaf("client")
    known = certificate.describe(live.pem)
    entries = {
        "dn": {"dn": f"CN={B}"},
        "sha1": {"sha1": hashlib.sha1(live.der).hexdigest()},
        "serial": {"issuer": "CN=mtls CA 1", "serial": known["serial"]},
    }
    hosts.install(B, element("proxy", "client", live))
    hosts.install(
        A,
        element("server", "probe", leaf("probe")),
        element("server", "server", leaf("server")),
        allow=[entries[entry]],
    )
    told = " ".join(hosts.broken())
    assert ("by a fingerprint or a serial number" in told) is breaks
    assert ("List it by its subject" in told) is breaks


def test_an_allowlist_that_has_the_name_of_before(hosts):
    """The host of the client was called otherwise; the twin is `dn` above."""
    live = builders.client(CA, "CN=b0.example.com", names=(), **YOUNG)
    hosts.install(B, element("proxy", "client", live))
    hosts.install(
        A,
        element("server", "probe", leaf("probe")),
        element("server", "server", leaf("server")),
        allow=[{"dn": "CN=b0.example.com"}],
    )
    told = " ".join(hosts.broken())
    assert f'does not have "CN={B}"' in told
    assert 'the present one is "CN=b0.example.com"' in told
    assert "List both" in told


def test_an_edge_that_is_broken_already_stops_nothing(hosts):
    """Its twin is the issuer that the other side does not trust, above."""
    hosts.install(B, element("proxy", "client", leaf("client", OTHER), trust=OTHER))
    assert hosts.broken(issuer=OTHER) == []


# -- what is said

RESULT = {
    "state": "stable",
    "seconds": {"prove": 1.0, "check": 0.54},
    "credentials": [{"part": "proxy", "name": "client", "serial": "NEW"}],
}


@pytest.mark.parametrize(
    ("facts", "state", "new", "why"),
    [
        ({"mtls_rotate_state": "done", "mtls_rotate_result": RESULT}, "stable", "NEW", "forced"),
        ({}, "not reached", "", "the run ended before it"),
        (
            {"mtls_rotate_state": "attempted", "mtls_rotate_result": {"state": "rolled_back", "msg": "400"}},
            "rolled back", "", "400",
        ),
        (
            {"mtls_rotate_state": "attempted", "mtls_rotate_result": {"unreachable": True, "msg": "down"}},
            "unreachable", "", "down",
        ),
        # Lost before `release` was called.
        (
            {
                "mtls_rotate_state": "attempted",
                "mtls_requests": {"unreachable": True, "msg": "gone"},
                "mtls_rotate_result": {"skipped": True},
            },
            "unreachable", "", "gone",
        ),
        ({"mtls_rotate_state": "attempted", "mtls_rotate_reason": "no key"}, "failed", "", "no key"),
        # Only the module's own word counts.
        (
            {"mtls_rotate_state": "attempted", "mtls_rotate_result": {**RESULT, "state": "checked"}},
            "failed", "", "forced",
        ),
    ],
)  # fmt: skip
def test_a_row(hosts, facts, state, new, why):
    (row,) = rotation_report.rows(hosts.plan(force=True, hosts=B), {B: facts}, "stable")
    assert (row["host"], row["credential"], row["state"]) == (B, "proxy/client", state)
    assert (row["new_serial"], row["reason"], row["days_left"]) == (new, why, 80)
    assert row["seconds"] == (
        1.5
        if facts.get("mtls_rotate_result", {}).get("seconds")
        else None
        if "mtls_rotate_result" not in facts
        else 0
    )
    bad = state in ("rolled back", "unreachable", "failed")
    assert rotation_report.failing([row]) == ([B] if bad else [])
    assert (why in rotation_report.message([row])) is bad
    assert ("run the same again with -e x" in rotation_report.message([row], "with -e x")) is bad


def test_the_table_says_what_is_fine_in_one_line(hosts):
    found = rotation_report.rows(hosts.plan(), {}, "stable")
    assert rotation_report.table(found) == ["2 hosts have nothing that is due"]
    found = rotation_report.rows(
        hosts.plan(force=True),
        {A: {}, B: {"mtls_rotate_state": "done", "mtls_rotate_result": RESULT}},
        "stable",
    )
    lines = rotation_report.table(found)
    assert lines[0].split()[:3] == ["host", "credential", "old"]
    assert lines[3].split()[-2:] == ["stable", "forced"]


def test_how_far_it_is():
    facts = {"a": {"mtls_rotate_state": "done"}, "b": {}, "c": {}, "d": {}}
    assert (
        rotation_report.progress(facts, facts, 60.0)
        == "1 of 4 hosts done, 3 left, 0 rolled back, 0 failed; about 3 min more"
    )
    facts["b"] = {"mtls_rotate_state": "attempted", "mtls_rotate_result": {"state": "rolled_back"}}
    assert (
        rotation_report.progress(facts, facts, 60.0)
        == "1 of 4 hosts done, 2 left, 1 rolled back, 0 failed; the run stops after b"
    )
    facts["b"] = {"mtls_rotate_state": "passed", "mtls_rotate_result": {"unreachable": True}}
    assert (
        rotation_report.progress(facts, facts, 60.0)
        == "1 of 4 hosts done, 2 left, 0 rolled back, 1 failed; not done, and nobody waits for it: b;"
        " about 60 s more"
    )


# -- CRLs


@functools.cache  # signed anew it would be another one
def lists(*revoked: Any, by: Any = CA, start: Any = AT - 10 * DAY, end: Any = AT + 20 * DAY) -> str:
    made = builders.revoke(by, *revoked, start=start, end=end)
    return str(made.public_bytes(serialization.Encoding.PEM).decode())


ENDED = {"start": AT - 30 * DAY, "end": AT - DAY}
THIRD = {"start": AT - 21 * DAY, "end": AT + 9 * DAY}


def with_lists(hosts: Fleet, here: str | None, trust: Any = CA, **more: Any) -> None:
    pem = {"certificate": "", "trust": trust.pem.decode(), "crl": here, "verify_depth": 1}
    server = element("server", "server", leaf("server"))
    server["pem"] = {**pem, "certificate": server["pem"]["certificate"]}
    hosts.install(A, element("server", "probe", leaf("probe")), server, **more)


@pytest.mark.parametrize(
    ("here", "store", "changed", "reason"),
    [
        (lists(), lists(), False, ""),
        (lists(), lists(end=AT + 25 * DAY), True, "the private CA holds another CRL than the host"),
        (lists(**THIRD), lists(), True, "a third of the life"),
        (lists(**ENDED), lists(), True, "has ended, and every client of it is refused"),
        # In check mode the new one is not there yet.
        (lists(**THIRD), lists(**THIRD), True, "a third of the life"),
        # The CA makes it anew later: private_ca_crl_days is less than it was.
        (lists(**THIRD), lists(**THIRD), False, ""),
        # A revocation was killed before this host had its turn.
        (None, lists(), False, "the private CA holds another CRL than the host"),
        (None, None, False, ""),
    ],
)
def test_lists_of_the_private_authority(hosts, here, store, changed, reason):
    with_lists(hosts, here)
    private_ca = {"crls": [store] if store else [], "changed": changed}
    planned = hosts.plan_with(private_ca)[A]
    assert planned["credentials"] == []
    if not reason:
        assert (planned["state"], planned["settings"]) == ("fresh", [])
        return
    (one,) = planned["settings"]
    assert (planned["state"], one["kinds"], one["reason"], one["action"]) == (
        "due",
        ["crl"],
        "crl",
        "install",
    )
    assert reason in one["why"]
    parts = rotation.parts(
        planned, hosts.model["hosts"][A], hosts.variables[A]["mtls_installed"], {}, {}, private_ca
    )
    assert [set(one) for one in parts["server"]["credentials"]] == [{"name"}, {"name", "hostnames", "crl"}]


def test_a_list_that_nginx_could_not_use_is_not_installed(hosts):
    """Its twin is above: one of the CA that the host trusts."""
    with_lists(hosts, lists())
    planned = hosts.plan_with({"crls": [lists(by=OTHER)]})[A]
    (one,) = planned["settings"]
    assert (planned["state"], one["action"]) == ("stuck", "stuck")
    assert "The new one is not installed" in one["why"]
    assert "mtls CA 1" in one["why"]
    rows = rotation_report.rows({A: planned}, {}, "stable")
    assert [(row["credential"], row["state"]) for row in rows] == [("server/server crl", "stuck")]
    assert rotation_report.failing(rows) == [A]


@pytest.mark.parametrize(
    ("here", "file", "state", "why"),
    [
        (lists(), lists(), "fresh", ""),
        (lists(), lists(end=AT + 30 * DAY), "due", "holds another CRL than the host"),
        (lists(**ENDED), lists(), "due", "has ended"),
        (lists(**ENDED), lists(**ENDED), "stuck", "partner.crl still holds what is live."),
        (lists(**THIRD), lists(**THIRD), "stuck", "partner.crl still holds what is live."),
        (lists(**THIRD), None, "stuck", "partner.crl' is not on the controller"),
        (lists(**THIRD), lists(by=OTHER), "stuck", "The new one is not installed"),
        (lists(**THIRD), lists(**ENDED), "stuck", "The new one is not installed"),
        (lists(), None, "fresh", ""),
    ],
)
def test_lists_that_are_files(tmp_path, here, file, state, why):
    path = tmp_path / "partner.crl"
    path.write_text(lists())
    hosts = Fleet(tmp_path, {"mtls_server_credentials": [{"name": "server", "crl": [{"src": str(path)}]}]})
    path.unlink()
    if file:
        path.write_text(file)
    with_lists(hosts, here)
    plan = hosts.plan_with({"crls": []})
    assert plan[A]["state"] == state
    assert [why in one["why"] for one in plan[A]["settings"]] == ([True] if why else [])
    if state == "stuck":
        assert rotation_report.plan_lines(plan)[0].startswith(f"{A} server/server crl: STUCK: ")
        installed = hosts.variables[A]["mtls_installed"]
        assert rotation.parts(plan[A], hosts.model["hosts"][A], installed, {}, {}, {}) == {}


def test_a_list_does_not_wait_for_what_is_prepared_nor_for_the_window(hosts):
    shut = {**WINDOW, "days": [(AT + 2 * DAY).strftime("%a")]}
    with_lists(hosts, lists(**ENDED), prepared=[waiting()])
    planned = hosts.plan_with({"crls": [lists()]}, window=shut)[A]
    assert (planned["state"], planned["to"]) == ("due", "")
    with_lists(hosts, lists(**THIRD))
    assert hosts.plan_with({"crls": [lists()]}, window=shut)[A]["state"] == "waits"


def test_edges_are_judged_by_the_lists_that_are_installed(hosts):
    with_lists(hosts, lists())
    mine = leaf("client")
    hosts.install(B, element("proxy", "client", mine))
    for revoked, told in ((mine, "revoked"), (leaf("client"), None)):
        private_ca = {"crls": [lists(revoked, end=AT + 25 * DAY)], "issuer": {}}
        plan = hosts.plan_with(private_ca)
        found = rotation_edges.judge(hosts.model, hosts.variables, plan, private_ca, {}, AT)
        assert found["breaking"] == []
        assert [one for one in ("revoked", "broken") if found[one]] == ([told] if told else [])
    # Broken now, and mended by the run.
    with_lists(hosts, lists(**ENDED))
    private_ca = {"crls": [lists()], "issuer": {}}
    found = rotation_edges.judge(
        hosts.model, hosts.variables, hosts.plan_with(private_ca), private_ca, {}, AT
    )
    assert (found["breaking"], found["broken"], found["working"]) == ([], [], 1)


# -- who is revoked


def test_a_revoked_client_gets_a_new_certificate_by_force_only(hosts):
    barred = [{"host": B, "side": "proxy", "credential": "client", "serial": "01", "revoked_at": "x"}]
    hosts.install(B, element("proxy", "client", leaf("client", **OLD)))
    plan = hosts.plan_with({"barred": barred})
    assert plan[B]["state"] == "fresh"
    assert rotation.asked(hosts.model["hosts"][B], plan[B]) == []
    (row,) = rotation_report.rows({B: plan[B]}, {}, "stable")
    assert (row["state"], rotation_report.failing([row])) == ("revoked", [])
    assert "it is revoked, and gets a new one by rotate_force only" in row["reason"]
    assert due(hosts.plan_with({"barred": barred}, force=True), B) == {"proxy/client": "third"}
    assert hosts.plan_with({"barred": barred}, force=True)[B]["state"] == "due"
    # Its twin: somebody else is.
    assert hosts.plan_with({"barred": [{**barred[0], "host": A}]})[B]["state"] == "due"


def test_another_name_of_a_revoked_host_changes_nothing(hosts):
    """It was revoked by the name that it had before."""
    installed = element("proxy", "client", leaf("client", **OLD))
    hosts.install(B, installed)
    serial = installed["certificate"]["serial"]
    owner = {"host": "b0.example.com", "side": "proxy", "credential": "client", "revoked_at": "x"}
    plan = hosts.plan_with({"barred": [{**owner, "serial": serial}]})
    assert (plan[B]["state"], plan[B]["credentials"][0]["action"]) == ("fresh", "revoked")
    # Its twin: the revoked certificate of that name is not the one that is live here.
    assert hosts.plan_with({"barred": [{**owner, "serial": "01"}]})[B]["state"] == "due"
