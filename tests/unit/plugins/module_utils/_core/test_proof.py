# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import proof, proof_plan, release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer, Row, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import Probe, leaf_of
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.proof import settle
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.revocation import Clients
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.server_probes import (
    revoked_probes,
    revoked_session_probes,
    session_probes,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"


def sha1(der: bytes) -> str:
    return hashlib.sha1(der).hexdigest()


SITE = """server {
    listen 443 ssl; listen [::]:443 ssl; server_name a.test;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client VERIFY; ssl_protocols TLSv1.2 TLSv1.3;
    location = /p { return 200 "@MTLS_ID@ $ssl_client_verify"; }
}"""
LISTENER = """server {
    listen 127.0.0.1:8080;
    location = /.mtls/proxy { return 200 "@MTLS_ID@"; }
    location = /.mtls/probe/orders {
        include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
        proxy_ssl_name a.test; proxy_pass https://up/.mtls/probe;
    }
}"""


#: The release's own default servers; without them those of a socket are the user's.
OURS = "server { listen *:443 ssl default_server; } server { listen [::]:443 ssl default_server; }"


def source(verify: str = "on", sessions: str = "off", ours: str = OURS) -> dict[str, bytes]:
    return {
        "server/default.conf": ours.encode(),
        "server/sites/orders.conf": SITE.replace("VERIFY", verify).encode(),
        "server/credentials/server/fullchain.pem": pem(b"server"),
        "server/credentials/server/tls.conf": f"ssl_session_cache {sessions};\n".encode(),
        "server/credentials/probe/fullchain.pem": pem(b"probe"),
        "proxy/listeners/1.conf": LISTENER.encode(),
        "proxy/routes/orders.conf": b"upstream up { server a1:443; server a2:443; }",
        "proxy/credentials/client/fullchain.pem": pem(b"client"),
    }


def plan(verify: str = "on", ours: str = OURS, **more: Any) -> list[Probe]:
    return proof_plan.plan(source(verify, ours=ours), "ID", **more)


def one(kind: str, verify: str = "on", **more: Any) -> Probe:
    return next(probe for probe in plan(verify, **more) if probe.kind == kind)


# --- the plan ----------------------------------------------------------------------------------------------


def test_each_site_is_asked_on_each_address_in_each_version() -> None:
    asked = {(p.address, p.tls_version) for p in plan() if p.kind == "client accepted"}
    assert asked == {(host, version) for host in ("127.0.0.1", "::1") for version in ("1.2", "1.3")}
    assert all(probe.rounds == 3 for probe in plan() if probe.kind == "client accepted")


def test_kinds_of_questions() -> None:
    assert {probe.kind for probe in plan()} == {
        "client accepted",
        "certificate served",
        "no certificate",
        "foreign certificate",
        "no SNI, refused",
        "unknown SNI, refused",
        "Host of nobody, refused",
        "release served",
        "route",
        "server of the route",
    }


def test_a_live_release_is_asked_briefly() -> None:
    quick = plan(quick=True)
    assert {probe.tls_version for probe in quick} == {"1.3", ""}
    assert {probe.rounds for probe in quick} == {1}


def test_a_site_that_verifies_nobody_lets_no_good_client_in() -> None:
    asked = next(probe for probe in plan("off") if probe.part == "server")
    assert (asked.kind, asked.identity, asked.want_words) == ("release served", "", ("ID",))
    assert judge(asked, [Answer("done", 200, "ID NONE")]).verdict == "ok"
    assert judge(asked, [Answer("done", 200, "OLD NONE")]).verdict == "failed"


def test_a_site_that_verifies_nobody_has_nothing_to_refuse() -> None:
    assert not {"no certificate", "foreign certificate"} & {probe.kind for probe in plan("off")}


@pytest.mark.parametrize(
    ("verify", "none", "foreign"), [("on", 400, 400), ("optional", 403, 400), ("optional_no_ca", 403, 403)]
)
def test_what_a_refusal_looks_like(verify: str, none: int, foreign: int) -> None:
    assert one("no certificate", verify).want_status == (none,)
    assert one("foreign certificate", verify).want_status == (foreign,)


def test_the_servers_of_a_route_are_each_asked_with_its_own_identity() -> None:
    direct = [probe for probe in plan() if probe.kind == "server of the route"]
    assert [(probe.address, probe.port) for probe in direct] == [("a1", 443), ("a2", 443)]
    assert {(probe.identity, probe.trust, probe.server_name) for probe in direct} == {
        ("client", "client", "a.test")
    }


def test_sessions_are_asked_for_where_none_may_be_resumed() -> None:
    before = source()
    assert len(session_probes(before, source())) == 4
    assert session_probes({}, source()) == []
    assert session_probes(source("off"), source("off")) == []
    shared = source(sessions="shared:x:1m")
    assert session_probes(shared, shared) == []
    assert len(session_probes(shared, source(sessions="shared:y:1m"))) == 4


LISTENS = "listen 443 ssl; listen [::]:443 ssl;"


@pytest.mark.parametrize(
    ("listens", "asked"),
    [
        ("listen 443 ssl;", [("127.0.0.1", 443)]),
        ("listen [::]:443 ssl;", [("::1", 443)]),
        ("listen [::]:443 ssl ipv6only=off;", [("127.0.0.1", 443), ("::1", 443)]),
        (
            "listen 192.0.2.1:8443 ssl; listen [2001:db8::1]:8443 ssl;",
            [("192.0.2.1", 8443), ("2001:db8::1", 8443)],
        ),
        ("listen unix:/run/a.sock ssl;", [("unix:/run/a.sock", 0)]),
        ("listen 443 ssl; listen 443 quic;", [("127.0.0.1", 443)]),
        ("listen 443 quic; listen 443 ssl;", [("127.0.0.1", 443)]),
    ],
)
def test_where_each_kind_of_listener_is_asked(listens: str, asked: list[tuple[str, int]]) -> None:
    text = SITE.replace("VERIFY", "on").replace(LISTENS, listens)
    given = {**source(ours=f"server {{ {listens} }}"), "server/sites/orders.conf": text.encode()}
    planned = proof_plan.plan(given, "ID")
    for kind in ("client accepted", "no SNI, refused", "certificate served", "foreign certificate"):
        mine = [(p.address, p.port, p.tls_version) for p in planned if p.kind == kind]
        assert sorted(mine) == [(*place, version) for place in asked for version in ("1.2", "1.3")]
    assert len({probe.key for probe in planned}) == len(planned)


def test_quic_alone_is_a_row_that_says_it_was_not_asked() -> None:
    text = SITE.replace("VERIFY", "on").replace(LISTENS, "listen 443 quic;")
    planned = proof_plan.plan({**source(), "server/sites/orders.conf": text.encode()}, "ID")
    (row,) = (judge(probe, []) for probe in planned if probe.part == "server")
    assert (row.verdict, "QUIC" in row.got) == ("inconclusive", True)
    assert proof.positive([row]) == "unproven"


def test_two_blocks_of_one_site_are_two_questions() -> None:
    text = SITE.replace("VERIFY", "on")
    text += text.replace("a.test", "b.test")
    planned = proof_plan.plan({**source(), "server/sites/orders.conf": text.encode()}, "ID")
    assert {p.server_name for p in planned if p.kind == "client accepted"} == {"a.test", "b.test"}
    assert len({probe.key for probe in planned}) == len(planned)


# --- the verdict -------------------------------------------------------------------------------------------

GOOD = f"ID SUCCESS {sha1(b'probe')} 01\n"
CASES = [
    ("client accepted", Answer("done", 200, GOOD), "ok", ""),
    ("client accepted", Answer("done", 200, GOOD.replace("ID", "OLD")), "failed", "id"),
    ("client accepted", Answer("done", 200, GOOD.replace("SUCCESS", "NONE")), "failed", "identity"),
    ("client accepted", Answer("done", 200, f"ID SUCCESS {sha1(b'other')}"), "failed", "identity"),
    ("client accepted", Answer("done", 200, ""), "failed", "id"),
    ("client accepted", Answer("done", 400), "failed", "refused"),
    ("client accepted", Answer("done", 403), "failed", "forbidden"),
    ("client accepted", Answer("connect", error="refused"), "failed", "unreachable"),
    ("client accepted", Answer("handshake", error="x", alert=40), "failed", "refused"),
    ("certificate served", Answer("done", 400, leaf_sha256=hashlib.sha256(b"server").hexdigest()), "ok", ""),
    ("certificate served", Answer("done", 400, leaf_sha256="0" * 64), "failed", "leaf"),
    ("certificate served", Answer("connect", error="refused"), "failed", "unreachable"),
    ("no certificate", Answer("done", 400), "ok", ""),
    ("no certificate", Answer("done", 200, "ID NONE"), "failed", "admitted"),
    ("no certificate", Answer("done", 403, "ID NONE"), "failed", "admitted"),
    ("no certificate", Answer("done", 200, "a page"), "inconclusive", ""),
    ("no certificate", Answer("done", 302), "inconclusive", ""),
    ("no certificate", Answer("response", error="x", alert=116), "ok", ""),
    ("no certificate", Answer("handshake", error="x", alert=40), "failed", "refused"),
    ("no certificate", Answer("response", error="x", alert=80), "failed", "refused"),
    ("no certificate", Answer("response", error="closed"), "failed", "other"),
    ("no certificate", Answer("connect", error="refused"), "failed", "unreachable"),
    ("no certificate", Answer("late", error="no time"), "failed", "late"),
    ("no certificate", Answer("load", error="x"), "failed", "load"),
    ("no certificate", Answer("done", 502), "inconclusive", ""),
    ("foreign certificate", Answer("done", 400), "ok", ""),
    ("foreign certificate", Answer("done", 200, "ID SUCCESS"), "failed", "admitted"),
    ("foreign certificate", Answer("done", 204), "inconclusive", ""),
    ("foreign certificate", Answer("handshake", error="x", alert=48), "ok", ""),
    ("client accepted", Answer("response", error="x", alert=48), "failed", "refused"),
    ("client accepted", Answer("done", 495), "failed", "refused"),
    ("client accepted", Answer("done", 502), "failed", "upstream"),
    ("client accepted", Answer("late", error="no time"), "failed", "late"),
    ("client accepted", Answer("not here", error="no such address"), "inconclusive", ""),
    ("certificate served", Answer("not here", error="no such address"), "inconclusive", ""),
    ("no SNI, refused", Answer("handshake", error="x", alert=112), "ok", ""),
    ("no SNI, refused", Answer("done", 400), "failed", "admitted"),
    ("no SNI, refused", Answer("handshake", error="x", alert=40), "failed", "refused"),
    ("unknown SNI, refused", Answer("handshake", error="x", alert=112), "ok", ""),
    ("unknown SNI, refused", Answer("handshake", error="x", alert=70), "failed", "refused"),
    ("unknown SNI, refused", Answer("handshake", error="closed"), "failed", "certificate"),
    ("unknown SNI, refused", Answer("handshake", error="too late", timed_out=True), "failed", "unreachable"),
    ("unknown SNI, refused", Answer("connect", error="refused"), "failed", "unreachable"),
    ("Host of nobody, refused", Answer("done", 421, "Misdirected"), "ok", ""),
    ("Host of nobody, refused", Answer("done", 200, "welcome"), "failed", "admitted"),
    ("Host of nobody, refused", Answer("done", 404), "failed", "admitted"),
    ("Host of nobody, refused", Answer("handshake", error="x", alert=112), "failed", "refused"),
    ("Host of nobody, refused", Answer("connect", error="refused"), "failed", "unreachable"),
    ("release served", Answer("done", 200, "ID\n"), "ok", ""),
    ("release served", Answer("done", 200, "OLD\n"), "failed", "id"),
    ("route", Answer("done", 200, f"A SUCCESS {sha1(b'client')} 02"), "ok", ""),
    ("route", Answer("done", 200, f"A SUCCESS {sha1(b'old')} 02"), "failed", "identity"),
    ("route", Answer("done", 502), "failed", "upstream"),
    ("route", Answer("done", 400), "failed", "refused"),
    ("server of the route", Answer("handshake", error="not accepted"), "failed", "certificate"),
    ("server of the route", Answer("resolve", error="no such host"), "failed", "unreachable"),
    ("server of the route", Answer("response", error="too late", timed_out=True), "failed", "unreachable"),
]


@pytest.mark.parametrize(("kind", "answer", "verdict", "cause"), CASES)
def test_verdict(kind: str, answer: Answer, verdict: str, cause: str) -> None:
    row = judge(one(kind), [answer])
    assert (row.verdict, row.cause) == (verdict, cause)
    assert row.got
    assert proof.remedy(row)


def test_one_bad_round_of_several_is_told() -> None:
    row = judge(
        one("client accepted"), [Answer("done", 200, GOOD), Answer("done", 200, GOOD.replace("ID", "OLD"))]
    )
    assert (row.verdict, row.got) == ("failed", "200, release OLD (1 of 2 as expected)")


def test_a_question_that_cannot_be_asked_is_never_passed() -> None:
    row = judge(one("client accepted"), [])
    assert row.verdict == "inconclusive"
    assert proof.positive([row]) == "unproven"


@pytest.mark.parametrize(
    ("answer", "verdict", "cause"),
    [
        (Answer("done", 200, reused=False), "ok", ""),
        (Answer("done", 400, reused=False), "ok", ""),
        (Answer("done", 200, reused=True), "failed", "admitted"),
        (Answer("response", error="closed", reused=True), "failed", "admitted"),
        (Answer("connect", error="refused"), "failed", "unreachable"),
        (Answer("handshake", error="closed"), "failed", "certificate"),
        (Answer("done", 200, offered=False), "ok", ""),
        (Answer("done", 400, offered=False), "inconclusive", ""),
        (Answer("connect", error="refused", offered=False), "failed", "unreachable"),
    ],
)
def test_a_session_from_before(answer: Answer, verdict: str, cause: str) -> None:
    probe = session_probes(source(), source())[0]
    row = judge(probe, [answer])
    assert (row.verdict, row.cause) == (verdict, cause)


def test_without_a_good_client_before_the_switch_no_session_is_proven_dead() -> None:
    probe = session_probes(source(), source())[0]
    assert judge(probe, []).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("answer", "verdict", "cause"),
    [
        (Answer("done", 200, "their page"), "ok", ""),
        (Answer("done", 421), "ok", ""),
        (Answer("handshake", error="x", alert=112), "ok", ""),
        (Answer("handshake", error="x", alert=40), "ok", ""),
        (Answer("done", 200, "ID SUCCESS x"), "failed", "admitted"),
        (Answer("done", 400, "page that says ID"), "failed", "admitted"),
        (Answer("connect", error="refused"), "failed", "unreachable"),
        (Answer("handshake", error="reset"), "failed", "certificate"),
        (Answer("response", error="too late", timed_out=True), "failed", "unreachable"),
    ],
)
@pytest.mark.parametrize("what", ["no SNI", "unknown SNI"])
def test_a_users_default_must_only_keep_the_wrong_ones_out(
    what: str, answer: Answer, verdict: str, cause: str
) -> None:
    probe = one(f"{what}, the user's default", ours="")
    row = judge(probe, [answer])
    assert (row.verdict, row.cause) == (verdict, cause)


def test_each_socket_has_the_default_server_that_the_release_says() -> None:
    asked = plan(ours="server { listen [::]:443 ssl default_server; } server { listen 8443 ssl; }")
    found = {(probe.kind.split(", ")[1], probe.address) for probe in asked if probe.subject == "default"}
    assert found == {("the user's default", "127.0.0.1"), ("refused", "::1")}


PLAIN = SITE.replace("@MTLS_ID@", "hello").replace("a.test", "plain.test")
OPEN = SITE.replace("a.test", "open.test").replace("VERIFY", "off")


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        # The names are those of files: the first site is not always the one that can tell.
        ({"a": SITE}, "a.test"),
        ({"a": PLAIN, "b": SITE}, "a.test"),
        ({"a": OPEN, "b": SITE}, "a.test"),
        ({"a": PLAIN}, ""),
        ({"a": OPEN, "b": PLAIN}, ""),
    ],
)
def test_a_users_default_is_proven_by_a_site_that_would_show_who_got_in(
    texts: dict[str, str], asked: str
) -> None:
    named = {f"server/sites/{name}.conf": text.replace("VERIFY", "on") for name, text in texts.items()}
    planned = proof_plan.plan({name: text.encode() for name, text in named.items()}, "ID")
    mine = [one for one in planned if one.kind.endswith("the user's default")]
    assert {one.kind.split(",")[0] for one in mine} == {"no SNI", "unknown SNI", "Host of nobody"}
    if asked:
        assert {(one.path, one.rounds > 0) for one in mine} == {("/p", True)}
        assert next(one for one in mine if one.kind.startswith("Host")).server_name == asked
    else:
        assert {judge(one, []).verdict for one in mine} == {"inconclusive"}
        assert all("no site there" in judge(one, []).got for one in mine)
        assert all(not one.rounds for one in mine)


def test_a_site_on_another_port_does_not_tell_of_a_users_default() -> None:
    texts = {"a": SITE.replace("443", "8443"), "b": PLAIN}
    named = {
        f"server/sites/{name}.conf": text.replace("VERIFY", "on").encode() for name, text in texts.items()
    }
    named["server/default.conf"] = OURS.replace(":443", ":8443").encode()
    planned = proof_plan.plan(named, "ID")
    assert not any(one.rounds for one in planned if one.kind.endswith("the user's default"))
    assert all(one.rounds for one in planned if one.kind == "no SNI, refused")


def test_a_host_of_nobody_at_a_users_default_is_not_the_site() -> None:
    probe = one("Host of nobody, the user's default", ours="")
    assert judge(probe, [Answer("done", 200, "their page")]).verdict == "ok"
    assert judge(probe, [Answer("done", 421)]).verdict == "ok"
    assert judge(probe, [Answer("done", 200, "ID SUCCESS x")]).verdict == "failed"
    # The name is the site's own, so the handshake has no reason to fail.
    assert judge(probe, [Answer("handshake", error="x", alert=112)]).verdict == "failed"
    assert judge(probe, [Answer("connect", error="refused")]).verdict == "failed"


def test_a_host_of_nobody_is_asked_by_the_good_client_under_the_sites_name() -> None:
    asked = one("Host of nobody, refused")
    assert (asked.server_name, asked.http_host, asked.identity) == ("a.test", "mtls-unknown.invalid", "probe")
    listeners = {(p.address, p.port) for p in plan() if p.kind == "Host of nobody, refused"}
    assert listeners == {("127.0.0.1", 443), ("::1", 443)}


def test_a_site_without_probe_path_is_asked_but_never_proven() -> None:
    text = SITE.replace("VERIFY", "on").replace("@MTLS_ID@", "hello")
    planned = proof_plan.plan({**source(), "server/sites/orders.conf": text.encode()}, "ID")
    good = next(probe for probe in planned if probe.kind == "client accepted")
    assert judge(good, [Answer("done", 200, "a page")]).verdict == "inconclusive"
    assert judge(good, [Answer("done", 404)]).verdict == "inconclusive"
    assert judge(good, [Answer("done", 400)]).verdict == "failed"


def test_words_of_a_stranger_are_cut() -> None:
    row = judge(one("client accepted"), [Answer("done", 200, "x" * 5000)])
    assert len(row.got) < 200


def test_an_a_that_is_not_ours_is_never_passed_by_its_status_alone() -> None:
    probe = replace(one("server of the route"), path="/", want_words=())
    assert judge(probe, [Answer("done", 200, "hello")]).verdict == "inconclusive"
    assert judge(probe, [Answer("done", 404)]).verdict == "inconclusive"
    assert judge(probe, [Answer("done", 400)]).verdict == "failed"


def test_where_good_and_bad_get_the_same_answer_nothing_is_proven() -> None:
    good = judge(one("client accepted"), [Answer("done", 400)])
    bad = judge(one("no certificate"), [Answer("done", 400)])
    proof.cross_check([good, bad])
    assert bad.verdict == "inconclusive"
    good, bad = (
        judge(one("client accepted"), [Answer("done", 200, GOOD)]),
        judge(one("no certificate"), [Answer("done", 400)]),
    )
    proof.cross_check([good, bad])
    assert bad.verdict == "ok"


# --- what blocks -------------------------------------------------------------------------------------------

REFUSED = Answer("done", 400)


def failing(kind: str = "route", answer: Answer = REFUSED) -> Row:
    return judge(one(kind), [answer])


def blocks(row: Row, changed: set[tuple[str, str]], *before: Row) -> bool:
    return bool(settle([row], frozenset(changed), {one.probe.key: one for one in before}))


def test_what_was_carried_over_broken_does_not_block() -> None:
    row = failing()
    assert not blocks(row, {("server", "server")}, failing())
    assert row.verdict == "was_failing"


def test_what_this_call_changes_blocks() -> None:
    assert blocks(failing(), {("proxy", "client")}, failing())
    assert blocks(failing(), {("proxy block", "orders")}, failing())


def test_a_changed_default_server_blocks() -> None:
    row = failing("no SNI, refused", Answer("done", 200))
    assert blocks(row, {("server block", "default")}, failing("no SNI, refused", Answer("done", 200)))
    assert not blocks(row, set(), failing("no SNI, refused", Answer("done", 200)))


def test_what_passed_before_blocks() -> None:
    passed = judge(one("route"), [Answer("done", 200, f"A SUCCESS {sha1(b'client')}")])
    assert blocks(failing(), set(), passed)
    assert blocks(failing(), set())


def test_what_was_broken_before_may_fail_in_another_way() -> None:
    """Behind A's expired certificate B's own may stand: mending A must not be kept from the host."""
    row = failing(answer=Answer("done", 502))
    assert not blocks(row, set(), failing())
    assert (row.verdict, "before the switch: 400" in row.got) == ("was_failing", True)


@pytest.mark.parametrize("answer", [Answer("done", 200, "ID SUCCESS x"), Answer("done", 400)])
def test_who_was_not_to_get_in_and_now_does_blocks(answer: Answer) -> None:
    before = failing("foreign certificate", Answer("connect", error="refused"))
    now = judge(one("foreign certificate"), [answer])
    assert blocks(now, set(), before) is (answer.status == 200)


@pytest.mark.parametrize("answer", [Answer("done", 200, "A SUCCESS other"), Answer("done", 400)])
def test_another_identity_than_before_blocks_whatever_was_before(answer: Answer) -> None:
    assert blocks(failing(answer=answer), set(), failing(answer=Answer("done", 502))) is (
        answer.status == 200
    )


def test_a_changed_probe_identity_blocks() -> None:
    row = failing("client accepted")
    assert blocks(row, {("server", "probe")}, failing("client accepted"))
    assert not blocks(row, {("proxy", "probe")}, failing("client accepted"))


# An expired half, and the other one that is mended: what the rows of both are before and after.
A_EXPIRED = Answer("handshake", error="certificate has expired (10)")
B_EXPIRED = Answer("done", 400, "<title>400 The SSL certificate error</title>")
SEEN = Answer("done", 200, f"A SUCCESS {sha1(b'client')} 02")
DEAD = Answer("connect", error="Connection refused")
BEHIND_DEAD = Answer("done", 502)


@pytest.mark.parametrize(
    ("before", "after"), [(B_EXPIRED, B_EXPIRED), (A_EXPIRED, B_EXPIRED), (Answer("done", 502), B_EXPIRED)]
)
@pytest.mark.parametrize("kind", ["route", "server of the route"])
def test_an_expired_b_half_never_blocks_the_a_half(kind: str, before: Answer, after: Answer) -> None:
    changes_of_a = {("server", "server"), ("server", "probe"), ("server block", "orders")}
    assert not blocks(
        failing(kind, after), changes_of_a - {("server block", "orders")}, failing(kind, before)
    )
    assert blocks(failing(kind, after), {("proxy", "client")}, failing(kind, before))
    assert blocks(failing(kind, after), changes_of_a, judge(one(kind), [SEEN]))


@pytest.mark.parametrize(
    ("direct_then", "direct_now", "blocking"),
    [
        ((B_EXPIRED, B_EXPIRED), (B_EXPIRED, B_EXPIRED), False),
        ((SEEN, B_EXPIRED), (B_EXPIRED, B_EXPIRED), True),
        ((B_EXPIRED, B_EXPIRED), (SEEN, B_EXPIRED), True),
        ((B_EXPIRED, None), (B_EXPIRED, B_EXPIRED), True),
        ((None, None), (B_EXPIRED, B_EXPIRED), True),
    ],
)
def test_a_route_that_only_went_on_by_its_sessions_was_broken_before(
    direct_then: tuple[Answer | None, ...], direct_now: tuple[Answer, ...], blocking: bool
) -> None:
    """A worker of nginx goes on with a session that it got by a certificate that is expired since."""
    direct = [probe for probe in plan() if probe.kind == "server of the route"]
    baseline = {
        probe.key: judge(probe, [answer]) for probe, answer in zip(direct, direct_then) if answer is not None
    }
    baseline[one("route").key] = judge(one("route"), [SEEN])
    route = judge(one("route"), [B_EXPIRED])
    rows = [route, *(judge(probe, [answer]) for probe, answer in zip(direct, direct_now))]
    assert (route in settle(rows, frozenset(), baseline)) is blocking
    rows[0] = judge(one("route"), [B_EXPIRED])
    assert rows[0] in settle(rows, frozenset({("proxy", "client")}), baseline)


@pytest.mark.parametrize("kind", ["route", "server of the route"])
@pytest.mark.parametrize(
    ("now", "then", "after", "verdict"),
    [
        # A refuses as before, and B's certificate stays: new CRLs beside it are not to blame.
        (REFUSED, REFUSED, {"proxy/credentials/client/crl.pem": b"new"}, "was_failing"),
        # It got in before.
        (REFUSED, SEEN, {"proxy/credentials/client/crl.pem": b"new"}, "failed"),
        # A new certificate has to be accepted.
        (REFUSED, REFUSED, {"proxy/credentials/client/fullchain.pem": pem(b"other")}, "failed"),
        # It is B that does not accept A.
        (A_EXPIRED, A_EXPIRED, {"proxy/credentials/client/crl.pem": b"new"}, "failed"),
        # A is down, as before: it says nothing of lists.
        (DEAD, DEAD, {"proxy/credentials/client/crl.pem": b"new"}, "was_failing"),
        (DEAD, SEEN, {"proxy/credentials/client/crl.pem": b"new"}, "failed"),
        # Nothing is known of new trust, nor of a new certificate, where nobody answers.
        (DEAD, DEAD, {"proxy/credentials/client/trust.pem": b"new"}, "failed"),
        (DEAD, DEAD, {"proxy/credentials/client/fullchain.pem": pem(b"other")}, "failed"),
        # It is up again, and B does not accept it.
        (A_EXPIRED, DEAD, {"proxy/credentials/client/crl.pem": b"new"}, "failed"),
    ],
)
def test_who_was_refused_before_does_not_keep_new_lists_away(
    kind: str, now: Answer, then: Answer, after: dict[str, bytes], verdict: str
) -> None:
    """Two hosts that are both A and B, all of whose CRLs have ended, are mended one after the other."""
    row, before = judge(one(kind), [now]), judge(one(kind), [then])
    clients = Clients(source(), {**source(), **after})
    settle([row], frozenset({("proxy", "client")}), {row.probe.key: before}, clients)
    assert row.verdict == verdict


@pytest.mark.parametrize(("name", "blocking"), [("crl.pem", 0), ("trust.pem", 2)])
def test_a_server_that_is_down_keeps_no_list_away(name: str, blocking: int) -> None:
    """The route's listener answers 502 for it."""
    rows = [failing("server of the route", DEAD), failing("route", BEHIND_DEAD)]
    baseline = {row.probe.key: judge(row.probe, [DEAD, BEHIND_DEAD][n : n + 1]) for n, row in enumerate(rows)}
    clients = Clients(source(), {**source(), f"proxy/credentials/client/{name}": b"new"})
    assert len(settle(rows, frozenset({("proxy", "client")}), baseline, clients)) == blocking


@pytest.mark.parametrize(("which", "verdict"), [(0, "ok"), (1, "failed")])
@pytest.mark.parametrize("part", ["server", "proxy"])
def test_who_is_revoked_is_to_be_refused(which: int, verdict: str, part: str) -> None:
    ca = builders.root()
    client, other = builders.client(ca), builders.client(ca)
    lists = builders.revoke(ca, (client, other)[which])
    after = {**source(), "proxy/credentials/client/fullchain.pem": client.pem}
    after[f"{part}/credentials/{'server' if part == 'server' else 'client'}/crl.pem"] = lists.public_bytes(
        serialization.Encoding.PEM
    )
    row = judge(one("route"), [REFUSED])
    found = settle([row], frozenset({("proxy", "client")}), {}, Clients(source(), after))
    assert (row.verdict, bool(found)) == (verdict, verdict == "failed")
    assert ("it is revoked" in row.got) is (verdict == "ok")


@pytest.mark.parametrize("kind", ["client accepted", "certificate served", "no certificate"])
def test_a_broken_a_half_never_blocks_the_b_half(kind: str) -> None:
    answer = Answer("connect", error="refused") if kind == "no certificate" else Answer("done", 400)
    changes_of_b = {("proxy", "client"), ("proxy block", "1")}
    assert not blocks(failing(kind, answer), changes_of_b, failing(kind, answer))
    assert blocks(failing(kind, answer), {("server", "server")}, failing(kind, answer))
    assert blocks(failing(kind, answer), changes_of_b)


# --- pages of the site's own for who is refused ------------------------------------------------------------

PROVEN = Answer("done", 200, GOOD)
PAGE = Answer("done", 302, "see the help")


def checked(none: Answer, foreign: Answer, good: Answer = PROVEN, verify: str = "on") -> tuple[str, str]:
    rows = [
        judge(one(kind, verify), [answer])
        for kind, answer in (
            ("foreign certificate", foreign),
            ("client accepted", good),
            ("no certificate", none),
        )
    ]
    proof.cross_check(rows)
    return rows[2].verdict, rows[0].verdict


@pytest.mark.parametrize(
    ("none", "foreign", "verdicts"),
    [
        (PAGE, PAGE, ("ok", "ok")),
        (Answer("done", 200, "sorry"), Answer("done", 200, "sorry"), ("ok", "ok")),
        (PAGE, Answer("done", 400), ("ok", "ok")),
        # The allow list answers so: the certificate may have been accepted.
        (PAGE, Answer("done", 403), ("ok", "inconclusive")),
        (PAGE, Answer("done", 302, "another page"), ("ok", "inconclusive")),
        (Answer("done", 400), Answer("done", 403), ("ok", "inconclusive")),
        (Answer("done", 502), Answer("done", 502), ("inconclusive", "inconclusive")),
        (Answer("done", 200, "ID NONE"), PAGE, ("failed", "inconclusive")),
        (Answer("done", 200, "ID NONE"), Answer("done", 200, "ID NONE"), ("failed", "failed")),
    ],
)
def test_a_page_of_the_sites_own_is_a_refusal_where_the_good_client_gets_another(
    none: Answer, foreign: Answer, verdicts: tuple[str, str]
) -> None:
    assert checked(none, foreign) == verdicts


@pytest.mark.parametrize("good", [PAGE, Answer("done", 400), Answer("connect", error="refused")])
def test_a_page_that_the_good_client_may_get_as_well_proves_nothing(good: Answer) -> None:
    assert checked(PAGE, PAGE, good) == ("inconclusive", "inconclusive")


def test_where_a_certificate_is_optional_a_page_proves_nothing() -> None:
    assert checked(PAGE, PAGE, verify="optional") == ("inconclusive", "inconclusive")


def test_a_site_without_probe_path_that_lets_anybody_in() -> None:
    probe = replace(one("no certificate"), unwanted="")
    assert judge(probe, [Answer("done", 200, "hello")]).verdict == "failed"
    assert judge(probe, [Answer("done", 302)]).verdict == "inconclusive"


# --- a revoked client --------------------------------------------------------------------------------------


def revoked(verify: str = "on", **more: Any) -> Probe:
    (probe, *_rest) = revoked_probes(source(verify), "ID", {"server": ["r"]}, **more)
    return probe


def resumed() -> Probe:
    return revoked_session_probes(source(), source(), "ID", {"server": ["r"]})[0]


def test_a_revoked_client_is_asked_for_at_each_place_fresh_and_resumed() -> None:
    given = {"server": ["r", "s"]}
    fresh = revoked_probes(source(), "ID", given)
    again = revoked_session_probes(source(), source(), "ID", given)
    assert len(fresh) == len(again) == 8
    assert len({probe.key for probe in [*fresh, *again]}) == 16
    assert {probe.kind for probe in [*fresh, *again]} == {
        "revoked r",
        "revoked s",
        "revoked r, session from before",
        "revoked s, session from before",
    }
    assert all(probe.resumes for probe in [*again, *session_probes(source(), source())])
    assert not any(probe.resumes for probe in fresh)
    assert len(revoked_probes(source(), "ID", given, quick=True)) == 4


def test_a_revoked_client_has_no_session_at_a_site_that_is_new() -> None:
    assert revoked_session_probes({}, source(), "ID", {"server": ["r"]}) == []


def test_a_revoked_client_of_a_credential_without_site_is_a_row_that_says_so() -> None:
    for probe in (revoked("off"), *revoked_probes(source(), "ID", {"other": ["r"]})):
        row = judge(probe, [])
        assert (row.verdict, "no site" in row.got) == ("inconclusive", True)
        assert row.to_dict()["target"] in ("server server", "server other")


@pytest.mark.parametrize(("verify", "status"), [("on", 400), ("optional", 400), ("optional_no_ca", 403)])
def test_what_a_revoked_client_gets(verify: str, status: int) -> None:
    assert revoked(verify).want_status == (status,)


@pytest.mark.parametrize(
    ("answer", "verdict", "cause"),
    [
        (Answer("done", 400), "ok", ""),
        (Answer("done", 400, reused=True), "ok", ""),
        (Answer("done", 400, offered=False), "ok", ""),
        (Answer("done", 200, "ID SUCCESS", reused=True), "failed", "admitted"),
        (Answer("done", 200, "ID SUCCESS"), "failed", "admitted"),
        (Answer("done", 403), "inconclusive", ""),
        (Answer("response", error="x", alert=44), "ok", ""),
        (Answer("handshake", error="closed"), "failed", "certificate"),
    ],
)
def test_a_revoked_clients_answer(answer: Answer, verdict: str, cause: str) -> None:
    for probe in (revoked(), resumed()):
        row = judge(probe, [answer])
        assert (row.verdict, row.cause) == (verdict, cause)
        assert ("resumed" in row.got) is answer.reused
    assert ("no session to resume" in judge(resumed(), [answer]).got) is not answer.offered
    assert "no session to resume" not in judge(revoked(), [answer]).got


@pytest.mark.parametrize(
    ("probe", "who"), [(resumed(), "revoked"), (session_probes(source(), source())[0], "good")]
)
def test_a_client_that_was_refused_before_has_no_session_to_try(probe: Probe, who: str) -> None:
    row = judge(probe, [])
    assert (row.verdict, row.got) == (
        "inconclusive",
        f"not asked: the {who} client was not let in before the switch",
    )


def test_where_the_good_and_the_revoked_client_get_the_same_nothing_is_proven() -> None:
    for good, verdict in ((Answer("done", 400), "inconclusive"), (PROVEN, "ok")):
        rows = [judge(one("client accepted"), [good]), judge(revoked(), [Answer("done", 400)])]
        rows[1].probe = replace(rows[1].probe, tls_version=rows[0].probe.tls_version)
        proof.cross_check(rows)
        assert rows[1].verdict == verdict


def test_a_revoked_client_that_gets_in_blocks_though_it_got_in_before() -> None:
    answer = [Answer("done", 200, "ID SUCCESS")]
    row = judge(revoked(), answer)
    assert settle([row], frozenset(), {row.probe.key: judge(revoked(), answer)}) == [row]
    assert proof.settle_unchanged([judge(revoked(), answer)])


# --- an A that is not ours ---------------------------------------------------------------------------------

STRANGE = """server {
    listen 127.0.0.1:8080;
    location = /.mtls/proxy { return 200 "@MTLS_ID@"; }
    location /shop/ {
        include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
        proxy_ssl_name a.test; proxy_pass https://upURI;
    }
    location / { return 404; }
    location ~ ^/x { proxy_pass https://up; }
    location = /plain { proxy_pass http://up; }
}"""


def strange(uri: str = "") -> dict[str, bytes]:
    return {**source(), "proxy/listeners/1.conf": STRANGE.replace("URI", uri).encode()}


def row_of(kind: str, answer: Answer) -> Row:
    return judge(next(p for p in proof_plan.plan(strange(), "ID") if p.kind == kind), [answer])


@pytest.mark.parametrize(("uri", "path"), [("", "/shop/"), ("/", "/"), ("/v1/", "/v1/")])
def test_a_route_to_an_a_that_is_not_ours_is_asked_through_b_and_at_each_server(uri: str, path: str) -> None:
    asked = [probe for probe in proof_plan.plan(strange(uri), "ID") if probe.subject == "orders"]
    asked = [probe for probe in asked if probe.part == "proxy"]
    assert [(p.kind, p.path, p.address, p.want_words) for p in asked] == [
        ("route", "/shop/", "127.0.0.1", ()),
        ("server of the route", path, "a1", ()),
        ("server of the route", path, "a2", ()),
    ]


def test_a_route_with_a_probe_location_is_not_asked_by_its_own() -> None:
    both = LISTENER[:-1] + STRANGE[STRANGE.index("    location /shop/") :].replace("URI", "")
    planned = proof_plan.plan({**source(), "proxy/listeners/1.conf": both.encode()}, "ID")
    assert [probe.path for probe in planned if probe.kind == "route"] == ["/.mtls/probe/orders"]


@pytest.mark.parametrize("kind", ["route", "server of the route"])
@pytest.mark.parametrize(
    ("before", "after", "verdict", "blocking"),
    [
        (Answer("done", 200), Answer("done", 200), "ok", False),
        (Answer("done", 200), Answer("done", 403), "ok", False),
        (Answer("done", 404), Answer("done", 302), "ok", False),
        (None, Answer("done", 404), "ok", False),
        (Answer("done", 400), Answer("done", 404), "ok", False),
        (Answer("done", 200), Answer("done", 400), "failed", True),
        (None, Answer("done", 400), "failed", True),
        (None, Answer("done", 496), "failed", True),
        (Answer("done", 502), Answer("done", 400), "failed", True),
        (Answer("done", 400), Answer("done", 400), "inconclusive", False),
        (B_EXPIRED, B_EXPIRED, "failed", True),
        (Answer("done", 200), A_EXPIRED, "failed", True),
        (A_EXPIRED, A_EXPIRED, "failed", True),
        (None, Answer("response", error="x", alert=48), "failed", True),
        (Answer("done", 400), Answer("response", error="x", alert=48), "failed", True),
        (Answer("response", error="x", alert=48), Answer("done", 400), "failed", True),
    ],
)
def test_an_a_that_is_not_ours_is_never_worse_than_before(
    kind: str, before: Answer | None, after: Answer, verdict: str, blocking: bool
) -> None:
    row = row_of(kind, after)
    baseline = {row.probe.key: row_of(kind, before)} if before else {}
    found = settle([row], frozenset({("proxy", "client")}), baseline)
    assert (row.verdict, bool(found)) == (verdict, blocking)


def test_a_dead_backend_of_an_a_that_is_not_ours_is_not_its_certificates_fault() -> None:
    direct = row_of("server of the route", Answer("done", 502))
    assert direct.verdict == "inconclusive"
    for answer, verdict in ((502, "inconclusive"), (504, "failed")):
        row = row_of("route", Answer("done", answer))
        proof.cross_check([row, row_of("server of the route", Answer("done", 502))])
        assert row.verdict == verdict
    alone = row_of("route", Answer("done", 502))
    proof.cross_check([alone])
    assert alone.verdict == "failed"
    ours = judge(one("route"), [Answer("done", 502)])
    proof.cross_check([ours, judge(one("server of the route"), [Answer("done", 502)])])
    assert ours.verdict == "failed"


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        # 400 is no better for having been there a moment ago.
        (row_of("route", Answer("done", 400)), "was_failing"),
        (row_of("server of the route", Answer("connect", error="refused")), "was_failing"),
        (row_of("route", Answer("done", 302)), "ok"),
        # Nothing that another call may have done.
        (failing(answer=Answer("late")), "failed"),
        (failing("release served", Answer("done", 200, "OTHER SUCCESS")), "failed"),
    ],
)
def test_what_blocks_a_call_that_changes_nothing(row: Row, verdict: str) -> None:
    assert (proof.settle_unchanged([row]) == [row]) is (verdict == "failed")
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("changed", "carried"),
    [
        (set(), True),
        ({("server", "client"), ("proxy block", "other")}, True),
        ({("proxy", "client")}, False),
        ({("proxy block", "orders")}, False),
    ],
)
def test_what_a_call_only_carries_over(changed: set[tuple[str, str]], carried: bool) -> None:
    assert proof.is_carried(failing(), frozenset(changed)) is carried


def test_a_site_without_probe_path_is_not_blamed_for_its_backend() -> None:
    text = SITE.replace("VERIFY", "on").replace("@MTLS_ID@", "hello")
    planned = proof_plan.plan({**source(), "server/sites/orders.conf": text.encode()}, "ID")
    good = next(probe for probe in planned if probe.kind == "client accepted")
    for status in (500, 502, 503, 504):
        assert judge(good, [Answer("done", status)]).verdict == "inconclusive"
    row = judge(good, [Answer("done", 200)])
    assert settle([row], frozenset(), {row.probe.key: judge(good, [Answer("done", 200)])}) == []
    assert (row.verdict, proof.positive([row])) == ("inconclusive", "unproven")


def test_the_wrong_release_always_blocks() -> None:
    row = failing("client accepted", Answer("done", 200, "OLD SUCCESS x"))
    assert blocks(row, set(), failing("client accepted", Answer("done", 200, "OLD SUCCESS x")))


def test_the_same_question_of_another_release_has_the_same_key() -> None:
    keys = [probe.key for probe in plan()]
    assert len(keys) == len(set(keys))
    assert keys == [probe.key for probe in proof_plan.plan(source(), "OTHER")]


@pytest.mark.parametrize(
    ("kind", "answer", "drifted"),
    [
        ("client accepted", Answer("done", 200, "OLD SUCCESS x"), True),
        ("certificate served", Answer("done", 400, leaf_sha256="0"), True),
        ("release served", Answer("connect", error="refused"), True),
        ("route", Answer("done", 502), False),
        ("client accepted", Answer("done", 400), False),
    ],
)
def test_drift_is_what_this_host_alone_decides(kind: str, answer: Answer, drifted: bool) -> None:
    assert proof.drifted([judge(one(kind), [answer])]) is drifted


def test_a_leaf_without_certificate() -> None:
    assert leaf_of(b"") is None
    assert release.credential_files({}, "server", "x") == {}


# --- near misses of the rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((PAGE, Answer("done", 400)), "inconclusive"),
        ((Answer("done", 400), PAGE), "inconclusive"),
        ((PAGE, Answer("done", 200, "ID NONE")), "failed"),
        ((Answer("done", 400), Answer("done", 400)), "ok"),
    ],
)
def test_the_worst_of_several_answers_counts(answers: tuple[Answer, ...], verdict: str) -> None:
    assert judge(one("no certificate"), answers).verdict == verdict


def test_why_something_was_not_asked_is_told() -> None:
    session = session_probes(source(), source())[0]
    assert "good client was not let in" in judge(session, []).got
    assert "no probe identity" in judge(one("client accepted"), []).got
    assert "no probe identity" in judge(revoked(), []).got


def test_a_good_client_that_got_another_answer_leaves_a_refusal_what_it_is() -> None:
    for good in (Answer("done", 403), Answer("connect", error="refused")):
        assert checked(Answer("done", 400), Answer("done", 400), good) == ("ok", "ok")


def test_a_stranger_is_judged_without_the_row_for_no_certificate() -> None:
    rows = [judge(one("client accepted"), [PROVEN]), judge(one("foreign certificate"), [PAGE])]
    proof.cross_check(rows)
    assert rows[1].verdict == "inconclusive"


def test_an_address_that_this_host_has_not_stays_inconclusive() -> None:
    gone = Answer("not here", error="no such address")
    assert checked(gone, gone) == ("inconclusive", "inconclusive")


def test_only_answers_of_a_server_that_is_not_ours_are_judged_by_those_of_before() -> None:
    row = judge(one("foreign certificate"), [PAGE])
    assert settle([row], frozenset(), {row.probe.key: judge(one("foreign certificate"), [PAGE])}) == []
    assert row.verdict == "inconclusive"
    direct = row_of("server of the route", Answer("done", 502))
    baseline = {direct.probe.key: row_of("server of the route", Answer("done", 200))}
    assert settle([direct], frozenset(), baseline) == []
    assert direct.verdict == "inconclusive"
    route = row_of("route", Answer("done", 502))
    before = {route.probe.key: row_of("route", Answer("done", 400))}
    assert settle([route], frozenset({("proxy", "client")}), before) == [route]


def test_a_route_is_carried_over_in_whichever_order_the_rows_stand() -> None:
    direct = [judge(probe, [B_EXPIRED]) for probe in plan() if probe.kind == "server of the route"]
    baseline = {row.probe.key: replace(row) for row in direct}
    baseline[one("route").key] = judge(one("route"), [SEEN])
    rows = [*direct, judge(one("route"), [B_EXPIRED])]
    assert settle(rows, frozenset(), baseline) == []
    assert {row.verdict for row in rows} == {"was_failing"}


def test_positive_and_drift_by_their_near_misses() -> None:
    good, bad = judge(one("client accepted"), [PROVEN]), judge(one("client accepted"), [Answer("done", 400)])
    assert (proof.positive([good]), proof.positive([good, bad])) == ("proven", "unproven")
    away = judge(one("route"), [Answer("connect", error="refused")])
    assert not proof.drifted([away])
    assert proof.drifted([judge(one("client accepted"), [Answer("connect", error="refused")])])
    assert judge(one("route"), [Answer("done", 500)]).cause == "other"


def test_at_how_many_places_nobody_saw_a_good_client_get_in() -> None:
    good = judge(one("client accepted"), [PROVEN])
    away = judge(one("client accepted"), [Answer("not here", error="no such address")])
    (warning,) = proof.warnings([good, away], {})
    assert "at 1 of 2 places (positive: unproven)" in warning
    assert proof.warnings([good, good], {}) == []


def test_another_routes_servers_say_nothing_of_a_route() -> None:
    direct = [probe for probe in plan() if probe.kind == "server of the route"]
    other = [judge(replace(probe, subject="other"), [B_EXPIRED]) for probe in direct]
    route = judge(one("route"), [B_EXPIRED])
    baseline = {row.probe.key: replace(row) for row in other}
    baseline[route.probe.key] = judge(one("route"), [SEEN])
    assert settle([route, *other], frozenset(), baseline) == [route]


def test_only_refusals_are_compared_with_what_the_good_client_got() -> None:
    """The served certificate is seen whatever the status, here that of a refused client."""
    leaf = one("certificate served")
    rows = [
        judge(leaf, [Answer("done", 400, leaf_sha256=leaf.want_leaf)]),
        judge(one("client accepted"), [Answer("done", 400)]),
    ]
    proof.cross_check(rows)
    assert rows[0].verdict == "ok"


def test_what_was_failing_is_no_drift() -> None:
    away = judge(one("client accepted"), [Answer("connect", error="refused")])
    assert proof.drifted([away])
    assert not proof.drifted([replace(away, verdict="was_failing")])


@pytest.mark.parametrize(("status", "verdict"), [(400, "inconclusive"), (404, "ok")])
def test_the_trials_row_of_a_server_that_may_have_refused_is_not_raised(status: int, verdict: str) -> None:
    """A page with 400 that is not nginx's may be the application's, or another server's refusal."""
    row = Row(one("server of the route"), f"{status}", "inconclusive", "", (status,), ("",))
    row.probe = replace(row.probe, want_words=())
    proof.compare([row], {})
    assert row.verdict == verdict


def test_what_was_not_asked_is_never_raised_by_what_others_got() -> None:
    rows = [judge(one("no certificate"), []), judge(one("client accepted"), [PROVEN])]
    proof.cross_check(rows)
    assert rows[0].verdict == "inconclusive"
    stranger = replace(one("route"), want_words=())
    row = judge(stranger, [Answer("done", 400)])
    proof.compare([row, judge(stranger, [])], {row.probe.key: judge(stranger, [])})
    assert row.verdict == "failed"


def test_a_refusal_counts_where_the_good_client_was_not_asked_for() -> None:
    row = judge(one("no certificate"), [Answer("done", 400)])
    proof.cross_check([row])
    assert row.verdict == "ok"


def test_a_refusal_of_a_stranger_stays_one_though_each_server_gives_it() -> None:
    """Only a 502 may be A's own; a 400 is what the client certificate got."""
    rows = [row_of(kind, Answer("done", 400)) for kind in ("route", "server of the route")]
    proof.cross_check(rows)
    assert [row.verdict for row in rows] == ["failed", "failed"]


def test_a_site_called_as_a_route_is_not_excused_by_the_routes_servers() -> None:
    direct = [judge(probe, [B_EXPIRED]) for probe in plan() if probe.kind == "server of the route"]
    site = judge(one("client accepted"), [Answer("done", 400)])
    assert {row.probe.subject for row in direct} == {site.probe.subject}
    baseline = {row.probe.key: replace(row) for row in direct}
    baseline[site.probe.key] = judge(one("client accepted"), [PROVEN])
    assert site in settle([site, *direct], frozenset(), baseline)


@pytest.mark.parametrize(
    ("kind", "answer", "drifted"),
    [
        ("certificate served", Answer("handshake", error="x", alert=112), True),
        ("client accepted", Answer("handshake", error="x", alert=48), False),
        ("client accepted", Answer("done", 400), False),
        ("client accepted", Answer("done", 403), False),
        ("client accepted", Answer("done", 500), True),
        ("client accepted", Answer("late", error="no time"), False),
        ("client accepted", Answer("load", error="no key"), False),
        ("release served", Answer("done", 500), True),
        ("no certificate", Answer("done", 200, "ID"), True),
        ("route", Answer("done", 200, "OTHER"), False),
        ("server of the route", Answer("connect", error="refused"), False),
    ],
)
def test_what_a_reload_may_mend(kind: str, answer: Answer, drifted: bool) -> None:
    row = judge(one(kind), [answer])
    assert (row.verdict, proof.drifted([row])) == ("failed", drifted)


def test_a_revoked_client_that_gets_in_is_no_drift() -> None:
    row = judge(revoked(), [Answer("done", 200, "ID SUCCESS x")])
    assert (row.verdict, proof.drifted([row])) == ("failed", False)
