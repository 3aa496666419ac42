# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
