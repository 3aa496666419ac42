# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What explains the result of one probe of ``endpoint_info``, by what the one who asks knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._core.explain.case import Case, Seen, Side
from .._core.explain.explanation import explain
from . import credential
from .shelf import Shelf


def explained(
    asked: Mapping[str, Any], seen: Mapping[str, Any], spec: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """``{findings: [..], missing: [..]}``.

    *asked*: the options of the probe, *seen*: its result, *spec*: its files as ``credential.examine`` takes
    them.
    """
    told = Seen.of(asked, seen)
    if not told.sent:
        return explain(Case(told)).to_dict()
    # Not its trust: that is for the server's certificate.
    own = credential.examine({**spec, "trust": None, "purpose": "client", "name": ""}, at)
    client = Side(own=own["findings"], chain=_chain(spec))
    return explain(Case(told, client=client)).to_dict()


def _chain(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Subject and issuer of each certificate that is sent."""
    sent = spec.get("certificate")
    if not isinstance(sent, bytes):
        return []
    found = Shelf().certificates("certificate", sent, "").certificates
    return [{"subject": one.facts.subject_text, "issuer": one.facts.issuer_text} for one in found]
