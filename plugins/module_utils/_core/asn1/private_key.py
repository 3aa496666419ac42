# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clear private keys as plain values: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC1 (RFC 5915) and OpenSSL's
form for DSA, read by our own reader, since libraries refuse keys that OpenSSL and so nginx load.

Read as PEM_read_bio_PrivateKey does it (crypto/pem/pem_pkey.c, the decoders below providers/implementations/
encode_decode): what is compared with a certificate is the public half that stands in the file. No exception
and no repr holds a byte of a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ..forms import kinds
from . import algorithms, curves, der, public_key
from .der import CONTEXT, DerError, Element, Fields
from .public_key import PublicKey

# PEM labels and the forms that OpenSSL reads below them; a DER file has the label "".
_PKCS8_LABELS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_TRADITIONAL = {
    "RSA PRIVATE KEY": (kinds.PKCS1, "rsa"),
    "EC PRIVATE KEY": (kinds.SEC1, "ec"),
    "DSA PRIVATE KEY": (kinds.DSA, "dsa"),
    "SM2 PRIVATE KEY": (kinds.SEC1, "sm2"),
}
# The rsa of X.500 is the same algorithm to OpenSSL.
_RSA_OIDS = (public_key.RSA_ENCRYPTION, algorithms.RSASSA_PSS, "2.5.8.1.1")
# Keys whose secret is a string of octets: its size.
_OCTETS = {"1.3.101.110": 32, "1.3.101.111": 56, "1.3.101.112": 32, "1.3.101.113": 57}
# OPENSSL_DSA_MAX_MODULUS_BITS; the exponent bounds the time of the one power below.
_MAX_DSA_BITS, _MAX_DSA_EXPONENT_BITS = 10_000, 1024
# Beyond OPENSSL_RSA_MAX_MODULUS_BITS no key is used; a power of the second size takes a tenth of a second.
_MAX_RSA_BITS, _MAX_POWER_BITS = 16_384, 4096


class Answer(NamedTuple):
    """What the host's OpenSSL says of a key. *spki*: DER of its public half, EC points uncompressed and
    curves by name as far as it can; b"" where there is none, and then *fault* is one of those below. *engine*
    is its name and version."""

    spki: bytes
    fault: str = ""
    engine: str = ""


UNSUPPORTED = "unsupported"  # an algorithm that it does not have
PASSPHRASE = "passphrase"  # the passphrase is wrong
REFUSED = "refused"  # it reads no key there
SILENT = "silent"  # it could not be asked


@dataclass(frozen=True, repr=False)
class ClearKey:
    """*public* is None where it takes arithmetic to find (no public half in the file): then *secret* holds
    the private octets. *doubtful*: OpenSSL, or some versions of it, may not read it. *consistent* is False
    where no signature can be made with the numbers of an RSA key."""

    form: str
    oid: str
    parameters: bytes
    public: Optional[PublicKey]
    secret: bytes = field(default=b"")
    doubtful: bool = False
    consistent: bool = True


def read(data: bytes, label: str = "") -> ClearKey:
    """The key in *data*, which stood below the PEM *label*; raises DerError where OpenSSL reads none.

    Not checked: that the private half fits the public one, except for RSA. Bytes behind the key are passed
    over, as OpenSSL does.
    """
    element, _end = der.read(data)
    form = kinds.key_form(element.encoding)
    if form == kinds.PKCS8:
        found = _pkcs8(Fields(element))
    elif form == kinds.PKCS1:
        found = _rsa(element, public_key.RSA_ENCRYPTION, b"\x05\x00", form)
    elif form == kinds.SEC1:
        found = _ec(element, b"", form)
    elif form == kinds.DSA:
        found = _dsa_numbers(Fields(element))
    else:
        raise DerError("it is no private key")
    _check_label(label, form, found)
    return found


def check_encrypted_label(label: str) -> None:
    """Raises DerError where OpenSSL does not look for an EncryptedPrivateKeyInfo below this label."""
    if label and label not in _PKCS8_LABELS:
        raise DerError("it is encrypted in another form than the label of the block says")


def _check_label(label: str, form: str, found: ClearKey) -> None:
    if not label or (label in _PKCS8_LABELS and form == kinds.PKCS8):
        return
    wanted, kind = _TRADITIONAL.get(label, ("", ""))
    if form not in (wanted, kinds.PKCS8) or not wanted:
        raise DerError("it is of another form than the label of the block says")
    if _kind(found, kind) != kind:
        raise DerError("it is of another kind than the label of the block says")


def _kind(found: ClearKey, wanted: str) -> str:
    """The key's kind; *wanted* where only the curve could tell ec from sm2, or both will do."""
    if found.oid == public_key.EC_PUBLIC_KEY:
        named = found.public is not None and found.public.curve not in ("SM2", public_key.EXPLICIT)
        return "ec" if named or wanted not in ("ec", "sm2") else wanted
    return found.public.kind if found.public is not None else ""


def _pkcs8(fields: Fields) -> ClearKey:
    version = der.integer(fields.need(der.INTEGER))
    oid, parameters = algorithms.read(fields.need())
    inside = der.string(fields.need(der.OCTET_STRING))
    fields.maybe(CONTEXT)  # attributes
    public = fields.maybe(CONTEXT | 1)
    fields.end()
    found = _of_algorithm(oid, parameters, inside)
    # OpenSSL reads a public half, and looks at the version, since 3.2.
    doubtful = found.doubtful or public is not None or version not in (0, 1)
    return ClearKey(
        kinds.PKCS8, oid, parameters, found.public, found.secret, doubtful, consistent=found.consistent
    )


def _of_algorithm(oid: str, parameters: bytes, inside: bytes) -> ClearKey:
    if oid in _RSA_OIDS:
        return _rsa(der.read(inside)[0], oid, parameters, kinds.PKCS8)
    if oid == public_key.EC_PUBLIC_KEY:
        if not parameters or der.only(parameters).tag == der.NULL:
            raise DerError("it does not name its curve")
        return _ec(der.read(inside)[0], parameters, kinds.PKCS8)
    if oid == public_key.DSA:
        return _dsa(der.only(parameters), der.read(inside)[0])
    if oid in _OCTETS:
        secret = der.string(der.expect(der.read(inside)[0], der.OCTET_STRING))
        if parameters or len(secret) != _OCTETS[oid]:
            raise DerError("it is not of the size of its kind")
        return ClearKey(kinds.PKCS8, oid, b"", None, secret)
    unknown = public_key.of(oid, parameters, b"")
    return ClearKey(kinds.PKCS8, oid, parameters, unknown, doubtful=True)


def _rsa(element: Element, oid: str, parameters: bytes, form: str) -> ClearKey:
    fields = Fields(element)
    version = der.integer(fields.need(der.INTEGER))
    numbers = [_unsigned(fields.need(der.INTEGER)) for _each in range(8)]
    others = fields.maybe(der.SEQUENCE)
    fields.end()
    if not numbers[0] or (version == 1) != (others is not None):
        raise DerError("it has not the numbers of an RSA key")
    octets = der.encode(der.SEQUENCE, b"".join(map(der.encode_integer, numbers[:2])), constructed=True)
    if oid != algorithms.RSASSA_PSS:
        public = public_key.of(public_key.RSA_ENCRYPTION, b"\x05\x00", octets)
    else:
        public = public_key.of(oid, parameters, octets)
        if public.kind == "unknown":
            raise DerError("its parameters are none of RSA-PSS")
    # Since 3.2 OpenSSL refuses numbers beyond the modulus (ossl_rsa_check_factors). What is in the parameters
    # of RSA-PSS is not looked at here.
    doubtful = max(map(int.bit_length, numbers[2:])) > numbers[0].bit_length()
    doubtful = doubtful or (public.kind == "rsa-pss" and bool(parameters))
    consistent = others is not None or _signs(*numbers)
    return ClearKey(form, oid, parameters, public, doubtful=doubtful, consistent=consistent)


def _signs(n: int, e: int, d: int, p: int, q: int, dp: int, dq: int, inverse: int) -> bool:
    """Whether what OpenSSL computes with these numbers is a signature (rsa_ossl_mod_exp in
    crypto/rsa/rsa_ossl.c): by the two primes, and where that comes out wrong, or there are none, by *d*.
    True where the numbers are too big to find out soon; whether the primes are prime is not looked at."""
    if max(map(int.bit_length, (n, e, d, p, q, dp, dq, inverse))) > _MAX_RSA_BITS:
        return True
    if not (p and q):
        return False
    if p > 1 and q > 1 and p * q == n:
        by_primes = dp * e % (p - 1) == 1 % (p - 1) and dq * e % (q - 1) == 1 % (q - 1)
        by_exponent = d * e % (p - 1) == 1 % (p - 1) and d * e % (q - 1) == 1 % (q - 1)
        return by_exponent or (by_primes and inverse * q % p == 1)
    return n.bit_length() > _MAX_POWER_BITS or pow(pow(2, e, n), d, n) == 2 % n


def _ec(element: Element, parameters: bytes, form: str) -> ClearKey:
    """ECPrivateKey, of the curve *parameters*, or of the one that it names itself."""
    fields = Fields(element)
    der.integer(fields.need(der.INTEGER))
    secret = der.string(fields.need(der.OCTET_STRING))
    own = fields.maybe(CONTEXT)
    point = fields.maybe(CONTEXT | 1)
    fields.end()
    if own is not None:
        written = der.explicit(own).encoding
        if parameters and written != parameters:
            raise DerError("it names two curves")
        parameters = written
    if not parameters:
        raise DerError("it does not name its curve")
    oid = public_key.EC_PUBLIC_KEY
    if point is None:
        return ClearKey(form, oid, parameters, None, secret)
    octets, _unused = der.bit_string(der.expect(der.explicit(point), der.BIT_STRING))
    public = public_key.of(oid, parameters, octets)
    if public.kind == "unknown" and "." not in public.curve:  # OpenSSL has a name for the curve
        raise DerError("its public half is no point of its curve")
    # Also false for a curve that is written out: whether it is one is OpenSSL's to say.
    return ClearKey(form, oid, parameters, public, secret, doubtful=not curves.checked(public.curve))


def _dsa_numbers(fields: Fields) -> ClearKey:
    der.integer(fields.need(der.INTEGER))
    p, q, g, y, _x = (_unsigned(fields.need(der.INTEGER)) for _each in range(5))
    fields.end()
    return _dsa_key([p, q, g], y, kinds.DSA)


def _dsa(parameters: Element, inside: Element) -> ClearKey:
    fields = Fields(parameters)
    numbers = [_unsigned(fields.need(der.INTEGER)) for _each in "pqg"]
    fields.end()
    exponent = _unsigned(der.expect(inside, der.INTEGER))
    p, _q, g = numbers
    if not p or p.bit_length() > _MAX_DSA_BITS or exponent.bit_length() > _MAX_DSA_EXPONENT_BITS:
        raise DerError("its numbers are too big")
    return _dsa_key(numbers, pow(g, exponent, p), kinds.PKCS8)


def _dsa_key(numbers: list[int], public: int, form: str) -> ClearKey:
    parameters = der.encode(der.SEQUENCE, b"".join(map(der.encode_integer, numbers)), constructed=True)
    key = public_key.of(public_key.DSA, parameters, der.encode_integer(public))
    return ClearKey(form, public_key.DSA, parameters, key)


def _unsigned(element: Element) -> int:
    """As bn_c2i reads it: never negative, padded or not."""
    if element.constructed:
        raise DerError("an integer is constructed")
    return int.from_bytes(element.content, "big")
