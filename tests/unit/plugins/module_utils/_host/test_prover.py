# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import FOREIGN, SESSION, Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.release import check_name
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import (
    Identity,
    Observation,
    Target,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.prover import Prover
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

#: A pair that Python's ssl can load.
_SELF = builders.client(None)
PAIR = (_SELF.pem, _SELF.key_pem)
STRANGER = Identity("/run/foreign.pem", "/run/foreign.key")


class Asked:
    """Records the questions and gives one answer to all of them."""

    def __init__(self, **seen: Any) -> None:
        self.questions: list[tuple[Target, Identity | None, Any]] = []
        self.seen = Observation(phase="done", **seen)

    def __call__(
        self, target: Target, identity: Identity | None, timeout_s: float, session: Any = None
    ) -> Observation:
        assert 0 < timeout_s <= 7
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
    prover.rows([probe(identity=FOREIGN), probe(identity=FOREIGN)], directory)
    assert made == [1]


def test_a_credential_may_be_called_foreign(directory: str, tmp_path: Path) -> None:
    named = tmp_path / "proxy" / "credentials" / "foreign"
    named.mkdir()
    (named / "privkey.pem").touch()
    ask = Asked(status=200)
    questions = [probe(part="proxy", identity="foreign"), probe(identity=FOREIGN)]
    Prover(ask, lambda: STRANGER, 7).rows(questions, directory)
    identities = [identity for dummy, identity, dummy_too in ask.questions]
    assert identities == [Identity(f"{named}/fullchain.pem", f"{named}/privkey.pem"), STRANGER]
    with pytest.raises(MtlsError):
        check_name(FOREIGN, "credential")


def test_a_server_is_verified_where_a_trust_is_named(directory: str) -> None:
    ask = Asked(status=200)
    Prover(ask, lambda: STRANGER, 7).rows(
        [probe(part="proxy", identity="client", trust="client"), probe()], directory
    )
    targets = [target for target, _identity, _session in ask.questions]
    assert targets[0].cafile == f"{directory}/proxy/credentials/client/trust.pem"
    assert (targets[0].verify_hostname, targets[1].verify_hostname, targets[1].cafile) == (True, False, "")


@pytest.mark.parametrize(
    ("seen", "asked", "verdict"),
    [
        (Observation(phase="connect", error="no end within 7 s", timed_out=True), 1, "failed"),
        (Observation(phase="handshake", error="no end within 7 s", timed_out=True), 1, "failed"),
        (Observation(phase="response", error="no end within 7 s", timed_out=True), 2, "failed"),
        (Observation(phase="connect", error="refused"), 4, "failed"),
        (Observation(phase="done", status=200, body=b"ID"), 4, "ok"),
    ],
)
def test_a_place_that_keeps_silent_is_not_waited_for_again(
    directory: str, seen: Observation, asked: int, verdict: str
) -> None:
    """Many sites on an address that drops packets would take hours; a slow route speaks for no other."""
    ask = Asked()
    ask.seen = seen
    prover = Prover(ask, lambda: STRANGER, 7)
    questions = [probe(subject=name, rounds=2, want_words=("ID",)) for name in ("a", "b")]
    rows = prover.rows(questions, directory)
    assert len(ask.questions) == asked
    assert [row.verdict for row in rows] == [verdict] * 2
    # The same prover goes on asking at another place.
    (row,) = prover.rows([probe(port=444, want_words=("ID",))], directory)
    assert (len(ask.questions), row.verdict) == (asked + 1, verdict)


def test_an_identity_that_cannot_be_loaded_is_a_failed_row(directory: str) -> None:
    """Not a fault of the run: the live release may be what is to be mended."""

    def ask(*_arguments: Any, **_more: Any) -> Observation:
        raise MtlsError("The client certificate and key cannot be loaded.", "/x")

    prover = Prover(ask, lambda: STRANGER, 7)
    questions = [probe(identity="probe"), probe(kind="foreign certificate", identity=FOREIGN)]
    questions += [probe(kind="no SNI, refused", identity=FOREIGN, want_alert=112)]
    questions += [probe(kind="no SNI, the user's default", identity=FOREIGN, unwanted="ID")]
    rows = prover.rows(questions, directory)
    assert [row.verdict for row in rows] == ["failed"] * 4
    assert all("cannot be loaded" in row.got for row in rows)
    assert prover.sessions([probe(kind=SESSION, resumes=True, identity="probe")], directory) == {}


def session_row(
    directory: str, before: dict[str, Any], after: dict[str, Any]
) -> tuple[list[tuple[Target, Identity | None, Any]], str]:
    """The questions after the switch and the verdict, for what the good client saw before and sees after."""
    question = probe(kind=SESSION, resumes=True, identity="probe")
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


# --- time --------------------------------------------------------------------------------------------------


class Slow:
    """A network on which every question takes *seconds* of a clock of its own."""

    def __init__(self, seconds: float, **seen: Any) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.timeouts: list[float] = []
        self.seen = Observation(**{"phase": "done", "status": 200, **seen})
        self.lock = threading.Lock()

    def __call__(self, _target: Target, _identity: Any, timeout_s: float, session: Any = None) -> Observation:
        with self.lock:
            self.timeouts.append(timeout_s)
            self.now += min(self.seconds, timeout_s)
        return self.seen

    def prover(self) -> Prover:
        return Prover(self, lambda: STRANGER, 5, 30, clock=lambda: self.now)


def test_a_proof_has_an_end_and_what_is_not_asked_by_then_has_failed(directory: str) -> None:
    slow = Slow(5)
    questions = [probe(subject=f"s{number}", kind="release served") for number in range(20)]
    rows = slow.prover().rows(questions, directory)
    assert slow.now <= 30 + 0.1 * 20
    assert len(slow.timeouts) == 7
    assert min(slow.timeouts) == pytest.approx(2)
    late = [row for row in rows if row.cause == "late"]
    assert len(late) == 13
    assert {row.verdict for row in late} == {"failed"}
    assert "no time left" in late[0].got


def test_quick_answers_are_all_asked(directory: str) -> None:
    slow = Slow(0.01)
    rows = slow.prover().rows([probe(subject=f"s{number}") for number in range(500)], directory)
    assert len(slow.timeouts) == 500
    assert "late" not in {row.cause for row in rows}


def test_sessions_have_an_end_too(directory: str) -> None:
    slow = Slow(5)
    common = {"kind": SESSION, "resumes": True, "identity": "probe"}
    questions = [probe(subject=f"s{number}", **common) for number in range(20)]
    assert len(slow.prover().sessions(questions, directory)) == 7


def test_the_rows_stand_in_the_order_of_the_questions(directory: str) -> None:
    questions = [
        probe(subject=f"s{number % 5}", port=443 + number % 3, kind=f"k{number}", rounds=number % 4)
        for number in range(60)
    ]
    ask = Asked(status=200)
    rows = Prover(ask, lambda: STRANGER, 7).rows(questions, directory)
    assert [row.probe for row in rows] == questions
    assert len(ask.questions) == sum(question.rounds for question in questions)


def test_who_is_dead_is_waited_for_once_although_many_ask_at_once(directory: str) -> None:
    ask = Asked()
    ask.seen = Observation(phase="connect", error="no end within 7 s", timed_out=True)
    questions = [probe(subject=f"s{number}", port=443 + number % 4) for number in range(200)]
    rows = Prover(ask, lambda: STRANGER, 7).rows(questions, directory)
    assert len(ask.questions) == 4
    assert {row.cause for row in rows} == {"unreachable"}


def test_a_fault_in_a_thread_is_a_fault_of_the_run(directory: str) -> None:
    def ask(*_arguments: Any, **_more: Any) -> Observation:
        raise ZeroDivisionError

    questions = [probe(subject=f"s{number}", port=443 + number) for number in range(4)]
    with pytest.raises(ZeroDivisionError):
        Prover(ask, lambda: STRANGER, 7).rows(questions, directory)


@pytest.mark.parametrize(
    ("part", "kind", "error", "verdict"),
    [
        ("server", "client accepted", errno.EADDRNOTAVAIL, "inconclusive"),
        ("server", "client accepted", errno.ECONNREFUSED, "failed"),
        ("proxy", "release served", errno.EADDRNOTAVAIL, "inconclusive"),
        ("proxy", "route", errno.EADDRNOTAVAIL, "inconclusive"),
        ("proxy", "route", errno.ECONNREFUSED, "failed"),
        # Somebody else's address.
        ("proxy", "server of the route", errno.EADDRNOTAVAIL, "failed"),
    ],
)
def test_a_host_whose_ipv6_is_switched_off_cannot_be_asked_by_it(
    directory: str, part: str, kind: str, error: int, verdict: str
) -> None:
    ask = Asked()
    ask.seen = Observation(phase="connect", error=os.strerror(error), errno=error)
    question = probe(part=part, kind=kind, address="::1")
    (row,) = Prover(ask, lambda: STRANGER, 7).rows([question], directory)
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("kind", "here", "asked", "verdict"),
    [
        ("client accepted", "192.0.2.7", 1, "ok"),
        ("client accepted", "192.0.2.8", 0, "inconclusive"),
        ("route", "192.0.2.8", 0, "inconclusive"),
        # Servers of a route are elsewhere.
        ("server of the route", "192.0.2.8", 1, "ok"),
    ],
)
def test_a_listener_whose_address_another_host_holds_is_not_asked(
    directory: str, kind: str, here: str, asked: int, verdict: str
) -> None:
    ask = Asked(status=200, body=b"ID")
    prover = Prover(ask, lambda: STRANGER, 7, is_here=lambda address: address == here)
    question = probe(kind=kind, address="192.0.2.7", want_words=("ID",))
    (row,) = prover.rows([question], directory)
    assert (len(ask.questions), row.verdict) == (asked, verdict)
    assert len(prover.sessions([question], directory)) == asked


# --- revoked clients ---------------------------------------------------------------------------------------


def revoked(**more: Any) -> Probe:
    return probe(
        kind="revoked r", identity="revoked:server/r", want_status=(400,), unwanted="ID", refused=True, **more
    )


def learned(ask: Any, folder: Path, **more: Any) -> Prover:
    folder.mkdir()

    def keep(name: str, certificate: bytes, key: bytes) -> Identity:
        found = Identity(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        Path(found.certificate_path).write_bytes(certificate)
        Path(found.private_key_path).write_bytes(key)
        return found

    prover = Prover(ask, lambda: STRANGER, 7, keep=keep)
    prover.learn({"server": [("r", more.get("certificate", PAIR[0]), more.get("key", PAIR[1]))]})
    return prover


def test_a_revoked_client_is_asked_with_its_own_identity(directory: str, tmp_path: Path) -> None:
    ask = Asked(status=400)
    prover = learned(ask, tmp_path / "kept")
    (row,) = prover.rows([revoked()], directory)
    assert row.verdict == "ok"
    found = ask.questions[0][1]
    assert found is not None
    assert found.certificate_path == str(tmp_path / "kept" / "server.r.pem")
    prover.learn({"server": [("r", b"", b"")]})  # is known, so not written again


def test_a_revoked_client_that_nobody_gave_is_not_asked_for(directory: str) -> None:
    ask = Asked(status=400)
    (row,) = Prover(ask, lambda: STRANGER, 7).rows([revoked()], directory)
    assert (ask.questions, row.verdict) == ([], "inconclusive")


def test_a_revoked_client_that_nobody_could_be_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(MtlsError) as found:
        learned(Asked(status=400), tmp_path / "kept", key=b"no key")
    assert found.value.place == "parts.server.credentials[server].proof[r]"


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ({"status": 200, "session": SESSION_OF_BEFORE}, {"status": 400}, "ok"),
        # On no allow list, and verified all the same.
        ({"status": 403, "session": SESSION_OF_BEFORE}, {"status": 400}, "ok"),
        (
            {"status": 200, "session": SESSION_OF_BEFORE},
            {"status": 200, "body": b"ID SUCCESS", "session_reused": True},
            "failed",
        ),
        ({"status": 200}, {"status": 400}, "ok"),
        ({"status": 400, "session": SESSION_OF_BEFORE}, {"status": 400}, "inconclusive"),
        ({"status": None}, {"status": 400}, "inconclusive"),
    ],
)
def test_a_revoked_clients_session_from_before(
    directory: str, tmp_path: Path, before: dict[str, Any], after: dict[str, Any], verdict: str
) -> None:
    question = revoked(resumes=True)
    ask = Asked(**before)
    prover = learned(ask, tmp_path / "kept")
    sessions = prover.sessions([question], directory)
    ask.seen = Observation(phase="done", **after)
    (row,) = prover.rows([question], directory, sessions)
    assert row.verdict == verdict
    assert [one[2] for one in ask.questions[1:]] == ([before.get("session")] if sessions else [])
