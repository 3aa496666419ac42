# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client certificates that Server A must refuse, for the demo and for Molecule.

    foreign       its own CA      -> leaf (clientAuth)              a CA that nobody here trusts
    expired       the private CA  -> leaf (clientAuth, ended)       the right CA, too late
    server-only   the private CA  -> leaf (serverAuth)              the right CA, made for the other end

Two of them are signed by the private CA of the project under test, so its key is read from private_ca_dir.
"""

from __future__ import annotations

from pathlib import Path

from pki import CLIENT, SERVER, Authority

# All of them claim to be B.
NAME = "b1.example.com"


def make(directory: Path, private_ca: Path) -> None:
    """Writes <name>.pem and <name>.key of each stranger to *directory*, which must not exist yet."""
    directory.mkdir(mode=0o700, parents=True)
    generation = max((private_ca / "generations").iterdir(), key=lambda path: int(path.name))
    trusted = Authority.read(generation / "root.pem", generation / "root.key")
    Authority.make("CN=Foreign CA").leaf(directory / "foreign", f"CN={NAME}", CLIENT)
    trusted.leaf(directory / "expired", f"CN={NAME}", CLIENT, days=(-9, -1))
    trusted.leaf(directory / "server-only", f"CN={NAME}", SERVER, names=(NAME,))
