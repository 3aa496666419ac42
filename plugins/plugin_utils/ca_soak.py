# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who still comes with a certificate of the authority that is to be retired, by Server A's access logs.

Clients are told apart by serial number where it is known, and by the issuer's name where no other authority
has that name. Whoever cannot be told to be of an authority that stays counts as one of the old.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.certificate import Certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.ca_rotation import Replacement, certificates

#: So many clients of one host a message names.
_TOLD = 5


def asked(replacement: Replacement) -> list[dict[str, str]]:
    """The option ``clients`` of ``client_log_info``: whoever must not be overlooked."""
    return [{"issuer": name} for name in sorted(_Known(replacement, ()).going)]


def held_back(
    replacement: Replacement,
    seen: Mapping[str, Mapping[str, Any]],
    issued: Collection[Mapping[str, Any]],
) -> dict[str, str]:
    """Server A to why the old authority may not be retired there. *seen*: host to the result of
    ``client_log_info``; *issued*: what the private CA has issued."""
    known = _Known(replacement, issued)
    found = {}
    for host, model in replacement.fleet["hosts"].items():
        if "server" not in model["sides"] or host in replacement.options.without:
            continue
        if not replacement.is_read(host):
            continue  # held back for that
        why = _why(seen.get(host) or {}, known)
        if why:
            found[host] = why
    return found


def _why(told: Mapping[str, Any], known: _Known) -> str:
    if "sites" not in told:
        return f"its access logs were not read: {told.get('msg') or 'unknown why'}"
    old = [
        (site["site"], client) for site in told["sites"] for client in site["clients"] if known.is_old(client)
    ]
    said = [
        f"{client['subject']} (serial {client['serial']}, of {client['issuer']}), last {client['last_seen']},"
        f" site {site}"
        for site, client in old[:_TOLD]
    ]
    if old:
        more = f" and {len(old) - _TOLD} more" if len(old) > _TOLD else ""
        return (
            f"clients of the old authority came since {told['since']}: {'; '.join(said)}{more}. Give them"
            " certificates of the new one and wait, or say by rotate_ca_soak_days how long is enough."
        )
    if any(site["left_out"]["matched"] for site in told["sites"]):
        return f"more clients of the old authority came since {told['since']} than are told one by one"
    if not told["complete"]:
        return (
            f"its logs do not tell of all clients since {told['since']}: {' '.join(told['unknown'][:_TOLD])}"
        )
    return ""


class _Known:
    """The authorities that stay and those that go, by name, and certificates by issuer's name and serial."""

    def __init__(self, replacement: Replacement, issued: Collection[Mapping[str, Any]]) -> None:
        staying, going = set(), set()
        self._fine: set[tuple[str, str]] = set()
        self._serials: set[str] = set()
        moved = set()
        for host in replacement.fleet["hosts"]:
            for one in replacement.trusting(host):
                going |= {_name(each) for each in replacement.dropped(host, one)}
                wanted = replacement.wanted(host, one)
                staying |= {_name(each) for each in certificates(wanted.trust)} if wanted else set()
            lives = [replacement.live(host, one) for one in replacement.moving(host)]
            leaves = [live.certificate for live in lives if live]
            new = [leaf for leaf in leaves if replacement.is_new(leaf)]
            for leaf in leaves:
                own, *along = certificates(leaf)
                if leaf in new:
                    self._fine.add((names.text(own.facts.issuer), certificate.serial_text(own.facts.serial)))
                (staying if leaf in new else going).update(_name(each) for each in along)
            if leaves and len(new) == len(leaves):
                moved.add(host)
        staying |= {_name(each) for each in replacement.new}
        self.going = going
        self._names = staying - going
        # What a host of ours had before it got a new one.
        self._before = {one["serial"] for one in issued if one["host"] in moved}

    def is_old(self, client: Mapping[str, Any]) -> bool:
        if client["only_probes"] or client["issuer"] in self._names:
            return False
        known = (client["issuer"], client["serial"])
        return known not in self._fine and client["serial"] not in self._before


def _name(found: Certificate) -> str:
    """As nginx writes it."""
    return names.text(found.facts.subject)
