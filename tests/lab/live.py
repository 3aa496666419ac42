# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the scenarios' tests reach the lab: by podman, without Ansible and without the collection."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import testinfra
from cryptography import x509
from cryptography.hazmat.primitives import hashes

HERE = Path(__file__).resolve().parent


class Lab:
    """The hosts of one lab, by the inventory that hosts.py wrote."""

    def __init__(self, inventory: Path) -> None:
        self.hosts = json.loads(inventory.read_text())["all"]["hosts"]
        self.client = (HERE / "client.py").read_text()

    def container(self, name: str) -> str:
        found: str = self.hosts[name]["lab_container"]
        return found

    def connect(self, name: str) -> Any:
        """The host for testinfra."""
        return testinfra.get_host(f"podman://{self.container(name)}")

    def copy(self, source: Path, name: str, target: str) -> None:
        """Lays a file or folder on a host, in the place of what is there."""
        container = self.container(name)
        subprocess.run(["podman", "exec", container, "rm", "-rf", target], check=True)
        subprocess.run(["podman", "cp", str(source), f"{container}:{target}"], check=True)

    def ask(self, name: str, **request: Any) -> dict[str, Any]:
        """One request from that host; see client.py."""
        return self.ask_all(name, [request])[0]

    def ask_all(self, name: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Requests from that host, one after the other."""
        container = self.container(name)
        command = ["podman", "exec", "--interactive", container, "python3", "-", json.dumps(requests)]
        done = subprocess.run(command, input=self.client, capture_output=True, text=True, check=True)
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers


class Certificate:
    """The first certificate of a file on a host, in nginx's words. A bare host has no openssl command."""

    def __init__(self, host: Any, path: str) -> None:
        certificate = x509.load_pem_x509_certificate(host.file(path).content)
        digits = f"{certificate.serial_number:X}"
        self.serial = digits.zfill(len(digits) + len(digits) % 2)
        self.sha1 = certificate.fingerprint(hashes.SHA1()).hex()
        self.sha256 = certificate.fingerprint(hashes.SHA256()).hex()


def reload_nginx(host: Any) -> None:
    """Reloads nginx and waits until no worker of before is left."""
    old = workers(host)
    host.run_expect([0], "systemctl reload nginx")
    for dummy in range(50):
        now = workers(host)
        if now and not now & old:
            return
        time.sleep(0.1)
    raise AssertionError("nginx did not reload")


def workers(host: Any) -> set[str]:
    return set(host.run("pgrep -f 'nginx: worker process$'").stdout.split())


def headers_at_the_backend(answer: dict[str, Any]) -> dict[str, list[str]]:
    """{lower-case name: values} of what the backend received; fails where it was not asked."""
    assert answer.get("status") == 200, answer
    found: dict[str, list[str]] = {}
    for name, value in json.loads(answer["body"])["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found
