# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``site.yml`` says at its end: a line for each host and part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry, request
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.model import GROUPS

RESULTS = {"server": "mtls_server_result", "proxy": "mtls_proxy_result"}
#: Part to the role, the word for one of its blocks, and where ``credential_info`` has them.
SERVED = {"server": ("Server A", "site", "sites"), "proxy": ("Server B", "route", "routes")}


def site_report(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    edges: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> list[str]:
    """A line for each host and side of *fleet*: release, credentials' days, verdicts of the proof.

    Before them one for each part that a host still serves without being in its group, where it was read.

    A host whose part was not installed in this run (outside the limit, failed, unreachable) says so. *edges*
    is what ``mtls_edges`` told: how many work, and a line for each kind of other ones. Certificates are due
    at the time *at*, now if not given.
    """
    at = at or datetime.now(timezone.utc)
    lines = [*(fleet.get("warnings") or []), *_left(fleet, hostvars), *_edges(edges or {})]
    for host, model in sorted(fleet["hosts"].items()):
        for side in model["sides"]:
            result = hostvars[host].get(RESULTS[side]) if host in hostvars else None
            lines.append(f"{host} {side}: {_line(result)}")
            lines += [f"{host} {side}: {text}" for text in _due(model, side, result, at)]
            if side == "proxy" and host in hostvars:
                requests = hostvars[host].get("mtls_requests") or {}
                lines += [f"{host} {side}: {text}" for text in _renamed(model, requests)]
    return lines


def _left(fleet: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Iterator[str]:
    for host, model in sorted(fleet["hosts"].items()):
        told = hostvars[host].get("mtls_installed") if host in hostvars else None
        installed = (told or {}).get("installed") or {}
        for group, side in GROUPS.items():
            if side in installed.get("parts", ()) and side not in model["sides"]:
                yield (
                    f"WARNING: {host} is not in {group}, and goes on as {_served(side, installed)}. Nothing"
                    " of that is renewed or changed any more. Put it back, or take it off:"
                    f" ansible-playbook --limit {host} mutual_tls.nginx.remove"
                )


def _served(side: str, installed: Mapping[str, Any]) -> str:
    role, word, blocks = SERVED[side]
    names = [block["name"] for block in installed[blocks]]
    return f"{role} ({word}{'s' if len(names) > 1 else ''} {', '.join(names)})" if names else role


def _edges(told: Mapping[str, Any]) -> list[str]:
    if not told.get("edges"):
        return []
    lines = [f"edges: {told['working']} of {told['edges']} accepted in both directions"]
    lines += [f"edges: WARNING: {text}" for text in told["revoked"]]
    lines += [f"edges: warning: {text}" for text in told["broken"] + told["doubtful"]]
    return lines + [f"edges: {text}" for text in told["unknown"]]


def _due(
    model: Mapping[str, Any], side: str, result: Mapping[str, Any] | None, at: datetime
) -> Iterator[str]:
    """Certificates with fewer days left than `renew.min_days`; of the last third of a lifetime the findings
    of ``release`` tell."""
    found = (result or {}).get("credentials") or []
    ends = {(one.get("part"), one.get("name")): one.get("not_after") for one in found}
    for credential in model.get("credentials", []):
        name, least = credential["name"], credential["renew"]["min_days"]
        end = ends.get((side, name))
        left = expiry.days_left(expiry.parse_rfc3339(end), at) if end else least
        if credential["side"] == side and left < least:
            yield f"WARNING: the certificate of {name} is due: {left} days are left, and {least} are wanted"


def _renamed(model: Mapping[str, Any], requests: Mapping[str, Any]) -> Iterator[str]:
    """Clients whose name has changed: an only credential has its host's, beside another its own."""
    renamed = [
        one["name"]
        for one in requests.get("credentials") or []
        if (one["part"], one["reason"]) == ("proxy", request.NAMES)
    ]
    for credential in model.get("credentials", []):
        if credential["side"] == "proxy" and credential["name"] in renamed:
            yield (
                f"WARNING: the certificate of {credential['name']} is issued anew for"
                f" CN={credential['common_name']}. Who lets it in by its former name has to be told."
            )


def _line(result: Mapping[str, Any] | None) -> str:
    if not result or result.get("skipped"):
        return "not done in this run"
    if result.get("failed"):
        return f"FAILED: {result.get('msg', '')}"
    words = [str(result.get("state", "unknown")), f"release {result.get('release') or 'none'}"]
    words.append("changed" if result.get("changed") else "unchanged")
    verdicts = Counter(row["verdict"] for row in result.get("proof") or [])
    words.extend(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    if result.get("positive"):
        words.append(f"positive {result['positive']}")
    for credential in result.get("credentials") or []:
        words.extend(f"{found['severity']}: {found['message']}" for found in credential.get("findings") or [])
    return ", ".join(words)
