# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts, brought to the inventory of this scenario; what it laid beside them goes at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live import HERE, reload_nginx
from multi import BACKENDS, CONF
from pki import CLIENT, Authority
from scene import TOOLS, Scene, note, pytest_terminal_summary, scene, watched_release

__all__ = ["note", "pytest_terminal_summary", "scene", "watched_release"]

INVENTORY = Path(__file__).resolve().parents[1] / "inventory.yml"


@pytest.fixture(scope="session")
def multi(scene: Scene) -> Iterator[tuple[Scene, str]]:
    """The hosts, and what the run of site.yml printed that brought them here."""
    folder = scene.pki / "multi"
    if not folder.exists():  # hosts that still have it from a run of before do not take another one
        folder.mkdir()
        partners = Authority.make("CN=Partners CA")
        (folder / "partners-ca.pem").write_bytes(partners.pem())
        for name in ("partner", "c"):
            partners.leaf(folder / name, f"CN={name}", CLIENT)
    for name in ("partner.pem", "partner.key"):
        scene.lab.copy(folder / name, scene.full("stranger"), f"{TOOLS}/{name}")
    for host in ("b", "stranger"):
        for name in ("caller.py", "load.py"):
            scene.lab.copy(HERE / name, scene.full(host), f"{TOOLS}/{name}")
    scene.write("b", CONF, BACKENDS)
    (scene.project / "multi.yml").write_text(INVENTORY.read_text())
    scene.inventory = "multi.yml"
    try:
        code, output = scene.site()
        assert code == 0, output[-6000:]
        yield scene, " ".join(output.split())
    finally:
        scene.inventory = "inventory.yml"
        (scene.project / "multi.yml").unlink()
        scene.run("b", f"rm {CONF}")
        reload_nginx(scene.hosts["b"])
