# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a CRL, a hundred thousand of them in a fraction of a second: each is checked as OpenSSL's
d2i_X509_CRL checks it, but only that which is asked for is taken apart (crl_set_issuers and def_crl_lookup,
crypto/x509/x_crl.c)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from .. import names
from . import der, extensions, general_names, times
from .der import DerError, Element, Fields
from .extensions import Extension
from .times import Moment

REASON_CODE = "2.5.29.21"
CERTIFICATE_ISSUER = "2.5.29.29"

REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
REMOVE_FROM_CRL = 8
_MAX_SHOWN = 1 << 31  # Python writes no integer of thousands of digits
# OpenSSL 3.5 refuses the whole CRL for a shorter date, 3.0 only where it compares it.
_SHORTEST_DATES = {der.UTC_TIME: 13, der.GENERALIZED_TIME: 15}

# How nearly all entries look: one of at most 127 octets with a UTCTime, and nothing or a reason behind it.
_UTC_TIME_LENGTH = 13
_REASON = bytes.fromhex("300c300a0603551d1504030a01")


class Entry(NamedTuple):
    """*reason* is a number of REASONS (or another one), None where the entry gives none; *issuers* are the
    keys of the names whose certificates it speaks of, None for those of the CRL's own issuer."""

    serial: int
    revoked_at: Moment
    reason: int | None
    issuers: tuple[bytes, ...] | None

    @property
    def reason_text(self) -> str:
        if self.reason is None:
            return ""
        if abs(self.reason) > _MAX_SHOWN:
            return "an unknown reason"
        return REASONS.get(self.reason, f"reason {self.reason}")


@dataclass
class Entries:
    """*critical* are the OIDs of critical extensions that OpenSSL does not know, *faults* sentences: what
    cannot be read, and is not looked at from there on."""

    _content: bytes = field(repr=False, default=b"")
    _first: dict[bytes, int] = field(repr=False, default_factory=dict)
    _more: dict[bytes, list[int]] = field(repr=False, default_factory=dict)
    # Where the issuer of the entries changes, and the keys of its names from there on.
    _changes: list[int] = field(repr=False, default_factory=list)
    _issuers: list[tuple[bytes, ...] | None] = field(repr=False, default_factory=list)
    _given_up_at: int | None = None
    count: int = 0
    critical: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def find(self, serial: int, issuer: bytes, own_issuer: bytes) -> Entry | None:
        """The entry that counts for the certificate of this *serial* and *issuer* (keys of names), in a CRL
        of *own_issuer*: the first one."""
        octets = serial_octets(serial)
        if octets not in self._first:
            return None
        for offset in (self._first[octets], *self._more.get(octets, ())):
            entry = self._entry(offset)
            if issuer in ((own_issuer,) if entry.issuers is None else entry.issuers):
                return entry
        return None

    def _entry(self, offset: int) -> Entry:
        serial, date, found = _take_apart(der.read(self._content, offset)[0])
        given_up = self._given_up_at is not None and offset >= self._given_up_at
        reason: int | None = 0 if given_up else _reason(found)
        return Entry(der.integer(serial), times.read(date), reason, self._issuers_at(offset))

    def _issuers_at(self, offset: int) -> tuple[bytes, ...] | None:
        position = bisect_right(self._changes, offset)
        return self._issuers[position - 1] if position else None

    def _change_issuers(self, offset: int, issuers: tuple[bytes, ...] | None) -> None:
        self._changes.append(offset)
        self._issuers.append(issuers)


def serial_octets(serial: int) -> bytes:
    """The content of the INTEGER."""
    size = (serial if serial >= 0 else ~serial).bit_length() // 8 + 1
    return serial.to_bytes(size, "big", signed=True)


def read(element: Element) -> Entries:
    """The revokedCertificates that *element* is; raises DerError where OpenSSL refuses the whole CRL."""
    content = der.expect(element, der.SEQUENCE).content
    entries = Entries(content)
    first, critical, faults = entries._first, dict[str, None](), list[str]()
    offset, end = 0, len(content)
    while offset < end:
        found: list[Extension] = []
        stop = _usual_end(content, offset)
        if stop:
            octets = content[offset + 4 : offset + 4 + content[offset + 3]]
        else:
            one, stop = der.read(content, offset)
            serial, _date, found = _take_apart(one)
            octets = serial_octets(der.integer(serial))
        if octets in first:
            entries._more.setdefault(octets, []).append(offset)
        else:
            first[octets] = offset
        if found and entries._given_up_at is None:
            _note(entries, found, offset, critical, faults)
        entries.count += 1
        offset = stop
    entries.critical, entries.faults = tuple(critical), tuple(faults)
    return entries


def _usual_end(content: bytes, offset: int) -> int:
    """Where the entry at *offset* ends if it is a usual one (sound, and with no extension but a reason that
    is not critical), else 0: then it has to be taken apart."""
    head = content[offset : offset + 6]
    if len(head) < 6 or head[0] != 0x30 or head[2] != der.INTEGER:
        return 0
    width = head[3]
    date = offset + 4 + width
    end = date + 2 + _UTC_TIME_LENGTH
    if width > 127 or content[date : date + 2] != b"\x17\x0d" or content[end - 1 : end] != b"Z":
        return 0
    if not content[date + 2 : end - 1].isdigit() or (width != 1 and head[4] in (0x00, 0xFF)):
        return 0
    stop = offset + 2 + head[1]
    usual = stop == end or (stop == end + 14 and content[end : stop - 1] == _REASON)
    return stop if usual and width and head[1] < 0x80 and stop <= len(content) else 0


def check_date(element: Element) -> Element:
    """*element*; raises DerError when it is no date, or is too short for one."""
    if element.tag not in _SHORTEST_DATES:
        raise DerError(f"{der.tag_name(element.tag)} stands where a date belongs")
    if len(der.string(element)) < _SHORTEST_DATES[element.tag]:
        raise DerError("a date is too short")
    return element


def _take_apart(element: Element) -> tuple[Element, Element, list[Extension]]:
    """(serial, date, extensions) of a revokedCertificate; raises DerError."""
    fields = Fields(element)
    serial = fields.need(der.INTEGER)
    date = fields.need()
    check_date(date)
    given = fields.maybe(der.SEQUENCE)
    fields.end()
    der.integer(serial)
    return serial, date, [] if given is None else extensions.split(given)


def _note(
    entries: Entries, found: list[Extension], offset: int, critical: dict[str, None], faults: list[str]
) -> None:
    """What the extensions of one entry mean for the CRL and the entries behind it."""
    lost_from = offset  # from where on the issuer is lost, when something cannot be read
    try:
        issuers = _certificate_issuer(found)
        if issuers is not None:
            entries._change_issuers(offset, issuers)
        lost_from = offset + 1
        _reason(found, strict=True)
    except DerError as error:
        entries._given_up_at = offset
        entries._change_issuers(lost_from, None)
        faults.append(f"an entry has an extension that cannot be read ({error})")
        return
    critical.update((one.oid, None) for one in found if one.critical and one.oid != CERTIFICATE_ISSUER)


def _only(found: list[Extension], oid: str) -> Element | None:
    values = [one.value for one in found if one.oid == oid]
    if len(values) > 1:
        raise DerError(f"{oid} stands there {len(values)} times")
    return der.read(values[0])[0] if values else None


def _certificate_issuer(found: list[Extension]) -> tuple[bytes, ...] | None:
    element = _only(found, CERTIFICATE_ISSUER)
    if element is None:
        return None
    return tuple(
        names.key(one.directory) for one in general_names.read_all(element) if one.directory is not None
    )


def _reason(found: list[Extension], strict: bool = False) -> int | None:
    try:
        element = _only(found, REASON_CODE)
        return None if element is None else der.integer(der.expect(element, der.ENUMERATED))
    except DerError:
        if strict:
            raise
        return 0
