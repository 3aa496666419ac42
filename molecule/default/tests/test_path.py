# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path end to end, and everybody who must not walk it, as each of them sees it.

Nothing of the collection judges here: client.py beside the lab asks, cryptography and stat speak.
"""

from __future__ import annotations

import json

import pytest
from live import headers_at_the_backend

A, B = "a1.example.com", "b1.example.com"
BASE = "/etc/nginx/mtls"
LIVE = f"{BASE}/current"
CLIENT = {
    "certificate": f"{LIVE}/proxy/credentials/client/fullchain.pem",
    "key": f"{LIVE}/proxy/credentials/client/privkey.pem",
}
PROBE = {
    "certificate": f"{LIVE}/server/credentials/probe/fullchain.pem",
    "key": f"{LIVE}/server/credentials/probe/privkey.pem",
}
FORGED = {
    "X-SSL-Client-Verify": "SUCCESS",
    "X-SSL-Client-S-DN": "CN=admin",
    "X-SSL-Client-Serial": "01",
    "X-SSL-Client-Cert": "forged",
    "x-ssl-client-i-dn": "CN=forged",
}


def local(ask, **more):
    """A local caller of B."""
    return ask("b1", host="127.0.0.1", port=8080, tls=False, **more)


@pytest.mark.parametrize("forged", [{}, FORGED], ids=["plain", "forged"])
def test_the_backend_sees_the_verified_identity_of_b(ask, b1, certificate, forged):
    headers = headers_at_the_backend(local(ask, headers=forged))
    assert headers["x-ssl-client-verify"] == ["SUCCESS"]
    assert headers["x-ssl-client-s-dn"] == [f"CN={B}"]
    assert headers["x-ssl-client-serial"] == [certificate(b1, CLIENT["certificate"]).serial]
    assert "x-ssl-client-cert" not in headers
    assert headers["x-ssl-client-i-dn"] == ["CN=mtls CA 1"]
    assert headers["host"] == [A]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_forged_headers_of_a_verified_client_do_not_reach_the_backend(ask, version):
    answer = ask("b1", host=A, sni=A, version=version, headers=FORGED, **CLIENT)
    headers = headers_at_the_backend(answer)
    assert answer["protocol"] == version.replace("_", ".")
    assert headers["x-ssl-client-s-dn"] == [f"CN={B}"]
    assert "x-ssl-client-cert" not in headers


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("who", [None, "foreign", "expired", "server-only"])
def test_a_stranger_is_refused_by_http(ask, strangers, who, version):
    answer = ask(
        "stranger", host=A, sni=A, version=version, headers=FORGED, **(strangers[who] if who else {})
    )
    assert answer["status"] == 400, answer
    reason = "The SSL certificate error" if who else "No required SSL certificate was sent"
    assert reason in answer["body"]


@pytest.mark.parametrize("sni", [None, "unknown.example.com"])
def test_no_or_an_unknown_name_ends_in_the_handshake(ask, sni):
    answer = ask("b1", host=A, sni=sni, http_host=A, **CLIENT)
    assert "unrecognized name" in answer.get("error", "").lower().replace("_", " "), answer


def test_a_host_that_is_not_the_sites_is_misdirected(ask):
    assert ask("b1", host=A, sni=A, http_host="other.example.com", **CLIENT)["status"] == 421


def test_old_protocols_are_not_spoken(ask):
    assert "error" in ask("stranger", host=A, sni=A, version="TLSv1_1")


def test_the_probe_identity_may_only_probe(ask):
    probe = ask("a1", host=A, sni=A, path="/.mtls/probe", **PROBE)
    assert probe["status"] == 200
    assert probe["body"].split()[1] == "SUCCESS"
    for path in ("/", "/.mtls/probe/", "/.mtls/probe/x", "/.mtls/probe%00"):
        assert ask("a1", host=A, sni=A, path=path, **PROBE)["status"] in (400, 403), path


def test_the_probe_path_needs_a_certificate_and_never_reaches_the_backend(ask):
    assert ask("stranger", host=A, sni=A, path="/.mtls/probe")["status"] == 400
    assert "headers" not in ask("b1", host=A, sni=A, path="/.mtls/probe", **CLIENT)["body"]


def test_b_probes_through_its_own_listener(ask, b1, certificate):
    release = b1.file(LIVE).linked_to.rsplit("/", 1)[-1]
    assert local(ask, path="/.mtls/proxy")["body"].split() == [release]
    seen = local(ask, path="/.mtls/probe/default")["body"].split()
    assert seen[1] == "SUCCESS"
    assert seen[2] == certificate(b1, CLIENT["certificate"]).sha1


def test_b_listens_on_loopback_only(ask):
    assert "refused" in ask("stranger", host=B, port=8080, tls=False)["error"]


def test_listeners(a1, b1):
    for address in ("0.0.0.0", "::"):
        assert a1.socket(f"tcp://{address}:443").is_listening
    assert b1.socket("tcp://127.0.0.1:8080").is_listening
    for address in ("0.0.0.0", "::"):
        assert not b1.socket(f"tcp://{address}:8080").is_listening
        assert not b1.socket(f"tcp://{address}:443").is_listening


def test_the_served_certificate_is_the_file(ask, a1, certificate):
    file = certificate(a1, f"{LIVE}/server/credentials/server/fullchain.pem")
    for host in ("stranger", "a1"):
        assert ask(host, host=A, sni=A)["sha256"] == file.sha256


def test_an_impostor_in_as_place_gets_nothing(ask, b1, stranger, impostor):
    """B's host is told that A is where the impostor listens, whose certificate has A's name and no CA."""
    assert local(ask, path="/secret")["status"] == 502
    met = [json.loads(line) for line in stranger.run("cat %s", impostor).stdout.splitlines()]
    assert met
    assert [one["application_bytes"] for one in met] == [0] * len(met)


@pytest.mark.parametrize("name", ["a1", "b1"])
def test_keys_are_of_root_alone(request, name):
    host = request.getfixturevalue(name)
    keys = host.run("find %s -name privkey.pem -printf '%%m %%u:%%g\\n'", BASE).stdout.split("\n")[:-1]
    assert keys
    assert set(keys) == {"600 root:root"}
    everything = host.run(
        "grep -rlI 'PRIVATE KEY' /etc/nginx /var/log /tmp /root/.ansible 2>/dev/null"
    ).stdout.split()
    assert all(path.endswith("/privkey.pem") for path in everything), everything
    assert host.file(f"{BASE}/releases").mode == 0o700


@pytest.mark.parametrize("name", ["a1", "b1"])
def test_the_hosts_own_configuration_is_untouched(request, name):
    host = request.getfixturevalue(name)
    # What was changed; documentation is missing because the host images leave it out.
    assert host.run("dpkg --verify nginx-common | grep -v '^missing .* /usr/share/'").stdout == ""
    assert (
        host.file("/etc/nginx/conf.d/mtls.conf").content_string.splitlines()[-1]
        == "include mtls/current/mtls.conf;"
    )
    assert host.file("/etc/nginx/sites-enabled/default").exists
    welcome = "import urllib.request as r; print(r.urlopen('http://127.0.0.1').read())"
    assert "Welcome to nginx" in host.run("python3 -c %s", welcome).stdout


@pytest.mark.parametrize("name", ["a1", "b1"])
def test_nginx_runs_is_enabled_and_can_start_from_disk(request, name):
    host = request.getfixturevalue(name)
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled
    assert host.run("nginx -t").rc == 0
    host.run_expect([0], "systemctl restart nginx")


def test_the_log_names_the_client(ask, a1, b1, certificate):
    local(ask, path="/logged")
    line = json.loads(a1.run("grep logged /var/log/nginx/mtls-default.access.log").stdout.splitlines()[-1])
    serial = certificate(b1, CLIENT["certificate"]).serial
    assert (line["verify"], line["serial"], line["issuer"]) == ("SUCCESS", serial, "CN=mtls CA 1")
