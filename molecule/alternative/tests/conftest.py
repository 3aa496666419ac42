# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's project, and callers with certificates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alternative import CALLERS, ROOT, TOOLS, Project

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = Project(Path(os.environ["MTLS_PROJECT"]).resolve())
    folder = tmp_path_factory.mktemp("callers")
    for name in CALLERS:
        for suffix in ("pem", "key"):
            shutil.copy(found.folder / "pki" / f"{name}.{suffix}", folder)
    for name in ("client.py", "caller.py"):
        shutil.copy(ROOT / "tests" / "lab" / name, folder)
    for host in ("caller", "app"):
        found.lab.copy(folder, f"{host}.example.com", TOOLS)
    return found


@pytest.fixture(scope="session")
def ask(project: Project) -> Ask:
    """ask("by-name", **request): the caller of that certificate asks, or ask(None, …) one without any."""

    def run(name: str | None, **request: Any) -> dict[str, Any]:
        pair = {"certificate": f"{TOOLS}/{name}.pem", "key": f"{TOOLS}/{name}.key"} if name else {}
        return project.lab.ask("caller.example.com", **pair, **request)

    return run
