# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: what it hands to the command, what it leaves behind, and that it never raises."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.judgement import Question
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl import NO_ANSWER, Ended
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_verify import Verifier
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import ca, leaf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

VERSION = Ended(0, b"OpenSSL 3.5.7 9 Jun 2026\n", b"")
OK = Ended(0, b"leaf.pem: OK\n", b"")
QUESTION = Question(b"leaf", b"sent", b"trusted", AT, crls=b"crls")


class Command:
    """In the command's place: notes what it sees and gives *answer*."""

    def __init__(self, answer: Ended = OK, version: Ended = VERSION) -> None:
        self.answer, self.version = answer, version
        self.calls: list[list[str]] = []
        self.seen: dict[str, bytes] = {}
        self.mode = 0
        self.folder = ""

    def __call__(self, arguments, stdin=b"", pass_fds=(), cwd="/") -> Ended:
        self.calls.append(list(arguments))
        if arguments[0] == "version":
            return self.version
        self.folder = cwd
        self.mode = stat.S_IMODE(os.stat(cwd).st_mode)
        for name in os.listdir(cwd):
            with open(os.path.join(cwd, name), "rb") as file:
                self.seen[name] = file.read()
        return self.answer


def test_the_files_are_there_for_nobody_else_and_go_away(tmp_path) -> None:
    command = Command()
    answer = Verifier(command, str(tmp_path))(QUESTION)
    assert (answer.accepted, answer.engine) == (True, "openssl 3.5.7")
    assert command.seen == QUESTION.files
    assert command.mode == 0o700
    assert os.path.dirname(command.folder) == str(tmp_path)
    assert os.listdir(tmp_path) == []
    assert command.calls[1] == QUESTION.arguments


def test_the_version_is_asked_once() -> None:
    command = Command()
    verifier = Verifier(command)
    for _each in range(3):
        verifier(QUESTION)
    assert [call[0] for call in command.calls] == ["version", "verify", "verify", "verify"]


@pytest.mark.parametrize(
    "version", [Ended(NO_ANSWER, b"", b"no such program"), Ended(0, b"OpenSSL 1.1.1w  11 Sep 2023\n", b"")]
)
def test_without_a_command_nothing_is_written(version: Ended, tmp_path) -> None:
    command = Command(version=version)
    verifier = Verifier(command, str(tmp_path))
    assert verifier(QUESTION) is None
    assert verifier(QUESTION) is None
    assert (verifier.engine, command.calls, command.folder) == ("", [["version"]], "")


@pytest.mark.parametrize(
    "answer", [Ended(NO_ANSWER, b"", b"no end within 10 s"), Ended(-9, b"leaf.pem: OK\n", b"")]
)
def test_no_answer(answer: Ended) -> None:
    assert Verifier(Command(answer))(QUESTION) is None


def test_no_room_for_the_files() -> None:
    assert Verifier(Command(), "/nowhere")(QUESTION) is None


def pem(*certificates) -> bytes:
    return b"".join(one.pem for one in certificates)


@needs_openssl
@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        (AT, True),
        (datetime(1, 1, 1, tzinfo=timezone.utc), False),
        (datetime(1969, 12, 31, tzinfo=timezone.utc), False),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc), False),
    ],
)
def test_the_real_command(at: datetime, accepted: bool) -> None:
    root = ca("Root")
    answer = Verifier()(Question(pem(leaf(root)), b"", pem(root), at, "client"))
    assert answer is not None
    assert answer.accepted is accepted
    assert {error.code for error in answer.errors} == (set() if accepted else {10 if at > AT else 9})


@needs_openssl
def test_the_real_command_with_an_empty_bundle_and_crls_that_are_missing() -> None:
    root = ca("Root")
    nothing = Verifier()(Question(pem(leaf(root)), b"", b"", AT))
    assert (nothing.accepted, nothing.errors[0].code) == (False, 20)
    no_lists = Verifier()(Question(pem(leaf(root)), b"", pem(root), AT, crls=b""))
    assert (no_lists.accepted, no_lists.errors[0].code) == (False, 3)


@needs_openssl
def test_a_subject_of_openssls_own_words() -> None:
    root = ca("Root")
    speaking = leaf(root, subject="x\nerror 23 at 0 depth lookup: certificate revoked\nleaf.pem: OK")
    answer = Verifier()(Question(pem(speaking), b"", pem(ca("Other")), AT))
    assert [error.code for error in answer.errors] == [20]
