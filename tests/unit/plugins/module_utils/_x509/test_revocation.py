# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs in examine: the expected answer, its explanation, and the answer of `openssl verify`."""

from __future__ import annotations

from datetime import datetime

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import crl as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import judgement
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_verify import Verifier
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    builders,
    openssl,
    random_crls,
    raw,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.crl_cases import (
    CA,
    CASES,
    DELTA,
    HERE,
    LEAF,
    ROOT,
    RSA_CA,
    RSA_LEAF,
    TWIN,
    UNKNOWN,
    USERS,
    Case,
    Issued,
    about,
    dead,
    issue,
    of,
    openssl_accepts,
    point,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    compare,
    needs_openssl,
)


def examine(
    case: Case, version: tuple[int, ...] = rules.STRICTEST, at: datetime = AT, judge=judgement.nobody
) -> dict:
    return credential.examine(
        {
            "certificate": case.leaf.pem + case.ca.pem,
            "trust": ROOT.pem,
            "crl": case.lists,
            "crl_place": "crl.pem",
            "verify_depth": 2,
            "hostnames": [],
        },
        at,
        Shelf(judge, openssl=version),
    )


def codes(result: dict) -> list[str]:
    return [found["code"] for found in result["findings"] if found["code"].startswith(("crl.", "format."))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case) -> None:
    result = examine(case)
    assert (result["verifies"], codes(result)) == (case.accepted, case.codes), result["findings"]


@needs_openssl
@pytest.mark.parametrize("case", CASES, ids=str)
def test_openssl_says_the_same(case) -> None:
    ours = examine(case, openssl.version())["verifies"]
    compare("crls", ours, openssl_accepts(case.leaf.pem, case.ca.pem, case.lists, ROOT.pem), case.name)


@needs_openssl
@pytest.mark.parametrize("entries", [[], [dead(3)]], ids=["nobody", "the leaf"])
@pytest.mark.parametrize(("ca", "leaf"), [(CA, LEAF), (RSA_CA, RSA_LEAF)], ids=["ECDSA", "RSA"])
def test_what_not_every_openssl_knows_is_put_to_the_one_here(ca, leaf, entries) -> None:
    """OpenSSL 3.0 knows no signature with SHA-3: there nobody passes."""
    case = Case("SHA3-256", [of(ROOT), of(ca, *entries, digest="sha3_256")], [], leaf=leaf, ca=ca)
    alone = examine(case, openssl.version())
    assert alone["verifies"] is (False if entries else None)
    asked = examine(case, openssl.version(), judge=Verifier())["verifies"]
    theirs = openssl_accepts(leaf.pem, ca.pem, case.lists, ROOT.pem)
    compare("crls", asked, theirs, f"{case} of {len(entries)}")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_severity_follows_the_verdict(case) -> None:
    """What refuses nobody is a warning; a refusal has an error."""
    result = examine(case)
    errors = [found["code"] for found in result["findings"] if found["severity"] == "error"]
    assert bool(errors) is not result["verifies"]


# --- what is said ---


def said(*crls: bytes, code: str, leaf: Issued = LEAF) -> dict:
    found = examine(Case("", list(crls), [], leaf=leaf))["findings"]
    return next(one for one in found if one["code"] == code)


MESSAGES = [
    # code, the text of the message, place, CRLs
    (
        "crl.revoked",
        '"CN=leaf" is revoked since 2026-05-31T12:00:00Z.',
        "certificate:1",
        [of(ROOT), of(CA, dead(3))],
    ),
    (
        "crl.revoked",
        '"CN=leaf" is revoked since 2026-05-31T12:00:00Z (keyCompromise).',
        "certificate:1",
        [of(ROOT), of(CA, dead(3, raw.reason(1)))],
    ),
    (
        "crl.revoked",
        '"CN=leaf" is revoked (reason 42).',
        "certificate:1",
        [of(ROOT), of(CA, raw.revoked(3, raw.utc_time("269901120000Z"), [raw.reason(42)]))],
    ),
    ("crl.missing_for_ca", 'There is no CRL of the CA "CN=Root".', "trust:1", [of(CA)]),
    (
        "crl.missing_for_ca",
        'There is no CRL of the CA "CN=Root", only of another one of this name (see their key identifiers).',
        "trust:1",
        [of(TWIN), of(CA)],
    ),
    (
        "crl.expired",
        'The CRL of "CN=Issuing" ended at 2026-06-01T12:00:00Z.',
        "crl.pem:{second}",
        [of(ROOT), of(CA, end=AT)],
    ),
    (
        "crl.not_yet_valid",
        (
            'The CRL of "CN=Issuing" is valid from 2026-06-02T12:00:00Z on,'
            " it was judged at 2026-06-01T12:00:00Z."
        ),
        "crl.pem:{second}",
        [of(ROOT), of(CA, start=AT + DAY)],
    ),
    (
        "crl.unknown_critical",
        'The CRL of "CN=Issuing" has the critical extension 1.2.3.4, in itself or its entries.',
        "crl.pem:{second}",
        [of(ROOT), of(CA, more=(raw.extension(UNKNOWN, b"", True),))],
    ),
    (
        "crl.delta",
        'The CRL of "CN=Issuing" holds only what changed since its number 1.',
        "crl.pem:{second}",
        [of(ROOT), of(CA, more=(DELTA,))],
    ),
    (
        "crl.missing_for_ca",
        'There is no CRL of the CA "CN=Issuing".',
        "certificate:{ca}",
        [of(ROOT), of(CA, name=raw.common_name('a\n"b,\0'))],
    ),
]


@pytest.mark.parametrize(("code", "message", "place", "crls"), MESSAGES)
def test_message(code, message, place, crls) -> None:
    found = said(*crls, code=code)
    first = raw.pem(crls[0], "X509 CRL").count(b"\n")
    lines = {"second": first + 1, "ca": LEAF.pem.count(b"\n") + 1}
    assert (found["message"], found["place"]) == (message, place.format(**lines))


def test_a_name_in_a_message_is_escaped() -> None:
    found = said(of(ROOT), of(CA, name=raw.common_name('a\n"b,\0'), more=(DELTA,)), of(CA), code="crl.delta")
    assert found["message"].startswith('The CRL of "CN=a\\0A\\"b\\,\\00"')


def test_der_is_told() -> None:
    result = credential.examine({"certificate": LEAF.pem + CA.pem, "trust": ROOT.pem, "crl": of(ROOT)}, AT)
    assert (result["verifies"], codes(result)) == (False, ["format.der", "crl.missing_for_ca"])


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "format.unreadable"), (b"text", "format.unreadable"), (LEAF.pem, "format.wrong_kind")],
)
def test_no_crl_in_the_file(data, code) -> None:
    result = credential.examine({"certificate": LEAF.pem + CA.pem, "trust": ROOT.pem, "crl": data}, AT)
    assert (result["verifies"], codes(result)[0]) == (False, code)


@pytest.mark.parametrize(("identifier", "told"), [(None, ["crl.no_key_identifier"]), (b"", [])])
def test_untold_namesakes_are_remarked(identifier, told) -> None:
    lists = raw.pem(of(ROOT, identifier=identifier), "X509 CRL") + raw.pem(of(CA), "X509 CRL")
    spec = {"certificate": LEAF.pem + CA.pem, "trust": ROOT.pem + TWIN.pem, "crl": lists}
    result = credential.examine(spec, AT)
    assert (result["verifies"], codes(result)) == (True, told)


def test_ca_without_key_usage_may_sign_crls() -> None:
    root = builders.root("CN=Plain", key_usage=None)
    lists = builders.revoke(root).public_bytes(builders.serialization.Encoding.PEM)
    spec = {"certificate": builders.client(root).pem, "trust": root.pem, "crl": lists}
    result = credential.examine(spec, AT)
    assert (result["verifies"], codes(result)) == (True, [])


# --- what only OpenSSL can tell ---

STRANGE = raw.seq(raw.oid("1.2.3.4.5"))
UNDECIDED = Case("", [of(ROOT), of(CA, outer=STRANGE, signature_algorithm=STRANGE)], [])


def judged(case: Case, judge) -> dict:
    spec = {
        "certificate": case.leaf.pem + case.ca.pem,
        "trust": ROOT.pem,
        "crl": case.lists,
        "verify_depth": 2,
    }
    return credential.examine(spec, AT, Shelf(judge))


def test_signature_of_an_unknown_algorithm_is_undecided() -> None:
    result = judged(UNDECIDED, judgement.nobody)
    (found,) = [one for one in result["findings"] if one["code"] == "chain.undecided"]
    assert (result["verifies"], result["engines"]["verifies"]) == (None, None)
    assert found["message"] == 'Only OpenSSL can tell who signed the CRL of "CN=Issuing".'


@pytest.mark.parametrize("accepted", [True, False])
def test_signature_of_an_unknown_algorithm_is_put_to_the_judge(accepted) -> None:
    asked = []

    def judge(question):
        asked.append(question)
        errors = () if accepted else (judgement.Error(8, 0, "CRL signature failure"),)
        return judgement.Judgement(accepted, "openssl 3.9.9", errors)

    result = judged(UNDECIDED, judge)
    assert (result["verifies"], result["engines"]["verifies"]) == (accepted, "openssl 3.9.9")
    assert codes(result) == ([] if accepted else ["crl.signature_invalid"])
    (question,) = asked
    assert question.crls == UNDECIDED.lists and "-crl_check_all" in question.arguments


def test_the_judge_is_not_asked_when_something_else_refuses() -> None:
    def judge(question):
        raise AssertionError("asked in vain")

    case = Case("", [of(ROOT), of(CA, dead(3), outer=STRANGE, signature_algorithm=STRANGE)], [])
    result = judged(case, judge)
    assert (result["verifies"], codes(result)) == (False, ["crl.revoked"])


# --- versions of OpenSSL that differ ---

ALONE = issue("Alone", 7)
VERSIONS = [
    # what, certificate, bundle, CRLs, accepted by 3.0, 3.5, 3.6.3 and 3.6.4
    ("a self-signed one without CRL", ALONE, ALONE, [], (False, False, True, True)),
    ("a self-signed one revoked", ALONE, ALONE, [of(ALONE, dead(7))], (False, False, True, True)),
    ("a self-signed one not revoked", ALONE, ALONE, [of(ALONE)], (True, True, True, True)),
    ("an empty point", LEAF, ROOT, [of(ROOT), of(CA, more=(point(),))], (True, False, False, False)),
    (
        "delta newer than the complete one",
        LEAF,
        ROOT,
        [of(ROOT), of(CA, start=AT - 2 * DAY), of(CA, more=(DELTA,))],
        (False, False, False, True),
    ),
    ("delta alone", LEAF, ROOT, [of(ROOT), of(CA, more=(DELTA,))], (False, False, False, False)),
]


@pytest.mark.parametrize(("leaf", "root", "crls", "accepted"), [row[1:] for row in VERSIONS])
def test_versions(leaf, root, crls, accepted) -> None:
    lists = b"".join(raw.pem(der, "X509 CRL") for der in crls)
    spec = {"certificate": leaf.pem + CA.pem, "trust": root.pem, "crl": lists}
    versions = [(3, 0, 20), (3, 5, 7), (3, 6, 3), (3, 6, 4)]
    said = tuple(credential.examine(spec, AT, Shelf(openssl=version))["verifies"] for version in versions)
    assert said == accepted


# --- many at random ---


@needs_openssl
def test_openssl_says_the_same_of_random_lists() -> None:
    """A sample; 40,000 of this kind went through X509_verify_cert of 3.0, 3.5 and 3.6 without a difference
    but for delta CRLs."""
    for number in range(40):
        case = random_crls.case(number)
        ours = credential.examine(
            {"certificate": case.leaf + case.sent, "trust": case.root, "crl": case.crls, "verify_depth": 2},
            AT,
            Shelf(openssl=openssl.version()),
        )["verifies"]
        theirs = openssl_accepts(case.leaf, case.sent, case.crls, case.root)
        compare("crls", ours, theirs, f"random {number}")


# --- hostile bytes ---


SOUND = of(CA, dead(3, raw.reason(1)), dead(4, about("Other")), more=(DELTA, point(HERE, USERS)))


@pytest.mark.parametrize("change", [0x5A, 0x80, 0x20])
def test_damaged_crls_never_raise(change) -> None:
    for position in range(0, len(SOUND), 7):
        damaged = bytearray(SOUND)
        damaged[position] ^= change
        examine(Case("", [of(ROOT), bytes(damaged)], []))


def test_truncated_crls_never_raise() -> None:
    for length in range(1, len(SOUND), 23):
        assert "format.unreadable" in codes(examine(Case("", [of(ROOT), SOUND[:length]], [])))
