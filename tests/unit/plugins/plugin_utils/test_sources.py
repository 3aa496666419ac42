# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import sources


def test_beside_the_inventory_first_then_in_the_working_directory(tmp_path: Path) -> None:
    one, two = tmp_path / "inventory", tmp_path / "cwd"
    for folder in (one, two):
        folder.mkdir()
    folders = [str(one), str(two)]
    (two / "x").touch()
    assert sources.find("x", folders, "o") == str(two / "x")
    (one / "x").touch()
    assert sources.find("x", folders, "o") == str(one / "x")
    assert sources.find(str(two / "x"), folders, "o") == str(two / "x")


def test_the_error_lists_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(MtlsError) as found:
        sources.find("pki/x.pem", ["", str(tmp_path), "/cwd"], "parts.server.credentials[a].certificate_src")
    assert f"{tmp_path}/pki/x.pem and /cwd/pki/x.pem" in found.value.message
    assert found.value.place == "parts.server.credentials[a].certificate_src"


def test_the_home_is_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").touch()
    assert sources.find("~/x", ["/cwd"], "o") == str(tmp_path / "x")


@pytest.mark.parametrize("content", [b"text\n", b"\x30\x82\xff\x00"])
def test_a_vault_file_is_decrypted_in_memory(tmp_path: Path, content: bytes) -> None:
    loader = DataLoader()
    secret = VaultSecret(b"password")
    loader.set_vault_secrets([("default", secret)])
    path = tmp_path / "key.vault"
    path.write_bytes(VaultLib([("default", secret)]).encrypt(content))
    before = set(os.listdir(tmp_path))
    assert sources.read(loader, str(path), "o") == content
    assert set(os.listdir(tmp_path)) == before
    assert loader._tempfiles == set()


def test_a_vault_file_without_its_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key.vault"
    path.write_bytes(VaultLib([("default", VaultSecret(b"password"))]).encrypt(b"x"))
    with pytest.raises(MtlsError, match=r"key\.vault") as found:
        sources.read(DataLoader(), str(path), "option")
    assert found.value.place == "option"


def test_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert sources.read(DataLoader(), str(tmp_path / "x"), "o") == b"1"


@pytest.mark.parametrize("content", [b"", b" \r\n"])
def test_an_empty_file_is_no_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(MtlsError, match="is empty"):
        sources.read(DataLoader(), str(tmp_path / "x"), "o")


def test_what_is_there_and_no_file_is_said_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MtlsError, match="folder' on the controller is a directory"):
        sources.find("folder", [str(tmp_path)], "o")
    with pytest.raises(MtlsError, match="loop' on the controller is no plain file"):
        sources.find("loop", [str(tmp_path)], "o")
