# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts, and what each replacement begins with."""

from __future__ import annotations

import pytest
from ca_scene import finished, roots, signing
from scene import Scene, note, pytest_terminal_summary, scene, watched_release

__all__ = ["note", "pytest_terminal_summary", "scene", "watched_release"]


@pytest.fixture(scope="module")
def old(scene: Scene) -> int:
    """The generation of the private CA that signs; no other one is trusted."""
    finished(scene)
    scene.lay_tools()
    number = signing(scene)
    assert roots(scene).keys() == {number}
    return number
