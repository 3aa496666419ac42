# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``revoke.yml`` asks: who is meant, and what each host gets."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    rotation,
    rotation_crls,
    rotation_edges,
    rotation_options,
    rotation_report,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files

#: Who is meant, and the option that says how many hosts there are.
_WHO = ("crl", "host", "serial", "sha256")
NAMES = (*_WHO, "expected_hosts")
#: Options of ``rotate.yml`` that mean the same here.
SHARED = ("batches", "dry_run", "json")
#: A list of somebody else must last so long, or the run ends before it is everywhere.
_MIN_HOURS = 1


def asked(
    given: Mapping[str, Any], folder: str, probes: Iterable[str], hosts: Collection[str]
) -> dict[str, Any]:
    """``{private_ca, crl}``: what role private_ca is to revoke, *probes* (PEM) besides, or a list's path.

    *given*: the options by their whole names, None for what is not given; *folder*: of the inventory;
    *hosts*: those of the fleet. Raises MtlsError.
    """
    for name in sorted(given):
        short = name.partition("_")[2]
        if name.startswith("rotate_") and short in set(rotation_options.NAMES) - set(SHARED):
            raise MtlsError("It is an option of rotate.yml, and says nothing here.", name, "Leave it out.")
    rotation_options.refuse_part(
        given, hosts, "revoke_expected_hosts", "a host that it does not see goes on admitting who is revoked"
    )
    texts = {name: str(given.get(f"revoke_{name}") or "").strip() for name in _WHO}
    named = [name for name in _WHO if texts[name]]
    if not named:
        raise MtlsError(
            "Nobody is named.",
            "revoke_host",
            "Give revoke_host, revoke_serial or revoke_sha256, or revoke_crl: the list of another issuer.",
        )
    if "crl" in named and len(named) > 1:
        raise MtlsError(
            "The list of another issuer says by itself who is revoked.",
            "revoke_crl",
            f"Leave revoke_{named[1]} out, or run once for each.",
        )
    if texts["crl"]:
        return {"private_ca": {}, "crl": os.path.normpath(os.path.join(folder, texts["crl"]))}
    if isinstance(given.get("revoke_serial"), (int, float)):
        raise MtlsError("It is a number.", "revoke_serial", "Give its hexadecimal digits as text, in quotes.")
    made = [certificate.first(pem.encode()).facts.sha256 for pem in probes]
    private_ca = {
        "serials": [{"serial": one.strip()} for one in texts["serial"].split(",") if one.strip()],
        "sha256": [one.strip() for one in texts["sha256"].split(",") if one.strip()] + made,
        "host": texts["host"],
    }
    return {"private_ca": {name: value for name, value in private_ca.items() if value}, "crl": ""}


def plan(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Container[str],
    wanted: Mapping[str, Any],
    opened: Mapping[str, str],
    private_ca: Mapping[str, Any],
    more: Mapping[str, Any],
    at: str = "",
) -> dict[str, Any]:
    """What ``rotation_run.plan`` tells, with ``refused``: why no host may change.

    *wanted* is what :func:`asked` gave, *private_ca* the fact ``mtls_private_ca``. Of *more*: ``revoked``,
    what the private CA says of it; ``issued``, what it has issued; ``made``, whether its lists have them
    already; and ``dry_run``. *at*: the time, RFC 3339, by default now.
    """
    now = expiry.parse_rfc3339(at) if at else datetime.now(timezone.utc)
    revocation = _Revocation(now, wanted, Files(opened), private_ca, more)
    planned = {host: revocation.host(model, hostvars, hosts) for host, model in fleet["hosts"].items()}
    if wanted["crl"] and not revocation.named:
        raise MtlsError(
            f"No credential has {wanted['crl']} among its lists, so site.yml would take it off again.",
            "revoke_crl",
            "Add the line `crl: [{src: " + wanted["crl"] + "}]` to the credentials in mtls_server_credentials"
            " that trust its issuer.",
        )
    told = (
        rotation_edges.judge(fleet, hostvars, planned, private_ca, opened, now) if revocation.made else None
    )
    return {
        "plan": planned,
        "lines": [
            *revocation.lines(fleet["hosts"]),
            *rotation_report.plan_lines(planned),
            *(rotation_report.edge_lines(told) if told else []),
        ],
        "refused": revocation.refused,
        "breaking": told["breaking"] if told else [],
        # Nobody waits for a host that is away: the others are to refuse the client now.
        "passes_unread": True,
        "lost": "It may still admit who is revoked.",
        "until": rotation_options.STABLE,
        "dry_run": rotation_options.truth(more.get("dry_run"), "rotate_dry_run"),
        "given": {},
        "began": now.timestamp(),
        "again": "",
    }


class _Revocation:
    def __init__(
        self,
        at: datetime,
        wanted: Mapping[str, Any],
        files: Files,
        private_ca: Mapping[str, Any],
        more: Mapping[str, Any],
    ) -> None:
        self._at, self._path, self._files, self._private_ca = at, wanted["crl"], files, private_ca
        self._issued = more.get("issued") or []
        self._revoked = more.get("revoked") or []
        self.made = bool(self._path or more.get("made"))
        self.named = False
        self.refused: list[str] = []
        self._left: list[str] = []

    def host(
        self, model: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Container[str]
    ) -> dict[str, Any]:
        host = model["host"]
        told = hostvars[host].get("mtls_installed") if host in hostvars else None
        told = told if isinstance(told, Mapping) and host in hosts else {}
        # Where its own client for the proof could not be made, it has gone since it was read.
        asked = hostvars[host].get("mtls_requests") or {} if told else {}
        told = asked if asked.get("unreachable") else told
        lists = [one for one in model["credentials"] if self._concerns(host, one)]
        if told.get("unreachable") or told.get("failed") or not told.get("installed"):
            why = str(told.get("msg") or "it was not read in this run").rstrip(".")
            if not lists:
                return rotation.entry(rotation.FRESH)
            return rotation.entry(rotation.UNREAD, why=f"{why}. It still admits who is revoked.")
        live = {(one["part"], one["name"]): one for one in told.get("credentials") or [] if one.get("part")}
        self._refuse_own(host, live)
        known = {("server", "probe"), *((one["side"], one["name"]) for one in model["credentials"])}
        self._left += [
            f"{host} {part}/{name}" for part, name in live if part == "server" and (part, name) not in known
        ]
        settings = [
            setting
            for one in lists
            if (one["side"], one["name"]) in live
            for setting in self._setting(host, one, live[one["side"], one["name"]])
        ]
        planned = rotation.entry(rotation.DUE if settings else rotation.FRESH, settings=settings)
        own_probe = any(
            (one["name"], one["issuer"]) == ("probe", "private_ca") for one in model["credentials"]
        )
        asks = own_probe and not self._path and any(one["part"] == "server" for one in settings)
        for one in settings:
            one["proof"] = asks and one["part"] == "server"
        clients = [name for (part, name), one in live.items() if part == "proxy" and self._is_revoked(one)]
        return {**planned, "probe": asks, "clients": clients}

    def _concerns(self, host: str, credential: Mapping[str, Any]) -> bool:
        """Whether a credential is to have the list."""
        if (credential["side"], credential["name"]) == ("server", "probe"):
            return False
        if self._path:
            mine = isinstance(credential["crl"], list) and any(
                one["src"] == self._path for one in credential["crl"]
            )
            self.named = self.named or mine
            return mine
        if "issuer" not in credential["trust"]["sources"]:
            return False
        if credential["crl"] != "auto" and credential["side"] == "server":
            self.refused.append(
                f"{host} server/{credential['name']}: it trusts the private CA, and its crl keeps that CA's"
                " lists away, so it would go on admitting them. Leave crl out, or set it to auto."
            )
        return bool(credential["crl"] == "auto")

    def _refuse_own(self, host: str, live: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        for (part, name), one in live.items():
            if part == "server" and self._is_revoked(one):
                serial = (one.get("certificate") or {}).get("serial")
                self.refused.append(
                    f"{host} {part}/{name}: this Server A uses the certificate with serial {serial}, and each"
                    f" Server B would refuse it. Replace it first: rotate.yml -e rotate_hosts={host}"
                    f" -e rotate_force=true, then -e revoke_serial={serial}. Or take the host out of the"
                    " inventory."
                )

    def _is_revoked(self, live: Mapping[str, Any]) -> bool:
        known = live.get("certificate") or {}
        return any(
            one["sha256"] == known.get("sha256")
            if one.get("sha256")
            else (one["serial"], one["issuer"]) == (known.get("serial"), known.get("issuer"))
            for one in self._revoked
        )

    def _setting(
        self, host: str, credential: Mapping[str, Any], live: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        given = rotation_crls.source(credential, self._private_ca, self._files) or []
        if not self.made:
            why = "it gets the private CA's list that has them"
        elif rotation_crls.is_other(live, given):
            why = "it gets the list that has them"
        else:
            return
        fault = (
            rotation_crls.refusal(live, self._private_ca, given, self._at, _MIN_HOURS) if self.made else ""
        )
        place = f"{credential['side']}/{credential['name']}"
        if fault:
            self.refused.append(f"{host} {place}: nginx would refuse everybody by these lists: {fault}")
        yield {
            "part": credential["side"],
            "name": credential["name"],
            "kinds": [rotation.CRL],
            "reason": "revoke",
            "why": why,
            "days_left": None,
            "action": rotation_crls.INSTALL,
        }

    def lines(self, known: Container[str]) -> list[str]:
        """Who is revoked, and which hosts this run cannot know of."""
        found = []
        for one in self._revoked:
            owner = f"{one['host']} {one['side']}/{one['credential']}" if one.get("host") else "unknown"
            if one.get("credential") != rotation.PROBE_REVOKED:
                found.append(f"revoked: serial {one['serial']} of {one['issuer']}, owner {owner}")
        if self._left:
            found.append(
                f"WARNING: not in this inventory, though installed: {', '.join(self._left[:9])}. They get no"
                " list, and may still admit who is revoked. Put them back, or take them off: site.yml, and"
                " remove.yml for a host that has left mtls_servers."
            )
        away = sorted({one["host"] for one in self._issued if one["host"] not in known})
        if away:
            found.append(
                f"WARNING: not in this inventory, though they have certificates: {', '.join(away[:9])}."
                " If one is a Server A, it still admits who is revoked."
            )
        return found
