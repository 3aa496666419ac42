# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority of the user's own, for a Server A that is none of ours: legacy_pki.py FOLDER

CN=Legacy CA -> legacy     (serverAuth, legacy.example.com)
             -> c-legacy   (clientAuth, CN=c.example.com)
"""

from __future__ import annotations

import sys
from pathlib import Path

from pki import CLIENT, SERVER, Authority, write_private

NAME = "legacy.example.com"


def make(folder: Path) -> None:
    authority = Authority.make("CN=Legacy CA")
    authority.leaf(folder / "legacy", f"CN={NAME}", SERVER, names=(NAME,))
    authority.leaf(folder / "c-legacy", "CN=c.example.com", CLIENT)
    write_private(folder / "legacy-ca.key", authority.private())
    (folder / "legacy-ca.pem").write_bytes(authority.pem())


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    make(target)
