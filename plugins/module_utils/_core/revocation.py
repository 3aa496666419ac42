# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a client really revoked by the CRL that a proof by it is about? Else the proof would take a good release
back off the host, and a revocation with it."""

from __future__ import annotations

from .asn1 import certificate_reader, crl_reader
from .asn1.der import DerError
from .asn1.revoked import REMOVE_FROM_CRL
from .errors import MtlsError
from .forms.pem import CRL_LABEL, ders


def check(certificate: bytes, crl: bytes) -> None:
    """Raises MtlsError where no CRL of *crl* (PEM) revokes the first certificate of *certificate* (PEM)."""
    try:
        facts = certificate_reader.read(next(ders(certificate)))[0]
        entries = [crl_reader.read(der).entry(facts) for der in ders(crl, CRL_LABEL)]
    except (DerError, ValueError, StopIteration):
        raise MtlsError("The certificate or the CRL cannot be read.", "", "Give both as PEM.") from None
    if not any(entry is not None and entry.reason != REMOVE_FROM_CRL for entry in entries):
        raise MtlsError(
            f'No CRL of this credential revokes "{facts.subject_text}": its refusal would prove nothing.',
            "",
            "Give a client that is in the CRL, or the CRL that has it.",
        )
