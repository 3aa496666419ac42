# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose key made a signature, with OpenSSL's rules around the library's arithmetic (ASN1_item_verify_ctx,
crypto/asn1/a_verify.c)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, Optional

from .._core.asn1 import algorithms, der, pss, public_key
from .._core.asn1.der import DerError
from .._core.certificate import CertificateFacts, may_sign
from . import _deps

# Names of `algorithms`, and those of the library's classes.
_HASHES = {
    "md5": "MD5",
    "sha1": "SHA1",
    "sha224": "SHA224",
    "sha256": "SHA256",
    "sha384": "SHA384",
    "sha512": "SHA512",
    "sha512-224": "SHA512_224",
    "sha512-256": "SHA512_256",
    "sha3-224": "SHA3_224",
    "sha3-256": "SHA3_256",
    "sha3-384": "SHA3_384",
    "sha3-512": "SHA3_512",
}


class Signed(NamedTuple):
    """*data* as it was signed, the *signature* (b"" for no whole number of octets), its algorithm's *oid* and
    the DER of the *parameters*, b"" where there are none."""

    data: bytes
    signature: bytes
    oid: str
    parameters: bytes = b""


def of(cert: CertificateFacts) -> Signed:
    return Signed(cert.tbs, cert.signature, cert.signature_oid, cert.signature_parameters)


def made_by(issuer: CertificateFacts, signed: Signed) -> Optional[bool]:
    """Whether *issuer*'s key made the signature; None where the installed library cannot tell, for want of
    the algorithm, the curve or the digest. Raises nothing.

    Not checked: that the algorithm inside the signed data is the same; whether key and digest are any good.
    """
    kind, digest = algorithms.signature(signed.oid, signed.parameters)
    if not kind or issuer.key_type == "unknown":
        return None
    if not signed.signature or not may_sign(issuer.key_type, kind):
        return False
    try:
        with _deps.untrusted():
            return _verified(issuer, kind, digest, signed)
    except _deps.UnreadableError:
        return None


def _verified(issuer: CertificateFacts, kind: str, digest: str, signed: Signed) -> bool:
    arguments: list[Any]
    if kind == "rsa":
        arguments = [_deps.padding.PKCS1v15(), _hash(digest)]
    elif kind == "rsa-pss":
        try:
            used = pss.read(signed.parameters)
            if not _unrestricted(issuer, used):
                return False
        except DerError:
            return False
        mask = _deps.padding.MGF1(_hash(used.mask_digest))
        arguments = [_deps.padding.PSS(mask, used.salt), _hash(used.digest)]
    elif kind == "ec":
        arguments = [_deps.ec.ECDSA(_hash(digest))]
    elif kind == "dsa":
        arguments = [_hash(digest)]
    elif kind in ("ed25519", "ed448"):
        arguments = []
    else:
        raise ValueError(kind)
    try:
        _key(_spki(issuer)).verify(signed.signature, signed.data, *arguments)
    except _deps.InvalidSignature:
        return False
    return True


def _hash(name: str) -> Any:
    """Raises AttributeError or KeyError for what the library has not, as it does itself in its own ways."""
    return getattr(_deps.hashes, _HASHES[name])()


def _unrestricted(issuer: CertificateFacts, used: pss.Parameters) -> bool:
    """An RSA-PSS key may be bound to parameters of its own; raises DerError where those cannot be read."""
    if issuer.key_type != "rsa-pss" or not issuer.key_parameters:
        return True
    return pss.allows(pss.read(issuer.key_parameters), used)


def _spki(issuer: CertificateFacts) -> bytes:
    """As every version of the library loads it: an RSA-PSS key as a plain one."""
    if issuer.key_type != "rsa-pss":
        return issuer.spki
    octets, _unused = der.bit_string(der.only(issuer.spki).children()[1])
    return public_key.spki(public_key.RSA_ENCRYPTION, b"\x05\x00", octets)


@lru_cache(maxsize=256)
def _key(spki: bytes) -> Any:
    return _deps.serialization.load_der_public_key(spki)
