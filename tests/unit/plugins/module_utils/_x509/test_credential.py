# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""examine and assemble: facts and findings beside the verdict."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, certificate, credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY

ROOT = builders.root()
UPPER = builders.intermediate(ROOT, "CN=Upper")
LOWER = builders.intermediate(UPPER, "CN=Lower")
LEAF = builders.client(LOWER)
OTHER = builders.client(LOWER, "CN=other")


def examine(at=AT, **spec) -> dict:
    result = credential.examine({"name": "client", **spec}, at)
    json.dumps(result)  # plain values only
    return result


def codes(result) -> list[str]:
    return [found["code"] for found in result["findings"]]


def test_whole_element() -> None:
    result = examine(
        certificate=LEAF.pem,
        private_key=LEAF.key_pem,
        chain=LOWER.pem + UPPER.pem,
        trust=ROOT.pem,
        purpose="client",
        hostnames=["b1.example.com"],
        verify_depth=2,
    )
    digests = [certificate.sha256_hex(one.pem) for one in (LEAF, LOWER, UPPER)]
    assert result["certificate"].pop("serial") == certificate.serial_text(LEAF.certificate.serial_number)
    assert len(result["private_key"].pop("public_key_sha256")) == 64
    assert result == {
        "name": "client",
        "matches": True,
        "private_key": {"type": "ec", "size": 256, "encrypted": False},
        "certificate": {
            "subject": "CN=b1.example.com",
            "issuer": "CN=Lower",
            "not_before": "2026-05-02T12:00:00Z",
            "not_after": "2026-07-31T12:00:00Z",
            "days_left": 60,
            "san": {"dns": ["b1.example.com"], "ip": [], "uri": [], "email": []},
            "is_ca": False,
            "key_usage": ["digitalSignature"],
            "extended_key_usage": ["clientAuth"],
            "sha256": digests[0],
            "format": "pem",
        },
        "chain": {
            "ordered": True,
            "complete": True,
            "leaf_first": True,
            "has_root": False,
            "duplicates": 0,
            "extraneous": [],
            "sha256": digests,
        },
        "verifies": True,
        "engines": dict.fromkeys(("matches", "verifies"), _deps.engine()),
        "hostnames": {"b1.example.com": True},
        "findings": [],
    }


def test_nothing_given() -> None:
    result = examine()
    assert (result["matches"], result["verifies"], result["certificate"], result["findings"]) == (
        None, None, None, [],
    )  # fmt: skip


# -- certificate and key

PAIRS = [
    ("pair", LEAF.pem, LEAF.key_pem, True, []),
    ("other key", LEAF.pem, OTHER.key_pem, False, ["pair.key_mismatch"]),
    ("key of the second", OTHER.pem + LEAF.pem, LEAF.key_pem, False, ["chain.wrong_order"]),
    ("swapped", LEAF.key_pem, LEAF.pem, None, ["pair.swapped_files", "pair.swapped_files"]),
    ("both files the certificate", LEAF.pem, LEAF.pem, None, ["pair.swapped_files"]),
    ("encrypted", LEAF.pem, builders.key_pem(LEAF.key, b"a"), None, ["pair.key_encrypted"]),
    ("no key", LEAF.pem, None, None, []),
    ("empty key", LEAF.pem, b"", None, ["format.unreadable"]),
    ("combined file", LEAF.key_pem + LEAF.pem, LEAF.key_pem + LEAF.pem, True, []),
]


@pytest.mark.parametrize(
    ("cert", "key", "matches", "expected"), [row[1:] for row in PAIRS], ids=[r[0] for r in PAIRS]
)
def test_pair(cert, key, matches, expected) -> None:
    result = examine(certificate=cert, private_key=key)
    assert (result["matches"], codes(result)) == (matches, expected)


def test_passphrase_opens_and_is_not_told() -> None:
    key = builders.key_pem(LEAF.key, b"a-passphrase")
    result = examine(certificate=LEAF.pem, private_key=key, passphrase="a-passphrase")
    assert (result["matches"], result["private_key"]["encrypted"], codes(result)) == (True, True, [])
    wrong = examine(certificate=LEAF.pem, private_key=key, passphrase="another-one")
    assert "another-one" not in json.dumps(wrong) and codes(wrong) == ["pair.key_encrypted"]


def test_position_of_the_right_certificate_is_told() -> None:
    result = examine(certificate=LOWER.pem + OTHER.pem + LEAF.pem, private_key=LEAF.key_pem)
    (found,) = [one for one in result["findings"] if one["code"] == "chain.wrong_order"]
    assert "number 3" in found["message"] and found["severity"] == "error"


# -- chain

CHAINS = [
    ("in order", [LEAF, LOWER, UPPER], {"ordered": True, "leaf_first": True, "extraneous": 0}),
    ("with root", [LEAF, LOWER, UPPER, ROOT], {"ordered": True, "has_root": True, "complete": True}),
    ("reversed", [LEAF, UPPER, LOWER], {"ordered": False, "leaf_first": True, "extraneous": 0}),
    ("issuer first", [LOWER, LEAF, UPPER], {"leaf_first": False}),
    ("twice", [LEAF, LOWER, LOWER], {"duplicates": 1, "extraneous": 0}),
    ("a stranger in it", [LEAF, LOWER, OTHER], {"extraneous": 1}),
    ("alone", [LEAF], {"ordered": True, "complete": None}),
]


@pytest.mark.parametrize(("sent", "expected"), [row[1:] for row in CHAINS], ids=[r[0] for r in CHAINS])
def test_chain(sent, expected) -> None:
    told = examine(certificate=b"".join(one.pem for one in sent))["chain"]
    told["extraneous"] = len(told["extraneous"])
    assert {key: told[key] for key in expected} == expected


def test_complete_is_about_what_is_sent() -> None:
    lent = examine(certificate=LEAF.pem + LOWER.pem, trust=ROOT.pem + UPPER.pem, verify_depth=2)
    assert (lent["chain"]["complete"], lent["verifies"]) == (False, True)
    (found,) = lent["findings"]
    assert (found["code"], found["severity"]) == ("chain.missing_intermediate", "warning")


# -- without a trust bundle


def test_without_trust_dates_and_purpose_are_told() -> None:
    result = examine(certificate=LEAF.pem, purpose="server")
    assert result["verifies"] is None
    assert [(one["code"], one["severity"]) for one in result["findings"]] == [
        ("purpose.server_auth_missing", "warning")
    ]
    assert codes(examine(AT + 61 * DAY, certificate=LEAF.pem)) == ["expiry.expired"]


# -- dates


@pytest.mark.parametrize(("days", "told"), [(29, []), (30, ["expiry.soon"]), (59, ["expiry.soon"])])
def test_a_third_of_the_lifetime(days, told) -> None:
    assert codes(examine(AT + days * DAY, certificate=LEAF.pem)) == told


@pytest.mark.parametrize(("min_days", "told"), [(60, []), (61, ["expiry.soon"])])
def test_min_days(min_days, told) -> None:
    assert codes(examine(certificate=LEAF.pem, min_days=min_days)) == told


# -- names


def test_names() -> None:
    leaf = builders.server(ROOT, names=("a.test", "10.0.0.1"))
    result = examine(certificate=leaf.pem, hostnames=["a.test", "b.test", "10.0.0.1", "10.0.0.2"])
    assert result["hostnames"] == {"a.test": True, "b.test": False, "10.0.0.1": True, "10.0.0.2": False}
    assert codes(result) == ["name.mismatch", "name.ip_address", "name.mismatch"]


def test_common_name_only() -> None:
    leaf = builders.server(ROOT, "CN=a.test", names=())
    result = examine(certificate=leaf.pem, hostnames=["a.test"])
    assert (result["hostnames"], codes(result)) == ({"a.test": True}, ["name.common_name_only"])


# -- trust

TRUST = [
    ("a key in it", ROOT.pem + ROOT.key_pem, True, ["bundle.private_key"]),
    ("a leaf in it", ROOT.pem + OTHER.pem, True, ["bundle.leaf"]),
    ("another of the name", ROOT.pem + builders.root().pem, True, ["bundle.same_subject_other_key"]),
    ("renewed with the key", ROOT.pem + builders.root(key=ROOT.key, end=AT + 9 * DAY).pem, True, []),
    ("empty", b"", False, ["format.unreadable", "chain.missing_intermediate"]),
    ("text", b"none", False, ["format.unreadable", "chain.missing_intermediate"]),
]


@pytest.mark.parametrize(
    ("trust", "verifies", "expected"), [row[1:] for row in TRUST], ids=[r[0] for r in TRUST]
)
def test_trust(trust, verifies, expected) -> None:
    result = examine(certificate=LEAF.pem + LOWER.pem + UPPER.pem, trust=trust, verify_depth=2)
    assert (result["verifies"], codes(result)) == (verifies, expected)


# -- forms and hostile bytes


def test_der_is_read_and_told() -> None:
    result = examine(certificate=LEAF.der, private_key=LEAF.key_pem)
    assert (result["matches"], result["certificate"]["format"], codes(result)) == (
        True,
        "der",
        ["format.der"],
    )


def test_places_are_the_files_names() -> None:
    result = examine(certificate=b"# x\n" + LEAF.pem, private_key=OTHER.key_pem, certificate_place="b1.pem")
    assert [found["place"] for found in result["findings"]] == ["b1.pem:2"]


@pytest.mark.parametrize("step", [1, 7, 40])
def test_damaged_bytes_never_raise(step) -> None:
    """Every damaged certificate, key and bundle still gives an element."""
    for position in range(30, len(LEAF.der), 11 * step):
        damaged = bytearray(LEAF.der)
        damaged[position] ^= 0x5A
        pem = certificate.pem.encode("CERTIFICATE", bytes(damaged))
        examine(certificate=pem, private_key=pem, trust=pem, chain=pem, purpose="client")
        examine(certificate=bytes(damaged), private_key=bytes(damaged), trust=bytes(damaged))
    for cut in range(0, len(LEAF.pem), 13 * step):
        examine(certificate=LEAF.pem[:cut], private_key=LEAF.key_pem[:cut], trust=ROOT.pem[cut:])


# -- assemble

FULL = LEAF.pem + LOWER.pem + UPPER.pem
ASSEMBLED = [
    ("as given", LEAF.pem, LOWER.pem + UPPER.pem, FULL),
    ("one file", FULL, None, FULL),
    ("chain reversed", LEAF.pem, UPPER.pem + LOWER.pem, FULL),
    ("root first", UPPER.pem + LOWER.pem + LEAF.pem, None, FULL),
    ("duplicates", FULL, FULL, FULL),
    (
        "key and text left out",
        LEAF.key_pem + b"Subject: x\n" + LEAF.pem.replace(b"\n", b"\r\n"),
        None,
        LEAF.pem,
    ),
    ("DER", LEAF.der, LOWER.der, LEAF.pem + LOWER.pem),
    ("root stays", FULL + ROOT.pem, None, FULL + ROOT.pem),
    ("strangers last", LEAF.pem, OTHER.pem + LOWER.pem, LEAF.pem + LOWER.pem + OTHER.pem),
    ("a CA alone", ROOT.pem, None, ROOT.pem),
]


@pytest.mark.parametrize(
    ("cert", "chain", "expected"), [row[1:] for row in ASSEMBLED], ids=[r[0] for r in ASSEMBLED]
)
def test_assemble(cert, chain, expected) -> None:
    assert credential.assemble(cert, chain) == expected


@pytest.mark.parametrize("data", [b"", b"text", LEAF.key_pem, LEAF.pem[:-30], FULL + UPPER.pem[:-30]])
def test_assemble_refuses(data) -> None:
    with pytest.raises(MtlsError) as caught:
        credential.assemble(data)
    assert caught.value.code.startswith(("format.", "pair.swapped_files")) and caught.value.place.startswith(
        "certificate"
    )


# -- PKCS#12: opened for what is in it, though nginx reads none


def store(passphrase: bytes = b"", key=LEAF.key, *more: builders.Issued) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    others = [one.certificate for one in more] or None
    return pkcs12.serialize_key_and_certificates(b"x", key, LEAF.certificate, others, encryption)


STORES = [
    ("open", store(), None, True, ["format.pkcs12"]),
    ("with its passphrase", store(b"a"), b"a", True, ["format.pkcs12"]),
    ("with another one", store(b"a"), b"b", None, ["format.pkcs12", "pair.key_encrypted"]),
    ("with none", store(b"a"), None, None, ["format.pkcs12", "pair.key_encrypted"]),
]


@pytest.mark.parametrize(
    ("data", "passphrase", "matches", "expected"), [row[1:] for row in STORES], ids=[r[0] for r in STORES]
)
def test_a_store_holds_both(data, passphrase, matches, expected) -> None:
    result = examine(certificate=data, passphrase=passphrase, chain=LOWER.pem + UPPER.pem)
    assert (result["matches"], codes(result)) == (matches, expected)
    if matches:
        assert result["certificate"]["format"] == "pkcs12" and result["private_key"]["encrypted"] is True
        assert result["certificate"]["sha256"] == certificate.sha256_hex(LEAF.pem)


def test_a_store_in_the_keys_place() -> None:
    result = examine(certificate=LEAF.pem, private_key=store(b"a"), passphrase=b"a")
    assert (result["matches"], codes(result)) == (True, ["format.pkcs12"])
    other = examine(certificate=OTHER.pem, private_key=store(b"a"), passphrase=b"a")
    assert (other["matches"], "pair.key_mismatch" in codes(other)) == (False, True)


def test_a_key_beside_the_store_is_the_one_that_counts() -> None:
    result = examine(certificate=store(), private_key=OTHER.key_pem)
    assert result["matches"] is False and result["private_key"]["encrypted"] is False


def test_the_chain_in_a_store_counts() -> None:
    sent = store(b"", LEAF.key, LOWER, UPPER)
    result = examine(certificate=sent, trust=ROOT.pem, purpose="client", verify_depth=2)
    # in which order the others stand is up to who made the store
    assert (result["verifies"], len(result["chain"]["sha256"])) == (True, 3)


# -- what nginx does not see does not count


def glued(*certificates: builders.Issued) -> bytes:
    return b"".join(one.pem.rstrip(b"\n") for one in certificates) + b"\n"


def test_a_block_that_openssl_does_not_see_trusts_nothing() -> None:
    lent = LEAF.pem + LOWER.pem + UPPER.pem
    trusted = examine(certificate=lent, trust=glued(OTHER, ROOT), verify_depth=2)
    assert (trusted["verifies"], "format.glued_blocks" in codes(trusted)) == (False, True)
    plain = examine(certificate=lent, trust=OTHER.pem + ROOT.pem, verify_depth=2)
    assert plain["verifies"] is True


# -- who gave the verdicts


def test_the_engines() -> None:
    library = _deps.engine()
    both = examine(certificate=LEAF.pem, private_key=LEAF.key_pem, trust=ROOT.pem)
    assert both["engines"] == {"matches": library, "verifies": library}
    none = examine(certificate=LEAF.pem)
    assert none["engines"] == {"matches": None, "verifies": None}
    unread = examine(certificate=b"", private_key=LEAF.key_pem, trust=ROOT.pem)
    assert (unread["engines"], unread["verifies"]) == ({"matches": None, "verifies": None}, False)


# -- files that were not read


def test_a_file_that_was_not_read_is_its_finding() -> None:
    why = Finding("file.missing", "There is no such file.", "/no/such")
    for slot in ("certificate", "private_key", "chain", "trust", "crl"):
        given = {"certificate": LEAF.pem, "private_key": LEAF.key_pem, slot: why}
        result = examine(**given)
        told = codes(result)
        assert told[0] == "file.missing", slot
        assert result["verifies"] is (False if slot == "trust" else None), slot
