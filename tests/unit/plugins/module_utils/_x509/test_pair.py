# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of certificate and private key of every kind: which fit, who says so, and what TLS makes of them."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der, public_key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.private_key import Answer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import kinds
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_key import HostKeys
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import (
    _deps,
    certificate,
    credential,
    key,
    pair,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, keys, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    compare,
    needs_openssl,
)

P256, OTHER = keys.ec_key(), keys.ec_key(seed=8)
EXPLICIT = keys.explicit_p256()
BINARY = "1.3.132.0.16"  # sect283k1: its points are not put into one form here

# name of the key: (SubjectPublicKeyInfos that are its certificate's, private keys as DER)
KEYS: dict[str, tuple[list[bytes], list[bytes]]] = {
    **{
        f"rsa {bits}": ([keys.rsa_spki(bits)], [keys.pkcs1(bits), keys.rsa_pkcs8(bits)])
        for bits in (512, 1024, 2048, 4096, 16384)
    },
    "rsa, other exponent": (
        [
            keys.spki(
                keys.RSA,
                raw.null(),
                raw.seq(raw.integer(keys.rsa_numbers()[0]), raw.integer(keys.rsa_numbers(exponent=257)[1])),
            )
        ],
        [keys.pkcs1(e=257)],
    ),
    "rsa-pss": (
        [
            keys.rsa_spki(oid=keys.RSA_PSS, parameters=b""),
            keys.rsa_spki(oid=keys.RSA_PSS, parameters=keys.PSS_SHA256),
        ],
        [
            keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=b""),
            keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=keys.PSS_SHA256),
        ],
    ),
    "dsa": ([keys.dsa_spki()], [keys.dsa_pkcs8(), keys.dsa_traditional()]),
    **{kind: ([keys.fixed_spki(kind)], [keys.fixed_pkcs8(kind)]) for kind in ("ed25519", "ed448")},
    "ed25519, another": ([keys.fixed_spki("ed25519", 8)], [keys.fixed_pkcs8("ed25519", 8)]),
    "P-256, another": ([OTHER.spki()], [OTHER.sec1()]),
    "P-256, the negative": (
        [P256.spki(bytes([5 - P256.compressed[0]]) + P256.x)],
        [P256.sec1(bytes([5 - P256.compressed[0]]) + P256.x)],
    ),
}
for _name in keys.CURVES:
    _key = keys.ec_key(_name)
    _points = [_key.uncompressed, _key.compressed, _key.hybrid]
    KEYS[_name] = (
        [_key.spki(point) for point in _points],
        [_key.sec1(_key.compressed), _key.sec1(None), _key.pkcs8(_key.hybrid)],
    )


def facts(spki: bytes):
    return certificate.from_der(keys.certificate(spki)).facts


FACTS = {spki: facts(spki) for spkis, _private in KEYS.values() for spki in spkis}
PRIVATE = {private: key.read(private) for _spkis, privates in KEYS.values() for private in privates}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_fits_its_own_certificates_and_no_others(name) -> None:
    engine = f"cryptography {_deps.VERSION}"
    for private in KEYS[name][1]:
        for other, (spkis, _privates) in KEYS.items():
            verdicts = {pair.matches(FACTS[spki], PRIVATE[private]) for spki in spkis}
            assert verdicts == {(other == name, engine)}, other


@pytest.mark.parametrize("name", KEYS)
def test_the_fingerprints_say_the_same(name) -> None:
    own = {FACTS[spki].public_key_sha256 for spki in KEYS[name][0]}
    assert own == {PRIVATE[private].public_key_sha256 for private in KEYS[name][1]}
    assert len(own) == 1


@needs_openssl
@pytest.mark.skipif(not keys.SSL_IS_OPENSSL_3, reason="asks the functions of OpenSSL 3 that nginx calls")
@pytest.mark.parametrize("name", KEYS)
def test_nginx_says_the_same(name) -> None:
    for number, spki in enumerate(KEYS[name][0]):
        one = raw.pem(keys.certificate(spki))
        # All others for one form of the certificate's key, the own one for each form.
        for other in KEYS if number == 0 else [name]:
            private = KEYS[other][1][number % len(KEYS[other][1])]
            ours, _engine = pair.matches(FACTS[spki], PRIVATE[private])
            theirs = keys.nginx_loads(key_pem(private), one) == "pair"
            compare("pairs", ours, theirs, f"pair: certificate {name} {number}, key {other}")


def key_pem(private: bytes) -> bytes:
    label = {
        "PKCS#8": "PRIVATE KEY",
        "PKCS#1": "RSA PRIVATE KEY",
        "SEC1": "EC PRIVATE KEY",
        "DSA": "DSA PRIVATE KEY",
    }
    return keys.pem(private, label[kinds.key_form(private)])


# --- what the rules cannot tell ---

UNDECIDED = {
    "curve written out in the key": (P256.spki(), P256.sec1(parameters=EXPLICIT), True),
    "curve written out in the certificate": (P256.spki(parameters=EXPLICIT), P256.sec1(), True),
    "curve written out in both": (P256.spki(parameters=EXPLICIT), P256.sec1(parameters=EXPLICIT), True),
    "curve written out, another key": (OTHER.spki(), P256.sec1(parameters=EXPLICIT), False),
    "curve written out, compressed point": (
        P256.spki(P256.compressed),
        P256.sec1(P256.compressed, EXPLICIT),
        True,
    ),
}
# The base point of sect283k1 (SEC 2, 3.6.1), which is the key whose secret is 1.
_BASE_X = "0503213f78ca44883f1a3b8162f188e553cd265f23c1567a16876913b0c2ac2458492836"
_BASE_Y = "01ccda380f1c9e318d90f95d07e5426fe87e45c0e8184698e45962364e34116177dd2259"
_LONG = bytes.fromhex("04" + _BASE_X + _BASE_Y)
_SHORT = bytes.fromhex("02" + _BASE_X)


def binary(point: bytes | None) -> bytes:
    key_of_one = bytes(35) + b"\x01"
    return raw.seq(
        raw.integer(1),
        raw.octets(key_of_one),
        raw.context(0, raw.oid(BINARY)),
        raw.context(1, raw.bit_string(point)) if point else b"",
    )


UNDECIDED["binary curve, certificate compressed"] = (
    keys.spki(keys.EC, raw.oid(BINARY), _SHORT),
    binary(_LONG),
    True,
)
UNDECIDED["binary curve, key compressed"] = (keys.spki(keys.EC, raw.oid(BINARY), _LONG), binary(_SHORT), True)
UNDECIDED["binary curve, another point"] = (
    keys.spki(keys.EC, raw.oid(BINARY), b"\x03" + _SHORT[1:]),
    binary(_LONG),
    False,
)


@pytest.mark.parametrize("name", UNDECIDED)
def test_without_openssl_there_is_no_verdict(name) -> None:
    spki, private, _verdict = UNDECIDED[name]
    assert pair.matches(facts(spki), key.read(private)) == (None, None)
    silent = Answer(b"", "silent")
    assert pair.matches(facts(spki), key.read(private), lambda _spki: silent) == (None, None)


@needs_openssl
@pytest.mark.parametrize("name", UNDECIDED)
def test_openssl_gives_the_verdict(name) -> None:
    spki, private, verdict = UNDECIDED[name]
    host = HostKeys()
    found = pair.matches(facts(spki), key.read(private, None, "b.key", host.ask), host.ask_public)
    assert found == (verdict, host.engine)


@needs_openssl
@pytest.mark.skipif(not keys.SSL_IS_OPENSSL_3, reason="asks the functions of OpenSSL 3 that nginx calls")
@pytest.mark.parametrize("name", UNDECIDED)
def test_nginx_gives_the_same_verdict(name) -> None:
    spki, private, verdict = UNDECIDED[name]
    theirs = keys.nginx_loads(keys.pem(private, "EC PRIVATE KEY"), raw.pem(keys.certificate(spki)))
    compare("pairs", verdict, theirs == "pair", f"pair: {name}")


DIFFER_ANYWAY = [
    ("another kind", keys.rsa_spki(), P256.sec1(parameters=EXPLICIT)),
    ("another size", keys.ec_key("secp384r1").spki(), P256.sec1(parameters=EXPLICIT)),
    ("another curve", keys.ec_key("secp256k1").spki(), binary(_SHORT)),
]


@pytest.mark.parametrize(
    ("spki", "private"), [row[1:] for row in DIFFER_ANYWAY], ids=[r[0] for r in DIFFER_ANYWAY]
)
def test_kind_size_and_curve_need_no_openssl(spki, private) -> None:
    verdict, engine = pair.matches(facts(spki), key.read(private))
    assert verdict is False and engine


def test_the_engine_of_a_key_that_openssl_opened_is_openssl() -> None:
    block = keys.with_headers("RSA PRIVATE KEY", bytes(32), "ARIA-256-CBC")
    found = key.read(block, "x", "b.key", lambda *_given: Answer(keys.rsa_spki(), "", "openssl 3.5.7"))
    assert pair.matches(facts(keys.rsa_spki()), found) == (True, "openssl 3.5.7")


def test_a_certificate_with_a_key_of_no_known_kind() -> None:
    unknown = facts(keys.spki("1.2.3.4", b"", b"some octets"))
    found = key.read(keys.rsa_pkcs8(), None, "b.key")
    assert pair.matches(unknown, found) == (None, None)
    said = pair.undecided(unknown, found)
    assert (said.code, said.severity, said.place) == ("pair.undecided", "warning", "b.key")
    assert '"CN=leaf"' in said.message


# --- what TLS makes of it ---

USUAL = [
    keys.rsa_pkcs8(),
    keys.rsa_pkcs8(oid=keys.RSA_PSS, parameters=b""),
    P256.pkcs8(),
    keys.ec_key("secp384r1").pkcs8(),
    keys.ec_key("secp521r1").pkcs8(),
    keys.fixed_pkcs8("ed25519"),
    keys.fixed_pkcs8("ed448"),
]
UNUSUAL = [
    (keys.dsa_pkcs8(), "dsa"),
    (keys.fixed_pkcs8("x25519"), "x25519, and nginx loads no such key"),
    (keys.fixed_pkcs8("x448"), "x448, and nginx loads no such key"),
    (keys.ec_key("secp256k1").pkcs8(), "curve secp256k1"),
    (keys.ec_key("prime192v1").pkcs8(), "curve prime192v1"),
    (keys.ec_key("secp224r1").pkcs8(), "curve secp224r1"),
    (keys.ec_key("brainpoolP256r1").pkcs8(), "curve brainpoolP256r1"),
    (P256.sec1(parameters=EXPLICIT), "curve written out"),
    (keys.pkcs8("1.2.3.4", b"", b""), "not known"),
]


@pytest.mark.parametrize("private", USUAL, ids=range(len(USUAL)))
def test_usual_keys(private) -> None:
    assert pair.findings(key.read(private)) == []


@pytest.mark.parametrize(("private", "said"), UNUSUAL, ids=[row[1] for row in UNUSUAL])
def test_unusual_keys(private, said) -> None:
    (finding,) = pair.findings(key.read(private, None, "b.key"))
    assert (finding.code, finding.place) == ("key.unusual", "b.key")
    assert said in finding.message


def test_a_damaged_key_of_an_unusual_kind_has_both() -> None:
    curve = keys.ec_key("secp256k1")
    damaged = key.read(curve.sec1(keys.ec_key("secp256k1", 8).uncompressed))
    assert [finding.code for finding in pair.findings(damaged)] == ["key.inconsistent", "key.unusual"]


def test_normal_form_is_what_openssl_writes() -> None:
    """So that a fingerprint can be checked by hand: openssl pkey -pubout -outform DER | sha256sum."""
    for spki in (keys.rsa_spki(), P256.spki(), keys.fixed_spki("ed25519")):
        assert public_key.read(der.only(spki)).normal == spki


def test_a_key_without_a_certificate_is_looked_at_all_the_same() -> None:
    damaged = keys.pem(P256.sec1(OTHER.uncompressed), "EC PRIVATE KEY")
    found = credential.examine({"private_key": damaged}, builders.AT)
    assert [finding["code"] for finding in found["findings"]] == ["key.inconsistent"]
    assert (found["matches"], found["private_key"]["type"]) == (None, "ec")
    assert (
        credential.examine({"private_key": keys.pem(P256.sec1(), "EC PRIVATE KEY")}, builders.AT)["findings"]
        == []
    )


SECRETS = {
    "clear": (keys.pem(P256.pkcs8()), None),
    "encrypted": (keys.pem(keys.pbes2(P256.pkcs8()), "ENCRYPTED PRIVATE KEY"), keys.SECRET),
    "wrong passphrase": (keys.pem(keys.pbes2(P256.pkcs8()), "ENCRYPTED PRIVATE KEY"), b"wrong secret"),
    "unreadable": (keys.pem(P256.sec1(parameters=None), "EC PRIVATE KEY"), None),
    "legacy": (keys.with_headers("RSA PRIVATE KEY", keys.pkcs1(), "DES-CBC", "00" * 8), keys.SECRET),
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_result_holds_a_secret(name) -> None:
    """Neither the scalar nor the passphrase, in any form that a result could have."""
    data, passphrase = SECRETS[name]
    spec = {
        "certificate": raw.pem(keys.certificate(P256.spki())),
        "private_key": data,
        "passphrase": passphrase,
    }
    shown = repr(credential.examine(spec, builders.AT))
    secrets = [P256.secret.hex(), str(int.from_bytes(P256.secret, "big")), repr(P256.secret)[2:-1]]
    secrets += [line.decode() for line in data.splitlines()[1:-1] if len(line) == 64]
    if passphrase:
        secrets += [passphrase.decode(), passphrase.hex()]
    assert [secret for secret in secrets if secret in shown] == []
