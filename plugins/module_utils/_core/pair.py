# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two public halves are one key, as EVP_PKEY_eq decides it, and what TLS makes of a kind of key."""

from __future__ import annotations

from typing import Optional

from .asn1 import der, public_key
from .asn1.public_key import PublicKey

# Curves for which TLS 1.3 and, unless told otherwise, TLS 1.2 have signatures.
_TLS_CURVES = frozenset(["prime256v1", "secp384r1", "secp521r1"])
_NO_CERTIFICATES = frozenset(["x25519", "x448", "sm2"])


def same(one: PublicKey, other: PublicKey) -> Optional[bool]:
    """None where only OpenSSL can tell: see ``decided``."""
    if decided(one) and decided(other):
        return one.normal == other.normal
    return False if _differ_anyway(one, other) else None


def decided(key: PublicKey) -> bool:
    """Whether ``normal`` is one and the same for the same key: not for points that could not be put into one
    form, for curves whose parameters are written out (they may be those of a named one), for DSA keys without
    parameters, and for kinds that are not known."""
    if key.kind == "unknown" or key.curve == public_key.EXPLICIT:
        return False
    if key.kind == "dsa":
        return key.bits > 0
    return key.kind not in ("ec", "sm2") or _point(key).startswith(b"\x04")


def _point(key: PublicKey) -> bytes:
    octets, _unused = der.bit_string(der.only(key.normal).children()[1])
    return octets


def _differ_anyway(one: PublicKey, other: PublicKey) -> bool:
    """Whether kind, size or curve tell them apart already (EC_GROUP_cmp for the curve)."""
    if "unknown" in (one.kind, other.kind):
        return False
    if one.kind != other.kind:
        # A curve that is written out may be SM2's.
        return not {one.kind, other.kind} <= {"ec", "sm2"}
    if one.bits != other.bits and one.bits and other.bits:
        return True
    return public_key.EXPLICIT not in (one.curve, other.curve) and one.curve != other.curve


def unusual(key: PublicKey) -> str:
    """What TLS makes of a key of this kind where that may surprise; nothing for the others."""
    if key.kind in _NO_CERTIFICATES:
        return f"is of the kind {key.kind}, and nginx loads no such key"
    if key.kind == "dsa":
        return "is of the kind dsa, for which no TLS peer has a cipher suite unless told to"
    if key.kind == "unknown":
        return "is of a kind that is not known here"
    if key.curve == public_key.EXPLICIT:
        return "has its curve written out, and most TLS peers take curves by name only"
    if key.kind == "ec" and key.curve not in _TLS_CURVES:
        return f"is of the curve {key.curve}, which TLS peers do not accept unless told to"
    return ""
