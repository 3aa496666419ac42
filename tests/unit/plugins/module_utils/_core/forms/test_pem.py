# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenSSL reads is read, what it skips or refuses is told with its line."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import pem

ONE = pem.encode("CERTIFICATE", b"\x30" + b"1" * 99)
TWO = pem.encode("CERTIFICATE", b"\x30" + b"2" * 99)
KEY = pem.encode("PRIVATE KEY", b"\x30" + b"3" * 99)
BOM = b"\xef\xbb\xbf"


def certificates(document: pem.Document) -> list[pem.Block]:
    return [block for block in document.blocks if block.label in pem.CERTIFICATE_LABELS]


GOOD = [
    ("plain", ONE + TWO, 2),
    ("CRLF", (ONE + TWO).replace(b"\n", b"\r\n"), 2),
    ("no last line break", (ONE + TWO).rstrip(), 2),
    ("blanks at line ends", (ONE + TWO).replace(b"\n", b"  \t\n"), 2),
    ("text around", b"Subject: a\n" + ONE + b"\nnext\n" + TWO + b"end", 2),
    ("trusted certificate", ONE.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), 1),
    ("old label", ONE.replace(b"CERTIFICATE", b"X509 CERTIFICATE"), 1),
    ("with its key", ONE + KEY, 1),
    ("only a key", KEY, 0),
    ("empty", b"", 0),
    ("noise", bytes(range(256)), 0),
]


@pytest.mark.parametrize(("data", "count"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_read_without_a_word(data, count) -> None:
    document = pem.parse(data)
    assert (len(certificates(document)), document.problems) == (count, ())


INDENTED = b"\n".join(b"  " + line for line in ONE.splitlines()) + b"\n"
BAD = [
    ("bom", BOM + ONE, 1, [("bom", 1)], ["format.bom"]),
    ("glued", ONE.rstrip() + TWO, 0, [("glued", 5)], ["format.glued_blocks"]),
    ("indented", INDENTED + TWO, 1, [("indented", 1)], ["format.indented"]),
    ("no END", ONE[:-28] + b"\n", 0, [("truncated", 1)], ["format.damaged"]),
    (
        "BEGIN in a block",
        ONE[:60] + b"\n" + TWO,
        1,
        [("cut_off", 1), ("swallowed", 3)],
        ["format.damaged", "format.damaged"],
    ),
    ("BEGIN in a block of another kind", ONE[:60] + b"\n" + KEY, 0, [("truncated", 1)], ["format.damaged"]),
    (
        "other END",
        ONE.replace(b"END CERTIFICATE", b"END CRL") + TWO,
        1,
        [("wrong_end", 1)],
        ["format.damaged"],
    ),
    ("CR only", (ONE + TWO).replace(b"\n", b"\r"), 0, [("line_breaks", 1)], ["format.line_breaks"]),
    (
        "long, CR only",
        (ONE * 9).replace(b"\n", b"\r"),
        0,
        [("line_breaks", 1)],
        ["format.line_breaks"],
    ),
    (
        "letters instead of line breaks",
        ONE.replace(b"\n", b"\\n"),
        0,
        [("line_breaks", 1)],
        ["format.line_breaks"],
    ),
    ("on one line", ONE.replace(b"\n", b" ") + TWO, 0, [("one_line", 1)], ["format.line_breaks"]),
    ("quoted", ONE.replace(b"\n", b"\n> ") + b"\n" + TWO, 1, [("truncated", 1)], ["format.damaged"]),
    (
        "quoted from the first line",
        b"> " + ONE.replace(b"\n", b"\n> ") + b"\n" + TWO,
        1,
        [("prefixed", 1)],
        ["format.indented"],
    ),
    ("four dashes", ONE.replace(b"-----", b"----") + TWO, 1, [("misspelt", 1)], ["format.damaged"]),
    ("long dashes", ONE.replace(b"-----", "—".encode()) + TWO, 1, [("misspelt", 1)], ["format.damaged"]),
    ("small letters", ONE.lower() + TWO, 1, [("misspelt", 1)], ["format.damaged"]),
    ("NUL between", ONE + b"\0" + TWO, 1, [("nul", 6)], ["format.damaged"]),
    ("blank line inside", ONE.replace(b"\n-----END", b"\n\n-----END"), 0, [("empty", 1)], ["format.damaged"]),
    ("double spaced", ONE.replace(b"\n", b"\n\n") + TWO, 1, [("blank_line", 1)], ["format.damaged"]),
    (
        "headers",
        ONE.replace(b"-----\n", b"-----\nX: y\n\n", 1) + TWO,
        1,
        [("headers", 1)],
        ["format.damaged"],
    ),
    (
        "short lines behind a blank one",
        ONE.replace(b"-----\n", b"-----\n\nQUJD\n", 1),
        0,
        [("line_length", 1)],
        ["format.damaged"],
    ),
    ("base64 of URLs", ONE.replace(b"MTEx", b"-TEx", 1), 1, [("hyphen", 1)], ["format.damaged"]),
    ("second byte order mark", ONE + BOM + TWO, 2, [("bom", 6)], ["format.bom"]),
    ("byte order mark too late", ONE + b"\n" + BOM + TWO, 1, [("indented", 7)], ["format.indented"]),
    ("no base64", ONE.replace(b"MTEx", b"M*Ex"), 0, [("damaged", 1)], ["format.damaged"]),
    (
        "empty block",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        0,
        [("empty", 1)],
        ["format.damaged"],
    ),
    ("UTF-16", ONE.decode().encode("utf-16"), 0, [("utf16", 1)], ["format.utf16"]),
]


@pytest.mark.parametrize(
    ("data", "count", "problems", "codes"), [row[1:] for row in BAD], ids=[r[0] for r in BAD]
)
def test_told_with_its_line(data, count, problems, codes) -> None:
    document = pem.parse(data)
    assert len(certificates(document)) == count
    assert [(problem.kind, problem.line) for problem in document.problems] == problems
    told = pem.problem_findings(document.problems, "a.pem")
    assert [finding.code for finding in told] == codes
    assert [finding.place for finding in told] == [f"a.pem:{line}" for _kind, line in problems]


WHOLE = pem.encode("CERTIFICATE", b"\x30\x62" + b"1" * 98)


def test_a_block_without_end_swallows_the_next() -> None:
    """OpenSSL takes the first hyphen for the end of the text: the first block is read, the second is lost."""
    document = pem.parse(WHOLE.rsplit(b"-----END", 1)[0] + TWO + KEY)
    assert [block.line for block in document.blocks] == [1, 10]
    assert [(problem.kind, problem.line, problem.label) for problem in document.problems] == [
        ("swallowed", 5, "CERTIFICATE")
    ]


def test_behind_a_block_that_is_cut_off_the_next_is_read_on() -> None:
    document = pem.parse(WHOLE[:60] + b"\n" + TWO + KEY)
    assert [(block.line, block.seen) for block in document.blocks] == [(3, False), (8, True)]
    assert [(problem.kind, problem.line) for problem in document.problems] == [
        ("cut_off", 1),
        ("swallowed", 3),
    ]


SILENT = [
    ("a mark in a comment", b"# -----BEGIN CERTIFICATE-----\n# MTEx\n" + ONE),
    ("a mark in a sentence", b"Put -----BEGIN CERTIFICATE----- first.\n" + ONE),
    ("a mark before text", b" -----BEGIN CERTIFICATE-----\n and so on\n" + ONE),
    ("the word alone", b"--- begin of the file ---\n" + ONE),
    ("an SSH key's mark", b"---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\nAAAA\n" + ONE),
    ("an END line alone", b"-----END CERTIFICATE-----\n" + ONE),
    ("a NUL behind everything", ONE + b"\0\n"),
]


@pytest.mark.parametrize("data", [row[1] for row in SILENT], ids=[row[0] for row in SILENT])
def test_what_only_looks_like_a_problem_is_none(data) -> None:
    document = pem.parse(data)
    assert (len(certificates(document)), document.problems) == (1, ())


def test_no_flood_of_findings() -> None:
    document = pem.parse(INDENTED * 4000)
    told = pem.problem_findings(document.problems, "a.pem")
    assert len(document.problems) == 1000
    assert [finding.place for finding in told] == [*(f"a.pem:{line}" for line in (1, 6, 11, 16, 21)), "a.pem"]
    assert told[-1].message.startswith("In 995 more lines ")


def test_lines_and_bytes_of_blocks() -> None:
    blocks = pem.parse(b"# first\n" + ONE + KEY).blocks
    assert [(block.label, block.line) for block in blocks] == [("CERTIFICATE", 2), ("PRIVATE KEY", 7)]
    assert blocks[0].der == b"\x30" + b"1" * 99


def test_encode_is_read_back() -> None:
    for size in (1, 47, 48, 49, 1000):
        text = pem.encode("CERTIFICATE", b"x" * size)
        assert max(len(line) for line in text.splitlines()) <= 64
        assert pem.parse(text).blocks[0].der == b"x" * size


def test_the_der_of_each_block_of_a_label() -> None:
    data = (
        pem.encode("CERTIFICATE", b"one")
        + pem.encode("X509 CRL", b"list")
        + pem.encode("CERTIFICATE", b"two")
    )
    assert list(pem.ders(b"text\n" + data)) == [b"one", b"two"]
    assert list(pem.ders(data, pem.CRL_LABEL)) == [b"list"]
    assert list(pem.ders(b"no PEM")) == list(pem.ders(data, "PRIVATE KEY")) == []


def test_old_encryption_is_seen() -> None:
    body = base64.b64encode(b"cipher text")
    text = (
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
        + body
        + b"\n-----END RSA PRIVATE KEY-----\n"
    )
    (block,) = pem.parse(text).blocks
    assert block.encrypted and block.is_private_key and block.text == text
