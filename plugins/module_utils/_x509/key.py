# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: read, normalise, make. No message ever holds a byte of a key or a passphrase."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Optional, Union

from .._core import pair
from .._core.asn1 import der, key_cipher, private_key, public_key
from .._core.asn1.private_key import Answer, ClearKey
from .._core.asn1.public_key import PublicKey
from .._core.errors import MtlsError
from .._core.findings import CATALOGUE, Finding
from .._core.forms import contents, kinds
from .._core.forms.contents import Contents, Item
from . import _deps, unlock

KEY_TYPES = ("p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519")
_CURVES = {"secp256r1": "p256", "secp384r1": "p384"}

Passphrase = Union[None, str, bytes]

# Asks the host's OpenSSL for the public half of a key: (the block or the DER, the passphrase or None).
# ``_host.openssl_key.HostKeys.ask`` is one.
Ask = Callable[[bytes, Optional[bytes]], Answer]


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """*encrypted* tells of the file, the key itself is open; *place* is its file and line. *clear* is its
    DER, b"" where only the host's OpenSSL could open it: then *engine* is that OpenSSL's name and version. It
    has no repr, so that no log shows it."""

    clear: bytes
    public: PublicKey
    encrypted: bool
    place: str = "private_key"
    engine: str = ""
    consistent: bool = field(default=True)

    @cached_property
    def key(self) -> Any:
        """The library's key object; raises MtlsError for a key that the library does not load."""
        loaded = _load(self.clear)
        if loaded is None:
            raise _error(
                "format.unreadable", "The private key is of no kind that can be used here.", self.place
            )
        return loaded

    @property
    def kind(self) -> tuple[str, int]:
        """(rsa, rsa-pss, ec, ed25519, ed448, dsa, x25519, x448, sm2 or unknown; bits, 0 for unknown)."""
        return self.public.kind, self.public.bits

    @property
    def public_key_sha256(self) -> str:
        """Comparable with a certificate's; ``pair.matches`` knows the rest of what makes two keys one."""
        return self.public.sha256

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with a key that nginx loads."""
        if self.consistent:
            return []
        said = "The numbers of the private key do not belong together: what it signs cannot be verified."
        return [Finding("key.inconsistent", said, self.place)]

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8; raises MtlsError as ``key``."""
        serialization = _deps.serialization
        text: bytes = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return text


def read(
    data: bytes, passphrase: Passphrase = None, place: str = "private_key", ask: Optional[Ask] = None
) -> PrivateKey:
    """The private key that nginx would take: the first of PEM (also beside certificates or EC PARAMETERS)
    that can be opened, or the one of DER. Without *ask* nothing but this library opens one.

    Raises MtlsError with code pair.key_encrypted (no passphrase, or a wrong one), pair.legacy_cipher,
    pair.costly_derivation, pair.swapped_files (a certificate is there instead), pair.undecided (a URI) or one
    of area format. Not checked: that the key is sound or strong.
    """
    return of(contents.recognise(data), passphrase, place, ask)


def of(
    found: Contents, passphrase: Passphrase = None, place: str = "private_key", ask: Optional[Ask] = None
) -> PrivateKey:
    """``read`` of a file that is recognised already."""
    secret = passphrase.encode("utf-8", "surrogateescape") if isinstance(passphrase, str) else passphrase
    first: Optional[MtlsError] = None
    for item in found.private_keys():
        try:
            return _open(item, secret, item.place(place), ask)
        except MtlsError as error:
            first = first or error
            # OpenSSL goes on to the next block behind one that it cannot read or has no cipher for, but not
            # behind one that it cannot open.
            if item.encrypted and error.code != "pair.legacy_cipher":
                break
    raise first or _nothing(found, place)


def _nothing(found: Contents, place: str) -> MtlsError:
    """Why there is no key in the file."""
    uris = found.of_kind(kinds.KEY_URI)
    if uris:
        said = "The private key is a URI: it is in a token, and nothing is asked of it here."
        return _error("pair.undecided", said, uris[0].place(place))
    if found.certificates():
        return _error("pair.swapped_files", "A certificate stands where the private key should be.", place)
    for finding in found.findings("private_key", place):
        if finding.severity == "error":
            return _error(finding.code, finding.message, finding.place)
    said = f"The file is {found.what}." if found.form == contents.OTHER else "The file holds no private key."
    return _error("format.unreadable", said, place)


def _open(item: Item, secret: Optional[bytes], place: str, ask: Optional[Ask]) -> PrivateKey:
    if not item.encrypted:
        try:
            return _of_clear(item.der, item.label, False, place, lambda: _asked(ask, item, None))
        except der.DerError as error:
            raise _unreadable(error, place) from None
    try:
        if item.kind == kinds.ENCRYPTED_PRIVATE_KEY:
            private_key.check_encrypted_label(item.label)
            protection = key_cipher.of_pkcs8(item.der)
        else:
            protection = key_cipher.of_pem(item.text, item.der)
    except der.DerError as error:
        raise _unreadable(error, place) from None
    return _open_encrypted(item, protection, secret, place, ask)


def _open_encrypted(
    item: Item, protection: key_cipher.Protection, secret: Optional[bytes], place: str, ask: Optional[Ask]
) -> PrivateKey:
    if not secret:
        if protection.legacy:
            raise _legacy(protection.legacy, place)
        raise _error("pair.key_encrypted", "The private key is encrypted and no passphrase is given.", place)
    if protection.costly:
        said = f"Opening the private key takes {protection.costly}, more than is tried here."
        raise _error("pair.costly_derivation", said, place)
    try:
        clear = unlock.unlock(protection, secret)
    except unlock.WrongPassphraseError:
        raise _wrong_passphrase(place) from None
    except unlock.UnsupportedError:
        return _opened_by_host(item, protection, secret, place, ask)
    # What is behind a wrong passphrase may begin like DER by chance.
    try:
        return _of_clear(clear, item.label, True, place, lambda: _asked(ask, item, secret))
    except der.DerError:
        raise _wrong_passphrase(place) from None


def _opened_by_host(
    item: Item, protection: key_cipher.Protection, secret: bytes, place: str, ask: Optional[Ask]
) -> PrivateKey:
    answer = _asked(ask, item, secret)
    if answer.spki:
        return PrivateKey(b"", _public(answer.spki), True, place, answer.engine)
    if protection.legacy:
        raise _legacy(protection.legacy, place)
    if answer.fault == private_key.PASSPHRASE:
        raise _wrong_passphrase(place)
    if answer.fault == private_key.UNSUPPORTED:
        raise _legacy("an algorithm that is not known here", place)
    said = "The private key is encrypted in a way that nothing on this host opens."
    raise _error("pair.key_encrypted", said, place)


def _of_clear(
    clear: bytes, label: str, encrypted: bool, place: str, asked: Callable[[], Answer]
) -> PrivateKey:
    """Raises DerError for what OpenSSL does not read as a key."""
    found = private_key.read(clear, label)
    public = found.public or _derived(found)
    engine = ""
    if public is None or found.doubtful:
        answer = asked()
        if answer.spki:
            engine = answer.engine
            if public is None or public.kind == "unknown":
                public = _public(answer.spki)
        elif answer.fault != private_key.SILENT:
            raise der.DerError("OpenSSL reads no key there")
    if public is None:
        public = public_key.of(found.oid, found.parameters, b"")
    return PrivateKey(clear, public, encrypted, place, engine, found.consistent and _agrees(found, public))


def _public(spki: bytes) -> PublicKey:
    return public_key.read(der.only(spki))


def _asked(ask: Optional[Ask], item: Item, secret: Optional[bytes]) -> Answer:
    if ask is None:
        return Answer(b"", private_key.SILENT)
    return ask(item.text or item.der, secret)


def _derived(found: ClearKey) -> Optional[PublicKey]:
    """The public half by the library's arithmetic; None for what it has not got."""
    try:
        with _deps.untrusted():
            return _derived_ec(found) if found.oid == public_key.EC_PUBLIC_KEY else _derived_octets(found)
    except _deps.UnreadableError:
        return None


def _derived_ec(found: ClearKey) -> PublicKey:
    curve = der.oid(der.only(found.parameters, der.OBJECT_IDENTIFIER))
    ec = _deps.ec
    group = ec.get_curve_for_oid(_deps.x509.ObjectIdentifier(curve))()
    key = ec.derive_private_key(int.from_bytes(found.secret, "big"), group)
    return _of_library(key.public_key())


def _derived_octets(found: ClearKey) -> PublicKey:
    kinds_of: dict[str, Any] = {
        "1.3.101.110": _deps.x25519.X25519PrivateKey,
        "1.3.101.111": _deps.x448.X448PrivateKey,
        "1.3.101.112": _deps.ed25519.Ed25519PrivateKey,
        "1.3.101.113": _deps.ed448.Ed448PrivateKey,
    }
    return _of_library(kinds_of[found.oid].from_private_bytes(found.secret).public_key())


def _of_library(key: Any) -> PublicKey:
    serialization = _deps.serialization
    return _public(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _agrees(found: ClearKey, public: PublicKey) -> bool:
    """Whether an EC key's private half fits its public one; True where the library cannot tell."""
    if found.public is None or found.oid != public_key.EC_PUBLIC_KEY or not pair.decided(public):
        return True
    derived = _derived(found)
    return any(found.secret) and (derived is None or derived.normal == public.normal)


def _load(clear: bytes) -> Any:
    """The library's object, None for what it does not load. The numbers of an RSA key are checked by
    ``private_key`` already; where the library can be told so, its tests for primes are left out."""
    load = _deps.serialization.load_der_private_key
    for more in ({"unsafe_skip_rsa_key_validation": True}, {}):
        try:
            with _deps.untrusted():
                return load(clear, None, **more)
        except _deps.UnreadableError:
            continue
    return None


def _legacy(what: str, place: str) -> MtlsError:
    said = f"The private key is encrypted with {what}, which OpenSSL 3 does not read."
    return _error("pair.legacy_cipher", said, place)


def _wrong_passphrase(place: str) -> MtlsError:
    said = "The private key cannot be opened with the passphrase given (or it is damaged)."
    return _error("pair.key_encrypted", said, place)


def _unreadable(error: der.DerError, place: str) -> MtlsError:
    return _error("format.unreadable", f"The private key cannot be read: {error}.", place)


def _error(code: str, message: str, place: str) -> MtlsError:
    return MtlsError(message, place, CATALOGUE[code].remedy, code)


def normalise_private_key(data: bytes, passphrase: Passphrase = None, place: str = "private_key") -> bytes:
    """Unencrypted PKCS#8 PEM, one block; raises as ``read``."""
    return read(data, passphrase, place).to_pem()


def _kind(key: Any) -> tuple[str, int]:
    """(rsa|ec|ed25519|ed448|dsa|unknown, bits) of the library's object."""
    if isinstance(key, (_deps.rsa.RSAPublicKey, _deps.rsa.RSAPrivateKey)):
        return "rsa", key.key_size
    if isinstance(key, (_deps.ec.EllipticCurvePublicKey, _deps.ec.EllipticCurvePrivateKey)):
        return "ec", key.curve.key_size
    if isinstance(key, (_deps.ed25519.Ed25519PublicKey, _deps.ed25519.Ed25519PrivateKey)):
        return "ed25519", 256
    if isinstance(key, (_deps.ed448.Ed448PublicKey, _deps.ed448.Ed448PrivateKey)):
        return "ed448", 456
    if isinstance(key, (_deps.dsa.DSAPublicKey, _deps.dsa.DSAPrivateKey)):
        return "dsa", key.key_size
    return "unknown", 0


def type_name(key: Any) -> str:
    """One of KEY_TYPES where it is one of them, else kind and size; for public and private keys."""
    kind, bits = _kind(key)
    if kind == "ec":
        curve: str = key.curve.name
        return _CURVES.get(curve, curve)
    return f"{kind}{bits}" if kind in ("rsa", "dsa") else kind


def generate(key_type: str) -> PrivateKey:
    """A new key of one of KEY_TYPES; raises ValueError for others."""
    if key_type not in KEY_TYPES:
        raise ValueError(key_type)
    made: Any
    if key_type.startswith("rsa"):
        made = _deps.rsa.generate_private_key(65537, int(key_type[len("rsa") :]))
    elif key_type == "ed25519":
        made = _deps.ed25519.Ed25519PrivateKey.generate()
    else:
        made = _deps.ec.generate_private_key(
            _deps.ec.SECP256R1() if key_type == "p256" else _deps.ec.SECP384R1()
        )
    serialization = _deps.serialization
    clear = made.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PrivateKey(clear, _of_library(made.public_key()), False)
