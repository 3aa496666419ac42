# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of one host: its variables with every default, every name checked, every path absolute."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context, check_names
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.credentials import (
    build_credentials,
    probe_credential,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import (
    PREFIXES,
    UNREAD,
    Problems,
    fill,
    overlay,
    read,
    role_options,
    suggest,
    unknown_variables,
)

GROUPS = {"mtls_servers": "server", "mtls_proxies": "proxy"}
#: Connections that each worker keeps for `keepalive: auto`: too few are as bad as none (measured), 64 are not.
KEEPALIVE = 64


def build_host(host: str, variables: Mapping[str, Any], sides: list[str]) -> tuple[dict[str, Any], Context]:
    """The model of *host* as far as its own variables tell, and the context with its problems.

    Routes without ``servers`` or ``server_name`` have them still empty: `fleet.connect` fills them.
    """
    context = Context(host, None)
    context.inventory_dir = read(variables, "inventory_dir", context.problems)
    context.warnings += unknown_variables(variables, context.problems)
    nginx = _role("nginx", variables, context)
    model: dict[str, Any] = {
        "host": host,
        "address": read(variables, "ansible_host", context.problems) or host,
        "sides": sides,
        "nginx": _nginx(nginx, context),
        "private_ca": {},
        "credentials": [],
        "sites": [],
        "routes": [],
    }
    if "server" in sides:
        values = _role("mtls_server", variables, context)
        names = [entry["name"] for entry in values["mtls_server_credentials"] if entry["name"]]
        model["sites"] = _sites(values, names, variables, context)
        built = build_credentials("server", values, model["sites"], context)
        model["credentials"] += built + probe_credential(built, context)
        _check_listeners(model, context)
    if "proxy" in sides:
        values = _role("mtls_proxy", variables, context)
        names = [entry["name"] for entry in values["mtls_proxy_credentials"] if entry["name"]]
        model["routes"] = _routes(values, names, context)
        model["credentials"] += build_credentials("proxy", values, [], context)
        _check_routes(model, context)
    needed = any(entry["issuer"] == "private_ca" for entry in model["credentials"])
    model["private_ca"] = _private_ca(_role("private_ca", variables, context), needed, context)
    return model, context


def _role(role: str, variables: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """All variables of *role*, filled; ``*_credential_defaults`` already laid under each credential."""
    options = {name: option for name, option in role_options()[role].items() if name not in UNREAD}
    given = {name: read(variables, name, context.problems) for name in options}
    below_name = f"{role}_credential_defaults"
    if below_name not in options:
        return fill(options, given, "", context.problems)
    listed = f"{role}_credentials"
    below, elements = given[below_name], given[listed]
    if elements is None:
        elements = options[listed]["default"]
    own = Problems()
    fill({below_name: options[below_name]}, {below_name: below}, "", own)
    if isinstance(elements, list):
        given[listed] = [overlay(below or {}, entry) for entry in elements]
    found = Problems()
    filled = fill(options, given, "", found)
    # A fault of the defaults is one fault, not one more for each credential that they are laid under.
    faults = {(place[len(below_name) :], text) for place, text in own.found}
    for place, text in found.found:
        if not (place.startswith(f"{listed}[") and (place[place.index("]") + 1 :], text) in faults):
            context.problems.add(place, text)
    if role == "mtls_server":
        _demand_quotes(given["mtls_server_sites"], context)
    return filled


def _demand_quotes(sites: Any, context: Context) -> None:
    """Digits without quotes are decimal or octal to YAML, while a serial and a fingerprint are hexadecimal."""
    for index, site in enumerate(sites if isinstance(sites, list) else []):
        allow = site.get("allow") if isinstance(site, Mapping) else None
        for number, entry in enumerate(allow if isinstance(allow, list) else []):
            for key in ("serial", "sha1"):
                if isinstance(entry, Mapping) and isinstance(entry.get(key), (int, float)):
                    context.problems.add(
                        f"mtls_server_sites[{index}].allow[{number}].{key}",
                        "is a number to YAML.",
                        "Quote it: it is hexadecimal.",
                    )


def _nginx(values: Mapping[str, Any], context: Context) -> dict[str, Any]:
    settings = {name[len(PREFIXES["nginx"]) :]: value for name, value in values.items()}
    settings["base"] = context.parse(forms.directory, settings["base"], "nginx_mtls_base", settings["base"])
    context.parse(forms.time, settings["worker_shutdown_timeout"], "nginx_mtls_worker_shutdown_timeout")
    context.parse(forms.unit, settings["service"], "nginx_mtls_service")
    if settings["keep"] < 1:
        context.problems.add(
            "nginx_mtls_keep", "must be at least 1.", "Without an older release there is none to go back to."
        )
    return settings


def _private_ca(values: Mapping[str, Any], needed: bool, context: Context) -> dict[str, Any]:
    settings = {name[len(PREFIXES["private_ca"]) :]: value for name, value in values.items()}
    context.parse(forms.ca_name, settings["name"], "private_ca_name")
    for key in ("leaf_days", "crl_days", "throttle"):
        if settings[key] < 1:
            context.problems.add(f"private_ca_{key}", "must be at least 1.")
    path = os.path.expanduser(settings["dir"])
    if os.path.isabs(path):
        settings["dir"] = os.path.normpath(path)
    elif settings["host"] != "localhost":
        settings["dir"] = ""
        if needed:
            context.problems.add(
                "private_ca_dir",
                f"must be absolute, because private_ca_host is {settings['host']!r}.",
                "Only on the controller there is a directory of the inventory.",
            )
    elif context.inventory_dir:
        settings["dir"] = os.path.normpath(os.path.join(context.inventory_dir, path or "private_ca"))
    else:
        settings["dir"] = ""
        if needed:
            context.problems.add(
                "private_ca_dir",
                "must be set to an absolute path, because the inventory has no directory.",
                "An inventory file has one, -i host, has not.",
            )
    return settings


def choose(wanted: str, names: list[str], usual: str, place: str, context: Context) -> str:
    """The credential of a site or route: the one named, else the only one, else the one called *usual*."""
    if wanted in names:
        return wanted
    if wanted:
        context.problems.add(
            place,
            f"there is no credential {wanted!r}.",
            suggest(wanted, names) or f"There is: {_listed(names)}.",
        )
        return ""
    if len(names) == 1:
        return names[0]
    if usual in names:
        return usual
    context.problems.add(
        place,
        f"must be given: there are several credentials and none called {usual!r}."
        if names
        else "there is no credential at all.",
    )
    return ""


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _sites(
    values: Mapping[str, Any], names: list[str], variables: Mapping[str, Any], context: Context
) -> list[dict[str, Any]]:
    sites = values["mtls_server_sites"]
    check_names(sites, "mtls_server_sites", "site", context)
    if sites:
        return [
            _site(site, f"mtls_server_sites[{index}]", names, context) for index, site in enumerate(sites)
        ]
    options = role_options()["mtls_server"]["mtls_server_sites"]["options"]
    return [
        _site(fill(options, {"name": "default"}, "", context.problems), "mtls_server_sites", names, context)
    ]


def _site(site: dict[str, Any], place: str, names: list[str], context: Context) -> dict[str, Any]:
    problems = context.problems
    if site["server_names"]:
        server_names = context.each(forms.dns_name, site["server_names"], f"{place}.server_names")
    else:
        try:
            server_names = [forms.dns_name(context.host)]
        except MtlsError as error:
            server_names = []
            problems.add(
                f"{place}.server_names" if "[" in place else place,
                f"the default server name is the inventory name: {error.message}",
                "Set server_names." if "[" in place else "Set mtls_server_sites with server_names.",
            )
    listeners = []
    for index, text in enumerate(site["listen"]):
        entry = context.parse(forms.listener, text, f"{place}.listen[{index}]")
        if entry and forms.socket(entry) in map(forms.socket, listeners):
            problems.add(f"{place}.listen[{index}]", f"{text!r} stands there twice.")
        elif entry:
            listeners.append(entry)
    if not site["listen"]:
        problems.add(f"{place}.listen", "is empty.", 'Leave it out for "443" and "[::]:443".')
    probe_path = context.parse(forms.location, site["probe_path"], f"{place}.probe_path", "/.mtls/probe")
    if probe_path.endswith("/"):
        problems.add(f"{place}.probe_path", "must be the path of one page, without / at its end.")
    if site["verify"] == "optional_no_ca":
        context.warnings.append(
            f"site {site['name']}: verify optional_no_ca lets forged certificates reach the backend, without identity."
        )
    return {
        "name": site["name"],
        "server_names": server_names,
        "listen": [entry["spec"] for entry in listeners],
        "listeners": listeners,
        "credential": choose(site["credential"], names, "server", f"{place}.credential", context),
        "backend": _backend(site["backend"], f"{place}.backend", context),
        "verify": site["verify"],
        "allow": [
            _allowed(entry, f"{place}.allow[{index}]", context) for index, entry in enumerate(site["allow"])
        ],
        "headers": _headers(site["headers"], f"{place}.headers", context),
        "tls_profile": site["tls_profile"],
        "proxy_protocol": site["proxy_protocol"],
        "probe_path": probe_path,
        "extra_server": site["extra_server"],
        "extra_location": site["extra_location"],
    }


def _backend(value: Any, place: str, context: Context) -> dict[str, Any]:
    """``{scheme, servers, keepalive, uri, url}``; *url* as written, None where servers were."""
    result: dict[str, Any] = {"scheme": "http", "servers": [], "keepalive": KEEPALIVE, "uri": "", "url": None}
    if isinstance(value, str):
        result.update(context.parse(forms.backend_url, value, place, {}), url=value)
    elif isinstance(value, dict):
        result["scheme"] = value["scheme"]
        port = {"http": 80, "https": 443}[value["scheme"]]
        result["servers"] = context.each(
            lambda text: forms.server(text, port, unix=True), value["servers"] or [], f"{place}.servers"
        )
        if value["servers"] == []:
            context.problems.add(f"{place}.servers", "is empty.")
        result["keepalive"] = context.count(value["keepalive"], f"{place}.keepalive", KEEPALIVE, 65535)
    else:
        context.problems.add(place, "is neither a URL nor a mapping with servers.")
    return result


def _allowed(entry: dict[str, Any], place: str, context: Context) -> dict[str, Any]:
    given = {key: value for key, value in entry.items() if value is not None}
    if set(given) not in ({"certificate"}, {"sha1"}, {"dn"}, {"issuer", "serial"}):
        context.problems.add(place, "must have one of certificate, sha1, dn, or issuer with serial.")
        return {}
    parsers: dict[str, Callable[[Any], Any]] = {
        "sha1": forms.sha1,
        "dn": forms.distinguished_name,
        "issuer": forms.distinguished_name,
        "serial": forms.serial,
    }
    if "certificate" in given:
        return {"certificate": {"src": context.file(given["certificate"]["src"], f"{place}.certificate.src")}}
    return {key: context.parse(parsers[key], value, f"{place}.{key}") for key, value in given.items()}


def _headers(headers: dict[str, Any], place: str, context: Context) -> dict[str, str]:
    result, seen = {}, {}
    for key, value in headers.items():
        result[key] = context.parse(forms.header, value, f"{place}.{key}", "")
        # nginx and CGI take - and _ for the same in a header's name.
        same = result[key].lower().replace("_", "-")
        if same and same in seen:
            context.problems.add(f"{place}.{key}", f"{value!r} is the header of {seen[same]} already.")
        seen[same] = key
    return result


def _check_listeners(model: dict[str, Any], context: Context) -> None:
    """What nginx decides by address and port, whatever the single site says, must be the same for all sites there.

    The default server's protocols and session settings govern the others (measured), and a listen has one
    PROXY protocol setting.
    """
    sockets: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for index, site in enumerate(model["sites"]):
        for entry in site["listeners"]:
            sockets.setdefault(forms.socket(entry), []).append((index, site))
    shared = {
        entry["name"]
        for entry in model["credentials"]
        if entry["side"] == "server" and entry["sessions"] == "shared"
    }
    for socket, users in sockets.items():
        names: dict[str, str] = {}
        first = users[0][1]
        for index, site in users:
            place = f"mtls_server_sites[{index}]"
            for key in ("tls_profile", "proxy_protocol"):
                if site[key] != first[key]:
                    context.problems.add(
                        f"{place}.{key}",
                        f"differs from site {first['name']!r} on {socket}.",
                        "nginx has one for all sites of an address and port.",
                    )
            for name in site["server_names"]:
                if name in names:
                    context.problems.add(
                        f"{place}.server_names",
                        f"{name!r} on {socket} is a name of site {names[name]!r} already.",
                    )
                names.setdefault(name, site["name"])
        used = sorted({site["credential"] for _index, site in users})
        for name in sorted(shared.intersection(used)) if len(used) > 1 else []:
            context.problems.add(
                "mtls_server_credentials",
                f"{name!r} has sessions shared, but {socket} is served by {_listed(used)}.",
                'A session of one would be taken by another. Set sessions: "off".',
            )


def _routes(values: Mapping[str, Any], names: list[str], context: Context) -> list[dict[str, Any]]:
    routes = values["mtls_proxy_routes"]
    check_names(routes, "mtls_proxy_routes", "route", context)
    if routes:
        return [
            _route(route, f"mtls_proxy_routes[{index}]", names, context) for index, route in enumerate(routes)
        ]
    options = role_options()["mtls_proxy"]["mtls_proxy_routes"]["options"]
    return [
        _route(fill(options, {"name": "default"}, "", context.problems), "mtls_proxy_routes", names, context)
    ]


def _route(route: dict[str, Any], place: str, names: list[str], context: Context) -> dict[str, Any]:
    entry = context.parse(forms.listener, route["listen"], f"{place}.listen")
    if entry and not (entry["address"].startswith("127.") or entry["address"] == "::1"):
        context.warnings.append(
            f"route {route['name']}: whoever reaches {forms.socket(entry)} speaks with the identity of {context.host}."
        )
    path = context.parse(forms.location, route["path"], f"{place}.path", "/")
    if path == "/.mtls" or path.startswith("/.mtls/"):
        context.problems.add(f"{place}.path", "/.mtls belongs to the proofs of this collection.")
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
        "accept_client_certificate_from": context.each(
            forms.network, route["accept_client_certificate_from"], f"{place}.accept_client_certificate_from"
        ),
        "probe_path": None,
        "external": False,
    }


def _check_routes(model: dict[str, Any], context: Context) -> None:
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
