# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's report: all hosts, edges and findings as one value, which docs/audit.schema.json describes.

Everything else (the page, the metrics, the lines of the console) is made of that value and of nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import edges as core_edges
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import (
    ERROR,
    SEVERITIES,
    WARNING,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import host as hosts
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.connected import Connected, key
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.model import GROUPS

#: Raised when a key goes or changes its meaning. A new key raises nothing.
SCHEMA = 1
WORKS, REFUSED, UNKNOWN = "works", "refused", "unknown"
_EDGE = ("proxy", "route", "credential", "server", "site", "server_name", "address", "external", "place")
#: Each direction, and what a refusal is called.
_DIRECTIONS = {
    "client_accepted": "Server A refuses the client certificate of {proxy}",
    "server_accepted": "Server B refuses the certificate of {server}",
}


def report(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Collection[str]],
    at: datetime,
    edges: Optional[Mapping[str, Any]] = None,
    problems: str = "",
) -> dict[str, Any]:
    """Every host of the inventory has its element, whatever came of it.

    *edges*: the answer of ``mtls_edges``; *problems*: why there is none, where the inventory is refused.
    """
    found = [_host(name, hostvars, groups, at) for name in sorted(groups.get("all") or hostvars)]
    connected = [_edge(one) for one in _connected(hostvars, found, (edges or {}).get("edges") or [], at)]
    said = [{"host": one["name"], **finding} for one in found for finding in one.pop("findings")]
    said += [row for one in connected for row in _edge_findings(one)]
    refused = audit.inventory_refused(problems)
    if refused is not None:
        said.append({"host": "", **refused.to_dict()})
    said.sort(key=lambda one: (SEVERITIES.index(one["severity"]), one["code"], one["host"], one["place"]))
    by_host: dict[str, Counter[str]] = {}
    for one in said:
        by_host.setdefault(one["host"], Counter())[one["severity"]] += 1
    for one in found:
        one["findings"] = _counts(by_host.get(one["name"], Counter()))
    return {
        "schema": SCHEMA,
        "generated": expiry.rfc3339(at),
        "summary": _summary(found, connected, said),
        "hosts": found,
        "edges": connected,
        "findings": said,
    }


def _host(
    name: str, hostvars: Mapping[str, Any], groups: Mapping[str, Collection[str]], at: datetime
) -> dict[str, Any]:
    variables = hostvars.get(name) or {}
    facts = {key: variables.get(key) for key in hosts.FACTS}  # each look into hostvars costs
    sides = [side for group, side in GROUPS.items() if name in (groups.get(group) or ())]
    return hosts.host(name, sides, facts, at)


def _connected(
    hostvars: Mapping[str, Any],
    found: Iterable[Mapping[str, Any]],
    wanted: Iterable[Mapping[str, Any]],
    at: datetime,
) -> Iterator[Mapping[str, Any]]:
    """The edges that the inventory wants (*wanted*), then those of configurations that it does not know."""
    readings = {one["name"]: _reading(hostvars.get(one["name"]) or {}) for one in found}
    wanted = list(wanted)
    known = {key(one) for one in wanted if not one["external"]}
    found_there = list(Connected(readings, at).edges(known))
    # To the inventory's model a Server A that this collection does not manage is a stranger.
    strangers = {key(one): one for one in found_there if one["ours"]}
    for one in wanted:
        real = strangers.get(key(one)) if one["external"] else None
        yield {**real, "route": one["route"]} if real else one
    asked = {key(one) for one in wanted}
    yield from (one for one in found_there if not (one["ours"] and key(one) in asked))


def _reading(variables: Mapping[str, Any]) -> dict[str, Any]:
    tls = _plain(variables.get(hosts.TLS))
    told = {"tls": tls} if isinstance(tls, Mapping) and "instances" in tls else {}
    return {**told, "addresses": [str(one) for one in [variables.get("ansible_host")] if one]}


def _plain(value: Any) -> Any:
    """Lists and dicts of Python's own: those of hostvars look for templates at each access, and the blocks
    of a host are looked through for each location that leads there."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _edge(one: Mapping[str, Any]) -> dict[str, Any]:
    """An edge as it is now; what a run would make of it is not the audit's."""
    found: dict[str, Any] = {key: one.get(key) for key in _EDGE}
    for name in _DIRECTIONS:
        told = one.get(name) or {}
        reason = told.get("reason") or {}
        found[name] = {
            "state": UNKNOWN if told.get("now") in (None, core_edges.NEW) else told["now"],
            "code": reason.get("code") or "",
            "message": reason.get("message") or "",
            "remedy": reason.get("remedy") or "",
        }
    states = {found[name]["state"] for name in _DIRECTIONS}
    if core_edges.REFUSED in states:
        found["state"] = REFUSED
    else:
        found["state"] = WORKS if states == {core_edges.ACCEPTED} else UNKNOWN
    return found


def _edge_findings(edge: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A refusal is a finding of B, where it is seen, by the code that explains it."""
    for side, words in _DIRECTIONS.items():
        answer = edge[side]
        if answer["state"] != core_edges.REFUSED:
            continue
        who = words.format(proxy=edge["proxy"], server=edge["server"] or edge["address"])
        yield {
            "host": edge["proxy"],
            "code": answer["code"],
            "severity": ERROR,
            "message": f"{who}: {answer['message']}",
            "remedy": answer["remedy"],
            "place": edge["place"] or f"route {edge['route']} to {edge['address']} as {edge['server_name']}",
        }


def _counts(found: Mapping[str, int]) -> dict[str, int]:
    return {severity: found.get(severity, 0) for severity in SEVERITIES}


def _summary(
    found: list[dict[str, Any]], edges: list[dict[str, Any]], said: list[dict[str, Any]]
) -> dict[str, Any]:
    leaves = [(one, cert) for one in found for cert in one["certificates"] if cert["role"] == "leaf"]
    ends = [(cert["not_after"], one["name"], cert) for one, cert in leaves if cert["not_after"]]
    first = min(ends, key=lambda row: (row[0], row[1]), default=None)
    servers = [one for host in found for one in host["servers"] if one["tls"] and not one["reject_handshake"]]
    return {
        "hosts": {
            "all": len(found),
            **{state: sum(one["state"] == state for one in found) for state in audit.STATES},
            "without_nginx": sum(without_nginx(one) for one in found),
        },
        "servers": {
            "tls": len(servers),
            "verifying": sum(one["verify"] in ("on", "optional", "optional_no_ca") for one in servers),
        },
        "locations": sum(len(one["locations"]) for one in found),
        "certificates": {
            "leaves": len(leaves),
            **{word: sum(cert["validity"] == word for _one, cert in leaves) for word in audit.VALIDITIES},
        },
        "crls": sum(len(one["crls"]) for one in found),
        "served_differs": sum(bool(row["differs"]) for one in found for row in one["served"]),
        "edges": {state: sum(one["state"] == state for one in edges) for state in (WORKS, REFUSED, UNKNOWN)},
        "findings": _counts(Counter(one["severity"] for one in said)),
        "next_to_expire": first
        and {
            "host": first[1],
            **{key: first[2][key] for key in ("path", "credential", "subject", "not_after", "days_left")},
        },
    }


def without_nginx(one: Mapping[str, Any]) -> bool:
    """A host that was read, and has none."""
    return one["state"] == audit.READ and not one["instances"] and one["release"] is None


def failing(found: Mapping[str, Any], fail_on: str) -> list[dict[str, Any]]:
    """The findings for which a run ends with an error: *fail_on* is error, warning or never."""
    worse = {"error": (ERROR,), "warning": (ERROR, WARNING)}.get(fail_on, ())
    return [one for one in found["findings"] if one["severity"] in worse]


def grouped(said: Iterable[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], list[str]]]:
    """Equal findings of several hosts as one, with the hosts: same code, message and remedy."""
    groups: dict[tuple[str, ...], tuple[Mapping[str, Any], list[str]]] = {}
    for one in said:
        key = one["severity"], one["code"], _without(one["message"], one["host"]), one["remedy"]
        groups.setdefault(key, (one, []))[1].append(one["host"])
    return [(one, list(dict.fromkeys(names))) for one, names in groups.values()]


def _without(message: str, name: str) -> str:
    """A message without the host's own name, which would keep equal ones apart."""
    return message.replace(name, "\0") if name else message
