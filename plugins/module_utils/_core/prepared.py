# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that was checked days ahead: what of it is its own, and what it carried over from a live one that
may have moved since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .release import Source

#: Made anew for each release from all of its parts.
_DERIVED = ("mtls.conf", "server/default.conf")


def own_paths(live: Mapping[str, bytes], prepared: Mapping[str, bytes]) -> tuple[str, ...]:
    """What *prepared* changes of *live*, sorted: a credential by its directory, a block by its file."""
    differing = {path for path in set(live) | set(prepared) if live.get(path) != prepared.get(path)}
    return tuple(sorted({_unit(path) for path in differing if path not in _DERIVED}))


def outdated(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
    """Whether the way from *before* to *after* makes what is prepared stale: other credentials are live."""
    return any("/credentials/" in path for path in own_paths(before, after))


def laid_over(live: Mapping[str, bytes], prepared: Mapping[str, bytes], own: Sequence[str]) -> Source:
    """*live*, with everything at or below the paths *own* as it is, or is not, in *prepared*."""
    kept = {path: data for path, data in live.items() if _unit(path) not in own}
    return {**kept, **{path: data for path, data in prepared.items() if _unit(path) in own}}


def _unit(path: str) -> str:
    steps = path.split("/")
    return "/".join(steps[:3]) if steps[1:2] == ["credentials"] else path
