# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: read, normalise, make. No message ever holds a byte of a key or a passphrase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

from .._core import pem
from .._core.errors import MtlsError
from .._core.findings import CATALOGUE
from . import _deps
from .certificate import key_kind, spki_sha256

KEY_TYPES = ("p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519")
_CURVES = {"secp256r1": "p256", "secp384r1": "p384"}

_SEQUENCE, _OBJECT_IDENTIFIER = 0x30, 0x06

Passphrase = Union[None, str, bytes]


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """*encrypted* tells of the file, the key itself is open. It has no repr, so that no log shows it."""

    key: Any
    encrypted: bool

    @property
    def kind(self) -> tuple[str, int]:
        return key_kind(self.key)

    @property
    def public_key_sha256(self) -> str:
        return spki_sha256(self.key.public_key())

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8."""
        serialization = _deps.serialization
        text: bytes = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return text


def read(data: bytes, passphrase: Passphrase = None, place: str = "private_key") -> PrivateKey:
    """The first private key of PEM (also beside certificates or EC PARAMETERS) or DER.

    Raises MtlsError with code pair.key_encrypted (no passphrase, or a wrong one), pair.swapped_files (a
    certificate is there instead) or format.unreadable. Not checked: that the key is sound or strong.
    """
    secret = passphrase.encode("utf-8") if isinstance(passphrase, str) else passphrase
    if pem.looks_like_der(data):
        first, second = _first_tags(data)
        if first == _SEQUENCE and second != _OBJECT_IDENTIFIER:
            raise _error("pair.swapped_files", "A certificate stands where the private key should be.", place)
        return _open(data, secret, place, encrypted=first == _SEQUENCE, is_pem=False)
    document = pem.parse(data)
    blocks = document.private_keys()
    if blocks:
        block = blocks[0]
        encrypted = block.encrypted or block.label.startswith("ENCRYPTED")
        return _open(block.text, secret, f"{place}:{block.line}", encrypted, is_pem=True)
    if document.certificates():
        raise _error("pair.swapped_files", "A certificate stands where the private key should be.", place)
    findings = document.findings(place)
    if findings:
        raise _error(findings[0].code, findings[0].message, findings[0].place)
    raise _error(
        "format.unreadable",
        "The file is empty." if not data.strip() else "The file holds no private key.",
        place,
    )


def _open(data: bytes, secret: bytes | None, place: str, encrypted: bool, is_pem: bool) -> PrivateKey:
    serialization = _deps.serialization
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    if encrypted and not secret:
        raise _error("pair.key_encrypted", "The private key is encrypted and no passphrase is given.", place)
    # A passphrase beside a clear key is not a fault of the key; the library would refuse it.
    try:
        with _deps.untrusted():
            key = load(data, secret if encrypted else None)
    except _deps.UnreadableError:
        if encrypted:
            raise _error(
                "pair.key_encrypted",
                "The private key cannot be opened with the passphrase given (or it is damaged).",
                place,
            ) from None
        raise _error("format.unreadable", "The private key cannot be read.", place) from None
    return PrivateKey(key, encrypted)


def _first_tags(data: bytes) -> tuple[int, int]:
    """Tags of the first element of the outer SEQUENCE and of the first one within that.

    They tell what a DER file is: a clear key begins with an INTEGER, an encrypted one (RFC 5958, 3) with a
    SEQUENCE that begins with an OBJECT IDENTIFIER, a certificate with any other SEQUENCE.
    """
    tags: list[int] = []
    at = 0
    for _level in range(2):
        at += 2 + (data[at + 1] & 0x7F if at + 1 < len(data) and data[at + 1] & 0x80 else 0)
        tags.append(data[at] if at < len(data) else 0)
    return tags[0], tags[1]


def _error(code: str, message: str, place: str) -> MtlsError:
    return MtlsError(message, place, CATALOGUE[code].remedy, code)


def load_private_key(data: bytes, passphrase: Passphrase = None, place: str = "private_key") -> Any:
    """The library's key object; raises as ``read``."""
    return read(data, passphrase, place).key


def normalise_private_key(data: bytes, passphrase: Passphrase = None, place: str = "private_key") -> bytes:
    """Unencrypted PKCS#8 PEM, one block; raises as ``read``."""
    return read(data, passphrase, place).to_pem()


def type_name(key: Any) -> str:
    """One of KEY_TYPES where it is one of them, else kind and size; for public and private keys."""
    kind, bits = key_kind(key)
    if kind == "ec":
        curve: str = key.curve.name
        return _CURVES.get(curve, curve)
    return f"{kind}{bits}" if kind in ("rsa", "dsa") else kind


def generate(key_type: str) -> PrivateKey:
    """A new key of one of KEY_TYPES; raises ValueError for others."""
    if key_type not in KEY_TYPES:
        raise ValueError(key_type)
    key: Any
    if key_type.startswith("rsa"):
        key = _deps.rsa.generate_private_key(65537, int(key_type[len("rsa") :]))
    elif key_type == "ed25519":
        key = _deps.ed25519.Ed25519PrivateKey.generate()
    else:
        key = _deps.ec.generate_private_key(
            _deps.ec.SECP256R1() if key_type == "p256" else _deps.ec.SECP384R1()
        )
    return PrivateKey(key, False)
