# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site of a Server A answers a route, by the name and the address that the route asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .findings import Finding


def answering(sites: Iterable[Mapping[str, Any]], name: str, address: str) -> list[Mapping[str, Any]]:
    """Those of one host's *sites* that answer who asks for *name* at *address* (``host:port``).

    *sites*: `server_names` and `ports` of each.
    """
    port = int(address.rpartition(":")[2])
    return [site for site in sites if name in site["server_names"] and port in site["ports"]]


def no_site(host: str, name: str, address: str, sites: Iterable[Mapping[str, Any]]) -> Optional[Finding]:
    """What is wrong where none of the host's *sites* answers."""
    if answering(sites, name, address):
        return None
    return Finding("edge.no_site", f'No site of {host} has "{name}" at {address}.', address)
