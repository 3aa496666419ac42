# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_file_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write_new(str(tmp_path / "key"), b"k", 0o600)
        files.write_new(str(tmp_path / "conf"), b"c", 0o644)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "key"), mode(tmp_path / "conf")) == (0o600, 0o644)


def test_a_file_that_exists_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.write_new(str(tmp_path / "x"), b"new", 0o600)
    os.symlink("/nonexistent", tmp_path / "link")
    with pytest.raises(OSError, match="exists"):
        files.write_new(str(tmp_path / "link"), b"new", 0o600)


def test_replacing_makes_a_new_inode(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    inode = path.stat().st_ino
    with path.open("rb") as reader:
        files.replace_file(str(path), b"new", 0o644)
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != inode
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        files.replace_file(str(path), b"new", 0o644)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    files.write_new(str(tmp_path / "x"), b"0123456789", 0o600)
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_a_link_moves_by_one_rename(tmp_path: Path) -> None:
    link = tmp_path / "current"
    files.replace_link(str(link), "releases/a")
    files.replace_link(str(link), "releases/b")
    assert os.readlink(link) == "releases/b"
    assert os.listdir(tmp_path) == ["current"]


def test_a_tree_is_closed_and_read_back(tmp_path: Path) -> None:
    root = tmp_path / "r"
    files.write_tree(str(root), {"a/b/key": (b"1", 0o600), "a/c": (b"2", 0o644), "d": (b"3", 0o644)})
    assert mode(root) == mode(root / "a") == mode(root / "a" / "b") == 0o700
    assert files.read_tree(str(root)) == {"a/b/key": b"1", "a/c": b"2", "d": b"3"}
    with pytest.raises(FileExistsError):
        files.write_tree(str(root), {})


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """Opened, a fifo would wait for a writer for ever."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"x")
    assert files.read_tree(str(tmp_path)) == {"file": b"x"}


def test_links_are_not_followed_when_reading_or_removing(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"x")
    root = tmp_path / "r"
    root.mkdir()
    os.symlink(tmp_path / "kept", root / "folder")
    os.symlink(tmp_path / "kept" / "file", root / "file")
    assert files.read_tree(str(root)) == {}
    files.remove_tree(str(root))
    assert (tmp_path / "kept" / "file").exists()
    os.symlink(tmp_path / "kept", root)
    files.remove_tree(str(root))
    assert (tmp_path / "kept" / "file").exists()
    files.remove_tree(str(root))


def test_every_rename_comes_after_its_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power loss: the name may only point at bytes that last."""
    trace: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        trace.append("fsync " + ("dir" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"))
        real_fsync(descriptor)

    def rename(source: str, target: str) -> None:
        trace.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    files.replace_file(str(tmp_path / "x"), b"1", 0o644)
    assert trace == ["fsync file", "rename", "fsync dir"]
    trace.clear()
    files.write_tree(str(tmp_path / "t"), {"a/x": (b"1", 0o644)})
    assert trace == ["fsync file", "fsync dir", "fsync dir"]


def test_a_directory_is_made_once(tmp_path: Path) -> None:
    path = str(tmp_path / "d")
    assert files.make_directory(path, 0o700)
    assert not files.make_directory(path, 0o700)
    assert mode(tmp_path / "d") == 0o700
