# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: see plugin_utils/fleet.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model, host_model


def mtls_model(
    value: Mapping[str, Any],
    hosts: Optional[Iterable[str]] = None,
    groups: Optional[Mapping[str, Iterable[str]]] = None,
) -> dict[str, Any]:
    """The model of one host's hostvars, or with *groups* of the whole fleet's."""
    if not isinstance(value, Mapping):
        raise AnsibleFilterError("mtls_model takes hostvars[HOST], or hostvars with groups=groups.")
    try:
        if groups is not None:
            return fleet_model(value, hosts, groups)
        if "inventory_hostname" not in value:
            raise AnsibleFilterError("mtls_model needs groups=groups to read all of hostvars.")
        return host_model(value)
    except MtlsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_model": mtls_model}
