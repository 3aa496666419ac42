# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom ``rotate_to=previous`` leaves where it is: no second run takes a host forward again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import read_state


def stays(installed: Mapping[str, Any]) -> str:
    """Why a host has no way back from what is live, "" where it has one, or has to be asked."""
    state = read_state(installed.get("state"))
    if state is None or installed.get("next_run"):
        return ""
    if state.back and state.step == "stable":
        return "it has gone back already."
    if state.way_back:
        return ""
    if state.step == "rolled_back":
        return "its last change failed and was taken back; it serves what it had before."
    return "nothing is known from before what it serves."
