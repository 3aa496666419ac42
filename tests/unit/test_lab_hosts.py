# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/lab/hosts.py beside a podman that something else keeps busy; the podman is a script of this test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT

# One container, which `rm` removes at the second try, and never if the file `stuck` is there.
PODMAN = """\
#!/bin/sh
echo "$*" >>calls
case $1 in
    ps) [ -e gone ] || [ -e absent ] || echo box ;;
    rm)
        if [ -e absent ]; then exit 0; fi
        if [ -e tried ] && [ ! -e stuck ]; then touch gone; exit 0; fi
        touch tried
        echo "Error: container box is busy" >&2
        exit 125
        ;;
esac
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = folder / "podman"
    script.write_text(PODMAN, encoding="utf-8")
    script.chmod(0o755)
    program = "import runpy, sys\nsys.argv = sys.argv[1:]\n"
    program += "hosts = runpy.run_path(sys.argv[0])\nhosts['main'].__globals__['STOP_TIMEOUT_S'] = 2\n"
    return subprocess.run(
        [sys.executable, "-c", f"{program}hosts['main']()", str(ROOT / "tests/lab/hosts.py"), *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [["stop", "box"], ["down", "units"]], ids=" ".join)
def test_a_busy_container_is_removed_at_the_next_try(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, (tmp_path / "gone").exists()) == (0, True), done.stderr


@pytest.mark.parametrize("words", [["stop", "box"], ["down", "units"]], ids=" ".join)
def test_one_that_never_goes_is_told(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "stuck").touch()
    done = run(tmp_path, *words)
    assert done.returncode == 1
    assert "podman does not remove" in done.stderr and "box" in done.stderr


def test_to_stop_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "absent").touch()
    assert run(tmp_path, "stop", "box").returncode == 0
