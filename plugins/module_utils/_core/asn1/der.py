# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of DER, and of as much BER as OpenSSL accepts in its place.

Rules of ASN1_get_object and asn1_find_end (crypto/asn1/asn1_lib.c, tasn_dec.c): lengths need not be minimal,
constructed values may be of indefinite length, strings may come in pieces. Values over bytes only; every
length is checked against what is there, and every recursion is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

# Universal tags, and the classes to add to the number of another one: CONTEXT | 3 is [3].
BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
SEQUENCE = 0x10
SET = 0x11
NUMERIC_STRING = 0x12
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
APPLICATION = 0x40
CONTEXT = 0x80

# More than any list in a certificate has; OpenSSL has no such bound. It keeps hostile ones quick.
MAX_LIST = 10_000
_MAX_OID = 256  # octets, of which OpenSSL prints the first 80 digits

_LONG_TAG = 0x1F
_MAX_NUMBER = (1 << 31) - 1
_MAX_STRING_NEST = 5  # ASN1_MAX_STRING_NEST
_INDEFINITE = -1


class DerError(ValueError):
    """The bytes are not what they should be; the text says how, without quoting them."""


class Element(NamedTuple):
    """One value. *tag* is class and number without the constructed bit (numbers above 30: class plus number
    shifted by 8); *content* is without the end-of-contents octets; *encoding* is all of it, as written."""

    tag: int
    constructed: bool
    content: bytes
    encoding: bytes

    def children(self) -> list[Element]:
        """The values inside; raises DerError where the content is no whole number of them."""
        return elements(self.content)


def read(data: bytes, offset: int = 0) -> tuple[Element, int]:
    """The value that begins at *offset*, and where the next one would begin; raises DerError.

    Not checked: what its content is.
    """
    tag, constructed, begin, length = _header(data, offset, len(data))
    if length != _INDEFINITE:
        end = begin + length
        return Element(tag, constructed, data[begin:end], data[offset:end]), end
    end = _end_of_contents(data, begin)
    return Element(tag, True, data[begin : end - 2], data[offset:end]), end


def only(data: bytes, tag: int | None = None) -> Element:
    """The one value that *data* is; raises DerError when bytes follow it, or it has another *tag*."""
    element, end = read(data)
    if end != len(data):
        raise DerError("bytes follow the value")
    if tag is not None and element.tag != tag:
        raise DerError(f"{tag_name(element.tag)} stands where {tag_name(tag)} belongs")
    return element


def elements(data: bytes) -> list[Element]:
    """All values of *data*; raises DerError, also for end-of-contents octets where none belong, and for a
    list that is longer than MAX_LIST."""
    found = list(islice(iterate(data), MAX_LIST + 1))
    if len(found) > MAX_LIST:
        raise DerError(f"a list has more than {MAX_LIST} values")
    return found


def iterate(data: bytes) -> Iterator[Element]:
    """``elements`` one by one, for lists of any length."""
    offset, end = 0, len(data)
    while offset < end:
        first = data[offset]
        length = data[offset + 1] if offset + 1 < end else 0xFF
        stop = offset + 2 + length
        if length < 0x80 and stop <= end and first & _LONG_TAG != _LONG_TAG:
            # The plain case, once more for speed.
            if first == 0 == length:
                raise DerError("end-of-contents octets stand where a value belongs")
            yield Element(first & 0xDF, first & 0x20 != 0, data[offset + 2 : stop], data[offset:stop])
            offset = stop
        else:
            element, offset = read(data, offset)
            yield element


def _header(data: bytes, offset: int, end: int) -> tuple[int, bool, int, int]:
    """(tag, constructed, where the content begins, its length)."""
    if end - offset < 2:
        raise DerError("the value is cut off")
    first = data[offset]
    tag, constructed = first & 0xDF, bool(first & 0x20)
    offset += 1
    if first & _LONG_TAG == _LONG_TAG:
        number, offset = _long_tag(data, offset, end)
        tag = first & 0xC0 | (number if number < _LONG_TAG else number << 8)
    if offset >= end:
        raise DerError("the value is cut off")
    length = data[offset]
    offset += 1
    if length & 0x80:
        length, offset = _long_length(data, offset, end, length & 0x7F)
    if length == _INDEFINITE:
        if not constructed:
            raise DerError("a primitive value has no length")
    elif length > end - offset:
        raise DerError("the value is cut off")
    return tag, constructed, offset, length


def _long_tag(data: bytes, offset: int, end: int) -> tuple[int, int]:
    number = 0
    while offset < end:
        octet = data[offset]
        number = number << 7 | octet & 0x7F
        offset += 1
        if not octet & 0x80:
            return number, offset
        if number > _MAX_NUMBER >> 7:
            raise DerError("a tag's number is too big")
    raise DerError("the value is cut off")


def _long_length(data: bytes, offset: int, end: int, octets: int) -> tuple[int, int]:
    if octets == 0:
        return _INDEFINITE, offset
    if octets > end - offset:
        raise DerError("the value is cut off")
    return int.from_bytes(data[offset : offset + octets], "big"), offset + octets


def _end_of_contents(data: bytes, offset: int) -> int:
    """Where the indefinite value whose content begins at *offset* ends, its end-of-contents octets included.
    Without recursion, since the nesting is the writer's choice."""
    end, open_values = len(data), 1
    while open_values:
        if data[offset : offset + 2] == b"\x00\x00":
            open_values -= 1
            offset += 2
            continue
        _tag, _constructed, offset, length = _header(data, offset, end)
        if length == _INDEFINITE:
            open_values += 1
        else:
            offset += length
    return offset


def string(element: Element) -> bytes:
    """The octets of a string, pieces of a constructed one put together (asn1_collect); raises DerError."""
    return b"".join(_pieces(element, 0)) if element.constructed else element.content


def _pieces(element: Element, depth: int) -> Iterator[bytes]:
    if not element.constructed:
        yield element.content
        return
    if depth > _MAX_STRING_NEST:
        raise DerError("a string is nested too deeply")
    for piece in iterate(element.content):
        yield from _pieces(piece, depth + 1)


def integer(element: Element) -> int:
    """An INTEGER or ENUMERATED; raises DerError for one that OpenSSL refuses (c2i_ibuf): empty or padded."""
    content = element.content
    if element.constructed:
        raise DerError("an integer is constructed")
    if not content:
        raise DerError("an integer has no octets")
    if len(content) > 1 and (
        (content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)
    ):
        raise DerError("an integer is padded")
    return int.from_bytes(content, "big", signed=True)


def boolean(element: Element) -> bool:
    """Raises DerError for one that is not of one octet."""
    if len(element.content) != 1 or element.constructed:
        raise DerError("a boolean is not of one octet")
    return element.content != b"\x00"


def oid(element: Element) -> str:
    """The dotted text; raises DerError for what is no object identifier (ossl_c2i_ASN1_OBJECT), and for one
    that is very long, which OpenSSL does not mind."""
    if element.constructed:
        raise DerError("an object identifier is constructed")
    return oid_text(element.content)


def oid_text(content: bytes) -> str:
    """``oid`` of the content's octets."""
    known = _OIDS.get(content)
    if known is not None:
        return known
    if not content or content[-1] & 0x80:
        raise DerError("an object identifier is cut off")
    if len(content) > _MAX_OID:
        raise DerError(f"an object identifier has more than {_MAX_OID} octets")
    arcs: list[int] = []
    number, first = 0, True
    for octet in content:
        if first and octet == 0x80:
            raise DerError("an object identifier is padded")
        number = number << 7 | octet & 0x7F
        first = not octet & 0x80
        if first:
            arcs.append(number)
            number = 0
    top = min(arcs[0] // 40, 2)
    text = ".".join(str(arc) for arc in [top, arcs[0] - 40 * top, *arcs[1:]])
    if len(_OIDS) < _MAX_OIDS and len(content) < 32:
        _OIDS[content] = text
    return text


# Content of identifiers already read: certificates use few, again and again.
_OIDS: dict[bytes, str] = {}
_MAX_OIDS = 1024


def bit_string(element: Element) -> tuple[bytes, int]:
    """(octets, number of unused bits in the last one, which are cleared); raises DerError
    (ossl_c2i_ASN1_BIT_STRING). The pieces of a constructed one are put together as OpenSSL does it, the first
    octet of the whole being the number of unused bits."""
    content = string(element)
    if not content:
        raise DerError("a bit string has no octets")
    unused = content[0]
    if unused > 7:
        raise DerError("a bit string has too many unused bits")
    octets = content[1:]
    if unused and octets:
        octets = octets[:-1] + bytes([octets[-1] & (0xFF << unused) & 0xFF])
    return octets, unused


def named_bits(element: Element, names: tuple[str, ...]) -> frozenset[str]:
    """The names of the bits that are set; bits beyond *names* are left out."""
    octets, _unused = bit_string(element)
    return frozenset(
        name
        for index, name in enumerate(names)
        if index // 8 < len(octets) and octets[index // 8] & (0x80 >> index % 8)
    )


def encode(tag: int, content: bytes, constructed: bool = False) -> bytes:
    """DER of one value; *tag* as in ``Element``, of a number below 31."""
    size = len(content)
    if size < 0x80:
        return bytes([tag | (0x20 if constructed else 0), size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag | (0x20 if constructed else 0), 0x80 | len(octets)]) + octets + content


def encode_integer(number: int) -> bytes:
    """DER of an INTEGER."""
    size = (number if number >= 0 else -number - 1).bit_length() // 8 + 1
    return encode(INTEGER, number.to_bytes(size, "big", signed=True))


def encode_oid(dotted: str) -> bytes:
    """DER of an object identifier, which must be one."""
    arcs = [int(arc) for arc in dotted.split(".")]
    content = bytearray()
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        octets = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            octets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(octets))
    return encode(OBJECT_IDENTIFIER, bytes(content))


def explicit(element: Element) -> Element:
    """The value inside an explicit tag; raises DerError."""
    if not element.constructed:
        raise DerError("an explicit tag holds no value")
    inside = elements(element.content)
    if len(inside) != 1:
        raise DerError("an explicit tag does not hold one value")
    return inside[0]


def sequence(element: Element, tag: int = SEQUENCE) -> list[Element]:
    """The values of a SEQUENCE (or what is tagged *tag* in its place); raises DerError."""
    expect(element, tag)
    if not element.constructed:
        raise DerError("a sequence is not constructed")
    return elements(element.content)


def expect(element: Element, tag: int) -> Element:
    """*element*, if it has this *tag*; raises DerError."""
    if element.tag != tag:
        raise DerError(f"{tag_name(element.tag)} stands where {tag_name(tag)} belongs")
    return element


class Fields:
    """The values of a SEQUENCE, taken one after the other as OpenSSL's templates do (asn1_item_embed_d2i).
    All of it raises DerError."""

    def __init__(self, element: Element, tag: int = SEQUENCE) -> None:
        self._values = sequence(element, tag)
        self._next = 0

    def need(self, tag: int | None = None) -> Element:
        """The next one, which must be there and have this *tag*."""
        if self._next >= len(self._values):
            raise DerError("a value is missing")
        element = self._values[self._next]
        self._next += 1
        return element if tag is None else expect(element, tag)

    def maybe(self, tag: int | None = None) -> Element | None:
        """The next one if it has this *tag*."""
        if self._next >= len(self._values):
            return None
        element = self._values[self._next]
        if tag is not None and element.tag != tag:
            return None
        self._next += 1
        return element

    def end(self) -> None:
        """Nothing may be left."""
        if self._next < len(self._values):
            raise DerError(f"{tag_name(self._values[self._next].tag)} stands where nothing more belongs")


def check_any(element: Element) -> Element:
    """*element*, if its content is right for its type, as OpenSSL checks a value of the type ANY
    (asn1_ex_c2i); raises DerError. What is inside a sequence or set is not looked at."""
    checks = {
        BOOLEAN: boolean,
        INTEGER: integer,
        ENUMERATED: integer,
        BIT_STRING: bit_string,
        OBJECT_IDENTIFIER: oid,
    }
    tag = element.tag
    if tag in checks:
        checks[tag](element)
    elif tag == NULL and (element.constructed or element.content):
        raise DerError("null is not empty")
    elif tag in (SEQUENCE, SET) and not element.constructed:
        raise DerError(f"{tag_name(tag)} is not constructed")
    elif element.constructed and tag < APPLICATION and tag not in (SEQUENCE, SET):
        _check_width(tag, string(element))
    else:
        _check_width(tag, element.content)
    return element


def _check_width(tag: int, content: bytes) -> None:
    if (tag == BMP_STRING and len(content) % 2) or (tag == UNIVERSAL_STRING and len(content) % 4):
        raise DerError("a string is no whole number of characters")


_NAMES = {
    BOOLEAN: "a boolean",
    INTEGER: "an integer",
    BIT_STRING: "a bit string",
    OCTET_STRING: "an octet string",
    NULL: "null",
    OBJECT_IDENTIFIER: "an object identifier",
    SEQUENCE: "a sequence",
    SET: "a set",
    UTC_TIME: "a UTC time",
    GENERALIZED_TIME: "a generalized time",
}


def tag_name(tag: int) -> str:
    """For messages: `a sequence`, `[3]`, `tag 0x1e`."""
    if tag & 0xC0 == CONTEXT:
        return f"[{tag & 0x3F if tag < 0x100 else tag >> 8}]"
    return _NAMES.get(tag, f"tag {tag:#04x}")
