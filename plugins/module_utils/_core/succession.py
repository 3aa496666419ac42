# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's chain beside the live one that it is to replace.

Whom its clients trust is not known where the server runs, so nothing there can verify the chain. But what is
served today works, and two faults cut every client off and show beside it: an intermediate that is sent no
longer (RFC 8446, 4.4.2: only a root may be left out), and another authority.
"""

from __future__ import annotations

from collections.abc import Sequence

from .certificate import CertificateFacts, issuer_key, likely_issued
from .findings import Finding
from .path import Pool, order


def succeed(live: Sequence[CertificateFacts], new: Sequence[CertificateFacts]) -> list[Finding]:
    """Findings about the chain *new*, leaf first, that takes the place of *live*; none without both."""
    if not live or not new:
        return []
    path, before = _path(new), _path(live)
    top = path[-1]
    if any(not cert.self_issued and cert not in new for cert in Pool(live[1:]).issuers(top)):
        return [
            Finding(
                "chain.missing_intermediate",
                f'The issuer of "{top.subject_text}", "{top.issuer_text}", is sent to clients today and is '
                "not in the new chain.",
                top.place,
            )
        ]
    if not set(map(_authority, path)) & set(map(_authority, before)):
        return [
            Finding(
                "chain.authority_changed",
                f'It comes from "{top.issuer_text}", the live one from "{before[-1].issuer_text}".',
                top.place,
            )
        ]
    return []


def _path(chain: Sequence[CertificateFacts]) -> list[CertificateFacts]:
    """The leaf and those above it that are sent, without the root."""
    path = [chain[0]]
    for cert in order(chain[0], chain[1:])[1:]:
        if cert.self_issued or not likely_issued(cert, path[-1]):
            break
        path.append(cert)
    return path


def _authority(cert: CertificateFacts) -> tuple[bytes, bytes]:
    return issuer_key(cert), cert.authority_key_id or b""
