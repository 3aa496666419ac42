# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directives are in force where: blocks that lie in each other, and how nginx lets one level inherit.

Every directive of TLS is merged by itself: a level that has any of that name inherits none, one that has none
inherits all (ngx_conf_merge_value and its kin, nginx: src/core/ngx_conf_file.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..nginx_conf import Directive


class Level:
    """One block with its directives by name. A block is read once, however many others lie in it."""

    def __init__(self, block: Directive) -> None:
        self.block = block
        self._named: dict[str, list[Directive]] = {}
        for item in block.block or ():
            self._named.setdefault(item.name, []).append(item)

    def named(self, name: str) -> list[Directive]:
        return self._named.get(name, [])


class Scope:
    """Levels from the outermost (``http`` or ``stream``) to the inmost one."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self.levels = tuple(levels)

    @property
    def inmost(self) -> Level:
        return self.levels[-1]

    def inside(self, block: Directive) -> Scope:
        return Scope((*self.levels, Level(block)))

    def all(self, name: str) -> list[Directive]:
        """The directives of that name that are in force, with at least one argument each."""
        for level in reversed(self.levels):
            found = [item for item in level.named(name) if item.args]
            if found:
                return found
        return []

    def last(self, name: str) -> Optional[Directive]:
        """The one in force of a directive that holds one value: where it may be repeated, the last wins."""
        found = self.all(name)
        return found[-1] if found else None

    def flag(self, name: str, default: bool) -> bool:
        """``on`` in any case (ngx_conf_set_flag_slot)."""
        found = self.last(name)
        return found.args[0].lower() == "on" if found else default

    def number(self, name: str, default: int) -> int:
        found = self.last(name)
        return int(found.args[0]) if found and found.args[0].isdecimal() else default

    def is_outer(self, name: str) -> bool:
        """Whether the one in force stands in the outermost block."""
        return bool(self.levels[0].named(name)) and not any(one.named(name) for one in self.levels[1:])
