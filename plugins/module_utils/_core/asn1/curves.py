# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elliptic curves by their object identifiers: OpenSSL's names, sizes, and a point out of its half."""

from __future__ import annotations

# Curve: bits of the order, which is what OpenSSL calls the key's size.
# fmt: off
CURVES = {
    "1.3.132.0.6": ("secp112r1", 112),
    "1.3.132.0.7": ("secp112r2", 110),
    "1.3.132.0.28": ("secp128r1", 128),
    "1.3.132.0.29": ("secp128r2", 126),
    "1.3.132.0.9": ("secp160k1", 161),
    "1.3.132.0.8": ("secp160r1", 161),
    "1.3.132.0.30": ("secp160r2", 161),
    "1.3.132.0.31": ("secp192k1", 192),
    "1.3.132.0.32": ("secp224k1", 225),
    "1.3.132.0.33": ("secp224r1", 224),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.132.0.34": ("secp384r1", 384),
    "1.3.132.0.35": ("secp521r1", 521),
    "1.2.840.10045.3.1.1": ("prime192v1", 192),
    "1.2.840.10045.3.1.2": ("prime192v2", 192),
    "1.2.840.10045.3.1.3": ("prime192v3", 192),
    "1.2.840.10045.3.1.4": ("prime239v1", 239),
    "1.2.840.10045.3.1.5": ("prime239v2", 239),
    "1.2.840.10045.3.1.6": ("prime239v3", 239),
    "1.2.840.10045.3.1.7": ("prime256v1", 256),
    "1.3.132.0.4": ("sect113r1", 113),
    "1.3.132.0.5": ("sect113r2", 113),
    "1.3.132.0.22": ("sect131r1", 131),
    "1.3.132.0.23": ("sect131r2", 131),
    "1.3.132.0.1": ("sect163k1", 163),
    "1.3.132.0.2": ("sect163r1", 162),
    "1.3.132.0.15": ("sect163r2", 163),
    "1.3.132.0.24": ("sect193r1", 193),
    "1.3.132.0.25": ("sect193r2", 193),
    "1.3.132.0.26": ("sect233k1", 232),
    "1.3.132.0.27": ("sect233r1", 233),
    "1.3.132.0.3": ("sect239k1", 238),
    "1.3.132.0.16": ("sect283k1", 281),
    "1.3.132.0.17": ("sect283r1", 282),
    "1.3.132.0.36": ("sect409k1", 407),
    "1.3.132.0.37": ("sect409r1", 409),
    "1.3.132.0.38": ("sect571k1", 570),
    "1.3.132.0.39": ("sect571r1", 570),
    "1.2.840.10045.3.0.1": ("c2pnb163v1", 163),
    "1.2.840.10045.3.0.2": ("c2pnb163v2", 162),
    "1.2.840.10045.3.0.3": ("c2pnb163v3", 162),
    "1.2.840.10045.3.0.4": ("c2pnb176v1", 161),
    "1.2.840.10045.3.0.5": ("c2tnb191v1", 191),
    "1.2.840.10045.3.0.6": ("c2tnb191v2", 190),
    "1.2.840.10045.3.0.7": ("c2tnb191v3", 189),
    "1.2.840.10045.3.0.10": ("c2pnb208w1", 193),
    "1.2.840.10045.3.0.11": ("c2tnb239v1", 238),
    "1.2.840.10045.3.0.12": ("c2tnb239v2", 237),
    "1.2.840.10045.3.0.13": ("c2tnb239v3", 236),
    "1.2.840.10045.3.0.16": ("c2pnb272w1", 257),
    "1.2.840.10045.3.0.17": ("c2pnb304w1", 289),
    "1.2.840.10045.3.0.18": ("c2tnb359v1", 353),
    "1.2.840.10045.3.0.19": ("c2pnb368w1", 353),
    "1.2.840.10045.3.0.20": ("c2tnb431r1", 418),
    "2.23.43.1.4.1": ("wap-wsg-idm-ecid-wtls1", 112),
    "2.23.43.1.4.3": ("wap-wsg-idm-ecid-wtls3", 163),
    "2.23.43.1.4.4": ("wap-wsg-idm-ecid-wtls4", 113),
    "2.23.43.1.4.5": ("wap-wsg-idm-ecid-wtls5", 163),
    "2.23.43.1.4.6": ("wap-wsg-idm-ecid-wtls6", 112),
    "2.23.43.1.4.7": ("wap-wsg-idm-ecid-wtls7", 161),
    "2.23.43.1.4.8": ("wap-wsg-idm-ecid-wtls8", 113),
    "2.23.43.1.4.9": ("wap-wsg-idm-ecid-wtls9", 161),
    "2.23.43.1.4.10": ("wap-wsg-idm-ecid-wtls10", 232),
    "2.23.43.1.4.11": ("wap-wsg-idm-ecid-wtls11", 233),
    "2.23.43.1.4.12": ("wap-wsg-idm-ecid-wtls12", 224),
    "1.3.36.3.3.2.8.1.1.1": ("brainpoolP160r1", 160),
    "1.3.36.3.3.2.8.1.1.2": ("brainpoolP160t1", 160),
    "1.3.36.3.3.2.8.1.1.3": ("brainpoolP192r1", 192),
    "1.3.36.3.3.2.8.1.1.4": ("brainpoolP192t1", 192),
    "1.3.36.3.3.2.8.1.1.5": ("brainpoolP224r1", 224),
    "1.3.36.3.3.2.8.1.1.6": ("brainpoolP224t1", 224),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 256),
    "1.3.36.3.3.2.8.1.1.8": ("brainpoolP256t1", 256),
    "1.3.36.3.3.2.8.1.1.9": ("brainpoolP320r1", 320),
    "1.3.36.3.3.2.8.1.1.10": ("brainpoolP320t1", 320),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 384),
    "1.3.36.3.3.2.8.1.1.12": ("brainpoolP384t1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 512),
    "1.3.36.3.3.2.8.1.1.14": ("brainpoolP512t1", 512),
    "1.2.156.10197.1.301": ("SM2", 256),
}

# y² = x³ + ax + b modulo p, of the curves that are met: (p, a, b).
_EQUATIONS = {
    "secp224r1": (
        0xffffffffffffffffffffffffffffffff000000000000000000000001,
        -3,
        0xb4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4,
    ),
    "secp256k1": (
        0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f,
        0x0,
        0x7,
    ),
    "secp384r1": (
        int(
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000"
            "ffffffff"
            , 16),
        -3,
        int(
            "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8ed"
            "d3ec2aef"
            , 16),
    ),
    "secp521r1": (
        int(
            "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "fffffffffffffffffffffffffffffffffffffffffff"
            , 16),
        -3,
        int(
            "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0"
            "bd3bb1bf073573df883d2c34f1ef451fd46b503f00"
            , 16),
    ),
    "prime192v1": (
        0xfffffffffffffffffffffffffffffffeffffffffffffffff,
        -3,
        0x64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1,
    ),
    "prime256v1": (
        0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff,
        -3,
        0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
    ),
    "brainpoolP160r1": (
        0xe95e4a5f737059dc60dfc7ad95b3d8139515620f,
        0x340e7be2a280eb74e2be61bada745d97e8f7c300,
        0x1e589a8595423412134faa2dbdec95c8d8675e58,
    ),
    "brainpoolP192r1": (
        0xc302f41d932a36cda7a3463093d18db78fce476de1a86297,
        0x6a91174076b1e0e19c39c031fe8685c1cae040e5c69a28ef,
        0x469a28ef7c28cca3dc721d044f4496bcca7ef4146fbf25c9,
    ),
    "brainpoolP224r1": (
        0xd7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff,
        0x68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43,
        0x2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b,
    ),
    "brainpoolP256r1": (
        0xa9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377,
        0x7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9,
        0x26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6,
    ),
    "brainpoolP320r1": (
        0xd35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27,
        0x3ee30b568fbab0f883ccebd46d3f3bb8a2a73513f5eb79da66190eb085ffa9f492f375a97d860eb4,
        0x520883949dfdbc42d3ad198640688a6fe13f41349554b49acc31dccd884539816f5eb4ac8fb1f1a6,
    ),
    "brainpoolP384r1": (
        int(
            "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a7187470013"
            "3107ec53"
            , 16),
        int(
            "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd"
            "22ce2826"
            , 16),
        int(
            "4a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696f"
            "a504c11"
            , 16),
    ),
    "brainpoolP512r1": (
        int(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12a"
            "e6a380e62881ff2f2d82c68528aa6056583a48f3"
            , 16),
        int(
            "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c9"
            "8b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca"
            , 16),
        int(
            "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca"
            "dc083e67984050b75ebae5dd2809bd638016f723"
            , 16),
    ),
    "SM2": (
        0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff,
        -3,
        0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93,
    ),
}
# fmt: on


def uncompressed(curve: str, point: bytes) -> bytes | None:
    """The point in the form 04 X Y, whichever of its forms it is written in; None when it is no point of this
    curve. Of a curve whose equation is not known here a compressed point stays as it is, unchecked."""
    if curve not in _EQUATIONS:
        return _unchecked(point)
    p, a, b = _EQUATIONS[curve]
    size = (p.bit_length() + 7) // 8
    form = point[:1]
    x = int.from_bytes(point[1 : 1 + size], "big")
    square = (x * x * x + a * x + b) % p
    if form in (b"\x02", b"\x03") and len(point) == 1 + size:
        y = _root(square, p)
        if y * y % p != square or (y == 0 and form == b"\x03"):
            return None
        y = y if y % 2 == form[0] % 2 else p - y
    elif form in (b"\x04", b"\x06", b"\x07") and len(point) == 1 + 2 * size:
        y = int.from_bytes(point[1 + size :], "big")
        if y >= p or y * y % p != square or (form != b"\x04" and y % 2 != form[0] % 2):
            return None
    else:
        return None
    return b"\x04" + point[1 : 1 + size] + y.to_bytes(size, "big") if x < p else None


def checked(curve: str) -> bool:
    """Whether ``uncompressed`` tells a point of this curve from others."""
    return curve in _EQUATIONS


def _unchecked(point: bytes) -> bytes | None:
    if point[:1] in (b"\x04", b"\x06", b"\x07") and len(point) % 2:
        return b"\x04" + point[1:]
    return point if point[:1] in (b"\x02", b"\x03") else None


def _root(square: int, p: int) -> int:
    """A number whose square is *square* modulo the prime *p*, if there is one; else any number."""
    if p % 4 == 3:
        return pow(square, (p + 1) // 4, p)
    # Tonelli and Shanks; of the curves above only secp224r1 needs it, where 11 is no square.
    odd, twos = p - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    factor, root, left = pow(11, odd, p), pow(square, (odd + 1) // 2, p), pow(square, odd, p)
    for step in range(twos - 2, -1, -1):
        if pow(left, 1 << step, p) == p - 1:
            root, left = root * factor % p, left * factor * factor % p
        factor = factor * factor % p
    return root
