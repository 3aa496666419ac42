# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what is wrong with a file's form, or with the file itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import intake
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import examined, row
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.corpus import (
    INTERMEDIATE,
    LEAF,
    ROOT,
)

CHAIN = LEAF.pem + INTERMEDIATE.pem


@row("format.der")
def der():
    """the root in DER | in PEM"""
    return examined(trust=ROOT.der), examined(trust=ROOT.pem)


@row("format.pkcs7")
def pkcs7():
    """the root in PKCS#7 | in PEM"""
    return examined(trust=raw.pem(corpus.pkcs7(ROOT.der), "PKCS7")), examined(trust=ROOT.pem)


@row("format.pkcs12")
def pkcs12():
    """the chain in PKCS#12 | in PEM"""
    (store,) = [seed.der for seed in corpus.seeds() if seed.name == "PKCS#12"]
    return examined(certificate=store, passphrase=corpus.PASSPHRASE), examined(certificate=CHAIN)


@row("format.utf16")
def utf16():
    """UTF-16 | ASCII"""
    return examined(certificate=CHAIN.decode("ascii").encode("utf-16")), examined(certificate=CHAIN)


@row("format.wrong_kind")
def wrong_kind():
    """a CRL in the place of the bundle | the root"""
    return examined(trust=raw.pem(corpus.crl_der(ROOT), "X509 CRL")), examined(trust=ROOT.pem)


@row("format.trusted_certificate")
def trusted_certificate():
    """a TRUSTED CERTIFICATE block with settings | a plain one"""
    settings = raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.3.2")))
    return examined(trust=raw.pem(ROOT.der + settings, "TRUSTED CERTIFICATE")), examined(trust=ROOT.pem)


@row("format.bom")
def bom():
    """a byte order mark first | none"""
    return examined(certificate=b"\xef\xbb\xbf" + CHAIN), examined(certificate=CHAIN)


@row("format.glued_blocks")
def glued_blocks():
    """no line break between the blocks | one"""
    return examined(certificate=LEAF.pem.rstrip() + INTERMEDIATE.pem), examined(
        certificate=LEAF.pem.rstrip() + b"\n" + INTERMEDIATE.pem
    )


@row("format.indented")
def indented():
    """a BEGIN line behind a blank | at its line's beginning"""
    return examined(certificate=LEAF.pem + b" " + INTERMEDIATE.pem), examined(certificate=CHAIN)


@row("format.line_breaks")
def line_breaks():
    """lines that end in a carriage return alone | in carriage return and line feed"""
    return examined(certificate=CHAIN.replace(b"\n", b"\r")), examined(
        certificate=CHAIN.replace(b"\n", b"\r\n")
    )


@row("format.damaged")
def damaged():
    """the END line is missing | it is there"""
    cut = INTERMEDIATE.pem[: INTERMEDIATE.pem.index(b"-----END")]
    return examined(certificate=LEAF.pem + cut), examined(certificate=CHAIN)


@row("format.unreadable")
def unreadable():
    """an empty bundle | the root"""
    return examined(trust=b""), examined(trust=ROOT.pem)


# -- the file itself


def taken(path) -> list:
    """What ``intake.read`` says of it."""
    said = intake.read(str(path))
    return [] if isinstance(said, bytes) else [said]


@row("file.missing")
def missing():
    """a name beside the file's | the file's"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pem"
        path.write_bytes(ROOT.pem)
        return taken(f"{path}x"), taken(path)


@row("file.not_regular")
def not_regular():
    """a named pipe | a file"""
    with tempfile.TemporaryDirectory() as folder:
        pipe, file = Path(folder) / "pipe", Path(folder) / "file"
        os.mkfifo(pipe)
        file.write_bytes(ROOT.pem)
        return taken(pipe), taken(file)


@row("file.unreadable")
def unreadable_file():
    """a link to itself | to a file"""
    with tempfile.TemporaryDirectory() as folder:
        loop, link, file = (Path(folder) / name for name in ("loop", "link", "file"))
        file.write_bytes(ROOT.pem)
        loop.symlink_to(loop)
        link.symlink_to(file)
        return taken(loop), taken(link)


@row("file.too_large")
def too_large():
    """an octet more than the limit | the limit"""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        for path, size in ((large, intake.LIMIT + 1), (small, intake.LIMIT)):
            path.touch()
            os.truncate(path, size)
        return taken(large), taken(small)


@row("file.permissions")
def permissions():
    """mode 0640 | mode 0600"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.pem"
        path.write_bytes(LEAF.key_pem)
        told = []
        for mode in (0o640, 0o600):
            path.chmod(mode)
            told.append(intake.private_key_findings(str(path)))
        return told[0], told[1]
