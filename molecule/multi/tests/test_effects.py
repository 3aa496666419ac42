# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What B and A do where one of several servers behind them does not answer."""

from __future__ import annotations

import json
import subprocess

from live import reload_nginx
from multi import BACKENDS, CONF
from scene import CALLER, TOOLS

TIMES = 12
# Takes no connection and refuses none, once its queue is full.
SILENT = """
import socket, time
kept = []
for port in (9001, 9002):
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    silent.bind(("127.0.0.1", port))
    silent.listen(0)
    kept.append(silent)
    for dummy in range(3):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", port))
        kept.append(waiting)
time.sleep(600)
"""


def test_a_post_is_repeated_only_where_that_is_asked_for(multi):
    """a takes the request and closes the connection; c is behind it."""
    scene, dummy = multi
    asked = [("POST", "/once/drop"), ("POST", "/twice/drop"), ("GET", "/once/drop"), ("POST", "/once/")]
    questions = [{"port": 8080, "method": method, "path": path, "body": "x"} for method, path in asked]
    container = scene.lab.container(scene.full("b"))
    command = ["podman", "exec", "--interactive", container, "python3", f"{TOOLS}/caller.py"]
    done = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, check=True)
    assert [answer["status"] for answer in json.loads(done.stdout)] == [502, 204, 204, 200]


def to(scene, site: str, times: int) -> list[int]:
    question = {"host": scene.full("b"), "sni": f"{site}.example.com", **CALLER, "timeout_s": 30}
    return [answer["status"] for answer in scene.lab.ask_all(scene.full("stranger"), [question] * times)]


def asked(scene) -> list[int]:
    """How often each of the two backends was."""
    return [int(scene.run("b", f"wc -l </var/log/nginx/mute-{port}.log")) for port in (9001, 9002)]


def test_a_backend_that_fails_is_left_out(multi):
    """For a minute, by each of the workers; with max_fails 0 each second request tries it, and goes on."""
    scene, dummy = multi
    before = asked(scene)
    assert to(scene, "hasty", TIMES) + to(scene, "patient", TIMES) == [200] * 2 * TIMES
    workers = int(scene.run("b", "pgrep -fc 'nginx: worker process$'"))
    hasty, patient = (now - then for now, then in zip(asked(scene), before))
    assert 1 <= hasty <= workers
    assert patient > workers


def test_how_long_a_connection_is_waited_for(multi):
    scene, dummy = multi
    scene.write("b", CONF, BACKENDS.splitlines()[-1])
    reload_nginx(scene.hosts["b"])
    scene.write("b", "/root/silent.py", SILENT)
    scene.run("b", "systemd-run --quiet --unit=silent python3 /root/silent.py")
    try:
        scene.run("b", "until ss -Hltn sport = 9002 | grep -q .; do sleep 0.1; done; sleep 0.5")
        assert to(scene, "hasty", 1) + to(scene, "patient", 1) == [200, 200]
        for site, seconds in (("hasty", 1), ("patient", 3)):
            line = json.loads(scene.run("b", f"tail -n1 /var/log/nginx/mtls-{site}.access.log"))
            assert line["upstream_status"] == "504, 200", line
            assert seconds <= line["seconds"] < seconds + 1.5, line
    finally:
        scene.run("b", "systemctl stop silent; rm /root/silent.py")
