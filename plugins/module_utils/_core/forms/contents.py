# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file holds, whatever it is: ``recognise`` gives its form and its items, ``Contents.findings`` what
nginx makes of it in each place.

Pure, linear in time, and never raises for what the bytes are. Not checked: whether an item can be read as
what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Optional

from ..asn1 import der, pkcs7
from ..findings import Finding
from . import form_rules, kinds, other_files, pem

PEM = "pem"
DER = "der"
PKCS7 = "pkcs7"
PKCS12 = "pkcs12"
UTF16 = "utf16"
EMPTY = "empty"
OTHER = "other"

SLOTS = form_rules.SLOTS

_OPENSSH = b"openssh-key-v1\0"
_BEGIN = b"-----BEGIN "
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_LABEL_OF = {
    kinds.CERTIFICATE: "CERTIFICATE",
    kinds.CRL: pem.CRL_LABEL,
    **dict.fromkeys(form_rules.SECRET_KINDS, "PRIVATE KEY"),
}
# Of a file, beside its PEM blocks: those are counted by themselves, and what they hold with them.
_MOST_ITEMS = der.MAX_LIST


@dataclass(frozen=True)
class Item:
    """One thing in a file. *line* is that of its BEGIN line, 0 in a binary file; *label* that of its block;
    *text* is its PEM block, as a library can read it, made anew; *encrypted* holds for both kinds of
    encrypted private keys; *aux* is what a TRUSTED CERTIFICATE has behind the certificate's DER, *rest* what
    any other block has there. *number* counts the file's blocks from 0; the contents of one PKCS#7 share it.
    Not *seen*: OpenSSL takes the block for a part of the one before.
    No repr shows bytes: they may be a key's."""

    kind: str
    der: bytes = field(repr=False)
    line: int = 0
    label: str = ""
    encrypted: bool = False
    text: bytes = field(repr=False, default=b"")
    aux: bytes = field(repr=False, default=b"")
    rest: bytes = field(repr=False, default=b"")
    number: int = 0
    seen: bool = True

    def place(self, file: str) -> str:
        """`file:line`, the file alone where there are no lines."""
        return f"{file}:{self.line}" if self.line else file


@dataclass(frozen=True)
class Contents:
    """*form*: one of the names above; *what*: the same for people, with an article ("a Java keystore").

    The items of a DER, PKCS#7 or UTF-16 file are there as well, though nginx reads none of them; a PKCS#12
    store is an item itself (``_x509.pkcs12`` opens it).
    """

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

    def private_key_lines(self) -> list[int]:
        """Lines of all private keys, also of those in a block that is damaged, indented or cut off, and in
        OpenSSH's format; 0 stands for one in a binary file. For whoever must not pass a key on."""
        found = [item.line for item in self.items if item.kind in form_rules.SECRET_KINDS]
        found += [item.line for item in self.items if item.label.upper().endswith("PRIVATE KEY")]
        found += [problem.line for problem in self.problems if problem.is_private_key]
        return sorted(set(found))

    def findings(self, slot: str, place: str) -> list[Finding]:
        """What is wrong with the form for *slot*, one of SLOTS: errors only where a release of nginx from
        1.22 to 1.30 refuses the file or does not see a block of it; see ``form_rules``."""
        return form_rules.findings(self, slot, place)


def recognise(data: bytes) -> Contents:
    """What *data* is and holds; never raises."""
    if not data.strip():
        return Contents(EMPTY, what="empty")
    text = _utf16(data)
    if text is not None:
        inside = recognise(text)
        problem = pem.Problem("utf16", 1)
        return Contents(UTF16, inside.items, (problem, *inside.problems), "UTF-16 text")
    kind = kinds.of_der(data) if data[:1] == b"\x30" else kinds.OTHER
    if kind != kinds.OTHER:
        return _of_der(data, kind)
    document = pem.parse(data)
    if any(problem.label.startswith("PGP ") for problem in document.problems) and not document.blocks:
        return Contents(OTHER, what=kinds.WORDS[kinds.OPENPGP])
    if document.blocks or any(problem.kind != "bom" for problem in document.problems):
        return _of_pem(document, _behind_pem(data))
    what = other_files.name(data)
    items = (Item(kinds.OPENSSH_PUBLIC_KEY, data),) if what == kinds.WORDS[kinds.OPENSSH_PUBLIC_KEY] else ()
    return Contents(OTHER, items, what=what)


def _utf16(data: bytes) -> Optional[bytes]:
    """The text in UTF-8 where *data* is UTF-16 or UTF-32, with or without its byte order mark."""
    encoding = ""
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        encoding = "utf-32"
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif _BEGIN not in data:
        encoding = next((name for name in _WIDE if _BEGIN.decode().encode(name) in data), "")
    return data.decode(encoding, "replace").encode("utf-8", "replace") if encoding else None


def _of_der(data: bytes, kind: str) -> Contents:
    items: list[Item] = []
    problems: list[pem.Problem] = []
    position = end = 0
    for number, element in enumerate(_values(data)):
        if number == _MOST_ITEMS:
            problems.append(pem.Problem("too_many", 0))
            break
        position += len(element.encoding)
        inner = kinds.of_der(element.encoding)
        if inner != kinds.OTHER:
            end = position  # the letters of PEM are some value, too
        if inner == kinds.PKCS7 and kind == kinds.PKCS7 and not items:
            items += _unpacked(element.encoding, Item(kind, element.encoding))
        elif inner != kinds.OTHER:
            encrypted = inner == kinds.ENCRYPTED_PRIVATE_KEY
            items.append(Item(inner, element.encoding, encrypted=encrypted, number=len(items)))
    behind = _joined(data[end:])
    items += behind.items
    problems += behind.problems
    if kind == kinds.PKCS7:
        return Contents(PKCS7, tuple(items), tuple(problems), "PKCS#7")
    if items[0].kind == kinds.PKCS12:
        return Contents(PKCS12, tuple(items), tuple(problems), "PKCS#12")
    return Contents(DER, tuple(items), tuple(problems), f"{kinds.WORDS[items[0].kind]} in DER")


def _joined(tail: bytes) -> Contents:
    """What somebody has put behind a binary value by `cat`: the PEM in it."""
    return _not_seen(_of_pem(pem.parse(tail))) if _BEGIN in tail else Contents(EMPTY)


def _behind_pem(data: bytes) -> Contents:
    """What somebody has put behind PEM, and OpenSSL takes for text: DER by `cat`, UTF-16 by `>>` of a shell
    that writes it. The items, and a problem for each kind of them."""
    last = data.rfind(b"-----END ")
    begin = data.find(b"\n", last) + 1 if last >= 0 else 0
    tail = data[begin:] if begin else b""
    kind = kinds.of_der(tail) if tail[:1] == b"\x30" else kinds.OTHER
    if kind != kinds.OTHER:
        return _told("der_part", data.count(b"\n", 0, begin) + 1, _not_seen(_of_der(tail, kind)))
    for name in _WIDE:
        begin = data.find(_BEGIN.decode().encode(name))
        if begin >= 0:
            text = data[begin:].decode(name, "replace").encode("utf-8", "replace")
            return _told("utf16_part", data.count(b"\n", 0, begin) + 1, _not_seen(_of_pem(pem.parse(text))))
    return Contents(EMPTY)


def _not_seen(found: Contents) -> Contents:
    """The same, in no line."""
    items = [replace(item, line=0, seen=False) for item in found.items]
    problems = [replace(problem, line=0) for problem in found.problems]
    return replace(found, items=tuple(items), problems=tuple(problems))


def _told(problem: str, line: int, found: Contents) -> Contents:
    """*found*, all of it in *line*, with a *problem* for each kind of value, named by its label in PEM."""
    labels = [_LABEL_OF.get(item.kind, "") for item in found.items]
    labels += [other.label for other in found.problems]
    problems = [pem.Problem(problem, line, label) for label in dict.fromkeys(labels or [""])]
    items = [replace(item, line=line) for item in found.items]
    return replace(found, items=tuple(items), problems=tuple(problems))


def _values(data: bytes) -> Iterator[der.Element]:
    """Up to the first that is none."""
    try:
        yield from der.iterate(data)
    except der.DerError:
        return


_BY_LABEL = {
    "CERTIFICATE": kinds.CERTIFICATE,
    "X509 CERTIFICATE": kinds.CERTIFICATE,
    "TRUSTED CERTIFICATE": kinds.CERTIFICATE,
    "X509 CRL": kinds.CRL,
    "PKCS7": kinds.PKCS7,
    "PKCS #7 SIGNED DATA": kinds.PKCS7,
    "CMS": kinds.PKCS7,
    "PKCS12": kinds.PKCS12,
    "CERTIFICATE REQUEST": kinds.REQUEST,
    "NEW CERTIFICATE REQUEST": kinds.REQUEST,
    "PUBLIC KEY": kinds.PUBLIC_KEY,
    "RSA PUBLIC KEY": kinds.PUBLIC_KEY,
    "ENCRYPTED PRIVATE KEY": kinds.ENCRYPTED_PRIVATE_KEY,
    "OPENSSH PRIVATE KEY": kinds.OPENSSH_KEY,
    "PKCS#11 PROVIDER URI": kinds.KEY_URI,
}


def _of_pem(document: pem.Document, behind: Optional[Contents] = None) -> Contents:
    items: list[Item] = []
    problems = document.problems
    crowded = False
    for number, block in enumerate(document.blocks):
        found = _of_block(block, number, opens=not crowded)
        if len(found) > 1 and len(items) + len(found) > _MOST_ITEMS:
            crowded = True
            problems += (pem.Problem("crowded", block.line, block.label),)
            found = _of_block(block, number, opens=False)
        items += found
    if behind:
        items += behind.items
        problems += behind.problems
    form, what = PEM, "PEM"
    if not problems and document.blocks:
        inside = {_kind(block) for block in document.blocks}
        if inside == {kinds.PKCS7}:
            form, what = PKCS7, "PKCS#7 in PEM"
        elif inside == {kinds.PKCS12}:
            form, what = PKCS12, "PKCS#12 in PEM"
    return Contents(form, tuple(items), problems, what)


def _kind(block: pem.Block) -> str:
    """By the label; by the shape where that says clearly that the label is wrong."""
    kind = _BY_LABEL.get(block.label, kinds.OTHER)
    if block.is_private_key and kind == kinds.OTHER:
        kind = kinds.PRIVATE_KEY
    if block.label.endswith("PARAMETERS"):
        kind = kinds.PARAMETERS
    if block.encrypted or kind in (kinds.OTHER, kinds.OPENSSH_KEY, kinds.PARAMETERS, kinds.KEY_URI):
        # of an unknown label only a key matters: whoever must not pass one on has to see it
        secret = kind == kinds.OTHER and kinds.of_der(block.der) in form_rules.SECRET_KINDS
        if kind == kinds.OTHER and block.der.startswith(_OPENSSH):
            return kinds.OPENSSH_KEY
        return kinds.PRIVATE_KEY if secret else kind
    shape = kinds.of_der(block.der)
    return kind if shape == kinds.OTHER else shape


def _of_block(block: pem.Block, number: int, opens: bool) -> tuple[Item, ...]:
    """More than one only where *opens*, which lets a PKCS#7 give what it holds."""
    kind = _kind(block)
    encrypted = block.encrypted or kind == kinds.ENCRYPTED_PRIVATE_KEY
    whole = Item(
        kind, block.der, block.line, block.label, encrypted, block.text, number=number, seen=block.seen
    )
    if kind == kinds.PKCS7:
        return _unpacked(block.der, whole) if opens else (whole,)
    if kind not in (kinds.CERTIFICATE, kinds.CRL):
        return (whole,)
    try:
        _element, end = der.read(block.der)
    except der.DerError:
        return (whole,)
    rest = block.der[end:]
    trusted = block.label == "TRUSTED CERTIFICATE"
    label = "CERTIFICATE" if trusted else block.label
    own = block.der[:end]
    return (
        Item(
            kind,
            own,
            block.line,
            block.label,
            text=pem.encode(label, own) if rest or trusted else block.text,
            aux=rest if trusted else b"",
            rest=b"" if trusted else rest,
            number=number,
            seen=block.seen,
        ),
    )


def _unpacked(data: bytes, whole: Item) -> tuple[Item, ...]:
    """The certificates and CRLs of PKCS#7, in its place; itself where it holds none."""
    try:
        certificates, crls = pkcs7.unpack(data)
    except der.DerError:
        return (whole,)
    inside = [(kinds.CERTIFICATE, one) for one in certificates] + [(kinds.CRL, one) for one in crls]
    labels = {kinds.CERTIFICATE: "CERTIFICATE", kinds.CRL: pem.CRL_LABEL}
    return tuple(
        Item(
            kind,
            one,
            whole.line,
            whole.label or "PKCS7",
            text=pem.encode(labels[kind], one),
            number=whole.number,
        )
        for kind, one in inside
    ) or (whole,)
