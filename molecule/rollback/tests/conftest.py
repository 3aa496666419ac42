# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts, and pairs of the private CA for them: good ones, and each kind of bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pki import CLIENT, SERVER, Authority, write_private
from scene import Scene, note, pytest_terminal_summary, scene, watched_release

__all__ = ["note", "pytest_terminal_summary", "scene", "watched_release"]

#: Side → subject, usage, names, and the kinds of pairs that the tests give it.
PAIRS = {
    "server": (
        "CN=orders.example.com",
        SERVER,
        ("orders.example.com",),
        ("good", "other", "newer", "third", "expired", "purpose", "below", "bad"),
    ),
    "probe": ("CN=mtls-probe.a.example.com", CLIENT, (), ("below",)),
    "proxy": (
        "CN=b.example.com",
        CLIENT,
        (),
        ("good", "other", "newer", "expired", "purpose", "foreign", "below", "bad"),
    ),
    "legacy": ("CN=c.example.com", CLIENT, (), ("good", "newer", "foreign")),
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
    for side, (subject, usage, names, kinds) in PAIRS.items():
        own = scene.legacy() if side == "legacy" else root
        for kind in kinds:
            issuer = {"foreign": stranger, "below": middle}.get(kind, own)
            wrong = CLIENT if usage == SERVER else SERVER
            issuer.leaf(
                folder / f"{kind}-{side}",
                subject,
                wrong if kind == "purpose" else usage,
                names,
                days=(-9, -1) if kind == "expired" else (-1, 30),
            )
        if "bad" in kinds:
            spoil(folder / f"bad-{side}.key")
    return folder


def spoil(key: Path) -> None:
    lines = key.read_text().splitlines()
    lines[2] = "A" * len(lines[2])
    write_private(key, "\n".join([*lines, ""]).encode())
