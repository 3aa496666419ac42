# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a CRL. By ``cryptography``: community.crypto's x509_crl writes neither number nor key identifier, and
without the latter two CAs of one name cannot both have a CRL (RFC 5280, 5.2.1 and 5.2.3 want both)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._core.errors import MtlsError
from . import _deps, crl
from .certificate import Certificate
from .crl import Crl
from .key import PrivateKey

# These sign the whole text, not a digest of it (RFC 8410).
_WITHOUT_DIGEST = ("ed25519", "ed448")


def make(
    issuer: Certificate,
    key: PrivateKey,
    serials: Mapping[int, datetime],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> Crl:
    """A whole, direct CRL of *issuer*, signed by its *key*, that lists the *serials* with the time when each
    was revoked.

    Raises MtlsError where *issuer* may not sign CRLs, or the library cannot with such a key. Not checked:
    that the key is the issuer's.
    """
    usage = issuer.facts.key_usage
    if usage is not None and "cRLSign" not in usage:
        raise MtlsError("This certificate may not sign CRLs (key usage).", issuer.facts.place)
    x509 = _deps.x509
    signer = key.key
    try:
        with _deps.untrusted():
            certificate = x509.load_der_x509_certificate(issuer.der)
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(certificate.subject)
                .last_update(this_update)
                .next_update(next_update)
                .add_extension(_key_identifier(certificate), critical=False)
                .add_extension(x509.CRLNumber(number), critical=False)
            )
            for serial, revoked_at in sorted(serials.items()):
                entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked_at)
                builder = builder.add_revoked_certificate(entry.build())
            digest = None if key.kind[0] in _WITHOUT_DIGEST else _deps.hashes.SHA256()
            made = builder.sign(signer, digest)
            der = made.public_bytes(_deps.serialization.Encoding.DER)
    except _deps.UnreadableError as error:
        raise MtlsError(
            f"{_deps.engine()} cannot make a CRL with this key ({error}).", issuer.facts.place
        ) from None
    return crl.from_der(der, issuer.facts.place)


def _key_identifier(issuer: Any) -> Any:
    """What names the issuer's key: its own subject key identifier, by which OpenSSL compares."""
    x509 = _deps.x509
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return x509.AuthorityKeyIdentifier(own.digest, None, None)
