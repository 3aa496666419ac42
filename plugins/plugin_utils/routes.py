# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of one Server B, as far as its own variables tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context, check_names, choose
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import fill, role_options
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sites import KEEPALIVE


def build_routes(values: Mapping[str, Any], names: list[str], context: Context) -> list[dict[str, Any]]:
    routes = values["mtls_proxy_routes"]
    check_names(routes, "mtls_proxy_routes", "route", context)
    context.route_places = [f"mtls_proxy_routes[{index}]" for index in range(len(routes))]
    if routes:
        return [
            _route(route, f"mtls_proxy_routes[{index}]", names, context) for index, route in enumerate(routes)
        ]
    context.route_places = ["mtls_proxy_routes"]
    options = role_options()["mtls_proxy"]["mtls_proxy_routes"]["options"]
    return [
        _route(fill(options, {"name": "default"}, "", context.problems), "mtls_proxy_routes", names, context)
    ]


def _route(route: dict[str, Any], place: str, names: list[str], context: Context) -> dict[str, Any]:
    entry = context.parse(forms.listener, route["listen"], f"{place}.listen")
    if entry and not (entry["address"].startswith("127.") or entry["address"] == "::1"):
        context.warnings.append(
            f"route {route['name']}: whoever reaches {forms.socket(entry)} speaks with this host's identity."
        )
    path = context.parse(forms.location, route["path"], f"{place}.path", "/")
    if path == "/.mtls" or path.startswith("/.mtls/"):
        context.problems.add(f"{place}.path", "/.mtls belongs to the proofs of this collection.")
    if route["accept_client_certificate_from"]:
        context.problems.add(
            f"{place}.accept_client_certificate_from", "is not there yet.", "Leave it empty."
        )
    return {
        "name": route["name"],
        "listen": forms.socket(entry) if entry else route["listen"],
        "path": path,
        "server_name": context.parse(forms.dns_name, route["server_name"], f"{place}.server_name", "")
        if route["server_name"]
        else "",
        "servers": context.each(lambda text: forms.server(text, 443), route["servers"], f"{place}.servers"),
        "credential": choose(route["credential"], names, "client", f"{place}.credential", context),
        "keepalive": context.count(route["keepalive"], f"{place}.keepalive", KEEPALIVE, 65535),
        "retry_non_idempotent": route["retry_non_idempotent"],
        "accept_client_certificate_from": [],
        "probe_path": None,
        "external": False,
    }


def check_routes(model: dict[str, Any], context: Context) -> None:
    """One route for each listen and path, and none where a site of this host ends TLS."""
    taken: dict[tuple[str, str], str] = {}
    sites = {forms.socket(entry): site["name"] for site in model["sites"] for entry in site["listeners"]}
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
        if route["listen"] in sites:
            context.problems.add(
                f"{place}.listen",
                f"{route['listen']} is taken by site {sites[route['listen']]!r}, which speaks TLS.",
            )
