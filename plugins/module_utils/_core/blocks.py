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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Optional

from .listen import Listen, first_name, parse_listen
from .nginx_conf import Directive, parse

_TLS_CONF = re.compile(r"@MTLS_RELEASE@/(server|proxy)/credentials/([^/]+)/tls\.conf")
PROXY_PROBE = "/.mtls/proxy"
ROUTE_PROBE = "/.mtls/probe/"
#: What may stand around a proxy_pass.
_LOCATIONS = ("location", "if", "limit_except")
#: A location, then all around it, the inmost first.
Levels = tuple[Directive, ...]
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
    curves: str
    block: Directive = field(repr=False)

    @property
    def host_name(self) -> Optional[str]:
        return first_name(self.server_names)


@dataclass(frozen=True)
class Route:
    """One location in a listener of part proxy that leads to an upstream over TLS, with what it inherits.

    *asked*: the path that B is asked for, "" where none is known that comes to it; *path*: the one that A
    then is. *name* is that of its probe location, "" for a location that is none; *ours*: which leads to A's
    probe path. *server_name* and *path* may hold variables. *limited*: it lets in some callers only.
    """

    name: str
    listener: str
    credential: Optional[str]
    server_name: str
    upstream: str
    path: str
    asked: str
    host: str
    ours: bool
    limited: bool
    levels: Levels = field(repr=False)

    @property
    def towards(self) -> tuple[Optional[str], str, str]:
        """Who is asked, and as whom: two locations of which this is the same prove the same."""
        return self.credential, self.upstream, self.server_name


@dataclass(frozen=True)
class Listener:
    """One ``server`` block of part proxy.

    *routes*: its probe locations; *ways*: all others that lead to an upstream over TLS, at any depth.
    """

    name: str
    listens: tuple[Listen, ...]
    server_names: tuple[str, ...]
    has_probe: bool
    routes: tuple[Route, ...]
    credentials: tuple[str, ...]
    ways: tuple[Route, ...]


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


def _included_credential(block: Directive, part: str) -> Optional[str]:
    for item in block.children("include"):
        match = _TLS_CONF.fullmatch(item.args[0] if item.args else "")
        if match and match.group(1) == part:
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
                    credential=_included_credential(block, "server"),
                    verify=block.value("ssl_verify_client") or "off",
                    protocols=tuple((block.value("ssl_protocols") or "").split()),
                    probe_path=next((path for path, item in exact.items() if _answers_with_id(item)), None),
                    curves=block.value("ssl_ecdh_curve") or "",
                    block=block,
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
            leading = list(_leading(name, block, (), True))
            found.append(
                Listener(
                    name=name,
                    listens=_listens(block),
                    server_names=_names(block),
                    has_probe=PROXY_PROBE in exact and _answers_with_id(exact[PROXY_PROBE]),
                    routes=tuple(route for route in leading if route.name),
                    credentials=tuple(
                        credential for part, credential in credentials_in(text) if part == "proxy"
                    ),
                    ways=tuple(route for route in leading if not route.name),
                )
            )
    return found


def _leading(listener: str, block: Directive, above: Levels, reached: bool) -> Iterator[Route]:
    """Each location below *block* that leads to an upstream. *reached*: a path that comes to it is known."""
    inside = (block, *above)
    for item in block.block or ():
        if item.name in _LOCATIONS and item.block is not None:
            path = _path(item) if reached else ""
            route = _route(listener, (item, *inside), path)
            if route is not None:
                yield route
            yield from _leading(listener, item, inside, bool(path))


def _path(location: Directive) -> str:
    """A path that the location takes; "" where none is known: a regular expression, a name, a condition."""
    plain = len(location.args) == 1 or (len(location.args) == 2 and location.args[0] in ("=", "^~"))
    path = location.args[-1] if plain and location.name == "location" else ""
    return path if path.startswith("/") else ""


def inmost(levels: Levels, name: str) -> list[Directive]:
    """The directives of that name that hold: those of the inmost level that has any."""
    return next((found for found in (level.children(name) for level in levels) if found), [])


def _route(listener: str, levels: Levels, asked: str) -> Optional[Route]:
    location = levels[0]
    match = re.fullmatch(r"https://([^/$]+|\$[^/]*)(.*)", location.value("proxy_pass") or "")
    if not match:
        return None
    upstream, uri = match.groups()
    exact = len(location.args) == 2 and location.args[0] == "="
    name = asked[len(ROUTE_PROBE) :] if exact and asked.startswith(ROUTE_PROBE) else ""
    credentials = (_included_credential(level, "proxy") for level in levels)
    server_name = next((" ".join(item.args) for item in inmost(levels, "proxy_ssl_name")), upstream)
    return Route(
        name=name,
        listener=listener,
        credential=next((one for one in credentials if one), None),
        server_name=server_name,
        upstream=upstream,
        # Without a path of its own proxy_pass hands on the one that was asked for.
        path=uri or asked or "/",
        asked=asked,
        host=_host(levels, server_name, upstream),
        ours=bool(name) and uri not in ("", "/") and "$" not in uri,
        limited=bool(inmost(levels, "allow") or inmost(levels, "deny")),
        levels=levels,
    )


def _host(levels: Levels, server_name: str, upstream: str) -> str:
    told = inmost(levels, "proxy_set_header")
    hosts = [item.args[1] for item in told if len(item.args) == 2 and item.args[0].lower() == "host"]
    # nginx's own is $proxy_host; what a caller would send stands for the name that A is asked by.
    host = hosts[-1] if hosts else upstream
    return server_name if "$" in host else host


def called(route: Route, owners: Mapping[str, str]) -> str:
    """The route's name: of its probe location, else by its upstream. *owners*: see ``upstream_owners``."""
    return route.name or owners.get(route.upstream, route.upstream)


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
