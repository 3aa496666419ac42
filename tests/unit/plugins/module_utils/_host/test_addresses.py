# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of a host, and names that are looked up there."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import addresses

TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.9
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
Local:
        |-- 10.0.0.9
           /32 host LOCAL
"""
INET6 = """00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000009 02 40 00 80     eth0
fe800000000000000000000000000009 02 40 20 80     eth0
"""


def test_own_addresses_without_those_that_every_host_has(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "fib_trie").write_text(TRIE)
    (tmp_path / "net" / "if_inet6").write_text(INET6)
    assert addresses.own(str(tmp_path)) == ["10.0.0.9", "2001:db8::9"]
    assert addresses.own(str(tmp_path / "none")) == []
    assert not [one for one in addresses.own() if one.startswith("127.")]


def test_what_a_name_stands_for() -> None:
    def ask(name: str, *dummy: Any, **more: Any) -> list[Any]:
        if name == "gone.example.com":
            raise socket.gaierror(-2, "Name or service not known")
        rows = ("192.0.2.2", 0), ("192.0.2.1", 0), ("192.0.2.1", 0)
        return [(socket.AF_INET, 1, 6, "", row) for row in rows]

    found = addresses.looked_up(["a.example.com", "gone.example.com", "a.example.com"], ask)
    assert found == {"a.example.com": ["192.0.2.1", "192.0.2.2"], "gone.example.com": []}
    assert addresses.looked_up(["x" * 80 + ".example.com"]) == {"x" * 80 + ".example.com": []}


def test_a_resolver_that_is_silent_stops_nobody() -> None:
    silent = threading.Event()

    def ask(name: str, *dummy: Any, **more: Any) -> list[Any]:
        if name == "slow":
            silent.wait(20)
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 0))]

    try:
        assert addresses.looked_up(["slow", "fast"], ask, 0.5) == {"slow": [], "fast": ["192.0.2.1"]}
    finally:
        silent.set()
