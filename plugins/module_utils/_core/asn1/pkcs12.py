# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292) as a structure: parts, bags, and how its MAC is made. What is enciphered has the shape
of an encrypted private key (RFC 5958), whether it is one or a part with certificates: `key_cipher` reads it.

Own, so that the price of a passphrase is known before it is paid, also of what lies inside a part that has
been deciphered, and so that every version of the library opens the same stores. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from . import algorithms, der, key_cipher
from .der import DerError, Element, Fields

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_PBMAC1 = "1.2.840.113549.1.5.14"
_BAG = "1.2.840.113549.1.12.10.1."
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"

# Those that hashlib has under the same name.
_DIGESTS = {oid: name for oid, name in algorithms.DIGESTS.items() if "-" not in name}
_DEEPEST = 5
_LONGEST_KEY = 1024  # octets of PBMAC1's key


class UnsupportedError(ValueError):
    """A form that a passphrase does not open; the text ends the sentence "The PKCS#12 store is …"."""


@dataclass(frozen=True)
class Sealed:
    """DER of an EncryptedPrivateKeyInfo."""

    der: bytes = field(repr=False)


@dataclass(frozen=True)
class Bag:
    """*kind*: key, certificate or other; *key_id* links a key with its certificate."""

    kind: str
    content: Union[bytes, Sealed] = field(repr=False)
    key_id: bytes = b""


@dataclass(frozen=True)
class Mac:
    """*prf*: digest of PBKDF2 for PBMAC1 (RFC 9579), nothing for RFC 7292's own derivation; *size* of the
    key."""

    digest: str
    salt: bytes = field(repr=False)
    rounds: int
    value: bytes = field(repr=False)
    size: int
    prf: str = ""

    @property
    def work(self) -> int:
        """What its key costs, in rounds of HMAC."""
        if self.prf:
            return key_cipher.pbkdf2_work(self.rounds, self.size, self.prf)
        return key_cipher.pkcs12_work(self.rounds)


@dataclass(frozen=True)
class Store:
    """*content*: what the MAC covers; *mac*: None without one; *parts*: clear ones as bags, others sealed."""

    content: bytes = field(repr=False)
    parts: tuple[Union[tuple[Bag, ...], Sealed], ...]
    mac: Optional[Mac]


def parse(data: bytes) -> Store:
    """Raises DerError for what is no PKCS#12, UnsupportedError for a store that is signed or enciphered for
    a public key instead of a passphrase."""
    fields = Fields(der.read(data)[0])
    if der.integer(fields.need(der.INTEGER)) != 3:
        raise DerError("not PKCS#12 of version 3")
    kind, value = _content_info(fields.need())
    if kind != _DATA:
        raise UnsupportedError("signed instead of protected by a passphrase")
    content = der.string(value)
    mac = fields.maybe()
    parts = tuple(_part(part) for part in der.sequence(der.only(content)))
    return Store(content, parts, _mac(mac) if mac else None)


def _content_info(element: Element) -> tuple[str, Element]:
    fields = Fields(element)
    return der.oid(fields.need()), der.explicit(fields.need())


def _part(element: Element) -> Union[tuple[Bag, ...], Sealed]:
    kind, value = _content_info(element)
    if kind == _DATA:
        return bags(der.string(value))
    if kind != _ENCRYPTED_DATA:
        raise UnsupportedError("enciphered for a public key instead of a passphrase")
    fields = Fields(value)
    fields.need(der.INTEGER)
    inner = Fields(fields.need())
    inner.need(der.OBJECT_IDENTIFIER)
    scheme = inner.need()
    secret = der.encode(der.OCTET_STRING, der.string(inner.need(der.CONTEXT | 0)))
    return Sealed(der.encode(der.SEQUENCE, scheme.encoding + secret, constructed=True))


def bags(data: bytes, depth: int = 0) -> tuple[Bag, ...]:
    """The bags of one part; raises DerError."""
    found: list[Bag] = []
    if depth > _DEEPEST:
        raise DerError("bags are nested too deeply")
    for element in der.sequence(der.only(data)):
        found += _bag(element, depth)
    return tuple(found)


def _bag(element: Element, depth: int) -> tuple[Bag, ...]:
    fields = Fields(element)
    kind, value, attributes = der.oid(fields.need()), der.explicit(fields.need()), fields.maybe(der.SET)
    key_id = _key_id(attributes) if attributes else b""
    if kind == _BAG + "1":
        return (Bag("key", value.encoding, key_id),)
    if kind == _BAG + "2":
        return (Bag("key", Sealed(value.encoding), key_id),)
    if kind == _BAG + "6":
        return bags(value.encoding, depth + 1)
    if kind == _BAG + "3":
        what, inside = _content_info(value)
        if what == _X509_CERTIFICATE:
            return (Bag("certificate", der.string(inside), key_id),)
    return (Bag("other", b""),)


def _key_id(attributes: Element) -> bytes:
    for attribute in der.sequence(attributes, der.SET):
        fields = Fields(attribute)
        if der.oid(fields.need()) == _LOCAL_KEY_ID:
            values = der.sequence(fields.need(), der.SET)
            return der.string(values[0]) if values else b""
    return b""


def _mac(element: Element) -> Mac:
    fields = Fields(element)
    info = Fields(fields.need())
    name, parameters = algorithms.read(info.need())
    value, salt = der.string(info.need(der.OCTET_STRING)), der.string(fields.need(der.OCTET_STRING))
    if name == _PBMAC1:
        return _pbmac1(Fields(der.only(parameters)), value)
    if name not in _DIGESTS:
        raise UnsupportedError(f"protected by a MAC that is not known here ({name})")
    rounds = fields.maybe(der.INTEGER)
    return Mac(_DIGESTS[name], salt, 1 if rounds is None else _positive(rounds), value, len(value))


def _pbmac1(fields: Fields, value: bytes) -> Mac:
    """RFC 9579, 5: PBKDF2 with a length, and an HMAC."""
    derivation, how = algorithms.read(fields.need())
    digest, _none = algorithms.read(fields.need())
    inner = Fields(der.only(how)) if derivation == key_cipher.PBKDF2_OID else None
    if inner is None or digest not in key_cipher.HMACS:
        raise UnsupportedError("protected by a MAC that is not known here")
    salt, rounds = der.string(inner.need(der.OCTET_STRING)), _positive(inner.need())
    size = _positive(inner.need())
    function = inner.maybe(der.SEQUENCE)
    prf = algorithms.read(function)[0] if function else key_cipher.SHA1_HMAC
    if prf not in key_cipher.HMACS or size > _LONGEST_KEY:
        raise UnsupportedError("protected by a MAC that is not known here")
    return Mac(key_cipher.HMACS[digest], salt, rounds, value, size, key_cipher.HMACS[prf])


def _positive(element: Element) -> int:
    return key_cipher.positive(der.integer(element))
