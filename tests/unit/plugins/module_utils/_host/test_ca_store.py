# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private CA's directory on disk."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fill(staging: str, text: str = "one") -> None:
    for name in ("root.key", "root.pem"):
        Path(staging, name).write_text(text, encoding="ascii")
        Path(staging, name).chmod(0o600)


def allowed() -> None:
    """Nothing is against it."""


def test_a_new_directory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "private_ca"
    staging = Path(ca_store.stage(str(path)))
    assert (path / ".gitignore").read_text(encoding="ascii") == "*\n"
    assert [mode(p) for p in (path, path / "generations", staging)] == [0o700] * 3
    assert ca_store.generations(str(path)) == {}, "what is staged is no generation"
    fill(str(staging))
    assert ca_store.publish(str(path), str(staging), 1) is True
    assert ca_store.generations(str(path)) == {1: {"root.key", "root.pem"}}
    assert not staging.exists()


def test_the_first_file_is_the_one_that_hides_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed after the first file has left nothing that git would take."""
    created: list[str] = []
    real_open = os.open

    def watched(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            created.append(os.path.basename(path))
        return real_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", watched)
    ca_store.stage(str(tmp_path / "ca"))
    assert created[0] == ".gitignore"


def test_a_directory_of_the_users_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    path.mkdir(mode=0o755)
    (path / ".gitignore").write_text("*\n!keep\n", encoding="ascii")
    ca_store.stage(str(path))
    assert mode(path) == 0o700
    assert (path / ".gitignore").read_text(encoding="ascii") == "*\n!keep\n", "a file that is there stays"


def test_of_two_runs_one_wins_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "ca")
    first, second = ca_store.stage(path), ca_store.stage(path)
    assert first != second
    fill(first, "first")
    fill(second, "second")
    assert ca_store.publish(path, second, 1) is True
    assert ca_store.publish(path, first, 1) is False
    folder = tmp_path / "ca" / "generations"
    assert {p.read_text(encoding="ascii") for p in (folder / "1").iterdir()} == {"second"}
    assert [p.name for p in folder.iterdir()] == ["1"], "the loser's key is gone"


def test_a_half_made_generation_is_completed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    ca_store.stage(str(path))
    half = path / "generations" / "1"
    half.mkdir()
    fill(str(half))
    assert ca_store.publish(str(path), str(half), 1) is True
    assert sorted(p.name for p in half.iterdir()) == ["root.key", "root.pem"]


def test_nothing_else_is_published(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    ca_store.stage(str(path))
    elsewhere = tmp_path / ".new-x"
    elsewhere.mkdir()
    for staging in (elsewhere, path):
        with pytest.raises(MtlsError, match="no staging directory"):
            ca_store.publish(str(path), str(staging), 1)
    assert elsewhere.is_dir()


def test_what_a_killed_run_left_goes_after_an_hour(tmp_path: Path) -> None:
    path = str(tmp_path / "ca")
    old = ca_store.stage(path)
    made = os.stat(old).st_mtime
    young = ca_store.stage(path, clock=lambda: made + ca_store.STALE_S)
    assert os.path.isdir(old), "another run may still be at work in it"
    later = os.stat(young).st_mtime + ca_store.STALE_S + 1
    ca_store.stage(path, clock=lambda: later)
    assert not os.path.exists(old)
    assert not os.path.exists(young)


def test_lines_are_added(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    ca_store.append(str(path), ["a", "b"], allowed)
    ca_store.append(str(path), ["c"], allowed)
    log = path / "issued.jsonl"
    assert log.read_text(encoding="ascii") == "a\nb\nc\n"
    assert mode(log) == 0o600


def test_an_unfinished_line_spoils_no_other(tmp_path: Path) -> None:
    ca_store.append(str(tmp_path), ["a"], allowed)
    log = tmp_path / "issued.jsonl"
    with log.open("a", encoding="ascii") as stream:
        stream.write('{"serial": "0')
    ca_store.append(str(tmp_path), ["b"], allowed)
    assert log.read_text(encoding="ascii").splitlines() == ["a", '{"serial": "0', "b"]


def test_lines_that_are_refused(tmp_path: Path) -> None:
    """The question is asked under the lock: nobody moves on between the answer and the line."""

    def refused() -> None:
        with (tmp_path / ".lock").open("w", encoding="ascii") as stream, pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise MtlsError("moved on")

    with pytest.raises(MtlsError, match="moved on"):
        ca_store.append(str(tmp_path), ["a"], refused)
    assert not (tmp_path / "issued.jsonl").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "issuing"
    assert ca_store.text(str(file)) == ""
    ca_store.replace(str(file), b"1\n")
    before = file.stat().st_ino
    ca_store.replace(str(file), b"2\n", 0o644)
    assert ca_store.text(str(file)) == "2\n"
    assert (mode(file), [p.name for p in tmp_path.iterdir()]) == (0o644, ["issuing"])
    assert file.stat().st_ino != before, "who has the old one open reads on in the old one"


def test_a_new_name_leads_to_bytes_that_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut the old or the new: the file is synced before its rename, the directory after it."""
    done: list[str] = []
    real_sync, real_rename = os.fsync, os.rename

    def sync(handle: int) -> None:
        done.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{handle}'))}")
        real_sync(handle)

    def rename(old: str, new: str) -> None:
        done.append("rename")
        real_rename(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    ca_store.replace(str(tmp_path / "issuing"), b"1\n")
    assert done == ["sync .issuing.new", "rename", f"sync {tmp_path.name}"]
    done.clear()
    (tmp_path / "generations" / "1").mkdir(parents=True)
    ca_store.settle(str(tmp_path))
    assert done == [f"sync {tmp_path.name}", "sync 1"], "what a killed call has renamed"


def test_what_a_killed_call_left_is_no_hindrance(tmp_path: Path) -> None:
    left = tmp_path / ".issuing.new"
    left.write_text("half", encoding="ascii")
    left.chmod(0o666)
    ca_store.settle(str(tmp_path))
    assert not left.exists()
    ca_store.replace(str(tmp_path / "issuing"), b"2\n")
    assert mode(tmp_path / "issuing") == 0o600


def test_a_umask_does_not_narrow_a_crl(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        ca_store.replace(str(tmp_path / "root-crl.pem"), b"x", 0o644)
    finally:
        os.umask(before)
    assert mode(tmp_path / "root-crl.pem") == 0o644


def test_many_at_once(tmp_path: Path) -> None:
    """Every line of every process arrives, none inside another."""
    script = (
        "import sys; sys.path[:0] = sys.argv[2].split(':');"
        f"from {ca_store.__name__} import append;"
        "[append(sys.argv[1], [sys.argv[3] * 3000], bool) for dummy in range(20)]"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "ca"), ":".join(sys.path)]
    running = [subprocess.Popen([*command, letter]) for letter in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    lines = (tmp_path / "ca" / "issued.jsonl").read_text(encoding="ascii").splitlines()
    assert sorted(lines) == sorted(letter * 3000 for letter in "abc" for dummy in range(20))


def test_a_lock_that_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca_store.stage(str(tmp_path))
    monkeypatch.setattr(ca_store, "LOCK_TIMEOUT_S", 0.1)
    with (tmp_path / ".lock").open("w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(MtlsError, match="held by another process"):
            ca_store.append(str(tmp_path), ["a"], allowed)
    ca_store.append(str(tmp_path), ["a"], allowed)


def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "generations" / "1"
    folder.mkdir(parents=True)
    fill(str(folder))
    (folder / "root.pem").chmod(0o644)
    ca_store.check_keys(str(tmp_path))
    (folder / "root.key").chmod(0o640)
    with pytest.raises(MtlsError, match=r"root\.key may be read by others"):
        ca_store.check_keys(str(tmp_path))


def test_temporary_folders_as_named_and_as_they_are(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    found = ca_store.temporary_folders({"TMPDIR": str(link)})
    assert {"/tmp", "/var/tmp", str(link), str(real)} <= set(found)
    assert ca_store.temporary_folders({"TMPDIR": "relative"}) == ca_store.temporary_folders({})


def test_what_is_in_no_directory(tmp_path: Path) -> None:
    missing = str(tmp_path / "no")
    assert ca_store.entries(missing) == []
    assert ca_store.generations(missing) == {}
