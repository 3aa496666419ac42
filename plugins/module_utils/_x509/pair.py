# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a private key is a certificate's: X509_check_private_key (crypto/x509/x509_cmp.c), by the rules,
and where they cannot tell by the host's OpenSSL."""

from __future__ import annotations

from typing import Callable, Optional

from .._core import pair
from .._core.asn1 import der, public_key
from .._core.asn1.private_key import Answer
from .._core.asn1.public_key import PublicKey
from .._core.certificate import CertificateFacts
from .._core.findings import Finding
from . import _deps
from .key import PrivateKey

# Asks the host's OpenSSL for a SubjectPublicKeyInfo in its own form, as does
# ``_host.openssl_key.HostKeys.ask_public``.
AskPublic = Callable[[bytes], Answer]


def matches(
    cert: CertificateFacts, private_key: PrivateKey, ask: Optional[AskPublic] = None
) -> tuple[Optional[bool], Optional[str]]:
    """(OpenSSL's verdict, name and version of the engine that gave it); (None, None) where a side is of no
    kind that can be compared here and nobody can be asked.

    Not checked: that the private half fits its own public half (``PrivateKey.findings``).
    """
    own = _read(cert.spki)
    if own is None:
        return None, None
    verdict = pair.same(own, private_key.public)
    if verdict is not None:
        return verdict, private_key.engine or _deps.engine()
    if ask is None:
        return None, None
    answers = [ask(cert.spki), ask(private_key.public.normal)]
    if not all(answer.spki for answer in answers):
        return None, None
    one, other = (_read(answer.spki) for answer in answers)
    if one is None or other is None:
        return None, None
    return one.normal == other.normal, answers[0].engine


def _read(spki: bytes) -> Optional[PublicKey]:
    try:
        return public_key.read(der.only(spki))
    except der.DerError:
        return None


def undecided(cert: CertificateFacts, private_key: PrivateKey) -> Finding:
    """For the verdict None."""
    said = f'Nothing on this host can tell whether the private key is that of "{cert.subject_text}".'
    return Finding("pair.undecided", said, private_key.place)


def findings(private_key: PrivateKey) -> list[Finding]:
    """The key's own faults, and what TLS makes of a key of its kind; whether or not it fits."""
    found = private_key.findings
    said = pair.unusual(private_key.public)
    if said:
        found.append(Finding("key.unusual", f"The private key {said}.", private_key.place))
    return found
