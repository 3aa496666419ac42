# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rotate_ca.yml plans, and what holds a phase back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import ca_rotation_run
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils.test_rotation import (
    Fleet,
    element,
    leaf,
)

OLD, NEW = builders.root("CN=mtls CA 1"), builders.root("CN=mtls CA 2")
ISSUING = builders.intermediate(OLD, "CN=mtls CA 1 issuing", path_length=0)
ISSUING_2 = builders.intermediate(OLD, "CN=mtls CA 1 issuing 2", path_length=0)
AGAIN = builders.root("CN=mtls CA 1")
PARTNER = builders.root("CN=Partner")
CROSS = builders.intermediate(OLD, "CN=mtls CA 2", key=NEW.key)
FRESH = {A: "fresh", B: "fresh"}
DUE = {A: "due", B: "due"}


def listed(issuer: Any) -> bytes:
    """A CRL that revokes nobody."""
    return builders.revoke(issuer).public_bytes(serialization.Encoding.PEM)


class Bundle:
    """Certificates as ``element`` takes them."""

    def __init__(self, *issued: Any) -> None:
        self.pem = b"".join(one.pem for one in issued)


BOTH = Bundle(OLD, NEW)


def private_ca(
    *roots: Any, signs: Any, newest: Any = None, newest_root: Any = None, crls: Any = ()
) -> dict[str, Any]:
    """The fact of that name. *signs*, *newest*: what signs, and what does or is to."""
    newest = newest or signs
    numbers = {id(OLD): 1, id(NEW): 2, id(ISSUING): 1, id(ISSUING_2): 1}
    return {
        "trust": [one.pem.decode() for one in roots],
        "crls": [one.decode() for one in crls],
        "crl_generations": [
            2 if x509.load_pem_x509_crl(one).issuer == NEW.certificate.subject else 1 for one in crls
        ],
        "chain": "",
        "issuer": {"certificate": signs.pem.decode()},
        "issuing": numbers[id(signs)],
        "generations": [numbers[id(one)] for one in roots],
        "newest": {
            "generation": numbers[id(newest)],
            "certificate": newest.pem.decode(),
            "root": (newest_root or newest).pem.decode(),
        },
    }


BEFORE = private_ca(OLD, signs=OLD)
MADE = private_ca(OLD, NEW, signs=OLD, newest=NEW)
SIGNS = private_ca(OLD, NEW, signs=NEW)
RETIRED = private_ca(NEW, signs=NEW)


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = Fleet(folder)
        self.have(A, OLD, OLD)
        self.have(B, OLD, OLD)

    def inventory(self, servers: Any, proxies: Any) -> None:
        variables = self.fleet.variables
        self.fleet = Fleet(self.folder, servers, proxies)
        self.fleet.variables = variables

    def have(self, host: str, issuer: Any, trust: Any, sent: Any = (), crl: Any = None, **more: Any) -> None:
        """Certificates of *issuer*, which are sent with *sent*, and that *trust*."""
        names = ("probe", "server") if host == A else ("client",)
        credentials = []
        for name in names:
            issued = leaf(name, issuer, **more)
            one = element("server" if host == A else "proxy", name, issued, trust)
            one["pem"]["certificate"] += "".join(each.pem.decode() for each in sent)
            one["pem"]["crl"] = crl and crl.decode()
            credentials.append(one)
        self.fleet.install(host, *credentials)

    def run(self, phase: str, ca: Any = None, issued: Any = (), **given: Any) -> dict[str, Any]:
        options = {f"rotate_ca_{name}": value for name, value in given.items()}
        return ca_rotation_run.plan(
            self.fleet.model,
            self.fleet.variables,
            self.fleet.run,
            {"rotate_ca_phase": phase, **options},
            {},
            ca or {},
            list(issued),
            expiry.rfc3339(AT),
        )


def states(run: dict[str, Any]) -> dict[str, str]:
    assert (run["refused"], run["breaking"]) == ([], [])
    return {host: one["state"] for host, one in run["plan"].items()}


@pytest.fixture(name="case")
def _case(tmp_path: Path) -> Case:
    return Case(tmp_path)


# -- a new generation of the private CA, from phase to phase


def test_trust_makes_a_generation_first(case):
    run = case.run("trust", BEFORE)
    assert (run["change"]["make"], run["plan"]) == ("generation", {})


def test_trust_gives_every_host_the_new_one_beside_the_old_one(case):
    run = case.run("trust", MADE)
    assert states(run) == DUE
    assert run["plan"][A]["settings"] == [{"part": "server", "name": "server", "kinds": ["trust", "crl"]}]
    assert not run["plan"][A]["credentials"]
    case.have(B, OLD, BOTH)
    assert states(case.run("trust", MADE)) == {A: "due", B: "fresh"}


def test_issue_begins_when_all_trust_the_new_one(case):
    case.have(B, OLD, BOTH)
    run = case.run("issue", MADE)
    (line,) = run["refused"]
    assert line.startswith(f"{A}: it does not trust the new authority yet")
    case.have(A, OLD, BOTH)
    run = case.run("issue", MADE)
    assert states(run) == DUE
    assert run["change"]["issuing"] == 2
    assert {one["name"] for one in run["plan"][A]["credentials"]} == {"server", "probe"}
    assert {one["action"] for one in run["plan"][A]["credentials"]} == {"request"}
    case.have(A, NEW, BOTH)
    assert states(case.run("issue", SIGNS)) == {A: "fresh", B: "due"}


def test_who_is_revoked_gets_nothing_new_and_holds_nothing_back(case):
    for host in (A, B):
        case.have(host, OLD, BOTH)
    barred = [{"host": B, "side": "proxy", "credential": "client", "serial": "01"}]
    (live,) = case.fleet.variables[B]["mtls_installed"]["credentials"]
    renamed = [{**barred[0], "host": "b0.example.com", "serial": live["certificate"]["serial"]}]
    assert states(case.run("issue", {**MADE, "barred": renamed})) == {A: "due", B: "fresh"}
    run = case.run("issue", {**MADE, "barred": barred})
    assert states(run) == {A: "due", B: "fresh"}
    assert f"{B} proxy/client is revoked, and gets a new certificate by rotate_force only" in run["lines"]
    case.have(A, NEW, BOTH)
    assert case.run("retire", {**SIGNS, "barred": barred}, soak_days=0)["refused"] == []
    assert len(case.run("retire", SIGNS, soak_days=0)["refused"]) == 1


def test_retire_waits_for_the_last_certificate_of_the_old_one(case):
    case.have(A, NEW, BOTH)
    case.have(B, OLD, BOTH)
    run = case.run("retire", SIGNS, soak_days=0)
    (line,) = run["refused"]
    assert line.startswith(f"{B}: it has a certificate of the old authority")
    case.have(B, NEW, BOTH)
    run = case.run("retire", SIGNS, soak_days=0)
    assert states(run) == DUE
    assert run["change"]["retire"] == [1]
    assert run["private_ca"]["trust"] == [NEW.pem.decode()]
    assert run["plan"][A]["why"] == "it is to trust CN=mtls CA 1 no more"
    for host in (A, B):
        case.have(host, NEW, NEW)
    assert states(case.run("retire", RETIRED, soak_days=0)) == FRESH


def test_lists_of_what_is_retired_go_with_it(case):
    old, new = listed(OLD), listed(NEW)
    for host in (A, B):
        case.have(host, NEW, BOTH, crl=old + new)
    run = case.run("retire", private_ca(OLD, NEW, signs=NEW, crls=[old, new]), soak_days=0)
    assert states(run) == DUE
    assert run["private_ca"]["crls"] == [new.decode()]
    # The twin: with lists in use and none of the new one, whoever is of the new one would be refused.
    for host in (A, B):
        case.have(host, OLD, BOTH, crl=old)
    first, second = case.run("issue", private_ca(OLD, NEW, signs=OLD, newest=NEW, crls=[old]))["refused"]
    assert "it does not trust the new authority yet" in first
    assert "it does not trust the new authority yet" in second


def test_retire_waits_until_the_new_one_signs(case):
    for host in (A, B):
        case.have(host, OLD, BOTH)
    first, *others = case.run("retire", MADE, soak_days=0)["refused"]
    assert first == "The new authority does not sign yet. Run rotate_ca_phase=issue first."
    assert [line.split(":")[0] for line in others] == [A, B]


def test_no_third_one_while_two_are_trusted(case):
    (line,) = case.run("trust", SIGNS)["refused"]
    assert "replacement before this one is not ended" in line
    run = case.run("trust", RETIRED)
    assert (run["change"]["make"], run["refused"]) == ("generation", [])


@pytest.mark.parametrize(
    ("phase", "ca", "refused"), [("issue", BEFORE, 1), ("retire", BEFORE, 1), ("retire", RETIRED, 0)]
)
def test_what_never_began_is_not_ended(case, phase, ca, refused):
    for host in (A, B):
        case.have(host, *((NEW, NEW) if ca is RETIRED else (OLD, OLD)))
    run = case.run(phase, ca, soak_days=0)
    assert len(run["refused"]) == refused
    assert all("No replacement is under way" in line for line in run["refused"])


# -- what is not known


@pytest.mark.parametrize(("phase", "ca", "issuer"), [("issue", MADE, OLD), ("retire", SIGNS, NEW)])
@pytest.mark.parametrize("told", [{"unreachable": True, "msg": "no route"}, {"failed": True}, {}])
def test_a_host_that_was_not_read_holds_it_back(case, phase, ca, issuer, told):
    case.have(A, issuer, BOTH)
    case.fleet.variables[B]["mtls_installed"] = told
    run = case.run(phase, ca, soak_days=0)
    (line,) = run["refused"]
    assert line.startswith(f"{B}: it was not read")
    run = case.run(phase, ca, soak_days=0, without=B)
    assert run["refused"] == []
    assert list(run["plan"]) == [A]
    assert "WARNING: by rotate_ca_without these hosts do not count" in run["lines"][1]
    assert run["lines"][1].endswith(B)


@pytest.mark.parametrize("phase", ["issue", "retire"])
def test_a_host_outside_the_limit_holds_it_back(case, phase):
    case.have(A, NEW, BOTH)
    case.fleet.run = [A]
    del case.fleet.variables[B]
    assert case.run(phase, SIGNS, soak_days=0)["refused"][0].startswith(f"{B}: it was not read")


def test_a_host_that_only_the_private_ca_knows_holds_it_back(case):
    for host in (A, B):
        case.have(host, OLD, BOTH)
    issued = [{"serial": "01", "generation": 1, "host": host, "not_after": ""} for host in (B, "b9")]
    (line,) = case.run("issue", MADE, issued)["refused"]
    assert line.startswith("b9: it has certificates of the private CA that have not expired")
    assert case.run("issue", MADE, issued, without="b9")["refused"] == []


# -- an emergency


def test_an_emergency_waits_for_nobody_and_says_who_is_cut_off(case):
    case.have(A, OLD, BOTH)
    case.fleet.variables[B]["mtls_installed"] = {"unreachable": True}
    run = case.run("retire", MADE, emergency=True)
    assert (run["refused"], run["breaking"], run["change"]["issuing"]) == ([], [], 2)
    assert [line.split(":")[0] for line in run["cut_off"][:2]] == [A, B]
    assert {one["action"] for one in run["plan"][A]["credentials"]} == {"request"}
    assert [one["name"] for one in run["plan"][A]["settings"]] == ["server"]
    assert (run["plan"][B]["state"], run["passes_unread"]) == ("unread", True)
    assert not case.run("retire", SIGNS, soak_days=0)["passes_unread"]


def test_an_emergency_with_nobody_to_cut_off(case):
    for host in (A, B):
        case.have(host, NEW, BOTH)
    run = case.run("retire", SIGNS, emergency=True, soak_days=0)
    assert (states(run), run["cut_off"]) == (DUE, [])


# -- who came with the old one


def came(issuer: str, serial: str = "AA", **more: Any) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "serial": serial,
        "subject": "CN=somebody",
        "last_seen": "2026-01-01T00:00:00Z",
        "only_probes": False,
        **more,
    }


def logs(*clients: dict[str, Any], complete: bool = True, matched: int = 0) -> dict[str, Any]:
    site = {"site": "default", "clients": list(clients), "left_out": {"matched": matched}}
    unknown = [] if complete else ["default: its log begins later."]
    return {"since": "2025-12-25T00:00:00Z", "complete": complete, "unknown": unknown, "sites": [site]}


BEFORE_B = {"serial": "B0", "generation": 1, "host": B, "not_after": ""}
SEEN = [
    (logs(), ""),
    (logs(came("CN=mtls CA 1")), "CN=somebody (serial AA, of CN=mtls CA 1), last 2026-01-01"),
    (logs(came("CN=mtls CA 2")), ""),
    (logs(came("CN=mtls CA 1", only_probes=True)), ""),
    (logs(came("CN=mtls CA 1", "B0")), ""),
    (logs(came("CN=Nobody knows")), "of CN=Nobody knows"),
    (logs(complete=False), "its logs do not tell of all clients since"),
    (logs(matched=1), "more clients of the old authority came"),
    ({"failed": True, "msg": "no python"}, "its access logs were not read: no python"),
    ({}, "its access logs were not read"),
]


@pytest.mark.parametrize(("told", "why"), SEEN)
def test_a_client_that_still_comes_holds_retire_back(case, told, why):
    for host in (A, B):
        case.have(host, NEW, BOTH)
    run = case.run("retire", SIGNS, [BEFORE_B])
    assert run["clients"] == [{"issuer": "CN=mtls CA 1"}]
    assert run["refused"] == []  # before the logs are read
    case.fleet.variables[A]["mtls_clients"] = told
    refused = case.run("retire", SIGNS, [BEFORE_B])["refused"]
    assert len(refused) == bool(why)
    assert all(line.startswith(f"{A}: ") and why in line for line in refused)
    assert case.run("retire", SIGNS, [BEFORE_B], soak_days=0)["refused"] == []
    assert case.run("retire", SIGNS, [BEFORE_B], without=A)["refused"] == []
    run = case.run("retire", SIGNS, [BEFORE_B], emergency=True)
    assert len(run["cut_off"]) == bool(why)


# -- options


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"rotate_ca_phase": "third"}, "rotate_ca_phase"),
        ({"rotate_ca_phase": ""}, "rotate_ca_phase"),
        ({"rotate_ca_emergency": True}, "rotate_ca_emergency"),
        ({"rotate_ca_soak_days": -1, "rotate_ca_phase": "retire"}, "rotate_ca_soak_days"),
        ({"rotate_ca_expected_hosts": 3}, "rotate_ca_expected_hosts"),
        ({"awx_job_slice_count": 2}, "awx_job_slice_count"),
        ({"rotate_ca_without": "b1.exampel.com"}, "rotate_ca_without"),
        ({"rotate_hosts": "b1"}, "rotate_hosts"),
    ],
)
def test_an_option_that_says_nothing(case, given, place):
    whole = {"rotate_ca_phase": "trust", **given}
    with pytest.raises(MtlsError) as raised:
        ca_rotation_run.plan(case.fleet.model, case.fleet.variables, case.fleet.run, whole, {}, BEFORE, [])
    assert raised.value.place == place


def test_options_that_change_nothing_of_the_plan(case):
    whole = {
        "rotate_ca_phase": "trust",
        "rotate_ca_expected_hosts": "2",
        "awx_job_slice_count": 1,
        "rotate_batches": [1],
        "rotate_ca_else": "x",
        "rotate_logs": "x",
    }
    now = expiry.rfc3339(AT)
    run = ca_rotation_run.plan(
        case.fleet.model, case.fleet.variables, case.fleet.run, whole, {}, MADE, [], now
    )
    assert states(run) == DUE


# -- another intermediate under the same root


def test_a_new_intermediate(case):
    made = private_ca(OLD, signs=ISSUING, newest=ISSUING_2, newest_root=OLD)
    for host in (A, B):
        case.have(host, ISSUING, OLD, sent=[ISSUING])
    # Its root is trusted, so there is nothing to do before.
    assert states(case.run("trust", made, new="intermediate")) == FRESH
    run = case.run("issue", made, new="intermediate")
    assert states(run) == DUE
    for host in (A, B):
        case.have(host, ISSUING_2, OLD, sent=[ISSUING_2])
    signs = private_ca(OLD, signs=ISSUING_2, newest_root=OLD)
    assert states(case.run("issue", signs, new="intermediate")) == FRESH
    run = case.run("retire", signs, new="intermediate", soak_days=0)
    assert (states(run), run["change"]["retire"]) == (FRESH, [])


def test_where_there_are_lists_a_new_intermediate_has_one_first(case):
    lists = [listed(OLD), listed(ISSUING)]
    made = private_ca(OLD, signs=ISSUING, newest=ISSUING_2, newest_root=OLD, crls=[*lists, listed(ISSUING_2)])
    for host in (A, B):
        case.have(host, ISSUING, OLD, sent=[ISSUING], crl=b"".join(lists))
    assert states(case.run("trust", made, new="intermediate")) == DUE
    assert len(case.run("issue", made, new="intermediate")["refused"]) == 2
    for host in (A, B):
        case.have(host, ISSUING, OLD, sent=[ISSUING], crl="".join(made["crls"]).encode())
    assert states(case.run("issue", made, new="intermediate")) == DUE


# -- files


class Files(Case):
    """Both sides have their certificates from files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.put("old.pem", OLD)

    def put(self, name: str, *issued: Any) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(one.pem for one in issued))
        return str(path)

    def files(self, *trust: str) -> None:
        sources = [{"src": str(self.folder / name)} for name in trust]

        def credential(name: str) -> dict[str, Any]:
            place = str(self.folder / name)
            return {
                "name": name,
                "issuer": "files",
                "files": {"certificate": f"{place}.pem", "private_key": f"{place}.key"},
                "trust": {"sources": sources},
            }

        probe = {"certificate": str(self.folder / "probe.pem"), "private_key": str(self.folder / "probe.key")}
        self.inventory(
            {"mtls_server_credentials": [{**credential("server"), "probe": probe}]},
            {"mtls_proxy_credentials": [credential("client")]},
        )

    def leaves(self, issuer: Any, *sent: Any) -> None:
        for name in ("server", "client", "probe"):
            self.put(f"{name}.pem", leaf(name, issuer), *sent)


@pytest.mark.parametrize("new", [NEW, AGAIN], ids=["another name", "the same name and a new key"])
def test_an_authority_of_files(tmp_path, new):
    case = Files(tmp_path)
    path = case.put("new.pem", new)
    case.leaves(OLD)
    case.files("old.pem")
    (line,) = case.run("trust", new=path)["refused"]
    assert f"{{src: {path}}}" in line
    case.files("new.pem")
    refused = case.run("trust", new=path)["refused"]
    assert any("trust.sources has CN=mtls CA 1 no more" in one for one in refused)
    case.files("old.pem", "new.pem")
    assert states(case.run("trust", new=path)) == DUE
    assert len(case.run("issue", new=path)["refused"]) == 2
    both = Bundle(OLD, new)
    for host in (A, B):
        case.have(host, OLD, both)
    run = case.run("issue", new=path)
    assert set(states(run).values()) == {"stuck"}
    assert f"client.pem holds no certificate of {new.certificate.subject.rfc4514_string()}" in str(
        run["lines"]
    )
    case.leaves(new)
    run = case.run("issue", new=path)
    assert states(run) == DUE
    assert {one["action"] for one in run["plan"][A]["credentials"]} == {"files"}
    assert len(case.run("retire", new=path, soak_days=0)["refused"]) == 2
    for host in (A, B):
        case.have(host, new, both)
    # The inventory still wants both, and may be right: nobody but its writer knows which ones are to stay.
    run = case.run("retire", new=path, soak_days=0)
    assert states(run) == FRESH
    (warning,) = [line for line in run["lines"] if "WARNING" in line]
    assert "CN=mtls CA 1 (SHA-256 " in warning
    assert f"is in trust.sources of {A} server/server, {B} proxy/client, and stays trusted" in warning
    case.files("new.pem")
    run = case.run("retire", new=path, soak_days=0)
    assert states(run) == DUE
    assert "WARNING" not in str(run["lines"])
    # Of two authorities with one name only serial numbers tell clients apart.
    issuer = f"CN=mtls CA {1 if new is AGAIN else 2}"
    case.fleet.variables[A]["mtls_clients"] = logs(came(issuer))
    assert len(case.run("retire", new=path)["refused"]) == (new is AGAIN)
    live = case.fleet.variables[B]["mtls_installed"]["credentials"][0]["certificate"]["serial"]
    case.fleet.variables[A]["mtls_clients"] = logs(came(issuer, live))
    assert case.run("retire", new=path)["refused"] == []


def test_its_path_is_relative_to_the_inventory(tmp_path):
    case = Files(tmp_path)
    path = case.put("new.pem", NEW)
    case.leaves(OLD)
    case.files("old.pem", "new.pem")
    with pytest.raises(MtlsError, match=r"rotate_ca_new: The file 'new\.pem' is not on the controller"):
        case.run("trust", new="new.pem")
    for host in (A, B):
        case.fleet.variables[host]["inventory_dir"] = str(tmp_path)
    assert states(case.run("trust", new="new.pem")) == states(case.run("trust", new=path)) == DUE


def test_a_cross_signed_authority(tmp_path):
    """Its certificates are accepted before anybody trusts its root, and after the old one is gone."""
    case = Files(tmp_path)
    path = case.put("new.pem", NEW)
    case.leaves(NEW, CROSS)
    case.files("old.pem", "new.pem")
    for host in (A, B):
        case.have(host, NEW, OLD, sent=[CROSS])
    assert states(case.run("trust", new=path)) == DUE
    assert len(case.run("issue", new=path)["refused"]) == 2
    assert len(case.run("retire", new=path, soak_days=0)["refused"]) == 2
    for host in (A, B):
        case.have(host, NEW, BOTH, sent=[CROSS])
    assert states(case.run("trust", new=path)) == FRESH
    assert states(case.run("issue", new=path)) == FRESH  # whatever else is sent, the new key has signed it
    case.files("new.pem")
    assert states(case.run("retire", new=path, soak_days=0)) == DUE
    # The twin: of the old one, and sent with the same certificate.
    case.have(B, OLD, BOTH, sent=[CROSS])
    (line,) = case.run("retire", new=path, soak_days=0)["refused"]
    assert line.startswith(f"{B}: it has a certificate of the old authority")


@pytest.mark.parametrize(("own", "due"), [(OLD, {"server", "probe"}), (PARTNER, {"probe"})])
def test_a_server_that_nobody_of_the_inventory_asks(tmp_path, own, due):
    """Its certificate moves where it is of the authority that it accepts, and not where it is of another."""
    case = Files(tmp_path)
    path = case.put("new.pem", NEW)
    case.leaves(NEW)
    case.files("old.pem", "new.pem")
    for edge in case.fleet.model["edges"]:
        edge["external"] = True
    case.have(A, OLD, BOTH)
    case.have(B, OLD, BOTH)
    server = case.fleet.variables[A]["mtls_installed"]["credentials"][1]
    server["pem"]["certificate"] = leaf("server", own).pem.decode()
    planned = case.run("issue", new=path)["plan"][A]
    assert {one["name"] for one in planned["credentials"]} == due
