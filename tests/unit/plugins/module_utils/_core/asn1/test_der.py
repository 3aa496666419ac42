# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of DER: what OpenSSL reads is read, what it refuses is refused with a sentence."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.der import CONTEXT, DerError, Fields
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import raw

NULL = b"\x05\x00"

READ = {
    "short length": (raw.octets(b"ab"), der.OCTET_STRING, b"ab"),
    "length of one octet": (raw.octets(b"a" * 200), der.OCTET_STRING, b"a" * 200),
    "length of two octets": (raw.octets(b"a" * 300), der.OCTET_STRING, b"a" * 300),
    "length in more octets than needed": (raw.long_length(0x04, b"ab", 8), der.OCTET_STRING, b"ab"),
    "length in a hundred octets": (raw.long_length(0x04, b"ab", 100), der.OCTET_STRING, b"ab"),
    "indefinite length": (raw.indefinite(0x30, NULL), der.SEQUENCE, NULL),
    "indefinite inside indefinite": (
        raw.indefinite(0x30, raw.indefinite(0x31, NULL)),
        der.SEQUENCE,
        raw.indefinite(0x31, NULL),
    ),
    "zeros inside a value of known length": (
        raw.indefinite(0x30, raw.octets(b"\0\0")),
        der.SEQUENCE,
        raw.octets(b"\0\0"),
    ),
    "small tag in the long form": (b"\x1f\x04\x01a", der.OCTET_STRING, b"a"),
    "big tag": (b"\x9f\x81\x01\x01a", CONTEXT | 129 << 8, b"a"),
}


@pytest.mark.parametrize("case", READ)
def test_read(case) -> None:
    data, tag, content = READ[case]
    element, end = der.read(b"\xff" + data + b"more", 1)
    assert (element.tag, element.content, element.encoding, end) == (tag, content, data, 1 + len(data))


REFUSED = {
    "nothing": b"",
    "a tag alone": b"\x04",
    "content cut off": b"\x04\x02a",
    "length cut off": b"\x04\x82\x01",
    "tag cut off": b"\x1f\x81",
    "huge length": b"\x04\x88" + b"\xff" * 8 + b"a",
    "huge tag": b"\x1f" + b"\xff" * 8 + b"\x01\x00",
    "indefinite length of a primitive": b"\x04\x80a\0\0",
    "no end of contents": b"\x30\x80" + NULL,
    "half an end of contents": b"\x30\x80" + NULL + b"\0",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case) -> None:
    with pytest.raises(DerError):
        der.read(REFUSED[case])


def test_deep_nesting_costs_no_recursion() -> None:
    depth = 100_000
    assert len(der.read(b"\x30\x80" * depth + b"\0\0" * depth)[0].content) == 4 * depth - 4
    with pytest.raises(DerError):
        der.read(b"\x30\x80" * depth)


def test_no_end_of_contents_where_none_belongs() -> None:
    assert len(der.elements(NULL + NULL)) == 2
    for data in (NULL + b"\0\0", b"\0\0" + NULL):
        with pytest.raises(DerError, match="end-of-contents"):
            der.elements(data)


def test_what_follows() -> None:
    assert der.only(NULL, der.NULL).encoding == NULL
    with pytest.raises(DerError, match="bytes follow"):
        der.only(NULL + b"x")
    with pytest.raises(DerError, match="null stands where an integer belongs"):
        der.only(NULL, der.INTEGER)


def one(data: bytes) -> der.Element:
    return der.only(data)


INTEGERS = [
    (b"\x00", 0),
    (b"\x7f", 127),
    (b"\x80", -128),
    (b"\x00\x80", 128),
    (b"\xff", -1),
    (b"\xff\x7f", -129),
    (b"\xff\x00", -256),
    (b"\x01" + b"\x00" * 30, 1 << 240),
]


@pytest.mark.parametrize(("content", "number"), INTEGERS)
def test_integer(content, number) -> None:
    assert der.integer(one(raw.tlv(2, content))) == number
    assert der.encode_integer(number) == raw.tlv(2, content)


@pytest.mark.parametrize(
    "data", [b"\x02\x00", b"\x02\x02\x00\x7f", b"\x02\x02\xff\x80", b"\x22\x03\x02\x01\x05"]
)
def test_no_integer(data) -> None:
    with pytest.raises(DerError):
        der.integer(one(data))


OIDS = ["0.0", "0.39", "1.2.840.113549.1.1.11", "2.5.4.3", "2.100.3", "2.999.1", "1.3.6.1.4.1." + "9" * 60]


@pytest.mark.parametrize("dotted", OIDS)
def test_oid(dotted) -> None:
    assert der.oid(one(raw.oid(dotted))) == dotted
    assert der.encode_oid(dotted) == raw.oid(dotted)


@pytest.mark.parametrize("content", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x86"])
def test_no_oid(content) -> None:
    with pytest.raises(DerError):
        der.oid_text(content)


def test_booleans() -> None:
    assert [der.boolean(one(raw.tlv(1, bytes([octet])))) for octet in (0, 1, 255)] == [False, True, True]
    for data in (b"\x01\x00", b"\x01\x02\x00\x00"):
        with pytest.raises(DerError):
            der.boolean(one(data))


BITS = [
    (b"\x00", b"", 0),
    (b"\x05", b"", 5),
    (b"\x00\xff", b"\xff", 0),
    (b"\x03\xff", b"\xf8", 3),
    (b"\x07\xff\xff", b"\xff\x80", 7),
]


@pytest.mark.parametrize(("content", "octets", "unused"), BITS)
def test_bit_string(content, octets, unused) -> None:
    assert der.bit_string(one(raw.tlv(3, content))) == (octets, unused)


@pytest.mark.parametrize("content", [b"", b"\x08\xff"])
def test_no_bit_string(content) -> None:
    with pytest.raises(DerError):
        der.bit_string(one(raw.tlv(3, content)))


def test_named_bits() -> None:
    bits = der.named_bits(
        one(raw.bit_string(b"\x81\x80", 7)), ("first", "second", *"34567", "eighth", "ninth")
    )
    assert bits == {"first", "eighth", "ninth"}


def nested(depth: int) -> bytes:
    data = raw.octets(b"ab")
    for _level in range(depth):
        data = raw.tlv(0x24, data)
    return data


def test_strings_in_pieces() -> None:
    assert der.string(one(raw.tlv(0x24, raw.octets(b"ab"), raw.octets(b""), raw.utf8("c")))) == b"abc"
    assert der.string(one(raw.indefinite(0x04, raw.octets(b"ab"), raw.tlv(0x24, raw.octets(b"c"))))) == b"abc"
    assert der.string(one(nested(6))) == b"ab"
    with pytest.raises(DerError, match="too deeply"):
        der.string(one(nested(7)))


def test_fields_are_taken_in_order() -> None:
    fields = Fields(one(raw.seq(raw.integer(1), raw.null(), raw.octets(b"x"))))
    assert fields.maybe(der.BOOLEAN) is None
    assert fields.need(der.INTEGER).content == b"\x01"
    assert fields.maybe(der.NULL) is not None
    assert fields.maybe() is not None
    assert fields.maybe() is None
    fields.end()
    with pytest.raises(DerError, match="missing"):
        fields.need()


def test_nothing_may_be_left() -> None:
    with pytest.raises(DerError, match="an integer stands where nothing more belongs"):
        Fields(one(raw.seq(raw.integer(1)))).end()
    with pytest.raises(DerError, match="not constructed"):
        Fields(one(b"\x10\x00"))


def test_explicit() -> None:
    assert der.explicit(one(raw.context(0, raw.integer(1)))).tag == der.INTEGER
    for data in (raw.context(0), raw.context(0, NULL, NULL), raw.context(0, NULL, constructed=False)):
        with pytest.raises(DerError):
            der.explicit(one(data))


ANY = [
    raw.integer(1),
    NULL,
    raw.seq(),
    b"\x30\x02\xff\xff",
    raw.bmp("ab"),
    raw.context(7, b"x"),
    raw.oid("1.2"),
]
NOT_ANY = [
    b"\x02\x00",
    b"\x05\x01x",
    b"\x10\x00",
    b"\x1e\x01a",
    b"\x1c\x03abc",
    b"\x06\x01\x80",
    b"\x24\x02\x04\x01",
    b"\x03\x00",
]


@pytest.mark.parametrize("data", ANY)
def test_any(data) -> None:
    assert der.check_any(one(data)).encoding == data


@pytest.mark.parametrize("data", NOT_ANY)
def test_not_any(data) -> None:
    with pytest.raises(DerError):
        der.check_any(one(data))


def test_names_of_tags() -> None:
    assert [der.tag_name(tag) for tag in (der.SET, CONTEXT | 3, CONTEXT | 40 << 8, 0x0F)] == [
        "a set",
        "[3]",
        "[40]",
        "tag 0x0f",
    ]
