# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults become the text of a failed task, results its result."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError


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
