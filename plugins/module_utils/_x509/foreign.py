# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger's identity for negative probes: well-formed in everything, but of a CA that nobody trusts."""

from __future__ import annotations

import posixpath
from datetime import datetime, timedelta
from typing import Any, Callable

from .._core import expiry
from . import _deps, key

_LIFETIME = timedelta(hours=1)


def foreign_identity(
    directory: str, common_name: str, at: datetime, write: Callable[[str, bytes], object]
) -> tuple[str, str]:
    """Writes a client certificate (with its CA behind it) and its key below *directory* by *write(path,
    data)*, which makes them 0600; returns both paths. The CA's key is thrown away. Valid one hour before and
    after *at*, so that nothing but the issuer is wrong with it."""
    at = expiry.utc(at)
    ca_key, leaf_key = key.generate("p256"), key.generate("p256")
    ca_name = _name("mtls foreign CA")
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, at, is_ca=True)
    leaf = _certificate(_name(common_name), ca_name, leaf_key, ca_key, at, is_ca=False)
    encoding = _deps.serialization.Encoding.PEM
    certificate_path = posixpath.join(directory, "foreign.pem")
    private_key_path = posixpath.join(directory, "foreign.key")
    write(private_key_path, leaf_key.to_pem())
    write(certificate_path, leaf.public_bytes(encoding) + ca.public_bytes(encoding))
    return certificate_path, private_key_path


def _name(common_name: str) -> Any:
    return _deps.x509.Name([_deps.x509.NameAttribute(_deps.NameOID.COMMON_NAME, common_name[:64])])


def _certificate(
    subject: Any, issuer: Any, own: key.PrivateKey, signer: key.PrivateKey, at: datetime, is_ca: bool
) -> Any:
    x509 = _deps.x509
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _LIFETIME)
        .not_valid_after(at + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    )
    if not is_ca:
        usage = x509.ExtendedKeyUsage([_deps.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(signer.key, _deps.hashes.SHA256())
