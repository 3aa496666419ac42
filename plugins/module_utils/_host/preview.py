# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode: what a call would do, beside the running nginx, with nothing written below its
configuration."""

from __future__ import annotations

import contextlib
import os
from typing import Optional

from .._core import release
from .._core.intent import Intent
from .._core.nginx_conf import Dump
from .._core.transaction import Action, Recovery
from . import files, shadow
from .call import Call, Outcome, Wanted
from .host import Host
from .service import stays_stopped


class Preview(Call):
    """One call in check mode."""

    def show(self, intent: Intent) -> Outcome:
        """What ``apply`` would do, with nothing written below the configuration; a real fault is raised as
        there."""
        host, outcome = self.ports.host, self.outcome
        self.refuse_another()
        recovery = self.recovery()
        live_id = recovery.live
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(shadow.scratch(self.ports.scratch))
            dump = self._preview_dump(live_id)
            wanted = self.want(intent, live_id, dump, planning=True)
            outcome.previous = outcome.release = live_id
            outcome.state = "stable"
            # What is only prepared leaves the live release, and nginx, as they are.
            brings = intent.until != "checked" or recovery.unfinished
            mended = self._mended(recovery, brings)
            outcome.plan += mended
            if wanted.desired.waiting or wanted.identity != live_id or intent.takes_all or mended:
                outcome.changed = True
                outcome.release = wanted.identity if not wanted.desired.waiting else ""
                outcome.state = "checked"
            if intent.until == "checked":
                self._only_prepared(wanted, live_id, bool(mended))
            if not wanted.desired.waiting:
                self.refuse_errors(wanted)
                if brings:
                    self._refuse_master(host)
                if outcome.changed:
                    self._preview_test(wanted, scratch, host, dump)
            if (
                brings
                and host.included
                and dump is not None
                and host.shutdown_timeout(dump, self.options.worker_shutdown_timeout)
            ):
                outcome.changed = True
                outcome.plan.append("worker_shutdown_timeout is to be set.")
        return outcome

    def _refuse_master(self, host: Host) -> None:
        """Raises MtlsError where a run could not let nginx load a release."""
        master = host.master()
        if master is not None:
            host.refuse_few_files(master)
        elif not self.ports.service.enabled():
            raise stays_stopped(self.ports.service.name)

    def _only_prepared(self, wanted: Wanted, live_id: str, mended: bool) -> None:
        state, outcome = self.ports.store.state(), self.outcome
        outcome.state, outcome.release = "checked", live_id
        if wanted.desired.waiting or wanted.identity == live_id:
            return
        outcome.prepared = wanted.identity
        if state is not None and state.prepared == wanted.identity:
            outcome.changed = mended

    def _mended(self, recovery: Recovery, brings: bool) -> list[str]:
        """What a run would mend before its own work, in sentences. *brings*: it goes on to a live release."""
        store, host, live = self.ports.store, self.ports.host, recovery.live
        plan = [f"{recovery.reason}: it is mended first."] if recovery.unproven else []
        plan += [f"{recovery.reason}."] if recovery.action is Action.ROLL_BACK else []
        if brings and host.master() is None and self.ports.service.enabled():
            plan.append("nginx does not run: it is started.")
        if not host.included:
            plan.append(f"{host.include_file} is written.")
        held = [live] if brings and store.has_link() else []
        held += [release.EMPTY] if release.EMPTY in store.names() else []
        for one in dict.fromkeys(held):
            damaged = store.damaged(one)
            plan += [f"Written again in release {one}: {', '.join(damaged)}."] if damaged else []
        return plan

    def _preview_dump(self, live_id: str) -> Optional[Dump]:
        host = self.ports.host
        if host.master() is None:
            self.outcome.plan.append("nginx does not run, so its configuration is not tested in check mode.")
            return None
        if not host.included:
            self.outcome.plan.append(
                f"{host.include_file} does not exist yet: the release is tested when it does."
            )
            tested = host.nginx.test(dump=True)
            return host.as_if_included(tested.dump) if tested.dump else None
        return host.configuration_without_us(self.ports.store.directory(live_id))

    def _preview_test(self, wanted: Wanted, scratch: str, host: Host, dump: Optional[Dump]) -> None:
        if dump is None:
            return
        directory = f"{scratch}/wanted/{wanted.identity}"
        files.make_directory(os.path.dirname(directory), 0o700)
        rendered = release.render(wanted.source, directory, wanted.identity)
        files.write_tree(directory, rendered, host.tester)
        host.open(scratch)
        if host.included:
            self.test_in_shadow(wanted, directory)
        # It needs no include and touches nothing of the nginx that runs.
        self.try_out(release.unrender(self.ports.store.read(self.outcome.previous)), wanted, directory, dump)
