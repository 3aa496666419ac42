# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of Server A: questions as JSON on stdin, {name: question}, answered as {name: answer}.

    {"port": 443, "sni": "a.test", "host": "a.test", "who": "b1", "version": "TLSv1_2", "ciphers": "…",
     "method": "GET", "path": "/", "headers": [[name, value], …], "body": "…"}
    -> {"status": 200, "headers": [[lower-case name, value], …], "body": "…", "version": "TLSv1.3",
        "cipher": "…", "resumed": false} or {"error": "…"}

*who*: certificate and key below the folder that is the first argument; without *sni* none is sent. *before*:
what a load balancer says before TLS begins. With "how" it is another kind of question:

    resume     asks *first*, then with the session of that -> as above, and "first": the first status;
               *between*: a shell command before the second
    h2         HTTP/2, one connection for all of *hosts* -> {"alpn": "h2", "answers": [{status, body}, …]}
    upgrade    to 101, then *body* as a WebSocket's frame -> {"status": 101, "body": what came back}
    stream     -> {"early": did anything come before the backend was told to go on, "whole": true}
    upload     half of the body, then the rest -> {"early": how much of it the backend had between, "status"}

Needs Python's standard library only.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

FOLDER = sys.argv[1]
BACKEND = "http://127.0.0.1:8000"
# What is not passed on at once comes never, or when the other side has given up.
WAIT_S = 1.0


def connect(given: dict, session: ssl.SSLSession | None = None, context: ssl.SSLContext | None = None):
    context = context or tls(given)
    raw = socket.create_connection(
        (given.get("address", "127.0.0.1"), given["port"]), timeout=given.get("timeout", 15)
    )
    raw.sendall(given.get("before", "").encode())
    return context.wrap_socket(raw, server_hostname=given.get("sni"), session=session)


def tls(given: dict) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "version" in given:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[given["version"]]
    if "ciphers" in given:
        context.set_ciphers(given["ciphers"])
    if "curve" in given:
        context.set_ecdh_curve(given["curve"])
    if "who" in given:
        context.load_cert_chain(f"{FOLDER}/{given['who']}.pem", f"{FOLDER}/{given['who']}.key")
    return context


def begin(given: dict, connection: ssl.SSLSocket) -> http.client.HTTPConnection:
    """Sends the request's head."""
    asker = http.client.HTTPConnection("unused")
    asker.sock = connection
    asker.putrequest(
        given.get("method", "GET"), given.get("path", "/"), skip_host=True, skip_accept_encoding=True
    )
    for name, value in [["Host", given.get("host") or given.get("sni") or "x"], *given.get("headers", [])]:
        asker.putheader(name, value)
    if "body" in given:
        asker.putheader("Content-Length", str(len(given["body"])))
    asker.endheaders()
    return asker


def told(response: http.client.HTTPResponse) -> dict:
    return {
        "status": response.status,
        "headers": [[name.lower(), value] for name, value in response.getheaders()],
        "body": response.read().decode(errors="replace"),
    }


def plain(given: dict, session: ssl.SSLSession | None = None, context: ssl.SSLContext | None = None) -> dict:
    with connect(given, session, context) as connection:
        if "raw" in given:
            connection.sendall(given["raw"].encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            return told(response)
        spoken = {
            "version": connection.version(),
            "cipher": connection.cipher()[0],
            "resumed": connection.session_reused,
        }
        asker = begin(given, connection)
        if "body" in given:
            asker.send(given["body"].encode())
        # With TLS 1.3 the session comes with the answer, and http.client closes what it has read to its end.
        response = asker.getresponse()
        return {**spoken, "session": connection.session, **told(response)}


def resume(given: dict) -> dict:
    """One context for both: OpenSSL takes a session only back into the context that it came from."""
    context = tls(given)
    first = plain(given["first"], context=context)
    if "between" in given:
        subprocess.run(given["between"], shell=True, check=True, stdout=subprocess.DEVNULL)
    try:
        second = plain(given, first["session"], context)
    except OSError as fault:
        second = failed(fault)
    return {**second, "first": first["status"]}


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """A header of less than 127 bytes, without indexing or Huffman (RFC 7541, 6.2.2)."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def status_of(block: bytes) -> int:
    """`:status` comes first, from the static table or as plain digits."""
    while block[0] >> 5 == 1:  # a change of the dynamic table's size
        block = block[1:]
    known = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
    return known[block[0] & 0x7F] if block[0] & 0x80 else int(block[2:5])


def http2(given: dict) -> dict:
    context = tls(given)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(given, context=context) as connection:
        chosen = connection.selected_alpn_protocol()
        if chosen != "h2":
            return {"alpn": chosen}
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        stream = connection.makefile("rb")
        answers = []
        for number, host in enumerate(given["hosts"]):
            fields = {":method": "GET", ":scheme": "https", ":authority": host, ":path": given["path"]}
            block = b"".join(literal(name, value) for name, value in fields.items())
            connection.sendall(frame(1, 5, 2 * number + 1, block))
            answers.append(answer_of(stream, connection, 2 * number + 1))
        return {"alpn": chosen, "answers": answers}


def answer_of(stream, connection: ssl.SSLSocket, wanted: int) -> dict:
    status, body = 0, b""
    while True:
        head = stream.read(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = stream.read(size)
        if kind == 4 and not flags & 1:
            connection.sendall(frame(4, 1, 0, b""))
        if kind == 1:
            status = status_of(payload)
        if kind == 0:
            body += payload
        if kind in (3, 7) or (flags & 1 and kind in (0, 1)):
            return {"status": status, "body": body.decode(errors="replace")}


def upgrade(given: dict) -> dict:
    head = {name: value for name, value in given.items() if name != "body"}
    with connect(given) as connection:
        response = begin(head, connection).getresponse()
        if response.status != 101:
            return told(response)
        data = given["body"].encode()
        # One short frame; a mask of zeros leaves the text as it is (RFC 6455, 5.3).
        connection.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)
        return {"status": 101, "body": connection.recv(4096)[2:].decode(errors="replace")}


def of_the_backend(path: str) -> str:
    with urllib.request.urlopen(BACKEND + path, timeout=10) as answer:
        return answer.read().decode()


def stream(given: dict) -> dict:
    with connect(given) as connection:
        asker = begin({**given, "headers": [["Connection", "close"]]}, connection)
        connection.settimeout(WAIT_S)
        try:
            early = connection.recv(1) != b""
        except socket.timeout:
            early = False
        of_the_backend("/go")
        connection.settimeout(15)
        rest = b""
        while got := connection.recv(4096):
            rest += got
        asker.close()
        return {"early": early, "whole": b"second\n" in rest}


def upload(given: dict) -> dict:
    half = len(given["body"]) // 2
    of_the_backend("/forget")
    with connect(given) as connection:
        asker = begin(given, connection)
        asker.send(given["body"][:half].encode())
        end = time.monotonic() + WAIT_S
        while int(of_the_backend("/progress")) != half and time.monotonic() < end:
            time.sleep(0.02)
        early = int(of_the_backend("/progress"))
        asker.send(given["body"][half:].encode())
        return {"early": early, **told(asker.getresponse())}


KINDS = {
    "": plain,
    "resume": resume,
    "h2": http2,
    "upgrade": upgrade,
    "stream": stream,
    "upload": upload,
}
#: Their state at the backend is one for all.
ALONE = ("stream", "upload")


def failed(fault: Exception) -> dict:
    return {"error": f"{type(fault).__name__}: {fault}"}


def answer(given: dict) -> dict:
    start = time.monotonic()
    try:
        found = KINDS[given.get("how", "")](given)
    except (OSError, http.client.HTTPException) as fault:
        found = failed(fault)
    found.pop("session", None)
    return {**found, "seconds": time.monotonic() - start}


def main() -> None:
    asked = json.load(sys.stdin)
    together = {name: given for name, given in asked.items() if given.get("how") not in ALONE}
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(together, pool.map(answer, together.values())))
    answers.update({name: answer(given) for name, given in asked.items() if name not in together})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
