# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Path building and its verdict, as OpenSSL's X509_verify_cert does it for nginx.

The judge is the host's OpenSSL, so this follows crypto/x509/x509_vfy.c (3.x) and not RFC 5280 where they
differ: greedy, trusted issuers first, no way back, the signature checked only at the end, a path must end
at a self-signed certificate of the bundle (nginx sets no X509_V_FLAG_PARTIAL_CHAIN).
Not checked here: names, name constraints, policies, auxiliary trust of `TRUSTED CERTIFICATE` blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from . import certificate as rules
from . import expiry, names
from .certificate import CertificateFacts, likely_issued
from .findings import Finding

# subject, issuer -> whether the issuer's key made the subject's signature
SignedBy = Callable[[CertificateFacts, CertificateFacts], bool]

NGINX_DEPTH = 1  # ssl_verify_depth's default; it counts intermediates
_PURPOSE_CODES = {rules.SERVER: "purpose.server_auth_missing", rules.CLIENT: "purpose.client_auth_missing"}
_MAX_PATH = 102  # OpenSSL's default depth of 100 intermediates, with leaf and root


@dataclass(frozen=True)
class Path:
    """Leaf first. The last *trusted* ones come from the bundle; *complete*: it ends at a trusted root."""

    certificates: tuple[CertificateFacts, ...]
    trusted: int
    complete: bool

    @property
    def intermediates(self) -> int:
        return max(0, len(self.certificates) - 2)

    @property
    def top(self) -> CertificateFacts:
        return self.certificates[-1]


@dataclass(frozen=True)
class Verdict:
    """*accepted*: nginx would accept the leaf. *findings* explain a refusal, and what only just works."""

    accepted: bool
    path: Path
    findings: tuple[Finding, ...]


def build_path(
    leaf: CertificateFacts,
    sent: Sequence[CertificateFacts],
    trusted: Sequence[CertificateFacts],
    at: datetime,
) -> Path:
    """The path that OpenSSL would build with depth to spare (build_chain)."""
    path = [leaf]
    unused = [cert for cert in sent if cert != leaf]
    from_bundle = 0
    while len(path) < _MAX_PATH:
        top = path[-1]
        issuer = _best_issuer(top, trusted, at)
        if issuer is not None and top.self_signed and not from_bundle:
            # A self-signed certificate needs an exact match, or a key could be put in another's place.
            if issuer == top:
                return Path(tuple(path), 1, True)
            issuer = None
        if issuer is not None:
            from_bundle += 1
            path.append(issuer)
            if issuer.self_signed:
                return Path(tuple(path), from_bundle, True)
            continue
        # Once an issuer came from the bundle, OpenSSL no longer looks at what the peer sent.
        issuer = None if from_bundle or top.self_signed else _best_issuer(top, unused, at)
        if issuer is None:
            break
        unused.remove(issuer)
        path.append(issuer)
    return Path(tuple(path), from_bundle, False)


def _best_issuer(
    subject: CertificateFacts, candidates: Sequence[CertificateFacts], at: datetime
) -> CertificateFacts | None:
    """The first candidate that is valid now, else the one that lives longest."""
    likely = [cert for cert in candidates if likely_issued(cert, subject)]
    for cert in likely:
        if not expiry.is_expired(cert.not_after, at) and not expiry.is_not_yet_valid(cert.not_before, at):
            return cert
    return max(likely, key=lambda cert: cert.not_after, default=None)


def verify(
    leaf: CertificateFacts,
    sent: Sequence[CertificateFacts],
    trusted: Sequence[CertificateFacts],
    signed_by: SignedBy,
    at: datetime,
    purpose: str = rules.ANY,
    depth: int = NGINX_DEPTH,
) -> Verdict:
    """Would nginx, with *trusted* as its bundle and *depth* intermediates allowed, accept this *leaf* with
    these certificates *sent* along?"""
    path = build_path(leaf, sent, trusted, at)
    faults: list[Finding] = []
    if not path.complete:
        faults.append(_why_incomplete(path, sent, trusted, signed_by))
    elif path.intermediates > depth:
        faults.append(
            Finding(
                "chain.too_deep",
                f"The chain has {path.intermediates} intermediates, the verify depth allows {depth}.",
                leaf.place,
            )
        )
    faults += date_faults(path.certificates, at)
    faults += purpose_faults(path.certificates, purpose)
    known = [*trusted, *sent]
    faults += _issuer_faults(path, known, signed_by)
    faults += strength_faults(path)
    return Verdict(not faults, path, tuple(faults or _remarks(path, sent, known)))


def _why_incomplete(
    path: Path, sent: Sequence[CertificateFacts], trusted: Sequence[CertificateFacts], signed_by: SignedBy
) -> Finding:
    top = path.top
    if path.trusted:
        return Finding(
            "chain.root_missing",
            f"The trust bundle holds {_quoted(top)} but not its issuer {_name(top.issuer)}.",
            top.place,
        )
    if top.self_signed:
        twin = _namesake(top, trusted)
        if twin is not None:
            return Finding(
                "chain.signature_invalid",
                f"The chain ends at {_quoted(top)}; the trust bundle has a CA of this name with another key.",
                top.place,
            )
        if len(path.certificates) == 1:
            return Finding(
                "chain.self_signed", f"{_quoted(top)} is self-signed and not in the trust bundle.", top.place
            )
        return Finding(
            "chain.root_not_trusted",
            f"The chain ends at the root {_quoted(top)}, which is not in the trust bundle.",
            top.place,
        )
    namesake = _issuer_by_name(top, [*trusted, *sent])
    if namesake is not None and not signed_by(top, namesake):
        return Finding(
            "chain.signature_invalid",
            f"{_quoted(top)} names {_name(top.issuer)} as its issuer, but the certificate of this"
            f" name in {namesake.place or 'the files'} has another key.",
            top.place,
        )
    return Finding(
        "chain.missing_intermediate",
        f"The issuer of {_quoted(top)}, {_name(top.issuer)}, is neither in the chain nor in the"
        " trust bundle.",
        top.place,
    )


def _namesake(cert: CertificateFacts, others: Sequence[CertificateFacts]) -> CertificateFacts | None:
    subject = names.canonical(cert.subject)
    return next(
        (
            other
            for other in others
            if names.canonical(other.subject) == subject and other.public_key_sha256 != cert.public_key_sha256
        ),
        None,
    )


def _issuer_by_name(cert: CertificateFacts, others: Sequence[CertificateFacts]) -> CertificateFacts | None:
    issuer = names.canonical(cert.issuer)
    return next((other for other in others if names.canonical(other.subject) == issuer), None)


def date_faults(certificates: Sequence[CertificateFacts], at: datetime) -> list[Finding]:
    """Every certificate of the path is checked, the trusted root too (internal_verify)."""
    faults: list[Finding] = []
    for cert in certificates:
        if expiry.is_expired(cert.not_after, at):
            faults.append(
                Finding(
                    "expiry.expired",
                    f"{_quoted(cert)} expired at {expiry.rfc3339(cert.not_after)}.",
                    cert.place,
                )
            )
        elif expiry.is_not_yet_valid(cert.not_before, at):
            faults.append(
                Finding(
                    "expiry.not_yet_valid",
                    f"{_quoted(cert)} is valid from {expiry.rfc3339(cert.not_before)} on, this"
                    f" host's time is {expiry.rfc3339(at)}.",
                    cert.place,
                )
            )
    return faults


def purpose_faults(
    certificates: Sequence[CertificateFacts], purpose: str, harmless: bool = False
) -> list[Finding]:
    """The first certificate is the leaf, the others are its issuers."""
    code = _PURPOSE_CODES.get(purpose)
    if code is None:
        return []
    return [
        Finding(
            code,
            f"{_quoted(cert)} does not allow the use by a TLS {purpose} (extended key usage"
            f" {_listed(cert.extended_key_usage)}, key usage {_listed(cert.key_usage)}).",
            cert.place,
            harmless,
        )
        for index, cert in enumerate(certificates)
        if not rules.serves_purpose(cert, purpose, as_issuer=index > 0)
    ]


def _issuer_faults(path: Path, known: Sequence[CertificateFacts], signed_by: SignedBy) -> list[Finding]:
    faults: list[Finding] = []
    below = 0  # CAs below the issuer, self-issued ones not counted (RFC 5280, 6.1.4)
    for subject, issuer in zip(path.certificates, path.certificates[1:]):
        if not (rules.is_ca(issuer) if issuer is path.top else rules.is_intermediate(issuer)):
            faults.append(
                Finding(
                    "chain.not_a_ca",
                    f"{_quoted(issuer)} has issued {_quoted(subject)} but is no CA.",
                    issuer.place,
                )
            )
        limit = rules.path_length(issuer)
        if limit is not None and below > limit:
            faults.append(
                Finding(
                    "chain.path_length",
                    f"{_quoted(issuer)} allows {limit} CAs below it, the chain has {below}.",
                    issuer.place,
                )
            )
        if not issuer.self_issued:
            below += 1
        if not signed_by(subject, issuer):
            faults.append(_wrong_key(subject, issuer, known, signed_by))
    for cert in path.certificates:
        if cert.unknown_critical:
            faults.append(
                Finding(
                    "chain.unknown_critical",
                    f"{_quoted(cert)} has the critical extension {', '.join(cert.unknown_critical)}.",
                    cert.place,
                )
            )
    return faults


def _wrong_key(
    subject: CertificateFacts,
    issuer: CertificateFacts,
    known: Sequence[CertificateFacts],
    signed_by: SignedBy,
) -> Finding:
    if any(signed_by(subject, twin) for twin in _untold(subject, issuer, known)):
        return Finding(
            "chain.no_key_identifier",
            f"{_quoted(subject)} does not say which key signed it, and of the CAs called"
            f" {_quoted(issuer)} OpenSSL tries the first only, which did not.",
            subject.place,
        )
    return Finding(
        "chain.signature_invalid",
        f"The signature of {_quoted(subject)} was not made with the key of {_quoted(issuer)}.",
        subject.place,
    )


def _untold(
    subject: CertificateFacts, issuer: CertificateFacts, known: Sequence[CertificateFacts]
) -> list[CertificateFacts]:
    """Others of the issuer's name, with other keys, that no identifier tells apart from it."""
    return [
        cert
        for cert in known
        if cert.public_key_sha256 != issuer.public_key_sha256 and likely_issued(cert, subject)
    ]


def strength_faults(path: Path) -> list[Finding]:
    """Keys of all, digests of all but the trust anchor (check_auth_level)."""
    faults = [
        Finding(
            "key.weak", f"{_quoted(cert)} has an {cert.key_type} key of {cert.key_bits} bits.", cert.place
        )
        for cert in path.certificates
        if rules.weak_key(cert)
    ]
    signed = path.certificates[:-1] if path.complete else path.certificates
    return faults + [
        Finding("signature.weak", f"{_quoted(cert)} is signed with {cert.signature_digest}.", cert.place)
        for cert in signed
        if rules.weak_signature(cert)
    ]


def _remarks(
    path: Path, sent: Sequence[CertificateFacts], known: Sequence[CertificateFacts]
) -> list[Finding]:
    """What works here only because of this bundle, or of its order."""
    lent = [
        Finding(
            "chain.missing_intermediate",
            f"{_quoted(cert)} is not in the chain; it verifies because the trust bundle has it.",
            path.certificates[0].place,
            harmless=True,
        )
        for cert in path.certificates[1:-1]
        if cert not in sent
    ]
    untold = [
        Finding(
            "chain.no_key_identifier",
            f"{_quoted(subject)} does not say which key signed it; it verifies because the right one"
            f" of the CAs called {_quoted(issuer)} is the first.",
            subject.place,
            harmless=True,
        )
        for subject, issuer in zip(path.certificates, path.certificates[1:])
        if _untold(subject, issuer, known)
    ]
    return lent + untold


def in_order(certificates: Sequence[CertificateFacts]) -> bool:
    """Whether each certificate is followed by its issuer."""
    return all(likely_issued(after, before) for before, after in zip(certificates, certificates[1:]))


def order(leaf: CertificateFacts, others: Sequence[CertificateFacts]) -> list[CertificateFacts]:
    """*leaf*, then its issuers from below, then what belongs to no path, in the order given; each once."""
    rest: list[CertificateFacts] = []
    for cert in others:
        if cert != leaf and cert not in rest:
            rest.append(cert)
    ordered = [leaf]
    while not ordered[-1].self_signed:
        issuer = next((cert for cert in rest if likely_issued(cert, ordered[-1])), None)
        if issuer is None:
            break
        rest.remove(issuer)
        ordered.append(issuer)
    return ordered + rest


def _quoted(cert: CertificateFacts) -> str:
    return f'"{cert.subject_text}"'


def _name(name: names.Rdns) -> str:
    return f'"{names.text(name)}"'


def _listed(values: Iterable[str] | None) -> str:
    return ", ".join(sorted(values)) if values else "none"
