# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a private key is encrypted: cipher, derivation of its key, what that costs, before anything is tried.

Forms: EncryptedPrivateKeyInfo (RFC 5958) with PBES2 or PBES1 (RFC 8018) or the schemes of PKCS#12 (RFC 7292,
appendix C), and the old PEM header DEK-Info (RFC 1421; PEM_get_EVP_CIPHER_INFO in crypto/pem/pem_lib.c).
Pure: names and numbers only, no cipher is run here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from . import algorithms, der
from .der import DerError, Fields

# Derivations
PBKDF2 = "pbkdf2"
SCRYPT = "scrypt"
PKCS12 = "pkcs12"  # RFC 7292, appendix B
PEM = "pem"  # one round of MD5, EVP_BytesToKey
UNKNOWN = "unknown"

# Ciphers by their identifiers: name and octets of the key. All of them in CBC mode.
_CIPHERS = {
    "2.16.840.1.101.3.4.1.2": ("AES-128-CBC", 16),
    "2.16.840.1.101.3.4.1.22": ("AES-192-CBC", 24),
    "2.16.840.1.101.3.4.1.42": ("AES-256-CBC", 32),
    "1.2.840.113549.3.7": ("DES-EDE3-CBC", 24),
    "1.2.392.200011.61.1.1.1.2": ("CAMELLIA-128-CBC", 16),
    "1.2.392.200011.61.1.1.1.3": ("CAMELLIA-192-CBC", 24),
    "1.2.392.200011.61.1.1.1.4": ("CAMELLIA-256-CBC", 32),
}
_BY_NAME = {**dict(_CIPHERS.values()), "DES-EDE-CBC": 16}
# What OpenSSL 3 has in its legacy provider only, which nobody loads unless told to (README-PROVIDERS.md).
_LEGACY = {
    "1.3.14.3.2.6": "DES-ECB",
    "1.3.14.3.2.7": "DES-CBC",
    "1.3.14.3.2.8": "DES-OFB",
    "1.3.14.3.2.9": "DES-CFB",
    "1.2.840.113549.3.2": "RC2",
    "1.2.840.113549.3.4": "RC4",
    "1.2.840.113549.3.8": "RC5",
    "1.2.840.113549.3.9": "RC5",
    "1.3.6.1.4.1.3029.1.2": "Blowfish",
    "1.2.840.113533.7.66.10": "CAST5",
    "1.2.410.200004.1.4": "SEED",
    "1.3.6.1.4.1.188.7.1.1.2": "IDEA",
}
_LEGACY_NAME = re.compile(
    r"(DES|DESX|RC2|RC4|RC5|BF|CAST|CAST5|SEED|IDEA)(-(40|64))?(-(CBC|CFB|OFB|ECB)\d*)?"
)
# Schemes of derivation and cipher in one (RFC 8018, appendix A.3; RFC 7292, appendix C): those with a cipher
# of the legacy provider, by their names for people, and the others.
_LEGACY_SCHEMES = {
    "1.2.840.113549.1.5.1": "DES and MD2",
    "1.2.840.113549.1.5.3": "DES and MD5",
    "1.2.840.113549.1.5.4": "RC2 and MD2",
    "1.2.840.113549.1.5.6": "RC2 and MD5",
    "1.2.840.113549.1.5.10": "DES and SHA-1",
    "1.2.840.113549.1.5.11": "RC2 and SHA-1",
    "1.2.840.113549.1.12.1.1": "128 bit RC4",
    "1.2.840.113549.1.12.1.2": "40 bit RC4",
    "1.2.840.113549.1.12.1.5": "128 bit RC2",
    "1.2.840.113549.1.12.1.6": "40 bit RC2",
}
_PKCS12_SCHEMES = {
    "1.2.840.113549.1.12.1.3": ("DES-EDE3-CBC", 24),
    "1.2.840.113549.1.12.1.4": ("DES-EDE-CBC", 16),
}
_PBES2 = "1.2.840.113549.1.5.13"
PBKDF2_OID = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
SHA1_HMAC = "1.2.840.113549.2.7"
HMACS = {
    "1.2.840.113549.2.6": "md5",
    SHA1_HMAC: "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.12": "sha512_224",
    "1.2.840.113549.2.13": "sha512_256",
}
_DIGEST_SIZES = {"md5": 16, "sha1": 20, "sha224": 28, "sha384": 48, "sha512": 64, "sha512_224": 28}

# In rounds of HMAC: a try may take two or three seconds of one core. Advice for new keys is around a million
# (OWASP, 2023).
MOST_WORK = 6_000_000
_SCRYPT_MEMORY = 32 * 1024 * 1024  # SCRYPT_MAX_MEM, crypto/evp/pbe_scrypt.c


@dataclass(frozen=True, repr=False)
class Protection:
    """*cipher*: OpenSSL's name, "" for one that is not known here; *legacy* names one that OpenSSL 3 has in
    its legacy provider only, "" for all others. *derivation* is one of those above; *rounds* are iterations,
    or scrypt's N; *digest* is hashlib's name."""

    derivation: str
    cipher: str = ""
    key_size: int = 0
    iv: bytes = b""
    data: bytes = field(default=b"")
    salt: bytes = b""
    rounds: int = 1
    digest: str = ""
    block_size: int = 0
    parallel: int = 0
    legacy: str = ""

    @property
    def known(self) -> bool:
        """Whether everything needed to open it is here."""
        return bool(self.cipher) and self.derivation != UNKNOWN

    @property
    def work(self) -> int:
        """What a try costs, in rounds of HMAC."""
        if self.derivation == SCRYPT:
            return self.rounds * self.block_size * self.parallel * 10 // 7
        if self.derivation == PBKDF2:
            return pbkdf2_work(self.rounds, self.key_size, self.digest)
        if self.derivation == PKCS12:  # the initialisation vector is derived, too
            return pkcs12_work(self.rounds) * (-(-self.key_size // 20) + 1)
        return self.rounds

    @property
    def costly(self) -> str:
        """What makes a try too long, in words; nothing where it may be tried."""
        if self.derivation == SCRYPT:
            # ossl_scrypt_alg refuses what needs more memory than SCRYPT_MAX_MEM.
            memory = 128 * self.block_size * (self.parallel + self.rounds + 2)
            if memory > _SCRYPT_MEMORY or self.work > MOST_WORK:
                return f"scrypt of N={self.rounds}, r={self.block_size}, p={self.parallel}"
            return ""
        return f"{self.rounds} iterations" if self.work > MOST_WORK else ""


def pbkdf2_work(rounds: int, size: int, digest: str) -> int:
    """Rounds of HMAC for a key of *size* octets: all of them for each block of the *digest*'s size."""
    return rounds * max(1, -(-size // _DIGEST_SIZES.get(digest, 32)))


def pkcs12_work(rounds: int) -> int:
    """The same for one block of RFC 7292's derivation, whose digests are called from Python."""
    return rounds * 4 // 3


def of_pkcs8(data: bytes) -> Protection:
    """Of an EncryptedPrivateKeyInfo; raises DerError when it is none. What is not known here is UNKNOWN."""
    fields = Fields(der.read(data)[0])
    oid, parameters = algorithms.read(fields.need())
    secret = der.string(fields.need(der.OCTET_STRING))
    fields.end()
    if oid == _PBES2:
        return _pbes2(Fields(der.only(parameters)), secret)
    if oid in _LEGACY_SCHEMES:
        return Protection(UNKNOWN, data=secret, rounds=_rounds(parameters)[1], legacy=_LEGACY_SCHEMES[oid])
    if oid in _PKCS12_SCHEMES:
        salt, rounds = _rounds(parameters)
        cipher, size = _PKCS12_SCHEMES[oid]
        return Protection(PKCS12, cipher, size, b"", secret, salt, rounds, "sha1")
    return Protection(UNKNOWN, data=secret)


def _rounds(parameters: bytes) -> tuple[bytes, int]:
    """(salt, iterations) of a PBEParameter."""
    fields = Fields(der.only(parameters))
    salt = der.string(fields.need(der.OCTET_STRING))
    rounds = der.integer(fields.need(der.INTEGER))
    fields.end()
    return salt, positive(rounds)


def positive(number: int) -> int:
    """A count of iterations or octets, no more than can be written out; raises DerError below 1."""
    if number < 1:
        raise DerError("a number is not positive")
    return min(number, 1 << 63)  # absurd either way


def _pbes2(fields: Fields, secret: bytes) -> Protection:
    derivation, how = algorithms.read(fields.need())
    oid, iv = algorithms.read(fields.need())
    fields.end()
    cipher, size = _CIPHERS.get(oid, ("", 0))
    known = Protection(UNKNOWN, cipher, size, data=secret, legacy=_LEGACY.get(oid, ""))
    if cipher:
        known = replace(known, iv=_iv(iv, cipher))
    if derivation == PBKDF2_OID:
        return _pbkdf2(known, how)
    return _scrypt(known, how) if derivation == _SCRYPT else known


def _iv(parameters: bytes, cipher: str) -> bytes:
    iv = der.string(der.only(parameters, der.OCTET_STRING))
    if len(iv) != block_size(cipher):
        raise DerError("an initialisation vector is not of its cipher's size")
    return iv


def block_size(cipher: str) -> int:
    """Octets of one block."""
    return 8 if cipher.startswith("DES-") else 16


def _pbkdf2(known: Protection, parameters: bytes) -> Protection:
    fields = Fields(der.only(parameters))
    salt = der.string(fields.need(der.OCTET_STRING))
    rounds = positive(der.integer(fields.need(der.INTEGER)))
    length = fields.maybe(der.INTEGER)
    if length is not None and known.key_size and der.integer(length) != known.key_size:
        raise DerError("a key's length is not that of its cipher")
    function = fields.maybe(der.SEQUENCE)
    fields.end()
    digest = HMACS.get(SHA1_HMAC if function is None else algorithms.read(function)[0], "")
    derivation = PBKDF2 if digest else UNKNOWN
    return replace(known, derivation=derivation, salt=salt, rounds=rounds, digest=digest)


def _scrypt(known: Protection, parameters: bytes) -> Protection:
    """RFC 7914, 7."""
    fields = Fields(der.only(parameters))
    salt = der.string(fields.need(der.OCTET_STRING))
    rounds, block, parallel = (positive(der.integer(fields.need(der.INTEGER))) for _each in "Nrp")
    fields.maybe(der.INTEGER)
    fields.end()
    if rounds & (rounds - 1) or rounds < 2:
        raise DerError("scrypt's N is no power of two")
    return replace(known, derivation=SCRYPT, salt=salt, rounds=rounds, block_size=block, parallel=parallel)


_DEK = re.compile(rb"^DEK-Info:[ \t]*([A-Za-z0-9-]{1,40}),([0-9A-Fa-f]*)[ \t\r]*$", re.MULTILINE)


def of_pem(text: bytes, data: bytes) -> Protection:
    """Of a block with the headers of RFC 1421; *text* is the block, *data* what its base64 holds. Raises
    DerError where the headers say nothing that OpenSSL reads."""
    found = _DEK.search(text)
    if found is None:
        raise DerError("its header DEK-Info cannot be read")
    name = found.group(1).decode("ascii").upper()
    iv = bytes.fromhex(found.group(2).decode("ascii")) if len(found.group(2)) % 2 == 0 else b""
    if _LEGACY_NAME.fullmatch(name):
        return Protection(PEM, data=data, legacy=name)
    size = _BY_NAME.get(name, 0)
    if not size:
        return Protection(UNKNOWN, data=data)
    if len(iv) != block_size(name):
        raise DerError("its header DEK-Info has no initialisation vector of the cipher's size")
    return Protection(PEM, name, size, iv, data, iv[:8], digest="md5")
