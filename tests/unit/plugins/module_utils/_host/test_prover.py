# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.proof_plan import SESSION, Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import (
    Identity,
    Observation,
    Target,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.prover import Prover

STRANGER = Identity("/run/foreign.pem", "/run/foreign.key")


class Asked:
    """Records the questions and gives one answer to all of them."""

    def __init__(self, **seen: Any) -> None:
        self.questions: list[tuple[Target, Identity | None, Any]] = []
        self.seen = Observation(phase="done", **seen)

    def __call__(
        self, target: Target, identity: Identity | None, timeout_s: float, session: Any = None
    ) -> Observation:
        assert timeout_s == 7
        self.questions.append((target, identity, session))
        return self.seen


def probe(**more: Any) -> Probe:
    fields: dict[str, Any] = {"kind": "x", "part": "server", "subject": "orders", "credential": "server"}
    return Probe(
        **{**fields, "address": "127.0.0.1", "port": 443, "expected": "", "want_status": (200,), **more}
    )


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> str:
    for name in ("server/credentials/probe", "proxy/credentials/client"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "privkey.pem").touch()
    return str(tmp_path)


def test_each_round_is_a_request(directory: str) -> None:
    ask = Asked(status=200)
    Prover(ask, lambda: STRANGER, 7).rows([probe(rounds=3)], directory)
    assert len(ask.questions) == 3


@pytest.mark.parametrize(
    ("part", "identity", "path"),
    [
        ("server", "probe", "server/credentials/probe/fullchain.pem"),
        ("proxy", "client", "proxy/credentials/client/fullchain.pem"),
    ],
)
def test_the_identity_is_that_of_the_release(directory: str, part: str, identity: str, path: str) -> None:
    ask = Asked(status=200)
    Prover(ask, lambda: STRANGER, 7).rows([probe(part=part, identity=identity)], directory)
    found = ask.questions[0][1]
    assert found is not None
    assert found.certificate_path == f"{directory}/{path}"


def test_without_identity_nothing_is_asked_and_nothing_passed(directory: str) -> None:
    ask = Asked(status=200)
    (row,) = Prover(ask, lambda: STRANGER, 7).rows([probe(identity="gone", part="proxy")], directory)
    assert (ask.questions, row.verdict) == ([], "inconclusive")


def test_the_stranger_is_made_once_and_only_when_needed(directory: str) -> None:
    made: list[int] = []

    def make() -> Identity:
        made.append(1)
        return STRANGER

    prover = Prover(Asked(status=400), make, 7)
    prover.rows([probe()], directory)
    assert made == []
    prover.rows([probe(identity="foreign"), probe(identity="foreign")], directory)
    assert made == [1]


def test_a_server_is_verified_where_a_trust_is_named(directory: str) -> None:
    ask = Asked(status=200)
    Prover(ask, lambda: STRANGER, 7).rows(
        [probe(part="proxy", identity="client", trust="client"), probe()], directory
    )
    targets = [target for target, _identity, _session in ask.questions]
    assert targets[0].cafile == f"{directory}/proxy/credentials/client/trust.pem"
    assert (targets[0].verify_hostname, targets[1].verify_hostname, targets[1].cafile) == (True, False, "")


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        (Observation(phase="connect", error="no end within 7 s"), 1),
        (Observation(phase="handshake", error="no end within 7 s"), 1),
        (Observation(phase="response", error="no end within 7 s"), 2),
        (Observation(phase="connect", error="refused"), 4),
        (Observation(phase="done", status=200), 4),
    ],
)
def test_a_place_that_keeps_silent_is_not_waited_for_again(
    directory: str, seen: Observation, asked: int
) -> None:
    """Many sites on an address that drops packets would take hours; a slow route speaks for no other."""
    ask = Asked()
    ask.seen = seen
    questions = [probe(subject="a", rounds=2), probe(subject="b", rounds=2)]
    rows = Prover(ask, lambda: STRANGER, 7).rows(questions, directory)
    assert len(ask.questions) == asked
    assert {row.verdict for row in rows} == ({"failed"} if seen.error else {rows[0].verdict})
    assert Prover(ask, lambda: STRANGER, 7).rows([probe(port=444)], directory)


def test_an_identity_that_cannot_be_loaded_is_a_failed_row(directory: str) -> None:
    """Not a fault of the run: the live release may be what is to be mended."""

    def ask(*_arguments: Any, **_more: Any) -> Observation:
        raise MtlsError("The client certificate and key cannot be loaded.", "/x")

    prover = Prover(ask, lambda: STRANGER, 7)
    questions = [probe(identity="probe"), probe(kind="foreign certificate", identity="foreign")]
    questions += [probe(kind="no SNI, refused", identity="foreign", want_alert=112)]
    questions += [probe(kind="no SNI, the user's default", identity="foreign", unwanted="ID")]
    rows = prover.rows(questions, directory)
    assert [row.verdict for row in rows] == ["failed"] * 4
    assert all("cannot be loaded" in row.got for row in rows)
    assert prover.sessions([probe(kind=SESSION, identity="probe")], directory) == {}


def session_row(
    directory: str, before: dict[str, Any], after: dict[str, Any]
) -> tuple[list[tuple[Target, Identity | None, Any]], str]:
    """The questions after the switch and the verdict, for what the good client saw before and sees after."""
    question = probe(kind=SESSION, identity="probe")
    sessions = Prover(Asked(**before), lambda: STRANGER, 7).sessions([question], directory)
    ask = Asked(**after)
    (row,) = Prover(ask, lambda: STRANGER, 7).rows([question], directory, sessions)
    return ask.questions, row.verdict


SESSION_OF_BEFORE: Any = object()


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ({"status": 200, "session": SESSION_OF_BEFORE}, {"status": 200, "session_reused": True}, "failed"),
        ({"status": 200, "session": SESSION_OF_BEFORE}, {"status": 200}, "ok"),
        ({"status": 200, "session": SESSION_OF_BEFORE}, {"status": None}, "failed"),
        ({"status": 200}, {"status": 200}, "ok"),
        ({"status": 200}, {"status": None}, "failed"),
        ({"status": 400, "session": SESSION_OF_BEFORE}, {"status": 200}, "inconclusive"),
        ({"status": None}, {"status": 200}, "inconclusive"),
    ],
)
def test_a_session_from_before_the_switch(
    directory: str, before: dict[str, Any], after: dict[str, Any], verdict: str
) -> None:
    questions, found = session_row(directory, before, after)
    assert found == verdict
    let_in = before["status"] == 200
    assert [session for _target, _identity, session in questions] == (
        [before.get("session")] if let_in else []
    )
