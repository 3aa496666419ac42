# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter as a playbook calls it, over the example projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.filter.mtls_model import FilterModule, mtls_model
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import load, write

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"
#: The folder that holds ansible_collections, by which this test file itself was found.
COLLECTIONS = next(
    path for path in sys.path if (Path(path) / "ansible_collections/mutual_tls/nginx").is_dir()
)

PLAY = """
- hosts: mtls_servers:mtls_proxies
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        mtls_fleet: "{{ hostvars | mutual_tls.nginx.mtls_model(groups=groups) }}"
      run_once: true
    - ansible.builtin.copy:
        content: "{{ [mtls_fleet, hostvars['HOST'] | mutual_tls.nginx.mtls_model] | to_json }}"
        dest: "{{ result }}"
        mode: "0600"
      run_once: true
      delegate_to: localhost
      vars:
        ansible_connection: local
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""


def example(name, folder=EXAMPLES):
    hostvars, groups = load(str(folder / name / "inventory.yml"))
    return mtls_model(hostvars, groups=groups)


def with_clients(folder):
    """A copy of the fleet example with the certificates that its allowlist names."""
    project = folder / "fleet"
    shutil.copytree(EXAMPLES / "fleet", project)
    for name in ("b2", "b4", "b5", "b5-billing"):
        (project / f"pki/{name}.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return folder


def play(folder, inventory, host):
    """Runs the filter in a real play; returns the process and what the play wrote."""
    playbook, result = folder / "play.yml", folder / "result.json"
    playbook.write_text(PLAY.replace("HOST", host), encoding="utf-8")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), "-e", f"result={result}"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS, "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*command, str(playbook)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, json.loads(result.read_text(encoding="utf-8")) if result.exists() else None


def test_the_simple_example():
    found = example("simple")
    assert list(found["hosts"]) == ["a1.example.com", "b1.example.com"]
    (site,) = found["hosts"]["a1.example.com"]["sites"]
    assert (site["server_names"], site["backend"]["servers"]) == (["orders.example.com"], ["127.0.0.1:8000"])
    (edge,) = found["edges"]
    assert (edge["server"], edge["site"], edge["address"]) == (
        "a1.example.com",
        "orders",
        "a1.example.com:443",
    )
    assert found["hosts"]["b1.example.com"]["private_ca"]["dir"] == str(EXAMPLES / "simple/private_ca")
    assert found["warnings"] == []


def test_the_fleet_example(tmp_path):
    found = example("fleet", with_clients(tmp_path))
    assert list(found["hosts"]) == ["a1", "a2", "a3", "b1", "b2", "b3", "b4", "b5"]
    pki = str(tmp_path / "fleet/pki")
    server, probe = found["hosts"]["a2"]["credentials"]
    assert server["files"]["private_key"] == f"{pki}/a2.key.vault"
    assert (server["hostnames"], server["crl"]) == (
        ["orders.example.internal"],
        [{"src": f"{pki}/clients-ca.crl"}],
    )
    assert (probe["name"], probe["files"]["certificate"]) == ("probe", f"{pki}/probe.pem")
    (site,) = found["hosts"]["a1"]["sites"]
    assert site["allow"][:3] == [
        {"dn": "CN=b1,O=Shop"},
        {"certificate": {"src": f"{pki}/b2.pem"}},
        {"issuer": "CN=Clients,O=Shop", "serial": "1F"},
    ]
    (client,) = found["hosts"]["b1"]["credentials"]
    assert (client["issuer"], client["trust"]["sources"]) == ("files", [{"src": f"{pki}/servers-ca.pem"}])
    assert len(found["edges"]) == 6 * 3
    assert not any(edge["external"] for edge in found["edges"])
    assert found["warnings"] == []


def test_two_identities_have_two_routes(tmp_path):
    b5 = example("fleet", with_clients(tmp_path))["hosts"]["b5"]
    assert [(route["listen"], route["credential"]) for route in b5["routes"]] == [
        ("127.0.0.1:8080", "client"),
        ("127.0.0.1:8081", "billing"),
    ]
    assert [entry["common_name"] for entry in b5["credentials"]] == ["b5", "b5.billing"]


@pytest.mark.parametrize(("name", "host"), [("simple", "a1.example.com"), ("fleet", "a1")])
def test_in_a_play(name, host, tmp_path):
    """The same from Jinja, with lazy templating and through a fact."""
    folder = EXAMPLES if name == "simple" else with_clients(tmp_path)
    done, result = play(tmp_path, folder / name / "inventory.yml", host)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = example(name, folder)
    assert result == [wanted, wanted["hosts"][host]]


def test_a_play_with_an_undefined_variable_of_ours(tmp_path):
    bad = {"mtls_server_sites": [{"name": "orders", "backend": "http://{{ nowhere }}:80"}]}
    inventory = write(tmp_path, {"mtls_servers": {"a1": bad, "a2": {"mine": "{{ nowhere }}"}}})
    done, _result = play(tmp_path, inventory, "a1")
    assert done.returncode != 0
    assert "a1: mtls_server_sites: cannot be rendered" in done.stdout
    assert "nowhere" in done.stdout
    assert "a2:" not in done.stdout


ADDRESS = "{{ hostvars['a1']['ansible_host'] }}:443"
ALL_OF_GROUP = """
{{ groups['mtls_servers'] | map('extract', hostvars, 'ansible_host') | map('regex_replace', '$', ':443') }}
""".strip()


def other_hosts(folder, servers, **more):
    """A fleet whose b1 takes the addresses of its servers from hostvars, and a1 its own from a variable."""
    a = {
        "a1": {"ansible_host": "192.0.2.{{ number }}", "number": 7},
        "a2": {"ansible_host": "192.0.2.8"},
    }
    site = {"mtls_server_sites": [{"name": "orders", "server_names": ["orders.test"]}]}
    route = {"name": "orders", "server_name": "orders.test", "servers": servers}
    inventory = {
        "mtls_servers": {host: {**given, **site} for host, given in a.items()},
        "mtls_proxies": {"b1": {"mtls_proxy_routes": [route], **more}},
    }
    return write(folder, inventory)


def addresses(model):
    (route,) = model["hosts"]["b1"]["routes"]
    return [server["address"] for server in route["servers"]]


@pytest.mark.parametrize(
    ("servers", "wanted"),
    [
        ([ADDRESS], ["192.0.2.7:443"]),
        (ALL_OF_GROUP, ["192.0.2.7:443", "192.0.2.8:443"]),
        ("{{ mine }}", ["192.0.2.7:443"]),
    ],
)
def test_a_variable_that_uses_those_of_other_hosts(servers, wanted, tmp_path):
    inventory = other_hosts(tmp_path, servers, mine=[ADDRESS])
    hostvars, groups = load(inventory)
    model = mtls_model(hostvars, groups=groups)
    assert addresses(model) == wanted
    assert not any(edge["external"] for edge in model["edges"])
    done, result = play(tmp_path, inventory, "a1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result == [model, model["hosts"]["a1"]]


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ("{{ hostvars['a9']['ansible_host'] }}:443", "a9"),
        ("{{ hostvars['a1']['nowhere'] }}:443", "nowhere"),
        # Of another host's variables Ansible itself reads none that uses hostvars in turn.
        ("{{ hostvars['b1']['mine'] }}", "in turn"),
    ],
)
def test_what_other_hosts_have_not(servers, says, tmp_path):
    hostvars, groups = load(other_hosts(tmp_path, [servers], mine=ADDRESS))
    with pytest.raises(AnsibleFilterError, match="b1: mtls_proxy_routes: cannot be rendered") as caught:
        mtls_model(hostvars, groups=groups)
    assert says in str(caught.value)


def test_the_variables_of_one_host_alone_have_no_others(tmp_path):
    hostvars, _groups = load(other_hosts(tmp_path, [ADDRESS]))
    with pytest.raises(AnsibleFilterError, match=r"mtls_proxy_routes: cannot be rendered.*groups=groups"):
        mtls_model(hostvars["b1"])


def test_all_of_hostvars_needs_groups():
    hostvars, _groups = load(str(EXAMPLES / "simple/inventory.yml"))
    with pytest.raises(AnsibleFilterError, match="groups=groups"):
        mtls_model(hostvars)


def test_not_a_mapping():
    with pytest.raises(AnsibleFilterError, match=r"hostvars\[HOST\]"):
        mtls_model(["a1"])


def test_a_problem_is_a_filter_error(tmp_path):
    hostvars, groups = load(write(tmp_path, {"mtls_servers": {"a1": {"mtls_server_site": []}}}))
    with pytest.raises(AnsibleFilterError, match="a1: mtls_server_site: there is no such variable"):
        mtls_model(hostvars, groups=groups)


def test_registered():
    assert FilterModule().filters() == {"mtls_model": mtls_model}


@pytest.mark.parametrize("name", ["simple", "fleet"])
def test_an_example_is_a_whole_project(name):
    """What a user copies: runs by `ansible-playbook site.yml` in the folder, and pipelines."""
    folder = EXAMPLES / name
    assert "import_playbook: mutual_tls.nginx.site" in (folder / "site.yml").read_text(encoding="utf-8")
    config = (folder / "ansible.cfg").read_text(encoding="utf-8")
    assert "pipelining = True" in config
    assert "inventory = inventory.yml" in config
    assert not list(folder.rglob("*.key"))
