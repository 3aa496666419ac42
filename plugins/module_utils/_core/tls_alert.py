# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS alerts: the number behind the name that OpenSSL prints, so that a refusal has one stable word."""

from __future__ import annotations

import re
from typing import Optional

# The registry of RFC 8446, B.2, and RFC 5246, 7.2, with the names as OpenSSL writes them.
_NUMBERS = {
    "CLOSE_NOTIFY": 0,
    "UNEXPECTED_MESSAGE": 10,
    "BAD_RECORD_MAC": 20,
    "DECRYPTION_FAILED": 21,
    "RECORD_OVERFLOW": 22,
    "DECOMPRESSION_FAILURE": 30,
    "HANDSHAKE_FAILURE": 40,
    "NO_CERTIFICATE": 41,
    "BAD_CERTIFICATE": 42,
    "UNSUPPORTED_CERTIFICATE": 43,
    "CERTIFICATE_REVOKED": 44,
    "CERTIFICATE_EXPIRED": 45,
    "CERTIFICATE_UNKNOWN": 46,
    "ILLEGAL_PARAMETER": 47,
    "UNKNOWN_CA": 48,
    "ACCESS_DENIED": 49,
    "DECODE_ERROR": 50,
    "DECRYPT_ERROR": 51,
    "EXPORT_RESTRICTION": 60,
    "PROTOCOL_VERSION": 70,
    "INSUFFICIENT_SECURITY": 71,
    "INTERNAL_ERROR": 80,
    "INAPPROPRIATE_FALLBACK": 86,
    "USER_CANCELLED": 90,
    "NO_RENEGOTIATION": 100,
    "MISSING_EXTENSION": 109,
    "UNSUPPORTED_EXTENSION": 110,
    "CERTIFICATE_UNOBTAINABLE": 111,
    "UNRECOGNIZED_NAME": 112,
    "BAD_CERTIFICATE_STATUS_RESPONSE": 113,
    "BAD_CERTIFICATE_HASH_VALUE": 114,
    "UNKNOWN_PSK_IDENTITY": 115,
    "CERTIFICATE_REQUIRED": 116,
    "NO_APPLICATION_PROTOCOL": 120,
}

# OpenSSL names an alert that it received SSLV3_ALERT_x, TLSV1_ALERT_x, TLSV13_ALERT_x, and the later ones
# TLSV1_x (include/openssl/sslerr.h, reasons 1000 + number). Its own faults carry no such prefix, and must
# not be taken for a word of the peer: UNSUPPORTED_PROTOCOL, CERTIFICATE_VERIFY_FAILED.
# The text of 3.2 and later begins "ssl/tls alert" where the reason's name is still SSLV3_ALERT.
_RECEIVED = re.compile(
    r"(?<![A-Z0-9])(?:SSLV3_ALERT|SSL_TLS_ALERT|TLSV1_ALERT|TLSV13_ALERT|TLSV1|TLSV13)_([A-Z_]+)"
)


def alert_number(reason: str) -> Optional[int]:
    """Return the number of the alert that the peer sent, or None.

    *reason* is OpenSSL's name (``TLSV1_ALERT_UNKNOWN_CA``) or its sentence ("tlsv1 alert unknown ca").
    None means that the fault was found on our side, or that the word is not known.
    """
    match = _RECEIVED.search(re.sub(r"[ /]+", "_", reason).upper())
    if match is None:
        return None
    words = match.group(1)
    # A sentence goes on after the name ("… unknown ca (_ssl.c:1000)"): the longest name it begins with.
    names = [name for name in _NUMBERS if words == name or words.startswith(name + "_")]
    return _NUMBERS[max(names, key=len)] if names else None


def alert_name(number: int) -> str:
    """Return the alert's name in words (``unknown ca``), or ``alert <number>`` where it is not known."""
    for name, value in _NUMBERS.items():
        if value == number:
            return name.lower().replace("_", " ")
    return f"alert {number}"
