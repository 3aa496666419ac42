# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CRL from DER to plain facts, as OpenSSL's d2i_X509_CRL reads it (crypto/x509/x_crl.c)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Callable

from .. import names
from ..crl import CrlFacts
from ..names import Rdns
from . import algorithms, der, distribution_points, extensions, revoked, times
from .der import CONTEXT, DerError, Element, Fields
from .extensions import Extension
from .revoked import Entries

CRL_NUMBER = "2.5.29.20"
DELTA_INDICATOR = "2.5.29.27"
ISSUING_POINT = "2.5.29.28"
_KNOWN_TO_OPENSSL = frozenset([ISSUING_POINT, extensions.AUTHORITY_KEY_ID, DELTA_INDICATOR])
_DATES = (der.UTC_TIME, der.GENERALIZED_TIME)


def read(data: bytes, place: str = "") -> CrlFacts:
    """The facts of the CRL that begins *data*.

    Raises DerError where d2i_X509_CRL of OpenSSL 3.5 refuses. Not checked: the signature, and what any value
    means.
    """
    outer = der.read(data)[0]
    fields = Fields(outer)
    tbs = fields.need(der.SEQUENCE)
    oid, parameters = algorithms.read(fields.need())
    signature, unused = der.bit_string(fields.need(der.BIT_STRING))
    fields.end()
    body = _body(tbs)
    return CrlFacts(
        sha256=hashlib.sha256(outer.encoding).hexdigest(),
        place=place,
        der=outer.encoding,
        tbs=tbs.encoding,
        # ASN1_item_verify_ex refuses a signature that is no whole number of octets
        signature=b"" if unused else signature,
        signature_oid=oid,
        signature_parameters=parameters,
        inner_signature_agrees=body.pop("algorithm") == (oid, parameters),
        **body,
    )


def _body(tbs: Element) -> dict[str, Any]:
    fields = Fields(tbs)
    version = fields.maybe(der.INTEGER)
    if version is not None:
        der.integer(version)
    algorithm = algorithms.read(fields.need())
    issuer = names.read(fields.need())
    last_update = times.read(revoked.check_date(fields.need()))
    later = next((date for tag in _DATES for date in [fields.maybe(tag)] if date is not None), None)
    listed = fields.maybe(der.SEQUENCE)
    wrapped = fields.maybe(CONTEXT)
    fields.end()
    entries = Entries() if listed is None else revoked.read(listed)
    found = [] if wrapped is None else extensions.split(der.explicit(wrapped))
    return {
        "algorithm": algorithm,
        "issuer": issuer,
        "issuer_key": names.key(issuer),
        "last_update": last_update,
        "next_update": None if later is None else times.read(revoked.check_date(later)),
        "entries": entries,
        **_extension_values(found, issuer, entries),
    }


def _extension_values(found: Sequence[Extension], issuer: Rdns, entries: Entries) -> dict[str, Any]:
    """What cannot be read, or stands twice, is absent for OpenSSL: it is told, and decides nothing."""
    readers: dict[str, tuple[str, Callable[[Element], dict[str, Any]]]] = {
        ISSUING_POINT: (
            "issuingDistributionPoint",
            lambda element: {"point": distribution_points.read_issuing(element, issuer)},
        ),
        extensions.AUTHORITY_KEY_ID: ("authorityKeyIdentifier", extensions.authority_key_id),
        CRL_NUMBER: ("cRLNumber", lambda element: {"number": _number(element)}),
        DELTA_INDICATOR: ("deltaCRLIndicator", lambda element: {"base_number": _number(element)}),
    }
    values: dict[str, Any] = {}
    faults: list[str] = []
    for oid, (title, reader) in readers.items():
        held = [one.value for one in found if one.oid == oid]
        try:
            if len(held) > 1:
                raise DerError(f"it stands there {len(held)} times")
            if held:
                values.update(reader(der.read(held[0])[0]))
        except DerError as error:
            faults.append(f"its extension {title} cannot be read ({error})")
    critical = [one.oid for one in found if one.critical and one.oid not in _KNOWN_TO_OPENSSL]
    values["unknown_critical"] = tuple(dict.fromkeys([*critical, *entries.critical]))
    values["extension_faults"] = (*faults, *entries.faults)
    return values


def _number(element: Element) -> int:
    return der.integer(der.expect(element, der.INTEGER))
