# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long credential_info takes for many credentials in one call, beside what else one would do.

Run from the checkout: ``PYTHONPATH=.cache .venv/bin/python tests/benchmarks/credential_info.py [NUMBER…]``,
by default 1, 100 and 1000 credentials: leaf and intermediate, key, the same root, ten intermediates. All are
measured in one run, so that the ratios hold on any machine:

openssl     a loop of four commands for each: verify, x509, x509 -pubkey and pkey -pubout to compare
per item    community.crypto.x509_certificate_info, which takes one certificate a call and verifies nothing

Each module runs in a process of its own, as on a managed host; connection and transfer are not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

INTERMEDIATES = 10
AT = "2026-06-01T12:00:00Z"
SECONDS = str(int(builders.AT.timestamp()))
# Of the module that takes one item a call; more would only take longer.
FEW = 5
RUN = """
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
importlib.import_module(sys.argv[1]).main()
"""


def write(folder: Path, number: int) -> None:
    root = builders.root()
    (folder / "root.pem").write_bytes(root.pem)
    issuers = [builders.intermediate(root, f"CN=Issuing {index}") for index in range(INTERMEDIATES)]
    for index in range(number):
        issuer = issuers[index % INTERMEDIATES]
        leaf = builders.client(issuer, f"CN=c{index}.example.com", names=(f"c{index}.example.com",))
        (folder / f"{index}.leaf").write_bytes(leaf.pem)
        (folder / f"{index}.sent").write_bytes(issuer.pem)
        (folder / f"{index}.pem").write_bytes(leaf.pem + issuer.pem)
        (folder / f"{index}.key").write_bytes(leaf.key_pem)
        (folder / f"{index}.key").chmod(0o600)


def module(name: str, arguments: dict) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"ansible_collections.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        capture_output=True,
        check=False,
    )
    told = json.loads(done.stdout)
    assert done.returncode == 0 and not told.get("failed"), told
    return told


def ours(folder: Path, number: int) -> None:
    credentials = [
        {
            "name": f"c{index}",
            "certificate_path": f"{folder}/{index}.pem",
            "private_key_path": f"{folder}/{index}.key",
            "trust_path": f"{folder}/root.pem",
            "purpose": "client",
            "hostnames": [f"c{index}.example.com"],
        }
        for index in range(number)
    ]
    told = module("mutual_tls.nginx.plugins.modules.credential_info", {"credentials": credentials, "at": AT})
    assert all(one["verifies"] and one["matches"] for one in told["credentials"])
    assert len(told["credentials"]) == number and not told["findings"], told["findings"][:1]


def openssl_loop(folder: Path, number: int) -> None:
    for index in range(number):
        commands = [
            ["verify", "-CAfile", "root.pem", "-untrusted", f"{index}.sent", "-purpose", "sslclient",
             "-attime", SECONDS, "-verify_hostname", f"c{index}.example.com", f"{index}.leaf"],
            ["x509", "-in", f"{index}.leaf", "-noout", "-subject", "-issuer", "-serial", "-dates",
             "-fingerprint", "-sha256", "-ext", "subjectAltName,extendedKeyUsage"],
            ["x509", "-in", f"{index}.leaf", "-noout", "-pubkey"],
            ["pkey", "-in", f"{index}.key", "-pubout"],
        ]  # fmt: skip
        said = [
            subprocess.run(["openssl", *command], cwd=folder, capture_output=True, check=True)
            for command in commands
        ]
        assert said[2].stdout == said[3].stdout


def per_item(folder: Path, number: int) -> None:
    for index in range(number):
        module("community.crypto.plugins.modules.x509_certificate_info", {"path": f"{folder}/{index}.leaf"})


def seconds(work: Callable[[Path, int], None], folder: Path, number: int) -> float:
    started = time.perf_counter()
    work(folder, number)
    return time.perf_counter() - started


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:]] or [1, 100, 1000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, max(FEW, *numbers))
        one_item = seconds(per_item, folder, FEW) / FEW
        print(f"{'':>6} {'credential_info':>22} {'openssl':>22} {'per item':>22}")
        for number in numbers:
            mine = seconds(ours, folder, number)
            told = [f"{mine:6.2f} s {mine / number * 1000:8.2f} ms each"]
            for other in (seconds(openssl_loop, folder, number), one_item * number):
                told.append(f"{other:6.2f} s {other / mine:8.1f} times")
            print(f"{number:6} " + " ".join(f"{text:>22}" for text in told))
        print(f"per item: {one_item:.2f} s for one, measured {FEW} times, multiplied")


if __name__ == "__main__":
    main()
