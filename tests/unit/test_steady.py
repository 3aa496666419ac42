# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench-rotation` counts (tests/lab/steady.py, tests/benchmarks/rotation.py): every answer, each
POST that was lost or done twice, and which promise is broken by that."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import steady

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT

SPEC = importlib.util.spec_from_file_location("rotation", ROOT / "tests" / "benchmarks" / "rotation.py")
assert SPEC and SPEC.loader
rotation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rotation)


class Server:
    """Takes a word for each request: what it does with it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.script: list[str] = []
        self.seen: list[str] = []
        self.connections = 0
        self.ended = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            with connection:
                while self.answer(connection):
                    pass

    def answer(self, connection: socket.socket) -> bool:
        """One request; whether the connection goes on."""
        data = b""
        while not steady.whole(data):
            got = connection.recv(65536)
            if not got:
                return False
            data += got
        mark = data.split()[1].decode()
        self.seen.append(mark)
        word = self.script.pop(0)
        body = "/another-1-1\n" if word == "wrong" else f"{mark}\n"
        status = word if word.isdigit() else "200"
        close = "Connection: close\r\n" if word == "last" else ""
        whole = f"HTTP/1.1 {status} Said\r\n{close}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        if word == "silent":
            self.ended.wait(5)
        elif word == "half":
            connection.sendall(whole[:-3])
        elif word != "none":
            connection.sendall(whole)
        return word in ("ok", "wrong") or word.isdigit()


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    server = Server()
    yield server
    server.ended.set()
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


@pytest.mark.parametrize(
    ("method", "script", "counts", "connections"),
    [
        ("GET", ["ok", "ok", "ok"], {"ok": 3}, 1),
        ("POST", ["ok", "ok", "ok"], {"ok": 3}, 1),
        # A kept connection that is closed under a request: only what is idempotent is sent again, and once.
        ("GET", ["ok", "none", "ok"], {"ok": 2, "repeated": 1}, 2),
        ("GET", ["ok", "none", "none"], {"ok": 1, "repeated": 1, "cut": 1}, 2),
        ("GET", ["ok", "none", "502"], {"ok": 1, "repeated": 1, "502": 1}, 2),
        ("POST", ["ok", "none", "ok"], {"ok": 2, "closed": 1}, 2),
        # A new one, or within an answer: no server that reloads does that, and nothing is sent again.
        ("GET", ["none", "ok"], {"cut": 1, "ok": 1}, 2),
        ("GET", ["ok", "half", "ok"], {"ok": 2, "cut": 1}, 2),
        ("POST", ["half", "ok"], {"ok": 1, "cut": 1}, 2),
        # The server said that it closes.
        ("POST", ["last", "last", "ok"], {"ok": 3}, 3),
        ("GET", ["502", "ok"], {"502": 1, "ok": 1}, 1),
        ("POST", ["502", "400", "ok"], {"502": 1, "400": 1, "ok": 1}, 1),
        ("GET", ["wrong", "ok"], {"wrong": 1, "ok": 1}, 1),
        ("POST", ["silent"], {"timeout": 1}, 1),
    ],
)
def test_each_answer_is_counted_as_what_it_was(
    server: Server,
    method: str,
    script: list[str],
    counts: dict[str, int],
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steady, "TIMEOUT_S", 0.5 if "silent" in script else 5.0)
    server.script = list(script)
    caller = steady.Caller(server.port, method, "one")
    while server.script:
        caller.call()
    caller.drop()
    assert caller.counts == counts
    assert server.connections == connections
    assert caller.sent == sum(count for what, count in counts.items() if what != "repeated")
    assert len(server.seen) == len(script)
    assert sum(caller.ticks.values()) == caller.sent
    assert Counter(what for dummy, dummy, what in caller.failed) == {
        what: count for what, count in counts.items() if what not in ("ok", "repeated")
    }


def test_nobody_sends_into_a_connection_that_is_closed(server: Server) -> None:
    caller = steady.Caller(server.port, "POST", "one")
    server.script = ["ok", "ok"]
    caller.call()
    assert caller.connection is not None
    caller.connection.shutdown(socket.SHUT_RDWR)  # as if the server had: the end is there to be read
    caller.call()
    caller.drop()
    assert caller.counts == {"ok": 2, "noticed": 1}
    assert server.connections == 2


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        caller = steady.Caller(taken.getsockname()[1], "GET", "one")
        caller.call()
    assert caller.counts == {"refused": 1}


def test_the_sum_of_several_callers(server: Server) -> None:
    callers = [steady.Caller(server.port, "POST", f"POST-{n}") for n in range(2)]
    callers.append(steady.Caller(server.port, "GET", "GET-0"))
    for caller in callers:
        server.script = ["ok", "502"]
        caller.call()
        caller.call()
        caller.drop()
    told = json.loads(json.dumps(steady.total(callers)))
    assert told["posts"] == {"POST-0": 2, "POST-1": 2}
    assert (told["POST"]["sent"], told["GET"]["sent"]) == (4, 2)
    assert told["POST"]["counts"] == {"ok": 2, "502": 2}
    assert sum(told["POST"]["ticks"].values()) == 4
    assert [(mark, what) for dummy, mark, what in told["failed"]] == [
        ("POST-0-1", "502"),
        ("POST-1-1", "502"),
        ("GET-0-1", "502"),
    ]


ALL = Counter(["POST-0-0", "POST-0-1", "POST-0-2", "POST-1-0"])


@pytest.mark.parametrize(
    ("failed", "done", "found"),
    [
        ([], ALL, {}),
        (["POST-0-1"], ALL - Counter(["POST-0-1"]), {"undone": 1}),
        ([], ALL - Counter(["POST-0-1"]), {"undone": 1, "untrue": 1}),
        (["POST-0-1"], ALL, {"unheard": 1}),
        ([], ALL + Counter(["POST-1-0"]), {"twice": 1}),
        ([], ALL + Counter(["broken /POST-0-1"]), {"broken": 1}),
        ([], ALL + Counter(["POST-1-1"]), {"broken": 1}),
    ],
)
def test_what_the_backend_says_of_each_post(
    failed: list[str], done: Counter[str], found: dict[str, int]
) -> None:
    assert rotation.judge({"POST-0": 3, "POST-1": 1}, failed, done) == rotation.Posts(**found)


def outcome(
    nginx: str,
    what: str = "default",
    get: dict[str, int] | None = None,
    post: dict[str, int] | None = None,
    **posts: int,
) -> Any:
    told = {
        method: {"sent": 10, "counts": {"ok": 9, "noticed": 5, **(counts or {})}, "ticks": {"3": 9, "70": 1}}
        for method, counts in (("GET", get), ("POST", post))
    }
    return rotation.Outcome(nginx, what, 20, "", told, rotation.Posts(**posts))


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (outcome("1.30.0"), True),
        (outcome("1.27.4", post={"closed": 1}), False),
        (outcome("1.27.4", post={"502": 1}), False),
        (outcome("1.27.4", get={"repeated": 1}), False),
        (outcome("1.27.3", get={"repeated": 1}, post={"closed": 1, "502": 3}, undone=4), True),
        (outcome("1.27.3", get={"502": 1}), False),
        (outcome("1.22.1", get={"cut": 1}), False),
        (outcome("1.22.1", twice=1), False),
        (outcome("1.22.1", untrue=1), False),
        (outcome("1.22.1", broken=1), False),
        (outcome("1.30.0")._replace(fault="a step failed"), False),
        (outcome("1.30.0", "broken", post={"502": 1})._replace(fault="a step failed"), False),
        (outcome("1.22.1", "keepalive 0", post={"closed": 3}), True),
        (outcome("1.22.1", "keepalive 0", post={"502": 1}), False),
        (outcome("1.30.0", "broken"), False),
        (outcome("1.30.0", "broken", post={"502": 1}), True),
        (outcome("1.30.0", "broken", get={"repeated": 1}), True),
    ],
)
def test_a_promise_that_does_not_hold_is_told(found: Any, kept: bool) -> None:
    assert (rotation.faults(found) == []) is kept


def test_the_table_has_a_row_for_each_method() -> None:
    found = outcome("1.26.3", get={"repeated": 2}, post={"502": 1}, undone=1)
    assert rotation.table([found]).splitlines()[2:] == [
        "| 1.26.3 | default | 20 | GET | 10 | 2 | 0 |  |  | 0.0004 | 0.0071 | 0.0071 |",
        "| 1.26.3 | default | 20 | POST | 10 |  | 1 502 | 1 | 0 | 0.0004 | 0.0071 | 0.0071 |",
    ]


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0.0002), (0.99, 0.0011), (1, 0.0051)])
def test_how_long_that_share_waits_at_most(share: float, seconds: float) -> None:
    assert rotation.quantile({"10": 9, "1": 90, "50": 1}, share) == pytest.approx(seconds)


@pytest.mark.parametrize("protected", [True, False])
def test_the_twin_lacks_what_protects(
    protected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "WORK", tmp_path)
    roles = rotation.copied(protected) / "ansible_collections" / "mutual_tls" / "nginx" / "roles"
    texts = [path.read_text() for path in roles.rglob("*.j2")]
    found = [sum(line in text for text in texts) for line in (rotation.PROTECTS, "keepalive_min_timeout 0;")]
    assert found == ([2, 0] if protected else [0, 2])


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["rotations"], ["rotation 1", "rotation 2"]),
        (["ca"], ["CA, trust", "CA, issue", "CA, retire"]),
        (["revocation"], ["revocation"]),
        (rotation.STEPS, ["rotation 1", "rotation 2", "CA, trust", "CA, issue", "CA, retire", "revocation"]),
    ],
)
def test_which_steps_a_run_has(kinds: list[str], names: list[str], tmp_path: Path) -> None:
    issued = [(rotation.B, "other", "01"), (rotation.A, "other", "02"), (rotation.B, "client", "03")]
    (tmp_path / "private_ca").mkdir()
    (tmp_path / "private_ca" / "issued.jsonl").write_text(
        "".join(
            f"{json.dumps({'host': host, 'credential': name, 'serial': serial})}\n"
            for host, name, serial in issued
        )
    )
    found = list(rotation.steps(kinds, 2, tmp_path))
    assert [step.name for step in found] == names
    revoked = [step.variables for step in found if step.playbook == "revoke"]
    assert revoked == [{"revoke_serial": "01"}] * ("revocation" in kinds)
    assert {step.other for step in found if step.playbook != "revoke"} <= {"200"}
