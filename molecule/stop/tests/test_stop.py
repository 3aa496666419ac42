# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rotate.yml in batches of 1, 3, 3 and 3, whose seventh host is bad: what is done stays, what is behind it is
as before, and the run after the fault is mended does the rest.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pytest
from live import headers_at_the_backend, reload_nginx
from scene import BASE, HERE, TOOLS, cases

BATCHES = {"rotate_batches": [1, 3, 3, 3]}
BAD = "b6"
FOLDERS = {"a": "server/credentials/server", "b": "proxy/credentials/client"}
# What A lets its own probe see.
PROBED = "/.mtls/probe"
OWN = "/etc/nginx/conf.d/own.conf"
# A user's block that has the certificate by the link and its key as a copy: it fits until the link moves.
OWN_BLOCK = f"""server {{
    listen 9443 ssl;
    ssl_certificate {BASE}/current/{FOLDERS["b"]}/fullchain.pem;
    ssl_certificate_key /root/copied.key;
    return 200;
}}
"""
LOOK = f"""
readlink {BASE}/current
openssl x509 -in {BASE}/current/%s/fullchain.pem -noout -serial -fingerprint -sha256 | sed 's/.*=//; s/://g'
cat {BASE}/state.json | tr -d '\\n'; echo
find {BASE}/pending -name '*.pem' 2>/dev/null || true
"""


class Seen(NamedTuple):
    """One host: what is live on its disk, what its nginx serves of it, and the keys that wait."""

    release: str
    serial: str
    served: bool
    state: dict[str, Any]
    pending: list[str]


def look(scene) -> dict[str, Seen]:
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(scene.hosts, pool.map(lambda name: seen(scene, name), scene.hosts)))


def seen(scene, name: str) -> Seen:
    """One command: the files, and what nginx answers to a client on its own host."""
    question: dict[str, Any] = {"host": "127.0.0.1", "port": 8080, "tls": False}
    if name.startswith("a"):
        folder = f"{BASE}/current/server/credentials/probe"
        pair = {"certificate": f"{folder}/fullchain.pem", "key": f"{folder}/privkey.pem"}
        question = {"host": scene.full(name), "sni": "orders.example.com", "path": PROBED, **pair}
    command = f"{LOOK % FOLDERS[name[0]]}\nexec python3 - '{json.dumps(question)}'"
    told = scene.run(name, command, stdin=scene.lab.client).splitlines()
    (release, serial, sha256, state, *pending), answer = told[:-1], json.loads(told[-1])
    assert answer.get("status") == 200, (name, answer)
    if name.startswith("a"):
        served = answer["sha256"].upper() == sha256
    else:
        served = headers_at_the_backend(answer)["x-ssl-client-serial"] == [serial]
    return Seen(release, serial, served, json.loads(state), pending)


class Run(NamedTuple):
    """What came of one run: the table by host, the hosts of each batch that has begun."""

    code: int
    rows: dict[str, dict[str, Any]]
    batches: list[set[str]]
    output: str


def rotate(scene, folder, **options: Any) -> Run:
    file = folder / "rows.json"
    given = {**BATCHES, **options, "rotate_json": str(file)}
    code, output = scene.ansible(
        "ansible-playbook", "mutual_tls.nginx.rotate", "--forks=10", "-e", json.dumps(given)
    )
    assert file.exists(), output[-6000:]
    rows = {row["host"].partition(".")[0]: row for row in json.loads(file.read_text())}
    begun = re.findall(r"^TASK \[Begin\].*\n((?:ok: .*\n)*)", output, re.MULTILINE)
    batches = [set(re.findall(r"\[(\w+)\.example\.com\]", hosts)) for hosts in begun]
    return Run(code, rows, batches, output)


# -- what is wrong with the seventh host


@contextlib.contextmanager
def broken_block(scene) -> Iterator[None]:
    scene.run(BAD, f"cp {BASE}/current/{FOLDERS['b']}/privkey.pem /root/copied.key")
    scene.write(BAD, OWN, OWN_BLOCK)
    reload_nginx(scene.hosts[BAD])
    yield
    scene.run(BAD, f"rm {OWN} /root/copied.key")
    reload_nginx(scene.hosts[BAD])


def shut(scene) -> None:
    """Nobody gets in by ssh, also not over a connection that is open."""
    scene.run(BAD, "systemctl stop ssh; pkill -KILL -u operator; true")


@contextlib.contextmanager
def unreachable(scene) -> Iterator[None]:
    shut(scene)
    yield
    scene.run(BAD, "systemctl start ssh")


@contextlib.contextmanager
def lost_on_the_way(scene) -> Iterator[None]:
    """It is read, and gone when the first batch is done."""
    before = scene.live("a1")

    def wait() -> None:
        while scene.live("a1") == before:
            time.sleep(0.5)
        shut(scene)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        yield
        waiting.result(timeout=1)
    scene.run(BAD, "systemctl start ssh")


@contextlib.contextmanager
def killed(scene, step: str) -> Iterator[None]:
    scene.run(BAD, f"mkdir -p {TOOLS}")
    scene.lab.copy(HERE / "killer.py", scene.full(BAD), f"{TOOLS}/killer.py")
    container = scene.lab.container(scene.full(BAD))
    killer = subprocess.Popen(
        ["podman", "exec", container, "python3", f"{TOOLS}/killer.py", BASE, step],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killer.stdout is not None
    assert killer.stdout.readline() == "waiting\n"
    yield
    assert killer.communicate(timeout=30)[0] == "killed\n"


class Fault(NamedTuple):
    """*step*: what state.json says after it, "" where it is as before; *serves*: whether nginx serves what is
    live on the disk."""

    make: Callable[..., contextlib.AbstractContextManager[None]]
    state: str
    says: str
    step: str = ""
    arguments: tuple[str, ...] = ()


FAULTS = {
    "rolled back": Fault(broken_block, "rolled back", "key values mismatch", "rolled_back"),
    "unreachable": Fault(unreachable, "unreachable", "Connection refused"),
    "lost on the way": Fault(lost_on_the_way, "unreachable", "Connection refused"),
    "killed at switched": Fault(killed, "failed", "", "switched", ("switched",)),
    "killed at reloaded": Fault(killed, "failed", "", "reloaded", ("reloaded",)),
}


# In `make test` the one row meets what else stops a run on its way; the others begin with it, on ten hosts.
ON_THE_WAY = {"rolled back": ("killed at switched",)}


def is_stopped(fault: Fault, run: Run, before: dict[str, Seen], now: dict[str, Seen]) -> None:
    """The seventh host is as that fault leaves it, and those behind it are as before."""
    assert run.code != 0
    assert run.rows[BAD]["state"] == fault.state
    assert fault.says in run.rows[BAD]["reason"], run.rows[BAD]
    assert run.rows[BAD]["reason"] not in ("", "forced")
    if not fault.step:
        assert now[BAD] == before[BAD]
    elif fault.state == "rolled back":
        assert (now[BAD].release, now[BAD].serial) == (before[BAD].release, before[BAD].serial)
        assert now[BAD].served
    assert now[BAD].state["step"] == (fault.step or before[BAD].state["step"])
    left = list(now)[7:]
    assert {name: run.rows[name]["state"] for name in left} == dict.fromkeys(left, "not reached")
    assert {name: now[name] for name in left} == {name: before[name] for name in left}


@pytest.mark.parametrize("case", cases(FAULTS, {"rolled back"}))
def test_the_run_stops_there_and_the_next_one_goes_on(scene, tmp_path, case):
    fault = FAULTS[case]
    names = list(scene.hosts)
    done, left = names[:6], names[7:]
    before = look(scene)
    began = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with fault.make(scene, *fault.arguments):
        first = rotate(scene, tmp_path, rotate_force=True)
        between = look(scene)

    is_stopped(fault, first, before, between)
    # Servers, then proxies, in the order of the inventory.
    assert first.batches == [set(names[:1]), set(names[1:4]), set(names[4:7])]
    assert {name: first.rows[name]["state"] for name in done} == dict.fromkeys(done, "stable")
    for name in done:
        assert between[name].serial != before[name].serial
        assert (between[name].served, between[name].pending) == (True, [])
        assert between[name].state["step"] == "stable"

    for other in ON_THE_WAY.get(case, ()):
        fault, was = FAULTS[other], between
        with fault.make(scene, *fault.arguments):
            run = rotate(scene, tmp_path, rotate_force=began)
            between = look(scene)
        is_stopped(fault, run, was, between)
        assert run.batches == [{BAD}]
        assert {name: run.rows[name]["state"] for name in done} == dict.fromkeys(done, "fresh")
        assert {name: between[name] for name in done} == {name: was[name] for name in done}

    # Its twin: nothing is wrong any more.
    second = rotate(scene, tmp_path, rotate_force=began)
    after = look(scene)
    assert second.code == 0, second.output[-6000:]
    assert second.batches == [{BAD}, set(left)]
    told = {name: row["state"] for name, row in second.rows.items()}
    assert told == {**dict.fromkeys(done, "fresh"), **dict.fromkeys(names[6:], "stable")}
    assert {name: after[name] for name in done} == {name: between[name] for name in done}
    for name in names[6:]:
        assert after[name].serial != before[name].serial
        assert (after[name].served, after[name].pending) == (True, [])
        assert after[name].state["step"] == "stable"
