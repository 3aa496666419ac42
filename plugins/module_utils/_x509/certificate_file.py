# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of one file, whatever its form, and what else is in it."""

from __future__ import annotations

from dataclasses import dataclass

from .._core import contents, kinds
from .._core.contents import Contents
from .._core.errors import MtlsError
from .._core.findings import Finding
from . import certificate
from .certificate import Certificate


@dataclass(frozen=True)
class CertificateFile:
    """*certificates* in the order of the file. *findings*: of its form, for its slot, and of what cannot be
    read in it."""

    contents: Contents
    certificates: tuple[Certificate, ...]
    findings: tuple[Finding, ...]

    @property
    def form(self) -> str:
        return self.contents.form


def load(slot: str, data: bytes, place: str) -> CertificateFile:
    """*slot* is one of ``contents.SLOTS``. Never raises for what the bytes are: a certificate that cannot be
    read is a finding and left out."""
    found = contents.recognise(data)
    findings = found.findings(slot, place)
    certificates: list[Certificate] = []
    for item in found.certificates():
        try:
            certificates.append(certificate.from_der(item.der, item.place(place)))
        except MtlsError as error:
            findings.append(Finding("format.unreadable", error.message, error.place))
    if not certificates and not findings:
        findings = [Finding("format.unreadable", "The file holds no certificate.", place)]
    return CertificateFile(found, tuple(certificates), tuple(findings))


def private_keys(found: Contents, place: str) -> list[Finding]:
    """A finding for each private key, of whatever form, encrypted or not."""
    return [
        Finding("bundle.private_key", f"A private key stands in the trust bundle{_line(item.line)}.", where)
        for item in found.of_kind(kinds.PRIVATE_KEY, kinds.ENCRYPTED_PRIVATE_KEY, kinds.OPENSSH_KEY)
        for where in [item.place(place)]
    ]


def _line(number: int) -> str:
    return f", line {number}" if number else ""
