# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A caller of Server B: a list of questions as JSON on stdin, answered one after the other as JSON.

    {"port": 8080, "host": "127.0.0.1", "source": "127.0.0.2", "method": "GET", "path": "/", "headers":
     [[name, value], …], "body": "", "times": 1, "timeout": 30}
    -> {"status": 200, "headers": {lower-case name: value}, "body": "…", "seconds": 0.1}

*times*: so many on one connection; the answer is the list of them. Without an answer it is {"error": "…"}.
With "how" it is another kind of question:

    websocket   sends the body as a frame -> {"status": 101, "body": what came back}
    stream      -> {"first": whether it came before far_side.py was told to go on, "rest": whether that came}
    upload      a body of "size" bytes -> {"early": how many of the first half the backend had before the
                other half was sent, "files": bytes in nginx's temporary files then, "status": …, "body": …}
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time

BACKEND = 8000
WAIT_S = 1.5
OPEN_FILES = """
for file in /proc/[0-9]*/fd/*; do
    case $(readlink "$file") in /var/lib/nginx/*) stat --dereference --format=%s "$file" ;; esac
done; true
"""


def connect(given: dict) -> http.client.HTTPConnection:
    source = (given["source"], 0) if "source" in given else None
    host = given.get("host", "127.0.0.1")
    return http.client.HTTPConnection(
        host, given["port"], timeout=given.get("timeout", 30), source_address=source
    )


def send(connection: http.client.HTTPConnection, given: dict) -> None:
    """Headers as they are given: one may be there twice."""
    headers = [list(pair) for pair in given.get("headers", [])]
    names = {name.lower() for name, _value in headers}
    connection.putrequest(
        given.get("method", "GET"),
        given.get("path", "/"),
        skip_host="host" in names,
        skip_accept_encoding=True,
    )
    data = given.get("body", "").encode()
    if data:
        headers.append(["Content-Length", str(len(data))])
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(data or None)


def told(response: http.client.HTTPResponse, begin: float) -> dict:
    return {
        "status": response.status,
        "headers": {name.lower(): value for name, value in response.getheaders()},
        "body": response.read().decode(errors="replace"),
        "seconds": round(time.monotonic() - begin, 2),
    }


def plain(given: dict) -> dict | list:
    connection = connect(given)
    answers = []
    for _time in range(given.get("times", 1)):
        begin = time.monotonic()
        send(connection, given)
        answers.append(told(connection.getresponse(), begin))
    return answers if "times" in given else answers[0]


def of_the_backend(path: str) -> str:
    return plain({"port": BACKEND, "path": path})["body"]


def websocket(given: dict) -> dict:
    connection = connect(given)
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = [["Upgrade", given.get("upgrade", "websocket")], ["Connection", "Upgrade"]]
    more = [["Sec-WebSocket-Version", "13"], ["Sec-WebSocket-Key", key]]
    send(connection, {"path": given["path"], "headers": upgrade + more})
    connection.sock.settimeout(given.get("timeout", 30))
    stream = connection.sock.makefile("rb")
    status = int(stream.readline().split()[1])
    while stream.readline().strip():
        pass
    if status != 101:
        return {"status": status}
    time.sleep(given.get("silent", 0))
    data, mask = given["body"].encode(), os.urandom(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
    connection.sock.sendall(bytes([0x81, 0x80 | len(data)]) + mask + masked)
    head = stream.read(2)
    return {"status": status, "body": stream.read(head[1]).decode() if head else "closed"}


def stream(given: dict) -> dict:
    connection = connect(given)
    send(connection, given)
    connection.sock.settimeout(WAIT_S)
    first, rest = b"", b""
    try:
        while b"first\n" not in first:
            first += connection.sock.recv(4096)
    except socket.timeout:
        pass
    of_the_backend("/go")
    connection.sock.settimeout(30)
    while b"second\n" not in rest:
        got = connection.sock.recv(4096)
        if not got:
            break
        rest += got
    return {"first": b"first\n" in first, "rest": b"second\n" in rest}


def upload(given: dict) -> dict:
    of_the_backend("/forget")
    connection = connect(given)
    size, piece = given["size"], b"x" * (1 << 20)
    begin = time.monotonic()
    connection.putrequest("POST", given["path"])
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    sent = 0
    early, files = 0, 0
    try:
        for stop in (size // 2, size):
            while sent < stop:
                connection.send(piece[: stop - sent])
                sent += min(len(piece), stop - sent)
            if stop < size:
                early, files = half_way(stop)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer says why
    return {**told(connection.getresponse(), begin), "early": early, "files": files}


def half_way(stop: int) -> tuple[int, int]:
    """How much the backend has, once it has all of that, or after a while; and what lies in files then."""
    end = time.monotonic() + WAIT_S
    last = -1
    # As long as something comes, a slow machine gets its time.
    while time.monotonic() < end:
        now = int(of_the_backend("/progress"))
        if now >= stop:
            break
        if now > last > -1:
            end = time.monotonic() + WAIT_S
        last = now
        time.sleep(0.05)
    return int(of_the_backend("/progress")), in_files()


def in_files() -> int:
    """Bytes in nginx's temporary files. They have no name any more (ngx_open_tempfile), and only nginx's own
    user may look at what a worker has open."""
    command = ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "bash", "-c", OPEN_FILES]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return sum(map(int, done.stdout.split()))


KINDS = {"": plain, "websocket": websocket, "stream": stream, "upload": upload}


def main() -> None:
    answers = []
    for given in json.load(sys.stdin):
        try:
            answers.append(KINDS[given.get("how", "")](given))
        except (OSError, http.client.HTTPException) as fault:
            answers.append({"error": f"{type(fault).__name__}: {fault}"})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
