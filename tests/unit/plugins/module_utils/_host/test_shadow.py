# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import shadow


@pytest.fixture(name="etc")
def _etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc" / "nginx"
    for name in (
        "conf.d/x.conf",
        "nginx.conf",
        "a/mtls/releases/r/mtls.conf",
        "a/other",
        "a/mtls/state.json",
    ):
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(name)
    (etc.parent / "beside").touch()
    os.symlink("releases/r", etc / "a" / "mtls" / "current")
    return etc


@pytest.mark.parametrize("base", ["a/mtls", "mtls"])
def test_everything_is_as_it_is_but_the_live_release(etc: Path, tmp_path: Path, base: str) -> None:
    folder = tmp_path / "shadow"
    folder.mkdir()
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "mtls.conf").write_text("new")
    main = shadow.build(str(folder), str(etc / "nginx.conf"), str(etc / base), str(staged))
    inside = Path(main).parent
    assert main == f"{folder}{etc}/nginx.conf"
    assert (inside / "conf.d" / "x.conf").read_text() == "conf.d/x.conf"
    assert (inside / base / "current" / "mtls.conf").read_text() == "new"
    assert (inside / "a" / "other").read_text() == "a/other"
    assert os.path.samefile(inside / ".." / "beside", etc.parent / "beside"), "include ../beside"
    assert (etc / "a" / "mtls" / "current" / "mtls.conf").read_text() == "a/mtls/releases/r/mtls.conf"


def test_a_scratch_directory_is_closed_and_goes(tmp_path: Path) -> None:
    with shadow.scratch(str(tmp_path)) as one, shadow.scratch(str(tmp_path)) as other:
        assert one != other
        assert os.stat(one).st_mode & 0o777 == 0o700
        os.symlink("/etc", f"{one}/link")
    assert os.listdir(tmp_path) == []
    assert os.path.isdir("/etc")


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    for name in ("mutual-tls.1.0", "mutual-tls.2.3", "other", "mutual-tls.x"):
        (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "proc" / "1").mkdir(parents=True)
    shadow.sweep(str(tmp_path / "run"), str(tmp_path / "proc"))
    assert sorted(os.listdir(tmp_path / "run")) == ["mutual-tls.1.0", "mutual-tls.x", "other"]


def test_links_on_the_way_are_followed_as_the_kernel_does(etc: Path, tmp_path: Path) -> None:
    """/etc/nginx and the base are links: `..` leads beside what they lead to."""
    (tmp_path / "usr").mkdir()
    os.symlink(etc, tmp_path / "usr" / "nginx")
    os.rename(etc / "a" / "mtls", tmp_path / "mtls")
    os.symlink(tmp_path / "mtls", etc / "a" / "mtls")
    folder = tmp_path / "shadow"
    folder.mkdir()
    written = tmp_path / "usr" / "nginx"
    main = shadow.build(str(folder), f"{written}/nginx.conf", f"{written}/a/mtls", str(tmp_path))
    inside = Path(main).parent
    assert os.path.samefile(inside / ".." / "beside", written / ".." / "beside")
    assert os.path.samefile(inside / "a" / "mtls" / "state.json", tmp_path / "mtls" / "state.json")
    assert os.readlink(inside / "a" / "mtls" / "current") == str(tmp_path)
