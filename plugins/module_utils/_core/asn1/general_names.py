# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""General names of certificates (RFC 5280, 4.2.1.6) and name constraints, as plain values and from DER."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple

from .. import names
from ..names import Rdns
from . import der
from .der import CONTEXT, DerError, Element, Fields

DNS = "dns"
IP = "ip"
URI = "uri"
EMAIL = "email"
DIRECTORY = "directory"
OTHER = "other"
X400 = "x400"
EDI = "edi"
RID = "rid"


class GeneralName(NamedTuple):
    """*kind* is one of the constants above; *value* is the content as written (4 or 16 octets of an address,
    8 or 32 in a constraint; the ASCII of a DNS name; the DER of anything structured); *text* is for people,
    everything not printable escaped; *directory* is the name of a `directory`, *oid* the type of an `other`
    or the value of a `rid`."""

    kind: str
    value: bytes
    text: str
    directory: Rdns | None = None
    oid: str = ""


class Subtree(NamedTuple):
    """One entry of name constraints; OpenSSL refuses any *minimum* but 0 and any *maximum* at all."""

    name: GeneralName
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True)
class NameConstraints:
    permitted: tuple[Subtree, ...] = ()
    excluded: tuple[Subtree, ...] = ()


_IA5_KINDS = {CONTEXT | 1: EMAIL, CONTEXT | 2: DNS, CONTEXT | 6: URI}
_DIRECTORY_STRING = frozenset(
    [der.PRINTABLE_STRING, der.T61_STRING, der.BMP_STRING, der.UNIVERSAL_STRING, der.UTF8_STRING]
)


def read(element: Element) -> GeneralName:
    """The GeneralName that *element* is; raises DerError for what OpenSSL refuses (crypto/x509/v3_genn.c)."""
    kind = _IA5_KINDS.get(element.tag)
    if kind is not None:
        value = der.string(element)
        return GeneralName(kind, value, names.printable(value))
    if element.tag == CONTEXT | 7:
        value = der.string(element)
        return GeneralName(IP, value, address_text(value))
    if element.tag == CONTEXT | 4:
        inside = der.explicit(element)
        directory = names.read(inside)
        return GeneralName(DIRECTORY, inside.encoding, names.text(directory), directory)
    if element.tag == CONTEXT | 8:
        oid = der.oid(element)
        return GeneralName(RID, element.content, oid, oid=oid)
    return _structured(element)


def _structured(element: Element) -> GeneralName:
    if element.tag == CONTEXT:
        fields = Fields(element, CONTEXT)
        oid = der.oid(fields.need(der.OBJECT_IDENTIFIER))
        value = der.check_any(der.explicit(fields.need(CONTEXT)))
        fields.end()
        return GeneralName(OTHER, value.encoding, f"{oid}:#{value.encoding.hex().upper()}", oid=oid)
    if element.tag == CONTEXT | 3:
        if not element.constructed:
            raise DerError("an X.400 address is not constructed")
        return GeneralName(X400, element.encoding, "#" + element.encoding.hex().upper())
    if element.tag == CONTEXT | 5:
        fields = Fields(element, CONTEXT | 5)
        for part in (fields.maybe(CONTEXT), fields.need(CONTEXT | 1)):
            if part is not None and der.explicit(part).tag not in _DIRECTORY_STRING:
                raise DerError("a part of an EDI name is no string")
        fields.end()
        return GeneralName(EDI, element.encoding, "#" + element.encoding.hex().upper())
    raise DerError(f"{der.tag_name(element.tag)} is no general name")


def address_text(octets: bytes) -> str:
    """An address in its shortest form, or address and mask of a constraint; `#` and hexadecimal for any other
    number of octets."""
    if len(octets) in (4, 16):
        return str(ipaddress.ip_address(octets))
    if len(octets) in (8, 32):
        half = len(octets) // 2
        return f"{ipaddress.ip_address(octets[:half])}/{ipaddress.ip_address(octets[half:])}"
    return "#" + octets.hex().upper()


def read_all(element: Element, tag: int = der.SEQUENCE) -> tuple[GeneralName, ...]:
    """GeneralNames; raises DerError."""
    return tuple(read(child) for child in der.expect(element, tag).children())


def read_constraints(element: Element) -> NameConstraints:
    """NameConstraints (crypto/x509/v3_ncons.c); raises DerError."""
    fields = Fields(element)
    permitted = _subtrees(fields.maybe(CONTEXT))
    excluded = _subtrees(fields.maybe(CONTEXT | 1))
    fields.end()
    return NameConstraints(permitted, excluded)


def _subtrees(element: Element | None) -> tuple[Subtree, ...]:
    return () if element is None else tuple(_subtree(child) for child in element.children())


def _subtree(element: Element) -> Subtree:
    fields = Fields(element)
    name = read(fields.need())
    minimum = fields.maybe(CONTEXT)
    maximum = fields.maybe(CONTEXT | 1)
    fields.end()
    return Subtree(
        name,
        0 if minimum is None else der.integer(minimum),
        None if maximum is None else der.integer(maximum),
    )
