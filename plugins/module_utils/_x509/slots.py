# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a credential's five places: certificate, private key, chain, trust, CRLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Optional, Union

from .._core.certificate import CertificateFacts
from .._core.crl import CrlFacts
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.forms import contents, kinds
from .._core.forms.contents import Contents
from . import certificate, crl, key
from .certificate import Certificate, CertificateFile
from .pkcs12 import Opened
from .shelf import Shelf

#: A slot's bytes, or why the file could not be read; None where nothing was given.
Given = Union[bytes, Finding, None]


@dataclass
class Slots:
    """*sent* is what nginx would send, leaf first. *trusted* and *crls* are None where nothing was given, and
    empty where nothing of what was given can be read. *form* is that of the certificate's file."""

    shelf: Shelf
    sent: list[Certificate] = field(default_factory=list)
    trusted: Optional[list[Certificate]] = None
    crls: Optional[list[crl.Crl]] = None
    form: str = contents.PEM
    private_key: Optional[key.PrivateKey] = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def leaf(self) -> Optional[Certificate]:
        """The first certificate, as nginx takes it."""
        return self.sent[0] if self.sent else None

    def signed_by(self, subject: CertificateFacts, issuer: CertificateFacts) -> Optional[bool]:
        return self.shelf.signed_by(self._known[subject.sha256], self._known[issuer.sha256])

    def crl_signed_by(self, one: CrlFacts, issuer: CertificateFacts) -> Optional[bool]:
        return self.shelf.crl_signed_by(one, issuer)

    @cached_property
    def _known(self) -> dict[str, Certificate]:
        return {cert.facts.sha256: cert for cert in [*self.sent, *(self.trusted or [])]}


def read(spec: Mapping[str, Any], shelf: Shelf) -> Slots:
    """All five places of *spec* (``credential.examine`` says what it holds); never raises for the bytes."""
    slots = Slots(shelf, findings=list(spec.get("findings") or []))
    _read_certificate(slots, spec)
    slots.sent += _certificates(slots, "chain", spec)
    _read_key(slots, spec)
    _read_trust(slots, spec)
    _read_crls(slots, spec)
    return slots


def _place(spec: Mapping[str, Any], slot: str) -> str:
    return spec.get(f"{slot}_place") or slot


def _bytes(slots: Slots, slot: str, spec: Mapping[str, Any]) -> Optional[bytes]:
    """The bytes of a slot; None where there are none to read, and with a finding if there should be."""
    given: Given = spec.get(slot)
    if isinstance(given, Finding):
        slots.findings.append(given)
        return None
    return given


def _file(slots: Slots, slot: str, spec: Mapping[str, Any]) -> Optional[CertificateFile]:
    data = _bytes(slots, slot, spec)
    return None if data is None else slots.shelf.certificates(slot, data, _place(spec, slot))


def _certificates(slots: Slots, slot: str, spec: Mapping[str, Any]) -> list[Certificate]:
    found = _file(slots, slot, spec)
    if found is None:
        return []
    slots.findings += found.findings
    return [*found.certificates, *_stored_certificates(slots, found.contents, slot, spec)]


def _stores(slots: Slots, found: Contents, slot: str, spec: Mapping[str, Any]) -> list[Opened]:
    """The PKCS#12 stores of a file, opened as far as the passphrase goes."""
    stores = []
    for item in found.of_kind(kinds.PKCS12):
        opened = slots.shelf.store(item.der, spec.get("passphrase"), item.place(_place(spec, slot)))
        slots.findings += opened.findings
        stores.append(opened)
    return stores


def _stored_certificates(
    slots: Slots, found: Contents, slot: str, spec: Mapping[str, Any]
) -> list[Certificate]:
    certificates: list[Certificate] = []
    for store in _stores(slots, found, slot, spec):
        for der in store.certificates:
            try:
                certificates.append(certificate.from_der(der, _place(spec, slot)))
            except MtlsError as error:
                slots.findings.append(Finding(error.code, error.message, error.place))
        if slot == "certificate" and store.keys and spec.get("private_key") is None:
            _keep_key(slots, store, _place(spec, slot))
    return certificates


def _keep_key(slots: Slots, store: Opened, place: str) -> None:
    """The first key of a store as the private key."""
    try:
        found = key.read(store.keys[0], None, place, slots.shelf.ask_key)
        slots.private_key = replace(found, encrypted=True)
    except MtlsError as error:
        slots.findings.append(Finding(error.code, error.message, error.place))


def _read_certificate(slots: Slots, spec: Mapping[str, Any]) -> None:
    found = _file(slots, "certificate", spec)
    if found is not None:
        slots.form = found.contents.form
        slots.sent = _certificates(slots, "certificate", spec)


def _read_key(slots: Slots, spec: Mapping[str, Any]) -> None:
    data = _bytes(slots, "private_key", spec)
    if data is None:
        return
    place = _place(spec, "private_key")
    found = contents.recognise(data)
    stores = _stores(slots, found, "private_key", spec)
    stored = next((store for store in stores if store.keys), None)
    if stored is not None:
        _keep_key(slots, stored, place)
    elif not stores:
        try:
            slots.private_key = key.of(found, spec.get("passphrase"), place, slots.shelf.ask_key)
        except MtlsError as error:
            slots.findings.append(Finding(error.code, error.message, error.place))
            if error.code == "pair.swapped_files":
                return
    slots.findings += found.findings("private_key", place)


def _read_trust(slots: Slots, spec: Mapping[str, Any]) -> None:
    if spec.get("trust") is None:
        return
    slots.trusted = _certificates(slots, "trust", spec)
    data = spec["trust"]
    if isinstance(data, bytes):
        # A self-signed leaf that is its own anchor does its work in the bundle.
        pinned = slots.leaf.facts.sha256 if slots.leaf else ""
        slots.findings += slots.shelf.trust_remarks(data, _place(spec, "trust"), pinned)


def _read_crls(slots: Slots, spec: Mapping[str, Any]) -> None:
    if spec.get("crl") is None:
        return
    slots.crls = []
    data = _bytes(slots, "crl", spec)
    if data is not None:
        slots.crls, findings = slots.shelf.crls(data, _place(spec, "crl"))
        slots.findings += findings
