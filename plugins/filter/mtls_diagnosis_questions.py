# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: see plugin_utils/diagnosis_run.py."""

from __future__ import annotations

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.diagnosis_run import questions


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_diagnosis_questions": questions}
