# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 stores as the command openssl writes them, opened; and those that must not be.

root ──> issuing ──> leaf, with its key (forms.py)
"""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import pkcs12, unlock
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import forms, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
    version,
)

W = forms.world()
SECRET = "geheim"
FILES = {
    "leaf": forms.block("CERTIFICATE", W.leaf),
    "key": forms.block("PRIVATE KEY", forms.private(W.key)),
    "chain": forms.block("CERTIFICATE", W.root) + forms.block("CERTIFICATE", W.issuing),
}
SEAL = "-keypbe {0} -certpbe {0}"

KINDS = {
    "as it comes": "",
    "3DES": SEAL.format("PBE-SHA1-3DES"),
    "2DES": SEAL.format("PBE-SHA1-2DES"),
    "AES of each length": "-keypbe aes-128-cbc -certpbe aes-192-cbc",
    "SHA-512": "-macalg sha512",
    "SHA-1": "-macalg sha1",
    "one iteration": "-iter 1",
    "a MAC of one iteration": "-nomaciter",
    "no MAC": "-nomac",
    "certificates in the clear": "-certpbe NONE",
    "key in the clear": "-keypbe NONE",
    "all in the clear": SEAL.format("NONE"),
    "all in the clear, no MAC": f"{SEAL.format('NONE')} -nomac",
    "no key": "-nokeys",
}
OLD = {
    "RC2 of 40 bits": SEAL.format("PBE-SHA1-RC2-40"),
    "RC2 of 128 bits": SEAL.format("PBE-SHA1-RC2-128"),
    "RC4": SEAL.format("PBE-SHA1-RC4-128"),
}


@cache
def stored(arguments: str, secret: str = SECRET) -> bytes:
    """What `openssl pkcs12 -export` writes."""
    export = ["pkcs12", "-export", "-in", "leaf", "-inkey", "key", "-certfile", "chain", "-out", "store"]
    with tempfile.TemporaryDirectory() as folder:
        for name, data in FILES.items():
            (Path(folder) / name).write_bytes(data)
        command = ["openssl", *export, "-passout", f"pass:{secret}", *arguments.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return (Path(folder) / "store").read_bytes()


def opened(data: bytes, secret: str | bytes | None = SECRET) -> pkcs12.Opened:
    return pkcs12.open_store(data, secret, "a.p12")


SECRETS = ["", "pässwörd €", "\U0001f511", "x" * 200]
OPENED = [(kind, SECRET) for kind in KINDS] + [
    (kind, secret) for kind in ("as it comes", "3DES") for secret in SECRETS
]


@needs_openssl
@pytest.mark.parametrize(("kind", "secret"), OPENED)
def test_opens(kind, secret) -> None:
    found = opened(stored(KINDS[kind], secret), secret)
    assert found.findings == ()
    assert found.certificates[0] == W.leaf
    assert set(found.certificates[1:]) == {W.issuing, W.root}
    assert found.keys == (() if kind == "no key" else (forms.private(W.key),))


@needs_openssl
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_passphrase_opens_what_openssl_opens_with_it(kind) -> None:
    data = stored(KINDS[kind])
    for secret in ("wrong", ""):
        found = opened(data, secret)
        told = ask("pkcs12", "-in", "store", "-nodes", "-passin", f"pass:{secret}", files={"store": data})
        compare("files", ours=not found.findings, theirs=told.ok, case=f"PKCS#12 with {secret!r}: {kind}")
        assert [finding.code for finding in found.findings] == ["pair.key_encrypted"] * bool(found.findings)
        assert not found.findings or found.findings[0].message == (
            "The PKCS#12 store cannot be opened with the passphrase given."
            if secret
            else "The PKCS#12 store needs a passphrase, and none is given."
        )


@needs_openssl
def test_what_lies_open_is_there_without_the_passphrase() -> None:
    found = opened(stored("-certpbe NONE"), "wrong")
    assert set(found.certificates) == {W.leaf, W.issuing, W.root}
    assert found.keys == () and found.findings


@needs_openssl
@pytest.mark.parametrize("kind", OLD)
def test_old_ciphers_are_told_from_a_wrong_passphrase(kind) -> None:
    data = stored(f"-legacy {OLD[kind]}")
    assert [finding.code for finding in opened(data).findings] == ["pair.legacy_cipher"]
    assert [finding.code for finding in opened(data, "wrong").findings] == ["pair.key_encrypted"]
    told = ask("pkcs12", "-in", "store", "-nodes", "-passin", f"pass:{SECRET}", files={"store": data})
    compare("files", ours=False, theirs=told.ok, case=f"PKCS#12: {kind}")


@needs_openssl
@pytest.mark.parametrize("kind", ["as it comes", "3DES", "no MAC", "certificates in the clear"])
def test_the_price_is_known_before_it_is_paid(kind, monkeypatch) -> None:
    """2,048 iterations each, for the MAC and two parts; of up to three blocks."""
    monkeypatch.setattr(pkcs12, "MOST_WORK", 10 * 2048)
    assert opened(stored(KINDS[kind])).findings == ()
    monkeypatch.setattr(pkcs12, "MOST_WORK", 2047)
    assert [finding.code for finding in opened(stored(KINDS[kind])).findings] == ["pair.costly_derivation"]


def _mac(iterations: int, salt: bytes = b"salt") -> bytes:
    info = raw.seq(raw.seq(raw.oid("1.3.14.3.2.26")), raw.octets(b"x" * 20))
    return raw.seq(info, raw.octets(salt), raw.integer(iterations))


def _store(*safe_contents: bytes, mac: bytes = b"") -> bytes:
    content = raw.octets(raw.seq(*safe_contents))
    return raw.seq(raw.integer(3), raw.seq(raw.oid(forms.DATA), raw.context(0, content)), mac)


def _clear(*bags: bytes) -> bytes:
    return raw.seq(raw.oid(forms.DATA), raw.context(0, raw.octets(raw.seq(*bags))))


BAG = "1.2.840.113549.1.12.10.1."


def _certificate_bag(der: bytes) -> bytes:
    inside = raw.seq(raw.oid("1.2.840.113549.1.9.22.1"), raw.context(0, raw.octets(der)))
    return raw.seq(raw.oid(BAG + "3"), raw.context(0, inside))


def _sealed_key(kdf: bytes) -> bytes:
    aes = raw.seq(raw.oid("2.16.840.1.101.3.4.1.42"), raw.octets(bytes(16)))
    scheme = raw.seq(raw.oid("1.2.840.113549.1.5.13"), raw.seq(kdf, aes))
    return raw.seq(raw.oid(BAG + "2"), raw.context(0, raw.seq(scheme, raw.octets(bytes(32)))))


def _pbkdf2(iterations: int) -> bytes:
    return raw.seq(raw.oid("1.2.840.113549.1.5.12"), raw.seq(raw.octets(b"salt"), raw.integer(iterations)))


def _scrypt(n: int, r: int = 8, p: int = 1) -> bytes:
    numbers = [raw.integer(number) for number in (n, r, p)]
    return raw.seq(raw.oid("1.3.6.1.4.1.11591.4.11"), raw.seq(raw.octets(b"salt"), *numbers))


HUGE = 2**31 - 1
NESTED = _certificate_bag(W.root)
for _level in range(9):
    NESTED = raw.seq(raw.oid(BAG + "6"), raw.context(0, raw.seq(NESTED)))
BY_HAND = [
    ("a MAC of absurd price", _store(mac=_mac(HUGE)), "pair.costly_derivation"),
    ("a number beyond all bounds", _store(mac=_mac(1 << 4000)), "pair.costly_derivation"),
    ("a key of absurd price", _store(_clear(_sealed_key(_pbkdf2(HUGE)))), "pair.costly_derivation"),
    ("scrypt of absurd memory", _store(_clear(_sealed_key(_scrypt(1 << 30)))), "pair.costly_derivation"),
    (
        "scrypt of absurd time",
        _store(_clear(_sealed_key(_scrypt(1 << 14, 8, 1 << 20)))),
        "pair.costly_derivation",
    ),
    (
        "scrypt of a size that is no power of two",
        _store(_clear(_sealed_key(_scrypt(1000)))),
        "format.unreadable",
    ),
    ("a wrong MAC", _store(mac=_mac(1)), "pair.key_encrypted"),
    (
        "a key with an unknown derivation",
        _store(_clear(_sealed_key(raw.seq(raw.oid("1.2.3"))))),
        "pair.key_encrypted",
    ),
    ("no iteration", _store(mac=_mac(0)), "format.unreadable"),
    ("another version", raw.seq(raw.integer(2), *raw.parts(_store())[1:]), "format.unreadable"),
    (
        "signed",
        raw.seq(raw.integer(3), raw.seq(raw.oid(forms.SIGNED_DATA), raw.context(0, raw.seq()))),
        "format.unreadable",
    ),
    ("bags in bags in bags", _store(_clear(NESTED)), "format.unreadable"),
    ("cut off", _store(_clear(_certificate_bag(W.leaf)))[:-5], "format.unreadable"),
    ("a certificate", W.leaf, "format.unreadable"),
    ("nothing", b"", "format.unreadable"),
]


@pytest.mark.parametrize(("data", "code"), [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND])
def test_hostile_stores_end_at_once(data, code) -> None:
    for secret in (SECRET, None):
        assert [finding.code for finding in opened(data, secret).findings] == [code]


def _with_mac(safe: bytes, info: bytes) -> bytes:
    content = raw.seq(raw.oid(forms.DATA), raw.context(0, raw.octets(safe)))
    return raw.seq(raw.integer(3), content, raw.seq(info, raw.octets(b"salt")))


HMAC_SHA256 = raw.seq(raw.oid("1.2.840.113549.2.9"))


def _pbmac1(secret: bytes, prf: bytes = HMAC_SHA256, size: int = 32) -> bytes:
    """RFC 9579, 5, over a store with one certificate."""
    safe = raw.seq(_clear(_certificate_bag(W.leaf)))
    name = "sha256" if prf == HMAC_SHA256 else "sha1"
    key = hashlib.pbkdf2_hmac(name, secret, b"pepper", 10, size)
    numbers = [raw.octets(b"pepper"), raw.integer(10), raw.integer(size), prf]
    derivation = raw.seq(raw.oid("1.2.840.113549.1.5.12"), raw.seq(*numbers))
    scheme = raw.seq(raw.oid("1.2.840.113549.1.5.14"), raw.seq(derivation, HMAC_SHA256))
    return _with_mac(safe, raw.seq(scheme, raw.octets(hmac.new(key, safe, "sha256").digest())))


def test_pbmac1_by_hand() -> None:
    assert opened(_pbmac1(b"geheim")).certificates == (W.leaf,)
    assert opened(_pbmac1(b"geheim")).findings == opened(_pbmac1(b"geheim", b"")).findings == ()
    assert [finding.code for finding in opened(_pbmac1(b"other")).findings] == ["pair.key_encrypted"]


UNKNOWN = raw.seq(raw.oid("1.2.3"))
UNKNOWN_MACS = [
    raw.seq(UNKNOWN, raw.octets(b"")),
    raw.parts(raw.parts(_pbmac1(b"", UNKNOWN))[2])[0],
    raw.seq(raw.seq(raw.oid("1.2.840.113549.1.5.14"), raw.seq(UNKNOWN, UNKNOWN)), raw.octets(b"")),
]


@pytest.mark.parametrize("info", UNKNOWN_MACS, ids=["digest", "function", "derivation"])
def test_an_unknown_mac(info) -> None:
    (finding,) = opened(_with_mac(raw.seq(), info)).findings
    assert finding.code == "format.unreadable"
    assert finding.message.startswith("The PKCS#12 store is protected by a MAC that is not known here")


def test_a_digest_that_this_python_lacks(monkeypatch) -> None:
    """As MD5 in FIPS mode."""

    def refuse(*_arguments: object) -> bytes:
        raise ValueError

    monkeypatch.setattr(unlock, "pkcs12_bytes", refuse)
    (finding,) = opened(_store(mac=_mac(1))).findings
    assert finding.message == "The PKCS#12 store is encrypted in a way that nothing on this host opens."


def _attributes(key_id: bytes) -> bytes:
    name = raw.seq(raw.oid("1.2.840.113549.1.9.20"), raw.set_of(raw.bmp("name")))
    return raw.set_of(name, raw.seq(raw.oid("1.2.840.113549.1.9.21"), raw.set_of(raw.octets(key_id))))


def test_the_keys_certificate_comes_first_by_its_identifier_where_the_key_tells_nothing() -> None:
    strange_key = raw.seq(raw.integer(0), raw.seq(raw.oid("1.2.3")), raw.octets(b"k"))
    key = raw.seq(raw.oid(BAG + "1"), raw.context(0, strange_key), _attributes(b"7"))
    bags = [raw.parts(_certificate_bag(one)) for one in (W.root, W.leaf)]
    named = raw.set_of(raw.seq(raw.oid("1.2.840.113549.1.9.20"), raw.set_of(raw.bmp("root"))))
    certificates = [raw.seq(*bags[0], named), raw.seq(*bags[1], _attributes(b"7"))]
    assert opened(_store(_clear(*certificates, key))).certificates == (W.leaf, W.root)
    assert opened(_store(_clear(*certificates))).certificates == (W.root, W.leaf)


def test_crls_and_other_bags() -> None:
    crl = raw.seq(raw.oid("1.2.840.113549.1.9.23.1"), raw.context(0, raw.octets(W.root_crl)))
    sdsi = raw.seq(raw.oid("1.2.840.113549.1.9.22.2"), raw.context(0, raw.ia5("x")))
    bags = [
        raw.seq(raw.oid(BAG + "4"), raw.context(0, crl)),
        raw.seq(raw.oid(BAG + "3"), raw.context(0, sdsi)),
        raw.seq(raw.oid(BAG + "5"), raw.context(0, raw.seq())),
    ]
    found = opened(_store(_clear(*bags)))
    assert (found.certificates, found.keys, found.findings) == ((), (), ())


def test_what_is_enciphered_for_a_public_key_is_told() -> None:
    enveloped = raw.seq(raw.oid("1.2.840.113549.1.7.3"), raw.context(0, raw.seq()))
    (finding,) = opened(_store(enveloped)).findings
    assert finding.message == "The PKCS#12 store is enciphered for a public key instead of a passphrase."


def _sealed_part(clear: bytes) -> bytes:
    """EncryptedData by PBES2 with AES, for SECRET."""
    key = hashlib.pbkdf2_hmac("sha1", SECRET.encode(), b"salt", 1, 32)
    padding = 16 - len(clear) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    text = encryptor.update(clear + bytes([padding]) * padding) + encryptor.finalize()
    aes = raw.seq(raw.oid("2.16.840.1.101.3.4.1.42"), raw.octets(bytes(16)))
    scheme = raw.seq(raw.oid("1.2.840.113549.1.5.13"), raw.seq(_pbkdf2(1), aes))
    content = raw.seq(raw.oid(forms.DATA), scheme, raw.context(0, text, constructed=False))
    return raw.seq(raw.oid("1.2.840.113549.1.7.6"), raw.context(0, raw.seq(raw.integer(0), content)))


def test_what_comes_out_of_a_part_is_looked_at() -> None:
    good = _sealed_part(raw.seq(_certificate_bag(W.leaf)))
    assert opened(_store(good)).certificates == (W.leaf,)
    nonsense = _sealed_part(raw.seq(raw.integer(1)))
    (finding,) = opened(_store(nonsense)).findings
    assert finding.code == "pair.key_encrypted", "without a MAC nothing else tells a wrong passphrase"
    safe = raw.seq(nonsense)
    key = unlock.pkcs12_bytes(3, unlock.bmp_passphrase(SECRET.encode()), b"salt", 1, 20)
    value = raw.octets(hmac.new(key, safe, "sha1").digest())
    (finding,) = opened(_with_mac(safe, raw.seq(raw.seq(raw.oid("1.3.14.3.2.26")), value))).findings
    assert (finding.code, finding.message) == ("format.unreadable", "The PKCS#12 store is damaged inside.")


def test_the_price_inside_a_sealed_part_is_looked_at() -> None:
    inside = raw.seq(_certificate_bag(W.leaf), _sealed_key(_pbkdf2(HUGE)))
    (finding,) = opened(_store(_sealed_part(inside))).findings
    assert finding.code == "pair.costly_derivation"


def _long_pbmac1(iterations: int, size: int) -> bytes:
    hmac_sha1 = raw.seq(raw.oid("1.2.840.113549.2.7"))
    kdf = raw.seq(raw.octets(b"salt"), raw.integer(iterations), raw.integer(size), hmac_sha1)
    scheme = raw.seq(
        raw.oid("1.2.840.113549.1.5.14"),
        raw.seq(raw.seq(raw.oid("1.2.840.113549.1.5.12"), kdf), hmac_sha1),
    )
    return raw.seq(raw.seq(scheme, raw.octets(b"x" * 20)), raw.octets(b"unused"))


MANY = [
    ("a long key of PBMAC1", lambda: _store(mac=_long_pbmac1(500_000, 1024))),
    ("many parts by scrypt", lambda: _store(_clear(*[_sealed_key(_scrypt(2, 20_000, 10))] * 50))),
    ("many parts by PBKDF2, two blocks each", lambda: _store(_clear(*[_sealed_key(_pbkdf2(400_000))] * 12))),
]


@pytest.mark.parametrize(("case", "store"), MANY, ids=[case for case, _store in MANY])
def test_what_is_cheap_one_by_one_may_be_too_much_together(case, store, monkeypatch) -> None:
    monkeypatch.setattr(pkcs12.hashlib, "pbkdf2_hmac", lambda *_given: bytes(32))
    monkeypatch.setattr(unlock, "unlock", lambda *_given: b"")
    (finding,) = opened(store()).findings
    assert finding.code == "pair.costly_derivation"


def test_a_few_cheap_ones_together_are_not_too_much() -> None:
    few = [_sealed_key(_scrypt(2, 8, 1)), _sealed_key(_pbkdf2(2048))]
    (finding,) = opened(_store(_clear(*few), mac=b"")).findings
    assert finding.code == "pair.key_encrypted"


def test_a_costly_key_does_not_hide_the_certificates_beside_it() -> None:
    found = opened(_store(_clear(_certificate_bag(W.leaf), _sealed_key(_pbkdf2(HUGE)))))
    assert found.certificates == (W.leaf,)


def test_equal_certificates_count_once() -> None:
    assert opened(_store(_clear(_certificate_bag(W.leaf), _certificate_bag(W.leaf)))).certificates == (
        W.leaf,
    )


def test_pieces_of_strings_as_old_programs_write_them() -> None:
    """Constructed octet strings of indefinite length, as in stores of Java, NSS and Windows."""
    safe = raw.seq(_clear(_certificate_bag(W.leaf)))
    pieces = raw.indefinite(0x24, raw.octets(safe[:30]), raw.octets(safe[30:]))
    data = raw.indefinite(0x30, raw.integer(3), raw.seq(raw.oid(forms.DATA), raw.indefinite(0xA0, pieces)))
    assert opened(data).certificates == (W.leaf,)


def test_no_repr_shows_a_secret() -> None:
    found = pkcs12.Opened((), (b"key bytes",))
    assert "key bytes" not in repr(found)


# Known answers for RFC 7292, B.2, passphrase "smeg": key, initialisation vector, key of the MAC.
VECTORS = [
    (1, "0A58CF64530D823F", 24, "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"),
    (2, "0A58CF64530D823F", 8, "79993DFE048D3B76"),
    (3, "3D83C0E4546AC140", 20, "8D967D88F6CAA9D714800AB3D48051D63F73A312"),
]


@pytest.mark.parametrize(("purpose", "salt", "length", "key"), VECTORS)
def test_the_derivation_of_the_rfc(purpose, salt, length, key) -> None:
    secret = unlock.bmp_passphrase(b"smeg")
    made = unlock.pkcs12_bytes(purpose, secret, bytes.fromhex(salt), 1, length)
    assert made.hex().upper() == key


def test_no_passphrase_at_all_is_tried_before_an_empty_one() -> None:
    """certtool --null-password writes such stores, no option of openssl does."""
    safe = raw.seq(_clear(_certificate_bag(W.leaf)))
    key = unlock.pkcs12_bytes(3, b"", b"salt", 1, 20)
    value = raw.octets(hmac.new(key, safe, "sha1").digest())
    data = _with_mac(safe, raw.seq(raw.seq(raw.oid("1.3.14.3.2.26")), value))
    assert opened(data, None).findings == opened(data, "").findings == ()
    assert [finding.code for finding in opened(data).findings] == ["pair.key_encrypted"]


@needs_openssl
@pytest.mark.skipif(version() < (3, 4), reason="openssl pkcs12 writes PBMAC1 since 3.4")
@pytest.mark.parametrize("digest", ["", "-macalg sha512"])
def test_pbmac1(digest) -> None:
    data = stored(f"-pbmac1_pbkdf2 {digest}")
    assert opened(data).findings == ()
    assert [finding.code for finding in opened(data, "wrong").findings] == ["pair.key_encrypted"]
