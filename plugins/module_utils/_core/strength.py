# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL's security level 2, 112 bits: Debian's default, and everybody's since OpenSSL 3.2.

check_key_level and check_sig_level of crypto/x509/x509_vfy.c over plain values. A key or a digest that is not
known here is neither weak nor strong: ``None``, and the host's OpenSSL has to say.
"""

from __future__ import annotations

from .asn1 import der
from .certificate import CertificateFacts

# ossl_ifc_ffc_compute_security_bits rounds to whole octets, so 112 bits begin some way below 2048.
_MIN_RSA = 1963
_MIN_DSA, _MIN_DSA_ORDER = 2048, 224  # BN_security_bits
_MIN_EC = 224  # ec_security_bits goes by the order, which no curve of OpenSSL's has far below its field
_STRONG = frozenset(["ed25519", "ed448", "x25519", "x448"])
# Half of a digest's bits count, and less than half for the broken ones (ossl_x509_init_sig_info).
_WEAK_DIGESTS = frozenset(["md2", "md4", "md5", "md5-sha1", "mdc2", "ripemd160", "sha1"])
_STRONG_DIGESTS = frozenset(
    "sha224 sha256 sha384 sha512 sha512-224 sha512-256 sha3-224 sha3-256 sha3-384 sha3-512".split()
)


def weak_key(cert: CertificateFacts) -> bool | None:
    """Whether the key is too short for the level; None where only OpenSSL can tell."""
    if cert.key_type in ("rsa", "rsa-pss") and cert.key_bits:
        return cert.key_bits < _MIN_RSA
    if cert.key_type == "dsa" and cert.key_bits:
        return cert.key_bits < _MIN_DSA or _order_bits(cert) < _MIN_DSA_ORDER
    if cert.key_type == "ec" and cert.key_bits and cert.curve != "explicit":
        return cert.key_bits < _MIN_EC
    return False if cert.key_type in _STRONG else None


def _order_bits(cert: CertificateFacts) -> int:
    """Of q in Dss-Parms; 0 for a key without parameters, which OpenSSL does not take as a key at all."""
    try:
        return der.integer(der.only(cert.key_parameters, der.SEQUENCE).children()[1]).bit_length()
    except (der.DerError, IndexError):
        return 0


def weak_signature(cert: CertificateFacts) -> bool | None:
    """Whether the signature's digest is too short or broken; None where only OpenSSL can tell."""
    if cert.signature_digest in _WEAK_DIGESTS:
        return True
    if cert.signature_digest in _STRONG_DIGESTS or cert.signature_type in _STRONG:
        return False
    return None
