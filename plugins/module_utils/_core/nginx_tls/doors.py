# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions tell what each server block serves: its sockets and a name that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..listen import Listen, first_name
from .values import is_address

_MOST_OF_ONE = 8
#: What of a wildcard's addresses is this host in any case.
_LOCAL = {"*": [f"127.0.0.{last}" for last in range(1, 10)], "[::]": ["::1"]}
_LOCALHOST = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Question:
    """*server*: the number of the server block that answers; *server_name* "" is asked without one."""

    server: int
    address: str
    port: int
    server_name: str
    proxy_protocol: bool


def questions(servers: Sequence[Mapping[str, Any]]) -> Iterator[Question]:
    """One for each listen with TLS of each block and its first name that leads there. A block all of whose
    names lead to another one, or that has none and is not the default, is asked nothing."""
    owners = _Owners(servers)
    for number, server in enumerate(servers):
        names = _sent(server["names"])
        for listen in [one for one in server["listens"] if one["tls"] and not one["quic"]][:_MOST_OF_ONE]:
            here = (name for name in names if owners.of(server["module"], listen, name) == number)
            name, address = next(here, ""), owners.address(listen)
            if (name or listen["default"]) and address and not server["reject_handshake"]:
                yield Question(number, address, listen["port"], name, listen["proxy_protocol"])


def _sent(names: Sequence[str]) -> list[str]:
    """What a client sends that is meant by *names*, plain ones first. An address is no name there (RFC 6066,
    3), nor is what a variable stands for."""
    possible = [name for name in names if not is_address(name) and "$" not in name]
    told = [first_name([name]) for name in sorted(possible, key=lambda name: name.startswith("*."))]
    return [name for name in told if name]


def _forms(name: str) -> tuple[str, ...]:
    return (name[1:], f"*{name}") if name.startswith(".") else (name,)


class _Owners:
    """Which block answers to a name on a socket: the exact name before the longest wildcard
    (ngx_http_find_virtual_server; names that a regular expression takes are none of those asked for)."""

    def __init__(self, servers: Sequence[Mapping[str, Any]]) -> None:
        self._names: dict[tuple[Any, ...], int] = {}
        self._bound: set[tuple[str, int]] = set()
        for number, server in enumerate(servers):
            for listen in server["listens"]:
                socket = listen["address"], listen["port"]
                self._bound.add(socket)
                # ".a" is "a" and "*.a" (ngx_hash_add_key).
                for name in [form for one in server["names"] for form in _forms(one)]:
                    self._names.setdefault((server["module"], *socket, name), number)

    def of(self, module: str, listen: Mapping[str, Any], name: str) -> Optional[int]:
        labels = name.split(".")
        below = [".".join(labels[at:]) for at in range(1, len(labels))]
        forms = [name, *(f"*.{rest}" for rest in below)]
        found = (self._names.get((module, listen["address"], listen["port"], form)) for form in forms)
        return next((number for number in found if number is not None), None)

    def address(self, listen: Mapping[str, Any]) -> str:
        """Where this host reaches that listen and no other one: a wildcard is all of an address family but
        what others have for themselves. "" where there is no such place."""
        bound = Listen(listen["address"], listen["port"])
        if bound.is_unix:
            return bound.address
        free = [one for one in _LOCAL.get(bound.bound, ()) if not self._is_taken(one, bound.port)]
        return (free or [""])[0] if bound.bound in _LOCAL else bound.local_host

    def _is_taken(self, address: str, port: int) -> bool:
        own = f"[{address}]" if ":" in address else address
        names = {own, "localhost"} if address in _LOCALHOST else {own}
        return any((name, port) in self._bound for name in names)
