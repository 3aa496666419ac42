# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site of a Server A answers a route."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answering import answering, no_site

SITES = [
    {"name": "one", "server_names": ["o.test", "p.test"], "ports": [443, 8443]},
    {"name": "two", "server_names": ["o.test"], "ports": [9443]},
]


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("o.test", "a1:443", ["one"]),
        ("p.test", "a1:8443", ["one"]),
        ("o.test", "[2001:db8::1]:9443", ["two"]),
        ("p.test", "a1:9443", []),
        ("q.test", "a1:443", []),
        ("o.test", "a1:44", []),
    ],
)
def test_name_and_port_choose_the_site(name, address, expected):
    assert [site["name"] for site in answering(SITES, name, address)] == expected
    found = no_site("a1", name, address, SITES)
    assert (found is None) == bool(expected)
    if found is not None:
        assert found.message == f'No site of a1 has "{name}" at {address}.'
