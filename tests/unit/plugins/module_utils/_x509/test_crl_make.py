# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs that the private CA makes: the fields, and what OpenSSL says of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, crl, crl_make, key
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, openssl

NOW = datetime.now(timezone.utc).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VALID: dict[str, Any] = {"start": NOW - 2 * DAY, "end": NOW + 9 * DAY}


def made(issuer: builders.Issued, serials: Any = None, number: int = 7) -> crl.Crl:
    return crl_make.make(
        certificate.first(issuer.pem),
        key.read(issuer.key_pem),
        serials or {},
        number,
        NOW - HOUR,
        NOW + DAY,
    )


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_each_kind_of_key(kind: str) -> None:
    root = builders.root(key=builders.slow_key(kind))
    found = made(root, {0xB: NOW - DAY})
    assert crl.signed_by(found.facts, certificate.first(root.pem).facts) is True
    assert crl.signed_by(found.facts, certificate.first(builders.root().pem).facts) is False


def test_the_fields() -> None:
    root = builders.root("CN=shop CA 1,O=Shop")
    found = made(root, {0xB: NOW - DAY, 1 << 158: NOW}, number=1 << 40).facts
    identifier = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert (found.number, found.authority_key_id) == (1 << 40, identifier.digest)
    assert (found.last_update.at, found.next_update and found.next_update.at) == (NOW - HOUR, NOW + DAY)
    entry = found.entries.find(0xB, found.issuer_key, found.issuer_key)
    assert entry is not None
    assert entry.revoked_at.at == NOW - DAY
    assert (len(found.entries), found.base_number, found.point, found.unknown_critical) == (2, None, None, ())


def test_an_issuer_without_a_key_identifier() -> None:
    root = builders.root(identifiers=False)
    expected = x509.SubjectKeyIdentifier.from_public_key(root.certificate.public_key()).digest
    assert made(root).facts.authority_key_id == expected


def test_one_that_may_not_sign_crls() -> None:
    with pytest.raises(MtlsError, match="may not sign CRLs"):
        made(builders.root(key_usage="sign"))
    made(builders.root(key_usage=None))


def test_a_number_that_is_too_large() -> None:
    """The library raises what it likes; it becomes a sentence."""
    with pytest.raises(MtlsError, match="cannot make a CRL"):
        made(builders.root(), {1 << 200: NOW})


@openssl.needs_openssl
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_openssl_verifies_it(kind: str) -> None:
    root = builders.root(key=builders.slow_key(kind), **VALID)
    files = {"crl.pem": made(root).pem, "root.pem": root.pem, "other.pem": builders.root(**VALID).pem}
    command = ("crl", "-in", "crl.pem", "-verify", "-noout", "-CAfile")
    good, bad = (openssl.ask(*command, name, files=files) for name in ("root.pem", "other.pem"))
    assert "verify OK" in good.out + good.err
    assert "verify OK" not in bad.out + bad.err
    text = openssl.ask("crl", "-in", "crl.pem", "-noout", "-text", files=files).out
    assert "X509v3 CRL Number" in text
    assert "X509v3 Authority Key Identifier" in text


@openssl.needs_openssl
@pytest.mark.parametrize("same_name", [False, True])
def test_openssl_refuses_the_revoked_one_alone(same_name: bool) -> None:
    """root 1 ──> int ──> good, bad and root 2 ──> other, also where both roots have one name."""
    first = builders.root("CN=shop CA 1", **VALID)
    second = builders.root("CN=shop CA 1" if same_name else "CN=shop CA 2", **VALID)
    issuing = builders.intermediate(first, **VALID)
    good, bad = (builders.client(issuing, serial=number, **VALID) for number in (0xA, 0xB))
    other = builders.client(second, serial=0xB, **VALID)
    lists = made(first).pem + made(issuing, {0xB: NOW}).pem + made(second).pem
    files = {
        "roots.pem": first.pem + second.pem,
        "int.pem": issuing.pem,
        "crls.pem": lists,
        **{f"{name}.pem": leaf.pem for name, leaf in (("good", good), ("bad", bad), ("other", other))},
    }
    command = ("verify", "-crl_check_all", "-CAfile", "roots.pem", "-CRLfile", "crls.pem", "-untrusted")
    said = {
        name: openssl.ask(*command, "int.pem", f"{name}.pem", files=files)
        for name in ("good", "bad", "other")
    }
    assert {name: one.ok for name, one in said.items()} == {"good": True, "bad": False, "other": True}, said
    assert "certificate revoked" in said["bad"].out + said["bad"].err
