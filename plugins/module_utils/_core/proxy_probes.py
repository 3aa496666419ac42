# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of part proxy: each listener, each route through it, and each server of a route past nginx.

``_core/proof_plan.py`` puts the questions together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import release
from .blocks import (
    PROXY_PROBE,
    ROUTE_PROBE,
    Listener,
    Route,
    listeners,
    upstream_owners,
    upstream_servers,
)
from .listen import Listen
from .probes import ANY, ROUTE, SERVER, Probe, leaf_of


def proxy_probes(source: Mapping[str, bytes], identity: str, rounds: int) -> list[Probe]:
    probes: list[Probe] = []
    strangers = _strangers(source)
    for listener in listeners(release.texts(source, "listeners")):
        for listen, address in [
            (one, address) for one in listener.listens for address in one.local_addresses
        ]:
            base = replace(_listener_probe(listener, listen), address=address)
            if listener.has_probe:
                probes.append(
                    replace(
                        base,
                        kind="release served",
                        path=PROXY_PROBE,
                        rounds=rounds,
                        want_status=(200,),
                        want_words=(identity,),
                        expected=f"200, release {identity}",
                    )
                )
            routes = [*listener.routes, *strangers.get(listener, ())]
            probes += [_route_probe(base, route, source) for route in routes]
    return probes + direct_probes(source)


def _strangers(source: Mapping[str, bytes]) -> dict[Listener, list[Route]]:
    """The routes to servers that are not ours, which no probe location leads to: each once in a listener."""
    owners = upstream_owners(release.texts(source, "routes"))
    found = listeners(release.texts(source, "listeners"))
    known = {route.upstream for listener in found for route in listener.routes}
    strangers: dict[Listener, list[Route]] = {}
    for listener in found:
        ways: dict[str, Route] = {}
        for way in listener.ways:
            if way.credential and way.upstream not in known:
                ways.setdefault(way.upstream, replace(way, name=owners.get(way.upstream, way.upstream)))
        strangers[listener] = list(ways.values())
    return strangers


def _listener_probe(listener: Listener, listen: Listen) -> Probe:
    return Probe(
        kind="",
        part="proxy",
        subject=listener.name,
        credential="",
        address=listen.local_addresses[0],
        port=listen.port,
        expected="",
        tls=listen.tls,
        proxy_protocol=listen.proxy_protocol,
    )


def _client_words(source: Mapping[str, bytes], route: Route) -> tuple[str, ...]:
    files = release.credential_files(source, "proxy", route.credential or "")
    leaf = leaf_of(files.get("fullchain.pem", b""))
    return ("*", "SUCCESS", leaf.sha1 if leaf else "")


def _route_probe(base: Probe, route: Route, source: Mapping[str, bytes]) -> Probe:
    # This host may not be among the callers of such a location, and its 403 would be taken for A's answer.
    return replace(
        base,
        kind=ROUTE,
        subject=route.name,
        credential=route.credential or "",
        path=route.asked,
        want_status=(200,),
        want_words=_client_words(source, route) if _is_ours(route) else (),
        expected="200, SUCCESS, seen by A with the certificate of this release" if _is_ours(route) else ANY,
        rounds=0 if route.limited else 1,
        without="it lets in listed callers only" if route.limited else "",
    )


def _is_ours(route: Route) -> bool:
    """Whether its A answers with what it saw: B's probe location leads to A's probe path."""
    return route.asked == ROUTE_PROBE + route.name and route.path != "/"


def direct_probes(source: Mapping[str, bytes]) -> list[Probe]:
    """One request to each server of each route with the route's own identity, past nginx."""
    upstreams = upstream_servers(release.texts(source, "routes"))
    found: dict[tuple[str, str, int], Probe] = {}
    strangers = _strangers(source)
    for listener in listeners(release.texts(source, "listeners")):
        for route in [*listener.routes, *strangers.get(listener, ())]:
            ours = _is_ours(route)
            for host, port in upstreams.get(route.upstream, []) if route.credential else []:
                found[(route.name, host, port)] = Probe(
                    kind=SERVER,
                    part="proxy",
                    subject=route.name,
                    credential=route.credential or "",
                    address=host,
                    port=port,
                    server_name=route.server_name,
                    http_host=route.server_name,
                    path=route.path,
                    identity=route.credential or "",
                    trust=route.credential or "",
                    want_status=(200,),
                    want_words=_client_words(source, route) if ours else (),
                    expected="200, SUCCESS, the certificate of this release" if ours else ANY,
                )
    return list(found.values())
