# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the module itself imports ansible")

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Outcome
from ansible_collections.mutual_tls.nginx.plugins.modules import release as module

OUTCOME = Outcome(release="a", diff=[{"after": "x"}], warnings=["first", "second"])


class Ended(Exception):
    pass


def ended(fault: Any, diff: bool) -> tuple[str, dict[str, Any], list[str]]:
    """How a module ended, with which result, and what it warned of."""
    warned: list[str] = []
    how: list[Any] = []

    def end(kind: str) -> Any:
        def call(**result: Any) -> None:
            how[:] = [kind, result]
            raise Ended

        return call

    made: Any = SimpleNamespace(exit_json=end("exit"), fail_json=end("fail"), warn=warned.append, _diff=diff)
    with pytest.raises(Ended):
        module.finish(made, OUTCOME, fault)
    return how[0], how[1], warned


@pytest.mark.parametrize("diff", [True, False])
def test_a_call_ends_with_all_that_is_known(diff: bool) -> None:
    how, result, warned = ended(None, diff)
    assert (how, result["release"], warned) == ("exit", "a", ["first", "second"])
    assert ("diff" in result) is diff
    assert not {"warnings", "msg"} & set(result)


def test_so_does_a_call_that_fails() -> None:
    how, result, warned = ended(MtlsError("No.", "here", "Mend it.", "pair.key_mismatch"), False)
    assert (how, result["release"], warned) == ("fail", "a", ["first", "second"])
    assert (result["msg"], result["code"]) == ("here: No. Mend it.", "pair.key_mismatch")
