# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Equal bytes are read once, and a signature is verified once: a thousand credentials share their CAs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Callable, Generic, Optional, Protocol, TypeVar

from .._core import bundle as bundle_rules
from .._core import crl as crl_rules
from .._core import judgement
from .._core.asn1.private_key import Answer
from .._core.certificate import CertificateFacts
from .._core.crl import CrlFacts
from .._core.findings import Finding
from .._core.judgement import Judge
from . import certificate, crl, pkcs12
from .certificate import Certificate, CertificateFile
from .pkcs12 import Opened

T = TypeVar("T")


class _Memory(Generic[T]):
    """The *limit* answers that were asked for last, so that any number of files stays in bounds."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[Hashable, T] = {}

    def ask(self, question: Hashable, answer: Callable[[], T]) -> T:
        if question in self._known:
            found = self._known.pop(question)
        else:
            found = answer()
            if len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
        self._known[question] = found
        return found


class HostKeys(Protocol):
    """The host's OpenSSL for keys, as ``_host.openssl_key.HostKeys`` has it."""

    def ask(self, key: bytes, passphrase: Optional[bytes] = None) -> Answer: ...

    def ask_public(self, spki: bytes) -> Answer: ...


class Shelf:
    """One for each call of a module. *judge* and *keys* are asked what the rules and the library cannot
    decide of chains and keys; *openssl* is the version that nginx is linked with. Nothing here raises for
    what the bytes are."""

    def __init__(
        self,
        judge: Judge = judgement.nobody,
        openssl: tuple[int, ...] = crl_rules.STRICTEST,
        keys: Optional[HostKeys] = None,
    ) -> None:
        self.judge = judge
        self.openssl = openssl
        self.ask_key = keys.ask if keys else None
        self.ask_public = keys.ask_public if keys else None
        self._stores: _Memory[Opened] = _Memory(64)
        self._files: _Memory[CertificateFile] = _Memory(256)
        self._remarks: _Memory[list[tuple[str, Finding]]] = _Memory(64)
        self._crls: _Memory[tuple[list[crl.Crl], list[Finding]]] = _Memory(64)
        self._signed: _Memory[Optional[bool]] = _Memory(50_000)

    def certificates(self, slot: str, data: bytes, place: str) -> CertificateFile:
        """*slot* is one of ``contents.SLOTS``."""
        return self._files.ask((slot, data, place), lambda: certificate.load(slot, data, place))

    def store(self, der: bytes, passphrase: Optional[bytes], place: str) -> Opened:
        """A PKCS#12 store; to open one may take a second."""
        question = (der, passphrase, place)
        return self._stores.ask(question, lambda: pkcs12.open_store(der, passphrase, place))

    def trust_remarks(self, data: bytes, place: str, pinned: str) -> list[Finding]:
        """What is in a trust bundle that should not be; *pinned*: the SHA-256 of a self-signed leaf that is
        its own anchor and so does its work there."""

        def remarks() -> list[tuple[str, Finding]]:
            file = self.certificates("trust", data, place)
            facts = [cert.facts for cert in file.certificates]
            return [
                *(("", finding) for finding in file.private_keys(place)),
                *bundle_rules.roles(facts),
                *(("", finding) for finding in bundle_rules.namesake_findings(facts)),
            ]

        known = self._remarks.ask((data, place), remarks)
        return [finding for sha256, finding in known if not sha256 or sha256 != pinned]

    def crls(self, data: bytes, place: str) -> tuple[list[crl.Crl], list[Finding]]:
        return self._crls.ask((data, place), lambda: crl.load(data, place))

    def signed_by(self, subject: Certificate, issuer: Certificate) -> Optional[bool]:
        pair = (subject.facts.sha256, issuer.facts.sha256)
        return self._signed.ask(pair, lambda: certificate.signed_by(subject, issuer))

    def crl_signed_by(self, one: CrlFacts, issuer: CertificateFacts) -> Optional[bool]:
        pair = (one.sha256, issuer.sha256)
        return self._signed.ask(pair, lambda: crl.signed_by(one, issuer))
