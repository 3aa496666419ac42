# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as OpenSSL compares and matches them and as nginx prints them."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names

CN, O, OU = "2.5.4.3", "2.5.4.10", "2.5.4.11"  # noqa: E741

PRINTED = [
    ((((CN, "b1"),),), "CN=b1"),
    ((((O, "Shop"),), ((CN, "b1"),)), "CN=b1,O=Shop"),
    ((((O, "Shop"),), ((OU, "x"), (CN, "b1"))), "CN=b1+OU=x,O=Shop"),
    ((((O, 'Shop, "Inc" <a>;+\\'),),), 'O=Shop\\, \\"Inc\\" \\<a\\>\\;\\+\\\\'),
    ((((CN, "#a #"),),), "CN=\\#a #"),
    ((((CN, " a b "),),), "CN=\\ a b\\ "),
    ((((CN, "ü\n"),),), "CN=\\C3\\BC\\0A"),
    ((((names.COMMON_NAME, "x"), ("1.2.3.4", "y")),), "1.2.3.4=y+CN=x"),
    ((), ""),
]


@pytest.mark.parametrize(("name", "text"), PRINTED)
def test_text(name, text) -> None:
    assert names.text(name) == text


EQUAL = [("Root CA", "root  ca", True), ("Root CA", " Root CA ", True), ("RootCA", "Root CA", False),
         ("Ä", "ä", False)]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "equal"), EQUAL)
def test_canonical(one, other, equal) -> None:
    def as_name(text):
        return names.canonical((((CN, text),),))

    assert (as_name(one) == as_name(other)) is equal


MATCHES = [
    # pattern, name, matches
    ("a.example.com", "a.example.com", True),
    ("A.example.COM", "a.example.com", True),
    ("a.example.com", "b.example.com", False),
    ("*.example.com", "a.example.com", True),
    ("*.example.com", "a.b.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.example.com", ".example.com", False),
    ("*.com", "example.com", False),
    ("*", "localhost", False),
    ("a.*.example.com", "a.b.example.com", False),
    ("a*.example.com", "ab.example.com", True),
    ("*b.example.com", "ab.example.com", True),
    ("a*c.example.com", "abc.example.com", True),
    ("a*c.example.com", "ac.example.com", True),
    ("ab*ba.example.com", "aba.example.com", False),
    ("*.*.example.com", "a.b.example.com", False),
    ("**.example.com", "ab.example.com", False),
    ("x*.example.com", "xn--a.example.com", False),
    ("*.example.com", "xn--a.example.com", True),
]


@pytest.mark.parametrize(("pattern", "name", "matches"), MATCHES)
def test_dns(pattern, name, matches) -> None:
    assert names.covers(name, [pattern], [], []) is matches


def test_addresses_are_compared_as_numbers() -> None:
    assert names.covers("2001:db8::1", [], ["2001:0db8:0:0:0:0:0:1"], [])
    assert names.covers("[2001:db8::1]", [], ["2001:db8::1"], [])
    assert names.covers("10.0.0.1", [], ["10.0.0.1"], [])
    assert not names.covers("10.0.0.1", ["10.0.0.1"], [], ["10.0.0.1"])
    assert not names.covers("10.0.0.1", [], ["10.0.0.2"], [])


def test_common_name_counts_only_without_dns_names() -> None:
    assert names.covers("a.test", [], [], ["a.test"])
    assert names.covers("a.test", [], ["10.0.0.1"], ["a.test"])
    assert not names.covers("a.test", ["b.test"], [], ["a.test"])


def test_sets() -> None:
    assert names.name_set(["A.test.", "2001:DB8:0::1"]) == {"a.test", "2001:db8::1"}
