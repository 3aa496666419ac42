# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.lock import locked

HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write("4711\\n"); file.flush()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(name="holder")
def _holder(tmp_path: Path) -> object:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "l")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_waits_a_bounded_time_and_names_the_first(tmp_path: Path, holder: object) -> None:
    begin = time.monotonic()
    with (
        pytest.raises(MtlsError, match=r"process 4711, since 20\d\d-.*T.*Z.*waited 0\.2 s") as found,
        locked(str(tmp_path / "l"), 0.2),
    ):
        pass
    assert 0.2 <= time.monotonic() - begin < 2
    assert found.value.place == str(tmp_path / "l")


def test_a_dead_holder_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(str(tmp_path / "l"), 5):
        assert (tmp_path / "l").read_text() == f"{os.getpid()}\n"


def test_a_lock_whose_file_is_gone_is_none(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """The one before has taken everything off the host: who waited takes the lock of the new file."""
    path = tmp_path / "l"

    def leave() -> None:
        path.unlink()
        os.kill(holder.pid, signal.SIGKILL)

    timer = threading.Timer(0.3, leave)
    timer.start()
    with locked(str(path), 5):
        assert path.read_text() == f"{os.getpid()}\n"
    timer.join()


def descriptors() -> list[str]:
    """Where each open file of this process lies."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists them is closed by now
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found


@pytest.mark.parametrize("made_anew", [True, False])
def test_a_lock_whose_directory_is_gone_as_well(tmp_path: Path, made_anew: bool) -> None:
    base = tmp_path / "mtls"
    base.mkdir()
    path = base / "l"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def leave() -> None:
            path.unlink()
            base.rmdir()
            holder.kill()

        timer = threading.Timer(0.3, leave)
        timer.start()
        if made_anew:
            with locked(str(path), 5, base.mkdir):
                assert path.read_text() == f"{os.getpid()}\n"
        else:
            with (
                pytest.raises(MtlsError, match="cannot be opened: No such file") as found,
                locked(str(path), 5),
            ):
                pass
            assert found.value.place == str(path)
        timer.join()
    # Only the lock's own: others come and go in a process that runs thousands of tests. One that is closed
    # twice is an OSError above.
    assert [where for where in descriptors() if where.startswith(str(base))] == []


def test_a_directory_that_is_there_is_not_made(tmp_path: Path) -> None:
    made: list[int] = []
    with locked(str(tmp_path / "l"), 0, lambda: made.append(1)):
        pass
    assert made == []


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("content")
    os.symlink("other", tmp_path / "l")
    with pytest.raises(MtlsError, match="symbolic links"), locked(str(tmp_path / "l"), 0):
        pass
    assert (tmp_path / "other").read_text() == "content"


def test_it_is_free_afterwards(tmp_path: Path) -> None:
    for _time in range(2):
        with locked(str(tmp_path / "l"), 0):
            pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    begin = time.monotonic()
    with pytest.raises(MtlsError, match="gives no lock") as found, locked(str(tmp_path / "l"), 5):
        pass
    assert time.monotonic() - begin < 1, "it is not waited for"
    assert "local file system" in found.value.remedy


def test_a_full_disk_does_not_keep_the_lock_from_who_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with locked(str(tmp_path / "l"), 0):
        pass
