# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`credential_info` and `ca_bundle` on the hosts, called as a person would call them, by `ansible`."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

BASE = "/etc/nginx/mtls"
BUNDLE = "/root/bundle.pem"


@pytest.fixture(scope="session")
def call():
    """call("a1", module, **options) gives the result of the module on a1.example.com."""

    def run(name: str, module: str, **options) -> dict:
        host = f"{name}.example.com"
        done = subprocess.run(
            [
                *("ansible", "--inventory", os.environ["MTLS_LAB_INVENTORY"], host),
                *("--module-name", f"mutual_tls.nginx.{module}", "--args", json.dumps(options)),
            ],
            env={
                **os.environ,
                "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout[done.stdout.index("{") :]
        return json.loads(told)["plays"][0]["tasks"][0]["hosts"][host]

    return run


@pytest.mark.parametrize(
    ("name", "part", "credentials"), [("a1", "server", ["probe", "server"]), ("b1", "proxy", ["client"])]
)
def test_what_is_installed_is_sound_and_served(call, request, certificate, name, part, credentials):
    found = call(name, "credential_info", base=BASE)
    host = request.getfixturevalue(name)
    live = os.path.basename(host.run_expect([0], f"readlink {BASE}/current").stdout.strip())
    assert (found["installed"]["release"], found["installed"]["state"]["step"]) == (live, "stable")
    assert sorted((one["part"], one["name"]) for one in found["credentials"]) == [
        (part, credential) for credential in credentials
    ]
    assert [one for one in found["findings"] if one["severity"] == "error"] == []
    for one in found["credentials"]:
        file = certificate(host, f"{BASE}/current/{part}/credentials/{one['name']}/fullchain.pem")
        assert (one["matches"], one["certificate"]["sha256"]) == (True, file.sha256)
    served = [row for one in found["credentials"] if one["name"] == "server" for row in one["served"]]
    assert {(row["sha256"], row["release"], row["error"]) for row in served} == (
        {(certificate(host, f"{BASE}/current/server/credentials/server/fullchain.pem").sha256, live, "")}
        if name == "a1"
        else set()
    )


def test_a_stopped_nginx_serves_nothing(call, a1):
    a1.run_expect([0], "systemctl stop nginx")
    try:
        found = call("a1", "credential_info", base=BASE)
    finally:
        a1.run_expect([0], "systemctl start nginx")
    server = next(one for one in found["credentials"] if one["name"] == "server")
    assert server["matches"] is True  # the files are as good as before
    assert {(row["sha256"], bool(row["error"])) for row in server["served"]} == {(None, True)}


def test_a_file_that_nginx_does_not_serve_is_told(call, a1):
    """Somebody lays another certificate over the live one. Its twin is the first test."""
    folder = f"{BASE}/current/server/credentials"
    a1.run_expect([0], f"cp -p {folder}/server/fullchain.pem /root/kept.pem")
    a1.run_expect([0], f"cat {folder}/probe/fullchain.pem >{folder}/server/fullchain.pem")
    try:
        found = call("a1", "credential_info", base=BASE)
    finally:
        a1.run_expect([0], f"cat /root/kept.pem >{folder}/server/fullchain.pem && rm /root/kept.pem")
    codes = {one["code"] for one in found["findings"] if one["credential"] == "server"}
    assert {"endpoint.served_differs_from_file", "pair.key_mismatch"} <= codes
    again = call("a1", "credential_info", base=BASE)
    assert [one for one in again["findings"] if one["severity"] == "error"] == []


def test_a_host_with_nothing_installed(call):
    found = call("stranger", "credential_info", base=BASE)
    assert (found["credentials"], found["installed"]["exists"]) == ([], False)


def test_a_bundle_of_what_b_trusts_admits_a_and_no_key_gets_in(call, b1):
    """As its twin a source in which a private key stands: refused, and the file is as it was."""
    live = f"{BASE}/current/proxy/credentials/client"
    made = call("b1", "ca_bundle", path=BUNDLE, sources=[{"path": f"{live}/trust.pem"}], mode="0640")
    assert (made["changed"], made["verify_depth"], len(made["certificates"])) == (True, 1, 1)
    assert (b1.file(BUNDLE).mode, b1.file(BUNDLE).user) == (0o640, "root")
    again = call("b1", "ca_bundle", path=BUNDLE, sources=[{"path": f"{live}/trust.pem"}], mode="0640")
    assert again["changed"] is False

    b1.run_expect([0], f"cat {live}/trust.pem {live}/privkey.pem >/root/with-key.pem")
    before = b1.file(BUNDLE).content
    refused = call("b1", "ca_bundle", path=BUNDLE, sources=[{"path": "/root/with-key.pem"}])
    assert (refused["failed"], refused["code"]) == (True, "bundle.private_key")
    assert "/root/with-key.pem" in refused["msg"]
    assert b1.file(BUNDLE).content == before

    seen = call(
        "b1",
        "credential_info",
        credentials=[
            {
                "name": "client",
                "certificate_path": f"{live}/fullchain.pem",
                "private_key_path": f"{live}/privkey.pem",
                "trust_path": BUNDLE,
                "purpose": purpose,
                "hostnames": ["b1.example.com"],
            }
            for purpose in ("client", "server")
        ],
    )
    good, wrong = seen["credentials"]
    assert (good["matches"], good["verifies"], good["hostnames"]) == (True, True, {"b1.example.com": True})
    assert wrong["verifies"] is False
    assert "purpose.server_auth_missing" in [one["code"] for one in wrong["findings"]]

    assert call("b1", "ca_bundle", path=BUNDLE, state="absent")["changed"] is True
    assert not b1.file(BUNDLE).exists
