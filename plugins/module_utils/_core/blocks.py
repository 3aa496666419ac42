# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rendered block says about itself: the facts that proof and the default server are made of.

They are read from the text because a rotation sends no blocks: the live release is the only store.
A block that does not follow the roles' conventions yields fewer facts, and its proof is inconclusive, never
passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .listen import Listen, first_name, parse_listen
from .nginx_conf import Directive, parse

_TLS_CONF = re.compile(r"@MTLS_RELEASE@/(server|proxy)/credentials/([^/]+)/tls\.conf")
PROXY_PROBE = "/.mtls/proxy"
ROUTE_PROBE = "/.mtls/probe/"
PROTOCOLS = {"TLSv1.2": "1.2", "TLSv1.3": "1.3"}


@dataclass(frozen=True)
class Site:
    """One ``server`` block of part server.

    *probe_path* is None where no location answers with the release's id. *curves*: "" for nginx's own.
    """

    name: str
    listens: tuple[Listen, ...]
    server_names: tuple[str, ...]
    credential: Optional[str]
    verify: str
    protocols: tuple[str, ...]
    probe_path: Optional[str]
    curves: str = ""

    @property
    def host_name(self) -> Optional[str]:
        return first_name(self.server_names)


@dataclass(frozen=True)
class Route:
    """One location in a listener of part proxy, with where it leads.

    *asked*: the path that B is asked for; *path*: the one that A then is. *name* is that of its probe
    location, "" for a location that is none. *limited*: it lets in some callers only.
    """

    name: str
    listener: str
    credential: Optional[str]
    server_name: str
    upstream: str
    path: str
    asked: str = ""
    limited: bool = False


@dataclass(frozen=True)
class Listener:
    """One ``server`` block of part proxy.

    *routes*: by its probe locations; *ways*: by all others that lead to an upstream over TLS.
    """

    name: str
    listens: tuple[Listen, ...]
    server_names: tuple[str, ...]
    has_probe: bool
    routes: tuple[Route, ...]
    credentials: tuple[str, ...]
    ways: tuple[Route, ...] = ()


def credentials_in(text: str) -> list[tuple[str, str]]:
    """(part, name) of each credential whose tls.conf the text includes, each once, in order."""
    return list(dict.fromkeys(_TLS_CONF.findall(text)))


def _server_blocks(text: str, place: str) -> list[Directive]:
    return [item for item in parse(text, place) if item.name == "server" and item.block is not None]


def _listens(block: Directive) -> tuple[Listen, ...]:
    return tuple(parse_listen(item.args, item.place) for item in block.children("listen")) or (
        Listen("*", 80),
    )


def _names(block: Directive) -> tuple[str, ...]:
    return tuple(name for item in block.children("server_name") for name in item.args)


def _included_credential(block: Directive) -> Optional[str]:
    for item in block.children("include"):
        match = _TLS_CONF.fullmatch(item.args[0] if item.args else "")
        if match:
            return match.group(2)
    return None


def _answers_with_id(location: Directive) -> bool:
    return any(
        len(item.args) == 2 and item.args[1].startswith("@MTLS_ID@") for item in location.children("return")
    )


def _exact_locations(block: Directive) -> dict[str, Directive]:
    return {
        item.args[1]: item
        for item in block.children("location")
        if len(item.args) == 2 and item.args[0] == "="
    }


def sites(texts: Mapping[str, str]) -> list[Site]:
    """The server blocks with TLS of all site texts (name → text as given).

    Raises MtlsError for unreadable text.
    """
    found = []
    for name, text in sorted(texts.items()):
        for block in _server_blocks(text, f"site {name}"):
            exact = _exact_locations(block)
            found.append(
                Site(
                    name=name,
                    listens=_listens(block),
                    server_names=_names(block),
                    credential=_included_credential(block),
                    verify=block.value("ssl_verify_client") or "off",
                    protocols=tuple((block.value("ssl_protocols") or "").split()),
                    probe_path=next((path for path, item in exact.items() if _answers_with_id(item)), None),
                    curves=block.value("ssl_ecdh_curve") or "",
                )
            )
    return [site for site in found if any(listen.tls for listen in site.listens)]


def sockets(text: str) -> frozenset[str]:
    """The sockets (``Listen.key``) of the server blocks of ``server/default.conf``."""
    found = _server_blocks(text, "server/default.conf")
    return frozenset(listen.key for block in found for listen in _listens(block))


def listeners(texts: Mapping[str, str]) -> list[Listener]:
    """The server blocks of all listener texts (name → text as given).

    Raises MtlsError for unreadable text.
    """
    found = []
    for name, text in sorted(texts.items()):
        for block in _server_blocks(text, f"listener {name}"):
            exact = _exact_locations(block)
            routes = tuple(
                route
                for path, item in exact.items()
                if path.startswith(ROUTE_PROBE)
                for route in [_route(path[len(ROUTE_PROBE) :], name, item, path)]
                if route is not None
            )
            found.append(
                Listener(
                    name=name,
                    listens=_listens(block),
                    server_names=_names(block),
                    has_probe=PROXY_PROBE in exact and _answers_with_id(exact[PROXY_PROBE]),
                    routes=routes,
                    credentials=tuple(
                        credential for part, credential in credentials_in(text) if part == "proxy"
                    ),
                    ways=_ways(block, name),
                )
            )
    return found


def _ways(block: Directive, name: str) -> tuple[Route, ...]:
    """A location by a regular expression is left out: no path is known that reaches it."""
    found = []
    for item in block.children("location"):
        plain = len(item.args) == 1 or (len(item.args) == 2 and item.args[0] in ("=", "^~"))
        path = item.args[-1] if item.args else ""
        if plain and path.startswith("/") and not path.startswith(ROUTE_PROBE):
            found.append(_route("", name, item, path))
    return tuple(way for way in found if way is not None)


def _route(name: str, listener: str, location: Directive, asked: str) -> Optional[Route]:
    match = re.fullmatch(r"https://([^/$]+)(/[^$]*)?", location.value("proxy_pass") or "")
    if not match:
        return None
    return Route(
        name=name,
        listener=listener,
        credential=_included_credential(location),
        server_name=location.value("proxy_ssl_name") or "",
        upstream=match.group(1),
        # Without a path of its own proxy_pass hands on the one that was asked for.
        path=match.group(2) or ("/" if name else asked),
        asked=asked,
        limited=bool(location.children("allow") or location.children("deny")),
    )


def upstream_owners(texts: Mapping[str, str]) -> dict[str, str]:
    """upstream name → the route whose text defines it."""
    return {
        block.args[0]: name
        for name, text in sorted(texts.items())
        for block in parse(text, f"route {name}")
        if block.name == "upstream" and block.args
    }


def upstream_servers(texts: Mapping[str, str]) -> dict[str, list[tuple[str, int]]]:
    """upstream name → its (host, port) in order, of all route texts; unix sockets are left out."""
    found: dict[str, list[tuple[str, int]]] = {}
    for name, text in sorted(texts.items()):
        for block in parse(text, f"route {name}"):
            if block.name == "upstream" and block.args:
                servers = [
                    parse_listen(item.args[:1], item.place)
                    for item in block.children("server")
                    if item.args and not item.args[0].startswith("unix:")
                ]
                found[block.args[0]] = [(server.address.strip("[]"), server.port) for server in servers]
    return found
