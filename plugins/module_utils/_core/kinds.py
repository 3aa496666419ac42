# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DER object is, told by its shape: names of kinds, and ``of_der``.

Pure. Only tags and lengths near the top are looked at: an object of a kind may still be unreadable as one.
"""

from __future__ import annotations

from typing import Optional

CERTIFICATE = "certificate"
CRL = "crl"
PRIVATE_KEY = "private_key"
ENCRYPTED_PRIVATE_KEY = "encrypted_private_key"
PUBLIC_KEY = "public_key"
REQUEST = "request"
PARAMETERS = "parameters"
PKCS7 = "pkcs7"
PKCS12 = "pkcs12"
OPENSSH_KEY = "openssh_key"
OTHER = "other"

_INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_PKCS7_ARC = bytes.fromhex("2a864886f70d0107")

_Element = tuple[int, bytes]


def of_der(data: bytes) -> str:
    """One of the kinds above, OTHER for what is none of them or no DER."""
    top = _elements(data, 1)
    if not top:
        return OTHER
    tag, content = top[0]
    if tag == _OID:
        return PARAMETERS
    if tag != _SEQUENCE:
        return OTHER
    parts = _elements(content, 10)
    tags = [part[0] for part in parts]
    if not parts:
        return OTHER
    if tags[0] == _INTEGER:
        return _numbered(parts, tags)
    if tags[:3] == [_SEQUENCE, _SEQUENCE, _BIT_STRING]:
        return _signed(parts[0][1])
    if tags[0] == _OID:
        return PKCS7 if parts[0][1].startswith(_PKCS7_ARC) else OTHER
    if tags[0] == _SEQUENCE and _first_tag(parts[0][1]) == _OID:
        return {_OCTET_STRING: ENCRYPTED_PRIVATE_KEY, _BIT_STRING: PUBLIC_KEY}.get(
            tags[1] if tags[1:] else 0, OTHER
        )
    return OTHER


def _numbered(parts: list[_Element], tags: list[int]) -> str:
    """SEQUENCE { INTEGER ...: keys (PKCS#1, PKCS#8, SEC1, DSA), PKCS#12 and parameters."""
    if tags[1:2] == [_SEQUENCE]:
        inner = _elements(parts[1][1], 1)
        if not inner or inner[0][0] != _OID:
            return OTHER
        if inner[0][1].startswith(_PKCS7_ARC):
            return PKCS12
        return PRIVATE_KEY if tags[2:3] == [_OCTET_STRING] else PARAMETERS
    if tags[1:2] == [_OCTET_STRING]:
        return PRIVATE_KEY
    count = next((index for index, tag in enumerate(tags) if tag != _INTEGER), len(tags))
    if count in (6, 9):
        return PRIVATE_KEY
    if count == 2 and len(tags) == 2:
        # {n, e} of an RSA key, or {p, g} of Diffie-Hellman: a generator is one octet, e is usually 65537
        return PUBLIC_KEY if len(parts[1][1]) > 1 or parts[1][1] == b"\x03" else PARAMETERS
    return PARAMETERS if count == 3 else OTHER


def _signed(to_be_signed: bytes) -> str:
    """SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING }: a certificate, a request or a CRL."""
    parts = _elements(to_be_signed, 5)
    tags = [part[0] for part in parts]
    if tags[:1] == [_CONTEXT_0]:
        return CERTIFICATE
    at = 1 if tags[:1] == [_INTEGER] else 0
    if tags[at : at + 1] != [_SEQUENCE]:
        return OTHER
    if _first_tag(parts[at][1]) != _OID:
        return REQUEST if at else OTHER
    if tags[at + 2 : at + 3] and tags[at + 2] in (_UTC_TIME, _GENERALIZED_TIME):
        return CRL
    return CERTIFICATE if at else OTHER


def _first_tag(data: bytes) -> int:
    return data[0] if data else -1


def _elements(data: bytes, most: int) -> list[_Element]:
    """Up to *most* (tag, content) one after the other; stops at what is no definite-length element."""
    found: list[_Element] = []
    at = 0
    while len(found) < most:
        element = _element(data, at)
        if element is None:
            break
        tag, start, end = element
        found.append((tag, data[start:end]))
        at = end
    return found


def _element(data: bytes, at: int) -> Optional[tuple[int, int, int]]:
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        return None
    length, start = data[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 8 or start + octets > len(data):
            return None
        length, start = int.from_bytes(data[start : start + octets], "big"), start + octets
    return (data[at], start, start + length) if start + length <= len(data) else None
