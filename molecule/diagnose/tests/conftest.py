# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts."""

from __future__ import annotations

from scene import note, pytest_terminal_summary, scene, watched_release

__all__ = ["note", "pytest_terminal_summary", "scene", "watched_release"]
