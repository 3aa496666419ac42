# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKI from a number: few names, few keys, so that they meet; every oddity of the other chains now and then.

(some CAs) ──> … ──> [some CAs ──> leaf], in any order, one of another's name, key or serial among them.
"""

from __future__ import annotations

from random import Random

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.chains import Chain
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.constrained_chains import (
    constraints,
    directory,
    dns,
    email,
    ip,
    uri,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import (
    ANY_USE,
    CLIENT_AUTH,
    IP_BLOCKS,
    NETSCAPE_TYPE,
    PROXY,
    SERVER_AUTH,
    Made,
    key,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.signed_chains import made, rsa_spki

_NAMES = ("Alpha", "Beta", "Gamma")
_KEYS = ("one", "two", "three")
_KINDS = {"two": "ed25519", "three": "rsa"}
_STRINGS = (raw.utf8, raw.printable, raw.bmp, raw.t61, raw.universal)
_USES = (CLIENT_AUTH, SERVER_AUTH, ANY_USE)
_SUBTREES = (
    dns("example.com"), dns(".example.com"), dns("b.example.com"), dns(""), ip("10.0.0.0/8"), ip("::/0"),
    uri("example.com"), uri(".example.com"), email("example.com"), email(".example.com"), directory("Org"),
)  # fmt: skip
_GENERAL_NAMES = (
    dns("a.example.com"), dns("b.example.com"), dns("example.org"), ip("10.1.2.3"), ip("192.0.2.1"),
    ip("2001:db8::1"), uri("https://a.example.com/x"), uri("spiffe://example.com/x"), uri("urn:x"),
    email("a@example.com"), email("a@b.example.com"), directory("Org"), raw.rid_name("1.2.3"),
)  # fmt: skip


class _Maker:
    """All chances are taken from one source, so a number is a PKI."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        # Most of them are mostly in order, or nearly nothing would verify.
        self.oddity = self.random.choice((0.0, 0.02, 0.05, 0.15))
        self.serial = 0
        self.kinds = self.random.choice((_KINDS, {}))

    def key(self, name: str):
        """The same kind of key for the same name: a signature of one kind has issuers of that kind only."""
        return made(self.kinds[name]) if name in self.kinds else key(name)

    def odd(self, weight: float = 1.0) -> bool:
        return self.random.random() < self.oddity * weight

    def name(self, text: str) -> bytes:
        """CN=text in any spelling that is the same name."""
        if self.odd(2):
            text = self.random.choice((text.upper(), f" {text}  ", text.lower()))
        string = self.random.choice(_STRINGS) if self.odd(3) else raw.utf8
        parts = [raw.attribute("2.5.4.10", string("Org")), raw.attribute(raw.COMMON_NAME, string(text))]
        if self.odd():
            parts.reverse()
        return raw.name(*parts)

    def dates(self) -> dict[str, bytes]:
        ends = ("260731120000Z", "261231120000Z", "271231120000Z")
        dates = {"not_after": raw.utc_time(self.random.choice(ends))}
        if self.odd():
            dates["not_after"] = raw.utc_time(self.random.choice(("260531120000Z", "260601120000Z")))
        if self.odd(0.5):
            dates["not_before"] = raw.utc_time(self.random.choice(("260602120000Z", "260601120001Z")))
        return dates

    def common_extensions(self, own_key: str, issuer: Made | None, issuer_key: str) -> list[bytes]:
        found: list[bytes] = []
        if not self.odd(3):
            found.append(raw.subject_key_id(own_key.encode()))
        if not self.odd(3):
            identifier = self.random.choice(_KEYS) if self.odd() else issuer_key
            found.append(raw.authority_key_id(identifier.encode()))
        elif issuer is not None and self.odd(5):
            serial = issuer.serial + (1 if self.odd() else 0)
            found.append(raw.authority_key_id(None, self.name(self.random.choice(_NAMES)), serial))
        if self.odd():
            uses = self.random.sample(_USES, self.random.randint(0, 2))
            found.append(raw.extended_key_usage(*uses))
        return found + self.oddities()

    def oddities(self) -> list[bytes]:
        types = self.random.choice((b"\x80", b"\x44", b"\x02"))
        chances = [
            lambda: raw.extension("1.3.6.1.4.1.55555.1", raw.seq(), self.random.random() < 0.5),
            lambda: raw.extension(NETSCAPE_TYPE, raw.bit_string(types)),
            lambda: raw.extension(raw.SUBJECT_KEY_ID, raw.octets(b"one")),
            lambda: raw.extension("2.5.29.31", raw.seq(raw.seq())),
            lambda: raw.extension("2.5.29.32", b"\x30\x05abc"),
            lambda: raw.extension(PROXY, raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.21.1"))), True),
            lambda: raw.extension(IP_BLOCKS, raw.seq(raw.seq(raw.octets(b"\0\1"), raw.null())), True),
        ]
        return [self.random.choice(chances)()] if self.odd(0.7) else []

    def authority(self, issuer: Made | None) -> Made:
        """issuer ──> CA, or self-signed"""
        own = self.random.choice(_KEYS)
        extensions: list[bytes] = []
        if not self.odd(0.7):
            length = self.random.choice((0, 0, 1, 2)) if self.odd(2) else None
            extensions.append(raw.basic_constraints(not self.odd(0.5), length))
        if not self.odd(2):
            extensions.append(raw.key_usage(self.random.choice((0x80, 0x02)) if self.odd(0.5) else 0x06))
        if self.random.random() < 0.15:
            permitted = self.random.sample(_SUBTREES, self.random.randint(0, 3))
            excluded = self.random.sample(_SUBTREES, self.random.randint(0, 1))
            extensions.append(constraints(permitted, excluded))
        return self.make(self.name(self.random.choice(_NAMES)), own, issuer, extensions, self.key(own))

    def leaf(self, issuer: Made) -> Made:
        extensions = [] if self.odd(2) else [raw.key_usage(self.random.choice((0x80, 0x08, 0x20, 0xA0)))]
        names = self.random.sample(_GENERAL_NAMES, self.random.randint(0, 3))
        if names:
            extensions.append(raw.alternative_names(*names))
        own = rsa_spki(self.random.choice((1962, 1963))) if self.odd(0.5) else key("leaf")
        subject = self.name(self.random.choice(("leaf", "a.example.com", "a.example.org", *_NAMES[:1])))
        return self.make(subject, "leaf", issuer, extensions, own)

    def make(self, subject: bytes, own_name: str, issuer: Made | None, extensions: list[bytes], own) -> Made:
        issuer_key = next((name for name in _KEYS if issuer and self.key(name) is issuer.key), own_name)
        signer = self.key(issuer_key) if not self.odd(0.5) else self.key(self.random.choice(_KEYS))
        extensions += self.common_extensions(own_name, issuer, issuer_key)
        self.serial += 1
        more = self.dates()
        bare = self.odd(0.3)
        der = raw.certificate(
            subject,
            self.name(self.random.choice(_NAMES)) if self.odd(0.5) else (issuer.name if issuer else subject),
            key=own,
            signer=signer,
            serial=self.serial if not self.odd() else 1,
            version=None if bare else 2,
            extensions=None if bare else extensions,
            digest="sha1" if self.odd(0.5) else "sha256",
            **more,
        )
        return Made(der, own, subject, self.serial)

    def settled(self, cert: Made) -> Made:
        """Itself, now and then with trust settings."""
        if not self.odd(2):
            return cert
        trusted = self.random.choice((None, None, [CLIENT_AUTH], [SERVER_AUTH], [ANY_USE], []))
        rejected = self.random.choice((None, None, None, [CLIENT_AUTH], ["1.3.6.1.5.5.7.3.4"]))
        return cert.trusting(trusted, rejected)


def chain(seed: int) -> Chain:
    """The PKI of this number; *accepted* is not known and stays False."""
    maker = _Maker(seed)
    random = maker.random
    authorities: list[Made] = []
    for _each in range(random.randint(1, 5)):
        below = authorities and random.random() < 0.6
        authorities.append(maker.authority(random.choice(authorities) if below else None))
    issuer = authorities[-1] if random.random() < 0.7 else random.choice(authorities)
    leaf = maker.leaf(issuer) if not maker.odd(0.5) else issuer
    sent = [one for one in authorities if random.random() < 0.6]
    random.shuffle(sent)
    trusted = [maker.settled(one) for one in authorities if random.random() < 0.7] or authorities[:1]
    if maker.odd(2):
        trusted.append(random.choice([*trusted, leaf, maker.settled(random.choice(trusted))]))
    if maker.odd(2) and sent:
        sent.append(random.choice([*sent, leaf]))
    random.shuffle(trusted)
    purpose = random.choice(("client", "client", "server", "any"))
    return Chain(
        leaf, tuple(sent), tuple(trusted), False, frozenset(), purpose, random.choice((0, 1, 1, 2, 9))
    )
