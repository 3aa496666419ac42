# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would the one side accept the certificate of the other? Equal questions are asked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.allowlist import Client
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import (
    REFUSED,
    UNKNOWN,
    YES,
    Answer,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import ERROR
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, credential
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf


@dataclass(frozen=True)
class Material:
    """The public files of one credential at one time. *certificate* is empty where it is not known, and *why*
    says why."""

    certificate: bytes
    trust: bytes
    crl: Optional[bytes]
    depth: int
    why: Optional[Answer] = None


class Rules:
    """The verdicts about certificates, each asked once."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._shelf = Shelf()
        self._answers: dict[tuple[Any, ...], Answer] = {}
        self._clients: dict[bytes, Client] = {}

    def chain(self, sent: Material, by: Material, purpose: str, name: str = "") -> Answer:
        """Does the side with the trust of *by* accept the certificate of *sent*, for that name where one is
        given?"""
        if sent.why is not None:
            return sent.why
        key = (sent.certificate, by.trust, by.crl, by.depth, purpose, name)
        if key not in self._answers:
            self._answers[key] = self._asked(*key)
        return self._answers[key]

    def _asked(
        self, sent: bytes, trust: bytes, crl: Optional[bytes], depth: int, purpose: str, name: str
    ) -> Answer:
        spec = {
            "certificate": sent,
            "trust": trust,
            "crl": crl,
            "verify_depth": depth,
            "purpose": purpose,
            "hostnames": [name] if name else [],
        }
        seen = credential.examine(spec, self.at, self._shelf)
        accepted, named = seen["verifies"], all(seen["hostnames"].values())
        if accepted and named:
            return YES
        if accepted is None and named:
            said = next(one for one in seen["findings"] if one["code"] == "chain.undecided")
            return Answer(UNKNOWN, message=said["message"], subject=seen["certificate"]["subject"])
        # A wrong name beside a refused chain is the lesser fault.
        errors = [one for one in seen["findings"] if one["severity"] == ERROR]
        found = next(one for one in errors if _is_about_names(one) != (accepted is False))
        return Answer(REFUSED, found["code"], found["message"], found["remedy"])

    def client(self, data: bytes) -> Client:
        """The first certificate of *data*, as nginx tells of it. Raises MtlsError for none."""
        if data not in self._clients:
            read = self._shelf.certificates("certificate", data, "certificate").certificates
            if not read:
                raise MtlsError("The file holds no certificate.")
            found = read[0]
            self._clients[data] = Client(
                names.text(found.facts.subject),
                names.text(found.facts.issuer),
                hashlib.sha1(found.der, usedforsecurity=False).hexdigest(),
                certificate.serial_text(found.facts.serial),
            )
        return self._clients[data]

    def authorities(self, trust: bytes) -> dict[str, str]:
        """SHA-256 and subject of each certificate of a bundle."""
        found = self._shelf.certificates("trust", trust, "trust").certificates
        return {one.facts.sha256: one.facts.subject_text for one in found}


def _is_about_names(finding: Mapping[str, Any]) -> bool:
    return str(finding["code"]).startswith("name.")
