# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the command openssl is here and new enough to be asked for its verdict."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest


def _version() -> tuple[int, ...]:
    if shutil.which("openssl") is None:
        return (0,)
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.findall(r"(\d+)\.(\d+)", said)[0])


needs_openssl = pytest.mark.skipif(
    _version() < (3, 0), reason="needs the command openssl, 3.0 or newer, to compare with"
)
