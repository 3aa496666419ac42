# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a question leads to: the block that it is put for, or nobody is asked."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.doors import questions
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.configurations import in_force

Asked = list[tuple[int, str, str]]


def asked(*blocks: str) -> Asked:
    """(block, address, name) of each question."""
    text = "".join(f"server {{ {lines} }}" for lines in blocks)
    found = in_force(f"events {{}} http {{ {text} }}").servers
    return [(one.server, one.address, one.server_name) for one in questions(found)]


A = "listen 443 ssl; server_name a.test;"


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ("listen 443 ssl; server_name b.test;", [(1, "127.0.0.1", "b.test")]),
        ("listen 443 ssl; server_name a.test;", []),
        ("listen 443 ssl; server_name 192.0.2.1;", []),
        ("listen 443 ssl; server_name [2001:db8::1] $hostname;", []),
        ("listen 443 ssl; server_name 192.0.2.1 b.test;", [(1, "127.0.0.1", "b.test")]),
        ("listen 8443 ssl; server_name 192.0.2.1;", [(1, "127.0.0.1", "")]),
        ("listen 443 ssl; server_name .a.test;", []),
        ("listen 443 ssl; server_name .a.test c.test;", [(1, "127.0.0.1", "c.test")]),
        ("listen 443 ssl; server_name a.test *.test;", [(1, "127.0.0.1", "mtls-probe.test")]),
        ("listen 443 ssl; server_name .b.test;", [(1, "127.0.0.1", "b.test")]),
        ("listen 443 ssl; server_name *.a.test;", [(1, "127.0.0.1", "mtls-probe.a.test")]),
        ("listen 443 ssl; server_name ~a;", []),
    ],
)
def test_a_name_that_leads_elsewhere_is_not_asked_for(other: str, wanted: Asked) -> None:
    assert asked(A, other) == [(0, "127.0.0.1", "a.test"), *wanted]


def test_the_longest_wildcard_answers() -> None:
    names = ("*.test", "*.mtls-probe.test .b.test", "x.b.test")
    assert asked(*(f"listen 443 ssl; server_name {name};" for name in names)) == [
        (0, "127.0.0.1", "mtls-probe.test"), (1, "127.0.0.1", "b.test"), (2, "127.0.0.1", "x.b.test"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "address"),
    [
        ("127.0.0.1:443 ssl", "127.0.0.2"),
        ("127.0.0.1:443", "127.0.0.2"),
        ("localhost:443 ssl", "127.0.0.2"),
        ("127.0.0.1:8443 ssl", "127.0.0.1"),
        ("127.0.0.2:443 ssl", "127.0.0.1"),
        ("[::1]:443 ssl", "127.0.0.1"),
    ],
)
def test_a_wildcard_is_asked_where_nobody_else_listens(other: str, address: str) -> None:
    assert asked(A, f"listen {other}; server_name b.test;")[0] == (0, address, "a.test")


@pytest.mark.parametrize(
    ("other", "wanted"),
    [("[::1]:443 ssl", []), ("localhost:443 ssl", []), ("127.0.0.1:443 ssl", [(0, "::1", "a.test")])],
)
def test_ipv6_has_one_address_of_the_host(other: str, wanted: Asked) -> None:
    found = asked("listen [::]:443 ssl; server_name a.test;", f"listen {other}; server_name b.test;")
    assert [one for one in found if one[0] == 0] == wanted


def test_a_name_that_begins_with_a_dot_is_the_name_as_well() -> None:
    """Measured: of the two the first one answers."""
    assert asked("listen 443 ssl; server_name .a.test;", A) == [(0, "127.0.0.1", "a.test")]


def test_a_default_server_is_asked_without_a_name_that_leads_elsewhere() -> None:
    first = "listen 443 ssl default_server; server_name 192.0.2.1 _;"
    assert asked(first, A) == [(0, "127.0.0.1", ""), (1, "127.0.0.1", "a.test")]
