# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults become the text of a failed task, results its result."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError, SeveralError


class Module:
    """Keeps what the task would end with."""

    def __init__(self) -> None:
        self.ended: dict = {}

    def exit_json(self, **values) -> None:
        self.ended = {"failed": False, **values}

    def fail_json(self, **values) -> None:
        self.ended = {"failed": True, **values}


def test_result() -> None:
    module = Module()
    result.finish(module, lambda: {"changed": True})
    assert module.ended == {"failed": False, "changed": True}


def test_fault() -> None:
    def work():
        raise MtlsError("It has ended.", "a.pem:3", "Renew it.", "expiry.expired")

    module = Module()
    result.finish(module, work)
    assert module.ended == {
        "failed": True, "msg": "a.pem:3: It has ended. Renew it.", "code": "expiry.expired",
        "place": "a.pem:3", "remedy": "Renew it.",
    }  # fmt: skip


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        result.finish(Module(), lambda: {"x": 1 // 0})


def finding(severity: str, message: str = "It ends.", **more: str) -> dict:
    return {"severity": severity, "message": message, "remedy": "Renew it.", "place": "a.pem:1", **more}


FOUND = [finding("info"), finding("warning"), finding("error", "It has ended.", credential="orders")]


@pytest.mark.parametrize(
    ("fail_on", "found", "told"),
    [
        ("never", FOUND, None),
        ("error", FOUND[:2], None),
        ("error", [], None),
        ("warning", FOUND[:1], None),
        ("error", FOUND, "1 error. orders: a.pem:1: It has ended. Renew it."),
        ("warning", FOUND, "1 error and 1 warning. orders: a.pem:1: It has ended. Renew it."),
        ("warning", [FOUND[1]] * 3, "3 warnings. a.pem:1: It ends. Renew it."),
        ("error", [finding("error", place="")], "1 error. It ends. Renew it."),
    ],
)
def test_findings_fail_a_task_when_asked_to(fail_on, found, told) -> None:
    module = Module()
    result.finish(module, lambda: {"changed": False, "findings": found}, fail_on)
    assert (module.ended["failed"], module.ended.get("msg")) == (told is not None, told)
    assert module.ended["findings"] == found


def test_a_fault_made_of_several_names_each() -> None:
    error = SeveralError("Both.", "a.pem:1", "Mend them.", "bundle.leaf", [{"code": "bundle.leaf"}])
    told = result.failure(error)
    assert (told["code"], told["findings"]) == ("bundle.leaf", [{"code": "bundle.leaf"}])
    assert "findings" not in result.failure(MtlsError("One."))
