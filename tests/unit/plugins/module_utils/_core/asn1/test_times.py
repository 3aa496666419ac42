# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates of certificates, read and compared as OpenSSL does it, to the second."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import chain, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import (
    certificate_reader,
    der,
    times,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)

KEY = builders.new_key()
UTC, GENERALIZED = raw.utc_time, raw.generalized_time
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)

# name: (DER, what it is as text, and whether OpenSSL compares it)
DATES = {
    "year 0": (GENERALIZED("00000101000000Z"), "0000-01-01T00:00:00Z", True),
    "leap day of the year 0": (GENERALIZED("00000229235959Z"), "0000-02-29T23:59:59Z", True),
    "end of the year 0": (GENERALIZED("00001231235959Z"), "0000-12-31T23:59:59Z", True),
    "year 1": (GENERALIZED("00010101000000Z"), "0001-01-01T00:00:00Z", True),
    "year 400": (GENERALIZED("04000229120000Z"), "0400-02-29T12:00:00Z", True),
    "1900, no leap year": (GENERALIZED("19000228235959Z"), "1900-02-28T23:59:59Z", True),
    "leap day of 1900": (GENERALIZED("19000229000000Z"), "", False),
    "1949": (GENERALIZED("19491231235959Z"), "1949-12-31T23:59:59Z", True),
    "1950 in two digits": (UTC("500101000000Z"), "1950-01-01T00:00:00Z", True),
    "1950 in four digits": (GENERALIZED("19500101000000Z"), "1950-01-01T00:00:00Z", True),
    "1970": (UTC("700101000000Z"), "1970-01-01T00:00:00Z", True),
    "1999": (UTC("991231235959Z"), "1999-12-31T23:59:59Z", True),
    "2000": (UTC("000229000000Z"), "2000-02-29T00:00:00Z", True),
    "2026 in four digits": (GENERALIZED("20260601120000Z"), "2026-06-01T12:00:00Z", True),
    "2038": (UTC("380119031408Z"), "2038-01-19T03:14:08Z", True),
    "2049 in two digits": (UTC("491231235959Z"), "2049-12-31T23:59:59Z", True),
    "2050 in four digits": (GENERALIZED("20500101000000Z"), "2050-01-01T00:00:00Z", True),
    "9999": (GENERALIZED("99991231235959Z"), "9999-12-31T23:59:59Z", True),
    "in pieces": (
        raw.tlv(0x37, raw.utc_time("2606011200"), raw.octets(b"00Z")),
        "2026-06-01T12:00:00Z",
        True,
    ),
    "fraction": (GENERALIZED("20260601120000.5Z"), "2026-06-01T12:00:00Z", False),
    "long fraction": (GENERALIZED("20260601120000.123456789Z"), "2026-06-01T12:00:00Z", False),
    "fraction without digits": (GENERALIZED("20260601120000.Z"), "", False),
    "fraction of UTCTime": (UTC("260601120000.5Z"), "", False),
    "offset east": (UTC("260601140000+0200"), "2026-06-01T12:00:00Z", False),
    "offset west": (UTC("260601000000-1200"), "2026-06-01T12:00:00Z", False),
    "offset over the new year": (GENERALIZED("20261231233000-0100"), "2027-01-01T00:30:00Z", False),
    "offset of 13 hours": (UTC("260601120000+1300"), "", False),
    "offset past 9999": (GENERALIZED("99991231233000-0100"), "", False),
    "offset in 1899": (GENERALIZED("18990601120000+0100"), "", False),
    "offset in 1900": (GENERALIZED("19000601130000+0100"), "1900-06-01T12:00:00Z", False),
    "offset of two digits": (UTC("260601120000+02"), "", False),
    "zone in small letters": (UTC("260601120000z"), "", False),
    "zone twice": (UTC("260601120000ZZ"), "", False),
    "leap second": (UTC("161231235960Z"), "", False),
    "month 0": (UTC("260001120000Z"), "", False),
    "month 13": (UTC("261301120000Z"), "", False),
    "day 0": (UTC("260600120000Z"), "", False),
    "31 June": (UTC("260631120000Z"), "", False),
    "hour 24": (UTC("260601240000Z"), "", False),
    "minute 60": (UTC("260601126000Z"), "", False),
    "letters": (UTC("26060112000OZ"), "", False),
    "NUL": (UTC("26060112\x00000Z"), "", False),
    "blank before": (UTC(" 60601120000Z"), "", False),
    "sign in the year": (GENERALIZED("+0260601120000Z"), "", False),
    "digits that are not ASCII": (raw.tlv(0x18, "２０２６0601120000Z".encode()), "", False),
    "four digits as UTCTime": (UTC("20260601120000Z"), "", False),
}
# Newer versions of OpenSSL refuse the whole certificate for these; nobody compares them.
SHORT = {
    "UTCTime without seconds": (UTC("2606011200Z"), "2026-06-01T12:00:00Z", False),
    "GeneralizedTime without seconds": (GENERALIZED("202606011200Z"), "2026-06-01T12:00:00Z", False),
    "UTCTime without seconds, with an offset": (UTC("2606011200+0000"), "2026-06-01T12:00:00Z", False),
    "two digits as GeneralizedTime": (GENERALIZED("260601120000Z"), "2606-01-12T00:00:00Z", False),
    "no zone": (GENERALIZED("20260601120000"), "", False),
    "empty": (UTC(""), "", False),
    "one letter": (GENERALIZED("Z"), "", False),
    "a date alone": (GENERALIZED("20260601Z"), "", False),
}


@pytest.mark.parametrize("case", [*DATES, *SHORT])
def test_read(case) -> None:
    data, text, compared = {**DATES, **SHORT}[case]
    moment = times.read(der.only(data))
    assert (moment.text, not moment.fault) == (text, compared)
    if text and not text.startswith("0000"):
        assert moment.at == expiry.parse_rfc3339(text)
        assert EPOCH + timedelta(seconds=moment.seconds) == moment.at
    else:
        assert moment.at == times.NEVER


def test_another_type_is_no_date() -> None:
    for data in (raw.utf8("260601120000Z"), raw.integer(1), raw.seq()):
        with pytest.raises(der.DerError, match="where a date belongs"):
            times.read(der.only(data))


def test_faults_quote_nothing_unprintable() -> None:
    assert times.read(der.only(UTC("a\n\x1b[31m\x00"))).fault == r'"a\0A\1B[31m\00" is no date'
    assert len(times.read(der.only(UTC("9" * 10_000))).fault) < 100


def test_seconds_go_on_before_the_year_1() -> None:
    year_0 = times.read(der.only(GENERALIZED("00001231235959Z"))).seconds
    year_1 = times.read(der.only(GENERALIZED("00010101000000Z"))).seconds
    assert year_1 - year_0 == 1
    assert year_1 - times.read(der.only(GENERALIZED("00000101000000Z"))).seconds == 366 * 86_400


def leaf(not_before: bytes, not_after: bytes) -> bytes:
    return raw.certificate("x", key=KEY, not_before=not_before, not_after=not_after)


@needs_openssl
@pytest.mark.parametrize("case", DATES)
def test_openssl_prints_the_same(case) -> None:
    data = leaf(DATES[case][0], raw.NOT_AFTER)
    said = ask("x509", "-noout", "-startdate", "-dateopt", "iso_8601", stdin=raw.pem(data))
    found = re.search(r"notBefore= *(\d+)-(\S+) (\S+?)(?:\.\d+)?Z", said.out)
    theirs = f"{int(found[1]):04d}-{found[2]}T{found[3]}Z" if found else ""
    facts = certificate_reader.read(data)[0]
    compare("dates", ours=facts.not_before_text, theirs=theirs, case=f"text of {case}")


def verdict(data: bytes, at: datetime) -> str:
    """What OpenSSL says of a self-signed certificate, trusted, at that second."""
    seconds = (at - EPOCH) // SECOND
    said = ask(
        *("verify", "-attime", str(seconds), "-no-CApath", "-no-CAstore", "-CAfile", "cert.pem", "cert.pem"),
        files={"cert.pem": raw.pem(data)},
    )
    for words, code in (
        ("certificate is not yet valid", "expiry.not_yet_valid"),
        ("certificate has expired", "expiry.expired"),
        ("format error in certificate's not", "expiry.unreadable"),
    ):
        if words in said.out + said.err:
            return code
    assert said.ok, said
    return ""


def ours(data: bytes, at: datetime) -> str:
    facts = certificate_reader.read(data)[0]
    return ",".join(finding.code for finding in chain.date_faults([facts], at))


AROUND = [("a second before", -SECOND), ("at", 0 * SECOND), ("a second after", SECOND)]
FIRST, LAST = times.NEVER, datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


def seconds_around(text: str) -> list[tuple[str, datetime]]:
    """A second before, at and after a date, as far as there are such; other days for one that is none."""
    if not text or text.startswith("0000"):
        return [("in 2026", builders.AT), ("in the year 1", FIRST)]
    moment = expiry.parse_rfc3339(text)
    found = []
    for name, offset in AROUND:
        if (name, text) not in (
            ("a second before", "0001-01-01T00:00:00Z"),
            ("a second after", "9999-12-31T23:59:59Z"),
        ):
            found.append((name, moment + offset))
    return found


@needs_openssl
@pytest.mark.parametrize("case", DATES)
def test_openssl_compares_the_same(case) -> None:
    written, text, _compared = DATES[case]
    begins = leaf(written, GENERALIZED("99991231235959Z"))
    ends = leaf(GENERALIZED("00000101000000Z"), written)
    for name, at in seconds_around(text):
        compare("dates", ours(begins, at), verdict(begins, at), f"{name}, begin: {case}")
        compare("dates", ours(ends, at), verdict(ends, at), f"{name}, end: {case}")


@needs_openssl
@pytest.mark.parametrize("case", SHORT)
def test_short_dates_are_errors_either_way(case) -> None:
    data = leaf(SHORT[case][0], raw.NOT_AFTER)
    assert ours(data, builders.AT) == "expiry.unreadable"
    said = ask("x509", "-noout", stdin=raw.pem(data))
    compare("dates", ours=True, theirs=said.ok, case=f"short: {case}")
    if said.ok:
        assert verdict(data, builders.AT) == "expiry.unreadable"


def test_describe_has_no_days_for_no_date() -> None:
    assert expiry.days_left_until("", builders.AT) is None
    assert expiry.days_left_until("2026-06-02T12:00:00Z", builders.AT) == 1


def test_days_left_since_the_year_0() -> None:
    at = datetime(1, 1, 1, tzinfo=timezone.utc)
    assert expiry.days_left_until("0001-01-01T00:00:00Z", at) == 0
    assert expiry.days_left_until("0000-12-31T00:00:00Z", at) == -1
    assert expiry.days_left_until("0000-01-01T00:00:00Z", at) == -366
