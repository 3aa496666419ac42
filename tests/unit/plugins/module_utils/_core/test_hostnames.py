# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names and addresses: the expected answer, what is said of it, and the answer of `openssl x509`."""

from __future__ import annotations

import random
import tracemalloc
from functools import cache

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import hostnames
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)

CN = "2.5.4.3"


@cache
def spki() -> bytes:
    return raw.spki(builders.new_key())


def made(dns=(), ips=(), cns=(), san: bytes | None = None) -> bytes:
    """[leaf] of nobody's signature with these names, DER: *dns* are texts (UTF-8) or bytes, *ips* bytes,
    *cns* texts or strings with their tag; *san* is the whole extension instead of *dns* and *ips*."""
    general = [
        raw.context(2, one if isinstance(one, bytes) else one.encode(), constructed=False) for one in dns
    ]
    general += [raw.ip_name(one) for one in ips]
    extensions = [san or raw.alternative_names(*general)] if san or general else None
    subject = raw.name(*(raw.attribute(CN, one if isinstance(one, bytes) else raw.utf8(one)) for one in cns))
    to_be_signed = raw.tbs(spki(), subject, raw.common_name("CA"), extensions=extensions)
    return raw.seq(to_be_signed, raw.seq(raw.oid("1.2.840.10045.4.3.2")), raw.bit_string(b"\0"))


def examine(der: bytes, *wanted: str):
    return hostnames.examine(certificate.from_der(der).facts, wanted)


def codes(der: bytes, *wanted: str) -> list[str]:
    return [finding.code for finding in examine(der, *wanted)[1]]


def theirs(der: bytes, option: str, name: str) -> bool:
    """By the words: the exit code says nothing before OpenSSL 3.2."""
    said = ask("x509", "-noout", option, name, stdin=raw.pem(der))
    assert "match certificate" in said.out, said
    return "NOT match" not in said.out


V4, OTHER_V4 = b"\x0a\0\0\1", b"\x0a\0\0\2"
V6 = bytes.fromhex("20010db8000000000000000000000001")
MAPPED = bytes(10) + b"\xff\xff" + V4

# DNS names of the certificate, name, matches
DNS = [
    ("a.example.com", "a.example.com", True),
    ("A.example.COM", "a.example.com", True),
    ("a.example.com", "A.EXAMPLE.com", True),
    ("a.example.com", "b.example.com", False),
    ("a.example.com", "a.example.co", False),
    ("a.example.com", "a.example.com.", False),
    ("a.example.com.", "a.example.com.", True),
    ("a.example.com.", "a.example.com", False),
    ("localhost", "localhost", True),
    ("a_b.example.com", "a_b.example.com", True),
    # a leading dot: every name below
    ("a.example.com", ".example.com", True),
    ("a.b.example.com", ".example.com", True),
    ("*.example.com", ".example.com", True),
    ("example.com", ".example.com", False),
    ("aexample.com", ".example.com", False),
    (".example.com", ".example.com", True),
    (".example.com", "a.example.com", False),
    (b"\0.example.com", ".example.com", False),
    (".", ".", True),
    # wildcards
    ("*.example.com", "a.example.com", True),
    ("*.example.com", "A-1.EXAMPLE.com", True),
    ("*.example.com", "a.b.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.example.com", "a_b.example.com", False),
    ("*.example.com", "ü.example.com", False),
    ("*.example.com", "*.example.com", True),
    ("*.example.com", "**.example.com", False),
    ("*.example.com", "a.example.com.", False),
    ("*.example.com.", "a.example.com.", False),
    ("*.com", "example.com", False),
    ("*.com", "*.com", True),
    ("*", "localhost", False),
    ("*", "*", True),
    ("*.*.com", "a.example.com", False),
    ("*.*.com", "*.*.com", True),
    ("a.*.example.com", "a.b.example.com", False),
    ("a.*.example.com", "a.*.example.com", True),
    ("a*.example.com", "ab.example.com", True),
    ("a*.example.com", "a.example.com", True),
    ("a*.example.com", "b.example.com", False),
    ("*b.example.com", "ab.example.com", True),
    ("*b.example.com", "b.example.com", True),
    ("a*c.example.com", "abc.example.com", False),
    ("a*c.example.com", "a*c.example.com", True),
    ("**.example.com", "ab.example.com", False),
    ("*-a.example.com", "b-a.example.com", True),
    ("-*.example.com", "-a.example.com", False),
    ("a-*.example.com", "a-b.example.com", False),
    ("*-.example.com", "a-.example.com", False),
    ("*.-example.com", "a.-example.com", False),
    ("*.example-.com", "a.example-.com", False),
    ("*..com", "a..com", False),
    ("*.ex_ample.com", "a.ex_ample.com", False),
    ("*.10.0.1", "10.10.0.1", False),  # an address, and not among the addresses
    # IDNA
    ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com", True),
    ("xn--bcher-kva.example.com", "bücher.example.com", False),
    ("*.example.com", "xn--bcher-kva.example.com", True),
    ("*.example.com", "bücher.example.com", False),
    ("x*.example.com", "xn--a.example.com", False),
    ("x*.example.com", "xa--a.example.com", True),
    ("*a.example.com", "xn--a.example.com", False),
    ("xn--*.example.com", "xn--a.example.com", False),
    ("XN--*.example.com", "xn--a.example.com", False),
    ("*xn--a.example.com", "bxn--a.example.com", True),
    ("*xn--a.example.com", "xn--a.example.com", False),
    ("*.xn--a.com", "b.xn--a.com", True),
    ("bücher.example.com", "bücher.example.com", True),
    ("BÜcher.example.com", "bücher.example.com", False),
    # NUL and other bytes
    (b"a.example.com\0.evil.com", "a.example.com", False),
    (b"a\0.example.com", "a.example.com", False),
    (b"\xfc.example.com", "ü.example.com", False),
    (b"", "a.example.com", False),
    ("a.example.com\n", "a.example.com", False),
    # an address is no DNS name
    ("10.0.0.1", "10.0.0.1", False),
    ("10.0.0.1", "10.0.0.01", False),
    ("10.0.0.256", "10.0.0.256", True),
    ("2001:db8::1", "2001:db8::1", False),
]


@pytest.mark.parametrize(("pattern", "name", "matches"), DNS)
def test_dns(pattern, name, matches) -> None:
    result, findings = examine(made([pattern], cns=[name]), name)
    assert result == {name: matches}
    assert ("name.mismatch" in [finding.code for finding in findings]) is not matches


@needs_openssl
@pytest.mark.parametrize(("pattern", "name"), [row[:2] for row in DNS])
def test_openssl_says_the_same_of_dns_names(pattern, name) -> None:
    der = made([pattern], cns=[name])
    option = "-checkhost" if hostnames.address(name) is None else "-checkip"
    compare("hosts", examine(der, name)[0][name], theirs(der, option, name), f"{pattern!r} for {name!r}")


# name of the case, the certificate's names, wanted name, valid, findings
NAMES = [
    ("one of several", made(["b.test", "a.test"]), "a.test", True, []),
    ("no names", made(), "a.test", False, ["name.mismatch"]),
    ("common name", made(cns=["a.test"]), "a.test", True, ["name.common_name_only"]),
    ("second common name", made(cns=["b.test", "a.test"]), "a.test", True, ["name.common_name_only"]),
    ("wildcard as common name", made(cns=["*.a.test"]), "b.a.test", True, ["name.common_name_only"]),
    ("common name beside an address", made(ips=[V4], cns=["a.test"]), "a.test", True,
     ["name.common_name_only"]),
    ("common name beside a DNS name", made(["b.test"], cns=["a.test"]), "a.test", False, ["name.mismatch"]),
    ("common name beside an empty DNS name", made([""], cns=["a.test"]), "a.test", False, ["name.mismatch"]),
    ("empty common name", made(cns=["", "a.test"]), "a.test", True, ["name.common_name_only"]),
    ("both", made(["a.test"], cns=["a.test"]), "a.test", True, []),
    ("common name in UTF-8", made(cns=["bücher.test"]), "bücher.test", True, ["name.common_name_only"]),
    ("common name in UTF-16", made(cns=[raw.bmp("bücher.test")]), "bücher.test", True,
     ["name.common_name_only"]),
    ("common name in UTF-32", made(cns=[raw.universal("a.test")]), "a.test", True, ["name.common_name_only"]),
    ("common name in Latin 1", made(cns=[raw.t61("bücher.test")]), "bücher.test", True,
     ["name.common_name_only"]),
    ("common name of bits", made(cns=[raw.bit_string(b"a.test")]), "a.test", False, ["name.mismatch"]),
    ("common name behind one of bits", made(cns=[raw.bit_string(b"x"), "a.test"]), "a.test", False,
     ["name.mismatch"]),
    ("common name before one of bits", made(cns=["a.test", raw.bit_string(b"x")]), "a.test", True,
     ["name.common_name_only"]),
    ("common name with NUL", made(cns=["a.test\0.evil"]), "a.test", False, ["name.mismatch"]),
    ("unreadable names", made(cns=["a.test"], san=raw.extension(raw.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05")),
     "a.test", True, ["name.common_name_only"]),
    ("names of another kind", made(cns=["a.test"], san=raw.alternative_names(raw.email_name("a@a.test"))),
     "a.test", True, ["name.common_name_only"]),
    ("an email address that looks so", made(san=raw.alternative_names(raw.email_name("a.test"))),
     "a.test", False, ["name.mismatch"]),
    ("IPv4", made(ips=[V4]), "10.0.0.1", True, ["name.ip_address"]),
    ("another IPv4", made(ips=[OTHER_V4]), "10.0.0.1", False, ["name.mismatch"]),
    ("IPv4 as DNS name", made(["10.0.0.1"]), "10.0.0.1", False, ["name.ip_address", "name.mismatch"]),
    ("IPv4 as common name", made(cns=["10.0.0.1"]), "10.0.0.1", False, ["name.ip_address", "name.mismatch"]),
    ("IPv4 as common name beside a DNS name", made(["a.test"], cns=["10.0.0.1"]), "10.0.0.1", False,
     ["name.mismatch"]),
    ("IPv4 both ways", made(["10.0.0.1"], [V4]), "10.0.0.1", True, []),
    ("IPv4 and the common name", made(ips=[V4], cns=["10.0.0.1"]), "10.0.0.1", True, []),
    ("IPv6", made(ips=[V6]), "2001:db8::1", True, ["name.ip_address"]),
    ("IPv6 in brackets", made(ips=[V6]), "[2001:db8::1]", True, ["name.ip_address"]),
    ("IPv6 in full", made(ips=[V6]), "2001:0DB8:0:0:0:0:0:0001", True, ["name.ip_address"]),
    ("IPv6 both ways", made(["[2001:db8::1]"], [V6]), "2001:db8::1", True, []),
    ("IPv6 as DNS name without brackets", made(["2001:db8::1"], [V6]), "2001:db8::1", True,
     ["name.ip_address"]),
    ("mapped IPv4", made(ips=[MAPPED]), "::ffff:10.0.0.1", True, ["name.ip_address"]),
    ("mapped IPv4 for the plain one", made(ips=[MAPPED]), "10.0.0.1", False, ["name.mismatch"]),
    ("a network for an address", made(ips=[V4 + b"\xff" * 4]), "10.0.0.1", False, ["name.mismatch"]),
    ("an empty address", made(ips=[b""]), "10.0.0.1", False, ["name.mismatch"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("der", "name", "valid", "said"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES]
)
def test_names(der, name, valid, said) -> None:
    assert (examine(der, name)[0], codes(der, name)) == ({name: valid}, said)


@needs_openssl
@pytest.mark.parametrize(("case", "der", "name"), [row[:3] for row in NAMES], ids=[row[0] for row in NAMES])
def test_openssl_says_the_same_of_names(case, der, name) -> None:
    option = "-checkhost" if hostnames.as_ip(name) == "" else "-checkip"
    said = theirs(der, option, name.strip("[]"))
    compare("hosts", examine(der, name)[0][name], said, case)


ADDRESSES = [
    "10.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "1::2", "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::10.0.0.1", "::FFFF:10.0.0.1", "1:2:3:4:5:6:10.0.0.1",
    "2001:DB8::A",
]  # fmt: skip
OTHER_TEXTS = [
    "10.0.0.256", "10.0.1", "1.2.3.4.5", "10.0.0.1.", "10..0.1", "0x0a.0.0.1", "10.0.0.1/8", "a.test", "a:b",
    "1:2:3:4:5:6:7::8", ":::", "::1::", ":1::", "1:::2", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "10.0.0.1::", "1:2:3:4:5:6:7:10.0.0.1", "::10.0.0.1:1", "::10.0.0.256",
    "fe80::1%eth0", "::g", "::12345", "::1/64",
    # where OpenSSL, or one of its versions, reads one: differences.py
    "10.0.0.01", "010.0.0.1", " 10.0.0.1", "10.0.0.1 ", "+10.0.0.1", "::010.0.0.1", ":",
]  # fmt: skip
SPELLINGS = [(text, True) for text in ADDRESSES] + [(text, False) for text in OTHER_TEXTS]


@pytest.mark.parametrize(("text", "is_address"), SPELLINGS)
def test_spelling(text, is_address) -> None:
    assert (hostnames.address(text) is not None) is is_address
    assert (hostnames.as_ip(text) != "") is is_address


@needs_openssl
@pytest.mark.parametrize("text", [row[0] for row in SPELLINGS])
def test_openssl_reads_the_same_address(text) -> None:
    """It says that a certificate does not match an address, but that it "does match" what is none (before
    4.0): so another address tells what is none, and the right one tells which it is."""
    octets = hostnames.address(text)
    stranger, right = made(ips=[b"\1" * 4, b"\1" * 16]), made(ips=[octets or V4])
    compare("hosts", octets is not None, not theirs(stranger, "-checkip", text), f"{text!r} as an address")
    if octets is not None:
        compare("hosts", True, theirs(right, "-checkip", text), f"{text!r} as an address, its value")


LABELS = ["a", "b", "ab", "xn--a", "*", "*", "a*", "*b", "a*b", "**", "-a", "a-", "", "ü", "_", "10", "A"]


def near(pattern: str, choice: random.Random) -> str:
    name = pattern.replace("*", choice.choice(["a", "ab", "", "*", "a.b", "xn--a", "-", "ü", "_"]))
    return choice.choice([name, name, name, name.upper(), name + ".", "." + name, name[1:], "x" + name])


@needs_openssl
def test_openssl_says_the_same_of_random_names() -> None:
    """A sample; 35,000 of this kind went through X509_check_host of 3.0, 3.5 and 3.6 without a difference."""
    choice = random.Random(9)
    for number in range(40):
        patterns = [".".join(choice.choices(LABELS, k=choice.choice([1, 2, 3, 3, 4]))) for dummy in range(3)]
        name = near(patterns[0], choice)
        dns, cns = choice.choice([(patterns, []), ([], patterns), (patterns[1:], patterns[:1])])
        der = made(dns, cns=cns)
        if hostnames.as_ip(name) == "":
            compare("hosts", examine(der, name)[0][name], theirs(der, "-checkhost", name), f"random {number}")


def test_a_name_given_twice_is_told_once() -> None:
    assert codes(made(["b.test"]), "a.test", "a.test") == ["name.mismatch"]
    assert codes(made(["b.test"]), "a.test", "c.test") == ["name.mismatch"] * 2


@pytest.mark.parametrize("name", ["", "\0", "a.test\0", "\ud800", "a\n.test", "." * 300, "a" * 100_000])
def test_no_name_raises(name) -> None:
    result, findings = examine(made(["a.test"], [V4]), name)
    assert result == {name: False}
    assert all(len(finding.message) < 600 and finding.message.isprintable() for finding in findings)


HINTS = [
    ("a.test", "a.test.", "without the dot at the end"),
    ("xn--bcher-kva.test", "bücher.test", "as xn--bcher-kva.test"),
    ("xn--bcher-kva.test", "bacher.test", None),
    ("b.test", "a.test.", None),
]


@pytest.mark.parametrize(("pattern", "name", "hint"), HINTS)
def test_message_tells_a_wrong_spelling(pattern, name, hint) -> None:
    (finding,) = examine(made([pattern]), name)[1]
    assert (hint in finding.message) if hint else "written" not in finding.message


def test_message_shows_the_certificate_s_names() -> None:
    der = made(["a.test", b"x\n\xff\0"], [V4, V6, b"\1"], cns=["b1"])
    (finding,) = examine(der, "c.test")[1]
    assert finding.message == (
        '"CN=b1" is not valid for c.test'
        " (it has: a.test, x\\0A\\FF\\00, 10.0.0.1, 2001:db8::1, an address of 1 octets)."
    )
    (many,) = examine(made([f"{number}.test" for number in range(1000)]), "c.test")[1]
    assert many.message.endswith("7.test and 992 more).")
    (none,) = examine(made(), "c.test")[1]
    assert none.message.endswith("(it has: none).")


def test_many_names_take_little() -> None:
    """Ten thousand patterns against a hundred names: no copy of the certificate's names for each."""
    der = made([f"*.n{number}.example.com" for number in range(2000)])
    wanted = [f"a.n{number}.example.com" for number in range(50)]
    facts = certificate.from_der(der).facts
    tracemalloc.start()
    result, _findings = hostnames.examine(facts, wanted)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(result.values())
    assert peak < 2_000_000


def test_sets() -> None:
    assert hostnames.name_set(["A.test.", "2001:DB8:0::1"]) == {"a.test", "2001:db8::1"}
    assert hostnames.name_set(["[::1]", "010.0.0.1"]) == {"::1", "010.0.0.1"}
