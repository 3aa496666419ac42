# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import grp
import pwd
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.account import ROOT, Account
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_program import Invocation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Finished
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.service import Service


def systemctl(shown: str, manager: str = "PATH=/usr/bin\n", code: int = 0) -> Any:
    def run(arguments: list[str], _timeout: float) -> Finished:
        return Finished(code, manager if "show-environment" in arguments else shown, "")

    return run


def test_the_environment_of_the_unit(tmp_path: Path) -> None:
    (tmp_path / "b.env").write_text("OPENSSL_CONF=/etc/b.cnf\n")
    shown = f"LoadState=loaded\nEnvironment=A=1\nEnvironmentFiles={tmp_path}/*.env (ignore_errors=yes)\n"
    found = Service("nginx", systemctl(shown), 1).environment()
    assert found == {"PATH": "/usr/bin", "A": "1", "OPENSSL_CONF": "/etc/b.cnf"}


@pytest.mark.parametrize("run", [systemctl("LoadState=not-found\nEnvironment=A=1\n"), systemctl("", code=1)])
def test_without_a_unit_the_environment_is_plain(run: Any) -> None:
    assert set(Service("nginx", run, 1).environment()) == {"PATH"}


def test_without_systemd_the_environment_is_plain() -> None:
    def run(_arguments: list[str], _timeout: float) -> Finished:
        raise FileNotFoundError

    assert set(Service("nginx", run, 1).environment()) == {"PATH"}


NOBODY = pwd.getpwnam("nobody")
CAPABILITIES = "AmbientCapabilities=cap_net_bind_service cap_sys_nice"
NOGROUP = grp.getgrgid(NOBODY.pw_gid).gr_name


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("User=nobody", Account(NOBODY.pw_uid, NOBODY.pw_gid, (NOBODY.pw_gid,))),
        (
            f"User={NOBODY.pw_uid}\nGroup=root\nSupplementaryGroups={NOGROUP} 4\n" + CAPABILITIES,
            Account(NOBODY.pw_uid, 0, (0, NOBODY.pw_gid, 4), ("net_bind_service", "sys_nice")),
        ),
        ("User=", ROOT),
        ("User=root\nGroup=nogroup", ROOT),
        ("", ROOT),
    ],
)
def test_whom_the_unit_starts_nginx_as(lines: str, wanted: Account) -> None:
    shown = f"LoadState=loaded\nDynamicUser=no\n{lines}\n"
    assert Service("nginx", systemctl(shown), 1).account() == wanted
    assert Service("nginx", systemctl(shown.replace("loaded", "not-found")), 1).account() == ROOT


@pytest.mark.parametrize(
    "lines", ["User=no-such-user", "User=nobody\nGroup=no-such-group", "User=4123456789"]
)
def test_a_unit_that_names_nobody(lines: str) -> None:
    with pytest.raises(MtlsError, match="has not the user or the group") as found:
        Service("web", systemctl(f"LoadState=loaded\n{lines}\n"), 1).account()
    assert found.value.place == "service web"


def test_a_unit_whose_user_changes() -> None:
    with pytest.raises(MtlsError, match="DynamicUser="):
        Service("web", systemctl("LoadState=loaded\nUser=nobody\nDynamicUser=yes\n"), 1).account()


def test_variables_in_the_command_of_the_unit() -> None:
    """As nginx.org's unit has it."""
    shown = (
        "LoadState=loaded\nEnvironment=CONFFILE=/etc/nginx/nginx.conf\n"
        "ExecStart={ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -c ${CONFFILE} ; ignore_errors=no ; x }\n"
    )
    assert Service("nginx", systemctl(shown), 1).invocation() == Invocation(conf="/etc/nginx/nginx.conf")
