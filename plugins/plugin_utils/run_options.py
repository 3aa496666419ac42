# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the options of a run by themselves, told before any host or authority is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import window
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    ca_rotation_options,
    diagnosis_run,
    revocation_run,
    rotation_options,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import options as audit_options
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import suggest

#: The longest prefix first: `rotate_ca_phase` is no option of rotate.yml.
_NAMES = {
    "rotate_ca_": ca_rotation_options.NAMES,
    "rotate_": rotation_options.NAMES,
    "revoke_": revocation_run.NAMES,
    "site_": ("batches",),
    "audit_": audit_options.NAMES,
    "diagnose_": diagnosis_run.NAMES,
}
_FILES = ("rotate_json", "diagnose_json")
_BATCHES = ("site_batches", "rotate_batches")
_COUNT, _PERCENT = re.compile(r"[1-9]\d*"), re.compile(r"([1-9]\d?|100)%")


def problems(given: Mapping[str, Any], why_unwritable: Callable[[str], str] | None = None) -> list[str]:
    """One sentence for each option of *given* (whole names, None for what is not given) that no run can be
    made with. *why_unwritable*: of a file on the controller, "" where it can be written."""
    found = []
    for name in sorted(given):
        try:
            _check(name, given[name], why_unwritable or unwritable)
        except MtlsError as error:
            found.append(str(error))
    return found


def _check(name: str, value: Any, why_unwritable: Callable[[str], str]) -> None:
    prefix = next((one for one in _NAMES if name.startswith(one)), "")
    if not prefix:
        return
    short, known = name[len(prefix) :], _NAMES[prefix]
    if short not in known:
        # Any other name may be somebody else's variable.
        if near := suggest(short, known) or _begun(short, known):
            raise MtlsError("There is no such option.", name, near.replace('"', f'"{prefix}', 1))
        return
    if value is None:
        return
    if value == [] or value == {} or (isinstance(value, str) and not value.strip()):
        raise MtlsError(
            "It is empty, and would mean the same as if it were not given.",
            name,
            "Give a value, or leave it out.",
        )
    if name in _BATCHES:
        _batches(name, value)
    elif prefix == "audit_":
        audit_options.check(name, value)
    elif prefix == "diagnose_" and (why := diagnosis_run.wrong(short, value)):
        raise MtlsError(why, name)
    elif name == "rotate_dry_run":
        rotation_options.truth(value, name)
    elif name == "rotate_window":
        window.parse(value, ZoneInfo)
    elif name in _FILES and (why := why_unwritable(str(value))):
        raise MtlsError(why, name, "Name a file in a directory that you may write to.")


def _begun(short: str, known: tuple[str, ...]) -> str:
    """``dry`` for ``dry_run``: too short for the likeness that ``suggest`` asks for."""
    found = [one for one in known if one.startswith(short.rstrip("_")) and len(short) > 1]
    return f'Did you mean "{found[0]}"?' if len(found) == 1 else ""


def _batches(name: str, value: Any) -> None:
    """Of what Ansible takes for `serial`, that which means what it says: by 0, -1 or [] it makes one batch of
    the whole fleet, and of "0%" a host."""
    sizes = value if isinstance(value, list) else [value]
    for size in sizes:
        if isinstance(size, (bool, float)) or not _is_size(str(size)):
            raise MtlsError(
                f"{size!r} is no size of a batch.",
                name,
                "Give numbers from 1 on, or percents up to 100%, as JSON:"
                f' -e \'{{"{name}": [1, "25%", "100%"]}}\'.',
            )


def _is_size(text: str) -> bool:
    return bool(_COUNT.fullmatch(text) or _PERCENT.fullmatch(text))


def unwritable(path: str) -> str:
    """Why the file at *path* cannot be written, "" where it can."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        return f"{path} is a directory."
    if not os.path.isdir(folder):
        return f"There is no directory {folder}."
    target = path if os.path.exists(path) else folder
    return "" if os.access(target, os.W_OK) and os.access(folder, os.W_OK) else f"{target} cannot be written."
