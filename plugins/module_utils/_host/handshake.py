# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server block of this host presents: one TLS handshake as a client without a certificate, and not a
word of HTTP behind it, so that nothing is asked of an application."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.tls_client import (
    client_context,
    served_chain,
    words,
)

_UNIX = "unix:"


@dataclass(frozen=True)
class Door:
    """Where to knock. *address*: an IP address or name of this host, or ``unix:/path``."""

    address: str
    port: int
    proxy_protocol: bool = False

    @property
    def name(self) -> str:
        if self.address.startswith(_UNIX):
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass
class Presented:
    """*chain*: DER, leaf first; *whole*: all that was sent, not the leaf alone. *silent*: nobody answered at
    all, so nobody need ask there again."""

    protocol: str = ""
    chain: list[bytes] = field(default_factory=list)
    whole: bool = False
    error: str = ""
    silent: bool = False


def knock(door: Door, server_name: str, timeout_s: float) -> Presented:
    """*server_name*: "" sends none. Raises nothing for what the other side does."""
    seen = Presented(silent=True)
    end = time.monotonic() + timeout_s
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(_connected(door, timeout_s))
            if door.proxy_protocol:
                connection.sendall(b"PROXY UNKNOWN\r\n")
            connection.settimeout(max(0.01, end - time.monotonic()))
            context = client_context()
            tls = stack.enter_context(
                context.wrap_socket(
                    connection, server_hostname=server_name or None, do_handshake_on_connect=False
                )
            )
            tls.do_handshake()
            seen.silent = False
            seen.protocol = tls.version() or ""
            seen.chain, seen.whole = served_chain(tls)
        except ssl.SSLError as error:
            seen.error, seen.silent = words(error), False
        except socket.timeout:
            seen.error = f"no end within {timeout_s:g} s"
        except (OSError, ValueError, MtlsError) as error:
            seen.error = str(getattr(error, "strerror", None) or error)
    return seen


def _connected(door: Door, timeout_s: float) -> socket.socket:
    if not door.address.startswith(_UNIX):
        return socket.create_connection((door.address, door.port), timeout_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(door.address[len(_UNIX) :])
    except OSError:
        connection.close()
        raise
    return connection
