# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs from DER to facts: what is read, what is passed over, what is refused as OpenSSL refuses it."""

from __future__ import annotations

import random
import tracemalloc
from functools import cache

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import crl_reader, revoked
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.der import DerError
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)

OWN = names.key((((names.COMMON_NAME, "Root"),),))
OTHER = names.key((((names.COMMON_NAME, "Other"),),))
NUMBERS = [0, 1, 127, 128, 255, 256, 2**64, 2**159, 2**300, -1, -128, -129, -(2**64)]


@cache
def key():
    return builders.new_key()


def crl(*entries: bytes, **more) -> bytes:
    return raw.crl("Root", key(), list(entries) or None, **more)


def read(*entries: bytes, **more):
    return crl_reader.read(crl(*entries, **more), "crl.pem:1")


def about(name: str) -> bytes:
    return raw.extension(raw.CERTIFICATE_ISSUER, raw.seq(raw.directory_name(raw.common_name(name))), True)


INVALID_SINCE = raw.extension(raw.INVALIDITY_DATE, raw.generalized_time("20260102030405Z"))


def test_facts() -> None:
    facts = read(
        raw.revoked(5),
        this_update=raw.utc_time("260501120000Z"),
        next_update=raw.generalized_time("20600101000000Z"),
        extensions=[
            raw.authority_key_id(b"id", raw.common_name("Root"), 7),
            raw.crl_number(300),
            raw.extension(raw.DELTA_CRL_INDICATOR, raw.integer(299), True),
            raw.extension("1.2.3.4", b"", True),
        ],
    )
    assert (facts.issuer_key, facts.place, len(facts.entries)) == (OWN, "crl.pem:1", 1)
    assert (facts.last_update.text, facts.next_update.text) == (
        "2026-05-01T12:00:00Z",
        "2060-01-01T00:00:00Z",
    )
    assert (facts.authority_key_id, facts.authority_serial) == (b"id", 7)
    assert (facts.number, facts.base_number, facts.is_delta) == (300, 299, True)
    assert facts.unknown_critical == ("1.2.3.4",)
    assert facts.extension_faults == ()


def test_the_least_that_a_crl_has() -> None:
    facts = read(version=None, next_update=b"")
    assert (facts.next_update, facts.number, facts.is_delta, facts.point, len(facts.entries)) == (
        None, None, False, None, 0,
    )  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("extensions", [[], [raw.reason(1)], [INVALID_SINCE]])
def test_entry_is_found_by_its_serial(number, extensions) -> None:
    facts = read(raw.revoked(number, extensions=extensions), raw.revoked(77))
    entry = facts.entries.find(number, OWN, OWN)
    assert entry.serial == number and entry.revoked_at.text == "2026-05-01T12:00:00Z"
    for another in (number + 1, number - 1, -number - 1, number + 256):
        assert facts.entries.find(another, OWN, OWN) is None


@pytest.mark.parametrize(("reason", "text"), [*revoked.REASONS.items(), (7, "reason 7"), (-1, "reason -1")])
def test_reason(reason, text) -> None:
    entry = read(raw.revoked(5, extensions=[raw.reason(reason)])).entries.find(5, OWN, OWN)
    assert (entry.reason, entry.reason_text) == (reason, text)


def test_reason_of_thousands_of_digits() -> None:
    entry = read(raw.revoked(5, extensions=[raw.reason(1 << 99_999)])).entries.find(5, OWN, OWN)
    assert entry.reason_text == "an unknown reason"


def test_entry_without_a_reason() -> None:
    entry = read(raw.revoked(5)).entries.find(5, OWN, OWN)
    assert (entry.reason, entry.reason_text, entry.issuers) == (None, "", None)


def test_issuer_of_an_entry_holds_for_those_behind() -> None:
    entries = read(
        raw.revoked(1),
        raw.revoked(2, extensions=[about("Other")]),
        raw.revoked(3),
        raw.revoked(4, extensions=[about("Root")]),
        raw.revoked(5),
    ).entries
    told = [[bool(entries.find(serial, issuer, OWN)) for serial in range(1, 6)] for issuer in (OWN, OTHER)]
    assert told == [[True, False, False, True, True], [False, True, True, False, False]]


def test_first_of_two_entries_of_one_issuer_counts() -> None:
    entries = read(
        raw.revoked(5, extensions=[about("Other"), raw.reason(1)]),
        raw.revoked(5, extensions=[about("Root"), raw.reason(2)]),
        raw.revoked(5, extensions=[raw.reason(3)]),
    ).entries
    assert [entries.find(5, issuer, OWN).reason for issuer in (OTHER, OWN)] == [1, 2]


FAULTS = [
    # extension of an entry, part of the sentence
    (raw.extension(raw.REASON_CODE, b""), "an entry has an extension that cannot be read"),
    (raw.extension(raw.REASON_CODE, raw.integer(1)), "an integer stands where"),
    (raw.extension(raw.CERTIFICATE_ISSUER, b"\x05\x00"), "null stands where"),
    (raw.reason(1) + raw.reason(1), "2.5.29.21 stands there 2 times"),
]


@pytest.mark.parametrize(("extension", "sentence"), FAULTS)
def test_unreadable_extension_of_an_entry(extension, sentence) -> None:
    facts = read(
        raw.revoked(4, extensions=[raw.reason(8)]),
        raw.revoked(5, extensions=[extension]),
        raw.revoked(6, extensions=[raw.reason(8)]),
    )
    assert len(facts.extension_faults) == 1 and sentence in facts.extension_faults[0]
    reasons = [facts.entries.find(serial, OWN, OWN).reason for serial in (4, 5, 6)]
    assert reasons == [8, 0, 0]  # nothing of the extensions is looked at from there on


@pytest.mark.parametrize("oid", [raw.CRL_NUMBER, raw.DELTA_CRL_INDICATOR, raw.ISSUING_DISTRIBUTION_POINT])
@pytest.mark.parametrize("values", [[b""], [b"\x05\x00"], [b"\x30\x05"], [raw.integer(1), raw.integer(1)]])
def test_unreadable_extension_is_absent(oid, values) -> None:
    facts = read(extensions=[raw.extension(oid, value) for value in values])
    assert (facts.number, facts.base_number, facts.point) == (None, None, None)
    assert len(facts.extension_faults) == 1


def serials(facts) -> list[int]:
    return [number for number in NUMBERS if facts.entries.find(number, OWN, OWN) is not None]


@pytest.mark.parametrize("seed", range(20))
def test_usual_entries_are_read_like_the_others(seed, monkeypatch) -> None:
    """The quick way and the long one give the same."""
    choice = random.Random(seed)
    dates = [raw.NOT_BEFORE, raw.NOT_BEFORE, raw.generalized_time("20260501120000Z")]
    more = [[], [], [raw.reason(choice.choice([1, 8, 300]))], [INVALID_SINCE], [about("Root")]]
    entries = [
        raw.revoked(choice.choice(NUMBERS), choice.choice(dates), choice.choice(more))
        for dummy in range(choice.randint(1, 9))
    ]
    quick = read(*entries)
    monkeypatch.setattr(revoked, "_usual_end", lambda content, offset: 0)
    long = read(*entries)
    assert serials(quick) == serials(long) != []
    assert len(quick.entries) == len(long.entries) == len(entries)
    found = [(quick.entries.find(one, OWN, OWN), long.entries.find(one, OWN, OWN)) for one in serials(quick)]
    assert all(one == other for one, other in found)


SHORT = raw.utc_time("2605011200")
REFUSED = {
    "empty": b"",
    "a certificate": raw.certificate(key=builders.new_key()),
    "no signature": raw.seq(raw.parts(crl())[0], raw.parts(crl())[1]),
    "something behind the signature": raw.seq(*raw.parts(crl()), raw.null()),
    "an entry that is no sequence": crl(raw.integer(5)),
    "an entry without a date": crl(raw.seq(raw.integer(5))),
    "an entry with a padded serial": crl(raw.revoked(b"\x02\x02\x00\x05")),
    "an entry with an empty serial": crl(raw.revoked(b"\x02\x00")),
    "an entry with a text for a date": crl(raw.revoked(5, raw.utf8("260501120000Z"))),
    "an entry with more behind": crl(raw.seq(raw.integer(5), raw.NOT_BEFORE, raw.seq(), raw.null())),
    "an entry with an extension without value": crl(raw.revoked(5, extensions=[raw.seq(raw.oid("1.2.3"))])),
    "an entry cut off": crl(b"\x30\x40" + raw.revoked(5)[2:]),
    "a second sound entry": crl(raw.revoked(5), raw.integer(5)),
    "a date that is text": crl(this_update=raw.utf8("260501120000Z")),
    "a version that is text": crl(version=raw.utf8("1")),
    "extensions twice": crl(extensions=raw.context(0, raw.seq()) * 2),
    "an issuer that is text": raw.crl(raw.utf8("Root"), builders.new_key()),
}
READ = {
    "sound": crl(),
    "version 1": crl(version=None),
    "version 7": crl(version=7),
    "no extension at all": crl(extensions=[]),
    "an entry with no extension at all": crl(raw.seq(raw.integer(5), raw.NOT_BEFORE, raw.seq())),
    "an entry of a wrong date": crl(raw.revoked(5, raw.utc_time("269901120000Z"))),
    "a long length": raw.long_length(0x30, b"".join(raw.parts(crl()))),
    "no length": raw.indefinite(0x30, *raw.parts(crl())),
    "bytes behind it": crl() + b"x",
    "entries in a primitive sequence": raw.crl(
        "Root", builders.new_key(), b"\x10" + raw.seq(raw.revoked(5))[1:]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name) -> None:
    with pytest.raises(DerError):
        crl_reader.read(REFUSED[name])


@pytest.mark.parametrize("name", READ)
def test_read(name) -> None:
    assert crl_reader.read(READ[name]).issuer_key == OWN


@needs_openssl
@pytest.mark.parametrize("name", [*REFUSED, *READ])
def test_openssl_reads_the_same(name) -> None:
    said = ask("crl", "-inform", "DER", "-noout", stdin={**REFUSED, **READ}[name])
    compare("crls", name in READ, said.ok, f"read: {name}")


@pytest.mark.parametrize("date", [SHORT, raw.utc_time(""), raw.generalized_time("202605011200Z")])
def test_dates_that_newer_versions_refuse(date) -> None:
    for data in (crl(raw.revoked(5, date)), crl(this_update=date), crl(next_update=date)):
        with pytest.raises(DerError, match="a date is too short"):
            crl_reader.read(data)


def test_a_long_list_takes_little() -> None:
    """Some ten times its size, for 20,000 entries."""
    data = crl(*(raw.revoked(2**100 + number) for number in range(20_000)))
    tracemalloc.start()
    facts = crl_reader.read(data)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(facts.entries) == 20_000
    assert peak < 12 * len(data)


def test_deep_nesting_is_refused() -> None:
    nested = b"\x30\x80" * 20_000
    with pytest.raises(DerError):
        crl_reader.read(nested)
