# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each route of B speaks with its own identity, also under load and reloads; and both roles on one host.

A site lets in one identity, so one that went astray is a 403, a 421 or another fingerprint. The long form, on
three versions of nginx: tests/live/test_leaks.py.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from live import Certificate, headers_at_the_backend, reload_nginx
from scene import BASE, SEEN, TOOLS

SECONDS, TWIN_SECONDS = 10, 3
#: Identity → where callers reach its routes, which have its name in their path.
IDENTITIES = {"one": 8080, "two": 8080, "three": 8081, "four": 8088}
#: The last part of their paths → host and port of A.
SERVERS = {"12": ("a.example.com", 1443), "13": ("c.example.com", 2443)}
RELOADS = f"for n in $(seq {SECONDS - 1}); do kill -HUP $(cat /run/nginx.pid); sleep 1; done"
# What tutorials have: two identities, and one upstream for both.
SHARED = """
server {
    listen 127.0.0.1:9080;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host any.example.com;
    proxy_ssl_name any.example.com;
    location /one/12/ {
        include mtls/current/proxy/credentials/one/tls.conf;
        proxy_pass https://mtls_proxy_oneD12;
    }
    location /two/12/ {
        include mtls/current/proxy/credentials/two/tls.conf;
        proxy_pass https://mtls_proxy_oneD12;
    }
}
"""


@pytest.fixture(name="sha1", scope="module")
def _sha1(multi) -> dict[str, str]:
    scene, dummy = multi
    folder = f"{BASE}/current/proxy/credentials"
    return {name: Certificate(scene.hosts["b"], f"{folder}/{name}/fullchain.pem").sha1 for name in IDENTITIES}


def asked(
    sha1: dict[str, str], *names: str, port: int = 0, keys: tuple[str, ...] = tuple(SERVERS)
) -> list[Any]:
    """Routes as load.py takes them."""
    return [(port or IDENTITIES[name], f"/{name}/{key}/whoami", sha1[name]) for key in keys for name in names]


def begin(scene, name: str, **given: Any) -> subprocess.Popen[str]:
    command = ["podman", "exec", scene.lab.container(scene.full(name)), "python3", f"{TOOLS}/load.py"]
    return subprocess.Popen([*command, json.dumps(given)], stdout=subprocess.PIPE, text=True)


def counted(*running: subprocess.Popen[str]) -> dict[str, Any]:
    """The sums of what they tell; an answer that says that nobody is let in is a wrong identity, too."""
    found = [json.loads(one.communicate(timeout=120)[0]) for one in running]
    other = sum((Counter(one["other"]) for one in found), Counter())
    refused = sum(other.pop(status, 0) for status in ("400", "403", "421"))
    return {
        "requests": sum(one["requests"] for one in found) + refused,
        "wrong": sum(one["wrong"] for one in found) + refused,
        "reloads": sum(one["reloads"] for one in found),
        "other": dict(other),
        "kinds": dict(sum((Counter(one["kinds"]) for one in found), Counter())),
    }


def told(what: str, found: dict[str, Any]) -> None:
    words = (
        f"{found['requests']} requests, {found['wrong']} wrong identities, {found['reloads']} reloads of B"
    )
    SEEN.append(f"{what}: {words}\n    {json.dumps(found['other'])}, {json.dumps(found['kinds'])}")


@pytest.mark.parametrize("key", SERVERS)
def test_a_site_lets_in_its_own_identity_alone(multi, key):
    scene, dummy = multi
    host, port = SERVERS[key]
    folder = f"{BASE}/current/proxy/credentials/one"
    pair = {"certificate": f"{folder}/fullchain.pem", "key": f"{folder}/privkey.pem"}
    sites = ("any", "one", "two", "three", "four")
    questions = [{"host": host, "port": port, "sni": f"{site}.example.com", **pair} for site in sites]
    questions = [{**question, "path": "/whoami"} for question in questions]
    answers = scene.lab.ask_all(scene.full("b"), questions)
    assert [answer["status"] for answer in answers] == [200, 200, 403, 403, 403]


def test_each_route_has_its_own_identity_for_whoever_may_ask(multi, sha1):
    scene, dummy = multi
    asking = {"tls": False, "host": "127.0.0.1"}
    listed = asked(sha1, *IDENTITIES)
    inside = {"tls": False, "port": 8088, "path": "/inside/whoami"}
    own = [{**asking, "port": port, "path": path} for port, path, dummy in listed]
    answers = scene.lab.ask_all(scene.full("b"), [*own, {**inside, "host": "127.0.0.1"}])
    assert [answer["body"].split()[0] for answer in answers] == [wanted for *dummy, wanted in listed] + [
        sha1["four"]
    ]

    others = [{**question, "host": scene.full("b")} for question in own]
    answers = scene.lab.ask_all(scene.full("stranger"), [*others, {**inside, "host": scene.full("b")}])
    for (port, dummy, wanted), answer in zip(listed, answers):
        if port == 8088:
            assert answer["body"].split()[0] == wanted
        else:
            assert "Connection refused" in answer["error"]
    assert answers[-1]["status"] == 403


def test_no_identity_is_taken_for_another(multi, sha1):
    """Callers on B's host and on another one, while both A and B reload each second."""
    scene, dummy = multi
    reloading = [
        subprocess.Popen(["podman", "exec", scene.lab.container(scene.full(name)), "sh", "-c", RELOADS])
        for name in "ac"
    ]
    found = counted(
        begin(scene, "b", seconds=SECONDS, routes=asked(sha1, *IDENTITIES), pids=["/run/nginx.pid"]),
        begin(scene, "stranger", seconds=SECONDS, host=scene.full("b"), routes=asked(sha1, "four"), pids=[]),
    )
    assert [one.wait(60) for one in reloading] == [0, 0]
    told("an upstream for each identity", found)
    assert found["wrong"] == 0
    assert found["requests"] > 50 * SECONDS
    assert found["reloads"] > SECONDS / 2
    # All the ways on which an identity might go astray were taken.
    for protocol in ("TLSv1.2", "TLSv1.3"):
        for how in ("new", "resumed", "pooled"):
            assert found["kinds"].get(f"{protocol} {how}", 0) > 10, found


@pytest.fixture(name="shared")
def _shared(multi) -> Iterator[None]:
    scene, dummy = multi
    path = "/etc/nginx/conf.d/shared.conf"
    scene.write("b", path, SHARED)
    reload_nginx(scene.hosts["b"])
    time.sleep(1)
    yield
    scene.run("b", f"rm {path}")
    reload_nginx(scene.hosts["b"])


def test_identities_that_share_an_upstream_are_taken_for_another(multi, sha1, shared):
    """The twin: the same load finds them."""
    scene, dummy = multi
    routes = asked(sha1, "one", "two", port=9080, keys=("12",))
    found = counted(begin(scene, "b", seconds=TWIN_SECONDS, routes=routes, pids=[]))
    told("one upstream for two", found)
    assert found["wrong"] > found["requests"] / 100


def test_both_roles_on_one_host(multi):
    """Its route to its own sites, and that to those of other hosts."""
    scene, printed = multi
    asking = {"tls": False, "host": "127.0.0.1", "port": 8080}
    # Each of two workers goes through three servers for itself.
    to_own, *to_any = scene.lab.ask_all(
        scene.full("c"), [{**asking, "path": "/own/x"}, *[{**asking, "path": "/x"}] * 6]
    )
    seen = headers_at_the_backend(to_own)
    assert (seen["host"], seen["x-ssl-client-s-dn"]) == (["orders.example.com"], ["CN=c.example.com"])
    assert [answer["status"] for answer in to_any] == [200] * 6
    assert {answer["body"] == "b\n" for answer in to_any} == {True, False}
    own = scene.lab.ask(scene.full("b"), **asking, path="/own/x")
    assert (own["status"], own["body"]) == (200, "b\n")
    assert "edges: 20 of 20 accepted in both directions" in printed
