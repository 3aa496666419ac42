# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites the probe identity is asked at, where credentials of one host trust different authorities."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import INCONCLUSIVE, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probe_trust import (
    left_out,
    not_for_the_probe,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import GOOD, NO_CERTIFICATE
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.proof_plan import plan
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.server_probes import session_probes
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

SITE = """server {
    listen 443 ssl; server_name %s.test; ssl_verify_client on; ssl_protocols TLSv1.3;
    include @MTLS_RELEASE@/server/credentials/%s/tls.conf;
    location = /p { return 200 "@MTLS_ID@"; }
}"""
OURS, OTHERS = builders.root("CN=Ours"), builders.root("CN=Others")
BELOW = builders.intermediate(OURS, "CN=Below")
PROBE = builders.client(BELOW, "CN=mtls-probe.a1")


def source(probe: bytes = PROBE.pem + BELOW.pem, **trusts: bytes) -> dict[str, bytes]:
    """A site for each credential, by its trust."""
    found = {"server/credentials/probe/fullchain.pem": probe, "server/credentials/probe/trust.pem": b""}
    for name, trust in trusts.items():
        found[f"server/credentials/{name}/trust.pem"] = trust
        found[f"server/sites/{name}.conf"] = (SITE % (name, name)).encode()
    return found


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"a": OURS.pem, "b": OTHERS.pem}, {"b"}),
        ({"a": OURS.pem, "b": OTHERS.pem + OURS.pem}, set()),
        # By its issuer alone, too: then nginx has the rest of the path.
        ({"a": OURS.pem + BELOW.pem, "b": OTHERS.pem, "probe": PROBE.pem}, {"b"}),
        ({"a": OURS.pem, "b": OURS.pem}, set()),
        # A fault, which must be seen.
        ({"a": OTHERS.pem}, set()),
        ({"a": OTHERS.pem, "b": OTHERS.pem}, set()),
        ({"a": OURS.pem, "b": OTHERS.pem, "probe": b"no certificate"}, set()),
        ({"a": OURS.pem, "b": b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}, {"b"}),
    ],
)
def test_credentials_that_the_probe_identity_is_none_of(given: dict[str, bytes], left_out: set[str]) -> None:
    assert not_for_the_probe(source(**given)) == left_out


@pytest.mark.parametrize(
    ("live", "told"),
    [
        ({"a": OURS.pem, "b": OURS.pem}, ["b"]),
        ({"a": OURS.pem, "b": OTHERS.pem}, []),
        # A new credential is judged by itself.
        ({"a": OURS.pem}, []),
        ({}, []),
    ],
)
def test_a_site_that_could_be_proven_stays_one(live: dict[str, bytes], told: list[str]) -> None:
    found = list(left_out(source(**live), source(a=OURS.pem, b=OTHERS.pem)))
    assert [name for name, finding in found if finding.code == "bundle.probe_left_out"] == told
    assert not list(left_out(source(**live), source(a=OURS.pem, b=OTHERS.pem + OURS.pem)))


def test_there_it_is_not_asked_and_the_bad_clients_are() -> None:
    there = source(a=OURS.pem, b=OTHERS.pem)
    asked = {(one.subject, one.kind): one for one in plan(there, "ID")}
    assert asked["a", GOOD].rounds == 3
    row = judge(asked["b", GOOD], [])
    assert (row.verdict, "other authorities" in row.got) == (INCONCLUSIVE, True)
    assert asked["b", NO_CERTIFICATE].rounds == 1
    assert {one.subject: one.rounds for one in session_probes(there, there)} == {"a": 1, "b": 0}
