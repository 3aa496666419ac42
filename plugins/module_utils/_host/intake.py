# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files from anywhere: their bytes, or the finding that says why there are none. Never blocks."""

from __future__ import annotations

import os
import stat
from typing import Union

from .._core.findings import Finding

LIMIT = 8 << 20


def read(path: str) -> Union[bytes, Finding]:
    """The bytes of a regular file of at most ``LIMIT``; raises nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return Finding("file.missing", "There is no such file.", path)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "this is no path"
        return Finding("file.unreadable", f"The file cannot be read: {said}.", path)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Finding("file.not_regular", "This is no regular file.", path)
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        return Finding("file.too_large", f"The file has more than {LIMIT >> 20} MiB.", path)
    return data
