# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""credential_request as a whole, without Ansible's process: what is asked for, kept, and never told."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("ansible", reason="the module itself imports ansible")

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, key
from ansible_collections.mutual_tls.nginx.plugins.modules import credential_request
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY

if _deps.VERSION.startswith("3."):
    pytest.skip("the module needs cryptography 38", allow_module_level=True)

CA = builders.root("CN=mtls CA 1")
SERVER = {
    "part": "server", "name": "server", "purpose": "server", "common_name": "a1.test",
    "hostnames": ["a1.test", "10.0.0.1"], "key_type": "p256", "reuse": False, "force": False,
}  # fmt: skip
CLIENT = {
    "part": "proxy", "name": "client", "purpose": "client", "common_name": "b1", "hostnames": [],
    "key_type": "p256", "reuse": False, "force": False,
}  # fmt: skip


@pytest.fixture
def base(tmp_path) -> str:
    return str(tmp_path / "mtls")


def ask(base, *credentials, check_mode=False, at="", now=AT) -> dict:
    params = {"base": base, "issuer_name": "mtls", "at": at, "credentials": list(credentials)}
    result = credential_request.ask(params, check_mode, now)
    assert "PRIVATE" not in json.dumps(result)
    return result


def one(base, credential, **more) -> tuple[dict, bool]:
    result = ask(base, credential, **more)
    return result["credentials"][0], result["changed"]


def deliver(base, credential, element, ca=CA, **more) -> builders.Issued:
    """What signing and release do: the certificate for the request goes live with the pending key."""
    request = x509.load_pem_x509_csr(element["request"].encode())
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(ca.certificate.subject)
        .public_key(request.public_key())
        .serial_number(more.get("serial", 10))
        .not_valid_before(AT - DAY)
        .not_valid_after(more.get("end", AT + 89 * DAY))
    )
    for extension in request.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    certificate = builder.sign(ca.key, hashes.SHA256())
    folder = f"{base}/current/{credential['part']}/credentials/{credential['name']}"
    os.makedirs(folder, exist_ok=True)
    os.replace(element["private_key_path"], f"{folder}/privkey.pem")
    shutil.rmtree(f"{base}/pending")
    issued = builders.Issued(certificate, None)
    for name, data in (("fullchain.pem", issued.pem), ("trust.pem", CA.pem)):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
    return issued


def key_of(path: str) -> key.PrivateKey:
    with open(path, "rb") as file:
        return key.read(file.read())


def test_request_holds_what_is_wanted(base) -> None:
    element, changed = one(base, SERVER)
    request = x509.load_pem_x509_csr(element["request"].encode())
    values = {extension.value.__class__: extension for extension in request.extensions}
    assert changed and (element["needed"], element["reason"], element["live"]) == (
        True,
        "no_certificate",
        None,
    )
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=a1.test"
    names = values[x509.SubjectAlternativeName].value
    assert names.get_values_for_type(x509.DNSName) == ["a1.test"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert [oid.dotted_string for oid in values[x509.ExtendedKeyUsage].value] == ["1.3.6.1.5.5.7.3.1"]
    assert values[x509.BasicConstraints].value.ca is False
    usage = values[x509.KeyUsage].value
    assert usage.digital_signature and not usage.key_cert_sign and not usage.key_encipherment
    assert element["private_key_path"] == f"{base}/pending/server/server/privkey.pem"
    assert key_of(element["private_key_path"]).public_key_sha256 == element["public_key_sha256"]


def test_client_request(base) -> None:
    element, _changed = one(base, CLIENT)
    request = x509.load_pem_x509_csr(element["request"].encode())
    found = {type(extension.value): extension.value for extension in request.extensions}
    assert [oid.dotted_string for oid in found[x509.ExtendedKeyUsage]] == ["1.3.6.1.5.5.7.3.2"]
    assert x509.SubjectAlternativeName not in found


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "rsa3072", "ed25519"])
def test_key_types(base, kind) -> None:
    element, _changed = one(base, {**CLIENT, "key_type": kind})
    assert key.type_name(key_of(element["private_key_path"]).key) == kind
    assert x509.load_pem_x509_csr(element["request"].encode()).is_signature_valid


def test_second_run_returns_the_same_and_changes_nothing(base) -> None:
    first = ask(base, SERVER, CLIENT)
    second = ask(base, SERVER, CLIENT)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["credentials"] == second["credentials"]
    assert second["diff"]["before"] == second["diff"]["after"] == ""
    assert [element["part"] for element in second["credentials"]] == ["server", "proxy"]


def test_other_names_keep_the_key(base) -> None:
    first, _changed = one(base, SERVER)
    second, changed = one(base, {**SERVER, "hostnames": ["a1.test"]})
    assert changed and second["request"] != first["request"]
    assert second["public_key_sha256"] == first["public_key_sha256"]


@pytest.mark.parametrize("changes", [{"purpose": "client"}, {"common_name": "a2.test"}])
def test_another_wish_is_another_request(base, changes) -> None:
    first, _changed = one(base, SERVER)
    second, changed = one(base, {**SERVER, **changes})
    assert changed and second["request"] != first["request"]


def test_other_type_replaces_the_key(base) -> None:
    first, _changed = one(base, SERVER)
    second, changed = one(base, {**SERVER, "key_type": "p384"})
    assert changed and second["public_key_sha256"] != first["public_key_sha256"]
    assert key.type_name(key_of(second["private_key_path"]).key) == "p384"


DAMAGE = [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]


@pytest.mark.parametrize("data", DAMAGE)
@pytest.mark.parametrize("name", ["privkey.pem", "request.pem"])
def test_damaged_pending_files_are_made_anew(base, name, data) -> None:
    first, _changed = one(base, SERVER)
    with open(f"{base}/pending/server/server/{name}", "wb") as file:
        file.write(data)
    second, changed = one(base, SERVER)
    assert changed and x509.load_pem_x509_csr(second["request"].encode()).is_signature_valid
    same_key = second["public_key_sha256"] == first["public_key_sha256"]
    assert same_key is (name == "request.pem")


def test_live_certificate_needs_nothing(base) -> None:
    element, _changed = one(base, SERVER)
    issued = deliver(base, SERVER, element, serial=0xAB)
    again, changed = one(base, SERVER)
    digest, ca_digest = (one.certificate.fingerprint(hashes.SHA256()).hex() for one in (issued, CA))
    assert not changed
    assert again == {
        "part": "server", "name": "server", "needed": False, "reason": "", "request": None,
        "private_key_path": None, "public_key_sha256": None,
        "live": {
            "subject": "CN=a1.test", "issuer": "CN=mtls CA 1", "serial": "AB", "sha256": digest,
            "not_after": "2026-08-29T12:00:00Z",
            "trust": [{"subject": "CN=mtls CA 1", "sha256": ca_digest}],
        },
    }  # fmt: skip
    assert not os.path.exists(f"{base}/pending")


def test_reasons_against_real_files(base) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element)
    folder = f"{base}/current/server/credentials/server"
    assert one(base, SERVER, check_mode=True, now=AT + 89 * DAY)[0]["reason"] == "expired"
    assert one(base, SERVER, check_mode=True, at="2026-12-01T00:00:00Z")[0]["reason"] == "expired"
    assert one(base, {**SERVER, "hostnames": ["a2.test"]}, check_mode=True)[0]["reason"] == "names"
    assert one(base, {**SERVER, "key_type": "rsa2048"}, check_mode=True)[0]["reason"] == "key_type"
    assert one(base, {**SERVER, "purpose": "client"}, check_mode=True)[0]["reason"] == "purpose"
    assert one(base, {**SERVER, "force": True}, check_mode=True)[0]["reason"] == "forced"
    with open(f"{folder}/privkey.pem", "wb") as file:
        file.write(builders.key_pem(builders.new_key()))
    mismatch, _changed = one(base, SERVER, check_mode=True)
    assert (mismatch["reason"], mismatch["live"]) == ("unreadable", None)
    os.unlink(f"{folder}/privkey.pem")
    assert one(base, SERVER, check_mode=True)[0]["reason"] == "unreadable"


def test_certificate_of_another_ca_is_not_ours(base) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element, ca=builders.root("CN=corp CA 1"))
    found, _changed = one(base, SERVER, check_mode=True)
    assert (found["reason"], found["live"]["issuer"]) == ("issuer", "CN=corp CA 1")


@pytest.mark.parametrize(("reuse", "same"), [(False, False), (True, True)])
def test_reuse(base, reuse, same) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element)
    renewed, changed = one(base, {**SERVER, "force": True, "reuse": reuse})
    assert changed and (renewed["public_key_sha256"] == element["public_key_sha256"]) is same
    again, changed = one(base, {**SERVER, "force": True, "reuse": reuse})
    assert not changed and again["request"] == renewed["request"]


def test_a_pending_copy_of_the_live_key_is_not_new(base) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element)
    one(base, {**SERVER, "force": True, "reuse": True})
    fresh, changed = one(base, {**SERVER, "force": True})
    assert changed and fresh["public_key_sha256"] != element["public_key_sha256"]


def test_reuse_of_a_live_key_of_another_type(base) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element)
    renewed, _changed = one(base, {**SERVER, "key_type": "p384", "reuse": True})
    assert key.type_name(key_of(renewed["private_key_path"]).key) == "p384"


# -- check mode and diff


def test_check_mode_on_a_bare_host(base, monkeypatch) -> None:
    monkeypatch.setattr(_deps, "IMPORT_ERROR", "No module named 'cryptography'")
    element, changed = one(base, SERVER, check_mode=True)
    assert changed and element["needed"] and element["request"] is None
    assert not os.path.exists(base)
    with pytest.raises(MtlsError, match="python3-cryptography"):
        one(base, SERVER)
    assert not os.path.exists(base)


def test_check_mode_beside_a_live_certificate_needs_the_library(base, monkeypatch) -> None:
    element, _changed = one(base, SERVER)
    deliver(base, SERVER, element)
    monkeypatch.setattr(_deps, "IMPORT_ERROR", "No module named 'cryptography'")
    with pytest.raises(MtlsError, match="python3-cryptography"):
        one(base, SERVER, check_mode=True)


def test_diff_names_what_and_why(base) -> None:
    after = ask(base, SERVER, CLIENT, check_mode=True)["diff"]["after"].splitlines()
    assert after == [
        "server/server: CN=a1.test, names a1.test, 10.0.0.1, serverAuth, key p256 (no_certificate)",
        "proxy/client: CN=b1, names none, clientAuth, key p256 (no_certificate)",
    ]


def test_nothing_is_made_when_one_credential_is_bad(base) -> None:
    with pytest.raises(MtlsError, match=r"\.\./x"):
        ask(base, SERVER, {**CLIENT, "name": "../x"})
    with pytest.raises(MtlsError, match="RFC 3339"):
        ask(base, SERVER, at="tomorrow")
    assert not os.path.exists(base)


def _concurrent(base: str) -> str:
    return one(base, {**SERVER, "key_type": "rsa2048"})[0]["public_key_sha256"]


def test_two_runs_at_once_agree_on_one_key(base) -> None:
    # Threads serve: flock(2) tells open files apart, not processes. A fork of pytest's threads may hang.
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(_concurrent, [base] * 8))
    assert digests == {key_of(f"{base}/pending/server/server/privkey.pem").public_key_sha256}
