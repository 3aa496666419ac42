# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who has the tarball and three hosts, and does what the README says."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import layouts
import pytest
from live import Lab

ROOT = Path(__file__).resolve().parents[3]
HOME = Path(os.environ["MTLS_PROJECT"]).resolve()


class User:
    """Runs Ansible's programs with nothing in the environment but a home and the path of programs."""

    def __init__(self) -> None:
        self.home = HOME
        self.collections = HOME / ".ansible" / "collections"
        self.collection = self.collections / "ansible_collections" / "mutual_tls" / "nginx"
        self.project = HOME / "my-fleet"
        # What the user writes, and how the hosts of the lab are reached.
        self.inventory = ("-i", "inventory.yml", "-i", "lab.json")
        self.lab = Lab(HOME / "lab.json")
        # What `ansible-galaxy collection verify` said of it before anything was run, and what there was then.
        self.verified = ""
        self.installed: dict[Path, str] = {}

    def files(self) -> dict[Path, str]:
        """The digest of each file of the installed collection, without what Python compiles of them."""
        return {
            path.relative_to(self.collection): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.collection.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    def run(self, folder: Path, program: str, *arguments: str) -> str:
        """What it printed; it must end with 0."""
        programs = Path(sys.executable).parent
        done = subprocess.run(
            [str(programs / program), *arguments],
            cwd=folder,
            env={"HOME": str(HOME), "PATH": f"{programs}:/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def site(self, *arguments: str) -> str:
        return self.run(self.project, "ansible-playbook", *self.inventory, "site.yml", *arguments)


@pytest.fixture(scope="session")
def user() -> User:
    """With the collection installed, and examples/simple copied out of it."""
    found = User()
    tarballs = list((ROOT / ".cache" / "build").glob("mutual_tls-nginx-*.tar.gz"))
    newest = max(tarballs, key=lambda path: path.stat().st_mtime)
    shutil.copy(newest, HOME)
    found.run(HOME, "ansible-galaxy", "collection", "install", "--offline", newest.name)
    found.verified = found.run(
        HOME, "ansible-galaxy", "collection", "verify", "--offline", "mutual_tls.nginx"
    )
    found.installed = found.files()
    shutil.copytree(found.collection / "examples" / "simple", found.project)
    shutil.copy(HOME / "lab.json", found.project)
    return found


@pytest.fixture(scope="session")
def first_run(user: User) -> str:
    """On A as nginx.org lays nginx out, and on a B whose nginx is an ordinary user's."""
    for host, script in (("a1.example.com", layouts.NGINX_ORG), ("b1.example.com", layouts.UNPRIVILEGED)):
        user.lab.connect(host).run_expect([0], script)
    return user.site("-vv")


@pytest.fixture(scope="session")
def second_run(user: User, first_run: str) -> str:
    return user.site()
