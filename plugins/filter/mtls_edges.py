# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: see plugin_utils/edges.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import edges


def mtls_edges(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Optional[Iterable[str]] = None,
    opened: Optional[Mapping[str, str]] = None,
    at: str = "",
) -> dict[str, Any]:
    """Whether each Server A accepts each Server B that asks it, and the reverse, before and after a run."""
    if not isinstance(fleet, Mapping) or "edges" not in fleet:
        raise AnsibleFilterError(
            "mtls_edges takes the model of the fleet: hostvars | mtls_model(groups=groups)."
        )
    try:
        now = expiry.parse_rfc3339(at) if at else datetime.now(timezone.utc)
        return edges.judge(fleet, hostvars, hosts, opened or {}, now)
    except MtlsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_edges": mtls_edges}
