# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""diagnose.yml and audit.yml on real hosts: one line where all is well, else the cause. Nothing is changed.

What each fault is said to be is in tests/live/test_explain.py.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ca_scene import unreachable
from live import reload_nginx
from page import Page
from scene import Scene

A, B, C = "a.example.com", "b.example.com", "c.example.com"
PAGE = Page("diagnosis.md")
#: A location as many have it: no certificate, nobody verified, on every address.
OLD = """
server {
    listen 8099;
    location / { proxy_pass https://a.example.com; proxy_set_header Host orders.example.com;
                 proxy_ssl_server_name on; proxy_ssl_name orders.example.com; }
}
"""
OF_B = "/etc/nginx/mtls/current/proxy/credentials/client"
#: One by a name that stands for Server A and for a host where nobody listens.
PAIR = f"""
server {{
    listen 127.0.0.1:8098;
    location / {{ proxy_pass https://pair.example.com; proxy_set_header Host orders.example.com;
                 proxy_ssl_server_name on; proxy_ssl_name orders.example.com; proxy_ssl_verify on;
                 proxy_ssl_trusted_certificate {OF_B}/trust.pem;
                 proxy_ssl_certificate {OF_B}/fullchain.pem; proxy_ssl_certificate_key {OF_B}/privkey.pem; }}
}}
"""
ASK = 'import urllib.request as r; r.urlopen("http://127.0.0.1:8098/").read()'


def diagnosed(scene: Scene, tmp_path: Path, *arguments: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """What was printed, and the connections by "client place target"."""
    file = tmp_path / "edges.json"
    code, output = scene.ansible(*arguments, "-e", f"diagnose_json={file}")
    assert code == 0, output
    edges = {f"{one['client']} {one['place']} {one['target']}": one for one in json.loads(file.read_text())}
    return output, edges


@contextlib.contextmanager
def another_location(scene: Scene, text: str = OLD) -> Iterator[None]:
    scene.write("b", "/etc/nginx/conf.d/old.conf", text)
    reload_nginx(scene.hosts["b"])
    try:
        yield
    finally:
        scene.run("b", "rm /etc/nginx/conf.d/old.conf")
        reload_nginx(scene.hosts["b"])


def test_all_is_well_and_nothing_is_changed(scene, tmp_path):
    before = [scene.snapshot(host) for host in "abc"]
    output, edges = diagnosed(scene, tmp_path, *PAGE.words("diagnose"))
    ours = {name: one for name, one in edges.items() if one["server"] in (A, C)}
    assert {(one["client"], one["server"]) for one in ours.values()} >= {(B, A), (C, A)}
    assert all(one["well"] for one in ours.values()), ours
    assert f"ok      {B} / → {A}" in output
    assert "BROKEN" not in output
    assert [scene.snapshot(host) for host in "abc"] == before


def test_one_request_by_hand(scene):
    """From the controller, which is no host of the inventory."""
    command = (
        'ansible localhost -m mutual_tls.nginx.endpoint_info -a "host=a1.example.com'
        " server_name=orders.example.com certificate_path=/etc/pki/b1/fullchain.pem"
        ' private_key_path=/etc/pki/b1/privkey.pem"'
    )
    address = scene.run("a", "hostname -I").split()[0]
    for name, findings in (("caller", []), ("c-legacy", ["endpoint.issuer_unknown"])):
        instead = {
            "a1.example.com": address,
            "/etc/pki/b1/fullchain.pem": str(scene.pki / f"{name}.pem"),
            "/etc/pki/b1/privkey.pem": str(scene.pki / f"{name}.key"),
        }
        # Molecule's own configuration asks for YAML.
        code, output = scene.ansible(*PAGE.words(command, instead), ANSIBLE_CALLBACK_RESULT_FORMAT="json")
        assert code == 0, output
        (seen,) = json.loads(output[output.index("{") :])["probes"]
        assert [one["code"] for one in seen["findings"]] == findings


def test_a_server_that_is_down_and_a_location_of_somebody_else(scene, tmp_path):
    given = PAGE.words("diagnose -e diagnose_client=b.example.com")
    with another_location(scene):
        output, edges = diagnosed(scene, tmp_path, *given)
        found = {one["place"]: [each["code"] for each in one["findings"]] for one in edges.values()}
        old = next(codes for place, codes in found.items() if "old.conf" in place)
        assert old == ["endpoint.client_cert_not_sent"]
        assert [] in found.values()
        assert "Set proxy_ssl_certificate and proxy_ssl_certificate_key" in output
        scene.run("a", "systemctl stop nginx")
        try:
            both = PAGE.words("diagnose -e diagnose_client=b.example.com -e diagnose_server=a.example.com")
            dummy, edges = diagnosed(scene, tmp_path, *both)
        finally:
            scene.run("a", "systemctl start nginx")
    assert edges
    assert {each["code"] for one in edges.values() for each in one["findings"][:1]} == {"endpoint.nginx_down"}


@pytest.mark.whole
def test_one_of_two_addresses_of_a_name(scene, tmp_path):
    """nginx goes on with the other one, so that every request is answered."""
    right, wrong = (scene.run(host, "hostname -I").split()[0] for host in "ab")
    known = scene.run("b", "cat /etc/hosts")
    lines = [known, *(f"{address} pair.example.com" for address in (right, wrong)), ""]
    scene.write("b", "/etc/hosts", "\n".join(lines))
    try:
        with another_location(scene, PAIR):
            for dummy in range(2):  # each of the two comes first once
                scene.run("b", f"python3 -c '{ASK}'")
            given = PAGE.words("diagnose -e diagnose_client=b.example.com")
            output, edges = diagnosed(scene, tmp_path, *given)
    finally:
        scene.write("b", "/etc/hosts", f"{known}\n")
    pair = {one["target"]: one for one in edges.values() if "old.conf" in one["place"]}
    assert {target: one["well"] for target, one in pair.items()} == {
        f"pair.example.com:443 at {right}": True,
        f"pair.example.com:443 at {wrong}": False,
    }, output
    (cause, *dummy) = pair[f"pair.example.com:443 at {wrong}"]["findings"]
    assert cause["code"] == "endpoint.connection_refused"


@pytest.mark.whole
def test_a_host_that_is_away_is_a_line(scene, tmp_path):
    with unreachable(scene, "a"):
        dummy, output = scene.ansible("ansible-playbook", "mutual_tls.nginx.diagnose")
    assert f"UNREAD  {A}" in output


@pytest.mark.whole
@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("diagnose_cleint=b", 'Did you mean "diagnose_client"?'),
        ("diagnose_client=x", "x is no host of this run"),
        ("diagnose_log_minutes=0", "0 is no number of minutes"),
    ],
)
def test_options_that_make_no_sense(scene, option, says):
    code, output = scene.ansible("ansible-playbook", "mutual_tls.nginx.diagnose", "-e", option)
    assert code != 0
    assert says in " ".join(output.split())


def test_the_audit_of_the_same_hosts(scene, tmp_path):
    """What is wrong decides the exit code, and the files are written all the same."""
    run = ("ansible-playbook", "mutual_tls.nginx.audit", "-e", f"audit_dir={tmp_path}")
    code, output = scene.ansible(*run)
    told = json.loads((tmp_path / "audit.json").read_text())
    errors = [one for one in told["findings"] if one["severity"] == "error"]
    assert (code == 0) == (not errors), output
    assert {one["name"]: one["state"] for one in told["hosts"]}[A] == "read"
    served = [one for one in told["edges"] if (one["proxy"], one["server"]) == (B, A)]
    assert served
    with another_location(scene):
        code, output = scene.ansible(*run, "-e", "audit_fail_on=warning")
    assert code != 0
    told = json.loads((tmp_path / "audit.json").read_text())
    assert {"proxy.not_verified", "proxy.open_listener"} & {
        one["code"] for one in told["findings"] if one["host"] == B
    }
    assert "<html" in (tmp_path / "audit.html").read_text()
    assert "x509_cert_not_after" in (tmp_path / "mtls.prom").read_text()
