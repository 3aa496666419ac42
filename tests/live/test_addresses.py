# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners on addresses that this host has not got, has as a second one, or cannot be asked by."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

LISTENER = """
server {
    listen %s;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    # %s
}
"""
NONLOCAL, NO_IPV6 = "net.ipv4.ip_nonlocal_bind", "net.ipv6.conf.all.disable_ipv6"


def in_its_network(host: Any, *command: str) -> None:
    """Runs a command of this machine in the host's network: on the host itself nobody may change that."""
    shown = subprocess.run(
        ["podman", "inspect", "--format", "{{.State.Pid}}", host.container],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["nsenter", "-t", shown.stdout.strip(), "-n", *command], check=True, capture_output=True)


@pytest.fixture(name="network")
def _network(host: Any) -> Iterator[Any]:
    yield host
    in_its_network(host, "sysctl", "-w", f"{NONLOCAL}=0", f"{NO_IPV6}=0")


def bring(host: Any, listen: str, text: str = "one") -> dict[str, Any]:
    listeners = [{"name": "1", "content": LISTENER % (listen, text)}]
    result: dict[str, Any] = host.call(
        parts={"proxy": {"credentials": [], "routes": [], "listeners": listeners}}
    )
    return result


def second_address(host: Any) -> str:
    """Another address in the network of the host's first one, which nobody has."""
    return str(host.sh("hostname -I").split()[0].rpartition(".")[0] + ".250")


def verdicts(done: dict[str, Any]) -> set[str]:
    return {row["verdict"] for row in done["proof"]}


def test_a_standby_is_brought_up_and_asks_nobody_else(network: Any) -> None:
    in_its_network(network, "sysctl", "-w", f"{NONLOCAL}=1")
    for text in ("one", "two"):
        done = bring(network, f"{second_address(network)}:8081", text)
        assert done.get("state") == "stable", done
        assert network.current() == done["release"]
        assert verdicts(done) == {"inconclusive"}
        assert "does not have that address" in done["proof"][0]["got"]


def test_the_second_address_of_an_interface_is_this_hosts_own(network: Any) -> None:
    """Its connections come from the first one."""
    address = second_address(network)
    device = network.sh("ip -o route get 192.0.2.1 | sed 's/.* dev \\([^ ]*\\).*/\\1/'")
    in_its_network(network, "ip", "addr", "add", f"{address}/24", "dev", device)
    try:
        done = bring(network, f"{address}:8081")
    finally:
        in_its_network(network, "ip", "addr", "del", f"{address}/24", "dev", device)
    assert done.get("state") == "stable", done
    assert verdicts(done) == {"ok"}


@pytest.mark.parametrize(
    ("listen", "off", "found"), [("[::]:8081", True, "inconclusive"), ("[::]:8081", False, "ok")]
)
def test_a_listener_on_ipv6_where_that_is_switched_off(
    network: Any, listen: str, off: bool, found: str
) -> None:
    in_its_network(network, "sysctl", "-w", f"{NO_IPV6}={int(off)}")
    done = bring(network, listen)
    assert done.get("state") == "stable", done
    assert verdicts(done) == {found}
