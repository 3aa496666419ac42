# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three hosts of the scenario, and a client on each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import testinfra
from cryptography import x509
from cryptography.hazmat.primitives import hashes

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "tests" / "lab"
HOSTS = json.loads(Path(os.environ["MTLS_LAB_INVENTORY"]).read_text())["all"]["hosts"]
STRANGERS = "/root/strangers"


def container(name):
    return HOSTS[f"{name}.example.com"]["ansible_host"]


def connect(name):
    return testinfra.get_host(f"podman://{container(name)}")


@pytest.fixture(scope="session")
def a1():
    return connect("a1")


@pytest.fixture(scope="session")
def b1():
    return connect("b1")


@pytest.fixture(scope="session")
def stranger():
    return connect("stranger")


@pytest.fixture(scope="session")
def ask():
    """ask(host, **request) makes one request from that host; see client.py."""
    script = (LAB / "client.py").read_text()

    def from_host(name, **request):
        command = ["podman", "exec", "--interactive", container(name), "python3", "-", json.dumps(request)]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return from_host


class Certificate:
    """The first certificate of a file on a host, in nginx's words. A bare host has no openssl command."""

    def __init__(self, host, path):
        certificate = x509.load_pem_x509_certificate(host.file(path).content)
        digits = f"{certificate.serial_number:X}"
        self.serial = digits.zfill(len(digits) + len(digits) % 2)
        self.sha1 = certificate.fingerprint(hashes.SHA1()).hex()
        self.sha256 = certificate.fingerprint(hashes.SHA256()).hex()


@pytest.fixture(scope="session")
def certificate():
    return Certificate


@pytest.fixture(scope="session")
def strangers(tmp_path_factory):
    """{name: certificate and key on the stranger's host}, two of them signed by the private CA itself."""
    sys.path.insert(0, str(LAB))
    import strangers as made

    folder = tmp_path_factory.mktemp("pki") / "strangers"
    made.make(folder, Path(os.environ["MTLS_PRIVATE_CA"]))
    host = container("stranger")
    subprocess.run(["podman", "exec", host, "rm", "-rf", STRANGERS], check=True)
    subprocess.run(["podman", "cp", str(folder), f"{host}:{STRANGERS}"], check=True)
    return {
        path.stem: {"certificate": f"{STRANGERS}/{path.stem}.pem", "key": f"{STRANGERS}/{path.stem}.key"}
        for path in folder.glob("*.pem")
    }


@pytest.fixture
def impostor(b1, stranger):
    """Puts an impostor in A's place, as B's host sees it; gives the path of what the impostor noted."""
    report = "/run/impostor.jsonl"
    subprocess.run(["podman", "cp", str(LAB / "impostor.py"), f"{container('stranger')}:/root"], check=True)
    stranger.run("systemctl stop impostor; rm -f %s", report)
    stranger.run_expect(
        [0], "systemd-run --unit=impostor python3 /root/impostor.py a1.example.com --report %s", report
    )
    for _ in range(50):
        if stranger.file(report).exists:
            break
        time.sleep(0.1)
    address = stranger.run("hostname --ip-address").stdout.split()[0]
    before = b1.file("/etc/hosts").content_string
    b1.run_expect([0], "echo %s >>/etc/hosts", f"{address} a1.example.com")
    try:
        reload(b1)
        yield report
    finally:
        b1.run_expect([0], "printf %%s %s >/etc/hosts", before)
        reload(b1)
        stranger.run("systemctl stop impostor")


def reload(host):
    """Reloads nginx and waits until no worker of before is left."""
    old = set(host.run("pgrep -f 'nginx: worker process$'").stdout.split())
    host.run_expect([0], "systemctl reload nginx")
    for _ in range(50):
        now = set(host.run("pgrep -f 'nginx: worker process$'").stdout.split())
        if now and not now & old:
            return
        time.sleep(0.1)
    raise AssertionError("nginx did not reload")
