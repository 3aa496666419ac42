# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the bytes are: an answer in bounded time, no traceback, no secret told, the neighbours unharmed,
and nothing that is forged verifies.

A sample runs with the units, always the same; `make fuzz` runs many more, other ones each time. A failure
prints the bytes: mend the code, and keep them in KEPT.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import tempfile
from datetime import datetime, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl_bundle import Policy
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import CATALOGUE
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import contents, pem
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import (
    bundle,
    certificate,
    credential,
    crl,
    crl_bundle,
    key,
    pkcs12,
    shelf,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    corpus,
    mutations,
    raw,
    watchdog,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import compare
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.tally import COUNTS

MANY = int(os.environ.get("MTLS_FUZZ_EXAMPLES", "0"))
hostile = settings(
    max_examples=MANY or 60,
    derandomize=not MANY,
    deadline=None,  # watchdog.limited instead
    database=None,
    suppress_health_check=list(HealthCheck),
)

# What each certificate of the corpus is signed over: no other one may verify.
GENUINE = [raw.parts(one.der)[0] for one in (corpus.LEAF, corpus.INTERMEDIATE, corpus.ROOT)]

specs = st.fixed_dictionaries(
    {},
    optional={
        "passphrase": st.sampled_from(["", corpus.PASSPHRASE, "wrong", "ä\x00\n", "x" * 2000]),
        "purpose": st.sampled_from(["server", "client", "any"]),
        "hostnames": st.lists(
            st.one_of(
                st.text(max_size=20),
                st.sampled_from(
                    ["b1.example.com", "*.example.com", "192.0.2.1", "::1", "a" * 70 + ".", "..", "xn--"]
                ),
            ),
            max_size=3,
        ),
        "verify_depth": st.sampled_from([0, 1, 5, 100, -1]),
        "min_days": st.sampled_from([0, 1, 10**6, -5]),
    },
)
moments = st.one_of(
    st.just(corpus.AT),
    st.datetimes(timezones=st.just(timezone.utc)),
    st.sampled_from(
        [datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)]
    ),
)


def examined(spec, at, known=None) -> dict:
    with watchdog.limited():
        return credential.examine(spec, at, known or shelf.Shelf())


def check_element(element: dict, spec) -> None:
    """What holds for each element, whatever was given."""
    told = json.dumps(element)
    assert not [secret for secret in corpus.private_octets() if secret.decode("latin-1") in told]
    assert element["matches"] in (True, False, None) and element["verifies"] in (True, False, None)
    wanted = spec.get("hostnames") or [] if element["certificate"] else []
    assert set(element["hostnames"]) == set(wanted)
    for finding in element["findings"]:
        assert finding["code"] in CATALOGUE
        assert finding["message"].isprintable(), finding
        assert finding["message"].endswith("."), finding
        assert finding["place"].isprintable(), finding


def check_verdict(element: dict, spec) -> None:
    """Only what a CA of the trust bundle has signed verifies."""
    if element["verifies"] and spec.get("trust") == corpus.ROOT.pem:
        sha256 = element["certificate"]["sha256"]
        (leaf,) = {der for der in loaded(spec["certificate"]) if hashlib.sha256(der).hexdigest() == sha256}
        assert any(genuine in leaf for genuine in GENUINE)


def loaded(data: bytes) -> list[bytes]:
    """The certificates of a file; of a store also those that lie open in one that is damaged."""
    store = pkcs12.open_store(data, corpus.PASSPHRASE, "certificate")
    found = certificate.load("certificate", data, "certificate").certificates
    return [*(one.der for one in found), *store.certificates]


# Inputs that once broke something; each is put in every slot.
KEPT: dict[str, bytes] = {
    "nested sequences": raw.tlv(0x30, raw.tlv(0x30, raw.tlv(0x30, b""))),
    "indefinite lengths, never closed": b"0\x80" * 3000,
}


@pytest.mark.parametrize("slot", contents.SLOTS)
@pytest.mark.parametrize("data", KEPT.values(), ids=KEPT)
def test_kept(slot, data) -> None:
    spec = {**corpus.good(), slot: data, "passphrase": corpus.PASSPHRASE}
    check_element(examined(spec, corpus.AT), spec)


def test_the_corpus_is_sound() -> None:
    element = examined(corpus.good(), corpus.AT)
    assert (element["matches"], element["verifies"], element["findings"]) == (True, True, [])


@pytest.mark.parametrize("slot", contents.SLOTS)
@hostile
@given(st.data())
def test_a_slot_takes_anything(slot, data) -> None:
    """One slot of a sound credential is spoilt; the one after it, with the same files, does not notice."""
    COUNTS["example", f"slot {slot}"] += 1
    spec = {**corpus.good(), **data.draw(specs), slot: data.draw(mutations.files())}
    at = data.draw(moments)
    known = shelf.Shelf()
    element = examined(spec, at, known)
    check_element(element, spec)
    check_verdict(element, spec)
    assert examined(corpus.good(), at, known) == examined(corpus.good(), at)


@hostile
@given(st.fixed_dictionaries({slot: mutations.files() for slot in contents.SLOTS}), specs, moments)
def test_all_slots_take_anything(files, options, at) -> None:
    COUNTS["example", "all slots"] += 1
    spec = {**files, **options}
    check_element(examined(spec, at), spec)


@hostile
@given(st.one_of(mutations.ders(corpus.LEAF.der), mutations.ders(corpus.INTERMEDIATE.der)))
def test_no_forged_certificate_verifies(der) -> None:
    COUNTS["example", "forged certificate"] += 1
    for forged in ([der, corpus.INTERMEDIATE.der], [corpus.LEAF.der, der]):
        spec = {**corpus.good(), "certificate": b"".join(raw.pem(one) for one in forged), "crl": None}
        element = examined(spec, corpus.AT)
        check_element(element, spec)
        check_verdict(element, spec)


@hostile
@given(st.lists(mutations.files(), min_size=1, max_size=3), st.booleans(), moments)
def test_a_bundle_takes_anything(files, with_good, at) -> None:
    COUNTS["example", "bundle"] += 1
    sources = [(f"source {number}", data) for number, data in enumerate(files)]
    if with_good:
        sources.append(("good", corpus.ROOT.pem))
    policy = {"on_leaf": "drop", "on_non_ca": "drop"}
    try:
        with watchdog.limited():
            made = bundle.build(sources, at, **policy)
    except MtlsError as error:
        told = f"{error.message} {error.place}"
        assert error.code in CATALOGUE and told.isprintable()
    else:
        check_bundle(made)
        assert made.pem == bundle.build(sources[::-1], at, **policy).pem


def check_bundle(made: bundle.Bundle) -> None:
    blocks = pem.parse(made.pem).blocks
    assert {block.label for block in blocks} == {"CERTIFICATE"}
    assert not [secret for secret in corpus.private_octets() if secret in made.pem]
    digests = [certificate.sha256_hex(block.der) for block in blocks]
    assert digests == [row["sha256"] for row in made.certificates] and len(set(digests)) == len(digests)


ROOTS_CRL = raw.pem(corpus.crl_der(corpus.ROOT), "X509 CRL")


@hostile
@given(st.lists(mutations.files(), min_size=1, max_size=3), st.booleans(), moments)
def test_a_crl_file_takes_anything(files, in_trust, at) -> None:
    """Beside a good CRL and its CA, in a directory of CRLs or of CAs."""
    COUNTS["example", "CRL file"] += 1
    found = [(f"source {number}", data) for number, data in enumerate(files)]
    given_to = [[("root", corpus.ROOT.pem)], [("crl", ROOTS_CRL)]]

    def build(odd) -> crl_bundle.CrlBundle:
        trust, lists = (
            crl_bundle.Sources(good, odd if (good is given_to[0]) == in_trust else []) for good in given_to
        )
        return crl_bundle.build(trust, lists, at, Policy(min_hours=0, on_foreign="drop"))

    try:
        with watchdog.limited():
            made = build(found)
    except MtlsError as error:
        told = f"{error.message} {error.place}"
        assert error.code in CATALOGUE and told.isprintable()
    else:
        assert made.pem == build(found[::-1]).pem and json.dumps(crl_bundle.told(made))
        blocks = pem.parse(made.pem).blocks
        assert {block.label for block in blocks} == {"X509 CRL"}
        assert [hashlib.sha256(block.der).hexdigest() for block in blocks] == [
            row["sha256"] for row in made.crls
        ]
        assert all(finding.message.isprintable() for finding in made.findings)


@hostile
@given(mutations.files())
def test_recognise_takes_anything(data) -> None:
    COUNTS["example", "recognise"] += 1
    with watchdog.limited():
        found = contents.recognise(data)
        said = [finding for slot in contents.SLOTS for finding in found.findings(slot, "file")]
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert found.what.isprintable()
    assert all(0 <= item.line <= lines for item in found.items)
    assert all(finding.message.isprintable() for finding in said)


# -- against the library that nginx calls, which Python's ssl calls in the same way

new_enough = pytest.mark.skipif(
    ssl.OPENSSL_VERSION_INFO < (3, 0), reason="Debian 11's OpenSSL 1.1.1 reads otherwise, and is no judge"
)


def openssl_store(**given) -> dict[str, int] | None:
    """How many certificates and CRLs OpenSSL takes as trust; None where it refuses the whole."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(**given)
    except (ssl.SSLError, ValueError):
        return None
    return context.cert_store_stats()


def openssl_reads(der: bytes) -> bool:
    """In PEM: of DER, Python's ssl would read on behind the certificate, each version in its own way."""
    return bool(der) and openssl_store(cadata=raw.pem(der).decode("ascii")) is not None


@new_enough
@hostile
@given(st.sampled_from(["leaf", "every extension", "leaf of RSA"]).flatmap(mutations.ders_of))
def test_a_certificate_is_readable_where_openssl_reads_it(data) -> None:
    COUNTS["example", "readable as OpenSSL's"] += 1
    facts, why = None, ""
    try:
        facts = certificate.from_der(data).facts
    except MtlsError as error:
        why = error.message
    if facts and facts.date_faults:
        return  # dates: see differences.py
    reads = openssl_reads(data)
    # OpenSSL may refuse the same bytes for something else.
    case = LONG_IDENTIFIER if reads and "identifier has more than" in why else f"mutated {data.hex()}"
    compare("files", facts is not None, reads, case)


LONG_IDENTIFIER = "an object identifier of more than 256 octets"


@new_enough
@pytest.mark.parametrize(
    ("octets", "case"), [(256, "an object identifier of 256 octets"), (257, LONG_IDENTIFIER)]
)
def test_how_long_an_identifier_may_be(octets, case) -> None:
    extension = raw.seq(raw.tlv(0x06, b"\x2a" + b"\xff" * (octets - 2) + b"\x7f"), raw.octets(b""))
    data = raw.certificate(key=corpus.LEAF.key, extensions=[extension])
    try:
        ours = bool(certificate.from_der(data))
    except MtlsError:
        ours = False
    compare("files", ours, openssl_reads(data), case)


@new_enough
@hostile
@given(st.one_of(mutations.texts(), mutations.armoured(), mutations.scratched(mutations.sound())))
def test_a_bundle_without_error_is_read_as_openssl_reads_it(data) -> None:
    COUNTS["example", "bundle as OpenSSL's"] += 1
    file = certificate.load("trust", data, "file")
    if any(finding.severity == "error" for finding in file.findings):
        return
    if any(cert.facts.date_faults for cert in file.certificates) or file.contents.private_keys():
        return  # a key is bundle.private_key; before 1.27.4 nginx opens it, too, and may refuse the file
    with tempfile.NamedTemporaryFile() as written:
        written.write(data)
        written.flush()
        store = openssl_store(cafile=written.name)
    ours = len({cert.facts.sha256 for cert in file.certificates})
    compare("files", ours, (store or {}).get("x509"), f"mutated text {data!r}")


def _reading(read, data: bytes) -> None:
    try:
        with watchdog.limited():
            read(data)
    except (MtlsError, der.DerError) as error:
        assert str(error).isprintable()


@hostile
@given(mutations.files(), st.sampled_from([None, "", corpus.PASSPHRASE, b"\xff", "x" * 5000]))
def test_readers_take_anything(data, passphrase) -> None:
    COUNTS["example", "readers"] += 1
    _reading(lambda given: certificate.load("certificate", given, "file"), data)
    _reading(lambda given: certificate.split(given, "file"), data)
    _reading(lambda given: crl.load(given, "file"), data)
    _reading(lambda given: key.read(given, passphrase, "file"), data)
    _reading(lambda given: credential.assemble(given, corpus.INTERMEDIATE.pem), data)
    _reading(der.elements, data)


def test_the_watchdog_barks() -> None:
    def work() -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:  # noqa: BLE001 as the code under test may do it
                return

    with pytest.raises(AssertionError, match="processor time"), watchdog.limited(0.05):
        work()
    with watchdog.limited():
        sum(range(1000))
