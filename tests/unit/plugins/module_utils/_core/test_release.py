# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

SOURCE = release.with_entry(
    {
        "server/sites/orders.conf": b'include @MTLS_RELEASE@/x; return 200 "@MTLS_ID@";',
        "server/default.conf": b"server { }",
        "server/credentials/server/fullchain.pem": b"CERT",
        "server/credentials/server/privkey.pem": b"KEY",
        "server/credentials/server/tls.conf": b"ssl_certificate @MTLS_RELEASE@/c;",
        "proxy/routes/orders.conf": b"upstream u { }",
        "proxy/listeners/1.conf": b"server { }",
    }
)
ID = release.release_id(SOURCE)


def on_disk(directory: str = "/b/releases/x") -> dict[str, bytes]:
    return {path: data for path, (data, _mode) in release.render(SOURCE, directory, ID).items()}


def test_the_entry_names_each_block_by_absolute_path_and_no_glob() -> None:
    lines = SOURCE["mtls.conf"].decode().splitlines()[1:]
    assert lines == [
        f"include @MTLS_RELEASE@/{path};"
        for path in (
            "server/default.conf",
            "server/sites/orders.conf",
            "proxy/routes/orders.conf",
            "proxy/listeners/1.conf",
        )
    ]


def test_the_empty_release_is_one_comment() -> None:
    source = release.empty_source()
    assert release.release_id(source) == "empty"
    assert all(line.startswith(b"#") for line in source["mtls.conf"].splitlines())


@pytest.mark.parametrize("path", sorted(SOURCE))
def test_each_file_counts_for_the_id(path: str) -> None:
    assert release.release_id({**SOURCE, path: SOURCE[path] + b" "}) != ID


def test_the_id_does_not_depend_on_order_or_place() -> None:
    assert release.release_id(dict(reversed(list(SOURCE.items())))) == ID
    assert len(ID) == 16
    assert release.is_release_id(ID)


def test_rendering_keeps_the_text_as_given_beside_it() -> None:
    files = release.render(SOURCE, "/b/releases/x", ID)
    assert files["server/sites/orders.conf"][0] == f'include /b/releases/x/x; return 200 "{ID}";'.encode()
    assert files["server/sites/orders.conf.in"][0] == SOURCE["server/sites/orders.conf"]
    assert b"@MTLS" not in b"".join(data for path, (data, _mode) in files.items() if not path.endswith(".in"))


def test_a_key_is_closed_for_itself() -> None:
    modes = {path: mode for path, (_data, mode) in release.render(SOURCE, "/x", ID).items()}
    assert modes["server/credentials/server/privkey.pem"] == 0o600
    assert modes["server/credentials/server/fullchain.pem"] == 0o644


def test_a_release_is_known_by_its_own_files() -> None:
    files = on_disk()
    assert release.unrender(files) == SOURCE
    assert release.differences({**files, "manifest.json": b"{}"}, "/b/releases/x", ID) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"server/sites/orders.conf": b"edited by hand"}, ["server/sites/orders.conf"]),
        ({"stray": b""}, ["stray"]),
        ({"server/credentials/server/privkey.pem": b"other"}, ["id"]),
        ({"server/sites/orders.conf.in": b"other"}, ["id"]),
    ],
)
def test_a_changed_file_is_found(change: dict[str, bytes], found: list[str]) -> None:
    assert release.differences({**on_disk(), **change}, "/b/releases/x", ID) == found


def test_a_missing_file_is_found() -> None:
    files = on_disk()
    del files["proxy/listeners/1.conf"]
    assert release.differences(files, "/b/releases/x", ID) == ["proxy/listeners/1.conf"]


@pytest.mark.parametrize("name", ["orders", "a-b_c", "0"])
def test_names_of_credentials(name: str) -> None:
    assert release.check_name(name, "credential") == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "a;b", "a b", ".x"])
def test_names_that_would_leave_their_folder(name: str) -> None:
    with pytest.raises(MtlsError):
        release.check_name(name, "credential")


@pytest.mark.parametrize("name", ["..", "a/b", "a b", "a;", ""])
def test_names_of_blocks_that_would_leave_their_folder(name: str) -> None:
    with pytest.raises(MtlsError):
        release.check_name(name, "site")


def test_files_that_a_dump_must_name() -> None:
    source = {
        "mtls.conf": b"",
        "server/sites/a.conf": b"",
        "server/credentials/s/tls.conf": b"",
        "x.pem": b"",
    }
    assert release.expected_files("/b", "/b/releases/1", source) == [
        "/b/current/mtls.conf",
        "/b/releases/1/server/sites/a.conf",
    ]


def test_a_block_of_a_credential_that_is_gone() -> None:
    text = b"include @MTLS_RELEASE@/server/credentials/old/tls.conf;"
    with pytest.raises(MtlsError, match="credential 'old'"):
        release.check_references({**SOURCE, "server/sites/x.conf": text})
    release.check_references({**SOURCE, "server/sites/x.conf": text.replace(b"old", b"server")})


def test_the_version_is_the_collections() -> None:
    galaxy = next(path for path in (up / "galaxy.yml" for up in Path(__file__).parents) if path.exists())
    assert f"version: {release.VERSION}\n" in galaxy.read_text(encoding="utf-8")
