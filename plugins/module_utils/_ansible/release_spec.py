# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of ``release``, for the module and for the action plugin that runs before any connection."""

from __future__ import annotations

from typing import Any

#: What may come from the controller, from the host, or inline; one of the three.
SOURCES = ("certificate", "private_key", "chain")

_SOURCE: dict[str, Any] = {
    "src": {"type": "str"},
    "path": {"type": "path"},
    "content": {"type": "str", "no_log": True},
}
_ONE_SOURCE = [["src", "path", "content"]]

_PAIR: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "certificate_src": {"type": "str"},
    "certificate_path": {"type": "path", "no_log": False},
    "certificate_content": {"type": "str", "no_log": True},
    "private_key_src": {"type": "str", "no_log": False},
    "private_key_path": {"type": "path", "no_log": False},
    "private_key_content": {"type": "str", "no_log": True},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "private_key_passphrase_src": {"type": "str", "no_log": False},
    "private_key_passphrase_path": {"type": "path", "no_log": False},
    "chain_src": {"type": "str"},
    "chain_path": {"type": "path", "no_log": False},
    "chain_content": {"type": "str", "no_log": True},
}
_EXCLUSIVE = [
    *[[f"{what}_src", f"{what}_path", f"{what}_content"] for what in SOURCES],
    ["private_key_passphrase", "private_key_passphrase_src", "private_key_passphrase_path"],
]
_CREDENTIAL: dict[str, Any] = {
    **_PAIR,
    "purpose": {"type": "str", "choices": ["server", "client"]},
    "hostnames": {"type": "list", "elements": "str", "default": []},
    "trust": {
        "type": "dict",
        "options": {
            "sources": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": _SOURCE,
                "mutually_exclusive": _ONE_SOURCE,
                "required_one_of": _ONE_SOURCE,
            },
            "on_expired": {"type": "str", "choices": ["refuse", "drop", "keep"], "default": "drop"},
            "on_leaf": {"type": "str", "choices": ["refuse", "drop", "keep"], "default": "refuse"},
            "on_non_ca": {"type": "str", "choices": ["refuse", "drop", "keep"], "default": "refuse"},
            "allow_pinned": {"type": "list", "elements": "str", "default": []},
        },
    },
    "crl": {
        "type": "list",
        "elements": "dict",
        "options": _SOURCE,
        "mutually_exclusive": _ONE_SOURCE,
        "required_one_of": _ONE_SOURCE,
    },
    "verify_depth": {"type": "int"},
    "sessions": {"type": "str", "choices": ["off", "shared"]},
    "proof": {"type": "list", "elements": "dict", "options": _PAIR, "mutually_exclusive": _EXCLUSIVE},
}
_CREDENTIALS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": _CREDENTIAL,
    "mutually_exclusive": _EXCLUSIVE,
}
_BLOCKS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {"name": {"type": "str", "required": True}, "content": {"type": "str", "required": True}},
}

ARGUMENT_SPEC: dict[str, Any] = {
    "base": {"type": "path", "default": "/etc/nginx/mtls"},
    "parts": {
        "type": "dict",
        "options": {
            "server": {"type": "dict", "options": {"credentials": _CREDENTIALS, "sites": _BLOCKS}},
            "proxy": {
                "type": "dict",
                "options": {"credentials": _CREDENTIALS, "routes": _BLOCKS, "listeners": _BLOCKS},
            },
        },
    },
    "state": {"type": "str", "choices": ["present", "absent", "rolled_back"], "default": "present"},
    "until": {"type": "str", "choices": ["checked", "stable"], "default": "stable"},
    "to": {"type": "str"},
    "expected": {"type": "str"},
    "keep": {"type": "int", "default": 3},
    "service": {"type": "str", "default": "nginx"},
    "worker_shutdown_timeout": {"type": "str", "default": "60s"},
    "proof_rounds": {"type": "int", "default": 3},
    "lock_timeout_s": {"type": "float", "default": 60},
    "timeout_s": {"type": "float", "default": 30},
}
