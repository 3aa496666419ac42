# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and CRLs inside PKCS#7 and CMS SignedData (RFC 5652, 5.1), which Windows and many CAs deliver.

Pure. Signatures are not looked at: such a file is a bag.
"""

from __future__ import annotations

from . import der

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_CERTIFICATES, _CRLS = der.CONTEXT | 0, der.CONTEXT | 1


def unpack(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """(certificates, CRLs), as DER in their order; raises DerError for what is no SignedData, and for more of
    them than MAX_LIST. Other choices of a set (attribute certificates, OCSP answers) are left out."""
    top, _end = der.read(data)
    kind, wrapped = _two(der.sequence(top))
    if der.oid(kind) != _SIGNED_DATA:
        raise der.DerError("PKCS#7 holds no certificates: it is not signed data")
    parts = der.sequence(der.explicit(wrapped))
    certificates: list[bytes] = []
    crls: list[bytes] = []
    for part in parts:
        if part.tag in (_CERTIFICATES, _CRLS) and part.constructed:
            found = [one.encoding for one in part.children() if one.tag == der.SEQUENCE]
            (certificates if part.tag == _CERTIFICATES else crls).extend(found)
        if len(certificates) + len(crls) > der.MAX_LIST:
            raise der.DerError(f"PKCS#7 holds more than {der.MAX_LIST} values")
    return certificates, crls


def _two(parts: list[der.Element]) -> tuple[der.Element, der.Element]:
    if len(parts) != 2:
        raise der.DerError("PKCS#7 is not an identifier and a content")
    return parts[0], parts[1]
