# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts, and two pairs for each of a and b."""

from __future__ import annotations

from pathlib import Path

import pytest
from pki import CLIENT, SERVER
from scene import Scene, note, pytest_terminal_summary, scene, watched_release

__all__ = ["note", "pytest_terminal_summary", "scene", "watched_release"]


@pytest.fixture(scope="session")
def files(scene: Scene) -> Path:
    folder = scene.pki / "recover"
    folder.mkdir(exist_ok=True)
    root = scene.authority()
    (folder / "root.pem").write_bytes(root.pem())
    for kind in ("one", "two", "three"):
        root.leaf(folder / f"{kind}-a", "CN=orders.example.com", SERVER, ("orders.example.com",))
        root.leaf(folder / f"{kind}-b", "CN=b.example.com", CLIENT)
    return folder
