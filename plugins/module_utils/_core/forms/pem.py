# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text (RFC 7468) as OpenSSL reads it: blocks with label, line and DER, and what is wrong with them.

Pure: nothing is parsed below the armour. What OpenSSL accepts (CRLF, a byte order mark, text before, between
and after blocks, a missing last line break) is accepted; what it skips or refuses is a problem with its line.
``armour`` has OpenSSL's rules; here is what a person wants to know where they are broken, and how to go on
reading behind it: OpenSSL gives up at the first fault, this finds all of them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Callable

from ..asn1 import der
from ..findings import Finding
from . import armour

_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_BEGIN_LINE = re.compile(rb"^-----BEGIN ([^\r\n]*)-----[\x00-\x20\x80-\xff]*$", re.MULTILINE)
_BEGIN_MARK = re.compile(rb"-----BEGIN ([^-\r\n]{1,64})-----")
_KEY_MARK = re.compile(rb"-----BEGIN ([A-Z ]{0,60}PRIVATE KEY)-----")
# The same as people and word processors spoil it: dashes lost or made long, small letters.
_DASH = rb"(?:-|\xe2\x80[\x90-\x95])"
_SPOILT_MARK = re.compile(rb"(?i)" + _DASH + rb"{1,9} ?BEGIN ([A-Z0-9 #.]{1,40}?) ?" + _DASH + rb"{1,9}")
_ENCRYPTED = re.compile(rb"Proc-Type:[ \t]*4,[ \t]*ENCRYPTED[ \t\r]*\n")
_BODY_LINE = re.compile(rb"[A-Za-z0-9+/]{4,}={0,2}|[A-Za-z-]+: .*")
_BODY = re.compile(rb"[A-Za-z0-9+/]{16}|Proc-Type:")
_INVISIBLE = bytes(range(0x21)) + bytes(range(0x80, 0x100))
_COMMENTS = (b"#", b"//", b";", b"<!--")

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
CRL_LABEL = "X509 CRL"

# More problems than this say nothing new, and a hostile file has millions of them; the bundle of all public
# CAs has 150 blocks.
_MOST_PROBLEMS = 1000
_MOST_BLOCKS = 10_000
_MOST_TOLD = 5

# kind: (code, sentence)
_KINDS = {
    "bom": ("format.bom", "a byte order mark stands before the text"),
    "glued": ("format.glued_blocks", "an END line and a BEGIN line stand on one line, so a block is lost"),
    "indented": ("format.indented", "a PEM block is indented, so OpenSSL does not see it"),
    "prefixed": (
        "format.indented",
        "something stands before the BEGIN of a PEM block, so OpenSSL does not see it",
    ),
    "misspelt": ("format.damaged", "the BEGIN line of a PEM block is misspelt, so OpenSSL does not see it"),
    "line_breaks": ("format.line_breaks", "a PEM block has lost its line breaks, so OpenSSL does not see it"),
    "one_line": ("format.line_breaks", "a PEM block begins that has lost its line breaks"),
    "nul": ("format.damaged", "a NUL octet begins the line, and OpenSSL reads no further"),
    "truncated": ("format.damaged", "a PEM block begins that has no END line of its own"),
    "cut_off": ("format.damaged", "a PEM block begins that has no END line of its own"),
    "swallowed": ("format.damaged", "a PEM block is lost, because the one before it has no END line"),
    "wrong_end": ("format.damaged", "a PEM block begins whose END line names another kind"),
    "blank_line": ("format.damaged", "a PEM block begins that has a blank line inside"),
    "line_length": (
        "format.damaged",
        "a PEM block begins whose lines, after headers or a blank line, are not of 64 letters",
    ),
    "headers": ("format.damaged", "a PEM block begins that has headers which OpenSSL refuses"),
    "damaged": ("format.damaged", "a PEM block begins whose text is not base64"),
    "hyphen": ("format.damaged", "a PEM block begins that has a hyphen in its text, where OpenSSL stops"),
    "empty": ("format.damaged", "a PEM block begins that has no text"),
    "too_many": (
        "file.too_large",
        "a PEM block begins that is one too many: it and the rest are not looked at",
    ),
    "crowded": (
        "file.too_large",
        "a PKCS#7 block begins that holds too much: what is in it, and in those behind, is not looked at",
    ),
    "der_part": (
        "format.der",
        "something in DER begins behind the PEM blocks, where OpenSSL does not see it",
    ),
    "utf16_part": ("format.utf16", "a PEM block begins that is UTF-16, so OpenSSL does not see it"),
    "utf16": ("format.utf16", "the file begins as UTF-16"),
}
_FAULTS = {
    armour.NO_END: "truncated",
    armour.BAD_END: "wrong_end",
    armour.BLANK_LINE: "blank_line",
    armour.LONG_LINE: "line_length",
    armour.SHORT_LINE: "line_length",
    armour.NOT_BASE64: "damaged",
    armour.NO_DATA: "empty",
}
# What OpenSSL passes over, and what is read and found wrong only where a block of that label is opened; all
# others end the reading, for nginx that of the whole file.
PASSED_OVER = frozenset(
    ["indented", "prefixed", "misspelt", "line_breaks", "swallowed", "der_part", "utf16_part"]
)
READ = frozenset(["hyphen", "cut_off", "headers"])


@dataclass(frozen=True)
class Block:
    """One block that OpenSSL would read. *encrypted* is the old header `Proc-Type: 4,ENCRYPTED`;
    *text* is the armoured block, needed for just that form (its DER is cipher text). Not *seen*: OpenSSL
    takes it for a part of the block before it."""

    label: str
    line: int
    der: bytes
    text: bytes
    encrypted: bool = False
    seen: bool = True

    @property
    def is_private_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")


@dataclass(frozen=True)
class Problem:
    """*kind* is one of the table above; *line* counts from 1, *label* is that of the block in question."""

    kind: str
    line: int
    label: str = ""

    @property
    def is_private_key(self) -> bool:
        return self.label.upper().endswith("PRIVATE KEY")

    def finding(self, place: str) -> Finding:
        code, sentence = _KINDS[self.kind]
        return Finding(code, f"In line {self.line} {sentence}.", f"{place}:{self.line}")


@dataclass(frozen=True)
class Document:
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...]


def problem_findings(
    problems: Iterable[Problem], place: str, is_harmless: Callable[[Problem], bool] = lambda problem: False
) -> list[Finding]:
    """The problems as findings, the first few of each kind; *place* is the file, the line is added."""
    counts: dict[tuple[str, bool], int] = {}
    found: list[Finding] = []
    for problem in problems:
        harmless = is_harmless(problem)
        key = (problem.kind, harmless)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= _MOST_TOLD:
            found.append(replace(problem.finding(place), harmless=harmless))
    for (kind, harmless), count in counts.items():
        if count > _MOST_TOLD:
            code, sentence = _KINDS[kind]
            said = f"In {count - _MOST_TOLD} more lines {sentence}."
            found.append(Finding(code, said, place, harmless))
    return found


def encode(label: str, der: bytes) -> bytes:
    """One block with lines of 64 characters and a last line break."""
    return _armoured(label, der, "")


def ders(data: bytes, label: str = "CERTIFICATE") -> Iterator[bytes]:
    """The DER of each block of that label in sound PEM, as files of a release are; ``parse`` is for any."""
    text = label.encode("latin-1")
    for match in re.finditer(rb"-----BEGIN %b-----(.+?)-----END %b-----" % (text, text), data, re.DOTALL):
        yield base64.b64decode(match.group(1))


def _armoured(label: str, content: bytes, header: str) -> bytes:
    body = base64.b64encode(content).decode("ascii")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    text = "\n".join([f"-----BEGIN {label}-----", *([header] if header else []), *lines])
    return f"{text}\n-----END {label}-----\n".encode("latin-1")


def parse(data: bytes) -> Document:
    """All blocks and problems of *data*; raises nothing, whatever the bytes are; linear in time."""
    if data[:2] in _UTF16_BOMS:
        return Document((), (Problem("utf16", 1),))
    reader = _Reader(data)
    reader.read()
    return Document(tuple(reader.blocks), tuple(reader.problems))


class _Reader:
    """Calls ``armour.read`` again and again, and looks at what it skipped."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []
        self.known = (0, 1)  # an offset and the number of its line
        self.unseen = -1  # offset of the block that OpenSSL takes for a part of the one before

    def read(self) -> None:
        if self.data.startswith(_BOM):
            self._problem("bom", 0)
        position = 0
        while position < len(self.data):
            reading = armour.read(self.data, position)
            self._skipped(position, reading.offset)
            if len(self.blocks) >= _MOST_BLOCKS and reading.outcome == armour.BLOCK:
                self._problem("too_many", reading.offset, reading.label)
                return
            position = self._take(reading)

    def _line(self, offset: int) -> int:
        """Asked with growing offsets only."""
        at, line = self.known
        line += self.data.count(b"\n", at, offset)
        self.known = (offset, line)
        return line

    def _problem(self, kind: str, offset: int, label: bytes = b"") -> None:
        if b"-----" in label:  # a short block on one line, from which OpenSSL takes all for the label
            kind, label = "one_line", label.split(b"-----", 1)[0]
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(kind, self._line(offset), label.decode("latin-1")))

    def _take(self, reading: armour.Reading) -> int:
        """Notes the block or the problem; where to go on."""
        if reading.outcome == armour.NO_START:
            return self._behind_nul(reading)
        if reading.offset and self.data.startswith(_BOM, reading.offset):
            self._problem("bom", reading.offset)
        if reading.outcome == armour.BLOCK:
            self._read(reading)
            return reading.stop
        inner = self._inner(reading)
        if not inner:
            self._fault(reading)
            return reading.stop
        # None of them has an END line but the last, which may own the one that ended the reading.
        for offset, label in [(reading.offset, reading.label), *inner[:-1]]:
            self._problem("truncated", offset, label)
        self.unseen = inner[-1][0]
        return self.unseen

    def _read(self, reading: armour.Reading) -> None:
        """A block, and what it has swallowed for want of an END line."""
        inner = self._inner(reading) if reading.swallowed else []
        whole = not reading.swallowed or _is_whole(reading.data)
        if whole or not inner:
            self._block(reading)
        if not whole:
            self._problem("cut_off" if inner else "hyphen", reading.offset, reading.label)
        for offset, label in inner:
            self._problem("swallowed", offset, label)
        if inner and not whole:
            again = armour.read(self.data, inner[-1][0])
            if again.outcome == armour.BLOCK and not again.swallowed:
                self.unseen = again.offset
                self._block(again)

    def _behind_nul(self, reading: armour.Reading) -> int:
        """The end of the file, or what a NUL makes OpenSSL take for it."""
        if _BEGIN_MARK.search(self.data, reading.offset):
            self._problem("nul", reading.offset)
        following = _BEGIN_LINE.search(self.data, reading.stop)
        return following.start() if following else len(self.data)

    def _inner(self, reading: armour.Reading) -> list[tuple[int, bytes]]:
        """BEGIN lines inside the block."""
        after = self.data.find(b"\n", reading.offset) + 1
        found = _BEGIN_LINE.finditer(self.data, after, max(after, reading.last)) if after else iter(())
        return [(match.start(), match.group(1)) for match in found]

    def _fault(self, reading: armour.Reading) -> None:
        if reading.outcome == armour.BAD_END and _BEGIN_MARK.search(self.data, reading.last, reading.stop):
            self._problem("glued", reading.last, reading.label)
        else:
            self._problem(_FAULTS[reading.outcome], reading.offset, reading.label)

    def _block(self, reading: armour.Reading) -> None:
        label, header = reading.label.decode("latin-1"), reading.header
        encrypted = bool(_ENCRYPTED.match(header)) and label.endswith("PRIVATE KEY")
        if header and not encrypted:
            self._problem("headers", reading.offset, reading.label)
            return
        text = _armoured(label, reading.data, header.decode("latin-1") if encrypted else "")
        seen = reading.offset != self.unseen
        self.blocks.append(Block(label, self._line(reading.offset), reading.data, text, encrypted, seen))

    def _skipped(self, start: int, end: int) -> None:
        """Problems for BEGIN marks in what OpenSSL passes over, one for each line."""
        position = start
        while position < end:
            mark = _SPOILT_MARK.search(self.data, position, end)
            if mark is None:
                return
            newline = self.data.find(b"\n", mark.end())
            line_end = newline if newline >= 0 else len(self.data)
            begin = self.data.rfind(b"\n", 0, mark.start()) + 1
            kind = self._why_skipped(begin, mark, line_end)
            if kind:
                self._problem(kind, begin, mark.group(1))
            key = _KEY_MARK.search(self.data, mark.end(), line_end)
            kind = self._why_skipped(begin, key, line_end) if key else ""
            if key and kind:  # behind its parameters, or its certificate
                self._problem(kind, begin, key.group(1))
            position = line_end + 1

    def _why_skipped(self, begin: int, mark: re.Match[bytes], line_end: int) -> str:
        """Nothing where the mark is only spoken of, as in a comment, or is SSH's (RFC 4716, 3.2)."""
        if mark.group(1).startswith(b"SSH2"):
            return ""
        before, after = self.data[begin : mark.start()], self.data[mark.end() : line_end]
        if before.strip().startswith(_COMMENTS):
            return ""
        if after.strip(_INVISIBLE):
            text = after.lstrip(_INVISIBLE + b"\\nr")
            return "line_breaks" if _BODY.match(text[:200]) else ""
        next_line = self.data[line_end + 1 : line_end + 200].split(b"\n", 1)[0]
        if next_line.startswith(before):
            next_line = next_line[len(before) :]
        if not _BODY_LINE.fullmatch(next_line.strip(_INVISIBLE)):
            return ""
        if not _BEGIN_MARK.fullmatch(mark.group()):
            return "misspelt"
        return "prefixed" if before.strip(_INVISIBLE) else "indented"


def _is_whole(content: bytes) -> bool:
    """Whether OpenSSL would find one whole value in it."""
    try:
        der.read(content)
    except der.DerError:
        return False
    return True
