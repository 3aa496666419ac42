# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of one Server A."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import parse
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import (
    Context,
    check_ids,
    check_names,
    choose,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import (
    fill,
    role_data,
    role_options,
    suggest,
)

#: Connections that each worker keeps for `keepalive: auto`; too few are as bad as none (measured).
KEEPALIVE = 64

#: What the template and tls.conf say for each server block. Some may be repeated, and then the last one wins
#: in silence; with another name or socket the proof would ask the wrong one.
_OURS = frozenset(
    "http2 listen server_name ssl_certificate ssl_certificate_key ssl_ciphers ssl_client_certificate ssl_crl"
    " ssl_ecdh_curve ssl_password_file ssl_prefer_server_ciphers ssl_protocols ssl_reject_handshake"
    " ssl_session_cache ssl_session_ticket_key ssl_session_tickets ssl_trusted_certificate ssl_verify_client"
    " ssl_verify_depth".split()
)

#: A profile of one's own, as an argument spec: Ansible's has none for a mapping whose keys are free.
_PROFILE = {
    "protocols": {
        "type": "list",
        "elements": "str",
        "choices": ["TLSv1.2", "TLSv1.3"],
        "default": ["TLSv1.2", "TLSv1.3"],
    },
    "ciphers": {"type": "list", "elements": "str"},
    "prefer_server_ciphers": {"type": "bool", "default": False},
    "curves": {"type": "list", "elements": "str", "default": []},
}
#: Likewise: YAML makes a number of an unquoted 495, which Ansible's validation would not take for "495".
_ERROR_PAGES = {
    code: {"type": "dict", "options": {"src": {"type": "str", "required": True}}}
    for code in ("400", "495", "496")
}
#: nginx's longest parameter is 4096 bytes, all quotation marks included (NGX_CONF_BUFFER).
PAGE_BYTES = 4000
#: A certificate of the allowlist with its chain is a hundredth of that.
_ALLOWED_BYTES = 1 << 20
#: What a header's value may hold (RFC 9110, 5.5); nginx itself would take a line break.
_FIELD = re.compile(r"[!-~]([\t -~]*[!-~])?\Z")


def build_sites(values: Mapping[str, Any], names: list[str], context: Context) -> list[dict[str, Any]]:
    sites = values["mtls_server_sites"]
    profiles = _profiles(values["mtls_server_tls_profiles"], context)
    check_names(sites, "mtls_server_sites", "site", context)
    check_ids(sites, "mtls_server_sites", "site", context)
    if sites:
        return [
            _site(site, f"mtls_server_sites[{index}]", names, profiles, context)
            for index, site in enumerate(sites)
        ]
    options = role_options()["mtls_server"]["mtls_server_sites"]["options"]
    default = fill(options, {"name": "default"}, "", context.problems)
    return [_site(default, "mtls_server_sites", names, profiles, context)]


@cache
def mozilla_profiles() -> dict[str, Any]:
    """``intermediate`` and ``modern``, data of the role."""
    found: dict[str, Any] = role_data("mtls_server", "vars", "main.yml")["__mtls_server_tls_profiles"]
    return found


def _profiles(own: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Every profile by its name: ``{protocols, ciphers, prefer_server_ciphers, curves}``."""
    found = dict(mozilla_profiles())
    for name, given in own.items():
        place = f"mtls_server_tls_profiles.{name}"
        context.parse(forms.name, name, place)
        if name in mozilla_profiles():
            context.problems.add(place, "is one of Mozilla's profiles.", "Give your own another name.")
        elif isinstance(given, dict):
            found[name] = _profile(given, place, context)
        else:
            context.problems.add(place, "must be a mapping.")
    return found


def _profile(given: Mapping[str, Any], place: str, context: Context) -> dict[str, Any]:
    profile = fill(_PROFILE, given, place, context.problems)
    if not profile["protocols"]:
        context.problems.add(f"{place}.protocols", "is empty.")
    old = "TLSv1.2" in profile["protocols"]
    if profile["ciphers"] is None:
        # nginx's own have CBC, SHA-1 and static RSA suites among them (measured).
        profile["ciphers"] = mozilla_profiles()["intermediate"]["ciphers"] if old else []
    elif old and not profile["ciphers"]:
        context.problems.add(f"{place}.ciphers", "is empty.", "Leave it out for those of intermediate.")
    elif profile["ciphers"] and not old:
        context.problems.add(
            f"{place}.ciphers",
            "are suites of TLS 1.2, which is not among the protocols.",
            "Leave them out: OpenSSL chooses among those of TLS 1.3.",
        )
    profile["ciphers"] = context.each(forms.cipher, profile["ciphers"], f"{place}.ciphers")
    profile["curves"] = context.each(forms.curve, profile["curves"], f"{place}.curves")
    return profile


def _site(
    site: dict[str, Any], place: str, names: list[str], profiles: Mapping[str, Any], context: Context
) -> dict[str, Any]:
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
    if probe_path.startswith("/.mtls/page/"):
        problems.add(f"{place}.probe_path", "/.mtls/page/ belongs to error_pages.", "Choose another path.")
    if site["tls_profile"] not in profiles:
        words = f"{site['tls_profile']!r} is not one of {', '.join(profiles)}."
        problems.add(f"{place}.tls_profile", words, suggest(site["tls_profile"], profiles))
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
        "tls": profiles.get(site["tls_profile"], mozilla_profiles()["intermediate"]),
        "http2": site["http2"],
        "proxy_protocol": site["proxy_protocol"],
        "probe_path": probe_path,
        "error_pages": _error_pages(site, f"{place}.error_pages", context),
        "max_body_size": context.parse(forms.size, site["max_body_size"], f"{place}.max_body_size", ""),
        "timeouts": {
            key: context.parse(forms.timeout, value, f"{place}.timeouts.{key}", "")
            for key, value in site["timeouts"].items()
        },
        "websocket": site["websocket"],
        "streaming": site["streaming"],
        "response_headers": _response_headers(site["response_headers"], f"{place}.response_headers", context),
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
    """``{scheme, servers, keepalive, max_fails, fail_timeout, uri, url}``; *url* as written, None where
    servers were."""
    result: dict[str, Any] = {"scheme": "http", "servers": [], "keepalive": KEEPALIVE, "max_fails": None}
    result.update(fail_timeout="", uri="", url=None)
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
        result["max_fails"] = value["max_fails"]
        if value["max_fails"] is not None and value["max_fails"] < 0:
            context.problems.add(f"{place}.max_fails", "must be at least 0.")
        result["fail_timeout"] = context.parse(
            forms.timeout_in_seconds, value["fail_timeout"], f"{place}.fail_timeout", ""
        )
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
        path = context.file(given["certificate"]["src"], f"{place}.certificate.src")
        if path and context.parse(_certificates, path, f"{place}.certificate.src", 1) > 1:
            context.warnings.append(f"{place}: {path} holds several certificates, the first one is allowed.")
        return {"certificate": {"src": path}}
    return {key: context.parse(parsers[key], value, f"{place}.{key}") for key, value in given.items()}


def _certificates(path: str) -> int:
    """How many stand in the file; of one that a vault encrypts, which is not opened here, 1."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_ALLOWED_BYTES)
    except OSError as error:
        raise MtlsError(f"{path} cannot be read: {error.strerror}.") from None
    count = len(re.findall(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----", data))
    if not count and not data.startswith(b"$ANSIBLE_VAULT;"):
        raise MtlsError(f"{path} holds no certificate in PEM.")
    return count or 1


def _headers(headers: dict[str, Any], place: str, context: Context) -> dict[str, str]:
    result, seen = {}, {}
    for key, value in headers.items():
        result[key] = context.parse(forms.identity_header, value, f"{place}.{key}", "")
        # nginx and CGI take - and _ for the same in a header's name.
        same = result[key].lower().replace("_", "-")
        if same and same in seen:
            context.problems.add(f"{place}.{key}", f"{value!r} is the header of {seen[same]} already.")
        seen[same] = key
    return result


def _error_pages(site: dict[str, Any], place: str, context: Context) -> dict[str, dict[str, str]]:
    """nginx's code to ``{src}``, an absolute path."""
    found = {}
    for code, page in fill(_ERROR_PAGES, site["error_pages"], place, context.problems).items():
        path = context.file(page["src"], f"{place}.{code}.src") if page else None
        if path:
            context.parse(lambda path: _check_page(path, site["name"]), path, f"{place}.{code}.src")
            found[code] = {"src": path}
    return found


def _check_page(path: str, site: str) -> None:
    """Raises MtlsError for a file whose text cannot stand in nginx's configuration."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(PAGE_BYTES + 1)
    except OSError as error:
        raise MtlsError(f"{path} cannot be read: {error.strerror}.") from None
    # As the template writes it: a backslash before each of the first two, a variable for the third.
    more = text.count(b"\\") + text.count(b'"') + text.count(b"$") * len(f"{{mtls_server_{site}_dollar}}")
    if len(text) + more > PAGE_BYTES:
        raise MtlsError(
            f"{path} is longer than {PAGE_BYTES} bytes as nginx's configuration has it.",
            remedy="Keep the page short; pictures and styles lie where no certificate is needed.",
        )
    try:
        text.decode()
    except UnicodeDecodeError:
        raise MtlsError(f"{path} is not text in UTF-8.") from None
    if b"\0" in text:
        raise MtlsError(f"{path} is not text.")


def _response_headers(headers: Mapping[str, Any], place: str, context: Context) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in headers.items():
        if not context.parse(forms.header, name, f"{place}.{name}", name):
            context.problems.add(place, "has a header without a name.")
        if name.lower() in map(str.lower, result):
            context.problems.add(f"{place}.{name}", "stands there twice.")
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not _FIELD.match(str(value)):
            context.problems.add(f"{place}.{name}", "must be a text of one line.", "Quote it.")
        result[name] = str(value)
    return result


def check_listeners(model: dict[str, Any], context: Context) -> None:
    """What nginx decides by address and port must be the same for all sites there.

    The default server's protocols, curves and session settings govern the others (measured), and a listen has
    one PROXY protocol setting and, before nginx 1.25.1, one for HTTP/2.
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
            for key in ("tls_profile", "http2", "proxy_protocol"):
                if _of_the_socket(site, key) != _of_the_socket(first, key):
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


def _of_the_socket(site: dict[str, Any], key: str) -> Any:
    """What of a setting must be equal; ciphers are each site's own (measured)."""
    return (set(site["tls"]["protocols"]), site["tls"]["curves"]) if key == "tls_profile" else site[key]
