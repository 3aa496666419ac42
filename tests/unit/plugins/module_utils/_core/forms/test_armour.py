# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM is read as PEM_read_bio reads it: by hand for each rule, and on mutated files call by call.

More of them, with another seed:
    python -m \\
        ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core.forms.test_armour 200000 7
"""

from __future__ import annotations

import base64
import random
import sys

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import armour
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import libcrypto
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import compare

DATA = bytes(range(100))
# Reasons in OpenSSL's terms; it gives none for some.
REASONS = {
    armour.NO_START: "no start",
    armour.NO_END: "bad end",
    armour.BAD_END: "bad end",
    armour.BLANK_LINE: "bad end",
    armour.SHORT_LINE: "bad end",
    armour.LONG_LINE: "",
    armour.NOT_BASE64: "not base64",
    armour.NO_DATA: "",
}


def block(label: bytes, data: bytes, header: bytes = b"", width: int = 64) -> bytes:
    text = base64.b64encode(data)
    lines = b"\n".join(text[at : at + width] for at in range(0, len(text), width))
    return b"-----BEGIN %b-----\n%b%b\n-----END %b-----\n" % (label, header, lines, label)


A, B = block(b"A", DATA), block(b"B", DATA[::-1])
BODY = A.split(b"-----\n", 1)[1].rsplit(b"-----END", 1)[0]

RULES = [
    ("a block", A, armour.BLOCK, DATA),
    ("text before", b"x\n\ny\n" + A, armour.BLOCK, DATA),
    ("CRLF", A.replace(b"\n", b"\r\n"), armour.BLOCK, DATA),
    ("no last line break", A.rstrip(), armour.BLOCK, DATA),
    ("byte order mark", b"\xef\xbb\xbf" + A, armour.BLOCK, DATA),
    ("octets above 127 at line ends", A.replace(b"\n", b"\xc2\xa0\n"), armour.BLOCK, DATA),
    ("a blank line after BEGIN", A.replace(b"A-----\n", b"A-----\n\n", 1), armour.BLOCK, DATA),
    ("blanks inside", A.replace(b"MDEy", b"M D\tEy"), armour.BLOCK, DATA),
    ("a label with hyphens", block(b"A-B--C", DATA), armour.BLOCK, DATA),
    ("no label", block(b"", DATA), armour.BLOCK, DATA),
    ("lines of 254", block(b"A", DATA * 9, width=254), armour.BLOCK, DATA * 9),
    ("lines of 1000", block(b"A", DATA * 9, width=1000), armour.BLOCK, DATA * 9),
    ("a hyphen in the text", A.replace(b"\n-----END", b"\n-\n-----END"), armour.BLOCK, DATA),
    ("carriage returns only", block(b"A", DATA * 9).replace(b"\n", b"\r"), armour.NO_START, b""),
    ("few carriage returns", A.replace(b"\n", b"\r"), armour.NO_END, b""),
    ("blanks before BEGIN", b" " + A, armour.NO_START, b""),
    ("a second byte order mark", b"\xef\xbb\xbf\xef\xbb\xbf" + A, armour.NO_START, b""),
    ("a NUL before", b"\0\n" + A, armour.NO_START, b""),
    ("nothing", b"", armour.NO_START, b""),
    ("no END line", A[:-16], armour.NO_END, b""),
    ("another END line", A.replace(b"END A", b"END B"), armour.BAD_END, b""),
    ("a blank line inside", A.replace(BODY, BODY + b"\n"), armour.NO_DATA, b""),
    ("two blank lines", A.replace(b"A-----\n", b"A-----\n\n\n", 1), armour.BLANK_LINE, b""),
    ("a long line after headers", block(b"A", DATA, b"X: y\n\n", 68), armour.LONG_LINE, b""),
    ("a short line after headers", block(b"A", DATA, b"X: y\n\n", 60), armour.SHORT_LINE, b""),
    ("headers alone", block(b"A", DATA, b"X: y\n"), armour.NO_DATA, b""),
    ("a star", A.replace(b"M", b"*", 1), armour.NOT_BASE64, b""),
    ("a letter lost", A.replace(b"M", b"", 1), armour.NOT_BASE64, b""),
    ("padding inside", A.replace(b"MDEy", b"MA=="), armour.NOT_BASE64, b""),
    ("no text", b"-----BEGIN A-----\n-----END A-----\n", armour.NO_DATA, b""),
]


@pytest.mark.parametrize(
    ("data", "outcome", "content"), [row[1:] for row in RULES], ids=[r[0] for r in RULES]
)
def test_rules(data, outcome, content) -> None:
    reading = armour.read(data)
    assert (reading.outcome, reading.data) == (outcome, content)


@libcrypto.needs_libcrypto
@pytest.mark.parametrize("case", [row[0] for row in RULES])
def test_openssl_has_the_same_rules(case) -> None:
    data = next(row[1] for row in RULES if row[0] == case)
    compare("files", ours=read_all(data), theirs=libcrypto.blocks(data), case=f"PEM: {case}")


def test_where_a_reading_begins_ends_and_goes_on() -> None:
    reading = armour.read(b"text\n" + A + b"more\n" + B)
    assert (reading.offset, reading.stop, reading.label) == (5, 5 + len(A), b"A")
    assert reading.last == 5 + len(A) - len(b"-----END A-----\n")
    following = armour.read(b"text\n" + A + b"more\n" + B, reading.stop)
    assert (following.label, following.stop) == (b"B", 5 + len(A) + 5 + len(B))


def test_headers_are_kept() -> None:
    text = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n"
    assert armour.read(block(b"A", DATA, text + b"\n")).header == text
    assert armour.read(A).header == b""


def test_what_a_lost_end_line_swallows_is_told() -> None:
    lost = A.rsplit(b"-----END", 1)[0]
    reading = armour.read(lost + A)
    assert (reading.outcome, reading.data, reading.swallowed) == (armour.BLOCK, DATA, True)
    assert not armour.read(A + A).swallowed


def read_all(data: bytes, most: int = 50) -> list[tuple]:
    """As libcrypto.blocks."""
    found: list[tuple] = []
    position = 0
    while len(found) < most:
        reading = armour.read(data, position)
        position = reading.stop
        if reading.outcome == armour.BLOCK:
            found.append((reading.label, reading.header, reading.data, position))
            continue
        found.append((REASONS[reading.outcome], position))
        if position >= len(data):
            break
    return found


PIECES = [
    *(bytes([octet]) for octet in b"\n\r\t \0-=:*\x0b\x0c\x7f\xa0"),
    *(b"\r\n", b"\n\n", b"-----", b"-----BEGIN ", b"-----END ", b"\xef\xbb\xbf", b"\xff\xfe", b"text\n"),
    *(b"-----BEGIN A-----", b"-----BEGIN A-----\n", b"-----END A-----\n", b"-----END -----\n"),
    *(b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"),
    *(b"QUJD", b"QQ==", b"QUI=", b"A" * 64 + b"\n", b"A" * 63),
    *(b"x" * 253, b"x" * 254, b"x" * 255, b"A" * 254, b"Proc-Type: 4,ENCRYPTED\n", b"X: y\n\n"),
]
LABELS = [b"CERTIFICATE", b"A", b"", b"X509 CRL", b"A-B", b"RSA PRIVATE KEY"]
HEADERS = [b"", b"", b"", b"\n", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: A,00\n\n", b"a: b\n\n"]
WIDTHS = [64, 64, 64, 76, 4, 5, 63, 65, 253, 254, 255, 300, 1000]
LINE_ENDS = [b"\r\n", b"\r", b" \n", b"\n\n", b"\n ", b"\0\n", b"\xa0\n"]


def mutated(chance: random.Random) -> bytes:
    """One to four blocks or pieces of them, other line ends, and up to six damages."""
    parts: list[bytes] = []
    for _part in range(chance.randint(1, 4)):
        if chance.random() < 0.7:
            data = chance.randbytes(chance.choice([1, 2, 3, 10, 47, 48, 49, 96, 150, 300]))
            parts.append(block(chance.choice(LABELS), data, chance.choice(HEADERS), chance.choice(WIDTHS)))
        else:
            parts += chance.choices(PIECES, k=chance.randint(1, 12))
    data = b"".join(parts)
    if chance.random() < 0.3:
        data = data.replace(b"\n", chance.choice(LINE_ENDS))
    for _damage in range(chance.choice([0, 0, 1, 1, 2, 3, 6])):
        at = chance.randrange(len(data) + 1)
        gone = chance.choice([0, 0, 1, 1, 2, 5, 30, 70, len(data)])
        again = data[chance.randrange(len(data) + 1) :][: chance.choice([1, 5, 64, 100])]
        new = chance.choice([b"", chance.choice(PIECES), chance.randbytes(1), again])
        data = data[:at] + new + data[at + gone :]
    return data


def differing(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    files = (mutated(chance) for _number in range(count))
    return [data for data in files if read_all(data) != libcrypto.blocks(data)]


@libcrypto.needs_libcrypto
def test_openssl_reads_mutated_files_the_same() -> None:
    for number in range(20):
        compare("files", ours=differing(100, number), theirs=[], case=f"PEM: mutated, seed {number}")


def test_the_mutations_reach_every_outcome() -> None:
    """Else the comparison above would compare nothing."""
    chance = random.Random(0)
    seen: set[str] = set()
    for _number in range(3000):
        data = mutated(chance)
        position = 0
        while position < len(data):
            reading = armour.read(data, position)
            seen.add(reading.outcome)
            position = reading.stop
    assert seen == {armour.BLOCK, *REASONS}


if __name__ == "__main__":
    found = differing(int(sys.argv[1]), int(sys.argv[2]))
    print(*found[:5], f"{sys.argv[1]} files, {len(found)} differ", sep="\n")
