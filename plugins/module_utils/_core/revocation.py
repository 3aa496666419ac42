# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a client really revoked by the CRL that a proof by it is about? Else the proof would take a good release
back off the host, and a revocation with it. And is it Server B's own doing that Server A refuses it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import release
from .asn1 import certificate_reader, crl_reader
from .asn1.der import DerError
from .asn1.revoked import REMOVE_FROM_CRL
from .errors import MtlsError
from .forms.pem import CRL_LABEL, ders


def check(certificate: bytes, crl: bytes) -> None:
    """Raises MtlsError where no CRL of *crl* (PEM) revokes the first certificate of *certificate* (PEM)."""
    try:
        revoked = is_revoked(certificate, crl)
        subject = certificate_reader.read(next(ders(certificate)))[0].subject_text
    except (DerError, ValueError, StopIteration):
        raise MtlsError("The certificate or the CRL cannot be read.", "", "Give both as PEM.") from None
    if not revoked:
        raise MtlsError(
            f'No CRL of this credential revokes "{subject}": its refusal would prove nothing.',
            "",
            "Give a client that is in the CRL, or the CRL that has it.",
        )


def is_revoked(certificate: bytes, crl: bytes) -> bool:
    """Whether a CRL of *crl* revokes the first certificate of *certificate*, both PEM. Raises DerError,
    ValueError and StopIteration for what cannot be read."""
    facts = certificate_reader.read(next(ders(certificate)))[0]
    entries = [crl_reader.read(der).entry(facts) for der in ders(crl, CRL_LABEL)]
    return any(entry is not None and entry.reason != REMOVE_FROM_CRL for entry in entries)


@dataclass(frozen=True)
class Clients:
    """The credentials of part proxy in the release from *before* and in the one *after* it."""

    before: Mapping[str, bytes]
    after: Mapping[str, bytes]

    def is_kept(self, name: str) -> bool:
        """Whether its certificate stays: then a Server A that refuses it as before does so for its own
        reasons, whatever trust and CRLs B has for the certificates of A."""
        path = release.credential_path("proxy", name, "fullchain.pem")
        return path in self.before and self.before[path] == self.after.get(path)

    def has_other_lists(self, name: str) -> bool:
        """Whether nothing but its CRLs changes (and tls.conf, which names them)."""
        folder = release.credential_path("proxy", name) + "/"
        paths = {path for path in (*self.before, *self.after) if path.startswith(folder)}
        changed = {path[len(folder) :] for path in paths if self.before.get(path) != self.after.get(path)}
        return changed <= {"crl.pem", "tls.conf"} and self.is_kept(name)

    def is_revoked(self, name: str) -> bool:
        """Whether a CRL of this very release revokes it, so that Server A is to refuse it."""
        leaf = self.after.get(release.credential_path("proxy", name, "fullchain.pem"), b"")
        lists = (data for path, data in self.after.items() if path.endswith("/crl.pem"))
        try:
            return any(is_revoked(leaf, crl) for crl in dict.fromkeys(lists))
        except (DerError, ValueError, StopIteration):
            return False
