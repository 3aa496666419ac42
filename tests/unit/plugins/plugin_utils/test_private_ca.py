# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the private CA asks before it signs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.private_ca import (
    hosts_that_trust,
    request_problems,
    trusted_generations,
)

SAN, KEY_USAGE, EXTENDED, BASIC, SKI = "2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.19", "2.5.29.14"


def wanted(**more: Any) -> dict[str, Any]:
    return {
        "side": "server",
        "name": "server",
        "purpose": "server",
        "common_name": "orders.example.com",
        "hostnames": ["orders.example.com", "192.0.2.1", "2001:db8::1"],
        "issuer": "private_ca",
        "key": {"type": "p256"},
        **more,
    }


def request(**more: Any) -> dict[str, Any]:
    """As community.crypto.openssl_csr_info describes the request for `wanted()`."""
    return {
        "signature_valid": True,
        "subject_ordered": [["commonName", "orders.example.com"]],
        "subject_alt_name": ["DNS:orders.example.com", "IP:192.0.2.1", "IP:2001:db8::1"],
        "extended_key_usage": ["TLS Web Server Authentication"],
        "key_usage": ["Digital Signature"],
        "basic_constraints": None,
        "public_key_type": "ECC",
        "public_key_data": {"curve": "secp256r1", "exponent_size": 256, "x": 1, "y": 2},
        "extensions_by_oid": {SAN: {}, KEY_USAGE: {}, EXTENDED: {}},
        **more,
    }


GOOD = [
    ({}, {}),
    ({"basic_constraints": ["CA:FALSE"], "extensions_by_oid": {BASIC: {}, SKI: {}}}, {}),
    ({"key_usage": ["Digital Signature", "Key Encipherment"]}, {}),
    ({"key_usage": None}, {}),
    ({"subject_alt_name": ["IP:2001:0db8::0001", "IP:192.0.2.1", "DNS:Orders.Example.COM"]}, {}),
    ({"subject_ordered": []}, {"common_name": ""}),
    ({"subject_ordered": []}, {"common_name": None}),
    ({"subject_alt_name": None}, {"hostnames": []}),
    ({"extended_key_usage": ["TLS Web Client Authentication"]}, {"purpose": "client"}),
    ({"public_key_type": "RSA", "public_key_data": {"size": 3072}}, {"key": {"type": "rsa3072"}}),
    ({"public_key_type": "Ed25519", "public_key_data": {}}, {"key": {"type": "ed25519"}}),
]


@pytest.mark.parametrize(("asked", "model"), GOOD)
def test_what_the_model_wants(asked: dict[str, Any], model: dict[str, Any]) -> None:
    assert request_problems(request(**asked), wanted(**model)) == []


BAD = [
    # the subject of another
    ({"subject_ordered": [["commonName", "a2.example.com"]]}, {}, "subject"),
    ({"subject_ordered": [["commonName", "ORDERS.example.com"]]}, {}, "subject"),
    ({"subject_ordered": [["commonName", "orders.example.com"], ["organizationName", "x"]]}, {}, "subject"),
    ({"subject_ordered": [["commonName", "a"], ["commonName", "orders.example.com"]]}, {}, "subject"),
    ({"subject_ordered": [["organizationName", "orders.example.com"]]}, {}, "subject"),
    ({"subject_ordered": []}, {}, "subject"),
    ({}, {"common_name": ""}, "subject"),
    # names
    ({"subject_alt_name": [*request()["subject_alt_name"], "DNS:pay.example.com"]}, {}, "names"),
    ({"subject_alt_name": request()["subject_alt_name"][1:]}, {}, "names"),
    ({"subject_alt_name": [*request()["subject_alt_name"], "URI:spiffe://example.com/a"]}, {}, "names"),
    ({"subject_alt_name": [*request()["subject_alt_name"], "email:root@example.com"]}, {}, "names"),
    ({"subject_alt_name": ["DNS:orders.example.com", "DNS:192.0.2.1", "IP:2001:db8::1"]}, {}, "names"),
    ({"subject_alt_name": ["DNS:*.example.com"]}, {"hostnames": ["orders.example.com"]}, "names"),
    ({"subject_alt_name": None}, {}, "names"),
    ({}, {"hostnames": []}, "names"),
    # purpose
    ({"extended_key_usage": ["TLS Web Client Authentication"]}, {}, "purpose"),
    (
        {"extended_key_usage": ["TLS Web Server Authentication", "TLS Web Client Authentication"]},
        {},
        "purpose",
    ),
    ({"extended_key_usage": ["Any Extended Key Usage"]}, {}, "purpose"),
    ({"extended_key_usage": None}, {}, "purpose"),
    ({}, {"purpose": "client"}, "purpose"),
    # a CA
    ({"basic_constraints": ["CA:TRUE"], "extensions_by_oid": {BASIC: {}}}, {}, "basic constraints"),
    ({"basic_constraints": ["CA:FALSE", "pathlen:0"]}, {}, "basic constraints"),
    ({"key_usage": ["Digital Signature", "Certificate Sign"]}, {}, "Certificate Sign"),
    ({"key_usage": ["CRL Sign"]}, {}, "CRL Sign"),
    # anything else that would be copied: name constraints, policies, an extension of somebody's own
    ({"extensions_by_oid": {SAN: {}, "2.5.29.30": {}}}, {}, "2.5.29.30"),
    ({"extensions_by_oid": {"1.3.6.1.5.5.7.1.24": {}, "1.2.3.4": {}}}, {}, "1.2.3.4"),
    # key
    ({}, {"key": {"type": "p384"}}, "key"),
    ({"public_key_type": "RSA", "public_key_data": {"size": 2048}}, {"key": {"type": "rsa4096"}}, "key"),
    ({"public_key_type": "ECC", "public_key_data": {"curve": "sect163k1"}}, {}, "key"),
    ({"public_key_type": "DSA", "public_key_data": {"size": 2048}}, {"key": {"type": "rsa2048"}}, "key"),
    ({"signature_valid": False}, {}, "signature"),
]


@pytest.mark.parametrize(("asked", "model", "said"), BAD)
def test_anything_else(asked: dict[str, Any], model: dict[str, Any], said: str) -> None:
    problems = request_problems(request(**asked), wanted(**model))
    assert len(problems) == 1
    assert said in problems[0]


def test_all_problems_are_told() -> None:
    asked = request(subject_ordered=[["commonName", "x"]], extended_key_usage=None, signature_valid=False)
    assert len(request_problems(asked, wanted())) == 3


@pytest.mark.parametrize("model", [{}, wanted(issuer="files")])
def test_a_credential_that_the_model_does_not_have(model: dict[str, Any]) -> None:
    assert request_problems(request(), model) == [
        "the model has no credential of this name that the private CA issues"
    ]


def test_no_request() -> None:
    assert request_problems({}, wanted()) == ["the host made none"]


def live(*trust: tuple[str, str]) -> dict[str, Any]:
    certificates = [{"subject": subject, "sha256": digest} for subject, digest in trust]
    return {"credentials": [{"live": None}, {"live": {"trust": certificates}}]}


@pytest.mark.parametrize(
    ("requests", "found"),
    [
        (live(("CN=mtls CA 1", "AA:BB"), ("CN=mtls CA 12", "cc")), [(1, "aabb"), (12, "cc")]),
        (live(("CN = mtls CA 1", "aa")), [(1, "aa")]),
        (live(("CN=mtls CA 1,O=x", "aa"), ("CN=mtlsXCA 1", "aa"), ("CN=xmtls CA 1", "aa")), []),
        (live(("CN=mtls CA 1 issuing", "aa"), ("CN=other CA 1", "aa"), ("CN=mtls CA 0", "aa")), []),
        ({"credentials": []}, []),
        ({"skipped": True}, []),
        (None, []),
    ],
)
def test_which_generations_a_host_trusts(requests: Any, found: list[tuple[int, str]]) -> None:
    seen = trusted_generations(requests, "mtls")
    assert [(entry["generation"], entry["sha256"]) for entry in seen] == found


def test_a_name_is_no_pattern() -> None:
    assert trusted_generations(live(("CN=mtls CA 1", "aa")), "m.ls") == []
    assert trusted_generations(live(("CN=m.ls CA 1", "aa")), "m.ls") != []


def test_hosts_that_were_reached() -> None:
    hostvars = {
        "a1": {"mtls_requests": live(("CN=mtls CA 1", "aa"))},
        "a2": {"mtls_requests": live(("CN=mtls CA 1", "aa"), ("CN=mtls CA 1", "aa"))},
        "unreached": {},
    }
    assert hosts_that_trust(hostvars, ["a2", "unreached", "unknown"], "mtls") == [
        {"host": "a2", "generation": 1, "sha256": "aa"}
    ]
