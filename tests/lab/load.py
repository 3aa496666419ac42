# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many callers of Server B at once, while the masters of `pids` reload: whose certificate does A see?

    load.py '{"seconds": 10, "host": "127.0.0.1", "routes": [[8080, "/path", "fingerprint"], …],
              "pids": ["/run/nginx.pid", …]}'
    -> {"requests": …, "wrong": …, "other": {"502": 3, "cut": 9}, "reloads": …, "kinds": {"TLSv1.3 new": …}}

A answers with "FINGERPRINT $ssl_session_reused $connection_requests $ssl_protocol". `requests` are the
answers that say whom A saw; a wrong one is not the route's. `other`: answers with another status, and
connections to B that a reload cut. `kinds`: how B came to A.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter

PROCESSES, THREADS = 2, 12
RELOAD_EVERY_S = 1.0


class Caller:
    """One who keeps a connection to each listener and asks all routes in any order."""

    def __init__(self, host: str, routes: list[tuple[int, str, str]]) -> None:
        self.host = host
        self.routes = [
            (port, f"GET {path} HTTP/1.1\r\nHost: b\r\n\r\n".encode(), wanted)
            for port, path, wanted in routes
        ]
        self.connections: dict[int, socket.socket] = {}
        self.counts: Counter[str] = Counter()

    def run(self, end: float) -> None:
        while time.monotonic() < end:
            port, request, wanted = random.choice(self.routes)
            try:
                head, body = self.ask(port, request)
            except OSError:
                if port in self.connections:
                    self.connections.pop(port).close()
                self.counts["other cut"] += 1
                continue
            status = head.split(b" ", 2)[1].decode()
            words = body.decode().split()
            if status != "200" or len(words) != 4:
                self.counts[f"other {status}"] += 1
                continue
            self.counts["requests"] += 1
            self.counts["wrong"] += words[0] != wanted
            how = "pooled" if words[2] != "1" else ("resumed" if words[1] == "r" else "new")
            self.counts[f"kind {words[3]} {how}"] += 1

    def ask(self, port: int, request: bytes) -> tuple[bytes, bytes]:
        if port not in self.connections:
            self.connections[port] = socket.create_connection((self.host, port), timeout=10)
        connection = self.connections[port]
        connection.sendall(request)
        data = b""
        while True:
            got = connection.recv(65536)
            if not got:
                raise ConnectionResetError
            data += got
            head, blank, body = data.partition(b"\r\n\r\n")
            if blank and len(body) >= length(head):
                if b"\r\nConnection: close" in head:
                    self.connections.pop(port).close()
                return head, body


def length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])


def work(given: dict, results: multiprocessing.Queue) -> None:
    callers = [Caller(given.get("host", "127.0.0.1"), given["routes"]) for _thread in range(THREADS)]
    end = time.monotonic() + given["seconds"]
    threads = [threading.Thread(target=caller.run, args=(end,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum((caller.counts for caller in callers), Counter()))


def main() -> None:
    given = json.loads(sys.argv[1])
    results: multiprocessing.Queue = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(given, results)) for _process in range(PROCESSES)]
    for worker in workers:
        worker.start()
    reloads, end = 0, time.monotonic() + given["seconds"]
    while given["pids"] and time.monotonic() < end:
        time.sleep(RELOAD_EVERY_S)
        with open(given["pids"][reloads % len(given["pids"])], encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGHUP)
        reloads += 1
    counts = sum((results.get() for _worker in workers), Counter())
    for worker in workers:
        worker.join()
    told: dict = {"requests": counts["requests"], "wrong": counts["wrong"], "reloads": reloads}
    for name, key in (("other", "other "), ("kinds", "kind ")):
        told[name] = {what[len(key) :]: n for what, n in sorted(counts.items()) if what.startswith(key)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
