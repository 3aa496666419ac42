# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's main() as Ansible does: arguments as JSON go in, one JSON document comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable

import pytest
from ansible.module_utils import basic

Run = Callable[..., dict[str, Any]]


def arguments(options: dict[str, Any], check_mode: bool) -> bytes:
    ours = {
        "_ansible_check_mode": check_mode,
        "_ansible_diff": True,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_inject_invocation": True,  # core 2.21 repeats the arguments only when it is asked to
    }
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **ours}}).encode()


class Runner:
    """*log* has what the module wrote to the host's syslog, *text* the last result as it was printed."""

    def __init__(self, main: Callable[[], None], monkeypatch: Any, capsys: Any) -> None:
        self._main = main
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.log: list[str] = []
        self.text = ""

    def __call__(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        patch = self._monkeypatch.setattr
        patch(basic, "_ANSIBLE_ARGS", arguments(options, check_mode))
        patch(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # core 2.19 and later
        patch(basic, "has_journal", False)
        patch(basic.AnsibleModule, "_log_to_syslog", lambda _self, message: self.log.append(message))
        with pytest.raises(SystemExit):
            self._main()
        self.text = self._capsys.readouterr().out
        return json.loads(self.text)


def as_process(module: str, first_of_path: Any = "", **options: Any) -> tuple[dict[str, Any], str]:
    """The result of a real process, and everything that it printed. What lies in *first_of_path* is imported
    before anything else."""
    name = f"ansible_collections.mutual_tls.nginx.plugins.modules.{module}"
    paths = os.pathsep.join(str(path or os.getcwd()) for path in [first_of_path, *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", name],
        input=arguments(options, False),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    printed = (done.stdout + done.stderr).decode("utf-8", "replace")
    return json.loads(done.stdout), printed
