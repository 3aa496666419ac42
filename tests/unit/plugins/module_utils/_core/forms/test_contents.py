# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each form of a file is named for what it is, and an error is said just where nginx refuses the file or does
not see a block of it: by the verdicts of three releases (nginx_verdicts.json, made by
tests/lab/file_forms.py), by the functions of OpenSSL that nginx calls, and by Python's ssl."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import contents, kinds, pem
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    builders,
    forms,
    libcrypto,
    openssl,
    raw,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import compare

VERDICTS = json.loads((Path(__file__).parents[2] / "nginx_verdicts.json").read_text(encoding="utf-8"))
RELEASES = ["1.22", "1.26", "1.30"]
CASES = [(slot, form) for slot in VERDICTS for form in VERDICTS[slot]]

# Every release loads the file, and a block of it is lost.
_IN_EVERY_PLACE = [
    "second indented",
    "END indented",
    "first without END",
    "NUL between",
    "PEM, then DER",
    "PEM, then UTF-16",
    "PEM, then UTF-16 LE",
]
LOST = {
    "certificate": [*_IN_EVERY_PLACE, "plain, then trusted", "trusted certificate behind", "PKCS#7 behind"],
    "trust": [*_IN_EVERY_PLACE, "byte order mark after text", "lower case", "PKCS#7 behind"],
    "crl": [*_IN_EVERY_PLACE, "byte order mark after text", "lower case"],
    "private_key": [],
}
# Refused by what no look at the form can tell: said where the block is read as what it is.
_DAMAGED = "its DER cannot be read"
NOT_OF_THE_FORM = {
    ("certificate", "damaged DER"): _DAMAGED,
    ("certificate", "second damaged DER"): _DAMAGED,
    ("certificate", "commented out"): "on purpose; the key does not fit the next certificate",
    ("trust", "damaged DER"): _DAMAGED,
    ("trust", "second damaged DER"): _DAMAGED,
    ("crl", "damaged DER"): _DAMAGED,
    ("crl", "second damaged DER"): _DAMAGED,
    ("crl", "damaged CRL behind"): _DAMAGED,
    ("private_key", "another key first"): "it is not the certificate's",
    ("private_key", "encrypted before"): "the first key needs a passphrase",
    ("private_key", "URI of a key"): "a provider has to be configured for it",
}


def said(slot: str, form: str) -> list:
    return contents.recognise(forms.of(slot)[form]).findings(slot, "f")


def test_the_table_is_of_these_forms() -> None:
    assert {slot: list(forms.of(slot)) for slot in forms.SLOTS} == {
        slot: list(VERDICTS[slot]) for slot in VERDICTS
    }


@pytest.mark.parametrize(("slot", "form"), CASES, ids=[f"{slot}: {form}" for slot, form in CASES])
def test_an_error_is_said_where_nginx_refuses_or_loses_a_block(slot, form) -> None:
    refused = VERDICTS[slot][form] != RELEASES
    told = any(finding.severity == "error" for finding in said(slot, form))
    if (slot, form) in NOT_OF_THE_FORM:
        assert (refused, told) == (True, False)
    else:
        assert told == (refused or form in LOST[slot])


def loaded(slot: str, data: bytes) -> list[bytes] | None:
    read = {"certificate": libcrypto.certificates, "trust": libcrypto.trust, "crl": libcrypto.crls}
    return read[slot](data)


@libcrypto.needs_libcrypto
@pytest.mark.parametrize(("slot", "form"), [case for case in CASES if case[0] != "private_key"], ids=str)
def test_where_no_error_is_said_openssl_loads_just_these_blocks(slot, form) -> None:
    data = forms.of(slot)[form]
    found = contents.recognise(data)
    ours = [item.der for item in (found.crls() if slot == "crl" else found.certificates())]
    if form in LOST[slot]:
        assert loaded(slot, data) and loaded(slot, data) != _meant(slot)
    elif not any(finding.severity == "error" for finding in said(slot, form)):
        if NOT_OF_THE_FORM.get((slot, form)) == _DAMAGED:
            assert loaded(slot, data) is None
        else:
            compare("files", ours=ours, theirs=loaded(slot, data), case=f"{slot}: {form}")


def _meant(slot: str) -> list[bytes]:
    """What a careful person would find in the files of LOST."""
    world = forms.world()
    return {
        "certificate": [world.leaf, world.issuing],
        "trust": [world.issuing, world.root],
        "crl": [world.root_crl, world.issuing_crl],
    }[slot]


def _ssl_loads(slot: str, path: Path, good: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if slot == "certificate":
            context.load_cert_chain(path, good / "key", password=lambda: "")
        elif slot == "private_key":
            context.load_cert_chain(good / "certificate", path, password=lambda: "")
        else:
            context.load_verify_locations(path)
    except (ssl.SSLError, ValueError):
        return False
    return True


# ssl_client_certificate of old releases reads the file once more, for the names that are sent.
READ_TWICE = [("trust", form) for form in ("trusted", "CRL only")]


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3, 0), reason="nginx of the table has OpenSSL 3")
@pytest.mark.parametrize(("slot", "form"), [case for case in CASES if case not in READ_TWICE], ids=str)
def test_ssl_of_python_judges_as_nginx_before_1_27_4(slot, form, tmp_path) -> None:
    """It calls the same functions, so the table is true of the OpenSSL at hand as well."""
    world = forms.world()
    (tmp_path / "certificate").write_bytes(forms.block("CERTIFICATE", world.leaf))
    (tmp_path / "key").write_bytes(forms.block("PRIVATE KEY", forms.private(world.key)))
    (tmp_path / "form").write_bytes(forms.of(slot)[form])
    loads = _ssl_loads(slot, tmp_path / "form", tmp_path)
    compare("files", ours="1.22" in VERDICTS[slot][form], theirs=loads, case=f"ssl, {slot}: {form}")


LABELS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ODD PRIVATE KEY")
KEYS = {
    "EC": lambda: forms.private(forms.world().key),
    "EC, traditional": lambda: forms.private(forms.world().key, "TraditionalOpenSSL"),
    "encrypted EC": lambda: forms.private(forms.world().key, passphrase=b"abcd"),
    "RSA": lambda: forms.private(builders.slow_key("rsa2048")),
    "RSA, traditional": lambda: forms.private(builders.slow_key("rsa2048"), "TraditionalOpenSSL"),
    "Ed25519": lambda: forms.private(builders.slow_key("ed25519")),
}


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3, 0), reason="nginx of the table has OpenSSL 3")
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("label", LABELS)
def test_a_key_in_a_bundle_stops_old_readers_that_cannot_open_it(label, key, tmp_path) -> None:
    """nginx before 1.27.4 opens what is labelled a key, by the type of the label where it names one, and an
    encrypted one only by its own label."""
    data = forms.block("CERTIFICATE", forms.world().root) + forms.block(label, KEYS[key]())
    (tmp_path / "bundle").write_bytes(data)
    loads = _ssl_loads("trust", tmp_path / "bundle", tmp_path)
    errors = [one for one in contents.recognise(data).findings("trust", "f") if one.severity == "error"]
    compare("files", ours=not errors, theirs=loads, case=f"key in a bundle: {key} as {label}")


NAMES = [
    ("empty", contents.EMPTY, "empty"),
    ("blank", contents.EMPTY, "empty"),
    ("comment", contents.OTHER, ""),
    ("noise", contents.OTHER, ""),
    ("HTML", contents.OTHER, "an HTML page"),
    ("JSON", contents.OTHER, "a JSON Web Key"),
    ("vault", contents.OTHER, "an encrypted Ansible vault"),
    ("gzip", contents.OTHER, "compressed by gzip"),
    ("zip", contents.OTHER, "a ZIP archive"),
    ("Java keystore", contents.OTHER, "a Java keystore (JKS)"),
    ("PuTTY", contents.OTHER, "a private key in PuTTY's own format"),
    ("OpenSSH public key", contents.OTHER, "an OpenSSH public key"),
    ("OpenPGP", contents.OTHER, "an OpenPGP block"),
    ("base64 of PEM", contents.OTHER, "base64 of PEM text"),
    ("base64 without marks", contents.OTHER, "base64 without BEGIN and END lines"),
    ("UTF-16", contents.UTF16, "UTF-16 text"),
    ("UTF-16 LE", contents.UTF16, "UTF-16 text"),
    ("UTF-16 BE", contents.UTF16, "UTF-16 text"),
    ("UTF-32", contents.UTF16, "UTF-16 text"),
    ("DER", contents.DER, "a certificate in DER"),
    ("DER in BER", contents.DER, "a certificate in DER"),
    ("PKCS#7 in PEM", contents.PKCS7, "PKCS#7 in PEM"),
    ("PKCS#7 in DER", contents.PKCS7, "PKCS#7"),
    ("PKCS#12", contents.PKCS12, "PKCS#12"),
    ("PKCS#12 in PEM", contents.PKCS12, "PKCS#12 in PEM"),
    ("plain", contents.PEM, "PEM"),
    ("indented", contents.PEM, "PEM"),
    ("key only", contents.PEM, "PEM"),
]


@pytest.mark.parametrize(("form", "expected", "what"), NAMES, ids=[row[0] for row in NAMES])
def test_each_form_has_its_name(form, expected, what) -> None:
    found = contents.recognise(forms.of("certificate")[form])
    assert (found.form, found.what) == (expected, what)


MESSAGES = [
    (
        "certificate",
        "Java keystore",
        "format.wrong_kind",
        "The file is a Java keystore (JKS); a certificate in PEM belongs here.",
    ),
    ("certificate", "empty", "format.unreadable", "The file is empty."),
    (
        "certificate",
        "comment",
        "format.unreadable",
        "The file holds nothing that is known; a certificate in PEM belongs here.",
    ),
    (
        "certificate",
        "key only",
        "pair.swapped_files",
        "A private key stands where the certificate should be.",
    ),
    (
        "private_key",
        "certificate only",
        "pair.swapped_files",
        "A certificate stands where the private key should be.",
    ),
    (
        "private_key",
        "request",
        "format.wrong_kind",
        "The file holds a certificate request; a private key in PEM belongs here.",
    ),
    (
        "private_key",
        "OpenSSH key",
        "format.wrong_kind",
        "The file holds a private key in OpenSSH's own format; a private key in PEM belongs here.",
    ),
    (
        "private_key",
        "parameters",
        "format.wrong_kind",
        "The file holds key parameters; a private key in PEM belongs here.",
    ),
    (
        "private_key",
        "SEC1 under RSA's label",
        "format.wrong_kind",
        'The block is labelled "RSA PRIVATE KEY" and holds a key of the form SEC1: it is not read.',
    ),
    ("trust", "DER", "format.der", "The file is a certificate in DER, and nginx reads PEM only."),
    ("trust", "PKCS#7 in PEM", "format.pkcs7", "The file is PKCS#7 in PEM, which nginx does not read."),
    (
        "trust",
        "trusted",
        "format.wrong_kind",
        (
            "All certificates of the file are TRUSTED CERTIFICATE blocks: nginx before 1.27.4 refuses that as"
            " ssl_client_certificate."
        ),
    ),
    (
        "trust",
        "OpenSSH key behind",
        "format.wrong_kind",
        'nginx before 1.27.4 refuses the file for its block "OPENSSH PRIVATE KEY", which it cannot open.',
    ),
    ("trust", "UTF-16", "format.utf16", "The file is UTF-16 text, which nginx does not read."),
    (
        "crl",
        "certificate only",
        "format.wrong_kind",
        "The file holds a certificate; CRLs in PEM belong here.",
    ),
    (
        "crl",
        "certificate behind",
        "format.wrong_kind",
        "A certificate stands among the CRLs: nginx before 1.27.4 trusts it as a CA.",
    ),
    (
        "certificate",
        "plain, then trusted",
        "format.wrong_kind",
        "nginx passes over a TRUSTED CERTIFICATE block that is not the first certificate.",
    ),
    (
        "certificate",
        "key as a certificate",
        "format.wrong_kind",
        'The block is labelled "CERTIFICATE" and holds a private key.',
    ),
    ("certificate", "PKCS#12", "format.pkcs12", "The file is PKCS#12, which nginx does not read."),
]


@pytest.mark.parametrize(
    ("slot", "form", "code", "message"), MESSAGES, ids=[f"{r[0]}: {r[1]}" for r in MESSAGES]
)
def test_messages(slot, form, code, message) -> None:
    told = [(finding.code, finding.message) for finding in said(slot, form) if finding.code == code]
    assert told == [(code, message)]


QUIET = [
    "plain",
    "single",
    "CRLF",
    "text around",
    "commented out",
    "repeated",
    "lines of 76",
    "text indented",
]


@pytest.mark.parametrize("slot", forms.SLOTS)
def test_nothing_is_said_of_what_is_in_order(slot) -> None:
    assert {form: said(slot, form) for form in QUIET} == {form: [] for form in QUIET}


def test_trust_settings_are_told_and_kept() -> None:
    world = forms.world()
    (item, _plain) = contents.recognise(forms.of("trust")["trusted, then plain"]).items
    assert (item.kind, item.label, item.der) == (kinds.CERTIFICATE, "TRUSTED CERTIFICATE", world.issuing)
    assert item.aux == forms.aux()
    assert item.text == forms.block("CERTIFICATE", world.issuing)
    assert [finding.code for finding in said("trust", "trusted, then plain")] == [
        "format.trusted_certificate"
    ]
    assert said("trust", "trusted without settings") == []


@pytest.mark.parametrize("form", ["PKCS#7 in PEM", "PKCS#7 in DER"])
def test_a_pkcs7_file_holds_its_certificates_and_crls(form) -> None:
    world = forms.world()
    found = contents.recognise(forms.of("certificate")[form])
    assert [item.der for item in found.certificates()] == [world.leaf, world.issuing]
    assert [item.der for item in found.crls()] == [world.root_crl]
    assert {item.number for item in found.items} == {0}


def test_utf16_holds_what_its_text_holds() -> None:
    found = contents.recognise(forms.of("trust")["UTF-16"])
    assert [item.der for item in found.certificates()] == [forms.world().issuing, forms.world().root]


def test_several_values_in_one_der_file() -> None:
    world = forms.world()
    found = contents.recognise(world.leaf + world.root_crl + b"rest")
    assert [(item.kind, item.der) for item in found.items] == [
        (kinds.CERTIFICATE, world.leaf),
        (kinds.CRL, world.root_crl),
    ]


HIDING = [
    ("PKCS#8", forms.block("PRIVATE KEY", b"\x30\x03\x02\x01"), [1]),
    ("under a certificate's label", forms.of("certificate")["key as a certificate"], [1]),
    ("under an unknown label", forms.block("STRANGE", forms.private(forms.world().key)), [1]),
    ("OpenSSH's", forms.openssh(forms.world().key), [1]),
    ("in DER", forms.private(forms.world().key), [0]),
    ("encrypted in DER", forms.private(forms.world().key, passphrase=b"a"), [0]),
    ("cut off", forms.block("PRIVATE KEY", bytes(99))[:90], [1]),
    ("indented", b"\n " + forms.block("PRIVATE KEY", bytes(99)).replace(b"\n", b"\n "), [2]),
    ("without line breaks", forms.block("PRIVATE KEY", bytes(99)).replace(b"\n", b"\\n"), [1]),
    ("not base64", forms.block("PRIVATE KEY", bytes(99)).replace(b"AAA", b"***"), [1]),
    ("swallowed", forms.block("X", b"\x30\x00")[:-16] + forms.block("EC PRIVATE KEY", bytes(99)), [3]),
    ("in UTF-16", forms.block("PRIVATE KEY", bytes(99)).decode().encode("utf-16"), [1]),
    (
        "cut off in UTF-16",
        forms.block("PRIVATE KEY", bytes(99))[:90].decode().encode("utf-16"),
        [1],
    ),
    (
        "behind a PKCS#7 of thousands",
        forms.block("PKCS7", forms.pkcs7([b"\x30\x00"] * 9_999))
        + forms.block("PKCS7", forms.pkcs7([b"\x30\x00"] * 2))
        + forms.block("PRIVATE KEY", bytes(99)),
        [424],
    ),
    (
        "behind its parameters, without line breaks",
        forms.block("EC PARAMETERS", bytes(10)).replace(b"\n", b"\\n")
        + forms.block("EC PRIVATE KEY", bytes(99)).replace(b"\n", b"\\n"),
        [1],
    ),
    ("in small letters", forms.block("rsa private key", bytes(99)), [1]),
    (
        "OpenSSH's under another label",
        forms.block("OPENSSH CERTIFICATE", b"openssh-key-v1\0" + bytes(99)),
        [1],
    ),
    ("PEM behind DER", forms.world().leaf + forms.block("PRIVATE KEY", bytes(99)), [0]),
    (
        "indented behind DER",
        forms.world().leaf + b"\n    " + forms.block("PRIVATE KEY", bytes(99)).replace(b"\n", b"\n    "),
        [0],
    ),
    ("cut off in PEM behind DER", forms.world().leaf + forms.block("PRIVATE KEY", bytes(99))[:90], [0]),
    ("PEM behind PKCS#7", forms.pkcs7([forms.world().leaf]) + forms.block("PRIVATE KEY", bytes(99)), [0]),
    (
        "DER behind PEM",
        forms.block("CERTIFICATE", forms.world().leaf) + forms.private(forms.world().key),
        [9],
    ),
    (
        "UTF-16 behind PEM",
        forms.block("CERTIFICATE", forms.world().leaf)
        + forms.block("PRIVATE KEY", bytes(99)).decode().encode("utf-16-le"),
        [9],
    ),
    ("a certificate behind DER", forms.world().leaf + forms.block("CERTIFICATE", forms.world().leaf), []),
    ("a certificate", forms.block("CERTIFICATE", forms.world().leaf), []),
    ("a public key", forms.block("PUBLIC KEY", raw.spki(forms.world().key)), []),
]


@pytest.mark.parametrize(("data", "lines"), [row[1:] for row in HIDING], ids=[row[0] for row in HIDING])
def test_a_private_key_is_found_however_it_is_hidden(data, lines) -> None:
    assert contents.recognise(data).private_key_lines() == lines


JOINED = [
    ("DER, then PEM", forms.world().leaf + forms.block("CERTIFICATE", forms.world().root), "format.der", "f"),
    (
        "PEM, then DER",
        forms.block("CERTIFICATE", forms.world().leaf) + forms.world().root,
        "format.der",
        "f:9",
    ),
    (
        "PKCS#7, then PEM",
        forms.pkcs7([forms.world().leaf]) + forms.block("CERTIFICATE", forms.world().root),
        "format.pkcs7",
        "f",
    ),
    *(
        (
            f"PEM, then {name}",
            forms.block("CERTIFICATE", forms.world().leaf)
            + forms.block("CERTIFICATE", forms.world().root).decode().encode(name),
            "format.utf16",
            "f:9",
        )
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32-le")
    ),
]


@pytest.mark.parametrize(
    ("data", "code", "place"), [row[1:] for row in JOINED], ids=[row[0] for row in JOINED]
)
def test_files_of_several_forms_joined_by_cat(data, code, place) -> None:
    """All of it is there, and what nginx does not see is said."""
    found = contents.recognise(data)
    assert [item.der for item in found.certificates()] == [forms.world().leaf, forms.world().root]
    assert [(one.code, one.severity, one.place) for one in found.findings("trust", "f")] == [
        (code, "error", place)
    ]


@libcrypto.needs_libcrypto
@pytest.mark.parametrize("name", [row[0] for row in JOINED if row[0].startswith("PEM")])
def test_openssl_reads_the_first_of_joined_files(name) -> None:
    data = next(row[1] for row in JOINED if row[0] == name)
    seen = [item.der for item in contents.recognise(data).certificates() if item.seen]
    compare("files", ours=seen, theirs=libcrypto.trust(data), case=f"joined: {name}")


@pytest.mark.parametrize(
    "text", ["the DER behind it: ", "0 certificates follow\n", "\x30\x82 is how DER begins\n"]
)
def test_text_behind_blocks_is_no_fault(text) -> None:
    data = forms.block("CERTIFICATE", forms.world().leaf) + text.encode()
    assert contents.recognise(data).findings("trust", "f") == []


def test_no_repr_shows_a_key() -> None:
    key = forms.private(forms.world().key)
    found = contents.recognise(forms.block("PRIVATE KEY", key))
    assert repr(key)[2:-1] not in repr(found)
    assert "MIG" not in repr(found)


def test_places() -> None:
    item = contents.recognise(b"x\n" + forms.block("CERTIFICATE", forms.world().leaf)).items[0]
    assert item.place("a.pem") == "a.pem:2"
    assert contents.recognise(forms.world().leaf).items[0].place("a.der") == "a.der"


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN A-----\n" * 30_000,
        b"-----BEGIN A-----x-----\n" * 30_000,
        b" -----BEGIN CERTIFICATE-----\nAAAA\n" * 20_000,
        b"-----BEGIN " * 60_000,
        b"-----BEGIN A-----\n:\n" + b"\n" * 300_000,
        b"-----BEGIN A-----\n-----END B-----\n" * 20_000,
        b"\0\n-----BEGIN A-----\n" * 30_000,
        b"\0" * 500_000,
        b"\x30\x80" * 250_000,
        b"\x30" * 500_000,
        b"\x30\x02\x30\x00" * 100_000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_hostile_files_are_read_in_linear_time(data) -> None:
    """No clock: quadratic time would be minutes here, and the run's own limit ends it."""
    found = contents.recognise(data)
    assert len(found.problems) <= 1000
    for slot in contents.SLOTS:
        assert found.findings(slot, "f")


_TINY = b"\x30\x00"
MANY = [
    ("certificates in DER", forms.world().leaf * 10_000, 10_000, False),
    ("certificates in DER, one too many", forms.world().leaf * 10_001, 10_000, True),
    ("values of no kind behind", forms.world().leaf + _TINY * 10_000, 1, True),
    ("PKCS#12 with as many behind", forms.pkcs12() + _TINY * 10_000, 1, True),
    ("PKCS#7", forms.pkcs7([_TINY] * 9_999, [_TINY]), 10_000, False),
    ("PKCS#7 in PEM", forms.block("PKCS7", forms.pkcs7([_TINY] * 10_000)), 10_000, False),
    ("PKCS#7s in PEM", forms.block("PKCS7", forms.pkcs7([_TINY] * 100)) * 100, 10_000, False),
    ("PKCS#7s in PEM, one too many", forms.block("PKCS7", forms.pkcs7([_TINY] * 100)) * 101, 10_001, True),
    ("hostile PKCS#7s", forms.block("PKCS7", forms.pkcs7([_TINY] * 200)) * 9_000, 18_950, True),
]


@pytest.mark.parametrize(("data", "items", "told"), [row[1:] for row in MANY], ids=[row[0] for row in MANY])
def test_a_file_of_more_values_than_any_has(data, items, told) -> None:
    """No clock: 1.8 million values would be minutes, and the run's own limit ends it."""
    found = contents.recognise(data)
    assert len(found.items) == items
    for slot in ("certificate", "trust", "chain", "crl", "private_key"):
        assert ("file.too_large" in [finding.code for finding in found.findings(slot, "f")]) == told


@pytest.mark.parametrize(("certificates", "crls", "opened"), [(9_999, 1, 10_000), (9_999, 2, 1)])
def test_a_pkcs7_of_more_than_any_has_is_not_opened(certificates, crls, opened) -> None:
    found = contents.recognise(forms.pkcs7([_TINY] * certificates, [_TINY] * crls))
    assert len(found.items) == opened and (found.items[0].kind == kinds.PKCS7) == (opened == 1)
    assert [finding.code for finding in found.findings("trust", "f")] == ["format.pkcs7"]


@openssl.needs_openssl
def test_openssl_reads_as_many_as_there_are() -> None:
    data = forms.pkcs7([forms.world().leaf] * 10_001)
    said = openssl.ask("pkcs7", "-inform", "DER", "-print_certs", stdin=data)
    compare(
        "files",
        ours=len(contents.recognise(data).certificates()),
        theirs=said.out.count("BEGIN CERTIFICATE"),
        case="more than 10,000 values in a file",
    )


def test_no_flood_of_blocks_and_findings() -> None:
    request = forms.block("CERTIFICATE", forms.world().request)
    found = contents.recognise(request * 10_001)
    assert len(found.items) == 10_000
    told = found.findings("trust", "f")
    assert told[0].code == "file.too_large"
    assert [finding.message for finding in told[-2:]] == [
        'The block is labelled "CERTIFICATE" and holds a certificate request.',
        "The file has 9980 more faults of this kind.",
    ]
    assert len(contents.recognise(request * 3).findings("trust", "f")) == 3


def test_problems_of_a_key_file_are_harmless_where_a_key_is_read() -> None:
    key = forms.block("PRIVATE KEY", forms.private(forms.world().key))
    damaged = forms.block("X", bytes(9)).replace(b"A", b"*", 1)
    told = contents.recognise(damaged + key).findings("private_key", "f")
    assert [(finding.code, finding.severity) for finding in told] == [("format.damaged", "warning")]
    told = contents.recognise(damaged).findings("private_key", "f")
    assert [(finding.code, finding.severity) for finding in told] == [("format.damaged", "error")]


def test_encoded_blocks_are_recognised() -> None:
    data = pem.encode("X509 CRL", forms.world().root_crl)
    assert [item.kind for item in contents.recognise(data).items] == [kinds.CRL]
