# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed credential accepts from the other side: its trust bundle and its CRLs, on their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

from .._core import bundle as rules
from .._core import expiry
from .._core.findings import Finding
from . import bundle
from .shelf import Shelf


def examine(
    spec: Mapping[str, Any], at: datetime, shelf: Shelf
) -> tuple[Optional[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The certificates of `peers_trust` of *spec*, None without it, and the findings of it and `peers_crl`.

    There is no certificate to verify, so nothing is said of paths. A self-signed leaf is taken for one that
    is pinned on purpose: ``release`` has let it in.
    """
    at = expiry.utc(at)
    findings: list[Finding] = []
    trusted = None
    if spec.get("peers_trust") is not None:
        place = spec.get("peers_trust_place") or "trust"
        file = shelf.certificates("trust", spec["peers_trust"], place)
        facts = [cert.facts for cert in file.certificates]
        pinned = frozenset(cert.sha256 for cert in facts if cert.self_signed)
        found = rules.sort(facts, at, rules.Policy(rules.KEEP, rules.KEEP, rules.KEEP, pinned))
        findings += [*file.findings, *found.findings]
        trusted = [bundle.described(cert) for cert in facts]
    if spec.get("peers_crl") is not None:
        _lists, said = shelf.crls(spec["peers_crl"], spec.get("peers_crl_place") or "crl")
        findings += said
    return trusted, [finding.to_dict() for finding in dict.fromkeys(findings)]
