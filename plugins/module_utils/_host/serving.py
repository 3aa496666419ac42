# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves: letting it load a release, asking it, and reporting what came back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Optional

from .._core import proof, proof_plan, release
from .._core.answers import Row
from .._core.errors import MtlsError
from .._core.probes import Probe
from .._core.server_probes import revoked_probes, revoked_session_probes, session_probes
from .._core.transaction import Recovery
from .call import Call, Wanted
from .nginx import ErrorLog
from .processes import Process
from .prover import Sessions


class Serving(Call):
    """The half of a call that speaks with the running nginx."""

    # -- reload

    def _reload(self, master: Optional[Process]) -> None:
        """HUP, or start a stopped nginx.

        Raises MtlsError with nginx's own lines where the new one does not serve.
        """
        log = self.ports.host.error_log()
        with self.timed("reload"):
            done = self._reload_once(master, log) if master else self._start()
        if done:
            return
        lines = log.urgent()
        self.outcome.log += lines
        said = " ".join(lines) or f"it wrote no [emerg] line that is found in {log.where}."
        raise MtlsError(
            f"It did not {'reload' if master else 'start'}: {said}",
            "nginx",
            "Mend what nginx names.",
        )

    def _reload_once(self, master: Process, log: ErrorLog) -> bool:
        host = self.ports.host
        return host.processes.reload(master.pid, self.options.timeout_s, host.test_seconds, log.gave_up)

    def _start(self) -> bool:
        return self.ports.service.start() and self.ports.host.master() is not None

    # -- the proof

    def _prove(
        self,
        wanted: Wanted,
        quick: bool,
        sessions: Optional[Sessions] = None,
        extra: Sequence[Probe] = (),
    ) -> list[Row]:
        with self.timed("prove"):
            probes = proof_plan.plan(wanted.source, wanted.identity, self.options.rounds, quick)
            given = self._learn_revoked(wanted)
            if given:
                probes += revoked_probes(wanted.source, wanted.identity, given, quick)
            directory = self.ports.store.directory(wanted.identity)
            return self.ports.prover.rows([*probes, *extra], directory, sessions)

    def _learn_revoked(self, wanted: Wanted) -> dict[str, list[str]]:
        """The revoked clients that were given for this proof, by credential, made known to the prover."""
        given = wanted.desired.revoked
        if given:
            self.ports.prover.learn(
                {
                    name: [(one.name, one.certificate, one.key) for one in several]
                    for name, several in given.items()
                }
            )
        return {name: [one.name for one in several] for name, several in given.items()}

    def _baseline(
        self, before: release.Source, wanted: Wanted, recovery: Recovery, master: Optional[Process]
    ) -> tuple[dict[Any, Row], Sessions, list[Probe]]:
        """How the live release answers before the switch, and sessions of its good client."""
        given = self._learn_revoked(wanted)
        # What a release that nobody has proven fails is its own doing, not something that failed before.
        live = recovery.live
        if master is None or live == release.EMPTY or recovery.unproven:
            return {}, {}, []
        directory = self.ports.store.directory(live)
        with self.timed("baseline"):
            rows = self.ports.prover.rows(proof_plan.plan(before, live, 1), directory)
            asked = session_probes(before, wanted.source)
            if given:
                asked += revoked_session_probes(before, wanted.source, wanted.identity, given)
            sessions = self.ports.prover.sessions(asked, directory)
        return {row.probe.key: row for row in rows}, sessions, asked

    def _report(self, rows: Sequence[Row], wanted: Wanted) -> None:
        self.outcome.proof = [row.to_dict() for row in rows]
        self.outcome.warnings += proof.warnings(rows, wanted.source)
        self.outcome.positive = proof.positive(rows)
        with contextlib.suppress(MtlsError):  # somebody starts another master: what was proven is proven
            master = self.ports.host.master()
            self.outcome.draining_workers = (
                len(self.ports.host.processes.workers(master.pid)[1]) if master else 0
            )
