# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From lines of an access log to clients, whatever the lines are; and which files a log is made of."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import blocks, client_log
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.client_log import (
    Log,
    Tally,
    Wanted,
    begin_of,
    first_time,
    logs,
    missing_numbers,
    not_reached,
    rotated,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.access_logs import (
    ISSUER,
    NOW,
    at,
    line,
)

DAY = 86400
SINCE = int(NOW.timestamp()) - 7 * DAY


def tally(*texts: bytes, wanted: Any = (), probe_paths: Any = ("/.mtls/probe",), live: bool = True) -> Tally:
    """Of one file with these lines, looked at at NOW, seven days back."""
    found = Tally(SINCE, int(NOW.timestamp()), Wanted(wanted), probe_paths)
    data = b"".join(texts)
    found.begin("log")
    for start in range(0, len(data), 65536):
        found.feed(data[start : start + 65536])
    found.end(live)
    return found


def told(*texts: bytes, **more: Any) -> dict[str, Any]:
    return tally(*texts, **more).to_dict(True)


def seen(*texts: bytes, **more: Any) -> dict[str, int]:
    """Subject → requests."""
    return {one["subject"]: one["requests"] for one in told(*texts, **more)["clients"]}


# -- clients


def test_a_client_with_all_that_is_told_of_it() -> None:
    found = told(
        line(time=at(days=2)),
        line(time=at(days=1), client="2001:db8::1"),
        line(time=at(hours=1)),
    )
    assert found["clients"] == [
        {
            "issuer": ISSUER, "serial": "1FAB", "subject": "CN=b1.example.com", "sha1": "ab" * 20,
            "verify": "SUCCESS", "requests": 3, "first_seen": "2026-11-20T12:00:00Z",
            "last_seen": "2026-11-22T11:00:00Z", "addresses": ["192.0.2.10", "2001:db8::1"],
            "only_probes": False, "matched": False,
        }
    ]  # fmt: skip
    assert (found["covers_since"], found["covers_until"]) == ("2026-11-20T12:00:00Z", "2026-11-22T11:00:00Z")
    assert found["lines"] == 3
    assert found["not_verified"] == {"requests": 0, "reasons": {}}
    assert found["left_out"] == {"requests": 0, "matched": 0, "last_seen": None}


@pytest.mark.parametrize(
    "other", [{"serial": "1FAC"}, {"issuer": "CN=mtls CA 2"}, {"sha1": "cd" * 20}, {"subject": "CN=b2"}]
)
def test_certificates_that_differ_are_clients_of_their_own(other: dict[str, str]) -> None:
    assert len(told(line(), line())["clients"]) == 1
    assert len(told(line(), line(**other))["clients"]) == 2


@pytest.mark.parametrize(
    ("wanted", "client", "matched"),
    [
        ({"issuer": ISSUER}, {}, True),
        ({"issuer": ISSUER, "serial": "1FAB"}, {}, True),
        ({"issuer": ISSUER, "serial": "00:1f:ab"}, {}, True),
        ({"issuer": "cn=mtls CA 1"}, {}, True),
        ({"issuer": ISSUER, "serial": "1FAC"}, {}, False),
        ({"issuer": ISSUER, "serial": "1F"}, {}, False),
        ({"issuer": "CN=mtls CA 11"}, {}, False),
        ({"issuer": "CN=mtls CA 2"}, {}, False),
        ({"issuer": "CN=mtls ca 1"}, {}, False),
        ({"issuer": "CN=mtls CA 2", "serial": "1FAB"}, {}, False),
        ({"issuer": "CN=CA,O=A\\, B"}, {"issuer": "CN=CA,O=A\\, B"}, True),
        ({"issuer": "CN=CA,O=A\\, B"}, {"issuer": "CN=CA,O=A\\; B"}, False),
        ({"issuer": "CN=\\c3\\bc"}, {"issuer": "CN=\\C3\\BC"}, True),
        ({"issuer": 'CN=\\"x\\"'}, {"issuer": 'CN=\\"x\\"'}, True),
        ({"issuer": "CN=a\\\\,O=b"}, {"issuer": "CN=a\\\\,O=b"}, True),
        ({"issuer": ISSUER}, {"issuer": ISSUER, "subject": ISSUER}, True),
        ({"issuer": ISSUER}, {"issuer": "CN=other", "subject": ISSUER}, False),
    ],
)
def test_whom_a_caller_looks_for(wanted: dict[str, str], client: dict[str, str], matched: bool) -> None:
    (found,) = told(line(**client), wanted=[wanted])["clients"]
    assert found["matched"] is matched


@pytest.mark.parametrize(
    "wanted",
    [
        {"issuer": "/CN=mtls CA 1"},
        {"issuer": "CN=mtls CA 1, O=Shop"},
        {"issuer": "CN=\u00fc"},
        {"issuer": "mtls CA 1"},
        {"issuer": ""},
        {"issuer": ISSUER, "serial": "0x1f"},
    ],
)
def test_what_nginx_would_never_write_matches_nobody_in_silence(wanted: dict[str, str]) -> None:
    with pytest.raises(MtlsError) as error:
        Wanted([{"issuer": ISSUER}, wanted])
    assert error.value.place == "clients[1]"


def test_without_a_question_nobody_is_the_answer() -> None:
    assert [one["matched"] for one in tally(line()).to_dict(False)["clients"]] == [None]


@pytest.mark.parametrize(
    "verify", ["NONE", "FAILED:certificate has expired", "FAILED:self-signed certificate"]
)
def test_who_did_not_verify_is_no_client(verify: str) -> None:
    found = told(line(), line(verify=verify, serial="", sha1="", issuer="", subject=""), line(verify=verify))
    assert [one["requests"] for one in found["clients"]] == [1]
    assert found["not_verified"] == {"requests": 2, "reasons": {verify: 2}}


def test_no_more_reasons_than_a_few() -> None:
    found = told(*(line(verify=f"FAILED:{index}") for index in range(99)))["not_verified"]
    assert found["requests"] == 99
    assert len(found["reasons"]) == 21
    assert found["reasons"]["other"] == 79


def test_no_more_addresses_than_a_few() -> None:
    (found,) = told(*(line(client=f"192.0.2.{index}") for index in range(9)))["clients"]
    assert found["addresses"] == [f"192.0.2.{index}" for index in range(5)]
    assert found["requests"] == 9


PROBE = "GET /.mtls/probe HTTP/1.1"


@pytest.mark.parametrize(
    ("requests", "subject", "only"),
    [
        ([PROBE], "CN=b1", True),
        ([PROBE, PROBE, "GET /.mtls/probe?x HTTP/2.0"], "CN=b1", True),
        ([PROBE, "GET / HTTP/1.1"], "CN=b1", False),
        (["GET / HTTP/1.1", PROBE], "CN=b1", False),
        (["GET /.mtls/probe/x HTTP/1.1"], "CN=b1", False),
        (["GET /x?/.mtls/probe HTTP/1.1"], "CN=b1", False),
        (["GET /.mtls/proxy HTTP/1.1"], "CN=b1", False),
        ([""], "CN=b1", False),
        (["GET / HTTP/1.1"], "CN=mtls-probe.a1.example.com", True),
        (["GET / HTTP/1.1"], "CN=mtls-probe.a1.example.com,O=Shop", True),
        (["GET / HTTP/1.1"], "OU=x,CN=mtls-probe.a1", True),
        (["GET / HTTP/1.1"], "CN=x-mtls-probe.a1", False),
        (["GET / HTTP/1.1"], "CN=mtls-probe", False),
    ],
)
def test_who_only_proves(requests: list[str], subject: str, only: bool) -> None:
    (found,) = told(*(line(request=request, subject=subject) for request in requests))["clients"]
    assert found["only_probes"] is only


def test_the_probe_path_is_the_sites_own() -> None:
    asked = line(request="GET /ours HTTP/1.1")
    assert [one["only_probes"] for one in told(asked, probe_paths=("/ours",))["clients"]] == [True]
    assert [one["only_probes"] for one in told(asked, probe_paths=("/theirs",))["clients"]] == [False]


# -- time


@pytest.mark.parametrize(
    ("time", "counted"),
    [
        ("2026-11-15T12:00:00+00:00", True),
        ("2026-11-15T11:59:59+00:00", False),
        ("2026-11-15T13:59:59+02:00", False),
        ("2026-11-15T14:00:00+02:00", True),
        ("2026-11-15T04:30:00-07:30", True),
        ("2026-11-15T04:29:59-07:30", False),
        ("2026-11-29T12:00:00+00:00", True),
    ],
)
def test_from_when_on_a_request_counts(time: str, counted: bool) -> None:
    assert bool(seen(line(time=time))) is counted
    assert told(line(time=time))["lines"] == 1


def test_a_clock_that_is_set_back_hides_nobody() -> None:
    found = tally(line(time=at(days=3)), line(time=at(days=9), subject="CN=hidden"))
    assert {one["subject"] for one in found.to_dict(True)["clients"]} == {"CN=b1.example.com", "CN=hidden"}
    assert found.unknown() == [
        "log:2: The time goes back there: the clock was set, and lines tell a wrong time."
    ]


@pytest.mark.parametrize(
    ("times", "word"),
    [
        ([at(days=3), at(days=3, seconds=61)], "log:2: The time goes back"),
        ([at(days=3), at(days=3, seconds=60)], ""),
        ([at(days=3), at(days=3, seconds=40), at(days=3, seconds=80)], "log:3: The time goes back"),
        ([at(days=20), at(days=21), at(days=3)], "log:2: The time goes back"),
        ([at(days=91), at(days=0.5)], "log:2: Nothing stands in the log for 90 days"),
        ([at(days=90), at(days=0.5)], ""),
        ([at(days=200), at(days=99), at(days=98)], ""),
        ([at(seconds=-301)], "log:1: By the host's clock"),
        ([at(seconds=-300)], ""),
    ],
)
def test_what_a_clock_did(times: list[str], word: str) -> None:
    said = tally(*(line(time=time) for time in times)).unknown()
    assert len(said) == bool(word)
    assert "".join(said).startswith(word)


def test_a_fault_is_told_once() -> None:
    found = tally(*(line(time=at(days=day)) for day in (3, 5, 4, 6)))
    assert len(found.unknown()) == 1


def test_a_host_whose_clock_is_behind() -> None:
    def said(now: int) -> list[str]:
        return Tally(SINCE, now, Wanted([]), ()).unknown()

    assert said(SINCE - 300) == []
    assert said(SINCE - 301) == [
        "The host's clock says 2026-11-15T11:54:59Z, before the time to look back to."
    ]


@pytest.mark.parametrize(
    ("since", "days", "begin"),
    [
        ("", 7, SINCE),
        ("", 0, SINCE + 7 * DAY),
        ("", 0.5, SINCE + 7 * DAY - DAY // 2),
        ("", 36500, 0),
        ("2026-11-15T12:00:00Z", 99, SINCE),
        ("2026-11-15T14:00:00+02:00", 7, SINCE),
    ],
)
def test_from_when_on_to_look(since: str, days: float, begin: int) -> None:
    assert begin_of(since, days, NOW) == begin


@pytest.mark.parametrize(
    ("since", "days"),
    [("yesterday", 7), ("", -1), ("", -0.1), ("", 36501), ("", float("nan")), ("", float("inf"))],
)
def test_no_time_to_look_back_to(since: str, days: float) -> None:
    with pytest.raises(MtlsError):
        begin_of(since, days, NOW)


@pytest.mark.parametrize(
    ("first", "born", "whole"),
    [
        (SINCE, None, True),
        (SINCE - 1, None, True),
        (SINCE + 1, None, False),
        (None, None, False),
        (None, SINCE + DAY, False),
        # the site's first proof
        (SINCE + DAY, SINCE + DAY, True),
        (SINCE + DAY + 600, SINCE + DAY, True),
        (SINCE + DAY + 601, SINCE + DAY, False),
        (SINCE + DAY - 600, SINCE + DAY, True),
        # there before, and what it logged then is gone in part
        (SINCE + DAY - 601, SINCE + DAY, False),
        (SINCE - 1, SINCE + DAY, True),
    ],
)
def test_how_far_a_log_must_reach(first: int | None, born: int | None, whole: bool) -> None:
    assert (not_reached(first, SINCE, born) == "") is whole


# -- odd lines

GOOD = line(subject="CN=good")
OTHER = line(subject="CN=other")


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(line(status="000"), id="no status"),
        pytest.param(line(request=b"GET /\xff\xfe\x80 HTTP/1.1"), id="no UTF-8"),
        pytest.param(line(request='GET /","verify":"NONE HTTP/1.1'), id="a field in the request"),
        pytest.param(line(request="GET /\\ HTTP/1.1\\"), id="a backslash at the end"),
        pytest.param(line(request=b"\x16\x03\x01\0\n\r\x7f"), id="binary"),
        pytest.param(line(request=""), id="no request"),
        pytest.param(line(client="unix:"), id="no address"),
        pytest.param(line(request="GET /" + "\\" * 40_000), id="very long"),
        pytest.param(
            line().replace(b'"seconds":0.001', b'"seconds":0.001,"new":"x","more":1'), id="more fields"
        ),
    ],
)
def test_an_odd_request_is_one_all_the_same(odd: bytes) -> None:
    assert seen(odd, OTHER) == {"CN=b1.example.com": 1, "CN=other": 1}
    assert told(odd, OTHER)["unreadable_lines"]["count"] == 0


def test_a_subject_is_told_as_nginx_wrote_it() -> None:
    subject = 'CN=a\\,b \\"c\\" \\C3\\BC,O=\\\\'
    assert seen(line(subject=subject)) == {subject: 1}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(line()[:200] + b"\n", id="half"),
        pytest.param(line()[:-3] + b"\n", id="without its end"),
        pytest.param(line()[9:], id="without its beginning"),
        pytest.param(b"\n", id="empty"),
        pytest.param(b"\0" * 100 + line(), id="a hole"),
        pytest.param(
            b'192.0.2.1 - - [22/Nov/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 2 "-" "-"\n', id="other format"
        ),
        pytest.param(b"{}\n", id="JSON"),
        pytest.param(b"[" * 99_999 + b"\n", id="deep"),
        pytest.param(line(time="2026-02-30T11:00:00+00:00"), id="no such day"),
        pytest.param(line(time="2026-11-22T25:00:00+00:00"), id="no such hour"),
        pytest.param(line(time="1969-12-31T11:00:00+00:00"), id="before all time"),
        pytest.param(line(time="0001-01-01T00:00:00+14:00"), id="before the years"),
        pytest.param(line(time="9999-12-31T23:59:59-12:00"), id="behind the years"),
        pytest.param(line(time="2026-11-22T11:00:00"), id="no zone"),
        pytest.param(line().replace(b"CN=b1", b'CN="b1'), id="a bare quotation mark"),
        pytest.param(line(request="x" * 400_000), id="too long"),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_and_spoils_no_other(odd: bytes) -> None:
    found = tally(GOOD, odd, OTHER)
    result = found.to_dict(True)
    assert {one["subject"]: one["requests"] for one in result["clients"]} == {"CN=good": 1, "CN=other": 1}
    assert result["unreadable_lines"] == {"count": 1, "places": ["log:2"]}
    assert result["lines"] == 3
    assert found.unknown() == ["Lines that cannot be read: 1, the first at log:2."]


def test_lines_that_cannot_be_read_before_the_time_do_not_matter() -> None:
    old = line(time=at(days=8))
    assert told(b"x\n", old, line())["unreadable_lines"]["count"] == 0
    # directly before the first line that counts: it may have been written after the time, too
    assert told(old, b"x\n", line())["unreadable_lines"]["count"] == 1


def test_only_some_places_are_told() -> None:
    assert told(GOOD, b"x\n" * 99)["unreadable_lines"] == {"count": 99, "places": ["log:2", "log:3", "log:4"]}


@pytest.mark.parametrize("live", [True, False])
def test_a_last_line_without_its_end(live: bool) -> None:
    half = tally(GOOD, OTHER[:300], live=live)
    assert half.unreadable == (0 if live else 1)
    assert seen(GOOD, OTHER[:-1], live=live) == {"CN=good": 1, "CN=other": 1}


@pytest.mark.parametrize(
    ("verify", "unreadable"), [("FAILED:self-signed certificate", 0), ("NONE", 0), ("SUCCESS", 1)]
)
def test_a_stranger_with_an_endless_name_spoils_nothing(verify: str, unreadable: int) -> None:
    """Who sends a certificate of one's own making may fill the handshake with its subject."""
    found = told(GOOD, line(verify=verify, subject="CN=" + "\\FF" * 100_000), OTHER)
    assert found["unreadable_lines"]["count"] == unreadable
    assert found["not_verified"]["requests"] == 1 - unreadable
    assert [one["subject"] for one in found["clients"]] == ["CN=good", "CN=other"]


# -- bounds


def test_who_has_no_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_log, "CLIENTS", 2)
    lines = [line(subject=f"CN=b{index}", time=at(hours=9 - index)) for index in range(4)]
    late = line(subject="CN=b9", issuer="CN=old", time=at(hours=1))
    found = told(*lines, *lines[:1], late, late, wanted=[{"issuer": "CN=old"}])
    assert [(one["subject"], one["requests"]) for one in found["clients"]] == [("CN=b0", 2), ("CN=b1", 1)]
    assert found["left_out"] == {"requests": 4, "matched": 2, "last_seen": "2026-11-22T11:00:00Z"}


def test_names_have_so_much_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_log, "CLIENT_OCTETS", 4000)
    found = told(*(line(subject=f"CN={'x' * 900}{index}") for index in range(9)))
    assert (len(found["clients"]), found["left_out"]["requests"]) == (3, 6)


def test_a_line_without_end_takes_no_memory() -> None:
    found = tally(GOOD)
    block = b"x" * 65536
    tracemalloc.start()
    try:
        found.begin("long")
        for dummy in range(160):
            found.feed(block)
        found.feed(b"\n" + OTHER)
        found.end(True)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert {one["subject"] for one in found.to_dict(True)["clients"]} == {"CN=good", "CN=other"}
    assert (found.lines, found.unreadable, found.places) == (3, 1, ["long:1"])


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [GOOD, OTHER, line(time=at(days=9)), line(verify="NONE"), b"\n", b"\r\n", b"\\", b'"', b"}\n"]
        ),
        st.binary(max_size=60),
        st.builds(lambda raw: line(subject=raw, request=raw), st.binary(max_size=60)),
        st.builds(lambda end: GOOD[:end], st.integers(0, len(GOOD))),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.lists(st.integers(1, 999), max_size=9), st.booleans())
@example([GOOD[:-1], b"\n"], [1], False)
def test_whatever_the_bytes_are_and_however_they_come(
    pieces: list[bytes], cuts: list[int], live: bool
) -> None:
    data = b"".join(pieces)
    whole, parts = tally(data, live=live), Tally(SINCE, int(NOW.timestamp()), Wanted([]), ("/.mtls/probe",))
    parts.begin("log")
    rest = data
    for cut in cuts:
        parts.feed(rest[:cut])
        rest = rest[cut:]
    parts.feed(rest)
    parts.end(live)
    assert parts.to_dict(True) == whole.to_dict(True)
    assert parts.unknown() == whole.unknown()
    assert whole.lines == data.count(b"\n") + (not live and bool(data) and not data.endswith(b"\n")) or live
    first_time(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_client_can_write_a_field_or_a_line(request: bytes, subject: bytes) -> None:
    """Whatever is sent, nginx's escapes keep it one line with one client."""
    found = told(line(request=request, subject=b"CN=" + subject), line(serial="02"))
    assert [(one["serial"], one["requests"]) for one in found["clients"]] == [("1FAB", 1), ("02", 1)]
    assert found["unreadable_lines"]["count"] == 0


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (line(), int(NOW.timestamp()) - 3600),
        (b"half a line\n" + line(), int(NOW.timestamp()) - 3600),
        (line(time="2026-02-30T11:00:00+00:00") + line(), int(NOW.timestamp()) - 3600),
        (line()[1:], None),
        (b"", None),
    ],
)
def test_when_a_file_begins(data: bytes, found: int | None) -> None:
    assert first_time(data) == found


# -- files

LOG = "mtls-orders.access.log"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([f"{LOG}.1", f"{LOG}.10.gz", f"{LOG}.2.gz"], [f"{LOG}.10.gz", f"{LOG}.2.gz", f"{LOG}.1"]),
        ([f"{LOG}-20261122", f"{LOG}-20261121.gz"], [f"{LOG}-20261121.gz", f"{LOG}-20261122"]),
        ([f"{LOG}-20261122-1", f"{LOG}-20261122"], [f"{LOG}-20261122", f"{LOG}-20261122-1"]),
        ([f"{LOG}-2026-11-22_3", f"{LOG}-2026-11-22_2.xz"],
         [f"{LOG}-2026-11-22_2.xz", f"{LOG}-2026-11-22_3"]),
        ([f"{LOG}-1763800000", f"{LOG}-1763700000.zst"], [f"{LOG}-1763700000.zst", f"{LOG}-1763800000"]),
        (["mtls-orders.access.1.log", "mtls-orders.access.2.log.bz2"],
         ["mtls-orders.access.2.log.bz2", "mtls-orders.access.1.log"]),
        (["mtls-orders.access-20261122.log"], ["mtls-orders.access-20261122.log"]),
        # what is being compressed is there twice
        ([f"{LOG}.1", f"{LOG}.1.gz"], [f"{LOG}.1"]),
        ([f"{LOG}.1.gz", f"{LOG}.1"], [f"{LOG}.1"]),
        # a host that has gone over to dates, or back
        ([f"{LOG}.1", f"{LOG}-20261122"], [f"{LOG}-20261122", f"{LOG}.1"]),
        # others
        ([LOG, f"{LOG}.gz", f"{LOG}.swp", f"{LOG}.1.bak", f"{LOG}~", f"{LOG}.1.gz.tmp", f".{LOG}.1",
          "mtls-orders2.access.log.1", "access.log.1", "mtls-orders.error.log.1"], []),
    ],
)  # fmt: skip
def test_what_logrotate_made_of_a_log(names: list[str], found: list[str]) -> None:
    assert [one.name for one in rotated(LOG, names)] == found


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ([".1", ".2.gz", ".3.gz"], []),
        ([".1", ".3.gz"], [2]),
        ([".2.gz"], [1]),
        ([".5"], [1, 2, 3]),
        (["-20261101", "-20261122"], []),
        ([], []),
    ],
)
def test_a_rotated_file_that_is_missing(names: list[str], missing: list[int]) -> None:
    assert missing_numbers(rotated(LOG, [f"{LOG}{name}" for name in names])) == missing


BLOCK = """server {
    listen 443 ssl;
    access_log /var/log/nginx/mtls-orders.access.log mtls_server_orders;
    location = /.mtls/probe { return 200 "@MTLS_ID@ x"; }
    MORE
    location / { proxy_pass http://x; INNER }
}
"""


def log(text: str) -> Log:
    (found,) = logs(blocks.sites({"orders": text}))
    return found


def test_the_log_of_a_site() -> None:
    assert log(BLOCK.replace("MORE", "").replace("INNER", "")) == Log(
        "orders", "/var/log/nginx/mtls-orders.access.log", frozenset({"/.mtls/probe"})
    )
    assert client_log.usual("orders") == "/var/log/nginx/mtls-orders.access.log"


@pytest.mark.parametrize(
    ("more", "inner", "word"),
    [
        ("access_log off;", "", "access_log off"),
        ("", "access_log off;", "`location /` are logged elsewhere (access_log off)"),
        ("", "access_log /var/log/nginx/own.log;", "`location /`"),
        ("", "if ($x) { access_log off; }", "`if ($x)`"),
        ("location /own { access_log /own.log combined; }", "", "`location /own`"),
        ("access_log /own.log combined;", "", ""),
        ("", "access_log /var/log/nginx/mtls-orders.access.log mtls_server_orders;", ""),
        ("", "access_log /var/log/nginx/mtls-orders.access.log mtls_server_orders if=$x;", "`location /`"),
    ],
)
def test_requests_that_are_not_logged(more: str, inner: str, word: str) -> None:
    found = log(BLOCK.replace("MORE", more).replace("INNER", inner))
    assert found.path == "/var/log/nginx/mtls-orders.access.log"
    assert len(found.unknown) == bool(word)
    assert word in "".join(found.unknown)


@pytest.mark.parametrize(
    "directive",
    [
        "",
        "access_log off;",
        "access_log /var/log/nginx/mtls-orders.access.log;",
        "access_log /var/log/nginx/mtls-orders.access.log combined;",
        "access_log syslog:server=unix:/dev/log mtls_server_orders;",
        "access_log /var/log/nginx/$host.log mtls_server_orders;",
        "access_log logs/x.log mtls_server_orders;",
    ],
)
def test_a_site_without_a_log_that_can_be_read(directive: str) -> None:
    text = BLOCK.replace("MORE", "").replace("INNER", "")
    found = log(
        text.replace("access_log /var/log/nginx/mtls-orders.access.log mtls_server_orders;", directive)
    )
    assert found.path is None
    assert found.unknown


def test_a_log_with_a_condition() -> None:
    found = log(
        BLOCK.replace("mtls_server_orders;", "mtls_server_orders if=$loggable;")
        .replace("MORE", "")
        .replace("INNER", "")
    )
    assert found.path
    assert "if=$loggable" in "".join(found.unknown)


def test_two_blocks_of_one_site_have_one_log() -> None:
    text = BLOCK.replace("MORE", "").replace("INNER", "")
    other = text.replace("443", "444").replace("/.mtls/probe", "/p")
    assert log(text + other).probe_paths == frozenset({"/.mtls/probe", "/p"})
