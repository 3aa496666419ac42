# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extensions of a certificate that decide over chains and uses, read as OpenSSL reads them.

ossl_x509v3_cache_extensions (crypto/x509/v3_purp.c) reads exactly these at the first verification, and one
that it cannot read, or that stands twice, makes the certificate invalid for every path (EXFLAG_INVALID). Of
the others only the criticality counts. What follows a value inside its octet string is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from .. import certificate as rules
from . import der, general_names, resources
from .der import CONTEXT, DerError, Element, Fields
from .general_names import DIRECTORY, DNS, EMAIL, IP, URI, GeneralName

BASIC_CONSTRAINTS = "2.5.29.19"
KEY_USAGE = "2.5.29.15"
EXTENDED_KEY_USAGE = "2.5.29.37"
SUBJECT_KEY_ID = "2.5.29.14"
AUTHORITY_KEY_ID = "2.5.29.35"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
ISSUER_ALTERNATIVE_NAME = "2.5.29.18"
NAME_CONSTRAINTS = "2.5.29.30"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
PROXY_CERTIFICATE = "1.3.6.1.5.5.7.1.14"
IP_ADDRESS_BLOCKS = "1.3.6.1.5.5.7.1.7"
AUTONOMOUS_SYSTEMS = "1.3.6.1.5.5.7.1.8"

KEY_USES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
EXTENDED_USES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.4.1.311.10.3.3": "msSGC",
    "2.16.840.1.113730.4.1": "nsSGC",
}
# X509_supported_extension (crypto/x509/v3_purp.c): a critical one beyond these refuses the certificate.
KNOWN_TO_OPENSSL = frozenset(
    [
        NETSCAPE_TYPE,
        KEY_USAGE,
        SUBJECT_ALTERNATIVE_NAME,
        BASIC_CONSTRAINTS,
        "2.5.29.32",  # certificatePolicies
        CRL_DISTRIBUTION_POINTS,
        EXTENDED_KEY_USAGE,
        IP_ADDRESS_BLOCKS,
        AUTONOMOUS_SYSTEMS,
        "1.3.6.1.5.5.7.48.1.5",  # OCSP no check
        "2.5.29.36",  # policyConstraints
        PROXY_CERTIFICATE,
        NAME_CONSTRAINTS,
        "2.5.29.33",  # policyMappings
        "2.5.29.54",  # inhibitAnyPolicy
    ]
)


class Extension(NamedTuple):
    """*value* is the content of the octet string."""

    oid: str
    critical: bool
    value: bytes


def split(element: Element) -> list[Extension]:
    """The extensions of an Extensions value, whatever is in them; raises DerError."""
    return [_extension(child) for child in der.expect(element, der.SEQUENCE).children()]


def _extension(element: Element) -> Extension:
    fields = Fields(element)
    oid = der.oid(fields.need(der.OBJECT_IDENTIFIER))
    critical = fields.maybe(der.BOOLEAN)
    value = der.string(fields.need(der.OCTET_STRING))
    fields.end()
    return Extension(oid, critical is not None and der.boolean(critical), value)


def values(found: Sequence[Extension]) -> dict[str, Any]:
    """The fields of ``CertificateFacts`` that come from these extensions. Raises nothing: what cannot be read
    is among the `extension_faults`, and its value is absent."""
    result: dict[str, Any] = {}
    faults: list[str] = []
    counts = Counter(extension.oid for extension in found)
    for extension in found:
        title, reader = _READERS.get(extension.oid, ("", None))
        if reader is None or counts[extension.oid] > 1:
            continue
        try:
            result.update(reader(der.read(extension.value)[0]))
        except DerError as error:
            faults.append(f"the extension {title} cannot be read ({error})")
    faults += [
        f"the extension {_READERS[oid][0]} stands there {count} times"
        for oid, count in counts.items()
        if count > 1 and oid in _READERS
    ]
    result["extension_faults"] = tuple(faults + _inconsistent(result, counts))
    result["unknown_critical"] = tuple(
        extension.oid for extension in found if extension.critical and extension.oid not in KNOWN_TO_OPENSSL
    )
    return result


def _inconsistent(values: dict[str, Any], counts: Counter[str]) -> list[str]:
    """What can be read and still makes the certificate invalid."""
    faults: list[str] = []
    is_ca, length = values.get("basic_constraints", (False, None))
    if length is not None and length < 0:
        faults.append("the path length of basicConstraints is negative")
        values["basic_constraints"] = (is_ca, None)
    alternative = counts[SUBJECT_ALTERNATIVE_NAME] or counts[ISSUER_ALTERNATIVE_NAME]
    if values.get("is_proxy") and (is_ca or alternative):
        faults.append("a proxy certificate is a CA or has alternative names")
    return faults


def _basic_constraints(element: Element) -> dict[str, Any]:
    fields = Fields(element)
    authority = fields.maybe(der.BOOLEAN)
    length = fields.maybe(der.INTEGER)
    fields.end()
    return {
        "basic_constraints": (
            authority is not None and der.boolean(authority),
            None if length is None else _path_length(der.integer(length)),
        )
    }


def _path_length(number: int) -> int | None:
    """What is too big for a long is no limit to OpenSSL (ASN1_INTEGER_get)."""
    return number if number < 1 << 63 else None


def _key_usage(element: Element) -> dict[str, Any]:
    octets, _unused = der.bit_string(der.expect(element, der.BIT_STRING))
    if not any(octets[:2]):
        raise DerError("it allows nothing")
    return {"key_usage": der.named_bits(element, KEY_USES)}


def _extended_key_usage(element: Element) -> dict[str, Any]:
    oids = [
        der.oid(der.expect(use, der.OBJECT_IDENTIFIER))
        for use in der.expect(element, der.SEQUENCE).children()
    ]
    return {"extended_key_usage": tuple(EXTENDED_USES.get(oid, oid) for oid in oids)}


def _netscape_type(element: Element) -> dict[str, Any]:
    bits = der.named_bits(der.expect(element, der.BIT_STRING), rules.NETSCAPE_TYPES)
    return {"netscape_types": bits - {""}}


def _subject_key_id(element: Element) -> dict[str, Any]:
    return {"subject_key_id": der.string(der.expect(element, der.OCTET_STRING))}


def authority_key_id(element: Element) -> dict[str, Any]:
    """`authority_key_id`, `authority_issuer` (the first directory name, as OpenSSL takes it) and
    `authority_serial`, each None where it is absent; raises DerError."""
    fields = Fields(element)
    identifier = fields.maybe(CONTEXT)
    issuer = fields.maybe(CONTEXT | 1)
    serial = fields.maybe(CONTEXT | 2)
    fields.end()
    issuers = general_names.read_all(issuer, CONTEXT | 1) if issuer is not None else ()
    return {
        "authority_key_id": None if identifier is None else der.string(identifier),
        "authority_issuer": next((name.directory for name in issuers if name.kind == DIRECTORY), None),
        "authority_serial": None if serial is None else der.integer(serial),
    }


def _alternative_names(element: Element) -> dict[str, Any]:
    found = general_names.read_all(element)
    return {
        "general_names": found,
        "san_dns": _texts(found, DNS),
        "san_ip": _texts(found, IP),
        "san_uri": _texts(found, URI),
        "san_email": _texts(found, EMAIL),
    }


def _texts(found: Sequence[GeneralName], kind: str) -> tuple[str, ...]:
    return tuple(name.text for name in found if name.kind == kind)


def _name_constraints(element: Element) -> dict[str, Any]:
    return {"name_constraints": general_names.read_constraints(element)}


def _distribution_points(element: Element) -> dict[str, Any]:
    for point in der.expect(element, der.SEQUENCE).children():
        resources.check_distribution_point(point)
    return {}


def _proxy(element: Element) -> dict[str, Any]:
    resources.check_proxy(element)
    return {"is_proxy": True}


def _address_blocks(element: Element) -> dict[str, Any]:
    resources.check_address_blocks(element)
    return {"has_rfc3779": True}


def _autonomous_systems(element: Element) -> dict[str, Any]:
    resources.check_autonomous_systems(element)
    return {"has_rfc3779": True}


_READERS: dict[str, tuple[str, Callable[[Element], dict[str, Any]]]] = {
    BASIC_CONSTRAINTS: ("basicConstraints", _basic_constraints),
    KEY_USAGE: ("keyUsage", _key_usage),
    EXTENDED_KEY_USAGE: ("extendedKeyUsage", _extended_key_usage),
    SUBJECT_KEY_ID: ("subjectKeyIdentifier", _subject_key_id),
    AUTHORITY_KEY_ID: ("authorityKeyIdentifier", authority_key_id),
    SUBJECT_ALTERNATIVE_NAME: ("subjectAltName", _alternative_names),
    NAME_CONSTRAINTS: ("nameConstraints", _name_constraints),
    CRL_DISTRIBUTION_POINTS: ("crlDistributionPoints", _distribution_points),
    NETSCAPE_TYPE: ("nsCertType", _netscape_type),
    PROXY_CERTIFICATE: ("proxyCertInfo", _proxy),
    IP_ADDRESS_BLOCKS: ("sbgp-ipAddrBlock", _address_blocks),
    AUTONOMOUS_SYSTEMS: ("sbgp-autonomousSysNum", _autonomous_systems),
}
