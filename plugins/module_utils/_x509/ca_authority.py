# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directory of the private CA has of one certificate that signs or has signed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._core import ca_revocation as revocation
from .._core import ca_store as rules
from .certificate import Certificate
from .crl import Crl, signed_by


@dataclass(frozen=True)
class Authority:
    """Where its key and its CRL are, and the CRL that is there. *path* is without the ending that tells the
    files apart; *lost*: its generation has no key."""

    generation: int
    stem: str
    path: str
    retired: bool
    has_key: bool
    lost: bool
    certificate: Certificate
    crl: Optional[Crl]

    @property
    def certificate_path(self) -> str:
        return f"{self.path}.pem"

    @property
    def key_path(self) -> str:
        return f"{self.path}.key"

    @property
    def crl_path(self) -> str:
        return posixpath.join(posixpath.dirname(self.path), rules.crl_name(self.stem))

    @property
    def issuer(self) -> revocation.Issuer:
        return revocation.Issuer(self.generation, self.certificate.facts.subject_text)

    @property
    def crl_is_own(self) -> Optional[bool]:
        """None where the library cannot tell, or there is no CRL."""
        return None if self.crl is None else signed_by(self.crl.facts, self.certificate.facts)

    @property
    def last_crl(self) -> Optional[Crl]:
        """The CRL that no other one can follow, since all keys of the generation are lost."""
        return self.crl if self.lost and self.crl_is_own is not False else None

    def keeps_crl(self, new: Iterable[Mapping[str, Any]]) -> bool:
        """Whether it goes on with the last CRL. *new*: what is revoked just now, and is not called so unless
        it is listed."""
        serials = revocation.listed(new, self.issuer)
        return bool(self.last_crl and not revocation.not_listed(self.last_crl.facts, serials))


def ended(authorities: Iterable[Authority], now: datetime) -> set[int]:
    """The generations that have no key to make another CRL in the place of one that has ended."""
    return {
        one.generation
        for one in authorities
        if one.last_crl and revocation.has_ended(one.last_crl.facts, now)
    }


def warnings(
    authorities: Iterable[Authority], entries: Sequence[Mapping[str, Any]], now: datetime
) -> list[str]:
    """A sentence about each last CRL. *entries*: all that is revoked."""
    found = []
    for one in authorities:
        if one.last_crl and not one.retired:
            facts = one.last_crl.facts
            missing = revocation.not_listed(facts, revocation.listed(entries, one.issuer))
            found.append(revocation.kept(one.certificate_path, facts, missing, now))
    return found


def describe_root(authority: Authority) -> dict[str, Any]:
    return {
        "generation": authority.generation,
        "subject": authority.issuer.subject,
        "sha256": authority.certificate.facts.sha256,
        "certificate": authority.certificate.pem.decode("ascii"),
        "retired": authority.retired,
    }


def describe_crl(authority: Authority, found: Crl) -> dict[str, Any]:
    """The CRL *found* of *authority*."""
    facts = found.facts
    return {
        "generation": authority.generation,
        "issuer": authority.issuer.subject,
        "pem": found.pem.decode("ascii"),
        "number": facts.number,
        "this_update": facts.last_update.text,
        "next_update": facts.next_update.text if facts.next_update else None,
    }
