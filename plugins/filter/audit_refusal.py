# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of audit.yml: see plugin_utils/audit/summary.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import summary


def audit_refusal(report: Mapping[str, Any], fail_on: str = "error") -> str:
    """Why the run ends with an error."""
    return summary.refusal(report, fail_on)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"audit_refusal": audit_refusal}
