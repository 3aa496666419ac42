# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying the proof out: from probes as values to requests, and back to rows.

Who does not answer is waited for once, many are asked at the same time, and the whole has an end that follows
from the number of questions.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional, TypeVar

from .._core import proof
from .._core.answers import LATE, LOAD, NOT_HERE, Answer, Row, judge
from .._core.desired import PROBE
from .._core.errors import MtlsError
from .._core.probes import FOREIGN, REVOKED, SERVER, Probe
from .probe import Identity, Observation, Target
from .tls_client import client_context

Ask = Callable[..., Observation]
Sessions = dict[Any, Any]
#: Puts (name, certificate, key) into files that nobody else can read and that are gone after the run.
Keep = Callable[[str, bytes, bytes], Identity]
T = TypeVar("T")

#: Threads while each place is asked for the first time: they mostly wait for who is dead.
_SCOUTS = 32
#: Threads for the rest, which is work for this host's processors and for nginx.
_ASKERS = 8
#: Seconds that one question is given beyond the time for the whole.
_EACH_S = 0.1


def limit_s(questions: int, timeout_s: float) -> float:
    """Seconds in which all *questions* must be asked: nginx's time, and a little for each."""
    return timeout_s + _EACH_S * questions


def _no_files(name: str, _certificate: bytes, _key: bytes) -> Identity:
    raise MtlsError("There is no place for it.", name)


def _anywhere(_address: str) -> bool:
    return True


class Prover:
    """Asks for one release after the other.

    *foreign* makes the identity that nobody trusts, when first needed. *timeout_s* is for one question,
    *whole_s* for all of a proof (see ``limit_s``).
    """

    def __init__(
        self,
        ask: Ask,
        foreign: Callable[[], Identity],
        timeout_s: float,
        whole_s: float = 30,
        keep: Keep = _no_files,
        clock: Callable[[], float] = time.monotonic,
        is_here: Callable[[str], bool] = _anywhere,
    ) -> None:
        """*is_here*: whether this host itself holds an address that one of its listeners has."""
        self._ask = ask
        self._is_here = is_here
        self._make_foreign = foreign
        self._foreign: Optional[Identity] = None
        self._timeout_s = timeout_s
        self._whole_s = whole_s
        self._keep = keep
        self._clock = clock
        self._given: dict[str, Identity] = {}

    def learn(self, given: Mapping[str, Sequence[tuple[str, bytes, bytes]]]) -> None:
        """Take in identities for this proof: credential → (name, certificate, key).

        Raises MtlsError for one that no client could use, before anything depends on it.
        """
        for credential, several in given.items():
            for name, certificate, key in several:
                label = f"{REVOKED}:{credential}/{name}"
                if label not in self._given:
                    identity = self._keep(f"{credential}.{name}", certificate, key)
                    try:
                        client_context(identity)
                    except MtlsError as error:
                        place = f"parts.server.credentials[{credential}].proof[{name}]"
                        raise MtlsError(error.message, place, error.remedy, error.code) from error
                    self._given[label] = identity

    def rows(self, probes: Sequence[Probe], directory: str, sessions: Optional[Sessions] = None) -> list[Row]:
        """One row for each probe, with the identities of the release in *directory*."""
        asking = self._asking(probes, directory)

        def row(probe: Probe) -> Row:
            identity, usable = self._identity(probe, directory)
            if probe.resumes:
                usable = usable and probe.key in (sessions or {})
            session = (sessions or {}).get(probe.key)
            answers = [
                asking.answer(probe, identity, session) for _round in range(probe.rounds if usable else 0)
            ]
            return judge(probe, answers)

        rows = _spread(probes, row)
        proof.cross_check(rows)
        return rows

    def sessions(self, probes: Sequence[Probe], directory: str) -> Sessions:
        """TLS sessions of the clients as they are now, by the key of the probe that will offer them.

        None where nginx gave it none; no entry where it was not let in: that session proves nothing.
        """
        asking = self._asking(probes, directory)

        def session(probe: Probe) -> Optional[tuple[Any, Any]]:
            identity, usable = self._identity(probe, directory)
            seen = asking.seen(probe, identity, None) if usable and probe.rounds else None
            # Another client's owner may not be allowed to see the probe path; its session lives all the same.
            let_in = seen is not None and seen.status in ((200, 403) if probe.revoked else (200,))
            return (probe.key, seen.session) if seen is not None and let_in else None

        return dict(found for found in _spread(probes, session) if found is not None)

    def _asking(self, probes: Sequence[Probe], directory: str) -> _Asking:
        if self._foreign is None and any(probe.identity == FOREIGN for probe in probes):
            self._foreign = self._make_foreign()
        end = self._clock() + limit_s(sum(probe.rounds for probe in probes), self._whole_s)
        return _Asking(self._ask, directory, self._timeout_s, end, self._clock, self._is_here)

    def _identity(self, probe: Probe, directory: str) -> tuple[Optional[Identity], bool]:
        if not probe.identity:
            return None, True
        if probe.identity == FOREIGN:
            return self._foreign, True
        if probe.revoked:
            given = self._given.get(probe.identity)
            return given, given is not None
        part = "server" if probe.part == "server" and probe.identity == PROBE else "proxy"
        folder = f"{directory}/{part}/credentials/{probe.identity}"
        found = Identity(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
        return found, os.path.exists(found.private_key_path)


def answer_of(seen: Observation, offered: bool = False) -> Answer:
    """What was seen, as values; *offered*: whether there was a session to offer."""
    return Answer(
        phase=seen.phase,
        status=seen.status,
        body=seen.body.decode("utf-8", "replace"),
        error=seen.error,
        timed_out=seen.timed_out,
        alert=seen.alert,
        leaf_sha256=hashlib.sha256(seen.served[0]).hexdigest() if seen.served else "",
        reused=seen.session_reused,
        offered=offered,
    )


class _Asking:
    """The questions of one proof: its end, and who has not answered so far. Used by several threads."""

    def __init__(
        self,
        ask: Ask,
        directory: str,
        timeout_s: float,
        end: float,
        clock: Callable[[], float],
        is_here: Callable[[str], bool],
    ) -> None:
        self._ask = ask
        self._is_here = is_here
        self._directory = directory
        self._timeout_s = timeout_s
        self._end = end
        self._clock = clock
        self._lock = threading.Lock()
        # Who does not answer in time is not waited for again: many sites, one dead address.
        self._silent: dict[tuple[str, int, str], Observation] = {}

    def seen(self, probe: Probe, identity: Optional[Identity], session: Any) -> Optional[Observation]:
        """What was seen; None where the identity cannot be loaded."""
        try:
            return self._seen(probe, identity, session)
        except MtlsError:
            return None

    def answer(self, probe: Probe, identity: Optional[Identity], session: Any) -> Answer:
        """One answer as values, also where nobody could be asked: then no row passes by it."""
        try:
            seen = self._seen(probe, identity, session)
        except MtlsError as error:
            return Answer(phase=LOAD, error=str(error))
        if seen.phase == "connect" and probe.kind != SERVER and seen.errno == errno.EADDRNOTAVAIL:
            # IPv6 that is switched off: nginx listens on [::] all the same, and nobody can come that way.
            seen = _NOT_HERE
        return answer_of(seen, offered=session is not None)

    def _seen(self, probe: Probe, identity: Optional[Identity], session: Any) -> Observation:
        if probe.kind != SERVER and not self._is_here(probe.address):
            return _NOT_HERE
        with self._lock:
            known = self._silent.get((probe.address, probe.port, ""))
            known = known or self._silent.get((probe.address, probe.port, probe.subject))
        if known is not None:
            return known
        left = self._end - self._clock()
        if left <= 0:
            return Observation(phase=LATE, error="there was no time left to ask")
        timeout_s = min(self._timeout_s, left)
        seen = self._ask(self._target(probe), identity, timeout_s=timeout_s, session=session)
        if seen.timed_out:
            whole = seen.phase in ("resolve", "connect", "handshake")
            with self._lock:
                self._silent[probe.address, probe.port, "" if whole else probe.subject] = seen
        return seen

    def _target(self, probe: Probe) -> Target:
        return Target(
            address=probe.address,
            port=probe.port,
            server_name=probe.server_name,
            http_host=probe.http_host,
            path=probe.path,
            tls=probe.tls,
            proxy_protocol=probe.proxy_protocol,
            tls_version=probe.tls_version,
            cafile=f"{self._directory}/proxy/credentials/{probe.trust}/trust.pem" if probe.trust else "",
            verify_hostname=bool(probe.trust),
        )


_NOT_HERE = Observation(phase=NOT_HERE, error="this host does not have that address")


def _spread(probes: Sequence[Probe], work: Callable[[Probe], T]) -> list[T]:
    """``work(probe)`` of each, in order. At first one for each place, so that who is dead is asked once; then
    those of one subject at one place after the other, and all of these at the same time."""
    places: dict[tuple[str, int], dict[str, list[int]]] = {}
    for number, probe in enumerate(probes):
        if probe.rounds:
            places.setdefault((probe.address, probe.port), {}).setdefault(probe.subject, []).append(number)
    scouts = [[next(iter(subjects.values())).pop(0)] for subjects in places.values()]
    units = [numbers for subjects in places.values() for numbers in subjects.values() if numbers]
    found: dict[int, T] = {}

    def run(numbers: list[int]) -> None:
        for number in numbers:
            found[number] = work(probes[number])

    for several, threads in ((scouts, _SCOUTS), (units, _ASKERS)):
        if len(several) > 1:
            with ThreadPoolExecutor(min(threads, len(several))) as pool:
                # The list takes every result, so that a fault of a thread is raised here.
                list(pool.map(run, several))
        else:
            for numbers in several:
                run(numbers)
    return [found[number] if number in found else work(probe) for number, probe in enumerate(probes)]
