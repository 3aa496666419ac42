# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison itself: a difference fails, a listed one passes, and the run tells how many there were."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    differences,
    openssl,
    tally,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.differences import Difference
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import (
    ask,
    compare,
    needs_openssl,
)


@pytest.fixture(autouse=True)
def _own_counts(monkeypatch):
    """What these tests compare is none of the run's cases."""
    monkeypatch.setattr(openssl, "COUNTS", Counter())


def row(case: str, **more) -> Difference:
    return Difference("pairs", case, "we", "they", "why", **more)


COMPARED = [
    ("equal", True, True, [], True),
    ("different", True, False, [], False),
    ("different", True, False, [row("different")], True),
    ("different", True, False, [row("differ*")], True),
    ("different", True, False, [row("another")], False),
    ("different", True, False, [row("different", before=(0, 0))], False),
    ("different", True, False, [row("different", since=(99,))], False),
    ("gone", True, True, [row("gone")], False),
    ("gone elsewhere", True, True, [row("gone elsewhere", since=(99,))], True),
    ("gone in part", True, True, [row("gone*")], True),
]


@pytest.mark.parametrize(("case", "ours", "theirs", "known", "passes"), COMPARED)
def test_compare(case, ours, theirs, known, passes) -> None:
    if passes:
        compare("pairs", ours, theirs, case, known)
    else:
        with pytest.raises(AssertionError, match=case):
            compare("pairs", ours, theirs, case, known)
    assert openssl.COUNTS["compared", "pairs"] == 1
    assert openssl.COUNTS["differed", "pairs"] == (ours != theirs)


def test_an_area_that_nobody_counts_is_refused() -> None:
    with pytest.raises(AssertionError, match="none of"):
        compare("pears", True, True, "x")


def test_summary() -> None:
    assert tally.summary({}) == []
    (line,) = tally.summary({("compared", "crls"): 12, ("differed", "crls"): 1})
    assert line.split() == "compared with OpenSSL: crls 12 cases, 1 differed".split()
    one, two, both = tally.summary({("example", "slot"): 3, ("example", "bundle"): 4})
    assert [line.split()[-2:] for line in (one, two, both)] == [["bundle", "4"], ["slot", "3"], ["all", "7"]]


def test_each_row_is_whole() -> None:
    rows = differences.DIFFERENCES
    assert all(one.area in differences.AREAS for one in rows)
    assert all(one.case and one.ours and one.theirs and one.reason for one in rows)
    assert len({(one.area, one.case, one.since, one.before) for one in rows}) == len(rows)


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({}, "all"),
        ({"since": (3, 2)}, "3.2 and newer"),
        ({"since": (3, 0), "before": (3, 5)}, "3.0 and newer, before 3.5"),
    ],
)
def test_versions_in_words(bounds, text) -> None:
    assert row("x", **bounds).versions == text


@needs_openssl
def test_ask_knows_its_files_only(monkeypatch) -> None:
    monkeypatch.setenv("OPENSSL_CONF", "/nonexistent")
    assert ask("dgst", "-sha256", "-r", "a", files={"a": b"abc"}).out.startswith("ba7816bf")
    assert ask("dgst", "-sha256", "-r", stdin=b"abc").out.startswith("ba7816bf")
    assert not ask("dgst", "-sha256", "-r", "a").ok


TESTS = """
import pytest
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl

@pytest.mark.parametrize("number", range(5))
def test_it(number):
    openssl.compare("dates", 1, 1, "a case")
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_tells_how_many(tmp_path, workers) -> None:
    """As the project's own runs do it: the conftest of the units, in one process and in several."""
    if workers:
        pytest.importorskip("xdist", reason="the workers are pytest-xdist's, which host images do not have")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    units = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    with open(os.path.join(units, "conftest.py"), encoding="utf-8") as conftest:
        (tmp_path / "conftest.py").write_text(conftest.read(), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    if workers:
        command += ["--numprocesses", str(workers)]
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("compared with OpenSSL")]
    assert line.split() == "compared with OpenSSL: dates 5 cases, 0 differed".split()
