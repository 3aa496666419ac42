# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts by OpenSSL's names and sentences: those the peer sent, and those that only look alike."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tls_alert import (
    alert_name,
    alert_number,
)

CASES: list[tuple[str, Optional[int]]] = [
    ("TLSV1_ALERT_UNKNOWN_CA", 48),
    ("TLSV13_ALERT_CERTIFICATE_REQUIRED", 116),
    ("TLSV1_UNRECOGNIZED_NAME", 112),
    ("TLSV1_ALERT_PROTOCOL_VERSION", 70),
    ("SSLV3_ALERT_HANDSHAKE_FAILURE", 40),
    ("SSLV3_ALERT_BAD_CERTIFICATE", 42),
    ("SSLV3_ALERT_CERTIFICATE_REVOKED", 44),
    ("SSLV3_ALERT_CERTIFICATE_EXPIRED", 45),
    ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", 46),
    ("TLSV1_ALERT_ACCESS_DENIED", 49),
    ("TLSV1_ALERT_INTERNAL_ERROR", 80),
    ("TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE", 113),
    ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", 120),
    # Sentences of OpenSSL 3.0 and of 3.2 and later, where Python has no name for the reason.
    ("[SSL] tlsv1 alert unknown ca (_ssl.c:2580)", 48),
    ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] ssl/tls alert handshake failure (_ssl.c:1029)", 40),
    ("ssl/tls alert bad certificate", 42),
    ("tlsv1 unrecognized name (_ssl.c:1)", 112),
    # Found by this side: no word of the peer.
    ("UNSUPPORTED_PROTOCOL", None),
    ("CERTIFICATE_VERIFY_FAILED", None),
    ("WRONG_VERSION_NUMBER", None),
    ("NO_PROTOCOLS_AVAILABLE", None),
    ("BAD_SIGNATURE", None),
    ("UNEXPECTED_EOF_WHILE_READING", None),
    ("UNKNOWN_CA", None),
    ("TLSV1_ALERT_SOMETHING_NEW", None),
    ("", None),
]


@pytest.mark.parametrize(("reason", "number"), CASES)
def test_number(reason: str, number: Optional[int]) -> None:
    assert alert_number(reason) == number


def test_name() -> None:
    assert [alert_name(n) for n in (48, 112, 200)] == ["unknown ca", "unrecognized name", "alert 200"]
