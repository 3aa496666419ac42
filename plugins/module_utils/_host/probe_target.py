# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a probe asks, and what; and what cannot be meant."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Optional

from .._core.errors import MtlsError
from .http1 import render_request
from .tls_client import TLS_VERSIONS

_TIMEOUT_LIMIT_S = 3600
UNIX = "unix:"


@dataclass(frozen=True)
class Target:
    """Whom to ask, and what. Nothing here is a secret.

    *address*: a name, an IP address, or ``unix:/path``. *server_name*: the SNI; "" and IP addresses send
    none. *http_host*: default *server_name*, else the address. *tls_version*: "", "1.2" or "1.3".
    *cafile*: verify the server's chain by it; with *verify_hostname* also *server_name* (the address,
    where that is an IP address and there is no name). What nginx's ``proxy_ssl_verify`` would refuse and
    this does not: an IP address among the names of the certificate, a chain of more than one intermediate.
    """

    address: str
    port: int = 443
    server_name: str = ""
    http_host: str = ""
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = True
    proxy_protocol: bool = False
    body: bytes = b""
    tls_version: str = ""
    cafile: str = ""
    verify_hostname: bool = False
    alpn: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``host:port``, ``[v6]:port`` or ``unix:/path``, for people."""
        if self.address.startswith(UNIX):
            return self.address
        host = self.address.strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True)
class Limits:
    """Seconds for parts of a connection, None for no limit of its own: until it is made (resolution of
    the name and PROXY header included), for the TLS handshake, for the request with its whole answer."""

    connect: Optional[float] = None
    handshake: Optional[float] = None
    response: Optional[float] = None


NO_LIMITS = Limits()


def check(target: Target, timeout_s: float, limits: Limits) -> bytes:
    """Return the request to send. Raises MtlsError for a target that nobody could be asked by."""
    _check_time(timeout_s, "timeout_s")
    for part, limit_s in vars(limits).items():
        if limit_s is not None:
            _check_time(limit_s, f"{part}_timeout_s")
    if not target.address or target.address == UNIX:
        raise MtlsError("There is nobody to ask.", "host", "Give a name, an IP address or unix:/path.")
    if not target.address.startswith(UNIX) and not 1 <= target.port <= 65535:
        raise MtlsError(f"{target.port} is not a TCP port.", "port", "Give a number from 1 to 65535.")
    _check_tls(target)
    host = target.http_host or target.server_name
    if not host:
        host = "localhost" if target.address.startswith(UNIX) else target.name.rpartition(":")[0]
    return render_request(target.method, target.path, host, target.headers, target.body)


def _check_tls(target: Target) -> None:
    if target.tls_version and target.tls_version not in TLS_VERSIONS:
        raise MtlsError(
            f"{target.tls_version!r} is not offered.", "tls_version", 'Give "1.2", "1.3" or nothing.'
        )
    try:
        valid = not re.search(r"[^!-\U0010ffff]", target.server_name)
        target.server_name.encode("idna")  # as ssl does it, after the connection is made
    except UnicodeError:
        valid = False
    if not valid:
        raise MtlsError(f"{target.server_name!r} cannot be sent as a server name.", "server_name")
    for protocol in target.alpn:
        if not re.fullmatch(r"[!-+.-~-]{1,255}", protocol):
            raise MtlsError(f"{protocol!r} cannot be offered as a protocol.", "alpn")
    if target.verify_hostname:
        if not target.cafile:
            raise MtlsError(
                "A name is only worth checking in a verified chain.",
                "verify_hostname",
                "Give the CAs to trust.",
            )
        if not target.server_name and not is_ip(target.address):
            raise MtlsError("There is no name to check.", "verify_hostname", "Give server_name.")


def _check_time(seconds: float, option: str) -> None:
    if not 0 < seconds <= _TIMEOUT_LIMIT_S:  # so put, it refuses NaN, too
        raise MtlsError(
            f"{seconds:g} is not a time to wait.", option, f"Give up to {_TIMEOUT_LIMIT_S} seconds."
        )


def is_ip(name: str) -> bool:
    """Whether *name* is an IP address, which is never sent as a server name."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
