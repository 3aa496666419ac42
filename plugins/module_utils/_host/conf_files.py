# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a configuration that nginx refuses, read as nginx would: it dumps what it accepts only."""

from __future__ import annotations

import glob
import os

from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.nginx_conf import Directive, Dump, parse
from . import intake

_MOST_FILES, _MOST_OCTETS = 5000, 32 * 1024 * 1024


def read(main: str) -> Dump:
    """What can be read of it: files that cannot be parsed are left out, and what they include."""
    found = Dump()
    waiting, octets = [main], 0
    while waiting and len(found.files) < _MOST_FILES and octets < _MOST_OCTETS:
        path = waiting.pop(0)
        if path in found.files:
            continue
        taken = intake.read(path)
        if isinstance(taken, Finding):
            continue
        octets += len(taken)
        text = taken.decode("utf-8", "replace")
        try:
            tree = parse(text, path)
        except MtlsError:
            continue
        found.files[path] = text
        for pattern in _includes(tree):
            full = os.path.join(os.path.dirname(main), pattern)
            waiting += sorted(glob.glob(full)) if glob.has_magic(full) else [full]
    return found


def _includes(tree: tuple[Directive, ...]) -> list[str]:
    found: list[str] = []
    waiting = list(tree)
    for item in waiting:
        if item.name == "include" and item.args and item.block is None:
            found.append(item.args[0])
        waiting += item.block or ()
    return found
