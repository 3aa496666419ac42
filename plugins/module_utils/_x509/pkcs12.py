# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 stores opened: certificates and keys as plain DER, in bounded time. No message has a byte of them.

nginx reads no such file (``format.pkcs12``); this is for what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional, Union

from .._core import pkcs12
from .._core.der import DerError
from .._core.findings import Finding
from .._core.pkcs12 import Bag, Passphrase, Sealed, Store, UnsupportedError
from . import _deps

#: In iterations of all derivations of one store together: some seconds. Stores of today have 2,048 to 600,000
#: for each of their two or three.
MOST_ITERATIONS = 5_000_000
_MOST_SCRYPT = 1 << 19  # N * r * p: 64 MiB with p = 1


class _WrongPassphraseError(Exception):
    """The MAC does not fit, or nothing sensible comes out."""


class _CostlyError(Exception):
    """The derivation would take too long."""


@dataclass(frozen=True)
class Opened:
    """*certificates* as DER, that of the key first where one is; *keys*: PKCS#8 in the clear."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = field(repr=False, default=())
    findings: tuple[Finding, ...] = ()


def open_store(data: bytes, passphrase: Union[str, bytes, None], place: str) -> Opened:
    """What is in the store; what cannot be opened is a finding, and what lies open beside it is still there.

    Without passphrase an empty one is tried, as OpenSSL does. Codes: format.unreadable (no PKCS#12, or
    protected otherwise), pair.key_encrypted (no passphrase, or a wrong one), pair.legacy_cipher (RC2, RC4 and
    what is unknown: OpenSSL 3 does not open it either), pair.costly_derivation. Never raises.
    """
    try:
        store = pkcs12.parse(data)
    except UnsupportedError as error:
        return Opened(findings=(Finding("format.unreadable", f"The PKCS#12 store is {error}.", place),))
    except DerError:
        return Opened(findings=(Finding("format.unreadable", "The PKCS#12 store is damaged.", place),))
    code, said = "", ""
    for secret in _candidates(passphrase):
        try:
            return _arranged(_Opening(store, secret).all())
        except _WrongPassphraseError:
            code = "pair.key_encrypted"
            said = (
                "The PKCS#12 store cannot be opened with the passphrase given."
                if passphrase
                else "The PKCS#12 store needs a passphrase, and none is given."
            )
        except _CostlyError:
            code = "pair.costly_derivation"
            said = "The PKCS#12 store asks for too many iterations to try a passphrase."
            break
        except UnsupportedError as error:
            code = "pair.legacy_cipher"
            said = f"The PKCS#12 store is encrypted by {error}, which is not opened here."
        except DerError:
            code, said = "format.unreadable", "The PKCS#12 store is damaged inside."
    clear = [bag for part in store.parts if not isinstance(part, Sealed) for bag in part]
    opened = _arranged(clear)
    return Opened(opened.certificates, opened.crls, opened.keys, (Finding(code, said, place),))


def _candidates(passphrase: Union[str, bytes, None]) -> list[Passphrase]:
    if passphrase:
        text = passphrase.encode("utf-8", "surrogateescape") if isinstance(passphrase, str) else passphrase
        return [Passphrase(text)]
    return [Passphrase(None), Passphrase(b"")]


class _Opening:
    """One try with one passphrase, and what it has cost so far."""

    def __init__(self, store: Store, passphrase: Passphrase) -> None:
        self.store = store
        self.passphrase = passphrase
        self.spent = 0

    def all(self) -> list[Bag]:
        """Every bag, keys in the clear; raises the exceptions above, DerError and UnsupportedError."""
        mac = self.store.mac
        if mac is not None:
            self._pay(mac.derivation, 1)
            if not mac.fits(self.store.content, self.passphrase):
                raise _WrongPassphraseError
        return [bag for part in self.store.parts for bag in self._bags(part)]

    def _bags(self, part: Union[tuple[Bag, ...], Sealed]) -> Iterator[Bag]:
        if isinstance(part, Sealed):
            part = self._understood(self._unsealed(part))
        for bag in part:
            if isinstance(bag.content, Sealed):
                clear = self._unsealed(bag.content)
                yield Bag("key", clear, bag.key_id)
            else:
                yield bag

    def _understood(self, clear: bytes) -> tuple[Bag, ...]:
        try:
            return pkcs12.bags(clear)
        except DerError:
            if self.store.mac is None:  # nothing else has told that the passphrase is right
                raise _WrongPassphraseError from None
            raise

    def _pay(self, derivation: pkcs12.Derivation, times: int) -> None:
        if derivation.scheme == "scrypt":
            if derivation.price > _MOST_SCRYPT:
                raise _CostlyError
            return
        self.spent += derivation.iterations * times
        if self.spent > MOST_ITERATIONS:
            raise _CostlyError

    def _unsealed(self, sealed: Sealed) -> bytes:
        cipher = sealed.cipher
        if cipher is None or cipher.legacy:
            raise UnsupportedError(sealed.scheme if cipher is None else cipher.name.upper())
        self._pay(cipher.derivation, 3)  # two rounds for a long key, one for the vector
        try:
            key, iv = pkcs12.cipher_key(cipher, self.passphrase)
        except (ValueError, OverflowError, MemoryError):
            raise UnsupportedError("its parameters make no sense") from None
        try:
            with _deps.untrusted():
                padded = _decipher(cipher.name, key, iv, sealed.octets)
        except _deps.UnreadableError:
            raise _WrongPassphraseError from None
        return _unpadded(padded)


def _decipher(name: str, key: bytes, iv: bytes, octets: bytes) -> bytes:
    algorithm = _deps.algorithms.AES if name == "aes" else _deps.TripleDES
    decryptor = _deps.Cipher(algorithm(key), _deps.modes.CBC(iv)).decryptor()
    clear: bytes = decryptor.update(octets) + decryptor.finalize()
    return clear


def _unpadded(data: bytes) -> bytes:
    """PKCS#7's padding taken off."""
    count = data[-1] if data else 0
    if not 1 <= count <= 16 or data[-count:] != bytes([count]) * count:
        raise _WrongPassphraseError
    return data[:-count]


def _arranged(bags: list[Bag]) -> Opened:
    """The key's certificate first: of the same local key identifier, or with the same public key."""
    keys = [(bag.content, bag.key_id) for bag in bags if bag.kind == "key" and isinstance(bag.content, bytes)]
    certificates = [
        (bag.content, bag.key_id)
        for bag in bags
        if bag.kind == "certificate" and isinstance(bag.content, bytes)
    ]
    crls = [bag.content for bag in bags if bag.kind == "crl" and isinstance(bag.content, bytes)]
    if keys:
        content, key_id = keys[0]
        public = _public_key(content)
        certificates.sort(
            key=lambda one: (
                not (public is not None and public in one[0])
                if public is not None
                else not (key_id and one[1] == key_id)
            )
        )
    unique = tuple(dict.fromkeys(content for content, _key_id in certificates))
    return Opened(unique, tuple(crls), tuple(content for content, _key_id in keys))


def _public_key(key: bytes) -> Optional[bytes]:
    """DER of the SubjectPublicKeyInfo, as a certificate has it; None where the library cannot tell."""
    serialization = _deps.serialization
    try:
        with _deps.untrusted():
            public: bytes = (
                serialization.load_der_private_key(key, None)
                .public_key()
                .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
    except _deps.UnreadableError:
        return None
    return public
