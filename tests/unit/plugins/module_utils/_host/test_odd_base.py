# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hands, backups and other programs make of the base: a run mends it, or says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import (
    test_power_loss as power,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.test_engine import apply


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> power.Disk:
    root = tmp_path / "nginx"
    root.mkdir()
    power.reset(root)
    world = power.Disk(root)
    power.first_install(world)
    power.change(world)
    return world


NEWER = '{"format": 9, "step": "warming", "from": "empty", "to": "empty", "phases": [1, 2]}'


@pytest.mark.parametrize(
    "text", ["", "{", "\x00" * 64, "[1]", NEWER, '{"step": "stable", "from": "../x", "to": 1}']
)
def test_a_state_that_says_nothing_leads_to_a_proof_of_what_is_live(world: power.Disk, text: str) -> None:
    live = world.store.current()
    Path(world.store.base, "state.json").write_text(text)
    reloads = world.reloads
    outcome = power.change(world)
    assert (outcome.state, outcome.release) == ("stable", live)
    assert any("state.json is missing or unreadable" in line for line in outcome.log)
    assert world.reloads == reloads + 1, "nobody knows what serves: it is loaded and asked"
    state = world.store.state()
    assert state is not None
    assert (state.step, state.target) == ("stable", live)
    assert not power.change(world).changed


def test_a_state_that_is_a_directory_is_told_with_its_place(world: power.Disk) -> None:
    path = Path(world.store.base, "state.json")
    path.unlink()
    path.mkdir()
    served = world.serves
    with pytest.raises((MtlsError, OSError)) as found:
        apply(world, power.OLD)
    assert "state.json" in str(found.value)
    assert world.serves == world.store.current() == served


LINKS: dict[str, Callable[[power.Disk], str]] = {
    "dangling": lambda world: "releases/0123456789abcdef",
    "a loop": lambda world: "current",
    "elsewhere": lambda world: "/etc",
    "gone": lambda world: "",
}


@pytest.mark.parametrize("what", LINKS)
def test_a_link_that_leads_nowhere_is_put_back(world: power.Disk, what: str) -> None:
    live, target = world.store.current(), LINKS[what](world)
    os.unlink(world.store.link)
    if target:
        os.symlink(target, world.store.link)
    outcome = power.change(world)
    assert (outcome.state, outcome.release) == ("stable", live)
    assert os.readlink(world.store.link) == f"releases/{live}"
    assert any("leads nowhere" in line for line in outcome.log)
    world.begin()
    assert world.serves == live


def test_an_absolute_link_to_the_live_release_is_as_good(world: power.Disk) -> None:
    live = world.store.current() or ""
    os.unlink(world.store.link)
    os.symlink(world.store.directory(live), world.store.link)
    assert not power.change(world).changed
    assert apply(world, power.OLD).state == "stable"
    assert os.readlink(world.store.link).startswith("releases/")


def test_a_base_that_was_moved(world: power.Disk) -> None:
    """Releases hold absolute paths; our include names the base."""
    os.rename(world.store.base, world.root / "tls")
    moved = power.Disk(world.root, "tls")
    with pytest.raises(MtlsError, match=r"conf\.d/mtls\.conf.*include tls/current/mtls\.conf"):
        power.change(moved)
    (world.root / "conf.d" / "mtls.conf").unlink()
    outcome = power.change(moved)
    assert outcome.state == "stable"
    moved.begin()
    assert moved.serves == power.release_id(power.NEW)
    assert apply(moved, {}, state="rolled_back").state == "stable"
    moved.begin()
    assert moved.serves == power.release_id(power.OLD)


@pytest.mark.parametrize("which", ["base", "releases"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_base_of_somebody_else_is_refused(world: power.Disk, which: str) -> None:
    os.chown(getattr(world.store, which), 1, -1)
    with pytest.raises(MtlsError, match="chown root"):
        apply(world, power.OLD)
    assert world.store.current() == power.release_id(power.NEW)
