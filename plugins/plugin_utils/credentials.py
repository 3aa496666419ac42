# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of one side of a host: names, files, trust, and the probe identity of Server A."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.hostnames import Identities, check_host
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.context import Context, check_names

PURPOSES = {"server": "server", "proxy": "client"}
PROBE = "probe"
#: X.520, ub-common-name.
COMMON_NAME_LIMIT = 64


def build_credentials(
    side: str, values: Mapping[str, Any], sites: list[dict[str, Any]], context: Context
) -> list[dict[str, Any]]:
    """The credentials of *side*; those of a server take their names from the *sites* that use them."""
    variable = f"mtls_{side}_credentials"
    entries = values[variable]
    check_names(entries, variable, "credential", context)
    return [
        _credential(side, entry, f"{variable}[{index}]", len(entries), sites, context)
        for index, entry in enumerate(entries)
    ]


def _credential(
    side: str, entry: dict[str, Any], place: str, count: int, sites: list[dict[str, Any]], context: Context
) -> dict[str, Any]:
    name, issuer = entry["name"] or "", entry["issuer"]
    if name == PROBE:
        context.problems.add(f"{place}.name", f"{PROBE!r} is reserved for the proof.", "Choose another name.")
    hostnames = context.each(forms.hostname, entry["hostnames"], f"{place}.hostnames")
    if side == "server":
        hostnames = _server_hostnames(
            name, issuer, hostnames, bool(entry["hostnames"]), place, sites, context
        )
    result = {
        "side": side,
        "name": name,
        "purpose": PURPOSES[side],
        "common_name": _common_name(side, name, issuer, hostnames, count, place, context),
        "hostnames": hostnames,
        "issuer": issuer,
        "files": _files(entry["files"], issuer, f"{place}.files", context),
        "key": entry["key"],
        "trust": _trust(entry["trust"], issuer, f"{place}.trust", context),
        "crl": entry["crl"],
        "verify_depth": context.count(entry["verify_depth"], f"{place}.verify_depth", "auto", 100),
        "sessions": entry["sessions"],
        "renew": entry["renew"],
        "probe": _probe(entry.get("probe"), f"{place}.probe", context),
    }
    result["crl"] = _crl(entry["crl"], result["trust"], f"{place}.crl", context)
    if entry["renew"]["min_days"] < 0:
        context.problems.add(f"{place}.renew.min_days", "must not be negative.")
    return result


def _server_hostnames(
    name: str,
    issuer: str,
    hostnames: list[str],
    given: bool,
    place: str,
    sites: list[dict[str, Any]],
    context: Context,
) -> list[str]:
    served = [
        server_name for site in sites if site["credential"] == name for server_name in site["server_names"]
    ]
    if not given:
        if not served and issuer == "private_ca" and not context.problems:
            context.problems.add(
                f"{place}.hostnames",
                f"no site uses the credential {name!r}, so it has no names.",
                "Name them or remove it.",
            )
        return list(dict.fromkeys(served))
    for server_name in served:
        if hostnames and not any(covers(hostname, server_name) for hostname in hostnames):
            context.problems.add(
                f"{place}.hostnames",
                f"{server_name!r}, a server name of a site that uses {name!r}, is not among them.",
            )
    return hostnames


def covers(hostname: str, name: str) -> bool:
    """Would a certificate for *hostname* do for *name*?"""
    return check_host(Identities(dns=(hostname.encode(),)), name)


def _common_name(
    side: str, name: str, issuer: str, hostnames: list[str], count: int, place: str, context: Context
) -> str:
    if side == "server":
        fitting = [hostname for hostname in hostnames if len(hostname) <= COMMON_NAME_LIMIT]
        return hostnames[0] if hostnames[:1] == fitting[:1] and fitting else min(fitting, key=len, default="")
    common_name = context.host if count == 1 or name == "client" else f"{context.host}.{name}"
    if issuer == "private_ca":
        _check_length(common_name, f"{place}.name", context)
    return common_name


def _check_length(common_name: str, place: str, context: Context) -> None:
    if len(common_name) > COMMON_NAME_LIMIT:
        context.problems.add(
            place,
            f"the common name {common_name!r} has over {COMMON_NAME_LIMIT} characters.",
            "Give the host a shorter inventory name, its address goes into ansible_host.",
        )


def _files(files: dict[str, Any], issuer: str, place: str, context: Context) -> dict[str, Any]:
    given = sorted(key for key, value in files.items() if value is not None)
    if issuer != "files":
        if given:
            context.problems.add(
                f"{place}.{given[0]}", f"is given, but the issuer is {issuer}.", "Set issuer: files."
            )
        return dict.fromkeys(files)
    for key in ("certificate", "private_key"):
        if files[key] is None:
            context.problems.add(f"{place}.{key}", "is missing.", "Issuer files needs it.")
    return {
        key: context.file(value, f"{place}.{key}", secret=key == "passphrase") for key, value in files.items()
    }


def _trust(trust: dict[str, Any], issuer: str, place: str, context: Context) -> dict[str, Any]:
    sources: list[Any] = []
    for index, source in enumerate(trust["sources"]):
        at = f"{place}.sources[{index}]"
        if isinstance(source, dict):
            sources.append({"src": context.file(source["src"], f"{at}.src")})
        elif source != "issuer":
            context.problems.add(
                at,
                f"{source!r} is not a source."
                if isinstance(source, str) and "-----" not in source
                else "is not a source.",
                'Write "issuer", or {src: FILE}.',
            )
        elif issuer == "files":
            context.problems.add(
                f"{place}.sources",
                '"issuer" says nothing with issuer files.',
                "Name the files of the authorities: [{src: FILE}].",
            )
        else:
            sources.append(source)
    if not trust["sources"]:
        context.problems.add(f"{place}.sources", "is empty, so nobody would be trusted.")
    pinned = context.each(forms.sha256, trust["allow_pinned"], f"{place}.allow_pinned")
    return {"sources": sources, "on_expired": trust["on_expired"], "allow_pinned": pinned}


def _crl(crl: Any, trust: dict[str, Any], place: str, context: Context) -> Any:
    """``"off"``, which takes off what is live, the list of files, or ``"auto"``, which keeps what is live.

    Lists come to a host by themselves from the private authority only: for any other, auto is off.
    """
    if crl is False or crl == "off":  # YAML reads an unquoted off as false
        return "off"
    if crl == "auto":
        return "auto" if "issuer" in trust["sources"] else "off"
    if not isinstance(crl, list) or not crl or not all(isinstance(source, dict) for source in crl):
        context.problems.add(place, 'must be "auto", "off" or a list of {src: FILE}.')
        return "off"
    return [{"src": context.file(source["src"], f"{place}[{index}].src")} for index, source in enumerate(crl)]


def _probe(probe: Any, place: str, context: Context) -> Any:
    if isinstance(probe, dict):
        return {key: context.file(value, f"{place}.{key}") for key, value in probe.items()}
    if probe not in (None, "auto"):
        context.problems.add(place, 'must be "auto" or {certificate, private_key}.')
    return probe if probe is None else "auto"


def probe_credential(credentials: list[dict[str, Any]], context: Context) -> list[dict[str, Any]]:
    """The client identity by which Server A proves itself: none, or one for all its credentials.

    With ``auto`` there is one of the private authority where a credential of its own trusts it. The sites of
    all others are a Server B's to prove: they would refuse that identity.
    """
    wanted: dict[str, tuple[str, dict[str, Any]]] = {}
    private = any(
        entry["issuer"] == "private_ca" and "issuer" in entry["trust"]["sources"] for entry in credentials
    )
    for index, entry in enumerate(credentials):
        if isinstance(entry["probe"], dict):
            wanted.setdefault(repr(entry["probe"]), (f"mtls_server_credentials[{index}].probe", entry))
        elif private and entry["issuer"] == "private_ca":
            wanted.setdefault("private_ca", (f"mtls_server_credentials[{index}].probe", entry))
    if not wanted:
        return []
    (place, like), *others = wanted.values()
    if others:
        context.problems.add(
            others[0][0],
            f"differs from that of {like['name']!r}, and a host has one probe identity.",
            "Leave it out here: a Server B then proves the sites of this credential.",
        )
    own = isinstance(like["probe"], dict)
    common_name = f"mtls-probe.{context.host}"
    if not own:
        _check_length(common_name, place, context)
    files = dict.fromkeys(like["files"])
    if own:
        files.update(like["probe"])
    return [
        {
            **like,
            "name": PROBE,
            "purpose": "client",
            "common_name": common_name,
            "hostnames": [],
            "issuer": "files" if own else "private_ca",
            "files": files,
            "trust": {**like["trust"], "sources": [] if own else ["issuer"]},
            "crl": "off",
            "verify_depth": "auto",
            "sessions": "off",
            "probe": None,
        }
    ]
