# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path that somebody else has named: read whole, or a finding, and never a wait."""

from __future__ import annotations

import errno
import os
import pty
import socket
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import intake


def told(path: object) -> tuple[str, str]:
    found = intake.read(str(path))
    assert isinstance(found, Finding), found
    return found.code, found.message


@pytest.mark.parametrize("data", [b"", b"a", b"\0" * 3_000_000], ids=len)
def test_a_file_is_read_whole(tmp_path, data) -> None:
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "link").symlink_to("a")
    assert intake.read(str(tmp_path / "a")) == data
    assert intake.read(str(tmp_path / "link")) == data


def test_a_file_of_no_size_that_has_content_is_read() -> None:
    assert intake.read("/proc/self/cmdline") == Path("/proc/self/cmdline").read_bytes() != b""


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


ODD = [
    ("missing", lambda path: path, "file.missing", "There is no such file."),
    ("below a file", lambda path: Path(__file__) / "a", "file.missing", "There is no such file."),
    ("dangling", lambda path: _link(path, "nowhere"), "file.missing", "The symbolic link leads to nothing."),
    (
        "circle",
        lambda path: _link(path, path.name),
        "file.unreadable",
        "The symbolic links lead in a circle.",
    ),
    ("long name", lambda path: path / ("x" * 300), "file.missing", "There is no such file."),
    (
        "long path",
        lambda path: Path("/" + "x/" * 3000),
        "file.missing",
        "The path is longer than a path can be.",
    ),
    ("NUL", lambda path: "a\0b", "file.missing", "A path cannot hold a NUL character."),
    ("directory", _directory, "file.not_regular", "It is a directory."),
    ("fifo", _fifo, "file.not_regular", "It is a named pipe."),
    (
        "link to a fifo",
        lambda path: _link(path, str(_fifo(path.with_name("f")))),
        "file.not_regular",
        "It is a named pipe.",
    ),
    ("null device", lambda path: "/dev/null", "file.not_regular", "It is a character device."),
    ("endless device", lambda path: "/dev/zero", "file.not_regular", "It is a character device."),
]


@pytest.mark.parametrize(("make", "code", "message"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_what_is_no_file(tmp_path, make, code, message) -> None:
    (tmp_path / "d").mkdir()
    assert told(make(tmp_path / "d" / "a")) == (code, message)


def test_a_socket(tmp_path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert told(tmp_path / "s") == ("file.not_regular", "It is a socket.")


def test_a_terminal_is_not_opened() -> None:
    ours, theirs = pty.openpty()
    try:
        assert told(os.ttyname(theirs)) == ("file.not_regular", "It is a character device.")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errno.EACCES, "file.unreadable", "The file cannot be read: Permission denied."),
        (errno.EIO, "file.unreadable", "The file cannot be read: Input/output error."),
        (errno.ENXIO, "file.not_regular", "It is a socket or a device that is not there."),
    ],
)
def test_what_the_system_refuses(tmp_path, monkeypatch, error, code, message) -> None:
    """By a stand-in: root may read everything, and disks fail seldom."""

    def refuse(*_arguments: object) -> int:
        raise OSError(error, os.strerror(error))

    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.setattr(intake.os, "open", refuse)
    assert told(tmp_path / "a") == (code, message)


def test_too_large(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(intake, "LIMIT", 1000)
    (tmp_path / "a").write_bytes(b"a" * 1000)
    assert intake.read(str(tmp_path / "a")) == b"a" * 1000
    (tmp_path / "a").write_bytes(b"a" * 1001)
    assert told(tmp_path / "a") == (
        "file.too_large",
        "The file has 1001 octets, more than the 1000 that are read.",
    )


def test_a_huge_sparse_file_costs_nothing(tmp_path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.truncate(1 << 40)
    assert told(tmp_path / "a")[0] == "file.too_large"


def test_a_file_that_changes_meanwhile_is_read_again(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    changes = iter([b"newer", b"newest"])

    def change() -> None:
        new = next(changes, None)
        if new is not None:
            path.write_bytes(new)

    assert intake.read(str(path), change) == b"newest"


def test_a_file_that_never_stays_the_same_is_a_finding(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")

    def change() -> None:
        with open(path, "ab") as file:
            file.write(b"x")

    found = intake.read(str(path), change)
    assert isinstance(found, Finding)
    assert (found.code, found.message) == ("file.unreadable", "The file changes while it is read.")


def test_a_fifo_that_takes_the_files_place_is_not_waited_for(tmp_path) -> None:
    """Between the first look and the opening."""
    path = tmp_path / "a"
    path.write_bytes(b"a")
    look = os.stat

    def swap(name: str) -> os.stat_result:
        found = look(name)
        path.unlink()
        os.mkfifo(path)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake.os, "stat", swap)
        assert told(path) == ("file.not_regular", "It is a named pipe.")


def test_names_are_shown_without_control_characters(tmp_path) -> None:
    found = intake.read(str(tmp_path / "a\x1b[31m\n"))
    assert isinstance(found, Finding)
    assert found.place == str(tmp_path / "a\\x1b[31m\\x0a")


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (0o600, []),
        (0o400, []),
        (0o640, ["file.permissions"]),
        (0o604, ["file.permissions"]),
        (0o620, ["file.permissions"]),
    ],
)
def test_who_else_may_read_a_key(tmp_path, mode, codes) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "a").chmod(mode)
    found = intake.private_key_findings(str(tmp_path / "a"))
    assert [finding.code for finding in found] == codes
    assert all(finding.message.endswith(f" {mode:04o}.") for finding in found)


def test_of_what_is_no_file_nothing_is_said_about_its_mode(tmp_path) -> None:
    assert intake.private_key_findings(str(tmp_path)) == []
    assert intake.private_key_findings(str(tmp_path / "none")) == []
    assert intake.private_key_findings("a\0") == []
