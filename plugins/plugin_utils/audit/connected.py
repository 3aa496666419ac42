# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges of every nginx, whoever configured it: each proxied location with TLS, the server block that answers
it, and what each of the two says of the other one's certificate, by the files on both hosts.

Nobody is asked. Where the files do not decide, the answer is unknown and says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import edges
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import (
    ACCEPTED,
    CLIENT,
    REFUSED,
    SERVER,
    UNKNOWN,
    YES,
    Answer,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections, forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.host import credential
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_rules import Material, Rules

_TLS = ("https", "grpcs", "suwsgi", "tls")
_OPTIONAL, _ANYBODY = "optional", "optional_no_ca"


class Connected:
    """*readings*: of each host of the inventory, as ``connections`` takes them."""

    def __init__(self, readings: Mapping[str, connections.Reading], at: datetime) -> None:
        self._readings = readings
        self._fleet = connections.Fleet(readings)
        self._rules = Rules(at)
        self._files = {
            host: {one["path"]: one for one in (reading.get("tls") or {}).get("files", ())}
            for host, reading in readings.items()
        }
        self._instances = {host: _by_place(reading.get("tls") or {}) for host, reading in readings.items()}

    def edges(self, known: Collection[tuple[Any, ...]] = ()) -> Iterator[dict[str, Any]]:
        """In the shape of ``edges.judge``, with `place` and `ours` of the location; those of ours whose
        ``key`` is *known* are left out."""
        for host, reading in self._readings.items():
            for location in connections.locations(reading.get("tls") or {}):
                if location["protocol"] in _TLS:
                    yield from self._of(host, location, known)

    def _of(
        self, proxy: str, location: Mapping[str, Any], known: Collection[tuple[Any, ...]]
    ) -> Iterator[dict[str, Any]]:
        edge = {
            "proxy": proxy,
            "route": location["path"] or location["place"],
            "server_name": location["name"],
            "place": location["place"],
            "ours": location["ours"],
            "credential": _credential(location),
        }
        if not location["servers"]:
            why = _unknown("whom it asks is known to a request only.")
            yield _told({**edge, "address": location["pass"], "external": None}, why, why)
        for server in dict.fromkeys(location["servers"]):
            if edge["ours"] and key({**edge, "address": server}) in known:
                continue
            for asked in self._fleet.behind(proxy, server):
                yield self._judged(edge, location, server, asked)

    def _judged(
        self, edge: Mapping[str, Any], location: Mapping[str, Any], server: str, asked: connections.Asked
    ) -> dict[str, Any]:
        known = {**edge, "address": server, "server": asked.host or None, "external": not asked.host}
        if asked.several:
            why = _unknown(f"the inventory has several hosts for it: {', '.join(asked.several)}.")
            return _told({**known, "external": False}, why, why)
        if not asked.host:
            why = _unknown("not a host of this inventory.")
            return _told(known, why, why)
        tls = self._readings[asked.host].get("tls")
        if tls is None:
            why = _unknown("Server A was not read in this run (outside its limit, not reached, or failed).")
            return _told(known, why, why)
        port = connections.port_of(server)
        name = location["name"] if location["sni"] else ""
        block = connections.block_for(tls, port, name, asked.address)
        if block is None:
            why = _unknown("no nginx of Server A listens there, and who answers is not known.")
            return _told(known, why, why)
        known["site"] = next(iter(block["names"]), "") or block["place"]
        doubt = (
            self._not_in_force(edge["proxy"], location, "Server B")
            or self._not_in_force(asked.host, block, "Server A")
            or _unsure_name(tls, port, location, block, asked.address)
        )
        if doubt:
            return _told(known, doubt, doubt)
        refused = _no_handshake(block, port, asked.address)
        if refused:
            return _told(known, refused, _unknown("no handshake comes as far as its certificate."))
        doubt = _other_by_host(tls, port, location, block, asked.address)
        if doubt:
            return _told(known, doubt, doubt)
        here, there = self._files[edge["proxy"]], self._files[asked.host]
        return _told(
            known, self._client(location, here, block, there), self._server(block, there, location, here)
        )

    def _not_in_force(self, host: str, element: Mapping[str, Any], who: str) -> Optional[Answer]:
        """Why what lies on the disk of *host* says nothing of what its nginx does."""
        instance = self._instances[host][element["place"]]
        if instance["pid"] is None:
            return _unknown(f"nginx of {who} does not run.")
        if not instance["ok"]:
            return _unknown(f"nginx of {who} refuses what lies on its disk, and runs with an older one.")
        return None

    # -- the two answers

    def _client(
        self,
        location: Mapping[str, Any],
        here: Mapping[str, Any],
        block: Mapping[str, Any],
        there: Mapping[str, Any],
    ) -> Answer:
        """What Server A says to the client certificate."""
        verify = block["verify"]
        if verify == "off":
            return YES
        if location["certificate"] is None:
            if verify in (_OPTIONAL, _ANYBODY):
                return _unknown(
                    "no certificate is sent, and what becomes of such a client is not told by TLS."
                )
            found = Finding(
                "endpoint.client_cert_not_sent", "no certificate is sent, and one is required.", ""
            )
            return edges.refused(found)
        sent = _pem(location["certificate"], here, "the client certificate")
        if isinstance(sent, Answer):
            return sent
        by = _verifier([block["trust"], block["trusted"]], block["crl"], block["depth"], there, "Server A")
        if isinstance(by, Answer):
            return by
        material = Material(sent, b"", None, 0)
        answer = self._chain(material, by, CLIENT)
        if answer.state == REFUSED and verify == _ANYBODY:
            return self._rules.nobody(answer, material, by)
        return answer

    def _server(
        self,
        block: Mapping[str, Any],
        there: Mapping[str, Any],
        location: Mapping[str, Any],
        here: Mapping[str, Any],
    ) -> Answer:
        """What Server B says to the certificate of Server A."""
        if not location["verify"]:
            return YES
        name = "" if location["name_variable"] else location["name"]
        if forms.is_ip(name.strip("[]")):
            said = f"nginx compares its names with {name}, and no certificate matches an address."
            return edges.refused(Finding("name.mismatch", said, ""))
        by = _verifier([location["trust"]], location["crl"], location["depth"], here, "Server B")
        if isinstance(by, Answer):
            return by
        answers = []
        for pair in block["certificates"]:
            sent = _pem(pair["certificate"], there, "the certificate of Server A")
            if isinstance(sent, Answer):
                return sent
            answers.append(self._chain(Material(sent, b"", None, 0), by, SERVER, name))
        if not answers:
            return _unknown("the server block of Server A has no certificate of its own.")
        if self._serves_another(block, there):
            return _unknown("Server A serves another certificate than its file has.")
        if len({one.state for one in answers}) > 1:
            return _unknown(
                "of the certificates of Server A, Server B accepts some, and which is sent is open."
            )
        if answers[0].state == ACCEPTED and location["name_variable"]:
            return _unknown("the name that is verified is known to a request only.")
        return answers[0]

    def _chain(self, sent: Material, by: Material, purpose: str, name: str = "") -> Answer:
        try:
            return self._rules.chain(sent, by, purpose, name)
        except MtlsError as error:  # a name that no certificate could have, for one
            return _unknown(error.message)

    def _serves_another(self, block: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
        paths = [pair["certificate"]["path"] for pair in block["certificates"]]
        leaves = [one["sha256"] for path in paths for one in there[path]["certificates"][:1]]
        return any(row["sha256"] and row["sha256"] not in leaves for row in block.get("served", ()))


def _by_place(tls: connections.Reading) -> dict[str, Mapping[str, Any]]:
    """Which nginx has the block or the location there; of two that read one file the first, which runs."""
    found: dict[str, Mapping[str, Any]] = {}
    for instance in tls.get("instances", ()):
        for one in (*instance.get("servers", ()), *instance.get("locations", ())):
            found.setdefault(one.get("place", ""), instance)
    return found


def key(edge: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same of an edge as the inventory wants it and as it stands in the configuration."""
    return edge["proxy"], edge["credential"], edge["server_name"], edge["address"]


def _told(edge: Mapping[str, Any], client: Answer, server: Answer) -> dict[str, Any]:
    return {
        "site": None,
        "server": None,
        **edge,
        "client_accepted": edges.judge(edge, CLIENT, client, client, client).to_dict(),
        "server_accepted": edges.judge(edge, SERVER, server, server, server).to_dict(),
    }


def _credential(location: Mapping[str, Any]) -> Optional[str]:
    """The name of a credential of ours that the location presents."""
    path = (location["certificate"] or {}).get("path") or ""
    part, slash, name = credential(path).partition("/")
    return name if slash and part == "proxy" else None


def _unknown(message: str) -> Answer:
    return Answer(UNKNOWN, message=message)


def _unsure_name(
    tls: connections.Reading,
    port: Optional[int],
    location: Mapping[str, Any],
    block: Mapping[str, Any],
    address: str,
) -> Optional[Answer]:
    """Why another block may shake hands than the one that is told."""
    if location["sni"] and location["name_variable"]:
        return _unknown("the server name that is sent is known to a request only.")
    unnamed = location["sni"] and location["name"] not in block["names"]
    if unnamed and connections.by_expression(tls, port, address):
        return _unknown("a server name of Server A is a regular expression, and may take it.")
    return None


def _other_by_host(
    tls: connections.Reading,
    port: Optional[int],
    location: Mapping[str, Any],
    block: Mapping[str, Any],
    address: str,
) -> Optional[Answer]:
    """Without a server name the default server shakes hands, and the block that has the Host then decides."""
    if location["sni"] or location["module"] != "http":
        return None
    host = connections.host_of(location["host"])
    if host and connections.block_for(tls, port, host, address) == block:
        return None
    return _unknown("no server name is sent, and the Host may lead to another block than the handshake.")


def _no_handshake(block: Mapping[str, Any], port: Optional[int], address: str) -> Optional[Answer]:
    """Why there is no TLS with this block, whatever the certificates."""
    if block["reject_handshake"]:
        said = "Server A has no block for the server name that is sent, and rejects the handshake."
        return edges.refused(Finding("endpoint.sni_unknown", said, ""))
    there = [one for one in block["listens"] if one["port"] == port or one["address"] == address]
    if not any(one["tls"] for one in there):
        return edges.refused(Finding("endpoint.plain_on_tls_port", "Server A speaks no TLS there.", ""))
    return None


def _verifier(
    trusts: Iterable[Any], crl: Any, depth: int, files: Mapping[str, Any], who: str
) -> Union[Material, Answer]:
    """The files by which a side verifies, or why they are not known."""
    trust = []
    for one in trusts:
        read = _pem(one, files, f"the trust of {who}") if one else b""
        if isinstance(read, Answer):
            return read
        trust.append(read)
    if not any(trust):
        return _unknown(f"{who} verifies, and names no authorities.")
    lists = _pem(crl, files, f"the CRL of {who}") if crl else None
    if isinstance(lists, Answer):
        return lists
    return Material(b"", b"\n".join(trust), lists, depth)


def _pem(file: Mapping[str, Any], files: Mapping[str, Any], what: str) -> Union[bytes, Answer]:
    if file["variable"]:
        return _unknown(f"{what} is named by a variable.")
    if file["scheme"]:
        return _unknown(f"{what} is no file ({file['scheme']}).")
    text = files.get(file["path"], {}).get("pem")
    return text.encode() if text else _unknown(f"{what} cannot be read on its host.")
