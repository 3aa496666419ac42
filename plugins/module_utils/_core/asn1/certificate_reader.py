# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate from DER to plain facts, as OpenSSL's d2i_X509 reads it, on every version of any library; and
what a request for one (PKCS #10) asks for."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from .. import names
from ..certificate import CertificateFacts
from . import algorithms, der, extensions, public_key, times
from .der import CONTEXT, Element, Fields


def read(data: bytes, place: str = "", aux: bytes = b"") -> tuple[CertificateFacts, bytes]:
    """The facts of the certificate that begins *data*, and its DER as OpenSSL writes it: without the bytes
    that follow it, and with lengths in the form of DER around the signed body, which stays as it is.

    *aux* is what follows the certificate in a `TRUSTED CERTIFICATE`. Raises DerError exactly where d2i_X509
    (or d2i_X509_AUX) refuses, but for dates that are too short, see ``times.read``. Not checked: signatures,
    and what any value means.
    """
    outer = der.read(data)[0]
    fields = Fields(outer)
    tbs = fields.need()
    algorithm = fields.need()
    signature_oid, parameters = algorithms.read(algorithm)
    signature_bits = fields.need(der.BIT_STRING)
    signature, unused = der.bit_string(signature_bits)
    fields.end()
    facts = _Body(tbs)
    written = _written(outer, [tbs, algorithm, signature_bits])
    kind, digest = algorithms.signature(signature_oid, parameters)
    trusted_for, rejected_for = read_aux(aux) if aux else (None, None)
    return (
        CertificateFacts(
            sha256=hashlib.sha256(written).hexdigest(),
            place=place,
            tbs=tbs.encoding,
            # ASN1_item_verify_ex refuses a signature that is no whole number of octets
            signature=b"" if unused else signature,
            signature_oid=signature_oid,
            signature_parameters=parameters,
            signature_type=kind,
            signature_digest=digest,
            inner_signature_agrees=facts.algorithm == (signature_oid, parameters),
            trusted_for=trusted_for,
            rejected_for=rejected_for,
            **facts.values,
        ),
        written,
    )


class _Body:
    """The TBSCertificate: *values* are fields of the facts, *algorithm* is what it says it is signed with."""

    def __init__(self, element: Element) -> None:
        fields = Fields(element)
        version = fields.maybe(CONTEXT)
        number = 0 if version is None else der.integer(der.expect(der.explicit(version), der.INTEGER))
        serial = fields.need(der.INTEGER)
        self.algorithm = algorithms.read(fields.need())
        issuer = names.read(fields.need())
        not_before, not_after = _validity(fields.need())
        subject = names.read(fields.need())
        spki = fields.need()
        key = public_key.read(spki)
        for tag in (CONTEXT | 1, CONTEXT | 2):
            identifier = fields.maybe(tag)
            if identifier is not None:
                der.bit_string(identifier)
        wrapped = fields.maybe(CONTEXT | 3)
        fields.end()
        found = [] if wrapped is None else extensions.split(der.explicit(wrapped))
        self.values = {
            # ASN1_INTEGER_get has -1 for what is too big for a long
            "version": number + 1 if -(1 << 63) <= number < 1 << 63 else 0,
            "serial": der.integer(serial),
            "serial_octets": len(serial.content),
            "issuer": issuer,
            "issuer_key": names.key(issuer),
            "subject": subject,
            "subject_key": names.key(subject),
            "not_before": not_before.at,
            "not_before_text": not_before.text,
            "not_after": not_after.at,
            "not_after_text": not_after.text,
            "date_faults": tuple(
                f"{name} {moment.fault}"
                for name, moment in (("notBefore", not_before), ("notAfter", not_after))
                if moment.fault
            ),
            "spki": spki.encoding,
            "key_type": key.kind,
            "key_bits": key.bits,
            "key_parameters": key.parameters,
            "curve": key.curve,
            "public_key_sha256": key.sha256,
            **extensions.values(found),
        }


def _validity(element: Element) -> tuple[times.Moment, times.Moment]:
    fields = Fields(element)
    moments = times.read(fields.need()), times.read(fields.need())
    fields.end()
    return moments


def _written(outer: Element, parts: list[Element]) -> bytes:
    """As i2d_X509 writes it: the body as it was, the rest in DER."""
    tbs, algorithm, signature = parts
    octets, unused = der.bit_string(signature)
    values = [
        # Sequences, sets and what is of another class are kept as they are.
        value.encoding
        if value.tag in (der.SEQUENCE, der.SET) or value.tag > der.BMP_STRING
        else der.encode(value.tag, der.string(value))
        for value in algorithm.children()
    ]
    written = der.encode(
        der.SEQUENCE,
        tbs.encoding
        + der.encode(der.SEQUENCE, b"".join(values), constructed=True)
        + der.encode(der.BIT_STRING, bytes([unused]) + octets),
        constructed=True,
    )
    return outer.encoding if written == outer.encoding else written


def read_aux(data: bytes) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """(OIDs that it is trusted for, that it is rejected for), None where it does not say, of an X509_CERT_AUX
    (crypto/x509/x_x509a.c); raises DerError."""
    fields = Fields(der.read(data)[0])
    trusted = fields.maybe(der.SEQUENCE)
    rejected = fields.maybe(CONTEXT)
    alias = fields.maybe(der.UTF8_STRING)
    identifier = fields.maybe(der.OCTET_STRING)
    other = fields.maybe(CONTEXT | 1)
    fields.end()
    for text in (alias, identifier):
        if text is not None:
            der.string(text)
    for algorithm in other.children() if other is not None else []:
        algorithms.read(algorithm)
    return _oids(trusted), _oids(rejected)


def _oids(element: Element | None) -> tuple[str, ...] | None:
    if element is None:
        return None
    return tuple(der.oid(der.expect(child, der.OBJECT_IDENTIFIER)) for child in element.children())


_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


class Request(NamedTuple):
    """*extensions* are fields of ``CertificateFacts``."""

    subject: names.Rdns
    public_key_sha256: str
    extensions: dict[str, Any]


def read_request(data: bytes) -> Request:
    """What a CertificationRequest asks for; raises DerError. Not checked: its signature."""
    fields = Fields(Fields(der.only(data)).need())
    fields.need(der.INTEGER)
    subject = names.read(fields.need())
    key = public_key.read(fields.need())
    attributes = fields.maybe(CONTEXT)
    fields.end()
    found: list[extensions.Extension] = []
    for attribute in attributes.children() if attributes is not None else []:
        pair = Fields(attribute)
        if der.oid(pair.need(der.OBJECT_IDENTIFIER)) == _EXTENSION_REQUEST:
            found += [one for value in pair.need(der.SET).children() for one in extensions.split(value)]
    return Request(subject, key.sha256, extensions.values(found))
