# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what modules have read on the hosts of one connection to its explanation.

``nginx_tls_info`` (with its files' PEM) says what each nginx uses, ``endpoint_info`` what was seen; here the
certificate that each side sends is judged by the files of the other, as nginx would at that host's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.case import Case, Seen, Side
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.explanation import explain
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections

_MISSING, _OTHER_KEY = "chain.missing_intermediate", "chain.signature_invalid"
#: nginx does not start, or not again, with these; which file it is says more than nginx's line.
_REFUSED = "nginx.configuration_refused"
_NOT_LOADED = ("endpoint.nginx_down", "endpoint.reload_refused")
#: Areas of findings about what nginx does not load.
_LOADED = ("endpoint", "file", "format", "pair", "key", "signature")
#: ngx_http_upstream_init_round_robin and ngx_parse_url, when the configuration is read.
_NO_HOST, _UNRESOLVED = "host not found in upstream", "endpoint.name_unresolved"
_PROBE_TIMEOUT_S = 5.0
#: For one location; a silent one takes the time limit.
MOST_TARGETS = 16


def questions(
    location: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    path: str = "/",
    names: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """What ``endpoint_info`` is asked on the client's host about one of its locations: `direct`, the server
    with the location's certificate, for each of its ``targets``; `named`, the same with the server name that
    nginx does not send; and `through`, nginx's own listener.

    A certificate or key that cannot be used is left out (*files*: those of the host), so that the rest is
    asked. *names*: what names stand for on that host.
    """
    name = location["name"] if location["sni"] and not location["name_variable"] else ""
    asked = {
        "server_name": name,
        "http_host": location["host"] or name,
        "path": path,
        "timeout_s": _PROBE_TIMEOUT_S,
        "certificate_path": _path(location["certificate"]),
        "private_key_path": _path(location["key"]),
    }
    version = _only(location["protocols"])
    if version:
        asked["tls_version"] = version
    pair = [asked["certificate_path"], asked["private_key_path"]]
    if not all(pair) or any(one["path"] in pair and _faulty(one) for one in files):
        asked.update(certificate_path="", private_key_path="")
    found = [
        {"name": f"direct {target}", **address, **asked}
        for target, address in targets(location, names)[:MOST_TARGETS]
    ]
    if not location["sni"] and not location["name_variable"] and location["servers"]:
        found.append({**found[0], "name": "named", "server_name": location["name"]})
    for listen in location["listens"][:1]:
        host = {"*": "127.0.0.1", "[::]": "::1"}.get(listen["address"], listen["address"])
        found.append(
            {
                "name": "through",
                "host": host,
                "port": listen["port"] or 443,
                "tls": listen["tls"],
                "proxy_protocol": listen["proxy_protocol"],
                "http_host": next(
                    (one for one in location["server_names"] if one not in ("", "_")), "localhost"
                ),
                "path": _path_of(location["path"], path),
                "timeout_s": _PROBE_TIMEOUT_S,
            }
        )
    return found


def targets(
    location: Mapping[str, Any], names: Mapping[str, Sequence[str]]
) -> list[tuple[str, dict[str, Any]]]:
    """Whom nginx asks in turn (ngx_http_upstream_init_round_robin), with `host` and `port`: each server, and
    each address where a name stands for several."""
    found = []
    for server in location["servers"]:
        address = _address(server)
        several = names.get(connections.host_of(server), ())
        if len(several) > 1:
            found += [(f"{server} at {one}", {**address, "host": one}) for one in several]
        else:
            found.append((server, address))
    return found


def _path(file: Optional[Mapping[str, Any]]) -> str:
    return str(file["path"]) if file and not file["variable"] and not file["scheme"] else ""


def _path_of(written: str, otherwise: str) -> str:
    """A path that the location takes, where it is no regular expression."""
    modifier, dummy, path = written.rpartition(" ")
    return path if path.startswith("/") and path != "/" and modifier in ("", "=", "^~") else otherwise


def _faulty(state: Mapping[str, Any]) -> bool:
    """Would OpenSSL refuse to load it? What is only wrong in the other side's eyes is sent."""
    areas = {one["code"].partition(".")[0] for one in state["findings"] if one["severity"] == "error"}
    return bool(areas & {"pair", "format", "file", "key", "signature"})


def _only(protocols: Sequence[str]) -> Optional[str]:
    versions = [one.replace("TLSv", "") for one in protocols]
    return versions[0] if len(versions) == 1 and versions[0] in ("1.2", "1.3") else None


def _address(server: str) -> dict[str, Any]:
    if server.startswith("unix:"):
        return {"host": server, "port": 443}
    host, dummy, port = server.rpartition(":")
    return {"host": host.strip("[]"), "port": int(port)}


def diagnose(
    client: Optional[Mapping[str, Any]], server: Optional[Mapping[str, Any]], at: datetime
) -> dict[str, Any]:
    """``{findings: [..], missing: [..]}`` for one connection.

    *client*: `host`, `tls` (of nginx_tls_info), `location` (its element), `direct` and `through`, each
    ``{asked, seen}`` (options and result of endpoint_info) or None, `clock_s`. *server*: `host`, `tls`,
    `block` (its element, None where it was not found), `clock_s`. Either may be None: then only the other
    end is known. `meant` of the client: the host that it asks by name, where somebody else answers.
    """
    ends = _Ends(client or {}, server or {}, at)
    told = explain(ends.case()).to_dict()
    if told["findings"] and told["findings"][0]["code"] in _NOT_LOADED:
        told["findings"] = [*ends.unloadable(), *told["findings"]]
    return told


class _Ends:
    def __init__(self, client: Mapping[str, Any], server: Mapping[str, Any], at: datetime) -> None:
        self._client, self._server, self._at = client, server, at
        self._location: Mapping[str, Any] = client.get("location") or {}
        self._block: Mapping[str, Any] = server.get("block") or {}
        self._files = {id(end): _by_path(end) for end in (client, server)}

    def case(self) -> Case:
        direct, through = (_seen(self._client.get(way)) for way in ("direct", "through"))
        meant = self._client.get("meant", "")
        return Case(direct, through, self._client_side(), self._server_side(), self._named(), meant)

    def _named(self) -> Optional[bool]:
        """Is the certificate that the server has for the name one of that name?"""
        sent = _served(self._client.get("named"))
        if not sent:
            return None
        wanted = {"name": "", "certificate": sent, "hostnames": [self._location["name"]]}
        seen = credential.examine(wanted, self._at)
        return all(seen["hostnames"].values())

    def _client_side(self) -> Side:
        location, end = self._location, self._client
        named = [location.get(key) for key in ("certificate", "key", "trust", "crl")]
        return Side(
            name=end.get("host", ""),
            config=location or None,
            instance=_instance(end, location.get("place", "")),
            own=[one for state in self._states(end, named[:2]) for one in state["findings"]],
            chain=[one for state in self._states(end, named[:1]) for one in state["certificates"]],
            judged=self._judged_server(end.get("clock_s")),
            truly=self._judged_server(0.0),
            log=_log(end, _instance(end, location.get("place", ""))),
            files=self._states(end, named),
            clock_s=end.get("clock_s"),
        )

    def _server_side(self) -> Side:
        block, end = self._block, self._server
        pairs = block.get("certificates", ())
        named = [one[key] for one in pairs for key in ("certificate", "key")]
        named += [block.get(key) for key in ("trust", "trusted", "crl")]
        return Side(
            name=end.get("host", ""),
            config=block or None,
            instance=_instance(end, block.get("place", "")),
            judged=self._judged_client(end.get("clock_s")),
            truly=self._judged_client(0.0),
            log=_log(end, _instance(end, block.get("place", ""))),
            stale=self._stale(),
            files=self._states(end, named),
            clock_s=end.get("clock_s"),
        )

    def _stale(self) -> bool:
        """Is what the server sent not the first certificate of its file?"""
        seen = (self._client.get("direct") or {}).get("seen", {})
        served = [one["sha256"] for one in seen.get("served", ())[:1]]
        pairs = self._block.get("certificates", ())
        leaves = [
            one["sha256"]
            for state in self._states(self._server, [pair["certificate"] for pair in pairs])
            for one in state["certificates"][:1]
        ]
        return bool(served and leaves) and served[0] not in leaves

    def unloadable(self) -> list[dict[str, Any]]:
        """Errors about the files of the end whose nginx does not load its configuration."""
        for end in (self._server, self._client):
            if any(not one["ok"] for one in end.get("tls", {}).get("instances", ())):
                # Its line is among the evidence, and of the cause itself where that is all that is known.
                found = [
                    {**one, "message": _with_place(one)}
                    for one in end["tls"]["findings"]
                    if one["severity"] == "error" and one["code"] != _REFUSED
                ]
                lines = [line for one in end["tls"]["instances"] for line in one["emerg"]]
                if any(_NO_HOST in line for line in lines):
                    said = "A name of proxy_pass or of an upstream does not resolve."
                    found.append(Finding(_UNRESOLVED, said).to_dict())
                found.sort(key=_first)
                return [
                    {**one, "evidence": lines, "confirm": f"{end.get('host', '')}: nginx -t"} for one in found
                ]
        return []

    def _states(self, end: Mapping[str, Any], named: Iterable[Any]) -> list[Mapping[str, Any]]:
        known = self._files[id(end)]
        return [known[path] for file in named if (path := _path(file)) in known]

    def _pem(self, end: Mapping[str, Any], file: Any) -> Optional[bytes]:
        text = self._files[id(end)].get(_path(file), {}).get("pem")
        return text.encode() if text else None

    def _judged_client(self, clock_s: Optional[float]) -> Optional[list[dict[str, Any]]]:
        """What the server's files say of the client's certificate."""
        sent = self._pem(self._client, self._location.get("certificate"))
        trust = [self._pem(self._server, self._block.get(key)) for key in ("trust", "trusted")]
        if sent is None or not any(trust):
            return None
        return self._examined(
            {
                "certificate": sent,
                "trust": b"\n".join(one for one in trust if one),
                "crl": self._pem(self._server, self._block.get("crl")),
                "verify_depth": self._block["depth"],
                "purpose": "client",
            },
            clock_s,
        )

    def _judged_server(self, clock_s: Optional[float]) -> Optional[list[dict[str, Any]]]:
        """What the client's files say of the certificate that the server sends."""
        if self._location and not self._location["verify"]:
            return []
        sent = _served(self._client.get("direct"))
        trust = self._pem(self._client, self._location.get("trust"))
        if not sent or trust is None:
            return None
        return self._examined(
            {
                "certificate": sent,
                "trust": trust,
                "crl": self._pem(self._client, self._location.get("crl")),
                "verify_depth": self._location["depth"],
                "purpose": "server",
                "hostnames": [] if self._location["name_variable"] else [self._location["name"]],
            },
            clock_s,
        )

    def _examined(self, spec: Mapping[str, Any], clock_s: Optional[float]) -> list[dict[str, Any]]:
        seen = credential.examine({"name": "", **spec}, self._at + timedelta(seconds=clock_s or 0.0))
        found = [dict(one) for one in seen["findings"]]
        for one in found:
            if one["code"] == _MISSING:
                one["issuer"] = self._kind(spec["certificate"])
            elif one["code"] == _OTHER_KEY and not self._namesakes(spec):
                one["issuer"] = "replaced"
        return found

    def _namesakes(self, spec: Mapping[str, Any]) -> bool:
        """Are there two authorities of one name in the trust?"""
        trust = Shelf().certificates("trust", spec["trust"], "").certificates
        names = [one.facts.subject_text for one in trust]
        return len(set(names)) < len(names)

    def _kind(self, sent: bytes) -> str:
        """Of the issuer that is missing: `intermediate` or `root`, where any file of the two ends has it."""
        chain = credential.examine({"name": "", "certificate": sent}, self._at)
        wanted = chain["certificate"]["issuer"] if chain["certificate"] else ""
        for end in (self._client, self._server):
            for state in self._files[id(end)].values():
                for one in state["certificates"]:
                    if one["subject"] == wanted:
                        return "root" if one["issuer"] == wanted else "intermediate"
        return ""


def _by_path(end: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["path"]: one for one in end.get("tls", {}).get("files", ())}


def _instance(end: Mapping[str, Any], place: str) -> Optional[Mapping[str, Any]]:
    """The nginx that has the block at *place*; without a place the only one, or one that does not load."""
    instances = end.get("tls", {}).get("instances", ())
    for one in instances:
        if place in [block["place"] for block in (*one["servers"], *one["locations"])]:
            return dict(one)
    found = [one for one in instances if one["pid"] is None or not one["ok"]] or instances
    return dict(found[0]) if found else None


def _log(end: Mapping[str, Any], instance: Optional[Mapping[str, Any]]) -> Optional[list[Mapping[str, Any]]]:
    """The events of the logs of that nginx, for a host may have several."""
    events = end.get("tls", {}).get("log")
    if events is None or instance is None:
        return None
    own = [one.get("read_as") or one["path"] for one in instance["error_logs"]]
    return [one for one in events if one["file"] in own]


def _served(probe: Optional[Mapping[str, Any]]) -> bytes:
    """The certificates that were sent, PEM."""
    sent = (probe or {}).get("seen", {}).get("served", ())
    return b"".join(one["pem"].encode() for one in sent if "pem" in one)


def _with_place(finding: Mapping[str, Any]) -> str:
    message, place = str(finding["message"]), str(finding["place"])
    return message if not place or place in message else f"{place}: {message}"


def _first(finding: Mapping[str, Any]) -> int:
    """What keeps nginx from loading a file comes before what keeps a peer from accepting it."""
    code = str(finding["code"])
    if code == "chain.wrong_order":
        return 0
    area = code.partition(".")[0]
    return _LOADED.index(area) if area in _LOADED else len(_LOADED)


def _seen(probe: Optional[Mapping[str, Any]]) -> Optional[Seen]:
    return Seen.of(probe["asked"], probe["seen"]) if probe else None
