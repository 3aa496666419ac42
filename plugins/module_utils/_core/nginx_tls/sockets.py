# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of a configuration: which server blocks answer on each, in which way, and which one is the
default (ngx_http_add_addresses, src/http/ngx_http.c; ngx_stream_add_addresses)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import MtlsError
from ..listen import Listen, parse_listen
from .scope import Scope

_RANGE = re.compile(r"(.*?)(\d{1,5})-(\d{1,5})")
_MOST_PORTS = 64


@dataclass
class Socket:
    """*flags*: what any block says of it holds for all of them. *blocks*: numbers of the server blocks in
    nginx's order."""

    flags: set[str] = field(default_factory=set)
    blocks: list[int] = field(default_factory=list)
    marked: list[int] = field(default_factory=list)

    @property
    def default(self) -> int:
        """The one that is marked, else the first."""
        return (self.marked or self.blocks)[0]


def listens_of(server: Scope, module: str) -> list[Listen]:
    """Those of one server block; nginx's own where http has none. What nginx would refuse is left out."""
    found = [one for item in server.inmost.named("listen") for one in _parsed(item.args)]
    if not found and module == "http":
        found = [Listen("*", 80)]
    return list({key_of(one): one for one in found}.values())


def _parsed(args: tuple[str, ...]) -> Iterator[Listen]:
    """A range of ports is as many listens."""
    spec = args[0] if args else ""
    found = None if spec.startswith("unix:") else _RANGE.fullmatch(spec)
    texts = [spec]
    if found:
        head, first, last = found.group(1), int(found.group(2)), int(found.group(3))
        texts = [f"{head}{port}" for port in range(first, min(last, first + _MOST_PORTS - 1) + 1)]
    for text in texts:
        try:
            yield parse_listen((text, *args[1:]))
        except MtlsError:
            continue


def key_of(listen: Listen) -> str:
    """The same for all blocks that share a socket. QUIC has one of its own, by UDP."""
    return f"{listen.key}/{'udp' if {'quic', 'udp'} & set(listen.flags) else 'tcp'}"


class Sockets:
    """All sockets of one module; *blocks* are the listens of each of its server blocks."""

    def __init__(self, blocks: list[list[Listen]]) -> None:
        self.by_key: dict[str, Socket] = {}
        for number, listens in enumerate(blocks):
            for listen in listens:
                socket = self.by_key.setdefault(key_of(listen), Socket())
                socket.flags.update(listen.flags)
                socket.blocks.append(number)
                if listen.default:
                    socket.marked.append(number)

    def described(self, listen: Listen, number: int, http2: bool, ssl: bool) -> dict[str, Any]:
        """An element of ``listens``. *http2*, *ssl*: what the block says by directives of their own."""
        socket = self.by_key[key_of(listen)]
        told = replace(listen, flags=tuple(socket.flags))
        return {
            "address": listen.bound,
            "port": listen.port,
            "tls": told.tls or ssl,
            "default": socket.default == number,
            "proxy_protocol": told.proxy_protocol,
            "http2": "http2" in socket.flags or http2,
            "quic": "quic" in listen.flags,
        }
