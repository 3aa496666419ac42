# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would the one side accept the certificate of the other? Equal questions are asked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Optional, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import crl as crl_rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.allowlist import Client
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import (
    ACCEPTED,
    CLIENT,
    REFUSED,
    UNKNOWN,
    YES,
    Answer,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import ERROR, Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, credential, crl
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf

#: What `ssl_verify_client optional_no_ca` lets in all the same, by our codes: ngx_ssl_verify_error_optional
#: (src/event/ngx_event_openssl.h), which has no X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT (chain.root_missing).
_OPTIONAL = frozenset(["chain.missing_intermediate", "chain.root_not_trusted", "chain.self_signed"])
_SEVERAL = (
    "beside its unknown authority more is wrong, or there is a CRL: with optional_no_ca nginx goes by the"
    " last error of OpenSSL, which is not told here."
)

#: A host says what it likes, and the others are judged all the same.
_UNREADABLE = "what its host has told of its files cannot be read."


@dataclass(frozen=True)
class Material:
    """The public files of one credential at one time. *certificate* is empty where it is not known, and *why*
    says why; so does *depth* itself."""

    certificate: bytes
    trust: bytes
    crl: Optional[bytes]
    depth: Union[int, Answer]
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
        if isinstance(by.depth, Answer):
            return by.depth
        key = (sent.certificate, by.trust, by.crl, by.depth, purpose, name)
        if key not in self._answers:
            self._answers[key] = self._asked(*key)
        return self._answers[key]

    def issued(self, issuer: bytes, by: Material) -> Answer:
        """Does the side with the trust of *by* accept what the first certificate of *issuer* signs, sent with
        it? The others of *issuer* are those above it.

        Asked as if the issuer itself were sent: its root must be trusted, one that is no root is one step
        more, and each of the CAs must have a CRL where there are any.
        """
        if isinstance(by.depth, Answer):
            return by.depth
        own, *dummy_above = self._shelf.certificates("certificate", issuer, "certificate").certificates
        depth = by.depth - (0 if own.facts.self_signed else 1)
        if depth < 0:
            found = Finding("chain.too_deep", "the verify depth allows no intermediate.", "")
            return Answer(REFUSED, found.code, found.message, found.remedy)
        answer = self.chain(Material(issuer, b"", None, 0), replace(by, depth=depth), "any")
        if answer.state != ACCEPTED or by.crl is None:
            return answer
        lists = [one.facts for one in crl.load(by.crl, "crl.pem")[0]]
        faults, questions = crl_rules.of_ca(own.facts, lists, crl.signed_by, self.at)
        if faults:
            return _refused(faults[0].to_dict())
        return Answer(UNKNOWN, message=questions[0], subject=own.facts.subject_text) if questions else answer

    def nobody(self, refused: Answer, sent: Material, by: Material) -> Answer:
        """What a site with optional_no_ca says to a client that ``chain`` has *refused*: YES where it is let
        in, not verified.

        The last error of OpenSSL decides (ngx_http_process_request). That is the client's own date, which
        comes last (internal_verify); an unknown authority, where that is all; else it is not told.
        """
        key = ("nobody", sent.certificate, by.trust, by.crl, by.depth)
        if key not in self._answers:
            self._answers[key] = self._as_nobody(refused, sent, by)
        return self._answers[key]

    def _as_nobody(self, refused: Answer, sent: Material, by: Material) -> Answer:
        seen = self._examine(sent.certificate, by.trust, by.crl, by.depth, CLIENT)
        codes = {one["code"] for one in _errors(seen)}
        if not codes & _OPTIONAL:
            return refused
        alone = self._examine(sent.certificate, None, None, by.depth, CLIENT)
        dates = [one for one in _errors(alone) if one["code"].startswith("expiry.")]
        if dates:
            return _refused(dates[0])
        if codes <= _OPTIONAL and by.crl is None:
            return YES
        return Answer(UNKNOWN, message=_SEVERAL, subject=seen["certificate"]["subject"])

    def _examine(
        self,
        sent: bytes,
        trust: Optional[bytes],
        crl: Optional[bytes],
        depth: int,
        purpose: str,
        name: str = "",
    ) -> dict[str, Any]:
        spec = {
            "certificate": sent,
            "trust": trust,
            "crl": crl,
            "verify_depth": depth,
            "purpose": purpose,
            "hostnames": [name] if name else [],
        }
        return credential.examine(spec, self.at, self._shelf)

    def _asked(
        self, sent: bytes, trust: bytes, crl: Optional[bytes], depth: int, purpose: str, name: str
    ) -> Answer:
        seen = self._examine(sent, trust, crl, depth, purpose, name)
        accepted, named = seen["verifies"], all(seen["hostnames"].values())
        if accepted and named:
            return YES
        if accepted is None and named:
            said = next((one for one in seen["findings"] if one["code"] == "chain.undecided"), None)
            if said is None:
                return Answer(UNKNOWN, message=_UNREADABLE)
            return Answer(UNKNOWN, message=said["message"], subject=seen["certificate"]["subject"])
        # A wrong name beside a refused chain is the lesser fault.
        why = [one for one in _errors(seen) if _is_about_names(one) != (accepted is False)]
        return _refused(why[0]) if why else Answer(UNKNOWN, message=_UNREADABLE)

    def curve(self, data: bytes) -> str:
        """The curve of the first certificate's key, "" for another kind of key and where none can be read."""
        read = self._shelf.certificates("certificate", data, "certificate").certificates
        return read[0].facts.curve if read else ""

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


def _errors(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in seen["findings"] if one["severity"] == ERROR]


def _refused(found: Mapping[str, Any]) -> Answer:
    return Answer(REFUSED, found["code"], found["message"], found["remedy"])


def _is_about_names(finding: Mapping[str, Any]) -> bool:
    return str(finding["code"]).startswith("name.")
