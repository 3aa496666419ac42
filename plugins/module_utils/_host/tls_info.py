# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each nginx of this host really uses for TLS, put together: configuration, files, what is served."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional

from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.nginx_conf import Dump
from .._core.nginx_log import Event, own_line
from .._core.nginx_tls import judge
from .._core.nginx_tls.doors import questions
from .._core.nginx_tls.judge import Known
from .._core.nginx_tls.locations import names_of
from .._core.nginx_tls.resolve import InForce, resolve
from .._core.nginx_tls.values import Program
from . import addresses, conf_files, file_state, handshake
from .error_logs import events, read_as
from .handshake import Door, Presented
from .instances import Instance, Instances, pid_file
from .named_files import NEWER, Files, NamedFiles, Told, dicts
from .nginx import Verdict

_DIFFERS = "endpoint.served_differs_from_file"
_SERVED_LIMIT_S = 60.0
_LINES = 5


@dataclass(frozen=True)
class Options:
    """*base*: of our releases. *pem*: whether public files are returned. *probe*: whether each server block
    is asked what it serves, *probe_timeout_s* for each."""

    base: str = ""
    pem: bool = False
    probe: bool = True
    timeout_s: float = 30.0
    probe_timeout_s: float = 3.0
    log_minutes: int = 0


class Look:
    """One call. *knock* asks a socket what it serves, *look_up* the resolver what names stand for."""

    def __init__(
        self,
        options: Options,
        files: Files,
        instances: Optional[Instances] = None,
        knock: Callable[[Door, str, float], Presented] = handshake.knock,
        look_up: Callable[[Iterable[str]], dict[str, list[str]]] = addresses.looked_up,
    ) -> None:
        self._options = options
        self._tools = files
        self._files = NamedFiles(files)
        self._instances = instances or Instances(options.timeout_s)
        self._knock = knock
        self._look_up = look_up
        self._silent: dict[Door, Presented] = {}
        #: Whether all that was served is known, which takes Python 3.10.
        self._whole = True

    def result(self) -> dict[str, Any]:
        """What the module returns, without what it says of itself."""
        read = [(one, *self._configuration(one)) for one in self._instances.found()]
        self._files.read([(found, one.loaded) for one, found, _verdict in read])
        known = self._files.known()
        for one, found, _verdict in read:
            for path in found.error_logs:
                path["read_as"] = read_as(path, one.unit)
        log, unread = self._log([path for _one, found, _verdict in read for path in found.error_logs])
        elements = [self._element(one, found, verdict, known) for one, found, verdict in read]
        files = self._files.shown(self._options.pem)
        flat = [finding.to_dict() for finding in self._instances.orphans()]
        for element in elements:
            for part in (element, *element["servers"], *element["locations"]):
                flat += part["findings"]
        flat += [finding for file in files for finding in file["findings"]]
        return {
            "instances": elements,
            "files": files,
            "log": log,
            "why": " ".join(unread),
            "addresses": addresses.own(),
            "names": self._look_up(
                names_of([place for element in elements for place in element["locations"]])
            ),
            "findings": flat,
        }

    def _log(self, logs: Sequence[dict[str, str]]) -> tuple[list[Event], list[str]]:
        """Events, before this module's own handshakes get among them, and what of the logs is not known."""
        if self._options.log_minutes <= 0:
            return [], []
        since = datetime.now(timezone.utc) - timedelta(minutes=self._options.log_minutes)
        # nginx writes the time of the host's own zone, and does not name it.
        found, failed = events([one["read_as"] for one in logs], since.astimezone().replace(tzinfo=None))
        unread = []
        for one in logs:
            if one["read_as"] in failed:
                one["read_as"] = ""
            if not one["read_as"]:
                to = f" at {one['to']}" if one["to"] else ""
                unread.append(
                    f"The error log of {one['place']} goes to {one['path']}{to}, and is not read here."
                )
        return found, unread

    # -- the configuration

    def _configuration(self, one: Instance) -> tuple[InForce, Verdict]:
        """What the configuration on disk says, also where nginx refuses it."""
        if one.nginx is None:
            return InForce([], [], [], ""), Verdict(False, [one.fault], 0.0)
        nginx = one.nginx
        verdict = nginx.test(dump=True, pid_file="" if one.pid else pid_file(one))
        dump = verdict.dump or (Dump() if verdict.ok else conf_files.read(one.conf_path))
        if one.loaded is not None:
            self._note_changes(one, dump)
        program = Program(nginx.built.version, nginx.conf_directory, self._options.base)
        try:
            tree = dump.tree()
        except MtlsError as error:
            one.findings.append(Finding("nginx.configuration_unread", error.message, error.place))
            tree = ()
        default_log = nginx.started.error_log or nginx.built.error_log
        return resolve(tree, program, nginx.prefix, default_log), verdict

    def _note_changes(self, one: Instance, dump: Dump) -> None:
        # A main file that cannot be parsed is not in the dump.
        names = dict.fromkeys([one.conf_path, *dump.files])
        changed = [name for name in names if file_state.is_newer(name, one.loaded or 0.0)]
        if changed:
            more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
            how = file_state.how_newer(changed[0], one.loaded or 0.0)
            said = f"{how}{more}: what is told here is what lies on disk."
            one.findings.append(Finding(NEWER, said, changed[0]))

    # -- an element of the result

    def _element(self, one: Instance, found: InForce, verdict: Verdict, known: Known) -> dict[str, Any]:
        built = one.nginx.built if one.nginx else None
        version = built.version if built else ()
        emerg = [] if verdict.ok else [own_line(line) for line in verdict.lines][:_LINES]
        said: list[Told] = list(one.findings)
        if not verdict.ok:
            words = next(iter(emerg), "it does not say why")
            said.append(
                Finding(
                    "nginx.configuration_refused",
                    f"nginx -t says: {words.rstrip('.')}." if built else f"It was not tested: {words}.",
                    one.conf_path or one.program,
                )
            )
        of_servers = judge.of_servers(found.servers, version, known)
        served = self._served(found.servers) if one.pid and self._options.probe else [[] for _s in of_servers]
        if self._whole:
            self._files.served(found, served)
        for server, findings, rows in zip(found.servers, of_servers, served):
            told = [*findings, *self._files.names(server), *self._differences(server, rows)]
            server.update(served=rows, findings=dicts(told))
        for location, findings in zip(found.locations, judge.of_locations(found.locations)):
            location["findings"] = dicts(findings)
        return {
            "pid": one.pid,
            "program": one.program,
            "conf_path": one.conf_path,
            "version": ".".join(map(str, version)),
            "openssl": built.openssl if built else "",
            "unit": one.unit,
            "user": one.user or found.user or (built.user if built else ""),
            "ok": verdict.ok,
            "emerg": emerg,
            "loaded": None if one.loaded is None else file_state.rfc3339(one.loaded),
            "error_logs": found.error_logs,
            "servers": found.servers,
            "locations": found.locations,
            "findings": dicts(said),
        }

    # -- what is served

    def _served(self, servers: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        rows: list[list[dict[str, Any]]] = [[] for _server in servers]
        end = time.monotonic() + _SERVED_LIMIT_S
        for asked in questions(servers):
            door = Door(asked.address, asked.port, asked.proxy_protocol)
            if door in self._silent:
                seen = self._silent[door]
            elif time.monotonic() > end:
                seen = Presented(error="It was not asked: the time for all is over.")
            else:
                seen = self._knock(door, asked.server_name, self._options.probe_timeout_s)
            if seen.silent:
                self._silent[door] = seen
            self._whole = self._whole and (seen.whole or not seen.chain)
            rows[asked.server].append(self._row(door, asked.server_name, seen))
        return rows

    def _row(self, door: Door, server_name: str, seen: Presented) -> dict[str, Any]:
        chain = [hashlib.sha256(der).hexdigest() for der in seen.chain]
        known = self._tools.described(seen.chain[0]) if seen.chain else {}
        return {
            "address": door.name,
            "server_name": server_name,
            "error": seen.error,
            "protocol": seen.protocol,
            "sha256": chain[0] if chain else None,
            "subject": known.get("subject"),
            "not_after": known.get("not_after"),
            "chain": chain,
        }

    def _differences(self, server: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Iterator[Finding]:
        leaves = self._files.leaves(server)
        for row in rows:
            if leaves and row["sha256"] and row["sha256"] not in leaves:
                where = f"{row['address']} ({row['server_name']})" if row["server_name"] else row["address"]
                yield Finding(
                    _DIFFERS,
                    f'nginx serves "{row["subject"]}" (SHA-256 {row["sha256"][:16]}…) at {where}, on disk is'
                    f" {', '.join(sorted(leaf[:16] for leaf in leaves))}….",
                    row["address"],
                )
