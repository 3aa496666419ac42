# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in certificates, of every string type: read, printed and compared as OpenSSL does it."""

from __future__ import annotations

from itertools import combinations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.certificate_reader import read
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.der import DerError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.certificate import likely_issued
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.raw import attribute, name

KEY = builders.new_key()
CN, O, OU, C, SERIAL = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6", "2.5.4.5"  # noqa: E741 called O
UNIQUE_ID, EMAIL, DC = "2.5.4.45", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25"


def cn(value: bytes) -> bytes:
    return name(attribute(CN, value))


# Names that OpenSSL reads, with what it prints.
NAMES = {
    "empty": (name(), ""),
    "UTF8String": (cn(raw.utf8("b1 ü €")), r"CN=b1 \C3\BC \E2\82\AC"),
    "beyond 16 bits": (cn(raw.utf8("𝄞")), r"CN=\F0\9D\84\9E"),
    "PrintableString": (cn(raw.printable("b1")), "CN=b1"),
    "PrintableString with what is not in it": (cn(raw.printable("a@ü\x00")), r"CN=a@\C3\BC\00"),
    "T61String is Latin-1": (cn(raw.t61("Zürich")), r"CN=Z\C3\BCrich"),
    "IA5String": (name(attribute(EMAIL, raw.ia5("a@b.c"))), "emailAddress=a@b.c"),
    "IA5String with eight bits": (cn(raw.ia5("ü")), r"CN=\C3\BC"),
    "BMPString": (cn(raw.bmp("b1 ü €")), r"CN=b1 \C3\BC \E2\82\AC"),
    "BMPString with a noncharacter": (cn(raw.tlv(0x1E, b"\xff\xff")), r"CN=\EF\BF\BF"),
    "UniversalString": (cn(raw.universal("b1 𝄞")), r"CN=b1 \F0\9D\84\9E"),
    "NumericString": (name(attribute(SERIAL, raw.numeric("12 3"))), "serialNumber=12 3"),
    "NumericString with letters": (name(attribute(SERIAL, raw.numeric("Ab"))), "serialNumber=Ab"),
    "empty string": (cn(raw.utf8("")), "CN="),
    "bit string": (
        name(attribute(UNIQUE_ID, raw.bit_string(b"\xaa\xff", 3))),
        "x500UniqueIdentifier=#030303AAF8",
    ),
    "bit string of no octets": (cn(b"\x03\x01\x05"), "CN=#030100"),
    "sequence": (cn(raw.seq(raw.integer(1))), "CN=#3003020101"),
    "unknown type 8": (cn(raw.tlv(0x08, b"ab")), "CN=#08026162"),
    "unknown type 13": (cn(raw.tlv(0x0D, b"ab")), "CN=#0D026162"),
    "string in pieces": (cn(raw.tlv(0x2C, raw.utf8("b"), raw.octets(b"1"))), "CN=b1"),
    "character in two pieces": (cn(raw.tlv(0x2C, raw.octets(b"\xc3"), raw.octets(b"\xbc"))), r"CN=\C3\BC"),
    "indefinite lengths": (
        raw.indefinite(0x30, raw.indefinite(0x31, attribute(CN, raw.utf8("b1")))),
        "CN=b1",
    ),
    "long lengths": (raw.long_length(0x30, raw.long_length(0x31, attribute(CN, raw.utf8("b1")))), "CN=b1"),
    "set that is not constructed": (raw.seq(raw.tlv(0x11, attribute(CN, raw.utf8("b1")))), "CN=b1"),
    "NUL": (cn(raw.utf8("good.example.com\0.evil")), r"CN=good.example.com\00.evil"),
    "newline and escape": (cn(raw.utf8("a\r\n\x1b[31m\x7f")), r"CN=a\0D\0A\1B[31m\7F"),
    "specials": (cn(raw.utf8(',+"\\<>;=#/')), r"CN=\,\+\"\\\\\<\>\;=#/".replace("\\\\\\\\", "\\\\")),
    "hash first": (cn(raw.utf8("#ab")), r"CN=\#ab"),
    "hash alone": (cn(raw.utf8("#")), "CN=#"),
    "blank alone": (cn(raw.utf8(" ")), r"CN=\ "),
    "blanks at both ends": (cn(raw.bmp("  a  ")), r"CN=\  a \ "),
    "newline first, blank last": (cn(raw.utf8("\na ")), r"CN=\0Aa\ "),
    "several RDNs": (name(attribute(C, raw.printable("DE")), attribute(O, raw.utf8("Shop"))), "O=Shop,C=DE"),
    "multi-valued": (
        name(attribute(O, raw.utf8("Shop")), (attribute(CN, raw.utf8("b")), attribute(OU, raw.utf8("x")))),
        "OU=x+CN=b,O=Shop",
    ),
    "same attribute twice": (
        name(attribute(DC, raw.ia5("com")), attribute(DC, raw.ia5("shop"))),
        "DC=shop,DC=com",
    ),
    "empty RDN": (name((), attribute(CN, raw.utf8("b1"))), "CN=b1"),
    "only an empty RDN": (name(()), ""),
    "unknown attribute": (name(attribute("1.2.3.4", raw.utf8("y"))), "1.2.3.4=#0C0179"),
    "unknown attribute as BMPString": (name(attribute("1.2.3.4", raw.bmp("y"))), "1.2.3.4=#1E020079"),
    "unknown attribute in pieces": (
        name(attribute("1.2.3.4", raw.tlv(0x2C, raw.utf8("y")))),
        "1.2.3.4=#0C0179",
    ),
    "very long unknown attribute": (
        name(
            attribute(
                "1.3.6.1.4.1.4294967296.4294967296.4294967296.4294967296.4294967296.42949672967777",
                raw.utf8("y"),
            )
        ),
        "1.3.6.1.4.1.4294967296.4294967296.4294967296.4294967296.4294967296.429496729677=#0C0179",
    ),
    "jurisdiction": (name(attribute("1.3.6.1.4.1.311.60.2.1.3", raw.printable("DE"))), "jurisdictionC=DE"),
    "user and device": (
        name(
            attribute("0.9.2342.19200300.100.1.1", raw.utf8("u")),
            attribute("0.9.2342.19200300.100.1.9", raw.ia5("h")),
        ),
        "host=h,UID=u",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_printed(case) -> None:
    data, text = NAMES[case]
    printed = names.text(names.read(der.only(data)))
    assert printed == text
    assert printed.isascii()
    assert printed.isprintable()


@needs_openssl
@pytest.mark.parametrize("case", NAMES)
def test_openssl_prints_the_same(case) -> None:
    data, _text = NAMES[case]
    der_of = raw.certificate(data, "issuer", key=KEY)
    said = ask("x509", "-noout", "-subject", "-nameopt", "RFC2253", stdin=raw.pem(der_of))
    assert said.ok, said.err
    theirs = said.out[len("subject=") :].rstrip("\n")
    compare("names", ours=read(der_of)[0].subject_text, theirs=theirs, case=f"text of {case}")


REFUSED = {
    "no sequence": raw.set_of(),
    "RDN is no set": raw.seq(raw.seq(attribute(CN, raw.utf8("a")))),
    "attribute is no sequence": raw.seq(raw.set_of(raw.utf8("a"))),
    "attribute without value": raw.seq(raw.set_of(raw.seq(raw.oid(CN)))),
    "attribute with two values": raw.seq(raw.set_of(raw.seq(raw.oid(CN), raw.utf8("a"), raw.utf8("b")))),
    "attribute without type": raw.seq(raw.set_of(raw.seq(raw.utf8("a"), raw.utf8("b")))),
    "UTF-8 that is none": cn(raw.tlv(0x0C, b"\xff")),
    "UTF-8 longer than needed": cn(raw.tlv(0x0C, b"\xc0\x80")),
    "UTF-8 of a surrogate": cn(raw.tlv(0x0C, b"\xed\xa0\x80")),
    "UTF-8 beyond Unicode": cn(raw.tlv(0x0C, b"\xf4\x90\x80\x80")),
    "UTF-8 cut off": cn(raw.tlv(0x0C, b"a\xc3")),
    "BMPString of an odd length": cn(raw.tlv(0x1E, b"\0a\0")),
    "BMPString with a surrogate": cn(raw.tlv(0x1E, b"\xd8\x00")),
    "BMPString with a pair of surrogates": cn(raw.tlv(0x1E, b"\xd8\x34\xdd\x1e")),
    "UniversalString of an odd length": cn(raw.tlv(0x1C, b"\0\0a")),
    "UniversalString beyond Unicode": cn(raw.tlv(0x1C, b"\x00\x11\x00\x00")),
    "VisibleString": cn(raw.visible("a")),
    "GeneralString": cn(raw.tlv(0x1B, b"a")),
    "VideotexString": cn(raw.tlv(0x15, b"a")),
    "OctetString": cn(raw.octets(b"a")),
    "integer": cn(raw.integer(1)),
    "null": cn(raw.null()),
    "set": cn(raw.set_of()),
    "date": cn(raw.utc_time("260601120000Z")),
    "context tag": cn(raw.context(0, b"a", constructed=False)),
    "bit string without its first octet": cn(b"\x03\x00"),
    "more than 1 MiB": cn(raw.utf8("a" * (1 << 20))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case) -> None:
    with pytest.raises(DerError):
        names.read(der.only(REFUSED[case]))


@needs_openssl
@pytest.mark.parametrize("case", REFUSED)
def test_openssl_refuses_them_too(case) -> None:
    said = ask("x509", "-noout", stdin=raw.pem(raw.certificate(REFUSED[case], "issuer", key=KEY)))
    compare("names", ours=False, theirs=said.ok, case=f"reading of {case}")


def text_name(text: str) -> bytes:
    return cn(raw.utf8(text))


# Names that are compared with one another; each group is one name to OpenSSL, the groups are not.
GROUPS = {
    "plain": [
        text_name("Root CA"),
        text_name("root ca"),
        text_name("ROOT   CA"),
        text_name(" \t\n\v\f\rRoot \t\n CA "),
        cn(raw.printable("Root CA")),
        cn(raw.t61("Root CA")),
        cn(raw.ia5("Root CA")),
        cn(raw.bmp("Root CA")),
        cn(raw.universal("ROOT ca")),
        cn(raw.tlv(0x2C, raw.utf8("Root"), raw.utf8(" CA"))),
        name((), attribute(CN, raw.utf8("Root CA"))),
        raw.indefinite(0x30, raw.set_of(attribute(CN, raw.utf8("Root CA")))),
    ],
    "without its blank": [text_name("RootCA")],
    "another blank": [text_name("Root\u00a0CA"), cn(raw.t61("Root\u00a0CA"))],
    "NUL inside": [text_name("Root\0CA"), cn(raw.printable("ROOT\0CA"))],
    "accent": [text_name("Zürich"), cn(raw.t61("ZüRICH")), cn(raw.bmp("zürich"))],
    "capital accent": [text_name("ZÜRICH")],
    "capital that would fold into ASCII": [text_name("\u212aey")],  # the Kelvin sign
    "its letter": [text_name("Key")],
    "numeric": [cn(raw.numeric("12 3"))],
    "numeric with more blanks": [cn(raw.numeric("12  3"))],
    "numeric's text": [cn(raw.utf8("12 3"))],
    "bit string": [cn(raw.bit_string(b"ab")), cn(raw.tlv(0x23, b"\x04\x01\x00", b"\x04\x02ab"))],
    "bit string of no octets": [cn(raw.bit_string(b"")), cn(raw.bit_string(b"", 5))],
    "bit string with unused bits": [cn(raw.bit_string(b"ab", 1))],
    "unknown type": [cn(raw.tlv(0x08, b"ab"))],
    "unknown type in capitals": [cn(raw.tlv(0x08, b"AB"))],
    "another unknown type": [cn(raw.tlv(0x0D, b"ab"))],
    "sequence": [cn(raw.seq(raw.utf8("ab")))],
    "same with a long length": [cn(raw.long_length(0x30, raw.utf8("ab")))],
    "another attribute": [name(attribute(OU, raw.utf8("Root CA")))],
    "two RDNs": [name(attribute(O, raw.utf8("A")), attribute(CN, raw.utf8("B")))],
    "two RDNs the other way round": [name(attribute(CN, raw.utf8("B")), attribute(O, raw.utf8("A")))],
    "one RDN of two": [
        name((attribute(O, raw.utf8("A")), attribute(CN, raw.utf8("B")))),
        name((attribute(CN, raw.utf8("b")), attribute(O, raw.bmp("A")))),
    ],
    "one RDN of twice the same": [name((attribute(CN, raw.utf8("A")), attribute(CN, raw.utf8("a "))))],
    "one of it": [text_name("A")],
    "two RDNs of it": [name(attribute(CN, raw.utf8("A")), attribute(CN, raw.utf8("A")))],
    "empty": [name(), name(()), raw.indefinite(0x30)],
    "empty value": [text_name(""), text_name("  ")],
}
PAIRS = [
    *(
        (f"{group} {index}", members[0], member)
        for group, members in GROUPS.items()
        for index, member in enumerate(members)
    ),
    *((f"{one} and {other}", GROUPS[one][0], GROUPS[other][0]) for one, other in combinations(GROUPS, 2)),
]
PAIRS = [pair for index, pair in enumerate(PAIRS) if index < 60 or index % 4 == 0]


def group_of(data: bytes) -> str:
    return next(group for group, members in GROUPS.items() if data in members)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case[0])
def test_compared(case) -> None:
    _title, one, other = case
    first, second = (names.read(der.only(data)) for data in (one, other))
    equal = group_of(one) == group_of(other)
    assert (names.key(first) == names.key(second)) is equal
    assert (names.canonical(first) == names.canonical(second)) is equal


@needs_openssl
@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case[0])
def test_openssl_compares_the_same(case) -> None:
    title, one, other = case
    ca = raw.certificate(one, key=KEY, extensions=[raw.basic_constraints(True)])
    leaf = raw.certificate("leaf", other, key=KEY, serial=2)
    said = ask(
        *("verify", "-attime", "1780315200", "-no-CApath", "-no-CAstore", "-CAfile", "ca.pem", "leaf.pem"),
        files={"ca.pem": raw.pem(ca), "leaf.pem": raw.pem(leaf)},
    )
    issued = likely_issued(read(ca)[0], read(leaf)[0])
    compare("names", ours=issued, theirs=said.ok, case=title)


def test_common_names_are_text() -> None:
    several = name(
        attribute(CN, raw.bmp("a")), attribute(CN, raw.bit_string(b"x")), attribute(OU, raw.utf8("b")),
        attribute(CN, raw.numeric("1")),
    )  # fmt: skip
    read_name = names.read(der.only(several))
    assert names.common_names(read_name) == ["a", "1"]
    assert [names.string_type(value) for value in names.values(read_name, CN)] == [
        der.BMP_STRING,
        der.BIT_STRING,
        der.NUMERIC_STRING,
    ]
    assert names.string_type("plain") == names.UTF8_STRING


def test_octets_for_people() -> None:
    assert names.printable(b"a\\b\x00\xff~") == r"a\\b\00\FF~"
