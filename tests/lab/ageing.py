# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of scene.py whose certificates end in a minute: what the private CA has signed, and with it the
root or the intermediate where that is asked for, made once more by the same keys and
installed by `release`."""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pki import DAY, PEM, Authority, now
from scene import BASE, CALLER, Scene

#: Host to its parts to their credentials; True where the private CA has signed it.
PLACES: dict[str, dict[str, dict[str, bool]]] = {
    "a": {"server": {"server": True, "probe": True}},
    "b": {"proxy": {"client": True}},
    "c": {"server": {"server": True, "probe": True}, "proxy": {"client": True, "legacy": False}},
}
# Where every user of the host may read it.
FAKETIME = "/usr/local/lib/faketime.so"
_COPIED = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
)


def again(old: x509.Certificate, signer: Authority, end: datetime.datetime) -> x509.Certificate:
    """*old* with another serial number and another end, signed by *signer*."""
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer)
    builder = builder.public_key(old.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now() - 90 * DAY).not_valid_after(end)
    for extension in old.extensions:
        if isinstance(extension.value, _COPIED):
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(signer.key, hashes.SHA256())


def folder(scene: Scene, host: str, part: str, name: str) -> str:
    return scene.run(host, f"readlink -f {BASE}/current/{part}/credentials/{name}").strip()


def live(scene: Scene, host: str, part: str, name: str) -> x509.Certificate:
    text = scene.run(host, f"cat {folder(scene, host, part, name)}/fullchain.pem")
    return x509.load_pem_x509_certificate(text.encode())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(PEM).decode()


def generation(scene: Scene) -> Path:
    """The newest one."""
    generations = scene.project / "private_ca" / "generations"
    return max(generations.iterdir(), key=lambda path: int(path.name))


def short_crl(authority: Authority, end: datetime.datetime) -> str:
    """With nobody on it, and the number that the next one of the private CA is more than."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(now() - DAY).next_update(end)
    builder = builder.add_extension(x509.CRLNumber(int(time.time())), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    made = builder.add_extension(identifier, critical=False).sign(authority.key, hashes.SHA256())
    return made.public_bytes(PEM).decode()


def age(scene: Scene, what: str, seconds: float = 50) -> None:
    """What the newest generation has signed ends in so many *seconds*: with *what* leaves its leaves, with
    root its root as well, with intermediate the one that signs, with crl its CRL alone. Returns when that is
    over."""
    authority = scene.authority()
    end = now() + datetime.timedelta(seconds=seconds)
    trust: dict[str, Any] = {}
    chain: dict[str, Any] = {}
    if what == "intermediate":
        place = generation(scene) / "intermediate.pem"
        below = Authority.read(place, place.with_suffix(".key"))
        short = again(below.certificate, authority, end)
        place.write_text(pem(short))
        authority, chain = below, {"chain_content": pem(short)}
    if what == "crl":
        made = short_crl(authority, end)
        (generation(scene) / "root-crl.pem").write_text(made)
        trust = {"crl": [{"content": made}]}
    if what == "root":
        short = again(authority.certificate, authority, end)
        (generation(scene) / "root.pem").write_text(pem(short))
        trust = {"trust": {"sources": [{"content": pem(short)}]}}

    def install(host: str) -> None:
        parts: dict[str, Any] = {}
        for part, names in PLACES[host].items():
            listed = []
            for name, signed in names.items():
                given: dict[str, Any] = {"name": name}
                if signed and what != "crl":
                    place = folder(scene, host, part, name)
                    given["certificate_content"] = pem(again(live(scene, host, part, name), authority, end))
                    given["private_key_path"] = f"{place}/privkey.pem"
                    given.update(chain)
                if signed and name != "probe":
                    given.update(trust)
                listed.append(given)
            parts[part] = {"credentials": listed}
        scene.change(host, parts)

    with ThreadPoolExecutor() as pool:
        list(pool.map(install, PLACES))
    assert now() < end, "it took so long to install that it has ended before it was proven"
    time.sleep((end - now()).total_seconds() + 1)


#: What a caller sees, by the place it asks.
def answers(scene: Scene) -> dict[str, int | str]:
    """Status, or the word error, of B's two routes to a, of c's route to an A of somebody else, and of both A
    asked by a client of the private CA."""
    asked: dict[str, dict[str, Any]] = {
        "b": {"host": "127.0.0.1", "port": 8080, "tls": False},
        "c": {"host": "127.0.0.1", "port": 8080, "tls": False},
    }
    found = {name: scene.lab.ask(scene.full(name), **one) for name, one in asked.items()}
    for name, sni in (("a", "orders.example.com"), ("c", "stock.example.com")):
        found[f"caller of {name}"] = scene.lab.ask(
            "stranger.example.com", host=scene.full(name), sni=sni, **CALLER
        )
    return {name: one.get("status", "error") for name, one in found.items()}


@contextlib.contextmanager
def clock(scene: Scene, host: str, ahead: str) -> Iterator[None]:
    """The clock of that host is *ahead* ("+3h", "-11d") for nginx and whoever logs in. A container has the
    kernel's clock, so each new process is told another time by libfaketime: the controller's, which is as old
    as the oldest host's."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    container = scene.lab.container(scene.full(host))
    subprocess.run(["podman", "cp", str(library), f"{container}:{FAKETIME}"], check=True)
    scene.run(host, f"echo {ahead} >/etc/faketimerc && echo {FAKETIME} >/etc/ld.so.preload")
    try:
        scene.run(host, "systemctl restart nginx")
        yield
    finally:
        scene.run(host, ": >/etc/ld.so.preload; rm -f /etc/faketimerc; systemctl restart nginx")
