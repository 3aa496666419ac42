# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a page of docs, which a scenario runs as they stand there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
#: How a command of ours begins, which tests leave out.
PLAYBOOK = "ansible-playbook mutual_tls.nginx."
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Page:
    def __init__(self, name: str) -> None:
        self.name = name
        lines = re.sub(r"\\\n\s*", "", "".join(_BLOCK.findall((DOCS / name).read_text()))).splitlines()
        self.commands = [line.partition(" #")[0].strip() for line in lines if line]

    def words(self, command: str, instead: Mapping[str, str] | None = None) -> list[str]:
        """The words of a command that stands so on the page, one of ours without PLAYBOOK. What it names by
        way of example is replaced."""
        whole = next((one for one in (command, PLAYBOOK + command) if one in self.commands), "")
        assert whole, f"{self.name} has no such command: {command}"
        for example, value in (instead or {}).items():
            assert example in whole, f"{command} has no {example}"
            whole = whole.replace(example, value)
        return shlex.split(whole)

    def arguments(self, command: str, instead: Mapping[str, str] | None = None) -> list[str]:
        """What follows the name of the playbook."""
        return self.words(command, instead)[2:]

    def left_out(self, tests: Iterable[Path]) -> list[str]:
        """The commands that no test has as a text of its own. That what a test runs stands on the page is
        held by :meth:`words`."""
        told = {
            node.value
            for path in tests
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant)
        }
        return [one for one in self.commands if one.removeprefix(PLAYBOOK) not in told]
