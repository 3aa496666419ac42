# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/fleet on three versions of nginx: own CA files, CRL, allowlist, two identities, keys in vaults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fleet_pki
import pytest
from live import Lab, headers_at_the_backend
from pki import CLIENT as CLIENT_USE
from pki import Authority

ROOT = Path(__file__).resolve().parents[3]
VAULT_PASSWORD = ROOT / "molecule" / "fleet" / "vault_password"
PROJECT = Path(os.environ["MTLS_PROJECT"]).resolve()
NAME = fleet_pki.NAME
SERVERS, PROXIES = ("a1", "a2", "a3"), ("b1", "b2", "b3", "b4", "b5")
BASE = "/etc/nginx/mtls"
CLIENT = f"{BASE}/current/proxy/credentials/client"
REFUSED = "The SSL certificate error"


@pytest.fixture(scope="module")
def lab():
    return Lab(PROJECT / "lab.json")


@pytest.fixture(scope="module")
def outsiders(lab):
    """Certificates of the right CA on b1 that are not to be let in: {name: certificate and key}."""
    folder = "/root/outsiders"
    lab.connect("b1").run_expect([0], "mkdir -p -m 0700 %s", folder)
    for name in ("revoked", "uninvited"):
        for suffix in ("pem", "key"):
            lab.copy(PROJECT / "pki" / f"{name}.{suffix}", "b1", f"{folder}/{name}.{suffix}")
    return {
        n: {"certificate": f"{folder}/{n}.pem", "key": f"{folder}/{n}.key"} for n in ("revoked", "uninvited")
    }


def ansible(program, *arguments, **variables):
    """Runs an Ansible program in the user's project; gives its exit code and all that it printed."""
    command = [str(Path(sys.executable).with_name(program)), "-i", "inventory.yml", "-i", "lab.json"]
    command += ["--vault-password-file", str(VAULT_PASSWORD), *arguments]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def decrypted(*names):
    vault = [str(Path(sys.executable).with_name("ansible-vault")), "view", "--vault-password-file"]
    vault.append(str(VAULT_PASSWORD))
    return [
        subprocess.run(
            [*vault, str(PROJECT / "pki" / name)], capture_output=True, text=True, check=True
        ).stdout
        for name in names
    ]


def live(lab, host):
    return lab.connect(host).file(f"{BASE}/current").linked_to


@pytest.mark.parametrize(
    ("host", "port", "identity"),
    [*((host, 8080, host) for host in PROXIES), ("b5", 8081, "b5-billing")],
)
def test_the_backend_sees_the_identity_of_the_route(lab, host, port, identity):
    for dummy in range(3):  # a round over the three A
        headers = headers_at_the_backend(lab.ask(host, host="127.0.0.1", port=port, tls=False))
        assert headers["x-ssl-client-s-dn"] == [f"CN={identity},O=Shop"]
        assert headers["host"] == [NAME]


def test_two_identities_of_one_host_never_mix(lab):
    script = (
        "import urllib.request as r, json, collections\n"
        "def who(port): return json.load(r.urlopen(f'http://127.0.0.1:{port}/'))['headers']\n"
        "def dn(port): return (port, dict(who(port))['X-SSL-Client-S-DN'])\n"
        "print(collections.Counter(dn(8080 + n % 2) for n in range(400)))"
    )
    said = lab.connect("b5").run("python3 -c %s", script).stdout.strip()
    assert said in (
        "Counter({(8080, 'CN=b5,O=Shop'): 200, (8081, 'CN=b5-billing,O=Shop'): 200})",
        "Counter({(8081, 'CN=b5-billing,O=Shop'): 200, (8080, 'CN=b5,O=Shop'): 200})",
    )


@pytest.mark.parametrize("server", SERVERS)
def test_who_is_not_on_the_allowlist_gets_403_and_no_reason(lab, outsiders, server):
    for path in ("/", "/.mtls/probe"):
        answer = lab.ask("b1", host=server, sni=NAME, path=path, **outsiders["uninvited"])
        assert answer["status"] == 403
        assert "uninvited" not in answer["body"]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_revoked_client_is_refused(lab, outsiders, server, version):
    answer = lab.ask("b1", host=server, sni=NAME, version=version, **outsiders["revoked"])
    assert (answer["status"], REFUSED in answer["body"]) == (400, True)
    mine = {"certificate": f"{CLIENT}/fullchain.pem", "key": f"{CLIENT}/privkey.pem"}
    assert lab.ask("b1", host=server, sni=NAME, version=version, **mine)["status"] == 200


@pytest.mark.parametrize("server", SERVERS)
def test_the_probe_identity_of_all_a_may_only_probe(lab, server):
    probe = f"{BASE}/current/server/credentials/probe"
    pair = {"certificate": f"{probe}/fullchain.pem", "key": f"{probe}/privkey.pem"}
    for target in SERVERS:
        assert lab.ask(server, host=target, sni=NAME, **pair)["status"] == 403
        assert lab.ask(server, host=target, sni=NAME, path="/.mtls/probe", **pair)["status"] == 200


def test_a_users_own_default_server_stays_and_lets_nobody_in(lab, outsiders):
    for sni in (None, "unknown.example.com", "own.example.internal"):
        answer = lab.ask("b1", host="a2", sni=sni, http_host="own.example.internal")
        assert (answer["status"], answer["body"]) == (200, "the user's own site\n")
        # The name of our site in Host does not open it.
        answer = lab.ask("b1", host="a2", sni=sni, http_host=NAME)
        assert answer["status"] in (400, 421), answer
    assert lab.ask("b1", host="a2", sni=NAME)["status"] == 400


@pytest.mark.parametrize("server", ["a1", "a3"])
def test_elsewhere_the_default_server_is_ours(lab, server):
    for sni in (None, "unknown.example.com"):
        assert "unrecognized name" in lab.ask("b1", host=server, sni=sni, http_host=NAME)[
            "error"
        ].lower().replace("_", " ")


def test_a_second_site_of_other_settings(lab, outsiders):
    pair = {"certificate": f"{CLIENT}/fullchain.pem", "key": f"{CLIENT}/privkey.pem"}
    site = {"host": "a3", "port": 8443, "sni": fleet_pki.SECOND_NAME}
    forged = {"X-Client-Name": "CN=admin", "X-SSL-Client-S-DN": "CN=admin", "X_Client_Name": "CN=admin"}
    headers = headers_at_the_backend(answer := lab.ask("b1", **site, **pair, path="/x", headers=forged))
    assert json.loads(answer["body"])["path"] == "/reports/x"
    assert headers["x-client-name"] == ["CN=b1,O=Shop"]
    assert headers["x-client-cert"][0].startswith("-----BEGIN%20CERTIFICATE-----")
    assert not {"x-ssl-client-s-dn", "x-ssl-client-serial", "x_client_name"} & set(headers)
    assert "error" in lab.ask("b1", **site, **pair, version="TLSv1_2")
    assert lab.ask("b1", **site, **pair, path="/extra")["body"] == "extra SUCCESS"
    # Who is not on this site's allowlist gets no further in the user's own location, either.
    for path in ("/", "/extra", "/.probe"):
        assert lab.ask("b1", **site, **outsiders["uninvited"], path=path)["status"] == 403
        assert lab.ask("b2", **site, **pair, path=path)["status"] == 403
    assert lab.ask("b2", host="a3", sni=NAME, **pair)["status"] == 200
    assert lab.ask("b1", host="a3", sni=NAME, http_host=fleet_pki.SECOND_NAME, **pair)["status"] == 421


def test_the_ca_is_asked_for_and_not_its_leaves(lab):
    shown = lab.connect("b1").run("openssl s_client -connect a1:443 -servername %s </dev/null", NAME).stdout
    assert "CN = Clients" in shown or "CN=Clients" in shown
    assert "Servers" not in shown.split("Acceptable client certificate CA names")[1].split("Requested")[0]


@pytest.mark.parametrize("host", [*SERVERS, *PROXIES])
def test_keys_are_of_root_alone(lab, host):
    keys = (
        lab.connect(host)
        .run("find %s -name privkey.pem -printf '%%m %%u:%%g\\n'", BASE)
        .stdout.split("\n")[:-1]
    )
    assert set(keys) == {"600 root:root"}


def new_pair(name, **more):
    """New files of b2 in the project: a pair of its own CA, the key in a vault; gives the old ones."""
    folder = PROJECT / "pki"
    files = [folder / f"{name}.pem", folder / f"{name}.key.vault"]
    old = {path: path.read_bytes() for path in files}
    authority = Authority.read(folder / "clients-ca.pem", folder / "clients-ca.key")
    authority.leaf(folder / name, f"CN={name},O=Shop", CLIENT_USE, **more)
    fleet_pki.encrypt(folder, VAULT_PASSWORD, name)
    return old


def test_a_new_certificate_that_an_allowlist_names_comes_beside_the_old_one(lab):
    """Else b2 would be refused from when A has the new list until b2 has the new certificate."""
    before = {host: live(lab, host) for host in ("a1", "b2")}
    old = new_pair("b2", passphrase=fleet_pki.PASSPHRASE)
    code, output = ansible("ansible-playbook", "site.yml", "--limit", "b2:mtls_servers")
    assert (code, "edge.not_allowed" in output) == (2, True), output[-3000:]
    assert {host: live(lab, host) for host in ("a1", "b2")} == before
    (PROJECT / "pki" / "b2-before.pem").write_bytes(old[PROJECT / "pki" / "b2.pem"])
    variables = PROJECT / "group_vars" / "mtls_servers.yml"
    entry = '      - certificate: {src: "{{ pki }}/b2.pem"}\n'
    text = variables.read_text()
    assert entry in text
    variables.write_text(text.replace(entry, entry + entry.replace("b2.pem", "b2-before.pem")))


def test_a_new_key_comes_without_a_trace(lab):
    """-vvv and --diff, a vault key, the passphrase `a`: nothing of it is printed, logged, garbled or left.

    A's allowlist names b2 by its certificate, so the A hosts are of the run; the test before has begun it.
    """
    before = live(lab, "b2")
    code, output = ansible("ansible-playbook", "site.yml", "--limit", "b2:mtls_servers", "-vvv", "--diff")
    assert code == 0, output[-3000:]
    assert live(lab, "b2") != before
    private = lab.connect("b2").file(f"{CLIENT}/privkey.pem").content_string
    secrets = [
        line
        for key in (*decrypted("b2.key.vault"), private)
        for line in key.splitlines()
        if "-----" not in line
    ]
    assert len(secrets) > 4
    journal = lab.connect("b2").run("journalctl --no-pager --quiet").stdout
    for secret in secrets:
        assert secret not in output
        assert secret not in journal
    assert "PRIVATE KEY" not in output + journal
    assert re.search(r"b2 proxy: stable, release \w{16}, changed, \d+ ok, positive proven", output)
    everywhere = "/ --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev"
    left = lab.connect("b2").run(f"grep -rlIF %s {everywhere}", private.splitlines()[1]).stdout.split()
    assert left == [f"{BASE}/{live(lab, 'b2').removeprefix(BASE + '/')}/proxy/credentials/client/privkey.pem"]


def test_a_pair_that_does_not_match_changes_nothing(lab):
    before, old = live(lab, "b4"), new_pair("b4")
    pem = PROJECT / "pki" / "b4.pem"
    pem.write_bytes((PROJECT / "pki" / "b1.pem").read_bytes())
    try:
        code, output = ansible("ansible-playbook", "site.yml", "--limit", "b4")
        assert code == 2
        assert "pair.key_mismatch" in output
        assert live(lab, "b4") == before
        assert lab.ask("b4", host="127.0.0.1", port=8080, tls=False)["status"] == 200
    finally:
        for path, content in old.items():
            path.write_bytes(content)


def test_a_client_that_a_refuses_is_rolled_back(lab):
    """b4 gets a good pair of a name that no allowlist has: A's 403 ends the run, the old pair serves on."""
    before, old = live(lab, "b4"), {p: p.read_bytes() for p in (PROJECT / "pki").glob("b4.*")}
    folder = PROJECT / "pki"
    authority = Authority.read(folder / "clients-ca.pem", folder / "clients-ca.key")
    authority.leaf(folder / "b4", "CN=b4-renamed,O=Shop", CLIENT_USE)
    fleet_pki.encrypt(folder, VAULT_PASSWORD, "b4")
    try:
        code, output = ansible("ansible-playbook", "site.yml", "--limit", "b4")
        assert code == 2
        assert "403" in output
        assert live(lab, "b4") == before
        headers = headers_at_the_backend(lab.ask("b4", host="127.0.0.1", port=8080, tls=False))
        assert headers["x-ssl-client-s-dn"] == ["CN=b4,O=Shop"]
    finally:
        for path, content in old.items():
            path.write_bytes(content)


def test_private_content_needs_pipelining(lab):
    before = live(lab, "b1")
    credential = {"name": "client", "private_key_content": decrypted("b1.key.vault")[0]}
    parts = json.dumps({"parts": {"proxy": {"credentials": [credential]}}})
    arguments = ("b1", "--become", "-m", "mutual_tls.nginx.release", "-a", parts)
    code, output = ansible("ansible", *arguments, ANSIBLE_PIPELINING="0")
    assert code != 0
    assert "ansible_pipelining" in output
    assert live(lab, "b1") == before
