# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of a module that keeps one file of certificates or CRLs: looked at, built, replaced or removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from . import intake
from .target import Target, Wish


class Kind(NamedTuple):
    """What such a file is. *build(target)* has the new content as ``pem`` and raises MtlsError for what is
    refused; *told* is what the module returns of that, *diff* both contents as lines without a secret;
    *check(data, path)* raises MtlsError for what must not be replaced."""

    build: Callable[[Target], Any]
    told: Callable[[Any], dict[str, Any]]
    diff: Callable[[Optional[bytes], Optional[bytes]], dict[str, str]]
    check: Callable[[Optional[bytes], str], None]


def keep(params: Mapping[str, Any], check_mode: bool, now: datetime, kind: Kind) -> dict[str, Any]:
    """The whole call; *params*: `path`, `state`, `mode`, `owner`, `group`, `backup`. Raises MtlsError."""
    target = Target(params["path"])
    there = target.look(intake.read)
    kind.check(there.data, target.path)
    told: dict[str, Any] = {}
    planned = None
    if params["state"] == "present":
        made = kind.build(target)
        wish = Wish(made.pem, params["mode"], params["owner"] or "", params["group"] or "")
        planned = target.plan(wish, there)
        told = kind.told(made)
    changed = planned != there if planned else there.data is not None
    if changed and not check_mode:
        copy = target.change(planned, there, now if params["backup"] else None)
        told.update({"backup_file": copy} if copy else {})
    heads = {"before_header": target.header(there), "after_header": target.header(planned)}
    lines = kind.diff(there.data, planned.data if planned else None)
    return {**told, "changed": changed, "diff": {**heads, **lines}}
