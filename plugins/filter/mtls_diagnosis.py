# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: see plugin_utils/diagnosis_run.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import diagnosis_run


def mtls_diagnosis(
    hostvars: Mapping[str, Any],
    hosts: Iterable[str],
    client: str = "",
    server: str = "",
    at: str = "",
    path: str = "/",
) -> dict[str, Any]:
    """Why each connection between the hosts that were read does not work, and which do."""
    try:
        now = expiry.parse_rfc3339(at) if at else datetime.now(timezone.utc)
        readings = diagnosis_run.readings(hostvars, hosts, now, path)
        return diagnosis_run.report(readings, now, client, server)
    except MtlsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_diagnosis": mtls_diagnosis}
