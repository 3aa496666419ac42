# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of molecule/alternative have in common: its sites, its callers, and runs of site.yml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from live import Lab

ROOT = Path(__file__).resolve().parents[2]
VAULT_PASSWORD = ROOT / "molecule" / "fleet" / "vault_password"
BASE = "/etc/nginx/edge/mtls"
TOOLS = "/root/lab"
CALLERS = "by-sha1 by-name by-serial uninvited revoked late deep pinned-client stranger".split()
# Where the sites are, as callers ask them.
ORDERS = {"host": "a1.example.com", "sni": "orders.example.com"}
ORDERS_2 = {"host": "a2.example.com", "sni": "orders.example.com"}
LEDGER = {"host": "a1.example.com", "port": 8443, "sni": "ledger.example.com"}
BALANCED = {"host": "a1.example.com", "port": 9443, "sni": "balanced.example.com"}
LIVE = {"host": "a2.example.com", "port": 11443, "sni": "live.example.com"}
HASTY = {"host": "a2.example.com", "port": 10443, "sni": "hasty.example.com"}
OPEN = {"host": "a1.example.com", "port": 10443, "sni": "open.example.com"}


class Project:
    """The user's project, with the hosts that it is about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = Lab(folder / "lab.json")

    def host(self, name: str) -> Any:
        return self.lab.connect(f"{name}.example.com")

    def address(self, name: str) -> str:
        found: str = self.lab.hosts[f"{name}.example.com"]["ansible_host"]
        return found

    def shown(self, site: dict[str, Any], *more: str) -> str:
        """What `openssl s_client` tells of that site, asked from the caller's host."""
        where = f"-connect {site['host']}:{site.get('port', 443)} -servername {site['sni']}"
        command = f"openssl s_client {where} -nameopt rfc2253 {' '.join(more)} </dev/null"
        # After the handshake h2 begins with bytes that are no text.
        told: bytes = self.host("caller").run(command).stdout_bytes
        return told.decode(errors="replace")

    def plain(self, host: str, *questions: dict[str, Any]) -> list[dict[str, Any]]:
        """What B on b1 answers to a caller on that host; see caller.py."""
        asked = [{"host": "b1.example.com", "port": 8088, **question} for question in questions]
        container = self.lab.container(f"{host}.example.com")
        command = ["podman", "exec", "--interactive", container, "python3", f"{TOOLS}/caller.py"]
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    def site(self, *arguments: str) -> str:
        """Runs site.yml, which must go through; what it printed."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, "-i", "inventory.yml", "-i", "lab.json", "site.yml", *arguments]
        done = subprocess.run(
            [*command, "--vault-password-file", str(VAULT_PASSWORD)],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"),
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_NOCOLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def edit(self, name: str, old: str, new: str) -> None:
        """What a user edits in a file of the project."""
        path = self.folder / name
        before = path.read_text()
        assert old in before, (name, old)
        path.write_text(before.replace(old, new))

    def live(self, name: str) -> str:
        target: str = self.host(name).file(f"{BASE}/current").linked_to
        return target

    def log(self, name: str, site: str) -> list[dict[str, str]]:
        """A's access log of that site."""
        text = self.host(name).file(f"/var/log/nginx/mtls-{site}.access.log").content_string
        return [json.loads(line) for line in text.splitlines()]

    def asking(self, **request: Any) -> subprocess.Popen[str]:
        """A request from the caller's host that waits for a line before its second half."""
        container = self.lab.container("caller.example.com")
        command = ["podman", "exec", "--interactive", container, "python3", f"{TOOLS}/client.py"]
        process = subprocess.Popen(
            [*command, json.dumps({**request, "again": True, "wait": True})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        return process


def acceptable(shown: str) -> set[str]:
    """The subjects of the authorities that A names to everybody, as s_client shows them."""
    listed = shown.split("Acceptable client certificate CA names\n")[1].split("\nRequested")[0]
    return {line for line in listed.splitlines() if "=" in line}
