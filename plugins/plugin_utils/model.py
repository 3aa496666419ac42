# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of one host: its variables with every default, every name checked, every path absolute."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.credentials import (
    build_credentials,
    probe_credential,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.routes import build_routes, check_routes
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import (
    PREFIXES,
    UNREAD,
    Problems,
    fill,
    overlay,
    read,
    role_options,
    unknown_variables,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sites import build_sites, check_listeners

GROUPS = {"mtls_servers": "server", "mtls_proxies": "proxy"}


def build_host(host: str, variables: Mapping[str, Any], sides: list[str]) -> tuple[dict[str, Any], Context]:
    """The model of *host* as far as its own variables tell, and the context with its problems.

    Routes without ``servers`` or ``server_name`` have them still empty: `fleet` fills them.
    """
    context = Context(host, None)
    beside = read(variables, "inventory_dir", context.problems)
    # Without an inventory file Ansible says "None", a text (core 2.18 to 2.21).
    context.inventory_dir = beside if isinstance(beside, str) and os.path.isabs(beside) else None
    context.warnings += unknown_variables(variables, context.problems)
    address = str(read(variables, "ansible_host", context.problems) or host)
    facts = variables.get("ansible_facts")
    fqdn = facts.get("fqdn") if isinstance(facts, Mapping) else None
    context.aliases |= {forms.plain_address(name) for name in (host, address, fqdn) if isinstance(name, str)}
    model: dict[str, Any] = {
        "host": host,
        "address": address,
        "sides": sides,
        "nginx": _nginx(_role("nginx", variables, context), context),
        "private_ca": {},
        "credentials": [],
        "sites": [],
        "routes": [],
    }
    if "server" in sides:
        values = _role("mtls_server", variables, context)
        names = [entry["name"] for entry in values["mtls_server_credentials"] if entry["name"]]
        model["sites"] = build_sites(values, names, context)
        built = build_credentials("server", values, model["sites"], context)
        model["credentials"] += built + probe_credential(built, context)
        check_listeners(model, context)
    if "proxy" in sides:
        values = _role("mtls_proxy", variables, context)
        names = [entry["name"] for entry in values["mtls_proxy_credentials"] if entry["name"]]
        model["routes"] = build_routes(values, names, context)
        model["credentials"] += build_credentials("proxy", values, [], context)
        check_routes(model, context)
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
    return filled


def _nginx(values: Mapping[str, Any], context: Context) -> dict[str, Any]:
    settings = {name[len(PREFIXES["nginx"]) :]: value for name, value in values.items()}
    settings["base"] = context.parse(forms.directory, settings["base"], "nginx_mtls_base", settings["base"])
    settings["packages"] = list(settings["packages"])
    context.parse(forms.time, settings["worker_shutdown_timeout"], "nginx_mtls_worker_shutdown_timeout")
    context.parse(forms.unit, settings["service"], "nginx_mtls_service")
    if settings["keep"] < 1:
        context.problems.add("nginx_mtls_keep", "must be at least 1, or there is none to go back to.")
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
                "An inventory file has one, a list of hosts (-i HOST,) has none.",
            )
    return settings
