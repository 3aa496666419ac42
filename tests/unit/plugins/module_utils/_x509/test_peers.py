# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed credential accepts from the other side."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import peers
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY

ROOT = builders.root()
ISSUING = builders.intermediate(ROOT)
OTHER = builders.root("CN=Other")
OLD = builders.root("CN=Old", end=AT - DAY)
PEER = builders.client(None, "CN=peer")
LEAF = builders.client(ROOT)


def examine(trust: bytes, crl: Any = None) -> tuple[list[str], list[tuple[str, str]]]:
    spec = {"peers_trust": trust, "peers_trust_place": "t.pem", "peers_crl": crl, "peers_crl_place": "c.pem"}
    trusted, findings = peers.examine(spec, AT, Shelf())
    return [one["subject"] for one in trusted or []], [(one["code"], one["place"]) for one in findings]


def lists(*issuers: builders.Issued, **more: Any) -> bytes:
    return b"".join(builders.revoke(issuer, **more).public_bytes(Encoding.PEM) for issuer in issuers)


def test_nothing_is_trusted() -> None:
    assert peers.examine({}, AT, Shelf()) == (None, [])
    assert examine(b"") == ([], [("format.unreadable", "t.pem")])


@pytest.mark.parametrize(
    ("trust", "found"),
    [
        (ROOT.pem + ISSUING.pem, []),
        (ROOT.pem + OLD.pem, ["bundle.expired"]),
        (ROOT.pem + LEAF.pem, ["bundle.leaf"]),
        (ROOT.pem + PEER.pem, []),
        (ROOT.pem + builders.root().pem, ["bundle.same_subject_other_key"]),
    ],
)
def test_trust(trust: bytes, found: list[str]) -> None:
    subjects, findings = examine(trust)
    assert len(subjects) == 2 and [code for code, _place in findings] == found


@pytest.mark.parametrize(
    ("trust", "crl", "found"),
    [
        (ROOT.pem, lists(ROOT), []),
        (ROOT.pem + ISSUING.pem, lists(ROOT, ISSUING), []),
        (ROOT.pem + ISSUING.pem, lists(ROOT), ["crl.missing_for_ca"]),
        (ROOT.pem + OTHER.pem, lists(ROOT), ["crl.missing_for_ca"]),
        (ROOT.pem, lists(ROOT, end=AT), ["crl.expired"]),
        (ROOT.pem, lists(ROOT, end=AT + DAY), []),
        (ROOT.pem, lists(ROOT, start=AT + DAY), ["crl.not_yet_valid"]),
        (ROOT.pem, b"", ["format.unreadable", "crl.missing_for_ca"]),
        # Nobody is let in by these, CRL or not.
        (ROOT.pem + OLD.pem, lists(ROOT), ["bundle.expired"]),
        (ROOT.pem + builders.intermediate(OTHER).pem, lists(ROOT), []),
    ],
)
def test_a_crl_that_would_refuse_everybody(trust: bytes, crl: bytes, found: list[str]) -> None:
    assert [code for code, _place in examine(trust, crl)[1]] == found
