# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file holds, whatever it is: ``recognise`` gives its form and its items, ``Contents.findings`` what
nginx makes of that form in each place.

Pure, and never raises for what the bytes are. Not checked: whether an item can be read as what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import kinds, pem
from .findings import Finding

PEM = "pem"
DER = "der"
PKCS7 = "pkcs7"
PKCS12 = "pkcs12"
UTF16 = "utf16"
EMPTY = "empty"
OTHER = "other"

SLOTS = ("certificate", "private_key", "chain", "trust", "crl")


@dataclass(frozen=True)
class Item:
    """One thing in a file. *line* is that of its BEGIN line, 0 in a binary file; *text* is its PEM block, as
    a library can read it; *encrypted* holds for both kinds of encrypted private keys; *aux* is the rest of a
    TRUSTED CERTIFICATE behind the certificate's DER. No repr shows bytes: they may be a key's."""

    kind: str
    der: bytes = field(repr=False)
    line: int = 0
    label: str = ""
    encrypted: bool = False
    text: bytes = field(repr=False, default=b"")
    aux: bytes = field(repr=False, default=b"")

    def place(self, file: str) -> str:
        """`file:line`, the file alone where there are no lines."""
        return f"{file}:{self.line}" if self.line else file


@dataclass(frozen=True)
class Contents:
    """*form*: one of the names above; *what*: the same for people ("a Java keystore"), with an article."""

    form: str
    items: tuple[Item, ...] = ()
    problems: tuple[pem.Problem, ...] = ()
    what: str = ""

    def of_kind(self, *wanted: str) -> list[Item]:
        return [item for item in self.items if item.kind in wanted]

    def certificates(self) -> list[Item]:
        return self.of_kind(kinds.CERTIFICATE)

    def crls(self) -> list[Item]:
        return self.of_kind(kinds.CRL)

    def private_keys(self) -> list[Item]:
        """Encrypted ones too; not OpenSSH's own format, which OpenSSL does not read."""
        return self.of_kind(kinds.PRIVATE_KEY, kinds.ENCRYPTED_PRIVATE_KEY)

    def findings(self, slot: str, place: str) -> list[Finding]:
        """What is wrong with the form for *slot* (one of SLOTS): error only where nginx refuses the file or
        loses a block of it."""
        document = pem.Document((), self.problems)
        found = document.findings(place)
        if self.form == DER:
            found.append(Finding("format.der", f"The file is {self.what}, nginx reads PEM only.", place))
        elif self.form == PKCS7:
            found.append(Finding("format.pkcs7", "The file is PKCS#7, nginx reads PEM only.", place))
        elif self.form == PKCS12:
            found.append(Finding("format.pkcs12", "The file is PKCS#12, nginx reads PEM only.", place))
        elif self.form == UTF16:
            found.append(Finding("format.utf16", "The file is UTF-16.", place))
        elif self.form in (EMPTY, OTHER):
            found.append(Finding("format.unreadable", f"The file is {self.what}.", place))
        return found


_BY_LABEL = {
    "CERTIFICATE": kinds.CERTIFICATE,
    "X509 CERTIFICATE": kinds.CERTIFICATE,
    "TRUSTED CERTIFICATE": kinds.CERTIFICATE,
    "X509 CRL": kinds.CRL,
    "PKCS7": kinds.PKCS7,
    "PKCS #7 SIGNED DATA": kinds.PKCS7,
    "CMS": kinds.PKCS7,
    "CERTIFICATE REQUEST": kinds.REQUEST,
    "NEW CERTIFICATE REQUEST": kinds.REQUEST,
    "PUBLIC KEY": kinds.PUBLIC_KEY,
    "RSA PUBLIC KEY": kinds.PUBLIC_KEY,
    "ENCRYPTED PRIVATE KEY": kinds.ENCRYPTED_PRIVATE_KEY,
    "OPENSSH PRIVATE KEY": kinds.OPENSSH_KEY,
}
_DER_WORDS = {
    kinds.CERTIFICATE: "a certificate in DER",
    kinds.CRL: "a CRL in DER",
    kinds.PRIVATE_KEY: "a private key in DER",
    kinds.ENCRYPTED_PRIVATE_KEY: "an encrypted private key in DER",
    kinds.PUBLIC_KEY: "a public key in DER",
    kinds.REQUEST: "a certificate request in DER",
    kinds.PARAMETERS: "key parameters in DER",
}


def recognise(data: bytes) -> Contents:
    """What *data* is and holds; never raises."""
    if not data.strip():
        return Contents(EMPTY, what="empty")
    document = pem.parse(data)
    if any(problem.kind == "utf16" for problem in document.problems):
        return Contents(UTF16, what="UTF-16 text")
    if document.blocks or document.problems:
        return Contents(PEM, tuple(_of_block(block) for block in document.blocks), document.problems, "PEM")
    kind = kinds.of_der(data)
    if kind == kinds.PKCS7:
        return Contents(PKCS7, (Item(kind, data),), what="PKCS#7")
    if kind == kinds.PKCS12:
        return Contents(PKCS12, (Item(kind, data),), what="PKCS#12")
    if kind in _DER_WORDS:
        item = Item(kind, data, encrypted=kind == kinds.ENCRYPTED_PRIVATE_KEY)
        return Contents(DER, (item,), what=_DER_WORDS[kind])
    return Contents(OTHER, what="nothing that is known")


def _of_block(block: pem.Block) -> Item:
    kind = _BY_LABEL.get(block.label, kinds.OTHER)
    if kind == kinds.OTHER and block.is_private_key:
        kind = kinds.PRIVATE_KEY
    if kind == kinds.OTHER and block.label.endswith("PARAMETERS"):
        kind = kinds.PARAMETERS
    encrypted = block.encrypted or kind == kinds.ENCRYPTED_PRIVATE_KEY
    return Item(kind, block.der, block.line, block.label, encrypted, block.text)
