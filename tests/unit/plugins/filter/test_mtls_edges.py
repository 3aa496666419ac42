# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as site.yml calls them, in a real play."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.filter.mtls_edges import mtls_edges
from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, write

NAME = "orders.example.com"
AUTHORITY = builders.root(
    "CN=Root", start=builders.AT - 9000 * builders.DAY, end=builders.AT + 9000 * builders.DAY
)
LASTING = {"start": builders.AT - 9000 * builders.DAY, "end": builders.AT + 9000 * builders.DAY}
COLLECTIONS = next(
    path for path in sys.path if (Path(path) / "ansible_collections/mutual_tls/nginx").is_dir()
)


def judging() -> dict:
    """The task of site.yml that judges the edges."""
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    (play,) = [play for play in plays if play["name"] == "Edges"]
    (task,) = [task for task in play["tasks"] if task["name"].startswith("Judge each edge")]
    return task


def run(folder: Path, client: builders.Issued, given: tuple[str, ...] = ("listed", "b")) -> dict:
    """What site.yml would say of a fleet whose client certificate and its copy on the allowlist are encrypted
    by Ansible Vault, each by a password of its own. *given*: the passwords that the run has."""
    identities = {name: f"{name}@{folder / name}.password" for name in ("listed", "b")}
    for name in identities:
        (folder / f"{name}.password").write_text(f"secret of {name}\n")
    files = {"a": builders.server(AUTHORITY, **LASTING), "b": client, "listed": client, "ca": AUTHORITY}
    for name, issued in files.items():
        (folder / f"{name}.pem").write_bytes(issued.pem)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_VAULT_IDENTITY_LIST": ",".join(identities[name] for name in given),
    }
    calls = [sys.executable, "-m", "ansible"]
    for name in identities:
        encrypt = [*calls, "vault", "encrypt", "--vault-id", identities[name], "--encrypt-vault-id", name]
        subprocess.run(
            [*encrypt, str(folder / f"{name}.pem")],
            env={**environment, "ANSIBLE_VAULT_IDENTITY_LIST": ""},
            check=True,
            capture_output=True,
        )

    def files_of(name: str) -> dict:
        return {
            "issuer": "files",
            "files": {"certificate": str(folder / f"{name}.pem"), "private_key": "/never/read"},
            "trust": {"sources": [{"src": str(folder / "ca.pem")}]},
        }

    allow = [{"certificate": {"src": str(folder / "listed.pem")}}]
    site = {"name": "orders", "server_names": [NAME], "allow": allow}
    inventory = write(
        folder,
        {
            "mtls_servers": {
                A: {
                    "mtls_server_sites": [site],
                    "mtls_server_credentials": [{"name": "server", **files_of("a")}],
                }
            },
            "mtls_proxies": {B: {"mtls_proxy_credentials": [{"name": "client", **files_of("b")}]}},
        },
    )
    bare = {"installed": {"sites": [], "routes": []}, "credentials": []}
    model = {"mtls_fleet": "{{ hostvars | mutual_tls.nginx.mtls_model(groups=groups) }}"}
    told = {
        "content": "{{ mtls_site_edges | to_json }}",
        "dest": str(folder / "told.json"),
        "mode": "0600",
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": local,
        "tasks": [
            {"ansible.builtin.set_fact": model, "run_once": True},
            {"ansible.builtin.set_fact": {"mtls_installed": bare}},
            judging(),
            {"ansible.builtin.copy": told, "run_once": True},
        ],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = subprocess.run(
        [*calls, "playbook", "-i", inventory, str(folder / "play.yml")],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "told.json").read_text())


def test_site_yml_judges_also_what_is_encrypted(tmp_path):
    told = run(tmp_path, builders.client(AUTHORITY, **LASTING))
    assert (told["edges"], told["working"]) == (1, 1)
    assert not any(told[kind] for kind in ("breaking", "revoked", "broken", "doubtful", "unknown"))


def test_site_yml_hears_of_an_edge_that_breaks(tmp_path):
    told = run(tmp_path, builders.client(builders.root("CN=Other"), **LASTING))
    (line,) = told["breaking"]
    assert line.startswith(
        f"{B} (route default) to {A} (site orders): {A} would refuse the client certificate"
    )


def test_a_vault_file_that_does_not_open_is_alone_in_that(tmp_path):
    """The other one, which comes after it, is judged by its own content."""
    told = run(tmp_path, builders.client(builders.root("CN=Other"), **LASTING), given=("b",))
    (line,) = told["breaking"]
    assert "[chain.missing_intermediate]" in line


def test_whom_a_list_that_does_not_open_lets_in_is_unknown(tmp_path):
    told = run(tmp_path, builders.client(AUTHORITY, **LASTING), given=("b",))
    (line,) = told["unknown"]
    assert f"The file '{tmp_path}/listed.pem' is encrypted." in line


@pytest.mark.parametrize("value", [{}, [], "fleet"])
def test_what_is_no_model_is_refused(value):
    with pytest.raises(AnsibleFilterError, match="the model of the fleet"):
        mtls_edges(value, {})


def test_a_time_that_is_none_is_refused():
    with pytest.raises(AnsibleFilterError, match="RFC 3339"):
        mtls_edges({"hosts": {}, "edges": []}, {}, at="tomorrow")
    assert mtls_edges({"hosts": {}, "edges": []}, {}, at="2026-06-01T12:00:00Z")["told"]["edges"] == 0
