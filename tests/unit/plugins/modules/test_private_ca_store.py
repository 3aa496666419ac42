# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""private_ca_store as Ansible runs it: arguments in, JSON out."""

from __future__ import annotations

import json
import os
import resource
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils import basic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store
from ansible_collections.mutual_tls.nginx.plugins.modules import private_ca_store

Run = Callable[..., dict[str, Any]]
NOW = datetime.now(timezone.utc).replace(microsecond=0)


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    # pytest's own directory is a temporary folder; the refusal has tests of its own.
    monkeypatch.setattr(ca_store, "temporary_folders", lambda environment: ["/var/tmp"])

    def run(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "name": "shop",
            **options,
            "_ansible_check_mode": check_mode,
            "_ansible_remote_tmp": "/tmp",
        }
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # core 2.19 and later
        monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda *_a, **_k: None)
        with pytest.raises(SystemExit):
            private_ca_store.main()
        return json.loads(capsys.readouterr().out)

    return run


def authority(
    folder: Path, name: str, common_name: str, ends: datetime = NOW + timedelta(days=9), passphrase: str = ""
) -> str:
    """Writes <name>.key and <name>.pem of a self-signed certificate; returns the PEM text."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    names = [x509.DNSName("a.example.com"), x509.DNSName("b.example.com")]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 0xABC)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM).decode("ascii")
    (folder / f"{name}.pem").write_text(text, encoding="ascii")
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption(),
        )
    )
    (folder / f"{name}.key").chmod(0o600)
    return text


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_there(tmp_path: Path, run: Run, check_mode: bool) -> None:
    path = tmp_path / "ca"
    result = run(path=str(path), check_mode=check_mode)
    assert result["changed"] is False
    assert result["store"] == {
        "path": str(path),
        "issuing": 0,
        "make": {"generation": 1, "directory": None, "files": ["root.key", "root.pem"]},
        "issuer": None,
        "unable": None,
        "known": [],
        "roots": [],
        "chain": "",
        "newest": None,
        "crls": [],
        "revoked": [],
        "barred": [],
        "ended": [],
        "warnings": [],
    }
    assert not path.exists()


@pytest.mark.parametrize("state", ["staged", "published", "recorded"])
def test_check_mode_writes_nothing(tmp_path: Path, run: Run, state: str) -> None:
    more = {"staging": str(tmp_path), "generation": 1, "host": "b1", "certificates": {}}
    assert run(path=str(tmp_path / "ca"), state=state, check_mode=True, **more)["changed"] is True
    assert not (tmp_path / "ca").exists()


def test_a_generation_from_place_to_issuer(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "ca"
    staged = run(path=str(path), state="staged")
    assert staged["changed"] is True
    root = authority(Path(staged["staging"]), "root", "shop CA 1")
    published = run(path=str(path), state="published", staging=staged["staging"], generation=1)
    assert published["changed"] is True
    store = run(path=str(path))["store"]
    assert store == published["store"]
    assert store["make"] is None
    assert [entry["certificate"] for entry in store["roots"]] == [root]
    assert store["issuer"] == {
        "generation": 1,
        "certificate_path": f"{path}/generations/1/root.pem",
        "private_key_path": f"{path}/generations/1/root.key",
        "subject": "CN=shop CA 1",
        "not_after": (NOW + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def test_the_lowest_signs_and_all_are_trusted(tmp_path: Path, run: Run) -> None:
    roots = [
        authority(tmp_path / "generations" / str(number), "root", f"shop CA {number}") for number in (9, 10)
    ]
    issuing = authority(tmp_path / "generations" / "9", "intermediate", "shop CA 9 issuing")
    store = run(path=str(tmp_path), intermediate=True)["store"]
    assert [entry["certificate"] for entry in store["roots"]] == roots, "by number, not by text"
    assert store["issuer"]["subject"] == "CN=shop CA 9 issuing"
    assert store["issuer"]["private_key_path"].endswith("/generations/9/intermediate.key")
    assert store["issuing"] == 9
    assert store["chain"] == issuing
    plain = run(path=str(tmp_path))["store"]
    assert (plain["issuer"]["subject"], plain["chain"]) == ("CN=shop CA 9", "")


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("has", "given", "message"),
    [
        ("", "", ""),
        ("a long passphrase", "a long passphrase", ""),
        (
            "a long passphrase",
            "",
            "private_ca_passphrase: {key}: The private key is encrypted and no passphrase",
        ),
        (
            "a long passphrase",
            "a wrong passphrase",
            "private_ca_passphrase: {key}: The private key cannot be opened",
        ),
        ("", "a long passphrase", "private_ca_passphrase: is set, but {key} is not encrypted"),
    ],
)
def test_a_passphrase(tmp_path: Path, run: Run, has: str, given: str, message: str, check_mode: bool) -> None:
    authority(tmp_path / "generations" / "1", "root", "shop CA 1", passphrase=has)
    result = run(path=str(tmp_path), passphrase=given, check_mode=check_mode)
    assert result.get("msg", "").startswith(message.format(key=f"{tmp_path}/generations/1/root.key"))
    assert result.get("failed", False) is bool(message)
    assert "a long passphrase" not in json.dumps(result)
    assert "private_key_passphrase" not in json.dumps(result), "an option of other modules"


def test_a_key_of_another_certificate(tmp_path: Path, run: Run) -> None:
    generation = tmp_path / "generations" / "1"
    authority(generation, "root", "shop CA 1")
    key = (generation / "root.key").read_bytes()
    authority(generation, "root", "shop CA 1")
    (generation / "root.key").write_bytes(key)
    assert "is not the key of the certificate beside it" in run(path=str(tmp_path))["msg"]


def test_a_half_made_generation_is_named(tmp_path: Path, run: Run) -> None:
    authority(tmp_path / "generations" / "1", "root", "shop CA 1")
    (tmp_path / "generations" / "1" / "root.pem").unlink()
    assert run(path=str(tmp_path))["store"]["make"] == {
        "generation": 1,
        "directory": f"{tmp_path}/generations/1",
        "files": ["root.pem"],
    }


def test_the_list_of_what_was_issued(tmp_path: Path, run: Run) -> None:
    leaf = authority(tmp_path / "made", "leaf", "orders")
    path = tmp_path / "ca"
    authority(path / "generations" / "3", "root", "shop CA 3")
    for host, certificates in (("a1", {"server/orders": leaf, "server/probe": leaf}), ("b1", {})):
        options = {"host": host, "certificates": certificates, "generation": 3}
        assert run(path=str(path), state="recorded", **options)["changed"] is True
    lines = (path / "issued.jsonl").read_text(encoding="ascii").splitlines()
    assert [json.loads(line)["credential"] for line in lines] == ["orders", "probe"]
    first = json.loads(lines[0])
    assert len(first.pop("sha256")) == 64
    assert first == {
        "serial": "0ABC",
        "subject": "CN=orders",
        "names": ["a.example.com", "b.example.com"],
        "host": "a1",
        "side": "server",
        "credential": "orders",
        "not_before": (NOW - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": (NOW + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "issuer": "CN=orders",
        "generation": 3,
    }


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "no directory is named"),
        ("private_ca", "not an absolute path"),
        ("/var/tmp/private_ca", "temporary folder"),
        ("/srv/ansible_collections/a/b/private_ca", "collections are installed"),
        ("/srv/collections/private_ca", "collections are installed"),
    ],
)
def test_a_place_where_it_would_be_lost(run: Run, path: str, message: str, check_mode: bool) -> None:
    for state in ("read", "staged"):
        result = run(path=path, state=state, collections=["/srv/collections"], check_mode=check_mode)
        assert result["failed"] is True
        assert result["msg"].startswith("private_ca_dir: ")
        assert message in result["msg"]


def test_a_link_into_such_a_place(tmp_path: Path, run: Run) -> None:
    (tmp_path / "link").symlink_to("/var/tmp")
    result = run(path=str(tmp_path / "link" / "ca"), state="staged")
    assert "really /var/tmp/ca" in result["msg"]
    assert not os.path.exists("/var/tmp/ca")


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_cannot_sign(tmp_path: Path, run: Run, check_mode: bool) -> None:
    generation = tmp_path / "generations" / "1"
    authority(generation, "root", "shop CA 1", ends=NOW)
    assert "expired on" in run(path=str(tmp_path), check_mode=check_mode)["msg"]
    authority(generation, "root", "other CA 1")
    assert "private_ca_name: The root in" in run(path=str(tmp_path), check_mode=check_mode)["msg"]
    (generation / "root.pem").write_text("nonsense", encoding="ascii")
    assert "generations/1/root.pem" in run(path=str(tmp_path), check_mode=check_mode)["msg"]
    (generation / "root.key").chmod(0o644)
    assert "chmod 0600" in run(path=str(tmp_path), check_mode=check_mode)["msg"]
    authority(generation, "root", "shop CA 1")
    (generation / "root.key").unlink()
    assert "Restore root.key" in run(path=str(tmp_path), check_mode=check_mode)["msg"]
    (generation / "root.pem").unlink()
    generation.rmdir()
    (tmp_path / "other.txt").touch()
    assert "is not empty" in run(path=str(tmp_path), check_mode=check_mode)["msg"]


def test_a_library_that_is_missing(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is there and nothing is written it is not needed yet: a bare host in check mode."""

    def missing() -> None:
        raise MtlsError("cryptography is missing")

    monkeypatch.setattr(private_ca_store._deps, "require", missing)
    assert run(path=str(tmp_path / "ca"), check_mode=True)["store"]["roots"] == []
    assert run(path=str(tmp_path / "ca"))["msg"] == "cryptography is missing"


def test_a_directory_of_somebody_else(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(ca_store, "entries", refused)
    result = run(path=str(tmp_path))
    assert "private_ca_become: true" in result["msg"]
    assert str(tmp_path) in result["msg"]


def test_a_file_in_place_of_the_directory(tmp_path: Path, run: Run) -> None:
    (tmp_path / "ca").touch()
    result = run(path=str(tmp_path / "ca"))
    assert result["msg"].startswith(f"private_ca_dir: Not a directory: {tmp_path / 'ca'}")


def test_a_disk_that_is_full(tmp_path: Path, run: Run) -> None:
    """Here a limit of the process: the kernel writes what has room, and refuses the rest, as a disk does.
    The line that was cut off spoils no later one."""
    leaf = authority(tmp_path / "made", "leaf", "orders")
    path = tmp_path / "ca"
    authority(path / "generations" / "3", "root", "shop CA 3")
    options = {"path": str(path), "state": "recorded", "host": "a1", "generation": 3}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        result = run(certificates={"server/orders": leaf}, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result["failed"] is True
    assert result["msg"].startswith(f"private_ca_dir: File too large: {path}. ")
    assert (path / "issued.jsonl").stat().st_size == 100

    assert run(certificates={"server/orders": leaf}, **options)["changed"] is True
    cut, line = (path / "issued.jsonl").read_text(encoding="ascii").splitlines()
    assert line.startswith(cut)
    assert json.loads(line)["credential"] == "orders"
