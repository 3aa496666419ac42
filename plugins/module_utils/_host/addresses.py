# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of this host, and those that a name stands for here: by them a fleet tells who asks whom."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

_MOST_NAMES = 64
_LIMIT_S = 4.0
_LOCAL = re.compile(r"\|-- ([0-9.]+)\n\s*/32 host LOCAL")


def own(proc: str = "/proc") -> list[str]:
    """Addresses of this network namespace, without loopback and those of one link alone."""
    found = _LOCAL.findall(_text(f"{proc}/net/fib_trie"))
    for line in _text(f"{proc}/net/if_inet6").splitlines():
        digits = line.partition(" ")[0]
        if len(digits) == 32:
            found.append(":".join(digits[at : at + 4] for at in range(0, 32, 4)))
    plain = (ipaddress.ip_address(one) for one in found)
    return sorted({str(one) for one in plain if not (one.is_loopback or one.is_link_local)})


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def looked_up(
    names: Iterable[str],
    ask: Callable[..., Iterable[Any]] = socket.getaddrinfo,
    limit_s: float = _LIMIT_S,
) -> dict[str, list[str]]:
    """What each name stands for, as nginx asks (ngx_inet_resolve_host). A name without an answer, or without
    one in time, has none."""
    found: dict[str, list[str]] = {name: [] for name in list(dict.fromkeys(names))[:_MOST_NAMES]}
    # Nobody can end a look-up that hangs; one that does is left behind, and ends with the process.
    threads = [threading.Thread(target=_look_up, args=(name, ask, found), daemon=True) for name in found]
    end = time.monotonic() + limit_s
    for one in threads:
        one.start()
    for one in threads:
        one.join(max(0.0, end - time.monotonic()))
    return {name: list(addresses) for name, addresses in list(found.items())}


def _look_up(name: str, ask: Callable[..., Iterable[Any]], found: dict[str, list[str]]) -> None:
    try:
        # No address of a family that this host has none of, as nginx has it.
        told = ask(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found[name] = sorted({str(one[4][0]) for one in told})
    except (OSError, UnicodeError):  # no such name, or none that DNS could have
        return
