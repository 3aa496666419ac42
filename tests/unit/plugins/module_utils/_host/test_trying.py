# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call makes of a trial's rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import trial as core
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import (
    FAILED,
    INCONCLUSIVE,
    OK,
    Row,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Call, Options
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.trial import not_run

SITE = b"""server { listen 443 ssl; server_name a.test; ssl_verify_client on;
    include @MTLS_RELEASE@/server/credentials/orders/tls.conf; }"""
NEW, OLD = "1" * 16, "0" * 16


def source(credential: bytes = b"x", block: bytes = b"") -> dict[str, bytes]:
    return {
        "server/sites/orders.conf": SITE + block,
        "server/credentials/orders/tls.conf": credential,
        "proxy/listeners/1.conf": b"server { listen 8080; } #" + block,
    }


class Runner:
    """Answers all that is asked of a release in the same way."""

    def __init__(self, **verdicts: str) -> None:
        self.verdicts = {"new": OK, "old": OK, **verdicts}
        self.asked: list[str] = []

    def rows(self, trial: core.Trial, _tree: Any, directory: str, identity: str) -> list[Row]:
        self.asked.append(identity)
        assert directory.endswith(identity)
        verdict = self.verdicts["new" if identity == NEW else "old"]
        if verdict == "not run":
            raise not_run("/usr/sbin/nginx", "[emerg] no")
        cause = "refused" if verdict == FAILED else ""
        return [Row(one.shown, "said so", verdict, cause, (400,)) for one in trial.server]


def call(runner: Any) -> Call:
    store = SimpleNamespace(directory=lambda identity: f"/releases/{identity}")
    ports: Any = SimpleNamespace(trial=runner, store=store)
    found = Call(ports, Options())
    found.outcome.previous = OLD
    return found


def tried(runner: Any, before: dict[str, bytes], after: dict[str, bytes]) -> tuple[Call, bool]:
    one = call(runner)
    wanted: Any = SimpleNamespace(identity=NEW, source=after)
    return one, one.try_out(before, wanted, f"/staged/{NEW}", Dump())


def test_what_passes_goes_on_and_its_time_is_told() -> None:
    runner = Runner()
    found, done = tried(runner, source(b"old"), source())
    assert done
    assert runner.asked == [NEW]
    assert set(found.outcome.seconds) == {"trial"}
    assert found.outcome.proof == []


def test_a_changed_credential_that_fails_stops_whatever_was_before() -> None:
    runner = Runner(new=FAILED, old=FAILED)
    one = call(runner)
    wanted: Any = SimpleNamespace(identity=NEW, source=source())
    with pytest.raises(MtlsError, match="Nothing was switched"):
        one.try_out(source(b"old"), wanted, f"/staged/{NEW}", Dump())
    assert one.outcome.state == "checked"
    assert {row["verdict"] for row in one.outcome.proof} == {"failed"}
    assert runner.asked == [NEW]


@pytest.mark.parametrize("verdict", [INCONCLUSIVE, OK])
def test_what_says_nothing_stops_nothing(verdict: str) -> None:
    assert tried(Runner(new=verdict), source(b"old"), source())[1]


def test_without_a_change_nothing_is_asked() -> None:
    found, done = tried(Runner(new=FAILED), source(), source())
    assert done
    assert found.outcome.proof == []


def test_a_trial_that_did_not_run_is_a_warning_and_no_pass() -> None:
    found, done = tried(Runner(new="not run"), source(b"old"), source())
    assert not done
    (warning,) = found.outcome.warnings
    assert "[emerg] no" in warning
    assert "did not run" in warning


class Refuser(Runner):
    """Lets the good client in, and of the others whom *admits* says: of the new release, of the old one."""

    def rows(self, trial: core.Trial, _tree: Any, _directory: str, identity: str) -> list[Row]:
        self.asked.append(identity)
        verdict = self.verdicts["new" if identity == NEW else "old"]
        return [
            Row(one.shown, "said so", verdict, "admitted" if verdict == FAILED else "", (200,))
            if one.asked.refused
            else Row(one.shown, "said so", OK, "", (200,))
            for one in trial.server
        ]


@pytest.mark.parametrize(("old", "goes_on"), [(FAILED, True), (OK, False)])
def test_what_is_only_carried_over_is_compared_with_the_release_from_before(old: str, goes_on: bool) -> None:
    """Another probe identity: who else gets in is not its doing, unless nobody got in before."""
    probe = "server/credentials/probe/fullchain.pem"
    before, after = {**source(), probe: b"old"}, {**source(), probe: b"new"}
    runner = Refuser(new=FAILED, old=old)
    if goes_on:
        assert tried(runner, before, after)[1]
    else:
        with pytest.raises(MtlsError, match="Nothing was switched"):
            tried(runner, before, after)
    assert runner.asked == [NEW, OLD]
