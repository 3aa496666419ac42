# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of one Server A."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import parse
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context, check_names, choose
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import fill, role_options

#: Connections that each worker keeps for `keepalive: auto`; too few are as bad as none (measured).
KEEPALIVE = 64

#: What the template and tls.conf say for each server block. Some may be repeated, and then the last one wins
#: in silence; with another name or socket the proof would ask the wrong one.
_OURS = frozenset(
    "listen server_name ssl_certificate ssl_certificate_key ssl_ciphers ssl_client_certificate ssl_crl"
    " ssl_password_file ssl_prefer_server_ciphers ssl_protocols ssl_reject_handshake ssl_session_cache"
    " ssl_session_ticket_key ssl_session_tickets ssl_trusted_certificate ssl_verify_client"
    " ssl_verify_depth".split()
)


def build_sites(values: Mapping[str, Any], names: list[str], context: Context) -> list[dict[str, Any]]:
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
            f"site {site['name']}: verify optional_no_ca lets forged certificates in, without identity."
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
        "extra_server": _extra(site["extra_server"], f"{place}.extra_server", context),
        "extra_location": _extra(site["extra_location"], f"{place}.extra_location", context),
    }


def _extra(text: str, place: str, context: Context) -> str:
    """Lines for inside a block: balanced by themselves, so that they cannot leave it, and none of ours."""
    try:
        directives = parse(text, place)
    except MtlsError as error:
        context.problems.add(error.place, error.message, error.remedy)
        return ""
    for one in directives:
        if one.name in _OURS:
            context.problems.add(
                one.place,
                f"'{one.name}' is set by this collection.",
                "Take it out; the options of the site and its credential decide.",
            )
    return text


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
    if result["scheme"] == "https":
        context.warnings.append(
            f"{place}: the certificate of an https backend is verified only if extra_location says so "
            "(proxy_ssl_verify on, proxy_ssl_trusted_certificate, proxy_ssl_name)."
        )
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


def check_listeners(model: dict[str, Any], context: Context) -> None:
    """What nginx decides by address and port must be the same for all sites there.

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
                f"{name!r} has sessions shared, but {socket} is served by {', '.join(map(repr, used))}.",
                'A session of one would be taken by another. Set sessions: "off".',
            )
