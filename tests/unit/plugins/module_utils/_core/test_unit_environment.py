# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts as systemd 252, 257 and 259 print them (Debian 12, 13 and unstable print them alike)."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import unit_environment as module

SHOWN = r"""Environment=OPENSSL_CONF=/etc/o.cnf "A=b c" "Q=it's \"q\" \\ x" "P=a\$b"
EnvironmentFiles=/etc/default/nginx (ignore_errors=yes)
EnvironmentFiles=/etc/nginx/e*.env (ignore_errors=no)
UnsetEnvironment=LANG X=1
"""


def test_what_a_unit_says() -> None:
    found = module.unit_environment(SHOWN)
    assert found.values == {
        "OPENSSL_CONF": "/etc/o.cnf",
        "A": "b c",
        "Q": 'it\'s "q" \\ x',
        "P": "a$b",
    }
    assert found.files == ("/etc/default/nginx", "/etc/nginx/e*.env")
    assert found.unset == ("LANG", "X=1")


def test_a_unit_that_says_nothing() -> None:
    found = module.unit_environment("Environment=\nEnvironmentFiles=\nUnsetEnvironment=\n")
    assert (found.values, found.files, found.unset) == ({}, (), ())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A=1\n", {"A": "1"}),
        ("# A=1\n;B=2\n\n", {}),
        ("A='x y' \n B = z\n", {"A": "x y", "B": "z"}),
        ('A="x \\"y\\""\n', {"A": 'x "y"'}),
        ("A=x \\\ny\n", {"A": "x y"}),
        ("export A=1\n1A=2\n", {}),
    ],
)
def test_a_file_of_assignments(text: str, wanted: dict[str, str]) -> None:
    assert module.file_assignments(text) == wanted


def test_the_whole_environment() -> None:
    manager = "LANG=C.UTF-8\nPATH=/usr/bin\nX=$'y z\\'q'\nNGINX=3;4;\n"
    found = module.merged(manager, module.unit_environment(SHOWN), ["A=file\nNOTIFY_SOCKET=/x\n"])
    # A file beats the unit's own lines, X=1 is not its value, and sockets are handed to nobody.
    assert found == {
        "PATH": "/usr/bin",
        "X": "y z'q",
        "OPENSSL_CONF": "/etc/o.cnf",
        "A": "file",
        "Q": 'it\'s "q" \\ x',
        "P": "a$b",
    }


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("nginx -c ${FILE}", ["nginx", "-c", "/etc/a b.conf"]),
        ("nginx -c${FILE}${NONE}", ["nginx", "-c/etc/a b.conf"]),
        ("nginx $MORE", ["nginx", "-e", "stderr"]),
        ("nginx $NONE -q", ["nginx", "-q"]),
        ("nginx a$MORE $1", ["nginx", "a$MORE", "$1"]),
    ],
)
def test_variables_of_a_command(line: str, wanted: list[str]) -> None:
    environment = {"FILE": "/etc/a b.conf", "MORE": "-e stderr"}
    assert module.expanded(line.split(), environment) == wanted
