# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of audit.yml: see plugin_utils/audit/report.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import edges
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import report
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.model import GROUPS


def audit_report(
    hostvars: Mapping[str, Any], groups: Mapping[str, Collection[str]], at: str = ""
) -> dict[str, Any]:
    """The report; edges only where the inventory has hosts of this collection."""
    try:
        now = expiry.parse_rfc3339(at) if at else datetime.now(timezone.utc).replace(microsecond=0)
    except MtlsError as error:
        raise AnsibleFilterError(str(error)) from error
    judged, problems = None, ""
    if any(groups.get(group) for group in GROUPS):
        try:
            # No host changes, so every edge is judged as it is.
            judged = edges.judge(fleet_model(hostvars, None, groups), hostvars, [], {}, now)
        except (MtlsError, AnsibleError) as error:
            problems = str(error)
    return report(hostvars, groups, now, judged, problems)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"audit_report": audit_report}
