# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys told apart, measured, and brought into the form in which they are compared."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, x448, x25519

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import curves, der, public_key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.certificate_reader import read
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)

RSA = builders.slow_key("rsa1024")
P256 = builders.new_key()
NUMBERS = RSA.public_key().public_numbers()
RSA_OID, PSS_OID, EC_OID, DSA_OID = (
    "1.2.840.113549.1.1.1",
    "1.2.840.113549.1.1.10",
    "1.2.840.10045.2.1",
    "1.2.840.10040.4.1",
)
P256_OID = "1.2.840.10045.3.1.7"
RSA_KEY = raw.seq(raw.integer(NUMBERS.n), raw.integer(NUMBERS.e))
POINT = P256.public_key().public_bytes(
    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
)
COMPRESSED = bytes([2 + POINT[-1] % 2]) + POINT[1:33]


def spki(oid: str, parameters: bytes, key: bytes) -> bytes:
    return raw.seq(raw.seq(raw.oid(oid), parameters), raw.bit_string(key))


def of(data: bytes) -> public_key.PublicKey:
    return public_key.read(der.only(data))


def ec_key(point: bytes, curve: str = P256_OID) -> bytes:
    return spki(EC_OID, raw.oid(curve), point)


SAME_RSA = [
    spki(RSA_OID, raw.null(), RSA_KEY),
    spki(RSA_OID, b"", RSA_KEY),
    spki(RSA_OID, raw.null(), RSA_KEY + b"junk"),
    spki(
        RSA_OID, raw.null(), raw.seq(raw.tlv(2, b"\0\0" + raw.integer(NUMBERS.n)[4:]), raw.integer(NUMBERS.e))
    ),
    spki(RSA_OID, raw.null(), raw.indefinite(0x30, raw.integer(NUMBERS.n), raw.integer(NUMBERS.e))),
]
SAME_PSS = [
    spki(PSS_OID, b"", RSA_KEY),
    spki(PSS_OID, raw.seq(), RSA_KEY),
    spki(PSS_OID, raw.seq(raw.context(2, raw.integer(32))), RSA_KEY),
]
SAME_EC = [
    ec_key(POINT),
    ec_key(COMPRESSED),
    ec_key(bytes([6 + POINT[-1] % 2]) + POINT[1:]),
    raw.seq(raw.long_length(0x30, raw.oid(EC_OID) + raw.oid(P256_OID)), raw.bit_string(POINT)),
]


@pytest.mark.parametrize("same", [SAME_RSA, SAME_PSS, SAME_EC], ids=["rsa", "rsa-pss", "ec"])
def test_one_key_in_all_its_forms(same) -> None:
    assert len({of(data).sha256 for data in same}) == 1


def test_the_fingerprint_is_that_of_the_usual_form() -> None:
    for key, same in ((RSA, SAME_RSA), (P256, SAME_EC)):
        assert of(same[-1]).sha256 == hashlib.sha256(raw.spki(key)).hexdigest()


def test_rsa_and_rsa_pss_of_one_modulus_are_two_keys() -> None:
    assert of(SAME_RSA[0]).sha256 != of(SAME_PSS[0]).sha256


def test_other_keys_have_other_fingerprints() -> None:
    other = bytes([COMPRESSED[0] ^ 1]) + COMPRESSED[1:]
    assert of(ec_key(other)).kind == "ec"
    assert of(ec_key(other)).sha256 != of(ec_key(COMPRESSED)).sha256
    shifted = spki(RSA_OID, raw.null(), raw.seq(raw.integer(NUMBERS.n), raw.integer(3)))
    assert of(shifted).sha256 != of(SAME_RSA[0]).sha256


DSA_NUMBERS = raw.integer((1 << 1023) + 1) + raw.integer((1 << 159) + 1) + raw.integer(2)
EXPLICIT = raw.seq(raw.integer(1), raw.seq(), raw.seq(), raw.octets(b""), raw.integer((1 << 255) + 1))
KEYS = {
    "rsa": (SAME_RSA[0], "rsa", 1024, ""),
    "rsa-pss": (SAME_PSS[0], "rsa-pss", 1024, ""),
    "P-256": (ec_key(POINT), "ec", 256, "prime256v1"),
    "P-384": (raw.spki(builders.new_key("p384")), "ec", 384, "secp384r1"),
    "P-521": (raw.spki(ec.generate_private_key(ec.SECP521R1())), "ec", 521, "secp521r1"),
    "P-224": (raw.spki(ec.generate_private_key(ec.SECP224R1())), "ec", 224, "secp224r1"),
    "secp256k1": (raw.spki(ec.generate_private_key(ec.SECP256K1())), "ec", 256, "secp256k1"),
    "brainpool": (raw.spki(ec.generate_private_key(ec.BrainpoolP256R1())), "ec", 256, "brainpoolP256r1"),
    "explicit curve": (spki(EC_OID, EXPLICIT, POINT), "ec", 256, "explicit"),
    "dsa": (spki(DSA_OID, raw.seq(DSA_NUMBERS), raw.integer(5)), "dsa", 1024, ""),
    "dsa without parameters": (spki(DSA_OID, b"", raw.integer(5)), "dsa", 0, ""),
    "ed25519": (raw.spki(builders.new_key("ed25519")), "ed25519", 256, ""),
    "ed448": (raw.spki(ed448.Ed448PrivateKey.generate()), "ed448", 456, ""),
    "x25519": (raw.spki(x25519.X25519PrivateKey.generate()), "x25519", 253, ""),
    "x448": (raw.spki(x448.X448PrivateKey.generate()), "x448", 448, ""),
}  # fmt: skip
UNKNOWN = {
    "unknown algorithm": spki("1.2.3.4", b"", b"key"),
    "unknown curve": ec_key(POINT, "1.2.3.4"),
    "point of another curve": ec_key(POINT, "1.3.132.0.10"),
    "point too short": ec_key(POINT[:-1]),
    "compressed point of no y": ec_key(b"\x02" + (1).to_bytes(32, "big")),
    "x beyond the field": ec_key(b"\x02" + b"\xff" * 32),
    "hybrid point with the wrong half": ec_key(bytes([7 - POINT[-1] % 2]) + POINT[1:]),
    "point at infinity": ec_key(b"\x00"),
    "empty point": ec_key(b""),
    "unknown form of a point": ec_key(b"\x05" + POINT[1:]),
    "curve of the certificate authority": spki(EC_OID, raw.null(), POINT),
    "no curve": spki(EC_OID, b"", POINT),
    "rsa that is no sequence": spki(RSA_OID, raw.null(), b"key"),
    "rsa without exponent": spki(RSA_OID, raw.null(), raw.seq(raw.integer(5))),
    "rsa-pss with a null": spki(PSS_OID, raw.null(), RSA_KEY),
    "ed25519 with a null": spki("1.3.101.112", raw.null(), b"k" * 32),
    "ed25519 of 31 octets": spki("1.3.101.112", b"", b"k" * 31),
    "dsa that is no number": spki(DSA_OID, raw.seq(DSA_NUMBERS), b"key"),
    "dsa with two parameters": spki(DSA_OID, raw.seq(raw.integer(5), raw.integer(7)), raw.integer(5)),
}


@pytest.mark.parametrize("case", KEYS)
def test_known(case) -> None:
    data, kind, bits, curve = KEYS[case]
    found = of(data)
    assert (found.kind, found.bits, found.curve) == (kind, bits, curve)


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown(case) -> None:
    found = of(UNKNOWN[case])
    assert (found.kind, found.bits) == ("unknown", 0)
    assert found.sha256 == hashlib.sha256(UNKNOWN[case]).hexdigest()


@pytest.mark.parametrize("case", [*KEYS, *UNKNOWN])
def test_the_certificate_is_read_whatever_its_key(case) -> None:
    data = KEYS[case][0] if case in KEYS else UNKNOWN[case]
    facts = read(raw.sign(raw.tbs(data, "x"), P256))[0]
    assert (facts.key_type, facts.spki) == (of(data).kind, data)


@needs_openssl
@pytest.mark.parametrize("case", [*KEYS, *UNKNOWN])
def test_openssl_makes_the_same_of_it(case) -> None:
    if case in ("explicit curve", "dsa without parameters"):
        return  # no curve that exists; and openssl cannot print it, though it inherits its issuer's
    data = KEYS[case][0] if case in KEYS else UNKNOWN[case]
    said = ask("x509", "-noout", "-text", stdin=raw.pem(raw.sign(raw.tbs(data, "x"), P256)))
    assert said.ok, said.err
    found = re.search(r"(?:Public-Key|SM2 Public-Key|DSA Public-Key): \((\d+) bit\)", said.out)
    fixed = re.search(r"(ED25519|ED448|X25519|X448) Public-Key:", said.out)
    theirs = (
        int(found[1])
        if found
        else {"ED25519": 256, "ED448": 456, "X25519": 253, "X448": 448}[fixed[1]]
        if fixed
        else 0
    )
    compare("files", ours=of(data).bits, theirs=theirs, case=f"key: {case}")


CURVES = (
    "prime192v1 secp224r1 prime256v1 secp384r1 secp521r1 secp256k1 SM2 brainpoolP160r1 brainpoolP192r1"
    " brainpoolP224r1 brainpoolP256r1 brainpoolP320r1 brainpoolP384r1 brainpoolP512r1"
).split()


@needs_openssl
@pytest.mark.parametrize("curve", [*CURVES, "secp160r1", "sect163k1"])
def test_openssl_writes_one_key_in_two_forms(curve) -> None:
    made = ask("ecparam", "-name", curve, "-genkey", "-noout")
    assert made.ok, made.err
    keys = []
    for form in ("uncompressed", "compressed", "hybrid"):
        said = ask("ec", "-pubout", "-conv_form", form, stdin=made.out.encode())
        keys.append(of(base64.b64decode("".join(said.out.split("-----")[2].split()))))
    plain, compressed, hybrid = keys
    assert {key.kind for key in keys} == {"sm2" if curve == "SM2" else "ec"}
    assert {key.curve for key in keys} == {curve}
    assert plain.sha256 == hybrid.sha256
    # Of curves that nobody uses the equation is not known here.
    assert (plain.sha256 == compressed.sha256) is (curve in CURVES)
    text = ask("ec", "-noout", "-text", stdin=made.out.encode()).out
    compare(
        "files", ours=plain.bits, theirs=int(re.search(r"\((\d+) bit\)", text)[1]), case=f"size of {curve}"
    )


@pytest.mark.parametrize(
    "curve", [ec.SECP224R1(), ec.SECP256R1(), ec.SECP521R1(), ec.BrainpoolP384R1()], ids=lambda one: one.name
)
def test_many_points_of_both_halves(curve) -> None:
    name = {"secp256r1": "prime256v1"}.get(curve.name, curve.name)
    halves = set()
    for _each in range(12):
        public = ec.generate_private_key(curve).public_key()
        form = serialization.PublicFormat
        point = public.public_bytes(serialization.Encoding.X962, form.UncompressedPoint)
        half = public.public_bytes(serialization.Encoding.X962, form.CompressedPoint)
        halves.add(half[0])
        assert curves.uncompressed(name, half) == point
        assert curves.uncompressed(name, point) == point
    assert halves == {2, 3}


def test_dsa_is_compared_with_its_parameters() -> None:
    key = dsa.generate_private_key(1024).public_key()
    data = raw.spki(key)
    assert of(data).normal == data
    algorithm, bits = raw.parts(data)
    assert of(raw.seq(raw.seq(raw.parts(algorithm)[0]), bits)).sha256 != of(data).sha256
