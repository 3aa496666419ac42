# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of one file, whatever its form, and what else is in it."""

from __future__ import annotations

from dataclasses import dataclass

from .._core.findings import Finding
from .._core.forms import contents
from .._core.forms.contents import Contents
from . import certificate
from .certificate import Certificate


@dataclass(frozen=True)
class CertificateFile:
    """*certificates* in the order of the file; *unseen*: those that OpenSSL takes for a part of the block
    before, so that nginx never gets them. *findings*: of its form, for its slot, and of what cannot be read
    in it."""

    contents: Contents
    certificates: tuple[Certificate, ...]
    unseen: tuple[Certificate, ...]
    findings: tuple[Finding, ...]

    @property
    def form(self) -> str:
        return self.contents.form


def load(slot: str, data: bytes, place: str) -> CertificateFile:
    """*slot* is one of ``contents.SLOTS``. Never raises for what the bytes are: a certificate that cannot be
    read is a finding and left out."""
    found = contents.recognise(data)
    certificates, unseen, unreadable = certificate.of_contents(found, place)
    findings = [*found.findings(slot, place), *unreadable]
    if not certificates and not findings:
        findings = [Finding("format.unreadable", "The file holds no certificate.", place)]
    return CertificateFile(found, tuple(certificates), tuple(unseen), tuple(findings))


def private_keys(found: Contents, place: str) -> list[Finding]:
    """A finding for each private key, of whatever form, encrypted, damaged or neither."""
    return [
        Finding("bundle.private_key", "A private key stands in the trust bundle.", _at(place, line))
        for line in found.private_key_lines()
    ]


def _at(place: str, line: int) -> str:
    return f"{place}:{line}" if line else place
