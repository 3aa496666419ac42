# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All connections of the hosts that diagnose.yml has read, each with its explanation, and what is printed.

Whom a Server B asks is told by what is served: the host whose file holds the certificate that was seen, on
that port; where nothing was served, by the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import INFO
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections, diagnosis

#: Options of diagnose.yml, without their prefix.
NAMES = ("client", "json", "log_minutes", "path", "server")
_DIRECT = "direct "
_THROUGH = "through"
_DAY_MINUTES = 1440
_NOT_PLAIN_OK, _REFUSES = 300, 400


@dataclass(frozen=True)
class Edge:
    """*host* asks *target*, which is of the host *server*, "" where none of the inventory is it."""

    host: str
    location: Mapping[str, Any]
    target: str
    server: str
    told: Mapping[str, Any]
    #: Findings of nginx_tls_info about the location and the server block.
    remarks: Sequence[Mapping[str, Any]] = ()
    #: Of the answer, by the client's nginx where that was asked.
    status: Optional[int] = None

    @property
    def name(self) -> str:
        known = not self.server or self.target.rpartition(":")[0] == self.server
        whom = self.target if known else f"{self.server} ({self.target})"
        return f"{self.host} {self.location['path'] or self.location['place']} → {whom}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "client": self.host,
            "place": self.location["place"],
            "path": self.location["path"],
            "server_name": self.location["name"],
            "target": self.target,
            "server": self.server,
            "status": self.status,
            "well": not self.told["findings"],
            "remarks": list(self.remarks),
            **self.told,
        }


def readings(
    hostvars: Mapping[str, Any], hosts: Iterable[str], now: datetime, path: str = "/"
) -> dict[str, dict[str, Any]]:
    """What ``report`` takes, from the facts that diagnose.yml has registered."""
    found = {}
    for host in hosts:
        facts = hostvars[host]
        first, then = (facts.get(f"mtls_diagnosis_{when}") or {} for when in ("first", "then"))
        tls = then if "instances" in then else first
        if "instances" in tls:
            tls = {**tls, "log": _since(first.get("log"), then.get("log")), "before": first.get("log")}
        else:
            found[host] = {"error": str(first.get("msg") or "it was not reached")}
            continue
        asked = questions(first, path) if "instances" in first else []
        told = facts.get("mtls_diagnosis_asked") or {}
        found[host] = {
            "tls": tls,
            "asked": asked,
            "probes": told.get("probes", []),
            "addresses": [str(facts.get("ansible_host", ""))],
            "clock_s": clock(then, facts.get("mtls_diagnosis_begun"), now),
        }
        if asked and "probes" not in told:
            found[host]["error"] = f"nobody was asked: {told.get('msg', 'the module said nothing')}"
    return found


def _since(before: Optional[Sequence[Any]], after: Optional[Sequence[Any]]) -> Optional[list[Any]]:
    """The events of *after* that are not in *before*, each as often: what has come of our own questions, and
    of whoever asked meanwhile. An older line may be of a fault that is long mended."""
    if after is None:
        return None
    known = [str(one) for one in before or ()]
    fresh = []
    for event in after:
        if str(event) in known:
            known.remove(str(event))
        else:
            fresh.append(event)
    return fresh


def clock(told: Mapping[str, Any], begun: Any, now: datetime) -> Optional[float]:
    """Seconds by which the host's clock is at least ahead of the controller's, or behind: what it said was
    said between *begun* and *now*. None where that is not known."""
    if not told.get("at") or begun is None:
        return None
    at = expiry.parse_rfc3339(told["at"]).timestamp()
    begin, end = float(begun), now.timestamp()
    return at - begin if at < begin else max(0.0, at - end)


def report(
    readings: Mapping[str, Mapping[str, Any]], at: datetime, client: str = "", server: str = ""
) -> dict[str, Any]:
    """``{edges: [..], lines: [..], broken: n}``.

    *readings*: for each host `tls` (nginx_tls_info), `asked` and `probes` (options and results of
    endpoint_info for each of its locations, in their order), `clock_s`, or `error`, why it was not read.
    *client*, *server*: only the connections of this host, or to it.
    """
    for option, host in (("diagnose_client", client), ("diagnose_server", server)):
        if host and host not in readings:
            raise MtlsError(f"{host} is no host of this run.", option, "Name it as the inventory does.")
    edges = [edge for host in readings for edge in _edges(host, readings, at)]
    alone = [line for host in readings for line in _alone(host, readings, edges, at)]
    asks: list[str] = []
    if client or server:
        asks = [one.name for one in edges if client == one.host]
        edges = [one for one in edges if client in ("", one.host) and server in ("", one.server)]
        alone = [] if edges or client else [*_alone(server, readings, edges, at)]
    unread = [f"UNREAD  {host}: {one['error']}" for host, one in readings.items() if one.get("error")]
    if not edges and not alone and not (readings[client].get("error") if client else unread):
        alone = [_nobody(client, server, asks)]
    return {
        "edges": [edge.to_dict() for edge in edges],
        "lines": [*(line for edge in edges for line in lines(edge)), *alone, *unread],
        "broken": sum(bool(edge.told["findings"]) for edge in edges),
    }


def wrong(option: str, value: Any) -> str:
    """Why a value is none of that option, "" where it is."""
    if option == "path" and not str(value).startswith("/"):
        return f"{value} is no path. It begins with a slash."
    if option == "log_minutes" and not (str(value).isdecimal() and 0 < int(value) <= _DAY_MINUTES):
        return f"{value} is no number of minutes. Give 1 to {_DAY_MINUTES}."
    return ""


def questions(tls: Mapping[str, Any], path: str = "/") -> list[dict[str, Any]]:
    """What ``endpoint_info`` is asked on a host, for all its locations; `place` names the location."""
    return [
        {"name": f"{number} {one['name']}", **{key: value for key, value in one.items() if key != "name"}}
        for number, location in enumerate(connections.locations(tls))
        for one in diagnosis.questions(location, tls["files"], path, tls.get("names") or {})
    ]


def _edges(host: str, readings: Mapping[str, Mapping[str, Any]], at: datetime) -> Iterator[Edge]:
    reading = readings[host]
    asked = {one["name"]: {"asked": one, "seen": seen} for one, seen in _pairs(reading)}
    for number, location in enumerate(connections.locations(reading.get("tls", {}))):
        through = asked.get(f"{number} {_THROUGH}")
        mine = {
            name.partition(_DIRECT)[2]: one
            for name, one in asked.items()
            if name.startswith(f"{number} {_DIRECT}")
        }
        if len({_passed(one) for one in mine.values()}) > 1:
            through = None  # by one of them, and nobody knows by which
        left = len(diagnosis.targets(location, reading.get("tls", {}).get("names") or {})) - len(mine)
        for target, direct in mine.items():
            server = _server(host, direct, readings, location)
            ways = {"direct": direct, "through": through, "named": asked.get(f"{number} named")}
            meant = "" if server else _meant(host, direct, readings, location)
            client = {**reading, "host": host, "location": location, "meant": meant, **ways}
            told = diagnosis.diagnose(client, server, at)
            if left > 0 and target == list(mine)[-1]:
                told["missing"] = [*told["missing"], f"Of whom it asks in turn {left} more were not asked."]
            block = (server or {}).get("block") or {}
            remarks = (*location["findings"], *block.get("findings", ()))
            status = (through or direct)["seen"]["status"]
            yield Edge(host, location, target, server["host"] if server else "", told, remarks, status)


def _passed(probe: Mapping[str, Any]) -> bool:
    return (probe["seen"]["status"] or _REFUSES) < _REFUSES


def _pairs(reading: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return zip(reading.get("asked", ()), reading.get("probes", ()))


def _server(
    client: str,
    direct: Mapping[str, Any],
    readings: Mapping[str, Mapping[str, Any]],
    location: Mapping[str, Any],
) -> Optional[dict[str, Any]]:
    """Whose certificate came, or whose address it is where none came. None where that is nobody's, or one of
    several hosts' that are not told apart by the address."""
    asked, seen = direct["asked"], direct["seen"]
    addressed = _addressed(client, asked, readings)
    if not seen["served"]:
        return _end(addressed[0], readings, asked, location) if addressed else None
    leaf = seen["served"][0]["sha256"]
    # What stands between the two may listen on another port.
    for port in (asked["port"], None):
        found = {
            host: there
            for host, reading in readings.items()
            for there, sha256 in _leaves(reading.get("tls", {}))
            if sha256 == leaf and port in (there, None)
        }
        hosts = [host for host in found if host in addressed] or list(found)
        if len(hosts) == 1:
            return _end(hosts[0], readings, {**asked, "port": found[hosts[0]]}, location)
        if hosts:
            return None
    return None


def _addressed(client: str, asked: Mapping[str, Any], readings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The hosts whom *client* means by the address that was *asked*."""
    socket = asked["host"].startswith("unix:")
    target = asked["host"] if socket else f"{asked['host']}:{asked['port']}"
    return [one.host for one in connections.Fleet(readings).behind(client, target) if one.host]


def _end(
    host: str,
    readings: Mapping[str, Mapping[str, Any]],
    asked: Mapping[str, Any],
    location: Mapping[str, Any],
) -> dict[str, Any]:
    name = location["name"] if location["sni"] else ""
    socket = asked["host"] if asked["host"].startswith("unix:") else ""
    block = connections.block_for(readings[host].get("tls", {}), asked["port"], name, socket)
    return {**readings[host], "host": host, "block": block}


def _meant(
    client: str,
    direct: Mapping[str, Any],
    readings: Mapping[str, Mapping[str, Any]],
    location: Mapping[str, Any],
) -> str:
    """The host that was asked, where its own nginx serves another certificate there than the one that came;
    "" where that is not known, and for a name that stands for several."""
    asked, seen = direct["asked"], direct["seen"]
    addressed = _addressed(client, asked, readings)
    if not seen["served"] or len(addressed) != 1:
        return ""
    block = _end(addressed[0], readings, asked, location)["block"] or {}
    served = [one["sha256"] for one in block.get("served", ()) if one["sha256"]]
    return addressed[0] if served and seen["served"][0]["sha256"] not in served else ""


def _leaves(tls: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """(port, SHA-256) of what the server blocks serve, by probe and by file."""
    files = {one["path"]: one for one in tls.get("files", ())}
    for instance in tls.get("instances", ()):
        for block in instance["servers"]:
            leaves = [one["sha256"] for one in block["served"] if one["sha256"]]
            for pair in block["certificates"]:
                found = files.get(pair["certificate"]["path"], {}).get("certificates", ())
                leaves += [one["sha256"] for one in found[:1]]
            yield from ((one["port"], leaf) for one in block["listens"] for leaf in leaves)


def _alone(
    host: str, readings: Mapping[str, Mapping[str, Any]], edges: Sequence[Edge], at: datetime
) -> Iterator[str]:
    """What a Server A whom nobody here asks knows of those who did."""
    if any(edge.server == host for edge in edges):
        return
    reading = readings[host]
    tls = {**reading.get("tls", {}), "log": reading.get("tls", {}).get("before")}
    reading = {**reading, "tls": tls}
    for instance in tls.get("instances", ()):
        for block in instance["servers"]:
            if block["verify"] != "off":
                told = diagnosis.diagnose(None, {**reading, "host": host, "block": block}, at)
                if told["findings"]:
                    yield from _explained(
                        f"{host} {block['names'][0] if block['names'] else block['place']}", told
                    )
                    return


def _nobody(client: str, server: str, asks: Sequence[str]) -> str:
    """Why there is no connection to speak of."""
    if client and asks:
        said = f"NONE    {client} does not ask {server}, or it cannot be told that it does. It asks: "
        return said + "; ".join(asks)
    if client:
        return f"NONE    {client} asks nobody by TLS: no location of its nginx has a proxy_pass https://…"
    whom = server or "anybody"
    return f"NONE    No nginx of these hosts asks {whom} by TLS, or it cannot be told that it does."


def lines(edge: Edge) -> list[str]:
    """One line if all is well, else cause, evidence, remedy; then what the configurations do besides."""
    well = not edge.told["findings"]
    noted = [
        f"        note: {one['place']}: {one['message']} [{one['code']}]"
        for one in edge.remarks
        if not well or one["severity"] != INFO
    ]
    if not well:
        return [*_explained(edge.name, edge.told), *noted]
    other = edge.status is not None and edge.status >= _NOT_PLAIN_OK
    said = f"ok      {edge.name}" + (f": TLS is well, the answer is {edge.status}" if other else "")
    return [said, *(f"        to say more: {line}" for line in edge.told["missing"]), *noted]


def _explained(name: str, told: Mapping[str, Any]) -> Iterator[str]:
    first, *others = told["findings"]
    yield f"BROKEN  {name}: {first['message']} [{first['code']}]"
    yield from (f"        seen: {line}" for line in first["evidence"])
    yield f"        do: {first['remedy']}"
    if first["confirm"]:
        yield f"        see: {first['confirm']}"
    yield from (f"        also: {one['message']} [{one['code']}] {one['remedy']}" for one in others)
    yield from (f"        to say more: {line}" for line in told["missing"])
