# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml refuses what would break an edge, before any host has changed, and lets go what breaks none."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pki import CLIENT, Authority

HOSTS = ("a", "b", "c")
EDGE = "b.example.com (route orders) to a.example.com (site orders)"


@pytest.fixture(name="pairs", scope="module")
def _pairs(scene) -> dict[str, Any]:
    """Certificates for B, one of the private CA and one of a stranger, as a user's inventory names them."""
    folder = scene.pki / "edges"
    folder.mkdir(exist_ok=True)
    stranger = Authority.make("CN=Foreign CA")
    (folder / "root.pem").write_bytes(scene.authority().pem())
    (folder / "foreign-ca.pem").write_bytes(stranger.pem())
    scene.authority().leaf(folder / "own", "CN=b.example.com", CLIENT)
    stranger.leaf(folder / "foreign", "CN=b.example.com", CLIENT)
    return {
        name: {
            "mtls_proxy_credentials": [
                {
                    "name": "client",
                    "issuer": "files",
                    "files": {
                        "certificate": f"{folder}/{name}.pem",
                        "private_key": f"{folder}/{name}.key",
                    },
                    "trust": {"sources": [{"src": f"{folder}/root.pem"}]},
                }
            ]
        }
        for name in ("own", "foreign")
    }


@pytest.fixture(name="run")
def _run(scene):
    """Runs site.yml with more variables for one host; gives exit code, output and whether a host changed."""
    more = scene.project / "edges.yml"

    def run(host: str, variables: dict[str, Any], *arguments: str) -> tuple[int, str, bool]:
        more.write_text(yaml.safe_dump({"all": {"hosts": {f"{host}.example.com": variables}}}))
        before = {name: (scene.live(name), scene.snapshot(name)) for name in HOSTS}
        code, output = scene.site("-i", "edges.yml", *arguments)
        after = {name: (scene.live(name), scene.snapshot(name)) for name in HOSTS}
        return code, " ".join(output.split()), before != after

    yield run
    more.unlink(missing_ok=True)


def test_a_certificate_that_a_would_refuse(run, pairs):
    code, output, changed = run("b", pairs["foreign"])
    assert (code != 0, changed) == (True, False), output
    assert "This run would break edges that work or are new. No host was changed." in output
    assert f"{EDGE}: a.example.com would refuse the client certificate after this run" in output
    assert "chain.missing_intermediate" in output
    assert "rotate_ca.yml" in output


def test_an_authority_that_clients_still_need(run, pairs, scene):
    """Told by --check as well."""
    sources = [{"src": f"{scene.pki}/edges/foreign-ca.pem"}]
    dropped = {"mtls_server_credentials": [{"name": "server", "trust": {"sources": sources}}]}
    code, output, changed = run("a", dropped, "--check")
    assert (code != 0, changed) == (True, False), output
    assert "a.example.com would refuse the client certificate after this run" in output
    assert EDGE in output
    assert "c.example.com (route orders) to a.example.com (site orders)" in output
    assert "in trust.sources of Server A (mtls_server_credentials) until no edge needs it" in output


@pytest.mark.whole
def test_a_certificate_that_a_accepts(run, pairs):
    """The twin. A is outside the limit, so nobody knows; b is changed, and its proof asks A."""
    code, output, changed = run("b", pairs["own"], "--limit", "b.example.com")
    assert (code, changed) == (0, True), output
    assert "2 edges are unknown: a.example.com: not read in this run" in output
    code, output, dummy = run("b", pairs["own"])
    assert code == 0, output
    assert "edges: 2 of 3 accepted in both directions" in output
    assert "1 edge is unknown: c.example.com:9443: not a Server A of this inventory." in output
