# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of docs/tutorials.md is a live test of that name, and each of those tests is a row."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT

PAGE = (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
TESTS = (ROOT / "tests" / "live" / "test_tutorials.py").read_text(encoding="utf-8")
HEAD = "| test | they say | what happens then | here |"


def rows(page: str) -> list[list[str]]:
    """The cells of each row below a HEAD."""
    found = []
    for table in page.split(f"{HEAD}\n")[1:]:
        lines = table.split("\n\n")[0].splitlines()[1:]
        found += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return found


def faults(page: str, tests: str) -> list[str]:
    """What is wrong with page and tests together."""
    claims = Counter(cells[0].strip("`") for cells in rows(page))
    names = Counter(
        node.name.removeprefix("test_")
        for node in ast.parse(tests).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
    return [
        *(f"{name}: no such test" for name in claims - names),
        *(f"{name}: no row" for name in names - claims),
        *(f"{cells[0]}: not four cells" for cells in rows(page) if len(cells) != 4 or not all(cells)),
    ]


def test_each_claim_has_its_test_and_each_test_its_claim() -> None:
    assert len(rows(PAGE)) > 20
    assert faults(PAGE, TESTS) == []


ROW = "| `one` | they | then | here |"
TABLE = f"{HEAD}\n|---|---|---|---|\n{ROW}\n"
TEST = "def test_one(world): ...\n"


@pytest.mark.parametrize(
    ("page", "tests", "wrong"),
    [
        (TABLE, TEST, 0),
        (f"{TABLE}\nwords\n\n{TABLE.replace('one', 'two')}", TEST + TEST.replace("one", "two"), 0),
        (TABLE + ROW.replace("one", "two"), TEST, 1),
        (TABLE, TEST + TEST.replace("one", "two"), 1),
        (TABLE, TEST.replace("test_one", "one"), 1),
        (TABLE.replace("one", "other"), TEST, 2),
        (TABLE + ROW, TEST, 1),
        (TABLE.replace(ROW, ROW.replace(" here ", " ")), TEST, 1),
        (TABLE.replace(" they ", " a | b "), TEST, 1),
    ],
)
def test_a_claim_or_a_test_alone_is_found(page: str, tests: str, wrong: int) -> None:
    assert len(faults(page, tests)) == wrong
