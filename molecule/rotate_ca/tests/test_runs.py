# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed between two hosts, and two at the same time: nothing breaks, and a rerun ends."""

from __future__ import annotations

import pytest
from ca_scene import (
    NO_SOAK,
    begun,
    issued_by,
    killed_behind,
    newest,
    roots,
    rotate_ca,
    trusted,
    watched,
)

pytestmark = pytest.mark.whole

ONE_BY_ONE = ("-e", '{"rotate_batches": [1]}')


def two_at_once(scene, phase: str) -> None:
    """One of them goes through; the other one does, too, or is refused."""
    two = [begun(scene, phase, *NO_SOAK) for dummy in range(2)]
    told = [one.communicate()[0] for one in two]
    assert 0 in [one.returncode for one in two], told


def test_two_at_once(scene, old):
    with watched(scene) as watch:
        two_at_once(scene, "trust")
    watch.handed_over()
    assert newest(scene) == old + 1
    assert list(trusted(scene).values()) == [set(roots(scene).values())] * 4
    assert len(roots(scene)) == 2


@pytest.mark.parametrize("phase", ["issue", "retire"])
def test_killed_between_two_hosts(scene, old, phase):
    scene.lay_tools()
    before = {name: scene.live(name) for name in "abc"}
    with watched(scene) as watch:
        killed_behind(scene, "a", phase, *NO_SOAK, *ONE_BY_ONE)
        assert scene.live("a") != before["a"]
        assert scene.live("b") == before["b"]
        first = scene.snapshot("a")
        if phase == "issue":
            two_at_once(scene, phase)
        else:
            run = rotate_ca(scene, phase, *NO_SOAK)
            assert run.code == 0, run.output
    watch.handed_over()
    assert scene.snapshot("a") == first, "what was done is not done again"


def test_it_has_come_to_its_end(scene, old):
    assert roots(scene).keys() == {old + 1}
    assert newest(scene) == old + 1
    assert list(trusted(scene).values()) == [set(roots(scene).values())] * 4
    assert set(issued_by(scene).values()) == {f"CN=mtls CA {old + 1}"}
