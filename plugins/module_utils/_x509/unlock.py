# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted private keys are opened here, so that every version of the library opens the same ones: it lends
its block ciphers, the derivations are hashlib's (and RFC 7292's, which hashlib lacks).

Only what ``key_cipher`` knows; the rest is the host's OpenSSL to open. What a try costs is the caller's to
look at first (``Protection.costly``).
"""

from __future__ import annotations

import hashlib
from typing import Any, Optional

from .._core.asn1 import der, key_cipher
from .._core.asn1.key_cipher import Protection
from . import _deps

_SCRYPT_MEMORY = 64 * 1024 * 1024


class WrongPassphraseError(Exception):
    """The passphrase is not the key's, or the key is damaged: nothing can tell them apart."""


class UnsupportedError(Exception):
    """The cipher or the digest is not to be had in this interpreter."""


def unlock(protection: Protection, passphrase: Optional[bytes]) -> bytes:
    """DER of the clear key, or of another SEQUENCE that is encrypted like one. None is no passphrase at all,
    which RFC 7292's derivation tells from an empty one.

    Raises WrongPassphraseError, and UnsupportedError for what this host's Python or library lacks. Not
    checked: that it is a key, only that it begins as one value of DER."""
    if not protection.known:
        raise UnsupportedError
    try:
        key, iv = _derive(protection, passphrase)
    except (ValueError, MemoryError):
        # A digest that this Python lacks, or scrypt's memory.
        raise UnsupportedError from None
    clear = _unpadded(_decrypted(protection, key, iv), key_cipher.block_size(protection.cipher))
    try:
        der.expect(der.read(clear)[0], der.SEQUENCE)
    except der.DerError:
        raise WrongPassphraseError from None
    return clear


def _derive(protection: Protection, secret: Optional[bytes]) -> tuple[bytes, bytes]:
    size = protection.key_size
    passphrase = secret or b""
    if protection.derivation == key_cipher.PBKDF2:
        key = hashlib.pbkdf2_hmac(protection.digest, passphrase, protection.salt, protection.rounds, size)
        return key, protection.iv
    if protection.derivation == key_cipher.SCRYPT:
        key = hashlib.scrypt(
            passphrase,
            salt=protection.salt,
            n=protection.rounds,
            r=protection.block_size,
            p=protection.parallel,
            maxmem=_SCRYPT_MEMORY,
            dklen=size,
        )
        return key, protection.iv
    if protection.derivation == key_cipher.PEM:
        return _bytes_to_key(passphrase, protection.salt, size), protection.iv
    password = b"" if secret is None else bmp_passphrase(secret)
    key = pkcs12_bytes(1, password, protection.salt, protection.rounds, size)
    return key, pkcs12_bytes(2, password, protection.salt, protection.rounds, 8)


def _bytes_to_key(passphrase: bytes, salt: bytes, size: int) -> bytes:
    """EVP_BytesToKey with MD5 and one round (crypto/evp/evp_key.c)."""
    made = last = b""
    while len(made) < size:
        last = hashlib.md5(last + passphrase + salt).digest()
        made += last
    return made[:size]


def bmp_passphrase(passphrase: bytes) -> bytes:
    """As PKCS#12 wants it: UTF-16 with two zero octets; what is no UTF-8 is taken octet by octet
    (PKCS12_key_gen_utf8_ex, crypto/pkcs12/p12_key.c)."""
    try:
        text = passphrase.decode("utf-8")
    except UnicodeDecodeError:
        text = passphrase.decode("latin-1")
    return text.encode("utf-16-be") + b"\x00\x00"


def pkcs12_bytes(
    purpose: int, password: bytes, salt: bytes, rounds: int, size: int, digest: str = "sha1"
) -> bytes:
    """RFC 7292, appendix B.2; *purpose* is 1 for a key, 2 for an initialisation vector, 3 for a MAC."""
    new = getattr(hashlib, digest)
    block = new().block_size
    filled = _repeated(salt, block) + _repeated(password, block)
    made = b""
    while len(made) < size:
        value = new(bytes([purpose]) * block + filled).digest()
        for _round in range(rounds - 1):
            value = new(value).digest()
        made += value
        more = int.from_bytes(_exactly(value, block), "big") + 1
        filled = b"".join(
            ((int.from_bytes(filled[at : at + block], "big") + more) % (1 << 8 * block)).to_bytes(
                block, "big"
            )
            for at in range(0, len(filled), block)
        )
    return made[:size]


def _repeated(text: bytes, block: int) -> bytes:
    """*text* again and again, to the next multiple of *block*."""
    return _exactly(text, -(-len(text) // block) * block) if text else b""


def _exactly(text: bytes, size: int) -> bytes:
    return (text * (size // len(text) + 1))[:size]


def _decrypted(protection: Protection, key: bytes, iv: bytes) -> bytes:
    data = protection.data
    if not data or len(data) % key_cipher.block_size(protection.cipher):
        raise WrongPassphraseError
    try:
        with _deps.untrusted():
            decryptor = _deps.Cipher(_algorithm(protection.cipher, key), _deps.modes.CBC(iv)).decryptor()
            clear: bytes = decryptor.update(data) + decryptor.finalize()
    except _deps.UnreadableError:
        raise UnsupportedError from None
    return clear


def _algorithm(cipher: str, key: bytes) -> Any:
    if cipher.startswith("AES-"):
        return _deps.algorithms.AES(key)
    if cipher.startswith("CAMELLIA-"):
        return _deps.Camellia(key)
    # Two keys: the first again as the third.
    return _deps.TripleDES(key if len(key) == 24 else key + key[:8])


def _unpadded(clear: bytes, block: int) -> bytes:
    """Without the padding of RFC 8018, 6.1.1."""
    count = clear[-1]
    if not 1 <= count <= block or clear[-count:] != bytes([count]) * count:
        raise WrongPassphraseError
    return clear[:-count]
