# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions whose structure OpenSSL checks though their values decide nothing here: distribution points,
proxy certificates (RFC 3820), addresses and autonomous systems (RFC 3779). All of it raises DerError."""

from __future__ import annotations

from .. import names
from . import der, general_names
from .der import CONTEXT, DerError, Element, Fields


def check_distribution_point(element: Element) -> None:
    """DistributionPoint (crypto/x509/v3_crld.c), and that it names a place or an issuer (setup_dp)."""
    fields = Fields(element)
    point = fields.maybe(CONTEXT)
    reasons = fields.maybe(CONTEXT | 1)
    issuer = fields.maybe(CONTEXT | 2)
    fields.end()
    if point is not None:
        check_distribution_point_name(der.explicit(point))
    if reasons is not None:
        der.bit_string(reasons)
    issuers = general_names.read_all(issuer, CONTEXT | 2) if issuer is not None else ()
    if point is None and not issuers:
        raise DerError("a distribution point says neither where nor whose")


def check_distribution_point_name(element: Element) -> None:
    """Full name or name relative to the issuer's."""
    if element.tag == CONTEXT | 1:
        for attribute in element.children():
            names.read_attribute(attribute)
        return
    general_names.read_all(element, CONTEXT)


def check_proxy(element: Element) -> None:
    """ProxyCertInfo (crypto/x509/v3_pcia.c)."""
    fields = Fields(element)
    length = fields.maybe(der.INTEGER)
    policy = Fields(fields.need(der.SEQUENCE))
    fields.end()
    if length is not None:
        der.integer(length)
    der.oid(policy.need(der.OBJECT_IDENTIFIER))
    text = policy.maybe(der.OCTET_STRING)
    policy.end()
    if text is not None:
        der.string(text)


def check_address_blocks(element: Element) -> None:
    """IPAddrBlocks (crypto/x509/v3_addr.c)."""
    for family in der.expect(element, der.SEQUENCE).children():
        fields = Fields(family)
        der.string(fields.need(der.OCTET_STRING))
        choice = fields.need()
        fields.end()
        _check_choice(choice, der.BIT_STRING)


def check_autonomous_systems(element: Element) -> None:
    """ASIdentifiers (crypto/x509/v3_asid.c)."""
    fields = Fields(element)
    for part in (fields.maybe(CONTEXT), fields.maybe(CONTEXT | 1)):
        if part is not None:
            _check_choice(der.explicit(part), der.INTEGER)
    fields.end()


def _check_choice(element: Element, tag: int) -> None:
    """NULL for what is inherited, or a list of values and ranges of this type."""
    if element.tag == der.NULL:
        der.check_any(element)
        return
    for entry in der.expect(element, der.SEQUENCE).children():
        ends = der.sequence(entry) if entry.tag == der.SEQUENCE else [entry]
        if entry.tag == der.SEQUENCE and len(ends) != 2:
            raise DerError("a range has not two ends")
        for end in ends:
            der.check_any(der.expect(end, tag))
