# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates of the private CA are meant, and when its CRLs are made anew.

CRLs are made with the library, by ``builders``; the reader is the project's own.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_revocation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import crl_reader
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_revocation import Asked, Issuer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl import CrlFacts
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
FIRST, SECOND = Issuer(1, "CN=shop CA 1"), Issuer(2, "CN=shop CA 2")
ISSUERS = [FIRST, SECOND, Issuer(2, "CN=shop CA 2 issuing")]


def line(serial: str, issuer: Issuer = FIRST, host: str = "b1", name: str = "client", **more: Any) -> Any:
    return {
        "serial": serial,
        "subject": f"CN={host}",
        "host": host,
        "side": "proxy",
        "credential": name,
        "not_after": "2026-12-01T00:00:00Z",
        "sha256": serial.lower()[-1] * 64,
        "issuer": issuer.subject,
        "generation": issuer.generation,
        **more,
    }


ISSUED = [
    line("0A"),
    line("0A"),  # a run that was killed and repeated its line
    line("0B", host="a1", name="server", side="server"),
    line("0C", host="a1", name="probe", side="server"),
    line("0D", host="a1", name="server", side="server", not_after="2026-11-21T12:00:00Z"),
    line("0E"),
    line("0E", SECOND, host="b2"),
    line("0F", Issuer(3, "CN=shop CA 3"), host="b3"),
]


def find(revoked: Any = (), **asked: Any) -> list[dict[str, Any]]:
    return ca_revocation.find(Asked(**asked), ISSUED, revoked, ISSUERS, NOW)


def serials(found: list[dict[str, Any]]) -> list[str]:
    return [entry["serial"] for entry in found]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0A", 10), ("a", 10), ("00:00:0a", 10), ("  0A\n", 10), ("000", 0), ("", 0), ("-0A", 0), ("0x0A", 0)],
)
def test_ways_to_write_a_serial(text: str, number: int) -> None:
    if number:
        assert ca_revocation.serial_number(text) == number
        return
    with pytest.raises(MtlsError, match="is no serial number"):
        ca_revocation.serial_number(text)


def test_the_largest_serial() -> None:
    largest = "7" + "F" * 39
    assert ca_revocation.serial_text(ca_revocation.serial_number(largest)) == largest
    with pytest.raises(MtlsError):
        ca_revocation.serial_number("8" + "0" * 39)


@pytest.mark.parametrize(("number", "text"), [(10, "0A"), (0xABC, "0ABC"), (0xABCD, "ABCD")])
def test_a_serial_as_issued_jsonl_has_it(number: int, text: str) -> None:
    assert ca_revocation.serial_text(number) == text


FOUND = [
    ({"serials": [{"serial": "0A"}]}, ["0A"]),
    ({"serials": [{"serial": "00:0a", "generation": None, "issuer": None}]}, ["0A"]),
    ({"serials": [{"serial": "E", "generation": 2}]}, ["0E"]),
    ({"serials": [{"serial": "E", "issuer": "CN=shop CA 1"}]}, ["0E"]),
    ({"sha256": ["B" * 64]}, ["0B"]),
    ({"sha256": [":".join(["bb"] * 32)]}, ["0B"]),
    # all that have not expired
    ({"host": "a1"}, ["0B", "0C"]),
    ({"host": "a1", "credential": "probe"}, ["0C"]),
    ({"host": "a1", "credential": "server/server"}, ["0B"]),
    # several ways to one
    ({"serials": [{"serial": "0C"}, {"serial": "C"}], "sha256": ["c" * 64], "host": "a1"}, ["0C", "0B"]),
    # not in issued.jsonl, but of a known issuer
    ({"serials": [{"serial": "1f", "issuer": "CN=shop CA 2 issuing"}]}, ["1F"]),
    ({"serials": [{"serial": "1f", "issuer": "CN=shop CA 2", "generation": 2}]}, ["1F"]),
    ({}, []),
]


@pytest.mark.parametrize(("asked", "found"), FOUND)
def test_found(asked: Any, found: list[str]) -> None:
    assert serials(find(**asked)) == found


def test_what_is_noted() -> None:
    assert find(serials=[{"serial": "0B"}]) == [
        {
            "serial": "0B",
            "generation": 1,
            "issuer": "CN=shop CA 1",
            "sha256": "b" * 64,
            "revoked_at": "2026-11-21T12:00:00Z",
            "host": "a1",
            "side": "server",
            "credential": "server",
        }
    ]
    assert find(serials=[{"serial": "1f", "issuer": "CN=shop CA 2"}]) == [
        {
            "serial": "1F",
            "generation": 2,
            "issuer": "CN=shop CA 2",
            "sha256": "",
            "revoked_at": "2026-11-21T12:00:00Z",
            "host": "",
            "side": "",
            "credential": "",
        }
    ]


REFUSED = [
    ({"serials": [{"serial": "FF"}]}, "serial FF is not in issued.jsonl"),
    ({"serials": [{"serial": "A", "generation": 2}]}, "serial 0A of generation 2 is not in issued.jsonl"),
    (
        {"serials": [{"serial": "0E"}]},
        r"serial 0E is in generation 1 \(CN=shop CA 1\) and generation 2 \(CN=shop CA 2\): say which",
    ),
    (
        {"serials": [{"serial": "FF", "issuer": "CN=x"}]},
        "serial FF is of 'CN=x', and this CA has CN=shop CA 1, CN=shop CA 2, CN=shop CA 2 issuing only",
    ),
    ({"serials": [{"serial": "FF", "issuer": "CN=shop CA 2", "generation": 1}]}, "serial FF is of 'CN=shop"),
    ({"serials": [{"serial": "0F"}]}, r"serial 0F is of generation 3 \(CN=shop CA 3\), which is not there"),
    ({"serials": [{"serial": "zz"}]}, "'zz' is no serial number"),
    ({"sha256": ["9" * 64]}, "SHA-256 9{64} is not in issued.jsonl"),
    ({"sha256": ["B" * 63]}, "'B{63}' is no SHA-256"),
    ({"host": "b9"}, "host 'b9' is not in issued.jsonl"),
    ({"host": "a1", "credential": "client"}, "credential 'client' of host 'a1' is not in issued.jsonl"),
    ({"host": "a1", "credential": "proxy/server"}, "credential 'proxy/server' of host"),
    # all of it is told, and the good one beside it is not revoked
    (
        {"serials": [{"serial": "0A"}, {"serial": "FF"}], "host": "b9"},
        "serial FF is not in issued.jsonl; host 'b9' is not",
    ),
]


@pytest.mark.parametrize(("asked", "refusal"), REFUSED)
def test_refused_by_name(asked: Any, refusal: str) -> None:
    with pytest.raises(MtlsError, match=refusal):
        find(**asked)


def test_revoked_already() -> None:
    before = [{**find(serials=[{"serial": "0A"}])[0], "revoked_at": "2026-01-01T00:00:00Z"}]
    found = find(before, serials=[{"serial": "0A"}, {"serial": "0B"}])
    assert found[0] == before[0], "the day stays"
    assert [ca_revocation.is_new(entry, before) for entry in found] == [False, True]
    other = find(before, serials=[{"serial": "0E", "generation": 1}], host="b2")
    assert [ca_revocation.is_new(entry, before) for entry in other] == [True, True]


def test_a_line_that_a_person_added() -> None:
    """docs/operations.md: from the manifests, after an old backup."""
    added = {"serial": "77", "generation": 1, "issuer": "CN=shop CA 1", "sha256": "7" * 64, "host": "b7"}
    for more in ({}, {"not_after": "2026-12-01T00:00:00Z"}):
        found = ca_revocation.find(Asked(host="b7"), [{**added, **more}], [], ISSUERS, NOW)
        assert serials(found) == ["77"]
    late = {**added, "not_after": "2026-11-01T00:00:00Z"}
    assert ca_revocation.find(Asked(host="b7"), [late], [], ISSUERS, NOW) == []


def test_lines_of_what_was_issued() -> None:
    text = json.dumps(ISSUED[0]) + '\n{"serial": "0\n[]\n{}\nnull\n' + json.dumps(ISSUED[2])
    assert serials(ca_revocation.issued_lines(text)) == ["0A", "0B"]


def test_lines_of_what_was_revoked() -> None:
    entry = find(serials=[{"serial": "0A"}])[0]
    whole = json.dumps(entry) + "\n"
    assert ca_revocation.revoked_lines("", "/srv/ca") == []
    assert ca_revocation.revoked_lines(whole + whole, "/srv/ca") == [entry, entry]
    for damaged in (whole[:-3], "\n", json.dumps({**entry, "serial": "x"}), json.dumps({"serial": "0A"})):
        with pytest.raises(MtlsError, match=r"/srv/ca/revoked\.jsonl, line 2, cannot be read"):
            ca_revocation.revoked_lines(whole + damaged + "\n" + whole, "/srv/ca")
    without_date = {name: value for name, value in entry.items() if name != "revoked_at"}
    with pytest.raises(MtlsError, match="line 1"):
        ca_revocation.revoked_lines(json.dumps(without_date), "/srv/ca")


def test_what_a_crl_has_to_list() -> None:
    """Each issuer its own; what has expired stays."""
    revoked = find(
        serials=[{"serial": "0A"}, {"serial": "0D"}, {"serial": "1F", "issuer": "CN=shop CA 2 issuing"}],
        host="b2",
    )
    assert ca_revocation.listed(revoked, FIRST) == {0xA: NOW, 0xD: NOW}
    assert ca_revocation.listed(revoked, SECOND) == {0xE: NOW}
    assert ca_revocation.listed(revoked, ISSUERS[2]) == {0x1F: NOW}
    assert ca_revocation.listed([], FIRST) == {}


ROOT = builders.root("CN=shop CA 1")
GOOD, BAD = builders.client(ROOT, serial=0xA), builders.client(ROOT, serial=0xB)


def facts(*revoked: builders.Issued, start: datetime = NOW - DAY, end: datetime = NOW + 9 * DAY) -> CrlFacts:
    made = builders.revoke(ROOT, *revoked, start=start, end=end)
    return crl_reader.read(made.public_bytes(serialization.Encoding.DER))


ANEW: list[tuple[Optional[CrlFacts], Optional[bool], set[int], float, str]] = [
    # CRL, whether of this key, what is revoked, days before the end, why anew
    (facts(), True, set(), 3, ""),
    (facts(BAD), True, {0xB}, 3, ""),
    (facts(BAD), None, {0xB}, 3, ""),
    (None, None, set(), 3, "is not there"),
    (facts(BAD), False, {0xB}, 3, "is of another key"),
    (facts(), True, {0xB}, 3, "does not list what is revoked"),
    (facts(GOOD), True, {0xB}, 3, "does not list what is revoked"),
    (facts(GOOD, BAD), True, {0xB}, 3, "does not list what is revoked"),
    (facts(end=NOW + 3 * DAY + timedelta(seconds=1)), True, set(), 3, ""),
    (facts(end=NOW + 3 * DAY), True, set(), 3, "ends at 2026-11-24T12:00:00Z"),
    (facts(end=NOW + timedelta(seconds=1)), True, set(), 0, ""),
    (facts(end=NOW), True, set(), 0, "ends at 2026-11-21T12:00:00Z"),
    # the clock went back
    (facts(start=NOW), True, set(), 3, ""),
    (facts(start=NOW + timedelta(seconds=1)), True, set(), 3, "is valid from 2026-11-21T12:00:01Z on only"),
]


@pytest.mark.parametrize(("crl", "own", "revoked", "days", "why"), ANEW)
def test_why_anew(
    crl: Optional[CrlFacts], own: Optional[bool], revoked: set[int], days: float, why: str
) -> None:
    assert ca_revocation.why_anew(crl, own, revoked, NOW, timedelta(days=days)) == why


def test_a_number_only_grows() -> None:
    seconds = int(NOW.timestamp())
    assert ca_revocation.next_number(None, NOW) == seconds
    assert ca_revocation.next_number(facts(), NOW) == seconds, "its number is 1"
    later = crl_reader.read(facts().der)
    object.__setattr__(later, "number", seconds + 50)
    assert ca_revocation.next_number(later, NOW) == seconds + 51, "the clock went back"
    object.__setattr__(later, "number", None)
    assert ca_revocation.next_number(later, NOW) == seconds


def test_when_a_crl_is_due() -> None:
    assert ca_revocation.check_days(30, None) == timedelta(days=10)
    assert ca_revocation.check_days(1, None) == timedelta(hours=8)
    assert ca_revocation.check_days(7, 6) == timedelta(days=6)
    assert ca_revocation.check_days(7, 0) == timedelta(0)
    for days, before, place in ((0, None, "crl_days"), (7, 7, "renew_before"), (7, -1, "renew_before")):
        with pytest.raises(MtlsError) as caught:
            ca_revocation.check_days(days, before)
        assert caught.value.place.startswith(place)


def test_a_key_that_is_away() -> None:
    error = ca_revocation.key_away("/ca/root.pem", "/ca/root.key", "is not there")
    assert "the CRL of /ca/root.pem is not there, and /ca/root.key" in str(error)
    assert "Put /ca/root.key back" in error.remedy
