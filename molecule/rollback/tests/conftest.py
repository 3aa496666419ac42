# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts, and pairs of the private CA for them: good ones, and each kind of bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pki import CLIENT, SERVER, Authority, write_private
from scene import Scene, note, pytest_terminal_summary, scene

__all__ = ["note", "pytest_terminal_summary", "scene"]

PAIRS = {
    "server": ("CN=orders.example.com", SERVER, ("orders.example.com",)),
    "probe": ("CN=mtls-probe.a.example.com", CLIENT, ()),
    "proxy": ("CN=b.example.com", CLIENT, ()),
}


@pytest.fixture(scope="session")
def files(scene: Scene) -> Path:
    """The folder with <kind>-<side>.pem and .key, and the certificates of three authorities."""
    folder = scene.pki / "rollback"
    folder.mkdir(exist_ok=True)
    root, stranger = scene.authority(), Authority.make("CN=Foreign CA")
    middle = root.intermediate("CN=mtls intermediate")
    for name, authority in (("root", root), ("foreign-ca", stranger), ("middle", middle)):
        (folder / f"{name}.pem").write_bytes(authority.pem())
    for side, (subject, usage, names) in PAIRS.items():
        for kind in ("good", "other", "newer"):
            root.leaf(folder / f"{kind}-{side}", subject, usage, names)
        root.leaf(folder / f"expired-{side}", subject, usage, names, days=(-9, -1))
        root.leaf(folder / f"purpose-{side}", subject, CLIENT if usage == SERVER else SERVER, names)
        stranger.leaf(folder / f"foreign-{side}", subject, usage, names)
        middle.leaf(folder / f"below-{side}", subject, usage, names)
        lines = (folder / f"good-{side}.key").read_text().splitlines()
        lines[2] = "A" * len(lines[2])
        write_private(folder / f"bad-{side}.key", "\n".join([*lines, ""]).encode())
    for kind in ("good", "newer"):
        scene.legacy().leaf(folder / f"{kind}-legacy", "CN=c.example.com", CLIENT)
    stranger.leaf(folder / "foreign-legacy", "CN=c.example.com", CLIENT)
    return folder
