# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of one Server B, as far as its own variables tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import (
    Context,
    check_ids,
    check_names,
    choose,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import fill, role_options
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sites import KEEPALIVE

#: Requests that a worker can have under way at once, each with a connection from its caller and one to A,
#: with the 768 `worker_connections` of Debian's nginx.conf. The routes share them; none is below KEEPALIVE.
UNDER_WAY = 384


def build_routes(values: Mapping[str, Any], names: list[str], context: Context) -> list[dict[str, Any]]:
    routes = values["mtls_proxy_routes"]
    check_names(routes, "mtls_proxy_routes", "route", context)
    check_ids(routes, "mtls_proxy_routes", "route", context)
    pool = max(KEEPALIVE, UNDER_WAY // max(1, len(routes)))
    context.route_places = [f"mtls_proxy_routes[{index}]" for index in range(len(routes))]
    if routes:
        return [
            _route(route, f"mtls_proxy_routes[{index}]", names, pool, context)
            for index, route in enumerate(routes)
        ]
    context.route_places = ["mtls_proxy_routes"]
    options = role_options()["mtls_proxy"]["mtls_proxy_routes"]["options"]
    default = fill(options, {"name": "default"}, "", context.problems)
    return [_route(default, "mtls_proxy_routes", names, pool, context)]


def _route(
    route: dict[str, Any], place: str, names: list[str], pool: int, context: Context
) -> dict[str, Any]:
    """*pool*: what `keepalive: auto` is."""
    entry = context.parse(forms.listener, route["listen"], f"{place}.listen")
    if entry and not (entry["address"].startswith("127.") or entry["address"] == "::1"):
        context.warnings.append(
            f"route {route['name']}: whoever reaches {forms.socket(entry)} speaks with this host's identity."
        )
    path = context.parse(forms.location, route["path"], f"{place}.path", "/")
    if path == "/.mtls" or path.startswith("/.mtls/"):
        context.problems.add(f"{place}.path", "/.mtls belongs to the proofs of this collection.")
    keepalive = context.count(route["keepalive"], f"{place}.keepalive", pool, 65535)
    if 0 < keepalive < KEEPALIVE:
        context.warnings.append(
            f"route {route['name']}: keepalive {keepalive} is less than {KEEPALIVE}. A worker with more"
            " requests under way at once closes the connections beyond, which is as slow as keeping none."
        )
    callers = {
        key: context.each(forms.network, route[key], f"{place}.{key}")
        for key in ("allow", "deny", "accept_client_certificate_from")
    }
    return {
        "name": route["name"],
        "listen": forms.socket(entry) if entry else route["listen"],
        "path": path,
        "server_name": context.parse(forms.dns_name, route["server_name"], f"{place}.server_name", "")
        if route["server_name"]
        else "",
        "servers": _servers(route["servers"], f"{place}.servers", context),
        "max_fails": _number(route["max_fails"], 0, f"{place}.max_fails", context),
        "fail_timeout": context.parse(
            forms.time_in_seconds, route["fail_timeout"], f"{place}.fail_timeout", ""
        ),
        "credential": choose(route["credential"], names, "client", f"{place}.credential", context),
        "keepalive": keepalive,
        "retry_non_idempotent": route["retry_non_idempotent"],
        "max_body_size": context.parse(forms.size, route["max_body_size"], f"{place}.max_body_size", ""),
        "timeouts": {
            key: context.parse(forms.timeout, value, f"{place}.timeouts.{key}", "")
            for key, value in route["timeouts"].items()
        },
        "websocket": route["websocket"],
        "streaming": route["streaming"],
        **callers,
        "probe_path": None,
        "external": False,
    }


def _servers(given: list[Any], place: str, context: Context) -> list[dict[str, Any]]:
    """``[{address, backup, weight}]`` of texts and mappings."""
    servers: list[dict[str, Any]] = []
    for index, value in enumerate(given):
        here = f"{place}[{index}]"
        if isinstance(value, dict):
            server = {**value, "weight": _number(value["weight"], 1, f"{here}.weight", context)}
            at = f"{here}.address"
        elif isinstance(value, str):
            server, at = server_of(value), here
        else:
            context.problems.add(here, "is neither an address nor a mapping with address.")
            continue
        if server["address"] is None:  # told already
            continue
        address = context.parse(lambda text: forms.server(text, 443), server["address"], at)
        if address in [one["address"] for one in servers]:
            context.problems.add(here, f"{server['address']!r} stands there twice.")
        elif address:
            servers.append({**server, "address": address})
    if servers and all(server["backup"] for server in servers):
        context.problems.add(place, "every server is a backup.", "One must be asked first.")
    return servers


def server_of(address: str) -> dict[str, Any]:
    """A server of which only the address is given."""
    return {"address": address, "backup": False, "weight": 1}


def _number(value: int, least: int, place: str, context: Context) -> int:
    if not least <= value <= 65535:
        context.problems.add(place, f"must be from {least} to 65535.")
    return value


def check_routes(model: dict[str, Any], context: Context) -> None:
    """One route for each listen and path, and none where a site of this host ends TLS or is proven."""
    taken: dict[tuple[str, str], str] = {}
    sites = {
        _asked(forms.socket(entry)): (site["name"], forms.socket(entry))
        for site in model["sites"]
        for entry in site["listeners"]
    }
    for index, route in enumerate(model["routes"]):
        place = f"mtls_proxy_routes[{index}]"
        key = (route["listen"], route["path"])
        if key in taken:
            context.problems.add(
                f"{place}.path",
                f"{route['path']!r} on {route['listen']} is taken by route {taken[key]!r}.",
                "Change path or listen.",
            )
        taken.setdefault(key, route["name"])
        site, socket = sites.get(_asked(route["listen"]), ("", ""))
        if site:
            context.problems.add(
                f"{place}.listen",
                f"{route['listen']} is taken by site {site!r} on {socket}, which speaks TLS.",
                "Choose another port.",
            )


def _asked(socket: str) -> str:
    """Where a proof on this host asks it: nginx answers there by the block with the nearest address."""
    address, colon, port = socket.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(address, address) + colon + port
