# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that an nginx names: facts and findings of each, and of those that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from .._core import expiry
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.hostnames import examine as names_of
from . import certificate, credential, crl_bundle, peers
from .crl import Crl
from .shelf import Shelf

#: What is said of a certificate; RETURN of the module has the same list.
_SHOWN = (
    "subject issuer serial sha256 not_before not_after days_left is_ca san key_usage extended_key_usage"
).split()  # fmt: skip


@dataclass
class Contents:
    """What a file holds, plain values."""

    certificates: list[dict[str, Any]] = field(default_factory=list)
    crls: list[dict[str, Any]] = field(default_factory=list)


class TlsFiles:
    """For one call: equal bytes are read once."""

    def __init__(self, at: datetime, shelf: Shelf) -> None:
        self._at = expiry.utc(at)
        self._shelf = shelf

    def contents(self, kind: str, data: bytes, place: str) -> Contents:
        """Of a file of the kinds ``certificate``, ``trust`` and ``crl``; of any other nothing is told."""
        if kind == "crl":
            return Contents(crls=[self._crl(one) for one in self._shelf.crls(data, place)[0]])
        if kind not in ("certificate", "trust"):
            return Contents()
        found = self._shelf.certificates(kind, data, place).certificates
        return Contents([self._certificate(one) for one in found])

    def _certificate(self, one: certificate.Certificate) -> dict[str, Any]:
        known = certificate.describe(one, self._at)
        return {name: known[name] for name in _SHOWN}

    def _crl(self, one: Crl) -> dict[str, Any]:
        known = crl_bundle.described(one.facts)
        shown = {name: known[name] for name in ("issuer", "number", "this_update", "next_update", "revoked")}
        return {**shown, "days_left": expiry.days_left_until(known["next_update"] or "", self._at)}

    def described(self, der: bytes) -> dict[str, Any]:
        """A certificate as it was served; nothing where it cannot be read."""
        try:
            return certificate.describe(der, self._at)
        except MtlsError:
            return {}

    def pair(
        self, spec: Mapping[str, Any], passphrases: Sequence[bytes], purpose: str
    ) -> list[dict[str, Any]]:
        """Findings of a certificate and its key. *spec*: as ``credential.examine`` takes it. nginx tries each
        of *passphrases*, the lines of a password file."""
        said: list[dict[str, Any]] = []
        for one in [*passphrases, None][: max(1, len(passphrases))]:
            asked = {"name": "", **spec, "passphrase": one, "purpose": purpose}
            said = credential.examine(asked, self._at, self._shelf)["findings"]
            if not any(finding["code"] == "pair.key_encrypted" for finding in said):
                break
        return said

    def peers(self, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Findings of a trust bundle and of the CRLs beside it."""
        return peers.examine(spec, self._at, self._shelf)[1]

    def names(self, data: bytes, place: str, names: Sequence[str]) -> list[Finding]:
        """Names that the first certificate of a file is not valid for."""
        found = self._shelf.certificates("certificate", data, place).certificates
        return names_of(found[0].facts, names)[1] if found else []

    def leaf(self, data: bytes, place: str) -> Optional[str]:
        """SHA-256 of the first certificate; None where it cannot be read."""
        found = self._shelf.certificates("certificate", data, place).certificates
        return found[0].facts.sha256 if found else None

    def pem(self, kind: str, data: bytes, place: str) -> str:
        """What a file holds of certificates or CRLs, written anew: nothing else of it comes along."""
        if kind == "crl":
            blocks = [one.pem for one in self._shelf.crls(data, place)[0]]
        else:
            blocks = [one.pem for one in self._shelf.certificates(kind, data, place).certificates]
        return b"".join(blocks).decode("ascii")
