# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host transaction: lock, recover, stage, check, switch, reload, prove, commit, or all the way back.

Every decision is made in ``_core`` over plain values; this file is the order of the steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Callable, Optional

from .._core import changes, proof, release
from .._core.answers import FAILED, Row
from .._core.errors import MtlsError
from .._core.intent import Intent
from .._core.nginx_conf import Dump
from .._core.prepared import outdated, own_paths
from .._core.proxy_probes import direct_probes
from .._core.revocation import Clients
from .._core.transaction import Recovery, State, removable
from .call import Outcome, Wanted
from .lock import locked
from .processes import Process
from .recovering import Recovering
from .service import stays_stopped
from .signals import signals_ignored


class Transaction(Recovering):
    """One call that changes the host. After an MtlsError *outcome* holds what is known."""

    #: Whether this call has written what nginx enters by, and has yet to read.
    _entered = False

    def apply(self, intent: Intent) -> Outcome:
        """Bring the host to what is intended.

        Raises MtlsError; the host is then as before, or the message says otherwise.
        """
        store = self.ports.store
        if not store.has_link() and not store.has_state():
            # Bad input must not leave even the empty release on a host that has none.
            self.refuse_errors(self.want(intent, release.EMPTY, None, planning=False))
        store.create()
        with contextlib.ExitStack() as stack:
            with self.timed("lock"):
                stack.enter_context(locked(store.lock_file, self.options.lock_timeout_s, store.create))
            self.refuse_another()
            with self.timed("recover"):
                recovery = self._recover()
            with self.timed("read"):
                dump = self._enter()
            # Of what is being replaced: an old worker goes by the configuration that it has loaded.
            self.outcome.shutdown_timeout_s = self.ports.host.shutdown_timeout_s(dump)
            if intent.until == "checked":
                self._prepare(intent, recovery, dump)
            else:
                self._bring(intent, recovery, dump)
        if intent.state == "absent":
            self.outcome.state = "absent"
        return self.outcome

    def _bring(self, intent: Intent, recovery: Recovery, dump: Dump) -> None:
        try:
            wanted = self.want(intent, recovery.live, dump, planning=False)
            self.refuse_errors(wanted)
        except MtlsError as error:
            if recovery.unfinished and intent != Intent():
                self._end_earlier(error, recovery, dump)
            raise
        master = self._master()
        if wanted.identity == recovery.live and not recovery.unproven:
            self._unchanged(wanted, recovery, master, dump)
        else:
            self._change(intent, wanted, recovery, master, dump)
        self._clean(wanted, recovery)
        if intent.takes_all:
            self._leave()

    def _end_earlier(self, refused: MtlsError, recovery: Recovery, dump: Dump) -> None:
        """Finish, or take back, what an earlier run left half done, although this call is *refused*: its
        findings stay the result's. Raises MtlsError with both stories where that fails as well."""
        credentials, diff = self.outcome.credentials, self.outcome.diff
        try:
            self._bring(Intent(), recovery, dump)
        except MtlsError as error:
            raise MtlsError(
                f"{refused.message} Nor could be ended what an earlier run left half done: {error}",
                refused.place,
                refused.remedy,
                refused.code,
            ) from error
        finally:
            self.outcome.credentials, self.outcome.diff = credentials, diff

    def _leave(self) -> None:
        """Take our last traces away, in the reverse of the order in which they came; nginx runs as before."""
        host = self.ports.host
        host.remove_include()
        host.remove_shutdown_timeout()
        master = host.master()
        if master is not None:
            self._reload(master)
        self.ports.store.remove_all()
        self.outcome.changed, self.outcome.release = True, ""

    # -- enter

    def _enter(self) -> Dump:
        """Make sure that nginx reads our mtls.conf, and return its configuration without our blocks."""
        store, host = self.ports.store, self.ports.host
        edited = release.EMPTY in store.names() and bool(store.damaged(release.EMPTY))
        store.stage(release.EMPTY, release.empty_source(), {"made_by": release.VERSION})
        live = store.current() or release.EMPTY
        opened = store.let_read(live)
        if opened:
            self.outcome.log.append(f"made readable for nginx in release {live}: {', '.join(opened)}")
        created = host.write_include()
        self._entered = created or edited or bool(opened)
        try:
            dump = host.configuration_without_us(store.directory(live))
            host.judge_dump(dump, [f"{store.base}/current/mtls.conf"])
        except MtlsError:
            if created:
                host.remove_include()
            raise
        return dump

    def _master(self) -> Optional[Process]:
        master = self.ports.host.master()
        if master is not None:
            self.ports.host.refuse_few_files(master)
        elif not self.ports.service.enabled():
            raise stays_stopped(self.ports.service.name)
        return master

    # -- until: checked

    def _prepare(self, intent: Intent, recovery: Recovery, dump: Dump) -> None:
        """Stage and check what is wanted, and leave it for a later call with ``to: prepared``."""
        store, outcome = self.ports.store, self.outcome
        if recovery.unfinished or recovery.unseen:
            # What an earlier run left half done is finished first; a new host is at rest once nginx was seen.
            self._bring(Intent(), recovery, dump)
        live = store.current() or recovery.live
        wanted = self.want(intent, live, dump, planning=False)
        self.refuse_errors(wanted)
        before = release.unrender(store.read(live))
        outcome.release = outcome.previous = live
        outcome.state, outcome.prepared = "checked", wanted.identity
        outcome.changed = outcome.changed or self._entered
        if wanted.identity == live:
            outcome.log.append(f"release {live} is live already: there is nothing to prepare")
            outcome.prepared = ""
            return
        with self.timed("stage"):
            staged = store.stage(wanted.identity, wanted.source, self._manifest(wanted))
        try:
            self._check(before, wanted, dump)
            ready = wanted.identity, own_paths(before, wanted.source)
            if ready != self._prepared:
                earlier = self._prepared[0]
                if earlier not in ("", ready[0]):
                    outcome.log.append(f"release {earlier} was prepared before, and is not any more")
                self._prepared, outcome.changed = ready, True
                state = store.state() or State("stable", live, live)
                store.write_state(replace(state, since=self.ports.now(), prepared=ready[0], own=ready[1]))
        except (MtlsError, OSError):
            outcome.prepared = ""
            if staged:
                self._drop(wanted.identity)
            raise
        self._drop_old(live, recovery)

    # -- nothing to change

    def _unchanged(self, wanted: Wanted, recovery: Recovery, master: Optional[Process], dump: Dump) -> None:
        store, outcome = self.ports.store, self.outcome
        damaged = store.damaged(wanted.identity)
        if damaged:
            outcome.log.append(f"written again in release {wanted.identity}: {', '.join(damaged)}")
            store.repair(wanted.identity, damaged)
        outcome.release = wanted.identity
        state = store.state()
        outcome.previous = state.origin if state and state.origin in store.names() else recovery.origin
        rows = self._prove(wanted, quick=True) if master else []
        reload_main = self._main_level(dump) is not None
        # Nothing of a release without a listener tells what nginx serves in its place.
        blind = recovery.unseen and not rows
        if damaged or reload_main or master is None or self._entered or blind or proof.drifted(rows):
            outcome.changed = True
            outcome.log += [
                f"{row.probe.kind}, {row.probe.target}: {row.got}" for row in rows if row.verdict == FAILED
            ]
            self._test_live(f"release {wanted.identity}")
            self._reload(master)
            rows = self._prove(wanted, quick=True)
            try:
                self._refuse_moved(wanted)
            except MtlsError:
                # What nginx has loaded may be another release: wherever the link is, the next run looks.
                self._state("reloaded", wanted.identity, wanted.identity)
                raise
            if proof.drifted(rows):
                self._report(rows, wanted)
                failed = [row for row in rows if proof.drifted([row])]
                raise self._unproven(failed, "nginx does not serve the live release, also after a reload")
        blocking = proof.settle_unchanged(rows)
        self._report(rows, wanted)
        if blocking:
            raise self._unproven(blocking, "The live release is not proven")
        self._seen(recovery)
        outcome.state = "stable"

    # -- a change

    def _change(
        self, intent: Intent, wanted: Wanted, recovery: Recovery, master: Optional[Process], dump: Dump
    ) -> None:
        store, outcome = self.ports.store, self.outcome
        origin = recovery.origin if recovery.unproven else recovery.live
        if intent.state == "rolled_back":
            self._back = wanted.identity
        before = release.unrender(store.read(origin))
        # The way back must be there, and what is live until then, with all that nginx reads of them.
        for one in dict.fromkeys((origin, recovery.live)):
            store.repair(one, store.damaged(one))
        outcome.previous = outcome.release = origin
        with self.timed("stage"):
            staged = store.stage(wanted.identity, wanted.source, self._manifest(wanted))
        try:
            self._check(before, wanted, dump)
            baseline, sessions, asked = self._baseline(before, wanted, recovery, master)
            self._state("switched", origin, wanted.identity)
        except (MtlsError, OSError) as error:
            if recovery.unproven:  # what is live, too
                raise self._rolled_back(origin, wanted, error, staged) from error
            if staged:
                self._drop(wanted.identity)
            raise
        with signals_ignored() as end_no_more:
            undo = None
            try:
                undo = self._main_level(dump)
                self._switch(wanted, origin, master)
                rows = self._prove(wanted, False, sessions, asked)
                self._refuse_moved(wanted)
                touched = changes.changed_things(before, wanted.source)
                blocking = proof.settle(rows, touched, baseline, Clients(before, wanted.source))
                self._report(rows, wanted)
                if blocking:
                    raise self._unproven(blocking, f"Release {wanted.identity} is not proven")
                self._settle_prepared(intent, before, wanted)
                end_no_more()
            except Exception as error:  # a bug, too, must not leave an unproven release live
                end_no_more()
                with contextlib.suppress(OSError):
                    if undo:
                        undo()
                raise self._rolled_back(origin, wanted, error, staged) from error
            outcome.release, outcome.changed = wanted.identity, True
            self._state("proven", origin, wanted.identity)
            self._state("stable", origin, wanted.identity)
        outcome.state = "stable"

    def _settle_prepared(self, intent: Intent, before: release.Source, wanted: Wanted) -> None:
        """What becomes of a prepared release once *wanted* is proven."""
        waiting, dummy = self._prepared
        if intent.to_prepared:
            self._prepared = wanted.identity, ()
        elif waiting and outdated(before, wanted.source):
            self._prepared = "", ()
            if waiting != self.outcome.previous:
                self.outcome.log.append(
                    f"the prepared release {waiting} is dropped: other credentials are live"
                )

    def _check(self, before: release.Source, wanted: Wanted, dump: Dump) -> None:
        directory = self.ports.store.directory(wanted.identity)
        with self.timed("check"):
            self.test_in_shadow(wanted, directory)
        if not self.try_out(before, wanted, directory, dump):
            with self.timed("trial"):
                self._refuse_dead_servers(before, wanted)

    def _refuse_dead_servers(self, before: release.Source, wanted: Wanted) -> None:
        """Ask the servers of each route whose credential changes with the staged one, before anything is
        switched."""
        touched = changes.changed_things(before, wanted.source)
        probes = [one for one in direct_probes(wanted.source) if (one.part, one.credential) in touched]
        rows = self.ports.prover.rows(probes, self.ports.store.directory(wanted.identity))
        if any(row.verdict == FAILED for row in rows):
            self._beside_live(rows)
        clients = Clients(before, wanted.source)
        failed = [
            row for row in rows if row.verdict == FAILED and not proof.is_carried(row, touched, clients)
        ]
        if failed:
            self.outcome.proof = [row.to_dict() for row in rows]
            self.outcome.state = "checked"
            raise self._unproven(failed, "Nothing was switched: a changed credential cannot be proven")

    def _beside_live(self, rows: Sequence[Row]) -> None:
        """Judge servers that are not ours by what they answer the live credential."""
        strange = [row.probe for row in rows if row.verdict == FAILED and not row.probe.want_words]
        live = self.ports.store.current()
        if strange and live:
            before = self.ports.prover.rows(strange, self.ports.store.directory(live))
            proof.compare(rows, {row.probe.key: row for row in before})

    def _refuse_moved(self, wanted: Wanted) -> None:
        """What nginx loads while somebody moves the link is not told by a release without a listener."""
        store = self.ports.store
        found = store.current()
        if found != wanted.identity:
            raise MtlsError(
                f"Somebody else let it name {found} while release {wanted.identity} was brought.",
                store.link,
                "Let nobody else move it, and run again.",
            )

    def _manifest(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "release": wanted.identity,
            "made_by": release.VERSION,
            "made_at": self.ports.now(),
            "credentials": [
                {name: value for name, value in credential.items() if name != "findings"}
                for credential in self.outcome.credentials
            ],
        }

    def _switch(self, wanted: Wanted, origin: str, master: Optional[Process]) -> None:
        store = self.ports.store
        with self.timed("switch"):
            if store.current() != wanted.identity:
                store.switch(wanted.identity)
            self._test_live(f"release {wanted.identity}")
        self._reload(master)
        self._state("reloaded", origin, wanted.identity)

    def _test_live(self, place: str, remedy: str = "Mend what nginx names.") -> None:
        """Raises MtlsError where nginx would not take the live configuration; *place*: what was changed."""
        tested = self.ports.host.test_live()
        if not tested.ok:
            self.outcome.log += tested.lines
            raise MtlsError("nginx -t refuses it: " + " ".join(tested.lines), place, remedy + tested.hint)

    # -- commit

    def _main_level(self, dump: Dump) -> Optional[Callable[[], None]]:
        """Bring worker_shutdown_timeout to what is wanted.

        Returns how to undo that, None where nothing was done.
        """
        wanted = self.options.worker_shutdown_timeout
        change = self.ports.host.shutdown_timeout(dump, wanted)
        if change is None:
            if self.ports.host.timeout_has_no_place(dump, wanted):
                self.outcome.warnings.append(
                    "After a reload nothing ends an old worker, with the trust of before, while a connection "
                    "is open: nginx.conf reads no modules-enabled/*.conf. Put "
                    f"`worker_shutdown_timeout {wanted};` on its main level."
                )
            return None
        undo = change()
        try:
            self._test_live(
                f"worker_shutdown_timeout ({self.options.worker_shutdown_timeout})",
                "Give a time as nginx writes it, such as 60s, or an empty string to leave it alone.",
            )
        except MtlsError:
            undo()
            raise
        return undo

    def _drop_old(self, live: str, recovery: Recovery) -> None:
        """Remove releases beyond ``keep``: a way back or what is prepared is none of them."""
        store = self.ports.store
        state = store.state()
        protected = frozenset(
            (live, recovery.origin, recovery.live, self.outcome.previous, self._prepared[0])
        ) | ({state.origin} if state else set())
        for name in removable(store.names(), self.options.keep, protected):
            self._drop(name)

    def _clean(self, wanted: Wanted, recovery: Recovery) -> None:
        store = self.ports.store
        if self.outcome.state != "stable":
            return
        self._drop_old(wanted.identity, recovery)
        for credential in wanted.desired.credentials:
            if store.pending_key(credential.part, credential.name) == credential.files["privkey.pem"]:
                store.drop_pending(credential.part, credential.name)
