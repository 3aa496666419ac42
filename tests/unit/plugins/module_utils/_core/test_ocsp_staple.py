# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stapled OCSP responses, as cryptography makes them, and what is none."""

from __future__ import annotations

import datetime
from typing import Any, Optional

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ocsp_staple
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import Pair, issue

# Without a zone, as old versions of cryptography want it: UTC.
THEN, UNTIL = (datetime.datetime.fromisoformat(day) for day in ("2026-11-20", "2026-11-27T12:30"))
CA = issue("ca", ca=True)
LEAF, OTHER = issue("leaf", CA), issue("other", CA)
NOTHING = {"this_update": None, "next_update": None}


def response(
    status: ocsp.OCSPCertStatus, until: Optional[datetime.datetime] = UNTIL, about: Pair = LEAF
) -> bytes:
    revoked: Any = THEN if status is ocsp.OCSPCertStatus.REVOKED else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate, CA.certificate, hashes.SHA1(), status, THEN, until, revoked, None
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, CA.certificate).sign(
        CA.key, hashes.SHA256()
    )
    return signed.public_bytes(Encoding.DER)


@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
@pytest.mark.parametrize("until", [UNTIL, None])
def test_each_status(status: str, until: Optional[datetime.datetime]) -> None:
    staple = response(ocsp.OCSPCertStatus[status.upper()], until)
    assert ocsp_staple.read(staple, LEAF.der) == {
        "status": status,
        "this_update": "2026-11-20T00:00:00Z",
        "next_update": "2026-11-27T12:30:00Z" if until else None,
    }


def test_none_is_stapled() -> None:
    assert ocsp_staple.read(b"", LEAF.der) == {"status": "none", **NOTHING}


GOOD = response(ocsp.OCSPCertStatus.GOOD)
LATER = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
    Encoding.DER
)


@pytest.mark.parametrize(
    ("staple", "leaf"),
    [
        (response(ocsp.OCSPCertStatus.GOOD, about=OTHER), LEAF.der),
        (LATER, LEAF.der),
        (GOOD[:-1], LEAF.der),
        (b"\x30\0", LEAF.der),
        (b"junk", LEAF.der),
        (GOOD, b""),
        (GOOD, b"junk"),
    ],
)
def test_what_says_nothing_of_the_leaf(staple: bytes, leaf: bytes) -> None:
    assert ocsp_staple.read(staple, leaf) == {"status": "error", **NOTHING}


def test_damage_raises_nothing() -> None:
    for place in range(len(GOOD)):
        for value in (0, 0x30, 0xFF):
            damaged = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
            assert ocsp_staple.read(damaged, LEAF.der)["status"] in ("good", "revoked", "unknown", "error")
