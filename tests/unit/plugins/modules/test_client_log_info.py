# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""client_log_info as Ansible runs it: arguments in, JSON out, and nothing on the host is another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mutual_tls.nginx.plugins.modules import client_log_info
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.access_logs import (
    ISSUER,
    at,
    line,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner, as_process

AT = "2026-11-22T12:00:00Z"


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(client_log_info.main, monkeypatch, capsys)


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> str:
    path = tmp_path / "log"
    path.write_bytes(line(time=at(days=8)) + line() + line(issuer="CN=mtls CA 2", serial="02"))
    return str(path)


@pytest.mark.parametrize("check_mode", [False, True])
def test_who_was_seen(run: Runner, log: str, tmp_path: Path, check_mode: bool) -> None:
    before = (os.listdir(tmp_path), os.stat(log).st_mtime_ns, Path(log).read_bytes())
    found = run(check_mode, paths=[log], at=AT, clients=[{"issuer": ISSUER}], base=str(tmp_path / "none"))
    assert (found["changed"], found["since"], found["release"]) == (False, "2026-11-15T12:00:00Z", None)
    (one,) = found["sites"]
    assert {client["issuer"]: client["matched"] for client in one["clients"]} == {
        ISSUER: True,
        "CN=mtls CA 2": False,
    }
    assert (os.listdir(tmp_path), os.stat(log).st_mtime_ns, Path(log).read_bytes()) == before


def test_the_result_is_the_one_that_is_documented(run: Runner, log: str) -> None:
    documented = yaml.safe_load(client_log_info.RETURN)
    found = run(paths=[log], at=AT)
    assert set(documented) | {"changed", "invocation"} == set(found)
    sites = documented["sites"]["contains"]
    assert set(sites) == set(found["sites"][0])
    for name in ("unreadable_lines", "not_verified", "left_out"):
        assert set(sites[name]["contains"]) == set(found["sites"][0][name])
    assert set(sites["clients"]["contains"]) == set(found["sites"][0]["clients"][0])


def test_a_host_with_nothing_at_all(run: Runner, tmp_path: Path) -> None:
    found = run(base=str(tmp_path / "none"))
    assert (found["sites"], found["complete"]) == ([], False)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"clients": [{"issuer": "/CN=old"}]}, "clients[0]"),
        ({"clients": [{"issuer": ISSUER}, {"issuer": ISSUER, "serial": "x"}]}, "clients[1]"),
        ({"clients": [{"serial": "1F"}]}, "issuer"),
        ({"since": "yesterday"}, "since"),
        ({"at": "now"}, "at: "),
        ({"days": -1}, "days"),
        ({"sites": ["a"], "paths": ["/b"]}, "mutually exclusive"),
        ({"sites": ["a/b"]}, "a/b"),
    ],
)
def test_options_that_are_wrong(run: Runner, options: dict[str, Any], word: str) -> None:
    found = run(**options)
    assert found["failed"]
    assert word in found["msg"]


def test_a_path_in_no_letters(tmp_path: Path) -> None:
    """In a process of its own, with all that Ansible does around it."""
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\n.log")
    Path(name).write_bytes(line())
    found, printed = as_process("client_log_info", paths=[name], days=36500)
    assert found["sites"][0]["lines"] == 1, printed
