# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does this host hold an address? With ip_nonlocal_bind nginx listens on one that another host has, as
a keepalived standby does, and whoever asks there speaks with that other host.

The kernel's own answer is taken (rtnetlink(7), RTM_GETROUTE). To bind to the address tells nothing under that
setting, and a connection to 127.0.0.2, or to an interface's second address, has another one as its source.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg
_ATTRIBUTE = struct.Struct("=HH")  # rtattr
_ERROR, _NEW_ROUTE, _GET_ROUTE = 2, 24, 26
_REQUEST, _DESTINATION, _LOCAL = 1, 1, 2
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
_TIMEOUT_S = 2.0


def is_here(address: str) -> bool:
    """Whether a connection to *address* stays on this host; True for what is no IP address, and where the
    kernel does not say."""
    try:
        ip = ipaddress.ip_address(address)
        answer = _asked(socket.AF_INET if ip.version == 4 else socket.AF_INET6, ip.packed)
    except (OSError, ValueError):
        return True
    return _is_local(answer)


def _asked(family: int, packed: bytes) -> bytes:
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(packed), _DESTINATION) + packed
    body = _ROUTE.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0) + attribute
    header = _HEADER.pack(_HEADER.size + len(body), _GET_ROUTE, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        kernel.send(header + body)
        return kernel.recv(65536)


def _is_local(answer: bytes) -> bool:
    if len(answer) < _HEADER.size + _ROUTE.size:
        return True
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        return -number not in _NO_ROUTE
    return bool(kind != _NEW_ROUTE or _ROUTE.unpack_from(answer, _HEADER.size)[7] == _LOCAL)
