# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``listen`` directive: which address and port a server block answers on, and how to reach it from this
host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from .errors import MtlsError

_PORT = re.compile(r"\d{1,5}")
#: What a second block on the same address and port must say too; other options are set once per socket only.
SHARED_FLAGS = ("ssl", "http2", "quic", "proxy_protocol")


@dataclass(frozen=True)
class Listen:
    """*address* is ``*``, an IPv4 address, a host name, ``[v6]`` as written, or ``unix:PATH`` (then *port* is
    0)."""

    address: str
    port: int
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for two listens that share one socket of nginx."""
        return self.address if self.is_unix else f"{self.bound}:{self.port}"

    @property
    def bound(self) -> str:
        """*address* in the one spelling of all those that IPv6 has for it."""
        if not self.address.startswith("["):
            return self.address
        try:
            return f"[{ipaddress.IPv6Address(self.address.strip('[]'))}]"
        except ValueError:
            return self.address

    @property
    def is_unix(self) -> bool:
        return self.address.startswith("unix:")

    @property
    def default(self) -> bool:
        return "default_server" in self.flags or "default" in self.flags

    @property
    def tls(self) -> bool:
        return "ssl" in self.flags or "quic" in self.flags

    @property
    def proxy_protocol(self) -> bool:
        return "proxy_protocol" in self.flags

    @property
    def local_host(self) -> str:
        """Where a caller on this host reaches it: a wildcard is asked on the loopback address."""
        return {"*": "127.0.0.1", "[::]": "::1"}.get(self.bound, self.bound.strip("[]"))

    @property
    def local_addresses(self) -> tuple[str, ...]:
        """All that a caller on this host can reach it at: a wildcard of IPv6 may take IPv4, too."""
        if self.is_unix:
            return (self.address,)
        both = self.bound == "[::]" and "ipv6only=off" in self.flags
        return (self.local_host, "127.0.0.1") if both else (self.local_host,)

    def shared(self, wanted: Iterable[str] = SHARED_FLAGS) -> tuple[str, ...]:
        return tuple(flag for flag in self.flags if flag in wanted)


def _address(text: str) -> str:
    if text in ("", "*", "0.0.0.0"):
        return "*"
    if text.startswith("["):
        inner = text.strip("[]").lower()
        return "[::]" if inner in ("::", "0:0:0:0:0:0:0:0") else f"[{inner}]"
    return text.lower()


def parse_listen(args: tuple[str, ...], place: str = "", default_port: int = 80) -> Listen:
    """The meaning of ``listen``'s arguments. Raises MtlsError for what nginx would not take as an address."""
    spec, flags = (args[0] if args else ""), tuple(args[1:])
    if spec.startswith("unix:"):
        return Listen(spec, 0, flags)
    if _PORT.fullmatch(spec):
        return Listen("*", int(spec), flags)
    head, colon, tail = spec.rpartition(":")
    if spec.endswith("]") or not colon:
        return Listen(_address(spec), default_port, flags)
    if not _PORT.fullmatch(tail):
        raise MtlsError(f"'listen {spec}' names no port.", place, "Write PORT, ADDRESS:PORT or [IPV6]:PORT.")
    return Listen(_address(head), int(tail), flags)


def first_name(names: Iterable[str]) -> Optional[str]:
    """A host name that reaches the block: the first plain one, or one that its wildcard covers; None
    without."""
    wildcard = None
    for name in names:
        if name.startswith("*."):
            wildcard = wildcard or "mtls-probe" + name[1:]
        elif name.startswith("."):
            return name[1:]
        elif name not in ("", "_") and not name.startswith("~") and "*" not in name:
            return name
    return wildcard
