# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only all hosts together tell: default routes, edges, one report of all problems."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model, host_model
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import fleet, load, write


def site(*names, name="orders", **values):
    return {"mtls_server_sites": [{"name": name, "server_names": list(names), **values}]}


def route(**values):
    return {"mtls_proxy_routes": [{"name": "orders", **values}]}


def the_route(folder, hosts, **values):
    (found,) = fleet(folder, hosts, {"b1": route(**values)})["hosts"]["b1"]["routes"]
    return found


def addresses(found):
    return [server["address"] for server in found["servers"]]


def refusal(folder, servers, proxies):
    with pytest.raises(MtlsError) as caught:
        fleet(folder, servers, proxies)
    return str(caught.value)


THREE = {"a1": site("o.test"), "a2": site("o.test", "p.test"), "a3": site("p.test", listen=["8443"])}


def test_servers_are_every_a_with_that_name(tmp_path):
    assert addresses(the_route(tmp_path, THREE, server_name="o.test")) == ["a1:443", "a2:443"]
    assert addresses(the_route(tmp_path, THREE, server_name="p.test")) == ["a2:443", "a3:8443"]


def test_servers_may_be_backups_and_have_weights(tmp_path):
    given = ["a1", {"address": "a2", "backup": True}, {"address": "A3:444", "weight": "2"}]
    servers = {name: site("o.test", listen=["443", "444"]) for name in ("a1", "a2", "a3")}
    assert the_route(tmp_path, servers, server_name="o.test", servers=given)["servers"] == [
        {"address": "a1:443", "backup": False, "weight": 1},
        {"address": "a2:443", "backup": True, "weight": 1},
        {"address": "a3:444", "backup": False, "weight": 2},
    ]
    found = fleet(tmp_path, servers, {"b1": route(server_name="o.test", servers=given)})["edges"]
    assert [(edge["server"], edge["address"]) for edge in found] == [
        ("a1", "a1:443"),
        ("a2", "a2:443"),
        ("a3", "a3:444"),
    ]


def test_the_port_is_of_the_first_listen_that_others_reach(tmp_path):
    servers = {"a1": site("o.test", listen=["127.0.0.1:1", "[::1]:2", "8443", "443"])}
    assert addresses(the_route(tmp_path, servers, server_name="o.test")) == ["a1:8443"]
    both = fleet(tmp_path, servers, {"a1": route(server_name="o.test", listen="8080")})
    assert addresses(both["hosts"]["a1"]["routes"][0]) == ["a1:1"]


def test_a_site_on_loopback_alone_is_out_of_reach(tmp_path):
    servers = {"a1": site("o.test", listen=["127.0.0.1:443"])}
    assert "can be reached" in refusal(tmp_path, servers, {"b1": route(server_name="o.test")})


def test_the_default_route_takes_the_one_common_name(tmp_path):
    found = fleet(tmp_path, {"a1": site("o.test", "x.test"), "a2": site("y.test", "o.test")}, {"b1": {}})
    (default,) = found["hosts"]["b1"]["routes"]
    assert (default["server_name"], addresses(default)) == ("o.test", ["a1:443", "a2:443"])


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ({"a1": {}, "a2": {}}, ["no name in common", "a1: a1", "a2: a2", "server_names"]),
        ({"a1": site("o.test", "p.test")}, ["several names in common: o.test, p.test"]),
        ({}, ["no host in mtls_servers"]),
    ],
)
def test_the_default_route_without_one_common_name(servers, words, tmp_path):
    message = refusal(tmp_path, servers, {"b1": {}})
    assert [word for word in ["b1: mtls_proxy_routes.server_name:", *words] if word not in message] == []


def test_a_route_without_a_name_takes_that_of_its_servers(tmp_path):
    found = the_route(tmp_path, {"a1": site("o.test"), "a2": site("p.test")}, servers=["a2"])
    assert (found["server_name"], addresses(found)) == ("p.test", ["a2:443"])
    mapped = the_route(tmp_path, {"a1": site("o.test"), "a2": site("p.test")}, servers=[{"address": "a2"}])
    assert (mapped["server_name"], addresses(mapped)) == ("p.test", ["a2:443"])


def test_edges(tmp_path):
    found = fleet(tmp_path, THREE, {"b1": route(server_name="o.test")})["edges"]
    assert found[0] == {
        "proxy": "b1",
        "route": "orders",
        "credential": "client",
        "server": "a1",
        "site": "orders",
        "server_name": "o.test",
        "address": "a1:443",
        "external": False,
    }
    assert [edge["server"] for edge in found] == ["a1", "a2"]


@pytest.mark.parametrize(
    "address", ["a1:443", "A1:443", "192.0.2.1:443", "a1.example.com:443", "[2001:db8:0::1]:443"]
)
def test_a_server_may_be_called_by_any_of_its_names(address):
    host = "2001:db8::1" if "[" in address else "192.0.2.1"
    hosts = {
        "a1": {**site("o.test"), "ansible_host": host, "ansible_facts": {"fqdn": "a1.example.com"}},
        "a2": site("o.test"),
        "b1": route(server_name="o.test", servers=[address]),
    }
    hostvars = {name: {**values, "inventory_dir": "/srv"} for name, values in hosts.items()}
    found = fleet_model(hostvars, None, {"mtls_servers": ["a1", "a2"], "mtls_proxies": ["b1"]})
    assert [(edge["server"], edge["external"]) for edge in found["edges"]] == [("a1", False)]
    assert found["hosts"]["b1"]["routes"][0]["probe_path"] == "/.mtls/probe"
    assert found["addresses"] == {
        "a1": ["a1"],
        "a1.example.com": ["a1"],
        host: ["a1"],
        "a2": ["a2"],
    }


def test_the_edge_goes_to_the_site_of_that_port(tmp_path):
    servers = {
        "a1": {
            "mtls_server_sites": [
                {"name": "one", "server_names": ["o.test"], "listen": ["443"]},
                {"name": "two", "server_names": ["o.test"], "listen": ["8443"]},
            ]
        }
    }
    found = fleet(tmp_path, servers, {"b1": route(server_name="o.test", servers=["a1:8443"])})
    assert [edge["site"] for edge in found["edges"]] == ["two"]


def two_addresses(**ext):
    """One name on two addresses of one port: two sites."""
    sites = [
        {"name": "int", "server_names": ["o.test"], "listen": ["10.0.0.1:443"], "probe_path": "/int"},
        {"name": "ext", "server_names": ["o.test"], "listen": ["192.0.2.1:443"], "probe_path": "/ext", **ext},
    ]
    return {"a1": {"mtls_server_sites": sites, "ansible_host": "192.0.2.1"}}


@pytest.mark.parametrize("ext", [{}, {"listen": ["443"]}])
def test_the_edge_goes_to_the_site_of_that_address(tmp_path, ext):
    found = fleet(
        tmp_path, two_addresses(**ext), {"b1": route(server_name="o.test", servers=["192.0.2.1:443"])}
    )
    assert [edge["site"] for edge in found["edges"]] == ["ext"]
    assert found["hosts"]["b1"]["routes"][0]["probe_path"] == "/ext"


def test_a_name_that_leaves_two_sites_possible_is_a_problem(tmp_path):
    routes = {"b1": route(server_name="o.test", servers=["a1:443"])}
    with pytest.raises(MtlsError, match=r"b1: .*a1:443 may be site 'int' or 'ext' of a1.*Name the address"):
        fleet(tmp_path, two_addresses(), routes)
    # At another port, or on the loopback address of A, there is but one.
    for listen in ("8443", "127.0.0.1:443"):
        found = fleet(tmp_path, two_addresses(listen=[listen]), routes)
        assert [edge["site"] for edge in found["edges"]] == ["int"]


def test_somebody_else_s_server_is_external(tmp_path):
    found = fleet(
        tmp_path, THREE, {"b1": route(server_name="o.test", servers=["a1:443", "lb.example.com:443"])}
    )
    assert [(edge["server"], edge["external"]) for edge in found["edges"]] == [("a1", False), (None, True)]
    (mixed,) = found["hosts"]["b1"]["routes"]
    assert (mixed["external"], mixed["probe_path"]) == (True, None)
    assert found["warnings"] == []


def test_our_server_without_such_a_site_is_a_warning(tmp_path):
    found = fleet(tmp_path, THREE, {"b1": route(server_name="other.test", servers=["a1:443"])})
    assert [edge["external"] for edge in found["edges"]] == [True]
    (warning,) = found["warnings"]
    assert "a1:443 is a1 of mtls_servers" in warning


def test_probe_path_comes_from_the_sites(tmp_path):
    servers = {"a1": site("o.test", probe_path="/p"), "a2": site("o.test", probe_path="/p")}
    assert the_route(tmp_path, servers, server_name="o.test")["probe_path"] == "/p"
    servers["a2"] = site("o.test", probe_path="/q")
    message = refusal(tmp_path, servers, {"b1": route(server_name="o.test")})
    assert (
        "mtls_proxy_routes[0]: its servers have different values of probe_path: /p on a1, /q on a2" in message
    )


def test_a_proxy_does_not_speak_the_proxy_protocol(tmp_path):
    servers = {"a1": site("o.test", proxy_protocol=True)}
    assert "PROXY protocol" in refusal(tmp_path, servers, {"b1": route(server_name="o.test")})
    assert the_route(tmp_path, servers, server_name="o.test", servers=["lb.test"])["external"]


def test_a_route_where_a_site_listens_is_refused(tmp_path):
    host = {**site("o.test", listen=["8080"]), **route(server_name="o.test", listen="*:8080")}
    assert "0.0.0.0:8080 is taken by site 'orders'" in refusal(tmp_path, {"a1": host}, {"a1": host})
    host = {**host, **route(server_name="o.test", listen="127.0.0.1:8081")}
    assert fleet(tmp_path, {"a1": host}, {"a1": host})


@pytest.mark.parametrize(
    ("site_s", "route_s", "free"),
    [
        ("443", "127.0.0.1:443", False),
        ("443", "127.0.0.2:443", True),
        ("443", "[::1]:443", True),
        ("[::]:443", "[::1]:443", False),
        ("127.0.0.1:443", "443", False),
        ("192.0.2.1:443", "443", True),
        ("443", "192.0.2.1:443", True),
    ],
)
def test_a_route_where_a_site_is_proven_is_refused(site_s, route_s, free, tmp_path):
    """A wildcard is asked on the loopback address, and there the nearer address answers."""
    host = {**site("o.test", listen=[site_s, "8443"]), **route(server_name="o.test", listen=route_s)}
    if free:
        assert fleet(tmp_path, {"a1": host}, {"a1": host})
    else:
        assert "is taken by site 'orders'" in refusal(tmp_path, {"a1": host}, {"a1": host})


def test_all_problems_of_all_hosts_are_told_together(tmp_path):
    servers = {f"a{number}": {"nginx_mtls_keep": 0, **site("o.test")} for number in range(1, 6)}
    servers["a3"] = {**servers["a3"], "mtls_server_site": [], "private_ca_throttle": 0}
    message = refusal(tmp_path, servers, {"b1": {"mtls_proxy_credentials": [{"name": "probe"}]}})
    assert message.splitlines() == [
        "The inventory has 4 problems.",
        "  b1: mtls_proxy_credentials[0].name: 'probe' is reserved for the proof. Choose another name.",
        '  a3: mtls_server_site: there is no such variable. Did you mean "mtls_server_sites"?',
        "  a1, a2, a3 and 2 more: nginx_mtls_keep: must be at least 1, or there is none to go back to.",
        "  a3: private_ca_throttle: must be at least 1.",
    ]


def test_what_follows_from_a_broken_server_is_not_told(tmp_path):
    message = refusal(tmp_path, {"a1": {"mtls_server_sites": [{"name": "x", "listn": 1}]}}, {"b1": {}})
    assert "listn" in message
    assert "b1" not in message


def test_one_private_authority_for_the_fleet(tmp_path):
    message = refusal(tmp_path, {"a1": {"private_ca_name": "one"}}, {"b1": {"private_ca_name": "two"}})
    assert "b1: private_ca_name: is 'two', and 'one' on a1" in message
    files = {"issuer": "files", "files": {"certificate": "/c", "private_key": "/k"}}
    own = {
        "private_ca_name": "two",
        "mtls_proxy_credential_defaults": {**files, "trust": {"sources": [{"src": "/t"}]}},
    }
    assert fleet(tmp_path, {"a1": {"private_ca_name": "one"}}, {"b1": own})


@pytest.mark.parametrize(
    ("variable", "warned"),
    [("mtls_servers_sites", True), ("private_ca", False), ("mtls_fleet", False), ("mtls_private_ca", False)],
)
def test_a_variable_that_only_looks_like_ours_is_a_warning(variable, warned, tmp_path):
    warnings = fleet(tmp_path, {"a1": {variable: []}})["warnings"]
    assert [variable in warning for warning in warnings] == [True] * warned


@pytest.mark.parametrize(
    "variable", ["mtls_fleet", "mtls_requests", "mtls_issued", "mtls_nginx_version", "mtls_private_ca"]
)
def test_facts_of_the_roles_are_no_problem(variable, tmp_path):
    assert fleet(tmp_path, {"a1": {variable: {}, "mtls_server_result": {}}})["warnings"] == []


def test_risks_are_warnings(tmp_path):
    found = fleet(tmp_path, {"a1": site("o.test", verify="optional_no_ca")}, {"b1": route(listen="8080")})
    assert ["optional_no_ca" in found["warnings"][1], "0.0.0.0:8080" in found["warnings"][0]] == [True, True]


@pytest.mark.parametrize(("keepalive", "warned"), [("auto", 0), (0, 0), (1, 1), (63, 1), (64, 0), (200, 0)])
def test_a_pool_that_is_smaller_than_usual_is_a_warning(keepalive, warned, tmp_path):
    found = fleet(tmp_path, {"a1": site("o.test")}, {"b1": route(keepalive=keepalive)})["warnings"]
    assert len(found) == warned
    assert all(f"keepalive {keepalive} is less than 64" in text for text in found)


@pytest.mark.parametrize(("number", "pool"), [(0, 384), (1, 384), (2, 192), (5, 76), (6, 64), (20, 64)])
def test_the_pools_of_a_host_hold_what_a_worker_can_have_under_way(number, pool, tmp_path):
    routes = [{"name": f"r{index}", "path": f"/{index}/", "server_name": "o.test"} for index in range(number)]
    found = fleet(tmp_path, {"a1": site("o.test")}, {"b1": {"mtls_proxy_routes": routes}})["hosts"]["b1"]
    assert [one["keepalive"] for one in found["routes"]] == [pool] * max(1, number)


def test_groups_of_other_names(tmp_path):
    hostvars, groups = load(write(tmp_path, {"mtls_server": {"a1": {}}, "web": {"a2": {}}}))
    with pytest.raises(MtlsError, match=r'There is mtls_server\. Did you mean "mtls_servers"'):
        fleet_model(hostvars, None, groups)


def test_hosts_may_be_named(tmp_path):
    hostvars, groups = load(write(tmp_path, {"mtls_servers": {"a1": {}, "a2": {"nginx_mtls_keep": 0}}}))
    assert list(fleet_model(hostvars, ["a1"], groups)["hosts"]) == ["a1"]
    with pytest.raises(MtlsError, match="a9: hosts: there is no such host"):
        fleet_model(hostvars, ["a9"], groups)


def test_an_inventory_without_a_directory():
    """`-i HOST,` has none, so relative paths and the private authority have no place."""
    hostvars, groups = load("a1,")
    groups = {**groups, "mtls_servers": ["a1"]}
    with pytest.raises(MtlsError, match=r"private_ca_dir: must be set to an absolute path"):
        fleet_model(hostvars, None, groups)


def test_a_relative_path_without_an_inventory_directory():
    files = {"certificate": "a.pem", "private_key": "/srv/a.key"}
    own = {
        "name": "server",
        "issuer": "files",
        "files": files,
        "trust": {"sources": [{"src": "/srv/ca.pem"}]},
    }
    hostvars = {"a1": {"inventory_dir": None, "mtls_server_credentials": [own]}}
    with pytest.raises(MtlsError, match=r"credentials\[0\]\.files\.certificate: is a relative path"):
        fleet_model(hostvars, None, {"mtls_servers": ["a1"]})
    own["files"] = {**files, "certificate": "/srv/a.pem"}
    assert fleet_model(hostvars, None, {"mtls_servers": ["a1"]})["hosts"]["a1"]["private_ca"]["dir"] == ""


@pytest.mark.parametrize(
    ("sites", "place"),
    [([], "mtls_server_sites:"), ([{"name": "orders"}], r"mtls_server_sites\[0\]\.server_names:")],
)
def test_an_address_as_inventory_name_is_no_server_name(sites, place, tmp_path):
    with pytest.raises(MtlsError, match=rf"192\.0\.2\.1: {place} the default .* IP address.*server_names"):
        fleet(tmp_path, {"192.0.2.1": {"mtls_server_sites": sites}})
    assert fleet(tmp_path, {"192.0.2.1": site("o.test")})


def test_one_host_alone(tmp_path):
    hostvars, _groups = load(write(tmp_path, {"mtls_servers": {"a1": {}}, "mtls_proxies": {"b1": {}}}))
    assert host_model(hostvars["a1"])["sites"][0]["server_names"] == ["a1"]
    (alone,) = host_model(hostvars["b1"])["routes"]
    assert (alone["server_name"], alone["servers"]) == ("", [])


def test_one_host_alone_is_refused_as_well(tmp_path):
    hostvars, _groups = load(write(tmp_path, {"mtls_servers": {"a1": {"mtls_server_site": []}}}))
    with pytest.raises(MtlsError, match="a1: mtls_server_site:"):
        host_model(hostvars["a1"])


def test_variables_that_are_not_ours_are_not_rendered(tmp_path):
    others = {"mine": "{{ nowhere }}", "ansible_user": "{{ nowhere }}", "nginx_user": "{{ 1 / 0 }}"}
    assert fleet(tmp_path, {"a1": others})


def test_templates_are_rendered_for_their_own_host(tmp_path):
    ours = site("{{ short }}.test", backend={"servers": ["{{ backend }}"]})
    servers = {host: {**ours, "short": host, "backend": f"{host}.internal:80"} for host in ["a1", "a2"]}
    found = fleet(tmp_path, servers)["hosts"]
    assert [found[host]["sites"][0]["server_names"] for host in servers] == [["a1.test"], ["a2.test"]]
    assert found["a2"]["sites"][0]["backend"]["servers"] == ["a2.internal:80"]


@pytest.mark.parametrize(
    ("backend", "warned"), [("https://app.example.internal", 1), ("http://127.0.0.1:8000", 0)]
)
def test_an_https_backend_is_not_verified_by_itself(tmp_path, backend, warned):
    site = {"name": "orders", "server_names": ["orders.example.com"], "backend": backend}
    warnings = fleet(tmp_path, {"a1": {"mtls_server_sites": [site]}})["warnings"]
    assert ["proxy_ssl_verify" in warning for warning in warnings] == [True] * warned
