# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust bundles: the same bytes in any order, and nothing in them that is no CA."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import pem
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle, certificate
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY

ROOT = builders.root()
OTHER = builders.root("CN=Other")
EXPIRED = builders.root("CN=Old", end=AT - DAY)
INTERMEDIATE = builders.intermediate(ROOT)
LEAF = builders.client(ROOT)
PEER = builders.client(None, "CN=peer")


def build(*certificates, **more):
    return bundle.build([(f"{n}.pem", one.pem) for n, one in enumerate(certificates)], AT, **more)


def subjects(made) -> list[str]:
    return [entry["subject"] for entry in made.certificates]


def test_same_bytes_in_any_order() -> None:
    sources = [("a", ROOT.pem), ("b", OTHER.pem + INTERMEDIATE.pem), ("c", b"# text\n" + ROOT.pem)]
    made = {bundle.build(order, AT).pem for order in itertools.permutations(sources)}
    assert len(made) == 1
    found = certificate.split(made.pop())
    assert [one.facts.subject_text for one in found] == ["CN=Issuing", "CN=Other", "CN=Root"]


def test_no_ca_is_lost_where_two_blocks_stand_on_one_line() -> None:
    glued = OTHER.pem + ROOT.pem.rstrip() + INTERMEDIATE.pem
    with pytest.raises(MtlsError) as caught:
        bundle.build([("all.pem", glued)], AT)
    assert (caught.value.code, caught.value.place.split(":")[0]) == ("format.glued_blocks", "all.pem")
    assert (
        len(bundle.build([("all.pem", glued.replace(b"----------", b"-----\n-----"))], AT).certificates) == 3
    )


def test_what_is_told() -> None:
    made = build(ROOT, INTERMEDIATE)
    assert made.certificates[1] == {
        "subject": "CN=Root",
        "sha256": certificate.sha256_hex(ROOT.pem),
        "not_after": "2028-03-12T12:00:00Z",
        "is_ca": True,
        "path_length": None,
    }
    assert made.earliest_expiry == AT + 600 * DAY
    assert (made.dropped, made.findings) == ([], [])


def test_expired_is_dropped_and_said() -> None:
    made = build(ROOT, EXPIRED)
    assert subjects(made) == ["CN=Root"]
    assert [(entry["subject"], entry["reason"]) for entry in made.dropped] == [("CN=Old", "bundle.expired")]
    assert [found.code for found in made.findings] == ["bundle.expired"]
    assert made.earliest_expiry == AT + 650 * DAY


def test_expired_is_kept_when_asked() -> None:
    assert subjects(build(ROOT, EXPIRED, on_expired="keep")) == ["CN=Old", "CN=Root"]


REFUSED = [
    ("leaf", [ROOT, LEAF], {}, "bundle.leaf", "1.pem:1"),
    ("self-signed leaf", [ROOT, PEER], {}, "bundle.leaf", "1.pem:1"),
    ("no CA", [ROOT, builders.root("CN=x", key_usage="sign")], {}, "bundle.not_a_ca", "1.pem:1"),
    ("expired", [ROOT, EXPIRED], {"on_expired": "refuse"}, "bundle.expired", "1.pem:1"),
    ("nothing left", [EXPIRED], {}, "bundle.empty", "trust.sources"),
    ("nothing given", [], {}, "bundle.empty", "trust.sources"),
]


@pytest.mark.parametrize(
    ("certificates", "policy", "code", "place"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused(certificates, policy, code, place) -> None:
    with pytest.raises(MtlsError) as caught:
        build(*certificates, **policy)
    assert (caught.value.code, caught.value.place) == (code, place)
    assert caught.value.remedy


def test_a_private_key_is_always_refused() -> None:
    with pytest.raises(MtlsError) as caught:
        bundle.build([("a.pem", ROOT.pem + ROOT.key_pem)], AT, "keep", "keep", "keep")
    line = ROOT.pem.count(b"\n") + 1
    assert (caught.value.code, caught.value.place) == ("bundle.private_key", f"a.pem:{line}")
    assert ROOT.key_pem.splitlines()[1].decode() not in str(caught.value)


def test_every_offender_is_named() -> None:
    with pytest.raises(MtlsError) as caught:
        build(ROOT, LEAF, PEER)
    assert "1.pem:1" in str(caught.value) and "2.pem:1" in str(caught.value)


@pytest.mark.parametrize("policy", ["drop", "keep"])
def test_leaf_as_the_policy_says(policy) -> None:
    made = build(ROOT, LEAF, on_leaf=policy)
    assert ("CN=b1.example.com" in subjects(made)) is (policy == "keep")
    assert [found.code for found in made.findings] == ["bundle.leaf"]


def test_pinned_peer() -> None:
    pin = certificate.sha256_hex(PEER.pem)
    colons = ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()
    for written in (pin, colons):
        assert subjects(build(ROOT, PEER, allow_pinned=[written])) == ["CN=peer", "CN=Root"]


def test_only_a_self_signed_leaf_can_be_pinned() -> None:
    with pytest.raises(MtlsError, match="peer"):
        build(ROOT, LEAF, allow_pinned=[certificate.sha256_hex(LEAF.pem)])


def test_version_1_like_root_counts_as_a_ca() -> None:
    # no basic constraints, but self-issued with keyCertSign: OpenSSL uses it as an anchor
    assert subjects(build(builders.root(ca=None, key_usage="cert"))) == ["CN=Root"]


def test_der_source_becomes_pem() -> None:
    made = bundle.build([("a.der", ROOT.der)], AT)
    assert made.pem == ROOT.pem


def test_damaged_source_is_refused() -> None:
    with pytest.raises(MtlsError) as caught:
        bundle.build([("a.pem", ROOT.pem + OTHER.pem[:-30])], AT)
    assert caught.value.code == "format.damaged"


def test_namesakes_are_told() -> None:
    made = build(ROOT, builders.root())
    assert [found.code for found in made.findings] == ["bundle.same_subject_other_key"]
    assert len(made.certificates) == 2
    renewed = builders.root(key=ROOT.key, end=AT + 900 * DAY)
    assert build(ROOT, renewed).findings == []


DEPTHS = [
    ("a root", [ROOT], 1),
    ("root and intermediate", [ROOT, INTERMEDIATE], 1),
    ("two intermediates", [ROOT, INTERMEDIATE, builders.intermediate(INTERMEDIATE, "CN=Lower")], 2),
    ("announced by the root", [builders.root(path_length=3)], 3),
    ("announced below an intermediate", [ROOT, builders.intermediate(ROOT, path_length=2)], 3),
    ("a path length without sense", [builders.root(path_length=10**6)], 10),
    ("an intermediate without its root", [INTERMEDIATE], 1),
]


@pytest.mark.parametrize(("certificates", "depth"), [row[1:] for row in DEPTHS], ids=[r[0] for r in DEPTHS])
def test_verify_depth(certificates, depth) -> None:
    assert build(*certificates).verify_depth == depth


# -- trust settings of TRUSTED CERTIFICATE blocks, which plain blocks lose

SERVER_USE, CLIENT_USE, MAIL_USE = (der.encode_oid(f"1.3.6.1.5.5.7.3.{number}") for number in (1, 2, 4))


def trusted_block(cert: builders.Issued, trusted: bytes = b"", rejected: bytes = b"") -> bytes:
    settings = b""
    if trusted:
        settings += der.encode(der.SEQUENCE, trusted, constructed=True)
    if rejected:
        settings += der.encode(der.CONTEXT, rejected, constructed=True)
    return pem.encode("TRUSTED CERTIFICATE", cert.der + der.encode(der.SEQUENCE, settings, constructed=True))


SETTINGS = [
    ("none", {}, "kept"),
    ("trusted for both", {"trusted": SERVER_USE + CLIENT_USE}, "kept"),
    ("trusted for servers and mail", {"trusted": SERVER_USE + MAIL_USE}, "refused"),
    ("trusted for mail", {"trusted": MAIL_USE}, "dropped"),
    ("rejected for servers", {"rejected": SERVER_USE}, "refused"),
    ("rejected for both", {"rejected": SERVER_USE + CLIENT_USE}, "dropped"),
    ("rejected for mail", {"rejected": MAIL_USE}, "kept"),
    ("rejected for anything", {"rejected": der.encode_oid("2.5.29.37.0")}, "dropped"),
]


@pytest.mark.parametrize(("settings", "outcome"), [row[1:] for row in SETTINGS], ids=[r[0] for r in SETTINGS])
def test_a_distrusted_ca_is_not_made_a_trusted_one(settings, outcome) -> None:
    """In whichever order, and beside the same certificate as a plain block."""
    block = trusted_block(OTHER, **settings)
    for sources in (
        [("1", ROOT.pem), ("2", block)],
        [("1", block), ("2", ROOT.pem + OTHER.pem)],
        [("1", OTHER.pem), ("2", block + ROOT.pem)],
    ):
        if outcome == "refused":
            with pytest.raises(MtlsError) as caught:
                bundle.build(sources, AT)
            assert caught.value.code == "chain.rejected"
        else:
            made = bundle.build(sources, AT)
            assert subjects(made) == (["CN=Other", "CN=Root"] if outcome == "kept" else ["CN=Root"])
            assert [one["reason"] for one in made.dropped] == ["chain.rejected"] * (outcome == "dropped")
            assert b"TRUSTED" not in made.pem
