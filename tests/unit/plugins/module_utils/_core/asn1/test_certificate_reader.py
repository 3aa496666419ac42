# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates read into facts: what OpenSSL reads is read, to the same values; the rest is refused.

[cert]    self-signed, made byte by byte
"""

from __future__ import annotations

import hashlib
import random
import re
import ssl

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import certificate as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import certificate_reader, der
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.certificate_reader import read
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.der import DerError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
    version,
)

KEY = builders.new_key()
NAME = raw.name(
    raw.attribute("2.5.4.6", raw.printable("DE")),
    (raw.attribute("2.5.4.3", raw.utf8("x ü")), raw.attribute("1.2.3.4", raw.t61("tt"))),
    raw.attribute("2.5.4.45", raw.bit_string(b"\xaa", 1)),
)
ALTERNATIVE = (
    raw.dns_name("a.example.com"),
    raw.ip_name(b"\x0a\0\0\1"),
    raw.ip_name(b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1"),
    raw.email_name("a@example.com"),
    raw.uri_name("https://a.example.com/x?y#z"),
    raw.directory_name(NAME),
    raw.other_name("1.2.3", raw.utf8("u")),
    raw.rid_name("1.2.3.4"),
    raw.context(3, raw.seq()),
    raw.context(5, raw.context(0, raw.utf8("n")), raw.context(1, raw.printable("p"))),
)
# One good value of each extension that is read.
EXTENSIONS = {
    "basicConstraints": raw.basic_constraints(True, 3),
    "keyUsage": raw.key_usage(0x86, 1),
    "extendedKeyUsage": raw.extended_key_usage("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.2.3"),
    "subjectKeyIdentifier": raw.subject_key_id(b"abcd"),
    "authorityKeyIdentifier": raw.authority_key_id(b"abcd", NAME, 5),
    "subjectAltName": raw.alternative_names(*ALTERNATIVE),
    "nameConstraints": raw.name_constraints(
        [raw.subtree(raw.dns_name("x"), 0, 4)], [raw.subtree(raw.ip_name(b"\1" * 8))]
    ),
    "crlDistributionPoints": raw.extension(
        "2.5.29.31",
        raw.seq(
            raw.seq(
                raw.context(0, raw.context(0, raw.uri_name("http://c.example.com"))),
                raw.context(1, b"\1\2", constructed=False),
                raw.context(2, raw.directory_name(NAME)),
            ),
            raw.seq(raw.context(0, raw.context(1, raw.attribute("2.5.4.3", raw.utf8("r"))))),
        ),
    ),
    "nsCertType": raw.extension("2.16.840.1.113730.1.1", raw.bit_string(b"\xc4", 2)),
    "sbgp-ipAddrBlock": raw.extension(
        "1.3.6.1.5.5.7.1.7",
        raw.seq(
            raw.seq(
                raw.octets(b"\0\1"),
                raw.seq(raw.bit_string(b"\x0a"), raw.seq(raw.bit_string(b"\x0b"), raw.bit_string(b"\x0c"))),
            ),
            raw.seq(raw.octets(b"\0\2"), raw.null()),
        ),
    ),
    "sbgp-autonomousSysNum": raw.extension(
        "1.3.6.1.5.5.7.1.8",
        raw.seq(
            raw.context(0, raw.seq(raw.integer(3), raw.seq(raw.integer(5), raw.integer(9)))),
            raw.context(1, raw.null()),
        ),
    ),
    "proxyCertInfo": raw.extension(
        "1.3.6.1.5.5.7.1.14",
        raw.seq(raw.integer(1), raw.seq(raw.oid("1.3.6.1.5.5.7.21.1"), raw.octets(b"x"))),
    ),
}


def cert(**more) -> bytes:
    return raw.certificate("x", key=KEY, **more)


def with_extensions(*extensions: bytes) -> bytes:
    return cert(extensions=list(extensions))


def test_values_of_extensions() -> None:
    proxy, rest = (
        EXTENSIONS["proxyCertInfo"],
        [one for name, one in EXTENSIONS.items() if name != "proxyCertInfo"],
    )
    facts = read(with_extensions(*rest))[0]
    assert facts.extension_faults == ()
    assert facts.basic_constraints == (True, 3)
    assert facts.key_usage == {"digitalSignature", "keyCertSign", "cRLSign"}
    assert facts.extended_key_usage == ("serverAuth", "clientAuth", "1.2.3")
    assert (facts.subject_key_id, facts.authority_key_id, facts.authority_serial) == (b"abcd", b"abcd", 5)
    assert facts.authority_issuer is not None
    assert facts.netscape_types == {"sslClient", "sslServer", "sslCA"}
    assert (facts.has_rfc3779, facts.is_proxy) == (True, False)
    assert facts.unknown_critical == ()
    constraints = facts.name_constraints
    assert constraints is not None
    assert [(one.name.text, one.minimum, one.maximum) for one in constraints.permitted] == [("x", 0, 4)]
    assert [one.name.text for one in constraints.excluded] == ["1.1.1.1/1.1.1.1"]
    assert read(with_extensions(proxy))[0].is_proxy


def test_values_of_alternative_names() -> None:
    facts = read(with_extensions(EXTENSIONS["subjectAltName"]))[0]
    assert [name.kind for name in facts.general_names] == [
        *("dns", "ip", "ip", "email", "uri", "directory", "other", "rid", "x400", "edi"),
    ]
    assert facts.san_dns == ("a.example.com",)
    assert facts.san_ip == ("10.0.0.1", "2001:db8::1")
    assert facts.san_email == ("a@example.com",)
    assert facts.san_uri == ("https://a.example.com/x?y#z",)
    assert [name.text for name in facts.general_names[5:8]] == [
        r"x500UniqueIdentifier=#030201AA,1.2.3.4=#14027474+CN=x \C3\BC,C=DE",
        "1.2.3:#0C0175",
        "1.2.3.4",
    ]
    assert facts.general_names[6].oid == "1.2.3"


def test_hostile_alternative_names_are_escaped() -> None:
    names = (
        raw.dns_name("good.example.com\0.evil"),
        raw.uri_name("a\nb"),
        raw.ip_name(b"\1\2\3"),
        raw.email_name("ü"),
    )
    facts = read(with_extensions(raw.alternative_names(*names)))[0]
    texts = [*facts.san_dns, *facts.san_uri, *facts.san_ip, *facts.san_email]
    assert texts == [r"good.example.com\00.evil", r"a\0Ab", "#010203", r"\FC"]
    assert facts.general_names[0].value == b"good.example.com\0.evil"


# What OpenSSL reads though it is odd; with what of it is told.
ODD = {
    "version 1 written out": (cert(version=0), {"version": 1}),
    "version 1": (cert(version=None), {"version": 1}),
    "version 1 with extensions": (
        cert(version=None, extensions=[raw.basic_constraints(True)]),
        {"version": 1, "basic_constraints": (True, None)},
    ),
    "version 2": (cert(version=1), {"version": 2}),
    "version 4": (cert(version=3), {"version": 4}),
    "version -1": (cert(version=-2), {"version": -1}),
    "huge version": (cert(version=1 << 80), {"version": 0}),
    "serial 0": (cert(serial=0), {"serial": 0, "serial_octets": 1}),
    "serial -1": (cert(serial=-1), {"serial": -1}),
    "serial -128": (cert(serial=-128), {"serial": -128, "serial_octets": 1}),
    "serial of 20 octets": (cert(serial=(1 << 159) - 1), {"serial_octets": 20}),
    "serial of 21 octets": (cert(serial=1 << 159), {"serial_octets": 21}),
    "serial of 200 octets": (cert(serial=(1 << 1599) - 1), {"serial_octets": 200}),
    "negative serial of 21 octets": (cert(serial=-(1 << 161)), {"serial": -(1 << 161), "serial_octets": 21}),
    "unique identifiers": (
        cert(unique_ids=raw.tlv(0x81, b"\0ab") + raw.tlv(0x82, b"\0cd")),
        {"extended_key_usage": None},
    ),
    "no extension": (cert(extensions=[]), {"basic_constraints": None}),
    "null of a long length at an end": (
        raw.sign(raw.tbs(KEY, "x"), KEY, outer=raw.seq(raw.oid("1.2.840.10045.4.3.2"), b"\x05\x81\x00")),
        {"signature_parameters": b"\x05\x81\x00", "inner_signature_agrees": False},
    ),
    "bytes behind it": (cert(serial=7) + b"more", {"serial": 7}),
    "critical with the octet 1": (
        with_extensions(raw.seq(raw.oid("1.2.3"), raw.tlv(1, b"\1"), raw.octets(b"x"))),
        {"unknown_critical": ("1.2.3",)},
    ),
    "critical false written out": (
        with_extensions(raw.seq(raw.oid("1.2.3"), raw.tlv(1, b"\0"), raw.octets(b"x"))),
        {"unknown_critical": ()},
    ),
    "bytes behind the value of an extension": (
        with_extensions(raw.extension(raw.BASIC_CONSTRAINTS, raw.seq(raw.boolean(True)) + b"junk")),
        {"basic_constraints": (True, None), "extension_faults": ()},
    ),
    "extension in pieces": (
        with_extensions(
            raw.seq(raw.oid(raw.SUBJECT_KEY_ID), raw.tlv(0x24, raw.octets(b"\4\2"), raw.octets(b"ab")))
        ),
        {"subject_key_id": b"ab"},
    ),
    "basic constraints with false written out": (
        with_extensions(raw.extension(raw.BASIC_CONSTRAINTS, raw.seq(raw.boolean(False), raw.integer(0)))),
        {"basic_constraints": (False, 0)},
    ),
    "extended key usage without one": (with_extensions(raw.extended_key_usage()), {"extended_key_usage": ()}),
    "key usage of two octets": (
        with_extensions(raw.extension(raw.KEY_USAGE, raw.bit_string(b"\x08\x80", 7))),
        {"key_usage": frozenset(["keyAgreement", "decipherOnly"])},
    ),
    "key usage of unknown bits": (
        with_extensions(raw.extension(raw.KEY_USAGE, raw.bit_string(b"\x80\x41\xff"))),
        {"key_usage": frozenset(["digitalSignature"])},
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd(case) -> None:
    data, told = ODD[case]
    facts = read(data)[0]
    assert {name: getattr(facts, name) for name in told} == told


@needs_openssl
@pytest.mark.parametrize("case", [name for name in ODD if name.startswith("serial") or "serial" in name])
def test_openssl_prints_the_same_serial(case) -> None:
    said = ask("x509", "-noout", "-serial", stdin=raw.pem(ODD[case][0]))
    ours = certificate.serial_text(certificate.from_der(ODD[case][0]).facts.serial)
    theirs = said.out[len("serial=") :].replace("\\\n", "").strip()  # it breaks the line after 35 octets
    compare("files", ours=ours, theirs=theirs, case=f"text of {case}")


@pytest.mark.parametrize(
    ("serial", "said"),
    [(0, "zero"), (-5, "negative"), (1 << 159, "21 octets long"), (1, ""), ((1 << 159) - 1, "")],
)
def test_irregular_serials_are_told(serial, said) -> None:
    found = rules.serial_findings(read(cert(serial=serial), "a.pem:1")[0])
    assert [(one.code, one.message, one.place) for one in found] == (
        [("serial.irregular", f'The serial number of "CN=x" is {said}.', "a.pem:1")] if said else []
    )


def test_a_huge_name_fills_no_message() -> None:
    facts = read(raw.certificate("x" * 900_000, key=KEY))[0]
    assert facts.subject_text == f"CN={'x' * 994}..."
    assert facts.common_name == "x" * 900_000
    assert read(raw.certificate("x" * 997, key=KEY))[0].subject_text == f"CN={'x' * 997}"


# Each of them is far beyond anybody's, and quick to refuse.
HUGE = {
    "names": raw.alternative_names(*[raw.dns_name("a")] * 10_001),
    "uses": raw.extended_key_usage(*["1.2.3"] * 10_001),
    "subtrees": raw.name_constraints([raw.subtree(raw.dns_name("a"))] * 10_001),
    "an object identifier": raw.extension(
        raw.EXTENDED_KEY_USAGE, raw.seq(raw.tlv(6, b"\x2a" + b"\x81" * 1_000_000 + b"\x01"))
    ),
}


@pytest.mark.parametrize("case", HUGE)
def test_huge_extensions_cost_nothing(case) -> None:
    (fault,) = read(with_extensions(HUGE[case]))[0].extension_faults
    assert "more than" in fault
    assert len(fault) < 150


@needs_openssl
def test_openssl_reads_longer_lists() -> None:
    data = with_extensions(HUGE["names"])
    said = ask("x509", "-noout", "-purpose", stdin=raw.pem(data))
    readable = not read(data)[0].extension_faults
    compare(
        "files",
        ours=readable,
        theirs="code=-1" not in said.out,
        case="a list of more than 10,000 values in a certificate",
    )


def test_long_lists_are_read() -> None:
    facts = read(with_extensions(raw.alternative_names(*[raw.dns_name("a")] * 10_000)))[0]
    assert (len(facts.san_dns), facts.extension_faults) == (10_000, ())


def test_too_many_extensions_are_no_certificate() -> None:
    with pytest.raises(DerError, match="more than 10000"):
        read(with_extensions(*[raw.extension("1.2.3", b"")] * 10_001))


def test_a_path_length_beyond_a_long_is_none_to_openssl() -> None:
    assert read(with_extensions(raw.basic_constraints(True, 1 << 63)))[0].basic_constraints == (True, None)
    assert read(with_extensions(raw.basic_constraints(True, (1 << 63) - 1)))[0].basic_constraints == (
        True,
        (1 << 63) - 1,
    )


def test_describe_of_an_odd_certificate() -> None:
    odd = cert(
        serial=-5,
        not_before=raw.generalized_time("00000101000000Z"),
        not_after=raw.utc_time("xxxxxxxxxxxxxZ"),
        extensions=[raw.extension(raw.KEY_USAGE, b"junk")],
    )
    told = certificate.describe(certificate.from_der(odd), builders.AT)
    assert (told["serial"], told["not_before"], told["not_after"], told["days_left"], told["key_usage"]) == (
        *("-05", "0000-01-01T00:00:00Z", None, None, []),
    )


UNREADABLE = {
    "nothing": b"",
    "text": b"certificate",
    "cut off": cert()[:-1],
    "empty sequence": raw.seq(),
    "two values": raw.seq(*raw.parts(cert())[:2]),
    "four values": raw.seq(*raw.parts(cert()), raw.null()),
    "signature is no bit string": raw.seq(*raw.parts(cert())[:2], raw.octets(b"x")),
    "no serial": cert(serial=b""),
    "empty serial": cert(serial=b"\x02\x00"),
    "padded serial": cert(serial=b"\x02\x02\x00\x01"),
    "padded negative serial": cert(serial=b"\x02\x02\xff\xff"),
    "serial in pieces": cert(serial=b"\x22\x03\x02\x01\x01"),
    "serial of another type": cert(serial=raw.octets(b"1")),
    "version of another type": cert(version=raw.context(0, raw.octets(b"1"))),
    "version without tag": cert(version=raw.integer(2)),
    "version twice": cert(version=raw.context(0, raw.integer(2)) * 2),
    "date of another type": cert(not_before=raw.utf8("260601120000Z")),
    "one date": cert(not_after=b""),
    "three dates": cert(not_after=raw.NOT_AFTER * 2),
    "algorithm with two parameters": cert(
        signature_algorithm=raw.seq(raw.oid("1.2.3"), raw.null(), raw.null())
    ),
    "algorithm with a bad integer": cert(signature_algorithm=raw.seq(raw.oid("1.2.3"), b"\x02\x00")),
    "algorithm without an identifier": cert(signature_algorithm=raw.seq()),
    "bad object identifier": cert(signature_algorithm=raw.seq(b"\x06\x01\x80")),
    "key is no sequence": raw.sign(raw.tbs(raw.octets(b"k"), "x"), KEY),
    "key without bits": raw.sign(raw.tbs(raw.seq(raw.seq(raw.oid("1.2.3"))), "x"), KEY),
    "unique identifier that is no bit string": cert(unique_ids=raw.tlv(0x81, b"")),
    "extensions twice": cert(extensions=raw.context(3, raw.seq()) * 2),
    "extensions are no sequence": cert(extensions=raw.context(3, raw.octets(b""))),
    "extensions without tag": cert(extensions=raw.seq()),
    "extension without value": with_extensions(raw.seq(raw.oid("1.2.3"))),
    "extension's value is no octet string": with_extensions(raw.seq(raw.oid("1.2.3"), raw.utf8("x"))),
    "criticality of two octets": with_extensions(
        raw.seq(raw.oid("1.2.3"), raw.tlv(1, b"\0\0"), raw.octets(b""))
    ),
    "extension of four values": with_extensions(
        raw.seq(raw.oid("1.2.3"), raw.boolean(True), raw.octets(b""), raw.null())
    ),
    "end of contents without a beginning": cert(unique_ids=b"\0\0"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable(case) -> None:
    with pytest.raises(DerError) as caught:
        read(UNREADABLE[case])
    assert str(caught.value).isprintable()


@needs_openssl
@pytest.mark.parametrize("case", [*UNREADABLE, *ODD, *EXTENSIONS])
def test_openssl_reads_the_same(case) -> None:
    good = {
        **{name: data for name, (data, _told) in ODD.items()},
        **{name: with_extensions(one) for name, one in EXTENSIONS.items()},
    }
    said = ask(
        "x509", "-noout", "-inform", "PEM", stdin=raw.pem({**UNREADABLE, **good}[case].partition(b"more")[0])
    )
    compare("files", ours=case not in UNREADABLE, theirs=said.ok, case=f"reading of {case}")


def value(oid: str, content: bytes) -> bytes:
    return with_extensions(raw.extension(oid, content))


POINT = raw.seq(raw.context(0, raw.context(0, raw.uri_name("http://c.example.com"))))
# Certificates that can be read, with an extension that makes them invalid in every path …
INVALID = {
    **{f"{name} twice": with_extensions(one, one) for name, one in EXTENSIONS.items()},
    **{
        f"{name} of no octets": with_extensions(raw.seq(raw.parts(one)[0], raw.octets(b"")))
        for name, one in EXTENSIONS.items()
    },
    **{
        f"{name} is null": with_extensions(raw.seq(raw.parts(one)[0], raw.octets(raw.null())))
        for name, one in EXTENSIONS.items()
    },
    "basic constraints with a negative path length": with_extensions(raw.basic_constraints(True, -1)),
    "basic constraints with too many values": value(
        raw.BASIC_CONSTRAINTS, raw.seq(raw.boolean(True), raw.integer(1), raw.null())
    ),
    "basic constraints in the wrong order": value(
        raw.BASIC_CONSTRAINTS, raw.seq(raw.integer(1), raw.boolean(True))
    ),
    "basic constraints with a padded path length": value(raw.BASIC_CONSTRAINTS, raw.seq(b"\x02\x02\x00\x01")),
    "key usage that allows nothing": with_extensions(raw.key_usage(0)),
    "key usage of no bits": value(raw.KEY_USAGE, raw.bit_string(b"")),
    "key usage of unused bits": with_extensions(raw.key_usage(0x01, 1)),
    "extended key usage with a text": value(raw.EXTENDED_KEY_USAGE, raw.seq(raw.utf8("serverAuth"))),
    "alternative name of an unknown kind": with_extensions(raw.alternative_names(raw.context(9, b"x"))),
    "alternative name of another class": with_extensions(raw.alternative_names(raw.ia5("x"))),
    "directory name that is none": with_extensions(raw.alternative_names(raw.directory_name(raw.null()))),
    "directory name with bad UTF-8": with_extensions(
        raw.alternative_names(raw.directory_name(raw.name(raw.attribute("2.5.4.3", raw.tlv(0x0C, b"\xff")))))
    ),
    "other name without value": with_extensions(raw.alternative_names(raw.context(0, raw.oid("1.2.3")))),
    "registered identifier that is none": with_extensions(
        raw.alternative_names(raw.context(8, b"\x80", constructed=False))
    ),
    "EDI name without party": with_extensions(raw.alternative_names(raw.context(5))),
    "authority key identifier with a second serial": value(
        raw.AUTHORITY_KEY_ID,
        raw.seq(raw.context(2, b"\1", constructed=False), raw.context(2, b"\1", constructed=False)),
    ),
    "name constraints with a text": value(raw.NAME_CONSTRAINTS, raw.seq(raw.utf8("x"))),
    "name constraints with a bad minimum": with_extensions(
        raw.extension(
            raw.NAME_CONSTRAINTS,
            raw.seq(raw.context(0, raw.seq(raw.dns_name("x"), raw.context(0, b"", constructed=False)))),
        )
    ),
    "distribution point of nothing": value("2.5.29.31", raw.seq(POINT, raw.seq())),
    "distribution point of reasons only": value(
        "2.5.29.31", raw.seq(raw.seq(raw.context(1, b"\1\2", constructed=False)))
    ),
    "proxy certificate of a CA": with_extensions(EXTENSIONS["proxyCertInfo"], raw.basic_constraints(True)),
    "proxy certificate with alternative names": with_extensions(
        EXTENSIONS["proxyCertInfo"], EXTENSIONS["subjectAltName"]
    ),
    "proxy certificate with issuer's alternative names": with_extensions(
        EXTENSIONS["proxyCertInfo"], raw.extension("2.5.29.18", raw.seq(raw.dns_name("x")))
    ),
}
# … and their near misses.
VALID = {
    **{name: with_extensions(one) for name, one in EXTENSIONS.items()},
    "all of them but the proxy's": with_extensions(
        *(one for name, one in EXTENSIONS.items() if name != "proxyCertInfo")
    ),
    "no extension": cert(),
    "unknown extension twice": with_extensions(*[raw.extension("1.2.3", b"x")] * 2),
    "certificate policies that are none": value("2.5.29.32", b"junk"),
    "issuer's alternative names that are none": value("2.5.29.18", b"junk"),
    "path length without CA": with_extensions(raw.basic_constraints(False, 0)),
    "empty basic constraints": with_extensions(raw.basic_constraints(False)),
    "key usage of one unknown bit": value(raw.KEY_USAGE, raw.bit_string(b"\x00\x01")),
    "empty extended key usage": with_extensions(raw.extended_key_usage()),
    "empty alternative names": with_extensions(raw.alternative_names()),
    "empty name constraints": with_extensions(raw.name_constraints()),
    "empty authority key identifier": with_extensions(raw.authority_key_id()),
    "distribution point of an issuer": value(
        "2.5.29.31", raw.seq(raw.seq(raw.context(2, raw.directory_name(NAME))))
    ),
    "proxy certificate with an issuer's key identifier": with_extensions(
        EXTENSIONS["proxyCertInfo"], EXTENSIONS["authorityKeyIdentifier"]
    ),
    "alternative name with a bad address": with_extensions(raw.alternative_names(raw.ip_name(b"123"))),
    "alternative name in pieces": with_extensions(
        raw.alternative_names(raw.context(2, raw.ia5("a."), raw.ia5("b")))
    ),
    "long length": value(raw.BASIC_CONSTRAINTS, raw.long_length(0x30, raw.boolean(True))),
    "indefinite length": value(raw.BASIC_CONSTRAINTS, raw.indefinite(0x30, raw.boolean(True))),
    "bytes behind the value": value(raw.BASIC_CONSTRAINTS, raw.seq(raw.boolean(True)) + b"junk"),
}


@pytest.mark.parametrize("case", INVALID)
def test_extensions_that_cannot_be_read(case) -> None:
    facts = read(INVALID[case])[0]
    assert facts.extension_faults
    assert all(fault.isprintable() for fault in facts.extension_faults)


@pytest.mark.parametrize("case", VALID)
def test_extensions_that_can(case) -> None:
    assert read(VALID[case])[0].extension_faults == ()


@needs_openssl
@pytest.mark.parametrize("case", [*INVALID, *VALID])
def test_openssl_says_the_same_of_extensions(case) -> None:
    said = ask("x509", "-noout", "-purpose", stdin=raw.pem({**INVALID, **VALID}[case]))
    assert said.ok, said.err
    compare("files", ours=case in INVALID, theirs="code=-1" in said.out, case=f"extensions: {case}")


def test_an_unreadable_extension_has_no_value_and_spoils_no_other() -> None:
    facts = read(with_extensions(raw.extension(raw.KEY_USAGE, raw.null()), raw.basic_constraints(True)))[0]
    assert (facts.key_usage, facts.basic_constraints) == (None, (True, None))
    assert facts.extension_faults == (
        "the extension keyUsage cannot be read (null stands where a bit string belongs)",
    )
    twice = read(with_extensions(*[raw.key_usage(0x80)] * 3))[0]
    assert (twice.key_usage, twice.extension_faults) == (
        None,
        ("the extension keyUsage stands there 3 times",),
    )


# fmt: off
CRITICAL = [
    "2.5.29.14", "2.5.29.35", "2.5.29.18", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54", "2.5.29.46",
    "1.3.6.1.5.5.7.48.1.5", "1.3.6.1.5.5.7.1.24", "1.3.6.1.5.5.7.1.1", "2.16.840.1.113730.1.13", "1.2.3",
]
# fmt: on


@needs_openssl
@pytest.mark.parametrize("oid", CRITICAL)
def test_openssl_knows_the_same_critical_extensions(oid) -> None:
    content = {"2.5.29.14": raw.octets(b"x"), "2.5.29.35": raw.seq()}.get(oid, raw.seq())
    data = with_extensions(raw.basic_constraints(True), raw.extension(oid, content, critical=True))
    said = ask(
        *("verify", "-attime", "1780315200", "-no-CApath", "-no-CAstore", "-CAfile", "c.pem", "c.pem"),
        files={"c.pem": raw.pem(data)},
    )
    known = not read(data)[0].unknown_critical
    compare(
        "files",
        ours=known,
        theirs="unhandled critical extension" not in said.out + said.err,
        case=f"critical {oid}",
    )


def ber(data: bytes) -> bytes:
    """The same certificate with indefinite lengths in all that is not signed."""
    body, algorithm, signature = raw.parts(data)
    return raw.indefinite(0x30, body, raw.indefinite(0x30, *raw.parts(algorithm)), signature)


FORMS = {
    "indefinite lengths": ber,
    "long length": lambda data: raw.long_length(0x30, b"".join(raw.parts(data))),
    "signature in pieces": lambda data: raw.seq(
        *raw.parts(data)[:2],
        raw.tlv(0x23, raw.octets(raw.parts(data)[2][2:9]), raw.octets(raw.parts(data)[2][9:])),
    ),
    "long length of the algorithm": lambda data: raw.seq(
        raw.parts(data)[0], raw.long_length(0x30, b"".join(raw.parts(raw.parts(data)[1]))), raw.parts(data)[2]
    ),
}


@needs_openssl
@pytest.mark.parametrize("form", FORMS)
def test_fingerprint_is_that_of_what_openssl_writes(form) -> None:
    plain = with_extensions(raw.basic_constraints(True))
    data = FORMS[form](plain)
    facts, written = read(data)
    assert written == plain
    assert facts.sha256 == hashlib.sha256(plain).hexdigest()
    said = ask("x509", "-noout", "-fingerprint", "-sha256", stdin=raw.pem(data))
    theirs = re.sub(r".*=|:|\s", "", said.out).lower()
    compare("files", ours=facts.sha256, theirs=theirs, case=f"fingerprint with {form}")


PARAMETERS = {
    "none": b"",
    "null": raw.null(),
    "sequence": raw.seq(raw.integer(1)),
    "sequence of indefinite length": raw.indefinite(0x30, raw.integer(1)),
    "string in pieces": raw.tlv(0x24, raw.octets(b"a"), raw.octets(b"b")),
    "another class": raw.context(0, raw.long_length(0x04, b"a")),
    "big tag": b"\x9f\x81\x01\x01a",
    "big universal tag": b"\x1f\x81\x01\x01a",
}


@needs_openssl
@pytest.mark.parametrize("case", PARAMETERS)
def test_fingerprint_with_any_parameters(case) -> None:
    outer = raw.seq(raw.oid("1.2.840.10045.4.3.2"), PARAMETERS[case])
    data = raw.sign(raw.tbs(KEY, "x"), KEY, outer=outer)
    said = ask("x509", "-noout", "-fingerprint", "-sha256", stdin=raw.pem(data))
    theirs = re.sub(r".*=|:|\s", "", said.out).lower()
    compare("files", ours=read(data)[0].sha256, theirs=theirs, case=f"fingerprint with parameters: {case}")


def test_body_and_signature_as_they_stand() -> None:
    data = with_extensions(raw.basic_constraints(True))
    facts = read(data)[0]
    body, _algorithm, signature = raw.parts(data)
    assert (facts.tbs, raw.bit_string(facts.signature)) == (body, signature)
    assert (facts.signature_type, facts.signature_digest, facts.inner_signature_agrees) == (
        "ec",
        "sha256",
        True,
    )
    assert facts.spki == raw.spki(KEY)


def test_a_signature_of_no_whole_octets_is_none() -> None:
    body, algorithm, signature = raw.parts(cert())
    assert (
        read(raw.seq(body, algorithm, b"\x03" + signature[1:2] + b"\x01" + signature[3:]))[0].signature == b""
    )


def test_two_algorithms() -> None:
    other = raw.sign(raw.tbs(KEY, "x"), KEY, outer=raw.seq(raw.oid("1.2.840.10045.4.3.2"), raw.null()))
    assert not read(other)[0].inner_signature_agrees
    assert read(raw.sign(raw.tbs(KEY, "x"), KEY))[0].inner_signature_agrees


AUX = {
    "nothing": (raw.seq(), None, None),
    "trusted for": (raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.3.1"))), ("1.3.6.1.5.5.7.3.1",), None),
    "rejected for": (raw.seq(raw.context(0, raw.oid("2.5.29.37.0"))), None, ("2.5.29.37.0",)),
    "all": (
        raw.seq(
            raw.seq(raw.oid("1.2.3"), raw.oid("1.2.4")),
            raw.context(0),
            raw.utf8("alias"),
            raw.octets(b"id"),
            raw.context(1, raw.seq(raw.oid("1.2.3"))),
        ),
        ("1.2.3", "1.2.4"),
        (),
    ),
}


@pytest.mark.parametrize("case", AUX)
def test_trust_of_a_trusted_certificate(case) -> None:
    aux, trusted, rejected = AUX[case]
    facts = read(cert(), aux=aux)[0]
    assert (facts.trusted_for, facts.rejected_for) == (trusted, rejected)


BAD_AUX = [
    raw.null(),
    raw.seq(raw.null()),
    raw.seq(raw.context(0, raw.null())),
    raw.seq(raw.utf8("a"), raw.seq()),
    b"x",
]


@pytest.mark.parametrize("aux", BAD_AUX)
def test_trust_that_cannot_be_read(aux) -> None:
    with pytest.raises(DerError):
        read(cert(), aux=aux)


@needs_openssl
@pytest.mark.parametrize("case", [*AUX, *range(len(BAD_AUX))], ids=str)
def test_openssl_reads_the_same_trust(case) -> None:
    aux = AUX[case][0] if case in AUX else BAD_AUX[case]
    # The loader of a bundle is asked, which is nginx's; `openssl x509` has another one.
    said = ask("verify", "-CAfile", "c.pem", files={"c.pem": raw.pem(cert() + aux, "TRUSTED CERTIFICATE")})
    compare("files", ours=case in AUX, theirs="Error loading file" not in said.err, case=f"trust: {case}")


def test_a_request_tells_what_it_asks_for() -> None:
    inside = raw.seq(raw.basic_constraints(False), raw.extended_key_usage("1.3.6.1.5.5.7.3.2"))
    attributes = raw.context(0, raw.seq(raw.oid("1.2.840.113549.1.9.14"), raw.set_of(inside)))
    body = raw.seq(raw.integer(0), raw.common_name("b1"), raw.spki(KEY), attributes)
    asked = certificate_reader.read_request(raw.sign(body, KEY))
    assert asked.subject == ((("2.5.4.3", "b1"),),)
    assert asked.public_key_sha256 == read(cert())[0].public_key_sha256
    assert asked.extensions["extended_key_usage"] == ("clientAuth",)
    bare = raw.sign(raw.seq(raw.integer(0), raw.common_name("b1"), raw.spki(KEY), raw.context(0)), KEY)
    assert "basic_constraints" not in certificate_reader.read_request(bare).extensions
    with pytest.raises(DerError):
        certificate_reader.read_request(cert())


def openssl_reads(data: bytes) -> bool:
    """d2i_X509 inside of this process, through the module ssl. In PEM: of DER it would read on behind the
    certificate, each version of Python in its own way."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=raw.pem(data).decode("ascii"))
    except ssl.SSLError:
        return False
    return True


SEEDS = [
    raw.certificate(NAME, key=KEY, extensions=list(EXTENSIONS.values()), serial=-77),
    raw.certificate("a", key=KEY, version=None, not_before=raw.generalized_time("00000101000000Z")),
    ber(raw.certificate("b", "c", key=KEY, unique_ids=raw.tlv(0x81, b"\0\1") + raw.tlv(0x82, b"\0ab"))),
]


def mutant(seed: int) -> bytes:
    """A certificate with some octets changed, cut to the value that it begins with: a BIO reads no more."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(SEEDS))
    for _each in range(chance.choice([1, 1, 1, 2, 3])):
        # not in the outermost header, of which a BIO reads eight octets only
        data[chance.randrange(12, len(data))] = chance.choice(
            [0, 1, 0x80, 0xFF, 0x30, 0x31, chance.randrange(256)]
        )
    try:
        return bytes(data[: der.read(bytes(data))[1]])
    except DerError:
        return bytes(data)


@pytest.mark.skipif(version() < (3, 0), reason="OpenSSL 1.1 reads some strings otherwise")
@pytest.mark.parametrize("block", range(8))
def test_openssl_reads_the_same_mutants(block) -> None:
    read_ones = 0
    for seed in range(block * 200, block * 200 + 200):
        data = mutant(seed)
        try:
            facts = read(data)[0]
        except DerError:
            facts = None
        theirs = openssl_reads(data)
        short_date = facts is not None and any("is no" in fault for fault in facts.date_faults)
        if not short_date:  # of which the versions of OpenSSL think differently
            compare("files", ours=facts is not None, theirs=theirs, case=f"mutant {seed}")
        read_ones += theirs
    assert 50 < read_ones < 190  # or the mutants are too tame, or too wild
