# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys in every form: what is read, what is refused and in which words; OpenSSL is asked the same."""

from __future__ import annotations

import base64
import hashlib
import random
import re

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der, public_key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.private_key import (
    SILENT,
    UNSUPPORTED,
    Answer,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_key import HostKeys
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, key
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import keys, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)

P256 = keys.ec_key()
OTHER = keys.ec_key(seed=8)
RSA1, RSA8 = keys.pkcs1(), keys.rsa_pkcs8()
PEM_RSA, PEM_EC = keys.pem(RSA8), keys.pem(P256.pkcs8())
ED = keys.fixed_pkcs8("ed25519")
ATTRIBUTES = raw.context(0, raw.seq(raw.oid("1.2.3.4"), raw.set_of(raw.utf8("x"))))
CERTIFICATE = raw.pem(keys.certificate(keys.rsa_spki()))


def sec1(**more) -> bytes:
    return keys.pem(P256.sec1(**more), "EC PRIVATE KEY")


def rsa1(**more) -> bytes:
    return keys.pem(keys.pkcs1(**more), "RSA PRIVATE KEY")


# name: file, (kind, bits)
CLEAR = {
    **{
        f"rsa {bits}, {form}": (keys.pem(data, label), ("rsa", bits))
        for bits in (512, 768, 1024, 2048, 3072, 4096, 8192, 16384)
        for form, data, label in (
            ("PKCS#1", keys.pkcs1(bits), "RSA PRIVATE KEY"),
            ("PKCS#8", keys.rsa_pkcs8(bits), "PRIVATE KEY"),
        )
    },
    **{
        f"{kind}, PKCS#8": (keys.pem(keys.fixed_pkcs8(kind)), (kind, bits))
        for kind, bits in (("ed25519", 256), ("ed448", 456), ("x25519", 253), ("x448", 448))
    },
    "rsa-pss without parameters": (
        keys.pem(keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=b"")),
        ("rsa-pss", 2048),
    ),
    "rsa-pss with parameters": (
        keys.pem(keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=keys.PSS_SHA256)),
        ("rsa-pss", 2048),
    ),
    "dsa, PKCS#8": (keys.pem(keys.dsa_pkcs8()), ("dsa", 2048)),
    "dsa, OpenSSL's form": (keys.pem(keys.dsa_traditional(), "DSA PRIVATE KEY"), ("dsa", 2048)),
    "rsa, PKCS#8 below the label of PKCS#1": (keys.pem(RSA8, "RSA PRIVATE KEY"), ("rsa", 2048)),
    "rsa, no parameters": (keys.pem(keys.rsa_pkcs8(parameters=b"")), ("rsa", 2048)),
    "rsa, odd parameters": (keys.pem(keys.rsa_pkcs8(parameters=raw.utf8("x"))), ("rsa", 2048)),
    "rsa, the identifier of X.500": (
        keys.pem(keys.rsa_pkcs8(oid="2.5.8.1.1", parameters=raw.integer(2048))),
        ("rsa", 2048),
    ),
    "rsa, version 2": (rsa1(version=2), ("rsa", 2048)),
    "rsa, bytes behind": (keys.pem(RSA1 + b"xx", "RSA PRIVATE KEY"), ("rsa", 2048)),
    "ec, the label of SEC1 over PKCS#8": (keys.pem(P256.pkcs8(), "EC PRIVATE KEY"), ("ec", 256)),
    "ec, clear below ENCRYPTED": (keys.pem(P256.pkcs8(), "ENCRYPTED PRIVATE KEY"), ("ec", 256)),
    "ec, curve named inside, too": (keys.pem(P256.pkcs8(parameters=P256.parameters)), ("ec", 256)),
    "ec, attributes": (keys.pem(P256.pkcs8(more=ATTRIBUTES)), ("ec", 256)),
    "ec, bytes behind": (keys.pem(P256.pkcs8() + b"\x00\x00"), ("ec", 256)),
    "ec, version 0": (sec1(version=0), ("ec", 256)),
    "ec, longer secret": (sec1(secret=bytes(8) + P256.secret), ("ec", 256)),
    "ec, curve written out": (sec1(parameters=keys.explicit_p256()), ("ec", 256)),
    "ec, curve written out, PKCS#8": (
        keys.pem(keys.pkcs8(keys.EC, keys.explicit_p256(), P256.sec1(parameters=None))),
        ("ec", 256),
    ),
    "ed25519, bytes inside": (
        keys.pem(keys.pkcs8("1.3.101.112", b"", raw.octets(bytes(32)) + b"x")),
        ("ed25519", 256),
    ),
    "EC PARAMETERS before": (raw.pem(P256.parameters, "EC PARAMETERS") + sec1(), ("ec", 256)),
    "CRLF": (PEM_EC.replace(b"\n", b"\r\n"), ("ec", 256)),
    "byte order mark and text": (b"\xef\xbb\xbfmy key\n" + PEM_EC, ("ec", 256)),
    "a certificate before": (CERTIFICATE + PEM_RSA, ("rsa", 2048)),
    "two keys": (PEM_RSA + PEM_EC, ("rsa", 2048)),
    "behind an unreadable key": (keys.pem(raw.seq(raw.integer(0))) + PEM_RSA, ("rsa", 2048)),
    "behind OpenSSH's": (raw.pem(b"openssh-key-v1\x00", "OPENSSH PRIVATE KEY") + PEM_RSA, ("rsa", 2048)),
    "behind one of another label": (keys.pem(P256.pkcs8(), "RSA PRIVATE KEY") + PEM_RSA, ("rsa", 2048)),
}
for _curve in keys.CURVES:
    _key = keys.ec_key(_curve)
    _bits = {"prime192v1": 192, "secp521r1": 521}.get(_curve, 8 * len(_key.x))
    CLEAR[f"{_curve}, SEC1"] = (keys.pem(_key.sec1(), "EC PRIVATE KEY"), ("ec", _bits))
    CLEAR[f"{_curve}, SEC1 without point"] = (keys.pem(_key.sec1(None), "EC PRIVATE KEY"), ("ec", _bits))
    CLEAR[f"{_curve}, PKCS#8"] = (keys.pem(_key.pkcs8()), ("ec", _bits))
    CLEAR[f"{_curve}, PKCS#8 without point"] = (keys.pem(_key.pkcs8(None)), ("ec", _bits))
    CLEAR[f"{_curve}, compressed"] = (keys.pem(_key.pkcs8(_key.compressed)), ("ec", _bits))
    CLEAR[f"{_curve}, hybrid"] = (keys.pem(_key.pkcs8(_key.hybrid)), ("ec", _bits))

UNREADABLE = {
    "nothing inside": keys.pem(raw.seq(raw.integer(0))),
    "PKCS#1 below RSA-PSS": keys.pem(RSA1, "RSA-PSS PRIVATE KEY"),
    "unknown label": keys.pem(RSA8, "FOO PRIVATE KEY"),
    "label ANY": keys.pem(RSA8, "ANY PRIVATE KEY"),
    "ec below the label of rsa": keys.pem(P256.pkcs8(), "RSA PRIVATE KEY"),
    "rsa below the label of ec": keys.pem(RSA8, "EC PRIVATE KEY"),
    "rsa-pss below the label of rsa": keys.pem(
        keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=b""), "RSA PRIVATE KEY"
    ),
    "ed25519 below a label of its own": keys.pem(ED, "ED25519 PRIVATE KEY"),
    "SEC1 below the label of rsa": keys.pem(P256.sec1(), "RSA PRIVATE KEY"),
    "SEC1 without curve": sec1(parameters=None),
    "SEC1 without curve behind EC PARAMETERS": raw.pem(P256.parameters, "EC PARAMETERS")
    + sec1(parameters=None),
    "ec, two curves": keys.pem(P256.pkcs8(parameters=keys.ec_key("secp384r1").parameters)),
    "ec, curve named inside only": keys.pem(keys.pkcs8(keys.EC, b"", P256.sec1())),
    "ec, curve NULL": keys.pem(keys.pkcs8(keys.EC, raw.null(), P256.sec1())),
    "ec, point off the curve": sec1(point=b"\x04" + b"\x01" * 64),
    "ec, unknown curve": keys.pem(keys.pkcs8(keys.EC, raw.oid("1.2.3.4"), P256.sec1(parameters=None))),
    "rsa, version 1": rsa1(version=1),
    "rsa, five numbers": keys.pem(raw.seq(*raw.parts(RSA1)[:6]), "RSA PRIVATE KEY"),
    "rsa, the identifier of OAEP": keys.pem(keys.rsa_pkcs8(oid="1.2.840.113549.1.1.7")),
    "rsa-pss, parameters NULL": keys.pem(keys.rsa_pkcs8(oid=keys.RSA_PSS)),
    "PKCS#8, a value too much": keys.pem(P256.pkcs8(more=raw.null())),
    "ed25519, short": keys.pem(keys.pkcs8("1.3.101.112", b"", raw.octets(bytes(31)))),
    "ed25519, parameters": keys.pem(keys.pkcs8("1.3.101.112", raw.null(), raw.octets(bytes(32)))),
    "dsa without parameters": keys.pem(keys.pkcs8(keys.DSA, b"", raw.integer(5))),
    "no known algorithm": keys.pem(keys.pkcs8("1.2.3.4", b"", RSA1)),
    "PBES2 below the label of rsa": keys.pem(keys.pbes2(RSA8), "RSA PRIVATE KEY"),
    "iterations 0": keys.pem(
        keys.pbes2(RSA8, derivation=keys.pbkdf2(raw.integer(0)), key=bytes(32)), "ENCRYPTED PRIVATE KEY"
    ),
    "iterations negative": keys.pem(
        keys.pbes2(RSA8, derivation=keys.pbkdf2(raw.integer(-5)), key=bytes(32)), "ENCRYPTED PRIVATE KEY"
    ),
    "a key's length that is not the cipher's": keys.pem(
        keys.pbes2(RSA8, derivation=keys.pbkdf2(length=16)), "ENCRYPTED PRIVATE KEY"
    ),
    "scrypt, N no power of two": keys.pem(
        keys.pbes2(RSA8, derivation=keys.scrypt(3), key=bytes(32)), "ENCRYPTED PRIVATE KEY"
    ),
    "PBES2 without parameters": keys.pem(
        raw.seq(raw.seq(raw.oid(keys.PBES2)), raw.octets(bytes(16))), "ENCRYPTED PRIVATE KEY"
    ),
    "DEK-Info with a short vector": keys.with_headers("RSA PRIVATE KEY", bytes(32), iv="00"),
    "DEK-Info with a long vector": keys.with_headers("RSA PRIVATE KEY", bytes(32), iv="00" * 32),
    "DEK-Info without vector": keys.with_headers("RSA PRIVATE KEY", bytes(32), iv=""),
    "DEK-Info with a blank": keys.with_headers("RSA PRIVATE KEY", bytes(32), iv=" " + "00" * 16),
    "no DEK-Info": re.sub(rb"DEK-Info.*\n", b"", keys.dek_info("RSA PRIVATE KEY", RSA1)),
}

PLAIN = "ENCRYPTED PRIVATE KEY"
ENCRYPTED = {
    **{f"PBES2, {cipher}": keys.pem(keys.pbes2(RSA8, cipher=cipher), PLAIN) for cipher in keys.CIPHERS},
    **{f"PBES2, HMAC {digest}": keys.pem(keys.pbes2(RSA8, digest=digest), PLAIN) for digest in keys.HMACS},
    "PBES2, the default HMAC": keys.pem(
        keys.pbes2(RSA8, digest="sha1", derivation=keys.pbkdf2(hmac_oid=None)), PLAIN
    ),
    "PBES2, a key's length": keys.pem(keys.pbes2(RSA8, derivation=keys.pbkdf2(length=32)), PLAIN),
    "PBES2, by hand": keys.pem(
        keys.pbes2(RSA8, key=keys.pbkdf2_by_hand(keys.SECRET, b"salted !", 2, 32)), PLAIN
    ),
    "PBES2, bytes behind": keys.pem(keys.pbes2(RSA8) + b"xx", PLAIN),
    "PBES2, bytes behind the key": keys.pem(keys.pbes2(RSA8 + b"xx"), PLAIN),
    "PBES2, scrypt": keys.pem(keys.pbes2_scrypt(RSA8), PLAIN),
    "PBES2, scrypt as OpenSSL makes it": keys.pem(keys.pbes2_scrypt(RSA8, n=16384, r=8, p=1), PLAIN),
    "DEK-Info, AES-128-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1, "AES-128-CBC", size=16),
    "DEK-Info, AES-192-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1, "AES-192-CBC", size=24),
    "DEK-Info, AES-256-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1),
    "DEK-Info, DES-EDE3-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1, "DES-EDE3-CBC", size=24),
    "DEK-Info, DES-EDE-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1, "DES-EDE-CBC", size=16),
    "DEK-Info, CAMELLIA-256-CBC": keys.dek_info("RSA PRIVATE KEY", RSA1, "CAMELLIA-256-CBC"),
    "DEK-Info, small letters": keys.dek_info("RSA PRIVATE KEY", RSA1).replace(b"AES-256-CBC", b"aes-256-cbc"),
    "DEK-Info, CRLF": keys.dek_info("RSA PRIVATE KEY", RSA1).replace(b"\n", b"\r\n"),
    "behind one of a legacy cipher": keys.with_headers("RSA PRIVATE KEY", bytes(32), "DES-CBC", "00" * 8)
    + PEM_RSA,
}
LEGACY = {
    **{
        f"PBES2, {name}": keys.pem(keys.pbes2_header(oid), PLAIN)
        for name, oid in (
            ("DES-CBC", "1.3.14.3.2.7"),
            ("RC4", "1.2.840.113549.3.4"),
            ("Blowfish", "1.3.6.1.4.1.3029.1.2"),
            ("SEED", "1.2.410.200004.1.4"),
        )
    },
    **{
        f"PBES1, {oid}": keys.pem(keys.pbes1_header(oid), PLAIN)
        for oid in (
            *(f"1.2.840.113549.1.5.{last}" for last in (3, 6, 10, 11)),
            *(f"1.2.840.113549.1.12.1.{last}" for last in (1, 2, 5, 6)),
        )
    },
    **{
        f"DEK-Info, {cipher}": keys.with_headers("RSA PRIVATE KEY", bytes(32), cipher, "00" * size)
        for cipher, size in (
            ("DES-CBC", 8),
            ("DESX-CBC", 8),
            ("RC2-CBC", 8),
            ("RC2-40-CBC", 8),
            ("BF-CBC", 8),
            ("CAST5-CBC", 8),
            ("SEED-CBC", 16),
            ("DES-CFB", 8),
        )
    },
}


def answered(data: bytes, passphrase=keys.SECRET, asked=None) -> str:
    """`read`, or the code of the fault."""
    try:
        key.read(data, passphrase, "b.key", asked)
    except MtlsError as error:
        return error.code
    return "read"


@pytest.mark.parametrize("name", CLEAR)
def test_clear_keys(name) -> None:
    data, kind = CLEAR[name]
    found = key.read(data)
    assert (found.kind, found.encrypted, found.engine, found.findings) == (kind, False, "", [])
    # A passphrase that is not needed does no harm.
    assert key.read(data, "unused").public_key_sha256 == found.public_key_sha256


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_keys(name) -> None:
    found = key.read(ENCRYPTED[name], keys.SECRET)
    assert found.public.normal == keys.rsa_spki()
    assert found.encrypted is not name.startswith("behind")


@pytest.mark.parametrize("passphrase", [None, "", b"", "wrong", b"\xff\x00", "x" * 5000])
@pytest.mark.parametrize("name", [name for name in ENCRYPTED if not name.startswith("behind")])
def test_without_the_right_passphrase(name, passphrase) -> None:
    with pytest.raises(MtlsError) as caught:
        key.read(ENCRYPTED[name], passphrase, "b.key")
    assert caught.value.code == "pair.key_encrypted"
    assert ("no passphrase is given" in caught.value.message) is (not passphrase)
    assert not passphrase or str(passphrase) not in str(caught.value)


# Ed25519 as `openssl pkcs8 -topk8 -v1 … -iter 3` encrypts it: passphrase, DER.
PKCS12 = {
    "three keys": (
        "open sésame 🔑".encode(),
        """MFcwGwYKKoZIhvcNAQwBAzANBAgAFpPzwsuwrAIBAwQ45z25XCMrh9WcTNnDAA47PztR06XZaJmc+Dk6M/mxtaIjm/GQNgyZEA4n
        RfiSd2Bc+7dATpBfZjg=""",
    ),
    "two keys": (
        "open sésame 🔑".encode(),
        """MFcwGwYKKoZIhvcNAQwBBDANBAhnTt6Q+VHThQIBAwQ4kpntw9k6haM3GhpEgvyX+l8sc0s69TaSZ8DkekBHBMv5+cyvJAXODiCk
        SthlU1FrRekvNactVAA=""",
    ),
    "a passphrase that is no UTF-8": (
        b"caf\xe9",
        """MFcwGwYKKoZIhvcNAQwBAzANBAhTVLn0MRrsbwIBAwQ4X9IZOLZs/7jx62/yFF+Q01j95RP/nm01sKiTEqeB4cTMmmUv76n5SYFm
        0/jsNuXM4q6e+QR/jvU=""",
    ),
}


@pytest.mark.parametrize("name", PKCS12)
def test_the_schemes_of_pkcs12(name) -> None:
    passphrase, text = PKCS12[name]
    data = base64.b64decode(text)
    assert key.read(data, passphrase).clear == ED
    assert answered(data, passphrase + b"!") == "pair.key_encrypted"
    # A byte less is no whole number of blocks.
    cut = raw.parts(data)
    assert answered(raw.seq(cut[0], raw.octets(bytes(15))), passphrase) == "pair.key_encrypted"


def test_what_this_python_cannot_derive_is_openssls_to_open(monkeypatch) -> None:
    def refuse(*_given, **_named):
        raise ValueError("unsupported hash type")

    data = keys.pem(keys.pbes2(RSA8), PLAIN)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", refuse)
    assert answered(data) == "pair.key_encrypted"
    assert answered(data, keys.SECRET, lambda *_given: Answer(P256.spki(), "", "openssl 3.5.7")) == "read"


def test_what_the_library_cannot_decrypt_is_openssls_to_open(monkeypatch) -> None:
    def refuse(_key):
        raise _deps.UnsupportedAlgorithm("no such cipher")

    data = keys.pem(keys.pbes2(RSA8, cipher="CAMELLIA-256-CBC"), PLAIN)
    monkeypatch.setattr(_deps, "Camellia", refuse)
    assert answered(data) == "pair.key_encrypted"
    assert answered(data, keys.SECRET, lambda *_given: Answer(P256.spki(), "", "openssl 3.5.7")) == "read"


def test_a_wrong_passphrase_ends_the_search() -> None:
    """As OpenSSL does it: it goes on behind what it cannot read, not behind what it cannot open."""
    assert answered(keys.pem(keys.pbes2(RSA8), PLAIN) + PEM_EC, "wrong") == "pair.key_encrypted"
    assert answered(keys.pem(raw.seq(raw.integer(0))) + PEM_EC, "wrong") == "read"


def test_a_key_of_no_known_algorithm_is_openssls_to_judge() -> None:
    """Newer versions have more algorithms. Whoever cannot ask goes on with a key of the kind "unknown"."""
    data = keys.pem(keys.pkcs8("1.2.3.4", b"", RSA1))
    assert key.read(data).kind == ("unknown", 0)
    assert answered(data, None, lambda *_given: Answer(b"", "refused")) == "format.unreadable"
    found = key.read(data + PEM_RSA, None, "b.key", lambda *_given: Answer(b"", "refused"))
    assert (found.kind, found.place) == (("rsa", 2048), f"b.key:{data.count(bytes([10])) + 1}")


def test_a_right_padding_by_chance_is_no_key() -> None:
    """One wrong passphrase in 256 leaves bytes that end as a padding does."""
    noise = keys.pem(keys.pbes2(b"\x30\x03\x02\x01\x00"), PLAIN)
    assert answered(noise) == "pair.key_encrypted"
    assert answered(keys.pem(keys.pbes2(b"no DER at all"), PLAIN)) == "pair.key_encrypted"
    assert answered(keys.pem(keys.pbes2(b""), PLAIN)) == "pair.key_encrypted"


@pytest.mark.parametrize("name", LEGACY)
@pytest.mark.parametrize("passphrase", [keys.SECRET, None])
def test_legacy_ciphers_are_no_wrong_passphrase(name, passphrase) -> None:
    with pytest.raises(MtlsError) as caught:
        key.read(LEGACY[name], passphrase, "b.key")
    assert caught.value.code == "pair.legacy_cipher"
    assert caught.value.place == "b.key:1"


COSTLY = {
    "PBKDF2": keys.pbes2(RSA8, derivation=keys.pbkdf2(6_000_001), key=bytes(32)),
    "PBKDF2 beyond all numbers": keys.pbes2(RSA8, derivation=keys.pbkdf2(1 << 70), key=bytes(32)),
    "two blocks of SHA-1": keys.pbes2(
        RSA8, derivation=keys.pbkdf2(3_000_001, hmac_oid=keys.HMACS["sha1"]), key=bytes(32)
    ),
    "PKCS#12": keys.pbes1_header(keys.PBE_3DES, 1_500_001),
    "scrypt's memory": keys.pbes2(RSA8, derivation=keys.scrypt(1 << 15, 8, 1), key=bytes(32)),
    "scrypt's time": keys.pbes2(RSA8, derivation=keys.scrypt(16, 8, 1 << 16), key=bytes(32)),
    "unknown cipher": keys.pbes2_header("1.2.3.4", keys.pbkdf2(6_000_001)),
    "unknown HMAC": keys.pbes2(RSA8, derivation=keys.pbkdf2(6_000_001, hmac_oid="1.2.3.4"), key=bytes(32)),
    "legacy": keys.pbes1_header("1.2.840.113549.1.12.1.6", 6_000_001),
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_takes_too_long_is_not_tried(name) -> None:
    def asked(_key, _passphrase):
        raise AssertionError("OpenSSL would take as long")

    data = keys.pem(COSTLY[name], PLAIN)
    assert answered(data, keys.SECRET, asked) == "pair.costly_derivation"
    assert answered(data, None) == "pair.legacy_cipher" if name == "legacy" else "pair.key_encrypted"


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_keys(name) -> None:
    assert answered(UNREADABLE[name], asked=lambda _key, _passphrase: Answer(b"", UNSUPPORTED)) == (
        "format.unreadable"
    )


WRONG_KINDS = {
    "a certificate": (CERTIFICATE, "pair.swapped_files"),
    "a certificate, DER": (keys.certificate(keys.rsa_spki()), "pair.swapped_files"),
    "a public key": (raw.pem(keys.rsa_spki(), "PUBLIC KEY"), "format.wrong_kind"),
    "a public key, PKCS#1": (
        raw.pem(raw.seq(*map(raw.integer, keys.rsa_numbers()[:2])), "RSA PUBLIC KEY"),
        "format.wrong_kind",
    ),
    "a request": (
        raw.pem(
            raw.seq(raw.seq(raw.integer(0), raw.name(), keys.rsa_spki()), raw.seq(), raw.bit_string(b""))
        ).replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"),
        "format.wrong_kind",
    ),
    "parameters": (raw.pem(P256.parameters, "EC PARAMETERS"), "format.wrong_kind"),
    "OpenSSH's": (raw.pem(b"openssh-key-v1\x00", "OPENSSH PRIVATE KEY"), "format.wrong_kind"),
    "OpenSSH's public": (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA me@host\n", "format.wrong_kind"),
    "the URI of a key": (raw.pem(raw.utf8("pkcs11:object=x"), "PKCS#11 PROVIDER URI"), "pair.undecided"),
    "nothing": (b"", "format.unreadable"),
    "text": (b"hello\n", "format.unreadable"),
    "indented": (PEM_EC.replace(b"-----BEGIN", b"  -----BEGIN"), "format.indented"),
    "UTF-16": ("text".encode("utf-16"), "format.utf16"),
}


@pytest.mark.parametrize("name", WRONG_KINDS)
def test_something_else_in_the_keys_place(name) -> None:
    data, code = WRONG_KINDS[name]
    assert answered(data) == code


@pytest.mark.parametrize(
    ("label", "clear"),
    [
        ("PRIVATE KEY", RSA8),
        ("RSA PRIVATE KEY", RSA1),
        ("EC PRIVATE KEY", P256.sec1()),
        ("DSA PRIVATE KEY", keys.dsa_traditional()),
    ],
)
def test_der(label, clear) -> None:
    assert key.read(clear).place == "private_key"
    assert key.read(clear).public == key.read(keys.pem(clear, label)).public


def test_encrypted_der() -> None:
    assert key.read(keys.pbes2(RSA8), keys.SECRET).public.normal == keys.rsa_spki()
    assert answered(keys.pbes2(RSA8), "wrong") == "pair.key_encrypted"


# --- keys that load and cannot work ---

N, E, D, P, Q, DP, DQ, INVERSE = keys.rsa_numbers()
NUMBERS = {
    "good": ({}, True),
    "d alone is wrong": ({"d": D + 2}, True),
    "d is of another multiple": ({"d": D - (P - 1) * (Q - 1) // 2}, True),
    "one exponent is wrong": ({"dp": DP + 2}, True),
    "the inverse is wrong": ({"inverse": INVERSE + 1}, True),
    "the primes are wrong": ({"p": P + 2}, True),
    "the primes are exchanged": ({"p": Q, "q": P}, True),
    "the primes are n and 1": ({"p": N, "q": 1}, True),
    "d and an exponent are wrong": ({"d": D + 2, "dp": DP + 2}, False),
    "d and the inverse are wrong": ({"d": D + 2, "inverse": INVERSE + 1}, False),
    "n is wrong": ({"n": N + 2}, False),
    "e is wrong": ({"e": 3}, False),
    "e is 1": ({"e": 1}, False),
    "no primes": ({"p": 0, "q": 0, "dp": 0, "dq": 0, "inverse": 0}, False),
    "primes only": ({"dp": 0, "dq": 0, "inverse": 0}, True),
    "primes only, d wrong": ({"d": D + 2, "dp": 0, "dq": 0, "inverse": 0}, False),
}
POINTS = {
    "right point": (sec1(), True),
    "another key's point": (sec1(point=OTHER.uncompressed), False),
    "another key's compressed point": (sec1(point=OTHER.compressed), False),
    "secret 0": (sec1(secret=bytes(32)), False),
}
SIGNING = {**{name: (rsa1(**more), works) for name, (more, works) in NUMBERS.items()}, **POINTS}


@pytest.mark.parametrize("name", SIGNING)
def test_a_key_that_signs_nothing_is_told(name) -> None:
    data, works = SIGNING[name]
    codes = [finding.code for finding in key.read(data).findings]
    assert codes == ([] if works else ["key.inconsistent"])


def test_absurd_numbers_take_no_time() -> None:
    huge = (1 << 4_000_000) - 1
    assert key.read(rsa1(n=huge, d=huge, e=huge)).kind == ("rsa", 4_000_000)
    parameters = raw.seq(*map(raw.integer, (huge, 5, 7)))
    assert answered(keys.pem(keys.pkcs8(keys.DSA, parameters, raw.integer(huge)))) == "format.unreadable"


# --- the host's OpenSSL beside us ---


def test_what_only_openssl_knows_is_asked() -> None:
    """A cipher that is not known here: the block and the passphrase go to *ask* as they are."""
    data = keys.with_headers("RSA PRIVATE KEY", bytes(32), "ARIA-256-CBC")
    seen = []

    def asked(block, passphrase):
        seen.append((block, passphrase))
        return Answer(P256.spki(), "", "openssl 3.5.7")

    found = key.read(data, keys.SECRET, "b.key", asked)
    assert (found.kind, found.engine, found.encrypted) == (("ec", 256), "openssl 3.5.7", True)
    assert seen == [(data, keys.SECRET)]
    with pytest.raises(MtlsError, match="of no kind that can be used here"):
        found.to_pem()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (UNSUPPORTED, "pair.legacy_cipher"),
        ("passphrase", "pair.key_encrypted"),
        ("refused", "pair.key_encrypted"),
        (SILENT, "pair.key_encrypted"),
    ],
)
def test_what_openssl_cannot_open_either(fault, code) -> None:
    data = keys.with_headers("RSA PRIVATE KEY", bytes(32), "ARIA-256-CBC")
    assert answered(data, keys.SECRET, lambda _key, _passphrase: Answer(b"", fault)) == code


def test_the_legacy_provider_may_be_there() -> None:
    """Then the host's OpenSSL opens the key, and so does its nginx."""
    data = LEGACY["DEK-Info, DES-CBC"]
    found = key.read(data, keys.SECRET, "b.key", lambda *_given: Answer(P256.spki(), "", "openssl 3.5.7"))
    assert (found.place, found.kind) == ("b.key:1", ("ec", 256))


def test_a_form_that_versions_differ_about_is_openssls_to_judge() -> None:
    """PKCS#8 with a public half: OpenSSL reads it since 3.2."""
    data = keys.pem(
        P256.pkcs8(version=1, more=raw.context(1, b"\x00" + P256.uncompressed, constructed=False))
    )
    assert key.read(data).kind == ("ec", 256)
    assert answered(data, None, lambda *_given: Answer(b"", "refused")) == "format.unreadable"
    assert answered(data, None, lambda *_given: Answer(P256.spki(), "", "openssl 3.5.7")) == "read"


def test_numbers_beyond_the_modulus_are_openssls_to_judge() -> None:
    """It refuses them since 3.2, and used them before."""
    data = rsa1(d=D + (P - 1) * (Q - 1))
    assert key.read(data).kind == ("rsa", 2048)
    assert answered(data, None, lambda *_given: Answer(b"", "refused")) == "format.unreadable"
    assert answered(rsa1(), None, lambda *_given: Answer(b"", "refused")) == "read"


ALL = {
    "rsa, d beyond the modulus": rsa1(d=D + (P - 1) * (Q - 1)),
    **{name: row[0] for name, row in CLEAR.items()},
    "behind a key of no known algorithm": keys.pem(keys.pkcs8("1.2.3.4", b"", RSA1)) + PEM_RSA,
    **ENCRYPTED,
    **LEGACY,
    **UNREADABLE,
    **{name: row[0] for name, row in WRONG_KINDS.items()},
    "PKCS#8 with a public half": keys.pem(
        P256.pkcs8(version=1, more=raw.context(1, b"\x00" + P256.uncompressed, constructed=False))
    ),
}


@needs_openssl
@pytest.mark.skipif(not keys.SSL_IS_OPENSSL_3, reason="asks the functions of OpenSSL 3 that nginx calls")
@pytest.mark.parametrize("name", ALL)
def test_nginx_reads_the_same(name) -> None:
    ours = answered(ALL[name], keys.SECRET, HostKeys().ask) == "read"
    theirs = keys.nginx_loads(ALL[name], CERTIFICATE, alone=b"DEK-Info: DES-CBC" in ALL[name]) != "no key"
    compare("pairs", ours, theirs, f"key: {name}")


_BLOCK = re.compile(rb"-----BEGIN ([^-]+)-----\n([^-:]+)-----END [^-]+-----")
# The numbers of DSA are others in each run, and long files hide what matters.
_MUTATED = [
    name
    for name in (*CLEAR, *UNREADABLE)
    if _BLOCK.fullmatch(ALL[name].strip()) and "dsa" not in name and len(ALL[name]) < 3000
]


def mutated(seed: int) -> bytes:
    """One of the clear keys with a few octets of its DER changed, taken out or put in."""
    chance = random.Random(seed)
    label, body = _BLOCK.fullmatch(ALL[chance.choice(_MUTATED)].strip()).groups()
    data = bytearray(base64.b64decode(body))
    for _change in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(data))
        how = chance.randrange(4)
        if how == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            data[at] = chance.choice((0x00, 0x02, 0x04, 0x06, 0x30, 0x7F, 0x80, 0xFF))
        elif how == 2:
            del data[at : at + chance.choice((1, 2, 20))]
        else:
            data[at:at] = bytes(chance.randrange(256) for _octet in range(chance.choice((1, 2, 9))))
    return keys.pem(bytes(data) or b"\x00", label.decode())


@needs_openssl
@pytest.mark.skipif(not keys.SSL_IS_OPENSSL_3, reason="asks the functions of OpenSSL 3 that nginx calls")
@pytest.mark.parametrize("seed", range(0, 300, 50))
def test_mutated_keys_are_read_as_nginx_reads_them(seed) -> None:
    host = HostKeys()
    for number in range(seed, seed + 50):
        data = mutated(number)
        ours = answered(data, keys.SECRET, host.ask) == "read"
        compare("pairs", ours, keys.nginx_loads(data, CERTIFICATE) != "no key", f"mutated key {number}")


LEFT_TO_OPENSSL = {
    "a point of a curve that is not known here": keys.pem(
        keys.pkcs8(keys.EC, raw.oid("1.2.840.10045.3.1.3"), keys.ec_key("prime192v1").sec1(parameters=None))
    ),
    "a curve written out that is none": sec1(
        parameters=keys.explicit_p256().replace(bytes.fromhex("5ac635d8"), bytes.fromhex("5ac635d9"))
    ),
    "parameters of RSA-PSS that are none": keys.pem(
        keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=raw.seq(raw.context(7, raw.integer(1))))
    ),
}


@pytest.mark.parametrize("name", LEFT_TO_OPENSSL)
def test_what_the_rules_do_not_check_is_openssls_to_judge(name) -> None:
    assert answered(LEFT_TO_OPENSSL[name]) == "read"
    assert (
        answered(LEFT_TO_OPENSSL[name], None, lambda *_given: Answer(b"", "refused")) == "format.unreadable"
    )


@needs_openssl
@pytest.mark.parametrize("name", LEFT_TO_OPENSSL)
def test_openssl_judges_it(name) -> None:
    assert answered(LEFT_TO_OPENSSL[name], None, HostKeys().ask) == "format.unreadable"


@needs_openssl
# The command reads keys below labels where nginx does not.
@pytest.mark.parametrize(
    "name", [name for name in (*CLEAR, *ENCRYPTED) if name != "behind one of another label"]
)
def test_openssl_sees_the_same_key(name) -> None:
    found = key.read(ALL[name], keys.SECRET, "b.key", HostKeys().ask)
    said = ask("pkey", "-passin", f"pass:{keys.SECRET.decode()}", "-pubout", stdin=ALL[name])
    theirs = re.sub(r"-----[A-Z ]+-----|\s", "", said.out)
    spki = der.only(base64.b64decode(theirs))
    compare("pairs", found.public_key_sha256, public_key.read(spki).sha256, f"public half: {name}")
    assert found.public_key_sha256 == hashlib.sha256(found.public.normal).hexdigest()


@needs_openssl
@pytest.mark.parametrize("name", SIGNING)
def test_openssl_signs_with_the_same_keys(name) -> None:
    data, works = SIGNING[name]
    public = ask("pkey", "-pubout", stdin=data).out.encode()
    files = {"key": data, "public": public, "text": b"text"}
    made = ask("dgst", "-sha256", "-sign", "key", "-hex", "text", files=files)
    signature = bytes.fromhex(made.out.rpartition(" ")[2].strip() or "00")
    said = ask(
        "dgst", "-sha256", "-verify", "public", "-signature", "sig", "text", files={**files, "sig": signature}
    )
    compare("pairs", works, made.ok and said.ok, f"signs: {name}")
