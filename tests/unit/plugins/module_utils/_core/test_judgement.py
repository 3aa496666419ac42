# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `openssl verify` is asked, how its words are read, and what becomes of an open verdict."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import chain, judgement
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import certificate_reader
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import CATALOGUE, Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.judgement import (
    Error,
    Judgement,
    Question,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.path import Path
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import ca, leaf

ROOT = ca("Root")
PATH = Path(
    (
        certificate_reader.read(leaf(ROOT).der, "leaf.pem:1")[0],
        certificate_reader.read(ROOT.der, "ca.pem:7")[0],
    ),
    1,
    True,
)
OPEN = chain.Verdict(None, PATH, (), ("whether the one", "whether the other"))
SAID = (
    b"CN = leaf\nerror 47 at 0 depth lookup: permitted subtree violation\n"
    b"error leaf.pem: verification failed\n"
)


def question(**more) -> Question:
    return Question(b"leaf", b"", b"trusted", AT, **more)


# --- what it is asked ---


def test_only_files_that_hold_something_are_named() -> None:
    bare = question()
    assert bare.files == {"leaf.pem": b"leaf", "trusted.pem": b"trusted"}
    assert not {"-untrusted", "-CRLfile", "-crl_check"} & set(bare.arguments)
    full = Question(b"leaf", b"sent", b"trusted", AT, crls=b"crls")
    assert set(full.files) == {"leaf.pem", "sent.pem", "trusted.pem", "crls.pem"}
    assert {"-untrusted", "-CRLfile", "-crl_check", "-crl_check_all"} < set(full.arguments)


def test_crls_that_are_wanted_and_missing_are_still_wanted() -> None:
    asked = question(crls=b"")
    assert "-crl_check_all" in asked.arguments
    assert "-CRLfile" not in asked.arguments


def test_an_empty_bundle_is_not_the_hosts_own() -> None:
    arguments = Question(b"leaf", b"", b"", AT).arguments
    assert {"-no-CAfile", "-no-CApath", "-no-CAstore"} < set(arguments)
    assert "-CAfile" not in arguments
    assert {"-no-CApath", "-no-CAstore"} < set(question().arguments)


@pytest.mark.parametrize(
    ("purpose", "said"), [("server", "sslserver"), ("client", "sslclient"), ("any", "any"), ("x", "any")]
)
def test_purpose(purpose: str, said: str) -> None:
    arguments = question(purpose=purpose).arguments
    assert arguments[arguments.index("-purpose") + 1] == said


@pytest.mark.parametrize(("depth", "said"), [(0, "0"), (7, "7"), (-1, "0"), (10**30, "1048576")])
def test_depth_stays_a_number_that_the_command_takes(depth: int, said: str) -> None:
    arguments = question(depth=depth).arguments
    assert arguments[arguments.index("-verify_depth") + 1] == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (AT, "1780315200"),
        (datetime(1, 1, 1, tzinfo=timezone.utc), "-62135596800"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc), "253402300799"),
    ],
)
def test_time(at: datetime, said: str) -> None:
    arguments = Question(b"leaf", b"", b"", at).arguments
    assert arguments[arguments.index("-attime") + 1] == said


def test_no_repr_shows_bytes() -> None:
    assert "leaf" not in repr(question())


# --- how it is read ---


def read(code: int, out: bytes = b"", err: bytes = b""):
    return judgement.read(code, out, err, "openssl 3.5.7")


def test_accepted() -> None:
    assert read(0, b"leaf.pem: OK\n") == Judgement(True, "openssl 3.5.7")


def test_refused() -> None:
    assert read(2, b"", SAID) == Judgement(
        False, "openssl 3.5.7", (Error(47, 0, "permitted subtree violation"),)
    )


def test_all_errors_are_read() -> None:
    err = b"error 10 at 1 depth lookup: certificate has expired\nerror 26 at 0 depth lookup: unsuitable\n"
    assert [error[:2] for error in read(2, b"", err).errors] == [(10, 1), (26, 0)]


@pytest.mark.parametrize(
    ("code", "out", "err"),
    [
        (0, b"", b""),
        (0, b"leaf.pem: OK\nChain:\n", b""),
        (1, b"", b"Could not read certificate from leaf.pem\n"),
        (1, b"", b"verify: Unknown option: -no-CAstore\n"),
        (-9, b"", SAID),
        (2, b"leaf.pem: OK\n", b""),
    ],
)
def test_no_answer(code: int, out: bytes, err: bytes) -> None:
    assert read(code, out, err) is None


@pytest.mark.parametrize(
    "line",
    [
        b"CN = error 0 at 0 depth lookup: ok\n",
        b" error 9 at 0 depth lookup: x\n",
        b"error 9 at 0 depth lookup: \xff\n",
        b"error 9999 at 0 depth lookup: x\n",
    ],
)
def test_a_subject_cannot_speak_for_openssl(line: bytes) -> None:
    assert len(read(2, b"", line + SAID).errors) == 1


# --- what it makes of the verdict ---


def settle(answer: Judgement | None, verdict=OPEN, **more):
    return judgement.settle(verdict, question(**more), lambda _question: answer)


def test_what_is_decided_is_not_asked() -> None:
    def asked(_question: Question) -> None:
        raise AssertionError("asked")

    for accepted in (True, False):
        decided = chain.Verdict(accepted, PATH, ())
        assert judgement.settle(decided, question(), asked) == (decided, "")


def test_accepted_by_the_judge() -> None:
    verdict, engine = settle(Judgement(True, "openssl 3.5.7"))
    assert (verdict.accepted, verdict.findings, engine) == (True, (), "openssl 3.5.7")


def test_refused_by_the_judge() -> None:
    verdict, engine = settle(Judgement(False, "openssl 3.5.7", (Error(47, 0, "permitted violation"),)))
    assert (verdict.accepted, engine) == (False, "openssl 3.5.7")
    said = 'OpenSSL says of "CN=leaf": permitted violation (error 47).'
    assert verdict.findings == (Finding("chain.name_constraints", said, "leaf.pem:1"),)


def test_nobody_answers() -> None:
    verdict, engine = judgement.settle(OPEN, question(), judgement.nobody)
    assert (verdict.accepted, engine) == (None, "")
    (found,) = verdict.findings
    assert (found.code, found.severity) == ("chain.undecided", "warning")
    assert found.message == "Only OpenSSL can tell whether the one; whether the other."


def test_of_many_questions_some_are_told() -> None:
    many = chain.Verdict(None, PATH, (), tuple(f"whether {number}" for number in range(9)))
    verdict, _engine = judgement.settle(many, question(), judgement.nobody)
    assert verdict.findings[0].message.endswith("whether 1; whether 2; and 6 more.")


def test_what_might_refuse_it_is_a_warning_while_nobody_can_tell() -> None:
    fault = Finding("chain.missing_intermediate", "x", "leaf.pem:1")
    verdict, _engine = judgement.settle(
        chain.Verdict(None, PATH, (fault,), ("whether",)), question(), judgement.nobody
    )
    assert (fault.severity, verdict.findings[0].severity) == ("error", "warning")


@pytest.mark.parametrize(
    ("error", "purpose", "code", "place"),
    [
        (Error(26, 0, "x"), "client", "purpose.client_auth_missing", "leaf.pem:1"),
        (Error(26, 1, "x"), "server", "purpose.server_auth_missing", "ca.pem:7"),
        (Error(26, 1, "x"), "any", "chain.refused", "ca.pem:7"),
        (Error(46, 0, "x"), "client", "chain.refused", "leaf.pem:1"),
        (Error(23, 0, "x"), "client", "crl.revoked", "leaf.pem:1"),
        (Error(2, 5, "x"), "client", "chain.root_missing", "ca.pem:7"),
    ],
)
def test_findings(error: Error, purpose: str, code: str, place: str) -> None:
    verdict, _engine = settle(Judgement(False, "openssl 3.5.7", (error,)), purpose=purpose)
    assert [(found.code, found.place) for found in verdict.findings] == [(code, place)]


def test_every_code_is_in_the_catalogue_and_an_error() -> None:
    for number in range(1, 100):
        verdict, _engine = settle(Judgement(False, "", (Error(number, 0, "x"),)))
        assert CATALOGUE[verdict.findings[0].code].severity == "error"
