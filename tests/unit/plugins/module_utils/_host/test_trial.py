# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the processes and files of a trial. A made-up nginx listens and answers here; what the real
one answers is asked on real hosts (tests/live/test_trial.py)."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import trial as core
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import OK, Row
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import changed_things
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import trial
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import probe

ID = "0" * 16
SERVER = {
    "server/sites/orders.conf": b"""server { listen 443 ssl; server_name a.test; ssl_verify_client on;
    include @MTLS_RELEASE@/server/credentials/orders/tls.conf; }"""
}
PROXY = {
    "proxy/routes/r.conf": b"upstream up { server a1:443; server a2:443; }",
    "proxy/listeners/1.conf": b"""server { listen 127.0.0.1:8080; location = /.mtls/probe/r {
    include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
    proxy_ssl_name a; proxy_pass https://up/p; } }""",
}
#: Listens where its configuration says, and has a worker. Each route is answered with its number.
NGINX = """#!%s
import os, re, signal, socket, sys, threading
text = open(sys.argv[2]).read()
if "%s" == "refuses":
    sys.exit("nginx: [emerg] " + sys.argv[2] + " is not for me: key")
if os.fork() == 0:
    signal.pause()
log = open(sys.argv[4], "a")
log.write(repr(dict(os.environ)) + chr(10))
log.flush()
def bound(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    return server
def serve(server):
    while True:
        client = server.accept()[0]
        asked = client.recv(9999).decode().split(" ")
        if len(asked) > 1:
            number = asked[1].rpartition("/")[2]
            body = "" if number == "alive" else number + " SUCCESS x"
            status = "204 x" if number == "alive" else "200 x"
            if "%s" != "deaf":
                answer = f"HTTP/1.1 {status}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}"
                client.sendall(answer.encode())
        client.close()
# As nginx does: everything is open before anything is answered.
for server in [bound(path) for path in re.findall(r"listen unix:([^ ;]+)", text)]:
    threading.Thread(target=serve, args=(server,)).start()
"""


def runner(folder: str, binary: str, rows: Any = None, start_s: float = 10) -> trial.Runner:
    def answered(probes: Sequence[Probe], _directory: str) -> list[Row]:
        return [Row(one, "asked", OK) for one in probes]

    environment: Mapping[str, str] = {"A": "1", "PATH": os.environ["PATH"]}
    return trial.Runner(binary, "/", frozenset(), environment, rows or answered, probe, folder, start_s)


@pytest.fixture(name="folder")
def _folder() -> Iterator[str]:
    # The path of a socket has at most 107 bytes (unix(7)), and pytest's own are long.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


def whole(source: Mapping[str, bytes]) -> core.Trial:
    return core.trial(source, ID, changed_things({}, source))


def nginx(folder: str, how: str = "serves") -> str:
    path = Path(folder, "nginx")
    path.write_text(NGINX % (sys.executable, how, how))
    path.chmod(0o755)
    return str(path)


def left(folder: str) -> list[str]:
    """Processes and files of a trial in *folder* that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"{folder}/mutual-tls.".encode() in command:
            found.append(f"{entry.name} {command!r}")
    return found + [str(path) for path in Path(folder).glob("mutual-tls.*")]


def gone(folder: str) -> bool:
    end = time.monotonic() + 10
    while left(folder) and time.monotonic() < end:
        time.sleep(0.01)
    return not left(folder)


def test_the_rows_of_both_parts_and_nothing_stays(folder: str) -> None:
    seen: list[str] = []

    def rows(probes: Sequence[Probe], directory: str) -> list[Row]:
        place = Path(probes[0].address[len("unix:") :]).parent
        seen.append(f"{directory} {oct(place.stat().st_mode)[-3:]} {(place / 'nginx.conf').stat().st_mode:o}")
        environment = (place / "error.log").read_text()
        assert "'A': '1'" in environment
        assert "HOME" not in environment
        return [Row(one, "asked", OK) for one in probes]

    found = runner(folder, nginx(folder), rows).rows(whole({**SERVER, **PROXY}), (), "/r", ID)
    assert seen == ["/r 700 100600"] * 2
    assert {row.probe.target for row in found} >= {"server orders at unix:trial", "proxy r at a2:443"}
    routes = [row for row in found if row.probe.part == "proxy"]
    # The answer to a question is that to its own number.
    assert [row.got for row in routes] == ["200, 1 SUCCESS", "200, 2 SUCCESS"]
    assert left(folder) == []


@pytest.mark.parametrize("how", ["refuses", "deaf"])
def test_a_trial_that_cannot_run_says_why(folder: str, how: str) -> None:
    with pytest.raises(MtlsError) as told:
        runner(folder, nginx(folder, how), start_s=3).rows(whole(SERVER), (), "/r", ID)
    assert told.value.code == "nginx.trial_not_run"
    assert ("[emerg] nginx.conf is not for me" in str(told.value)) == (how == "refuses")
    assert folder + "/mutual" not in str(told.value)
    assert left(folder) == []


def test_a_program_that_is_not_there(folder: str) -> None:
    with pytest.raises(MtlsError, match="No such file"):
        runner(folder, f"{folder}/none").rows(whole(SERVER), (), "/r", ID)
    assert left(folder) == []


def test_without_a_question_no_nginx_is_started(folder: str) -> None:
    assert runner(folder, "/bin/false").rows(whole({}), (), "/r", ID) == []


def test_an_error_of_who_asks_leaves_nothing(folder: str) -> None:
    def rows(_probes: Sequence[Probe], _directory: str) -> list[Row]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner(folder, nginx(folder), rows).rows(whole(SERVER), (), "/r", ID)
    assert left(folder) == []


def test_nothing_outlives_who_asks(folder: str) -> None:
    """Killed in the middle: the guardian ends nginx and removes the trial's own directory."""
    binary = nginx(folder)
    here, there = os.pipe()
    child = os.fork()
    if not child:

        def rows(_probes: Sequence[Probe], _directory: str) -> list[Row]:
            os.write(there, b".")
            time.sleep(60)
            return []

        try:
            runner(folder, binary, rows).rows(whole(SERVER), (), "/r", ID)
        finally:
            os._exit(1)
    os.close(there)
    assert os.read(here, 1) == b"."
    os.close(here)
    assert left(folder)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert gone(folder), left(folder)
