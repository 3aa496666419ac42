# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CRL file of a trust bundle: what is taken, left out and refused, beside the answer of `openssl verify`.

The client of serial 3 passes, that of 103 is revoked.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl_bundle import Policy
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError, SeveralError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import crl_bundle
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.crl_bundle import Sources
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    builders,
    corpus,
    openssl,
    raw,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY, SECOND
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.crl_cases import (
    CA,
    CAS,
    DELTA,
    INDIRECT,
    QUIET,
    REASONS,
    ROOT,
    TWIN,
    UNKNOWN,
    Issued,
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

HOUR = timedelta(hours=1)
OTHER = issue("Other", 11)
RENEWED = issue("Root", 12, key=ROOT.key)
CROSSED = issue("Other", 13, ROOT, key=OTHER.key)
EXPIRED = builders.root("CN=Root", end=AT - DAY)
PEER = issue("peer", 14, usage=None)
CRITICAL = raw.extension(UNKNOWN, b"", True)
STRANGE = raw.seq(raw.oid("1.2.3.4.5"))


def client(ca: Issued, serial: int = 3) -> Issued:
    return issue("leaf", serial, ca, usage=None)


def dead_client(ca: Issued) -> Issued:
    return client(ca, 103)


def pems(*cas) -> bytes:
    return b"".join(one.pem for one in cas)


def lists(*ders: bytes) -> bytes:
    return b"".join(raw.pem(der, "X509 CRL") for der in ders)


def built(trust: bytes, *files: bytes, at=AT, **policy) -> crl_bundle.CrlBundle:
    """With the files 0.crl, 1.crl and so on."""
    named = [(f"{number}.crl", data) for number, data in enumerate(files)]
    return crl_bundle.build(Sources([("trust.pem", trust)]), Sources(named), at, Policy(**policy))


def refused(trust: bytes, *files: bytes, **more) -> list[str]:
    """The codes of all faults, those that are refused first."""
    with pytest.raises(SeveralError) as caught:
        built(trust, *files, **more)
    assert caught.value.remedy and all(one["place"] and one["remedy"] for one in caught.value.findings)
    return [one["code"] for one in caught.value.findings]


def reasons(made: crl_bundle.CrlBundle) -> list[tuple[str, str]]:
    return [(one["place"], one["reason"]) for one in made.dropped]


# -- what is built, and what OpenSSL makes of it


@dataclass(frozen=True)
class Good:
    """*crls* make the file for *trust*; of each of *cas* a client passes, and the one that is revoked not."""

    name: str
    trust: bytes
    crls: list[bytes]
    cas: list[Issued]
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


GONE = dead(103)
GOOD = [
    Good("one root", pems(ROOT), [of(ROOT, GONE)], [ROOT]),
    Good("an intermediate", pems(ROOT, CA), [of(CA, GONE), of(ROOT, GONE)], [ROOT, CA]),
    Good("two roots", pems(ROOT, OTHER), [of(OTHER, GONE), of(ROOT, GONE)], [ROOT, OTHER]),
    Good(
        "two roots of one name",
        pems(ROOT, TWIN),
        [of(TWIN, GONE), of(ROOT, GONE)],
        [ROOT, TWIN],
        ("bundle.same_subject_other_key",),
    ),
    Good("a renewed root", pems(ROOT, RENEWED), [of(ROOT, GONE)], [ROOT, RENEWED]),
    Good("a cross-signed root", pems(ROOT, OTHER, CROSSED), [of(OTHER, GONE), of(ROOT, GONE)], [ROOT, OTHER]),
    Good(
        "a cross-signed CA without its own root", pems(ROOT, CROSSED), [of(OTHER, GONE), of(ROOT)], [CROSSED]
    ),
    Good("an ended one beside a fresh one", pems(ROOT), [of(ROOT, end=AT - HOUR, start=AT - DAY - HOUR),
         of(ROOT, GONE)], [ROOT], ("crl.expired",)),
    Good("an older one that does not revoke", pems(ROOT), [of(ROOT, start=AT - 2 * DAY), of(ROOT, GONE)],
         [ROOT], ("crl.superseded",)),
    Good("without a next update", pems(ROOT), [of(ROOT, GONE, end=b"")], [ROOT]),
    Good("untold, of the only CA of that name", pems(ROOT), [of(ROOT, GONE, identifier=None)], [ROOT]),
    Good("of users, beside the CA's own", pems(ROOT),
         [of(ROOT, GONE), of(ROOT, start=AT - 2 * DAY, more=(point(REASONS),))], [ROOT], ("crl.partial",)),
    Good("an older delta", pems(ROOT), [of(ROOT, start=AT - 2 * DAY, more=(DELTA,)), of(ROOT, GONE)],
         [ROOT], ("crl.delta",)),
]  # fmt: skip


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_built(case) -> None:
    made = built(case.trust, lists(*case.crls))
    assert tuple(one.code for one in made.findings) == case.codes
    assert [one.severity for one in made.findings if one.severity == "error"] == []


@needs_openssl
@pytest.mark.parametrize("case", GOOD, ids=str)
def test_openssl_passes_the_good_and_refuses_the_revoked(case) -> None:
    made = built(case.trust, lists(*case.crls))
    said = [
        openssl_accepts(one.pem, b"", made.pem, case.trust)
        for ca in case.cas
        for one in (client(ca), dead_client(ca))
    ]
    compare("crls", [True, False] * len(case.cas), said, f"CRL file: {case}")


# -- what is refused, and what OpenSSL would make of it


@dataclass(frozen=True)
class Bad:
    """*crls* are refused with *codes*. With them OpenSSL would refuse a good client of *ca*, where one is
    named."""

    name: str
    trust: bytes
    crls: list[bytes]
    codes: list[str]
    ca: Issued | None = ROOT

    def __str__(self) -> str:
        return self.name


MISSING, TWINS = ["crl.missing_for_ca"], "bundle.same_subject_other_key"
BAD = [
    Bad("none", pems(ROOT), [], MISSING),
    Bad("none of the root", pems(ROOT, CA), [of(CA)], MISSING),
    Bad("none of the intermediate", pems(ROOT, CA), [of(ROOT)], MISSING, CA),
    Bad("none of the other root", pems(ROOT, OTHER), [of(ROOT)], MISSING, OTHER),
    Bad("none of one of two names", pems(ROOT, TWIN), [of(TWIN)], [*MISSING, TWINS]),
    Bad("none of the cross-signed one", pems(ROOT, CROSSED), [of(ROOT)], MISSING, CROSSED),
    Bad("ended", pems(ROOT), [of(ROOT, end=AT)], ["crl.expired"]),
    Bad("from the future", pems(ROOT), [of(ROOT, start=AT + HOUR)], ["crl.not_yet_valid"]),
    Bad("signed by another", pems(ROOT), [of(ROOT, signer=OTHER)], ["crl.signature_invalid"]),
    Bad(
        "of one name, untold",
        pems(ROOT, TWIN),
        [of(TWIN, identifier=None), of(ROOT, identifier=None)],
        ["crl.no_key_identifier"] * 2 + [TWINS],
    ),
    Bad(
        "of one name, one of them untold",
        pems(ROOT, TWIN),
        [of(TWIN, identifier=None), of(ROOT, start=AT - 2 * DAY)],
        ["crl.no_key_identifier", TWINS],
    ),
    # before July 2026 OpenSSL takes it for a complete one, so that the revoked pass
    Bad("delta", pems(ROOT), [of(ROOT, more=(DELTA,))], ["crl.delta"], None),
    Bad("indirect", pems(ROOT), [of(ROOT, more=(point(INDIRECT),))], ["crl.indirect"]),
    Bad("for some reasons", pems(ROOT), [of(ROOT, more=(point(REASONS),))], ["crl.partial"]),
    Bad("for CAs", pems(ROOT), [of(ROOT, more=(point(CAS),))], ["crl.partial"]),
    Bad("critical", pems(ROOT), [of(ROOT, more=(CRITICAL,))], ["crl.unknown_critical"]),
    Bad("no date", pems(ROOT), [of(ROOT, end=raw.utc_time("261301000000Z"))], ["crl.unreadable_date"]),
    Bad("may not sign", pems(ROOT, QUIET), [of(ROOT), of(QUIET)], ["crl.not_allowed"], QUIET),
    # a good one is there, but with it those would pass that are revoked since
    Bad("newer delta", pems(ROOT), [of(ROOT), of(ROOT, number=2, more=(DELTA,))], ["crl.delta"], None),
    Bad("newer critical", pems(ROOT), [of(ROOT), of(ROOT, number=2, more=(CRITICAL,))],
        ["crl.unknown_critical"], None),
    Bad("newer from the future", pems(ROOT), [of(ROOT), of(ROOT, number=2, start=AT + HOUR)],
        ["crl.not_yet_valid"], None),
    Bad("newer ended", pems(ROOT), [of(ROOT), of(ROOT, number=2, start=AT - DAY, end=AT)],
        ["crl.expired"], None),
    # good enough for nginx today
    Bad("of another CA", pems(ROOT), [of(ROOT), of(OTHER)], ["crl.foreign"], None),
    Bad("of another CA of that name", pems(ROOT), [of(ROOT), of(TWIN)], ["crl.foreign"], None),
    Bad("ends soon", pems(ROOT), [of(ROOT, end=AT + 24 * HOUR - SECOND)], ["crl.ends_soon"], None),
    Bad("of an unknown algorithm", pems(ROOT), [of(ROOT, outer=STRANGE, signature_algorithm=STRANGE)],
        ["chain.undecided"]),
]  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=str)
def test_refused(case) -> None:
    assert refused(case.trust, *map(lists, case.crls)) == case.codes


@needs_openssl
@pytest.mark.parametrize("case", [one for one in BAD if one.ca], ids=str)
def test_openssl_would_refuse_good_clients(case) -> None:
    # an unrelated CRL, where there would be none: the command takes no empty file
    given = lists(*case.crls) or lists(of(OTHER))
    ours = refused(case.trust, *map(lists, case.crls)) == []
    compare("crls", ours, openssl_accepts(client(case.ca).pem, b"", given, case.trust), f"CRL file: {case}")


def test_all_faults_are_told_at_once() -> None:
    fourth = issue("Fourth", 15)
    files = [lists(of(ROOT, end=AT - DAY)), lists(of(OTHER, signer=ROOT)), lists(of(fourth)) + ROOT.pem, b"x"]
    assert refused(pems(ROOT, CA, OTHER), *files) == [
        "format.wrong_kind",
        "format.unreadable",
        "crl.signature_invalid",
        "crl.foreign",
        "crl.missing_for_ca",
        "crl.expired",
    ]


def test_each_fault_has_its_place() -> None:
    with pytest.raises(SeveralError) as caught:
        built(pems(ROOT, CA), lists(of(ROOT), of(OTHER)))
    line = lists(of(ROOT)).count(b"\n") + 1
    assert [one["place"] for one in caught.value.findings] == [
        f"0.crl:{line}",
        f"trust.pem:{ROOT.pem.count(10) + 1}",
    ]
    assert 'There is no CRL of the CA "CN=Issuing".' in str(caught.value)
    assert "on_foreign" in str(caught.value)


# -- the trust bundle


def test_faults_of_the_trust_bundle_are_told_with_those_of_the_lists() -> None:
    assert refused(ROOT.pem + corpus.LEAF.key_pem, b"x") == ["bundle.private_key", "format.unreadable"]


@pytest.mark.parametrize("trust", [EXPIRED.pem, client(ROOT).pem], ids=["expired", "a leaf"])
def test_a_bundle_without_a_ca(trust) -> None:
    assert refused(trust, lists(of(ROOT)))[0] == "bundle.empty"


def test_an_expired_ca_needs_no_crl_and_its_own_goes() -> None:
    revoked = builders.revoke(EXPIRED).public_bytes(builders.serialization.Encoding.PEM)
    own = lists(of(ROOT))
    without = built(ROOT.pem + EXPIRED.pem, own)
    made = built(ROOT.pem + EXPIRED.pem, own, revoked)
    assert (made.pem, without.pem) == (own, own)
    assert (reasons(made), reasons(without)) == ([("1.crl:1", "bundle.expired")], [])


def test_a_pinned_peer_needs_one() -> None:
    assert refused(pems(ROOT, PEER), lists(of(ROOT)))[0] == "crl.missing_for_ca"


@pytest.mark.skipif(openssl.version() >= (3, 6), reason="OpenSSL 3.6 looks up no self-signed certificate")
@needs_openssl
def test_openssl_asks_for_one_of_a_pinned_peer() -> None:
    assert not openssl_accepts(PEER.pem, b"", lists(of(ROOT)), pems(ROOT, PEER))


def test_a_revoked_ca_is_told_and_not_refused() -> None:
    made = built(pems(ROOT, CA), lists(of(ROOT, dead(2)), of(CA)))
    assert [(one.code, one.severity, one.place) for one in made.findings] == [
        ("crl.revoked", "warning", f"trust.pem:{ROOT.pem.count(10) + 1}")
    ]


@needs_openssl
def test_openssl_refuses_the_clients_of_a_revoked_ca() -> None:
    made = built(pems(ROOT, CA), lists(of(ROOT, dead(2)), of(CA)))
    said = [openssl_accepts(client(ca).pem, b"", made.pem, pems(ROOT, CA)) for ca in (ROOT, CA)]
    compare("crls", [True, False], said, "CRL file: a revoked CA")


def test_a_serial_of_the_namesake_revokes_nobody() -> None:
    """Each root has an intermediate of serial 2, and one of the roots has revoked its own."""
    below = issue("Below", 2, TWIN)
    made = built(pems(ROOT, TWIN, CA, below), lists(of(ROOT), of(TWIN, dead(2)), of(CA), of(below)))
    assert ['"CN=Below"' in one.message for one in made.findings if one.code == "crl.revoked"] == [True]


@pytest.mark.parametrize(("issuer", "serial"), [("Other", 11), ("Root", 13)])
def test_it_has_to_do_for_each_certificate_of_the_ca(issuer, serial) -> None:
    """One that names a single certificate of a cross-signed CA is none for clients below the other one."""
    named = raw.authority_key_id(None, raw.common_name(issuer), serial)
    other = lists(of(OTHER, identifier=None, more=(named,)))
    assert built(pems(OTHER if serial == 11 else CROSSED, ROOT), other, lists(of(ROOT))).dropped == []
    assert refused(pems(OTHER, CROSSED, ROOT), other, lists(of(ROOT))) == ["crl.missing_for_ca"]


# -- which of several

AGES = [
    # name, the older, the newer
    ("by number", of(ROOT, number=8), of(ROOT, number=9)),
    ("number before date", of(ROOT, number=8), of(ROOT, number=9, start=AT - 2 * DAY)),
    ("by date, of one number", of(ROOT, start=AT - 2 * DAY), of(ROOT)),
    ("by date, without numbers", of(ROOT, number=None, start=AT - 2 * DAY), of(ROOT, number=None)),
    ("by date, where one has no number", of(ROOT, number=9, start=AT - 2 * DAY), of(ROOT, number=None)),
    ("by what is revoked, of one date", of(ROOT), of(ROOT, GONE)),
]


@pytest.mark.parametrize(("older", "newer"), [row[1:] for row in AGES], ids=[row[0] for row in AGES])
def test_the_newest_counts(older, newer) -> None:
    for order in ([older, newer], [newer, older]):
        made = built(ROOT.pem, *(lists(one) for one in order))
        assert made.pem == lists(newer)
        assert reasons(made) == [(f"{order.index(older)}.crl:1", "crl.superseded")]
        (found,) = made.findings
        assert found.message.endswith(f"is older than the one in {order.index(newer)}.crl:1.")


def test_the_same_one_twice_is_no_older_one() -> None:
    one = lists(of(ROOT))
    made = built(ROOT.pem, one, one)
    assert (made.pem, made.dropped, made.findings) == (one, [], [])


def test_on_expired() -> None:
    files = [lists(of(ROOT, start=AT - 9 * DAY, end=AT - DAY)), lists(of(ROOT))]
    assert reasons(built(ROOT.pem, *files)) == [("0.crl:1", "crl.expired")]
    assert refused(ROOT.pem, *files, on_expired="refuse") == ["crl.expired"]
    assert refused(ROOT.pem, files[0], on_expired="drop") == ["crl.expired"]


def test_on_foreign() -> None:
    files = [lists(of(ROOT)), lists(of(OTHER)), lists(of(TWIN))]
    made = built(ROOT.pem, *files, on_foreign="drop")
    assert made.pem == files[0]
    assert reasons(made) == [("1.crl:1", "crl.foreign"), ("2.crl:1", "crl.foreign")]
    assert refused(ROOT.pem, *files, on_foreign="refuse") == ["crl.foreign"] * 2


@pytest.mark.parametrize(("hours", "passes"), [(0, True), (6, True), (7, False), (10**9, False)])
def test_min_hours(hours, passes) -> None:
    crl = lists(of(ROOT, end=AT + 6 * HOUR))
    if passes:
        assert built(ROOT.pem, crl, min_hours=hours).earliest_next_update == "2026-06-01T18:00:00Z"
    else:
        assert refused(ROOT.pem, crl, min_hours=hours) == ["crl.ends_soon"]


def test_a_margin_of_no_number() -> None:
    with pytest.raises(MtlsError) as caught:
        built(ROOT.pem, lists(of(ROOT)), min_hours=-1)
    assert caught.value.place == "min_hours"


def test_a_time_with_a_zone() -> None:
    crl, at = lists(of(ROOT)), AT.astimezone(builders.timezone(5 * HOUR))
    assert built(ROOT.pem, crl, at=at) == built(ROOT.pem, crl)


# -- bytes and values


ALL = [of(ROOT, GONE), of(CA, number=7), of(OTHER, number=3, end=AT + 3 * DAY)]
TRUST = pems(OTHER, ROOT, CA)
FORMS = {
    "PEM": lists,
    "DER": lambda der: der,
    "CRLF": lambda der: b"# text\r\n" + lists(der).replace(b"\n", b"\r\n"),
    "BOM": lambda der: b"\xef\xbb\xbf" + lists(der),
    "UTF-16": lambda der: lists(der).decode().encode("utf-16"),
    "PKCS#7": lambda der: corpus.pkcs7(crls=(der,)),
    "PKCS#7 in PEM": lambda der: raw.pem(corpus.pkcs7(crls=(der,)), "PKCS7"),
    "no last line break": lambda der: lists(der).rstrip(),
}


@pytest.mark.parametrize("form", FORMS)
def test_order_and_form_never_change_the_bytes(form) -> None:
    wanted = lists(ALL[1], ALL[2], ALL[0])
    for order in itertools.permutations(ALL):
        assert built(TRUST, *(FORMS[form](der) for der in order)).pem == wanted
        assert built(TRUST, FORMS[form](order[0]), lists(*order[1:]), lists(*order)).pem == wanted


def test_a_renewed_namesake_does_not_change_the_order() -> None:
    roots = [builders.root() for dummy in range(2)]
    renewed = [builders.root(key=one.key, start=AT - DAY) for one in roots]
    crls = b"".join(builders.revoke(one).public_bytes(builders.serialization.Encoding.PEM) for one in roots)
    made = {built(pems(*roots, *more), crls).pem for more in ([], renewed[:1], renewed[1:])}
    assert len(made) == 1


def test_blocks_without_a_line_break_between_them_are_not_lost() -> None:
    """The newest one may be among them."""
    glued = lists(ALL[0]).rstrip() + lists(of(ROOT, number=9))
    assert refused(TRUST, lists(*ALL), lists(ALL[1]) + glued)[0] == "format.glued_blocks"


def test_what_is_told() -> None:
    made = built(TRUST, lists(*ALL))
    assert [one["issuer"] for one in made.crls] == ["CN=Issuing", "CN=Other", "CN=Root"]
    assert made.crls[2] == {
        "issuer": "CN=Root",
        "authority_key_id": ROOT.key_id.hex(),
        "number": 1,
        "this_update": "2026-05-31T12:00:00Z",
        "next_update": "2026-06-08T12:00:00Z",
        "revoked": 1,
        "sha256": made.crls[2]["sha256"],
    }
    assert made.earliest_next_update == "2026-06-04T12:00:00Z"
    assert crl_bundle.told(made)["content"] == made.pem.decode()


def test_what_a_crl_does_not_say() -> None:
    (one,) = built(ROOT.pem, lists(of(ROOT, number=None, identifier=None, end=b""))).crls
    assert (one["number"], one["authority_key_id"], one["next_update"]) == (None, None, None)
    made = built(ROOT.pem, lists(of(ROOT, number=None, end=b"")))
    assert made.earliest_next_update is None


@pytest.mark.parametrize(("number", "told"), [((1 << 160) - 1, (1 << 160) - 1), (1 << 160, None)])
def test_a_long_number(number, told) -> None:
    """Python writes no integer of thousands of digits, and JSON's readers none of so many."""
    assert built(ROOT.pem, lists(of(ROOT, number=number))).crls[0]["number"] == told


def test_an_unreadable_extension_is_told() -> None:
    odd = raw.extension(raw.AUTHORITY_KEY_ID, b"\x30\x05")
    made = built(ROOT.pem, lists(of(ROOT, identifier=None, more=(odd,))))
    assert [one.code for one in made.findings] == ["crl.invalid_extension"]


# -- what does not belong there


@pytest.mark.parametrize("in_directory", [False, True], ids=["given", "found"])
@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (lists(of(ROOT)) + ROOT.pem, ["format.wrong_kind"]),
        (lists(of(ROOT)) + corpus.LEAF.key_pem, ["bundle.private_key"]),
        (corpus.LEAF.key_pem, ["bundle.private_key", "format.wrong_kind"]),
        (lists(of(ROOT)) + lists(of(CA))[:-40], ["format.damaged"]),
        (lists(of(ROOT))[:-40], ["format.damaged"]),
        (of(ROOT)[:-10], ["format.unreadable"]),
        (corpus.pkcs7(ROOT.der, crls=(of(ROOT),)), ["format.wrong_kind"]),
    ],
    ids=["certificate", "key", "key alone", "damaged", "damaged alone", "damaged DER", "PKCS#7 with both"],
)
def test_a_file_that_is_refused(data, codes, in_directory) -> None:
    sources = [("0.crl", lists(of(ROOT)))]
    odd = [("1.crl", data)]
    given = Sources([*sources, *odd]) if not in_directory else Sources(sources, odd)
    with pytest.raises(SeveralError) as caught:
        crl_bundle.build(Sources([("trust.pem", ROOT.pem)]), given, AT, Policy(on_foreign="drop"))
    told = [one["code"] for one in caught.value.findings]
    assert told[: len(codes)] == codes, caught.value.findings
    assert caught.value.place.startswith("1.crl")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"About these lists\n", "format.unreadable"),
        (b"", "format.unreadable"),
        (ROOT.pem, "format.wrong_kind"),
        (ROOT.der, "format.wrong_kind"),
    ],
    ids=["text", "empty", "PEM", "DER"],
)
def test_a_file_without_a_crl(data, code) -> None:
    """In a directory it is passed over; named it is a fault."""
    trust, sources = Sources([("trust.pem", ROOT.pem)]), [("0.crl", lists(of(ROOT)))]
    made = crl_bundle.build(trust, Sources(sources, [("other", data)]), AT, Policy())
    assert [(one["place"].split(":")[0], one["reason"], one["sha256"]) for one in made.dropped] == [
        ("other", code, None)
    ]
    assert set(made.dropped[0]) == {*made.crls[0], "place", "reason"}
    assert refused(ROOT.pem, lists(of(ROOT)), data) == [code]


# -- the diff


def test_diff() -> None:
    before, after = lists(of(ROOT, number=7)), lists(of(ROOT, GONE, number=8, end=b""))
    assert crl_bundle.diff(before, after) == {
        "before": "CN=Root, number 7, 2026-05-31T12:00:00Z to 2026-06-08T12:00:00Z, 0 revoked\n",
        "after": "CN=Root, number 8, 2026-05-31T12:00:00Z to no date, 1 revoked\n",
    }
    assert crl_bundle.diff(None, after)["before"] == ""
    assert crl_bundle.diff(b"password=swordfish\n", after)["before"] == "(no CRL)\n"


def test_diff_of_the_same_values() -> None:
    one = lists(of(ROOT, number=None))
    said = crl_bundle.diff(b"# by hand\n" + one, one)
    assert said["before"] == said["after"] + "(others of the same numbers and dates, or written otherwise)\n"
    assert "without a number" in said["after"]
