# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DER value is, told by its shape: ``of_der``, and ``key_form`` for private keys.

Pure. Only tags near the top are looked at: a value of a kind may still be unreadable as one. Shapes are those
of RFC 5280 (certificates, CRLs), 2986 (requests), 5958 (PKCS#8), 8017 (PKCS#1), 5915 (SEC1), 5652 (PKCS#7),
7292 (PKCS#12).
"""

from __future__ import annotations

from ..asn1 import der
from ..asn1.der import BIT_STRING, CONTEXT, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET

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
OPENSSH_PUBLIC_KEY = "openssh_public_key"
KEY_URI = "key_uri"
OPENPGP = "openpgp"
OTHER = "other"

#: For people, with an article.
WORDS = {
    CERTIFICATE: "a certificate",
    CRL: "a CRL",
    PRIVATE_KEY: "a private key",
    ENCRYPTED_PRIVATE_KEY: "an encrypted private key",
    PUBLIC_KEY: "a public key",
    REQUEST: "a certificate request",
    PARAMETERS: "key parameters",
    PKCS7: "PKCS#7",
    PKCS12: "PKCS#12",
    OPENSSH_KEY: "a private key in OpenSSH's own format",
    OPENSSH_PUBLIC_KEY: "an OpenSSH public key",
    KEY_URI: "the URI of a private key",
    OPENPGP: "an OpenPGP block",
    OTHER: "something unknown",
}

PKCS8 = "PKCS#8"
PKCS1 = "PKCS#1"
SEC1 = "SEC1"
DSA = "DSA"

_PKCS7_ARC = bytes.fromhex("2a864886f70d0107")
_TIMES = (der.UTC_TIME, der.GENERALIZED_TIME)


def of_der(data: bytes) -> str:
    """One of the kinds above: OTHER for what is none of them, or no DER. Bytes behind the first value do not
    matter."""
    top = _first(data, 1)
    if not top:
        return OTHER
    if top[0].tag == OBJECT_IDENTIFIER:
        return PARAMETERS  # of a named curve
    parts = _inside(top[0], 10)
    tags = [part.tag for part in parts]
    if tags[:1] == [INTEGER]:
        return _numbered(parts, tags)
    if tags[:1] == [OBJECT_IDENTIFIER]:
        return PKCS7 if parts[0].content.startswith(_PKCS7_ARC) else OTHER
    if tags[:3] == [SEQUENCE, SEQUENCE, BIT_STRING]:
        return _signed(parts[0])
    if tags[:2] in ([SEQUENCE, OCTET_STRING], [SEQUENCE, BIT_STRING]) and _starts_with_oid(parts[0]):
        return ENCRYPTED_PRIVATE_KEY if tags[1] == OCTET_STRING else PUBLIC_KEY
    return OTHER


def key_form(data: bytes) -> str:
    """PKCS8, PKCS1, SEC1 or DSA of a clear private key; nothing for what is none."""
    top = _first(data, 1)
    parts = _inside(top[0], 10) if top else []
    return _key_form(parts, [part.tag for part in parts])


def _key_form(parts: list[der.Element], tags: list[int]) -> str:
    if tags[:3] == [INTEGER, SEQUENCE, OCTET_STRING] and _starts_with_oid(parts[1]):
        return PKCS8
    if tags[:2] == [INTEGER, OCTET_STRING]:
        return SEC1
    numbers = next((index for index, tag in enumerate(tags) if tag != INTEGER), len(tags))
    return {6: DSA, 9: PKCS1}.get(numbers, "")


def _numbered(parts: list[der.Element], tags: list[int]) -> str:
    """SEQUENCE { INTEGER ...: keys, PKCS#12 and parameters."""
    if tags[1:2] == [SEQUENCE] and _starts_with_oid(parts[1], _PKCS7_ARC):
        return PKCS12
    if _key_form(parts, tags):
        return PRIVATE_KEY
    if tags[1:2] == [SEQUENCE]:
        return PARAMETERS if _starts_with_oid(parts[1]) else OTHER  # of a curve written out
    if tags == [INTEGER, INTEGER] and _odd(parts[0]) and len(parts[0].content) > 32 and _odd(parts[1]):
        # {n, e} of RSA, or {p, g} of Diffie-Hellman: g is nearly always 2 or 5, e never
        return PARAMETERS if parts[1].content == b"\x05" else PUBLIC_KEY
    return PARAMETERS if tags in ([INTEGER] * 2, [INTEGER] * 3) else OTHER


def _signed(to_be_signed: der.Element) -> str:
    """SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING }: a certificate, a request or a CRL."""
    parts = _inside(to_be_signed, 5)
    tags = [part.tag for part in parts]
    if tags[:1] == [CONTEXT]:
        return CERTIFICATE
    at = 1 if tags[:1] == [INTEGER] else 0
    if tags[at : at + 2] != [SEQUENCE, SEQUENCE]:
        return OTHER
    if at and not _starts_with_oid(parts[at]):
        return REQUEST
    if tags[at + 2 : at + 3] and tags[at + 2] in _TIMES:
        return CRL
    return CERTIFICATE if at and tags[at + 2 : at + 3] == [SEQUENCE] else OTHER


def _odd(number: der.Element) -> bool:
    return bool(number.content) and bool(number.content[-1] & 1)


def _starts_with_oid(element: der.Element, arc: bytes = b"") -> bool:
    inside = _inside(element, 1)
    return bool(inside) and inside[0].tag == OBJECT_IDENTIFIER and inside[0].content.startswith(arc)


def _inside(element: der.Element, most: int) -> list[der.Element]:
    if not element.constructed or element.tag not in (SEQUENCE, SET):
        return []
    return _first(element.content, most)


def _first(data: bytes, most: int) -> list[der.Element]:
    """Up to *most* values one after the other; stops at what is none."""
    found: list[der.Element] = []
    offset = 0
    while offset < len(data) and len(found) < most:
        try:
            element, offset = der.read(data, offset)
        except der.DerError:
            break
        found.append(element)
    return found
