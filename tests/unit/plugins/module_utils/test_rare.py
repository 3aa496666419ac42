# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What seldom happens, and what no other test came by (`make coverage`)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import public_key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1.private_key import Answer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, credential, key, pair
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, corpus, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)


def expired_roots(*days: int) -> list[builders.Issued]:
    """(root, expired so many days ago) …, all of one key ──> leaf"""
    shared = builders.new_key()
    return [builders.root(end=AT - day * DAY, key=shared) for day in days]


@pytest.mark.parametrize("days", [(1, 2), (2, 1), (3, 1, 2)])
def test_of_expired_issuers_the_one_that_lived_longest(days) -> None:
    roots = expired_roots(*days)
    spec = {
        "certificate": builders.client(roots[0]).pem,
        "trust": b"".join(root.pem for root in roots),
    }
    (said,) = [one for one in credential.examine(spec, AT)["findings"] if one["code"] == "expiry.expired"]
    assert "expired at 2026-05-31T12:00:00Z" in said["message"]


@needs_openssl
@pytest.mark.parametrize("valid", [False, True])
def test_openssl_takes_the_valid_one_of_them(valid) -> None:
    roots = expired_roots(3, 1, -1 if valid else 2)
    leaf, trust = builders.client(roots[0]).pem, b"".join(root.pem for root in roots)
    command = ["verify", "-no-CApath", "-no-CAstore", "-CAfile", "trust", "-attime", str(int(AT.timestamp()))]
    theirs = ask(*command, "leaf", files={"trust": trust, "leaf": leaf}).ok
    ours = credential.examine({"certificate": leaf, "trust": trust}, AT)["verifies"]
    compare("chains", ours, theirs, f"expired roots of one key, {'one' if valid else 'none'} of them valid")
    assert ours is valid


def explicit(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of a curve that is written out (RFC 3279, 2.3.5), here just not a name."""
    parameters = raw.seq(raw.integer(1), raw.seq(raw.oid("1.2.840.10045.1.1"), raw.integer(7)))
    return raw.seq(raw.seq(raw.oid(public_key.EC_PUBLIC_KEY), parameters), raw.bit_string(point))


ANSWERS = [
    ("nobody to ask", None, None),
    ("no answer", lambda spki: Answer(b"", "silent"), None),
    ("an answer that is no key", lambda spki: Answer(b"\x30\x00", "", "OpenSSL"), None),
    ("one key", lambda spki: Answer(raw.spki(corpus.LEAF.key), "", "OpenSSL"), True),
    (
        "two keys",
        lambda spki: Answer(raw.spki(ec.generate_private_key(ec.SECP256R1())), "", "OpenSSL"),
        False,
    ),
]


@pytest.mark.parametrize(("ask_public", "verdict"), [row[1:] for row in ANSWERS], ids=[r[0] for r in ANSWERS])
def test_keys_that_only_openssl_can_compare(ask_public, verdict) -> None:
    point = raw.spki(corpus.LEAF.key)[-65:]
    odd = raw.certificate("odd", key=explicit(point), signer=corpus.ROOT.key)
    cert = certificate.from_der(odd).facts
    said, engine = pair.matches(cert, key.read(corpus.LEAF.key_pem), ask_public)
    assert (said, engine) == (verdict, None if verdict is None else "OpenSSL")
