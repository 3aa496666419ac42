# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would nginx accept this path? The verdict of OpenSSL's X509_verify_cert, and why.

The judge is the host's OpenSSL, so this follows crypto/x509/x509_vfy.c (3.x) and not RFC 5280 where they
differ. Where these rules or the installed library cannot tell, the verdict is undecided and says what about:
the caller puts it to the command openssl (``judgement``). Not checked here: host names, CRLs, policies (nginx
asks for none).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from . import certificate as rules
from . import name_constraints, names, strength
from . import path as paths
from .asn1 import algorithms
from .certificate import CertificateFacts, likely_issued
from .findings import Finding
from .path import Certificates, Path, Pool
from .path_faults import (
    Case,
    SignedBy,
    constrained,
    constraint_faults,
    date_faults,
    extension_faults,
    invalid,
    issuer_faults,
    path_purpose_faults,
    purpose_faults,
    quoted,
    signed,
    strength_faults,
    untold,
)

NGINX_DEPTH = 1  # ssl_verify_depth's default; it counts intermediates


@dataclass(frozen=True)
class Verdict:
    """*accepted*: nginx would accept the leaf; None: undecided. *findings* explain a refusal, and what only
    just works; *open_questions* are what OpenSSL has to decide, one sentence each."""

    accepted: bool | None
    path: Path
    findings: tuple[Finding, ...]
    open_questions: tuple[str, ...] = ()


def verify(
    leaf: CertificateFacts,
    sent: Sequence[CertificateFacts],
    trusted: Certificates,
    signed_by: SignedBy,
    at: datetime,
    purpose: str = rules.ANY,
    depth: int = NGINX_DEPTH,
) -> Verdict:
    """Would nginx, with *trusted* as its bundle and *depth* intermediates allowed, accept this *leaf* with
    these certificates *sent* along?"""
    bundle = paths.pool(trusted)
    path = paths.build_path(leaf, sent, bundle, at, purpose, depth)
    case = Case(path, Pool([*bundle, leaf, *sent]), signed_by, at, tuple(constrained(path)))
    faults: list[Finding] = []
    if path.rejected:
        faults.append(_rejected(path, purpose))
    elif not path.complete:
        faults.append(_why_incomplete(case, Pool(sent), bundle))
    elif path.intermediates > depth:
        faults.append(_too_deep(path, depth))
    faults += date_faults(path.certificates[:-1] if path.ends_below_a_root else path.certificates, at)
    faults += path_purpose_faults(path, purpose)
    faults += issuer_faults(case)
    faults += extension_faults(path)
    faults += constraint_faults(case)
    faults += strength_faults(path)
    questions = tuple(dict.fromkeys(_open_questions(case)))
    if _leaf_faults(case) if _path_is_open(path) else faults:
        return Verdict(False, path, tuple(dict.fromkeys(faults)))
    if questions:
        return Verdict(None, path, tuple(faults), questions)
    return Verdict(True, path, tuple(_remarks(case, sent)))


def alone(leaf: CertificateFacts, at: datetime, purpose: str) -> list[Finding]:
    """What is wrong with a certificate whose trust is not known: it makes no verdict."""
    path = Path((leaf,), 0, leaf.self_signed)
    extensions = [replace(fault, harmless=True) for fault in extension_faults(path)]
    uses = purpose_faults([leaf], purpose, harmless=True)
    return date_faults([leaf], at) + uses + extensions + strength_faults(path)


# --- why there is no path ---


def _rejected(path: Path, purpose: str) -> Finding:
    use = "any use" if purpose == rules.ANY else f"the use by a TLS {purpose}"
    return Finding(
        "chain.rejected",
        f"The trust settings of {quoted(path.top)} in the trust bundle reject {use}.",
        path.top.place,
    )


def _too_deep(path: Path, depth: int) -> Finding:
    return Finding(
        "chain.too_deep",
        f"The chain has {path.intermediates} intermediates, the verify depth allows {depth}.",
        path.certificates[0].place,
    )


def _why_incomplete(case: Case, sent: Pool, bundle: Pool) -> Finding:
    path, top = case.path, case.path.top
    broken = _broken(top, case.known)
    if broken is not None:
        return invalid(broken)
    if path.trusted:
        return Finding(
            "chain.root_missing",
            f"The trust bundle holds {quoted(top)} but not its issuer {_name(top.issuer)}.",
            top.place,
        )
    if top.self_signed:
        return _why_not_anchored(path, bundle)
    namesake = next(iter([*bundle.called_as_issuer(top), *sent.called_as_issuer(top)]), None)
    if namesake is not None and not case.signed_by(top, namesake):
        return Finding(
            "chain.signature_invalid",
            f"{quoted(top)} names {_name(top.issuer)} as its issuer, but the certificate of this"
            f" name in {namesake.place or 'the files'} has another key.",
            top.place,
        )
    return Finding(
        "chain.missing_intermediate",
        f"The issuer of {quoted(top)}, {_name(top.issuer)}, is neither in the chain nor in the trust bundle.",
        top.place,
    )


def _broken(top: CertificateFacts, known: Pool) -> CertificateFacts | None:
    """What has an extension that OpenSSL cannot read is nobody's issuer, and finds none."""
    if top.extension_faults:
        return top
    return next(
        (
            cert
            for cert in known.called_as_issuer(top)
            if cert.extension_faults and cert != top and likely_issued(cert, top)
        ),
        None,
    )


def _why_not_anchored(path: Path, bundle: Pool) -> Finding:
    top = path.top
    if any(other.public_key_sha256 != top.public_key_sha256 for other in bundle.namesakes(top)):
        return Finding(
            "chain.signature_invalid",
            f"The chain ends at {quoted(top)}; the trust bundle has a CA of this name with another key.",
            top.place,
        )
    if len(path.certificates) == 1:
        return Finding(
            "chain.self_signed", f"{quoted(top)} is self-signed and not in the trust bundle.", top.place
        )
    return Finding(
        "chain.root_not_trusted",
        f"The chain ends at the root {quoted(top)}, which is not in the trust bundle.",
        top.place,
    )


# --- what only OpenSSL can tell ---


def _leaf_faults(case: Case) -> list[Finding]:
    """What refuses the leaf whatever its path."""
    leaf = case.path.certificates[:1]
    return date_faults(leaf, case.at) + extension_faults(Path(leaf, 0, False))


def _path_is_open(path: Path) -> bool:
    """Whether OpenSSL may build another path than this: it knows kinds of keys and of signatures that these
    rules do not, and then an end that is none here may be one there, or the reverse."""
    return any(not _signed_as_known(cert) or cert.key_type == "unknown" for cert in path.certificates)


def _signed_as_known(cert: CertificateFacts) -> bool:
    return algorithms.in_every_openssl(cert.signature_type, cert.signature_digest)


def _open_questions(case: Case) -> Iterator[str]:
    path = case.path
    for cert in path.certificates:
        if strength.weak_key(cert) is None:
            yield f"whether the key of {quoted(cert)} is accepted"
    for cert in path.certificates if path.top.self_signed else signed(path):
        if not _signed_as_known(cert) or (cert is path.top and not cert.inner_signature_agrees):
            yield f"what the signature algorithm {cert.signature_oid} of {quoted(cert)} is"
    for cert in signed(path):
        if strength.weak_signature(cert) is None:
            yield f"whether the digest of the signature of {quoted(cert)} is strong enough"
    for subject, issuer in case.pairs:
        if subject.inner_signature_agrees and case.signed_by(subject, issuer) is None:
            yield f"whether {quoted(issuer)} has signed {quoted(subject)}"
    # The path's own resources are checked from the leaf up (crypto/x509/v3_addr.c, v3_asid.c).
    if path.certificates[0].has_rfc3779:
        yield f"whether its issuers have the RFC 3779 resources of {quoted(path.certificates[0])}"
    for cert, issuer, outcome in case.constrained:
        if outcome.verdict == name_constraints.UNSURE:
            said = f"(it {outcome.said})"
            yield f"whether {quoted(cert)} obeys the name constraints of {quoted(issuer)} {said}"


# --- what works, but only just ---


def _remarks(case: Case, sent: Sequence[CertificateFacts]) -> list[Finding]:
    """What works here only because of this bundle, or of its order."""
    path = case.path
    lent = [
        Finding(
            "chain.missing_intermediate",
            f"{quoted(cert)} is not in the chain; it verifies because the trust bundle has it.",
            path.certificates[0].place,
            harmless=True,
        )
        for cert in path.certificates[1:-1]
        if cert not in sent
    ]
    ambiguous = [
        Finding(
            "chain.no_key_identifier",
            f"{quoted(subject)} does not say which key signed it; it verifies because the right one"
            f" of the CAs called {quoted(issuer)} is the first.",
            subject.place,
            harmless=True,
        )
        for subject, issuer in case.pairs
        if untold(subject, issuer, case.known)
    ]
    return lent + ambiguous


def _name(name: names.Rdns) -> str:
    return f'"{names.text(name)}"'
