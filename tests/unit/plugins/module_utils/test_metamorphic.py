# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not matter: the form that the same objects come in. Verdicts and codes stay, except format.*.

Each chain of chains.py is written down in each way of WRITTEN; the bundle's bytes stay, too.
"""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.credential_files import CredentialFiles
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle, credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    builders,
    chains,
    corpus,
    raw,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT

CHATTER = b"# of the CA's web page\nSubject: CN=x\n    Not After: never\n\n"

# Of several CAs of one name that nothing tells apart, OpenSSL tries the first only: here the order decides.
ORDER_DECIDES = {"namesakes_not_told_apart", "namesakes_in_lucky_order"}


def pem(certificates) -> bytes:
    return b"".join(one.pem for one in certificates)


def between(text: bytes, certificates) -> bytes:
    return text + b"".join(one.pem + text for one in certificates)


def one_per_line_length(certificates, length: int) -> bytes:
    """PEM with lines of another length than 64."""
    blocks = []
    for one in certificates:
        body = base64.b64encode(one.der)
        lines = [body[at : at + length] for at in range(0, len(body), length)]
        blocks.append(b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""]))
    return b"".join(blocks)


def as_written(chain: chains.Chain) -> dict:
    return {
        "certificate": chain.leaf.pem,
        "private_key": chain.leaf.key_pem,
        "chain": pem(chain.sent) or None,
        "trust": pem(chain.trusted),
    }


def in_one_file(chain) -> dict:
    return {**as_written(chain), "certificate": pem([chain.leaf, *chain.sent]), "chain": None}


def sent_in_reverse(chain) -> dict:
    return {**as_written(chain), "chain": pem(chain.sent[::-1]) or None}


def trusted_in_reverse(chain) -> dict:
    return {**as_written(chain), "trust": pem(chain.trusted[::-1])}


def twice(chain) -> dict:
    return {**as_written(chain), "chain": pem(chain.sent * 2) or None, "trust": pem(chain.trusted * 2)}


def leaf_twice(chain) -> dict:
    return {**as_written(chain), "chain": pem([chain.leaf, *chain.sent])}


def with_text_around(chain) -> dict:
    return {
        "certificate": between(CHATTER, [chain.leaf]),
        "private_key": CHATTER + chain.leaf.key_pem + CHATTER,
        "chain": between(CHATTER, chain.sent),
        "trust": between(CHATTER, chain.trusted),
    }


def with_key_in_the_certificate_file(chain) -> dict:
    combined = chain.leaf.key_pem + chain.leaf.pem
    return {**as_written(chain), "certificate": combined, "private_key": combined}


def with_crlf(chain) -> dict:
    return {slot: data and data.replace(b"\n", b"\r\n") for slot, data in as_written(chain).items()}


def with_byte_order_mark(chain) -> dict:
    return {slot: data and b"\xef\xbb\xbf" + data for slot, data in as_written(chain).items()}


def with_trailing_blanks(chain) -> dict:
    return {slot: data and data.replace(b"\n", b" \t\n") for slot, data in as_written(chain).items()}


def without_last_line_break(chain) -> dict:
    return {slot: data and data.rstrip(b"\n") for slot, data in as_written(chain).items()}


def with_other_lines(chain) -> dict:
    return {
        **as_written(chain),
        "certificate": one_per_line_length([chain.leaf], 76),
        "trust": one_per_line_length(chain.trusted, 16),
    }


def leaf_as_der(chain) -> dict:
    return {**as_written(chain), "certificate": chain.leaf.der}


def one_root_as_der(chain) -> dict:
    if len(chain.trusted) != 1:
        return as_written(chain)
    return {**as_written(chain), "trust": chain.trusted[0].der}


def sent_as_pkcs7(chain) -> dict:
    return {**as_written(chain), "chain": corpus.pkcs7(*(one.der for one in chain.sent))}


def trusted_as_pkcs7(chain) -> dict:
    return {**as_written(chain), "trust": raw.pem(corpus.pkcs7(*(one.der for one in chain.trusted)), "PKCS7")}


def key_as_der(chain) -> dict:
    return {**as_written(chain), "private_key": _key(chain, "DER", "PKCS8")}


def key_in_traditional_form(chain) -> dict:
    return {**as_written(chain), "private_key": _key(chain, "PEM", "TraditionalOpenSSL")}


def key_encrypted(chain) -> dict:
    data = builders.key_pem(chain.leaf.key, b"secret")
    return {**as_written(chain), "private_key": data, "passphrase": "secret"}


def passphrase_for_nothing(chain) -> dict:
    return {**as_written(chain), "passphrase": "secret"}


def _key(chain, encoding: str, form: str) -> bytes:
    from cryptography.hazmat.primitives import serialization

    if "ed" in raw.key_kind(chain.leaf.key):
        form = "PKCS8"  # there is no traditional form of these
    return chain.leaf.key.private_bytes(
        getattr(serialization.Encoding, encoding),
        getattr(serialization.PrivateFormat, form),
        serialization.NoEncryption(),
    )


WRITTEN = [
    in_one_file, sent_in_reverse, trusted_in_reverse, twice, leaf_twice, with_text_around,
    with_key_in_the_certificate_file, with_crlf, with_byte_order_mark, with_trailing_blanks,
    without_last_line_break, with_other_lines, leaf_as_der, one_root_as_der, sent_as_pkcs7, trusted_as_pkcs7,
    key_as_der, key_in_traditional_form, key_encrypted, passphrase_for_nothing,
]  # fmt: skip


def verdict(files: dict, chain: chains.Chain) -> dict:
    """What must stay."""
    spec = {
        "name": "x",
        "purpose": chain.purpose,
        "verify_depth": chain.depth,
        "hostnames": ["b1.example.com", "orders.example.com"],
        **files,
    }
    element = credential.examine(spec, chain.at)
    return {
        **{key: element[key] for key in ("matches", "verifies", "hostnames")},
        "codes": sorted(
            {
                f["code"]
                for f in element["findings"]
                if not f["code"].startswith(("format.", "bundle.private"))
            }
        ),
        "sha256": (element["certificate"] or {}).get("sha256"),
    }


@pytest.mark.parametrize("build", chains.ALL, ids=lambda build: build.__name__)
def test_how_it_is_written_does_not_matter(build) -> None:
    chain = build()
    expected = verdict(as_written(chain), chain)
    ways = [way for way in WRITTEN if not (way is trusted_in_reverse and build.__name__ in ORDER_DECIDES)]
    told = {way.__name__: verdict(way(chain), chain) for way in ways}
    assert {name: said for name, said in told.items() if said != expected} == {}, expected


def test_what_matters_is_seen() -> None:
    """The verdict that is compared is not blind: each of these changes it."""
    chain = chains.good_with_intermediate()
    expected = verdict(as_written(chain), chain)
    spoilt = [
        {"chain": None},
        {"trust": chains.good().trusted[0].pem},
        {"certificate": corpus.LEAF.pem},
        {"private_key": corpus.LEAF.key_pem},
    ]
    assert all(verdict({**as_written(chain), **one}, chain) != expected for one in spoilt)


def test_where_the_order_decides() -> None:
    """The reason for ORDER_DECIDES, so that nothing stays there without one."""
    for name in ORDER_DECIDES:
        chain = getattr(chains, name)()
        assert verdict(as_written(chain), chain) != verdict(trusted_in_reverse(chain), chain)


# -- CRLs


def test_how_crls_are_written_does_not_matter() -> None:
    ders = [corpus.crl_der(corpus.ROOT), corpus.crl_der(corpus.INTERMEDIATE, corpus.LEAF)]
    one, two = (raw.pem(der, "X509 CRL") for der in ders)
    forms = [
        one + two,
        two + one,
        one + two + one,
        CHATTER + two + CHATTER + one,
        (one + two).replace(b"\n", b"\r\n"),
    ]
    told = []
    for form in forms:
        element = credential.examine({**corpus.good(), "crl": form}, corpus.AT)
        told.append((element["verifies"], [f["code"] for f in element["findings"]]))
    assert told == [(False, ["crl.revoked"])] * len(forms)


# -- paths and contents


def test_path_or_content_does_not_matter(tmp_path) -> None:
    spec = corpus.good()
    ways: list[dict] = [{"name": "x", "purpose": "client"} for _way in range(3)]
    for slot in ("certificate", "private_key", "trust", "crl"):
        (tmp_path / slot).write_bytes(spec[slot])
        ways[0][f"{slot}_path"] = str(tmp_path / slot)
        ways[1][f"{slot}_content"] = spec[slot].decode("ascii")
        ways[2][f"{slot}_content"] = base64.b64encode(spec[slot]).decode("ascii")

    def read(path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    files = CredentialFiles(read, lambda path, what: [])
    first, *others = (credential.examine(files.spec(way), corpus.AT) for way in ways)
    assert first["verifies"] and first["matches"] and first["findings"] == []
    assert [json.dumps(other) for other in others] == [json.dumps(first)] * 2


# -- ca_bundle

MEMBERS = [
    corpus.ROOT,
    corpus.INTERMEDIATE,
    corpus.STRANGER,
    builders.root("CN=Root", key=builders.new_key("p384")),
    builders.root("CN=Third"),
]


def _some(order) -> bytes:
    return pem(MEMBERS[number] for number in order)


FORMS = {
    "PEM": _some,
    "CRLF": lambda order: _some(order).replace(b"\n", b"\r\n"),
    "text": lambda order: between(CHATTER, [MEMBERS[number] for number in order]),
    "PKCS#7": lambda order: corpus.pkcs7(*(MEMBERS[number].der for number in order)),
    "PKCS#7 in PEM": lambda order: raw.pem(corpus.pkcs7(*(MEMBERS[n].der for n in order)), "PKCS7"),
    "DER of the first": lambda order: MEMBERS[order[0]].der,
    "no last line break": lambda order: _some(order).rstrip(),
}
sources = st.tuples(
    st.permutations(range(len(MEMBERS))),
    st.lists(
        st.tuples(
            st.sampled_from(sorted(FORMS)), st.lists(st.integers(0, len(MEMBERS) - 1), min_size=1, max_size=4)
        ),
        max_size=4,
    ),
    st.integers(0, len(MEMBERS)),
)


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(sources)
def test_the_same_set_gives_the_same_bytes(drawn) -> None:
    """All members in some order over two sources, and any of them again in other forms and places."""
    order, again, cut = drawn
    parts = [_some(order[:cut]), _some(order[cut:]), *(FORMS[form](numbers) for form, numbers in again)]
    given_sources = [(f"{index * 7 % 11}", data) for index, data in enumerate(parts) if data]
    assert bundle.build(given_sources, AT).pem == bundle.build([("x", pem(MEMBERS))], AT).pem
