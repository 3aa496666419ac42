# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of pending keys: modes from the first byte on, no links, one process at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files, pending

KEY = b"not really a key\n"


@pytest.fixture
def base(tmp_path) -> str:
    return str(tmp_path / "mtls")


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def write_key(base: str, data: bytes = KEY) -> str:
    with pending.opened(base, "server", "one") as directory:
        directory.write("privkey.pem", data)
    return f"{base}/pending/server/one/privkey.pem"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes(base, umask) -> None:
    before = os.umask(umask)
    try:
        path = write_key(base)
    finally:
        os.umask(before)
    assert (mode(base), mode(path)) == (0o755, 0o600)
    folder = os.path.dirname(path)
    while folder != base:
        assert mode(folder) == 0o700
        folder = os.path.dirname(folder)


def test_no_byte_is_written_before_the_mode_is_right(base, monkeypatch) -> None:
    seen: list[int] = []
    real = os.write

    def watched(descriptor, data):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return real(descriptor, data)

    monkeypatch.setattr(files.os, "write", watched)
    write_key(base)
    assert seen == [0o600]


def test_read_back_and_replace(base) -> None:
    write_key(base)
    write_key(base, b"second\n")
    with pending.opened(base, "server", "one") as directory:
        assert directory.read("privkey.pem") == b"second\n"
        assert directory.read("request.pem") is None
    assert os.listdir(f"{base}/pending/server/one") == ["privkey.pem"]


def test_what_a_killed_run_left_is_removed(base) -> None:
    left = write_key(base) + ".new-4711"
    files.write_new(left, b"half", 0o600)
    write_key(base)
    assert not os.path.exists(left)


@pytest.mark.parametrize("lax", [0o640, 0o604, 0o660])
def test_a_key_that_others_could_read_is_no_key(base, lax) -> None:
    path = write_key(base)
    os.chmod(path, lax)
    with pending.opened(base, "server", "one") as directory:
        assert directory.read("privkey.pem") is None
        directory.write("privkey.pem", b"new\n")
    assert mode(path) == 0o600


@pytest.mark.parametrize("step", ["pending", "pending/server", "pending/server/one"])
@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_a_step_that_is_no_directory_is_refused(base, tmp_path, step, kind) -> None:
    place = f"{base}/{step}"
    os.makedirs(os.path.dirname(place), 0o700)
    elsewhere = tmp_path / "elsewhere"
    if kind == "file":
        files.write_new(place, b"", 0o600)
    else:
        if kind == "link":
            elsewhere.mkdir()
        os.symlink(elsewhere, place)
    with pytest.raises(MtlsError) as caught:
        write_key(base)
    assert caught.value.place == place and caught.value.remedy
    assert not elsewhere.exists() or not list(elsewhere.iterdir())


def test_a_key_file_that_is_a_link_is_refused(base, tmp_path) -> None:
    path = write_key(base)
    os.unlink(path)
    (tmp_path / "target").write_bytes(b"somebody else's")
    os.symlink(tmp_path / "target", path)
    with pending.opened(base, "server", "one") as directory, pytest.raises(MtlsError, match="link"):
        directory.read("privkey.pem")
    assert (tmp_path / "target").read_bytes() == b"somebody else's"


def test_a_pipe_does_not_hang(base) -> None:
    path = write_key(base)
    os.unlink(path)
    os.mkfifo(path, 0o600)
    with pending.opened(base, "server", "one") as directory, pytest.raises(MtlsError, match="plain file"):
        directory.read("privkey.pem")


def test_a_directory_that_others_write_in_is_refused(base) -> None:
    write_key(base)
    os.chmod(f"{base}/pending/server", 0o770)
    with pytest.raises(MtlsError, match="Somebody else"):
        write_key(base)


def test_base_may_be_a_link(tmp_path) -> None:
    (tmp_path / "volume").mkdir()
    os.symlink(tmp_path / "volume", tmp_path / "mtls")
    assert os.path.isfile(write_key(str(tmp_path / "mtls")))


def test_full_disk_is_told_without_a_traceback(base, monkeypatch) -> None:
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(MtlsError, match="No space left"):
        write_key(base)
    assert os.listdir(f"{base}/pending/server/one") == []


def test_live_files(tmp_path) -> None:
    base = str(tmp_path)
    assert pending.read_live(base, "server", "one", "fullchain.pem") is None
    folder = tmp_path / "releases" / "r1" / "server" / "credentials" / "one"
    folder.mkdir(parents=True)
    (folder / "fullchain.pem").write_bytes(b"live")
    os.symlink("releases/r1", tmp_path / "current")
    assert pending.read_live(base, "server", "one", "fullchain.pem") == b"live"
    assert pending.read_live(base, "proxy", "one", "fullchain.pem") is None
    (folder / "trust.pem").mkdir()
    with pytest.raises(MtlsError, match="cannot be read"):
        pending.read_live(base, "server", "one", "trust.pem")


WAITER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(7)
"""


def test_one_process_at_a_time(base) -> None:
    with pending.opened(base, "server", "one") as directory:
        during = subprocess.run([sys.executable, "-c", WAITER, directory.path], check=False).returncode
    after = subprocess.run([sys.executable, "-c", WAITER, directory.path], check=False).returncode
    assert (during, after) == (7, 0)
