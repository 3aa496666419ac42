# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who revoke.yml takes to be meant, what it plans, and what it refuses."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    revocation_run,
    rotation,
    rotation_report,
    rotation_run,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, fleet

CA, OTHER = builders.root("CN=mtls CA 1"), builders.root("CN=mtls CA 2")
SERVER = builders.server(CA, f"CN={A}", names=(A,))
CLIENT = builders.client(CA, f"CN={B}", names=())


def text(by: Any, *revoked: Any, end: Any = AT + 20 * DAY) -> str:
    made = builders.revoke(by, *revoked, start=AT - 10 * DAY, end=end)
    return str(made.public_bytes(serialization.Encoding.PEM).decode())


LIST = text(CA, CLIENT)


def live(part: str, name: str, issued: Any, crl: str | None = None) -> dict[str, Any]:
    pem = {"certificate": issued.pem.decode(), "trust": CA.pem.decode(), "crl": crl, "verify_depth": 1}
    return {"part": part, "name": name, "certificate": certificate.describe(issued.pem, AT), "pem": pem}


def line(issued: Any, host: str, side: str, name: str) -> dict[str, Any]:
    known = certificate.describe(issued.pem, AT)
    owner = {"host": host, "side": side, "credential": name}
    return {"serial": known["serial"], "issuer": known["issuer"], "sha256": known["sha256"], **owner}


class Fleet:
    """One A and one B of the private authority, whose client is to be revoked."""

    def __init__(self, folder: Path, crl: Any = None, here: str | None = None) -> None:
        own = {"name": "server", **({"crl": crl} if crl else {})}
        self.model = fleet(folder, {A: {"mtls_server_credentials": [own]}}, {B: {}})
        servers = [live("server", "server", SERVER, here), live("server", "probe", builders.client(CA))]
        installed = {"sites": [], "routes": [], "state": {"step": "stable"}}
        client = {
            "installed": copy.deepcopy(installed),
            "credentials": [live("proxy", "client", CLIENT, here)],
        }
        self.variables: dict[str, dict[str, Any]] = {
            A: {"mtls_installed": {"installed": installed, "credentials": servers}},
            B: {"mtls_installed": client},
        }
        self.run = [A, B]

    def plan(self, crl: str = "", crls: Any = (LIST,), **more: Any) -> dict[str, Any]:
        wanted = {"private_ca": {} if crl else {"host": B}, "crl": crl}
        more = {"revoked": [] if crl else [line(CLIENT, B, "proxy", "client")], "made": True, **more}
        private_ca = {"crls": list(crls), "chain": "", "issuer": {}}
        now = expiry.rfc3339(AT)
        return revocation_run.plan(self.model, self.variables, self.run, wanted, {}, private_ca, more, now)


def states(run: dict[str, Any]) -> dict[str, str]:
    return {host: planned["state"] for host, planned in run["plan"].items()}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"revoke_host": B}, {"private_ca": {"host": B}, "crl": ""}),
        ({"revoke_serial": "0A, "}, {"private_ca": {"serials": [{"serial": "0A"}]}, "crl": ""}),
        ({"revoke_sha256": "ab,cd"}, {"private_ca": {"sha256": ["ab", "cd"]}, "crl": ""}),
        ({"revoke_crl": "pki/x.crl", "revoke_host": None}, {"private_ca": {}, "crl": "/project/pki/x.crl"}),
        ({"revoke_crl": "/etc/x.crl"}, {"private_ca": {}, "crl": "/etc/x.crl"}),
        (
            {"revoke_host": B, "revoke_expected_hosts": "2", "awx_job_slice_count": 1},
            {"private_ca": {"host": B}, "crl": ""},
        ),
    ],
)
def test_who_is_meant(given, found):
    assert revocation_run.asked(given, "/project", [], [A, B]) == found


def test_the_clients_of_the_proof_are_revoked_with_them():
    found = revocation_run.asked({"revoke_host": B}, "/project", [CLIENT.pem.decode()], [A, B])
    assert found["private_ca"] == {"host": B, "sha256": [certificate.first(CLIENT.pem).facts.sha256]}


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "revoke_host"),
        ({"revoke_host": ""}, "revoke_host"),
        ({"revoke_host": B, "rotate_until": "checked"}, "rotate_until"),
        ({"revoke_crl": "x", "revoke_host": B}, "revoke_crl"),
        ({"revoke_serial": 10}, "revoke_serial"),
        ({"revoke_host": B, "revoke_expected_hosts": 3}, "revoke_expected_hosts"),
        ({"revoke_host": B, "revoke_expected_hosts": 0}, "revoke_expected_hosts"),
        ({"revoke_host": B, "revoke_expected_hosts": "two"}, "revoke_expected_hosts"),
        ({"revoke_host": B, "awx_job_slice_count": 2}, "awx_job_slice_count"),
        ({"revoke_host": B, "tower_job_slice_count": "3"}, "tower_job_slice_count"),
    ],
)
def test_an_option_that_says_nothing_or_two_things(given, place):
    with pytest.raises(MtlsError) as caught:
        revocation_run.asked(given, "/project", [], [A, B])
    assert caught.value.place == place


def test_each_credential_that_trusts_the_ca_gets_the_list(tmp_path):
    hosts = Fleet(tmp_path)
    run = hosts.plan()
    assert (states(run), run["refused"], run["breaking"]) == ({A: "due", B: "due"}, [], [])
    assert [(one["name"], one["proof"]) for one in run["plan"][A]["settings"]] == [("server", True)]
    assert [(one["name"], one["proof"]) for one in run["plan"][B]["settings"]] == [("client", False)]
    assert (run["plan"][A]["clients"], run["plan"][B]["clients"]) == ([], ["client"])
    parts = rotation.parts(
        run["plan"][A],
        hosts.model["hosts"][A],
        hosts.variables[A]["mtls_installed"],
        {},
        {"server/probe-revoked": "PEM"},
        {"crls": [LIST]},
    )
    server = next(one for one in parts["server"]["credentials"] if one["name"] == "server")
    assert set(server) == {"name", "hostnames", "crl", "proof"}
    (proof,) = server["proof"]
    assert (proof["name"], proof["certificate_content"]) == ("probe-revoked", "PEM")


def test_who_has_the_list_is_left_alone(tmp_path):
    """Its twin is above."""
    run = Fleet(tmp_path, here=LIST).plan()
    assert states(run) == {A: "fresh", B: "fresh"}
    # Before the lists are made nobody can have them.
    assert states(Fleet(tmp_path, here=LIST).plan(made=False)) == {A: "due", B: "due"}


def test_who_is_not_read_is_named_and_fails_the_run(tmp_path):
    hosts = Fleet(tmp_path)
    hosts.run = [B]
    run = hosts.plan()
    assert states(run) == {A: "unread", B: "due"}
    assert "It still admits who is revoked." in " ".join(run["lines"])
    rows = rotation_report.rows(run["plan"], {B: {"mtls_rotate_state": "done"}}, "stable")
    assert rotation_report.failing(rows) == [A]
    assert run["passes_unread"], "the others do not wait for it"


def test_who_is_lost_before_its_own_client_is_made_is_not_read(tmp_path):
    """Its twin is above."""
    hosts = Fleet(tmp_path)
    hosts.variables[A]["mtls_requests"] = {"unreachable": True, "msg": "gone"}
    run = hosts.plan()
    assert states(run) == {A: "unread", B: "due"}
    assert f"{A}: UNREAD: gone. It still admits who is revoked." in run["lines"]


RESULT = {"state": "stable", "shutdown_timeout_s": 60}
ENDS = "it gets the list that has them; no connection from before is open"


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({"state": "done", "result": RESULT}, "stable", f"{ENDS}, nginx ends them after 60 s"),
        ({"state": "done", "result": {"state": "stable"}}, "stable", ENDS),
        (
            {"state": "passed", "result": {"unreachable": True, "msg": "gone."}},
            "unreachable",
            "gone. It may still admit who is revoked.",
        ),
        ({"state": "passed", "result": RESULT, "reason": "one is open"}, "failed", "one is open"),
    ],
)
def test_what_a_server_comes_to(tmp_path, facts, state, reason):
    facts = {f"mtls_rotate_{name}": value for name, value in facts.items()}
    run = Fleet(tmp_path).plan()
    told = rotation_run.report(
        run, {A: facts, B: {"mtls_rotate_state": "done", "mtls_rotate_result": RESULT}}
    )
    assert told["failing"] == ([] if state == "stable" else [A])
    server, client = told["rows"]
    assert (server["state"], server["reason"]) == (state, reason)
    # A Server B lets nobody in.
    assert (client["state"], client["reason"]) == ("stable", "it gets the list that has them")


def test_a_fresh_server_on_which_an_old_worker_is_left(tmp_path):
    run = Fleet(tmp_path, here=LIST).plan()
    facts = {"mtls_rotate_state": "passed", "mtls_rotate_reason": "one is open"}
    told = rotation_run.report(run, {A: facts})
    assert (told["failing"], told["rows"][0]["reason"]) == ([A], "one is open")
    assert rotation_run.report(run, {})["failing"] == []


def test_what_a_server_uses_is_not_revoked(tmp_path):
    (told,) = Fleet(tmp_path).plan(revoked=[line(SERVER, A, "server", "server")])["refused"]
    assert told.startswith(f"{A} server/server: this Server A uses the certificate")
    # Its twin: one that it had before.
    old = builders.server(CA, f"CN={A}", names=(A,))
    assert Fleet(tmp_path).plan(revoked=[line(old, A, "server", "server")])["refused"] == []


def test_a_server_that_would_not_get_the_list(tmp_path):
    (told,) = Fleet(tmp_path, crl="off").plan()["refused"]
    assert "it would go on admitting them" in told


@pytest.mark.parametrize(
    ("lists", "good"),
    [
        ([LIST], True),
        ([text(OTHER)], False),
        ([text(CA, end=AT - DAY)], False),
        ([text(CA, end=AT + DAY / 48)], False),
    ],
)
def test_the_gate(tmp_path, lists, good):
    run = Fleet(tmp_path).plan(crls=lists)
    assert (run["refused"] == []) is good
    path = tmp_path / "partner.crl"
    path.write_text("".join(lists))
    assert (Fleet(tmp_path, crl=[{"src": str(path)}]).plan(crl=str(path))["refused"] == []) is good


def test_a_list_that_nobody_names(tmp_path):
    path = tmp_path / "partner.crl"
    path.write_text(LIST)
    with pytest.raises(MtlsError) as caught:
        Fleet(tmp_path).plan(crl=str(path))
    assert "Add the line `crl: [{src: " in caught.value.remedy
    run = Fleet(tmp_path, crl=[{"src": str(path)}]).plan(crl=str(path))
    assert states(run) == {A: "due", B: "fresh"}
    assert run["plan"][A]["settings"][0]["proof"] is False


def test_who_has_certificates_and_is_not_in_the_inventory_is_named(tmp_path):
    issued = [{"host": "old.example.com"}, {"host": A}]
    told = " ".join(Fleet(tmp_path).plan(issued=issued)["lines"])
    assert "not in this inventory, though they have certificates: old.example.com." in told


def test_a_server_that_has_left_its_group_is_named(tmp_path):
    """B was a Server A, too, and nobody has taken that off: it goes on letting the client in."""
    hosts = Fleet(tmp_path)
    assert not any(one.startswith("WARNING") for one in hosts.plan()["lines"])
    stock = builders.server(CA, f"CN={B}", names=(B,))
    hosts.variables[B]["mtls_installed"]["credentials"] += [
        live("server", "stock", stock),
        live("server", "probe", builders.client(CA)),
    ]
    (told,) = (one for one in hosts.plan()["lines"] if one.startswith("WARNING"))
    assert told.startswith(f"WARNING: not in this inventory, though installed: {B} server/stock.")
    assert "may still admit who is revoked" in told
