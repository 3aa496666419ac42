# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of one run of ``audit.yml``: extra vars of any type, as the command line gives them."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

NAMES = ("dir", "fail_on", "formats")
FAIL_ON = ("error", "warning", "never")
#: What ``audit_formats`` may name.
FORMATS = ("html", "json", "prometheus")


def check(name: str, value: Any) -> None:
    """Raises MtlsError for a value of the option *name* (with its prefix) that no audit can be made with."""
    if name == "audit_fail_on" and value not in FAIL_ON:
        raise MtlsError(
            f"{value!r} is no severity to fail on.", name, f"Give {', '.join(FAIL_ON[:-1])} or never."
        )
    if name == "audit_dir":
        why = unwritable(value) if isinstance(value, str) else f"{value!r} is no path."
        if why:
            raise MtlsError(why, name, "Name a directory on the controller that you may write to.")
    if name == "audit_formats":
        for one in formats(value):
            if one not in FORMATS:
                raise MtlsError(f"{one!r} is no format.", name, f"Give some of {', '.join(FORMATS)}.")


def unwritable(folder: str) -> str:
    """Why nothing can be written below *folder*, which may have to be made, "" where it can."""
    place = os.path.abspath(folder)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        return f"{place} is no directory."
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written."


def formats(value: Any) -> list[str]:
    """A list, or a text with commas, as the names in it."""
    found = value.split(",") if isinstance(value, str) else value
    return [str(one).strip() for one in (found if isinstance(found, list) else [found])]
