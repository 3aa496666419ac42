# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Constant load on a Server B until the input ends; counts every answer.

    steady.py '{"port": 8080, "callers": {"GET": 8, "POST": 8}, "pause_s": 0.004}'
    -> {"GET": {"sent": …, "counts": {"ok": …, "repeated": …}, "ticks": {"13": …}}, "POST": …,
        "posts": {"POST-0": 5000, …}, "failed": [[1700000000.1, "POST-0-17", "closed"], …]}

Each caller keeps one connection, puts a mark of its own into the path, and into the body of a POST, and looks
before it sends whether B has closed the connection (`noticed`, which costs nobody anything). What comes of a
request is `ok` for status 200 with the mark, and else

    502 …      the status
    closed     B closed a kept connection and sent nothing of an answer
    cut        the connection ended within an answer, or a new one before it
    timeout    no answer within TIMEOUT_S
    refused    no connection
    wrong      an answer to something else

A GET that was `closed` is sent once more on a new connection, as RFC 9110, section 9.2.2, allows: it is
`repeated`, and what comes of that counts. `ticks`: how many took so many times TICK_S. `posts`: how many each
caller has sent, numbered from 0.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import sys
import threading
import time
from collections import Counter

TIMEOUT_S = 10.0
TICK_S = 0.0001
#: What follows the mark in the body of a POST.
FILLING = "x" * 1000
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
END = b"\r\n\r\n"


class Caller:
    """One who keeps a connection and asks by one method."""

    def __init__(self, port: int, method: str, name: str) -> None:
        self.address, self.method, self.name = ("127.0.0.1", port), method, name
        self.connection: socket.socket | None = None
        self.sent = 0
        self.counts: Counter[str] = Counter()
        self.ticks: Counter[int] = Counter()
        self.failed: list[tuple[float, str, str]] = []

    def run(self, ended: threading.Event, pause_s: float) -> None:
        while not ended.wait(random.uniform(0, 2 * pause_s)):
            self.call()
        self.drop()

    def call(self) -> None:
        """One request, and what comes of it."""
        begin = time.monotonic()
        mark = f"{self.name}-{self.sent}"
        self.sent += 1
        what = self.ask(mark)
        if what == "closed" and self.method == "GET":
            self.counts["repeated"] += 1
            what = self.ask(mark)
        self.counts[what] += 1
        self.ticks[int((time.monotonic() - begin) / TICK_S)] += 1
        if what != "ok":
            self.failed.append((time.time(), mark, what))

    def ask(self, mark: str) -> str:
        kept, data = self.is_open(), b""
        try:
            if self.connection is None:
                self.connection = socket.create_connection(self.address, timeout=TIMEOUT_S)
        except OSError:
            return "refused"
        try:
            self.connection.sendall(request(self.method, mark))
            while not whole(data):
                got = self.connection.recv(65536)
                if not got:
                    raise ConnectionResetError
                data += got
        except socket.timeout:
            self.drop()
            return "timeout"
        except OSError:
            self.drop()
            return "closed" if kept and not data else "cut"
        if CLOSES.search(data):
            self.drop()
        return verdict(data, mark)

    def is_open(self) -> bool:
        """Whether there is a kept connection that B has not closed: nobody sends into one that is."""
        if self.connection is None:
            return False
        if select.select([self.connection], [], [], 0)[0]:
            self.counts["noticed"] += 1
            self.drop()
        return self.connection is not None

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def request(method: str, mark: str) -> bytes:
    body = f"{mark} {FILLING}" if method == "POST" else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} /{mark} HTTP/1.1\r\nHost: b\r\n{length}\r\n{body}".encode()


def whole(data: bytes) -> bool:
    head, blank, body = data.partition(END)
    length = LENGTH.search(head + END)
    return bool(blank) and len(body) >= (int(length[1]) if length else 0)


def verdict(data: bytes, mark: str) -> str:
    head, dummy, body = data.partition(END)
    status = head.split(b" ", 2)[1].decode(errors="replace")
    if status != "200":
        return status
    return "ok" if body == f"/{mark}\n".encode() else "wrong"


def total(callers: list[Caller]) -> dict:
    told: dict = {
        "posts": {caller.name: caller.sent for caller in callers if caller.method == "POST"},
        "failed": sorted(one for caller in callers for one in caller.failed),
    }
    for method in sorted({caller.method for caller in callers}):
        those = [caller for caller in callers if caller.method == method]
        told[method] = {
            "sent": sum(caller.sent for caller in those),
            "counts": sum((caller.counts for caller in those), Counter()),
            "ticks": sum((caller.ticks for caller in those), Counter()),
        }
    return told


def main() -> None:
    given = json.loads(sys.argv[1])
    ended = threading.Event()
    callers = [
        Caller(given["port"], method, f"{method}-{number}")
        for method, count in given["callers"].items()
        for number in range(count)
    ]
    threads = [
        threading.Thread(target=caller.run, args=(ended, given["pause_s"]), daemon=True) for caller in callers
    ]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(total(callers)))


if __name__ == "__main__":
    main()
