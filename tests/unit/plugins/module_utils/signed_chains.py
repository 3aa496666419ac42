# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains whose keys and signatures are the question: kinds, sizes, digests, parameters, curves.

The drawings are those of ``builders``: an arrow is a signature, [sent by the peer], (in the trust bundle).
Keys that only have to be there (nobody signs with them) are made up as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.chains import Chain, chain
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import (
    Made,
    ca,
    key,
    leaf,
)

RSA, RSA_PSS, MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
SHA1, SHA256, SHA384 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2"
# What OpenSSL has learnt since 3.0 (tried: 3.0.20, 3.5.7, 3.6.5).
NEWER = openssl.version() >= (3, 5)
EC, DSA = "1.2.840.10045.2.1", "1.2.840.10040.4.1"


@cache
def made(kind: str):
    """One real key per kind for the whole run."""
    makers: dict[str, Callable] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
        "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
        "dsa": lambda: dsa.generate_private_key(2048),
    }
    return makers[kind]()


def _number(bits: int) -> int:
    """An odd one of just as many bits, the same in each run."""
    return Random(bits).getrandbits(bits) | 1 | 1 << (bits - 1)


def rsa_spki(bits: int, algorithm: bytes = raw.seq(raw.oid(RSA), raw.null())) -> bytes:
    return raw.seq(algorithm, raw.bit_string(raw.seq(raw.integer(_number(bits)), raw.integer(65537))))


def dsa_spki(bits: int, order: int) -> bytes:
    numbers = raw.seq(raw.integer(_number(bits)), raw.integer(_number(order)), raw.integer(2))
    return raw.seq(raw.seq(raw.oid(DSA), numbers), raw.bit_string(raw.integer(_number(bits - 1))))


def _leaf_with(spki: bytes, *codes: str, **more) -> Chain:
    """(root) ──> [leaf with this key]"""
    root = ca("Root")
    return chain(leaf(root, own=spki), [], [root], *codes, accepted=not codes, **more)


def _signed(root_key, digest: str = "sha256", *codes: str, by: str = "rules") -> Chain:
    """(root with this key) ──> [leaf]"""
    root = ca("Root", own=root_key, digest=digest)
    return chain(leaf(root, digest=digest), [], [root], *codes, accepted=not codes, by=by)


# --- the security level ---


def rsa_of_1962_bits() -> Chain:
    """(root) ──> [leaf, RSA 1962]: the longest that is too short"""
    return _leaf_with(rsa_spki(1962), "key.weak")


def rsa_of_1963_bits() -> Chain:
    """(root) ──> [leaf, RSA 1963]: 112 bits, as OpenSSL rounds them"""
    return _leaf_with(rsa_spki(1963))


def rsa_of_16384_bits() -> Chain:
    """(root) ──> [leaf, RSA 16384]"""
    return _leaf_with(rsa_spki(16384))


def rsa_of_512_bits() -> Chain:
    """(root) ──> [leaf, RSA 512]"""
    return _leaf_with(rsa_spki(512), "key.weak")


def rsa_pss_key() -> Chain:
    """(root) ──> [leaf, an RSA-PSS key]"""
    return _leaf_with(rsa_spki(2048, raw.seq(raw.oid(RSA_PSS))))


def rsa_pss_key_of_1024_bits() -> Chain:
    """(root) ──> [leaf, an RSA-PSS key of 1024 bits]"""
    return _leaf_with(rsa_spki(1024, raw.seq(raw.oid(RSA_PSS))), "key.weak")


def dsa_of_2048_bits() -> Chain:
    """(root) ──> [leaf, DSA 2048/224]"""
    return _leaf_with(dsa_spki(2048, 224))


def dsa_of_1024_bits() -> Chain:
    """(root) ──> [leaf, DSA 1024/160]"""
    return _leaf_with(dsa_spki(1024, 160), "key.weak")


def dsa_with_a_short_order() -> Chain:
    """(root) ──> [leaf, DSA 2048/160]"""
    return _leaf_with(dsa_spki(2048, 160), "key.weak")


def short_key_of_root() -> Chain:
    """(root, RSA 1024) ──> [leaf]: the anchor's key counts, though its own signature does not"""
    root_key = rsa.generate_private_key(65537, 1024)
    return _signed(root_key, "sha256", "key.weak", by="rules")


def curve_of_192_bits() -> Chain:
    """(root) ──> [leaf, P-192]"""
    point = bytes.fromhex(
        "04188da80eb03090f67cbf20eb43a18800f4ff0afd82ff101207192b95ffc8da78631011ed6b24cdd573f977a11e794811"
    )
    algorithm = raw.seq(raw.oid(EC), raw.oid("1.2.840.10045.3.1.1"))
    return _leaf_with(raw.seq(algorithm, raw.bit_string(point)), "key.weak")


def x25519_key() -> Chain:
    """(root) ──> [leaf, X25519]: no key for signatures, and the path does not mind"""
    return _leaf_with(raw.seq(raw.seq(raw.oid("1.3.101.110")), raw.bit_string(bytes(range(32)))))


def key_that_is_no_number() -> Chain:
    """(root) ──> [leaf, RSA with octets that are no key]"""
    spki = raw.seq(raw.seq(raw.oid(RSA), raw.null()), raw.bit_string(b"abc"))
    return _leaf_with(spki, "key.weak", by="openssl")


def key_of_an_unknown_kind() -> Chain:
    """(root) ──> [leaf with a key of a private OID]"""
    spki = raw.seq(raw.seq(raw.oid("1.3.6.1.4.1.55555.2")), raw.bit_string(b"abc"))
    return _leaf_with(spki, "key.weak", by="openssl")


def expired_and_of_an_unknown_kind() -> Chain:
    """(root) ──> [leaf, expired, with a key of a private OID]: that is enough to refuse it"""
    root = ca("Root")
    spki = raw.seq(raw.seq(raw.oid("1.3.6.1.4.1.55555.2")), raw.bit_string(b"abc"))
    late = leaf(root, own=spki, not_after=raw.utc_time("260531120000Z"))
    return chain(late, [], [root], "expiry.expired")


def curve_written_out() -> Chain:
    """(root) ──> [leaf, P-256 with its parameters written out]"""
    numbers = ec_parameters()
    public = key().public_key().public_numbers()
    point = b"\x04" + public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big")
    spki = raw.seq(raw.seq(raw.oid(EC), numbers), raw.bit_string(point))
    return _leaf_with(spki, "chain.refused", by="openssl")


def ec_parameters() -> bytes:
    """P-256 (SEC 2, 2.4.2)"""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"
    base = (
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return raw.seq(
        raw.integer(1),
        raw.seq(raw.oid("1.2.840.10045.1.1"), raw.integer(prime)),
        raw.seq(raw.octets((prime - 3).to_bytes(32, "big")), raw.octets(bytes.fromhex(b))),
        raw.octets(bytes.fromhex(base)),
        raw.integer(order),
        raw.integer(1),
    )


# --- digests ---


def sha1_leaf() -> Chain:
    """(root) ──> [leaf, signed with SHA-1]"""
    root = ca("Root")
    return chain(leaf(root, digest="sha1"), [], [root], "signature.weak")


def sha1_root() -> Chain:
    """(root, signed with SHA-1) ──> [leaf]: the anchor's signature does not count"""
    root = ca("Root", digest="sha1")
    return chain(leaf(root), [], [root], accepted=True)


def sha1_intermediate() -> Chain:
    """(root) ──> [int, signed with SHA-1 ──> leaf]"""
    root = ca("Root")
    middle = ca("Int", root, digest="sha1")
    return chain(leaf(middle), [middle], [root], "signature.weak")


def sha1_trusted_intermediate() -> Chain:
    """(root) ──> (int, signed with SHA-1) ──> [leaf]: only the anchor is exempt"""
    root = ca("Root")
    middle = ca("Int", root, digest="sha1")
    return chain(leaf(middle), [], [root, middle], "signature.weak")


def md5_leaf() -> Chain:
    """(root, RSA) ──> [leaf, signed with MD5]: whether the signature is good is no question any more"""
    root = ca("Root", own=made("rsa"))
    outer = raw.seq(raw.oid("1.2.840.113549.1.1.4"), raw.null())
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=outer, extensions=[raw.key_usage(0x80)])
    der = raw.sign(body, root.key, outer=outer, signed=b"\0" * 256)
    return chain(
        Made(der, key(), raw.common_name("leaf")), [], [root], "signature.weak", "chain.signature_invalid"
    )


def sha224_leaf() -> Chain:
    """(root) ──> [leaf, signed with SHA-224]: 112 bits, just enough"""
    root = ca("Root")
    return chain(leaf(root, digest="sha224"), [], [root], accepted=True)


# --- kinds of signatures ---


def _every_kind() -> list[Callable[[], Chain]]:
    def build_for(kind: str, digest: str, by: str = "rules") -> Callable[[], Chain]:
        def build() -> Chain:
            return _signed(made(kind), digest, by=by)

        build.__name__ = f"signed_by_{kind}_{digest}".rstrip("_")
        return build

    rows = [("rsa", "sha256"), ("rsa", "sha512"), ("ed25519", ""), ("ed448", ""), ("p384", "sha384")]
    rows += [("p521", "sha512"), ("secp256k1", "sha256"), ("dsa", "sha256")]
    return [*(build_for(*row) for row in rows), build_for("brainpool", "sha256", "either")]


def _ecdsa(oid: str, digest: hashes.HashAlgorithm, *codes: str) -> Chain:
    """(root) ──> [leaf, ECDSA with this digest]"""
    root = ca("Root")
    algorithm = raw.seq(raw.oid(oid))
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    der = raw.sign(body, root.key, outer=algorithm, signed=root.key.sign(body, ec.ECDSA(digest)))
    bare = Made(der, key(), raw.common_name("leaf"))
    return chain(bare, [], [root], *codes, accepted=not codes, by="openssl")


def ecdsa_with_sha3() -> Chain:
    """(root) ──> [leaf, ECDSA with SHA3-256]: not among the signatures of OpenSSL 3.0"""
    codes = [] if NEWER else ["chain.missing_intermediate"]
    return _ecdsa("2.16.840.1.101.3.4.3.10", hashes.SHA3_256(), *codes)


def ed25519_with_parameters() -> Chain:
    """(root, Ed25519) ──> [leaf, whose algorithm has the parameters NULL]: against RFC 8410, 3, and taken"""
    root = ca("Root", own=made("ed25519"))
    algorithm = raw.seq(raw.oid("1.3.101.112"), raw.null())
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    der = raw.sign(body, root.key, "", outer=algorithm)
    return chain(Made(der, key(), raw.common_name("leaf")), [], [root], accepted=True)


def rsa_without_parameters() -> Chain:
    """(root, RSA) ──> [leaf, whose algorithm has no parameters instead of NULL]"""
    root = ca("Root", own=made("rsa"))
    algorithm = raw.seq(raw.oid("1.2.840.113549.1.1.11"))
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    return chain(
        Made(raw.sign(body, root.key, outer=algorithm), key(), raw.common_name("leaf")),
        [],
        [root],
        accepted=True,
    )


def another_algorithm_inside() -> Chain:
    """(root) ──> [leaf, ecdsa-with-SHA384 inside and ecdsa-with-SHA256 outside]"""
    root = ca("Root")
    made_so = leaf(root, signature_algorithm=raw.algorithm(root.key, "sha384"))
    return chain(made_so, [], [root], "chain.signature_invalid")


def another_algorithm_inside_the_root() -> Chain:
    """(root, ecdsa-with-SHA384 inside, ecdsa-with-SHA256 outside) ──> [leaf]: its signature does not count"""
    root = ca("Root", signature_algorithm=raw.algorithm(key("Root"), "sha384"))
    return chain(leaf(root), [], [root], accepted=True, by="openssl")


def unknown_algorithm_inside_the_root() -> Chain:
    """(root, an unknown algorithm inside) ──> [leaf]: so it is not self-signed"""
    root = ca("Root", signature_algorithm=raw.seq(raw.oid("1.3.6.1.4.1.55555.3")))
    return chain(leaf(root), [], [root], "chain.root_missing", by="openssl")


def unknown_algorithm() -> Chain:
    """(root) ──> [leaf, signed with an algorithm of a private OID]"""
    root = ca("Root")
    algorithm = raw.seq(raw.oid("1.3.6.1.4.1.55555.3"))
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    der = raw.sign(body, root.key, outer=algorithm)
    bare = Made(der, key(), raw.common_name("leaf"))
    return chain(bare, [], [root], "chain.missing_intermediate", by="openssl")


def unknown_algorithm_without_an_issuer() -> Chain:
    """root ──> [leaf, signed with an algorithm of a private OID], (another root)"""
    algorithm = raw.seq(raw.oid("1.3.6.1.4.1.55555.3"))
    body = raw.tbs(key(), "leaf", "Root", signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    bare = Made(raw.sign(body, key("Root"), outer=algorithm), key(), raw.common_name("leaf"))
    return chain(bare, [], [ca("Other")], "chain.missing_intermediate", by="openssl")


def signature_of_odd_bits() -> Chain:
    """(root) ──> [leaf, whose signature is no whole number of octets]"""
    root = ca("Root")
    whole = raw.parts(leaf(root).der)
    signature = raw.bit_string(raw.signature(whole[0], root.key)[:-1] + b"\0", 1)
    der = raw.seq(whole[0], whole[1], signature)
    return chain(Made(der, key(), raw.common_name("leaf")), [], [root], "chain.signature_invalid")


# --- RSASSA-PSS ---


def pss_algorithm(
    digest: str = SHA256, mask: str = SHA256, salt: int = 32, trailer: int | None = None
) -> bytes:
    """AlgorithmIdentifier of the signature."""
    return raw.seq(
        raw.oid(RSA_PSS),
        raw.seq(
            raw.context(0, raw.seq(raw.oid(digest), raw.null())),
            raw.context(1, raw.seq(raw.oid(MGF1), raw.seq(raw.oid(mask), raw.null()))),
            raw.context(2, raw.integer(salt)),
            raw.context(3, raw.integer(trailer)) if trailer is not None else b"",
        ),
    )


_HASHES = {SHA1: hashes.SHA1, SHA256: hashes.SHA256, SHA384: hashes.SHA384}


def _pss(
    algorithm: bytes, *codes: str, digest=SHA256, mask=SHA256, salt: int = 32, root: Made | None = None
) -> Chain:
    """(root, RSA) ──> [leaf, signed by RSASSA-PSS with the digests and salt, and saying *algorithm*]"""
    root = root or ca("Root", own=made("rsa"))
    body = raw.tbs(key(), "leaf", root.name, signature_algorithm=algorithm, extensions=[raw.key_usage(0x80)])
    how = padding.PSS(padding.MGF1(_HASHES[mask]()), salt)
    der = raw.sign(body, root.key, outer=algorithm, signed=made("rsa").sign(body, how, _HASHES[digest]()))
    bare = Made(der, key(), raw.common_name("leaf"))
    return chain(bare, [], [root], *codes, accepted=not codes)


def pss() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with SHA-256]"""
    return _pss(pss_algorithm())


def pss_with_another_mask() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with SHA-256, its mask with SHA-384]"""
    return _pss(pss_algorithm(mask=SHA384), mask=SHA384)


def pss_with_a_short_salt() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with a salt of 20 octets]"""
    return _pss(pss_algorithm(salt=20), salt=20)


def pss_with_another_salt_than_it_says() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with a salt of 20 octets, saying 32]"""
    return _pss(pss_algorithm(salt=32), "chain.signature_invalid", salt=20)


def pss_with_the_trailer() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS, the trailer field written out]"""
    return _pss(pss_algorithm(trailer=1))


def pss_with_an_unknown_trailer() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with another trailer field]"""
    return _pss(pss_algorithm(trailer=2), "chain.signature_invalid")


def pss_with_a_negative_salt() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with a salt of -1 octets]"""
    return _pss(pss_algorithm(salt=-1), "chain.signature_invalid")


def pss_by_default() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS with empty parameters]: SHA-1"""
    algorithm = raw.seq(raw.oid(RSA_PSS), raw.seq())
    return _pss(algorithm, "signature.weak", digest=SHA1, mask=SHA1, salt=20)


def pss_without_parameters() -> Chain:
    """(root, RSA) ──> [leaf, RSASSA-PSS without parameters]"""
    return _pss(raw.seq(raw.oid(RSA_PSS)), "chain.signature_invalid")


def _pss_root(parameters: bytes) -> Made:
    """(root with an RSA-PSS key bound to *parameters*)"""
    numbers = made("rsa").public_key().public_numbers()
    algorithm = raw.seq(raw.oid(RSA_PSS), parameters)
    spki = raw.seq(algorithm, raw.bit_string(raw.seq(raw.integer(numbers.n), raw.integer(numbers.e))))
    name = raw.common_name("Root")
    body = raw.tbs(
        spki,
        name,
        signature_algorithm=pss_algorithm(),
        extensions=[raw.basic_constraints(True), raw.key_usage(0x06)],
    )
    how = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signed = made("rsa").sign(body, how, hashes.SHA256())
    return Made(raw.sign(body, made("rsa"), outer=pss_algorithm(), signed=signed), made("rsa"), name)


def pss_key_without_bounds() -> Chain:
    """(root, an RSA-PSS key) ──> [leaf, RSASSA-PSS]"""
    return _pss(pss_algorithm(), root=_pss_root(b""))


def _bounds(**more) -> bytes:
    return raw.parts(pss_algorithm(**more))[1]


def pss_key_of_these_bounds() -> Chain:
    """(root, an RSA-PSS key for SHA-256 and salts from 20 on) ──> [leaf, RSASSA-PSS with 32]"""
    return _pss(pss_algorithm(), root=_pss_root(_bounds(salt=20)))


def pss_key_of_longer_salts() -> Chain:
    """(root, an RSA-PSS key for salts from 48 on) ──> [leaf, RSASSA-PSS with 32]"""
    return _pss(pss_algorithm(), "chain.signature_invalid", root=_pss_root(_bounds(salt=48)))


def pss_key_of_another_digest() -> Chain:
    """(root, an RSA-PSS key for SHA-384) ──> [leaf, RSASSA-PSS with SHA-256]"""
    root = _pss_root(_bounds(digest=SHA384, mask=SHA384))
    return _pss(pss_algorithm(), "chain.signature_invalid", root=root)


def pss_key_with_a_plain_signature() -> Chain:
    """(root, an RSA-PSS key) ──> [leaf, PKCS #1 v1.5]: no candidate"""
    root = _pss_root(b"")
    return chain(leaf(root), [], [root], "chain.signature_invalid")


# fmt: off
ALL: list[Callable[[], Chain]] = [
    rsa_of_1962_bits, rsa_of_1963_bits, rsa_of_16384_bits, rsa_of_512_bits, rsa_pss_key,
    rsa_pss_key_of_1024_bits, dsa_of_2048_bits, dsa_of_1024_bits, dsa_with_a_short_order, short_key_of_root,
    curve_of_192_bits, x25519_key, key_that_is_no_number, key_of_an_unknown_kind,
    expired_and_of_an_unknown_kind, curve_written_out, sha1_leaf, sha1_root, sha1_intermediate,
    sha1_trusted_intermediate, md5_leaf, sha224_leaf, *_every_kind(), ecdsa_with_sha3,
    ed25519_with_parameters, rsa_without_parameters, another_algorithm_inside,
    another_algorithm_inside_the_root, unknown_algorithm_inside_the_root, unknown_algorithm,
    unknown_algorithm_without_an_issuer, signature_of_odd_bits, pss, pss_with_another_mask,
    pss_with_a_short_salt, pss_with_another_salt_than_it_says, pss_with_the_trailer,
    pss_with_an_unknown_trailer, pss_with_a_negative_salt, pss_by_default, pss_without_parameters,
    pss_key_without_bounds, pss_key_of_these_bounds, pss_key_of_longer_salts, pss_key_of_another_digest,
    pss_key_with_a_plain_signature,
]
# fmt: on
