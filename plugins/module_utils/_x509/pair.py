# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a private key is a certificate's: X509_check_private_key (crypto/x509/x509_cmp.c) by the two public
halves, and what TLS makes of a key of that kind."""

from __future__ import annotations

from typing import Callable, Optional

from .._core import der, public_key
from .._core.certificate import CertificateFacts
from .._core.findings import Finding
from .._core.private_key import Answer
from .._core.public_key import PublicKey
from . import _deps
from .key import PrivateKey

# Asks the host's OpenSSL for a SubjectPublicKeyInfo in its own form. ``_host.openssl_key.ask_public`` is one.
AskPublic = Callable[[bytes], Answer]

# Curves for which TLS 1.3 and, by default, TLS 1.2 have signatures.
_TLS_CURVES = frozenset(["prime256v1", "secp384r1", "secp521r1"])
_NO_CERTIFICATES = frozenset(["x25519", "x448", "sm2"])


def matches(
    cert: CertificateFacts, private_key: PrivateKey, ask: Optional[AskPublic] = None
) -> tuple[Optional[bool], Optional[str]]:
    """(OpenSSL's verdict, which engine gave it); (None, None) where a side is of no kind that can be compared
    here and nobody can be asked.

    Not checked: that the private half fits its own public half (``PrivateKey.findings``).
    """
    ours = _of_certificate(cert)
    theirs = private_key.public
    engine = private_key.engine or _engine()
    if ours is None:
        return None, None
    if _decided(ours) and _decided(theirs):
        return ours.normal == theirs.normal, engine
    if _differ_anyway(ours, theirs):
        return False, engine
    if ask is None:
        return None, None
    answers = [ask(cert.spki), ask(theirs.normal)]
    if not all(answer.spki for answer in answers):
        return None, None
    return _normal(answers[0].spki) == _normal(answers[1].spki), answers[0].engine


def _engine() -> str:
    return f"cryptography {_deps.VERSION}"


def _of_certificate(cert: CertificateFacts) -> Optional[PublicKey]:
    try:
        return public_key.read(der.only(cert.spki))
    except der.DerError:
        return None


def _normal(spki: bytes) -> bytes:
    try:
        return public_key.read(der.only(spki)).normal
    except der.DerError:
        return spki


def _decided(key: PublicKey) -> bool:
    """Whether ``normal`` is one for each key: not for points that could not be put into one form, for curves
    whose parameters are written out (they may be those of a named one), and for kinds that are not known."""
    if key.kind == "unknown" or key.curve == public_key.EXPLICIT:
        return False
    if key.kind == "dsa":
        return key.bits > 0
    return key.kind not in ("ec", "sm2") or _point(key).startswith(b"\x04")


def _point(key: PublicKey) -> bytes:
    octets, _unused = der.bit_string(der.only(key.normal).children()[1])
    return octets


def _differ_anyway(ours: PublicKey, theirs: PublicKey) -> bool:
    """Whether kind, size or curve tell them apart already (EVP_PKEY_eq, EC_GROUP_cmp)."""
    if "unknown" in (ours.kind, theirs.kind):
        return False
    if ours.kind != theirs.kind:
        return True
    if ours.bits != theirs.bits and ours.bits and theirs.bits:
        return True
    return public_key.EXPLICIT not in (ours.curve, theirs.curve) and ours.curve != theirs.curve


def findings(private_key: PrivateKey) -> list[Finding]:
    """What TLS makes of a key of this kind, whether or not it fits; and the key's own faults."""
    public = private_key.public
    found = private_key.findings
    said = ""
    if public.kind in _NO_CERTIFICATES:
        said = f"The private key is of the kind {public.kind}: nginx loads no such key."
    elif public.kind == "dsa":
        said = "The private key is of the kind dsa: no TLS peer has a cipher suite for it unless told to."
    elif public.kind == "ec" and public.curve == public_key.EXPLICIT:
        said = "The private key has its curve written out: most TLS peers take curves by name only."
    elif public.kind == "ec" and public.curve not in _TLS_CURVES:
        said = f"The private key is of the curve {public.curve}: TLS peers do not accept it unless told to."
    elif public.kind == "unknown":
        said = "The private key is of a kind that is not known here."
    if said:
        found.append(Finding("key.unusual", said, private_key.place))
    return found
