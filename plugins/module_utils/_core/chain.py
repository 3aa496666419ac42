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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Callable, NamedTuple, Optional

from . import certificate as rules
from . import expiry, name_constraints, names, strength, trust
from . import path as paths
from .certificate import CertificateFacts, likely_issued
from .findings import Finding
from .path import Certificates, Path, Pool

# subject, issuer -> whether the issuer's key made the subject's signature; None: the library cannot tell
SignedBy = Callable[[CertificateFacts, CertificateFacts], Optional[bool]]

NGINX_DEPTH = 1  # ssl_verify_depth's default; it counts intermediates
_PURPOSE_CODES = {rules.SERVER: "purpose.server_auth_missing", rules.CLIENT: "purpose.client_auth_missing"}

build_path = paths.build_path
in_order = paths.in_order
order = paths.order


@dataclass(frozen=True)
class Verdict:
    """*accepted*: nginx would accept the leaf; None: undecided. *findings* explain a refusal, and what only
    just works; *open_questions* are what OpenSSL has to decide, one sentence each."""

    accepted: bool | None
    path: Path
    findings: tuple[Finding, ...]
    open_questions: tuple[str, ...] = ()


class _Constrained(NamedTuple):
    """What the name constraints of *issuer* say of *cert*."""

    cert: CertificateFacts
    issuer: CertificateFacts
    outcome: name_constraints.Outcome


@dataclass(frozen=True)
class _Case:
    """What every check looks at."""

    path: Path
    known: Pool
    signed_by: SignedBy
    at: datetime
    constrained: tuple[_Constrained, ...]

    @property
    def pairs(self) -> Iterator[tuple[CertificateFacts, CertificateFacts]]:
        """(subject, issuer) from below."""
        certificates = self.path.certificates
        return zip(certificates, certificates[1:])


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
    case = _Case(path, Pool([*bundle, leaf, *sent]), signed_by, at, tuple(_constrained(path)))
    faults: list[Finding] = []
    if path.rejected:
        faults.append(_rejected(path, purpose))
    elif not path.complete:
        faults.append(_why_incomplete(case, Pool(sent), bundle))
    elif path.intermediates > depth:
        faults.append(_too_deep(path, depth))
    faults += date_faults(path.certificates[:-1] if path.ends_below_a_root else path.certificates, at)
    faults += _path_purpose_faults(path, purpose)
    faults += _issuer_faults(case)
    faults += _extension_faults(path)
    faults += _constraint_faults(case)
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
    extensions = [replace(fault, harmless=True) for fault in _extension_faults(path)]
    strong = strength_faults(path)
    return date_faults([leaf], at) + purpose_faults([leaf], purpose, harmless=True) + extensions + strong


# --- why there is no path ---


def _rejected(path: Path, purpose: str) -> Finding:
    use = "any use" if purpose == rules.ANY else f"the use by a TLS {purpose}"
    return Finding(
        "chain.rejected",
        f"The trust settings of {_quoted(path.top)} in the trust bundle reject {use}.",
        path.top.place,
    )


def _too_deep(path: Path, depth: int) -> Finding:
    return Finding(
        "chain.too_deep",
        f"The chain has {path.intermediates} intermediates, the verify depth allows {depth}.",
        path.certificates[0].place,
    )


def _why_incomplete(case: _Case, sent: Pool, bundle: Pool) -> Finding:
    path, top = case.path, case.path.top
    broken = _broken(top, case.known)
    if broken is not None:
        return _invalid(broken)
    if path.trusted:
        return Finding(
            "chain.root_missing",
            f"The trust bundle holds {_quoted(top)} but not its issuer {_name(top.issuer)}.",
            top.place,
        )
    if top.self_signed:
        return _why_not_anchored(path, bundle)
    namesake = next(iter([*bundle.called_as_issuer(top), *sent.called_as_issuer(top)]), None)
    if namesake is not None and not case.signed_by(top, namesake):
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


# --- what is wrong along the path ---


def date_faults(certificates: Sequence[CertificateFacts], at: datetime) -> list[Finding]:
    """Every certificate of the path is checked, the trusted root too (internal_verify)."""
    return [found for cert in certificates if (found := _date_fault(cert, at)) is not None]


def _date_fault(cert: CertificateFacts, at: datetime) -> Finding | None:
    if cert.date_faults:
        return Finding("expiry.unreadable", f"{_quoted(cert)}: {'; '.join(cert.date_faults)}.", cert.place)
    if expiry.is_expired(cert.not_after, at):
        ended = cert.not_after_text or expiry.rfc3339(cert.not_after)
        return Finding("expiry.expired", f"{_quoted(cert)} expired at {ended}.", cert.place)
    if expiry.is_not_yet_valid(cert.not_before, at):
        return Finding(
            "expiry.not_yet_valid",
            f"{_quoted(cert)} is valid from {cert.not_before_text or expiry.rfc3339(cert.not_before)} on,"
            f" this host's time is {expiry.rfc3339(at)}.",
            cert.place,
        )
    return None


def purpose_faults(
    certificates: Sequence[CertificateFacts], purpose: str, harmless: bool = False
) -> list[Finding]:
    """The first certificate is the leaf, the others are its issuers."""
    return [
        found
        for index, cert in enumerate(certificates)
        if (found := _purpose_fault(cert, purpose, index > 0, harmless)) is not None
    ]


def _purpose_fault(
    cert: CertificateFacts, purpose: str, as_issuer: bool, harmless: bool = False
) -> Finding | None:
    code = _PURPOSE_CODES.get(purpose)
    if code is None or rules.serves_purpose(cert, purpose, as_issuer):
        return None
    listed = f"extended key usage {_listed(cert.extended_key_usage)}, key usage {_listed(cert.key_usage)}"
    if cert.netscape_types is not None:
        listed += f", Netscape certificate type {_listed(cert.netscape_types)}"
    return Finding(
        code, f"{_quoted(cert)} does not allow the use by a TLS {purpose} ({listed}).", cert.place, harmless
    )


def _path_purpose_faults(path: Path, purpose: str) -> list[Finding]:
    """Trust settings of the bundle that name the purpose outweigh a certificate's own (check_purpose)."""
    found = [
        _purpose_fault(cert, purpose, index > 0)
        for index, cert in enumerate(path.certificates)
        if not path.is_trusted(index) or trust.explicit(cert, purpose) == trust.SILENT
    ]
    return [one for one in found if one is not None]


def _issuer_faults(case: _Case) -> list[Finding]:
    faults: list[Finding] = []
    below = 0  # CAs below the issuer, self-issued ones not counted (RFC 5280, 6.1.4)
    for subject, issuer in case.pairs:
        if not (rules.is_ca(issuer) if issuer is case.path.top else rules.is_intermediate(issuer)):
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
        faults += _signature_fault(subject, issuer, case)
    return faults


def _signature_fault(subject: CertificateFacts, issuer: CertificateFacts, case: _Case) -> list[Finding]:
    if not subject.inner_signature_agrees:
        said = f"{_quoted(subject)} names two different signature algorithms, inside and outside."
        return [Finding("chain.signature_invalid", said, subject.place)]
    if case.signed_by(subject, issuer) is not False:
        return []
    if any(case.signed_by(subject, twin) for twin in _untold(subject, issuer, case.known)):
        return [
            Finding(
                "chain.no_key_identifier",
                f"{_quoted(subject)} does not say which key signed it, and of the CAs called"
                f" {_quoted(issuer)} OpenSSL tries the first only, which did not.",
                subject.place,
            )
        ]
    said = f"The signature of {_quoted(subject)} was not made with the key of {_quoted(issuer)}."
    return [Finding("chain.signature_invalid", said, subject.place)]


_MOST_TWINS = 16  # enough for any explanation; each costs the check of a signature


def _untold(subject: CertificateFacts, issuer: CertificateFacts, known: Pool) -> list[CertificateFacts]:
    """Others of the issuer's name, with other keys, that no identifier tells from it; the first ones."""
    others = (cert for cert in known.issuers(subject) if cert.public_key_sha256 != issuer.public_key_sha256)
    return list(islice(others, _MOST_TWINS))


def _extension_faults(path: Path) -> list[Finding]:
    """Of every certificate of the path, the root too (check_extensions)."""
    faults: list[Finding] = []
    for cert in path.certificates:
        if cert.extension_faults:
            faults.append(_invalid(cert))
        if cert.unknown_critical:
            faults.append(
                Finding(
                    "chain.unknown_critical",
                    f"{_quoted(cert)} has the critical extension {', '.join(cert.unknown_critical)}.",
                    cert.place,
                )
            )
        if cert.is_proxy:
            said = f"{_quoted(cert)} is a proxy certificate (RFC 3820), which nginx does not allow."
            faults.append(Finding("chain.refused", said, cert.place))
    return faults


def _invalid(cert: CertificateFacts) -> Finding:
    return Finding(
        "chain.invalid_extension", f"{_quoted(cert)}: {'; '.join(cert.extension_faults)}.", cert.place
    )


def _constrained(path: Path) -> Iterator[_Constrained]:
    """Every certificate under the constraints of each CA above it (check_name_constraints).

    Self-issued certificates are exempt, but not the leaf; the trust anchor's own constraints count. OpenSSL
    bounds the work for each pair, here it is bounded for the path.
    """
    left = name_constraints.MAX_COMPARISONS
    for index, cert in enumerate(path.certificates):
        if index and cert.self_issued:
            continue
        for issuer in path.certificates[index + 1 :]:
            if issuer.name_constraints is None:
                continue
            number = name_constraints.comparisons(cert, issuer.name_constraints)
            if left < number <= name_constraints.MAX_COMPARISONS:
                yield _Constrained(cert, issuer, _TOO_MANY)
                continue
            left -= number
            outcome = name_constraints.check(cert, issuer.name_constraints, index == 0)
            yield _Constrained(cert, issuer, outcome)


_TOO_MANY = name_constraints.Outcome(name_constraints.UNSURE, "is one of very many names and constraints")


def _constraint_faults(case: _Case) -> list[Finding]:
    return [
        Finding(
            "chain.name_constraints",
            f"{_quoted(cert)} {outcome.said} (name constraints of {_quoted(issuer)}).",
            cert.place,
        )
        for cert, issuer, outcome in case.constrained
        if outcome.verdict == name_constraints.VIOLATED
    ]


def strength_faults(path: Path) -> list[Finding]:
    """Keys of all, digests of all but the trust anchor (check_auth_level)."""
    faults = [_weak_key(cert) for cert in path.certificates if strength.weak_key(cert)]
    return faults + [
        Finding("signature.weak", f"{_quoted(cert)} is signed with {cert.signature_digest}.", cert.place)
        for cert in _signed(path)
        if strength.weak_signature(cert)
    ]


def _weak_key(cert: CertificateFacts) -> Finding:
    article = "a" if cert.key_type == "dsa" else "an"
    said = f"{_quoted(cert)} has {article} {cert.key_type} key of {cert.key_bits} bits."
    return Finding("key.weak", said, cert.place)


def _signed(path: Path) -> Sequence[CertificateFacts]:
    return path.certificates[:-1] if path.complete or path.rejected else path.certificates


# --- what only OpenSSL can tell ---


def _leaf_faults(case: _Case) -> list[Finding]:
    """What refuses the leaf whatever its path."""
    leaf = case.path.certificates[:1]
    return date_faults(leaf, case.at) + _extension_faults(Path(leaf, 0, False))


def _path_is_open(path: Path) -> bool:
    """Whether OpenSSL may build another path than this: it knows kinds of keys and of signatures that these
    rules do not, and then an end that is none here may be one there, or the reverse."""
    return any(not _signed_as_known(cert) or cert.key_type == "unknown" for cert in path.certificates)


def _signed_as_known(cert: CertificateFacts) -> bool:
    """Every version of OpenSSL knows the algorithm; 3.0 has none with SHA-3 (OBJ_find_sigid_algs)."""
    return bool(cert.signature_type) and not cert.signature_digest.startswith("sha3-")


def _open_questions(case: _Case) -> Iterator[str]:
    path = case.path
    for cert in path.certificates:
        if strength.weak_key(cert) is None:
            yield f"whether the key of {_quoted(cert)} is accepted"
    for cert in path.certificates if path.top.self_signed else _signed(path):
        if not _signed_as_known(cert) or (cert is path.top and not cert.inner_signature_agrees):
            yield f"what the signature algorithm {cert.signature_oid} of {_quoted(cert)} is"
    for cert in _signed(path):
        if strength.weak_signature(cert) is None:
            yield f"whether the digest of the signature of {_quoted(cert)} is strong enough"
    for subject, issuer in case.pairs:
        if subject.inner_signature_agrees and case.signed_by(subject, issuer) is None:
            yield f"whether {_quoted(issuer)} has signed {_quoted(subject)}"
    # The path's own resources are checked from the leaf up (crypto/x509/v3_addr.c, v3_asid.c).
    if path.certificates[0].has_rfc3779:
        yield f"whether its issuers have the RFC 3779 resources of {_quoted(path.certificates[0])}"
    for cert, issuer, outcome in case.constrained:
        if outcome.verdict == name_constraints.UNSURE:
            said = f"(it {outcome.said})"
            yield f"whether {_quoted(cert)} obeys the name constraints of {_quoted(issuer)} {said}"


# --- what works, but only just ---


def _remarks(case: _Case, sent: Sequence[CertificateFacts]) -> list[Finding]:
    """What works here only because of this bundle, or of its order."""
    path = case.path
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
        for subject, issuer in case.pairs
        if _untold(subject, issuer, case.known)
    ]
    return lent + untold


def _quoted(cert: CertificateFacts) -> str:
    return f'"{cert.subject_text}"'


def _name(name: names.Rdns) -> str:
    return f'"{names.text(name)}"'


def _listed(values: Iterable[str] | None) -> str:
    return ", ".join(sorted(values)) if values else "none"
