# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names as OpenSSL compares and nginx prints them."""

from __future__ import annotations

import re

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
