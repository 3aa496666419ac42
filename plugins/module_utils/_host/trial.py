# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private nginx that loads a release's credentials and takes real requests, beside the one that serves.

It has its own pid, log, temporary files and sockets in a 0700 directory, and nothing of it outlives this
process: a guardian ends all of nginx and removes the directory as soon as our end of a pipe is closed, by us
or by the kernel. Should somebody kill the guardian, nginx ends by PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional

from .._core import proof, trial_answers
from .._core import trial as core
from .._core.account import ROOT, Account
from .._core.answers import Answer, Row
from .._core.desired import PROBE
from .._core.errors import MtlsError
from .._core.nginx_conf import Directive
from .._core.probes import Probe
from .._core.trial_questions import Question
from . import files, shadow
from .nginx import own_lines, wrapped_by
from .probe import Observation, Target
from .prover import answer_of

_CDLL: Any = None
with contextlib.suppress(ImportError):  # a minimal Python has none: then the guardian alone has to do
    from ctypes import CDLL as _CDLL

CODE = "nginx.trial_not_run"
_PR_SET_PDEATHSIG = 1
_STEP_S = 0.002
_START_S = 10.0
#: Longer than what nginx itself waits for a server: connecting, then reading (``_core/trial.py``).
_ROUTE_S = 15.0
_ASKERS = 16
_LOG_LIMIT = 1 << 22

Rows = Callable[[Sequence[Probe], str], list[Row]]


def not_run(binary: str, reason: str) -> MtlsError:
    """Why there was no trial. It holds nothing of the configuration but nginx's own words."""
    reason = " ".join("".join(char if char.isprintable() else " " for char in reason).split())
    return MtlsError(
        f"A trial nginx with the new credentials did not run: {reason.rstrip('.') or 'it said nothing'}.",
        binary,
        "Mend what it names; until then only the proof after the switch asks nginx itself.",
        CODE,
    )


class Runner:
    """Tries releases one after the other.

    *prefix*: where nginx's relative module paths begin. *without*: see ``Built``. *rows* asks as
    ``Prover.rows`` does, *ask* as ``probe.probe``. *account*: whom the nginx that serves runs as.
    """

    def __init__(
        self,
        binary: str,
        prefix: str,
        without: frozenset[str],
        environment: Mapping[str, str],
        rows: Rows,
        ask: Callable[..., Observation],
        scratch: str = shadow.SCRATCH,
        start_s: float = _START_S,
        account: Account = ROOT,
    ) -> None:
        self._binary = binary
        self._prefix = prefix
        self._without = without
        self._environment = environment
        self._rows = rows
        self._ask = ask
        self._scratch = scratch
        self._start_s = start_s
        self._account = account

    def rows(self, trial: core.Trial, tree: Sequence[Directive], directory: str, identity: str) -> list[Row]:
        """The rows of the release *identity* in *directory*; *tree*: of the live configuration.

        Raises MtlsError with the code ``nginx.trial_not_run`` where there was no nginx to ask.
        """
        if trial.empty:
            return list(trial.unasked)
        around = core.surroundings(tree, self._prefix, self._without)
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(shadow.scratch(self._scratch))
                text = core.configuration(trial, around, folder, directory, identity)
                owner = (-1, -1) if self._account.is_root else (self._account.uid, self._account.gid)
                files.write_new(f"{folder}/nginx.conf", text.encode(), 0o600, owner)
                os.chown(folder, *owner)
                program = [*wrapped_by(self._account, "--pdeathsig=TERM"), self._binary]
                running = stack.enter_context(started(program, folder, self._environment))
            except OSError as error:
                raise not_run(self._binary, f"{error.strerror or error}") from error
            self._wait(running, folder)
            found = self._server(trial.server, folder, directory)
            return found + self._proxy(trial.proxy, folder) + list(trial.unasked)

    def _wait(self, running: Running, folder: str) -> None:
        """Until a worker answers. Raises MtlsError with nginx's own words where none does."""
        end = time.monotonic() + self._start_s
        while not _listens(f"{folder}/alive.sock"):
            if running.ended() or time.monotonic() > end:
                raise not_run(self._binary, _reason(folder))
            time.sleep(_STEP_S)
        target = Target(f"unix:{folder}/alive.sock", path=core.ALIVE, tls=False)
        seen = self._ask(target, None, timeout_s=max(0.1, end - time.monotonic()))
        if seen.status != 204:
            raise not_run(self._binary, _reason(folder))

    def _server(self, questions: Sequence[Question], folder: str, directory: str) -> list[Row]:
        # The good client first, and alone: what the log says until then is about it.
        good = [one for one in questions if one.asked.identity == PROBE]
        rest = [one for one in questions if one.asked.identity != PROBE]
        found = self._rows([_placed(one.asked, folder) for one in good], directory)
        lines = trial_answers.said(_log(folder))
        found = [trial_answers.with_cause(row, lines.get(one.number, "")) for row, one in zip(found, good)]
        found += self._rows([_placed(one.asked, folder) for one in rest], directory)
        proof.cross_check(found)
        for row, one in zip(found, [*good, *rest]):
            row.probe = one.shown
        return found

    def _proxy(self, questions: Sequence[Question], folder: str) -> list[Row]:
        if not questions:
            return []
        with ThreadPoolExecutor(min(_ASKERS, len(questions))) as pool:
            answers = list(pool.map(lambda one: self._answer(_placed(one.asked, folder)), questions))
        lines = trial_answers.said(_log(folder))
        return [
            trial_answers.judge_route(one.shown, answer, lines.get(one.number, ""))
            for one, answer in zip(questions, answers)
        ]

    def _answer(self, probe: Probe) -> Answer:
        target = Target(probe.address, path=probe.path, http_host=probe.http_host, tls=False)
        return answer_of(self._ask(target, None, timeout_s=_ROUTE_S))


def _placed(probe: Probe, folder: str) -> Probe:
    values: dict[str, Any] = {**vars(probe), "address": probe.address.replace("@TRIAL@", folder)}
    return Probe(**values)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def _log(folder: str) -> str:
    text = ""
    for name in ("stderr", "error.log"):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", "rb") as file:
            text += file.read(_LOG_LIMIT).decode("utf-8", "replace")
    return text


def _reason(folder: str) -> str:
    urgent = [line for line in own_lines(_log(folder)) if "[warn]" not in line and "[error]" not in line]
    # The same line stands in both; of the prefix only the words after the process's number are of use.
    words = dict.fromkeys(re.sub(r"^.*?\[(?=emerg|alert|crit)", "[", line) for line in urgent)
    told = dict.fromkeys(re.sub(r"^(\[\w+\]) \d+#\d+: ", r"\1 ", line) for line in words)
    return " ".join(list(told)[:2]).replace(f"{folder}/", "")


# -- processes


class Running:
    """One nginx below its guardian."""

    def __init__(self, guardian: int, life: int) -> None:
        self._guardian: Optional[int] = guardian
        self._life = life

    def ended(self) -> bool:
        """Has nginx ended by itself?"""
        if self._guardian is not None and os.waitpid(self._guardian, os.WNOHANG)[0]:
            self._guardian = None
        return self._guardian is None

    def end(self) -> None:
        """End nginx, and wait until master and worker are gone."""
        if self._life >= 0:
            with contextlib.suppress(OSError):  # a guardian that is gone reads no more
                os.write(self._life, b".")
            os.close(self._life)
            self._life = -1
        if self._guardian is not None:
            os.waitpid(self._guardian, 0)
            self._guardian = None


@contextlib.contextmanager
def started(program: Sequence[str], folder: str, environment: Mapping[str, str]) -> Iterator[Running]:
    """nginx with the configuration in *folder*, for as long as the block lasts or this process lives.

    *program*: its path, and before it what lets it run as another user. Raises OSError where no process can
    be made.
    """
    arguments = [*program, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    death_signal = _death_signal()
    life, ours = os.pipe()
    try:
        guardian = os.fork()
        if not guardian:
            _guard(arguments, dict(environment), folder, life, death_signal)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(life)
    running = Running(guardian, ours)
    try:
        yield running
    finally:
        running.end()


def _death_signal() -> Callable[[], object]:
    """Asks the kernel for SIGTERM when the parent dies; looked up before the fork, which may only call it."""
    if _CDLL is None:
        return lambda: None
    try:
        prctl = _CDLL(None).prctl
    except (OSError, AttributeError):
        return lambda: None
    # Not SIGKILL: the master passes SIGTERM on to its worker, which would outlive it otherwise.
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _guard(
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    life: int,
    death_signal: Callable[[], object],
) -> None:
    """The guardian's whole life, in a fork of this process; it never returns."""
    try:
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        log = os.open(f"{folder}/stderr", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDWR)
        for target, source in ((0, null), (1, null), (2, log)):
            os.dup2(source, target)
        # The lock, and what Ansible waits for the end of, are not ours to keep open.
        _close_others((0, 1, 2, life))
        alive, held = os.pipe()
        guardian = os.getpid()
        nginx = os.fork()
        if not nginx:
            _become_nginx(arguments, environment, held, guardian, death_signal)
        os.close(held)
        _watch(life, alive, nginx, folder)
    finally:
        os._exit(0)


def _become_nginx(
    arguments: list[str],
    environment: dict[str, str],
    held: int,
    guardian: int,
    death_signal: Callable[[], object],
) -> None:
    try:
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        death_signal()
        # It may have died before the kernel was asked: then no signal comes any more.
        if os.getppid() == guardian:
            # Master and worker hold it: when it is closed, both are gone.
            os.set_inheritable(held, True)
            os.chdir("/")
            os.execve(arguments[0], arguments, environment)
    except OSError as error:
        os.write(2, f"nginx: [emerg] {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _close_others(kept: Sequence[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _watch(life: int, alive: int, nginx: int, folder: str) -> None:
    """Wait for the end of nginx or of who asks it; then none of nginx is left."""
    poll = select.poll()
    for descriptor in (life, alive):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    ready = {descriptor for descriptor, dummy in poll.poll()}
    # The group is nginx's own from its setsid() on, its pid before.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(nginx, signal.SIGKILL)
    os.waitpid(nginx, 0)
    os.read(alive, 1)
    if life in ready and not os.read(life, 1):
        # Nobody is there any more to remove it.
        with contextlib.suppress(OSError):
            files.remove_tree(folder)
