# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying the proof out: from probes as values to requests, and back to rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, Callable, Optional

from .._core import proof
from .._core.desired import PROBE
from .._core.errors import MtlsError
from .._core.proof_plan import FOREIGN, SESSION, Probe
from .probe import Identity, Observation, Target

Ask = Callable[..., Observation]
Sessions = dict[Any, Any]


class Prover:
    """Asks for one release after the other.

    *foreign* makes the identity that nobody trusts, when first needed.
    """

    def __init__(self, ask: Ask, foreign: Callable[[], Identity], timeout_s: float) -> None:
        self._ask = ask
        self._make_foreign = foreign
        self._foreign: Optional[Identity] = None
        self._timeout_s = timeout_s

    def rows(
        self, probes: Sequence[Probe], directory: str, sessions: Optional[Sessions] = None
    ) -> list[proof.Row]:
        """One row for each probe, with the identities of the release in *directory*."""
        rows = []
        # Who does not answer in time is not waited for again: many sites, one dead address.
        silent: dict[tuple[str, int, str], proof.Answer] = {}
        for probe in probes:
            identity, usable = self._identity(probe, directory)
            if probe.kind == SESSION:
                usable = usable and probe.key in (sessions or {})
            answers = []
            for _round in range(probe.rounds if usable else 0):
                known = silent.get((probe.address, probe.port, ""))
                known = known or silent.get((probe.address, probe.port, probe.subject))
                answer = known or self._answer(probe, identity, directory, sessions)
                if "no end within" in answer.error:
                    whole = answer.phase in ("resolve", "connect", "handshake")
                    silent[probe.address, probe.port, "" if whole else probe.subject] = answer
                answers.append(answer)
            rows.append(proof.judge(probe, answers))
        proof.cross_check(rows)
        return rows

    def sessions(self, probes: Sequence[Probe], directory: str) -> Sessions:
        """TLS sessions of the good client as they are now, by the key of the probe that will offer them.

        None where nginx gave it none; no entry where it was not let in: that session proves nothing.
        """
        found: Sessions = {}
        for probe in probes:
            identity, usable = self._identity(probe, directory)
            if usable:
                try:
                    seen = self._ask(self._target(probe, directory), identity, timeout_s=self._timeout_s)
                except MtlsError:
                    continue
                if seen.status == 200:
                    found[probe.key] = seen.session
        return found

    def _identity(self, probe: Probe, directory: str) -> tuple[Optional[Identity], bool]:
        if not probe.identity:
            return None, True
        if probe.identity == FOREIGN:
            if self._foreign is None:
                self._foreign = self._make_foreign()
            return self._foreign, True
        part = "server" if probe.part == "server" and probe.identity == PROBE else "proxy"
        folder = f"{directory}/{part}/credentials/{probe.identity}"
        found = Identity(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
        return found, os.path.exists(found.private_key_path)

    @staticmethod
    def _target(probe: Probe, directory: str) -> Target:
        return Target(
            address=probe.address,
            port=probe.port,
            server_name=probe.server_name,
            http_host=probe.http_host,
            path=probe.path,
            tls=probe.tls,
            proxy_protocol=probe.proxy_protocol,
            tls_version=probe.tls_version,
            cafile=f"{directory}/proxy/credentials/{probe.trust}/trust.pem" if probe.trust else "",
            verify_hostname=bool(probe.trust),
        )

    def _answer(
        self, probe: Probe, identity: Optional[Identity], directory: str, sessions: Optional[Sessions]
    ) -> proof.Answer:
        session = (sessions or {}).get(probe.key)
        target = self._target(probe, directory)
        try:
            seen = self._ask(target, identity, timeout_s=self._timeout_s, session=session)
        except MtlsError as error:
            # A key that cannot be loaded: no answer, so no row passes by it.
            return proof.Answer(phase="load", error=str(error))
        return proof.Answer(
            phase=seen.phase,
            status=seen.status,
            body=seen.body.decode("utf-8", "replace"),
            error=seen.error,
            alert=seen.alert,
            leaf_sha256=hashlib.sha256(seen.served[0]).hexdigest() if seen.served else "",
            reused=seen.session_reused,
            offered=session is not None,
        )
