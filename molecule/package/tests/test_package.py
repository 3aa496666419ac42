# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball on Debian unstable, by ssh and sudo: what the README says, and nothing of the checkout is used.

The fixtures install the tarball and run site.yml twice.
"""

from __future__ import annotations

import json
import re

import pytest
import strangers
from live import headers_at_the_backend

A1, B1, STRANGER = "a1.example.com", "b1.example.com", "stranger.example.com"
BASE = "/etc/nginx/mtls"
ORDERS = {"host": A1, "sni": "orders.example.com"}
# Laid out by nginx.org; of an ordinary user. Owners of all files, mode and owner of a key, mode and group of
# a release's directory.
OWNED = {
    A1: ({"root:root"}, ("600", "root:root"), (0o700, "root")),
    B1: ({"root:root", "root:web", "web:root"}, ("400", "web:root"), (0o750, "web")),
}
# Whom they run as, and whether that user can read a key.
WORKERS = {A1: ("nginx", False), B1: ("web", True)}
PROXY = {"host": "127.0.0.1", "port": 8080, "tls": False}


def foreign_paths(printed: str, *own: str) -> list[str]:
    """The files of tasks that `ansible-playbook -vv` ran, of all but the folders *own*."""
    paths = re.findall(r"^task path: (/.+?):\d+$", printed, re.MULTILINE)
    assert paths
    return sorted({path for path in paths if not path.startswith(tuple(f"{folder}/" for folder in own))})


def test_only_what_was_installed_is_used(user, first_run):
    assert foreign_paths(first_run, str(user.collection), str(user.project)) == []
    # No link that leads back.
    assert [
        path for path in user.collection.rglob("*") if user.collection not in path.resolve().parents
    ] == []
    listed = user.run(user.project, "ansible-galaxy", "collection", "list", "mutual_tls.nginx")
    assert re.findall(r"^# (.+)$", listed, re.MULTILINE) == [str(user.collections / "ansible_collections")]


def test_a_task_of_elsewhere_is_found():
    printed = (
        "task path: /srv/project/c/roles/x/tasks/main.yml:3\ntask path: /checkout/roles/x/tasks/main.yml:4\n"
    )
    assert foreign_paths(printed, "/srv/project/c") == ["/checkout/roles/x/tasks/main.yml"]


def test_what_was_installed_is_what_was_built(user, second_run):
    """Nor did a run write into it: the next upgrade would delete that."""
    assert "Successfully verified that checksums for 'mutual_tls.nginx" in user.verified
    assert user.files() == user.installed


def test_nothing_of_the_workshop_is_in_it(user):
    inside = {path.parts[0] for path in user.installed}
    assert {"plugins", "roles", "playbooks", "examples", "docs", "README.md", "COPYING"} <= inside
    assert (
        not {".git", ".cache", ".venv", ".ci", ".config", ".hypothesis", ".benchmarks", "private_ca"} & inside
    )
    listed = json.loads((user.collection / "FILES.json").read_text())["files"]
    assert [one["name"] for one in listed if "__pycache__" in one["name"]] == []


def test_the_second_run_changes_nothing(second_run):
    recap = dict(re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", second_run, re.MULTILINE))
    assert {host: recap[host] for host in (A1, B1)} == {A1: "0", B1: "0"}


def test_hosts_are_reached_as_somebody_who_is_not_root(user, first_run):
    plain = ("-m", "command", "-a", "whoami", "-e", "ansible_become=false")
    said = user.run(user.project, "ansible", *user.inventory, A1, *plain)
    assert said.splitlines()[-1] == "operator"
    assert user.lab.hosts[A1]["ansible_connection"] == "ssh"


def test_a_caller_reaches_the_backend(user, second_run):
    headers = headers_at_the_backend(user.lab.ask(B1, **PROXY))
    assert headers["x-ssl-client-verify"] == ["SUCCESS"]
    assert headers["x-ssl-client-s-dn"] == [f"CN={B1}"]
    assert headers["host"] == ["orders.example.com"]


@pytest.fixture(scope="module")
def certificates(user, second_run, tmp_path_factory):
    """On the stranger's host: strangers' of strangers.py."""
    folder = tmp_path_factory.mktemp("pki") / "strangers"
    strangers.make(folder, user.project / "private_ca")
    user.lab.copy(folder, STRANGER, "/root/strangers")
    return "/root/strangers"


@pytest.mark.parametrize("name", ["foreign", "expired", "server-only"])
def test_a_stranger_is_refused(user, certificates, name):
    pair = {"certificate": f"{certificates}/{name}.pem", "key": f"{certificates}/{name}.key"}
    answer = user.lab.ask(STRANGER, **ORDERS, **pair)
    assert (answer["status"], "The SSL certificate error" in answer["body"]) == (400, True)


def test_a_caller_without_a_certificate_is_refused(user, second_run):
    answer = user.lab.ask(STRANGER, **ORDERS)
    assert (answer["status"], "No required SSL certificate was sent" in answer["body"]) == (400, True)
    assert "error" in user.lab.ask(STRANGER, host=A1)
    assert "error" in user.lab.ask(STRANGER, **{**PROXY, "host": B1})


@pytest.mark.parametrize("host", [A1, B1])
def test_nginx_runs_as_its_layout_says(user, second_run, host):
    printed = user.lab.connect(host).run_expect([0], "ps -C nginx -o user=,args=").stdout.splitlines()
    found = {(line.split()[0], line.split()[2]) for line in printed}
    master = "root" if host == A1 else WORKERS[host][0]
    assert found == {(master, "master"), (WORKERS[host][0], "worker")}


@pytest.mark.parametrize("host", [A1, B1])
def test_modes_of_files(user, second_run, host):
    found = user.lab.connect(host)
    listed = found.run_expect([0], f"find {BASE}/ -printf '%y %m %u:%g %f\\n'").stdout.splitlines()
    rows = [line.split(" ", 3) for line in listed]
    owners, key, directory = OWNED[host]
    assert {owner for dummy, dummy, owner, dummy in rows} == owners
    keys = {(mode, owner) for kind, mode, owner, name in rows if name.endswith("privkey.pem")}
    assert keys == {key}
    assert [row for row in rows if row[0] != "l" and int(row[1], 8) & 0o022] == []
    live = found.file(found.file(f"{BASE}/current").linked_to)
    assert (live.mode, live.user, live.group) == (directory[0], "root", directory[1])
    include = found.file("/etc/nginx/conf.d/mtls.conf")
    assert (include.mode, include.user, include.group) == (0o644, "root", "root")


@pytest.mark.parametrize("host", [A1, B1])
def test_the_user_of_ssh_reads_no_key_and_nothing_is_left_of_it(user, second_run, host):
    found = user.lab.connect(host)
    key = found.run_expect([0], f"find {BASE}/current/ -name privkey.pem").stdout.split()[0]
    assert found.run("runuser -u operator -- cat %s", key).rc != 0
    # Nor a worker, where the master is root's: it has read the key before.
    user_of_workers, reads = WORKERS[host]
    assert (found.run("runuser -u %s -- cat %s", user_of_workers, key).rc == 0) == reads
    secret = found.file(key).content_string.splitlines()[1]
    places = "/tmp /var/tmp /home /root /var/log /run --exclude-dir=user"
    assert found.run(f"grep -rlF %s {places}", secret).stdout == ""
    assert found.run("find /tmp /var/tmp ~operator/.ansible -name 'ansible-tmp*'").stdout == ""
