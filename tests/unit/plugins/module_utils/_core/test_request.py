# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a credential needs a new certificate, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.certificate import CertificateFacts
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.request import Live, Wanted, reason

AT = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
CN = "2.5.4.3"

WANTED = Wanted("server", "server", "server", "a.test", ("a.test", "10.0.0.1"), "p256")
FACTS = CertificateFacts(
    sha256="00",
    subject=(((CN, "a.test"),),),
    issuer=(((CN, "mtls CA 2 issuing"),),),
    serial=1,
    version=3,
    not_before=AT - 80 * DAY,
    not_after=AT + DAY,
    key_type="ec",
    key_bits=256,
    public_key_sha256="11",
    basic_constraints=(False, None),
    key_usage=frozenset(["digitalSignature"]),
    extended_key_usage=("serverAuth",),
    san_dns=("A.test",),
    san_ip=("10.0.0.1",),
)
LIVE = Live(FACTS, "p256")


def with_facts(**changes) -> Live:
    return Live(replace(FACTS, **changes), "p256")


REASONS = [
    ("fits, though it expires tomorrow", WANTED, LIVE, "mtls", ""),
    ("none", WANTED, None, "mtls", "no_certificate"),
    ("none and forced", replace(WANTED, force=True), None, "mtls", "no_certificate"),
    ("unreadable", WANTED, Live(None), "mtls", "unreadable"),
    ("expired", WANTED, with_facts(not_after=AT), "mtls", "expired"),
    ("another name", WANTED, with_facts(san_dns=("b.test",)), "mtls", "names"),
    ("one name more", WANTED, with_facts(san_dns=("a.test", "b.test")), "mtls", "names"),
    ("one name less", WANTED, with_facts(san_ip=()), "mtls", "names"),
    ("another common name", WANTED, with_facts(subject=(((CN, "b.test"),),)), "mtls", "names"),
    ("another key type", replace(WANTED, key_type="rsa2048"), LIVE, "mtls", "key_type"),
    ("for clients", WANTED, with_facts(extended_key_usage=("clientAuth",)), "mtls", "purpose"),
    ("a CA", WANTED, with_facts(basic_constraints=(True, None), key_usage=None), "mtls", "purpose"),
    ("of another CA", WANTED, LIVE, "corp", "issuer"),
    ("of a CA whose name is longer", WANTED, with_facts(issuer=(((CN, "mtls CAX 1"),),)), "mtls", "issuer"),
    ("of any CA", WANTED, LIVE, "", ""),
    ("forced", replace(WANTED, force=True), LIVE, "mtls", "forced"),
]


@pytest.mark.parametrize(
    ("wanted", "live", "issuer_name", "expected"), [row[1:] for row in REASONS], ids=[r[0] for r in REASONS]
)
def test_reason(wanted, live, issuer_name, expected) -> None:
    assert reason(wanted, live, AT, issuer_name) == expected


def test_names_are_a_set() -> None:
    assert reason(replace(WANTED, hostnames=("10.0.0.1", "a.test", "a.test")), LIVE, AT) == ""


BAD = [
    ("path", {"name": "../x"}),
    ("empty name", {"name": ""}),
    ("long common name", {"common_name": "x" * 65}),
    ("no name at all", {"common_name": "", "hostnames": ()}),
    ("no host name", {"hostnames": ("a b",)}),
    ("not ASCII", {"hostnames": ("ü.test",)}),
    ("empty host name", {"hostnames": ("",)}),
    ("line break", {"hostnames": ("a.test\n",)}),
]


@pytest.mark.parametrize("changes", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_refused(changes) -> None:
    with pytest.raises(MtlsError) as caught:
        replace(WANTED, **changes)
    assert caught.value.place and caught.value.remedy


def test_longest_common_name_and_wildcard_are_fine() -> None:
    replace(WANTED, common_name="x" * 64, hostnames=("*.a.test", "2001:db8::1"))
