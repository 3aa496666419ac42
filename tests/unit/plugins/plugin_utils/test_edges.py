# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges judged by what is installed and what is wanted: each reason, each time, what nobody can tell."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import edge_files, edge_rules, edges
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, fleet

NAME = "orders.example.com"
#: A's certificate has it, too; a site has it where a test says so.
NEW_NAME = "shop.example.com"
ROOT, OTHER = builders.root(), builders.root("CN=Other root")
MIDDLE = builders.intermediate(ROOT)
LOWER = builders.intermediate(MIDDLE, "CN=Lower")
SERVER = builders.server(ROOT, names=(NAME, NEW_NAME))
DN = "CN=b1,O=Shop"
CLIENT = builders.client(ROOT, DN)
TWIN = builders.client(ROOT, DN)
P384 = builders.client(ROOT, DN, key=builders.new_key("p384"))
OLD = {"verify": "optional_no_ca", "tls": {"protocols": ["TLSv1.2"], "curves": ["prime256v1"]}}
BELOW = builders.client(MIDDLE, DN)
GOOD: dict[str, Any] = {
    "server": SERVER.pem,
    "server_trust": ROOT.pem,
    "server_crl": None,
    "server_depth": 1,
    "allow": [],
    "verify": "on",
    "tls": {"protocols": ["TLSv1.2", "TLSv1.3"], "curves": []},
    "client": CLIENT.pem,
    "client_trust": ROOT.pem,
    "client_crl": None,
    "client_depth": 1,
}


def crl(issuer, *revoked, **more) -> bytes:
    return builders.revoke(issuer, *revoked, **more).public_bytes(Encoding.PEM)


def sha1(issued) -> str:
    return hashlib.sha1(issued.der).hexdigest()


def serial(issued) -> str:
    return certificate.serial_text(issued.certificate.serial_number)


class World:
    """One A and one B with files of one authority. What is installed is what is wanted, but for *before*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, dict[str, Any]] = {A: {}, B: {}}

    def file(self, name: str, data: bytes) -> dict[str, str]:
        (self.folder / name).write_bytes(data)
        return {"src": str(self.folder / name)}

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """The model of the fleet."""
        want = {**GOOD, **changes}
        paths = {name: self.file(f"{name}.pem", want[name])["src"] for name in ("server", "client")}
        trust = {name: [self.file(f"{name}_trust.pem", want[f"{name}_trust"])] for name in paths}
        allow = [
            {"certificate": self.file("allowed.pem", entry["file"])} if "file" in entry else entry
            for entry in want["allow"]
        ]
        site = {
            "name": "orders",
            "server_names": [NAME],
            "allow": allow,
            "verify": want["verify"],
            "tls_profile": "mine",
            **want.get("site", {}),
        }
        common = {
            name: {
                "name": name,
                "issuer": "files",
                "files": {"certificate": paths[name], "private_key": "/never/read.key"},
                "trust": {"sources": trust[name]},
            }
            for name in paths
        }
        for name, credential in common.items():
            credential["verify_depth"] = want[f"{name}_depth"]
            if want[f"{name}_crl"]:
                credential["crl"] = [self.file(f"{name}_crl.pem", want[f"{name}_crl"])]
        profiles = {"mine": want["tls"]}
        servers = {
            "mtls_server_tls_profiles": profiles,
            "mtls_server_sites": [site],
            "mtls_server_credentials": [common["server"]],
        }
        proxies = {"mtls_proxy_credentials": [common["client"]]}
        if "routes" in want:
            proxies["mtls_proxy_routes"] = want["routes"]
        return fleet(self.folder, {A: {**servers, **want.get("host", {})}}, {B: proxies})

    def installed(self, host: str, **changes: Any) -> None:
        """What ``credential_info`` has read on that host."""
        have = {**GOOD, **changes}
        part, name = ("server", "server") if host == A else ("proxy", "client")
        pem = {
            "certificate": have[name].decode(),
            "trust": have[f"{name}_trust"].decode(),
            "crl": have[f"{name}_crl"].decode() if have[f"{name}_crl"] else None,
            "verify_depth": have[f"{name}_depth"],
        }
        allow = have["allow"] and [
            {"sha1": certificate_sha1(entry["file"])} if "file" in entry else entry for entry in have["allow"]
        ]
        site = {
            "name": "orders", "server_names": have.get("site_names", [NAME]),
            "listen": have.get("listen", ["*:443", "[::]:443"]),
            "credential": "server", "verify": have["verify"], "allow": allow, "probes": [], **have["tls"],
        }  # fmt: skip
        route = {
            "name": "default",
            "server_name": NAME,
            "credential": "client",
            "servers": have.get("servers", [f"{A}:443"]),
        }
        self.variables[host]["mtls_installed"] = {
            "installed": {"sites": [site] if host == A else [], "routes": [route] if host == B else []},
            "credentials": [{"part": part, "name": name, "pem": pem}],
        }

    def judged(self, model: dict[str, Any], hosts: Any = None) -> dict[str, Any]:
        return edges.judge(model, self.variables, hosts, {}, AT)

    def run(self, after: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judged: a run that makes *after* of *before*, by default of what is good."""
        for host in (A, B):
            self.installed(host, **(before or {}))
        return self.judged(self.wanted(**after))


def certificate_sha1(data: bytes) -> str:
    return hashlib.sha1(certificate.first(data).der).hexdigest()


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def outcome(found: dict[str, Any], side: str = "client") -> tuple[str, str]:
    (edge,) = found["edges"]
    one = edge[f"{side}_accepted"]
    return one["outcome"], one["reason"]["code"] if one["reason"] else ""


def times(found: dict[str, Any], side: str = "client") -> list[str]:
    (edge,) = found["edges"]
    return [edge[f"{side}_accepted"][time] for time in ("now", "during", "after")]


# -- each reason, and its twin that differs in one thing

REASONS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "unknown CA": (
        "client",
        "chain.missing_intermediate",
        {"client": builders.client(OTHER, DN).pem},
        {"client": TWIN.pem},
    ),
    "unknown root": (
        "client",
        "chain.root_not_trusted",
        {"client": builders.client(OTHER, DN).pem + OTHER.pem},
        {"client": TWIN.pem + ROOT.pem},
    ),
    "missing intermediate": (
        "client",
        "chain.missing_intermediate",
        {"client": builders.client(MIDDLE, DN).pem},
        {"client": builders.client(MIDDLE, DN).pem + MIDDLE.pem},
    ),
    "depth": (
        "client",
        "chain.too_deep",
        {"client": builders.client(LOWER, DN).pem + LOWER.pem + MIDDLE.pem},
        {"client": builders.client(LOWER, DN).pem + LOWER.pem + MIDDLE.pem, "server_depth": 2},
    ),
    "purpose": (
        "client",
        "purpose.client_auth_missing",
        {"client": builders.client(ROOT, DN, uses=("server",)).pem},
        {"client": builders.client(ROOT, DN, uses=("server", "client")).pem},
    ),
    "expired": (
        "client",
        "expiry.expired",
        {"client": builders.client(ROOT, DN, end=AT).pem},
        {"client": builders.client(ROOT, DN, end=AT + DAY).pem},
    ),
    "CRL missing": (
        "client",
        "crl.missing_for_ca",
        {"server_crl": crl(OTHER)},
        {"server_crl": crl(OTHER) + crl(ROOT)},
    ),
    "CRL expired": (
        "client",
        "crl.expired",
        {"server_crl": crl(ROOT, end=AT - builders.SECOND)},
        {"server_crl": crl(ROOT)},
    ),
    "allowlist, dn": ("client", "edge.not_allowed", {"allow": [{"dn": "CN=b1"}]}, {"allow": [{"dn": DN}]}),
    "allowlist, sha1": (
        "client",
        "edge.not_allowed",
        {"allow": [{"sha1": sha1(TWIN)}]},
        {"allow": [{"sha1": sha1(CLIENT)}]},
    ),
    "allowlist, certificate": (
        "client",
        "edge.not_allowed",
        {"allow": [{"file": TWIN.pem}]},
        {"allow": [{"file": CLIENT.pem}]},
    ),
    "allowlist, issuer and serial": (
        "client",
        "edge.not_allowed",
        {"allow": [{"issuer": "CN=Root", "serial": serial(TWIN)}]},
        {"allow": [{"issuer": "CN=Root", "serial": serial(CLIENT)}]},
    ),
    "allowlist, issuer": (
        "client",
        "edge.not_allowed",
        {"allow": [{"issuer": "CN=Other root", "serial": serial(CLIENT)}]},
        {"allow": [{"issuer": "CN=Root", "serial": serial(CLIENT)}]},
    ),
    "probe identity": (
        "client",
        "edge.probe_identity",
        {"client": builders.client(ROOT, "CN=mtls-probe.a1").pem},
        {"client": builders.client(ROOT, "CN=probe.a1").pem},
    ),
    "curve": (
        "client",
        "edge.curve",
        {"tls": {"protocols": ["TLSv1.2"], "curves": ["secp384r1"]}},
        {"tls": {"protocols": ["TLSv1.2", "TLSv1.3"], "curves": ["secp384r1"]}},
    ),
    "curve of a key": (
        "client",
        "edge.curve",
        {"tls": {"protocols": ["TLSv1.2"], "curves": ["P-256"]}, "client": P384.pem},
        {"tls": {"protocols": ["TLSv1.2"], "curves": ["P-256", "P-384"]}, "client": P384.pem},
    ),
    "curve, optional_no_ca": (
        "client",
        "edge.curve",
        {**OLD, "client": builders.client(OTHER, DN, key=builders.new_key("p384")).pem},
        {**OLD, "client": builders.client(OTHER, DN).pem},
    ),
    "optional is not optional with a certificate": (
        "client",
        "chain.missing_intermediate",
        {"client": builders.client(OTHER, DN).pem, "verify": "optional"},
        {"client": builders.client(OTHER, DN).pem, "verify": "optional_no_ca"},
    ),
    "optional_no_ca, but expired": (
        "client",
        "expiry.expired",
        {"client": builders.client(ROOT, DN, end=AT).pem, "verify": "optional_no_ca"},
        {"client": TWIN.pem, "verify": "optional_no_ca"},
    ),
    "optional_no_ca, of an unknown CA and expired": (
        "client",
        "expiry.expired",
        {"client": builders.client(OTHER, DN, end=AT).pem, "verify": "optional_no_ca"},
        {"client": builders.client(OTHER, DN).pem, "verify": "optional_no_ca"},
    ),
    "optional_no_ca, of an intermediate without its root": (
        "client",
        "chain.root_missing",
        {"client": BELOW.pem, "server_trust": MIDDLE.pem, "verify": "optional_no_ca"},
        {"client": BELOW.pem, "server_trust": MIDDLE.pem + ROOT.pem, "verify": "optional_no_ca"},
    ),
    "optional_no_ca with a list": (
        "client",
        "chain.missing_intermediate",
        {"client": builders.client(OTHER, DN).pem, "verify": "optional_no_ca", "allow": [{"dn": DN}]},
        {"client": TWIN.pem, "verify": "optional_no_ca", "allow": [{"dn": DN}]},
    ),
    "A's name": (
        "server",
        "name.mismatch",
        {"server": builders.server(ROOT, names=("stock.example.com",)).pem},
        {"server": builders.server(ROOT, names=("stock.example.com", NAME)).pem},
    ),
    "A of an unknown CA": (
        "server",
        "chain.missing_intermediate",
        {"server": builders.server(OTHER).pem},
        {"server": builders.server(ROOT).pem},
    ),
    "A's purpose": (
        "server",
        "purpose.server_auth_missing",
        {"server": builders.server(ROOT, uses=("client",)).pem},
        {"server": builders.server(ROOT, uses=("server",)).pem},
    ),
    "A beyond B's depth": (
        "server",
        "chain.too_deep",
        {"server": builders.server(LOWER).pem + LOWER.pem + MIDDLE.pem},
        {"server": builders.server(MIDDLE).pem + MIDDLE.pem},
    ),
    "A expired": (
        "server",
        "expiry.expired",
        {"server": builders.server(ROOT, end=AT).pem},
        {"server": builders.server(ROOT, end=AT + DAY).pem},
    ),
    "A revoked": (
        "server",
        "crl.revoked",
        {"client_crl": crl(ROOT, SERVER)},
        {"client_crl": crl(ROOT, TWIN)},
    ),
    "no list of A's CA at B": (
        "server",
        "crl.missing_for_ca",
        {"client_crl": crl(OTHER)},
        {"client_crl": crl(OTHER) + crl(ROOT)},
    ),
    "B drops A's CA": (
        "server",
        "chain.missing_intermediate",
        {"client_trust": OTHER.pem},
        {"client_trust": OTHER.pem + ROOT.pem},
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_breaks_an_edge_and_its_twin_does_not(world, reason):
    side, code, bad, good = REASONS[reason]
    other = {"client": "server", "server": "client"}[side]
    kind, listed = ("revoked", "revoked") if code == "crl.revoked" else ("breaks", "breaking")
    found = world.run(bad)
    assert outcome(found, side) == (kind, code)
    assert outcome(found, other) == ("works", "")
    assert (len(found["told"][listed]), found["told"]["working"]) == (1, 0)
    assert f"[{code}]" in found["told"][listed][0]
    found = world.run(good)
    assert (outcome(found, side), outcome(found, other)) == (("works", ""), ("works", ""))
    assert found["told"] == {
        "edges": 1,
        "working": 1,
        "breaking": [],
        "broken": [],
        "revoked": [],
        "doubtful": [],
        "unknown": [],
    }


@pytest.mark.parametrize("reason", REASONS)
def test_what_was_broken_before_is_no_change_and_may_be_mended(world, reason):
    side, code, bad, good = REASONS[reason]
    found = world.run(bad, before=bad)
    assert (outcome(found, side), times(found, side)) == (("broken", code), ["refused"] * 3)
    assert (found["told"]["breaking"], len(found["told"]["broken"])) == ([], 1)
    found = world.run(good, before=bad)
    assert (times(found, side)[0], times(found, side)[2]) == ("refused", "accepted")
    assert outcome(found, side) == ("works", "")


def test_a_revocation_is_meant_and_ends_its_edge_with_a_warning(world):
    """The list must be in force, whatever B has. Its twins: a list that has run out breaks each edge, and one
    with another client none."""
    found = world.run({"server_crl": crl(ROOT, CLIENT)})
    assert (outcome(found), times(found)) == (("revoked", "crl.revoked"), ["accepted", "refused", "refused"])
    assert (found["told"]["breaking"], found["told"]["working"]) == ([], 0)
    (told,) = found["told"]["revoked"]
    assert told.startswith(
        f"{B} (route default) to {A} (site orders): {A} would refuse the client certificate"
    )
    assert "[crl.revoked]" in told
    found = world.run({"server_crl": crl(ROOT, CLIENT), "client": TWIN.pem})
    assert (outcome(found)[0], times(found)) == ("revoked", ["accepted", "refused", "accepted"])
    assert "while this run goes" in found["told"]["revoked"][0]
    found = world.run({"server_crl": crl(ROOT, CLIENT, end=AT - builders.SECOND)})
    assert outcome(found)[0] == "breaks"
    found = world.run({"server_crl": crl(ROOT, TWIN)})
    assert (outcome(found), found["told"]["revoked"]) == (("works", ""), [])


def test_what_was_revoked_before_is_broken(world):
    revoked = {"server_crl": crl(ROOT, CLIENT)}
    assert outcome(world.run(revoked, before=revoked)) == ("broken", "crl.revoked")
    assert outcome(world.run({"server_crl": crl(ROOT, TWIN)}, before=revoked))[0] == "works"


# -- the times


def test_b_allows_more_depth_before_a_needs_it(world):
    """In one run B's comes too late: A is first."""
    deep = {"server": builders.server(LOWER).pem + LOWER.pem + MIDDLE.pem, "client_depth": 2}
    found = world.run(deep)
    assert (outcome(found, "server"), times(found, "server")) == (
        ("breaks", "chain.too_deep"),
        ["accepted", "refused", "accepted"],
    )
    found = world.run(deep, before={"client_depth": 2})
    assert (outcome(found, "server"), times(found, "server")) == (("works", ""), ["accepted"] * 3)


def test_a_new_edge_must_work_after_the_run(world):
    """Nothing is installed yet, so nothing can break on the way."""
    for host in (A, B):
        world.variables[host]["mtls_installed"] = {
            "installed": {"sites": [], "routes": []},
            "credentials": [],
        }
    found = world.judged(world.wanted())
    assert (times(found), outcome(found)) == (["new", "new", "accepted"], ("works", ""))
    found = world.judged(world.wanted(client=builders.client(OTHER, DN).pem))
    assert outcome(found) == ("breaks", "chain.missing_intermediate")
    assert "after this run" in found["told"]["breaking"][0]


def test_an_edge_to_another_address_is_new(world):
    world.installed(A)
    world.installed(B, servers=["elsewhere.example.com:443"])
    assert times(world.judged(world.wanted()))[0] == "new"


def test_an_authority_replaced_at_once_breaks_the_edge_on_the_way(world):
    new = {"server_trust": OTHER.pem, "client": builders.client(OTHER, DN).pem}
    found = world.run(new)
    assert (times(found), outcome(found)[0]) == (["accepted", "refused", "accepted"], "breaks")
    (told,) = found["told"]["breaking"]
    assert "while this run goes" in told
    assert 'Keep "CN=Root" in trust.sources of Server A' in told
    assert "rotate_ca.yml" in told
    # With both authorities for the time of the change nothing breaks.
    assert outcome(world.run({**new, "server_trust": OTHER.pem + ROOT.pem}))[0] == "works"


def test_a_of_another_authority_needs_b_to_trust_it_first(world):
    new = {"server": builders.server(OTHER).pem, "client_trust": OTHER.pem + ROOT.pem}
    found = world.run(new)
    assert (times(found, "server"), outcome(found, "server")[0]) == (
        ["accepted", "refused", "accepted"],
        "breaks",
    )
    assert "Put the new authority into trust.sources of Server B" in found["told"]["breaking"][0]
    ready = {"client_trust": OTHER.pem + ROOT.pem}
    assert outcome(world.run(new, before=ready), "server")[0] == "works"


def test_what_is_no_fault_of_an_authority_has_its_own_remedy(world):
    (told,) = world.run({"client": builders.client(ROOT, DN, end=AT).pem})["told"]["breaking"]
    assert told.endswith("Renew it.")
    assert "rotate_ca" not in told


# -- who is read, and who is changed


def test_a_host_that_was_not_read_is_unknown(world):
    for missing, other in ((A, B), (B, A)):
        world.variables = {A: {}, B: {}}
        world.installed(other)
        found = world.judged(world.wanted(server_trust=OTHER.pem), hosts=[other])
        assert (outcome(found), times(found)) == (("unknown", ""), ["unknown"] * 3)
        (told,) = found["told"]["unknown"]
        assert told.startswith(f"1 edge is unknown: {missing}: not read in this run")
        assert found["told"]["breaking"] == []


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "x"}, {"unreachable": True}, {"skipped": True}])
def test_a_host_where_reading_failed_is_unknown(world, answer):
    world.installed(A)
    world.variables[B]["mtls_installed"] = answer
    assert outcome(world.judged(world.wanted(), hosts=[A]))[0] == "unknown"


def test_a_host_that_is_read_and_not_changed_stays_as_it_is(world):
    """A drops the authority of a B that this run does not touch. Its twin: B changes, too."""
    new = {"server_trust": OTHER.pem + builders.root("CN=Third").pem}
    for host in (A, B):
        world.installed(host)
    model = world.wanted(**new, client=builders.client(OTHER, DN).pem)
    stays = world.judged(model, hosts=[A])
    assert times(stays) == ["accepted", "refused", "refused"]
    assert times(world.judged(model, hosts=[A, B])) == ["accepted", "refused", "accepted"]
    assert times(world.judged(model, hosts=[B])) == ["accepted", "accepted", "refused"]


# -- what is installed and taken away

FIXED = [{"name": "default", "server_name": NAME}]


def of(found: dict[str, Any], name: str = NAME, port: int = 443) -> tuple[str, list[str], str]:
    """Outcome, times and reason of the client's direction of the one edge by that name and port."""
    (edge,) = (
        edge
        for edge in found["edges"]
        if (edge["server_name"], edge["address"]) == (name, f"{A}:{port}") and edge["route"] == "default"
    )
    one = edge["client_accepted"]
    reason = one["reason"]["code"] if one["reason"] else ""
    return one["outcome"], [one[time] for time in ("now", "during", "after")], reason


TAKEN_AWAY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "its name": (
        {"server_names": [NEW_NAME]},
        {"site": {"server_names": [NEW_NAME, NAME]}, "routes": FIXED},
    ),
    "its port": ({"listen": ["8443"]}, {"site": {"listen": ["8443", "443"]}}),
}


@pytest.mark.parametrize("what", TAKEN_AWAY)
def test_what_a_site_is_asked_for_is_not_taken_away(world, what):
    """Alone, or together with the routes, which follow it. Its twin has both for the time of the change."""
    gone, both = TAKEN_AWAY[what]
    for hosts, times_of, said in (
        ([A], ["accepted", "refused", "refused"], "after this run: "),
        ([A, B], ["accepted", "refused", "new"], "while this run goes, when Server A is done"),
    ):
        for host in (A, B):
            world.installed(host)
        found = world.judged(world.wanted(site=gone), hosts=hosts)
        assert of(found) == ("breaks", times_of, "edge.no_site")
        (told,) = found["told"]["breaking"]
        assert told.startswith(f"{B} (route default) to {A} (site orders): {A} would not answer there {said}")
        assert f'"{NAME}" at {A}:443' in told
        assert told.endswith(
            "First the new name or listen beside the old one, then the routes, then the old one out."
        )
        found = world.judged(world.wanted(**both), hosts=hosts)
        assert of(found)[1][:2] == ["accepted", "accepted"]
        assert found["told"]["breaking"] == []


def test_a_site_that_a_route_still_asks_for_is_not_taken_away(world):
    """The route's address is then somebody else's by the model, and it is asked all the same."""
    for host in (A, B):
        world.installed(host)
    routes = [{**FIXED[0], "servers": [f"{A}:443"]}]
    model = world.wanted(site={"server_names": [NEW_NAME]}, routes=routes)
    found = world.judged(model)
    assert [edge["external"] for edge in found["edges"]] == [True, False]
    del found["edges"][0]
    assert of(found) == ("breaks", ["accepted", "refused", "refused"], "edge.no_site")
    assert found["told"]["edges"] == 2
    # Its twin: a site that this run does not touch.
    assert len(world.judged(model, hosts=[B])["edges"]) == 1


def test_a_route_that_ends_with_its_site_breaks_nothing(world):
    for host in (A, B):
        world.installed(host)
    routes = [{"name": "shop", "server_name": NEW_NAME}]
    model = world.wanted(site={"server_names": [NEW_NAME]}, routes=routes)
    found = world.judged(model)
    assert (len(found["edges"]), found["told"]["working"]) == (1, 1)
    # Its twin: B is not of this run, so its route goes on.
    assert of(world.judged(model, hosts=[A]))[0] == "breaks"


def test_an_installed_route_is_judged_by_the_site_that_it_will_find(world):
    """B's route changes its name for A at once with what A trusts."""
    for host in (A, B):
        world.installed(host, site_names=[NAME, NEW_NAME])
    routes = [{"name": "default", "server_name": NEW_NAME}]
    more = {"site": {"server_names": [NAME, NEW_NAME]}, "routes": routes}
    new = {"server_trust": OTHER.pem, "client": builders.client(OTHER, DN).pem}
    found = world.judged(world.wanted(**more, **new))
    assert of(found) == ("breaks", ["accepted", "refused", "new"], "chain.missing_intermediate")
    assert 'Keep "CN=Root" in trust.sources of Server A' in found["told"]["breaking"][0]
    found = world.judged(world.wanted(**more, **{**new, "server_trust": OTHER.pem + ROOT.pem}))
    assert of(found) == ("absent", ["accepted", "accepted", "new"], "")
    assert (found["told"]["edges"], found["told"]["working"]) == (1, 1)


def test_a_site_that_moves_to_another_address_is_taken_away(world):
    at = "192.0.2.1:443"
    routes = [{**FIXED[0], "servers": [at]}]

    def judged(listen: list[str]) -> dict[str, Any]:
        world.installed(A, listen=[at])
        world.installed(B, servers=[at])
        return world.judged(
            world.wanted(site={"listen": listen}, routes=routes, host={"ansible_host": "192.0.2.1"})
        )

    assert "[edge.no_site]" in judged(["192.0.2.2:443"])["told"]["breaking"][0]
    for fits in ([at, "192.0.2.2:443"], ["443"]):
        assert judged(fits)["told"] == world.run({})["told"]


def test_which_of_two_sites_a_name_leads_to_is_unknown(world):
    """An address tells."""
    for address, expected in ((A, "unknown"), ("192.0.2.1", "accepted")):
        routes = [{**FIXED[0], "servers": [f"{address}:443"]}]
        model = world.wanted(routes=routes, host={"ansible_host": "192.0.2.1"})
        world.installed(A, listen=["192.0.2.1:443"])
        installed = world.variables[A]["mtls_installed"]["installed"]
        installed["sites"].append({**installed["sites"][0], "name": "other", "listen": ["10.0.0.1:443"]})
        world.installed(B, servers=[f"{address}:443"])
        found = world.judged(model, hosts=[])
        assert times(found)[0] == expected


def test_what_did_not_work_is_not_taken_away(world):
    for name, broken in (("client", builders.client(OTHER, DN)), ("server", builders.server(OTHER))):
        for host in (A, B):
            world.installed(host, **{name: broken.pem})
        found = world.judged(world.wanted(site={"listen": ["8443"]}), hosts=[A])
        assert of(found)[0] == "broken"
        assert found["told"]["breaking"] == []


def test_what_is_not_there_after_the_run_is_not_counted_as_accepted(world):
    world.installed(A)
    world.variables[B]["mtls_installed"] = {"installed": {"sites": [], "routes": []}, "credentials": []}
    found = world.judged(world.wanted(), hosts=[A])
    assert (times(found), outcome(found)) == (["new"] * 3, ("absent", ""))
    assert (found["told"]["edges"], found["told"]["working"]) == (0, 0)
    found = world.judged(world.wanted(), hosts=[A, B])
    assert (found["told"]["edges"], found["told"]["working"]) == (1, 1)


def test_a_wanted_state_is_judged_where_nothing_was_read(world):
    """Files are read on the controller, so a new fleet is judged before its hosts are there."""
    found = world.judged(world.wanted(), hosts=[A, B])
    assert times(found) == ["unknown", "unknown", "accepted"]
    found = world.judged(world.wanted(client=builders.client(OTHER, DN).pem), hosts=[A, B])
    assert outcome(found) == ("doubtful", "chain.missing_intermediate")
    assert (found["told"]["breaking"], found["told"]["broken"]) == ([], [])
    assert len(found["told"]["doubtful"]) == 1


def test_a_new_list_without_a_client_that_verified_breaks_its_edge(world):
    """Whom the list of somebody else's text had is not known. Its twin: a client that was refused anyhow."""
    for before, expected in ((ROOT, "breaks"), (OTHER, "broken")):
        world.installed(A, allow=None, server_trust=before.pem)
        world.installed(B)
        found = world.judged(world.wanted(allow=[{"dn": "CN=b2"}]), hosts=[A])
        assert outcome(found) == (expected, "edge.not_allowed")


def test_a_site_of_somebody_elses_text_has_a_list_that_is_not_known(world):
    world.installed(A, allow=None)
    world.installed(B)
    found = world.judged(world.wanted(), hosts=[])
    assert outcome(found)[0] == "unknown"
    assert "is not the role's" in found["told"]["unknown"][0]
    # What the list does not matter for is told all the same.
    world.installed(A, allow=None, server_trust=OTHER.pem)
    assert outcome(world.judged(world.wanted(), hosts=[]))[0] == "broken"


NOBODY = {"verify": "optional_no_ca", "client": builders.client(OTHER, DN).pem}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "accepted"),
        ({"client": builders.client(OTHER, DN, uses=("server",)).pem}, "unknown"),
        ({"client": builders.client(OTHER, DN, uses=("server",), end=AT).pem}, "refused"),
        ({"server_crl": crl(ROOT)}, "unknown"),
        ({"client": CLIENT.pem, "server_crl": crl(ROOT)}, "accepted"),
        ({"client": builders.client(ROOT, DN, uses=("server",)).pem}, "refused"),
        # As nobody it is on no list, whatever that is; where it is not known, so is the answer.
        ({"allow": None}, "unknown"),
        ({"allow": None, "client": builders.client(OTHER, DN, end=AT).pem}, "refused"),
        ({"allow": [{"dn": DN}], "client": builders.client(OTHER, DN, uses=("server",)).pem}, "refused"),
    ],
)
def test_who_is_let_in_as_nobody(world, more, expected):
    """OpenSSL's last error counts: another fault beside the unknown authority may be that."""
    world.installed(A, **{**NOBODY, **more})
    world.installed(B, **{**NOBODY, **more})
    found = world.judged(world.wanted(), hosts=[])
    assert times(found) == [expected] * 3
    assert len(found["told"]["unknown"]) == (expected == "unknown")


def test_a_site_that_asks_nobody_for_a_certificate_looks_at_no_curve(world):
    for verify, expected in (("off", "accepted"), ("optional", "refused")):
        world.installed(A, verify=verify, tls={"protocols": ["TLSv1.2"], "curves": ["secp384r1"]})
        world.installed(B)
        assert times(world.judged(world.wanted(), hosts=[]))[0] == expected


def test_a_site_that_asks_nobody_for_a_certificate_accepts_any(world):
    for verify, expected in (("off", "accepted"), ("on", "refused")):
        world.installed(A, allow=None, verify=verify, server_trust=OTHER.pem)
        world.installed(B)
        assert times(world.judged(world.wanted(), hosts=[]))[0] == expected


def test_what_cannot_be_read_is_refused_or_unknown(world):
    """No certificate in what is installed; a file that is none; a live release that has lost its file."""
    world.installed(A)
    world.installed(B, client=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert times(world.judged(world.wanted(), hosts=[]))[0] == "refused"
    world.installed(B)
    model = world.wanted(allow=[{"file": CLIENT.pem}])
    world.file("allowed.pem", b"no certificate")
    found = world.judged(model)
    assert outcome(found)[0] == "unknown"
    assert "holds no certificate" in found["told"]["unknown"][0]
    world.installed(B, client=b"")
    found = world.judged(world.wanted(), hosts=[])
    assert f"{B} proxy/client: its certificate is lost." in found["told"]["unknown"][0]


def test_a_depth_that_cannot_be_read_is_unknown(world):
    """It is not 0, which lets in nobody with an intermediate. A sends its certificate all the same."""
    for depth, expected in ((None, "unknown"), (1, "accepted"), (0, "refused")):
        below = {"client": BELOW.pem + MIDDLE.pem, "server_depth": depth}
        for host in (A, B):
            world.installed(host, **below)
        found = world.judged(world.wanted(), hosts=[])
        assert (times(found)[0], times(found, "server")[0]) == (expected, "accepted")
        assert any(f"{A} server/server" in told for told in found["told"]["unknown"]) == (depth is None)
    # The run writes it anew.
    world.installed(A, server_depth=None)
    assert times(world.judged(world.wanted(client=BELOW.pem + MIDDLE.pem)))[2] == "accepted"


def test_a_wrong_name_beside_a_refused_chain_is_the_lesser_fault(world):
    both = {"server": builders.server(OTHER, names=("stock.example.com",)).pem}
    assert outcome(world.run(both), "server") == ("breaks", "chain.missing_intermediate")


def test_what_only_openssl_can_tell_is_unknown(world, monkeypatch):
    """The controller's library is there for the others; nobody asks OpenSSL."""
    monkeypatch.setattr(edge_rules.Shelf, "signed_by", lambda *given: None)
    found = world.run({})
    assert (outcome(found)[0], outcome(found, "server")[0]) == ("unknown", "unknown")
    assert any("Only OpenSSL can tell" in told for told in found["told"]["unknown"])
    wrong = {"server": builders.server(ROOT, names=("stock.example.com",)).pem}
    assert times(world.run(wrong, before=wrong), "server") == ["refused"] * 3


def test_a_file_that_is_not_there_is_unknown(world):
    for host in (A, B):
        world.installed(host)
    model = world.wanted(allow=[{"file": CLIENT.pem}, {"dn": DN}])
    (world.folder / "allowed.pem").unlink()
    assert outcome(world.judged(model))[0] == "works"  # another line lets it in
    model = world.wanted(allow=[{"file": CLIENT.pem}])
    (world.folder / "allowed.pem").unlink()
    found = world.judged(model)
    assert outcome(found)[0] == "unknown"
    assert "allowed.pem" in found["told"]["unknown"][0]
    model = world.wanted()
    (world.folder / "client.pem").unlink()
    found = world.judged(model)
    assert times(found) == ["accepted", "accepted", "unknown"]
    assert f"{B} proxy/client" in found["told"]["unknown"][0]


def test_an_external_server_is_unknown(world):
    variables = {"mtls_proxy_routes": [{"name": "x", "server_name": "x.test", "servers": ["x.test:443"]}]}
    model = fleet(world.folder, {A: {}}, {B: variables})
    found = world.judged(model)
    assert (outcome(found), outcome(found, "server")) == (("unknown", ""), ("unknown", ""))
    assert found["told"]["unknown"] == ["1 edge is unknown: x.test:443: not a Server A of this inventory."]


# -- what ``release`` makes of the inventory


def test_a_crl_that_the_inventory_no_longer_names_is_switched_off(world):
    world.installed(A, server_crl=crl(ROOT, CLIENT))
    world.installed(B)
    assert outcome(world.judged(world.wanted()))[0] == "works"
    assert outcome(world.judged(world.wanted(server_crl=crl(ROOT, CLIENT)))) == ("broken", "crl.revoked")


def test_the_private_authority_s_crl_is_kept(world):
    world.installed(A, server_crl=crl(ROOT, CLIENT))
    world.installed(B)
    model = world.wanted()
    (server,) = model["hosts"][A]["credentials"]
    assert server["crl"] == "off"
    server["crl"] = "auto"
    assert outcome(world.judged(model)) == ("broken", "crl.revoked")


@pytest.mark.parametrize(
    ("announced", "state", "code"), [(2, "accepted", ""), (None, "refused", "chain.too_deep")]
)
def test_the_depth_follows_the_authorities_where_none_is_given(world, announced, state, code):
    """The root announces two intermediates, or none, and then one is nginx's own default."""
    top = builders.root("CN=Tall", path_length=announced)
    middle = builders.intermediate(top, "CN=Middle")
    lower = builders.intermediate(middle, "CN=Low")
    new = {
        "client": builders.client(lower, DN).pem + lower.pem + middle.pem,
        "server_trust": top.pem + ROOT.pem,
        "server_depth": "auto",
    }
    found = world.run(new, before=GOOD)
    assert (times(found)[2], outcome(found)[1]) == (state, code)


# -- the private CA


def private(world: World, needed: bool, issued: dict[str, str] | None = None, roots: tuple = (ROOT,)) -> Any:
    """A and B of the private CA; B asks for a certificate, or not."""
    for host, part, name in ((A, "server", "server"), (B, "proxy", "client")):
        asked = {
            "part": part,
            "name": name,
            "needed": needed and host == B,
            "private_key_path": "/etc/nginx/mtls/pending/x",
        }
        world.variables[host].update(
            mtls_requests={"credentials": [asked]},
            mtls_issued=(issued or {}) if host == B else {},
            mtls_private_ca={"trust": [root.pem.decode() for root in roots], "chain": ""},
        )
    servers = {"mtls_server_sites": [{"name": "orders", "server_names": [NAME]}], "private_ca_dir": "/ca"}
    return world.judged(fleet(world.folder, {A: servers}, {B: {"private_ca_dir": "/ca"}}))


def test_what_is_not_issued_anew_is_kept(world):
    for host in (A, B):
        world.installed(host)
    found = private(world, needed=False)
    assert (times(found), times(found, "server")) == (["accepted"] * 3, ["accepted"] * 3)
    # Another authority in its place: both sides are kept, and neither is trusted any more.
    found = private(world, needed=False, roots=(OTHER,))
    assert outcome(found) == outcome(found, "server") == ("breaks", "chain.missing_intermediate")
    assert all('Keep "CN=Root"' in told for told in found["told"]["breaking"])


def test_what_was_just_issued_counts(world):
    for host in (A, B):
        world.installed(host)
    assert outcome(private(world, True, {"proxy/client": TWIN.pem.decode()}))[0] == "works"
    stranger = builders.client(OTHER, DN).pem.decode()
    assert outcome(private(world, True, {"proxy/client": stranger}))[0] == "breaks"


def test_what_check_mode_does_not_issue_is_unknown(world):
    for host in (A, B):
        world.installed(host)
    found = private(world, needed=True)
    assert times(found) == ["accepted", "accepted", "unknown"]
    (told,) = found["told"]["unknown"]
    assert "its certificate is not issued yet" in told
    # The other direction does not need it.
    assert times(found, "server") == ["accepted"] * 3


def test_a_bare_fleet_in_check_mode_is_unknown(world):
    for host in (A, B):
        world.variables[host]["mtls_installed"] = {
            "installed": {"sites": [], "routes": []},
            "credentials": [],
        }
    found = private(world, needed=True, roots=())
    assert (outcome(found)[0], found["told"]["breaking"]) == ("unknown", [])


# -- files


def test_vault_files_are_named_and_read_as_they_were_opened(world):
    model = world.wanted()
    (world.folder / "client.pem").write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n61\n")
    path = str(world.folder / "client.pem")
    assert edge_files.vault_files(model) == [path]
    for host in (A, B):
        world.installed(host)
    assert outcome(world.judged(model))[0] == "unknown"
    found = edges.judge(model, world.variables, None, {path: TWIN.pem.decode()}, AT)
    assert outcome(found)[0] == "works"


def test_a_probe_identity_that_is_a_file_is_refused_by_every_a(world):
    world.installed(B)
    model = world.wanted()
    probe = {"certificate": str(world.folder / "client.pem"), "private_key": "/never"}
    for one in model["hosts"][A]["credentials"]:
        one["probe"] = None
    copy = {**model["hosts"][A]["credentials"][0], "name": "probe", "purpose": "client", "files": probe}
    model["hosts"][A]["credentials"].append(copy)
    world.installed(A)
    assert outcome(world.judged(model)) == ("breaks", "edge.probe_identity")


# -- many


def test_equal_questions_are_asked_once(world, monkeypatch):
    """100 hosts, 500 edges, and one pair of certificates: a thousand hosts must take seconds."""
    for host in (A, B):
        world.installed(host)
    model = world.wanted()
    many: dict[str, Any] = {"hosts": {}, "edges": [], "addresses": {}}
    variables = {}
    pairs = [(f"a{number}", f"b{number}") for number in range(50)]
    for pair in pairs:
        for host, like in zip(pair, (A, B)):
            many["hosts"][host] = {**model["hosts"][like], "host": host}
            variables[host] = world.variables[like]
    for number, (_server, proxy) in enumerate(pairs):
        cell = number // 10 * 10
        many["edges"] += [
            {**model["edges"][0], "proxy": proxy, "server": server} for server, _b in pairs[cell : cell + 10]
        ]
    asked = []
    examine = edge_rules.credential.examine
    monkeypatch.setattr(edge_rules.credential, "examine", lambda *given: asked.append(1) or examine(*given))
    told = edges.judge(many, variables, None, {}, AT)["told"]
    assert (told["edges"], told["working"], len(asked)) == (500, 500, 2)
    nobody = edges.judge(many, {host: {} for host in variables}, None, {}, AT)["told"]
    assert len(nobody["unknown"]) == 1
    assert nobody["unknown"][0].startswith("500 edges are unknown: a0, a1, a2, a3 and 46 more: not read")
    for host in variables:
        if host.startswith("a"):
            many["hosts"][host]["sites"] = [{**many["hosts"][host]["sites"][0], "allow": [{"dn": "CN=x"}]}]
    (told,) = edges.judge(many, variables, None, {}, AT)["told"]["breaking"]
    assert " and 496 more. " in told
