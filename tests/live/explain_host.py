# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings up Server A and Server B of each case on this host, asks, and tells what all modules say.

Cases as JSON on stdin, a list of {"name", "files": {path: base64}, "unit": "a" or "b", "a": text, "b": text,
"steps": [shell commands between start and question], "proof": [shell commands at the end]}, one JSON line for
each on stdout: {"name", "tls", "asked", "seen", "proof": exit codes, "alone": the log before anybody but B
has asked A}. The nginx of *unit* is the system's, so that it is known when it does not start; the other one
is started by hand. What is asked is what diagnose.yml asks of B's location.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible.module_utils import basic

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import diagnosis

MODULES = "ansible_collections.mutual_tls.nginx.plugins.modules"
UNIT = Path("/etc/nginx/conf.d/case.conf")
HAND = Path("/srv/hand/nginx.conf")
PID = Path("/srv/hand/nginx.pid")
LOGS = (Path("/var/log/nginx/case.log"), Path("/srv/hand/error.log"), Path("/var/log/nginx/error.log"))
WAIT_S = 5.0
CALLER = {"host": "127.0.0.1", "port": 8080, "tls": False, "http_host": "b.example.com"}


def module(name: str, **options: object) -> dict:
    """The result of one call of a module, in this process."""
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        importlib.import_module(f"{MODULES}.{name}").main()
    found: dict = json.loads(out.getvalue())
    return found


def sh(command: str) -> int:
    done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode


def stop() -> None:
    sh("systemctl stop nginx; systemctl reset-failed nginx")
    if PID.exists():
        with contextlib.suppress(OSError, ValueError):
            pid = int(PID.read_text())
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + WAIT_S
            while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
                time.sleep(0.02)
        PID.unlink(missing_ok=True)
    sh("pkill -KILL -x nginx")


def start(case: dict) -> None:
    """Whichever of the two does not load its configuration stays down."""
    UNIT.write_text(case[case["unit"]])
    HAND.parent.mkdir(parents=True, exist_ok=True)
    HAND.write_text(case["a" if case["unit"] == "b" else "b"])
    for path, content in case["files"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)
        Path(path).write_bytes(base64.b64decode(content))
        os.chmod(path, 0o600)
    for log in LOGS:
        if log.exists():
            os.truncate(log, 0)
    sh("systemctl start nginx")
    if sh(f"nginx -c {HAND}") == 0:
        end = time.monotonic() + WAIT_S
        while sh(f"pgrep -f 'nginx: master process.*{HAND}'") and time.monotonic() < end:
            time.sleep(0.02)


def questions() -> list:
    tls = module("nginx_tls_info", probe=False)
    found = [one for each in tls["instances"] for one in each["locations"]]
    found.sort(key=lambda one: one["path"] != "/")
    return diagnosis.questions(found[0], tls["files"]) if found else [{"name": "through", **CALLER}]


def main() -> None:
    for case in json.load(sys.stdin):
        stop()
        start(case)
        for step in case.get("steps", ()):
            sh(step)
        *asked, through = questions()
        seen = module("endpoint_info", probes=[through])
        time.sleep(0.02)
        alone = module("nginx_tls_info", probe=False, log_minutes=10)["log"]
        if asked:
            more = module("endpoint_info", probes=asked, pem=True)
            seen = {**more, "probes": [*more.get("probes", []), *seen["probes"]]}
        tls = module("nginx_tls_info", pem=True, log_minutes=10)
        told = {"name": case["name"], "tls": tls, "asked": [*asked, through], "seen": seen, "alone": alone}
        told["proof"] = [sh(command) for command in case.get("proof", ())]
        print(json.dumps(told), flush=True)
    stop()


main()
