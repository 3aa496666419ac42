# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command openssl as the second opinion on our verdicts, and the count of what was compared.

    from …tests.unit.plugins.module_utils.openssl import ask, compare, needs_openssl

    @needs_openssl
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_openssl_says_the_same(case):
        said = ask("x509", "-noout", "-checkhost", case.host, stdin=case.pem)
        compare("hosts", ours=examined(case), theirs="does match" in said.out, case=str(case))

``compare`` raises on a difference, unless ``differences.DIFFERENCES`` lists it with its reason; a listed one
that has gone raises, too. *case* names the case in that table and in docs/openssl.md: stable, unique in its
area. Each run ends with a line per area: how many were compared, how many differed (tests/unit/conftest.py,
which also adds up what the workers of xdist counted).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.differences import (
    AREAS,
    DIFFERENCES,
    Difference,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.tally import COUNTS

# Both would change what the command says; a machine's own settings are no part of a test.
_SETTINGS = ("OPENSSL_", "SSL_CERT_", "RANDFILE")
# Past this the command hangs.
_LIMIT_S = 60


@dataclass(frozen=True)
class Said:
    """What one call of the command gave back; text with its odd bytes replaced."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def ask(*arguments: str, stdin: bytes = b"", files: Mapping[str, bytes] | None = None) -> Said:
    """`openssl ARGUMENTS` in an empty directory that holds *files* (names as the arguments use them).

    Raises nothing for an exit code; subprocess.TimeoutExpired after a minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (files or {}).items():
            (Path(folder) / name).write_bytes(data)
        done = subprocess.run(
            ["openssl", *arguments],
            input=stdin,
            capture_output=True,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
            timeout=_LIMIT_S,
            check=False,
        )
    return Said(done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)))


@cache
def version() -> tuple[int, ...]:
    """(3, 0, 19), or (0,) where there is no such command."""
    if shutil.which("openssl") is None:
        return (0,)
    found = re.match(r"OpenSSL (\d+)\.(\d+)\.(\d+)", ask("version").out)
    return tuple(int(number) for number in found.groups()) if found else (0,)


needs_openssl = pytest.mark.skipif(
    version() < (3, 0), reason="needs the command openssl, 3.0 or newer, to compare with"
)


def compare(
    area: str, ours: object, theirs: object, case: str, known: Iterable[Difference] = DIFFERENCES
) -> None:
    """Counts one comparison in *area* (of AREAS) and raises AssertionError when *ours* and *theirs* differ.

    A difference that *known* lists for this version of OpenSSL passes and is counted; a listed one that is
    none any more raises as well, so that the table tells the truth (not where its case ends in an asterisk).
    """
    assert area in AREAS, f"{area!r} is none of {AREAS}"
    listed = [row for row in known if row.covers(area, case) and row.holds(version())]
    COUNTS["compared", area] += 1
    if ours != theirs:
        COUNTS["differed", area] += 1
        said = ".".join(map(str, version()))
        assert listed, f"{area}, {case}: we say {ours!r}, OpenSSL {said} says {theirs!r}"
    else:
        gone = [row for row in listed if row.case == case]
        assert not gone, f"{area}, {case}: no difference any more, take the row out of DIFFERENCES: {gone}"
