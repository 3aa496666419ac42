# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would nginx accept the certificate? The rules say so, and where they cannot, the judge handed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from .._core import chain, judgement
from .._core import crl as crl_rules
from .._core.asn1 import der
from .._core.certificate import CertificateFacts
from .._core.chain import Verdict
from .._core.findings import Finding
from .._core.forms import pem
from .._core.judgement import Question
from . import _deps
from .certificate import Certificate
from .slots import Slots


@dataclass(frozen=True)
class Decided:
    """*accepted* is None, with the finding chain.undecided, where nobody could tell; *engine* is who spoke:
    `cryptography 43.0.0`, `openssl 3.5.7`, or None."""

    accepted: Optional[bool]
    engine: Optional[str]
    findings: tuple[Finding, ...]


def decide(files: Slots, purpose: str, depth: Optional[int], at: datetime) -> Decided:
    """The verdict on the first certificate of *files*, which must be there, against their bundle and CRLs.

    *depth* None is nginx's default. What is open is put to the shelf's judge, if it has one.
    """
    sent, trusted = files.sent, files.trusted or []
    depth = chain.NGINX_DEPTH if depth is None else depth
    verdict = chain.verify(
        sent[0].facts,
        [cert.facts for cert in sent[1:]],
        [cert.facts for cert in trusted],
        files.signed_by,
        at,
        purpose,
        depth,
    )
    remarks: tuple[Finding, ...] = ()
    if files.crls is not None and verdict.path.complete:
        verdict, remarks = _with_crls(files, verdict, at)
    if verdict.accepted is None:
        question = Question(
            leaf=sent[0].pem,
            sent=_joined(sent[1:]),
            trusted=b"".join(trusted_pem(cert) for cert in trusted),
            at=at,
            purpose=purpose,
            depth=depth,
            crls=None if files.crls is None else b"".join(one.pem for one in files.crls),
        )
        verdict, engine = judgement.settle(verdict, question, files.shelf.judge)
        return Decided(verdict.accepted, engine or None, (*verdict.findings, *remarks))
    return Decided(verdict.accepted, _deps.engine(), (*verdict.findings, *remarks))


def _with_crls(files: Slots, verdict: Verdict, at: datetime) -> tuple[Verdict, tuple[Finding, ...]]:
    """The verdict with the CRLs, and what else is to be said of them."""
    lists = [one.facts for one in files.crls or []]
    cas = [cert.facts for cert in [*(files.trusted or []), *files.sent]]
    decided = crl_rules.verify(verdict, lists, files.crl_signed_by, at, files.shelf.openssl)
    return decided, tuple(crl_rules.remarks(lists, cas, decided.findings))


def _joined(certificates: Iterable[Certificate]) -> bytes:
    return b"".join(cert.pem for cert in certificates)


def trusted_pem(cert: Certificate) -> bytes:
    """A block for the bundle, with the trust settings that came along (X509_CERT_AUX, crypto/x509/x_x509a.c);
    alias and key identifier of it are left out."""
    settings = _settings(cert.facts)
    if not settings:
        return cert.pem
    return pem.encode("TRUSTED CERTIFICATE", cert.der + der.encode(der.SEQUENCE, settings, constructed=True))


def _settings(facts: CertificateFacts) -> bytes:
    trusted, rejected = (
        b"" if oids is None else der.encode(tag, b"".join(map(der.encode_oid, oids)), constructed=True)
        for tag, oids in ((der.SEQUENCE, facts.trusted_for), (der.CONTEXT, facts.rejected_for))
    )
    return trusted + rejected
