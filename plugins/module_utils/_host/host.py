# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nginx of one host as a transaction needs it: its configuration without us, its master, its tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Callable, NoReturn, Optional

from .._core.account import ROOT, files_for
from .._core.default_server import UserServer, user_servers
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.nginx_conf import Directive, Dump, parse
from .._core.nginx_program import Invocation, below, configuration_path, invocation, started
from .._core.undone import refuse, undone
from . import files, shadow
from .entry import Entry
from .nginx import NO_FILE, ErrorLog, Finished, Nginx, Verdict, build_of, wrapped_by
from .processes import Process, Processes
from .service import Service

#: A new load's own sockets and files, and a few to spare.
_SPARE_FILES = 8


def _globals(chosen: Invocation) -> tuple[Directive, ...]:
    """The directives of ``-g``; what cannot be read of them is nginx's to refuse."""
    with contextlib.suppress(MtlsError):
        return parse(chosen.directives)
    return ()


class Host(Entry):
    """Reads and tests; what it writes is its ``Entry``."""

    def __init__(
        self,
        base: str,
        binary: str,
        processes: Processes,
        timeout_s: float,
        scratch: str,
        run: Callable[..., Finished],
        service: Optional[Service] = None,
        environment: Optional[Mapping[str, str]] = None,
    ) -> None:
        """*environment*: what the unit gives nginx, such as OPENSSL_CONF; its test needs it as well."""
        built = build_of(binary, timeout_s, run)
        masters = [(one.pid, invocation(one.arguments)) for one in processes.all() if one.is_master]
        unit = service.invocation() if service else Invocation()
        chosen = started(base, built, [one for dummy, one in masters], unit)
        conf_path = configuration_path(built, chosen)
        here = os.path.realpath(conf_path)
        mine = [pid for pid, one in masters if os.path.realpath(configuration_path(built, one)) == here]
        running = processes.account(mine[0]) if mine else None
        #: Whom nginx will run as after its next start; the files of a release are for that one.
        of_unit = service.account() if service else ROOT
        self.account = files_for(running, of_unit, service.name if service else "nginx")
        #: Whom it runs as now; nginx is tested as that one.
        self.tester = of_unit if running is None else running
        self._runs = running is not None
        self.nginx = Nginx(
            binary, built, conf_path, timeout_s, run, chosen, environment, wrapped_by(self.tester)
        )
        self.base = base
        self.processes = processes
        self._service = service
        self._scratch = scratch
        directory = self.nginx.conf_directory
        if not below(base, directory):
            raise MtlsError(
                f"It does not lie below {directory}, where {self.nginx.conf_path} is.",
                f"base ({base})",
                "Set nginx_mtls_base to a directory below nginx's own: relative includes start there.",
            )
        super().__init__(base, self.nginx.conf_path)
        self._refuse_writable()
        self.open(scratch)
        self._pid_file = self._full(built.pid_path)
        self._error_logs = [self._full(chosen.error_log or built.error_log)]
        self._worker_files = 0
        self._learn(_globals(chosen))
        self.test_seconds = 0.0

    def _refuse_writable(self) -> None:
        """Where an ordinary user may replace the base, or what leads there, root would write, and remove,
        wherever that one lets it lead."""
        if self.account.is_root:
            return
        for path in (self.base, os.path.realpath(self.base)):
            while path != "/":
                path = os.path.dirname(path)
                if os.path.isdir(path) and self._is_writable(os.stat(path)):
                    raise MtlsError(
                        f"The user whom nginx runs as may write to it, and {self.base} lies below: that user "
                        "could lead root elsewhere.",
                        path,
                        f"chown root:root {path} && chmod go-w {path}",
                    )

    def _is_writable(self, found: os.stat_result) -> bool:
        mine = {self.account.gid, *self.account.groups}
        others = bool(found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid in mine))
        # In a directory with the sticky bit nobody renames what is root's.
        return found.st_uid == self.account.uid or (others and not found.st_mode & stat.S_ISVTX)

    def open(self, folder: str) -> None:
        """Let nginx's test look into a directory of ours, and those below."""
        if not self.tester.is_root:
            files.set_directories(folder, self.tester.folder)

    @property
    def version(self) -> tuple[int, ...]:
        return self.nginx.built.version

    def _full(self, path: str) -> str:
        return path if path.startswith(NO_FILE) else os.path.join(self.nginx.prefix, path)

    # -- processes

    def master(self) -> Optional[Process]:
        """The master that reads this configuration. Raises MtlsError where no single one can be told."""
        return self.processes.master(self._pid_file, self._ours)

    def _ours(self, process: Process) -> bool:
        path = configuration_path(self.nginx.built, invocation(process.arguments))
        return os.path.realpath(path) == os.path.realpath(self.nginx.conf_path)

    def refuse_few_files(self, master: Process) -> None:
        """A reload opens logs and channels of workers anew beside the old ones; half of it is an outage.

        Asked before the first reload only: the workers that drain after it count as well, and must not hold
        up the way back.
        """
        used, limit = self.processes.open_files(master.pid)
        if not used:
            return
        needed = used + sum(map(len, self.processes.workers(master.pid))) * 2 + _SPARE_FILES
        worker = self._worker_files or limit
        if needed > limit or used + _SPARE_FILES > worker:
            what = f"may have {limit} files open" if needed > limit else f"gives its workers {worker} files"
            raise MtlsError(
                f"The master {master.pid} of nginx {what}, has {used}, and a reload needs about {needed}.",
                "nginx",
                "Raise LimitNOFILE of its unit (and worker_rlimit_nofile, where that is set), restart nginx, "
                "and run again.",
                "nginx.open_files",
            )

    def error_log(self) -> ErrorLog:
        if self._service is None:
            return ErrorLog(self._error_logs)
        return ErrorLog(self._error_logs, self._service.journal, self._service.name)

    # -- tests

    def test_live(self) -> Verdict:
        tested = self.nginx.test(pid_file=self._pid_file)
        self.test_seconds = tested.seconds
        return replace(tested, hint=self._hint(tested))

    def _hint(self, tested: Verdict) -> str:
        """What an ordinary user lacks to load this configuration."""
        if self.tester.is_root or tested.ok:
            return ""
        said = " ".join(tested.lines)
        name = str(self.tester.uid)
        with contextlib.suppress(KeyError):
            name = pwd.getpwuid(self.tester.uid).pw_name
        if "bind() to" in said and "(13:" in said:
            return (
                f" nginx runs as user {name}, which may not listen there: give its unit "
                "AmbientCapabilities=CAP_NET_BIND_SERVICE and restart it."
            )
        if "(13:" in said:
            return f" nginx runs as user {name}, which must be able to open it."
        if "(2:" in said and not self._runs:
            start = f"systemctl start {self._service.name if self._service else 'nginx'}"
            return f" nginx does not run, and its unit may make directories only while it does: {start}."
        return ""

    def test_with(self, release_directory: str) -> Verdict:
        """``nginx -T`` of the whole configuration with another release in the live one's place."""
        with shadow.scratch(self._scratch) as folder:
            conf_path = shadow.build(folder, self.nginx.conf_path, self.base, release_directory)
            self.open(folder)
            tested = self.nginx.test(conf_path, dump=True, pid_file=self._pid_file)
        here, there = folder + shadow.real_directory(self.nginx.conf_path), self.nginx.conf_directory

        def real(text: str) -> str:
            return text.replace(here, there).replace(folder, "")

        lines, hint = [real(line) for line in tested.lines], self._hint(tested)
        dump = None
        if tested.dump:
            self._refuse_live_files(tested.dump, real)
            dump = tested.dump.moved(here, there).moved(folder, "")
        self.test_seconds = max(self.test_seconds, tested.seconds)
        return Verdict(tested.ok, lines, tested.seconds, dump, hint)

    def _refuse_live_files(self, dump: Dump, real: Callable[[str], str]) -> None:
        """Raises MtlsError where nginx read a file of the live release while another one was tested.

        *dump*: as nginx gave it, with the shadow's names, which *real* makes those of the real files.
        """
        homes = tuple(f"{home}/current/" for home in (self.base, os.path.realpath(self.base)))
        live = {name for name in dump.files if os.path.normpath(name).startswith(homes)}
        for item in _includes(dump.tree()) if live else ():
            if live.intersection(dump.included(item.args[0])):
                self._absolute(real(item.place))

    def _absolute(self, place: str) -> NoReturn:
        raise MtlsError(
            f"It includes {self.base}/current by an absolute path, so no test sees another release.",
            place,
            f"Write the include relative: {os.path.dirname(self.include)}/…",
            "include.absolute",
        )

    def judge_dump(self, dump: Dump, expected: list[str]) -> list[Finding]:
        """What the dump tells beyond nginx's own verdict.

        Raises MtlsError where it is not of the release under test (blind tests pass as well), and where a
        line of it undoes what the release says.
        """
        for one in _includes(dump.tree()):
            if os.path.normpath(one.args[0]).startswith(f"{self.base}/current/"):
                self._absolute(one.place)
        missing = [name for name in expected if name not in dump.files]
        if missing:
            raise MtlsError(
                f"nginx does not read it, nor {missing[0]}.",
                self.include_file,
                f"Let the http block of {self.nginx.conf_path} include conf.d/*.conf.",
                "include.missing",
            )
        return refuse(undone(dump.tree(), f"{self.base}/current/mtls.conf"))

    def configuration_without_us(self, live_directory: str) -> Dump:
        """The dump of everything but our blocks. Raises MtlsError where nginx does not accept it.

        A user's own block may include a credential of the live release, so that one is there all the same.
        """
        with shadow.scratch(self._scratch) as folder:
            directory = shadow.without_blocks(folder, live_directory)
            self.open(folder)
            tested = self.test_with(directory)
        if tested.dump is None:
            said = " ".join(tested.lines)
            # nginx names whichever of the two it reads last.
            if '"worker_shutdown_timeout" directive is duplicate' in said and os.path.lexists(self.main_file):
                raise MtlsError(
                    f"nginx's own configuration says worker_shutdown_timeout as well: {said}",
                    self.main_file,
                    "Remove this file, which release wrote while nobody else said it, and run again.",
                )
            raise MtlsError(
                "nginx does not accept its configuration, even without any block of ours: " + said,
                self.nginx.conf_path,
                f"Mend it until `nginx -t` passes, then run again.{tested.hint}",
            )
        self._learn(tested.dump.tree())
        return tested.dump

    def _learn(self, tree: Sequence[Directive]) -> None:
        """Where nginx's pid and its own lines are; error_log of http and below has only requests' faults."""
        logs = []
        for item in tree:
            if item.name == "pid" and item.args:
                self._pid_file = self._full(item.args[0])
            if item.name == "error_log" and item.args:
                logs.append(self._full(item.args[0]))
            if item.name == "worker_rlimit_nofile" and item.args and item.args[0].isdigit():
                self._worker_files = int(item.args[0])
        # The master in place writes to those of its last load: they are read as well.
        self._error_logs = list(dict.fromkeys([*logs, *self._error_logs]))

    def as_if_included(self, dump: Dump) -> Dump:
        """The dump as it will be once ``write_include`` was there: it decides which server is first."""
        return Dump({**dump.files, self.include_file: f"include {self.include};\n"})

    def users(self, dump: Dump) -> list[UserServer]:
        return user_servers(dump.tree(), self.include)


def _includes(tree: tuple[Directive, ...]) -> Iterator[Directive]:
    """All include directives of a tree, at any depth."""
    for item in tree:
        if item.name == "include" and item.args and item.block is None:
            yield item
        yield from _includes(item.block or ())
