# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import struct

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import routes


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True),
        # Its connections come from 127.0.0.1, and are local all the same.
        ("127.0.0.2", True),
        # RFC 5737: nobody's.
        ("192.0.2.1", False),
        ("a1.example.com", True),
        ("unix:/run/a.sock", True),
    ],
)
def test_what_the_kernel_says(address: str, here: bool) -> None:
    assert routes.is_here(address) is here


def route(kind: int) -> bytes:
    return struct.pack("=IHHII", 28, 24, 0, 1, 0) + struct.pack(
        "=BBBBBBBBI", 10, 128, 0, 0, 255, 0, 0, kind, 0
    )


def error(number: int) -> bytes:
    return struct.pack("=IHHII", 36, 2, 0, 1, 0) + struct.pack("=i", -number) + bytes(16)


@pytest.mark.parametrize(
    ("answer", "here"),
    [
        (route(2), True),
        (route(1), False),
        (route(6), False),
        (error(errno.ENETUNREACH), False),
        (error(errno.EHOSTUNREACH), False),
        # Who may not ask, or asks a kernel without IPv6, goes on as if nothing was asked.
        (error(errno.EPERM), True),
        (error(errno.EOPNOTSUPP), True),
        (b"", True),
        (route(2)[:20], True),
    ],
)
def test_its_answers(monkeypatch: pytest.MonkeyPatch, answer: bytes, here: bool) -> None:
    monkeypatch.setattr(routes, "_asked", lambda family, packed: answer)
    assert routes.is_here("2001:db8::1") is here


def test_without_netlink_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(family: int, packed: bytes) -> bytes:
        raise PermissionError

    monkeypatch.setattr(routes, "_asked", asked)
    assert routes.is_here("192.0.2.1")
