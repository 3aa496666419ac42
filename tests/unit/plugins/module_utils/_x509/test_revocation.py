# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs in examine: the expected answer, its explanation, and the answer of `openssl verify`."""

from __future__ import annotations

import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY, revoke
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

ROOT = builders.root()
CA = builders.intermediate(ROOT)
LEAF = builders.client(CA)
OTHER = builders.client(CA, "CN=other")
TWIN = builders.root()
NO_CRL_SIGN = builders.root("CN=Quiet", key_usage=None)

CASES = [
    # name, CRLs, codes
    ("nobody is revoked", [revoke(ROOT), revoke(CA)], []),
    ("another is revoked", [revoke(ROOT), revoke(CA, OTHER)], []),
    ("the leaf is revoked", [revoke(ROOT), revoke(CA, LEAF)], ["crl.revoked"]),
    ("its CA is revoked", [revoke(ROOT, CA), revoke(CA)], ["crl.revoked"]),
    ("none of the root", [revoke(CA)], ["crl.missing_for_ca"]),
    ("none of the intermediate", [revoke(ROOT)], ["crl.missing_for_ca"]),
    ("ended", [revoke(ROOT), revoke(CA, start=AT - 9 * DAY, end=AT - DAY)], ["crl.expired"]),
    (
        "an ended one beside a fresh one",
        [revoke(ROOT), revoke(CA, start=AT - 9 * DAY, end=AT - DAY), revoke(CA)],
        [],
    ),
    ("from the future", [revoke(ROOT), revoke(CA, start=AT + DAY)], ["crl.not_yet_valid"]),
    ("signed by another", [revoke(ROOT), revoke(CA, signer=ROOT)], ["crl.signature_invalid"]),
    (
        "of a CA of the same name",
        [revoke(TWIN), revoke(CA)],
        ["crl.missing_for_ca"],
    ),
    (
        "of a CA of the same name, untold",
        [revoke(TWIN, identifier=False), revoke(CA)],
        ["crl.signature_invalid"],
    ),
    (
        "the newer one counts",
        [revoke(ROOT), revoke(CA, start=AT - 2 * DAY), revoke(CA, LEAF)],
        ["crl.revoked"],
    ),
]


def pem_of(crls) -> bytes:
    return b"".join(crl.public_bytes(serialization.Encoding.PEM) for crl in crls)


def verdict(crl: bytes, trust: bytes = ROOT.pem) -> tuple[bool, list[str]]:
    result = credential.examine(
        {"certificate": LEAF.pem + CA.pem, "trust": trust, "crl": crl, "purpose": "client"}, AT
    )
    return result["verifies"], [found["code"] for found in result["findings"]]


@pytest.mark.parametrize(("crls", "codes"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_verdict(crls, codes) -> None:
    assert verdict(pem_of(crls)) == (not codes, codes)


@needs_openssl
@pytest.mark.parametrize(("crls", "codes"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_openssl_says_the_same(crls, codes, tmp_path) -> None:
    for name, data in (("leaf", LEAF.pem), ("sent", CA.pem), ("root", ROOT.pem), ("crl", pem_of(crls))):
        (tmp_path / name).write_bytes(data)
    answer = subprocess.run(
        ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", "root", "-untrusted", "sent",
         "-CRLfile", "crl", "-crl_check_all", "-attime", str(int(AT.timestamp())), "leaf"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (answer.returncode == 0) == (not codes), answer.stdout + answer.stderr


def test_der_is_told() -> None:
    crl = revoke(ROOT).public_bytes(serialization.Encoding.DER)
    assert verdict(crl) == (False, ["format.der", "crl.missing_for_ca"])


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "format.unreadable"), (b"text", "format.unreadable"), (LEAF.pem, "format.wrong_kind")],
)
def test_no_crl_in_the_file(data, code) -> None:
    accepted, codes = verdict(data)
    assert (accepted, codes[0]) == (False, code)


def test_ca_that_may_not_sign_crls() -> None:
    root = builders.issue("CN=Quiet", ca=True, key_usage="sign")
    leaf = builders.client(root)
    spec = {"certificate": leaf.pem, "trust": root.pem, "crl": pem_of([revoke(root)])}
    codes = [found["code"] for found in credential.examine(spec, AT)["findings"]]
    assert "crl.not_allowed" in codes
    quiet = builders.client(NO_CRL_SIGN)
    spec = {"certificate": quiet.pem, "trust": NO_CRL_SIGN.pem, "crl": pem_of([revoke(NO_CRL_SIGN)])}
    assert credential.examine(spec, AT)["verifies"] is True


@pytest.mark.parametrize(("identifier", "codes"), [(False, ["crl.no_key_identifier"]), (True, [])])
def test_untold_namesakes_are_remarked(identifier, codes) -> None:
    crls = [revoke(ROOT, identifier=identifier), revoke(CA)]
    accepted, told = verdict(pem_of(crls), ROOT.pem + TWIN.pem)
    assert accepted and told == ["bundle.same_subject_other_key", *codes]


def test_damaged_crls_never_raise() -> None:
    der = revoke(ROOT).public_bytes(serialization.Encoding.DER)
    for position in range(0, len(der), 3):
        damaged = bytearray(der)
        damaged[position] ^= 0x5A
        verdict(bytes(damaged))
