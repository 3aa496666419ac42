# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as OpenSSL compares them and as nginx prints them."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names

CN, O, OU = "2.5.4.3", "2.5.4.10", "2.5.4.11"  # noqa: E741 the attribute is called O

PRINTED = [
    ((((CN, "b1"),),), "CN=b1"),
    ((((O, "Shop"),), ((CN, "b1"),)), "CN=b1,O=Shop"),
    ((((O, "Shop"),), ((OU, "x"), (CN, "b1"))), "CN=b1+OU=x,O=Shop"),
    ((((O, 'Shop, "Inc" <a>;+\\'),),), 'O=Shop\\, \\"Inc\\" \\<a\\>\\;\\+\\\\'),
    ((((CN, "#a #"),),), "CN=\\#a #"),
    ((((CN, " a b "),),), "CN=\\ a b\\ "),
    ((((CN, "ü\n"),),), "CN=\\C3\\BC\\0A"),
    ((((names.COMMON_NAME, "x"), ("1.2.3.4", "y")),), "1.2.3.4=#0C0179+CN=x"),
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
