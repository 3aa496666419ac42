# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path from a certificate up, as OpenSSL builds it (build_chain in crypto/x509/x509_vfy.c, 3.x).

Greedy and without a way back: trusted issuers first, and once one was found nothing more of what the peer
sent. Signatures play no part in it. A path must end at a self-signed certificate of the bundle (nginx sets no
X509_V_FLAG_PARTIAL_CHAIN), or at one that its `TRUSTED CERTIFICATE` block trusts for the purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Union

from . import expiry, trust
from .certificate import ANY, CertificateFacts, issuer_key, likely_issued, subject_key

# OpenSSL's default depth, with one to spare to tell too deep from endless. Cross certificates in a circle go
# on for ever, so there is a limit to what anyone may allow.
_DEPTH, _MAX_DEPTH = 100, 1000


class Pool:
    """Certificates in their order, found by the name of their subject: a bundle may serve a thousand leaves.

    Of equal certificates the first counts, as in OpenSSL's store.
    """

    def __init__(self, certificates: Iterable[CertificateFacts]) -> None:
        self._all = list(dict.fromkeys(certificates))
        self._by_name: dict[bytes, list[CertificateFacts]] = {}
        for cert in self._all:
            self._by_name.setdefault(subject_key(cert), []).append(cert)

    def __iter__(self) -> Iterator[CertificateFacts]:
        return iter(self._all)

    def namesakes(self, cert: CertificateFacts) -> Sequence[CertificateFacts]:
        """Those of its subject's name, itself among them where it is here."""
        return self._by_name.get(subject_key(cert), ())

    def called_as_issuer(self, cert: CertificateFacts) -> Sequence[CertificateFacts]:
        """Those of its issuer's name, whatever their keys."""
        return self._by_name.get(issuer_key(cert), ())

    def issuers(self, subject: CertificateFacts) -> list[CertificateFacts]:
        """Every candidate (ossl_x509_likely_issued). One with an extension that OpenSSL cannot read is none,
        and has none."""
        if subject.extension_faults:
            return []
        return [
            cert
            for cert in self.called_as_issuer(subject)
            if not cert.extension_faults and likely_issued(cert, subject)
        ]


Certificates = Union[Pool, Sequence[CertificateFacts]]


def pool(certificates: Certificates) -> Pool:
    return certificates if isinstance(certificates, Pool) else Pool(certificates)


@dataclass(frozen=True)
class Path:
    """Leaf first. The last *trusted* ones come from the bundle; *complete*: it ends where OpenSSL's would;
    *rejected*: its end is a trusted certificate whose own settings reject the purpose."""

    certificates: tuple[CertificateFacts, ...]
    trusted: int
    complete: bool
    rejected: bool = False

    @property
    def intermediates(self) -> int:
        return max(0, len(self.certificates) - 2)

    @property
    def top(self) -> CertificateFacts:
        return self.certificates[-1]

    def is_trusted(self, index: int) -> bool:
        """Whether the certificate at *index* (0 is the leaf) is the bundle's."""
        return index >= len(self.certificates) - self.trusted

    @property
    def ends_below_a_root(self) -> bool:
        """Only trust settings end a path at a certificate that is not self-signed; OpenSSL then looks neither
        at its signature nor at its dates (internal_verify)."""
        return self.complete and len(self.certificates) > 1 and not self.top.self_signed


def build_path(
    leaf: CertificateFacts,
    sent: Sequence[CertificateFacts],
    trusted: Certificates,
    at: datetime,
    purpose: str = ANY,
    depth: int = _DEPTH,
) -> Path:
    """The path that OpenSSL would build with depth to spare: it may be longer than *depth* intermediates."""
    longest = max(_DEPTH, min(depth, _MAX_DEPTH)) + 3
    bundle = pool(trusted)
    unused = Pool(cert for cert in sent if cert != leaf)
    used: set[CertificateFacts] = {leaf}
    path = [leaf]
    from_bundle = 0
    while len(path) < longest:
        top = path[-1]
        issuer = _best(bundle.issuers(top), at)
        if issuer is not None and top.self_signed and not from_bundle:
            # A self-signed certificate needs an exact match, or a key could be put in another's place.
            issuer = issuer if issuer == top else None
            if issuer is not None:
                path.pop()
        if issuer is not None:
            from_bundle += 1
            path.append(issuer)
            settings = trust.explicit(issuer, purpose)
            if settings != trust.SILENT or issuer.self_signed:
                rejected = settings == trust.REJECTED
                return Path(tuple(path), from_bundle, not rejected, rejected)
            continue
        # Once an issuer came from the bundle, OpenSSL no longer looks at what the peer sent.
        if from_bundle or top.self_signed:
            break
        issuer = _best([cert for cert in unused.issuers(top) if cert not in used], at)
        if issuer is None:
            break
        used.add(issuer)
        path.append(issuer)
    return Path(tuple(path), from_bundle, False)


def _best(candidates: Sequence[CertificateFacts], at: datetime) -> CertificateFacts | None:
    """The first candidate that is valid now, else the first of those that live longest."""
    best: CertificateFacts | None = None
    for cert in candidates:
        if _is_valid(cert, at):
            return cert
        if best is None or cert.not_after > best.not_after:
            best = cert
    return best


def _is_valid(cert: CertificateFacts, at: datetime) -> bool:
    if cert.date_faults:
        return False
    return not expiry.is_expired(cert.not_after, at) and not expiry.is_not_yet_valid(cert.not_before, at)


def in_order(certificates: Sequence[CertificateFacts]) -> bool:
    """Whether each certificate is followed by its issuer."""
    return all(likely_issued(after, before) for before, after in zip(certificates, certificates[1:]))


def order(leaf: CertificateFacts, others: Sequence[CertificateFacts]) -> list[CertificateFacts]:
    """*leaf*, then its issuers from below, then what belongs to no path, in the order given; each once."""
    pool = Pool(others)
    ordered = [leaf]
    used = {leaf}
    while not ordered[-1].self_signed:
        candidates = (cert for cert in pool.called_as_issuer(ordered[-1]) if cert not in used)
        issuer = next((cert for cert in candidates if likely_issued(cert, ordered[-1])), None)
        if issuer is None:
            break
        used.add(issuer)
        ordered.append(issuer)
    return ordered + [cert for cert in pool if cert not in used]
