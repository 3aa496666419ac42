# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of routes with more than one kind of server, and of such as let in some callers only."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import INCONCLUSIVE, Row, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import changed_things
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.proxy_probes import proxy_probes
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.trial_questions import Question
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.trial_routes import route_questions

UPSTREAM = """upstream up {
    server a1:443 max_fails=2 fail_timeout=5s weight=3;
    server a2:443 max_fails=2 fail_timeout=5s;
    server [::1]:444 max_fails=2 fail_timeout=5s backup;
    keepalive 64;
}"""
LISTENER = """server {
    listen 127.0.0.1:8080;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    PROBE
    location / { LEADS LIMITS proxy_pass https://up; }
}"""
LEADS = "include @MTLS_RELEASE@/proxy/credentials/client/tls.conf; proxy_ssl_name o.test;"
PROBE = f"location = /.mtls/probe/r {{ {LEADS} proxy_pass https://up/.mtls/probe; }}"
SERVERS = [("a1", 443), ("a2", 443), ("::1", 444)]


def source(limits: str = "", ours: bool = False) -> dict[str, bytes]:
    listener = LISTENER.replace("PROBE", PROBE if ours else "").replace("LIMITS", limits)
    return {
        "proxy/listeners/1.conf": listener.replace("LEADS", LEADS).encode(),
        "proxy/routes/r.conf": UPSTREAM.encode(),
        "proxy/credentials/client/tls.conf": b"",
        "proxy/credentials/client/fullchain.pem": b"",
    }


def tried(given: dict[str, bytes]) -> tuple[list[Question], list[Row], list[str]]:
    """The trial's questions, where all of it is new."""
    return route_questions(given, changed_things({}, given), 1)


@pytest.mark.parametrize("ours", [False, True])
def test_each_server_is_asked_backups_too(ours: bool) -> None:
    asked = [one for one in proxy_probes(source(ours=ours), "ID", 1) if one.kind == "server of the route"]
    assert [(one.address, one.port) for one in asked] == SERVERS
    questions, unasked, blocks = tried(source(ours=ours))
    assert [(one.shown.address, one.shown.port) for one in questions] == SERVERS
    assert unasked == []
    # Each is asked by itself: what the others, or a worker, think of it plays no part.
    upstreams = [line for line in blocks if line.startswith("upstream")]
    assert [line.split("{")[1].strip(" }\n") for line in upstreams] == [
        "server a1:443 max_fails=0;",
        "server a2:443 max_fails=0;",
        "server [::1]:444 max_fails=0;",
    ]


@pytest.mark.parametrize("limits", ["allow 10.0.0.0/8; deny all;", "deny 127.0.0.1;"])
def test_the_403_of_b_itself_is_not_taken_for_as_answer(limits: str) -> None:
    """A route to an A of ours has a location for the probe, which lets in this host and nobody else."""
    (through,) = [one for one in proxy_probes(source(limits), "ID", 1) if one.kind == "route"]
    assert through.rounds == 0
    row = judge(through, [])
    assert (row.verdict, row.got) == (INCONCLUSIVE, "not asked: it lets in listed callers only")
    for open_to_all in (source(), source(limits, ours=True)):
        (through,) = [one for one in proxy_probes(open_to_all, "ID", 1) if one.kind == "route"]
        assert (through.rounds, through.without) == (1, "")


#: A listener → by which paths each (identity, name) is asked through it: "" where no path is known.
LEADING: dict[str, tuple[str, set[tuple[str, str, str]]]] = {
    "at the level of the server": (
        "LEADS location /x { PASS }",
        {("client", "o.test", "/x")},
    ),
    "in a location's location": (
        "location /x { LEADS location /x/y { PASS } }",
        {("client", "o.test", "/x/y")},
    ),
    "by a regular expression": (
        "location ~ ^/x { LEADS PASS }",
        {("client", "o.test", "")},
    ),
    "by both": (
        "LEADS location ~ ^/x { PASS } location /y { PASS }",
        {("client", "o.test", "/y")},
    ),
    "on a condition": ("LEADS location / { if ($x) { PASS } }", {("client", "o.test", "")}),
    "with two identities": (
        PROBE + " location /z { LEADS include @MTLS_RELEASE@/proxy/credentials/other/tls.conf; }"
        " location /y { include @MTLS_RELEASE@/proxy/credentials/other/tls.conf; proxy_ssl_name o.test;"
        " PASS }",
        {("client", "o.test", "/.mtls/probe/r"), ("other", "o.test", "/y")},
    ),
    "with two names": (
        "LEADS location / { PASS } location /p { proxy_ssl_name p.test; PASS }",
        {("client", "o.test", "/"), ("client", "p.test", "/p")},
    ),
    "without an identity": ("location / { proxy_ssl_name o.test; PASS }", set()),
    "without TLS": ("LEADS location / { proxy_pass http://up; }", set()),
}


def laid(inside: str) -> dict[str, bytes]:
    inside = inside.replace("LEADS", LEADS).replace("PASS", "proxy_pass https://up;")
    text = f"server {{ listen 127.0.0.1:8080; {inside} }}"
    return {**source(), "proxy/listeners/1.conf": text.encode()}


def asked(given: dict[str, bytes], kind: str) -> list[Probe]:
    return [one for one in proxy_probes(given, "ID", 1) if one.kind == kind]


@pytest.mark.parametrize("how", LEADING)
def test_proof_and_trial_ask_alike_and_know_what_changes(how: str) -> None:
    inside, expected = LEADING[how]
    given = laid(inside)
    through, direct = asked(given, "route"), asked(given, "server of the route")
    assert {(one.credential, one.path) for one in through} == {(who, path) for who, dummy, path in expected}
    assert {bool(one.rounds) == bool(one.path) for one in through} <= {True}
    identities = {(who, name) for who, name, dummy in expected}
    assert {(one.identity, one.server_name) for one in direct} == identities
    assert len(direct) == len(SERVERS) * len(identities)
    keys = [one.key for one in proxy_probes(given, "ID", 1)]
    assert len(set(keys)) == len(keys)
    questions, unasked, dummy = tried(given)
    assert unasked == []
    assert {(one.shown.credential, one.shown.server_name) for one in questions} == identities
    assert {one.shown.path for one in questions} == {one.path for one in direct}
    # Whoever leads there otherwise changes the rows.
    changed = changed_things(laid(""), given)
    assert {one.subject for one in through} == {one.shown.subject for one in questions}
    assert {("proxy block", one.subject) for one in through} <= changed


def test_what_no_path_is_known_to_is_inconclusive_and_its_servers_are_asked() -> None:
    (through,) = asked(laid(LEADING["by a regular expression"][0]), "route")
    row = judge(through, [])
    assert (row.verdict, row.got) == (INCONCLUSIVE, "not asked: no path is known that comes to its location")
    direct = asked(laid(LEADING["by a regular expression"][0]), "server of the route")
    assert {(one.path, one.rounds) for one in direct} == {("/", 1)}


@pytest.mark.parametrize(
    "odd", ["proxy_ssl_name $host; proxy_pass https://up;", "proxy_pass https://up$request_uri;"]
)
def test_a_variable_is_asked_through_the_listener_only(odd: str) -> None:
    given = laid(
        f"location /x {{ {LEADS if 'ssl_name' not in odd else LEADS.split(' proxy', maxsplit=1)[0]} {odd} }}"
    )
    (through,) = asked(given, "route")
    assert (through.path, through.rounds) == ("/x", 1)
    rows = [judge(one, []) for one in asked(given, "server of the route")]
    assert {(row.verdict, row.got) for row in rows} == {
        (INCONCLUSIVE, "not asked: its name or path is a variable")
    }
    questions, unasked, dummy = tried(given)
    assert (questions, [row.got for row in unasked]) == ([], ["not asked: its name or path is a variable"])


def test_limits_of_the_whole_listener_hold_for_its_locations() -> None:
    for limits, rounds in (("allow 10.0.0.0/8; deny all;", 0), ("", 1)):
        (through,) = asked(laid(f"{limits} LEADS location / {{ proxy_pass https://up; }}"), "route")
        assert through.rounds == rounds


def test_a_server_is_asked_by_the_host_that_nginx_would_send() -> None:
    for told, host in (
        ("proxy_set_header Host h.test;", "h.test"),
        ("", "up"),
        ("proxy_set_header Host $host;", "o.test"),
    ):
        direct = asked(laid(f"LEADS {told} location / {{ proxy_pass https://up; }}"), "server of the route")
        assert {one.http_host for one in direct} == {host}
