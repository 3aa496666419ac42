# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a site of Server A refuses with 403 although their certificate verified: its allowlist, and the probe
identities of all A.

The rules are those of the maps in the site's block (roles/mtls_server/templates/site.conf.j2); ``read`` takes
them back from the text of an installed one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from .errors import MtlsError
from .findings import Finding
from .nginx_conf import Directive, parse

_PROBE_NAME = "CN=mtls-probe."
_SHA1 = re.compile(r"~\^SUCCESS:([0-9a-f]{40}):")
_DN = re.compile(r"~\^SUCCESS:\[0-9a-f\]\+:\[0-9A-F\]\+:(.*)\\z", re.DOTALL)
_ISSUED = re.compile(r"~\^SUCCESS:([0-9A-F]+):(.*)\\z", re.DOTALL)
_PROBES_BY_NAME = r"~^SUCCESS:[0-9a-f]*:(.*,)?CN=mtls-probe\."


@dataclass(frozen=True)
class Client:
    """A client as nginx tells it: $ssl_client_s_dn, $ssl_client_i_dn, $ssl_client_fingerprint (SHA-1),
    $ssl_client_serial."""

    dn: str
    issuer: str
    sha1: str
    serial: str


def is_probe(dn: str) -> bool:
    """Is this the subject of a probe identity of some Server A, which may ask the probe path only?"""
    return dn.startswith(_PROBE_NAME) or f",{_PROBE_NAME}" in dn


def refusal(client: Client, allow: Sequence[Mapping[str, str]], probes: Collection[str]) -> Optional[Finding]:
    """Why a site with this allowlist refuses the verified *client*; None where it lets it in.

    *allow*: elements {sha1}, {dn} or {issuer, serial}, none for everybody. *probes*: SHA-1 of the probe
    identities that are told by their certificate; the others are told by their name.
    """
    if client.sha1 in probes or is_probe(client.dn):
        said = f'"{client.dn}" is a probe identity of some Server A, which may ask the probe path only.'
        return Finding("edge.probe_identity", said, client.dn)
    if allow and not any(_is(client, entry) for entry in allow):
        said = (
            f'"{client.dn}" (issuer "{client.issuer}", serial {client.serial}, SHA-1 {client.sha1}) is not on'
            " the allowlist of the site."
        )
        return Finding("edge.not_allowed", said, client.dn)
    return None


def _is(client: Client, entry: Mapping[str, str]) -> bool:
    if "sha1" in entry:
        return client.sha1 == entry["sha1"]
    if "dn" in entry:
        # The map's expression passes over the serial as hexadecimal digits: a negative one has a sign.
        return client.dn == entry["dn"] and not client.serial.startswith("-")
    return (client.issuer, client.serial) == (entry["issuer"], entry["serial"])


def read(text: str, place: str) -> tuple[Optional[list[dict[str, str]]], list[str]]:
    """*allow* and *probes* of a site's text, as ``refusal`` takes them; *allow* is None for somebody else's
    text, whose rules are not known. Raises MtlsError for a text that cannot be read."""
    maps = {
        item.args[1].rpartition("_")[2]: item
        for item in parse(text, place)
        if item.name == "map" and len(item.args) == 2 and item.args[1].startswith("$mtls_server_")
    }
    probe, listed, issued = (maps.get(name) for name in ("probe", "listed", "issued"))
    if probe is None or listed is None or issued is None:
        return None, []
    probes = [match.group(1) for key in _keys(probe) if (match := _SHA1.fullmatch(key))]
    try:
        allow = [_listed(key) for key in _keys(listed)] + [_issued(key) for key in _keys(issued)]
    except MtlsError:
        return None, probes
    if not allow and listed.value("default") != "1":
        return None, probes
    return allow, probes


def _keys(block: Directive) -> list[str]:
    return [item.name for item in block.block or () if item.name not in ("default", _PROBES_BY_NAME)]


def _listed(key: str) -> dict[str, str]:
    sha1, dn = _SHA1.fullmatch(key), _DN.fullmatch(key)
    if sha1:
        return {"sha1": sha1.group(1)}
    if dn:
        return {"dn": _plain(dn.group(1))}
    raise MtlsError("No such line is written here.", key)


def _issued(key: str) -> dict[str, str]:
    match = _ISSUED.fullmatch(key)
    if not match:
        raise MtlsError("No such line is written here.", key)
    return {"issuer": _plain(match.group(2)), "serial": match.group(1)}


def _plain(pattern: str) -> str:
    """The text that an expression made by ``re.escape`` stands for."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
