# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site of a Server A answers a route, by the name and the address that the route asks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Optional

from .findings import Finding

_WILDCARDS = frozenset(["*", "0.0.0.0", "::"])


def answering(sites: Sequence[Mapping[str, Any]], name: str, address: str) -> list[Mapping[str, Any]]:
    """Those of one host's *sites* that answer who asks for *name* at *address*, ``host:port``. Several where
    the host is a name: what it stands for is not looked up.

    *sites*: `server_names` and `listen` (``address:port``) of each.
    """
    host, port, is_address = _split(address)
    listening = [
        (site, {one for one, at, dummy in map(_split, site["listen"]) if at == port}) for site in sites
    ]
    if is_address:
        # A socket of its own takes all that is sent to an address, whoever listens on the wildcard.
        own = [(site, hosts) for site, hosts in listening if host in hosts]
        listening = own or [(site, hosts) for site, hosts in listening if hosts & _WILDCARDS]
    found = [(site, hosts) for site, hosts in listening if hosts and name in site["server_names"]]
    outside = [] if is_address else [site for site, hosts in found if not all(map(_is_loopback, hosts))]
    return outside or [site for site, dummy in found]


def no_site(host: str, name: str, address: str, sites: Sequence[Mapping[str, Any]]) -> Optional[Finding]:
    """What is wrong where none of the host's *sites* answers."""
    if answering(sites, name, address):
        return None
    return Finding("edge.no_site", f'No site of {host} has "{name}" at {address}.', address)


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[str, str, bool]:
    """Host, in the form in which two spellings of it are equal, port, and whether the host is an address."""
    host, _colon, port = text.rpartition(":")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), port, True
    except ValueError:
        return host.lower(), port, False


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"
