# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as one HTML page that needs nothing else: no network, no other file, no script to be read.

The template escapes all that it is given. Style and script are constants of this collection and named by
their hashes in the page's Content-Security-Policy, so nothing else can run, whatever a subject holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import (
    CATALOGUE,
    ERROR,
    INFO,
    WARNING,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import matrix, timeline
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import (
    REFUSED,
    UNKNOWN,
    without_nginx,
)

HERE = Path(__file__).resolve().parent
#: The mark and word of each state and severity: nothing is told by colour alone.
MARKS = {
    ERROR: ("✕", "error"),
    WARNING: ("!", "warning"),
    INFO: ("i", "info"),
    "ok": ("✓", "fine"),
    "unread": ("–", "not read"),
    "works": ("✓", "accepted in both directions"),
    REFUSED: ("✕", "refused"),
    UNKNOWN: ("?", "unknown"),
}
STATES = {
    audit.READ: "read",
    audit.PARTLY: "read in part",
    audit.UNREACHABLE: "unreachable",
    audit.FAILED: "failed",
    audit.NOT_ASKED: "not asked",
}
_KINDS = {
    ("server",): "Server A",
    ("proxy",): "Server B",
    ("proxy", "server"): "Server A and B",
    (): "Other hosts",
}
_ORDER = {ERROR: 0, "unread": 1, WARNING: 2, "ok": 3}


def html(found: Mapping[str, Any]) -> str:
    """The page of a report."""
    style, script = _text("page.css"), _text("page.js")
    rows = [_host(one) for one in found["hosts"]]
    return str(
        _template().render(
            report=found,
            summary=found["summary"],
            policy=_policy(style, script),
            style=style,
            script=script,
            marks=MARKS,
            validities=timeline.VALIDITIES,
            states=STATES,
            hosts=rows,
            kinds=_by_kind(rows),
            lanes=timeline.lanes(found),
            ends=timeline.ends(found),
            edges=matrix.matrix(found["edges"]),
            reasons=matrix.reasons(found["edges"]),
            findings=_findings(found["findings"]),
        )
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(HERE),
    )
    environment.filters["date"] = lambda text: (text or "")[:10]
    environment.filters["short"] = lambda sha256: (sha256 or "")[:16]
    return environment.get_template("page.html.j2")


def _host(one: Mapping[str, Any]) -> dict[str, Any]:
    leaves = [
        cert for cert in one["certificates"] if cert["role"] == "leaf" and cert["days_left"] is not None
    ]
    first = min(leaves, key=lambda cert: cert["not_after"], default=None)
    sides = one["sides"] or (one["release"] or {}).get("parts") or []
    severity = _severity(one)
    return {
        **one,
        "severity": severity,
        "order": _ORDER[severity],
        "first": first,
        "kind": _KINDS[tuple(sorted(sides))],
        "versions": ", ".join(dict.fromkeys(str(each["version"]) for each in one["instances"])),
        "answering": sum(each["tls"] and not each["reject_handshake"] for each in one["servers"]),
        "without_nginx": without_nginx(one),
    }


def _severity(one: Mapping[str, Any]) -> str:
    if one["state"] in (audit.UNREACHABLE, audit.FAILED, audit.NOT_ASKED):
        return "unread"
    return next((name for name in (ERROR, WARNING) if one["findings"][name]), "ok")


def _by_kind(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    found: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in _KINDS.values()}
    for one in rows:
        found[one["kind"]].append(one)
    return [(kind, members) for kind, members in found.items() if members]


def _findings(said: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By code and severity; the remedy once where it is the same for all."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in said:
        groups.setdefault((one["severity"], one["code"]), []).append(one)
    found = []
    for (severity, code), rows in groups.items():
        remedies = {one["remedy"] for one in rows}
        found.append(
            {
                "severity": severity,
                "code": code,
                "title": CATALOGUE[code].title if code in CATALOGUE else rows[0]["message"],
                "remedy": remedies.pop() if len(remedies) == 1 else "",
                "hosts": len({one["host"] for one in rows}),
                "rows": rows,
            }
        )
    return found
