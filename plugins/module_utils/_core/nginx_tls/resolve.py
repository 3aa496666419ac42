# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tree of a configuration to what is in force: its servers, its locations, and the files they name.

Nothing else of it is kept: what is returned holds facts of TLS and places, and may leave the host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..nginx_conf import Directive
from . import defaults, servers
from .backends import Identity, backends
from .locations import Locations, Upstreams
from .scope import Level, Scope
from .sockets import Sockets, listens_of
from .values import File, Program, host_text, plain_variables, secure_by_map, secure_by_set, server_names

#: What a value of ``error_log`` begins with that is no file.
NO_FILE = ("stderr", "syslog:", "memory:")
_LEVELS = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")


@dataclass(frozen=True)
class InForce:
    """*servers*, *locations*: SERVER and LOCATION of the result, without ``served`` and ``findings``.
    *error_logs*: paths complete. *user*: of the workers, "" where nobody says it."""

    servers: list[dict[str, Any]]
    locations: list[dict[str, Any]]
    error_logs: list[dict[str, str]]
    user: str

    def files(self) -> Iterator[tuple[str, File]]:
        """(kind, FILE) of all that is named."""
        for server in self.servers:
            for pair in server["certificates"]:
                yield from _named(certificate=pair["certificate"], key=pair["key"])
            yield from _named(trust=server["trust"], crl=server["crl"], password=server["password"])
            yield from _named(trust=server["trusted"])
            for one in server["session_ticket_keys"]:
                yield "ticket_key", one
        for one in self.locations:
            kinds = ("certificate", "key", "trust", "crl", "password")
            yield from _named(**{kind: one[kind] for kind in kinds})


def _named(**files: Optional[File]) -> Iterator[tuple[str, File]]:
    for kind, file in files.items():
        if file is not None:
            yield kind, file


def resolve(tree: Sequence[Directive], program: Program, prefix: str, default_log: str) -> InForce:
    """*prefix*: where relative paths of ``error_log`` start, *default_log*: the one that is compiled in."""
    found = InForce([], [], list(_error_logs(tree, prefix, default_log)), _user(tree))
    for module in ("http", "stream", "mail"):
        for item in tree:
            if item.name == module and item.block is not None:
                _module(item, module, program, found)
    return found


def _module(item: Directive, module: str, program: Program, found: InForce) -> None:
    outer = Level(item)
    upstreams = Upstreams(
        {one.args[0]: one for one in outer.named("upstream") if one.args and one.block is not None}
    )
    scopes = [Scope([outer, Level(one)]) for one in outer.named("server") if one.block is not None]
    listens = [listens_of(scope, module) for scope in scopes]
    sockets = Sockets(listens)
    mapped, identity = secure_by_map(item), Identity(item)
    for number, scope in enumerate(scopes):
        block = scope.inmost.block
        # A listen without ssl under ``ssl on`` was one with it, before 1.25.1.
        ssl = program.version < defaults.HTTP2_DIRECTIVE and scope.flag("ssl", False)
        http2 = scope.flag("http2", False)
        told = [sockets.described(one, number, http2, ssl) for one in listens[number]]
        names = [name for one in scope.inmost.named("server_name") for name in server_names(one.args)]
        server = {
            "place": block.place,
            "module": module,
            "names": names,
            "ours": program.is_ours(block),
            "listens": told,
            "tls": any(one["tls"] for one in told) or _starts_tls(scope, module),
            **servers.settings(scope, program),
        }
        found.servers.append(server)
        known, secure = plain_variables(block), mapped | secure_by_set(block)
        locations = Locations(module, program, upstreams, server, known, secure)
        server["backends"] = list(backends(scope, locations, identity)) if module == "http" else []
        found.locations.extend(locations.found(scope))


def _starts_tls(scope: Scope, module: str) -> bool:
    """Whether a client of mail may go over to TLS on a listen without it."""
    told = scope.last("starttls") if module == "mail" else None
    return told is not None and told.args[0].lower() in ("on", "only")


def _error_logs(tree: Sequence[Directive], prefix: str, default_log: str) -> Iterator[dict[str, str]]:
    """Each once, with the most telling of its levels; the compiled-in one where the main level has none."""
    known: dict[tuple[str, str], dict[str, str]] = {}
    if not any(item.name == "error_log" for item in tree):
        path = posixpath.normpath(posixpath.join(prefix, default_log))
        known[path, ""] = {"path": path, "to": "", "level": "error", "place": ""}
    for item in _everywhere(tree, "error_log"):
        path, to = item.args[0], ""
        if path.startswith(NO_FILE):
            to = _syslog(path)
            path = path.partition(",")[0].partition(":")[0]
        else:
            path = posixpath.normpath(posixpath.join(prefix, path))
        level = next((word for word in item.args[1:] if word in _LEVELS), "error")
        other = known.get((path, to))
        if other is None or _LEVELS.index(level) < _LEVELS.index(other["level"]):
            known[path, to] = {"path": path, "to": to, "level": level, "place": item.place}
    yield from known.values()


def _syslog(value: str) -> str:
    """Whom ``syslog:server=…`` names, a socket or a host."""
    found = re.match(r"syslog:(?:[^,]*,)*?server=(unix:/[A-Za-z0-9._/-]+|[^,]*)", value)
    named = found.group(1) if found else ""
    return named if named.startswith("unix:") else host_text(named)


def _everywhere(tree: Sequence[Directive], name: str) -> Iterator[Directive]:
    for item in tree:
        if item.name == name and item.args:
            yield item
        elif item.block is not None:
            yield from _everywhere(item.block, name)


def _user(tree: Sequence[Directive]) -> str:
    told = [item.args[0] for item in tree if item.name == "user" and item.args]
    return host_text(told[-1]) if told else ""
