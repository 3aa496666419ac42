# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rotate.yml and an authority that cannot sign, hosts that do not trust what signs, and wrong clocks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    rotation,
    rotation_edges,
    rotation_report,
    rotation_run,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_authority import lines
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils.test_rotation import (
    CA,
    OTHER,
    YOUNG,
    Fleet,
    element,
    leaf,
)

HOUR = timedelta(hours=1)
ENDED: dict[str, Any] = {"start": AT - 90 * DAY, "end": AT}
GONE = {"why": "root.pem expired on 2026-11-21.", "next": "generation"}


def ca(*roots: Any, signs: int = 1, **more: Any) -> dict[str, Any]:
    """The fact mtls_private_ca of generations 1, 2, ... or of those that are not retired."""
    numbers = more.pop("generations", list(range(1, len(roots) + 1)))
    pems = [root.pem.decode() for root in roots]
    issuer = pems[numbers.index(signs)]
    return {
        "trust": pems,
        "chain": "",
        "issuer": {"certificate": issuer, "root": issuer},
        "issuing": signs,
        "generations": numbers,
        "unable": {},
        "crls": [],
        **more,
    }


class Recovered(Fleet):
    def has(self, private_ca: dict[str, Any]) -> Recovered:
        for variables in self.variables.values():
            variables["mtls_private_ca"] = private_ca
        return self

    def on(self, host: str, issuer: Any, trust: Any, **dates: Any) -> None:
        found = [("server", "probe"), ("server", "server")] if host == A else [("proxy", "client")]
        dates = dates or YOUNG
        self.install(host, *(element(part, name, leaf(name, issuer, **dates), trust) for part, name in found))

    def begun(self, private_ca: dict[str, Any], **given: Any) -> tuple[Any, list[str]]:
        """What a run does, and the edges that it would break."""
        plan = self.has(private_ca).plan(**given)
        plan, told = rotation_run.unbroken(plan, self.model, self.variables, private_ca, {}, AT)
        return plan, told["breaking"]

    def breaking(self, private_ca: dict[str, Any], **given: Any) -> list[str]:
        plan = self.has(private_ca).plan(**given)
        told = rotation_edges.judge(self.model, self.variables, plan, private_ca, {}, AT)
        found: list[str] = told["breaking"]
        return found


@pytest.fixture(name="hosts")
def _hosts(tmp_path: Path) -> Recovered:
    return Recovered(tmp_path)


def told(planned: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What is due, and whose trust is given anew."""
    return (
        [f"{one['part']}/{one['name']}: {one['why']}" for one in planned["credentials"]],
        [f"{one['part']}/{one['name']}: {' '.join(one['kinds'])}" for one in planned["settings"]],
    )


# -- trust in what signs


def test_who_lacks_trust_in_what_signs_gets_it(hosts):
    private = ca(CA, OTHER, signs=2)
    hosts.on(B, OTHER, CA)
    plan = hosts.has(private).plan()
    assert told(plan[B]) == ([], ["proxy/client: trust"])
    assert told(plan[A]) == ([], ["server/server: trust"])
    assert "does not trust the generation of the private CA that signs" in plan[B]["why"]
    # What is to sign later only is no reason.
    assert {one["state"] for one in hosts.has(ca(CA, OTHER)).plan().values()} == {"fresh"}


def test_who_was_away_while_an_authority_was_retired_gets_all_in_one_call(hosts):
    private = ca(OTHER, signs=2, generations=[2])
    hosts.on(A, OTHER, OTHER)
    plan = hosts.has(private).plan()
    assert told(plan[B]) == (["proxy/client: its authority is retired"], ["proxy/client: trust"])
    assert plan[A]["state"] == "fresh"
    assert hosts.breaking(private) == []
    model, installed = hosts.model["hosts"][B], hosts.variables[B]["mtls_installed"]
    issued = {"proxy/client": leaf("client", OTHER).pem.decode()}
    requests = {"credentials": [{"part": "proxy", "name": "client", "private_key_path": "/pending/key"}]}
    given = rotation.parts(plan[B], model, installed, requests, issued, private)
    (credential,) = given["proxy"]["credentials"]
    assert credential["certificate_content"] == issued["proxy/client"]
    assert credential["trust"]["sources"] == [{"content": OTHER.pem.decode()}]


def crl(issuer: Any, **more: Any) -> str:
    made = builders.revoke(issuer, **{"start": AT - DAY, "end": AT + 29 * DAY, **more})
    return str(made.public_bytes(serialization.Encoding.PEM).decode())


def both(*roots: Any) -> Any:
    return SimpleNamespace(pem=b"".join(root.pem for root in roots))


def test_two_that_only_trust_the_old_one_are_not_cut_from_each_other(hosts):
    """Their edge works, by the authority that all others have retired."""
    private = ca(OTHER, signs=2, generations=[2])
    (said,) = hosts.breaking(private)[:1]
    assert "rotate_ca.yml replaces an authority without a break" in said

    # First they trust what signs besides.
    plan, broken = hosts.begun(private)
    assert broken == []
    assert told(plan[A]) == ([], ["server/server: trust"])
    assert told(plan[B]) == ([], ["proxy/client: trust"])
    assert not rotation.asks(plan)
    assert all("Run rotate.yml again." in planned["why"] for planned in plan.values())
    model, installed = hosts.model["hosts"][B], hosts.variables[B]["mtls_installed"]
    (given,) = rotation.parts(plan[B], model, installed, {}, {}, private)["proxy"]["credentials"]
    assert [one["content"] for one in given["trust"]["sources"]] == [OTHER.pem.decode(), CA.pem.decode()]
    assert "certificate_content" not in given
    # Then they get certificates, and go on trusting the old one.
    for host in (A, B):
        hosts.on(host, CA, both(OTHER, CA))
    plan, broken = hosts.begun(private)
    assert broken == []
    assert told(plan[B]) == (["proxy/client: its authority is retired"], [])
    assert "CN=mtls CA 1, which is retired. Others still use it" in plan[B]["why"]
    # And then they do so no more.
    for host in (A, B):
        hosts.on(host, OTHER, both(OTHER, CA))
    plan, broken = hosts.begun(private)
    assert (broken, told(plan[B])) == ([], ([], ["proxy/client: trust"]))
    assert "again" not in plan[B]["why"]
    (given,) = rotation.parts(plan[B], model, installed, {}, {}, private)["proxy"]["credentials"]
    assert [one["content"] for one in given["trust"]["sources"]] == [OTHER.pem.decode()]
    for host in (A, B):
        hosts.on(host, OTHER, OTHER)
    assert {one["state"] for one in hosts.begun(private)[0].values()} == {"fresh"}


@pytest.mark.parametrize("more", [False, True])
def test_what_is_retired_and_stands_in_the_inventory(tmp_path, more):
    """A source besides may give the same again, so that it would be due for ever: site.yml takes it off."""
    (tmp_path / "old.pem").write_bytes(CA.pem)
    sources = ["issuer", *([{"src": str(tmp_path / "old.pem")}] if more else [])]
    hosts = Recovered(
        tmp_path, None, {"mtls_proxy_credentials": [{"name": "client", "trust": {"sources": sources}}]}
    )
    for host in (A, B):
        hosts.on(host, OTHER, both(OTHER, CA))
    plan, broken = hosts.begun(ca(OTHER, signs=2, generations=[2]))
    assert (broken, plan[B]["state"]) == ([], "fresh" if more else "due")


@pytest.mark.parametrize("rest", ["", "Not all is done: run rotate.yml again."])
def test_the_report_ends_with_what_is_left(hosts, rest):
    run = {"plan": hosts.has(ca(CA)).plan(), "until": "stable", "again": "", "rest": rest}
    table = rotation_run.report(run, {})["table"]
    assert table == ["2 hosts have nothing that is due", *([rest] if rest else [])]


@pytest.mark.parametrize("place", [A, B])
def test_one_of_the_two_is_further_on(hosts, place):
    """A run that stopped between them: whatever each has, the next one breaks nothing, and goes on."""
    private = ca(OTHER, signs=2, generations=[2])
    hosts.on(place, CA, both(OTHER, CA))
    plan, broken = hosts.begun(private)
    other = B if place == A else A
    assert broken == []
    assert (plan[place]["state"], plan[other]["state"]) == ("waits", "due")
    assert [one["lacks"] for one in plan[other]["settings"]] == [True]
    rows = rotation_report.rows(plan, {}, "stable")
    assert "Run rotate.yml again" in next(one["reason"] for one in rows if one["host"] == place)
    assert rotation_report.failing([one for one in rows if one["host"] == place]) == []


def test_where_their_edge_does_not_work_all_comes_in_one_call(hosts):
    private = ca(OTHER, signs=2, generations=[2])
    for host in (A, B):
        hosts.on(host, CA, CA, **ENDED)
    plan, broken = hosts.begun(private)
    assert (broken, told(plan[B])) == ([], (["proxy/client: it has expired"], ["proxy/client: trust"]))
    assert "beside" not in plan[B]["settings"][0]


def test_another_reason_to_break_is_still_told(hosts):
    """No order of trust and certificates helps."""
    private = ca(OTHER, signs=2, generations=[2])
    hosts.on(A, CA, both(OTHER, CA))
    own = leaf("client", CA)
    hosts.install(B, element("proxy", "client", own, both(OTHER, CA)))
    site = hosts.variables[A]["mtls_installed"]["installed"]["sites"][0]
    site["allow"] = [{"sha1": own.certificate.fingerprint(hashes.SHA1()).hex()}]
    plan, (said,) = hosts.begun(private)
    assert "the allowlist of the site" in said
    assert told(plan[B]) == (["proxy/client: its authority is retired"], ["proxy/client: trust"])


def test_their_lists_come_along(hosts):
    """Where CRLs are in use each authority that is trusted needs one."""
    private = ca(OTHER, signs=2, generations=[2], crls=[crl(OTHER)], changed=False)
    for host in (A, B):
        hosts.on(host, CA, CA)
        for one in hosts.variables[host]["mtls_installed"]["credentials"]:
            if one["name"] != "probe":
                one["pem"]["crl"] = crl(CA)
    plan, broken = hosts.begun(private)
    assert (broken, told(plan[B])) == ([], ([], ["proxy/client: trust crl"]))
    model, installed = hosts.model["hosts"][B], hosts.variables[B]["mtls_installed"]
    (given,) = rotation.parts(plan[B], model, installed, {}, {}, private)["proxy"]["credentials"]
    (own,) = [one["pem"]["crl"] for one in installed["credentials"]]
    assert [one["content"] for one in given["crl"]] == [*private["crls"], own]
    # Once they have them nothing of it is stuck.
    for host in (A, B):
        hosts.on(host, CA, both(OTHER, CA))
        for one in hosts.variables[host]["mtls_installed"]["credentials"]:
            if one["name"] != "probe":
                one["pem"]["crl"] = private["crls"][0] + own
    plan, broken = hosts.begun(private)
    assert (broken, plan[B]["state"], told(plan[B])[1]) == ([], "due", [])
    assert told(plan[B])[0] == ["proxy/client: its authority is retired"]


# -- an authority that cannot sign


def test_another_generation_where_everything_has_expired(hosts):
    private = ca(CA, unable=GONE)
    for host in (A, B):
        hosts.on(host, CA, CA, **ENDED)
    plan = hosts.has(private).plan()
    assert told(plan[A]) == (
        ["server/probe: it has expired", "server/server: it has expired"],
        ["server/server: trust"],
    )
    assert told(plan[B]) == (["proxy/client: it has expired"], ["proxy/client: trust"])
    assert hosts.breaking(private) == []
    assert rotation.asks(plan)
    (said,) = lines(private, True)
    assert said.startswith("private CA: root.pem expired on 2026-11-21. It makes another generation")
    below = ca(CA, unable={**GONE, "next": "intermediate"})
    assert told(hosts.has(below).plan()[B]) == (["proxy/client: it has expired"], [])
    assert hosts.breaking(below) == []


def test_another_generation_where_the_last_list_has_ended(hosts):
    """Its key is lost, so nobody can make another list, and by this one everybody is refused."""
    ended = crl(CA, start=AT - 30 * DAY, end=AT)
    lost: dict[str, Any] = {"unable": {**GONE, "why": "It has no root.key."}, "crls": [ended]}
    for host in (A, B):
        hosts.on(host, CA, CA)
        for one in hosts.variables[host]["mtls_installed"]["credentials"]:
            if one["name"] != "probe":
                one["pem"]["crl"] = ended
    plan, broken = hosts.begun(ca(CA, ended=[1], **lost))
    assert broken == []
    assert told(plan[B]) == (["proxy/client: its authority is retired"], ["proxy/client: trust crl"])
    assert rotation.asks(plan)
    # While the list is good, nothing is due.
    good = {**lost, "crls": [crl(CA)]}
    for host in (A, B):
        for one in hosts.variables[host]["mtls_installed"]["credentials"]:
            if one["name"] != "probe":
                one["pem"]["crl"] = good["crls"][0]
    assert {one["state"] for one in hosts.begun(ca(CA, ended=[], **good))[0].values()} == {"fresh"}


def test_none_beside_edges_that_work(hosts):
    """As with a key that is lost: hosts would refuse each other until the last one is done."""
    private = ca(CA, unable=GONE)
    hosts.on(B, CA, CA, start=AT - 61 * DAY, end=AT + 29 * DAY)
    assert rotation.asks(hosts.has(private).plan())
    (said,) = hosts.breaking(private)
    assert "is not trusted there yet" in said
    assert "rotate_ca_phase=trust" in said


def test_none_where_there_is_nothing_to_sign(hosts):
    private = ca(CA, unable=GONE)
    plan = hosts.has(private).plan()
    assert {one["state"] for one in plan.values()} == {"fresh"}
    assert not rotation.asks(plan)
    (said,) = lines(private, False)
    assert "WARNING" in said
    assert lines(ca(CA), True) == []


# -- clocks


@pytest.mark.parametrize(
    ("ahead", "dates", "state", "words"),
    [
        (timedelta(0), {}, "fresh", ""),
        (59 * timedelta(minutes=1), {}, "fresh", ""),
        (-3 * HOUR, {}, "fresh", "Its clock is 3 hours behind the controller's. Set"),
        (3 * HOUR, {}, "fresh", "Its clock is 3 hours ahead of the controller's. Set"),
        (-3 * HOUR, {"end": AT + 4 * DAY}, "stuck", "what is signed now is not valid there yet"),
        (3 * HOUR, {"end": AT + 4 * DAY}, "due", "3 hours ahead"),
        (-11 * DAY, {}, "stuck", "Its clock is 11 days behind the controller's, and what is signed now"),
        (81 * DAY, {}, "stuck", "what is valid now has expired there"),
        (91 * DAY, ENDED, "stuck", "what is valid now has expired there"),
        (81 * DAY, ENDED, "due", "81 days ahead"),
    ],
)
def test_a_clock_that_differs(hosts, ahead, dates, state, words):
    hosts.on(B, CA, CA, **{**YOUNG, **dates})
    hosts.variables[B]["mtls_installed"]["at"] = expiry.rfc3339(AT + ahead)
    plan = hosts.has(ca(CA)).plan()
    assert plan[B]["state"] == state
    assert words in plan[B]["why"]
    assert plan[A]["state"] == "fresh"
    said = rotation_report.plan_lines(plan)
    assert any("clock" in one for one in said) is bool(words)
    if state == "stuck":
        assert any(one.startswith(f"{B}: STUCK: Its clock is") for one in said)
        rows = rotation_report.rows(plan, {}, "stable")
        assert rotation_report.failing(rows) == [B]
        assert "timedatectl" in rotation_report.message(rows)
