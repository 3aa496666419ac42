# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind Server A: answers with what it was asked, and notes it as one JSON line per request.

    {"method": "GET", "path": "/x?y=1", "headers": [["Host", "a"], ...], "body_bytes": 0}

`headers` is a list, in the order and spelling received: a header that arrives twice is there twice.
"""

from __future__ import annotations

import argparse
import http.server
import json
import threading
from typing import TextIO


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log: TextIO
    lock = threading.Lock()

    def handle_any(self) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": [list(pair) for pair in self.headers.items()],
            "body_bytes": self.read_body(),
        }
        line = json.dumps(seen)
        with self.lock:
            print(line, file=self.log, flush=True)
        answer = line.encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def read_body(self) -> int:
        """Returns the length of the body; unread, it would be taken for the next request."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        total = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return total

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent: the JSON line says more."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--log", default="/dev/stdout")
    given = parser.parse_args()
    with open(given.log, "a", encoding="utf-8") as Echo.log:
        Server((given.address, given.port), Echo).serve_forever()


if __name__ == "__main__":
    main()
