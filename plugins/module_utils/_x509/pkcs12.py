# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 stores opened: certificates and keys as plain DER, in bounded time. No message has a byte of them.

nginx reads no such file (``format.pkcs12``); this is for what is in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional, Union

from .._core.asn1 import key_cipher, pkcs12
from .._core.asn1.der import DerError
from .._core.asn1.pkcs12 import Bag, Sealed, Store, UnsupportedError
from .._core.findings import Finding
from . import _deps, unlock

#: In rounds of HMAC, for all derivations of one store together: some seconds. Stores of today have 2,048 to
#: 600,000 iterations for each of their two or three.
MOST_WORK = key_cipher.MOST_WORK


class _CostlyError(Exception):
    """The derivation would take too long."""


class _LegacyError(Exception):
    """A cipher that OpenSSL 3 has in its legacy provider only; the text names it."""


@dataclass(frozen=True)
class Opened:
    """*certificates* as DER, that of the key first where one is; *keys*: PKCS#8 in the clear."""

    certificates: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = field(repr=False, default=())
    findings: tuple[Finding, ...] = ()


def open_store(data: bytes, passphrase: Union[str, bytes, None], place: str) -> Opened:
    """What is in the store; what cannot be opened is a finding, and what lies open beside it is still there.

    Without passphrase an empty one is tried, as OpenSSL does. Codes: format.unreadable (no PKCS#12, or
    protected otherwise), pair.key_encrypted (no passphrase, or a wrong one), pair.legacy_cipher (OpenSSL 3
    does not open it either), pair.costly_derivation. Never raises.
    """
    try:
        store = pkcs12.parse(data)
    except UnsupportedError as error:
        return Opened(findings=(Finding("format.unreadable", f"The PKCS#12 store is {error}.", place),))
    except DerError:
        return Opened(findings=(Finding("format.unreadable", "The PKCS#12 store is damaged.", place),))
    found: Optional[Finding] = None
    for secret in _candidates(passphrase):
        try:
            return _arranged(_Opening(store, secret).all())
        except _FAULTS as error:
            found = _finding(error, bool(passphrase), place)
    clear = [bag for part in store.parts if not isinstance(part, Sealed) for bag in part]
    opened = _arranged(clear)
    return Opened(opened.certificates, opened.keys, (found,) if found else ())


_FAULTS = (
    unlock.WrongPassphraseError,
    unlock.UnsupportedError,
    _CostlyError,
    _LegacyError,
    DerError,
)


def _finding(error: Exception, given: bool, place: str) -> Finding:
    if isinstance(error, unlock.WrongPassphraseError):
        said = (
            "cannot be opened with the passphrase given" if given else "needs a passphrase, and none is given"
        )
        return Finding("pair.key_encrypted", f"The PKCS#12 store {said}.", place)
    if isinstance(error, _CostlyError):
        said = "The PKCS#12 store asks for too many iterations to try a passphrase."
        return Finding("pair.costly_derivation", said, place)
    if isinstance(error, _LegacyError):
        said = f"The PKCS#12 store is encrypted with {error}, which OpenSSL 3 opens with -legacy only."
        return Finding("pair.legacy_cipher", said, place)
    if isinstance(error, unlock.UnsupportedError):
        said = "The PKCS#12 store is encrypted in a way that nothing on this host opens."
        return Finding("pair.key_encrypted", said, place)
    return Finding("format.unreadable", "The PKCS#12 store is damaged inside.", place)


def _candidates(passphrase: Union[str, bytes, None]) -> list[Optional[bytes]]:
    """None is no passphrase at all, which some writers tell from an empty one (PKCS12_parse tries both)."""
    if not passphrase:
        return [None, b""]
    return [passphrase.encode("utf-8", "surrogateescape") if isinstance(passphrase, str) else passphrase]


class _Opening:
    """One try with one passphrase, and what it has cost so far."""

    def __init__(self, store: Store, passphrase: Optional[bytes]) -> None:
        self.store = store
        self.passphrase = passphrase
        self.spent = 0

    def all(self) -> list[Bag]:
        """Every bag, keys in the clear; raises one of the faults."""
        mac = self.store.mac
        if mac is not None:
            self._pay(mac.work)
            try:
                fits = self._fits(mac)
            except ValueError:  # a digest that this Python lacks, as in FIPS mode
                raise unlock.UnsupportedError from None
            if not fits:
                raise unlock.WrongPassphraseError
        return [bag for part in self.store.parts for bag in self._bags(part)]

    def _fits(self, mac: pkcs12.Mac) -> bool:
        if mac.prf:
            key = hashlib.pbkdf2_hmac(mac.prf, self.passphrase or b"", mac.salt, mac.rounds, mac.size)
        else:
            size = hashlib.new(mac.digest).digest_size
            secret = b"" if self.passphrase is None else unlock.bmp_passphrase(self.passphrase)
            key = unlock.pkcs12_bytes(3, secret, mac.salt, mac.rounds, size, mac.digest)
        return hmac.compare_digest(hmac.new(key, self.store.content, mac.digest).digest(), mac.value)

    def _bags(self, part: Union[tuple[Bag, ...], Sealed]) -> Iterator[Bag]:
        if isinstance(part, Sealed):
            part = self._understood(self._unsealed(part))
        for bag in part:
            if isinstance(bag.content, Sealed):
                yield Bag(bag.kind, self._unsealed(bag.content), bag.key_id)
            else:
                yield bag

    def _understood(self, clear: bytes) -> tuple[Bag, ...]:
        try:
            return pkcs12.bags(clear)
        except DerError:
            if self.store.mac is None:  # nothing else has told that the passphrase is right
                raise unlock.WrongPassphraseError from None
            raise

    def _pay(self, work: int) -> None:
        self.spent += work
        if self.spent > MOST_WORK:
            raise _CostlyError

    def _unsealed(self, sealed: Sealed) -> bytes:
        protection = key_cipher.of_pkcs8(sealed.der)
        if protection.legacy:
            raise _LegacyError(protection.legacy)
        if protection.costly:
            raise _CostlyError
        self._pay(protection.work)
        return unlock.unlock(protection, self.passphrase)


def _arranged(bags: list[Bag]) -> Opened:
    """The key's certificate first: with the same public key, or of the same local key identifier where the
    library cannot tell."""
    kinds: dict[str, list[tuple[bytes, bytes]]] = {"key": [], "certificate": []}
    for bag in bags:
        if bag.kind in kinds and isinstance(bag.content, bytes):
            kinds[bag.kind].append((bag.content, bag.key_id))
    certificates = kinds["certificate"]
    if kinds["key"]:
        content, key_id = kinds["key"][0]
        public = _public_key(content)
        own = [one for one in certificates if public is not None and public in one[0]]
        own = own or [one for one in certificates if key_id and key_id == one[1]]
        certificates = own + [one for one in certificates if one not in own]
    unique = tuple(dict.fromkeys(one for one, _key_id in certificates))
    return Opened(unique, tuple(one for one, _key_id in kinds["key"]))


def _public_key(key: bytes) -> Optional[bytes]:
    """DER of the SubjectPublicKeyInfo, as a certificate has it; None where the library cannot tell."""
    serialization = _deps.serialization
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        with _deps.untrusted():
            public: bytes = (
                serialization.load_der_private_key(key, None).public_key().public_bytes(encoding, form)
            )
    except _deps.UnreadableError:
        return None
    return public
