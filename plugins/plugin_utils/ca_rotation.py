# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``rotate_ca.yml`` does, and what holds it back.

Real is what ``credential_info`` read on the hosts; wanted is the inventory with the private CA as it is in
this phase. Which phase may begin, and what it changes, is said by ``_core/ca_rotation.py``; here is found out
what each host trusts and by whom its certificates are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_rotation as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import edges, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.ca_rotation import ISSUE, RETIRE, TRUST
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import ACCEPTED, CLIENT, SERVER
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, signature
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.certificate import Certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import rotation
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.ca_rotation_options import GENERATION, Options
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_rules import Material
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edges import Door, World

#: Names of the two authorities for the rules: the one that comes, and whatever goes.
NEW, OLD = "new", "old"
PROBE = "probe"
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """What a phase changes in the directory of the private CA: what is to be made, the generation that is to
    sign, and those to retire. *refused*: why it cannot, whatever the hosts have."""

    make: str = ""
    issuing: int = 0
    retire: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def to_dict(self) -> dict[str, Any]:
        return {"make": self.make, "issuing": self.issuing, "retire": list(self.retire)}


def change(options: Options, private_ca: Mapping[str, Any]) -> Change:
    """Raises MtlsError where there is no private CA."""
    if not options.is_private:
        return Change()
    newest = private_ca.get("newest") or {}
    if not newest:
        raise MtlsError(
            "There is no private CA that a new one could follow.",
            "rotate_ca_new",
            "Give the path of the new authority's certificate.",
        )
    number, pending = newest["generation"], is_pending(private_ca)
    others = tuple(each for each in private_ca["generations"] if each != number)
    if options.phase == TRUST:
        unfinished = (
            f"Generation {number} of the private CA signs, and an older one is still trusted: the replacement"
            f" before this one is not ended. Run rotate_ca_phase={RETIRE} first."
        )
        return Change(make=options.new, refused=(unfinished,) if others and not pending else ())
    begun = options.new != GENERATION or bool(others) or (options.phase == RETIRE and number > 1)
    if not begun:
        never = f"No replacement is under way: generation {number} of the private CA is the only one."
        return Change(refused=(f"{never} Run rotate_ca_phase={TRUST} first.",))
    if options.phase == ISSUE:
        return Change(issuing=number)
    early = f"The new authority does not sign yet. Run rotate_ca_phase={ISSUE} first."
    if pending and not options.emergency:
        return Change(retire=others, refused=(early,))
    return Change(issuing=number if pending else 0, retire=others)


def is_pending(private_ca: Mapping[str, Any]) -> bool:
    """Whether the newest authority of the private CA does not sign yet."""
    return bool(private_ca["newest"]["certificate"] != private_ca["issuer"].get("certificate"))


def after(options: Options, private_ca: Mapping[str, Any], future: Change) -> dict[str, Any]:
    """The private CA as hosts have it from this phase on, with what is there now."""
    if not future.retire:
        return dict(private_ca)
    newest = private_ca["newest"]
    lists = zip(private_ca["crl_generations"], private_ca["crls"])
    crls = [one for generation, one in lists if generation == newest["generation"]]
    return {**private_ca, "trust": [newest["root"]], "crls": crls}


class Replacement:
    """The fleet on its way from the old authority to the new one.

    *private_ca* is that of :func:`after`. Raises MtlsError where the new one cannot be read.
    """

    def __init__(
        self,
        fleet: Mapping[str, Any],
        hostvars: Mapping[str, Any],
        options: Options,
        opened: Mapping[str, str],
        private_ca: Mapping[str, Any],
        at: datetime,
    ) -> None:
        self.fleet, self.options, self.at = fleet, options, at
        self._files = Files(opened)
        self.told: dict[str, Mapping[str, Any]] = {
            host: (hostvars[host].get("mtls_installed") if host in hostvars else None) or {}
            for host in fleet["hosts"]
        }
        facts = {
            host: {"mtls_installed": told, "mtls_private_ca": private_ca} for host, told in self.told.items()
        }
        self.world = World(fleet, facts, (), self._files, at)
        self.new = self._new(private_ca)
        self.barred: frozenset[_Key] = frozenset(
            (host, *place)
            for host, told in self.told.items()
            for place in rotation.barred(private_ca, host, told)
        )
        self._found_peers: Optional[frozenset[_Key]] = None

    def _new(self, private_ca: Mapping[str, Any]) -> list[Certificate]:
        """The certificate of the new authority, and what a leaf of it sends along or is trusted by."""
        if self.options.is_private:
            newest = private_ca["newest"]
            return certificate.split((newest["certificate"] + newest["root"]).encode())
        data = self._files.read(self.options.new, "rotate_ca_new")
        return certificate.split(data, self.options.new)

    @property
    def name(self) -> str:
        return self.new[0].facts.subject_text

    # -- what takes part

    def trusting(self, host: str) -> Iterator[Mapping[str, Any]]:
        """The credentials of a host that are to accept what the new authority signs."""
        for one in self.fleet["hosts"][host]["credentials"]:
            if one["name"] == PROBE and one["side"] == "server":
                continue
            if "issuer" in one["trust"]["sources"] if self.options.is_private else self._names_new(host, one):
                yield one

    def _names_new(self, host: str, one: Mapping[str, Any]) -> bool:
        wanted = self.world.wanted_material(host, one["side"], one["name"])
        return isinstance(wanted, Material) and self._has_new(wanted.trust)

    def _has_new(self, trust: bytes) -> bool:
        key = self.new[0].facts.public_key_sha256
        return any(one.facts.public_key_sha256 == key for one in certificates(trust))

    def moving(self, host: str) -> Iterator[Mapping[str, Any]]:
        """The credentials of a host whose certificates are to be of the new authority. One that is revoked
        gets none by itself, and keeps what nobody accepts."""
        for one in self.fleet["hosts"][host]["credentials"]:
            key = (host, one["side"], one["name"])
            if key not in self.barred and (
                one["issuer"] == "private_ca" if self.options.is_private else key in self._peers()
            ):
                yield one

    def _peers(self) -> frozenset[_Key]:
        """Whoever asks, or answers, a credential that is to accept the new authority."""
        if self._found_peers is None:
            self._found_peers = frozenset(self._find_peers())
        return self._found_peers

    def _find_peers(self) -> Iterator[_Key]:
        accepting = {
            (host, one["side"], one["name"]) for host in self.fleet["hosts"] for one in self.trusting(host)
        }
        for edge in self.fleet["edges"]:
            proxy = (edge["proxy"], "proxy", edge["credential"])
            if edge["external"]:
                continue
            sites = {one["name"]: one for one in self.fleet["hosts"][edge["server"]]["sites"]}
            server = (edge["server"], "server", sites[edge["site"]]["credential"])
            if server in accepting:
                yield proxy
            if proxy in accepting:
                yield server
        yield from ((host, "server", PROBE) for host, side, _name in accepting if side == "server")
        yield from (key for key in accepting if self._accepts_itself(*key))

    def _accepts_itself(self, *key: str) -> bool:
        """Whether a certificate is of an authority that its own side accepts: both directions have one, also
        where whoever asks is not in the inventory."""
        live = self.world.real_material(*key)
        if not isinstance(live, Material):
            return False
        return self.world.rules.chain(live, live, "any").state == ACCEPTED

    # -- what is real

    def live(self, host: str, one: Mapping[str, Any]) -> Optional[Material]:
        found = self.world.real_material(host, one["side"], one["name"])
        return found if isinstance(found, Material) else None

    def wanted(self, host: str, one: Mapping[str, Any]) -> Optional[Material]:
        found = self.world.wanted_material(host, one["side"], one["name"])
        return found if isinstance(found, Material) else None

    def answer(self, by: Optional[Material]) -> edges.Answer:
        """What a side with this trust says to what the new authority signs."""
        if by is None:
            return edges.Answer(edges.UNKNOWN, message="its files cannot be read.")
        return self.world.rules.issued(b"".join(one.pem for one in self.new), by)

    def accepts(self, by: Optional[Material]) -> bool:
        return self.answer(by).state == ACCEPTED

    def is_new(self, sent: bytes) -> bool:
        """Whether a certificate, with what is sent along, is of the new authority: its key made a signature
        on the way."""
        own, along = self.new[0].facts, certificates(sent)
        step = along.pop(0) if along else None
        while step is not None:
            if signature.made_by(own, signature.of(step.facts)):
                return True
            above = next(
                (one for one in along if signature.made_by(one.facts, signature.of(step.facts))), None
            )
            if above is not None:
                along.remove(above)
            step = above
        return False

    def is_read(self, host: str) -> bool:
        return self.world.real[host] is not None

    def host(self, host: str) -> Optional[rules.Host]:
        """What the rules ask about a host, None where it was not read."""
        if not self.is_read(host):
            return None
        lives = [self.live(host, one) for one in self.trusting(host)]
        trusts = {NEW} if all(self.accepts(one) for one in lives) else set()
        if any(self.dropped(host, one) for one in self.trusting(host)):
            trusts.add(OLD)
        leaves = [live for one in self.moving(host) if (live := self.live(host, one))]
        issuers = {NEW if self.is_new(live.certificate) else OLD for live in leaves}
        return rules.Host(frozenset(trusts), frozenset(issuers))

    def dropped(self, host: str, one: Mapping[str, Any]) -> list[Certificate]:
        """The authorities that a credential trusts, and the inventory does not want any more. One that has
        expired accepts nobody."""
        live, wanted = self.live(host, one), self.wanted(host, one)
        if live is None or wanted is None:
            return []
        kept = {found.facts.sha256 for found in certificates(wanted.trust)}
        return [
            found
            for found in certificates(live.trust)
            if found.facts.sha256 not in kept and not expiry.is_expired(found.facts.not_after, self.at)
        ]

    def kept(self) -> dict[str, list[str]]:
        """The other authorities that the inventory wants beside the new one, each with where."""
        found: dict[str, list[str]] = {}
        own = self.new[0].facts.public_key_sha256
        for host in self.fleet["hosts"]:
            for one in self.trusting(host):
                wanted = self.wanted(host, one)
                for each in certificates(wanted.trust) if wanted else ():
                    if each.facts.public_key_sha256 != own:
                        name = f"{each.facts.subject_text} (SHA-256 {each.facts.sha256[:16]}…)"
                        found.setdefault(name, []).append(f"{host} {one['side']}/{one['name']}")
        return found

    def states(self) -> dict[str, Optional[rules.Host]]:
        return {host: self.host(host) for host in self.fleet["hosts"]}

    # -- what holds the phase back

    def held_back(self, issued: Collection[Mapping[str, Any]], states: Mapping[str, Any]) -> dict[str, str]:
        """Host to why the phase may not begin."""
        phase, without = self.options.phase, self.options.without
        found = dict(rules.held_back(phase, states, OLD, NEW, without))
        if phase == TRUST:
            return found
        for host in sorted({one["host"] for one in issued} - set(states) - without):
            found[host] = (
                "it has certificates of the private CA that have not expired, and the inventory does not have"
                " it: what it trusts is not known"
            )
        return found

    def missing_sources(self) -> list[str]:
        """Where the inventory does not say what this phase is going to do, so that the next run of site.yml
        would undo it."""
        if self.options.is_private:
            return []
        found = []
        trusting = {host: list(self.trusting(host)) for host in self.fleet["hosts"]}
        if self.options.phase != RETIRE:
            for host, credentials in trusting.items():
                for one in credentials:
                    gone = ", ".join(each.facts.subject_text for each in self.dropped(host, one))
                    if gone:
                        found.append(
                            f"{host} {one['side']}/{one['name']}: trust.sources has {gone} no more, which is"
                            f" dropped in phase {RETIRE} only. Put its file back: {{src: FILE}}."
                        )
        if not any(trusting.values()):
            found.append(
                f"No trust.sources has {self.name}. Add it where it is to be accepted, beside the old one:"
                f" trust: {{sources: [.., {{src: {self.options.new}}}]}}."
            )
        for host, credentials in trusting.items():
            for one in credentials if self.is_read(host) else ():
                answer = self.answer(self.wanted(host, one))
                if answer.state != ACCEPTED:
                    found.append(
                        f"{host} {one['side']}/{one['name']}: as the inventory has it, it would refuse what"
                        f" {self.name} signs: {answer.message} {answer.remedy}".rstrip()
                    )
        return found

    # -- what is done

    def plan(self, hosts: Collection[str], states: Mapping[str, Optional[rules.Host]]) -> dict[str, Any]:
        """As ``rotation.plan`` has it, of the hosts of this run."""
        return {
            host: self._planned(host, state)
            for host, state in states.items()
            if host in hosts and host not in self.options.without
        }

    def _planned(self, host: str, state: Optional[rules.Host]) -> dict[str, Any]:
        if state is None:
            told = self.told[host]
            return rotation.entry(rotation.UNREAD, why=str(told.get("msg") or "it was not read in this run."))
        work = rules.work(self.options.phase, state, OLD, NEW)
        reissue = bool(work and work.reissue) or (self.options.emergency and OLD in state.issuers)
        credentials = [self._due(host, one) for one in self._of_old(host)] if reissue else []
        settings, why = [], ""
        if work and work.trusts is not None:
            for one in self.trusting(host):
                settings.append(
                    {"part": one["side"], "name": one["name"], "kinds": [rotation.TRUST, rotation.CRL]}
                )
            why = f"it is to trust {self.name}"
            if self.options.phase == RETIRE:
                gone = {
                    each.facts.subject_text for one in self.trusting(host) for each in self.dropped(host, one)
                }
                why = f"it is to trust {', '.join(sorted(gone))} no more"
        if credentials and not settings and all(one["action"] == rotation.STUCK for one in credentials):
            return rotation.entry(rotation.STUCK, credentials)
        if not credentials and not settings:
            return rotation.entry(rotation.FRESH)
        return {**rotation.entry(rotation.DUE, credentials, why), "settings": settings}

    def _of_old(self, host: str) -> Iterator[Mapping[str, Any]]:
        for one in self.moving(host):
            live = self.live(host, one)
            if live is not None and not self.is_new(live.certificate):
                yield one

    def _due(self, host: str, one: Mapping[str, Any]) -> dict[str, Any]:
        """As ``rotation.plan`` has a credential that is due."""
        known = next(
            each.get("certificate") or {}
            for each in self.told[host]["credentials"]
            if (each["part"], each["name"]) == (one["side"], one["name"])
        )
        found = {
            "part": one["side"],
            "name": one["name"],
            "reason": "authority",
            "why": f"it is of {known.get('issuer') or 'the old authority'}",
            "serial": known.get("serial") or "",
            "not_after": known.get("not_after") or expiry.rfc3339(self.at),
            "days_left": known.get("days_left"),
            "action": rotation.REQUEST,
        }
        if one["issuer"] != "files":
            return found
        path, wanted = one["files"]["certificate"], self.wanted(host, one)
        if wanted is not None and self.is_new(wanted.certificate):
            return {**found, "action": rotation.FILES}
        stuck = f"{one['side']}/{one['name']}: {path} holds no certificate of {self.name}."
        remedy = " Put the new certificate and its key there, and run again."
        return {**found, "action": rotation.STUCK, "why": stuck + remedy}

    # -- edges

    def judge(self, plan: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """What ``edges.summary`` tells where hosts get new trust and CRLs and keep their certificates."""
        changing = {
            (host, one["part"], one["name"]) for host, each in plan.items() for one in each["settings"]
        }
        return edges.summary(self._verdicts(changing))

    def _verdicts(self, changing: Collection[_Key]) -> Iterator[edges.Verdict]:
        world = self.world
        for edge in self.fleet["edges"]:
            if edge["external"]:
                continue
            door = world.real_door(edge["server"], edge["server_name"], edge["address"])
            identity = world.real_identity(edge)
            then_door, then = door, identity
            site = next(
                (one for one in world.real_sites(edge["server"]) if one["name"] == edge["site"]), None
            )
            if isinstance(door, Door) and site:
                key = (edge["server"], "server", site["credential"])
                then_door = replace(door, material=self._then(door.material, key, changing))
            then = self._then(identity, (edge["proxy"], "proxy", edge["credential"]), changing)
            answers = [world.client(door, identity), world.client(then_door, identity)]
            yield edges.judge(edge, CLIENT, answers[0], answers[1], answers[1])
            name = edge["server_name"]
            answers = [world.server(door, identity, name), world.server(door, then, name)]
            yield edges.judge(edge, SERVER, answers[0], answers[1], answers[1])

    def _then(self, now: Any, key: _Key, changing: Collection[_Key]) -> Any:
        wanted = self.world.wanted_material(*key) if key in changing else None
        if not isinstance(now, Material) or not isinstance(wanted, Material):
            return now
        return replace(now, trust=wanted.trust, crl=wanted.crl, depth=wanted.depth)


def certificates(data: bytes) -> list[Certificate]:
    """All that can be read of a bundle or of what is sent."""
    return list(certificate.load("trust", data, "trust").certificates)
