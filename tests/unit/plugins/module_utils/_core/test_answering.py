# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site of a Server A answers a route."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answering import answering, no_site

SITES = [
    {"name": "one", "server_names": ["o.test", "p.test"], "listen": ["*:443", "[::]:443", "0.0.0.0:8443"]},
    {"name": "two", "server_names": ["o.test"], "listen": ["[::]:9443"]},
    {"name": "int", "server_names": ["s.test"], "listen": ["10.0.0.1:443", "[2001:DB8:0::1]:443"]},
    {"name": "ext", "server_names": ["s.test"], "listen": ["192.0.2.1:443"]},
    {"name": "own", "server_names": ["l.test"], "listen": ["127.0.0.1:443", "[::1]:443"]},
    {"name": "far", "server_names": ["l.test"], "listen": ["192.0.2.1:443"]},
    {"name": "near", "server_names": ["m.test"], "listen": ["127.0.0.2:443"]},
]


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("o.test", "a1:443", ["one"]),
        ("p.test", "a1:8443", ["one"]),
        ("o.test", "[2001:db8::9]:9443", ["two"]),
        ("p.test", "a1:9443", []),
        ("q.test", "a1:443", []),
        ("o.test", "a1:44", []),
        # A wildcard fits all addresses but those that have a listen of their own, as nginx chooses.
        ("o.test", "192.0.2.9:443", ["one"]),
        ("o.test", "[2001:db8::9]:443", ["one"]),
        ("o.test", "192.0.2.1:443", []),
        ("s.test", "10.0.0.1:443", ["int"]),
        ("s.test", "[2001:db8::1]:443", ["int"]),
        ("s.test", "192.0.2.1:443", ["ext"]),
        ("s.test", "192.0.2.9:443", []),
        # What a name stands for is not known; a loopback address is not what others are told.
        ("s.test", "a1:443", ["int", "ext"]),
        ("l.test", "a1:443", ["far"]),
        ("l.test", "127.0.0.1:443", ["own"]),
        ("m.test", "a1:443", ["near"]),
    ],
)
def test_name_and_address_choose_the_site(name, address, expected):
    assert [site["name"] for site in answering(SITES, name, address)] == expected
    found = no_site("a1", name, address, SITES)
    assert (found is None) == bool(expected)
    if found is not None:
        assert found.message == f'No site of a1 has "{name}" at {address}.'
