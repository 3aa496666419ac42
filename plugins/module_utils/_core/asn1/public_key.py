# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SubjectPublicKeyInfo as plain values: which kind of key, how big, and one form to compare it by.

What OpenSSL would not make a key of (a point that is not on its curve, an unknown curve or algorithm) is of
the kind "unknown": a certificate with such a key can be read, but nothing that it signed can be verified.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from . import algorithms, curves, der
from .der import DerError, Element, Fields

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
DSA = "1.2.840.10040.4.1"
EXPLICIT = "explicit"
# Keys of fixed size without parameters: kind, octets of the key, bits as OpenSSL counts them.
_FIXED = {
    "1.3.101.110": ("x25519", 32, 253),
    "1.3.101.111": ("x448", 56, 448),
    "1.3.101.112": ("ed25519", 32, 256),
    "1.3.101.113": ("ed448", 57, 456),
}


class PublicKey(NamedTuple):
    """*kind* is rsa, rsa-pss, ec, sm2, dsa, ed25519, ed448, x25519, x448 or unknown; *bits* as OpenSSL counts
    them, 0 for unknown; *curve* is OpenSSL's name or the OID, "explicit", or "". *normal* is the DER by which
    keys are compared: EC points uncompressed, RSA with the parameters NULL, RSA-PSS without any."""

    kind: str
    bits: int
    oid: str
    parameters: bytes
    curve: str
    octets: bytes
    normal: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.normal).hexdigest()


def read(element: Element) -> PublicKey:
    """The key of a SubjectPublicKeyInfo; raises DerError when it is none, whatever key it holds."""
    fields = Fields(element)
    oid, parameters = algorithms.read(fields.need())
    octets, _unused = der.bit_string(fields.need(der.BIT_STRING))
    fields.end()
    return of(oid, parameters, octets, element.encoding)


def of(oid: str, parameters: bytes, octets: bytes, written: bytes = b"") -> PublicKey:
    """The key of these *octets*, which are the content of the bit string; *written* is the whole as it stands
    somewhere, to compare unknown ones by. Raises nothing."""
    unknown = PublicKey("unknown", 0, oid, parameters, "", octets, written or spki(oid, parameters, octets))
    try:
        if oid in (RSA_ENCRYPTION, algorithms.RSASSA_PSS):
            return _rsa(unknown)
        if oid == EC_PUBLIC_KEY:
            return _ec(unknown)
        if oid == DSA:
            return _dsa(unknown)
    except DerError:
        return unknown
    if oid in _FIXED and not parameters:
        kind, size, bits = _FIXED[oid]
        if len(octets) == size:
            return unknown._replace(kind=kind, bits=bits, normal=spki(oid, b"", octets))
    return unknown


def spki(oid: str, parameters: bytes, octets: bytes) -> bytes:
    """DER of the SubjectPublicKeyInfo."""
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(oid) + parameters, constructed=True)
    return der.encode(
        der.SEQUENCE, algorithm + der.encode(der.BIT_STRING, b"\x00" + octets), constructed=True
    )


def _rsa(key: PublicKey) -> PublicKey:
    # OpenSSL reads both numbers as unsigned, padded or not, and nothing behind them (bn_c2i).
    fields = Fields(der.read(key.octets)[0])
    modulus = _unsigned(fields.need(der.INTEGER))
    exponent = _unsigned(fields.need(der.INTEGER))
    fields.end()
    if not modulus:
        return key
    octets = der.encode(der.SEQUENCE, der.encode_integer(modulus) + der.encode_integer(exponent), True)
    if key.oid == RSA_ENCRYPTION:
        return key._replace(kind="rsa", bits=modulus.bit_length(), normal=spki(key.oid, b"\x05\x00", octets))
    if key.parameters and der.only(key.parameters).tag != der.SEQUENCE:
        return key
    return key._replace(kind="rsa-pss", bits=modulus.bit_length(), normal=spki(key.oid, b"", octets))


def _ec(key: PublicKey) -> PublicKey:
    if not key.parameters:
        return key
    parameters = der.only(key.parameters)
    if parameters.tag == der.SEQUENCE:
        return key._replace(kind="ec", bits=_explicit_bits(parameters), curve=EXPLICIT)
    curve_oid = der.oid(der.expect(parameters, der.OBJECT_IDENTIFIER))
    name, bits = curves.CURVES.get(curve_oid, ("", 0))
    key = key._replace(curve=name or curve_oid)
    point = curves.uncompressed(name, key.octets)
    if not name or point is None:
        return key
    return key._replace(
        kind="sm2" if name == "SM2" else "ec", bits=bits, normal=spki(key.oid, key.parameters, point)
    )


def _explicit_bits(parameters: Element) -> int:
    """Of the order of a curve whose parameters are written out (ECParameters, RFC 3279, 2.3.5)."""
    values = der.sequence(parameters)
    if len(values) < 5:
        raise DerError("the parameters of a curve are not complete")
    return _unsigned(der.expect(values[4], der.INTEGER)).bit_length()


def _dsa(key: PublicKey) -> PublicKey:
    number = _unsigned(der.expect(der.read(key.octets)[0], der.INTEGER))
    octets = der.encode_integer(number)
    if not key.parameters or der.only(key.parameters).tag == der.NULL:
        return key._replace(kind="dsa", normal=spki(key.oid, b"", octets))  # those of the issuer
    fields = Fields(der.only(key.parameters))
    numbers = [_unsigned(fields.need(der.INTEGER)) for _each in "pqg"]
    fields.end()
    parameters = der.encode(der.SEQUENCE, b"".join(map(der.encode_integer, numbers)), True)
    return key._replace(kind="dsa", bits=numbers[0].bit_length(), normal=spki(key.oid, parameters, octets))


def _unsigned(element: Element) -> int:
    if element.constructed or not element.content:
        raise DerError("an integer has no octets")
    return int.from_bytes(element.content, "big")
