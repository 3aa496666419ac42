# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of the playbooks: see plugin_utils/run_options.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import run_options


def mtls_run_problems(given: Mapping[str, Any]) -> list[str]:
    """As this controller sees it."""
    return run_options.problems(given)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_run_problems": mtls_run_problems}
