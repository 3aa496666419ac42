# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role nginx knows of a distribution: the same of each, and its package manager's answers are read.

The answers are those of dpkg-query 1.22 and rpm 4.20; no host of the RHEL family was run.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT, load_yaml

VARS = ROOT / "roles" / "nginx" / "vars"
FAMILIES = {path.stem: load_yaml(path) for path in VARS.glob("[A-Z]*.yml")}
WANTED = ["nginx", "python3-cryptography"]
NONE = {
    "Debian": (1, "", "dpkg-query: no packages found matching nginx\n"),
    "RedHat": (2, "package nginx is not installed\npackage python3-cryptography is not installed\n", ""),
}
ONE = {
    "Debian": (1, "installed nginx\n", "dpkg-query: no packages found matching python3-cryptography\n"),
    "RedHat": (1, "installed nginx\npackage python3-cryptography is not installed\n", ""),
}
# Its configuration is there still, and no package.
REMOVED = {"Debian": (0, "config-files nginx\ninstalled python3-cryptography\n", "")}
BOTH = dict.fromkeys(FAMILIES, (0, "installed nginx\ninstalled python3-cryptography\n", ""))
CASES = [
    (family, answer, missing)
    for answers, missing in ((NONE, WANTED), (ONE, WANTED[1:]), (REMOVED, WANTED[:1]), (BOTH, []))
    for family, answer in answers.items()
]


def test_each_family_says_the_same_things() -> None:
    assert set(FAMILIES) == {"Debian", "RedHat"}
    keys = {family: {name: type(value) for name, value in said.items()} for family, said in FAMILIES.items()}
    assert set(keys["Debian"]) == set(keys["RedHat"])
    for name in ("__nginx_mtls_packages", "__nginx_mtls_query", "__nginx_mtls_installed"):
        assert keys["Debian"][name] is keys["RedHat"][name]
    # Nothing that the tasks read is missing in one of them.
    tasks = "".join(path.read_text() for path in (ROOT / "roles" / "nginx").rglob("*.yml"))
    assert all(tasks.count(name) > len(FAMILIES) for name in keys["Debian"])


PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    mtls_fleet: {hosts: {localhost: {nginx: {packages: [], service: nginx}}}}
  tasks:
    - ansible.builtin.include_vars: "{{ item }}"
      loop: [VARS/main.yml, VARS/FAMILY.yml]
    - ansible.builtin.debug:
        msg: >-
          FOUND {{ {"query": __nginx_mtls_query + __nginx_mtls_wanted, "codes": __nginx_mtls_query_codes,
                    "missing": found} | to_json | b64encode }}
      vars:
        __nginx_mtls_present: "{{ item }}"
        found: "{{ __nginx_mtls_missing }}"
      loop: ANSWERS
      loop_control: {label: x}
"""


@pytest.fixture(name="told", scope="module")
def _told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What Ansible makes of each family's variables, for each of its answers in the order of CASES."""
    found = {}
    for family in FAMILIES:
        answers = [
            {"rc": code, "stdout_lines": out.splitlines()}
            for one, (code, out, dummy), dummy_too in CASES
            if one == family
        ]
        folder = tmp_path_factory.mktemp(family)
        text = PLAY.replace("VARS", str(VARS)).replace("FAMILY", family)
        (folder / "play.yml").write_text(text.replace("ANSWERS", json.dumps(answers)))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "play.yml"]
        done = subprocess.run(
            [*command, "-c", "local"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        parts = re.findall(r"FOUND ([A-Za-z0-9+/=]+)", done.stdout)
        found[family] = [json.loads(base64.b64decode(one)) for one in parts]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("family", "answer", "missing"), CASES)
def test_what_is_missing(
    told: dict[str, list[dict[str, Any]]], family: str, answer: tuple[int, str, str], missing: list[str]
) -> None:
    number = [case for case in CASES if case[0] == family].index((family, answer, missing))
    found = told[family][number]
    assert found["missing"] == missing
    assert answer[0] in found["codes"]
    assert found["query"][-2:] == WANTED
    # What no answer is: dpkg-query's word for a fault of its own, and rpm's for more than were asked for.
    assert {"Debian": 2, "RedHat": 3}[family] not in found["codes"]
