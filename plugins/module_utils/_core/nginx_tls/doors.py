# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions tell what each server block serves: its sockets and a name that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..listen import Listen, first_name

_MOST_OF_ONE = 8


@dataclass(frozen=True)
class Question:
    """*server*: the number of the server block that answers; *server_name* "" is asked without one."""

    server: int
    address: str
    port: int
    server_name: str
    proxy_protocol: bool


def questions(servers: Sequence[Mapping[str, Any]]) -> Iterator[Question]:
    """One for each listen with TLS of each block and its first name. A block whose name leads to another one,
    or that has none and is not the default, is asked nothing."""
    taken: dict[tuple[Any, ...], int] = {}
    for number, server in enumerate(servers):
        for listen in server["listens"]:
            for name in server["names"]:
                taken.setdefault((server["module"], listen["address"], listen["port"], name), number)
    for number, server in enumerate(servers):
        for listen in [one for one in server["listens"] if one["tls"] and not one["quic"]][:_MOST_OF_ONE]:
            name = first_name(server["names"]) or ""
            first = next((one for one in server["names"] if one.endswith(name)), name)
            owner = taken.get((server["module"], listen["address"], listen["port"], first), number)
            if owner == number and not server["reject_handshake"] and (name or listen["default"]):
                bound = Listen(listen["address"], listen["port"])
                address = bound.address if bound.is_unix else bound.local_host
                yield Question(number, address, listen["port"], name, listen["proxy_protocol"])
