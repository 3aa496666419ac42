# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes to name a client, in the one form in which nginx writes it.

Each function returns that form or raises MtlsError with message and remedy.
"""

from __future__ import annotations

import re

from .asn1.attribute_names import SHORT
from .errors import MtlsError

_RDN = re.compile(
    r"[A-Za-z0-9.]+=(?:[^\x00-\x1f\x7f-\U0010ffff,;<>\"\\+]|\\[ #\"+,;<=>\\]|\\[0-9A-Fa-f]{2})*\Z"
)
#: Types of attributes as OpenSSL writes them, by their lower case.
_ATTRIBUTES = {short.lower(): short for short in SHORT.values()}


def distinguished_name(text: str) -> str:
    """A subject as ``$ssl_client_s_dn`` shows it: RFC 2253 with the escapes of RFC 4514, compared as text."""
    if text.startswith("/"):
        raise MtlsError(
            f"{text!r} is the old form of a name.", remedy='nginx compares with RFC 2253: "CN=b1,O=Shop".'
        )
    parts = re.split(r"(?<!\\)((?:\\\\)*)[,+]", text)
    rdns = [parts[i] + (parts[i + 1] if i + 1 < len(parts) else "") for i in range(0, len(parts), 2)]
    if any(rdn.startswith(" ") for rdn in rdns):
        raise MtlsError(f"{text!r} has a space after a comma.", remedy='nginx writes none: "CN=b1,O=Shop".')
    if not text.isascii():
        raise MtlsError(
            f"{text!r} has characters beyond ASCII.",
            remedy="nginx writes them as bytes, for example \\C3\\BC for \u00fc.",
        )
    if not all(_RDN.match(rdn) for rdn in rdns):
        raise MtlsError(
            f"{text!r} is not a distinguished name as nginx writes it (RFC 2253).",
            remedy='For example "CN=b1,O=Shop"; , + " \\ < > ; in a value are escaped with a backslash.',
        )
    text = re.sub(r"\\(?:[0-9A-Fa-f]{2}|.)", lambda found: found[0].upper(), text)
    return re.sub(
        r"(\A|(?<!\\)(?:\\\\)*[,+])([A-Za-z0-9.]+)(?==)",
        lambda found: found[1] + _ATTRIBUTES.get(found[2].lower(), found[2]),
        text,
    )


def serial(text: str) -> str:
    """A serial as ``$ssl_client_serial`` shows it: upper case, whole bytes, no leading zero byte.

    (i2a_ASN1_INTEGER, crypto/asn1/f_int.c). At most 20 bytes, RFC 5280, 4.1.2.2.
    """
    plain = text.replace(":", "").upper()
    if not re.match(r"[0-9A-F]{1,42}\Z", plain):
        raise MtlsError(f"{text!r} is not a serial number.", remedy="Write it in hexadecimal, quoted.")
    plain = plain.lstrip("0")
    return plain.zfill(max(2, len(plain) + len(plain) % 2))
