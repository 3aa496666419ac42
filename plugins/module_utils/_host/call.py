# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every call of ``release`` has in common: its options, its outcome, and how the wanted release is
made."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from .._core import changes, hashes, nginx_time, proof, release
from .._core import trial as trials
from .._core.answers import FAILED, Row
from .._core.desired import Desired, Tools, build, complete
from .._core.errors import MtlsError
from .._core.intent import Intent, prepared_release, refuse_older_trust, rollback_target
from .._core.nginx_conf import Dump
from .._core.prepared import laid_over
from .._core.refused import refuse_errors
from .._core.release import expected_files
from .._core.revocation import Clients
from .._core.transaction import Action, Recovery, recover
from . import shadow
from .host import Host
from .prover import Prover
from .service import Service
from .store import Store
from .trial import CODE as NO_TRIAL
from .trial import Runner


@dataclass(frozen=True)
class Options:
    """The module's options that are not the parts."""

    keep: int = 3
    rounds: int = 3
    lock_timeout_s: float = 60
    timeout_s: float = 30
    worker_shutdown_timeout: str = "60s"
    #: The live release as the caller has read it, "" for any.
    expected: str = ""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Options:
        """Of the module's *params*. Raises MtlsError for a timeout that is no time, before it is written for
        nginx to test, and for a proof that would ask nobody."""
        if params["proof_rounds"] < 1:
            raise MtlsError("A proof without a round asks nobody.", "proof_rounds", "Give 1 or more.")
        timeout = params["worker_shutdown_timeout"]
        if timeout:
            nginx_time.check(timeout, "worker_shutdown_timeout")
        return cls(
            params["keep"],
            params["proof_rounds"],
            params["lock_timeout_s"],
            params["timeout_s"],
            timeout,
            params["expected"] or "",
        )


@dataclass
class Outcome:
    """What the module returns, filled as far as the run came.

    *proof* is of the last release that was asked.
    """

    changed: bool = False
    state: str = ""
    release: str = ""
    previous: str = ""
    prepared: str = ""
    credentials: list[dict[str, Any]] = field(default_factory=list)
    proof: list[dict[str, str]] = field(default_factory=list)
    restored: list[dict[str, str]] = field(default_factory=list)
    positive: str = ""
    revocation: str = ""
    draining_workers: int = 0
    shutdown_timeout_s: Optional[int] = None
    log: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ports:
    """Everything the transaction touches, injected. *manifest* and *examine* need cryptography."""

    store: Store
    host: Host
    service: Service
    prover: Prover
    tools: Tools
    decoder: changes.Decoder
    examine: Callable[[Desired, Mapping[str, bytes]], list[dict[str, Any]]]
    digest: Callable[[str], str]
    now: Callable[[], str]
    trial: Runner
    scratch: str = shadow.SCRATCH


@dataclass(frozen=True)
class Wanted:
    """The release a call asks for: its source and id."""

    identity: str
    desired: Desired

    @property
    def source(self) -> release.Source:
        return self.desired.source


class Call:
    """One call. *outcome* holds what is known, also after an MtlsError."""

    def __init__(self, ports: Ports, options: Options) -> None:
        self.ports = ports
        self.options = options
        self.outcome = Outcome()

    @contextlib.contextmanager
    def timed(self, step: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            spent = self.outcome.seconds.get(step, 0.0) + time.monotonic() - begin
            self.outcome.seconds[step] = round(spent, 3)

    def refuse_another(self) -> None:
        """Raises MtlsError where somebody has changed the host since the caller has read it. Asked under the
        lock, before anything is recovered."""
        expected, found = self.options.expected, self.ports.store.current()
        if expected and found != expected:
            raise MtlsError(
                f"The live release is {found or 'none'}, no longer {expected}: another run has changed this"
                " host meanwhile.",
                "expected",
                "Nothing was changed. Run again: it begins by reading what is there.",
            )

    def recovery(self) -> Recovery:
        """What a run does first on this host as it is. Raises MtlsError where there is no way."""
        store = self.ports.store
        fresh, whole = not store.has_link() and not store.has_state(), store.whole()
        found = recover(store.state(), store.current(), whole, fresh)
        if found.action is Action.REFUSE:
            others = [name for name in store.names() if name in whole and name != release.EMPTY]
            raise MtlsError(
                f"{found.reason}.",
                store.base,
                "Put its files back as they were, or let current name a whole release "
                f"(ln -sfn releases/{others[0] if others else release.EMPTY} {store.link}), and run again; "
                "nothing was deleted.",
            )
        return found

    def want(self, intent: Intent, live_id: str, dump: Optional[Dump], planning: bool) -> Wanted:
        """The wanted release. Raises MtlsError for what is wrong with the options or the files they name."""
        store = self.ports.store
        intent.check()
        with self.timed("credentials"):
            live = kept = release.unrender(store.read(live_id))
            if intent.state == "rolled_back":
                kept = release.unrender(
                    store.read(rollback_target(intent, store.state(), live_id, store.whole()))
                )
                refuse_older_trust(live, kept)
            if intent.to_prepared:
                waiting = prepared_release(store.state(), store.whole())
                kept = laid_over(live, release.unrender(store.read(waiting.prepared)), waiting.own)
            desired = build(intent.given, kept, live, self.ports.tools, planning)
            self.outcome.plan += desired.waiting
            users = self.ports.host.users(dump) if dump is not None else []
            taken = hashes.said(dump.tree()) if dump is not None else ()
            defaults = complete(desired, users, self.ports.host.version, self.ports.digest, taken)
            self.outcome.warnings += defaults.warnings
            self.outcome.credentials = self.ports.examine(desired, live)
            self.outcome.diff = changes.changes(live, desired.source, self.ports.decoder)
        return Wanted(release.release_id(desired.source), desired)

    def refuse_errors(self, wanted: Wanted) -> None:
        """Raises MtlsError for an error in a credential that this call changes; the rest is only reported."""
        refuse_errors(wanted.desired, self.outcome.credentials)

    def test_in_shadow(self, wanted: Wanted, directory: str) -> None:
        tested = self.ports.host.test_with(directory)
        if not tested.ok or tested.dump is None:
            self.outcome.log += tested.lines
            raise MtlsError(
                "nginx does not accept the release: " + " ".join(tested.lines),
                f"release {wanted.identity}",
                "Nothing was switched. Mend what nginx names in the block that the path ends with."
                + tested.hint,
            )
        told = self.ports.host.judge_dump(
            tested.dump, expected_files(self.ports.store.base, directory, wanted.source)
        )
        self.outcome.warnings += [f"{one.place}: {one.message} {one.remedy}" for one in told]

    # -- the trial

    def try_out(self, before: release.Source, wanted: Wanted, directory: str, dump: Dump) -> bool:
        """Ask a private nginx with the credentials of the release in *directory*, before any of it is live.

        *before*: the source of ``outcome.previous``. Returns False where there was no nginx to ask, and a
        warning says why. Raises MtlsError where a row fails that this call changes, or that the release from
        before passes.
        """
        runner, tree = self.ports.trial, dump.tree()
        touched = changes.changed_things(before, wanted.source)
        clients = Clients(before, wanted.source)
        with self.timed("trial"):
            try:
                asked = trials.trial(wanted.source, wanted.identity, touched)
                rows = runner.rows(asked, tree, directory, wanted.identity)
                past: list[Row] = []
                # Only what this call merely carries over is worth the question how it was before.
                if any(row.verdict == FAILED and proof.is_carried(row, touched, clients) for row in rows):
                    live = self.outcome.previous
                    asked = trials.trial(before, live, touched)
                    past = runner.rows(asked, tree, self.ports.store.directory(live), live)
            except MtlsError as error:
                if error.code != NO_TRIAL:
                    raise
                self.outcome.warnings.append(str(error))
                return False
            blocking = proof.settle(rows, touched, {row.probe.key: row for row in past}, clients)
        if blocking:
            self.outcome.proof = [row.to_dict() for row in rows]
            self.outcome.state = "checked"
            raise self._unproven(blocking, "Nothing was switched: a changed credential cannot be proven")
        return True

    def _unproven(self, rows: Sequence[Row], what: str) -> MtlsError:
        row = rows[0]
        more = f" ({len(rows)} rows of the proof failed.)" if len(rows) > 1 else ""
        return MtlsError(
            f"{what}: {row.probe.kind}, expected {row.probe.expected}, got {row.got}.{more}",
            row.probe.target,
            proof.remedy(row),
        )
