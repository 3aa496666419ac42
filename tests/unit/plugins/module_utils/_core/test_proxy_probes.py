# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of routes with more than one kind of server, and of such as let in some callers only."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import INCONCLUSIVE, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.proxy_probes import proxy_probes
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


@pytest.mark.parametrize("ours", [False, True])
def test_each_server_is_asked_backups_too(ours: bool) -> None:
    asked = [one for one in proxy_probes(source(ours=ours), "ID", 1) if one.kind == "server of the route"]
    assert [(one.address, one.port) for one in asked] == SERVERS
    questions, unasked, blocks = route_questions(source(ours=ours), None, 1)
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
