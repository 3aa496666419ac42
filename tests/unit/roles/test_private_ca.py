# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role private_ca as ansible-playbook runs it, from nothing to certificates that OpenSSL verifies.

Model and requests are made here; the hosts are never connected to, since signing needs nothing from them.
The variables of the group `all` are what an inventory of real hosts may hold (ssh, become, another Python):
none of it may reach the controller.
"""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_store as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store as disk

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PASSPHRASE = "a passphrase of the test"
HOSTILE_GROUP = {
    "ansible_connection": "ssh",
    "ansible_become": True,
    "ansible_become_exe": "/bin/false",
    "ansible_python_interpreter": "/nonexistent/python",
}
PLAY = """
- hosts: mtls_servers:mtls_proxies
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.set_fact:
        mtls_fleet: "{{ lookup('file', 'fleet.json') | from_json }}"
      run_once: true
    - ansible.builtin.set_fact:
        mtls_requests: "{{ (lookup('file', 'requests.json') | from_json)[inventory_hostname] }}"
    - ansible.builtin.include_role:
        name: mutual_tls.nginx.private_ca
    - ansible.builtin.debug:
        msg: "FACTS {{ [inventory_hostname, mtls_private_ca, mtls_issued] | to_json | b64encode }}"
"""

SLOW_SIGNING = """
import atexit, sys, time
def note(step):
    with open({log!r}, "a") as file:
        file.write(f"{{time.time()}} {{step}}\\n")
if sys.orig_argv[-1].endswith("AnsiballZ_x509_certificate_pipe.py"):
    atexit.register(note, -1)
    note(1)
    time.sleep(1)
"""


def credential(side: str, name: str, purpose: str, common_name: str, *hostnames: str) -> dict[str, Any]:
    return {
        "side": side,
        "name": name,
        "purpose": purpose,
        "common_name": common_name,
        "hostnames": list(hostnames),
        "issuer": "private_ca",
        "key": {"type": "p256"},
    }


# The fact mtls_private_ca where there is none.
NOTHING = {
    "trust": [],
    "chain": "",
    "issuer": {},
    "ended": [],
    "crls": [],
    "crl_generations": [],
    "changed": False,
    "barred": [],
    "newest": {},
    "issuing": 0,
    "generations": [],
    "unable": {},
}
CREDENTIALS = {
    "a1": [
        credential("server", "server", "server", "orders.example.com", "orders.example.com"),
        credential("server", "probe", "client", "mtls-probe.a1"),
    ],
    "b1": [credential("proxy", "client", "client", "b1")],
    "b2": [credential("proxy", "client", "client", "b2")],
}


def csr(wanted: dict[str, Any], **instead: Any) -> str:
    """A request for what the model wants, or for something *instead*."""
    asked = {**wanted, **instead}
    uses = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, asked["common_name"])])
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([uses[asked["purpose"]]]), critical=False)
    if asked["hostnames"]:
        names = [x509.DNSName(name) for name in asked["hostnames"]]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if asked.get("ca"):
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode("ascii")


# A play with other entry points: the steps of a run that replaces the CA, or revokes.
STEPS = """
- hosts: mtls_servers:mtls_proxies
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.set_fact:
        mtls_fleet: "{{{{ lookup('file', 'fleet.json') | from_json }}}}"
      run_once: true
    - ansible.builtin.set_fact:
        mtls_requests: "{{{{ (lookup('file', 'requests.json') | from_json)[inventory_hostname] }}}}"
{steps}
    - ansible.builtin.debug:
        msg: "FACTS {{{{ told | to_json | b64encode }}}}"
      vars:
        told: "{{{{ [inventory_hostname, mtls_private_ca, mtls_issued | default({{}})] }}}}"
"""
STEP = """
    - ansible.builtin.include_role:
        name: mutual_tls.nginx.private_ca
        tasks_from: {name}.yml
      vars: {variables}
"""


class Project:
    """A folder with an inventory, a model, requests and a private CA to be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "private_ca"
        self.settings: dict[str, Any] = {
            "host": "localhost",
            "dir": str(self.ca),
            "name": "mtls",
            "intermediate": False,
            "leaf_days": 90,
            "crl_days": 30,
            "throttle": 8,
            "become": False,
        }
        self.differing: dict[str, Any] = {}
        self.credentials = copy.deepcopy(CREDENTIALS)
        self.requests: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.inventory: dict[str, Any] = {
            "vars": dict(HOSTILE_GROUP),
            "children": {
                "mtls_servers": {"hosts": {"a1": {}}},
                "mtls_proxies": {"hosts": {"b1": {}, "b2": {}}},
            },
        }
        (folder / "play.yml").write_text(PLAY, encoding="utf-8")
        self.ask("a1", "b1")

    def ask(self, *hosts: str, request: bool = True, live: Any = None) -> None:
        """These hosts need certificates for all they have, and the others none."""
        for host, credentials in self.credentials.items():
            self.requests[host] = {
                "credentials": [
                    {
                        "part": wanted["side"],
                        "name": wanted["name"],
                        "needed": host in hosts,
                        "request": csr(wanted) if host in hosts and request else None,
                        "private_key_path": None,
                        "live": live,
                    }
                    for wanted in credentials
                ]
            }

    def make_root(self) -> x509.Certificate:
        """A generation 1 from an earlier run."""
        self.generation().mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mtls CA 1")])
        now = datetime.now(timezone.utc)
        root = (
            x509.CertificateBuilder(name, name, key.public_key(), 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=9))
            .add_extension(x509.BasicConstraints(True, 1), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (self.generation() / "root.pem").write_bytes(root.public_bytes(pem))
        (self.generation() / "root.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (self.generation() / "root.key").chmod(0o600)
        return root

    def steps(self, *steps: tuple[str, dict[str, Any]]) -> None:
        """From now on `run` goes through these entry points, with variables of theirs."""
        text = "".join(STEP.format(name=name, variables=json.dumps(more)) for name, more in steps)
        (self.folder / "play.yml").write_text(STEPS.format(steps=text), encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        model = {
            "hosts": {
                host: {
                    "host": host,
                    "private_ca": {**self.settings, **self.differing.get(host, {})},
                    "credentials": credentials,
                }
                for host, credentials in self.credentials.items()
            }
        }
        for name, content in (
            ("fleet.json", model),
            ("requests.json", self.requests),
            ("inventory.json", {"all": self.inventory}),
        ):
            (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.json", "play.yml", *arguments],
            cwd=self.folder,
            env={
                **environment,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"),
                "ANSIBLE_FORCE_COLOR": "0",
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_RETRY_FILES_ENABLED": "0",
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def watch_signing(self) -> None:
        """Each signing takes a second from now on, and `signing` has when it began and ended."""
        log = self.folder / "signing"
        (self.folder / "sitecustomize.py").write_text(SLOW_SIGNING.format(log=str(log)), encoding="utf-8")
        # By pipelining a module has no name in its command line.
        self.environment = {"PYTHONPATH": str(self.folder), "ANSIBLE_PIPELINING": "0"}

    def signed_at_once(self) -> int:
        """The most requests that were being signed at one time."""
        lines = (self.folder / "signing").read_text(encoding="ascii").splitlines()
        moments = sorted((float(moment), int(step)) for moment, step in map(str.split, lines))
        return max(accumulate(step for dummy, step in moments))

    def run(self, *arguments: str, rc: int = 0) -> str:
        process = self.start(*arguments)
        output = process.communicate(timeout=120)[0]
        assert process.returncode == rc, output
        return output

    def refused(self, *arguments: str) -> str:
        """The message of a run that fails, on one line."""
        return " ".join(self.run(*arguments, rc=2).replace("\\n", " ").split())

    def generation(self, number: int = 1) -> Path:
        return self.ca / "generations" / str(number)

    def issued(self) -> list[dict[str, Any]]:
        lines = (self.ca / "issued.jsonl").read_text(encoding="ascii").splitlines()
        return [json.loads(line) for line in lines]

    def verify(self, leaf: str, purpose: str, *chain: Path) -> str:
        """What `openssl verify` says of a certificate, judged by the root of generation 1."""
        file = self.folder / "leaf.pem"
        file.write_text(leaf, encoding="ascii")
        untrusted = [word for path in chain for word in ("-untrusted", str(path))]
        root = str(self.generation() / "root.pem")
        return openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, *untrusted, str(file))

    def accepted(self, authority: dict[str, Any], leaf: str) -> bool:
        """Whether OpenSSL accepts a client with what a host is told to trust, CRLs included."""
        for name, texts in (
            ("trust", authority["trust"]),
            ("crls", authority["crls"]),
            # all that there are, and the roots, since OpenSSL wants some
            ("chain", [path.read_text() for path in self.ca.glob("generations/*/*[!l].pem")]),
            ("leaf", [leaf]),
        ):
            (self.folder / f"{name}.pem").write_text("".join(texts), encoding="ascii")
        command = f"verify -crl_check_all -CAfile {self.folder}/trust.pem -CRLfile {self.folder}/crls.pem"
        said = openssl(*command.split(), "-untrusted", f"{self.folder}/chain.pem", f"{self.folder}/leaf.pem")
        assert said.endswith("OK\n") or "certificate revoked" in said, said
        return said.endswith("OK\n")


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def facts(output: str) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """{host: (mtls_private_ca, mtls_issued)}"""
    found = [json.loads(b64decode(text)) for text in re.findall(r'FACTS ([^" \n]+)', output)]
    return {host: (authority, issued) for host, authority, issued in found}


def changed(output: str) -> dict[str, int]:
    return {host: int(count) for host, count in re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", output, re.M)}


def delegated(output: str) -> list[str]:
    """What was done on another host, one line each."""
    return re.findall(r"^(?:ok|changed): \[(\w+ -> \w+)", output, re.M)


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


@pytest.fixture(name="project")
def _project() -> Iterator[Project]:
    """Where a private CA may lie: not in pytest's own directory, which is a temporary folder."""
    for parent in (ROOT / ".cache", Path.home() / ".cache"):
        try:
            rules.check_home(str(parent), str(parent.resolve()), disk.temporary_folders(os.environ), [], "")
        except MtlsError:
            continue
        parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="private-ca-", dir=parent) as folder:
            yield Project(Path(folder))
            return
    pytest.skip("checkout and home lie in temporary folders or among installed collections")


def test_from_nothing_to_certificates_that_verify(project: Project) -> None:
    requests = copy.deepcopy(project.requests)
    project.ask("a1", "b1", request=False)
    planned = project.run("--check", "--diff")
    assert changed(planned) == {"a1": 2, "b1": 1, "b2": 0}
    assert "would make root.key, root.pem of mtls CA 1" in planned
    assert "would issue server/server, server/probe" in planned
    assert not project.ca.exists()
    assert facts(planned)["b2"] == (NOTHING, {})

    project.requests = requests
    first = project.run("--diff", "-vvv")
    key = (project.generation() / "root.key").read_text(encoding="ascii").splitlines()
    assert not [line for line in key[1:3] if line in first], "the third line is the public half"
    assert {path.relative_to(project.ca).as_posix(): mode(path) for path in project.ca.rglob("*")} == {
        ".gitignore": "0600",
        ".lock": "0600",
        "generations": "0700",
        "generations/1": "0700",
        "generations/1/root.key": "0600",
        "generations/1/root.pem": "0644",
        "issued.jsonl": "0600",
    }
    assert mode(project.ca) == "0700"
    told = facts(first)
    root = (project.generation() / "root.pem").read_text(encoding="ascii")
    signs = {"certificate": root, "root": root}
    newest = {"generation": 1, **signs}
    made = {"trust": [root], "issuer": signs, "newest": newest, "issuing": 1, "changed": True}
    assert {host: told[host][0] for host in told} == {
        host: {**NOTHING, **made, "generations": [1]} for host in ("a1", "b1", "b2")
    }
    assert {host: sorted(told[host][1]) for host in told} == {
        "a1": ["server/probe", "server/server"],
        "b1": ["proxy/client"],
        "b2": [],
    }
    server, client = told["a1"][1]["server/server"], told["b1"][1]["proxy/client"]
    assert project.verify(server, "sslserver").endswith("leaf.pem: OK\n")
    assert project.verify(client, "sslclient").endswith("leaf.pem: OK\n")
    assert "OK" not in project.verify(client, "sslserver")
    issued = {(line["host"], line["side"], line["credential"]): line for line in project.issued()}
    assert sorted(issued) == [
        ("a1", "server", "probe"),
        ("a1", "server", "server"),
        ("b1", "proxy", "client"),
    ]
    leaf = x509.load_pem_x509_certificate(server.encode())
    line = issued["a1", "server", "server"]
    assert (line["serial"], line["names"]) == (f"{leaf.serial_number:040X}", ["orders.example.com"])
    assert line["sha256"] == leaf.fingerprint(hashes.SHA256()).hex()

    project.ask()
    second = project.run()
    assert changed(second) == {"a1": 0, "b1": 0, "b2": 0}
    assert len(delegated(second)) == 1, "one look at the directory, whatever the number of hosts"
    assert facts(second)["b1"] == ({**told["b1"][0], "changed": False}, {})
    assert len(project.issued()) == 3

    text = openssl("x509", "-in", str(project.generation() / "root.pem"), "-noout", "-text")
    for words in (
        "Subject: CN = mtls CA 1",
        "ASN1 OID: prime256v1",
        "X509v3 Basic Constraints: critical",
        "CA:TRUE, pathlen:1",
        "X509v3 Key Usage: critical",
        "Certificate Sign, CRL Sign",
        "X509v3 Subject Key Identifier:",
    ):
        assert words in text
    made = x509.load_pem_x509_certificate(root.encode())
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days == 3650


@pytest.mark.whole
def test_an_intermediate_and_a_passphrase(project: Project) -> None:
    project.settings["intermediate"] = True
    output = project.run("--diff", "-vvv", "-e", json.dumps({"private_ca_passphrase": PASSPHRASE}))
    assert PASSPHRASE not in output
    for name in ("root.key", "intermediate.key"):
        key = project.generation() / name
        assert mode(key) == "0600"
        assert key.read_text(encoding="ascii").startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    authority, issued = facts(output)["b1"]
    intermediate = project.generation() / "intermediate.pem"
    assert authority["chain"] == intermediate.read_text(encoding="ascii")
    leaf = issued["proxy/client"]
    assert project.verify(leaf, "sslclient", intermediate).endswith("leaf.pem: OK\n")
    assert "OK" not in project.verify(leaf, "sslclient")
    assert "issuer=CN = mtls CA 1 issuing" in openssl(
        "x509", "-in", str(project.folder / "leaf.pem"), "-noout", "-issuer"
    )
    root, issuing = (
        x509.load_pem_x509_certificate((project.generation() / name).read_bytes())
        for name in ("root.pem", "intermediate.pem")
    )
    assert issuing.not_valid_after_utc == root.not_valid_after_utc
    # Without the passphrase nothing is signed, and nothing is made anew.
    before = (project.generation() / "root.key").read_bytes()
    assert "assphrase" in project.refused()
    assert (project.generation() / "root.key").read_bytes() == before


def test_settings_that_cannot_work(project: Project) -> None:
    project.settings["host"] = "vault2"
    project.differing["b2"] = {"name": "shop"}
    message = project.refused("--check", "-e", json.dumps({"private_ca_passphrase": "Zq7"}))
    assert "private_ca_passphrase: shorter than 12 characters" in message
    assert "private_ca_host: vault2 is not in the inventory" in message
    assert "private_ca_*: the hosts of this fleet do not all have the same values" in message
    assert not project.ca.exists()


@pytest.mark.parametrize(
    ("place", "message", "arguments"),
    [
        ("/tmp/mtls-private-ca-test", "temporary folder /tmp", ()),
        ("{folder}/ansible_collections/a/b/playbooks/ca", "next upgrade deletes the CA", ("--check",)),
    ],
)
def test_a_place_that_is_refused(
    project: Project, place: str, message: str, arguments: tuple[str, ...]
) -> None:
    """Each refusal has a row in the tests of the rules; here it reaches the person, in check mode too."""
    project.settings["dir"] = place.format(folder=project.folder)
    output = project.refused(*arguments)
    assert f"private_ca_dir: {project.settings['dir']}" in output
    assert message in output
    assert not Path(project.settings["dir"]).exists()


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_ca_that_is_somewhere_else(project: Project, arguments: tuple[str, ...]) -> None:
    """The directory is empty and a host trusts a CA of this name: it was made by another controller."""
    project.ask("a1", "b1", request=not arguments)
    for host, subject in (("b1", "CN=shop CA 1"), ("b2", "CN=mtls CA 1")):
        trust = [{"subject": subject, "sha256": "ab" * 32}]
        project.requests[host]["credentials"][0]["live"] = {"trust": trust}
    output = project.refused(*arguments)
    for words in (
        "trust one already: b2",
        "CN=mtls CA 1",
        "ab" * 32,
        "Set private_ca_host",
        "from its newest backup",
        "generations/1/root.pem",
    ):
        assert words in output
    assert not project.generation().exists()


@pytest.mark.whole
def test_a_ca_from_an_old_backup(project: Project) -> None:
    """Hosts trust a generation that is not there: nothing is signed, and it is not made a second time."""
    digest = project.make_root().fingerprint(hashes.SHA256()).hex()
    for number, told in ((1, digest), (2, "ab" * 32)):
        project.ask("a1", "b1")
        trust = [{"subject": f"CN=mtls CA {number}", "sha256": told}]
        project.requests["b1"]["credentials"][0]["live"] = {"trust": trust}
        if number == 1:
            project.run()
            continue
        for steps in ([("main", {})], [("generation", {})]):
            project.steps(*steps)
            output = project.refused()
            assert 'has no root for "mtls CA 2"' in output
            assert "The directory is older than that" in output
    assert not project.generation(2).exists()


def test_another_ca_of_the_same_name(project: Project) -> None:
    """The directory holds a CA, and a host trusts another one that was made under its name."""
    digest = project.make_root().fingerprint(hashes.SHA256()).hex()
    project.ask("a1", live={"trust": [{"subject": "CN=mtls CA 1", "sha256": digest}]})
    project.requests["b1"]["credentials"][0]["live"] = {
        "trust": [{"subject": "CN=mtls CA 1", "sha256": "ab" * 32}]
    }
    output = project.run(rc=2)
    assert "holds another" in output
    assert re.search(r"^fatal: \[b1\]", output, re.M)
    assert sorted(facts(output)["a1"][1]) == ["server/probe", "server/server"], "the others go on"


@pytest.mark.whole
def test_a_request_for_something_else(project: Project) -> None:
    """Whoever holds a host gets certificates for that host's names only."""
    wanted = project.credentials["a1"][0]
    asked = csr(wanted, hostnames=["orders.example.com", "pay.example.com"], ca=True)
    project.requests["a1"]["credentials"][0]["request"] = asked
    output = project.run(rc=2)
    assert "server/server: the request of a1 is not what the model wants" in output
    for said in ("DNS:pay.example.com", "basic constraints"):
        assert said in output
    assert sorted(facts(output)) == ["b1", "b2"], "the others go on"
    assert {line["host"] for line in project.issued()} == {"b1"}, "nothing was signed for this host"


@pytest.mark.whole
def test_a_run_killed_between_key_and_certificate(project: Project) -> None:
    process = project.start()
    deadline = time.monotonic() + 60
    while not list(project.ca.glob("generations/.new-*/root.key")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not project.generation().exists(), "no key without its certificate where keys are looked for"
    told = facts(project.run())
    assert project.verify(told["b1"][1]["proxy/client"], "sslclient").endswith("OK\n")


@pytest.mark.whole
def test_a_half_made_generation_is_finished_not_replaced(project: Project) -> None:
    project.make_root()
    key = (project.generation() / "root.key").read_bytes()
    (project.generation() / "root.pem").unlink()
    project.ask("b1")
    told = facts(project.run())
    assert (project.generation() / "root.key").read_bytes() == key
    assert [p.name for p in (project.ca / "generations").iterdir()] == ["1"]
    assert project.verify(told["b1"][1]["proxy/client"], "sslclient").endswith("OK\n")


@pytest.mark.whole
def test_two_controllers_make_it_at_the_same_time(project: Project) -> None:
    other = Project(Path(tempfile.mkdtemp(dir=project.folder)))
    other.settings["dir"] = project.settings["dir"]
    running = [one.start() for one in (project, other)]
    told = [facts(process.communicate(timeout=120)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    first, second = (one["a1"][0]["trust"] for one in told)
    assert first == second, "both trust the one that won"
    for issued in told:
        assert project.verify(issued["b1"][1]["proxy/client"], "sslclient").endswith("OK\n")
    assert [p.name for p in (project.ca / "generations").iterdir()] == ["1"]
    assert len(project.issued()) == 6


@pytest.mark.whole
@pytest.mark.parametrize(("throttle", "at_once"), [(1, 1), (2, 2), (8, 3)])
def test_how_many_hosts_are_signed_for_at_once(project: Project, throttle: int, at_once: int) -> None:
    project.settings["throttle"] = throttle
    project.credentials["a1"] = project.credentials["a1"][:1]
    project.ask("a1", "b1", "b2")
    project.watch_signing()
    project.run()
    assert (len(project.issued()), project.signed_at_once()) == (3, at_once)


@pytest.mark.whole
def test_on_a_host_of_the_inventory(project: Project) -> None:
    """It has its own connection and Python, and what the group `all` says of become does not reach it."""
    python = project.folder / "python"
    python.write_text(
        f'#!/bin/sh\ntouch "{project.folder}/used"\nexec "{sys.executable}" "$@"\n', encoding="ascii"
    )
    python.chmod(0o755)
    vault = {"ansible_connection": "local", "ansible_python_interpreter": str(python)}
    project.inventory["children"]["vault"] = {"hosts": {"vault1": vault}}
    project.settings["host"] = "vault1"
    output = project.run()
    assert (project.folder / "used").exists()
    assert set(delegated(output)) == {"a1 -> vault1", "b1 -> vault1"}
    assert project.verify(facts(output)["b1"][1]["proxy/client"], "sslclient").endswith("OK\n")


def test_no_credential_of_the_private_ca(project: Project) -> None:
    for credentials in project.credentials.values():
        for entry in credentials:
            entry["issuer"] = "files"
    project.settings["dir"] = ""
    for host in project.requests:
        project.requests[host] = {"credentials": []}
    output = project.run()
    assert facts(output)["a1"] == (NOTHING, {})
    assert delegated(output) == []


def test_a_key_that_is_gone(project: Project) -> None:
    project.make_root()
    (project.generation() / "root.key").unlink()
    message = project.refused()
    assert "generations/1 has no root.key" in message
    assert "Restore root.key from the backup" in message
    assert "let rotate_ca.yml replace it" in message
    assert not (project.generation() / "root.key").exists()
    # As it says: another one signs, and the old one stays trusted.
    project.ask("b1")
    project.steps(("find", {}), ("generation", {}), ("issuing", {"private_ca_generation": 2}), ("main", {}))
    told = facts(project.run())["b1"]
    assert subjects(told[0]["trust"]) == ["CN=mtls CA 1", "CN=mtls CA 2"]
    assert issuer_of(told[1]["proxy/client"]) == "CN=mtls CA 2"
    assert not (project.generation() / "root.key").exists()


# --- the runs that replace the CA, and revoke ---


def subjects(texts: list[str]) -> list[str]:
    """Of the certificates, or the issuers of the CRLs."""
    found = []
    for text in texts:
        if "X509 CRL" in text:
            found.append(x509.load_pem_x509_crl(text.encode()).issuer)
        else:
            found.append(x509.load_pem_x509_certificate(text.encode()).subject)
    return [name.rfc4514_string() for name in found]


def issuer_of(leaf: str) -> str:
    return x509.load_pem_x509_certificate(leaf.encode()).issuer.rfc4514_string()


# molecule/rotate_ca goes the same way, on hosts.
@pytest.mark.whole
def test_a_generation_takes_over_from_the_other(project: Project) -> None:
    project.run()

    # Trust. The second one is the rerun of a run that was interrupted, the third any run in between.
    project.ask()
    project.steps(("generation", {}))
    assert "would make root.key, root.pem of mtls CA 2" in project.run("--check", "--diff")
    assert not project.generation(2).exists()
    project.ask("b1")
    project.steps(("generation", {}), ("generation", {}), ("main", {}))
    told = facts(project.run())
    old = told["b1"][1]["proxy/client"]
    assert {host: subjects(told[host][0]["trust"]) for host in told} == {
        host: ["CN=mtls CA 1", "CN=mtls CA 2"] for host in ("a1", "b1", "b2")
    }
    assert issuer_of(old) == "CN=mtls CA 1"
    assert told["b1"][0]["crls"] == []
    assert not project.generation(3).exists()
    modes = [mode(project.generation(2) / name) for name in (".", "root.key", "root.pem")]
    assert modes == ["0700", "0600", "0644"]

    # Issue: what follows in the same run is signed with it.
    project.ask("b1")
    project.steps(("ensure", {}), ("issuing", {"private_ca_generation": 2}), ("sign", {}))
    told = facts(project.run())
    new = told["b1"][1]["proxy/client"]
    assert (issuer_of(new), project.issued()[-1]["generation"]) == ("CN=mtls CA 2", 2)
    assert subjects([told["b1"][0]["issuer"]["root"]]) == ["CN=mtls CA 2"]
    assert subjects(told["b1"][0]["trust"]) == ["CN=mtls CA 1", "CN=mtls CA 2"]

    # Retire; a retired generation needs no list.
    project.ask()
    digest = x509.load_pem_x509_certificate(new.encode()).fingerprint(hashes.SHA256()).hex()
    revoke = ("revoke", {"private_ca_revoke": {"sha256": [digest]}})
    project.steps(("retire", {"private_ca_generation": 1}), revoke, ("main", {}))
    told = facts(project.run())
    assert {host: subjects(told[host][0]["trust"]) for host in told} == {
        host: ["CN=mtls CA 2"] for host in ("a1", "b1", "b2")
    }
    assert subjects(told["a1"][0]["crls"]) == ["CN=mtls CA 2"]
    assert project.accepted(told["a1"][0], new) is False
    project.steps(("retire", {"private_ca_generation": 2}))
    assert "generations/2 is the one that signs" in project.refused()


@pytest.mark.whole
def test_revoking_with_an_intermediate_and_then_a_new_intermediate(project: Project) -> None:
    project.settings["intermediate"] = True
    project.settings["crl_days"] = 7
    secret = ("-e", json.dumps({"private_ca_passphrase": PASSPHRASE}))
    first = facts(project.run(*secret))
    good, bad = first["a1"][1]["server/probe"], first["b1"][1]["proxy/client"]
    assert first["b1"][0]["crls"] == []

    project.ask()
    project.steps(("crl", {}), ("revoke", {"private_ca_revoke": {"host": "b1"}}))
    assert sum(changed(project.run("--check", *secret)).values()) == 1
    assert not (project.ca / "revoked.jsonl").exists()
    output = project.run("-vvv", *secret)
    assert PASSPHRASE not in output
    authority = facts(output)["b2"][0]
    assert subjects(authority["crls"]) == ["CN=mtls CA 1", "CN=mtls CA 1 issuing"]
    assert (project.accepted(authority, good), project.accepted(authority, bad)) == (True, False)
    made = x509.load_pem_x509_crl(authority["crls"][0].encode())
    assert made.next_update_utc - made.last_update_utc == timedelta(days=7, hours=1)

    project.ask("b1")
    project.steps(("crl", {}), ("sign", {}))
    # Who is revoked gets another certificate by force only.
    message = project.refused(*secret)
    assert "proxy/client of b1 was revoked at" in message
    assert "give -e rotate_force=true" in message
    # Nor does it under another name.
    serial = next(one["serial"] for one in project.issued() if one["host"] == "b1")
    project.ask("b2", live={"serial": serial, "trust": []})
    assert "proxy/client of b2 was revoked at" in project.refused(*secret)
    project.ask("b1")

    # With a CRL from its first day; what the old one signed goes on.
    new_one = ("generation", {"private_ca_new": "intermediate"})
    project.steps(new_one, new_one, ("issuing", {"private_ca_generation": 1}), ("sign", {}))
    authority, issued = facts(project.run(*secret, "-e", "rotate_force=true"))["b1"]
    new = issued["proxy/client"]
    assert issuer_of(new) == "CN=mtls CA 1 issuing 2"
    assert subjects(authority["trust"]) == ["CN=mtls CA 1"]
    assert subjects([authority["chain"]]) == ["CN=mtls CA 1 issuing 2"]
    assert subjects(list(authority["issuer"].values())) == ["CN=mtls CA 1 issuing 2", "CN=mtls CA 1"]
    assert subjects(authority["crls"])[2:] == ["CN=mtls CA 1 issuing 2"]
    assert [project.accepted(authority, leaf) for leaf in (new, good, bad)] == [True, True, False]
    assert mode(project.generation() / "intermediate-2.key") == "0600"
    assert not (project.generation() / "intermediate-3.key").exists()


@pytest.mark.whole
def test_lists_are_made_when_asked_for_and_by_nothing_else(project: Project) -> None:
    project.steps(("main", {}), ("crl", {}))
    assert facts(project.run())["a1"][0]["crls"] == []
    project.ask()
    project.steps(("crl", {"private_ca_crl_force": True}), ("generation", {}))
    told = facts(project.run())["a1"][0]
    assert subjects(told["crls"]) == ["CN=mtls CA 1", "CN=mtls CA 2"], "the second, since lists are in use"


MOVE_ON = """
    - ansible.builtin.copy:
        content: "2\\n"
        dest: "{{ mtls_fleet.hosts.a1.private_ca.dir }}/issuing"
        mode: "0600"
      delegate_to: localhost
      run_once: true
      become: false
      vars:
        ansible_connection: local
        ansible_become: false
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""


@pytest.mark.whole
def test_another_controller_moves_on_before_this_one_signs(project: Project) -> None:
    project.steps(("main", {}), ("generation", {}))
    project.run()
    issued = project.issued()
    project.steps(("ensure", {}), ("sign", {}))
    play = project.folder / "play.yml"
    before, last, after = play.read_text(encoding="utf-8").rpartition("\n    - ansible.builtin.include_role")
    play.write_text(before + MOVE_ON + last + after, encoding="utf-8")
    project.ask("b1")
    output = project.run(rc=2)
    assert "Generation 1 signed, and now it is generation 2" in output
    assert "b1" not in facts(output), "nothing is delivered"
    assert project.issued() == issued
