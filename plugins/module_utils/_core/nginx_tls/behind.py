# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind a block that verifies clients: does it learn who they are, and who else gets there?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..findings import Finding
from .backends import split

Server = Mapping[str, Any]
Backend = Mapping[str, Any]
LOOPBACK = ("127.", "[::1]", "localhost", "unix:")


class Neighbours:
    """*servers*: those of one nginx."""

    def __init__(self, servers: Sequence[Server]) -> None:
        #: By address, each way there that asks for no client certificate.
        self._ways: dict[str, list[tuple[Server, Backend]]] = {}
        for server in servers:
            if server["verify"] == "off" and not server["reject_handshake"]:
                for backend in server["backends"]:
                    for address in backend["servers"] if not backend["guarded"] else ():
                        self._ways.setdefault(address, []).append((server, backend))

    def of_server(self, server: Server) -> Iterator[Finding]:
        """What is wrong with the backends of *server*, one finding for each of them and each neighbour."""
        told = set()
        for mine in server["backends"]:
            # Only a block that has a trust means to verify. Elsewhere an empty header keeps out a forged one.
            why = why_lost(server, mine) if server["trust"] else ""
            if why:
                yield Finding(
                    "server.identity_lost",
                    f"What this leads to does not learn who the client is: {why}. It gets what callers"
                    " themselves send in such headers.",
                    mine["place"],
                )
            ways = [way for address in mine["servers"] for way in self._ways.get(address, ())]
            for other, way in ways if server["verify"] == "on" else ():
                if other["place"] not in told and _reached(server, other) and _same(server, mine, other, way):
                    told.add(other["place"])
                    yield Finding(
                        "server.backend_unguarded",
                        f"The server block at {other['place']} asks for no client certificate and leads to"
                        f" {', '.join(way['servers'][:3])}, as does the one at {server['place']}, which"
                        " requires one: who asks there gets in without, with any header of identity.",
                        way["place"],
                    )


def _reached(server: Server, other: Server) -> bool:
    """By a socket of *server*, or from other hosts?"""
    own = {(one["address"], one["port"]) for one in server["listens"]}
    return any(
        (one["address"], one["port"]) in own or not one["address"].startswith(LOOPBACK)
        for one in other["listens"]
    )


def _same(server: Server, mine: Backend, other: Server, way: Backend) -> bool:
    """Does *way* of *other* lead to what *mine* leads to? A backend may tell applications apart by Host."""
    if mine["host"] != way["host"]:
        if mine["host"] or way["host"] not in server["names"]:
            return False
    elif not way["host"] and any(name not in ("", "_") for name in other["names"]):
        return False
    modifier, prefix = split(way["path"])
    if modifier not in ("", "^~"):
        return bool(mine["path"] == way["path"])
    return split(mine["path"])[1].startswith(prefix)


def why_lost(server: Server, backend: Backend) -> str:
    """Why this BACKEND does not learn who the client is, "" where it may."""
    dropped, told = (", ".join(backend[key][:4]) for key in ("dropped", "identity"))
    if server["verify"] != "off" and dropped:
        return f"it sets headers of its own, so {dropped} of {backend['dropped_place']} is not set here"
    if server["verify"] == "off" and told:
        return f"the server block asks for no client certificate, so {told} is empty"
    return ""


def underscored(backend: Backend) -> str:
    """The first header of identity that nginx, for one, would drop as a backend."""
    return next((name for name in backend["identity"] if "_" in name), "")
