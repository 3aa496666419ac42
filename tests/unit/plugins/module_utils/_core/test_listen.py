# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.listen import first_name, parse_listen


@pytest.mark.parametrize(
    ("text", "key", "host"),
    [
        ("443", "*:443", "127.0.0.1"),
        ("*:443", "*:443", "127.0.0.1"),
        ("0.0.0.0:443", "*:443", "127.0.0.1"),
        ("[::]:443", "[::]:443", "::1"),
        ("[0:0:0:0:0:0:0:0]:443", "[::]:443", "::1"),
        ("[0::0]:443", "[::]:443", "::1"),
        ("[2001:db8:0:0::0001]:8443", "[2001:db8::1]:8443", "2001:db8::1"),
        ("[no]:443", "[no]:443", "no"),
        ("[2001:DB8::1]:8443", "[2001:db8::1]:8443", "2001:db8::1"),
        ("10.0.0.5:443", "10.0.0.5:443", "10.0.0.5"),
        ("10.0.0.5", "10.0.0.5:80", "10.0.0.5"),
        ("localhost:8080", "localhost:8080", "localhost"),
        ("[::1]", "[::1]:80", "::1"),
        ("unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_address_and_port(text: str, key: str, host: str) -> None:
    found = parse_listen((text,))
    assert (found.key, found.local_host) == (key, host)


def test_flags() -> None:
    found = parse_listen(("443", "ssl", "proxy_protocol", "default_server", "backlog=10"))
    assert (found.tls, found.proxy_protocol, found.default) == (True, True, True)
    # Options of the socket are set once; only these may stand in a second block.
    assert found.shared() == ("ssl", "proxy_protocol")
    assert not parse_listen(("443",)).default


def test_a_listen_without_port_number_is_refused() -> None:
    with pytest.raises(MtlsError, match="names no port"):
        parse_listen(("host:https",), "site x:2")


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["orders.example.com"], "orders.example.com"),
        (["*.example.com", "a.example.com"], "a.example.com"),
        (["*.example.com"], "mtls-probe.example.com"),
        ([".example.com"], "example.com"),
        (["_", "", "~^x$", "a.*"], None),
        ([], None),
    ],
)
def test_a_name_to_ask_for(names: list[str], name: str | None) -> None:
    assert first_name(names) == name
