# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nginx program: where it is, what it reads, whether it accepts a configuration.

Its dump holds other people's secrets: it is parsed here and handed on as values, never logged or returned.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from .._core.account import Account
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.nginx_conf import Dump, read_dump
from .._core.nginx_program import Built, Invocation, built
from . import intake

_LINES = 5
Run = Callable[..., "Finished"]
_URGENT = re.compile(r"\[(emerg|alert|crit)\]")
#: A line about a connection has its number, and may quote the request (ngx_log_error_core,
#: ngx_http_log_error).
_OF_A_CONNECTION = re.compile(r"\] \d+#\d+: \*\d+ ")
#: What begins a line of ``nginx -t`` once its log is open (ngx_log_error_core); before, it is ``nginx: ``.
_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\[\w+\] )\d+#\d+: ")
_LINE = re.compile(r"^(?:nginx: )?\[(emerg|alert|crit|error|warn)\]|\[(emerg|alert|crit)\]")


@dataclass(frozen=True)
class Finished:
    """How a program ended; *seconds* is wall time."""

    code: int
    out: str
    err: str
    seconds: float = 0.0


def run(arguments: list[str], timeout_s: float, environment: Optional[Mapping[str, str]] = None) -> Finished:
    """Run a program without terminal, so that a key's passphrase prompt fails instead of waiting.

    *environment* is laid over this process's own.
    """
    begin = time.monotonic()
    try:
        # Not run_command of AnsibleModule: this layer knows no Ansible.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
            env={**os.environ, **environment} if environment else None,
        )
    except subprocess.TimeoutExpired:
        return Finished(-1, "", f"no end within {timeout_s:g} s", time.monotonic() - begin)
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Finished(done.returncode, out, err, time.monotonic() - begin)


@dataclass(frozen=True)
class Verdict:
    """The verdict of ``nginx -t`` or ``-T``: its own lines, and the dump where one was asked for.

    *hint*: what a remedy adds where the user whom nginx runs as is the reason.
    """

    ok: bool
    lines: list[str]
    seconds: float
    dump: Optional[Dump] = None
    hint: str = ""


def own_lines(text: str) -> list[str]:
    """nginx's own error lines; everything else it prints (the dump above all) is dropped."""
    return [line for line in text.splitlines() if _LINE.search(line)]


def _text(path: str) -> Optional[str]:
    taken = intake.read(path)
    return None if isinstance(taken, Finding) else taken.decode("utf-8", "replace")


class Nginx:
    """One installed nginx. *conf_path* is the main file that its master reads, *started* its arguments,
    *environment* what its unit adds to a process's own."""

    def __init__(
        self,
        binary: str,
        built: Built,
        conf_path: str,
        timeout_s: float,
        runner: Run = run,
        started: Optional[Invocation] = None,
        environment: Optional[Mapping[str, str]] = None,
        wrapped: Sequence[str] = (),
    ) -> None:
        """*wrapped*: what goes before the program, so that it runs as nginx's own user."""
        self.binary = binary
        self._wrapped = list(wrapped)
        self.built = built
        self.conf_path = conf_path
        self.started = started or Invocation()
        self.environment = dict(environment or {})
        self._timeout_s = timeout_s
        self._run = runner

    @property
    def conf_directory(self) -> str:
        """Where relative includes start."""
        return os.path.dirname(self.conf_path)

    @property
    def prefix(self) -> str:
        """Where other relative paths start (``pid``, ``error_log``, ``root``)."""
        return self.started.prefix or self.built.prefix

    def test(self, conf_path: str = "", dump: bool = False, pid_file: str = "") -> Verdict:
        """Let nginx read a configuration, as the user whom its master runs as: what that one cannot read is
        a fault, and a log that is made on the way is its own.

        Beside a stopped nginx it leaves an empty pid file: that is removed.
        """
        had_pid = bool(pid_file) and os.path.lexists(pid_file)
        arguments = [*self._wrapped, self.binary, "-T" if dump else "-t", "-q", *self.started.arguments()]
        arguments += ["-c", conf_path or self.conf_path]
        done = self._run(arguments, self._timeout_s, environment=self.environment)
        if pid_file and not had_pid:
            with contextlib.suppress(OSError):
                if os.path.getsize(pid_file) == 0:
                    os.unlink(pid_file)
        said = [_STAMP.sub(r"nginx: \1", line) for line in own_lines(done.err)]
        # Hundreds of warnings are usual where many have a hand in the configuration.
        lines = [line for line in said if "[warn]" not in line][:_LINES] or said[:_LINES]
        lines = lines or ([done.err.strip()[:300]] if done.code and done.err.strip() else [])
        wanted = read_dump(done.out, _text) if dump and done.code == 0 else None
        return Verdict(done.code == 0, lines, done.seconds, wanted)


def locate(which: Callable[[str], Optional[str]] = shutil.which) -> Optional[str]:
    """The nginx program, also where root's PATH lacks sbin; None where it is not installed."""
    for name in ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"):
        found = which(name)
        if found:
            return found
    return None


def wrapped_by(account: Account, *more: str) -> list[str]:
    """What goes before a program so that it runs as *account*; *more*: options of setpriv.

    Raises MtlsError where that is missing.
    """
    setpriv = shutil.which("setpriv") or ""
    if not account.is_root and not setpriv:
        raise MtlsError(
            "It is missing, so nginx cannot be tested as its own user.",
            "setpriv",
            "Install the package util-linux.",
        )
    return account.command(setpriv, *more)


def build_of(binary: str, timeout_s: float, runner: Run = run) -> Built:
    """What is compiled in. Raises MtlsError where ``nginx -V`` does not say it."""
    return built(runner([binary, "-V"], timeout_s).err, binary)


#: What a value of ``error_log`` begins with that is no file.
NO_FILE = ("stderr", "syslog:", "memory:")
_JOURNAL_EVERY_S = 1.0


def _urgent(line: str) -> bool:
    return _URGENT.search(line) is not None and not _OF_A_CONNECTION.search(line)


class ErrorLog:
    """The lines that nginx writes to its error logs from now on.

    *paths*: the values of ``error_log``, files complete with their directory. *journal* gives the lines of
    the service since a time (seconds since 1970); it is the second source, and the only one for ``stderr``
    and ``syslog:``.
    """

    def __init__(
        self, paths: Sequence[str], journal: Optional[Callable[[float], list[str]]] = None, unit: str = ""
    ) -> None:
        self._paths = [path for path in paths if not path.startswith(NO_FILE)]
        self._elsewhere = [path for path in paths if path.startswith(NO_FILE)]
        self._starts = {path: self._size(path) for path in self._paths}
        self._journal = journal
        self._unit = unit
        self._begin = time.time()
        self._asked = 0.0
        self._said: list[str] = []

    @property
    def where(self) -> str:
        """Where a person looks for nginx's lines."""
        places = [*self._paths, *(one.split(",")[0] for one in self._elsewhere)]
        return " and ".join([*places, *([f"journalctl -u {self._unit}"] if self._unit else [])])

    @staticmethod
    def _size(path: str) -> int:
        try:
            return os.stat(path).st_size
        except OSError:
            return 0

    def urgent(self, limit: int = 5) -> list[str]:
        """[emerg], [alert] and [crit] lines of nginx itself since this object was made: each text once, at
        most *limit*, the last [emerg] before all others. A line about a request is nobody's business here.
        """
        lines = self._of_files() or self._of_journal(0.0)
        found = {line.split(": ", 1)[-1]: line for line in lines if _urgent(line)}
        emerg = [line for line in found.values() if "[emerg]" in line][-limit:]
        others = [line for line in found.values() if "[emerg]" not in line]
        return emerg + others[max(0, len(others) - (limit - len(emerg))) :]

    def gave_up(self) -> bool:
        """Has nginx said that it will not load? A bind that it tries again five times is not yet a
        refusal."""
        lines = self._of_files()
        if not lines and (self._elsewhere or not self._paths):
            lines = self._of_journal(_JOURNAL_EVERY_S)
        urgent = [line for line in lines if "[emerg]" in line]
        return any("bind() to" not in line and "try again to bind" not in line for line in urgent)

    def _of_files(self) -> list[str]:
        return [line for path in self._paths for line in self._lines(path) if _urgent(line)]

    def _of_journal(self, every_s: float) -> list[str]:
        """The journal is a program's work: asked again only after *every_s*."""
        if self._journal is not None and time.monotonic() - self._asked >= every_s:
            self._said = self._journal(self._begin)
            self._asked = time.monotonic()
        return self._said

    def _lines(self, path: str) -> list[str]:
        start = self._starts[path]
        try:
            if not os.path.isfile(path):
                return []
            with open(path, "rb") as file:
                file.seek(start if self._size(path) >= start else 0)
                return file.read(1 << 20).decode("utf-8", "replace").splitlines()
        except OSError:
            return []
