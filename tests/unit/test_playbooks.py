# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each play says itself, since the controller's settings may say otherwise."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.mutual_tls.nginx.tests.unit._repository import files_below

PLAYS = [
    pytest.param(play, id=f"{path.stem}: {play['name']}")
    for path in files_below("playbooks", suffixes=(".yml",))
    for play in yaml.safe_load(path.read_text(encoding="utf-8"))
    if "hosts" in play
]


@pytest.mark.parametrize("play", PLAYS)
def test_hosts_wait_for_each_other(play):
    """By strategy `free` a plan for the fleet is made before all of it is read, once for each host."""
    assert play["strategy"] == "linear"


@pytest.mark.parametrize("play", PLAYS)
def test_a_rescue_is_of_one_host(play):
    """By `any_errors_fatal` it is of all hosts of the batch."""
    if any("rescue" in task for task in play["tasks"]):
        assert play["any_errors_fatal"] is False
