# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of call a task becomes on which host, and what becomes of its faults."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import task
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Outcome
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.wiring import Library


def library(available: bool = True) -> Library:
    def require() -> None:
        if not available:
            raise MtlsError("cryptography is missing")

    unused: Any = None
    return Library(lambda: available, require, unused, unused, unused, unused)


def task_of(base: Path, planning: bool, available: bool = True, **params: Any) -> task.Task:
    common = {"parts": None, "to": None, "until": "stable", "keep": 3, "proof_rounds": 3, "timeout_s": 30}
    common |= {"lock_timeout_s": 60, "worker_shutdown_timeout": "", "service": "nginx", "expected": None}
    return task.Task({"base": f"{base}/mtls", **common, **params}, planning, library(available))


@pytest.fixture(name="host")
def _host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls that tell what they were asked, and a host with or without nginx: ``host(binary)``."""
    asked: list[tuple[str, str]] = []

    def call(kind: str) -> Any:
        class Told:
            def __init__(self, *dummy: object) -> None:
                self.outcome = Outcome(release=kind)

            def apply(self, intent: Any, planning: bool = False) -> None:
                asked.append((kind, "planning" if planning else intent.state))

            show = clear = apply

        return Told

    def machine(*dummy: object) -> None:
        return None

    for kind in ("Remains", "Preview", "Transaction"):
        monkeypatch.setattr(task, kind, call(kind))
    monkeypatch.setattr(task, "machine", machine)
    monkeypatch.setattr(task.shadow, "sweep", lambda: None)
    monkeypatch.setattr(task.shadow, "scratch", lambda: contextlib.nullcontext(str(tmp_path)))

    def with_nginx(binary: Optional[str]) -> list[tuple[str, str]]:
        monkeypatch.setattr(task.nginx, "locate", lambda: binary)
        return asked

    return with_nginx


@pytest.mark.parametrize(
    ("base", "state", "planning", "asked"),
    [
        (True, "present", False, ("Transaction", "present")),
        (True, "present", True, ("Preview", "present")),
        (False, "present", False, ("Transaction", "present")),
        (True, "absent", False, ("Transaction", "absent")),
        (True, "absent", True, ("Preview", "absent")),
        (False, "absent", False, ("Remains", "absent")),
        (False, "absent", True, ("Remains", "planning")),
    ],
)
def test_the_kind_of_call(
    tmp_path: Path, host: Any, base: bool, state: str, planning: bool, asked: tuple[str, str]
) -> None:
    """Absent without a base looks for what else was left."""
    told = host("nginx")
    if base:
        (tmp_path / "mtls").mkdir()
    one = task_of(tmp_path, planning, state=state)
    one.run()
    assert told == [asked]
    assert one.outcome.release == asked[0]


@pytest.mark.parametrize("planning", [True, False])
def test_absent_where_neither_base_nor_nginx_is_has_nothing_to_do(
    tmp_path: Path, host: Any, planning: bool
) -> None:
    told = host(None)
    one = task_of(tmp_path, planning, available=False, state="absent")
    one.run()
    assert (one.outcome.state, one.outcome.changed, told) == ("absent", False, [])


@pytest.mark.parametrize("state", ["present", "absent"])
def test_without_nginx_there_is_nothing_to_be_done(tmp_path: Path, host: Any, state: str) -> None:
    told = host(None)
    (tmp_path / "mtls").mkdir()
    with pytest.raises(MtlsError, match="nginx is not installed"):
        task_of(tmp_path, False, state=state).run()
    assert told == []


@pytest.mark.parametrize(("base", "needed"), [(True, True), (False, False)])
def test_what_was_left_goes_without_the_library(tmp_path: Path, host: Any, base: bool, needed: bool) -> None:
    told = host("nginx")
    if base:
        (tmp_path / "mtls").mkdir()
    one = task_of(tmp_path, False, available=False, state="absent")
    with pytest.raises(MtlsError, match="cryptography") if needed else contextlib.nullcontext():
        one.run()
    assert bool(told) is not needed


@pytest.mark.parametrize(
    ("binary", "available", "missing"),
    [(None, False, ["nginx", "python3-cryptography"]), (None, True, ["nginx"]), ("nginx", True, [])],
)
def test_a_bare_host_gets_a_plan(
    tmp_path: Path, host: Any, binary: Optional[str], available: bool, missing: list[str]
) -> None:
    told = host(binary)
    one = task_of(tmp_path, True, available, state="present")
    one.run()
    assert [line.split(" is not installed yet")[0] for line in one.outcome.plan] == missing
    assert (one.outcome.changed, one.outcome.state) == ((True, "checked") if missing else (False, ""))
    assert bool(told) is not bool(missing)


@pytest.mark.parametrize("name", ["/etc/nginx/mtls/.lock", None])
def test_a_fault_of_the_file_system_has_a_place_and_a_remedy(
    tmp_path: Path, host: Any, monkeypatch: pytest.MonkeyPatch, name: Optional[str]
) -> None:
    host("nginx")

    def machine(*dummy: object) -> None:
        raise OSError(30, "Read-only file system", name)

    monkeypatch.setattr(task, "machine", machine)
    with pytest.raises(MtlsError) as told:
        task_of(tmp_path, False, state="present").run()
    assert str(told.value).startswith(f"{name or f'{tmp_path}/mtls'}: Read-only file system.")
    assert "nginx_mtls_base" in str(told.value)


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        ("worker_shutdown_timeout", "1 minute", True),
        ("worker_shutdown_timeout", "60s;", True),
        ("worker_shutdown_timeout", "60s", False),
        ("worker_shutdown_timeout", "", False),
        ("proof_rounds", 0, True),
        ("proof_rounds", -1, True),
        ("proof_rounds", 1, False),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, host: Any, option: str, value: Any, refused: bool
) -> None:
    told = host("nginx")
    one = task_of(tmp_path, False, state="present", **{option: value})
    with pytest.raises(MtlsError, match=f"^{option}: ") if refused else contextlib.nullcontext():
        one.run()
    assert bool(told) is not refused
    assert list(tmp_path.iterdir()) == []
