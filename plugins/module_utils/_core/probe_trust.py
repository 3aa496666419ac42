# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose sites Server A proves by itself: it has one probe identity, its sites may have different trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import names, release
from .asn1 import certificate_reader
from .asn1.der import DerError
from .certificate import CertificateFacts
from .desired import PROBE
from .findings import Finding
from .forms.contents import recognise


def not_for_the_probe(source: Mapping[str, bytes]) -> frozenset[str]:
    """Credentials whose trust has none of the probe identity's issuers, where that of another one does.

    By names alone. Where no trust has one that is a fault, and is asked to be seen.
    """
    accepts = _accepts(source)
    others = frozenset(credential for credential, accepted in accepts.items() if not accepted)
    return others if len(others) < len(accepts) else frozenset()


def left_out(live: Mapping[str, bytes], source: Mapping[str, bytes]) -> Iterator[tuple[str, Finding]]:
    """(credential, finding) for each whose sites can be proven today and could not be with *source*: by a
    slip in its trust all its clients would be refused, and nobody would see it."""
    accepted = _accepts(live)
    for credential in sorted(not_for_the_probe(source)):
        if accepted.get(credential):
            yield (
                credential,
                Finding(
                    "bundle.probe_left_out",
                    "Its live trust accepts the probe identity, and this one has none of its issuers.",
                    "trust.pem",
                ),
            )


def _accepts(source: Mapping[str, bytes]) -> dict[str, bool]:
    chain = release.credential_files(source, "server", PROBE).get("fullchain.pem", b"")
    issuers = {names.canonical(one.issuer) for one in _certificates(chain)}
    accepts = {}
    for credential in release.credential_names(source, "server"):
        trust = release.credential_files(source, "server", credential).get("trust.pem", b"")
        if credential != PROBE:
            subjects = {names.canonical(one.subject) for one in _certificates(trust)}
            accepts[credential] = bool(issuers & subjects)
    return accepts


def _certificates(data: bytes) -> Iterator[CertificateFacts]:
    for item in recognise(data).certificates():
        try:
            yield certificate_reader.read(item.der)[0]
        except DerError:  # the findings speak of it
            continue
