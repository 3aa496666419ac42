# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of every host, of every call that ended, and of the same call made again."""

from __future__ import annotations

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import (
    AT_REST,
    Action,
    recover,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.explore import Ran
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.world import (
    CUT,
    DOWN,
    EMPTY,
    NOTHING,
    ORPHANS,
    UP,
    WHOLE,
    Frozen,
    loaded,
)

Broken = dict[str, str]


def whole(host: Frozen) -> frozenset[str]:
    return frozenset(name for name, condition in host.releases if condition != CUT)


def _visible(host: Frozen) -> tuple[object, ...]:
    """What a call that says "not changed" must not have changed: all but old releases and litter."""
    state = (host.state.home, host.state.prepared) if host.state else host.torn
    how = dict(host.releases).get(host.link)
    return host.base, host.link, how, state, host.include, host.timeout, host.nginx, _served(host)


def _served(host: Frozen) -> str:
    """Without an include file nginx serves what the empty release does."""
    return EMPTY if host.serves == (NOTHING,) else "+".join(host.serves)


def _astray(host: Frozen) -> bool:
    """Does the link name another release than the one where state.json says that a run has ended?"""
    return host.state is not None and host.state.step in AT_REST and host.state.home != host.link


class Invariants:
    """*bad*: the release that must never stay; *with_key*: the one that holds the key made on the host."""

    def __init__(self, bad: str, with_key: str) -> None:
        self.bad, self.with_key = bad, with_key

    def one(self, ran: Ran) -> Broken:
        """Invariants of one call, and of every host that it can leave when it is killed."""
        broken: Broken = {}
        for host in [ran.end, *ran.left]:
            if not loaded(host) and not host.tampered:
                broken["nginx can start"] = f"{host}"
            state = host.state
            if state is not None and state.step in ("stable", "proven") and state.target == self.bad:
                broken["what is written as proven is"] = f"{host}"
            lost = ran.start.pending and not host.pending and not ran.intent.takes_all
            if lost and self.with_key not in whole(host):
                broken["no key is lost"] = f"{host}"
        for name, before in ran.removed:
            self._removed(ran, name, before, broken)
        self._order(ran, broken)
        if ran.undisturbed:
            self._ended(ran, broken)
        if ran.uninterrupted:
            self._uninterrupted(ran, broken)
        return broken

    @staticmethod
    def _removed(ran: Ran, name: str, before: Frozen, broken: Broken) -> None:
        if ran.intent.takes_all and not before.include:
            return
        state = before.state
        needed = {before.link}
        if state is not None:
            needed |= {state.home, state.prepared}
            needed |= {state.origin} if state.step != "rolled_back" else set()
        if name in needed:
            broken["nothing needed is removed"] = f"{name} of {before}"

    @staticmethod
    def _order(ran: Ran, broken: Broken) -> None:
        """Nothing is switched to before that was written and tried beside the live one, nor loaded before its
        own test."""
        if ran.undisturbed and not ran.intent.takes_all and not _astray(ran.start):
            for host in filter(_astray, ran.left):
                broken["the link follows what is written"] = f"{host}"
        kinds: list[str] = []
        for kind, before in ran.steps:
            state = before.state
            forward = state is not None and state.step == "switched"
            if kind == "switch" and forward and state.origin == before.link and "test shadow" not in kinds:
                broken["nothing is switched to untested"] = f"{before}"
            since = kinds[len(kinds) - kinds[::-1].index("switch") :] if "switch" in kinds else kinds
            loads = kind == "reload" and forward and state.target == before.link != state.origin
            if loads and "test live" not in since:
                broken["nothing is loaded untested"] = f"{before}"
            kinds.append(kind)

    def _ended(self, ran: Ran, broken: Broken) -> None:
        """Of a call that ended, with nothing else happening meanwhile than that one of its steps failed."""
        end, state = ran.end, ran.end.state
        gone = not end.base
        if not gone and not end.tampered and (ran.error is None or state != ran.start.state):
            if state is not None and state.step in AT_REST and state.home != end.link:
                broken["state.json tells the truth"] = f"{end}"
            if state is not None and state.prepared and state.prepared not in whole(end):
                broken["state.json tells the truth"] = f"prepared is gone: {end}"
        outcome = ran.outcome
        if outcome.state in ("stable", "rolled_back") and outcome.release and outcome.release != end.link:
            broken["the result tells the truth"] = f"{outcome} {end}"
        if ran.error is None:
            self._succeeded(ran, broken)
        elif isinstance(ran.error, MtlsError) and not ran.error.remedy:
            broken["a failure says what to do"] = str(ran.error)
        serves_it = end.nginx == UP and end.serves == (self.bad,) and ran.event not in ("refused", "late")
        if ran.start.serves == (self.bad,) and not {"reload", "start", "prove"} & {
            one.kind for one in ran.steps
        }:
            serves_it = False  # somebody else loaded it, and this call came to no look at what serves
        # What cannot be written cannot be taken back: the message says so.
        if (
            self._good_home(ran.start)
            and ran.start.nginx != ORPHANS
            and self.bad in (end.link, serves_it and self.bad)
            and ran.event != "disk full"
        ):
            broken["nothing unproven stays"] = f"{ran.error} {end}"

    def _good_home(self, host: Frozen) -> bool:
        """Was there a release to go back to?"""
        recovery = recover(host.state, host.link or None, whole(host), False)
        return recovery.action is not Action.REFUSE and recovery.origin not in ("", self.bad)

    @staticmethod
    def _succeeded(ran: Ran, broken: Broken) -> None:
        end, state, outcome, intent = ran.end, ran.end.state, ran.outcome, ran.intent
        if end.litter or end.outside:
            broken["nothing is left over"] = f"{end}"
        if not outcome.changed and _visible(ran.start) != _visible(end):
            broken["what changed is told"] = f"{ran.start} {end}"
        if intent.state == "absent" and not ran.start.base:
            return
        if intent.takes_all:
            if end.base or end.include or end.timeout or (end.nginx == UP and end.serves != (NOTHING,)):
                broken["absent leaves nothing"] = f"{end}"
        elif intent.until == "checked":
            waits = state is not None and state.prepared == outcome.prepared
            if outcome.prepared and not (waits and (outcome.prepared, WHOLE) in end.releases):
                broken["what is prepared waits"] = f"{outcome} {end}"
        else:
            Invariants._stable(ran, broken)

    @staticmethod
    def _stable(ran: Ran, broken: Broken) -> None:
        end, state, outcome = ran.end, ran.end.state, ran.outcome
        if state is None or state.step not in AT_REST or state.home != end.link:
            broken["it ends stable"] = f"{end}"
        if outcome.release != end.link:
            broken["the result tells the truth"] = f"{outcome} {end}"
        if (end.nginx, _served(end), loaded(end)) != (UP, end.link, end.link):
            broken["what is live is served"] = f"{end}"
        if outcome.previous and outcome.previous not in whole(end):
            broken["the way back is there"] = f"{outcome} {end}"

    def _uninterrupted(self, ran: Ran, broken: Broken) -> None:
        if ran.error is None:
            return
        words = str(ran.error)
        if not any(reason in words for reason in self._reasons(ran)):
            broken["it fails with reason only"] = words

    def _reasons(self, ran: Ran) -> set[str]:
        """The words of the failures that this host is a reason for."""
        host, intent = ran.start, ran.intent
        reasons = set()
        recovery = recover(host.state, host.link or None, whole(host), False)
        if host.nginx == ORPHANS:
            reasons.add("Workers of a dead")
        if recovery.action is Action.REFUSE:
            reasons.add("nothing was deleted")
        if intent.state == "rolled_back":
            reasons.add("No release is known")
            reasons.add("There is no whole release")
        if intent.to_prepared:
            reasons.add("is prepared")
        if self.bad in {name for name, condition in ran.end.releases} | {
            name for name, before in ran.removed
        }:
            reasons.add("is not proven")
            reasons.add("does not serve the live release")
        if host.nginx == DOWN and self.bad == host.link:
            reasons.add("does not serve the live release")
        return reasons

    @staticmethod
    def twice(ran: Ran, again: Ran, third: Ran) -> Broken:
        """Of a call made again, and once more.

        Where the first one ended well, the second changes nothing; where it failed, the second may mend more,
        but then it is over.
        """
        broken: Broken = {}
        if ran.intent.state == "rolled_back":
            return broken
        same = again.error is None and not again.outcome.changed and _visible(again.end) == _visible(ran.end)
        if ran.error is None and not same:
            broken["a second run changes nothing"] = f"{again.error} {again.outcome} {ran.end} {again.end}"
        if third.end != again.end:
            broken["a third run changes nothing"] = f"{third.error} {again.end} {third.end}"
        return broken
