# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP/1.1 request and its answer over any pair of send and receive; bounded in memory.

Written here because ``http.client`` has no bound on a whole exchange: a server that drips one byte a
second, or never ends its header, must not hold a host transaction. Time is the caller's: *recv* raises
when the deadline has passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

BODY_LIMIT = 64 * 1024
_HEAD_LIMIT = 64 * 1024
_LINE_LIMIT = 8 * 1024
_STRAY = 64
_FRAME = 9  # octets of a frame's header (RFC 9113, 4.1)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_TARGET = re.compile(r"[!-~]+")
_HOST = re.compile(r"[!-~]*")
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: .*)?")
# Framing and routing are the probe's own: a second header of these would make the answer say nothing.
_OWN_HEADERS = frozenset(("host", "connection", "content-length", "transfer-encoding"))


class HttpError(Exception):
    """The peer's answer is not HTTP/1.x, or ended early."""


@dataclass
class Response:
    """An answer, filled as it arrives, so that what came before a fault is not lost. *stray*: how that began
    which is no HTTP/1.x."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    truncated: bool = False
    stray: bytes = b""


def render_request(
    method: str, target: str, host: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """Return the request's bytes, with ``Connection: close``.

    Raises MtlsError for a method, target, host or header that could end a line or a header early.
    """
    if not _TOKEN.fullmatch(method):
        raise MtlsError(f"{method!r} is not an HTTP method.", "method")
    if not _TARGET.fullmatch(target) or not target.startswith(("/", "*")):
        raise MtlsError(
            f"{target!r} is not a request path.", "path", "Begin it with / and percent-encode the rest."
        )
    if not _HOST.fullmatch(host):
        raise MtlsError(f"{host!r} cannot stand in a Host header.", "http_host")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise MtlsError(f"{name!r} is not a header name.", "headers")
        if name.lower() in _OWN_HEADERS:
            raise MtlsError(f"{name} is set by the probe itself.", "headers", "For Host use http_host.")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value):
            raise MtlsError(f"The value of {name} holds a control character.", "headers")
        lines.append(f"{name}: {value}")
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def read_response(recv: Callable[[int], bytes], method: str, response: Response) -> None:
    """Read one final answer into *response*; interim answers (1xx) are skipped.

    *recv(n)* returns at most n bytes, and b"" at the end. The body is cut at BODY_LIMIT bytes, and
    ``truncated`` says so. Raises HttpError, and whatever *recv* raises.
    """
    stream = _Stream(recv)
    try:
        status, headers = stream.head()
        while status < 200 and status != 101:  # 101 is final: what follows is no HTTP/1.1 (RFC 9110, 15.2.2)
            status, headers = stream.head()
    finally:
        response.stray = stream.stray
    response.status, response.headers = status, headers
    if method == "HEAD" or status in (101, 204, 304):
        return
    try:
        stream.body(headers)
    finally:
        response.body = bytes(stream.taken)
        response.truncated = stream.truncated


class _Stream:
    def __init__(self, recv: Callable[[int], bytes]) -> None:
        self._recv = recv
        self._buffer = bytearray()
        self.taken = bytearray()
        self.truncated = False
        self.stray = b""

    def _more(self) -> bool:
        data = self._recv(16384)
        self._buffer += data
        return bool(data)

    def _line(self, limit: int, what: str) -> bytes:
        """Take one line without its end. Lone line feeds are accepted (RFC 9112, 2.2)."""
        start = 0
        while True:
            end = self._buffer.find(b"\n", start)
            if end < 0 and len(self._buffer) <= limit:
                start = len(self._buffer)
                if self._more():
                    continue
                raise HttpError(f"the connection was closed within {what}")
            if end < 0 or end > limit:
                raise HttpError(f"{what} is longer than {limit} bytes")
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            return line

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        if not self._buffer and not self._more():
            raise HttpError("the connection was closed without an answer")
        # Told by the first bytes: a peer that speaks something else may never send a line feed.
        while len(self._buffer) < 5 and b"HTTP/".startswith(self._buffer) and self._more():
            pass
        if not self._buffer.startswith(b"HTTP/"):
            self.stray = bytes(self._buffer[:_STRAY])
            # A frame of HTTP/2 or an alert of TLS is told by its whole header.
            while len(self._buffer) < _FRAME and self._buffer[0] in (0, 0x15) and self._more():
                self.stray = bytes(self._buffer[:_STRAY])
            raise HttpError(f"the answer is not HTTP/1.x: it begins {bytes(self._buffer[:24])!r}")
        first = self._line(_LINE_LIMIT, "the status line")
        match = _STATUS_LINE.fullmatch(first)
        if match is None:
            self.stray = first[:_STRAY]
            raise HttpError(f"the answer is not HTTP/1.x: it begins {first[:24]!r}")
        headers: list[tuple[str, str]] = []
        left = _HEAD_LIMIT
        while True:
            line = self._line(left, "the header")
            left -= len(line) + 2
            if not line:
                return int(match.group(1)), headers
            text = line.decode("latin-1")
            if text[0] in " \t" and headers:  # obs-fold (RFC 9112, 5.2)
                name, value = headers.pop()
                headers.append((name, f"{value} {text.strip()}"))
                continue
            name, colon, value = text.partition(":")
            if not colon or not _TOKEN.fullmatch(name):
                raise HttpError(f"the header has a line without a name: {line[:24]!r}")
            headers.append((name, value.strip(" \t")))

    def body(self, headers: list[tuple[str, str]]) -> None:
        """Take the body by the rules of RFC 9112, 6.3: chunked, then Content-Length, then to the end."""
        coding = ",".join(v for n, v in headers if n.lower() == "transfer-encoding").lower()
        lengths = {v for n, v in headers if n.lower() == "content-length"}
        if coding.rsplit(",", 1)[-1].strip() == "chunked":
            self._chunked()
        elif coding or not lengths:
            while not self.truncated and (self._buffer or self._more()):
                self._take(len(self._buffer))
        else:
            length = lengths.pop()
            if lengths or not re.fullmatch(r"[0-9]{1,18}", length):
                raise HttpError("the answer's Content-Length is not one number")
            self._exactly(int(length), "body")

    def _take(self, count: int) -> None:
        room = BODY_LIMIT - len(self.taken)
        self.taken += self._buffer[: min(count, room)]
        self.truncated = self.truncated or count > room
        del self._buffer[:count]

    def _exactly(self, count: int, what: str) -> None:
        left = count
        while left and not self.truncated:
            if not self._buffer and not self._more():
                raise HttpError(
                    f"the connection was closed after {count - left} of {count} bytes of the {what}"
                )
            part = min(left, len(self._buffer))
            self._take(part)
            left -= part

    def _chunked(self) -> None:
        while not self.truncated:
            size = self._line(_LINE_LIMIT, "a chunk's size").partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
                raise HttpError(f"a chunk's size is not a number: {size[:24]!r}")
            if int(size, 16) == 0:
                left = _HEAD_LIMIT
                while True:
                    trailer = self._line(left, "the trailer")
                    left -= len(trailer) + 2
                    if not trailer:
                        return
            self._exactly(int(size, 16), "chunk")
            if not self.truncated and self._line(2, "a chunk's end"):
                raise HttpError("a chunk is longer than its size")
