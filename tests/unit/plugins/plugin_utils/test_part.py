# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.part import (
    release_credentials,
    request_credentials,
)

ROOTS = ["root 1", "root 2"]
PRIVATE_CA = {"trust": ROOTS, "chain": "intermediate"}
PENDING = "/etc/nginx/mtls/pending/server/server/privkey.pem"
REQUESTS = {"credentials": [{"part": "server", "name": "server", "private_key_path": PENDING}]}


def credential(**more):
    return {
        "side": "server",
        "name": "server",
        "purpose": "server",
        "common_name": "orders.example.com",
        "hostnames": ["orders.example.com"],
        "issuer": "private_ca",
        "files": {"certificate": None, "private_key": None, "chain": None, "passphrase": None},
        "key": {"type": "p256", "store": "file", "reuse": False},
        "trust": {"sources": ["issuer"], "on_expired": "drop", "allow_pinned": []},
        "crl": "auto",
        "verify_depth": "auto",
        "sessions": "off",
        **more,
    }


def release_one(given, issued=None, **private_ca):
    offered = {**PRIVATE_CA, **private_ca}
    (found,) = release_credentials({"credentials": [given]}, "server", REQUESTS, issued or {}, offered)
    return found


def test_an_issued_certificate_goes_with_the_key_that_waits_for_it_on_the_host():
    found = release_one(credential(), {"server/server": "leaf"})
    assert found["certificate_content"] == "leaf"
    assert found["private_key_path"] == PENDING
    assert found["chain_content"] == "intermediate"


def test_a_credential_that_was_not_issued_keeps_both_sides_of_the_pair():
    found = release_one(credential(), {"server/other": "leaf"})
    assert not [key for key in found if key.startswith(("certificate", "private_key", "chain"))]


def test_issuer_means_every_generation_of_the_private_ca():
    own = {"src": "/pki/partners.pem"}
    found = release_one(
        credential(trust={"sources": ["issuer", own], "on_expired": "keep", "allow_pinned": ["aa"]})
    )
    assert found["trust"]["sources"] == [{"content": "root 1"}, {"content": "root 2"}, own]
    assert (found["trust"]["on_expired"], found["trust"]["allow_pinned"]) == ("keep", ["aa"])


def test_files_are_named_and_not_read():
    files = {
        "certificate": "/p/a.pem",
        "private_key": "/p/a.key",
        "chain": "/p/i.pem",
        "passphrase": "/p/pass",
    }
    found = release_one(credential(issuer="files", files=files), {"server/server": "leaf of another issuer"})
    assert found["certificate_src"] == "/p/a.pem"
    assert found["private_key_src"] == "/p/a.key"
    assert found["chain_src"] == "/p/i.pem"
    assert found["private_key_passphrase_src"] == "/p/pass"
    assert "certificate_content" not in found


@pytest.mark.parametrize(
    ("crl", "expected"), [("auto", None), ("off", []), ([{"src": "/p/c.crl"}], [{"src": "/p/c.crl"}])]
)
def test_crl(crl, expected):
    assert release_one(credential(crl=crl)).get("crl") == expected


@pytest.mark.parametrize(
    ("sources", "crl", "expected"),
    [
        (["issuer"], "auto", [{"content": "list 1"}, {"content": "list 2"}]),
        ([{"src": "/p/ca.pem"}], "auto", None),
        (["issuer"], "off", []),
    ],
)
def test_lists_of_the_private_ca_come_by_themselves_where_it_is_trusted(sources, crl, expected):
    given = credential(trust={"sources": sources, "on_expired": "drop", "allow_pinned": []}, crl=crl)
    found = release_one(given, crls=["list 1", "list 2"])
    assert found.get("crl") == expected


@pytest.mark.parametrize(("depth", "expected"), [("auto", None), ("2", 2), (3, 3)])
def test_verify_depth(depth, expected):
    assert release_one(credential(verify_depth=depth)).get("verify_depth") == expected


def test_the_probe_identity_has_no_trust_of_its_own():
    assert release_one(credential(name="probe", purpose="client")) == {"name": "probe", "purpose": "client"}


def test_only_the_side_that_was_asked_for():
    other = credential(side="proxy", name="client")
    model = {"credentials": [credential(), other]}
    assert [c["name"] for c in release_credentials(model, "proxy", {}, {}, PRIVATE_CA)] == ["client"]


def test_requests_are_for_keys_made_on_the_host_only():
    model = {"credentials": [credential(), credential(name="bought", issuer="files")]}
    assert request_credentials(model) == [
        {
            "part": "server",
            "name": "server",
            "purpose": "server",
            "common_name": "orders.example.com",
            "hostnames": ["orders.example.com"],
            "key_type": "p256",
            "reuse": False,
        }
    ]
