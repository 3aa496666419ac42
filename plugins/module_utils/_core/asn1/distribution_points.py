# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates a CRL speaks of: its issuing distribution point against a certificate's distribution
points (crl_crldp_check and idp_check_dp, crypto/x509/x509_vfy.c; setup_idp and setup_dp for what is read)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .. import names
from ..certificate import CertificateFacts
from ..names import Rdns
from . import der, extensions, general_names
from .der import CONTEXT, DerError, Element, Fields
from .general_names import DIRECTORY, GeneralName

ALL_REASONS = 0x807F  # CRLDP_ALL_REASONS: the bits of ReasonFlags as OpenSSL numbers them
_EXTENSIONS = CONTEXT | 3
_EXTENSION_OID = b"\x06\x03\x55\x1d\x1f"


class PointName(NamedTuple):
    """A DistributionPointName: *full* names, or one *relative* to an issuer, already put behind it."""

    full: tuple[GeneralName, ...] = ()
    relative: Rdns | None = None


class DistributionPoint(NamedTuple):
    """One of a certificate. *reasons*: bits of those that it covers; *issuers* are of its CRL, None where the
    certificate's own issuer makes it."""

    name: PointName | None
    reasons: int
    issuers: tuple[GeneralName, ...] | None


class IssuingPoint(NamedTuple):
    """That of a CRL. *some_reasons*: it speaks of some reasons only."""

    name: PointName | None = None
    only_users: bool = False
    only_cas: bool = False
    only_attributes: bool = False
    some_reasons: bool = False
    indirect: bool = False

    @property
    def contradicts_itself(self) -> bool:
        """Two of three that exclude each other."""
        return (self.only_users, self.only_cas, self.only_attributes).count(True) > 1

    @property
    def says_nothing(self) -> bool:
        """RFC 5280, 5.2.5 forbids an empty one."""
        return self == IssuingPoint()


def read_issuing(element: Element, issuer: Rdns) -> IssuingPoint:
    """The IssuingDistributionPoint of a CRL of *issuer*; raises DerError."""
    fields = Fields(element)
    name = fields.maybe(CONTEXT)
    users, cas = (_flag(fields.maybe(CONTEXT | number)) for number in (1, 2))
    reasons = fields.maybe(CONTEXT | 3)
    indirect, attributes = (_flag(fields.maybe(CONTEXT | number)) for number in (4, 5))
    fields.end()
    if reasons is not None:
        der.bit_string(reasons)
    return IssuingPoint(
        None if name is None else _name(der.explicit(name), issuer),
        users,
        cas,
        attributes,
        reasons is not None,
        indirect,
    )


def _flag(element: Element | None) -> bool:
    return element is not None and der.boolean(element)


def _name(element: Element, issuer: Rdns) -> PointName:
    if element.tag == CONTEXT | 1:
        attributes = tuple(names.read_attribute(child) for child in element.children())
        return PointName(relative=(*issuer, attributes))
    return PointName(general_names.read_all(element, CONTEXT))


def of_certificate(cert: CertificateFacts) -> tuple[DistributionPoint, ...]:
    """Its distribution points; none where they cannot be read (no path has such a certificate)."""
    return _read(cert.tbs, cert.issuer) if _EXTENSION_OID in cert.tbs else ()


@lru_cache(maxsize=512)
def _read(tbs: bytes, issuer: Rdns) -> tuple[DistributionPoint, ...]:
    try:
        wrapped = [part for part in der.only(tbs).children() if part.tag == _EXTENSIONS]
        found = extensions.split(der.explicit(wrapped[-1])) if wrapped else []
        values = [one.value for one in found if one.oid == extensions.CRL_DISTRIBUTION_POINTS]
        if len(values) != 1:
            return ()
        points = der.expect(der.read(values[0])[0], der.SEQUENCE).children()
        return tuple(_point(point, issuer) for point in points)
    except DerError:
        return ()


def _point(element: Element, issuer: Rdns) -> DistributionPoint:
    fields = Fields(element)
    name = fields.maybe(CONTEXT)
    reasons = fields.maybe(CONTEXT | 1)
    given = fields.maybe(CONTEXT | 2)
    fields.end()
    issuers = None if given is None else general_names.read_all(given, CONTEXT | 2)
    whose = next((one.directory for one in issuers or () if one.directory is not None), issuer)
    return DistributionPoint(
        None if name is None else _name(der.explicit(name), whose),
        ALL_REASONS if reasons is None else _reasons(reasons),
        issuers,
    )


def _reasons(element: Element) -> int:
    octets, _unused = der.bit_string(element)
    return int.from_bytes(octets[:2], "little") & ALL_REASONS


def reasons_covered(cert: CertificateFacts, issuer: Rdns, point: IssuingPoint | None) -> int | None:
    """The reasons (bits) for which a CRL of *issuer* with this issuing *point* speaks of *cert*; None where
    it does not speak of it at all.

    *issuer* is the certificate's own. Not checked: *point*'s own reasons, those of an indirect CRL.
    """
    if point is not None and not _kind_fits(cert, point):
        return None
    for own in of_certificate(cert):
        if _issuer_fits(own, issuer) and (point is None or _names_meet(own.name, point.name)):
            return own.reasons
    return ALL_REASONS if point is None or point.name is None else None


def _kind_fits(cert: CertificateFacts, point: IssuingPoint) -> bool:
    is_ca = cert.basic_constraints is not None and cert.basic_constraints[0]
    return not (point.only_attributes or (point.only_users if is_ca else point.only_cas))


def _issuer_fits(point: DistributionPoint, issuer: Rdns) -> bool:
    if point.issuers is None:
        return True
    wanted = names.key(issuer)
    return any(one.directory is not None and names.key(one.directory) == wanted for one in point.issuers)


def _names_meet(one: PointName | None, other: PointName | None) -> bool:
    """idp_check_dp: what is not named meets everything."""
    if one is None or other is None:
        return True
    return bool(_keys(one) & _keys(other))


def _keys(name: PointName) -> set[tuple[str, bytes]]:
    if name.relative is not None:
        return {(DIRECTORY, names.key(name.relative))}
    return {(one.kind, one.value if one.directory is None else names.key(one.directory)) for one in name.full}
