# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains with CRLs, each with what is said of them.

    root (serial 1) ──> int (2) ──> leaf (3)      each with a CRL of its own: of(ROOT), of(CA)

The leaf sends int along; root is the bundle. Serials 1 to 3 are these, others are nobody's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY, SECOND
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import ask

UNKNOWN = "1.2.3.4"
CERT_SIGN, CRL_SIGN, BOTH = 0x04, 0x02, 0x06


def when(moment: datetime) -> bytes:
    return raw.utc_time(moment.strftime("%y%m%d%H%M%SZ"))


FIRST, LAST = when(AT - 300 * DAY), when(AT + 300 * DAY)


@dataclass(frozen=True)
class Issued:
    name: str
    serial: int
    key: object
    der: bytes = b""
    key_id: bytes = b""

    @property
    def pem(self) -> bytes:
        return raw.pem(self.der)


def issue(
    name: str,
    serial: int,
    issuer: Issued | None = None,
    *more: bytes,
    usage: int | None = BOTH,
    key=None,
) -> Issued:
    """issuer ──> name, a CA unless *usage* is None; without *issuer* a root. *more* are extensions."""
    key = key or builders.new_key()
    made = Issued(name, serial, key, key_id=hashlib.sha1(raw.spki(key)).digest())
    signer = issuer or made
    extensions = [raw.subject_key_id(made.key_id), raw.authority_key_id(signer.key_id), *more]
    if usage is not None:
        extensions += [raw.basic_constraints(True), raw.key_usage(usage, 1)]
    der = raw.certificate(
        name,
        signer.name,
        key=key,
        signer=signer.key,
        serial=serial,
        not_before=FIRST,
        not_after=LAST,
        extensions=extensions,
    )
    return replace(made, der=der)


ROOT = issue("Root", 1)
CA = issue("Issuing", 2, ROOT)
LEAF = issue("leaf", 3, CA, usage=None)
TWIN = issue("Root", 1)  # of the same name and serial, with another key


def of(
    issuer: Issued,
    *entries: bytes,
    start: datetime | bytes = AT - DAY,
    end: datetime | bytes = AT + 7 * DAY,
    more: tuple[bytes, ...] = (),
    identifier: bytes | None = b"",
    signer: Issued | None = None,
    name: str | bytes = "",
    number: int | None = 1,
    **signed,
) -> bytes:
    """issuer ──> CRL of *entries* (`raw.revoked`), DER; with *signer* it is another key that signs.

    *more* are extensions; *identifier* b"" is the issuer's, None leaves it out; *signed* is for ``raw.crl``.
    """
    extensions = [*([] if number is None else [raw.crl_number(number)]), *more]
    if identifier is not None:
        extensions.insert(0, raw.authority_key_id(identifier or issuer.key_id))
    return raw.crl(
        name or issuer.name,
        (signer or issuer).key,
        list(entries) or None,
        this_update=start if isinstance(start, bytes) else when(start),
        next_update=end if isinstance(end, bytes) else when(end),
        extensions=extensions,
        **signed,
    )


def openssl_accepts(leaf: bytes, sent: bytes, crls: bytes, trust: bytes) -> bool:
    """Whether `openssl verify` with the flags that nginx sets accepts *leaf*; all in PEM."""
    untrusted = ["-untrusted", "sent"] if sent else []
    said = ask(
        *("verify", "-no-CApath", "-no-CAstore", "-CAfile", "trust", *untrusted, "-CRLfile", "crl"),
        *("-crl_check", "-crl_check_all", "-attime", str(int(AT.timestamp())), "leaf"),
        files={"trust": trust, "sent": sent, "leaf": leaf, "crl": crls},
    )
    assert said.ok or "depth lookup" in said.err, said
    return said.ok


def dead(serial: int, *extensions: bytes) -> bytes:
    return raw.revoked(serial, when(AT - DAY), list(extensions) or None)


def about(name: str) -> bytes:
    """certificateIssuer"""
    return raw.extension(raw.CERTIFICATE_ISSUER, raw.seq(raw.directory_name(raw.common_name(name))), True)


def point(*parts: bytes, critical: bool = True) -> bytes:
    return raw.extension(raw.ISSUING_DISTRIBUTION_POINT, raw.seq(*parts), critical)


def full(*names: bytes) -> bytes:
    return raw.context(0, raw.context(0, *names))


def below(unit: str) -> bytes:
    """A name relative to the issuer's."""
    return raw.context(0, raw.context(1, raw.attribute("2.5.4.11", raw.utf8(unit))))


def flag(number: int, value: bytes = b"\xff") -> bytes:
    return raw.context(number, value, constructed=False)


USERS, CAS, REASONS, INDIRECT, ATTRIBUTES = flag(1), flag(2), flag(3, b"\x05\x60"), flag(4), flag(5)
HERE, THERE = full(raw.uri_name("http://crl.test/1")), full(raw.uri_name("http://crl.test/2"))
DELTA = raw.extension(raw.DELTA_CRL_INDICATOR, raw.integer(1), True)


def at_point(*parts: bytes) -> Issued:
    """int ──> leaf with one crlDistributionPoint of these parts"""
    return issue("leaf", 3, CA, raw.extension("2.5.29.31", raw.seq(raw.seq(*parts))), usage=None)


LEAF_HERE = at_point(HERE)
LEAF_BELOW = at_point(below("crl"))
LEAF_BY_OTHER = at_point(HERE, raw.context(2, raw.directory_name(raw.common_name("Other"))))
LEAF_BY_CA = at_point(HERE, raw.context(2, raw.directory_name(raw.common_name("Issuing"))))
LEAF_SOME = at_point(HERE, flag(1, b"\x05\x60"))
BELOW_CA = full(
    raw.directory_name(
        raw.name(raw.attribute("2.5.4.3", raw.utf8("Issuing")), raw.attribute("2.5.4.11", raw.utf8("crl")))
    )
)

REVOKED, MISSING, EXPIRED = ["crl.revoked"], ["crl.missing_for_ca"], ["crl.expired"]
PARTIAL, CRITICAL, UNREADABLE_DATE = ["crl.partial"], ["crl.unknown_critical"], ["crl.unreadable_date"]


@dataclass(frozen=True)
class Case:
    """*crls* are DER; *refused*: OpenSSL refuses; *codes* are of all that is said, of harmless things too."""

    name: str
    crls: list[bytes]
    codes: list[str]
    refused: bool | None = None
    leaf: Issued = LEAF
    ca: Issued = CA

    @property
    def accepted(self) -> bool:
        return not (bool(self.codes) if self.refused is None else self.refused)

    @property
    def lists(self) -> bytes:
        return b"".join(raw.pem(der, "X509 CRL") for der in self.crls)

    def __str__(self) -> str:
        return self.name


def with_root(name: str, crl: bytes, codes: list[str], **more) -> Case:
    """*crl* is int's, beside a sound one of root."""
    return Case(name, [of(ROOT), crl], codes, **more)


def on_ca(name: str, extension: bytes, codes: list[str], *entries: bytes, **more) -> Case:
    return with_root(name, of(CA, *entries, more=(extension,)), codes, **more)


def removed(serial: int) -> bytes:
    return dead(serial, raw.reason(8))


QUIET = issue("Quiet", 2, ROOT, usage=CERT_SIGN)
BELOW_QUIET = issue("leaf", 3, QUIET, usage=None)

RSA_CA = issue("Issuing", 2, ROOT, key=builders.slow_key("rsa2048"))
RSA_LEAF = issue("leaf", 3, RSA_CA, usage=None)
ED_CA = issue("Issuing", 2, ROOT, key=builders.slow_key("ed25519"))
ED_LEAF = issue("leaf", 3, ED_CA, usage=None)
BAD_SIGNATURE = ["crl.signature_invalid"]
BARE_RSA = raw.seq(raw.oid("1.2.840.113549.1.1.11"))
OTHER_ALGORITHM = raw.algorithm(CA.key, "sha384")


def unused_bits(crl: bytes) -> bytes:
    """*crl* with a signature that is no whole number of octets."""
    body, algorithm, _signature = raw.parts(crl)
    return raw.seq(body, algorithm, raw.bit_string(b"\x30\x06\x02\x01\x01\x02\x01\x00", 3))


def signed_by(name: str, ca: Issued, leaf: Issued, codes: list[str], *entries: bytes, **signed) -> Case:
    return Case(name, [of(ROOT), of(ca, *entries, **signed)], codes, leaf=leaf, ca=ca)


CASES = [
    with_root("nobody is revoked", of(CA), []),
    with_root("an empty list of entries", raw.crl("Issuing", CA.key, [], next_update=LAST), []),
    with_root("another is revoked", of(CA, dead(4)), []),
    with_root("the leaf is revoked", of(CA, dead(3)), REVOKED),
    with_root("the leaf among others", of(CA, dead(300), dead(3), dead(-3)), REVOKED),
    Case("its CA is revoked", [of(ROOT, dead(2)), of(CA)], REVOKED),
    Case("leaf and CA are revoked", [of(ROOT, dead(2)), of(CA, dead(3))], REVOKED * 2),
    Case("the CA's serial in the wrong CRL", [of(ROOT, dead(3)), of(CA, dead(2))], []),
    Case("none of the root", [of(CA)], MISSING),
    Case("none of the intermediate", [of(ROOT)], MISSING),
    Case("the order of the lists", [of(CA, dead(3)), of(ROOT)], REVOKED),
    Case("one list twice", [of(ROOT), of(CA), of(CA)], []),
    # dates
    with_root("ended", of(CA, start=AT - 9 * DAY, end=AT - DAY), EXPIRED),
    with_root("ends in this second", of(CA, end=AT), EXPIRED),
    with_root("ends in the next second", of(CA, end=AT + SECOND), []),
    with_root("never ends", of(CA, end=b""), []),
    with_root("from the future", of(CA, start=AT + DAY), ["crl.not_yet_valid"]),
    with_root("begins in this second", of(CA, start=AT), []),
    with_root("begins in the next second", of(CA, start=AT + SECOND), ["crl.not_yet_valid"]),
    with_root(
        "ended before it began", of(CA, start=AT + DAY, end=AT - DAY), ["crl.not_yet_valid", "crl.expired"]
    ),
    with_root("of the year 0", of(CA, start=raw.generalized_time("00000101000000Z")), []),
    with_root("to the year 9999", of(CA, end=raw.generalized_time("99991231235959Z")), []),
    with_root("a year before 2050", of(CA, end=raw.generalized_time("20490101000000Z")), []),
    with_root("a UTCTime of 1950", of(CA, end=raw.utc_time("500101000000Z")), EXPIRED),
    with_root("begins at no date", of(CA, start=raw.utc_time("269901120000Z")), UNREADABLE_DATE),
    with_root("begins with an offset", of(CA, start=raw.utc_time("260501120000+0100")), UNREADABLE_DATE),
    with_root("ends with a fraction", of(CA, end=raw.generalized_time("20270101120000.5Z")), UNREADABLE_DATE),
    with_root("revoked in the future", of(CA, raw.revoked(3, when(AT + DAY))), REVOKED),
    with_root("revoked at no date", of(CA, raw.revoked(3, raw.utc_time("269901120000Z"))), REVOKED),
    # which of several
    Case("an ended one beside a fresh one", [of(ROOT), of(CA, start=AT - 9 * DAY, end=AT - DAY), of(CA)], []),
    Case("the newer one counts", [of(ROOT), of(CA, start=AT - 2 * DAY), of(CA, dead(3))], REVOKED),
    Case("the older one does not", [of(ROOT), of(CA), of(CA, dead(3), start=AT - 2 * DAY)], []),
    Case("of equal ones the first", [of(ROOT), of(CA, dead(3)), of(CA)], REVOKED),
    Case("of equal ones not the second", [of(ROOT), of(CA), of(CA, dead(3))], []),
    Case(
        "a good old one before a bad new one",
        [of(ROOT), of(CA, start=AT - 2 * DAY), of(CA, more=(raw.extension(UNKNOWN, b"", True),))],
        CRITICAL,
        refused=False,
    ),
    Case(
        "a bad signature is not looked at before",
        [of(ROOT), of(CA, start=AT - 2 * DAY), of(CA, signer=ROOT)],
        BAD_SIGNATURE,
    ),
    # whose
    with_root("signed by another", of(CA, signer=ROOT), BAD_SIGNATURE),
    Case("of a CA of the same name", [of(TWIN), of(CA)], MISSING),
    Case("of a CA of the same name, untold", [of(TWIN, identifier=None), of(CA)], BAD_SIGNATURE),
    Case("both of one name", [of(TWIN), of(ROOT), of(CA)], []),
    Case(
        "both of one name, untold",
        [of(TWIN, identifier=None), of(ROOT, identifier=None), of(CA)],
        BAD_SIGNATURE,
    ),
    Case("untold, the right one first", [of(ROOT, identifier=None), of(TWIN, identifier=None), of(CA)], []),
    with_root(
        "the name in another string type",
        of(CA, name=raw.name(raw.attribute("2.5.4.3", raw.bmp("ISSUING ")))),
        [],
    ),
    with_root("of nobody here", of(CA, name="Other"), MISSING),
    on_ca(
        "two key identifiers",
        raw.extension(raw.AUTHORITY_KEY_ID, b"\x30\x00"),
        ["crl.invalid_extension"],
        refused=False,
    ),
    with_root(
        "identified by a wrong serial",
        of(CA, identifier=None, more=(raw.authority_key_id(None, raw.common_name("Root"), 7),)),
        MISSING,
    ),
    with_root(
        "identified by the right serial",
        of(CA, identifier=None, more=(raw.authority_key_id(None, raw.common_name("Root"), 2),)),
        [],
    ),
    with_root(
        "identified by a wrong issuer",
        of(CA, identifier=None, more=(raw.authority_key_id(None, raw.common_name("Issuing"), 2),)),
        MISSING,
    ),
    Case(
        "a CA that may not sign CRLs", [of(ROOT), of(QUIET)], ["crl.not_allowed"], leaf=BELOW_QUIET, ca=QUIET
    ),
    # signatures
    signed_by("signed with RSA", RSA_CA, RSA_LEAF, []),
    signed_by("signed with RSA, revoked", RSA_CA, RSA_LEAF, REVOKED, dead(3)),
    signed_by("signed with RSA and SHA-512", RSA_CA, RSA_LEAF, [], digest="sha512"),
    signed_by("signed with RSA and SHA-1", RSA_CA, RSA_LEAF, [], digest="sha1"),
    signed_by("signed with RSA and MD5", RSA_CA, RSA_LEAF, [], digest="md5"),
    signed_by("signed with Ed25519", ED_CA, ED_LEAF, []),
    signed_by("signed with Ed25519, revoked", ED_CA, ED_LEAF, REVOKED, dead(3)),
    signed_by("signed with ECDSA and SHA-1", CA, LEAF, [], digest="sha1"),
    signed_by("signed with ECDSA and SHA-384", CA, LEAF, [], digest="sha384"),
    signed_by("algorithms: another one inside", CA, LEAF, BAD_SIGNATURE, signature_algorithm=OTHER_ALGORITHM),
    signed_by(
        "algorithms: no parameters inside", RSA_CA, RSA_LEAF, BAD_SIGNATURE, signature_algorithm=BARE_RSA
    ),
    signed_by("algorithm of another digest outside", CA, LEAF, BAD_SIGNATURE, outer=OTHER_ALGORITHM),
    signed_by("the algorithm of another key", CA, LEAF, BAD_SIGNATURE, outer=raw.algorithm(RSA_CA.key)),
    with_root("a signature of some bits", unused_bits(of(CA)), BAD_SIGNATURE),
    # entries
    with_root("with each reason", of(CA, dead(3, raw.reason(1))), REVOKED),
    with_root("on hold", of(CA, dead(3, raw.reason(6))), REVOKED),
    with_root("removed", of(CA, removed(3)), []),
    with_root("revoked, then removed", of(CA, dead(3), removed(3)), REVOKED),
    with_root("removed, then revoked", of(CA, removed(3), dead(3)), []),
    with_root("an unknown reason", of(CA, dead(3, raw.reason(42))), REVOKED),
    with_root(
        "an unreadable reason",
        of(CA, dead(3, raw.extension(raw.REASON_CODE, b"\x0a"))),
        ["crl.revoked", "crl.invalid_extension"],
    ),
    with_root(
        "removed behind an unreadable reason",
        of(CA, dead(9, raw.extension(raw.REASON_CODE, b"")), removed(3)),
        ["crl.revoked", "crl.invalid_extension"],
    ),
    with_root(
        "removed before an unreadable reason",
        of(CA, removed(3), dead(9, raw.extension(raw.REASON_CODE, b""))),
        ["crl.invalid_extension"],
        refused=False,
    ),
    with_root(
        "two reasons", of(CA, dead(3, raw.reason(8), raw.reason(8))), ["crl.revoked", "crl.invalid_extension"]
    ),
    with_root(
        "a critical reason",
        of(CA, dead(4, raw.extension(raw.REASON_CODE, raw.enumerated(1), True))),
        CRITICAL,
    ),
    with_root("an unknown entry extension", of(CA, dead(4, raw.extension(UNKNOWN, b""))), []),
    with_root(
        "an unknown critical entry extension", of(CA, dead(4, raw.extension(UNKNOWN, b"", True))), CRITICAL
    ),
    with_root("an entry of another issuer", of(CA, dead(3, about("Other"))), []),
    with_root("an entry of this issuer", of(CA, dead(3, about("Issuing"))), REVOKED),
    with_root("an entry behind one of another issuer", of(CA, dead(4, about("Other")), dead(3)), []),
    with_root("an entry before one of another issuer", of(CA, dead(3), dead(4, about("Other"))), REVOKED),
    with_root(
        "an entry between two issuers", of(CA, dead(4, about("Other")), dead(3, about("Issuing"))), REVOKED
    ),
    with_root(
        "an entry of an unreadable issuer",
        of(CA, dead(4, about("Other")), dead(3, raw.extension(raw.CERTIFICATE_ISSUER, b"\x30\x05", True))),
        ["crl.revoked", "crl.invalid_extension"],
    ),
    with_root(
        "an entry with an unreadable reason behind another issuer's",
        of(CA, dead(4, about("Other")), dead(3, raw.extension(raw.REASON_CODE, b""))),
        ["crl.invalid_extension"],
        refused=False,
    ),
    # extensions
    on_ca("an unknown extension", raw.extension(UNKNOWN, b""), []),
    on_ca("an unknown critical extension", raw.extension(UNKNOWN, b"", True), CRITICAL),
    on_ca("nothing is said of a revoked one then", raw.extension(UNKNOWN, b"", True), CRITICAL, dead(3)),
    on_ca(
        "an unreadable number",
        raw.extension("2.5.29.20", b"\x02\x00"),
        ["crl.invalid_extension"],
        refused=False,
    ),
    on_ca(
        "an unreadable point",
        raw.extension(raw.ISSUING_DISTRIBUTION_POINT, b"\x30\x05", True),
        ["crl.invalid_extension"],
        refused=False,
    ),
    on_ca("a critical number", raw.extension("2.5.29.60", raw.integer(1), True), CRITICAL),
    # delta and indirect
    on_ca("delta instead of the complete one", DELTA, ["crl.delta"]),
    on_ca("delta with the leaf", DELTA, ["crl.delta", "crl.revoked"], dead(3)),
    Case(
        "delta older than the complete one",
        [of(ROOT), of(CA), of(CA, start=AT - 2 * DAY, more=(DELTA,))],
        ["crl.delta"],
        refused=False,
    ),
    on_ca(
        "delta with an unreadable base",
        raw.extension(raw.DELTA_CRL_INDICATOR, b"\x02\x00", True),
        ["crl.invalid_extension"],
        refused=False,
    ),
    on_ca("indirect", point(INDIRECT), ["crl.indirect"]),
    on_ca("indirect: no", point(USERS, flag(4, b"\x00")), []),
    Case(
        "indirect beside the CA's own",
        [of(ROOT), of(CA), of(CA, more=(point(INDIRECT),))],
        ["crl.indirect"],
        refused=False,
    ),
    Case(
        "indirect of another CRL issuer",
        [of(ROOT, more=(point(INDIRECT),)), of(CA), of(ROOT)],
        ["crl.indirect"],
        refused=False,
    ),
    # scope
    on_ca("for users", point(USERS), []),
    on_ca("for CAs", point(CAS), PARTIAL),
    Case("for users, of the root", [of(ROOT, more=(point(USERS),)), of(CA)], PARTIAL),
    Case("for CAs, of the root", [of(ROOT, more=(point(CAS),)), of(CA)], []),
    on_ca("for attribute certificates", point(ATTRIBUTES), PARTIAL),
    on_ca("for users and CAs", point(USERS, CAS), PARTIAL),
    on_ca("for some reasons", point(REASONS), PARTIAL),
    on_ca("an empty point", point(), PARTIAL, refused=True),
    on_ca("a point for a leaf without any", point(HERE), PARTIAL),
    on_ca("the leaf's point", point(HERE), [], leaf=LEAF_HERE),
    on_ca("another point", point(THERE), PARTIAL, leaf=LEAF_HERE),
    on_ca("a point that is not critical", point(THERE, critical=False), PARTIAL, leaf=LEAF_HERE),
    with_root("no point for a leaf with one", of(CA), [], leaf=LEAF_HERE),
    on_ca("a relative point", point(below("crl")), [], leaf=LEAF_BELOW),
    on_ca("another relative point", point(below("other")), PARTIAL, leaf=LEAF_BELOW),
    on_ca("a relative point in full", point(BELOW_CA), [], leaf=LEAF_BELOW),
    on_ca("a point of another CRL issuer", point(HERE), PARTIAL, leaf=LEAF_BY_OTHER),
    with_root("no point for a leaf of another CRL issuer", of(CA), [], leaf=LEAF_BY_OTHER),
    on_ca("a point that names the CA as CRL issuer", point(HERE), [], leaf=LEAF_BY_CA),
    with_root("a leaf whose point covers some reasons", of(CA), PARTIAL, leaf=LEAF_SOME),
    Case(
        "two lists for some reasons", [of(ROOT), of(CA), of(CA, start=AT - 2 * DAY)], PARTIAL, leaf=LEAF_SOME
    ),
    Case(
        "one in scope before one that is not",
        [of(ROOT), of(CA, start=AT - 2 * DAY), of(CA, more=(point(CAS),))],
        [],
    ),
]
