# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which edges a rotation would break, asked before any certificate is made.

A rotation changes leaves; routes and sites stay as they are installed, and so do trust and CRLs, unless the
plan says otherwise. Hosts change one after the other in any order, so an edge must hold with either end old
or new. What is not issued yet is judged by its issuer: whom A and B trust, how deep, by which CRL; and by
what will not be as it was, serial number and fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import allowlist, edges, findings
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.allowlist import Client
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import (
    ACCEPTED,
    CLIENT,
    NEW,
    REFUSED,
    SERVER,
    UNKNOWN,
    YES,
    Answer,
    Verdict,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import rotation_crls
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.credentials import covers
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_rules import Material
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edges import Door, World
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation import (
    CRL,
    DUE,
    FILES,
    REQUEST,
    STUCK,
    TRUST,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_authority import (
    GENERATION,
    INTERMEDIATE,
)

_End = Union[Material, Answer]
_NOT_MADE = "another generation of the private CA is not trusted there yet."
_IN_PHASES = (
    "rotate_ca.yml replaces an authority without a break: rotate_ca_phase=trust, then issue, then retire."
)


@dataclass(frozen=True)
class _Then(Material):
    """With the trust that the plan has for it."""


def judge(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    plan: Mapping[str, Mapping[str, Any]],
    private_ca: Mapping[str, Any],
    opened: Mapping[str, str],
    at: datetime,
) -> dict[str, Any]:
    """What ``edges.summary`` tells of both directions of each edge.

    *private_ca* is the fact ``mtls_private_ca``: of its ``issuer`` the ``certificate`` that signs and its
    ``root``, PEM, one where the root signs, empty without a private authority; ``unable``, where another one
    is made first.
    """
    world = World(fleet, hostvars, (), Files(opened), at)
    return edges.summary(_Rotation(world, fleet, plan, private_ca, Files(opened)).verdicts())


class _Rotation:
    def __init__(
        self,
        world: World,
        fleet: Mapping[str, Any],
        plan: Mapping[str, Mapping[str, Any]],
        private_ca: Mapping[str, Any],
        files: Files,
    ) -> None:
        self._world, self._fleet, self._files = world, fleet, files
        self._issuer: Mapping[str, str] = private_ca.get("issuer") or {}
        #: What follows what cannot sign any more, and is not made yet.
        self._next = (private_ca.get("unable") or {}).get("next")
        #: Places to whether they keep, besides, what they trust.
        self._trusts = {
            (host, one["part"], one["name"]): bool(one.get("beside"))
            for host, planned in plan.items()
            if planned["state"] == DUE
            for one in planned["settings"]
            if TRUST in one["kinds"]
        }
        self._private_ca = private_ca
        self._lists = {
            (host, one["part"], one["name"])
            for host, planned in plan.items()
            if planned["state"] == DUE
            for one in planned["settings"]
            if CRL in one["kinds"] and one.get("action") != STUCK
        }
        self._due = {
            (host, one["part"], one["name"]): one
            for host, planned in plan.items()
            if planned["state"] == DUE
            for one in planned["credentials"]
            if one["action"] in (REQUEST, FILES)
        }

    def verdicts(self) -> Iterator[Verdict]:
        for edge in self._fleet["edges"]:
            if edge["external"]:
                foreign = Answer(
                    UNKNOWN, message="not a Server A of this inventory.", subject=edge["address"]
                )
                for side in (CLIENT, SERVER):
                    yield edges.judge(edge, side, foreign, foreign, foreign)
                continue
            door = self._world.real_door(edge["server"], edge["server_name"], edge["address"])
            identity = self._world.real_identity(edge)
            yield from self._both(edge, door, identity)

    def _both(self, edge: Mapping[str, Any], door: Union[Door, Answer], identity: _End) -> Iterator[Verdict]:
        name = edge["server_name"]
        site = next(
            (one for one in self._world.real_sites(edge["server"]) if one["name"] == edge["site"]), {}
        )
        client, server = (edge["proxy"], "proxy", edge["credential"]), site.get("credential") or ""
        new_client, new_server = self._new(*client), self._new(edge["server"], "server", server)
        # Each end by itself may be new, in its certificate and in its trust.
        door_then, identity_then = door, self._then(identity, client)
        if isinstance(door, Door):
            door_then = replace(door, material=self._then(door.material, (edge["server"], "server", server)))

        def asks(door: Union[Door, Answer], new: Optional[dict[str, Any]]) -> Answer:
            now = self._world.client(door, identity)
            return now if new is None else self._asks(new, edge, door, identity, now)

        def answers(identity: _End, new: Optional[dict[str, Any]]) -> Answer:
            now = self._world.server(door, identity, name)
            return now if new is None else self._answers(new, edge, site, door, identity, now)

        mixed = [asks(door, new_client), asks(door_then, None)]
        yield edges.judge(edge, CLIENT, asks(door, None), _worst(mixed), asks(door_then, new_client))
        mixed = [answers(identity, new_server), answers(identity_then, None)]
        yield edges.judge(
            edge, SERVER, answers(identity, None), _worst(mixed), answers(identity_then, new_server)
        )

    def _then(self, live: _End, place: tuple[str, str, str]) -> _End:
        """A credential with the trust and the CRLs that the plan has for it."""
        if not isinstance(live, Material):
            return live
        if place not in self._trusts:
            return self._with_crl(live, place) if place in self._lists else live
        then = _Then(**{field.name: getattr(live, field.name) for field in fields(Material)})
        wanted = self._world.wanted_material(*place)
        # What is to be made is in no bundle yet.
        if self._next == GENERATION or not isinstance(wanted, Material):
            return then
        if not self._trusts[place]:
            return replace(then, trust=wanted.trust, crl=wanted.crl)
        lists = [wanted.crl, *rotation_crls.others(live.crl or b"", [wanted.crl])] if wanted.crl else []
        return replace(
            then, trust=wanted.trust + b"\n" + live.trust, crl=b"\n".join(lists) if lists else live.crl
        )

    def _with_crl(self, live: Material, place: tuple[str, str, str]) -> Material:
        """A credential with the CRLs that it is to have."""
        given = rotation_crls.source(self._model(*place), self._private_ca, self._files) or []
        return replace(live, crl=b"\n".join(data for _place, data in given)) if given else live

    def _new(self, host: str, part: str, name: str) -> Optional[dict[str, Any]]:
        """What the plan has for a credential, with the bytes that will be sent where they are known."""
        found = self._due.get((host, part, name))
        if found is None:
            return None
        return {**found, "model": self._model(host, part, name)}

    def _model(self, host: str, part: str, name: str) -> Mapping[str, Any]:
        model: Mapping[str, Any] = next(
            one
            for one in self._fleet["hosts"][host]["credentials"]
            if (one["side"], one["name"]) == (part, name)
        )
        return model

    def _asks(
        self,
        new: Mapping[str, Any],
        edge: Mapping[str, Any],
        door: Union[Door, Answer],
        identity: _End,
        now: Answer,
    ) -> Answer:
        """What A says to the new certificate of B."""
        if not isinstance(door, Door) or not isinstance(identity, Material):
            return now
        sent = self._sent(new, identity)
        if isinstance(sent, Answer):
            return sent
        if new["action"] == FILES:
            return self._world.client(door, sent)
        if door.verify == "off" or not isinstance(door.material, Material):
            return now
        answer = self._issued(sent, door.material)
        if answer.state != ACCEPTED:
            return answer
        if door.allow is None:
            return replace(door.why, verified=True) if door.why else YES
        client = Client(f"CN={new['model']['common_name']}", self._issuer_name(), "", "")
        refused = allowlist.refusal(client, door.allow, door.probes)
        if refused is None:
            return YES
        live = next(iter(self._world.rules.authorities(identity.certificate).values()), "")
        return _not_listed(refused, "" if live == client.dn else live)

    def _answers(
        self,
        new: Mapping[str, Any],
        edge: Mapping[str, Any],
        site: Mapping[str, Any],
        door: Union[Door, Answer],
        identity: _End,
        now: Answer,
    ) -> Answer:
        """What B says to the new certificate of A."""
        material = door.material if isinstance(door, Door) else door
        if not isinstance(material, Material) or not isinstance(identity, Material):
            return now
        sent = self._sent(new, material)
        if isinstance(sent, Answer):
            return sent
        name = edge["server_name"]
        if new["action"] == FILES:
            return self._world.rules.chain(sent, identity, SERVER, name)
        if not any(covers(hostname, name) for hostname in new["model"]["hostnames"]):
            return edges.refused(
                findings.Finding(
                    "name.mismatch", f"the new certificate is not for {name}.", f"site {site.get('name', '')}"
                )
            )
        return self._issued(sent, identity)

    def _sent(self, new: Mapping[str, Any], live: Material) -> _End:
        """What will be sent: the controller's file, or in the place of what is not made yet its issuer."""
        if new["action"] == FILES:
            files = new["model"]["files"]
            try:
                data = self._files.read(files["certificate"], "files.certificate")
                if files.get("chain"):
                    data += b"\n" + self._files.read(files["chain"], "files.chain")
            except MtlsError as error:
                return Answer(UNKNOWN, message=error.message, subject=files["certificate"])
            return replace(live, certificate=data, why=None)
        if self._next == INTERMEDIATE:
            return Answer(UNKNOWN, message="another intermediate is not made yet.", subject=new["name"])
        if self._next == GENERATION:
            return replace(live, why=None)
        if not self._issuer:
            return Answer(UNKNOWN, message="the private CA was not read.", subject=new["name"])
        return replace(live, certificate=self._issuer["certificate"].encode(), why=None)

    def _issued(self, sent: Material, by: Material) -> Answer:
        """What a side with the trust of *by* says to what is signed in this run."""
        if self._next != GENERATION:
            answer = self._world.rules.issued(sent.certificate, by)
            return replace(answer, remedy=_IN_PHASES) if self._trusts and answer.state == REFUSED else answer
        if isinstance(by, _Then):
            return YES
        return Answer(REFUSED, "chain.root_not_trusted", _NOT_MADE, _IN_PHASES)

    def _issuer_name(self) -> str:
        if self._next == GENERATION or not self._issuer:
            return ""
        names: Sequence[str] = list(
            self._world.rules.authorities(self._issuer["certificate"].encode()).values()
        )
        return names[0] if names else ""


def _worst(answers: Sequence[Answer]) -> Answer:
    """Refused before unknown before accepted."""
    order = (REFUSED, UNKNOWN, NEW, ACCEPTED)
    return min(answers, key=lambda one: order.index(one.state))


def _not_listed(refused: findings.Finding, live: str) -> Answer:
    """*refused* speaks of a serial number and a fingerprint that nobody knows yet. *live*: the present
    subject, where the new one is another."""
    if refused.code != "edge.not_allowed":
        return edges.refused(refused)
    if live:
        return Answer(
            REFUSED,
            refused.code,
            f'the allowlist of the site does not have "{refused.place}", as the new certificate is called;'
            f' the present one is "{live}".',
            "List both ({dn: …}) and run site.yml first. Until then: rotate_hosts without this host.",
        )
    return Answer(
        REFUSED,
        refused.code,
        f'the allowlist of the site has "{refused.place}" by a fingerprint or a serial number, if at all, and'
        " the new certificate has another one.",
        "List it by its subject ({dn: …}), which stays. Until then: rotate_hosts without this host.",
    )
