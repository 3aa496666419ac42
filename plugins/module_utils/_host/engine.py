# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host transaction: lock, recover, stage, check, switch, reload, prove, commit, or all the way back.

Every decision is made in ``_core`` over plain values; this file is the order of the steps.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from .._core import changes, proof, release
from .._core.default_server import DefaultPlan
from .._core.desired import Desired, Tools, build, complete
from .._core.errors import MtlsError
from .._core.nginx_conf import Dump
from .._core.transaction import Action, Recovery, State, recover, removable
from . import files, shadow
from .host import Host, Service, expected_files
from .lock import locked
from .nginx import ErrorLog
from .processes import Process
from .prover import Prover, Sessions
from .store import Store


@dataclass(frozen=True)
class Options:
    """The module's options that are not the parts."""

    keep: int = 3
    rounds: int = 3
    lock_timeout_s: float = 60
    timeout_s: float = 30
    worker_shutdown_timeout: str = "60s"


@dataclass
class Outcome:
    """What the module returns, filled as far as the run came. *proof* is of the last release that was asked."""

    changed: bool = False
    state: str = ""
    release: str = ""
    previous: str = ""
    credentials: list[dict[str, Any]] = field(default_factory=list)
    proof: list[dict[str, str]] = field(default_factory=list)
    restored: list[dict[str, str]] = field(default_factory=list)
    positive: str = ""
    draining_workers: int = 0
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
    examine: Callable[[Desired], list[dict[str, Any]]]
    digest: Callable[[str], str]
    now: Callable[[], str]
    scratch: str = shadow.SCRATCH


@dataclass(frozen=True)
class Wanted:
    """The release a call asks for: its source and id, and what governs its sockets."""

    identity: str
    desired: Desired
    defaults: DefaultPlan

    @property
    def source(self) -> release.Source:
        return self.desired.source

    @property
    def user_defaults(self) -> list[str]:
        return [key for key, default in self.defaults.defaults.items() if not default.ours]


class Transaction:
    """One call of ``release``. *outcome* holds what is known, also after an MtlsError."""

    def __init__(self, ports: Ports, options: Options) -> None:
        self.ports = ports
        self.options = options
        self.outcome = Outcome()

    @contextlib.contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            spent = self.outcome.seconds.get(step, 0.0) + time.monotonic() - begin
            self.outcome.seconds[step] = round(spent, 3)

    # -- the two ways in

    def apply(self, parts: Mapping[str, Any]) -> Outcome:
        """Bring the host to *parts*. Raises MtlsError; the host is then as before, or the message says otherwise."""
        store = self.ports.store
        store.create()
        with contextlib.ExitStack() as stack:
            with self._timed("lock"):
                stack.enter_context(locked(store.lock_file, self.options.lock_timeout_s))
            with self._timed("recover"):
                recovery = self._recover()
            with self._timed("read"):
                dump = self._enter()
            wanted = self._want(parts, release.unrender(store.read(recovery.live)), dump, planning=False)
            self._refuse_errors(wanted)
            master = self._master()
            if wanted.identity == recovery.live and not recovery.unproven:
                self._unchanged(wanted, recovery, master, dump)
            else:
                self._change(wanted, recovery, master, dump)
            self._clean(wanted, recovery)
        return self.outcome

    def preview(self, parts: Mapping[str, Any]) -> Outcome:
        """What ``apply`` would do, with nothing written below the configuration; a real fault is raised as there."""
        store, host, outcome = self.ports.store, self.ports.host, self.outcome
        live_id = store.current() or release.EMPTY
        live = release.unrender(store.read(live_id))
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(shadow.scratch(self.ports.scratch))
            dump = self._preview_dump(scratch)
            wanted = self._want(parts, live, dump, planning=True)
            outcome.previous = outcome.release = live_id
            outcome.state = "stable"
            if wanted.desired.waiting or wanted.identity != live_id:
                outcome.changed = True
                outcome.release = wanted.identity if not wanted.desired.waiting else ""
                outcome.state = "checked"
            if not wanted.desired.waiting:
                self._refuse_errors(wanted)
                if outcome.changed:
                    self._preview_test(wanted, scratch, host)
            if (
                host.included
                and dump is not None
                and host.shutdown_timeout(dump, self.options.worker_shutdown_timeout)
            ):
                outcome.changed = True
                outcome.plan.append("worker_shutdown_timeout is to be set.")
        return outcome

    def _preview_dump(self, scratch: str) -> Optional[Dump]:
        host = self.ports.host
        if host.master() is None:
            self.outcome.plan.append("nginx does not run, so its configuration is not tested in check mode.")
            return None
        if not host.included:
            self.outcome.plan.append(
                f"{host.include_file} does not exist yet: the release is tested when it does."
            )
            tested = host.nginx.test(dump=True)
            return tested.dump
        empty = f"{scratch}/empty"
        files.write_tree(empty, release.render(release.empty_source(), empty, release.EMPTY))
        return host.configuration_without_us(empty)

    def _preview_test(self, wanted: Wanted, scratch: str, host: Host) -> None:
        if not host.included or host.master() is None:
            return
        directory = f"{scratch}/{wanted.identity}"
        files.write_tree(directory, release.render(wanted.source, directory, wanted.identity))
        self._test_in_shadow(wanted, directory)

    # -- recover and enter

    def _recover(self) -> Recovery:
        store = self.ports.store
        store.drop_unfinished()
        fresh = not store.has_link() and not store.has_state()
        recovery = recover(store.state(), store.current(), store.whole(), fresh)
        if recovery.reason:
            self.outcome.log.append(f"recovery: {recovery.reason}")
        if recovery.action is Action.REFUSE:
            raise MtlsError(
                f"{recovery.reason}.",
                store.base,
                f"Put a whole release back below {store.releases} and let current name it; nothing was deleted.",
            )
        if recovery.action in (Action.LAY_EMPTY, Action.RESTORE) and recovery.live == release.EMPTY:
            store.stage(release.EMPTY, release.empty_source(), {"made_by": release.VERSION})
        if recovery.action in (Action.LAY_EMPTY, Action.RESTORE):
            store.switch(recovery.live)
        if recovery.action in (Action.LAY_EMPTY, Action.COMMIT):
            self._state("stable", recovery.origin, recovery.live)
        if recovery.action is Action.ROLL_BACK:
            self._finish_rollback(recovery)
        return recovery

    def _finish_rollback(self, recovery: Recovery) -> None:
        self.ports.store.switch(recovery.live)
        master = self.ports.host.master()
        if master is not None and not self._reload_once(master, self.ports.host.error_log()):
            raise MtlsError(
                f"nginx does not take release {recovery.live} back: it still serves another one.",
                self.ports.store.base,
                "See nginx's error log, mend what it says, and run again.",
            )
        self._state("rolled_back", recovery.origin, recovery.origin, recovery.reason)

    def _enter(self) -> Dump:
        """Make sure that nginx reads our mtls.conf, and return its configuration without our blocks."""
        store, host = self.ports.store, self.ports.host
        if release.EMPTY not in store.names():
            store.stage(release.EMPTY, release.empty_source(), {"made_by": release.VERSION})
        created = host.write_include()
        try:
            dump = host.configuration_without_us(store.directory(release.EMPTY))
            host.judge_dump(dump, [f"{store.base}/current/mtls.conf"])
        except MtlsError:
            if created:
                host.remove_include()
            raise
        return dump

    def _master(self) -> Optional[Process]:
        master = self.ports.host.master()
        if master is None and not self.ports.service.enabled():
            raise MtlsError(
                f"nginx does not run, and its service {self.ports.service.name} is not enabled.",
                "nginx",
                f"Start it, or enable it: systemctl enable --now {self.ports.service.name}.",
            )
        return master

    # -- what is wanted

    def _want(
        self, parts: Mapping[str, Any], live: release.Source, dump: Optional[Dump], planning: bool
    ) -> Wanted:
        with self._timed("credentials"):
            desired = build(parts, live, self.ports.tools, planning)
            self.outcome.plan += desired.waiting
            users = self.ports.host.users(dump) if dump is not None else []
            defaults = complete(desired, users, self.ports.host.version, self.ports.digest)
            self.outcome.warnings += defaults.warnings
            self.outcome.credentials = self.ports.examine(desired)
            self.outcome.diff = changes.changes(live, desired.source, self.ports.decoder)
        return Wanted(release.release_id(desired.source), desired, defaults)

    def _refuse_errors(self, wanted: Wanted) -> None:
        """Raises MtlsError for an error in a credential that this call changes; the rest is only reported."""
        touched = {(one.part, one.name) for one in wanted.desired.credentials if one.changed}
        errors = [
            (credential, finding)
            for credential in self.outcome.credentials
            if (credential["part"], credential["name"]) in touched
            for finding in credential["findings"]
            if finding["severity"] == "error"
        ]
        if errors:
            credential, finding = errors[0]
            place = f"{credential['part']} credential {credential['name']}"
            where = f"{place}: {finding['place']}" if finding["place"] else place
            more = f" ({len(errors) - 1} more errors in credentials[].findings.)" if len(errors) > 1 else ""
            raise MtlsError(f"{finding['message']}{more}", where, finding["remedy"], finding["code"])

    # -- nothing to change

    def _unchanged(self, wanted: Wanted, recovery: Recovery, master: Optional[Process], dump: Dump) -> None:
        store, outcome = self.ports.store, self.outcome
        directory = store.directory(wanted.identity)
        damaged = release.differences(store.read(wanted.identity), directory, wanted.identity)
        if damaged:
            outcome.log.append(f"written again in release {wanted.identity}: {', '.join(damaged)}")
            store.repair(wanted.identity, damaged)
        outcome.release, outcome.state = wanted.identity, "stable"
        state = store.state()
        outcome.previous = state.origin if state else recovery.origin
        rows = self._prove(wanted, quick=True) if master else []
        reload_main = self._main_level(dump) is not None
        if damaged or reload_main or master is None or proof.drifted(rows):
            outcome.changed = True
            outcome.log += [
                f"{row.probe.kind}, {row.probe.target}: {row.got}"
                for row in rows
                if row.verdict == proof.FAILED
            ]
            self._reload(master)
            rows = self._prove(wanted, quick=True)
            if proof.drifted(rows):
                self._report(rows, wanted)
                raise self._unproven(rows, "nginx does not serve the live release, also after a reload")
        # What fails here failed before this call, which changes nothing of it.
        proof.settle(rows, frozenset(), {row.probe.key: row for row in rows})
        self._report(rows, wanted)

    def _prove(
        self,
        wanted: Wanted,
        quick: bool,
        sessions: Optional[Sessions] = None,
        extra: Sequence[proof.Probe] = (),
    ) -> list[proof.Row]:
        with self._timed("prove"):
            probes = proof.plan(
                wanted.source, wanted.identity, wanted.user_defaults, self.options.rounds, quick
            )
            directory = self.ports.store.directory(wanted.identity)
            return self.ports.prover.rows([*probes, *extra], directory, sessions)

    def _report(self, rows: Sequence[proof.Row], wanted: Wanted) -> None:
        self.outcome.proof = [row.to_dict() for row in rows]
        self.outcome.positive = proof.positive(rows)
        master = self.ports.host.master()
        self.outcome.draining_workers = len(self.ports.host.processes.workers(master.pid)[1]) if master else 0

    # -- a change

    def _change(self, wanted: Wanted, recovery: Recovery, master: Optional[Process], dump: Dump) -> None:
        store, outcome = self.ports.store, self.outcome
        origin = recovery.origin if recovery.unproven else recovery.live
        before = release.unrender(store.read(origin))
        outcome.previous = outcome.release = origin
        with self._timed("stage"):
            staged = store.stage(wanted.identity, wanted.source, self._manifest(wanted))
        try:
            self._check(before, wanted)
            baseline, sessions, asked = self._baseline(before, wanted, recovery.live, master)
            self._state("switched", origin, wanted.identity)
        except (MtlsError, OSError):
            if staged:
                store.remove(wanted.identity)
            raise
        with _deaf():
            undo = None
            try:
                undo = self._main_level(dump)
                self._switch(wanted, origin, master)
                rows = self._prove(wanted, False, sessions, asked)
                blocking = proof.settle(rows, changes.changed_things(before, wanted.source), baseline)
                self._report(rows, wanted)
                if blocking:
                    raise self._unproven(blocking, f"Release {wanted.identity} is not proven")
            except (MtlsError, OSError) as error:
                if undo:
                    undo()
                raise self._rolled_back(origin, wanted, error, staged) from error
            self._state("proven", origin, wanted.identity)
            self._state("stable", origin, wanted.identity)
        outcome.release, outcome.state, outcome.changed = wanted.identity, "stable", True

    def _check(self, before: release.Source, wanted: Wanted) -> None:
        with self._timed("check"):
            self._test_in_shadow(wanted, self.ports.store.directory(wanted.identity))
            self._refuse_dead_servers(before, wanted)

    def _test_in_shadow(self, wanted: Wanted, directory: str) -> None:
        tested = self.ports.host.test_with(directory)
        if not tested.ok or tested.dump is None:
            self.outcome.log += tested.lines
            raise MtlsError(
                "nginx does not accept the release: " + " ".join(tested.lines),
                f"release {wanted.identity}",
                "Nothing was switched. Mend what nginx names; @MTLS_RELEASE@ stands for the release's directory.",
            )
        self.ports.host.judge_dump(
            tested.dump, expected_files(self.ports.store.base, directory, wanted.source)
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

    def _baseline(
        self, before: release.Source, wanted: Wanted, live: str, master: Optional[Process]
    ) -> tuple[dict[Any, proof.Row], Sessions, list[proof.Probe]]:
        """How the live release answers before the switch, and sessions of its good client."""
        if master is None or live == release.EMPTY:
            return {}, {}, []
        directory = self.ports.store.directory(live)
        with self._timed("baseline"):
            rows = self.ports.prover.rows(proof.plan(before, live, wanted.user_defaults, 1, False), directory)
            asked = proof.session_probes(before, wanted.source)
            sessions = self.ports.prover.sessions(asked, directory)
        return {row.probe.key: row for row in rows}, sessions, asked

    def _refuse_dead_servers(self, before: release.Source, wanted: Wanted) -> None:
        """Ask the servers of each route whose credential changes with the staged one, before anything is switched."""
        touched = changes.changed_things(before, wanted.source)
        probes = [one for one in proof.direct_probes(wanted.source) if (one.part, one.credential) in touched]
        rows = self.ports.prover.rows(probes, self.ports.store.directory(wanted.identity))
        failed = [row for row in rows if row.verdict == proof.FAILED]
        if failed:
            self.outcome.proof = [row.to_dict() for row in rows]
            self.outcome.state = "checked"
            raise self._unproven(failed, "Nothing was switched: a changed credential cannot be proven")

    def _switch(self, wanted: Wanted, origin: str, master: Optional[Process]) -> None:
        store = self.ports.store
        with self._timed("switch"):
            if store.current() != wanted.identity:
                store.switch(wanted.identity)
            tested = self.ports.host.test_live()
        if not tested.ok:
            self.outcome.log += tested.lines
            raise MtlsError("nginx -t refuses it: " + " ".join(tested.lines), f"release {wanted.identity}")
        self._reload(master)
        self._state("reloaded", origin, wanted.identity)

    # -- reload

    def _reload(self, master: Optional[Process]) -> None:
        """HUP, or start a stopped nginx. Raises MtlsError with nginx's own lines where the new one does not serve."""
        log = self.ports.host.error_log()
        with self._timed("reload"):
            done = self._reload_once(master, log) if master else self._start()
        if done:
            return
        lines = log.urgent()
        self.outcome.log += lines
        raise MtlsError(
            f"It did not {'reload' if master else 'start'}: "
            + (" ".join(lines) or "it wrote no [emerg] line."),
            "nginx",
            "Mend what nginx names.",
        )

    def _reload_once(self, master: Process, log: ErrorLog) -> bool:
        host = self.ports.host
        return host.processes.reload(master.pid, self.options.timeout_s, host.test_seconds, log.gave_up)

    def _start(self) -> bool:
        return self.ports.service.start() and self.ports.host.master() is not None

    # -- the way back

    def _rolled_back(self, origin: str, wanted: Wanted, error: Exception, staged: bool) -> MtlsError:
        """Take *origin* back and return the error that tells both stories."""
        store, outcome = self.ports.store, self.outcome
        reason = str(error)
        place, remedy = (error.place, error.remedy) if isinstance(error, MtlsError) else ("", "")
        # A full disk must not stop the way back: without the line the next run finds `switched`, which leads here too.
        with contextlib.suppress(OSError):
            self._state("rolling_back", origin, wanted.identity, reason)
        store.switch(origin)
        with self._timed("roll back"):
            master = self.ports.host.master()
            log = self.ports.host.error_log()
            served = master is not None and self._reload_once(master, log)
            rows: list[proof.Row] = []
            if served:
                source = release.unrender(store.read(origin))
                probes = proof.plan(source, origin, wanted.user_defaults, 1, quick=True)
                rows = self.ports.prover.rows(probes, store.directory(origin))
        outcome.restored = [row.to_dict() for row in rows]
        outcome.release, outcome.state = origin, "rolled_back"
        with contextlib.suppress(OSError):
            self._state("rolled_back", origin, wanted.identity, reason)
        if served and not proof.drifted(rows):
            story = f"Release {origin} is back and serves as before."
        elif served:
            story = f"Release {origin} is back, but its own proof fails: see restored."
        elif master is None:
            story = f"Release {origin} is back on disk; nginx does not run."
        else:
            story = f"Release {origin} is back on disk, but nginx did not reload: " + " ".join(log.urgent())
        if staged:
            store.remove(wanted.identity)
        return MtlsError(
            error.message if isinstance(error, MtlsError) else str(error), place, f"{remedy} {story}"
        )

    def _unproven(self, rows: Sequence[proof.Row], what: str) -> MtlsError:
        row = rows[0]
        more = f" ({len(rows)} rows of the proof failed.)" if len(rows) > 1 else ""
        return MtlsError(
            f"{what}: {row.probe.kind}, expected {row.probe.expected}, got {row.got}.{more}",
            row.probe.target,
            proof.remedy(row),
        )

    # -- commit

    def _state(self, step: str, origin: str, target: str, reason: str = "") -> None:
        self.ports.store.write_state(State(step, origin, target, self.ports.now(), reason))

    def _main_level(self, dump: Dump) -> Optional[Callable[[], None]]:
        """Bring worker_shutdown_timeout to what is wanted. Returns how to undo that, None where nothing was done."""
        change = self.ports.host.shutdown_timeout(dump, self.options.worker_shutdown_timeout)
        if change is None:
            return None
        undo = change()
        tested = self.ports.host.test_live()
        if not tested.ok:
            undo()
            raise MtlsError(
                "nginx -t refuses it: " + " ".join(tested.lines),
                f"worker_shutdown_timeout ({self.options.worker_shutdown_timeout})",
                "Give a time as nginx writes it, such as 60s, or an empty string to leave it alone.",
            )
        return undo

    def _clean(self, wanted: Wanted, recovery: Recovery) -> None:
        store = self.ports.store
        if self.outcome.state != "stable":
            return
        protected = frozenset((wanted.identity, recovery.origin, recovery.live, self.outcome.previous))
        for name in removable(store.names(), self.options.keep, protected):
            store.remove(name)
        for credential in wanted.desired.credentials:
            pending = f"{store.base}/pending/{credential.part}/{credential.name}/"
            if credential.key_path.startswith(pending):
                store.drop_pending(credential.part, credential.name)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ignore SIGHUP and SIGPIPE: a lost connection must not cut a transaction between switch and commit."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGHUP, signal.SIGPIPE)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
