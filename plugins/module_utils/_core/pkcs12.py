# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292) as a structure: parts, bags, the price of a passphrase, and the MAC. What has to be
deciphered is for `_x509/pkcs12.py`.

Own, so that the price is known before it is paid, also of what lies inside a part that was deciphered, and so
that every version of the library opens the same stores. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Optional, Union

from . import der
from .der import DerError, Element

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_PBMAC1 = "1.2.840.113549.1.5.14"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
_PBE = "1.2.840.113549.1.12.1."
_BAG = "1.2.840.113549.1.12.10.1."
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"

_DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_HMACS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
# Of PKCS#12's own schemes: (cipher, octets of its key).
_OWN_CIPHERS = {
    "1": ("rc4", 16),
    "2": ("rc4", 5),
    "3": ("3des", 24),
    "4": ("3des", 16),
    "5": ("rc2", 16),
    "6": ("rc2", 5),
}
_CIPHERS = {
    "2.16.840.1.101.3.4.1.2": ("aes", 16),
    "2.16.840.1.101.3.4.1.22": ("aes", 24),
    "2.16.840.1.101.3.4.1.42": ("aes", 32),
    "1.2.840.113549.3.7": ("3des", 24),
    "1.2.840.113549.3.2": ("rc2", 16),
}
_MOST_BAGS = 10_000
_DEEPEST = 5
_KEY, _IV, _MAC = 1, 2, 3  # purposes of the derivation (RFC 7292, B.3)


class UnsupportedError(ValueError):
    """A scheme or form that this does not open; the text names it."""


@dataclass(frozen=True)
class Derivation:
    """How a passphrase becomes a key. *scheme*: own (RFC 7292, B.2), pbkdf2 or scrypt."""

    scheme: str
    digest: str
    salt: bytes = field(repr=False)
    iterations: int
    memory: int = 0  # scrypt's N, r and p are iterations, memory and lanes
    lanes: int = 0

    @property
    def price(self) -> int:
        """In iterations, roughly the same time for each scheme."""
        return self.iterations * max(1, self.memory) * max(1, self.lanes)


@dataclass(frozen=True)
class Cipher:
    """*name*: aes, 3des, rc2 (all CBC) or rc4; *length* of the key; *iv* None where it is derived."""

    derivation: Derivation
    name: str
    length: int
    iv: Optional[bytes] = field(repr=False, default=None)

    @property
    def legacy(self) -> bool:
        """Whether OpenSSL 3 has the cipher in its legacy provider only."""
        return self.name in ("rc2", "rc4")


@dataclass(frozen=True)
class Sealed:
    """Something enciphered; *cipher* None where the scheme is unknown, *scheme* names it."""

    cipher: Optional[Cipher]
    scheme: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True)
class Bag:
    """*kind*: key, certificate, crl, sealed_key or other; *key_id* links a key with its certificate."""

    kind: str
    content: Union[bytes, Sealed] = field(repr=False)
    key_id: bytes = b""


@dataclass(frozen=True)
class Mac:
    """*own*: RFC 7292's HMAC, else PBMAC1 (RFC 9579)."""

    derivation: Derivation
    digest: str
    value: bytes = field(repr=False)
    own: bool = True

    def fits(self, content: bytes, passphrase: Passphrase) -> bool:
        length = hashlib.new(self.digest).digest_size
        key = derive(self.derivation, passphrase, _MAC, length if self.own else len(self.value))
        return hmac.compare_digest(hmac.new(key, content, self.digest).digest(), self.value)


@dataclass(frozen=True)
class Store:
    """*content*: what the MAC covers; *mac*: None without one; *parts*: clear ones as bags, others sealed."""

    content: bytes = field(repr=False)
    parts: tuple[Union[tuple[Bag, ...], Sealed], ...]
    mac: Optional[Mac]


@dataclass(frozen=True, repr=False)
class Passphrase:
    """*text* None: no passphrase at all, which some writers tell from an empty one."""

    text: Optional[bytes]

    def own_form(self) -> bytes:
        """UTF-16 with two octets of zero; Latin-1 where it is no UTF-8 (OPENSSL_utf82uni, crypto/pkcs12)."""
        if self.text is None:
            return b""
        try:
            text = self.text.decode("utf-8")
        except UnicodeDecodeError:
            text = self.text.decode("latin-1")
        return text.encode("utf-16-be", "replace") + b"\0\0"


def parse(data: bytes) -> Store:
    """Raises DerError for what is no PKCS#12, UnsupportedError for a store that is signed or enciphered for
    a public key instead of a passphrase."""
    top, _end = der.read(data)
    fields = der.sequence(top)
    if len(fields) not in (2, 3) or der.integer(fields[0]) != 3:
        raise DerError("not PKCS#12 of version 3")
    content = _data(fields[1])
    mac = _mac(fields[2]) if len(fields) == 3 else None
    return Store(content, tuple(_part(part) for part in der.sequence(der.only(content))), mac)


def _content_info(element: Element) -> tuple[str, Element]:
    fields = der.sequence(element)
    if len(fields) != 2:
        raise DerError("a content is not an identifier and a value")
    return der.oid(fields[0]), der.explicit(fields[1])


def _data(element: Element) -> bytes:
    kind, value = _content_info(element)
    if kind != _DATA:
        raise UnsupportedError("signed instead of protected by a passphrase")
    return der.string(value)


def _part(element: Element) -> Union[tuple[Bag, ...], Sealed]:
    kind, value = _content_info(element)
    if kind == _DATA:
        return bags(der.string(value))
    if kind != _ENCRYPTED_DATA:
        raise UnsupportedError("enciphered for a public key instead of a passphrase")
    fields = der.sequence(value)
    if len(fields) < 2:
        raise DerError("an enciphered part has no content")
    inner = der.sequence(fields[1])
    if len(inner) != 3 or inner[2].tag != der.CONTEXT | 0:
        raise DerError("an enciphered part has no content")
    return _sealed(inner[1], der.string(inner[2]))


def bags(data: bytes, depth: int = 0) -> tuple[Bag, ...]:
    """The bags of one part; raises DerError."""
    found: list[Bag] = []
    if depth > _DEEPEST:
        raise DerError("bags are nested too deeply")
    for element in der.sequence(der.only(data)):
        found += _bag(element, depth)
        if len(found) > _MOST_BAGS:
            raise DerError("too many bags")
    return tuple(found)


def _bag(element: Element, depth: int) -> tuple[Bag, ...]:
    fields = der.sequence(element)
    if len(fields) not in (2, 3):
        raise DerError("a bag is not an identifier and a value")
    kind, value = der.oid(fields[0]), der.explicit(fields[1])
    key_id = _key_id(fields[2]) if len(fields) == 3 else b""
    if kind == _BAG + "1":
        return (Bag("key", value.encoding, key_id),)
    if kind == _BAG + "2":
        parts = der.sequence(value)
        if len(parts) != 2:
            raise DerError("an enciphered key is not a scheme and its octets")
        return (Bag("sealed_key", _sealed(parts[0], der.string(parts[1])), key_id),)
    if kind == _BAG + "6":
        return bags(value.encoding, depth + 1)
    if kind in (_BAG + "3", _BAG + "4"):
        what, inside = _content_info(value)
        if kind == _BAG + "4":
            return (Bag("crl", der.string(inside), key_id),)
        if what == _X509_CERTIFICATE:
            return (Bag("certificate", der.string(inside), key_id),)
    return (Bag("other", b""),)


def _key_id(attributes: Element) -> bytes:
    for attribute in der.sequence(attributes, der.SET):
        fields = der.sequence(attribute)
        if len(fields) == 2 and der.oid(fields[0]) == _LOCAL_KEY_ID:
            values = der.sequence(fields[1], der.SET)
            return der.string(values[0]) if values else b""
    return b""


def _algorithm(element: Element) -> tuple[str, Optional[Element]]:
    fields = der.sequence(element)
    if not 1 <= len(fields) <= 2:
        raise DerError("an algorithm is not an identifier and its parameters")
    return der.oid(fields[0]), fields[1] if len(fields) == 2 else None


def _sealed(algorithm: Element, octets: bytes) -> Sealed:
    scheme, parameters = _algorithm(algorithm)
    try:
        if parameters is None:
            raise UnsupportedError(scheme)
        cipher = _pbes2(parameters) if scheme == _PBES2 else _own_scheme(scheme, parameters)
    except UnsupportedError as error:
        return Sealed(None, str(error), octets)
    return Sealed(cipher, scheme, octets)


def _own_scheme(scheme: str, parameters: Element) -> Cipher:
    found = _OWN_CIPHERS.get(scheme[len(_PBE) :]) if scheme.startswith(_PBE) else None
    if found is None:
        raise UnsupportedError(scheme)
    fields = der.sequence(parameters)
    if len(fields) != 2:
        raise DerError("parameters are not a salt and a number")
    derivation = Derivation("own", "sha1", der.string(fields[0]), _count(fields[1]))
    return Cipher(derivation, *found)


def _pbes2(parameters: Element) -> Cipher:
    fields = der.sequence(parameters)
    if len(fields) != 2:
        raise DerError("parameters are not a derivation and a cipher")
    name, iv = _algorithm(fields[1])
    if name not in _CIPHERS or iv is None or iv.tag != der.OCTET_STRING:
        raise UnsupportedError(name)
    return Cipher(_derivation(fields[0]), *_CIPHERS[name], iv=der.string(iv))


def _derivation(element: Element) -> Derivation:
    name, parameters = _algorithm(element)
    if parameters is None or name not in (_PBKDF2, _SCRYPT):
        raise UnsupportedError(name)
    fields = der.sequence(parameters)
    if not fields or fields[0].tag != der.OCTET_STRING:
        raise UnsupportedError(name)
    salt, rest = der.string(fields[0]), fields[1:]
    numbers = [_count(one) for one in rest if one.tag == der.INTEGER]
    if name == _SCRYPT:
        if len(numbers) < 3:
            raise DerError("parameters of scrypt are missing")
        return Derivation("scrypt", "", salt, numbers[0], numbers[1], numbers[2])
    if not numbers:
        raise DerError("the number of iterations is missing")
    digest = "sha1"
    for one in rest:
        if one.tag == der.SEQUENCE:
            prf, _none = _algorithm(one)
            if prf not in _HMACS:
                raise UnsupportedError(prf)
            digest = _HMACS[prf]
    return Derivation("pbkdf2", digest, salt, numbers[0])


def _count(element: Element) -> int:
    number = der.integer(element)
    if number < 1:
        raise DerError("a number of iterations is not positive")
    return number


def _mac(element: Element) -> Mac:
    fields = der.sequence(element)
    if len(fields) not in (2, 3):
        raise DerError("the MAC has no salt")
    info = der.sequence(fields[0])
    if len(info) != 2:
        raise DerError("the MAC has no value")
    name, parameters = _algorithm(info[0])
    value = der.string(info[1])
    if name == _PBMAC1 and parameters is not None:
        inner = der.sequence(parameters)
        if len(inner) != 2:
            raise DerError("the MAC has no derivation")
        prf, _none = _algorithm(inner[1])
        if prf not in _HMACS:
            raise UnsupportedError(prf)
        return Mac(_derivation(inner[0]), _HMACS[prf], value, own=False)
    if name not in _DIGESTS:
        raise UnsupportedError(name)
    iterations = _count(fields[2]) if len(fields) == 3 else 1
    return Mac(Derivation("own", _DIGESTS[name], der.string(fields[1]), iterations), _DIGESTS[name], value)


def derive(derivation: Derivation, passphrase: Passphrase, purpose: int, length: int) -> bytes:
    """*length* octets; *purpose* counts for PKCS#12's own scheme only. Whoever calls has looked at the
    price."""
    if derivation.scheme == "own":
        return _own_derivation(derivation, passphrase.own_form(), purpose, length)
    text = passphrase.text or b""
    if derivation.scheme == "pbkdf2":
        return hashlib.pbkdf2_hmac(derivation.digest, text, derivation.salt, derivation.iterations, length)
    return hashlib.scrypt(
        text,
        salt=derivation.salt,
        n=derivation.iterations,
        r=derivation.memory,
        p=derivation.lanes,
        maxmem=256 * derivation.price + 2**20,
        dklen=length,
    )


def cipher_key(cipher: Cipher, passphrase: Passphrase) -> tuple[bytes, bytes]:
    """(key, initialisation vector); raises ValueError for parameters that make no sense."""
    key = derive(cipher.derivation, passphrase, _KEY, cipher.length)
    if cipher.name == "3des" and cipher.length == 16:
        key += key[:8]
    if cipher.iv is not None:
        return key, cipher.iv
    return key, derive(cipher.derivation, passphrase, _IV, 8) if cipher.name != "rc4" else b""


def _own_derivation(derivation: Derivation, passphrase: bytes, purpose: int, length: int) -> bytes:
    """RFC 7292, B.2."""
    new = getattr(hashlib, derivation.digest)
    block = new().block_size
    filled = _filled(derivation.salt, block) + _filled(passphrase, block)
    found: bytes = b""
    while True:
        once = new(bytes([purpose]) * block + filled).digest()
        for _round in range(derivation.iterations - 1):
            once = new(once).digest()
        found += once
        if len(found) >= length:
            return found[:length]
        add = int.from_bytes(_filled(once, block)[:block], "big") + 1
        modulus = 1 << (8 * block)
        filled = b"".join(
            ((int.from_bytes(filled[at : at + block], "big") + add) % modulus).to_bytes(block, "big")
            for at in range(0, len(filled), block)
        )


def _filled(data: bytes, block: int) -> bytes:
    """Repeated up to a whole number of blocks."""
    if not data:
        return b""
    length = -(-len(data) // block) * block
    return (data * (length // len(data) + 1))[:length]
