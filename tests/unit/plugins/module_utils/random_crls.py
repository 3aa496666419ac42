# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs at random, odd in everything that OpenSSL weighs, over one of two chains:

root ──> int ──> leaf, root ──> leaf      lists of root, int and strangers in any order
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw

NAMES = ("Root", "Issuing", "Other")
SERIALS = (1, 2, 3, 127, 128, 200, 2**70, 0, -1, -128)
UNKNOWN = "1.2.3.4"


@dataclass(frozen=True)
class Chain:
    """PEM; *sent* is empty where root issued leaf itself."""

    leaf: bytes
    sent: bytes
    root: bytes
    crls: bytes


@cache
def key(name: str):
    return builders.new_key()


def key_id(name: str) -> bytes:
    return hashlib.sha1(raw.spki(key(name))).digest()


def case(seed: int) -> Chain:
    """The same seed gives the same case, but for the keys. No delta CRLs: OpenSSL's versions differ."""
    return _Maker(random.Random(seed)).chain()


class _Maker:
    def __init__(self, choice: random.Random) -> None:
        self.choice = choice
        self.serials = [choice.choice(SERIALS) for dummy in range(3)]

    def chance(self, probability: float) -> bool:
        return self.choice.random() < probability

    def some(self, probability: float, extension: bytes) -> list[bytes]:
        return [extension] if self.chance(probability) else []

    def chain(self) -> Chain:
        two = self.chance(0.8)
        top = "Issuing" if two else "Root"
        root = self.certificate("Root", "Root", self.serials[0])
        sent = self.certificate("Issuing", "Root", self.serials[1]) if two else b""
        leaf = self.certificate("leaf", top, self.serials[2])
        lists = [
            self.crl(name) for name in ("Root", top) for dummy in range(self.choice.choice([1, 1, 1, 2, 3]))
        ]
        lists += [self.crl("Other")] if self.chance(0.05) else []
        self.choice.shuffle(lists)
        return Chain(leaf, sent, root, b"".join(raw.pem(der, "X509 CRL") for der in lists))

    def certificate(self, name: str, issuer: str, serial: int) -> bytes:
        extensions = self.some(0.85, raw.subject_key_id(key_id(name)))
        if name != "leaf":
            extensions.append(raw.basic_constraints(True))
            extensions += self.some(0.9, raw.key_usage(0x06 if self.chance(0.9) else 0x04, 1))
        if name != issuer:
            extensions += self.some(0.7, raw.authority_key_id(key_id(issuer)))
        points = raw.seq(*(self.point(issuer) for dummy in range(self.choice.choice([1, 1, 2]))))
        extensions += self.some(0.25, raw.extension("2.5.29.31", points))
        return raw.pem(
            raw.certificate(
                name, issuer, key=key(name), signer=key(issuer), serial=serial, extensions=extensions
            )
        )

    def point_name(self, issuer: str) -> bytes:
        """Full or relative, of few values, so that two often meet."""
        unit = raw.attribute("2.5.4.11", raw.utf8(self.choice.choice("pq")))
        if self.chance(0.25):
            return raw.context(0, raw.context(1, unit))
        whole = raw.name(raw.attribute("2.5.4.3", raw.utf8(issuer)), unit)
        names = [raw.uri_name("http://a/1"), raw.uri_name("http://a/2"), raw.dns_name("a")]
        names += [raw.directory_name(whole), raw.directory_name(raw.common_name(issuer))]
        return raw.context(0, raw.context(0, *self.choice.sample(names, self.choice.choice([1, 1, 2]))))

    def point(self, issuer: str) -> bytes:
        named = self.chance(0.8)
        parts = [self.point_name(issuer)] if named else []
        reasons = self.choice.choice([b"\x05\x60", b"\x07\xff\x80", b"\x00"])
        parts += self.some(0.15, raw.context(1, reasons, constructed=False))
        if not named or self.chance(0.2):
            other = raw.directory_name(raw.common_name(self.choice.choice(NAMES)))
            parts.append(raw.context(2, other))
        return raw.seq(*parts)

    def issuing_point(self, issuer: str) -> bytes:
        parts = self.some(0.6, self.point_name(issuer))
        for number, probability in ((1, 0.15), (2, 0.15), (4, 0.1), (5, 0.08)):
            value = b"\xff" if self.chance(0.9) else b"\x00"
            parts += self.some(probability, raw.context(number, value, constructed=False))
        return raw.seq(*parts)

    def entry(self) -> bytes:
        serial = self.choice.choice(self.serials if self.chance(0.5) else [5, 6, 7])
        reason = raw.enumerated(self.choice.choice([0, 1, 4, 6, 8, 8, 8, 10, 42]))
        extensions = self.some(0.4, raw.extension(raw.REASON_CODE, reason, self.chance(0.05)))
        extensions += self.some(
            0.05, raw.extension(raw.REASON_CODE, self.choice.choice([b"\x0a", b"", b"\x02\x01\x01"]))
        )
        about = raw.seq(raw.directory_name(raw.common_name(self.choice.choice(NAMES))))
        extensions += self.some(0.12, raw.extension(raw.CERTIFICATE_ISSUER, about, self.chance(0.7)))
        extensions += self.some(0.03, raw.extension(raw.CERTIFICATE_ISSUER, b"\x30\x05", True))
        extensions += self.some(0.04, raw.extension(UNKNOWN, b"x", self.chance(0.6)))
        return raw.revoked(serial, self.date(self.choice.choice([-5, 5])), extensions)

    def date(self, days: int) -> bytes:
        return raw.utc_time((builders.AT + timedelta(days=days)).strftime("%y%m%d%H%M%SZ"))

    def crl(self, name: str) -> bytes:
        identified = key_id(name if self.chance(0.85) else "Other")
        serial = self.choice.choice(self.serials)
        by_serial = raw.authority_key_id(None, raw.common_name(self.choice.choice(NAMES)), serial)
        extensions = self.some(0.6, by_serial if self.chance(0.15) else raw.authority_key_id(identified))
        extensions += self.some(0.7, raw.crl_number(self.choice.randint(1, 5)))
        point = raw.extension(raw.ISSUING_DISTRIBUTION_POINT, self.issuing_point(name), self.chance(0.8))
        extensions += self.some(0.25, point)
        extensions += self.some(0.03, raw.extension(raw.ISSUING_DISTRIBUTION_POINT, b"\x30\x05", True))
        extensions += self.some(0.05, raw.extension(UNKNOWN, b"x", self.chance(0.7)))
        start = self.choice.choice([-10, -9, -5, -5, -1, 0, 1])
        entries = [self.entry() for dummy in range(self.choice.choice([1, 1, 2, 4]))]
        return raw.crl(
            name,
            key(name if self.chance(0.95) else "Other"),
            entries if self.chance(0.6) else None,
            this_update=self.date(start),
            next_update=b"" if self.chance(0.05) else self.date(self.choice.choice([start, 0, 7, 7, 7])),
            extensions=extensions or None,
        )
