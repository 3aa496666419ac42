# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks whom, whoever configured it, and what both say of it by their files."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import report
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._configurations import (
    CLIENT,
    LISTEN,
    NAME,
    OTHER,
    ROOT,
    SERVER,
    block,
    file,
    location,
    nginx,
    state,
)

TLS_LISTEN = {**LISTEN, "address": "*", "port": 443, "tls": True}


def host_b(*files: Any, where: Any = None, **more: Any) -> dict[str, Any]:
    given = {one["path"]: one for one in (state("/b/cert.pem", CLIENT), state("/b/trust.pem", ROOT), *files)}
    instances = [nginx(locations=where if isinstance(where, list) else [where or location()])]
    return {"instances": instances, "files": list(given.values()), "findings": [], **more}


def host_a(*files: Any, sites: Any = None, **more: Any) -> dict[str, Any]:
    given = {one["path"]: one for one in (state("/a/cert.pem", SERVER), state("/a/trust.pem", ROOT), *files)}
    sites = sites or [site()]
    own = {"addresses": ["192.0.2.1"], **more}
    return {"instances": [nginx(sites)], "files": list(given.values()), "findings": [], **own}


def site(**more: Any) -> dict[str, Any]:
    return block(**{"listens": [TLS_LISTEN], **more})


def audited(b: Any, a: Any = None, **others: Any) -> list[dict[str, Any]]:
    """The edges of a fleet of `b` and `a`, which no group of ours has."""
    hosts = {"b": b, "a": a or host_a(), **others}
    installed = {"credentials": [], "findings": [], "installed": {"exists": False}}
    hostvars = {
        name: {"mtls_audit_tls": tls, "mtls_installed": installed} if tls else {}
        for name, tls in hosts.items()
    }
    edges: list[dict[str, Any]] = report(hostvars, {"all": list(hosts)}, AT)["edges"]
    return edges


def only(*found: Any, **more: Any) -> dict[str, Any]:
    (edge,) = audited(*found, **more)
    return edge


def answers(edge: dict[str, Any]) -> tuple[str, ...]:
    """Of both sides: the state, or the code of a refusal."""
    sides = edge["client_accepted"], edge["server_accepted"]
    return tuple(one["code"] or one["state"] for one in sides)


def test_an_edge_of_two_hosts_that_nobody_manages() -> None:
    edge = only(host_b())
    assert {key: edge[key] for key in ("proxy", "route", "server", "site", "address", "state", "place")} == {
        "proxy": "b", "route": "/", "server": "a", "site": NAME, "address": "192.0.2.1:443", "state": "works",
        "place": "/etc/nginx/b.conf:9",
    }  # fmt: skip
    assert (edge["server_name"], edge["credential"], edge["external"]) == (NAME, None, False)


# -- whom a location asks


@pytest.mark.parametrize("protocol", ["http", "uwsgi", "grpc", "tcp", ""])
def test_what_is_no_tls_is_no_edge(protocol: str) -> None:
    assert audited(host_b(where=location(protocol=protocol))) == []
    assert len(audited(host_b(where=location(protocol="grpcs")))) == 1


def test_our_own_probe_locations_are_no_edges() -> None:
    assert audited(host_b(where=location(path="= /.mtls/probe/orders", ours=True))) == []


@pytest.mark.parametrize(
    ("server", "names", "asked"),
    [
        ("a:443", {}, ["a"]),
        ("A:443", {}, ["a"]),
        ("192.0.2.1:443", {}, ["a"]),
        ("[2001:db8:0::1]:443", {}, ["a"]),
        ("198.51.100.7:443", {}, ["a"]),  # ansible_host
        ("192.0.2.9:443", {}, [None]),
        ("www.example.com:443", {"www.example.com": ["192.0.2.1"]}, ["a"]),
        ("www.example.com:443", {"www.example.com": ["192.0.2.1", "2001:db8::1"]}, ["a"]),
        ("www.example.com:443", {"www.example.com": ["192.0.2.1", "192.0.2.2"]}, ["a", "c"]),
        ("www.example.com:443", {"www.example.com": ["192.0.2.1", "192.0.2.9"]}, ["a", None]),
        ("www.example.com:443", {"www.example.com": []}, [None]),
        ("www.example.com:443", {}, [None]),
        ("127.0.0.1:443", {}, ["b"]),
        ("localhost:443", {"localhost": ["127.0.0.1", "::1"]}, ["b"]),
        ("unix:/run/a.sock", {}, ["b"]),
        ("172.17.0.1:443", {}, ["b"]),  # an interface that all of them have
    ],
)
def test_who_stands_behind_a_name(server: str, names: Any, asked: list[str | None]) -> None:
    readings = {
        "b": {"tls": host_b(names=names, addresses=["172.17.0.1"])},
        "a": {
            "tls": host_a(addresses=["192.0.2.1", "2001:db8::1", "172.17.0.1"]),
            "addresses": ["198.51.100.7"],
        },
        "c": {"tls": host_a(addresses=["192.0.2.2", "172.17.0.1"])},
    }
    found = connections.Fleet(readings).behind("b", server)
    assert [one.host or None for one in found] == asked
    assert not any(one.several for one in found)


def test_an_address_that_several_hosts_have_is_nobodys() -> None:
    bridge = {"addresses": ["172.18.0.1"]}
    edge = only(host_b(where=location(servers=["172.18.0.1:443"])), host_a(**bridge), c=host_a(**bridge))
    assert (edge["server"], edge["external"], edge["state"]) == (None, False, "unknown")
    assert "several hosts for it: a, c" in edge["client_accepted"]["message"]


def test_one_edge_for_each_server_of_an_upstream_and_each_address_of_a_name() -> None:
    where = location(servers=["192.0.2.1:443", "www.example.com:443"])
    names = {"www.example.com": ["192.0.2.2", "192.0.2.9"]}
    c = host_a(addresses=["192.0.2.2"])
    found = audited(host_b(where=where, names=names), c=c)
    assert [(one["address"], one["server"], one["external"]) for one in found] == [
        ("192.0.2.1:443", "a", False),
        ("www.example.com:443", "c", False),
        ("www.example.com:443", None, True),
    ]  # fmt: skip


def test_the_other_end_is_not_in_the_inventory() -> None:
    edge = only(host_b(where=location(servers=["203.0.113.1:443"])))
    assert (edge["server"], edge["external"], edge["state"]) == (None, True, "unknown")
    assert edge["client_accepted"]["message"] == "not a host of this inventory."


def test_the_other_end_was_not_read() -> None:
    edge = only(host_b(where=location(servers=["c:443"])), c=None)
    assert (edge["server"], edge["external"], edge["state"]) == ("c", False, "unknown")
    assert "was not read" in edge["server_accepted"]["message"]


def test_whom_a_variable_tells_is_not_known() -> None:
    edge = only(host_b(where=location(servers=[], **{"pass": "https://$to"})))
    assert (edge["server"], edge["external"], edge["address"], edge["state"]) == (
        None, None, "https://$to", "unknown",
    )  # fmt: skip


# -- which block answers


def test_the_socket_of_its_own_goes_before_the_wildcard() -> None:
    there = {**TLS_LISTEN, "address": "192.0.2.1"}
    wild, own = site(place="/a:1", verify="off"), site(place="/a:2", listens=[there])
    for sites, asked, place in (
        ([wild, own], "192.0.2.1", "/a:2"), ([wild, own], "192.0.2.8", "/a:1"), ([own, wild], "", "/a:2"),
    ):  # fmt: skip
        found = connections.block_for({"instances": [nginx(sites)]}, 443, NAME, asked)
        assert found is not None and found["place"] == place


def test_names_as_nginx_prefers_them() -> None:
    default, before, after = (site(names=[name], listens=[{**TLS_LISTEN, "default": name == "_"}])
                              for name in ("_", "*.example.com", "orders.*"))  # fmt: skip
    tls = {"instances": [nginx([default, after, before])]}
    assert connections.block_for(tls, 443, NAME) == before
    assert connections.block_for(tls, 443, "orders.test") == after
    assert connections.block_for(tls, 443, "stock.test") == default


@pytest.mark.parametrize(
    ("sites", "where", "told"),
    [
        ([site(listens=[{**TLS_LISTEN, "port": 8443}])], {}, "no nginx of Server A listens there"),
        ([site(names=["~^orders"])], {}, "regular expression"),
        ([site(names=["~^orders", NAME])], {}, ""),
        ([site()], {"name_variable": True, "name": "$host"}, "known to a request only"),
        ([site(names=["_"]), site(listens=[{**TLS_LISTEN, "default": False}])], {"sni": False},
         "no server name"),
        ([site()], {"sni": False}, ""),
        ([site()], {"sni": False, "host": ""}, "no server name"),
    ],
)  # fmt: skip
def test_where_it_is_not_known_which_block_answers(sites: Any, where: Any, told: str) -> None:
    edge = only(host_b(where=location(**where)), host_a(sites=sites))
    assert edge["state"] == ("unknown" if told else "works")
    assert told in edge["client_accepted"]["message"]


@pytest.mark.parametrize(
    ("changes", "state_"),
    [({"pid": None}, "unknown"), ({"ok": False, "emerg": ["x"]}, "unknown"), ({}, "works")],
)
@pytest.mark.parametrize("side", ["a", "b"])
def test_what_lies_there_and_is_not_in_force(side: str, changes: Any, state_: str) -> None:
    b, a = host_b(), host_a()
    {"a": a, "b": b}[side]["instances"][0].update(changes)
    assert only(b, a)["state"] == state_


# -- what they say of each other

OLD = builders.client(ROOT, start=AT - 9 * DAY, end=AT - DAY)
ELSE = builders.server(ROOT, names=("x.example.com",))


@pytest.mark.parametrize(
    ("here", "there", "where", "block_", "told"),
    [
        ([], [], {}, {}, ("accepted", "accepted")),
        ([state("/b/cert.pem", OLD)], [], {}, {}, ("expiry.expired", "accepted")),
        ([state("/b/cert.pem", OLD)], [], {}, {"verify": "off"}, ("accepted", "accepted")),
        ([], [state("/a/trust.pem", OTHER)], {}, {}, ("chain.missing_intermediate", "accepted")),
        ([], [state("/a/trust.pem", OTHER)], {}, {"verify": "optional"},
         ("chain.missing_intermediate", "accepted")),
        ([], [state("/a/trust.pem", OTHER)], {}, {"verify": "optional_no_ca"}, ("accepted", "accepted")),
        ([], [state("/a/trust.pem", OTHER), state("/a/more.pem", ROOT)], {}, {"trusted": file("/a/more.pem")},
         ("accepted", "accepted")),
        ([], [], {"certificate": None}, {}, ("endpoint.client_cert_not_sent", "accepted")),
        ([], [], {"certificate": None}, {"verify": "off"}, ("accepted", "accepted")),
        ([], [], {"certificate": None}, {"verify": "optional"}, ("unknown", "accepted")),
        ([], [], {"certificate": {**file("/b/$x.pem"), "variable": True}}, {}, ("unknown", "accepted")),
        ([], [], {"certificate": {**file(""), "scheme": "engine"}}, {}, ("unknown", "accepted")),
        ([], [], {"certificate": file("/b/gone.pem")}, {}, ("unknown", "accepted")),
        ([], [], {}, {"crl": file("/a/gone.crl")}, ("unknown", "accepted")),
        ([], [], {}, {"trust": None}, ("unknown", "accepted")),
        ([state("/b/trust.pem", OTHER)], [], {}, {}, ("accepted", "chain.missing_intermediate")),
        ([state("/b/trust.pem", OTHER)], [], {"verify": False}, {}, ("accepted", "accepted")),
        ([], [state("/a/cert.pem", ELSE)], {}, {}, ("accepted", "name.mismatch")),
        ([], [state("/a/cert.pem", ELSE)], {"verify": False}, {}, ("accepted", "accepted")),
        ([], [], {"name": "192.0.2.1", "sni": False}, {}, ("accepted", "name.mismatch")),
        ([], [], {"trust": None}, {}, ("accepted", "unknown")),
        ([], [], {}, {"certificates": []}, ("accepted", "unknown")),
        ([], [], {}, {"served": [{"sha256": "0" * 64}]}, ("accepted", "unknown")),
        ([], [], {}, {"served": [{"sha256": None}]}, ("accepted", "accepted")),
        ([], [], {}, {"reject_handshake": True}, ("endpoint.sni_unknown", "unknown")),
        ([], [], {}, {"listens": [{**TLS_LISTEN, "tls": False}]}, ("endpoint.plain_on_tls_port", "unknown")),
    ],
)  # fmt: skip
def test_by_the_files_of_both(here: Any, there: Any, where: Any, block_: Any, told: Any) -> None:
    edge = only(host_b(*here, where=location(**where)), host_a(*there, sites=[site(**block_)]))
    assert answers(edge) == told
    refused = any("." in one for one in told)
    assert edge["state"] == ("refused" if refused else "unknown" if "unknown" in told else "works")


def test_the_revocation_list_of_a_stranger() -> None:
    for revoked, told in ((CLIENT, "crl.revoked"), (SERVER, "accepted")):
        pem = builders.revoke(ROOT, revoked).public_bytes(builders._ENCODING.PEM)
        a = host_a(state("/a/crl.pem", crl=pem), sites=[site(crl=file("/a/crl.pem"))])
        assert answers(only(host_b(), a))[0] == told


def test_two_certificates_of_which_one_is_accepted() -> None:
    other = {"certificate": file("/a/more.pem"), "key": file("/a/key.pem")}
    pairs = [{"certificate": file("/a/cert.pem"), "key": file("/a/key.pem")}, other]
    for second, told in ((SERVER, "accepted"), (ELSE, "unknown")):
        a = host_a(state("/a/more.pem", second), sites=[site(certificates=pairs)])
        assert answers(only(host_b(), a))[1] == told


def test_a_refusal_is_a_finding_of_who_asks_and_says_where() -> None:
    hostvars = {"b": {"mtls_audit_tls": host_b(state("/b/cert.pem", OLD))}, "a": {"mtls_audit_tls": host_a()}}
    said = [one for one in report(hostvars, {"all": ["a", "b"]}, AT)["findings"] if one["host"] == "b"]
    (finding,) = [one for one in said if one["code"] == "expiry.expired"]
    assert finding["place"] == "/etc/nginx/b.conf:9"
    assert finding["message"].startswith("Server A refuses the client certificate of b: ")


def test_what_a_host_makes_up_stops_nobody() -> None:
    bad = {
        **state("/b/cert.pem", CLIENT),
        "pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    assert answers(only(host_b(bad)))[0] not in ("accepted", "")


# -- beside the edges of the inventory

OURS = "/etc/nginx/mtls/releases/0a/proxy/credentials/client/fullchain.pem"


def model(**more: Any) -> dict[str, Any]:
    well = {"now": "accepted", "during": "accepted", "after": "accepted", "outcome": "works", "reason": None}
    return {
        "proxy": "b", "route": "orders", "credential": "client", "server": "a", "site": "orders",
        "server_name": NAME, "address": "192.0.2.1:443", "external": False, "client_accepted": well,
        "server_accepted": well, **more,
    }  # fmt: skip


def test_an_edge_that_the_inventory_wants_is_told_once() -> None:
    ours = location(ours=True, certificate=file(OURS))
    hostvars = {
        "b": {"mtls_audit_tls": host_b(where=[ours, {**ours, "path": "/x"}])},
        "a": {"mtls_audit_tls": host_a()},
    }
    for wanted, told in (
        ([model()], ["orders"]),
        ([model(server_name="x.example.com")], ["orders", "/", "/x"]),
        ([], ["/", "/x"]),
    ):
        edges = report(hostvars, {"all": ["a", "b"]}, AT, {"edges": wanted})["edges"]
        assert [one["route"] for one in edges] == told
    foreign = {"b": {"mtls_audit_tls": host_b()}, "a": {"mtls_audit_tls": host_a()}}
    edges = report(foreign, {"all": ["a", "b"]}, AT, {"edges": [model()]})["edges"]
    assert [one["route"] for one in edges] == ["orders", "/"]


def test_a_route_to_a_server_that_is_not_managed_is_judged_all_the_same() -> None:
    ours = location(ours=True, certificate=file(OURS))
    hostvars = {
        "b": {"mtls_audit_tls": host_b(state(OURS, OLD), where=ours)}, "a": {"mtls_audit_tls": host_a()},
    }  # fmt: skip
    stranger = {"server": None, "site": None, "external": True}
    (edge,) = report(hostvars, {"all": ["a", "b"]}, AT, {"edges": [model(**stranger)]})["edges"]
    assert (edge["route"], edge["credential"], edge["server"]) == ("orders", "client", "a")
    assert answers(edge) == ("expiry.expired", "accepted")
