# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values of certificates, against what other programs say of them."""

from __future__ import annotations

import hashlib
import sys

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, certificate, foreign, key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.credential import examine
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY

LEAF = builders.client(builders.root(), serial=0xFABCDE)


def test_fingerprints_of_pem_and_der() -> None:
    for data in (LEAF.pem, LEAF.der, b"text\n" + LEAF.pem):
        assert certificate.sha256_hex(data) == hashlib.sha256(LEAF.der).hexdigest()


SERIALS = [
    (0xFABCDE, "FABCDE"),
    (0xABC, "0ABC"),
    (15, "0F"),
    (0, "00"),
    (-255, "-FF"),
    (2**64, "010000000000000000"),
]


@pytest.mark.parametrize(("serial", "text"), SERIALS)
def test_serial_as_nginx_prints_it(serial, text) -> None:
    assert certificate.serial_text(serial) == text


def test_serial_of_a_certificate() -> None:
    assert certificate.describe(LEAF.pem)["serial"] == "FABCDE"


def test_equal_keys_have_one_fingerprint() -> None:
    (loaded,) = certificate.split(LEAF.pem)
    assert loaded.facts.public_key_sha256 == key.read(LEAF.key_pem).public_key_sha256


def test_describe_without_a_time() -> None:
    assert certificate.describe(LEAF.pem)["days_left"] is None
    assert certificate.describe(LEAF.pem, AT)["days_left"] == 60


@pytest.mark.parametrize("data", [b"", b"x", LEAF.key_pem])
def test_nothing_to_read(data) -> None:
    with pytest.raises(MtlsError):
        certificate.sha256_hex(data)


def test_foreign_identity_is_good_in_all_but_its_issuer() -> None:
    files: dict[str, bytes] = {}
    cert_path, key_path = foreign.foreign_identity("/run/x", "stranger.test", AT, files.__setitem__)
    assert sorted(files) == sorted([cert_path, key_path])
    assert {path.rsplit("/", 1)[0] for path in files} == {"/run/x"}
    leaf, ca = certificate.split(files[cert_path])
    spec = {
        "certificate": files[cert_path],
        "private_key": files[key_path],
        "purpose": "client",
        "min_days": 0,
    }
    own = examine({**spec, "trust": ca.pem}, AT)
    assert (own["verifies"], own["matches"], own["findings"]) == (True, True, [])
    ours = examine({**spec, "trust": builders.root().pem}, AT)
    assert (ours["verifies"], [one["code"] for one in ours["findings"]]) == (
        False,
        ["chain.root_not_trusted"],
    )
    assert leaf.facts.common_name == "stranger.test"
    assert examine({**spec, "trust": ca.pem}, AT + DAY)["verifies"] is False


def test_missing_library_names_the_package(monkeypatch) -> None:
    monkeypatch.setattr(_deps, "IMPORT_ERROR", "No module named 'cryptography'")
    with pytest.raises(MtlsError) as caught:
        _deps.require()
    assert "apt install python3-cryptography" in str(caught.value)
    assert caught.value.place == sys.executable


@pytest.mark.parametrize(
    ("version", "enough"), [("37.0.4", False), ("38.0.0", True), ("100.0", True), ("38.0rc1", True)]
)
def test_old_library_names_the_version(version, enough, monkeypatch) -> None:
    monkeypatch.setattr(_deps, "VERSION", version)
    if enough:
        _deps.require(_deps.WRITE_MINIMUM)
        return
    with pytest.raises(MtlsError, match=r"38\.0 is needed"):
        _deps.require(_deps.WRITE_MINIMUM)
