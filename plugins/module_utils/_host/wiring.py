# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts of the machine, put together for one call of ``release``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable

from .._core.changes import Decoder
from .._core.desired import Desired, NotYet, Tools
from .._core.errors import MtlsError
from . import files, nginx, probe, routes, trial
from .call import Options, Ports
from .host import Host
from .processes import Processes
from .prover import Keep, Prover
from .service import Service
from .store import Store

PROBE_TIMEOUT_S = 5.0

Read = Callable[[str], bytes]
#: Writes a certificate that nobody trusts, and its key, below a directory by (path, bytes); their two paths.
Foreign = Callable[[str, str, datetime, Callable[[str, bytes], None]], tuple[str, str]]


@dataclass(frozen=True)
class Library:
    """What is done by cryptography. *require* raises MtlsError where that is missing or too old."""

    available: Callable[[], bool]
    require: Callable[[], None]
    tools: Callable[[Read, datetime], Tools]
    examiner: Callable[[datetime], Callable[[Desired, Mapping[str, bytes]], list[dict[str, Any]]]]
    decoder: Callable[[], Decoder]
    foreign: Foreign


def machine(
    base: str, service_name: str, options: Options, binary: str, scratch: str, library: Library
) -> Ports:
    """*binary*: the nginx program; *scratch*: a directory that goes with the call."""
    at = datetime.now(timezone.utc)
    limit = options.timeout_s
    service = Service(service_name, nginx.run, limit)
    environment = service.environment()
    host = Host(base, binary, Processes(), limit, scratch, nginx.run, service, environment)
    prover = Prover(
        probe.probe,
        foreign_maker(library.foreign, scratch, at),
        PROBE_TIMEOUT_S,
        limit,
        keeper(scratch),
        is_here=routes.is_here,
    )
    return Ports(
        store=Store(base, host.account),
        host=host,
        service=service,
        prover=prover,
        tools=library.tools(reader(base), at),
        decoder=library.decoder(),
        examine=library.examiner(at),
        digest=file_digest,
        now=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"),
        scratch=scratch,
        trial=trial.Runner(
            binary,
            host.nginx.prefix,
            host.nginx.built.without,
            environment,
            prover.rows,
            probe.probe,
            scratch,
            account=host.tester,
        ),
    )


def reader(base: str) -> Read:
    """Reads a path of an option; a pending file that is not there yet is another step's work."""

    def read(path: str) -> bytes:
        try:
            return files.read_file(path)
        except OSError as error:
            kind = (
                NotYet
                if isinstance(error, FileNotFoundError) and path.startswith(f"{base}/pending/")
                else MtlsError
            )
            raise kind(
                f"It cannot be read: {error.strerror}.", path, "Give the path of a file on the host."
            ) from error

    return read


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content; its name where it cannot be read, so that it equals nothing else."""
    try:
        return hashlib.sha256(files.read_file(path)).hexdigest()
    except OSError:
        return path


def foreign_maker(write_pair: Foreign, folder: str, at: datetime) -> Callable[[], probe.Identity]:
    """Makes the identity that nobody trusts, in *folder*."""

    def make() -> probe.Identity:
        paths = write_pair(folder, "mtls-probe-foreign", at, _write_secret)
        return probe.Identity(*paths)

    return make


def keeper(folder: str) -> Keep:
    """Puts identities that are for the proof only into the scratch directory, which goes with the run."""

    def keep(name: str, certificate_pem: bytes, key_pem: bytes) -> probe.Identity:
        identity = probe.Identity(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        _write_secret(identity.certificate_path, certificate_pem)
        _write_secret(identity.private_key_path, key_pem)
        return identity

    return keep


def _write_secret(path: str, data: bytes) -> None:
    files.write_new(path, data, 0o600)
