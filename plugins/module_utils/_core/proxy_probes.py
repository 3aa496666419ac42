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
    Listener,
    Route,
    called,
    listeners,
    upstream_owners,
    upstream_servers,
)
from .listen import Listen
from .probes import ANY, ROUTE, SERVER, Probe, leaf_of


def proxy_probes(source: Mapping[str, bytes], identity: str, rounds: int) -> list[Probe]:
    probes: list[Probe] = []
    for listener, routes in _asked(source):
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
            probes += [_route_probe(base, route, source) for route in routes]
    return probes + direct_probes(source)


def _asked(source: Mapping[str, bytes]) -> list[tuple[Listener, list[Route]]]:
    """Each listener with the routes that it is asked by: its probe locations, and one location for each
    identity and upstream that no probe location leads to."""
    owners = upstream_owners(release.texts(source, "routes"))
    found = listeners(release.texts(source, "listeners"))
    known = {route.towards for listener in found for route in listener.routes}
    asked = []
    for listener in found:
        ways: dict[object, Route] = {}
        # First those that can be asked.
        for way in sorted(listener.ways, key=lambda one: (not one.asked, one.limited)):
            if way.credential and way.towards not in known:
                ways.setdefault(way.towards, replace(way, name=called(way, owners)))
        asked.append((listener, [*listener.routes, *ways.values()]))
    return asked


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
    without = "it lets in listed callers only" if route.limited else ""
    without = without if route.asked else "no path is known that comes to its location"
    return replace(
        base,
        kind=ROUTE,
        subject=route.name,
        credential=route.credential or "",
        path=route.asked,
        want_status=(200,),
        want_words=_client_words(source, route) if route.ours else (),
        expected="200, SUCCESS, seen by A with the certificate of this release" if route.ours else ANY,
        rounds=0 if without else 1,
        without=without,
    )


def identities(source: Mapping[str, bytes]) -> list[Route]:
    """Each identity towards each upstream once: by A's probe path where one is known, else by its own."""
    owners = upstream_owners(release.texts(source, "routes"))
    found: dict[object, Route] = {}
    ways = [way for one in listeners(release.texts(source, "listeners")) for way in (*one.routes, *one.ways)]
    for way in sorted(ways, key=lambda one: (not one.ours, not one.asked)):
        if way.credential:
            found.setdefault(way.towards, replace(way, name=called(way, owners)))
    return list(found.values())


def direct_probes(source: Mapping[str, bytes]) -> list[Probe]:
    """One request to each server of each route with the route's own identity, past nginx."""
    upstreams = upstream_servers(release.texts(source, "routes"))
    return [
        server_probe(source, route, host, port)
        for route in identities(source)
        for host, port in dict.fromkeys(upstreams.get(route.upstream, []))
    ]


def server_probe(source: Mapping[str, bytes], route: Route, host: str, port: int) -> Probe:
    """What one server of the route must answer its identity."""
    variable = "$" in route.server_name or "$" in route.path
    return Probe(
        kind=SERVER,
        part="proxy",
        subject=route.name,
        credential=route.credential or "",
        address=host,
        port=port,
        server_name=route.server_name,
        http_host=route.host,
        path=route.path,
        identity=route.credential or "",
        trust=route.credential or "",
        want_status=(200,),
        want_words=_client_words(source, route) if route.ours else (),
        expected="200, SUCCESS, the certificate of this release" if route.ours else ANY,
        rounds=0 if variable else 1,
        without="its name or path is a variable" if variable else "",
    )
