# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of the recovery table, made on a real host: what the next run does with it, and what serves.

By hand on b: state.json is edited, the link moved, nginx left as it is. By kill on a: the run dies at that
step, nginx is restarted from disk, and the same call is made again.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import scene as lab
from scene import BASE, HERE, TOOLS, cases, listening, pair

PKI = "pki/recover"
pytestmark = pytest.mark.usefixtures("files")
RESULTS = {"ok", "inconclusive"}


def parts(host: str, kind: str) -> dict[str, Any]:
    """The option `parts`, by which the host's own certificate becomes another one."""
    return lab.parts({"a": "server", "b": "proxy"}[host], pair(PKI, f"{kind}-{host}"))


def change(scene, host: str, kind: str) -> str:
    made: str = scene.change(host, parts(host, kind))
    return made


@pytest.fixture(scope="module")
def made() -> list[str]:
    return []


@pytest.fixture
def releases(scene, made) -> tuple[str, str]:
    """b's release from before and its live one, both whole; what stands already is not made again."""
    if not made or not set(made) <= scene.releases("b"):
        made[:] = [change(scene, "b", "one"), change(scene, "b", "two")]
    elif scene.live("b") != made[1]:
        assert change(scene, "b", "two") == made[1]
    return made[0], made[1]


def write_state(scene, step: str, origin: str, target: str) -> None:
    state = {"step": step, "from": origin, "to": target, "since": "", "reason": "", "prepared": "", "own": []}
    scene.write("b", f"{BASE}/state.json", json.dumps(state))


def link(scene, identity: str) -> None:
    scene.run("b", f"ln -sfn releases/{identity} {BASE}/current")


def served(scene, host: str) -> str:
    """The release that nginx itself says it serves."""
    if host == "b":
        answer = scene.lab.ask("b.example.com", host="127.0.0.1", port=8080, tls=False, path="/.mtls/proxy")
        return answer["body"].strip()
    pair = {"certificate": f"{TOOLS}/caller.pem", "key": f"{TOOLS}/caller.key"}
    answer = scene.lab.ask(
        "stranger.example.com", host="a.example.com", sni="orders.example.com", path="/.mtls/probe", **pair
    )
    return answer["body"].split()[0]


class Row(NamedTuple):
    """One row: state.json and link as they are found (old: 0, live: 1, none: None), and what must come of it.

    *serves* is what nginx has loaded when the run begins, by the same numbers.
    """

    step: str
    link: int
    ends: int
    changed: bool
    says: str
    serves: int = 1


ROWS = {
    "staged, link at from": Row("staged", 0, 0, True, "stopped at 'staged' before it switched"),
    "checked, link at from": Row("checked", 0, 0, True, "stopped at 'checked' before it switched"),
    "switched, link at from": Row("switched", 0, 0, True, "stopped at 'switched' before it switched"),
    "switched, link at to": Row("switched", 1, 1, True, "stopped at 'switched' after it switched", serves=0),
    "reloaded, link at to": Row("reloaded", 1, 1, True, "stopped at 'reloaded' after it switched"),
    "proven, link at to": Row("proven", 1, 1, False, "was proven, but not yet written stable"),
    "rolling_back, link at to": Row("rolling_back", 1, 0, True, "was cut short"),
    "rolling_back, link at from": Row("rolling_back", 0, 0, True, "was cut short"),
    "stable, and nginx serves another": Row("stable", 1, 1, True, "release served", serves=0),
    "stable, moved by hand": Row("stable", 0, 0, True, "was moved by hand"),
    "rolled_back, link at from": Row("rolled_back", 0, 0, False, "", serves=0),
    "rolled_back, and nginx serves another": Row("rolled_back", 0, 0, True, "release served"),
    "rolled_back, moved by hand": Row("rolled_back", 1, 1, True, "was moved by hand", serves=0),
}
ROWS_SAMPLE = {
    "checked, link at from",
    "switched, link at to",
    "rolling_back, link at to",
    "stable, and nginx serves another",
    "rolled_back, moved by hand",
}


@pytest.mark.parametrize("case", cases(ROWS, ROWS_SAMPLE))
def test_state_and_link(scene, watched_release, releases, case):
    row = ROWS[case]
    if row.serves == 0:
        link(scene, releases[0])
        scene.run("b", "systemctl reload nginx && sleep 0.5")
    # What a killed run was writing.
    scene.run(
        "b", f"mkdir -m 0700 {BASE}/releases/.new-0123-1 && touch {BASE}/releases/.new-0123-1/privkey.pem"
    )
    link(scene, releases[row.link])
    write_state(scene, row.step, *releases)
    assert served(scene, "b") == releases[row.serves]
    result, watch = watched_release("b")
    watch.handed_over()
    told = result.told
    assert (result.code, told["state"], told["release"]) == (0, "stable", releases[row.ends]), told.get("msg")
    assert row.says in " ".join(told["log"])
    assert row.says or not told["log"]
    assert told["changed"] is row.changed
    assert {one["verdict"] for one in told["proof"]} <= RESULTS
    assert (scene.live("b"), served(scene, "b")) == (releases[row.ends], releases[row.ends])
    assert not [name for name in scene.releases("b") if name.startswith(".new-")]
    # At rest: the run after it has nothing to recover.
    assert scene.state("b")["step"] in ("stable", "rolled_back")


@pytest.mark.parametrize("content", [None, '{"step": "sta'], ids=["missing", "torn"])
def test_no_state_that_can_be_read(scene, watched_release, releases, content):
    """The live release is whole: it is taken over, reloaded and proven."""
    if content is None:
        scene.run("b", f"rm {BASE}/state.json")
    else:
        scene.write("b", f"{BASE}/state.json", content)
    result, watch = watched_release("b")
    watch.undisturbed()
    told = result.told
    assert (result.code, told["state"], told["release"]) == (0, "stable", releases[1]), told.get("msg")
    assert "is missing or unreadable" in " ".join(told["log"])
    assert scene.state("b")["step"] == "stable"
    assert served(scene, "b") == releases[1]


UNKNOWN = "printf torn >state.json && ln -sfn releases/0123456789abcdef current"


def whole(scene) -> dict[str, Any]:
    """The option `parts` with all that b serves, as site.yml gives it."""
    credential = parts("b", "two")["proxy"]["credentials"][0]
    return {
        "proxy": {
            "credentials": [{**credential, "trust": {"sources": [{"src": f"{PKI}/root.pem"}]}}],
            "listeners": scene.blocks("b", "proxy/listeners"),
            "routes": scene.blocks("b", "proxy/routes"),
        }
    }


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("rm state.json current", ""),
        (UNKNOWN, "current leads nowhere: back to empty"),
    ],
    ids=["as on a new host", "unreadable and dangling"],
)
def test_neither_state_nor_link(scene, watched_release, releases, how, says):
    """Everything is wanted anew. What lies there is compared, not trusted, and nginx is never without it."""
    wanted = whole(scene)
    scene.run("b", f"cd {BASE} && {how}")
    result, watch = watched_release("b", parts=wanted)
    watch.undisturbed()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "stable", True), told.get("msg")
    assert (told["release"], told["previous"]) == (releases[1], "empty")
    assert says in " ".join(told["log"])
    assert (scene.live("b"), served(scene, "b")) == (releases[1], releases[1])


def test_nothing_is_known_and_nothing_is_wanted(scene, watched_release, releases):
    """Of several releases none is guessed: `empty` is live, and all stay. Who says what is wanted has it
    again; who says so in the first call, as above, is never without it."""
    wanted = whole(scene)
    scene.run("b", f"cd {BASE} && {UNKNOWN}")
    result, dummy = watched_release("b")
    told = result.told
    assert (result.code, told["release"], told["changed"]) == (0, "empty", True), told.get("msg")
    assert "current leads nowhere: back to empty" in " ".join(told["log"])
    assert (scene.live("b"), set(releases) <= scene.releases("b")) == ("empty", True)
    scene.run("b", "nginx -t")
    assert scene.change("b", wanted) == releases[1]
    assert (scene.live("b"), served(scene, "b")) == (releases[1], releases[1])


@pytest.mark.parametrize(
    "how", ["rm current", "ln -sfn releases/0123456789abcdef current"], ids=["none", "dangling"]
)
def test_a_link_that_leads_nowhere(scene, watched_release, releases, how):
    scene.run("b", f"cd {BASE} && {how}")
    result, watch = watched_release("b")
    watch.undisturbed()
    told = result.told
    assert (result.code, told["state"], told["release"]) == (0, "stable", releases[1]), told.get("msg")
    assert told["changed"]
    assert f"back to {releases[1]}" in " ".join(told["log"])
    assert (scene.live("b"), served(scene, "b")) == (releases[1], releases[1])
    scene.run("b", "nginx -t")


def test_nothing_whole_to_go_back_to(scene, watched_release, releases):
    """The live release is not what was written, and state.json names no other: nothing is deleted.

    Its twin: the file is put back as it was.
    """
    key = f"{BASE}/current/proxy/credentials/client/fullchain.pem"
    scene.run("b", f"cp -p {key} /root/kept.pem && cat {TOOLS}/caller.pem >{key}")
    before = scene.snapshot("b")
    result, watch = watched_release("b")
    watch.undisturbed()
    assert (result.code != 0, result.told["changed"]) == (True, False)
    assert releases[1] in result.told["msg"]
    assert "nothing was deleted" in result.told["msg"]
    assert scene.snapshot("b") == before
    scene.run("b", f"cat /root/kept.pem >{key}")
    result = scene.release("b")
    assert (result.code, result.told["release"]) == (0, releases[1])


@pytest.fixture
def unloadable(scene, releases) -> Iterator[str]:
    """A whole release that listens on 8444, as well; the one from before is live and served, also at the
    end."""

    def back() -> None:
        result = scene.release("b", state="rolled_back", to=releases[1])
        assert (result.code, result.told["release"]) == (0, releases[1]), result.told.get("msg")

    blocks = listening(scene.blocks("b", "proxy/listeners"), 8444)
    identity = scene.change("b", {"proxy": {"listeners": blocks}})
    back()
    yield identity
    back()


def test_a_switch_that_cannot_be_finished_is_undone(scene, watched_release, releases, unloadable):
    """Killed after the rename, and nginx does not load it. Its twin: the port is free, it is finished."""
    link(scene, unloadable)
    write_state(scene, "switched", releases[1], unloadable)
    with scene.taken("b", 8444):
        result, watch = watched_release("b")
    watch.undisturbed()
    told = result.told
    assert (result.code != 0, told["state"], told["release"]) == (True, "rolled_back", releases[1]), told[
        "msg"
    ]
    assert "stopped at 'switched' after it switched" in " ".join(told["log"])
    assert "bind() to 0.0.0.0:8444 failed" in told["msg"]
    assert f"Release {releases[1]} is back" in told["msg"]
    assert (scene.live("b"), served(scene, "b")) == (releases[1], releases[1])
    assert (scene.state("b")["step"], scene.state("b")["from"]) == ("rolled_back", releases[1])

    assert unloadable in scene.releases("b")
    link(scene, unloadable)
    write_state(scene, "switched", releases[1], unloadable)
    result, watch = watched_release("b")
    watch.handed_over()
    assert (result.code, result.told["state"], result.told["release"]) == (0, "stable", unloadable)
    assert served(scene, "b") == unloadable


@pytest.mark.whole
def test_what_is_adopted_and_not_loaded_is_kept_and_told(scene, watched_release, releases, unloadable):
    """Without state.json nothing is known to go back to. Its twin: the port is free, it is taken over."""
    scene.run("b", f"rm {BASE}/state.json")
    link(scene, unloadable)
    before = scene.snapshot("b")
    with scene.taken("b", 8444):
        result, watch = watched_release("b")
    watch.undisturbed()
    told = result.told
    assert (result.code != 0, told["state"], told["release"]) == (True, "", unloadable), told["msg"]
    assert "is missing or unreadable" in " ".join(told["log"])
    assert "bind() to 0.0.0.0:8444 failed" in told["msg"]
    assert scene.snapshot("b") == before
    assert served(scene, "b") == releases[1]

    result, watch = watched_release("b")
    watch.handed_over()
    assert (result.code, result.told["state"], result.told["release"]) == (0, "stable", unloadable)
    assert (scene.live("b"), served(scene, "b")) == (unloadable, unloadable)


def test_another_release_is_wanted_after_a_kill(scene, watched_release, releases):
    """Killed after the rename, and now something else is wanted: it is staged with the same way back."""
    link(scene, releases[0])
    scene.run("b", "systemctl reload nginx && sleep 0.5")
    link(scene, releases[1])
    write_state(scene, "switched", *releases)
    result, watch = watched_release("b", parts=parts("b", "three"))
    watch.handed_over()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "stable", True), told.get("msg")
    assert told["previous"] == releases[0]
    assert told["release"] not in releases
    assert served(scene, "b") == told["release"]


@pytest.mark.parametrize("step", cases(("switched", "reloaded", "rolling_back"), ("rolling_back",)))
def test_killed(scene, note, step):
    """kill -9 at that step; nginx starts from disk; the same call again ends where it should."""
    before = change(scene, "a", "one")
    wanted = parts("a", "two")
    with contextlib.ExitStack() as stack:
        if step == "rolling_back":
            # A port that is taken: nginx does not reload, the run goes back.
            stack.enter_context(scene.taken("a", 8444))
            wanted = {"server": {"sites": listening(scene.blocks("a", "server/sites"), 8444)}}
        code, watch = killed_at(scene, step, wanted)
    assert code != 0
    watch.handed_over()
    assert scene.state("a")["step"] == step
    scene.run("a", "nginx -t && systemctl restart nginx")
    after_restart = served(scene, "a")
    assert after_restart in (before, scene.live("a"))

    result = scene.release("a", **({} if step == "rolling_back" else {"parts": wanted}))
    note(result, watch)
    told = result.told
    assert (result.code, told["state"]) == (0, "stable"), told.get("msg")
    assert "recovery: " in " ".join(told["log"])
    assert (told["release"] == before) is (step == "rolling_back")
    assert (scene.live("a"), served(scene, "a")) == (told["release"], told["release"])
    assert scene.state("a")["step"] in ("stable", "rolled_back")


def killed_at(scene, step: str, wanted: dict[str, Any]):
    """(exit code of the call that was killed, what the prober saw)."""
    scene.lab.copy(HERE / "killer.py", "a.example.com", f"{TOOLS}/killer.py")
    killer = subprocess.Popen(
        [
            *("podman", "exec", scene.lab.container("a.example.com"), "python3", f"{TOOLS}/killer.py"),
            *(BASE, step),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killer.stdout is not None
    assert killer.stdout.readline() == "waiting\n"
    with scene.watched("a") as watch:
        code, dummy = scene.ansible(
            *("ansible", "a.example.com", "-m", "mutual_tls.nginx.release"),
            *("-a", json.dumps({"parts": wanted})),
        )
    assert killer.communicate(timeout=30)[0] == "killed\n"
    return code, watch
