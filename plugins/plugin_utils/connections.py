# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks whom in a fleet, by what ``nginx_tls_info`` has read on each host, whoever configured it.

A *reading* is what is known of one host: `tls`, the result of ``nginx_tls_info``, absent where there is none,
and `addresses`, the one by which the inventory reaches it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms

Reading = Mapping[str, Any]
_PROBE = "/.mtls/probe/"
_SOCKET = "unix:"
_WILDCARDS = ("*", "[::]", "0.0.0.0", "::")
_LOCALHOST = "localhost"


@dataclass(frozen=True)
class Asked:
    """Who stands behind one server of a location. *host*: of the inventory, "" for none of it. *address*: the
    IP address that is asked, "" where it is not known. *several*: hosts that may be meant by it, where the
    inventory does not tell them apart."""

    host: str
    address: str = ""
    several: tuple[str, ...] = ()


def locations(tls: Reading) -> Iterator[Mapping[str, Any]]:
    """All but our own probe locations, which are beside those that they are for."""
    for instance in tls.get("instances", ()):
        for one in instance.get("locations", ()):
            if not (one["ours"] and _PROBE in one["path"]):
                yield one


class Fleet:
    """All hosts that were read, and those that were not, by what they are called."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings
        self._told: dict[str, list[str]] = {}
        self._own: dict[str, list[str]] = {}
        for host, reading in readings.items():
            for name in dict.fromkeys(
                forms.plain_address(one) for one in (host, *reading.get("addresses", ()))
            ):
                self._told.setdefault(name, []).append(host)
            for address in _tls(reading).get("addresses") or ():
                self._own.setdefault(forms.plain_address(address), []).append(host)

    def behind(self, client: str, server: str) -> list[Asked]:
        """Everybody whom the nginx of *client* asks by one of its `servers`, ``host:port``: several where a
        name stands for several addresses."""
        if server.startswith(_SOCKET):
            return [Asked(client, server)]
        name = forms.plain_address(host_of(server))
        names = _tls(self._readings.get(client, {})).get("names") or {}
        known = [forms.plain_address(one) for one in names.get(host_of(server)) or ()]
        if forms.is_ip(name) or (name != _LOCALHOST and name in self._told) or not known:
            return [self._of(client, name, known[0] if len(known) == 1 else "")]
        found = [self._of(client, one) for one in known]
        # Both addresses of a host lead to one place.
        return list({(one.host, one.several) if one.host else one: one for one in reversed(found)}.values())[
            ::-1
        ]

    def _of(self, client: str, name: str, address: str = "") -> Asked:
        address = name if forms.is_ip(name) else address
        own = _tls(self._readings.get(client, {})).get("addresses") or ()
        if name == _LOCALHOST or _is_loopback(name) or name in map(forms.plain_address, own):
            return Asked(client, address)
        # What an interface has (of a bridge, say) many hosts may have; what the inventory says comes first.
        for known in (self._told, self._own):
            hosts = known.get(name, [])
            if len(hosts) > 1:
                return Asked("", address, tuple(hosts))
            if hosts:
                return Asked(hosts[0], address)
        return Asked("", address)


def _tls(reading: Reading) -> Mapping[str, Any]:
    return reading.get("tls") or {}


def _is_loopback(name: str) -> bool:
    return forms.is_ip(name) and ipaddress.ip_address(name).is_loopback


def host_of(server: str) -> str:
    """The host of ``host:port``, in brackets where it is written so."""
    host, colon, port = server.rpartition(":")
    return host if colon and port.isdecimal() else server


def port_of(server: str) -> Optional[int]:
    port = server.rpartition(":")[2]
    return int(port) if port.isdecimal() and not server.startswith(_SOCKET) else None


def block_for(tls: Reading, port: Optional[int], name: str, address: str = "") -> Optional[dict[str, Any]]:
    """The server block that answers to a server name on a port, as nginx chooses: the exact name, the
    longest wildcard, else the default server (ngx_http_find_virtual_server). A dot at the end is no part of
    it (ngx_http_validate_host).

    *address*: the IP address or unix socket that is asked, where it is known: a socket of its own takes all
    that is sent there.
    """
    here = list(_listening(tls, port, address))
    for wanted in _names(name.rstrip(".")):
        for dummy, block in here:
            if wanted in block["names"]:
                return dict(block)
    return next((dict(block) for one, block in here if one["default"]), None)


def by_expression(tls: Reading, port: Optional[int], address: str = "") -> bool:
    """Whether a block there has a name that is a regular expression, so that ``block_for`` may be wrong."""
    here = _listening(tls, port, address)
    return any(name.startswith("~") for dummy, block in here for name in block["names"])


def _listening(
    tls: Reading, port: Optional[int], address: str
) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    every = [
        (one, block)
        for instance in tls.get("instances", ())
        for block in instance.get("servers", ())
        for one in block["listens"]
        if not one.get("quic")
    ]
    if address.startswith(_SOCKET):
        return [row for row in every if row[0]["address"] == address]
    here = [row for row in every if row[0]["port"] == port and not row[0]["address"].startswith(_SOCKET)]
    if not address:
        return here
    own = [row for row in here if forms.plain_address(row[0]["address"]) == forms.plain_address(address)]
    return own or [
        row for row in here if row[0]["address"] in _WILDCARDS or not _is_address(row[0]["address"])
    ]


def _is_address(bound: str) -> bool:
    return forms.is_ip(bound.strip("[]"))


def _names(name: str) -> Iterator[str]:
    if name:
        yield name.lower()
        yield f".{name.lower()}"
        rest = name.lower()
        while "." in rest:
            rest = rest.partition(".")[2]
            yield f"*.{rest}"
            yield f".{rest}"
        rest = name.lower()
        while "." in rest:
            rest = rest.rpartition(".")[0]
            yield f"{rest}.*"
