# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of audit.yml: see plugin_utils/audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Union

from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import metrics, page, summary

_MAKERS = {
    "html": page.html,
    "json": lambda report: json.dumps(report, indent=1, ensure_ascii=False) + "\n",
    "prometheus": metrics.text,
    "lines": summary.lines,
}


def audit_output(report: Mapping[str, Any], form: str) -> Union[str, list[str]]:
    """The report in that form."""
    if form not in _MAKERS:
        raise AnsibleFilterError(f"audit_output knows no form {form!r}. Give one of {', '.join(_MAKERS)}.")
    return _MAKERS[form](report)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"audit_output": audit_output}
