# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signature algorithms by their object identifiers: the kind of key that makes them, and the digest."""

from __future__ import annotations

from . import der
from .der import CONTEXT, DerError, Element, Fields

RSASSA_PSS = "1.2.840.113549.1.1.10"

# The key that signs, and the digest. RSASSA-PSS has its digest in its parameters: see ``signature``.
SIGNATURES = {
    "1.2.840.113549.1.1.2": ("rsa", "md2"),
    "1.2.840.113549.1.1.3": ("rsa", "md4"),
    "1.2.840.113549.1.1.4": ("rsa", "md5"),
    "1.2.840.113549.1.1.5": ("rsa", "sha1"),
    "1.3.14.3.2.29": ("rsa", "sha1"),
    "1.3.36.3.3.1.2": ("rsa", "ripemd160"),
    "1.2.840.113549.1.1.14": ("rsa", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.113549.1.1.15": ("rsa", "sha512-224"),
    "1.2.840.113549.1.1.16": ("rsa", "sha512-256"),
    "2.16.840.1.101.3.4.3.13": ("rsa", "sha3-224"),
    "2.16.840.1.101.3.4.3.14": ("rsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.15": ("rsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.16": ("rsa", "sha3-512"),
    "1.2.840.10045.4.1": ("ec", "sha1"),
    "1.2.840.10045.4.3.1": ("ec", "sha224"),
    "1.2.840.10045.4.3.2": ("ec", "sha256"),
    "1.2.840.10045.4.3.3": ("ec", "sha384"),
    "1.2.840.10045.4.3.4": ("ec", "sha512"),
    "2.16.840.1.101.3.4.3.9": ("ec", "sha3-224"),
    "2.16.840.1.101.3.4.3.10": ("ec", "sha3-256"),
    "2.16.840.1.101.3.4.3.11": ("ec", "sha3-384"),
    "2.16.840.1.101.3.4.3.12": ("ec", "sha3-512"),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    "1.3.14.3.2.27": ("dsa", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
    "2.16.840.1.101.3.4.3.3": ("dsa", "sha384"),
    "2.16.840.1.101.3.4.3.4": ("dsa", "sha512"),
    "2.16.840.1.101.3.4.3.5": ("dsa", "sha3-224"),
    "2.16.840.1.101.3.4.3.6": ("dsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.7": ("dsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.8": ("dsa", "sha3-512"),
    "1.3.101.112": ("ed25519", ""),
    "1.3.101.113": ("ed448", ""),
    "1.2.156.10197.1.501": ("sm2", "sm3"),
}
DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.5": "sha512-224",
    "2.16.840.1.101.3.4.2.6": "sha512-256",
    "2.16.840.1.101.3.4.2.7": "sha3-224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
}


def read(element: Element) -> tuple[str, bytes]:
    """(OID, DER of the parameters or b"") of an AlgorithmIdentifier; raises DerError."""
    fields = Fields(element)
    oid = der.oid(fields.need(der.OBJECT_IDENTIFIER))
    parameters = fields.maybe()
    fields.end()
    return oid, b"" if parameters is None else der.check_any(parameters).encoding


def signature(oid: str, parameters: bytes) -> tuple[str, str]:
    """(kind of the signing key, digest); "" for what is not known, and for the digest of algorithms that have
    none of their own. RSASSA-PSS is "rsa-pss" with the digest of its parameters (SHA-1 when they say
    nothing, RFC 4055, 3.1)."""
    if oid != RSASSA_PSS:
        return SIGNATURES.get(oid, ("", ""))
    try:
        fields = Fields(der.only(parameters))
        chosen = fields.maybe(CONTEXT)
        return "rsa-pss", "sha1" if chosen is None else DIGESTS.get(read(der.explicit(chosen))[0], "")
    except DerError:
        return "rsa-pss", ""


def in_every_openssl(kind: str, digest: str) -> bool:
    """Whether every version of OpenSSL 3 knows what ``signature`` found; 3.0 has none with SHA-3
    (OBJ_find_sigid_algs)."""
    return bool(kind) and not digest.startswith("sha3-")
