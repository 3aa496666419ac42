# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

BASE = "/etc/nginx/mtls"


@pytest.mark.parametrize("name", ["a1.example.com", "b1.example.com"])
def test_nginx_runs_and_starts_at_boot(hosts: dict[str, Any], name: str) -> None:
    service = hosts[name].service("nginx")
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize("name", ["a1.example.com", "b1.example.com"])
def test_private_keys_are_readable_by_root_only(hosts: dict[str, Any], name: str) -> None:
    found = hosts[name].check_output(f"find {BASE} -name privkey.pem -printf '%m %u:%g\n'").split("\n")
    assert set(found) == {"600 root:root"}
