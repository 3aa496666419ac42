# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts at once: routes that follow from Server A's sites, edges, and one report of all problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answering import answering
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.model import GROUPS, build_host
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.routes import server_of
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import HOSTVARS, suggest


def host_model(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The model of one host from its hostvars; what only other hosts tell stays empty.

    Raises MtlsError with all problems.
    """
    host = str(variables["inventory_hostname"])
    member = variables.get("group_names") or []
    model, context = build_host(host, variables, [side for group, side in GROUPS.items() if group in member])
    _refuse({host: context})
    return model


def fleet_model(
    hostvars: Mapping[str, Any], hosts: Iterable[str] | None, groups: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """``{hosts: {name: model}, edges: [..], addresses: {name: [host]}, warnings: [..]}`` of *hosts*, by
    default all of both groups. *addresses*: the names by which a route may call a Server A.

    Raises MtlsError with all problems of all hosts.
    """
    members = {group: set(groups.get(group) or ()) for group in GROUPS}
    if hosts is None:
        hosts = dict.fromkeys(host for group in GROUPS for host in groups.get(group) or ())
    if not any(members.values()):
        raise MtlsError("The groups mtls_servers and mtls_proxies are both empty.", remedy=_like_ours(groups))
    models: dict[str, dict[str, Any]] = {}
    contexts: dict[str, Context] = {}
    for host in map(str, hosts):
        if host not in hostvars:
            contexts[host] = Context(host, None)
            contexts[host].problems.add("hosts", "there is no such host in the inventory.")
            continue
        sides = [side for group, side in GROUPS.items() if host in members[group]]
        models[host], contexts[host] = build_host(host, _seeing_others(hostvars[host], hostvars), sides)
        _check_private_ca_host(models[host], contexts[host], groups)
    _check_one_private_ca(models, contexts)
    servers = _Servers(models, contexts)
    edges = _connect(models, contexts, servers)
    _refuse(contexts)
    return {
        "hosts": models,
        "edges": edges,
        "addresses": servers.by_alias,
        "warnings": _grouped((host, text) for host, c in contexts.items() for text in c.warnings),
    }


def _seeing_others(variables: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Mapping[str, Any]:
    """One host's variables that may use ``hostvars``, as they may in a task.

    Ansible renders ``hostvars[HOST]`` with all variables of that host but this one, out of a dict made for
    this very object (vars/hostvars.py, core 2.18 to 2.21). With a core that keeps them elsewhere it stays
    undefined.
    """
    known = getattr(variables, "_vars", None)
    if isinstance(known, dict):
        known.setdefault(HOSTVARS, hostvars)
    return variables


def _like_ours(groups: Iterable[str]) -> str:
    """What to do about group names that were meant to be ours."""
    near = [(name, suggest(name, GROUPS)) for name in sorted(groups) if name not in GROUPS]
    told = [f"There is {name}. {remedy}" for name, remedy in near if remedy]
    return " ".join(told) or "Put the hosts of Server A into the one, those of Server B into the other."


def _refuse(contexts: Mapping[str, Context]) -> None:
    found = [
        (host, f"{place}: {text}")
        for host, context in contexts.items()
        for place, text in context.problems.found
    ]
    if not found:
        return
    lines = _grouped(found)
    head = "The inventory has a problem." if len(lines) == 1 else f"The inventory has {len(lines)} problems."
    raise MtlsError("\n".join([head, *(f"  {line}" for line in lines)]))


def _grouped(found: Iterable[tuple[str, str]]) -> list[str]:
    """``host, host and 3 more: text``, sorted by text: a fault in group_vars is one line, not a thousand."""
    by_text: dict[str, list[str]] = {}
    for host, text in found:
        by_text.setdefault(text, []).append(host)
    lines = []
    for text, hosts in sorted(by_text.items()):
        more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
        lines.append(f"{', '.join(hosts[:3])}{more}: {text}")
    return lines


def _uses_private_ca(model: Mapping[str, Any]) -> bool:
    return any(entry["issuer"] == "private_ca" for entry in model["credentials"])


def _check_private_ca_host(
    model: dict[str, Any], context: Context, groups: Mapping[str, Iterable[str]]
) -> None:
    name = model["private_ca"]["host"]
    known = groups.get("all") or ()
    if _uses_private_ca(model) and name != "localhost" and name not in known:
        context.problems.add(
            "private_ca_host", f"there is no host {name!r} in the inventory.", suggest(name, known)
        )


def _check_one_private_ca(models: dict[str, dict[str, Any]], contexts: dict[str, Context]) -> None:
    """One authority for the fleet: two would be made in one run, and neither side would trust the other."""
    first: dict[str, Any] | None = None
    for host, model in models.items():
        if not _uses_private_ca(model):
            continue
        first = first or model
        for key in ("host", "dir", "name", "intermediate"):
            if model["private_ca"][key] != first["private_ca"][key]:
                contexts[host].problems.add(
                    f"private_ca_{key}",
                    f"is {model['private_ca'][key]!r}, and {first['private_ca'][key]!r} on {first['host']}.",
                    "A fleet has one private authority: set it for all hosts.",
                )


class _Servers:
    """The A hosts, by server name and by the names under which a route may call them."""

    def __init__(self, models: Mapping[str, dict[str, Any]], contexts: Mapping[str, Context]) -> None:
        self.models = {host: model for host, model in models.items() if "server" in model["sides"]}
        self.complete = not any(
            contexts[host].problems for host in contexts if host not in models or host in self.models
        )
        self.by_name: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.by_alias: dict[str, list[str]] = {}
        for host, model in self.models.items():
            for site in model["sites"]:
                for name in site["server_names"]:
                    self.by_name.setdefault(name, []).append((host, site))
            for alias in contexts[host].aliases:
                self.by_alias.setdefault(alias, []).append(host)
        self.common = self.names_of(self.models)
        self._found: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}

    def names_of(self, hosts: Iterable[str]) -> list[str]:
        """The server names that all of *hosts* have."""
        names = [
            {name for site in self.models[host]["sites"] for name in site["server_names"]} for host in hosts
        ]
        return sorted(set.intersection(*names)) if names else []

    def default_addresses(self, name: str, proxy: str) -> list[str]:
        """Inventory name of each A with a site of that *name*, and the first port that *proxy* reaches."""
        addresses: dict[str, str] = {}
        for host, site in self.by_name.get(name, []):
            ports = [
                entry["port"]
                for entry in site["listeners"]
                if host == proxy or not _is_loopback(entry["address"])
            ]
            if ports:
                addresses.setdefault(host, f"[{host}]:{ports[0]}" if ":" in host else f"{host}:{ports[0]}")
        return list(addresses.values())

    def at(self, address: str) -> list[tuple[str, int]]:
        """The A hosts that *address* names, with its port."""
        host, _colon, port = address.rpartition(":")
        return [(name, int(port)) for name in self.by_alias.get(forms.plain_address(host), [])]

    def serving(self, address: str, server_name: str) -> list[tuple[str, dict[str, Any]]]:
        """The A host and its site for *server_name* at *address*; several where a name leaves them possible.
        Thousands of routes ask the same."""
        key = (address, server_name)
        if key not in self._found:
            found: list[tuple[str, dict[str, Any]]] = []
            for host, _port in self.at(address):
                sites = [
                    {**site, "listen": [forms.socket(entry) for entry in site["listeners"]]}
                    for site in self.models[host]["sites"]
                ]
                found = found or [(host, dict(site)) for site in answering(sites, server_name, address)]
            self._found[key] = found
        return self._found[key]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _connect(
    models: dict[str, dict[str, Any]], contexts: dict[str, Context], servers: _Servers
) -> list[dict[str, Any]]:
    """Fills the routes of all B hosts and returns the edges.

    What follows from Server A's sites is not judged while an A host has problems of its own.
    """
    edges: list[dict[str, Any]] = []
    for host, model in models.items():
        for place, route in zip(contexts[host].route_places, model["routes"]):
            _fill_route(host, route, place, servers, contexts[host])
            edges.extend(_edges(host, route, place, servers, contexts[host]))
    return edges


def _fill_route(host: str, route: dict[str, Any], place: str, servers: _Servers, context: Context) -> None:
    if not servers.complete:
        return
    if not route["server_name"]:
        named = {name for server in route["servers"] for name, _port in servers.at(server["address"])}
        names = servers.names_of(named) if named else servers.common
        if len(names) != 1:
            context.problems.add(
                f"{place}.server_name",
                _no_common_name(names, servers),
                "Set it in mtls_proxy_routes, and server_names on Server A to match.",
            )
            return
        route["server_name"] = names[0]
    if not route["servers"]:
        addresses = servers.default_addresses(route["server_name"], host)
        good = context.each(lambda text: forms.server(text, 443), addresses, f"{place}.servers")
        route["servers"] = [server_of(address) for address in good]
        if not addresses:
            context.problems.add(
                f"{place}.servers",
                f"no host of mtls_servers has a site for {route['server_name']!r} that can be reached.",
                suggest(route["server_name"], servers.by_name)
                or "Name the servers, if they are not of this inventory.",
            )


def _no_common_name(names: list[str], servers: _Servers) -> str:
    if not servers.models:
        return "is not given, and there is no host in mtls_servers to take it from."
    if names:
        return (
            f"is not given, and the hosts of mtls_servers have several names in common: {', '.join(names)}."
        )
    some = [f"{host}: {', '.join(servers.names_of([host])) or 'none'}" for host in sorted(servers.models)[:3]]
    return f"is not given, and the hosts of mtls_servers have no name in common ({'; '.join(some)})."


def _edges(
    host: str, route: dict[str, Any], place: str, servers: _Servers, context: Context
) -> Iterable[dict[str, Any]]:
    """One for each server of the route; external where no site of this inventory answers there.

    Takes the probe path from the sites. One location of B asks any server of its upstream, so it must be one.
    """
    name = route["server_name"]
    paths: dict[str, str] = {}
    for address in [one["address"] for one in route["servers"]]:
        found = servers.serving(address, name)
        if len(found) > 1:
            named = " or ".join(repr(one["name"]) for dummy, one in found)
            context.problems.add(
                place,
                f"{address} may be site {named} of {found[0][0]}: they have one name, and two addresses.",
                "Name the address instead.",
            )
        server, site = found[0] if found else ("", None)
        if site is None:
            route["external"] = True
            _warn_of_ours(route, address, servers, context)
        else:
            paths.setdefault(site["probe_path"], server)
            if site["proxy_protocol"]:
                context.problems.add(
                    place,
                    f"site {site['name']!r} of {server} expects the PROXY protocol on {address}.",
                    "Server B does not speak it: name the load balancer in servers.",
                )
        yield {
            "proxy": host,
            "route": route["name"],
            "credential": route["credential"],
            "server": server or None,
            "site": site and site["name"],
            "server_name": name,
            "address": address,
            "external": site is None,
        }
    if len(paths) > 1:
        told = ", ".join(f"{path} on {server}" for path, server in sorted(paths.items()))
        context.problems.add(
            place,
            f"its servers have different values of probe_path: {told}.",
            "Give the sites of one name one path.",
        )
    route["probe_path"] = None if route["external"] else next(iter(paths), None)


def _warn_of_ours(route: dict[str, Any], address: str, servers: _Servers, context: Context) -> None:
    """A host of ours without such a site may have a block that somebody else wrote, so it is no error."""
    ours = servers.at(address)
    if ours and route["server_name"] and servers.complete:
        context.warnings.append(
            f"route {route['name']}: {address} is {ours[0][0]} of mtls_servers, which has no site for"
            f" {route['server_name']!r} on that port. It is taken for somebody else's."
        )
