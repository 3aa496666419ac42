# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three hosts of the scenario, and a client on each of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import strangers as made
from live import HERE, Certificate, Lab, reload_nginx

STRANGERS = "/root/strangers"


@pytest.fixture(scope="session")
def lab():
    return Lab(Path(os.environ["MTLS_LAB_INVENTORY"]))


@pytest.fixture(scope="session")
def a1(lab):
    return lab.connect("a1.example.com")


@pytest.fixture(scope="session")
def b1(lab):
    return lab.connect("b1.example.com")


@pytest.fixture(scope="session")
def stranger(lab):
    return lab.connect("stranger.example.com")


@pytest.fixture(scope="session")
def ask(lab):
    """ask("a1", **request) makes one request from a1.example.com; see client.py."""
    return lambda name, **request: lab.ask(f"{name}.example.com", **request)


@pytest.fixture(scope="session")
def certificate():
    return Certificate


@pytest.fixture(scope="session")
def strangers(lab, tmp_path_factory):
    """{name: certificate and key on the stranger's host}, two of them signed by the private CA itself."""
    folder = tmp_path_factory.mktemp("pki") / "strangers"
    made.make(folder, Path(os.environ["MTLS_PRIVATE_CA"]))
    lab.copy(folder, "stranger.example.com", STRANGERS)
    return {
        path.stem: {"certificate": f"{STRANGERS}/{path.stem}.pem", "key": f"{STRANGERS}/{path.stem}.key"}
        for path in folder.glob("*.pem")
    }


@pytest.fixture
def impostor(lab, b1, stranger):
    """Puts an impostor in A's place, as B's host sees it; gives the path of what the impostor noted."""
    report = "/run/impostor.jsonl"
    lab.copy(HERE / "impostor.py", "stranger.example.com", "/root/impostor.py")
    stranger.run("systemctl stop impostor; rm -f %s", report)
    stranger.run_expect(
        [0], "systemd-run --unit=impostor python3 /root/impostor.py a1.example.com --report %s", report
    )
    for dummy in range(50):
        if stranger.file(report).exists:
            break
        time.sleep(0.1)
    address = stranger.run("hostname --ip-address").stdout.split()[0]
    before = b1.file("/etc/hosts").content_string
    b1.run_expect([0], "echo %s >>/etc/hosts", f"{address} a1.example.com")
    try:
        reload_nginx(b1)
        yield report
    finally:
        b1.run_expect([0], "printf %%s %s >/etc/hosts", before)
        reload_nginx(b1)
        stranger.run("systemctl stop impostor")
