# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind Server B in a test of its routes: a backend that takes its time, and a bad Server A.

    far_side.py 8000 5443 5444 --pem server.pem --ca clients.pem --deaf 5445 --mute 5446

The first port speaks plain HTTP:

    /…        the request as JSON: {"method": …, "path": …, "headers": [[name, value], …], "bytes": 0}
    …/ws      a WebSocket that sends each frame back
    …/stream  13 bytes: "first\\n", and "second\\n" once somebody has asked for /go
    …/upload  as the others; how much of a body has come since /forget is what /progress answers
    …/slow    answers after two seconds
    /posts    how many requests with POST the other ports have read since the last question

On the other ports stands a Server A that answers 200, and closes the connection when it has read a POST. The
*deaf* port takes no connection, the *mute* one reads nothing of a request; with --pem it speaks TLS first.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import socket
import ssl

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
WAIT_S = 20


class State:
    progress = 0
    posts = 0
    go: asyncio.Event


async def request(reader: asyncio.StreamReader) -> dict:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _version = first.split(" ")
    headers = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""] for line in lines]
    return {"method": method, "path": path, "headers": headers, "bytes": 0}


def header(asked: dict, wanted: str) -> str:
    return next((value for name, value in asked["headers"] if name.lower() == wanted), "")


async def body(reader: asyncio.StreamReader, asked: dict) -> None:
    """Reads it and counts: a chunked one by its pieces, else by its length."""
    if header(asked, "transfer-encoding").lower() != "chunked":
        await some(reader, asked, int(header(asked, "content-length") or 0))
        return
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        await some(reader, asked, size)
        await reader.readline()
        if not size:
            return


async def some(reader: asyncio.StreamReader, asked: dict, size: int) -> None:
    while size:
        got = len(await reader.read(min(size, 1 << 16)))
        if not got:
            raise EOFError
        size -= got
        asked["bytes"] += got
        State.progress += got


def answer(text: str) -> bytes:
    data = text.encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = await request(reader)
    path = asked["path"]
    if path == "/progress":
        writer.write(answer(str(State.progress)))
    elif path == "/forget":
        State.progress = 0
        writer.write(answer("forgotten"))
    elif path == "/posts":
        writer.write(answer(str(State.posts)))
        State.posts = 0
    elif path == "/go":
        State.go.set()
        writer.write(answer("gone"))
    elif path.endswith("/ws") and header(asked, "upgrade") == "websocket":
        await websocket(reader, writer, asked)
    elif path.endswith("/stream"):
        State.go.clear()
        # Of a known length: nginx does not hold back a piece that came chunked.
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\nfirst\n")
        await writer.drain()
        await asyncio.wait_for(State.go.wait(), WAIT_S)
        writer.write(b"second\n")
    else:
        if path.endswith("/slow"):
            await asyncio.sleep(2)
        await body(reader, asked)
        writer.write(answer(json.dumps(asked)))
    await writer.drain()


async def websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict) -> None:
    """Sends back what it gets, byte for byte but for the mask (RFC 6455, 5.2; short frames only)."""
    digest = hashlib.sha1(header(asked, "sec-websocket-key").encode() + GUID).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    while True:
        await writer.drain()
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        data = await reader.readexactly(length & 127)
        clear = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        writer.write(bytes([first, len(clear)]) + clear)
        if first & 15 == 8:
            return


async def bad_a(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = await request(reader)
    await body(reader, asked)
    if asked["method"] == "POST":
        State.posts += 1
    else:
        writer.write(answer("fine"))
        await writer.drain()


async def served(handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await handler(reader, writer)
    except (OSError, EOFError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The stream reads no more than its limit ahead of us."""
    await asyncio.sleep(WAIT_S)
    writer.close()


def full(port: int) -> list[socket.socket]:
    """A listener whose queue is full, so that it hears no further SYN, and what fills it."""
    listener = socket.create_server(("127.0.0.1", port), backlog=0)
    callers = [socket.socket() for _caller in range(3)]
    for caller in callers:
        caller.setblocking(False)
        caller.connect_ex(("127.0.0.1", port))
    return [listener, *callers]


def secured(pem: str, ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("bad", type=int, nargs="*")
    parser.add_argument("--deaf", type=int)
    parser.add_argument("--mute", type=int)
    parser.add_argument("--pem", help="the bad A's certificate and key")
    parser.add_argument("--ca", help="whom it accepts")
    given = parser.parse_args()
    State.go = asyncio.Event()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await served(backend, reader, writer)

    async def secure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await served(bad_a, reader, writer)

    await asyncio.start_server(plain, "127.0.0.1", given.port)
    context = secured(given.pem, given.ca) if given.pem else None
    for port in given.bad:
        await asyncio.start_server(secure, "127.0.0.1", port, ssl=context)
    if given.mute:
        listener = socket.create_server(("127.0.0.1", given.mute))
        # Small, so that a body does not fit in what lies between the two.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        await asyncio.start_server(mute, sock=listener, ssl=context)
    kept = full(given.deaf) if given.deaf else []
    await asyncio.Event().wait()
    del kept


if __name__ == "__main__":
    asyncio.run(main())
