# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged files of good and strange blocks, against the functions of OpenSSL that nginx calls: where no error
is said, all releases of nginx load the file and see just the blocks that are told of.

More of them, another seed (below `ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils`):
    python -m …._x509.test_mutated_files 20000 7
"""

from __future__ import annotations

import random
import ssl
import sys
import tempfile
from functools import cache
from pathlib import Path

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import ERROR, Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, crl
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import forms, libcrypto
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core.forms import test_armour
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import compare


@cache
def blocks() -> list[bytes]:
    w = forms.world()
    return [
        forms.block(label, content)
        for label, content in [
            ("CERTIFICATE", w.leaf),
            ("CERTIFICATE", w.issuing),
            ("CERTIFICATE", w.leaf + b"\x05\x00"),
            ("CERTIFICATE", w.root_crl),
            ("X509 CERTIFICATE", w.root),
            ("TRUSTED CERTIFICATE", w.root + forms.aux()),
            ("X509 CRL", w.root_crl),
            ("X509 CRL", w.issuing_crl),
            ("X509 CRL", w.leaf),
            ("PKCS7", forms.pkcs7([w.issuing], [w.root_crl])),
            ("CERTIFICATE REQUEST", w.request),
            ("PRIVATE KEY", forms.private(w.key)),
            ("ENCRYPTED PRIVATE KEY", forms.private(w.key, passphrase=b"abcd")),
            ("STRANGE", b"abc"),
        ]
    ]


def mutated(chance: random.Random) -> bytes:
    """One to four blocks, perhaps with pieces between and other line ends, and up to three damages, half of
    them at the ends of lines."""
    parts: list[bytes] = []
    for block in chance.choices(blocks(), k=chance.randint(1, 4)):
        if chance.random() < 0.15:
            parts += chance.choices(test_armour.PIECES, k=chance.randint(1, 4))
        parts.append(block)
    data = b"".join(parts)
    if chance.random() < 0.15:
        data = data.replace(b"\n", chance.choice(test_armour.LINE_ENDS))
    for _damage in range(chance.choice([0, 0, 1, 1, 1, 2, 3])):
        at = chance.randrange(len(data) + 1)
        if chance.random() < 0.5:
            at = max(0, data.find(b"\n", at) + chance.choice([0, 1]))
        gone = chance.choice([0, 0, 0, 1, 1, 2, 5, 30, 70, len(data)])
        new = chance.choice([b"", chance.choice(test_armour.PIECES), chance.randbytes(1)])
        data = data[:at] + new + data[at + gone :]
    return data


def said(slot: str, data: bytes) -> tuple[list[Finding], list[bytes]]:
    """(findings, DER of what is told of)."""
    if slot == "crl":
        crls, findings = crl.load(data, "f")
        return findings, [one.der for one in crls]
    found = certificate.load(slot, data, "f")
    return list(found.findings), [one.der for one in found.certificates]


def old_readers_load(data: bytes) -> bool:
    """SSL_CTX_load_verify_locations, nginx before 1.27.4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(data)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
        except (ssl.SSLError, ValueError):
            return False
    return True


NEW = {"certificate": libcrypto.certificates, "trust": libcrypto.trust, "crl": libcrypto.crls}


def has_errors(findings: list[Finding]) -> bool:
    return any(finding.severity == ERROR for finding in findings)


def fault(slot: str, data: bytes) -> str:
    """What our silence hides; nothing where an error is said, or all is well."""
    findings, ours = said(slot, data)
    if has_errors(findings):
        return ""
    theirs = NEW[slot](data)
    if theirs is None or (slot != "certificate" and not old_readers_load(data)):
        return "refused"
    return "" if ours == theirs else "other blocks"


def faults(count: int, seed: int) -> list[tuple[str, str, bytes]]:
    chance = random.Random(seed)
    files = [mutated(chance) for _number in range(count)]
    found = [(slot, fault(slot, data), data) for data in files for slot in NEW]
    return [row for row in found if row[1]]


@libcrypto.needs_libcrypto
def test_silence_means_that_nginx_loads_it() -> None:
    for seed in range(6):
        compare("files", ours=faults(50, seed), theirs=[], case=f"mutated files, seed {seed}")


def test_some_mutated_files_are_in_order_and_some_are_not() -> None:
    """Else the comparison above would compare nothing."""
    chance = random.Random(0)
    quiet = [has_errors(said(slot, mutated(chance))[0]) for _number in range(100) for slot in NEW]
    assert 20 < sum(quiet) < 280


if __name__ == "__main__":
    found = faults(int(sys.argv[1]), int(sys.argv[2]))
    print(*found[:5], f"{sys.argv[1]} files, {len(found)} faults", sep="\n")
