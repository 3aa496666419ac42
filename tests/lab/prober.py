# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the same questions ten times a second until its input ends, and counts the answers it got.

    prober.py '{"through b": {"host": "127.0.0.1", "port": 8080, "tls": false}, …}'
    -> {"through b": {"200 1A2B3C": 31}, …}

Each question is a request of client.py beside this file, on a new connection. An answer is what tells one
release from another: the status, the served leaf, and the caller that the backend or the probe path saw.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import client

PERIOD_S = 0.1


def told(given: dict) -> str:
    """One answer in words; a fault is an answer, too."""
    try:
        answer = client.ask(given)
    except (OSError, ValueError) as fault:
        return f"fault: {fault}"
    words = [str(answer["status"])]
    if "sha256" in answer:
        words.append("leaf " + answer["sha256"][:8])
    if answer["status"] == 200 and answer["body"].startswith("{"):
        headers = {name.lower(): value for name, value in json.loads(answer["body"])["headers"]}
        words.append("client " + headers.get("x-ssl-client-serial", "none"))
    elif answer["status"] == 200:
        words.append("says " + " ".join(answer["body"].split()[:2]))
    return ", ".join(words)


def keep_asking(given: dict, counts: dict, ended: threading.Event) -> None:
    due = time.monotonic()
    while not ended.is_set():
        answer = told(given)
        counts[answer] = counts.get(answer, 0) + 1
        due = max(due + PERIOD_S, time.monotonic() - 1)
        ended.wait(max(0.0, due - time.monotonic()))


def main() -> None:
    questions = json.loads(sys.argv[1])
    ended = threading.Event()
    counts: dict = {name: {} for name in questions}
    threads = [
        threading.Thread(target=keep_asking, args=(given, counts[name], ended))
        for name, given in questions.items()
    ]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
