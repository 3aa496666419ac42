# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text (RFC 7468) as OpenSSL reads it: blocks with label, line and DER, and what is wrong with them.

Pure: base64 only, nothing is parsed below the armour. What OpenSSL accepts (CRLF, a byte order mark,
text before, between and after blocks, a missing last line break) is accepted; what it skips or refuses
(indented or glued blocks, a missing END) is a problem with its line.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from .findings import Finding

_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_BEGIN = re.compile(r"^-----BEGIN ([^-]+)-----$")
_END = re.compile(r"^-----END ([^-]+)-----$")
_MARK = re.compile(r"-----(BEGIN|END) [^-]+-----")

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
CRL_LABEL = "X509 CRL"

_CODES = {
    "bom": "format.bom",
    "glued": "format.glued_blocks",
    "indented": "format.indented",
    "truncated": "format.damaged",
    "damaged": "format.damaged",
    "utf16": "format.unreadable",
}
_SENTENCES = {
    "bom": "the file begins with a byte order mark",
    "glued": "an END line and a BEGIN line stand on one line, so a block is lost",
    "indented": "a PEM block is indented, so OpenSSL does not see it",
    "truncated": "a PEM block has no END line of its own",
    "damaged": "the text of a PEM block is not base64",
    "utf16": "the file is UTF-16",
}


@dataclass(frozen=True)
class Block:
    """One block that OpenSSL would read. *encrypted* is the old header `Proc-Type: 4,ENCRYPTED`;
    *text* is the armoured block, needed for just that form (its DER is cipher text)."""

    label: str
    line: int
    der: bytes
    text: bytes
    encrypted: bool = False

    @property
    def is_certificate(self) -> bool:
        return self.label in CERTIFICATE_LABELS

    @property
    def is_private_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")


@dataclass(frozen=True)
class Problem:
    """*kind* is one of bom, glued, indented, truncated, damaged, utf16; *line* counts from 1."""

    kind: str
    line: int


@dataclass(frozen=True)
class Document:
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...]

    def certificates(self) -> list[Block]:
        return [block for block in self.blocks if block.is_certificate]

    def private_keys(self) -> list[Block]:
        return [block for block in self.blocks if block.is_private_key]

    def findings(self, place: str) -> list[Finding]:
        """The problems as findings; *place* is the file, the line is added to it."""
        return [
            Finding(
                _CODES[problem.kind],
                f"In line {problem.line} {_SENTENCES[problem.kind]}.",
                f"{place}:{problem.line}",
            )
            for problem in self.problems
        ]


def looks_like_der(data: bytes) -> bool:
    """Whether *data* begins as an ASN.1 SEQUENCE in definite-length form and has no PEM in it."""
    return len(data) > 2 and data[0] == 0x30 and b"-----BEGIN " not in data


def encode(label: str, der: bytes) -> bytes:
    """One block with lines of 64 characters and a last line break."""
    body = base64.b64encode(der).decode("ascii")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")


def parse(data: bytes) -> Document:
    """All blocks and problems of *data*; raises nothing, whatever the bytes are."""
    if data[:2] in _UTF16_BOMS:
        return Document((), (Problem("utf16", 1),))
    reader = _Reader()
    if data.startswith(_BOM):
        reader.problems.append(Problem("bom", 1))
        data = data[len(_BOM) :]
    # OpenSSL cuts trailing control characters and blanks of each line (crypto/pem/pem_lib.c, sanitize_line).
    for number, line in enumerate(re.split(r"\r\n|\n|\r", data.decode("latin-1")), start=1):
        reader.take(number, line.rstrip())
    reader.finish()
    return Document(tuple(reader.blocks), tuple(reader.problems))


class _Reader:
    """Line by line; *label* is that of the block that is open."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []
        self.label = ""
        self.start = 0
        self.body: list[str] = []

    def take(self, number: int, line: str) -> None:
        begin, end = _BEGIN.match(line), _END.match(line)
        if begin:
            self.finish()
            self.label, self.start, self.body = begin.group(1), number, []
        elif end and self.label:
            self._close(end.group(1))
        elif _MARK.search(line):
            self._stray_mark(number, line)
        elif self.label:
            self.body.append(line)

    def finish(self) -> None:
        if self.label:
            self.problems.append(Problem("truncated", self.start))
        self.label = ""

    def _close(self, label: str) -> None:
        if label != self.label:
            self.finish()
            return
        block = _block(label, self.start, self.body)
        if block is None:
            self.problems.append(Problem("damaged", self.start))
        else:
            self.blocks.append(block)
        self.label = ""

    def _stray_mark(self, number: int, line: str) -> None:
        """A BEGIN or END with something else on its line, or an END without BEGIN."""
        if not _MARK.fullmatch(line.strip()):
            self.problems.append(Problem("glued", number))
        elif "BEGIN" in line:
            self.problems.append(Problem("indented", number))
        self.label = ""


def _block(label: str, line: int, body: list[str]) -> Block | None:
    """None when the body is not base64."""
    # RFC 1421 headers, as in the traditional encrypted form, end at the first blank line.
    headers: list[str] = []
    if any(":" in text for text in body) and "" in body:
        cut = body.index("")
        headers, body = body[:cut], body[cut + 1 :]
    try:
        der = base64.b64decode("".join(body), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not der:
        return None
    encrypted = any(text.startswith("Proc-Type:") and "ENCRYPTED" in text for text in headers)
    if not encrypted:
        return Block(label, line, der, encode(label, der))
    text = "\n".join([f"-----BEGIN {label}-----", *headers, "", *body, f"-----END {label}-----", ""])
    return Block(label, line, der, text.encode("latin-1"), True)
