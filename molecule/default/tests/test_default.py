# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on the hosts after site.yml."""

from __future__ import annotations

import pytest

BASE = "/etc/nginx/mtls"


@pytest.fixture(params=["a1", "b1"])
def host(request):
    return request.getfixturevalue(request.param)


def test_nginx_runs_and_starts_at_boot(host):
    service = host.service("nginx")
    assert service.is_running
    assert service.is_enabled


def test_private_keys_are_readable_by_root_only(host):
    found = host.check_output(f"find {BASE} -name privkey.pem -printf '%m %u:%g\n'").split("\n")
    assert set(found) == {"600 root:root"}
