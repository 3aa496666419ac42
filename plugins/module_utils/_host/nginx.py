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
from dataclasses import dataclass
from typing import Callable, Optional

from .._core.errors import MtlsError
from .._core.nginx_conf import Dump, read_dump

_LINES = 5
Run = Callable[[list[str], float], "Finished"]
_LINE = re.compile(r"^(?:nginx: )?\[(emerg|alert|crit|error|warn)\]|\[(emerg|alert|crit)\]")


@dataclass(frozen=True)
class Finished:
    """How a program ended; *seconds* is wall time."""

    code: int
    out: str
    err: str
    seconds: float = 0.0


def run(arguments: list[str], timeout_s: float) -> Finished:
    """Run a program without terminal, so that a key's passphrase prompt fails instead of waiting."""
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
        )
    except subprocess.TimeoutExpired:
        return Finished(-1, "", f"no end within {timeout_s:g} s", time.monotonic() - begin)
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Finished(done.returncode, out, err, time.monotonic() - begin)


@dataclass(frozen=True)
class Built:
    """What ``nginx -V`` says. *version* as numbers, the paths as compiled in."""

    version: tuple[int, ...]
    prefix: str
    conf_path: str
    pid_path: str
    error_log: str


@dataclass(frozen=True)
class Verdict:
    """The verdict of ``nginx -t`` or ``-T``: its own lines, and the dump where one was asked for."""

    ok: bool
    lines: list[str]
    seconds: float
    dump: Optional[Dump] = None


def own_lines(text: str) -> list[str]:
    """nginx's own error lines; everything else it prints (the dump above all) is dropped."""
    return [line for line in text.splitlines() if _LINE.search(line)]


class Nginx:
    """One installed nginx. *conf_path* is the main file that its master reads."""

    def __init__(
        self, binary: str, built: Built, conf_path: str, timeout_s: float, runner: Run = run
    ) -> None:
        self.binary = binary
        self.built = built
        self.conf_path = conf_path
        self._timeout_s = timeout_s
        self._run = runner

    @property
    def conf_directory(self) -> str:
        """Where relative includes start."""
        return os.path.dirname(self.conf_path)

    def test(self, conf_path: str = "", dump: bool = False, pid_file: str = "") -> Verdict:
        """Let nginx read a configuration.

        Beside a stopped nginx it leaves an empty pid file: that is removed.
        """
        had_pid = bool(pid_file) and os.path.lexists(pid_file)
        arguments = [self.binary, "-T" if dump else "-t", "-q", "-c", conf_path or self.conf_path]
        done = self._run(arguments, self._timeout_s)
        if pid_file and not had_pid:
            with contextlib.suppress(OSError):
                if os.path.getsize(pid_file) == 0:
                    os.unlink(pid_file)
        said = own_lines(done.err)
        # Hundreds of warnings are usual where many have a hand in the configuration.
        lines = [line for line in said if "[warn]" not in line][:_LINES] or said[:_LINES]
        lines = lines or ([done.err.strip()[:300]] if done.code and done.err.strip() else [])
        wanted = read_dump(done.out) if dump and done.code == 0 else None
        return Verdict(done.code == 0, lines, done.seconds, wanted)


def locate(which: Callable[[str], Optional[str]] = shutil.which) -> Optional[str]:
    """The nginx program, also where root's PATH lacks sbin; None where it is not installed."""
    for name in ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"):
        found = which(name)
        if found:
            return found
    return None


def build_of(binary: str, timeout_s: float, runner: Run = run) -> Built:
    """What is compiled in. Raises MtlsError where ``nginx -V`` does not say it."""
    text = runner([binary, "-V"], timeout_s).err
    version = re.search(r"nginx version: \S*?/(\d+(?:\.\d+)*)", text)
    if not version:
        raise MtlsError("'nginx -V' names no version.", binary, "Is this nginx?")

    def option(name: str, default: str) -> str:
        found = re.search(rf"--{name}=(\S+)", text)
        return found.group(1) if found else default

    prefix = option("prefix", "/usr/local/nginx")
    return Built(
        tuple(int(number) for number in version.group(1).split(".")),
        prefix,
        os.path.join(prefix, option("conf-path", "conf/nginx.conf")),
        os.path.join(prefix, option("pid-path", "logs/nginx.pid")),
        os.path.join(prefix, option("error-log-path", "logs/error.log")),
    )


def configuration_path(built: Built, arguments: list[str]) -> str:
    """The main file of a master with these arguments (``-c``, ``-p``), else the compiled-in one."""
    values = dict(zip(arguments, arguments[1:]))
    prefix = values.get("-p", built.prefix)
    if "-c" in values:
        # A relative -c is completed with the prefix (nginx: ngx_process_options).
        return os.path.join(prefix, values["-c"])
    return built.conf_path


class ErrorLog:
    """The lines that nginx writes to its error log from now on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._start = self._size()

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def urgent(self, limit: int = 5) -> list[str]:
        """[emerg], [alert] and [crit] lines since this object was made: each text once, at most the last
        *limit*."""
        found = {
            line.split(": ", 1)[-1]: line
            for line in self._lines()
            if re.search(r"\[(emerg|alert|crit)\]", line)
        }
        return list(found.values())[-limit:]

    def gave_up(self) -> bool:
        """Has nginx said that it will not load? A bind that it tries again five times is not yet a
        refusal."""
        urgent = [line for line in self._lines() if "[emerg]" in line]
        return any("bind() to" not in line and "try again to bind" not in line for line in urgent)

    def _lines(self) -> list[str]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._start if self._size() >= self._start else 0)
                return file.read(1 << 20).decode("utf-8", "replace").splitlines()
        except OSError:
            return []
