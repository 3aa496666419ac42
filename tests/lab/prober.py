# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the same questions ten times a second until its input ends, and tells the answers in their order.

    prober.py '{"B": {"host": "127.0.0.1", "port": 8080, "tls": false}, …}'
    -> {"B": {"seconds": 4.2, "slowest": 0.02,
              "runs": [["200, client 0A", 30, 0.0, 3.1], ["200, client 0B", 11, 3.2, 4]]}, …}

A run is an answer, how often it came one time after the other, and when it was asked for first and last (the
answer itself is late where the machine has much other work). `slowest` is how long the slowest one took. Each
question is a request of client.py beside this file, on a new connection. An answer is what tells one release
from another: the status, the served leaf, and the client that the backend saw or the release that the probe
path names. What is no answer is one, too: "fault: [Errno 111] Connection refused".
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

import client

PERIOD_S = 0.1
# A machine with much other work has taken 10 s for a good answer; who waits for ever gets a fault in the end.
PATIENCE_S = 40


def told(given: dict) -> str:
    """One answer in words; a fault is an answer, too."""
    try:
        answer = client.ask({"timeout_s": PATIENCE_S, **given})
    except (OSError, ValueError, http.client.HTTPException) as fault:
        return f"fault: {fault or type(fault).__name__}"
    words = [str(answer["status"])]
    if "sha256" in answer:
        words.append("leaf " + answer["sha256"][:8])
    if answer["status"] == 200 and answer["body"].startswith("{"):
        headers = {name.lower(): value for name, value in json.loads(answer["body"])["headers"]}
        words.append("client " + headers.get("x-ssl-client-serial", "none"))
    elif answer["status"] == 200:
        words.append("says " + " ".join(answer["body"].split()[:2]))
    return ", ".join(words)


def keep_asking(given: dict, told_of: dict, ended: threading.Event) -> None:
    begin = due = time.monotonic()
    runs = told_of["runs"]
    while not ended.is_set():
        asked = round(time.monotonic() - begin, 3)
        answer = told(given)
        told_of["slowest"] = max(told_of["slowest"], round(time.monotonic() - begin - asked, 3))
        if runs and runs[-1][0] == answer:
            runs[-1][1] += 1
            runs[-1][3] = asked
        else:
            runs.append([answer, 1, asked, asked])
        due = max(due + PERIOD_S, time.monotonic() - 1)
        ended.wait(max(0.0, due - time.monotonic()))
    told_of["seconds"] = round(time.monotonic() - begin, 3)


def main() -> None:
    questions = json.loads(sys.argv[1])
    ended = threading.Event()
    found: dict = {name: {"seconds": 0, "slowest": 0, "runs": []} for name in questions}
    threads = [
        threading.Thread(target=keep_asking, args=(given, found[name], ended))
        for name, given in questions.items()
    ]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
