# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue keeps what it says: each code is raised, and not by its near miss (catalogue/)."""

from __future__ import annotations

import re

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import CATALOGUE, Finding
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue import (
    configurations,
    credentials,
    endpoints,
    files,
    hosts,
    trust,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import HOMES, ROWS

FILES = (configurations, credentials, endpoints, files, hosts, trust)


def rows_of(said) -> list[dict]:
    return [finding.to_dict() if isinstance(finding, Finding) else dict(finding) for finding in said]


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_code_has_its_pair(code) -> None:
    home = HOMES.get(code.split(".")[0], "a file of its own")
    assert code in ROWS, (
        f'nothing raises {code} here: write a function below @row("{code}") into catalogue/{home}'
        " (catalogue/rows.py says how), or take the code out of the catalogue"
    )
    raising, silent = (rows_of(said) for said in ROWS[code]())
    (found, *_more) = [one for one in raising if one["code"] == code] or [None]
    assert found, f"{code} is not raised; these are: {sorted({one['code'] for one in raising})}"
    assert code not in {one["code"] for one in silent}, f"the near miss raises {code}, too"
    check_voice(found)


def check_voice(finding: dict) -> None:
    """One sentence that says what, a place that says where, a remedy that says what to do."""
    message = finding["message"]
    assert message.isprintable() and re.match(r"""[A-Z"/]|nginx """, message), message
    assert message.endswith((".", ".)")) and "!" not in message, message
    assert finding["place"] and finding["place"].isprintable(), f"no place: {message}"
    assert finding["remedy"].endswith((".", "FILE", ".pem", ".new", ")", ";"))


def test_no_row_without_its_code() -> None:
    assert set(ROWS) - set(CATALOGUE) == set()


@pytest.mark.parametrize("code", ROWS)
def test_each_row_says_what_differs(code) -> None:
    """Raising, then silent, with a bar between."""
    assert re.fullmatch(r"[^|]+ \| [^|]+", " ".join((ROWS[code].__doc__ or "").split()))


def test_each_area_has_a_home() -> None:
    assert {code.split(".")[0] for code in CATALOGUE} <= set(HOMES)
    assert {file.__name__.rsplit(".", 1)[1] + ".py" for file in FILES} == set(HOMES.values())
