# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found about a release's credentials, and how they are shown."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest

pytest.importorskip("cryptography", minversion="38", reason="it makes certificates; bullseye has 3.3")
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import Credential, Desired
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import foreign, release_findings
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> tuple[bytes, bytes]:
    paths = foreign.foreign_identity(
        str(tmp_path), "client", AT, lambda path, data: files.write_new(path, data, 0o600)
    )
    return Path(paths[0]).read_bytes(), Path(paths[1]).read_bytes()


def examined(certificate: bytes, key: bytes, at: datetime = AT, purpose: str = "client") -> dict[str, Any]:
    one = Credential("proxy", "client", purpose, {"fullchain.pem": certificate, "privkey.pem": key})
    (found,) = release_findings.examiner(at)(Desired({}, [one]), {})
    return found


@pytest.mark.parametrize(
    ("part", "purpose", "told"), [("server", "server", True), ("proxy", "client", False)]
)
def test_a_servers_chain_is_compared_with_the_live_one(part: str, purpose: str, told: bool) -> None:
    root = builders.root()
    issuing = builders.intermediate(root)
    live, new = builders.server(issuing), builders.server(issuing)
    one = Credential(part, "own", purpose, {"fullchain.pem": new.pem, "privkey.pem": new.key_pem})
    before = {f"{part}/credentials/own/fullchain.pem": live.pem + issuing.pem}
    (found,) = release_findings.examiner(AT)(Desired({}, [one]), before)
    assert ("chain.missing_intermediate" in codes(found)) is told


ROOT = builders.root()
ISSUING = builders.intermediate(ROOT)


def lists(*issuers: builders.Issued, **more: Any) -> bytes:
    return b"".join(builders.revoke(issuer, **more).public_bytes(Encoding.PEM) for issuer in issuers)


CRLS: dict[str, tuple[bytes, Optional[bytes], set[str]]] = {
    "of each authority": (ROOT.pem + ISSUING.pem, lists(ROOT, ISSUING), set()),
    "of one of two": (ROOT.pem + ISSUING.pem, lists(ROOT), {"crl.missing_for_ca"}),
    "past its end": (ROOT.pem, lists(ROOT, end=builders.AT), {"crl.expired"}),
    "near its end": (ROOT.pem, lists(ROOT, end=builders.AT + builders.DAY), set()),
    "of tomorrow": (ROOT.pem, lists(ROOT, start=builders.AT + builders.DAY), {"crl.not_yet_valid"}),
    "of another authority": (ROOT.pem, lists(builders.root("CN=Other")), {"crl.missing_for_ca"}),
    "empty": (ROOT.pem, b"", {"crl.missing_for_ca", "format.unreadable"}),
    "none": (ROOT.pem + ISSUING.pem, None, set()),
}


@pytest.mark.parametrize(("part", "purpose"), [("server", "server"), ("proxy", "client")])
@pytest.mark.parametrize("case", CRLS)
def test_a_crl_by_which_nginx_would_refuse_everybody(case: str, part: str, purpose: str) -> None:
    trust, crl, expected = CRLS[case]
    own = (builders.server if purpose == "server" else builders.client)(ROOT)
    given = {"fullchain.pem": own.pem, "privkey.pem": own.key_pem, "trust.pem": trust}
    if crl is not None:
        given["crl.pem"] = crl
    (found,) = release_findings.examiner(builders.AT)(
        Desired({}, [Credential(part, "own", purpose, given)]), {}
    )
    assert codes(found) == expected


def codes(found: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in found["findings"] if finding["severity"] == "error"}


def test_a_credential_as_the_result_shows_it(pair: tuple[bytes, bytes]) -> None:
    found = examined(*pair)
    assert (found["part"], found["name"], found["subject"], found["trust"]) == (
        "proxy",
        "client",
        "CN=client",
        [],
    )
    assert codes(found) == set()
    assert b"PRIVATE" not in repr(found).encode()


def test_faults_of_a_credential_are_findings(pair: tuple[bytes, bytes], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = foreign.foreign_identity(
        str(tmp_path / "other"), "x", AT, lambda path, data: files.write_new(path, data, 0o600)
    )
    assert codes(examined(pair[0], Path(other[1]).read_bytes())) == {"pair.key_mismatch"}
    assert codes(examined(*pair, at=AT + timedelta(days=30))) == {"expiry.expired"}
    wrong = examined(*pair, purpose="server")
    assert "purpose.server_auth_missing" in {finding["code"] for finding in wrong["findings"]}


def test_the_diff_of_a_key_is_its_public_half(pair: tuple[bytes, bytes]) -> None:
    decoder = release_findings.decoder()
    digest = decoder.key_sha256(pair[1])
    assert len(digest) == 64
    assert digest != hashlib.sha256(pair[1]).hexdigest()
    assert [one["subject"] for one in decoder.certificates(pair[0])] == ["CN=client", "CN=mtls foreign CA"]
