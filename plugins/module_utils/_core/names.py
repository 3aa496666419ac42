# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names as OpenSSL reads and compares and nginx prints them."""

from __future__ import annotations

import re

from .asn1 import der
from .asn1.attribute_names import SHORT
from .asn1.der import DerError, Element

# A distinguished name as plain values: per RDN its attributes, each (dotted OID, value). A value read from a
# certificate is a ``Text``, which knows its string type; a plain str counts as a UTF8String.
Rdns = tuple[tuple[tuple[str, str], ...], ...]

COMMON_NAME = "2.5.4.3"
UTF8_STRING = der.UTF8_STRING
IA5_STRING = der.IA5_STRING

_MAX_NAME = 1024 * 1024  # X509_NAME_MAX, crypto/x509/x_name.c
# Types by what OpenSSL does with them: those that it turns into UTF-8, compares without case and prints …
_CODECS = {
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "latin-1",
    der.T61_STRING: "latin-1",  # as OpenSSL has it, whatever T.61 says
    der.IA5_STRING: "latin-1",
    der.UNIVERSAL_STRING: "utf-32-be",
    der.BMP_STRING: "utf-16-be",
}
# … and the others that it accepts (B_ASN1_PRINTABLE; the bare numbers are types that it does not know).
_UNFOLDED = frozenset([der.BIT_STRING, der.SEQUENCE, der.NUMERIC_STRING, 7, 8, 9, 11, 13, 14, 15, 29])


class Text(str):
    """An attribute's value: the text, and how it was written. *tag* is the string type, *octets* the content.
    What is no text (a bit string, a sequence) is "#" and the hexadecimal DER, as OpenSSL prints it."""

    tag: int
    octets: bytes

    def __new__(cls, text: str, tag: int, octets: bytes) -> Text:
        made = super().__new__(cls, text)
        made.tag = tag
        made.octets = octets
        return made

    @property
    def is_text(self) -> bool:
        return self.tag in _CODECS or self.tag == der.NUMERIC_STRING


def read(element: Element) -> Rdns:
    """The Name that *element* is; raises DerError for what OpenSSL refuses (x509_name_ex_d2i): another
    structure, a string type that does not belong there, octets that are no text of their type."""
    if element.tag != der.SEQUENCE:
        raise DerError(f"{der.tag_name(element.tag)} stands where a name belongs")
    if len(element.encoding) > _MAX_NAME:
        raise DerError("a name is longer than 1 MiB")
    return tuple(_read_rdn(rdn) for rdn in element.children())


def _read_rdn(element: Element, tag: int = der.SET) -> tuple[tuple[str, Text], ...]:
    if element.tag != tag:
        raise DerError(f"{der.tag_name(element.tag)} stands in a name where a set belongs")
    return tuple(read_attribute(attribute) for attribute in element.children())


def read_attribute(element: Element) -> tuple[str, Text]:
    """One attribute of a name; raises DerError."""
    parts = der.sequence(element)
    if len(parts) != 2:
        raise DerError("an attribute of a name is no pair of type and value")
    kind, value = parts
    if kind.tag != der.OBJECT_IDENTIFIER:
        raise DerError("an attribute of a name has no type")
    return der.oid(kind), _read_value(value)


def _read_value(element: Element) -> Text:
    tag = element.tag
    codec = _CODECS.get(tag)
    if codec is not None:
        octets = der.string(element)
        return Text(_decoded(octets, codec), tag, octets)
    if tag not in _UNFOLDED:
        raise DerError(f"{der.tag_name(tag)} stands in a name where a string belongs")
    if tag == der.SEQUENCE:
        if not element.constructed:
            raise DerError("a sequence is not constructed")
        return Text("#" + element.encoding.hex().upper(), tag, element.encoding)
    octets = der.string(element)
    if tag == der.NUMERIC_STRING:
        return Text(octets.decode("latin-1"), tag, octets)
    if tag == der.BIT_STRING:
        bits, unused = der.bit_string(element)
        octets = bytes([unused if bits else 0]) + bits
    return Text("#" + der.encode(tag, octets).hex().upper(), tag, octets)


def _decoded(octets: bytes, codec: str) -> str:
    try:
        text = octets.decode(codec)
    except UnicodeDecodeError:
        raise DerError("a string in a name is no text of its type") from None
    # A BMPString has no surrogates (UTF8_putc refuses them), Python's codec takes pairs of them for one.
    if codec == "utf-16-be" and len(text) * 2 != len(octets):
        raise DerError("a string in a name is no text of its type")
    return text


def canonical(name: Rdns) -> Rdns:
    """The form in which OpenSSL compares names: ASCII lower case, white space cut and collapsed, string
    types ignored but for those that are no text (x509_name_canon and asn1_string_canon, crypto/x509/x_name.c;
    RFC 5280, 7.1). A name begins with another one where its canonical form does. RDNs without attributes
    do not count."""
    return tuple(tuple(sorted((oid, _canonical_value(value)) for oid, value in rdn)) for rdn in name if rdn)


_SPACE = re.compile("[ \t\n\v\f\r]+")
_UPPER_SPACE = re.compile("[A-Z\t\n\v\f\r]|  |^ | $")


def _canonical_value(value: str) -> str:
    if isinstance(value, Text) and value.tag not in _CODECS:
        return f"\0{value.tag}:{value.octets.hex()}"
    if not _UPPER_SPACE.search(value):
        return str(value)
    collapsed = _SPACE.sub(" ", value).strip(" ")
    return collapsed.lower() if collapsed.isascii() else _ascii_lower(collapsed)


def _ascii_lower(value: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in value)


def key(name: Rdns) -> bytes:
    """``canonical`` as one value: two names are equal where their keys are; b"" is the empty name's."""
    return repr(canonical(name)).encode("utf-8", "surrogatepass") if any(name) else b""


def text(name: Rdns) -> str:
    """The name as nginx prints it (X509_NAME_print_ex with XN_FLAG_RFC2253, crypto/asn1/a_strex.c): last RDN
    first, control characters and non-ASCII as \\XX of their UTF-8. Nothing in it is unprintable."""
    return ",".join(
        "+".join(_attribute_text(oid, value) for oid, value in reversed(rdn)) for rdn in reversed(name) if rdn
    )


def _attribute_text(oid: str, value: str) -> str:
    short = SHORT.get(oid)
    if short is None:
        # OpenSSL gives an OID 80 characters, and dumps the value.
        return f"{oid[:79]}=#{_der(value).hex().upper()}"
    if isinstance(value, Text) and not value.is_text:
        return f"{short}={value}"
    return f"{short}={_escaped(value)}"


def _der(value: str) -> bytes:
    if not isinstance(value, Text):
        return der.encode(der.UTF8_STRING, value.encode("utf-8", "surrogatepass"))
    return value.octets if value.tag == der.SEQUENCE else der.encode(value.tag, value.octets)


_PLAIN = re.compile(r"[A-Za-z0-9*@._-](?:[A-Za-z0-9 *@._:/()'-]*[A-Za-z0-9*@._-])?")


def _escaped(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return str(value)
    out: list[str] = []
    last = len(value) - 1
    for index, char in enumerate(value):
        # do_buf: what is both first and last counts as last
        if char in ',+"\\<>;' or (char == "#" and index == 0 < last) or (char == " " and index in (0, last)):
            out.append("\\" + char)
        elif " " <= char <= "~":
            out.append(char)
        else:
            out.extend(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
    return "".join(out)


def printable(octets: bytes) -> str:
    """Octets that should be ASCII, for people: what is not printable as \\XX."""
    if octets.isascii() and b"\\" not in octets:
        text = octets.decode("ascii")
        if text.isprintable():
            return text
    return "".join(
        chr(octet)
        if 0x20 <= octet <= 0x7E and octet != 0x5C
        else "\\\\"
        if octet == 0x5C
        else f"\\{octet:02X}"
        for octet in octets
    )


def values(name: Rdns, oid: str) -> list[str]:
    """The values of all attributes of this type, as they stand."""
    return [value for rdn in name for kind, value in rdn if kind == oid]


def string_type(value: str) -> int:
    """The universal tag with which the value was written."""
    return value.tag if isinstance(value, Text) else UTF8_STRING


def common_names(name: Rdns) -> list[str]:
    """In the order in which they stand; without those that are no text."""
    return [str(value) for value in values(name, COMMON_NAME) if not isinstance(value, Text) or value.is_text]
