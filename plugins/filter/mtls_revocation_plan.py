# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of revoke.yml: see plugin_utils/revocation_run.py."""

from __future__ import annotations

import functools
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import revocation_run


@functools.wraps(revocation_run.plan)
def mtls_revocation_plan(*arguments: Any) -> Any:
    """A fault of a person's as Ansible tells it."""
    try:
        return revocation_run.plan(*arguments)
    except MtlsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_revocation_plan": mtls_revocation_plan}
