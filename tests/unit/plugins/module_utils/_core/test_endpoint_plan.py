# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe inherits, what it shuts out, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.endpoint_plan import check, merge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

COMMON = {
    "host": "a.test",
    "port": 443,
    "tls": True,
    "certificate_path": "/c",
    "certificate_content": None,
    "private_key_path": "/k",
    "private_key_content": None,
    "private_key_passphrase": "p",
    "private_key_passphrase_path": None,
    "trust_path": "/t",
    "trust_content": None,
}


def test_without_a_list_there_is_one_probe() -> None:
    assert merge(COMMON, None) == [{**COMMON, "name": "", "place": ""}]


def test_an_empty_list_is_no_probe() -> None:
    assert merge(COMMON, []) == []


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {}),
        ({"name": "x", "port": 8443, "tls": None}, {"name": "x", "port": 8443}),
        ({"tls": False}, {"tls": False}),
        (
            {"certificate_path": ""},
            {"certificate_path": "", "private_key_path": None, "private_key_passphrase": None},
        ),
        (
            {"certificate_content": "C"},
            {
                "certificate_path": None,
                "certificate_content": "C",
                "private_key_path": None,
                "private_key_passphrase": None,
            },
        ),
        (
            {"private_key_path": "/k2"},
            {"certificate_path": None, "private_key_path": "/k2", "private_key_passphrase": None},
        ),
        ({"trust_content": "T"}, {"trust_path": None, "trust_content": "T"}),
    ],
)
def test_inheritance(own: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge(COMMON, [own]) == [{**COMMON, "name": "", "place": "probes[0].", **expected}]


def test_places_count() -> None:
    assert [entry["place"] for entry in merge(COMMON, [{}, {}])] == ["probes[0].", "probes[1]."]


@pytest.mark.parametrize(
    ("own", "option"),
    [
        ({"private_key_path": "/k2"}, "private_key_path"),
        ({"private_key_content": "K"}, "private_key_content"),
        ({"headers": {"X": ["a"]}}, "headers"),
        ({"headers": {"X": True}}, "headers"),
        ({"headers": {"X": None}}, "headers"),
        ({"headers": {1: "a"}}, "headers"),
    ],
)
def test_refused(own: dict[str, Any], option: str) -> None:
    with pytest.raises(MtlsError) as caught:
        check(merge(COMMON, [own])[0])
    assert caught.value.place == f"probes[0].{option}"


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"certificate_path": ""},
        {"certificate_content": "C"},
        {"certificate_content": "C", "private_key_content": "K"},
        {"headers": {"X": "a", "Y": 1}},
    ],
)
def test_accepted(own: dict[str, Any]) -> None:
    check(merge(COMMON, [own])[0])
