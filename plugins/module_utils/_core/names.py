# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names as OpenSSL compares and nginx prints them, host names as OpenSSL matches them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

# A distinguished name as plain values: per RDN its attributes, each (dotted OID, value).
Rdns = tuple[tuple[tuple[str, str], ...], ...]

COMMON_NAME = "2.5.4.3"

# OpenSSL's short names, which nginx prints in $ssl_client_s_dn.
# fmt: off
_SHORT = {
    "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L",
    "2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title",
    "2.5.4.13": "description", "2.5.4.15": "businessCategory", "2.5.4.17": "postalCode",
    "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym", "2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}
# fmt: on


def canonical(name: Rdns) -> Rdns:
    """The form in which OpenSSL compares names: ASCII lower case, white space cut and collapsed, string
    types ignored (crypto/x509/x_name.c, x509_name_canon; RFC 5280, 7.1)."""
    return tuple(tuple(sorted((oid, _canonical_value(value)) for oid, value in rdn)) for rdn in name)


def _canonical_value(value: str) -> str:
    collapsed = re.sub(r"[ \t\n\v\f\r]+", " ", value).strip(" ")
    return "".join(char.lower() if char.isascii() else char for char in collapsed)


def text(name: Rdns) -> str:
    """The name as nginx prints it (XN_FLAG_RFC2253): last RDN first, non-ASCII as \\XX of its UTF-8.

    Not covered: attributes without a short name are `OID=value`, where OpenSSL dumps their DER.
    """
    parts: list[str] = []
    for rdn in reversed(name):
        parts.append("+".join(f"{_SHORT.get(oid, oid)}={_escaped(value)}" for oid, value in reversed(rdn)))
    return ",".join(parts)


def _escaped(value: str) -> str:
    out: list[str] = []
    for index, char in enumerate(value):
        if (
            char in ',+"\\<>;'
            or (char == "#" and index == 0)
            or (char == " " and index in (0, len(value) - 1))
        ):
            out.append("\\" + char)
        elif " " <= char <= "~":
            out.append(char)
        else:
            out.extend(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
    return "".join(out)


def common_names(name: Rdns) -> list[str]:
    return [value for rdn in name for oid, value in rdn if oid == COMMON_NAME]


def as_ip(name: str) -> str:
    """The address in its shortest form, or "" for what is no IP address (brackets allowed)."""
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""


def name_set(names: Iterable[str]) -> frozenset[str]:
    """Host names for comparison as sets: lower case, addresses in their shortest form."""
    return frozenset(as_ip(name) or name.rstrip(".").lower() for name in names)


def covers(name: str, dns: Sequence[str], ips: Sequence[str], cns: Sequence[str]) -> bool:
    """Whether a certificate with these names is valid for *name*, by the rules of X509_check_host and
    X509_check_ip: the common name counts only where there is no DNS name at all.

    nginx as a client checks DNS names only, also for an address; that is the caller's to say.
    """
    address = as_ip(name)
    if address:
        return address in (as_ip(ip) for ip in ips)
    return any(_dns_match(pattern, name) for pattern in (dns or cns))


def by_common_name_only(name: str, dns: Sequence[str]) -> bool:
    """Whether ``covers`` could only have matched the common name."""
    return not dns and not as_ip(name)


def _dns_match(pattern: str, name: str) -> bool:
    """OpenSSL's equal_wildcard (crypto/x509/v3_utl.c): one star, in the first label, at least two labels
    after it; it stands for letters, digits and hyphens of that one label."""
    pattern, name = pattern.lower(), name.lower()
    if pattern == name:
        return True
    first, dot, rest = pattern.partition(".")
    name_first, name_dot, name_rest = name.partition(".")
    if first.count("*") != 1 or "*" in rest or rest.count(".") < 1 or not (dot and name_dot):
        return False
    if rest != name_rest:
        return False
    if first == "*":
        return re.fullmatch(r"[a-z0-9-]+", name_first) is not None
    if first.startswith("xn--") or name_first.startswith("xn--"):
        return False
    prefix, suffix = first.split("*")
    if len(name_first) < len(prefix) + len(suffix):
        return False
    middle = name_first[len(prefix) : len(name_first) - len(suffix)]
    return (
        name_first.startswith(prefix)
        and name_first.endswith(suffix)
        and re.fullmatch(r"[a-z0-9-]*", middle) is not None
    )
