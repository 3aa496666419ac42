# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit says on the console: the fleet in a few lines, then the findings, equal ones once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import INFO
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import failing, grouped

#: So many findings are told; the files have all.
_TOLD = 20
_STATES = {
    audit.PARTLY: "read in part",
    audit.UNREACHABLE: "unreachable",
    audit.FAILED: "failed",
    audit.NOT_ASKED: "not asked",
    "without_nginx": "without nginx",
}


def lines(found: Mapping[str, Any]) -> list[str]:
    """For people; the same facts as in the report."""
    said = found["summary"]
    hosts = said["hosts"]
    first = [f"{_many(hosts['all'], 'host')} at {found['generated']}: {hosts[audit.READ]} read"]
    first += [f"{hosts[state]} {words}" for state, words in _STATES.items() if hosts[state]]
    told = [
        ", ".join(first),
        _servers(said),
        _certificates(said),
    ]
    edges = said["edges"]
    if any(edges.values()):
        told.append(
            f"edges: {edges['works']} of {sum(edges.values())} accepted in both directions,"
            f" {edges['refused']} refused, {edges['unknown']} unknown"
        )
    counts = said["findings"]
    told.append(", ".join(f"{_many(number, severity)}" for severity, number in counts.items()))
    return told + list(_findings(found))


def _servers(said: Mapping[str, Any]) -> str:
    tls, verifying = said["servers"]["tls"], said["servers"]["verifying"]
    places = _many(said["locations"], "proxied location")
    return f"{_many(tls, 'TLS server')}, {verifying} with client certificates; {places}"


def _certificates(said: Mapping[str, Any]) -> str:
    counts, first = said["certificates"], said["next_to_expire"]
    words = [_many(counts["leaves"], "certificate")]
    words += [f"{counts[word]} {word.replace('_', ' ')}" for word in audit.VALIDITIES[:4] if counts[word]]
    if said["served_differs"]:
        words.append(f"{said['served_differs']} served otherwise than on disk")
    if first:
        words.append(f"first to end: {first['host']} {first['path']} in {_many(first['days_left'], 'day')}")
    return ", ".join(words)


def _findings(found: Mapping[str, Any]) -> Iterator[str]:
    groups = [one for one in grouped(found["findings"]) if one[0]["severity"] != INFO]
    for one, hosts in groups[:_TOLD]:
        others = f" (and {_many(len(hosts) - 1, 'other host')})" if len(hosts) > 1 else ""
        host = f"{one['host']}{others}" if one["host"] else "fleet"
        what = f"{one['code']}: {one['message']} [{one['place']}] {one['remedy']}"
        yield f"{one['severity'].upper()} {host}: {what}"
    if len(groups) > _TOLD:
        yield f"and {len(groups) - _TOLD} more kinds of findings, in the report"


def refusal(found: Mapping[str, Any], fail_on: str) -> str:
    """Why the run ends with an error, "" where it does not."""
    bad = failing(found, fail_on)
    if not bad:
        return ""
    one, severities = bad[0], " or ".join(dict.fromkeys(row["severity"] for row in bad))
    return (
        f"{_many(len(bad), 'finding')} of severity {severities}"
        f" on {_many(len({row['host'] for row in bad}), 'host')}; the first: {one['host'] or 'fleet'}:"
        f" {one['code']}: {one['message']} {one['remedy']}"
        f" (audit_fail_on is {fail_on!r}; with never the run ends well all the same)"
    )


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
