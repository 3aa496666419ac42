# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP reader and writer over bytes in memory: every cut, every split, nothing but HttpError."""

from __future__ import annotations

import contextlib
import random
from typing import Callable, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.http1 import (
    BODY_LIMIT,
    HttpError,
    Response,
    read_response,
    render_request,
)


def source(data: bytes, size: int = 10**9) -> Callable[[int], bytes]:
    """A recv() that gives *data* in parts of at most *size* bytes, then the end."""
    rest = bytearray(data)

    def recv(most: int) -> bytes:
        part = bytes(rest[: min(size, most)])
        del rest[: len(part)]
        return part

    return recv


def read(data: bytes, method: str = "GET", size: int = 10**9) -> Response:
    response = Response()
    read_response(source(data, size), method, response)
    return response


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

GOOD = [
    (OK + b"\r\n", 200, b""),
    (OK + b"\r\nto the end", 200, b"to the end"),
    (OK + b"Content-Length: 3\r\n\r\nabcdef", 200, b"abc"),
    (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    (OK + b"Content-Length: 0\r\n\r\nx", 200, b""),
    (OK + b"content-LENGTH:3\r\n\r\nabc", 200, b"abc"),
    (CHUNKED + b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
    (CHUNKED + b"A\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, b"0123456789"),
    (CHUNKED + b"0\r\n\r\nx", 200, b""),
    (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, b"ab"),
    (OK + b"Transfer-Encoding: gzip, Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, b"ab"),
    (OK + b"Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nab", 200, b"ab"),
    (b"HTTP/1.1 204 No Content\r\n\r\nx", 204, b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\nx", 101, b""),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK + b"\r\nx", 200, b"x"),
    (b"HTTP/1.0 400 Bad Request\n\nx", 400, b"x"),
    (b"HTTP/1.1 200\r\n\r\n", 200, b""),
    (b"HTTP/1.1 421 \xff\r\nA: \xff\r\n\r\n", 421, b""),
]


@pytest.mark.parametrize("size", [1, 7, 10**9])
@pytest.mark.parametrize(("data", "status", "body"), GOOD)
def test_an_answer_is_read(data: bytes, status: int, body: bytes, size: int) -> None:
    response = read(data, size=size)
    assert (response.status, response.body, response.truncated) == (status, body, False)


def test_headers_keep_order_and_repeats() -> None:
    response = read(OK + b"A: 1\r\nB:\t2 \r\nA: 3\r\nC: x\r\n  folded\r\nD:\r\n\r\n")
    assert response.headers == [("A", "1"), ("B", "2"), ("A", "3"), ("C", "x folded"), ("D", "")]


def test_headers_of_interim_answers_are_dropped() -> None:
    assert read(b"HTTP/1.1 103 x\r\nA: 1\r\n\r\n" + OK + b"B: 2\r\n\r\n").headers == [("B", "2")]


def test_head_has_no_body() -> None:
    assert read(OK + b"Content-Length: 9\r\n\r\n", "HEAD").body == b""


BAD: list[tuple[bytes, str, Optional[bytes]]] = [
    (b"", "without an answer", None),
    (b"HTTP/1.1 200 OK\r\n", "within the header", None),
    (b"HTTP/1.1 20", "within the status line", None),
    (b"SSH-2.0-x\r\n", "not HTTP", None),
    (b"\x15\x03\x01\0\x02\x02\x16", "not HTTP", None),
    (b"HTTP/2 200\r\n\r\n", "not HTTP", None),
    (b"HTTP/1.1 099 x\r\n\r\n", "not HTTP", None),
    (b"HTTP/1.1 2000 x\r\n\r\n", "not HTTP", None),
    (OK + b"no colon\r\n\r\n", "without a name", None),
    (OK + b"a b: c\r\n\r\n", "without a name", None),
    (OK + b" first: c\r\n\r\n", "without a name", None),
    (OK + b"Content-Length: x\r\n\r\n", "Content-Length", b""),
    (OK + b"Content-Length: -1\r\n\r\n", "Content-Length", b""),
    (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length", b""),
    (OK + b"Content-Length: 9\r\n\r\nabc", "3 of 9", b"abc"),
    (CHUNKED + b"xyz\r\n", "size is not a number", b""),
    (CHUNKED + b"-1\r\n", "size is not a number", b""),
    (CHUNKED + b"\r\n", "size is not a number", b""),
    (CHUNKED + b"5\r\nabc", "3 of 5", b"abc"),
    (CHUNKED + b"3\r\nabcd\r\n", "longer than", b"abc"),
    (CHUNKED + b"3\r\nabc\r\n", "within a chunk's size", b"abc"),
    (CHUNKED + b"0\r\n", "within the trailer", b""),
    (CHUNKED + b"1" * 9000, "longer than", b""),
    (b"HTTP/1.1 200 " + b"x" * 9000, "longer than", None),
    (OK + b"A: b\r\n" * 20000, "longer than", None),
]


@pytest.mark.parametrize("size", [1, 10**9])
@pytest.mark.parametrize(("data", "words", "body"), BAD)
def test_a_broken_answer_is_an_http_error(data: bytes, words: str, body: Optional[bytes], size: int) -> None:
    response = Response()
    with pytest.raises(HttpError, match=words):
        read_response(source(data, size), "GET", response)
    assert response.body == (body or b"")
    assert response.status == (0 if body is None else 200)


@pytest.mark.parametrize(("extra", "truncated"), [(-1, False), (0, False), (1, True), (10**6, True)])
def test_the_body_is_cut_at_its_limit(extra: int, truncated: bool) -> None:
    size = BODY_LIMIT + extra
    body = b"x" * size
    for data in (
        OK + b"Content-Length: %d\r\n\r\n" % size + body,
        OK + b"\r\n" + body,
        CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body),
    ):
        response = read(data)
        assert (len(response.body), response.truncated) == (min(size, BODY_LIMIT), truncated)


def test_random_damage_is_never_more_than_an_http_error() -> None:
    dice = random.Random(9)
    for _try in range(3000):
        data = bytearray(dice.choice(GOOD)[0])
        for _damage in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(HttpError):
            read(bytes(data), size=dice.randrange(1, 40))


def test_a_request() -> None:
    assert render_request("GET", "/a?b", "h.test", [("X-A", "é")]) == (
        "GET /a?b HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\nX-A: é\r\n\r\n".encode()
    )
    assert render_request("POST", "/", "h").endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert render_request("POST", "/", "h", body=b"abc").endswith(b"\r\nContent-Length: 3\r\n\r\nabc")
    assert render_request("OPTIONS", "*", "").startswith(b"OPTIONS * HTTP/1.1\r\nHost: \r\n")


@pytest.mark.parametrize(
    ("value", "accepted"), [("a\tb", True), ("", True), ("a\nb", False), ("a\0", False), ("\x7f", False)]
)
def test_header_values(value: str, accepted: bool) -> None:
    if accepted:
        assert render_request("GET", "/", "h", [("X", value)])
    else:
        with pytest.raises(MtlsError):
            render_request("GET", "/", "h", [("X", value)])
