# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways back: what a killed run left is finished or undone, and what cannot be proven is taken back."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Sequence

from .._core import proof, proof_plan, release
from .._core.answers import FAILED
from .._core.errors import MtlsError
from .._core.intent import refuse_older_trust
from .._core.transaction import Action, Recovery, State
from .call import Wanted
from .serving import Serving


class Recovering(Serving):
    """The half of a call that leads back to a release that was proven."""

    #: What is prepared on this host, and what of it is its own; each state that is written names it.
    _prepared: tuple[str, tuple[str, ...]] = ("", ())
    #: The release that is, or was, gone back to; a state that is written for it says so.
    _back = ""

    def _state(self, step: str, origin: str, target: str, reason: str = "") -> None:
        self.ports.store.write_state(
            State(step, origin, target, self.ports.now(), reason, *self._prepared, back=target == self._back)
        )

    # -- what a killed run left

    def _recover(self) -> Recovery:
        store = self.ports.store
        store.drop_unfinished()
        found = store.state()
        if found is not None:
            self._prepared = found.prepared, found.own
            self._back = found.target if found.back else ""
        recovery = self.recovery()
        self.outcome.changed = recovery.action in (Action.RESTORE, Action.ROLL_BACK)
        if recovery.reason:
            self.outcome.log.append(f"recovery: {recovery.reason}")
        if recovery.action in (Action.LAY_EMPTY, Action.RESTORE) and recovery.live == release.EMPTY:
            store.stage(release.EMPTY, release.empty_source(), {"made_by": release.VERSION})
        if recovery.action in (Action.RESTORE, Action.ROLL_BACK):
            store.repair(recovery.live, store.damaged(recovery.live))
        if recovery.action in (Action.LAY_EMPTY, Action.RESTORE):
            store.switch(recovery.live)
        if recovery.action is Action.COMMIT and found is not None:
            self._state("stable", found.origin, found.target)
        if recovery.action is Action.ROLL_BACK:
            self._finish_rollback(recovery)
        return recovery

    def _seen(self, recovery: Recovery) -> None:
        """Write that the live release is at rest, now that nginx was seen to serve it."""
        found = self.ports.store.state()
        if recovery.action is Action.LAY_EMPTY:
            self._state("stable", recovery.origin, recovery.live)
        elif recovery.unseen and found is not None:
            self._state("rolled_back", found.origin, found.target, recovery.reason)

    def _finish_rollback(self, recovery: Recovery) -> None:
        self.ports.store.switch(recovery.live)
        host = self.ports.host
        master = host.master()
        if master is None:
            return
        log, tested = host.error_log(), host.test_live()
        if not tested.ok:
            raise MtlsError(
                f"nginx does not take release {recovery.live} back, and may serve another one: "
                + " ".join(tested.lines),
                self.ports.store.base,
                "Mend what nginx names, and run again.",
            )
        if not self._reload_once(master, log):
            raise MtlsError(
                f"Release {recovery.live} is back on disk, but nginx did not reload, and may serve another: "
                + _said(log.urgent()),
                self.ports.store.base,
                "Mend what is named, and run again.",
            )

    # -- from a failure

    def _rolled_back(self, origin: str, wanted: Wanted, error: Exception, staged: bool) -> MtlsError:
        """Take *origin* back and return the error that tells both stories."""
        store, outcome = self.ports.store, self.outcome
        first = error if isinstance(error, MtlsError) else MtlsError(_words(error))
        # A full disk must not stop the way back: without the line the next run finds `switched`,
        # which leads here too.
        with contextlib.suppress(OSError):
            self._state("rolling_back", origin, wanted.identity, str(first))
        outcome.release = wanted.identity
        try:
            store.switch(origin)
            outcome.release = origin
            with self.timed("roll back"):
                story, proven = self._serve_again(origin, wanted)
            if proven:
                outcome.state = "rolled_back"
                with contextlib.suppress(OSError):
                    self._state("rolled_back", origin, wanted.identity, str(first))
            story = f"{story}{self._lost_revocation(origin, wanted)}"
            if staged:
                self._drop(wanted.identity)
        except Exception as second:  # noqa: BLE001 the first fault is the one to tell, whatever came of the way back
            story = (
                f"The way back to release {origin} did not end: {_words(second)}. Mend that and run again."
            )
        return MtlsError(first.message, first.place, f"{first.remedy} {story}".strip(), first.code)

    def _lost_revocation(self, origin: str, wanted: Wanted) -> str:
        """Whom the release that was taken back would have shut out, the one from before lets in again."""
        try:
            refuse_older_trust(wanted.source, release.unrender(self.ports.store.read(origin)))
        except MtlsError as error:
            self.outcome.revocation = "not in force"
            return f" What this call was to revoke is not in force: {error.place} is as before."
        return ""

    def _drop(self, identity: str) -> None:
        """Remove a release, unless somebody else has moved the link to it meanwhile."""
        if self.ports.store.current() != identity:
            self.ports.store.remove(identity)

    def _serve_again(self, origin: str, wanted: Wanted) -> tuple[str, bool]:
        """Let nginx load *origin*, to which the link is back; what came of it, and whether nginx serves that
        and nothing else."""
        store = self.ports.store
        master = self.ports.host.master()
        if master is None:
            return f"Release {origin} is back on disk; nginx does not run.", True
        log = self.ports.host.error_log()
        if not self._reload_once(master, log):
            return f"Release {origin} is back on disk, but nginx did not reload: {_said(log.urgent())}", False
        if store.current() != origin:
            return f"Somebody else has moved {store.link} away from release {origin} meanwhile.", False
        source = release.unrender(store.read(origin))
        probes = proof_plan.plan(source, origin, quick=True)
        rows = self.ports.prover.rows(probes, store.directory(origin))
        self.outcome.restored = [row.to_dict() for row in rows]
        if proof.drifted(rows):
            return f"Release {origin} is back, but its own proof fails: see restored.", False
        if any(row.verdict == FAILED for row in rows):
            return f"Release {origin} is back and serves; what others answer it fails: see restored.", True
        return f"Release {origin} is back and serves as before.", True


def _said(lines: Sequence[str]) -> str:
    return " ".join(lines) or "It names no reason. Somebody else may reload it again and again."


def _words(error: Exception) -> str:
    """What happened, in words that hold no secret: those of an unforeseen fault may quote a configuration."""
    if isinstance(error, (MtlsError, OSError)):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"An unforeseen {type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}"
