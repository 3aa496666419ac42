# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result repeats of the arguments, and what never."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the module class derives from Ansible's own")

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import module

SPEC: dict[str, Any] = {
    "at": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "several": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "path", "no_log": False},
            "content": {"type": "str", "no_log": True},
            "inner": {"type": "dict", "options": {"passphrase": {"type": "str", "no_log": True}}},
        },
    },
}
OUT = module.BLOTTED


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"at": "now", "secret": "x"}, {"at": "now", "secret": OUT}),
        ({"secret": None, "several": None}, {"secret": None, "several": None}),
        ({"secret": ["x", {"y": "z"}]}, {"secret": OUT}),
        ({"several": [{"path": "/p", "content": "x"}]}, {"several": [{"path": "/p", "content": OUT}]}),
        ({"several": [{"inner": {"passphrase": "x"}}]}, {"several": [{"inner": {"passphrase": OUT}}]}),
        # misspelt, or of another type than it should be: nobody knows what is in it
        ({"sceret": "x"}, {"sceret": OUT}),
        ({"several": [{"contnet": "x"}]}, {"several": [{"contnet": OUT}]}),
        ({"several": '[{"content": "x"}]'}, {"several": OUT}),
        ({"several": ["content=x"]}, {"several": [OUT]}),
        ({"several": {"content": "x"}}, {"several": {"content": OUT}}),
        ({"several": [{"inner": "passphrase=x"}]}, {"several": [{"inner": OUT}]}),
        ({"_ansible_check_mode": True}, {"_ansible_check_mode": True}),
    ],
)
def test_what_of_the_arguments_is_repeated(given: dict[str, Any], told: dict[str, Any]) -> None:
    before = copy.deepcopy(given)
    assert module.blotted_options(given, SPEC) == told
    assert given == before


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see -----BEGIN PRIVATE KEY-----\nMII", f"see {OUT}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nmore", OUT),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", OUT),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", OUT),
        ("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMII"),
        ("a private key stands in line 3", "a private key stands in line 3"),
    ],
)
def test_a_private_key_never_gets_into_a_result(text: str, left: str) -> None:
    for shape in (lambda value: value, lambda value: {"a": [value]}, lambda value: [{value: value}, 1, None]):
        assert module.without_keys(shape(text)) == shape(left)
