# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would each Server A accept each B that asks it, and the reverse: now, during a run of site.yml, after it.

Real is what ``credential_info`` read on the hosts. Wanted is made of what the roles will hand to ``release``,
by the functions by which that makes it. Nobody is asked: a verdict is that of the rules in ``_core`` and
``_x509``, which agree with OpenSSL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import (
    allowlist,
    desired,
    edges,
    key_curve,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answering import answering, no_site
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import (
    ACCEPTED,
    CLIENT,
    NEW,
    NO_EDGE,
    REFUSED,
    SERVER,
    UNKNOWN,
    YES,
    Answer,
    Verdict,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import bytes_of
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.release import credential_path
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tlsconf import (
    TlsSettings,
    settings_of,
    tls_conf,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle, credential
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms, sources
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_rules import Material, Rules
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.part import release_credentials

_NOT_READ = "not read in this run (outside its limit, not reached, or failed before)."
_TWO_SITES = "its sites have one name at several addresses, and which is asked is not known."
_NO_DEPTH = "the verify depth in its tls.conf cannot be read."
_NOT_ISSUED = "its certificate is not issued yet, which check mode does not do."


@dataclass(frozen=True)
class Door:
    """A site of Server A at one time. *allow*: as much of its list as is known, None for nothing; *why*: why
    the rest is not known, None where all is."""

    material: Union[Material, Answer]
    verify: str
    allow: Optional[list[dict[str, str]]]
    probes: frozenset[str]
    protocols: Sequence[str]
    curves: Sequence[str]
    why: Optional[Answer] = None


#: What is known of A and of B at one time, each or the answer that says why not.
_Pair = tuple[Union[Door, Answer], Union[Material, Answer]]


def judge(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Optional[Iterable[str]],
    opened: Mapping[str, str],
    at: datetime,
) -> dict[str, Any]:
    """``{edges: [..], told: {..}}`` of a run that changes *hosts*, by default all that were read.

    *fleet* is the model of all hosts. *opened*: content of vault files, by path. See the filter's page.
    """
    world = World(fleet, hostvars, hosts, Files(opened), at)
    found = list(world.verdicts())
    by_edge: dict[int, dict[str, Any]] = {}
    for one in found:
        by_edge.setdefault(id(one.edge), dict(one.edge))[f"{one.side}_accepted"] = one.to_dict()
    return {"edges": list(by_edge.values()), "told": edges.summary(found)}


class World:
    """What all hosts have and what they are to have. Each thing is made once, however many edges use it."""

    def __init__(
        self,
        fleet: Mapping[str, Any],
        hostvars: Mapping[str, Any],
        hosts: Optional[Iterable[str]],
        files: Files,
        at: datetime,
    ) -> None:
        self._fleet = fleet
        self._models = fleet["hosts"]
        self._variables = {host: _facts(hostvars[host]) for host in self._models if host in hostvars}
        self.real = {host: _read(self._variables.get(host, {})) for host in self._models}
        read = (host for host, real in self.real.items() if real is not None)
        self._changing = frozenset(read if hosts is None else hosts)
        self._files = files
        self.rules = Rules(at)
        self._memory: dict[tuple[Any, ...], Any] = {}
        self._probes: Optional[frozenset[str]] = None

    def verdicts(self) -> Iterator[Verdict]:
        """Both directions of each edge."""
        for edge in self._fleet["edges"]:
            if edge["external"]:
                foreign = Answer(
                    UNKNOWN, message="not a Server A of this inventory.", subject=edge["address"]
                )
                yield edges.judge(edge, CLIENT, foreign, foreign, foreign)
                yield edges.judge(edge, SERVER, foreign, foreign, foreign)
                continue
            door, door_then = self._door(edge, False), self._door(edge, True)
            identity, identity_then = self._identity(edge, False), self._identity(edge, True)
            pairs = [(door, identity), (door_then, identity), (door_then, identity_then)]
            before = _ends(door, identity)
            if isinstance(before, Answer) and before.state == NEW:
                pairs[1] = pairs[0]  # nobody asks yet, so nothing can break on the way
            yield from self._both(edge, pairs)
        yield from self._installed_only()

    def _both(self, edge: Mapping[str, Any], pairs: Sequence[_Pair]) -> Iterator[Verdict]:
        yield self._with_remedy(
            edges.judge(edge, CLIENT, *(self.client(*pair) for pair in pairs)),
            [_trust(each.material if isinstance(each, Door) else each) for each, _identity in pairs],
        )
        name = edge["server_name"]
        yield self._with_remedy(
            edges.judge(edge, SERVER, *(self.server(*pair, name) for pair in pairs)),
            [_trust(each) for _door, each in pairs],
        )

    # -- what is installed and no edge of the model

    def _installed_only(self) -> Iterator[Verdict]:
        """B goes on asking until its own turn, and after that where it is not of this run."""
        wanted: dict[tuple[str, ...], bool] = {_key(edge): edge["external"] for edge in self._fleet["edges"]}
        for proxy, real in self.real.items():
            for route in real["routes"] if real else ():
                if self._takes_off(proxy, route["name"]):
                    continue  # whoever takes a route off wants no answer from it
                for address in route["servers"]:
                    edge = {
                        "proxy": proxy,
                        "route": route["name"],
                        "credential": route["credential"],
                        "server_name": route["server_name"],
                        "address": address,
                        "external": False,
                    }
                    external = wanted.get(_key(edge))
                    if external is not False:
                        yield from self._left(edge, stays=external or not self._changes(proxy, "proxy"))

    def _left(self, edge: dict[str, Any], stays: bool) -> Iterator[Verdict]:
        """The verdicts where A changes, by what its wanted sites answer. *stays*: B asks there after the run,
        too."""
        name, address = edge["server_name"], edge["address"]
        alias = forms.plain_address(address.rpartition(":")[0])
        for host in self._fleet["addresses"].get(alias, ()):
            sites = answering(self.real_sites(host), name, address)
            if not sites or not self._changes(host, "server"):
                continue
            edge = {**edge, "server": host, "site": sites[0]["name"]}
            door, identity = self._door(edge, False), self._identity(edge, False)
            found = no_site(host, name, address, self._wanted_sites(host))
            if found is None:
                then = answering(self._wanted_sites(host), name, address)
                pair = (self._door({**edge, "site": then[0]["name"]}, True), identity)
                yield from self._both(edge, [(door, identity), pair, pair if stays else (NO_EDGE, NO_EDGE)])
                continue
            client, server = self.client(door, identity), self.server(door, identity, name)
            gone = edges.refused(found)
            now = client if server.state == ACCEPTED else server
            yield edges.judge(edge, CLIENT, now, gone, gone if stays else NO_EDGE)
            yield edges.judge(edge, SERVER, server, NO_EDGE, NO_EDGE)

    def _changes(self, host: str, side: str) -> bool:
        return host in self._changing and side in self._models[host]["sides"]

    def _takes_off(self, proxy: str, route: str) -> bool:
        routes = self._models[proxy]["routes"]
        return self._changes(proxy, "proxy") and all(one["name"] != route for one in routes)

    def real_sites(self, host: str) -> list[dict[str, Any]]:
        return (self.real[host] or {"sites": []})["sites"]

    def _wanted_sites(self, host: str) -> list[dict[str, Any]]:
        return self._once(("sites", host), lambda: [_place(site) for site in self._models[host]["sites"]])

    def _with_remedy(self, verdict: Verdict, accepting: list[bytes]) -> Verdict:
        """Names the authorities that the accepting side would drop, where that breaks the edge.

        *accepting*: its trust bundle at each time.
        """
        working = verdict.answers[edges.NOW].state == ACCEPTED
        if verdict.outcome != edges.BREAKS or not working or not verdict.answer.code.startswith("chain."):
            return verdict
        then = self.rules.authorities(accepting[1 if verdict.time == edges.DURING else 2])
        before = self.rules.authorities(accepting[0])
        dropped = [name for sha256, name in before.items() if sha256 not in then]
        return verdict.with_remedy(edges.authority_remedy(verdict.side, dropped))

    # -- the answers

    def client(self, door: Union[Door, Answer], identity: Union[Material, Answer]) -> Answer:
        ends = _ends(door, identity)
        if isinstance(ends, Answer):
            return ends
        site, material, asking = ends
        if site.verify == "off":
            return YES
        if site.curves and asking.why is None:
            unfit = key_curve.refusal(self.rules.curve(asking.certificate), site.protocols, site.curves)
            if unfit is not None:
                return edges.refused(unfit)
        answer = self.rules.chain(asking, material, CLIENT)
        if answer.state == ACCEPTED:
            return self._listed(site, asking)
        if answer.state == REFUSED and site.verify == "optional_no_ca":
            return self._nobody(site, answer, asking, material)
        return answer

    def _listed(self, site: Door, asking: Material) -> Answer:
        """What the site says to a client that verifies."""
        found = allowlist.refusal(self.rules.client(asking.certificate), site.allow or [], site.probes)
        unknown: Optional[Answer] = site.why and replace(site.why, verified=True)
        if found is None:
            # On what is known of the list, or there is none; where nothing is known of it, that says nothing.
            return unknown if unknown and site.allow is None else YES
        if unknown and found.code == "edge.not_allowed":
            return unknown  # the rest of the list may have it
        return edges.refused(found)

    def _nobody(self, site: Door, refused: Answer, asking: Material, material: Material) -> Answer:
        """What a site with optional_no_ca says to a client that does not verify: let in, it is nobody."""
        if site.allow:
            return refused  # whom no list has
        answer = self.rules.nobody(refused, asking, material)
        if answer.state == ACCEPTED and site.allow is None and site.why is not None:
            return site.why
        return answer

    def server(self, door: Union[Door, Answer], identity: Union[Material, Answer], name: str) -> Answer:
        ends = _ends(door, identity)
        if isinstance(ends, Answer):
            return ends
        _site, material, asking = ends
        return self.rules.chain(material, asking, SERVER, name)

    # -- the two sides of an edge

    def _door(self, edge: Mapping[str, Any], then: bool) -> Union[Door, Answer]:
        host, name, address = edge["server"], edge["server_name"], edge["address"]
        if then and host in self._changing:
            return self._once(("wanted", host, edge["site"]), lambda: self._wanted_door(host, edge["site"]))
        return self._once(("real", host, name, address), lambda: self.real_door(host, name, address))

    def real_door(self, host: str, name: str, address: str) -> Union[Door, Answer]:
        if self.real[host] is None:
            return Answer(UNKNOWN, message=_NOT_READ, subject=host)
        sites = answering(self.real_sites(host), name, address)
        if not sites:
            return NO_EDGE
        if len(sites) > 1:
            return Answer(UNKNOWN, message=_TWO_SITES, subject=f"{host} at {address}")
        (site,) = sites
        material = self.real_material(host, "server", site["credential"])
        why = Answer(
            UNKNOWN,
            message="the text of the site is not the role's, so who is let in is not known.",
            subject=f"{host} site {site['name']}",
        )
        return Door(
            material,
            site["verify"],
            site["allow"],
            frozenset(site["probes"]),
            site["protocols"],
            site["curves"],
            why if site["allow"] is None else None,
        )

    def _wanted_door(self, host: str, name: str) -> Union[Door, Answer]:
        site = next(one for one in self._models[host]["sites"] if one["name"] == name)
        allow: list[dict[str, str]] = []
        why: Optional[Answer] = None
        for entry in site["allow"]:
            if "certificate" not in entry:
                allow.append(entry)
                continue
            try:
                allow.append({"sha1": self._sha1(entry["certificate"]["src"])})
            except MtlsError as error:
                why = Answer(UNKNOWN, message=error.message, subject=f"{host} site {name} allow")
        material = self.wanted_material(host, "server", site["credential"])
        known = allow if allow or why is None else None
        tls = site["tls"]
        return Door(
            material, site["verify"], known, self._probe_files(), tls["protocols"], tls["curves"], why
        )

    def _identity(self, edge: Mapping[str, Any], then: bool) -> Union[Material, Answer]:
        host = edge["proxy"]
        if then and host in self._changing:
            return self.wanted_material(host, "proxy", edge["credential"])
        return self._once(("route", *_key(edge)), lambda: self.real_identity(edge))

    def real_identity(self, edge: Mapping[str, Any]) -> Union[Material, Answer]:
        host = edge["proxy"]
        real = self.real[host]
        if real is None:
            return Answer(UNKNOWN, message=_NOT_READ, subject=host)
        for route in real["routes"]:
            same = (route["name"], route["server_name"]) == (edge["route"], edge["server_name"])
            if same and edge["address"] in route["servers"]:
                return self.real_material(host, "proxy", route["credential"])
        return NO_EDGE

    # -- credentials

    def real_material(self, host: str, part: str, name: str) -> Union[Material, Answer]:
        files = (self.real[host] or {"credentials": {}})["credentials"].get((part, name))
        if files is None:
            return NO_EDGE
        if not files["certificate"]:
            return Answer(UNKNOWN, message="its certificate is lost.", subject=f"{host} {part}/{name}")
        return Material(
            files["certificate"].encode(),
            (files["trust"] or "").encode(),
            files["crl"].encode() if files["crl"] else None,
            Answer(UNKNOWN, message=_NO_DEPTH, subject=f"{host} {part}/{name}")
            if files["verify_depth"] is None
            else files["verify_depth"],
        )

    def wanted_material(self, host: str, part: str, name: str) -> Union[Material, Answer]:
        return self._once(("credential", host, part, name), lambda: self._made(host, part, name))

    def _made(self, host: str, part: str, name: str) -> Union[Material, Answer]:
        """As ``release`` will make it."""
        subject = f"{host} {part}/{name}"
        known = self._variables.get(host, {})
        requests, issued = known.get("mtls_requests") or {}, known.get("mtls_issued") or {}
        given = next(
            one
            for one in release_credentials(
                self._models[host], part, requests, issued, known.get("mtls_private_ca") or {}
            )
            if one["name"] == name
        )
        waits = any(
            one["needed"] and (one["part"], one["name"]) == (part, name) and f"{part}/{name}" not in issued
            for one in requests.get("credentials") or []
        )
        live = self._live(host, part, name)
        try:
            spec = sources.with_content(
                {"parts": {part: {"credentials": [_without_key(given)]}}}, self._files.read
            )["parts"]
            built = desired.build(spec, live, live, self._tools(), planning=True)
        except MtlsError as error:
            return Answer(UNKNOWN, message=_NOT_ISSUED if waits else error.message, subject=subject)
        if not built.credentials:
            return Answer(UNKNOWN, message=_NOT_ISSUED if waits else built.waiting[0], subject=subject)
        files = built.credentials[0].files
        sent = b"" if waits else files["fullchain.pem"]
        reason = _NOT_ISSUED if waits else _NOT_READ
        return Material(
            sent,
            files.get("trust.pem", b""),  # a probe identity has none
            files.get("crl.pem"),
            settings_of(files.get("tls.conf", b"").decode()).verify_depth,
            None if sent else Answer(UNKNOWN, message=reason, subject=subject),
        )

    def _live(self, host: str, part: str, name: str) -> dict[str, bytes]:
        """The live credential as ``desired`` wants it, with an empty file for each that is kept unseen."""
        files: dict[str, bytes] = {"fullchain.pem": b"", "privkey.pem": b""}
        real = self.real_material(host, part, name)
        if isinstance(real, Material):
            files["fullchain.pem"] = real.certificate
            files["trust.pem"] = real.trust
            if real.crl is not None:
                files["crl.pem"] = real.crl
            if not isinstance(real.depth, Answer):
                text = tls_conf(part, name, TlsSettings(real.depth), real.trust, real.crl or b"")
                files["tls.conf"] = text.encode()
        return {credential_path(part, name, file): data for file, data in files.items()}

    def _tools(self) -> desired.Tools:
        return desired.Tools(_read_no_path, credential.assemble, _no_key, self._bundle, bytes_of)

    def _bundle(self, given: list[tuple[str, bytes]], trust: Mapping[str, Any]) -> bundle.Bundle:
        on_expired, pinned = trust["on_expired"], trust["allow_pinned"]
        key = ("bundle", *(data for _label, data in given), on_expired, *pinned)
        return self._once(
            key, lambda: bundle.build(given, self.rules.at, on_expired=on_expired, allow_pinned=pinned)
        )

    # -- allowlists

    def _probe_files(self) -> frozenset[str]:
        """SHA-1 of the probe identities that are files, which every A refuses."""
        if self._probes is None:
            paths = {
                one["files"]["certificate"]
                for model in self._models.values()
                for one in model["credentials"]
                if (one["name"], one["issuer"]) == ("probe", "files")
            }
            found = set()
            for path in paths:
                try:
                    found.add(self._sha1(path))
                except MtlsError:
                    continue  # the role says so when it needs the file
            self._probes = frozenset(found)
        return self._probes

    def _sha1(self, path: str) -> str:
        data = self._files.read(path, "allow")
        return self.rules.client(data).sha1

    def _once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]


def _facts(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What this run knows of a host so far; each look into ``hostvars`` costs."""
    names = ("mtls_installed", "mtls_requests", "mtls_issued", "mtls_private_ca")
    return {name: variables.get(name) for name in names}


def _read(variables: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What ``credential_info`` told of a host, None where it told nothing in this run."""
    told = variables.get("mtls_installed") or {}
    if told.get("failed") or told.get("unreachable") or not told.get("installed"):
        return None
    return {
        "sites": told["installed"]["sites"],
        "routes": told["installed"]["routes"],
        "credentials": {
            (one["part"], one["name"]): one["pem"] for one in told["credentials"] if one.get("pem")
        },
    }


def _key(edge: Mapping[str, Any]) -> tuple[str, ...]:
    """Who asks whom, by what name."""
    return edge["proxy"], edge["route"], edge["server_name"], edge["address"]


def _place(site: Mapping[str, Any]) -> dict[str, Any]:
    """Where a site of the model answers, as ``credential_info`` tells of an installed one."""
    listen = [forms.socket(listener) for listener in site["listeners"]]
    return {"name": site["name"], "server_names": site["server_names"], "listen": listen}


def _ends(
    door: Union[Door, Answer], identity: Union[Material, Answer]
) -> Union[Answer, tuple[Door, Material, Material]]:
    """The site, its credential and that of B; or the answer where one is not known, else where one is not
    there."""
    material = door.material if isinstance(door, Door) else door
    if isinstance(door, Door) and isinstance(material, Material) and isinstance(identity, Material):
        return door, material, identity
    answers = [side for side in (material, identity) if isinstance(side, Answer)]
    return next((one for one in answers if one.state != NEW), answers[0])


def _trust(side: Union[Material, Answer]) -> bytes:
    return side.trust if isinstance(side, Material) else b""


def _without_key(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not name.startswith("private_key")}


def _read_no_path(path: str) -> bytes:
    raise MtlsError("It is on the host, and is not read here.", path)


def _no_key(data: bytes, _passphrase: Optional[bytes]) -> bytes:
    return data
