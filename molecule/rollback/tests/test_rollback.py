# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wrong with a new release, the old one serves on, and the report says what to mend."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import pytest
import scene as lab
from scene import SIDES, cases, listening, parts

PKI = "pki/rollback"
pytestmark = pytest.mark.usefixtures("files")
pair = functools.partial(lab.pair, PKI)


def trust(*names: str) -> dict[str, Any]:
    return {"trust": {"sources": [{"src": f"{PKI}/{name}.pem"} for name in names]}}


class Fault(NamedTuple):
    """One kind of bad credential: what is given, and what the report must say of it."""

    side: str
    given: dict[str, Any]
    code: str
    words: tuple[str, ...]
    state: str = ""
    #: What is live before, where that matters.
    after: Any = None


FAULTS = {
    "server, bad key": Fault(
        "server",
        pair("good-server", "bad-server"),
        "format.unreadable",
        ("bad-server.key", "Give a PEM file"),
    ),
    "server, mismatched pair": Fault(
        "server",
        pair("good-server", "other-server"),
        "pair.key_mismatch",
        ("other-server.key", "Give the key"),
    ),
    "server, expired leaf": Fault(
        "server", pair("expired-server"), "expiry.expired", ("expired-server.pem", "Renew it")
    ),
    "server, wrong purpose": Fault(
        "server", pair("purpose-server"), "purpose.server_auth_missing", ("purpose-server.pem", "serverAuth")
    ),
    "server, wrong CA": Fault(
        "server", trust("foreign-ca"), "", ("server orders", "is its CA trusted"), "checked"
    ),
    "server, missing intermediate": Fault(
        "server",
        pair("below-server"),
        "chain.missing_intermediate",
        ("below-server.pem", "Append the issuing CA's intermediate"),
        after=pair("below-server", chain_src=f"{PKI}/middle.pem"),
    ),
    "probe, missing intermediate": Fault(
        "probe", pair("below-probe"), "", ("server orders", "400"), "checked"
    ),
    "proxy, bad key": Fault(
        "proxy", pair("good-proxy", "bad-proxy"), "format.unreadable", ("bad-proxy.key", "Give a PEM file")
    ),
    "proxy, mismatched pair": Fault(
        "proxy", pair("good-proxy", "other-proxy"), "pair.key_mismatch", ("other-proxy.key", "Give the key")
    ),
    "proxy, expired leaf": Fault(
        "proxy", pair("expired-proxy"), "expiry.expired", ("expired-proxy.pem", "Renew it")
    ),
    "proxy, wrong purpose": Fault(
        "proxy", pair("purpose-proxy"), "purpose.client_auth_missing", ("purpose-proxy.pem", "clientAuth")
    ),
    "proxy, wrong CA": Fault(
        "proxy",
        trust("foreign-ca"),
        "",
        ("a.example.com:443", "certificate is not accepted", "trust"),
        "checked",
    ),
    "proxy, missing intermediate": Fault(
        "proxy", pair("below-proxy"), "", ("a.example.com:443", "intermediate"), "checked"
    ),
    "proxy, refused by A": Fault(
        "proxy", pair("foreign-proxy"), "", ("a.example.com:443", "400", "trust"), "checked"
    ),
    "proxy, refused by a user's own A": Fault(
        "legacy", pair("foreign-legacy"), "", ("c.example.com:9443", "400", "trust"), "checked"
    ),
}
FAULTS_SAMPLE = {
    "server, bad key",
    "server, wrong CA",
    "proxy, expired leaf",
    "proxy, refused by A",
    "proxy, refused by a user's own A",
}
MENDED = {
    "server, good pair": ("server", pair("good-server")),
    "server, one CA more": ("server", trust("root", "foreign-ca")),
    "server, right CA": ("server", trust("root")),
    "probe, with its intermediate": ("probe", pair("below-probe", chain_src=f"{PKI}/middle.pem")),
    "proxy, good pair": ("proxy", pair("good-proxy")),
    "proxy, right CA": ("proxy", trust("root", "foreign-ca")),
    "proxy, with its intermediate": ("proxy", pair("below-proxy", chain_src=f"{PKI}/middle.pem")),
    "proxy, accepted by a user's own A": ("legacy", pair("good-legacy")),
}
MENDED_SAMPLE = {"server, good pair", "proxy, good pair", "proxy, accepted by a user's own A"}


@pytest.mark.parametrize("case", cases(FAULTS, FAULTS_SAMPLE))
def test_the_old_release_serves_on(scene, watched_release, case):
    fault = FAULTS[case]
    side = SIDES[fault.side]
    if fault.after:
        scene.change(side.host, parts(fault.side, fault.after))
    before, live, state = scene.snapshot(side.host), scene.live(side.host), scene.state(side.host)
    result, watch = watched_release(side.host, parts=parts(fault.side, fault.given))
    watch.undisturbed()
    told = result.told
    assert (result.code != 0, told["changed"], told["state"]) == (True, False, fault.state), told["msg"]
    assert told["code"] == fault.code
    # What cannot be read at all makes no credential that could have findings.
    assert fault.code in {"", "format.unreadable"} | result.codes
    for word in fault.words:
        assert word in told["msg"]
    assert scene.snapshot(side.host) == before
    if told["state"]:
        assert (told["release"], told["previous"]) == (live, live)
    after = scene.state(side.host)
    assert (after["step"], after["to"], scene.live(side.host)) == ("stable", state["to"], live)


@pytest.mark.parametrize("case", cases(MENDED, MENDED_SAMPLE))
def test_the_fault_mended_goes_through(scene, watched_release, case):
    side = SIDES[MENDED[case][0]]
    before = scene.live(side.host)
    result, watch = watched_release(side.host, parts=parts(*MENDED[case]))
    watch.handed_over()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "stable", True), told.get("msg")
    assert (told["previous"], told["release"]) == (before, scene.live(side.host))
    assert told["release"] != before
    assert told["positive"] == "proven"
    assert {row["verdict"] for row in told["proof"]} <= {"ok", "inconclusive"}


# -- nginx does not take it


@pytest.mark.parametrize("part", cases(("server", "proxy"), ("server",)))
def test_a_reload_that_nginx_refuses(scene, watched_release, part):
    """The port of a new listen is taken: nginx -t is content, old workers stay. Its twin: it is free."""
    host, option = {"server": ("a", "sites"), "proxy": ("b", "listeners")}[part]
    before, live = scene.snapshot(host), scene.live(host)
    blocks = listening(scene.blocks(host, f"{part}/{option}"), 8444)
    with scene.taken(host, 8444):
        result, watch = watched_release(host, parts={part: {option: blocks}})
    watch.undisturbed()
    told = result.told
    assert (result.code != 0, told["state"], told["changed"]) == (True, "rolled_back", False), told["msg"]
    assert "bind() to 0.0.0.0:8444 failed" in told["msg"]
    assert f"Release {live} is back" in told["msg"]
    assert (told["release"], told["previous"]) == (live, live)
    assert told["restored"]
    assert {row["verdict"] for row in told["restored"]} <= {"ok", "inconclusive"}
    assert scene.snapshot(host) == before
    state = scene.state(host)
    assert (state["step"], state["from"], scene.live(host)) == ("rolled_back", live, live)
    assert "8444" in state["reason"]

    result, watch = watched_release(host, parts={part: {option: blocks}})
    watch.handed_over()
    assert (result.code, result.told["state"], result.told["changed"]) == (0, "stable", True)
    assert any(":8444" in row["target"] for row in result.told["proof"])


def test_a_users_block_that_is_broken_meanwhile(scene, watched_release):
    """Nothing of ours is wrong, but nginx would not start from disk. Its twin: the block is mended."""
    given = parts("legacy", pair("newer-legacy"))
    before, live = scene.snapshot("c"), scene.live("c")
    scene.write("c", "/etc/nginx/conf.d/broken.conf", "server { listen 8091; no_such_directive on; }\n")
    try:
        result, watch = watched_release("c", parts=given)
    finally:
        scene.run("c", "rm /etc/nginx/conf.d/broken.conf")
    watch.undisturbed()
    assert (result.code != 0, result.told["changed"]) == (True, False)
    assert "no_such_directive" in result.told["msg"]
    assert "/etc/nginx/conf.d/broken.conf:1" in result.told["msg"]
    assert (scene.snapshot("c"), scene.live("c")) == (before, live)

    result, watch = watched_release("c", parts=given)
    watch.handed_over()
    assert (result.code, result.told["state"]) == (0, "stable")


@pytest.mark.parametrize("changed", cases(("server", "proxy"), ("proxy",)))
def test_a_backend_that_is_down_rolls_nothing_back(scene, watched_release, changed):
    """A's backend, while A's own certificate changes, or that of a B. Its twin: the backend is up, and the
    same call is no change."""
    host, given = SIDES[changed].host, parts(changed, pair(f"newer-{changed}"))
    before = scene.live(host)
    scene.run("a", "systemctl stop lab-backend")
    try:
        result, watch = watched_release(host, parts=given)
    finally:
        scene.run("a", "systemctl start lab-backend")
    assert (result.code, result.told["state"], result.told["changed"]) == (0, "stable", True)
    assert result.told["positive"] == "proven"
    assert result.told["release"] == scene.live(host) != before
    assert all(answer.startswith("200, ") for answer in watch.answers["A"])
    for question in ("A's backend", "B"):
        assert all(answer.startswith("502") for answer in watch.answers[question])
    scene.run("a", "until ss -Hltn sport = 8000 | grep -q .; do sleep 0.1; done")
    again, watch = watched_release(host, parts=given)
    watch.undisturbed()
    assert (again.code, again.told["changed"]) == (0, False)
