# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificate requests (PKCS #10) for the credentials of a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

from .._core import hostnames, names
from .._core.asn1 import certificate_reader
from .._core.asn1.der import DerError
from .._core.certificate import CertificateFacts
from .._core.errors import MtlsError
from .._core.request import Live, Wanted, same_names
from . import _deps, certificate, key

KEY_FILE = "privkey.pem"
REQUEST_FILE = "request.pem"

# file name -> its bytes, or None where there is no such file
Read = Callable[[str], Optional[bytes]]
Write = Callable[[str, bytes], object]


def read_live(read: Read) -> tuple[Optional[Live], Optional[key.PrivateKey]]:
    """The live credential and its key, from fullchain.pem, privkey.pem and trust.pem; None without the first.

    Needs no library as long as there is no certificate.
    """
    chain = read("fullchain.pem")
    if chain is None:
        return None, None
    loaded = certificate.load("certificate", chain, "fullchain.pem").certificates
    trust = certificate.load("trust", read("trust.pem") or b"", "trust.pem").certificates
    trusted = tuple(cert.facts for cert in trust)
    try:
        private_key = key.read(read(KEY_FILE) or b"")
    except MtlsError:
        return Live(None, trust=trusted), None
    if not loaded or loaded[0].facts.public_key_sha256 != private_key.public_key_sha256:
        return Live(None, trust=trusted), None
    return Live(loaded[0].facts, key.type_name(private_key.key), trusted), private_key


def describe_live(live: Optional[Live]) -> Optional[dict[str, Any]]:
    """The `live` element of credential_request's result."""
    if live is None or live.facts is None:
        return None
    facts = live.facts
    return {
        "subject": facts.subject_text,
        "issuer": facts.issuer_text,
        "serial": certificate.serial_text(facts.serial),
        "not_after": facts.not_after_text,
        "sha256": facts.sha256,
        "trust": [_named(cert) for cert in live.trust],
    }


def _named(cert: CertificateFacts) -> dict[str, str]:
    return {"subject": cert.subject_text, "sha256": cert.sha256}


@dataclass(frozen=True)
class Pending:
    """A key and its request that wait for a certificate; *changed*: at least one of them is new."""

    request: bytes
    public_key_sha256: str
    changed: bool


def prepare(wanted: Wanted, live_key: Optional[key.PrivateKey], read: Read, write: Write) -> Pending:
    """Uses the pending key and request as far as they still fit, makes what is missing by *write*.

    With `reuse` the key is the live one if its type is right. Without it a pending key that is the live
    one does not fit. The caller sees to it that nobody else writes in between.
    """
    reusable = live_key if live_key is not None and key.type_name(live_key.key) == wanted.key_type else None
    wanted_key = reusable if wanted.reuse else None
    private_key = _pending_key(read(KEY_FILE), wanted, wanted_key, live_key)
    changed = private_key is None
    if private_key is None:
        private_key = wanted_key or key.generate(wanted.key_type)
        write(KEY_FILE, private_key.to_pem())
    request = read(REQUEST_FILE)
    if request is None or not fits(request, private_key, wanted):
        request = make(private_key, wanted)
        write(REQUEST_FILE, request)
        changed = True
    return Pending(request, private_key.public_key_sha256, changed)


def _pending_key(
    data: Optional[bytes],
    wanted: Wanted,
    wanted_key: Optional[key.PrivateKey],
    live_key: Optional[key.PrivateKey],
) -> Optional[key.PrivateKey]:
    """The pending key, or None where there is none that will do."""
    if data is None:
        return None
    try:
        found = key.read(data)
    except MtlsError:
        return None
    if key.type_name(found.key) != wanted.key_type:
        return None
    if wanted_key is not None:
        return found if found.public_key_sha256 == wanted_key.public_key_sha256 else None
    if live_key is not None and found.public_key_sha256 == live_key.public_key_sha256:
        return None
    return found


def make(private_key: key.PrivateKey, wanted: Wanted) -> bytes:
    """PEM of a request for just this use: never a CA, no other purpose than the wanted one."""
    x509 = _deps.x509
    names_given = [wanted.common_name] if wanted.common_name else []
    subject = [x509.NameAttribute(_deps.NameOID.COMMON_NAME, name) for name in names_given]
    use = {
        "serverAuth": _deps.ExtendedKeyUsageOID.SERVER_AUTH,
        "clientAuth": _deps.ExtendedKeyUsageOID.CLIENT_AUTH,
    }[wanted.use]
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # TLS 1.2 with (EC)DHE and TLS 1.3 sign; static RSA, which would want keyEncipherment, is not offered.
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
    if wanted.hostnames:
        alternative = x509.SubjectAlternativeName([_general_name(name) for name in wanted.hostnames])
        # RFC 5280, 4.1.2.6: critical where the subject is empty
        builder = builder.add_extension(alternative, critical=not subject)
    digest = None if key.type_name(private_key.key) == "ed25519" else _deps.hashes.SHA256()
    request: bytes = builder.sign(private_key.key, digest).public_bytes(_deps.serialization.Encoding.PEM)
    return request


def _general_name(name: str) -> Any:
    address = hostnames.as_ip(name)
    if address:
        return _deps.x509.IPAddress(ipaddress.ip_address(address))
    return _deps.x509.DNSName(name.lower())


def fits(request: bytes, private_key: key.PrivateKey, wanted: Wanted) -> bool:
    """Whether *request* asks for what is wanted, with this key and signed by it."""
    try:
        with _deps.untrusted():
            parsed = _deps.x509.load_pem_x509_csr(request)
            sound = parsed.is_signature_valid
            asked = certificate_reader.read_request(parsed.public_bytes(_deps.serialization.Encoding.DER))
    except (_deps.UnreadableError, DerError):
        return False
    values: Mapping[str, Any] = asked.extensions
    own = asked.public_key_sha256 == private_key.public_key_sha256
    common_name = next(iter(names.common_names(asked.subject)), "")
    return (
        own
        and sound
        and same_names(wanted, common_name, values.get("san_dns", ()) + values.get("san_ip", ()))
        and values.get("extended_key_usage") == (wanted.use,)
        and values.get("basic_constraints") == (False, None)
    )
