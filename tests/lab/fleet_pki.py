# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What examples/fleet/README.md tells a user to put into pki/: fleet_pki.py FOLDER VAULT_PASSWORD_FILE


CN=Servers,O=Shop -> a1 a2 a3 (serverAuth, orders.example.internal; a3 also reports…)
CN=Clients,O=Shop -> b1..b5, b5-billing, probe (clientAuth); b3 has the serial 1f, b2's key a passphrase
                  -> revoked (in clients-ca.crl), uninvited (in no allowlist): for the tests only
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pki import CLIENT, SERVER, Authority, write_private

NAME = "orders.example.internal"
# Of the second site of a3.
SECOND_NAME = "reports.example.internal"
# One letter: Ansible's masking of so short a secret would garble every result that holds it.
PASSPHRASE = b"a"


def make(folder: Path) -> None:
    servers, clients = Authority.make("CN=Servers,O=Shop"), Authority.make("CN=Clients,O=Shop")
    (folder / "servers-ca.pem").write_bytes(servers.pem())
    (folder / "clients-ca.pem").write_bytes(clients.pem())
    for host, more in (("a1", ()), ("a2", ()), ("a3", (SECOND_NAME,))):
        servers.leaf(folder / host, f"CN={NAME},O=Shop", SERVER, names=(NAME, *more))
    for name in ("b1", "b4", "b5", "b5-billing", "probe", "uninvited"):
        clients.leaf(folder / name, f"CN={name},O=Shop", CLIENT)
    clients.leaf(folder / "b2", "CN=b2,O=Shop", CLIENT, passphrase=PASSPHRASE)
    clients.leaf(folder / "b3", "CN=b3,O=Shop", CLIENT, serial=0x1F)
    revoked = clients.leaf(folder / "revoked", "CN=b1,O=Shop", CLIENT)
    (folder / "clients-ca.crl").write_bytes(clients.revocation_list(revoked))
    write_private(folder / "b2.pass", PASSPHRASE + b"\n")
    write_private(folder / "clients-ca.key", clients.private())


def encrypt(folder: Path, password_file: Path, *names: str) -> None:
    """NAME.key becomes the vault file NAME.key.vault."""
    vault = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt"]
    keys = [folder / f"{name}.key" for name in names]
    vault += ["--vault-password-file", str(password_file), *map(str, keys)]
    subprocess.run(vault, check=True, stdout=subprocess.DEVNULL)
    for path in keys:
        path.rename(path.with_name(path.name + ".vault"))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    make(target)
    encrypt(target, Path(sys.argv[2]), "a1", "a2", "a3", "b1", "b2", "b3", "b4", "b5", "b5-billing", "probe")
