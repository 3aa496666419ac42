# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`verifies` of examine: the expected answer and its reasons, who gave it, and what `openssl verify` says."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_verify import Verifier
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, credential
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    chains,
    constrained_chains,
    odd_chains,
    openssl,
    signed_chains,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

AREAS = ("chain", "purpose", "expiry", "key", "signature")
ALL = [*chains.ALL, *odd_chains.ALL, *constrained_chains.ALL, *signed_chains.ALL]
JUDGE = Verifier()


def pem_of(certificates) -> bytes:
    return b"".join(one.pem for one in certificates)


def examined(chain: chains.Chain, shelf: Shelf) -> dict:
    return credential.examine(
        {
            "name": "x",
            "certificate": pem_of([chain.leaf, *chain.sent]),
            "private_key": chain.leaf.key_pem,
            "trust": pem_of(chain.trusted),
            "purpose": chain.purpose,
            "verify_depth": chain.depth,
            "min_days": 0,
        },
        chain.at,
        shelf,
    )


def told(result: dict) -> dict:
    return {found["code"]: found for found in result["findings"] if found["code"].split(".")[0] in AREAS}


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.__name__)
def test_verdict_and_explanation(build) -> None:
    chain = build()
    if chain.by == "openssl" and not JUDGE.engine:
        pytest.skip("OpenSSL alone can tell, and there is none of version 3")
    result = examined(chain, Shelf(JUDGE))
    found = told(result)
    assert (result["verifies"], set(found)) == (chain.accepted, set(chain.codes)), result["findings"]
    # what does not stop the path is no error, and what stops it is one
    assert {one["severity"] for one in found.values()} <= {"warning" if chain.accepted else "error"}
    by = result["engines"]["verifies"]
    assert by in {"rules": {_deps.engine()}, "openssl": {JUDGE.engine}}.get(chain.by, {by})
    if chain.leaf.key_pem:
        assert result["matches"] is True


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.__name__)
def test_without_a_judge(build) -> None:
    chain = build()
    result = examined(chain, Shelf())
    if chain.by == "openssl":
        assert (result["verifies"], result["engines"]["verifies"]) == (None, None)
        assert told(result)["chain.undecided"]["severity"] == "warning"
    elif chain.by == "rules":
        assert result["verifies"] is chain.accepted
        assert "chain.undecided" not in told(result)


def asked(chain: chains.Chain) -> openssl.Said:
    """What the command says, called in another way than by the module."""
    files = {"leaf": chain.leaf.pem, "sent": pem_of(chain.sent), "trusted": pem_of(chain.trusted)}
    purpose = "any" if chain.purpose == "any" else f"ssl{chain.purpose}"
    return openssl.ask(
        "verify", "-no-CApath", "-no-CAstore", "-CAfile", "trusted", "-purpose", purpose,
        "-verify_depth", str(chain.depth), "-auth_level", "2", "-attime", str(int(chain.at.timestamp())),
        *(["-untrusted", "sent"] if chain.sent else []), "leaf", files=files,
    )  # fmt: skip


@needs_openssl
@pytest.mark.parametrize("build", ALL, ids=lambda build: build.__name__)
def test_openssl_says_the_same(build) -> None:
    chain = build()
    openssl.compare("chains", chain.accepted, asked(chain).ok, build.__name__)
