# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`verifies` of examine: the expected answer, its explanation, and the answer of `openssl verify`."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import chains
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

AREAS = ("chain", "purpose", "expiry", "key", "signature")


def pem_of(certificates) -> bytes:
    return b"".join(one.pem for one in certificates)


def examined(chain: chains.Chain) -> dict:
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
    )


@pytest.mark.parametrize("build", chains.ALL, ids=lambda build: build.__name__)
def test_verdict_and_explanation(build) -> None:
    chain = build()
    result = examined(chain)
    told = {found["code"]: found for found in result["findings"] if found["code"].split(".")[0] in AREAS}
    assert (result["verifies"], set(told)) == (chain.accepted, chain.codes)
    assert result["matches"] is True
    # what does not stop the path is no error, and what stops it is one
    assert {found["severity"] for found in told.values()} <= {"warning" if chain.accepted else "error"}


@needs_openssl
@pytest.mark.parametrize("build", chains.ALL, ids=lambda build: build.__name__)
def test_openssl_says_the_same(build, tmp_path) -> None:
    chain = build()
    files = {"leaf": [chain.leaf], "sent": chain.sent, "trusted": chain.trusted}
    for name, certificates in files.items():
        (tmp_path / name).write_bytes(pem_of(certificates))
    command = [
        "openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", "trusted",
        "-purpose", f"ssl{chain.purpose}", "-verify_depth", str(chain.depth), "-auth_level", "2",
        "-attime", str(int(chain.at.timestamp())),
        *(["-untrusted", "sent"] if chain.sent else []), "leaf",
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.returncode == 0) == chain.accepted, answer.stdout + answer.stderr
