# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""credential_info, ca_bundle and crl_bundle by ansible-playbook itself: their EXAMPLES run, and no secret is
printed."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="the controller's, not in the images of managed hosts")

import ansible_collections
import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.mutual_tls.nginx.plugins.modules import ca_bundle, credential_info, crl_bundle
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

PROGRAM = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="ansible-playbook is the controller's, not a host's")
README = Path(__file__).resolve().parents[4] / "README.md"
COLLECTIONS = Path(next(iter(ansible_collections.__path__))).parent
PASSPHRASE = "a"
ROOT = builders.root(start=builders.AT - 9000 * builders.DAY, end=builders.AT + 9000 * builders.DAY)
LEAF = builders.server(ROOT, start=builders.AT - 1000 * builders.DAY, end=builders.AT + 5000 * builders.DAY)
KEY = builders.key_pem(LEAF.key, PASSPHRASE.encode())
PARTNER = builders.root("CN=Partner", end=builders.AT + 9000 * builders.DAY)
LISTS = [
    builders.revoke(ca, end=builders.AT + 5000 * builders.DAY).public_bytes(Encoding.PEM)
    for ca in (PARTNER, ROOT)
]


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    """All files that the examples name, below a directory of their own."""
    files = {
        "root/orders.pem": LEAF.pem,
        "root/orders.key": KEY,
        "root/orders.pass": PASSPHRASE.encode() + b"\n",
        "root/clients-trust-this.pem": ROOT.pem,
        "etc/pki/clients/ca": ROOT.certificate.public_bytes(Encoding.DER),
        "etc/pki/clients/README": b"Our clients' CAs.\n",
        "etc/pki/partner.pem": ROOT.pem,
        "etc/nginx/nginx.conf": b"",
        "etc/pki/crls/partner.pem": LISTS[0],
        "etc/pki/crls/ours.pem": LISTS[1],
        "pki/partner-ca.pem": PARTNER.pem,
        "pki/crls.pem": b"".join(LISTS),
        "orders.pem": LEAF.pem,
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def play(project: Path, tasks: list[dict[str, Any]], *arguments: str) -> tuple[int, str]:
    """The exit code, and everything that was printed."""
    text = json.dumps(tasks).replace('"/root/', f'"{project}/root/').replace('"/etc/', f'"{project}/etc/')
    tasks = json.loads(text)
    for task in tasks:
        task.pop("become", None)
    book = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (project / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    interpreter = f"ansible_python_interpreter={sys.executable}"
    done = subprocess.run(
        [str(PROGRAM), "-i", "localhost,", "-e", interpreter, *arguments, "play.yml"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(project / "home"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "NO_COLOR": "1",
        },
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def fragments(*texts: bytes) -> list[str]:
    return [line for text in texts for line in text.decode().splitlines() if line and "-----" not in line]


def readme_tasks() -> list[dict[str, Any]]:
    """The tasks in README.md that use one of the two modules."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks if "  mutual_tls.nginx.c" in block]
    assert found, "README.md shows them"
    return [task for tasks in found for task in tasks]


def test_the_examples_run(project: Path) -> None:
    examples = (yaml.safe_load(module.EXAMPLES) for module in (ca_bundle, crl_bundle, credential_info))
    tasks = [*itertools.chain.from_iterable(examples), *readme_tasks()]
    if os.geteuid() != 0:  # only root gives files away
        for task in tasks:
            for module, option in itertools.product(("ca_bundle", "crl_bundle"), ("owner", "group")):
                task.get(f"mutual_tls.nginx.{module}", {}).pop(option, None)
    code, printed = play(project, tasks)
    assert code == 0, printed
    assert "ssl_verify_depth 1; the first CA expires at" in printed
    # README's bundle has one CA less, and replaces that of the examples.
    assert (project / "etc/nginx/clients-ca.pem").read_bytes() == ROOT.pem
    assert "the first CRL ends at 2040-" in printed
    assert (project / "etc/nginx/clients-crl.pem").read_bytes() == b"".join(LISTS)
    assert (project / "etc/nginx/partner-crl.pem").read_bytes() == LISTS[1]
    assert "changed=5 " in printed and "failed=0" in printed


def test_no_secret_is_printed_at_any_verbosity(project: Path) -> None:
    """Given inline, by path and in wrong places; checked, shown as a diff, and failing."""
    inline = "{{ lookup('ansible.builtin.file', 'root/orders.key') }}"
    tasks = [
        {
            "mutual_tls.nginx.credential_info": {
                "credentials": [
                    {
                        "name": "a chain",
                        "certificate_path": "/root/orders.pem",
                        "private_key_content": inline,
                        "private_key_passphrase": PASSPHRASE,
                        "hostnames": ["a.example.com"],
                    },
                    {"name": "swapped", "certificate_content": inline, "trust_content": inline},
                ],
                "fail_on": "error",
            },
            "ignore_errors": True,  # it is refused; the secret is looked for in what is said
        },
        {
            "mutual_tls.nginx.ca_bundle": {
                "path": "/root/trust.pem",
                "sources": [{"path": "/root/clients-trust-this.pem"}],
            }
        },
        {
            "mutual_tls.nginx.ca_bundle": {"path": "/root/new.pem", "sources": [{"content": inline}]},
            "ignore_errors": True,  # it is refused; the secret is looked for in what is said
        },
        {
            "mutual_tls.nginx.ca_bundle": {"path": "/root/orders.key", "state": "absent"},
            "ignore_errors": True,  # it is refused; the secret is looked for in what is said
        },
    ]
    code, printed = play(project, tasks, "-vvv", "--check", "--diff")
    assert code == 0 and "ignored=3" in printed, printed
    assert '"matches": true' in printed and '"name": "a chain"' in printed
    assert "is not valid for a.example.com (it has: orders.example.com)" in printed
    assert f"+CN=Root {ROOT.certificate.fingerprint(builders.hashes.SHA256()).hex()}" in printed
    assert "pair.swapped_files" in printed and "bundle.private_key" in printed
    assert [fragment for fragment in fragments(KEY) if fragment in printed] == []
    assert not (project / "root/trust.pem").exists() and (project / "root/orders.key").exists()
