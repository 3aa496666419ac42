# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction with one step broken, each in another way; the invariants are worth what they find of
these."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import proof, release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import Intent
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import (
    AT_REST,
    Action,
    Recovery,
    recover,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import call
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.engine import Transaction
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.model.world import Disk


@dataclass(frozen=True)
class Mutant:
    """*calls*: those of ``explore.CALLS`` by which it is looked for, within *interruptions* of a history."""

    broken: Callable[[], AbstractContextManager[Any]]
    calls: tuple[str, ...] = ("A", "bad", "same")
    interruptions: int = 1


def _method(name: str, other: Callable[..., Any], owner: type = Transaction) -> Mutant:
    return Mutant(lambda: mock.patch.object(owner, name, other))


def _state(write: Callable[[Transaction, str, Callable[[str], None], str], None]) -> Mutant:
    """*write* is given the call, the step, how to write one, and the target."""
    real = Transaction._state

    def broken(self: Transaction, step: str, origin: str, target: str, reason: str = "") -> None:
        write(self, step, lambda name: real(self, name, origin, target, reason), target)

    return _method("_state", broken)


def _link_first(call_: Transaction, step: str, write: Callable[[str], None], target: str) -> None:
    if step == "switched":
        call_.ports.store.switch(target)
    write(step)


def _stable_early(_call: Transaction, step: str, write: Callable[[str], None], _target: str) -> None:
    write("stable" if step == "reloaded" else step)


def _proven_early(_call: Transaction, step: str, write: Callable[[str], None], _target: str) -> None:
    write("proven" if step == "reloaded" else step)


def _without(missing: str) -> Callable[..., None]:
    def write(_call: Transaction, step: str, write: Callable[[str], None], _target: str) -> None:
        if step != missing:
            write(step)

    return write


def _row(changed: Callable[[Recovery, Any], Recovery]) -> Mutant:
    """The recovery table with a row exchanged."""

    def broken(state: Any, link: Any, whole: Any, fresh: bool) -> Recovery:
        return changed(recover(state, link, whole, fresh), state)

    return Mutant(lambda: mock.patch.object(call, "recover", broken))


def _instead(action: Action, other: Action, *steps: str) -> Mutant:
    """Another action than that of the rows with *action* (and one of *steps*, if given)."""

    def changed(found: Recovery, state: Any) -> Recovery:
        step = state.step if state is not None else ""
        if found.action is not action or (steps and step not in steps):
            return found
        live = found.live if action is not Action.ROLL_BACK else state.target
        return replace(
            found, action=other, live=live, reason=found.reason if other is not Action.GO_ON else ""
        )

    return _row(changed)


def _wrong_way_back(found: Recovery, _state: Any) -> Recovery:
    return replace(found, origin=found.live) if found.action is Action.FINISH else found


def _forward(found: Recovery, state: Any) -> Recovery:
    """A rollback that was cut short goes on forward."""
    return replace(found, live=state.target) if found.action is Action.ROLL_BACK else found


def _cleaning(spared: Callable[[str, Any], bool]) -> Mutant:
    """Cleaning that spares only what it is told to."""

    def _clean(self: Transaction, wanted: Any, _recovery: Any) -> None:
        for name in self.ports.store.names():
            if name not in (release.EMPTY, wanted.identity) and not spared(name, self):
                self.ports.store.remove(name)

    return _method("_clean", _clean)


def _include_first() -> Mutant:
    real = Transaction._recover

    def broken(self: Transaction) -> Recovery:
        self.ports.host.write_include()
        return real(self)

    return _method("_recover", broken)


def _include_last(self: Transaction) -> None:
    self.ports.store.remove_all()
    self.ports.host.remove_include()
    self.ports.host.remove_shutdown_timeout()
    self._reload(self.ports.host.master())
    self.outcome.changed, self.outcome.release = True, ""


def _leave_quietly(self: Transaction) -> None:
    self.ports.host.remove_include()
    self.ports.host.remove_shutdown_timeout()
    self.ports.store.remove_all()
    self.outcome.changed, self.outcome.release = True, ""


def _pending_early() -> Mutant:
    real = Transaction._check

    def broken(self: Transaction, before: Any, wanted: Any, *more: Any) -> None:
        for credential in wanted.desired.credentials:
            self.ports.store.drop_pending(credential.part, credential.name)
        real(self, before, wanted, *more)

    return _method("_check", broken)


def _refused_at_once() -> Mutant:
    real = Transaction._bring

    def broken(self: Transaction, intent: Intent, recovery: Recovery, dump: Any) -> None:
        self.refuse_errors(self.want(intent, recovery.live, dump, planning=False))
        real(self, intent, recovery, dump)

    return _method("_bring", broken)


def _switch_without_test(self: Transaction, wanted: Any, origin: str, master: Any) -> None:
    if self.ports.store.current() != wanted.identity:
        self.ports.store.switch(wanted.identity)
    self._reload(master)
    self._state("reloaded", origin, wanted.identity)


def _switch_without_reload(self: Transaction, wanted: Any, origin: str, _master: Any) -> None:
    if self.ports.store.current() != wanted.identity:
        self.ports.store.switch(wanted.identity)
    self.ports.host.test_live()
    self._state("reloaded", origin, wanted.identity)


def _back_by_state_only() -> Mutant:
    def broken(self: Transaction, origin: str, wanted: Any, error: Exception, _staged: bool) -> MtlsError:
        self._state("rolled_back", origin, wanted.identity)
        return MtlsError(str(error), "", "remedy")

    return _method("_rolled_back", broken)


def _removal_unseen(self: Transaction, identity: str) -> None:
    self.ports.store.remove(identity)


def _gone_before_back() -> Mutant:
    real = Transaction._rolled_back

    def broken(self: Transaction, origin: str, wanted: Any, error: Exception, staged: bool) -> MtlsError:
        if staged:
            self.ports.store.remove(wanted.identity)
        return real(self, origin, wanted, error, False)

    return _method("_rolled_back", broken)


def _told_as_unchanged() -> Mutant:
    real = Transaction._change

    def broken(self: Transaction, *arguments: Any) -> None:
        real(self, *arguments)
        self.outcome.changed = False

    return _method("_change", broken)


def _nothing_checked(self: Transaction, *_arguments: Any) -> None:
    return None


@contextlib.contextmanager
def _nothing_drifts() -> Iterator[None]:
    with mock.patch.object(proof, "drifted", lambda rows: False):
        yield


def _with(mutant: Mutant, *calls: str, interruptions: int = 1) -> Mutant:
    return Mutant(mutant.broken, (*mutant.calls, *calls), interruptions)


GO_ON = Action.GO_ON
MUTANTS: Mapping[str, Mutant] = {
    # order of the steps
    "the link moves before `switched` is written": _state(_link_first),
    "`switched` is not written": _state(_without("switched")),
    "`stable` is written before the proof": _state(_stable_early),
    "`proven` is written before the proof": _state(_proven_early),
    "`stable` is not written": _state(_without("stable")),
    "nothing is tried in the shadow": _method("_check", _nothing_checked),
    "no nginx -t of the live configuration": _method("_switch", _switch_without_test),
    "no reload": _method("_switch", _switch_without_reload),
    "no proof": _method("_prove", lambda *arguments, **named: []),
    "drift is not seen": Mutant(_nothing_drifts),
    "a change is told as none": _told_as_unchanged(),
    "the key that waits is dropped before the switch": _with(_pending_early(), "B"),
    # the way back
    "rollback without a reload": _method("_serve_again", lambda self, origin, wanted: ("", True)),
    "rollback of state.json only": _back_by_state_only(),
    "rollback removes the release before the link is back": _gone_before_back(),
    "`rolled_back` is not written": _state(_without("rolled_back")),
    "a removal that does not look where the link is": _method("_drop", _removal_unseen),
    "the way back is not mended": _method("repair", lambda self, identity, paths: None, Disk),
    "a refused call leaves what a killed run left": _with(_refused_at_once(), "to prepared"),
    # the recovery table, row by row
    "none, none: nothing laid down": _instead(Action.LAY_EMPTY, GO_ON),
    "none or unreadable, whole: taken as proven": _instead(Action.ADOPT, GO_ON),
    "switched, to: taken as proven": _instead(Action.FINISH, GO_ON, "switched"),
    "reloaded, to: taken as proven": _instead(Action.FINISH, GO_ON, "reloaded"),
    "switched, to: goes back to itself": _row(_wrong_way_back),
    "proven, to: not written stable": _instead(Action.COMMIT, GO_ON),
    "rolling_back: nothing done": _instead(Action.ROLL_BACK, GO_ON),
    "rolling_back: forward": _row(_forward),
    "stable, another release: taken as proven": _instead(Action.FINISH, GO_ON, *AT_REST),
    "no link: not put back": _instead(Action.RESTORE, GO_ON),
    "no link: refused": _instead(Action.RESTORE, Action.REFUSE),
    # cleaning
    "cleaning takes the release before": _cleaning(lambda name, call_: name == call_._prepared[0]),
    "cleaning takes what is prepared": _with(
        _cleaning(lambda name, call_: name == call_.outcome.previous), "prepare B", interruptions=0
    ),
    "what a killed run was writing stays": _method("drop_unfinished", lambda self: None, Disk),
    # first and last
    "the include file before the empty release": _include_first(),
    "absent: the include file goes last": _with(_method("_leave", _include_last), "absent"),
    "absent: no reload": _with(_method("_leave", _leave_quietly), "absent"),
}
