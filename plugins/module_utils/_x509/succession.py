# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a server's chain, the live one and the new one, for ``_core/succession.py``."""

from __future__ import annotations

from typing import Any

from .._core.certificate import CertificateFacts
from .._core.succession import succeed
from . import certificate


def examine(live: bytes, new: bytes) -> list[dict[str, Any]]:
    """Findings about *new* in the place of *live*, both fullchain.pem; *live* may be empty."""
    return [finding.to_dict() for finding in succeed(_facts(live), _facts(new))]


def _facts(data: bytes) -> list[CertificateFacts]:
    return [one.facts for one in certificate.split(data)] if data else []
