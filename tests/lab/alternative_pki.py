# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own files for molecule/alternative: alternative_pki.py FOLDER VAULT_PASSWORD_FILE

CN=Partners -> CN=Partners regional -> CN=Partners issuing     (all O=Shop; each has its list in partners.crl)
    -> a1 a2                       (serverAuth, names of their sites)
    -> b1 b1-external probe        (clientAuth)
    -> by-sha1 by-name by-serial   callers, one for each kind of entry of the allowlist
    -> uninvited revoked late      in no allowlist; in partners.crl; in partners-late.crl only
    -> CN=Partners branch -> deep  one intermediate more than verify_depth admits
CN=Partners of yesterday           expired
pinned-client, app                 self-signed, trusted by their fingerprints
stranger                           self-signed, trusted by nobody
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fleet_pki import encrypt
from pki import CLIENT, DAY, PEM, SERVER, Authority, now, private_pem, write_private

PASSPHRASE = b"a passphrase of the user's own"
# As the inventory writes them: a comma in a name, a serial whose first digit is 0.
NAMED, SERIAL = "CN=by-name\\, Inc.,O=Shop", 0x0A1F
ORDERS, MORE = ("orders.example.com", "orders-old.example.com"), ("hasty.example.com", "live.example.com")
OF_HOSTS = ("a1", "a2", "b1", "b1-external", "probe")
CALLERS = ("by-sha1", "by-name", "by-serial", "uninvited", "revoked", "late")


def make(folder: Path) -> None:
    root = Authority.make("CN=Partners,O=Shop")
    regional = root.intermediate("CN=Partners regional,O=Shop")
    issuing = regional.intermediate("CN=Partners issuing,O=Shop")
    branch = issuing.intermediate("CN=Partners branch,O=Shop")
    chain = issuing.pem() + regional.pem()
    (folder / "partners.pem").write_bytes(root.pem())
    (folder / "partners-chain.pem").write_bytes(chain)
    yesterday = Authority.make("CN=Partners of yesterday,O=Shop", days=(-365, -1))
    (folder / "partners-yesterday.pem").write_bytes(yesterday.pem())

    issuing.leaf(folder / "a1", "CN=a1,O=Shop", SERVER, names=ORDERS, passphrase=PASSPHRASE)
    issuing.leaf(folder / "a2", "CN=a2,O=Shop", SERVER, names=(*ORDERS, *MORE))
    issuing.leaf(folder / "b1", "CN=b1,O=Shop", CLIENT, passphrase=PASSPHRASE)
    write_private(folder / "shop.pass", PASSPHRASE + b"\n")
    for name in ("b1-external", "probe"):
        issuing.leaf(folder / name, f"CN={name},O=Shop", CLIENT)

    made = {
        name: issuing.leaf(
            folder / name,
            NAMED if name == "by-name" else f"CN={name},O=Shop",
            CLIENT,
            serial=SERIAL if name == "by-serial" else None,
        )
        for name in CALLERS
    }
    branch.leaf(folder / "deep", "CN=deep,O=Shop", CLIENT)
    for name, more in (*dict.fromkeys((*CALLERS, "probe"), chain).items(), ("deep", branch.pem() + chain)):
        path = folder / f"{name}.pem"
        path.write_bytes(path.read_bytes() + more)
    fingerprint(folder / "by-sha1", made["by-sha1"], hashes.SHA1())
    for name, revoked in (("", ["revoked"]), ("-late", ["revoked", "late"])):
        lists = root.revocation_list() + regional.revocation_list()
        lists += issuing.revocation_list(*[made[one] for one in revoked])
        (folder / f"partners{name}.crl").write_bytes(lists)

    for name, usage, names in (
        ("pinned-client", CLIENT, ()),
        ("app", SERVER, ("app.example.com",)),
        ("stranger", CLIENT, ()),
    ):
        fingerprint(folder / name, pinned(folder / name, f"CN={name},O=Shop", usage, names))


def pinned(
    path: Path, subject: str, usage: x509.ObjectIdentifier, names: tuple[str, ...]
) -> x509.Certificate:
    """Writes *path*.pem and *path*.key of a self-signed certificate that is no authority."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string(subject)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now() - DAY).not_valid_after(now() + 30 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternative, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    path.with_name(path.name + ".pem").write_bytes(certificate.public_bytes(PEM))
    write_private(path.with_name(path.name + ".key"), private_pem(key))
    return certificate


def fingerprint(path: Path, certificate: x509.Certificate, kind: hashes.HashAlgorithm | None = None) -> None:
    """Writes *path*.sha256, or of another *kind*."""
    kind = kind or hashes.SHA256()
    path.with_name(f"{path.name}.{kind.name}").write_text(certificate.fingerprint(kind).hex() + "\n")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    make(target)
    encrypt(target, Path(sys.argv[2]), *OF_HOSTS)
