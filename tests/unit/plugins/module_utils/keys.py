# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with private keys, written by hand: every form, every kind, every encryption. No library has to be
able to make them.

Each builder's docstring draws what it writes. RSA keys are made of well-known primes: their making takes no
time, at any size, and nobody can take one for a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import ssl
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, x448, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import raw

RSA = "1.2.840.113549.1.1.1"
RSA_PSS = "1.2.840.113549.1.1.10"
EC = "1.2.840.10045.2.1"
DSA = "1.2.840.10040.4.1"
P256 = "1.2.840.10045.3.1.7"
SECRET = b"open sesame"

# --- RSA ---

# Bits of a prime: how far the two greatest ones lie below the power of two.
_BELOW = {256: (189, 357), 384: (317, 1437), 512: (569, 629), 1024: (105, 179), 1536: (3453, 4977)}


def _pi(bits: int) -> int:
    def arctangent(x: int) -> int:
        total = term = (1 << (bits + 64)) // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total, n, sign = total + sign * (term // n), n + 2, -sign
        return total

    return 4 * (4 * arctangent(5) - arctangent(239)) >> 64


def _euler(bits: int) -> int:
    total = term = 1 << (bits + 64)
    n = 1
    while term:
        term //= n
        total, n = total + term, n + 1
    return total >> 64


def _diffie_hellman_prime(bits: int, digits: int, more: int) -> int:
    """Primes of RFC 3526 (of pi) and RFC 7919 (of e)."""
    return (1 << bits) - (1 << (bits - 64)) - 1 + ((digits + more) << 64)


@cache
def rsa_primes(bits: int) -> tuple[int, int]:
    """Two primes whose product has *bits* bits: 512, 768, 1024, 2048, 3072, 4096, 8192 or 16384."""
    half = bits // 2
    if half in _BELOW:
        one, other = _BELOW[half]
        return (1 << half) - one, (1 << half) - other
    of_pi, of_e = {2048: (124476, 560316), 4096: (240904, 5736041), 8192: (4743158, 10965728)}[half]
    return (
        _diffie_hellman_prime(half, _pi(half - 130), of_pi),
        _diffie_hellman_prime(half, _euler(half - 130), of_e),
    )


def rsa_numbers(bits: int = 2048, exponent: int = 65537) -> list[int]:
    """n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p"""
    p, q = rsa_primes(bits)
    d = pow(exponent, -1, (p - 1) * (q - 1))
    return [p * q, exponent, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]


def pkcs1(bits: int = 2048, *, version: int = 0, trailer: bytes = b"", **numbers: int) -> bytes:
    """RSAPrivateKey { version, n, e, d, p, q, dp, dq, inverse }; *numbers* stand in for the right ones."""
    values = dict(zip(("n", "e", "d", "p", "q", "dp", "dq", "inverse"), rsa_numbers(bits)))
    values.update(numbers)
    return raw.seq(raw.integer(version), *map(raw.integer, values.values()), trailer)


def rsa_spki(bits: int = 2048, oid: str = RSA, parameters: bytes = b"\x05\x00") -> bytes:
    n, e = rsa_numbers(bits)[:2]
    return spki(oid, parameters, raw.seq(raw.integer(n), raw.integer(e)))


def spki(oid: str, parameters: bytes, octets: bytes) -> bytes:
    return raw.seq(raw.seq(raw.oid(oid), parameters), raw.bit_string(octets))


PSS_SHA256 = raw.seq(
    raw.context(0, raw.seq(raw.oid("2.16.840.1.101.3.4.2.1"))),
    raw.context(1, raw.seq(raw.oid("1.2.840.113549.1.1.8"), raw.seq(raw.oid("2.16.840.1.101.3.4.2.1")))),
    raw.context(2, raw.integer(32)),
)

# --- forms ---


def pkcs8(oid: str, parameters: bytes, inside: bytes, *, version: int = 0, more: bytes = b"") -> bytes:
    """PrivateKeyInfo { version, { oid, parameters }, OCTET STRING inside, more }"""
    return raw.seq(raw.integer(version), raw.seq(raw.oid(oid), parameters), raw.octets(inside), more)


def rsa_pkcs8(bits: int = 2048, oid: str = RSA, parameters: bytes = b"\x05\x00", **more) -> bytes:
    return pkcs8(oid, parameters, pkcs1(bits), **more)


# Name in OpenSSL, identifier, name in the library.
CURVES = {
    "prime192v1": ("1.2.840.10045.3.1.1", "SECP192R1"),
    "secp224r1": ("1.3.132.0.33", "SECP224R1"),
    "prime256v1": (P256, "SECP256R1"),
    "secp384r1": ("1.3.132.0.34", "SECP384R1"),
    "secp521r1": ("1.3.132.0.35", "SECP521R1"),
    "secp256k1": ("1.3.132.0.10", "SECP256K1"),
    "brainpoolP256r1": ("1.3.36.3.3.2.8.1.1.7", "BrainpoolP256R1"),
    "brainpoolP384r1": ("1.3.36.3.3.2.8.1.1.11", "BrainpoolP384R1"),
    "brainpoolP512r1": ("1.3.36.3.3.2.8.1.1.13", "BrainpoolP512R1"),
}


@dataclass(frozen=True)
class EcKey:
    """One key of a named curve, with its point in all forms."""

    oid: str
    secret: bytes
    x: bytes
    y: bytes

    @property
    def parameters(self) -> bytes:
        return raw.oid(self.oid)

    @property
    def uncompressed(self) -> bytes:
        return b"\x04" + self.x + self.y

    @property
    def compressed(self) -> bytes:
        return bytes([2 + self.y[-1] % 2]) + self.x

    @property
    def hybrid(self) -> bytes:
        return bytes([6 + self.y[-1] % 2]) + self.x + self.y

    def spki(self, point: bytes | None = None, parameters: bytes | None = None) -> bytes:
        return spki(EC, self.parameters if parameters is None else parameters, point or self.uncompressed)

    def sec1(
        self,
        point: bytes | None = b"",
        parameters: bytes | None = b"",
        *,
        secret: bytes | None = None,
        version: int = 1,
    ) -> bytes:
        """ECPrivateKey { version, secret, [0] parameters, [1] point }; None leaves one out."""
        own = self.parameters if parameters == b"" else parameters
        public = self.uncompressed if point == b"" else point
        return raw.seq(
            raw.integer(version),
            raw.octets(self.secret if secret is None else secret),
            raw.context(0, own) if own is not None else b"",
            raw.context(1, raw.bit_string(public)) if public is not None else b"",
        )

    def pkcs8(self, point: bytes | None = b"", parameters: bytes | None = None, **more) -> bytes:
        """PrivateKeyInfo of the curve around an ECPrivateKey, which has no *parameters* of its own."""
        return pkcs8(EC, self.parameters, self.sec1(point, parameters), **more)


@cache
def ec_key(curve: str = "prime256v1", seed: int = 7) -> EcKey:
    """The key of *curve* whose secret comes of *seed*. Raises what the library raises for a curve that it has
    not."""
    oid, name = CURVES[curve]
    group = getattr(ec, name)()
    secret = int.from_bytes(hashlib.sha512(b"%d" % seed).digest()[: (group.key_size - 1) // 8], "big")
    numbers = ec.derive_private_key(secret, group).public_key().public_numbers()
    size = (group.key_size + 7) // 8
    return EcKey(
        oid, secret.to_bytes(size, "big"), numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
    )


def explicit_p256() -> bytes:
    """ECParameters of P-256 with all its numbers (SEC 2, 2.4.2)."""
    prime = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
    b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"
    base = (
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
    return raw.seq(
        raw.integer(1),
        raw.seq(raw.oid("1.2.840.10045.1.1"), raw.integer(prime)),
        raw.seq(raw.octets((prime - 3).to_bytes(32, "big")), raw.octets(bytes.fromhex(b))),
        raw.octets(bytes.fromhex(base)),
        raw.integer(int(order, 16)),
        raw.integer(1),
    )


FIXED = {
    "ed25519": ("1.3.101.112", ed25519.Ed25519PrivateKey, 32),
    "ed448": ("1.3.101.113", ed448.Ed448PrivateKey, 57),
    "x25519": ("1.3.101.110", x25519.X25519PrivateKey, 32),
    "x448": ("1.3.101.111", x448.X448PrivateKey, 56),
}


def fixed_pkcs8(kind: str, seed: int = 7, **more) -> bytes:
    """PrivateKeyInfo { oid, OCTET STRING of OCTET STRING } of Ed25519 and its like (RFC 8410, 7)"""
    oid, _cls, size = FIXED[kind]
    return pkcs8(oid, b"", raw.octets(_secret(seed, size)), **more)


def fixed_spki(kind: str, seed: int = 7) -> bytes:
    oid, cls, size = FIXED[kind]
    public = cls.from_private_bytes(_secret(seed, size)).public_key()
    return spki(oid, b"", public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _secret(seed: int, size: int) -> bytes:
    return hashlib.sha512(b"%d" % seed).digest()[:size]


@cache
def dsa_numbers(bits: int = 2048) -> tuple[int, int, int, int, int]:
    """p, q, g, y, x of a group that the library makes."""
    numbers = dsa.generate_private_key(bits).private_numbers()
    public = numbers.public_numbers
    group = public.parameter_numbers
    return group.p, group.q, group.g, public.y, numbers.x


def dsa_pkcs8(bits: int = 2048) -> bytes:
    p, q, g, _y, x = dsa_numbers(bits)
    return pkcs8(DSA, raw.seq(*map(raw.integer, (p, q, g))), raw.integer(x))


def dsa_traditional(bits: int = 2048) -> bytes:
    """{ 0, p, q, g, y, x }"""
    return raw.seq(*map(raw.integer, (0, *dsa_numbers(bits))))


def dsa_spki(bits: int = 2048) -> bytes:
    p, q, g, y, _x = dsa_numbers(bits)
    return spki(DSA, raw.seq(*map(raw.integer, (p, q, g))), raw.integer(y))


def of_library(key) -> bytes:
    """PKCS#8 as the library writes it."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


# --- encryption ---

PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
PBE_3DES = "1.2.840.113549.1.12.1.3"
PBE_2DES = "1.2.840.113549.1.12.1.4"
CIPHERS = {
    "AES-128-CBC": ("2.16.840.1.101.3.4.1.2", 16),
    "AES-192-CBC": ("2.16.840.1.101.3.4.1.22", 24),
    "AES-256-CBC": ("2.16.840.1.101.3.4.1.42", 32),
    "DES-EDE3-CBC": ("1.2.840.113549.3.7", 24),
    "CAMELLIA-128-CBC": ("1.2.392.200011.61.1.1.1.2", 16),
    "CAMELLIA-256-CBC": ("1.2.392.200011.61.1.1.1.4", 32),
}
HMACS = {
    "md5": "1.2.840.113549.2.6",
    "sha1": "1.2.840.113549.2.7",
    "sha224": "1.2.840.113549.2.8",
    "sha256": "1.2.840.113549.2.9",
    "sha384": "1.2.840.113549.2.10",
    "sha512": "1.2.840.113549.2.11",
    "sha512_224": "1.2.840.113549.2.12",
    "sha512_256": "1.2.840.113549.2.13",
}
_SALT = b"salted !"


def encrypt(cipher: str, key: bytes, iv: bytes, clear: bytes) -> bytes:
    """In CBC mode with the padding of PKCS#5."""
    block = 8 if cipher.startswith("DES-") else 16
    count = block - len(clear) % block
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions have moved the old ciphers
        if cipher.startswith("AES"):
            algorithm = algorithms.AES(key)
        elif cipher.startswith("CAMELLIA"):
            algorithm = algorithms.Camellia(key)
        else:
            algorithm = algorithms.TripleDES(key if len(key) == 24 else key + key[:8])
        encryptor = Cipher(algorithm, modes.CBC(iv)).encryptor()
        return encryptor.update(clear + bytes([count]) * count) + encryptor.finalize()


def pbkdf2(
    rounds: int | bytes = 2,
    hmac_oid: str | None = HMACS["sha256"],
    length: int | None = None,
    salt: bytes = _SALT,
) -> bytes:
    """{ PBKDF2, { salt, rounds, [length], [HMAC] } }; the HMAC None is the default, SHA-1"""
    return raw.seq(
        raw.oid(PBKDF2),
        raw.seq(
            raw.octets(salt),
            rounds if isinstance(rounds, bytes) else raw.integer(rounds),
            raw.integer(length) if length is not None else b"",
            raw.seq(raw.oid(hmac_oid), raw.null()) if hmac_oid else b"",
        ),
    )


def scrypt(n: int = 2, r: int = 1, p: int = 1) -> bytes:
    """{ scrypt, { salt, N, r, p } }"""
    return raw.seq(raw.oid(SCRYPT), raw.seq(raw.octets(_SALT), *map(raw.integer, (n, r, p))))


def encrypted_info(oid: str, parameters: bytes, data: bytes) -> bytes:
    """EncryptedPrivateKeyInfo { { oid, parameters }, data }"""
    return raw.seq(raw.seq(raw.oid(oid), parameters), raw.octets(data))


def pbes2(
    clear: bytes,
    secret: bytes = SECRET,
    cipher: str = "AES-256-CBC",
    digest: str = "sha256",
    derivation: bytes | None = None,
    key: bytes | None = None,
) -> bytes:
    """EncryptedPrivateKeyInfo with PBES2; *derivation* and *key* stand in for PBKDF2 with two rounds."""
    oid, size = CIPHERS[cipher]
    iv = bytes(range(8 if cipher.startswith("DES-") else 16))
    own = hashlib.pbkdf2_hmac(digest, secret, _SALT, 2, size) if key is None else key
    derivation = pbkdf2(hmac_oid=HMACS[digest]) if derivation is None else derivation
    parameters = raw.seq(derivation, raw.seq(raw.oid(oid), raw.octets(iv)))
    return encrypted_info(PBES2, parameters, encrypt(cipher, own, iv, clear))


def pbes2_scrypt(clear: bytes, secret: bytes = SECRET, n: int = 16, r: int = 2, p: int = 2) -> bytes:
    key = hashlib.scrypt(secret, salt=_SALT, n=n, r=r, p=p, dklen=32)
    return pbes2(clear, derivation=scrypt(n, r, p), key=key)


def pbes2_header(cipher_oid: str, derivation: bytes | None = None) -> bytes:
    """The same around nothing of use: for what is told apart without opening it."""
    parameters = raw.seq(derivation or pbkdf2(), raw.seq(raw.oid(cipher_oid), raw.octets(bytes(8))))
    return encrypted_info(PBES2, parameters, bytes(32))


def pbes1_header(oid: str, rounds: int = 1) -> bytes:
    return encrypted_info(oid, raw.seq(raw.octets(_SALT), raw.integer(rounds)), bytes(32))


def dek_info(
    label: str, clear: bytes, cipher: str = "AES-256-CBC", secret: bytes = SECRET, size: int = 32
) -> bytes:
    """PEM with Proc-Type and DEK-Info; the key is MD5 of passphrase and salt, once (EVP_BytesToKey)."""
    iv = bytes(range(8 if cipher.startswith("DES-") else 16))
    key = last = b""
    while len(key) < size:
        last = hashlib.md5(last + secret + iv[:8]).digest()
        key += last
    return with_headers(label, encrypt(cipher, key[:size], iv, clear), cipher, iv.hex().upper())


def with_headers(label: str, data: bytes, cipher: str = "AES-256-CBC", iv: str = "00" * 16) -> bytes:
    """PEM with those headers around *data* as it is."""
    first, *rest = raw.pem(data, label).splitlines()
    head = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{iv}\n".encode()
    return b"\n".join([first, head, *rest, b""])


def pem(der: bytes, label: str = "PRIVATE KEY") -> bytes:
    return raw.pem(der, label)


# --- second opinions ---

_OWN = ec.derive_private_key(1234567, ec.SECP256R1())
SSL_IS_OPENSSL_3 = ssl.OPENSSL_VERSION_INFO >= (3,)


def certificate(public: bytes, signer=_OWN) -> bytes:
    """signer ──> leaf, whose SubjectPublicKeyInfo is *public*; the issuer is nobody"""
    return raw.certificate("leaf", "issuer", key=public, signer=signer)


def nginx_loads(
    private: bytes, certificate_pem: bytes, passphrase: bytes = SECRET, alone: bool = False
) -> str:
    """What SSL_CTX_use_certificate and PEM_read_bio_PrivateKey with SSL_CTX_use_PrivateKey say, which nginx
    calls, too: `pair`, `mismatch`, `unusable kind` or `no key` (unreadable or not opened).

    *alone* asks in a process of its own: where the library is linked with the system's OpenSSL it loads the
    legacy provider into it, which nginx does not have.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("certificate", "key")]
        for path, data in zip(paths, (certificate_pem, private)):
            Path(path).write_bytes(data)
        if not alone:
            reason = load(*paths, passphrase.decode())
        else:
            script = f"import ssl\n{inspect.getsource(load)}\nprint(load({paths[0]!r}, {paths[1]!r}, "
            done = [sys.executable, "-I", "-c", f"{script}{passphrase.decode()!r}), end='')"]
            reason = subprocess.run(done, capture_output=True, text=True, check=True).stdout
    return _LOADED.get(reason, "no key")


def load(certificate_path: str, key_path: str, passphrase: str) -> str:
    """OpenSSL's reason for refusing the pair; "" where it does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    try:
        context.load_cert_chain(certificate_path, key_path, password=lambda: passphrase)
    except ssl.SSLError as error:
        return error.reason or "no reason"
    return ""


_LOADED = {
    "": "pair",
    "KEY_VALUES_MISMATCH": "mismatch",
    "KEY_TYPE_MISMATCH": "mismatch",
    "NO_CERTIFICATE_ASSIGNED": "mismatch",
    "UNKNOWN_CERTIFICATE_TYPE": "unusable kind",
}


def pbkdf2_by_hand(secret: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """HMAC-SHA-256, RFC 8018, 5.2: so that the tests do not lean on the function that they test."""
    made, number = b"", 0
    while len(made) < size:
        number += 1
        last = hmac.new(secret, salt + number.to_bytes(4, "big"), "sha256").digest()
        block = int.from_bytes(last, "big")
        for _round in range(rounds - 1):
            last = hmac.new(secret, last, "sha256").digest()
            block ^= int.from_bytes(last, "big")
        made += block.to_bytes(32, "big")
    return made[:size]
