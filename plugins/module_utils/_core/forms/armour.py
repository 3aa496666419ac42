# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL's reader of PEM, line by line as PEM_read_bio works (crypto/pem/pem_lib.c): what one call reads,
where it stops, and why it fails. ``pem`` makes of it what people want to know of a file.

The rules, tried on OpenSSL 3.0, 3.5 and 3.6 with files: a line is read in pieces of 254 octets; a NUL ends
its piece, and the file where it begins one; control characters, blanks and octets above 127 at the end of a
piece are cut off (char is signed on amd64; on arm64, where it is not, those octets stay); a byte order mark
is skipped in the first line of each call; a colon before the first blank line makes headers of all lines up
to there. In the text, `-` ends the base64 (crypto/evp/encode.c, B64_EOF), so a BEGIN line inside a block
swallows the rest up to the END line.

Pure; linear in time.
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple, Optional

# BIO_gets(bp, linebuf, LINESIZE) of get_name and get_header_and_data
_PIECE = 254
_BOM = b"\xef\xbb\xbf"
_BEGIN, _END, _TAIL = b"-----BEGIN ", b"-----END ", b"-----"
_CUT_OFF = bytes(range(0x21)) + bytes(range(0x80, 0x100))
_TEXT_LINE = 64
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
# A piece that begins a block or, with a NUL, ends the file; pieces before it in its line are skipped.
_HERE = rb"(?:[^\n]{254})*?(?:-----BEGIN |\x00)"
_IN_THIS_LINE = re.compile(_HERE)
_IN_A_LINE = re.compile(rb"^" + _HERE, re.MULTILINE)
# A line in a block that has to be looked at: END, blank, with a NUL, or longer than a piece.
_UNUSUAL = re.compile(
    rb"^(?:-----END |[\x01-\x09\x0b-\x20\x80-\xff]*\n|[^\n\x00]{0,253}\x00|[^\n]{254})", re.MULTILINE
)
_LINE_END = re.compile(rb"[\x01-\x09\x0b-\x20\x80-\xff]+\n")

# Outcomes: a block; no further block; what is wrong with one.
BLOCK = "block"
NO_START = "no start"
NO_END = "no end"
BAD_END = "bad end"
BLANK_LINE = "blank line"
LONG_LINE = "long line"
SHORT_LINE = "short line"
NOT_BASE64 = "not base64"
NO_DATA = "no data"


class Reading(NamedTuple):
    """What one call reads. *offset* is where its BEGIN line begins (the end of what was skipped without one),
    *last* where the last line read begins, *stop* where the next call goes on. *swallowed*: base64 ended at a
    hyphen before the END line."""

    outcome: str
    offset: int
    last: int
    stop: int
    label: bytes = b""
    header: bytes = b""
    data: bytes = b""
    swallowed: bool = False


def read(data: bytes, position: int = 0) -> Reading:
    """One call of PEM_read_bio at *position*, where a line or the rest of a line begins."""
    begin, label, after = _begin(data, position)
    if label is None:
        return Reading(NO_START, begin, begin, after)
    return _Body(data, begin, label).read(after)


def _piece(data: bytes, position: int) -> tuple[bytes, int]:
    """(one piece as strlen sees it, where the next one begins); nothing at the end."""
    newline = data.find(b"\n", position, position + _PIECE)
    after = newline + 1 if newline >= 0 else min(position + _PIECE, len(data))
    return data[position:after].split(b"\0", 1)[0], after


def _begin(data: bytes, position: int) -> tuple[int, Optional[bytes], int]:
    """(offset of the BEGIN line, its label, offset after it); without label at the end of the file."""
    first, after = _piece(data, position)
    if not first:
        return position, None, after
    if first.startswith(_BOM) and len(first) > len(_BOM):
        first = first[len(_BOM) :]
    label = _label(first)
    begin = position
    while label is None:
        in_line = after > 0 and data[after - 1 : after] != b"\n"
        found = _IN_THIS_LINE.match(data, after) if in_line else None
        found = found or _IN_A_LINE.search(data, after)
        if found is None:
            return len(data), None, len(data)
        begin = found.end() - (1 if data[found.end() - 1] == 0 else len(_BEGIN))
        piece, after = _piece(data, begin)
        if not piece:
            return begin, None, after
        label = _label(piece)
    return begin, label, after


def _label(piece: bytes) -> Optional[bytes]:
    text = piece.rstrip(_CUT_OFF)
    if text.startswith(_BEGIN) and text.endswith(_TAIL) and len(text) >= len(_BEGIN) + len(_TAIL):
        return text[len(_BEGIN) : -len(_TAIL)]
    return None


class _Body:
    """get_header_and_data: from the line after BEGIN to the END line."""

    def __init__(self, data: bytes, begin: int, label: bytes) -> None:
        self.data = data
        self.begin = begin
        self.label = label
        self.header = bytearray()  # the text, too, until a blank line or the END line tells
        self.text = bytearray()
        self.state = "maybe header"
        self.complete = False  # a short line must be the last one
        self.partial = False  # the last piece was not the end of its line

    def read(self, position: int) -> Reading:
        position = self._take_usual(position)
        while True:
            last = position
            piece, position = _piece(self.data, position)
            outcome = self._take(piece) if piece else NO_END
            if outcome:
                return self._reading(outcome, last, position)

    def _take_usual(self, position: int) -> int:
        """Ordinary lines at once; only a matter of time."""
        if self.data[position - 1 : position] != b"\n":
            return position
        unusual = _UNUSUAL.search(self.data, position)
        end = unusual.start() if unusual else self.data.rfind(b"\n", position) + 1
        if end <= position:
            return position
        lines = self.data[position:end].replace(b"\r\n", b"\n")
        self.header += _LINE_END.sub(b"\n", lines)
        if b":" in lines:
            self.state = "header"
        return end

    def _take(self, piece: bytes) -> str:
        """An outcome, or nothing while the block goes on."""
        if self.state == "maybe header" and b":" in piece:
            self.state = "header"
        rest, self.partial = self.partial, len(piece) == _PIECE and not piece.endswith(b"\n")
        line = piece.rstrip(_CUT_OFF)
        if not line:
            return "" if rest else self._take_blank()
        if line.startswith(_END):
            return BLOCK if line == _END + self.label + _TAIL else BAD_END
        if self.complete:
            return SHORT_LINE
        if self.state != "text":
            self.header += line + b"\n"
            return ""
        self.text += line + b"\n"
        self.complete = len(line) < _TEXT_LINE
        return LONG_LINE if len(line) > _TEXT_LINE else ""

    def _take_blank(self) -> str:
        if self.state == "text":
            return BLANK_LINE
        self.state = "text"
        return ""

    def _reading(self, outcome: str, last: int, stop: int) -> Reading:
        if outcome != BLOCK:
            return Reading(outcome, self.begin, last, stop, self.label)
        header, text = bytes(self.header), bytes(self.text)
        if self.state == "maybe header":
            header, text = b"", header
        content = decode(text)
        if not content:
            outcome = NOT_BASE64 if content is None else NO_DATA
        return Reading(outcome, self.begin, last, stop, self.label, header, content or b"", b"-" in text)


def decode(text: bytes) -> Optional[bytes]:
    """EVP_DecodeUpdate and EVP_DecodeFinal: blanks and line ends are nothing, a hyphen is the end."""
    body = text.split(b"-", 1)[0].translate(None, b" \t\r\n")
    if len(body) % 4 or not _BASE64.fullmatch(body):
        return None
    return base64.b64decode(body)
