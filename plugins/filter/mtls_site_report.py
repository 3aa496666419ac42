# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter of the roles: see plugin_utils/site_report.py."""

from __future__ import annotations

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.site_report import site_report


def mtls_site_report(fleet, hostvars, edges=None):
    """As of now."""
    return site_report(fleet, hostvars, edges)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        return {"mtls_site_report": mtls_site_report}
