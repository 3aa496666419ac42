# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten hosts, in the order of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scene import Scene

NAMES = ("a1", "a2", "a3", "a4", "b4", "b5", "b6", "b1", "b2", "b3")


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene(Path(os.environ["MTLS_PROJECT"]).resolve(), NAMES)
