# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx makes of a file's form in each place that it has for one, as findings.

Tried with `nginx -t` of 1.22, 1.26 and 1.30 on some 120 forms for each place (tests/lab/file_forms.py writes
the table that the units compare with). The functions behind the places:

    certificate      PEM_read_bio_X509_AUX, then PEM_read_bio_X509 to the end: TRUSTED only as the first
    private_key      OSSL_DECODER over the blocks: the first key counts, other blocks' faults are passed over
    trust, crl       before 1.27.4 PEM_X509_INFO_read_bio, which opens keys and CRLs of both files, too;
                     since then PEM_read_bio_X509_AUX and PEM_read_bio_X509_CRL, which pass over other labels

An error is said where one of them refuses the file or does not see a block of it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..asn1 import certificate_reader, crl_reader, der, private_key, public_key
from ..findings import Finding
from . import kinds, pem

if TYPE_CHECKING:
    from .contents import Contents, Item

CERTIFICATE = "certificate"
PRIVATE_KEY = "private_key"
CHAIN = "chain"
TRUST = "trust"
CRL = "crl"
SLOTS = (CERTIFICATE, PRIVATE_KEY, CHAIN, TRUST, CRL)

SECRET_KINDS = frozenset([kinds.PRIVATE_KEY, kinds.ENCRYPTED_PRIVATE_KEY, kinds.OPENSSH_KEY])
_KEYS = frozenset([kinds.PRIVATE_KEY, kinds.ENCRYPTED_PRIVATE_KEY])
_WANTED: dict[str, frozenset[str]] = {
    CERTIFICATE: frozenset([kinds.CERTIFICATE]),
    PRIVATE_KEY: _KEYS | {kinds.KEY_URI},
    CHAIN: frozenset([kinds.CERTIFICATE]),
    TRUST: frozenset([kinds.CERTIFICATE]),
    CRL: frozenset([kinds.CRL]),
}
_WANTED_WORDS = {
    CERTIFICATE: "a certificate in PEM belongs",
    PRIVATE_KEY: "a private key in PEM belongs",
    CHAIN: "certificates of CAs in PEM belong",
    TRUST: "certificates of CAs in PEM belong",
    CRL: "CRLs in PEM belong",
}
_MOST_TOLD = 20
_PKCS7_LABELS = frozenset(["PKCS7", "PKCS #7 SIGNED DATA", "CMS"])
_TRUSTED = "TRUSTED CERTIFICATE"
# pem2der's table (providers/implementations/encode_decode/decode_pem2der.c), and the forms of a key that the
# decoder behind takes under each label.
_KEY_LABELS = {
    "PRIVATE KEY": (kinds.PKCS8,),
    "RSA PRIVATE KEY": (kinds.PKCS1, kinds.PKCS8),
    "EC PRIVATE KEY": (kinds.SEC1, kinds.PKCS8),
    "DSA PRIVATE KEY": (kinds.DSA, kinds.PKCS8),
    "SM2 PRIVATE KEY": (kinds.SEC1, kinds.PKCS8),
}
# The labels under which PEM_X509_INFO_read_bio takes one type of key only.
_TYPE_OF_LABEL = {
    "RSA PRIVATE KEY": public_key.RSA_ENCRYPTION,
    "EC PRIVATE KEY": public_key.EC_PUBLIC_KEY,
    "DSA PRIVATE KEY": public_key.DSA,
}
_KNOWN_LABELS = {
    kinds.CERTIFICATE: frozenset(pem.CERTIFICATE_LABELS),
    kinds.CRL: frozenset([pem.CRL_LABEL]),
}
_LABELS = {
    CERTIFICATE: _KNOWN_LABELS[kinds.CERTIFICATE],
    CHAIN: _KNOWN_LABELS[kinds.CERTIFICATE],
    TRUST: _KNOWN_LABELS[kinds.CERTIFICATE],
    CRL: _KNOWN_LABELS[kinds.CRL],
}


def findings(contents: Contents, slot: str, place: str) -> list[Finding]:
    """See ``Contents.findings``; raises KeyError for another *slot*."""
    wanted = _WANTED[slot]
    found = _of_the_form(contents, slot, place)
    if contents.form != "pem" and any(problem.kind == "too_many" for problem in contents.problems):
        said = "The file holds more values than any file of certificates: the rest is not looked at."
        found.append(Finding("file.too_large", said, place))
    if contents.form == "pem":
        found = _of_problems(contents, slot, place)
        first = next(iter(contents.certificates()), None)
        has_crls = bool(contents.crls())
        for item in contents.items:
            if not item.text:  # no block: DER behind them
                continue
            found += _of_item(item, item is first, has_crls, slot, place)
        found += _of_all(contents, slot, place)
    if not any(item.kind in wanted for item in contents.items) and not _explained(found):
        found.append(_missing(contents, slot, place))
    return _few(list(dict.fromkeys(found)), place)


def _few(found: list[Finding], place: str) -> list[Finding]:
    """The first ones of each code and severity, and how many more there are: a file may have thousands."""
    counts: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        counts.setdefault((finding.code, finding.severity), []).append(finding)
    few = [finding for finding in found if finding in counts[finding.code, finding.severity][:_MOST_TOLD]]
    for (code, _severity), all_of_it in counts.items():
        if len(all_of_it) > _MOST_TOLD:
            said = f"The file has {len(all_of_it) - _MOST_TOLD} more faults of this kind."
            few.append(Finding(code, said, place, all_of_it[0].harmless))
    return few


def _explained(found: Sequence[Finding]) -> bool:
    return any(finding.severity == "error" and finding.code != "format.der" for finding in found)


def _of_the_form(contents: Contents, slot: str, place: str) -> list[Finding]:
    if contents.form == "utf16":
        return [Finding("format.utf16", "The file is UTF-16 text, which nginx does not read.", place)]
    if contents.form == "der" and any(item.kind in _WANTED[slot] for item in contents.items):
        return [Finding("format.der", f"The file is {contents.what}, and nginx reads PEM only.", place)]
    if contents.form == "pkcs7" and slot != PRIVATE_KEY:
        where = contents.items[0].place(place) if contents.items else place
        return [Finding("format.pkcs7", f"The file is {contents.what}, which nginx does not read.", where)]
    if contents.form == "pkcs12" and slot != CRL:
        where = contents.items[0].place(place) if contents.items else place
        return [Finding("format.pkcs12", f"The file is {contents.what}, which nginx does not read.", where)]
    return []


def _missing(contents: Contents, slot: str, place: str) -> Finding:
    """Nothing of what belongs there is in the file."""
    words = _WANTED_WORDS[slot]
    if contents.form == "empty":
        return Finding("format.unreadable", "The file is empty.", place)
    if not contents.items and contents.what in ("", "PEM"):
        return Finding("format.unreadable", f"The file holds nothing that is known; {words} here.", place)
    if not contents.items:
        return Finding("format.wrong_kind", f"The file is {contents.what}; {words} here.", place)
    first = contents.items[0]
    where = first.place(place)
    if slot == CERTIFICATE and contents.of_kind(*SECRET_KINDS):
        return Finding("pair.swapped_files", "A private key stands where the certificate should be.", where)
    if slot == PRIVATE_KEY and contents.certificates() and contents.form in ("pem", "der", "utf16"):
        return Finding("pair.swapped_files", "A certificate stands where the private key should be.", where)
    holds = ", ".join(dict.fromkeys(kinds.WORDS[item.kind] for item in contents.items[:10]))
    return Finding("format.wrong_kind", f"The file holds {holds}; {words} here.", where)


def _of_problems(contents: Contents, slot: str, place: str) -> list[Finding]:
    key_is_read = slot == PRIVATE_KEY and _key_is_read(contents)

    def is_harmless(problem: pem.Problem) -> bool:
        if slot == PRIVATE_KEY:
            return key_is_read
        if problem.kind in pem.READ:
            return not _is_opened(problem.label, slot)
        return problem.kind in pem.PASSED_OVER and problem.label.upper() not in _LABELS[slot]

    return pem.problem_findings(contents.problems, place, is_harmless)


def _is_opened(label: str, slot: str) -> bool:
    """Whether some release of nginx opens blocks of that label there, wanted or not."""
    if slot not in (TRUST, CRL):
        return label in _LABELS[slot]
    if label == "ENCRYPTED PRIVATE KEY":
        return False
    return any(label in labels for labels in _KNOWN_LABELS.values()) or "PRIVATE KEY" in label


def _key_is_read(contents: Contents) -> bool:
    """Whether OpenSSL comes to a key: faulty blocks are passed over, but for one with headers."""
    first = next(
        (item.line for item in contents.items if item.kind in _WANTED[PRIVATE_KEY] and _is_key(item)), 0
    )
    return bool(first) and not any(
        problem.kind == "headers" and problem.line < first for problem in contents.problems
    )


def _is_key(item: Item) -> bool:
    """Whether the block is a private key as OpenSSL reads one in the key's place."""
    if not item.seen:
        return False
    if item.kind == kinds.KEY_URI or item.encrypted:
        return True
    return kinds.key_form(item.der) in _KEY_LABELS.get(item.label, ())


def _of_item(item: Item, is_first: bool, has_crls: bool, slot: str, place: str) -> Iterator[Finding]:
    where = item.place(place)
    if item.label in _PKCS7_LABELS and item.kind in (kinds.CERTIFICATE, kinds.CRL, kinds.PKCS7):
        if slot != PRIVATE_KEY:
            said = "A block is PKCS#7, which nginx does not read."
            yield Finding("format.pkcs7", said, where, harmless=item.kind not in _WANTED[slot])
    elif slot == PRIVATE_KEY:
        yield from _in_key_place(item, where)
    elif item.kind in _WANTED[slot] or kinds.of_der(item.der) in _WANTED[slot]:
        yield from _wanted_item(item, is_first, slot, where)
    else:
        yield from _other_item(item, has_crls, slot, where)


def _in_key_place(item: Item, where: str) -> Iterator[Finding]:
    if item.kind not in _KEYS or item.encrypted or not item.seen or _is_key(item):
        return
    form = kinds.key_form(item.der)
    if form:
        said = (
            f"The block is labelled {_quoted(item.label)} and holds a key of the form {form}: it is not read."
        )
        yield Finding("format.wrong_kind", said, where)


def _wanted_item(item: Item, is_first: bool, slot: str, where: str) -> Iterator[Finding]:
    """What belongs there: whether the block is seen, and as what."""
    if item.label not in _LABELS[slot]:
        said = f"The label {_quoted(item.label)} hides {kinds.WORDS[kinds.of_der(item.der)]}: it is not read."
        yield Finding("format.wrong_kind", said, where)
        return
    if slot == CRL:
        return
    if item.label == _TRUSTED:
        yield from _trusted(item, slot, is_first, where)
    elif item.rest and not _is_aux(item.rest) and (slot == TRUST or (slot == CERTIFICATE and is_first)):
        yield Finding("format.damaged", "Bytes follow the certificate in its block.", where)


def _other_item(item: Item, has_crls: bool, slot: str, where: str) -> Iterator[Finding]:
    """What does not belong there. OpenSSL passes over it, but for labels that it opens on its way."""
    if item.label in _LABELS[slot]:
        if kinds.of_der(item.der) != kinds.OTHER:
            said = f"The block is labelled {_quoted(item.label)} and holds {kinds.WORDS[item.kind]}."
            yield Finding("format.wrong_kind", said, where)
    elif slot in (TRUST, CRL) and _stops_old_readers(item):
        said = (
            f"nginx before 1.27.4 refuses the file for its block {_quoted(item.label)}, which it cannot open."
        )
        yield Finding("format.wrong_kind", said, where)
    elif slot == CRL and item.kind == kinds.CERTIFICATE and has_crls:
        said = "A certificate stands among the CRLs: nginx before 1.27.4 trusts it as a CA."
        yield Finding("format.wrong_kind", said, where, harmless=True)


def _stops_old_readers(item: Item) -> bool:
    """Whether PEM_X509_INFO_read_bio opens the block and fails: keys by d2i_AutoPrivateKey unless label or
    headers say that they are encrypted, certificates and CRLs by their labels."""
    said_encrypted = item.label == "ENCRYPTED PRIVATE KEY" or (
        item.encrypted and item.kind == kinds.PRIVATE_KEY
    )
    try:
        if "PRIVATE KEY" in item.label and not said_encrypted:
            oid = private_key.read(item.der).oid
            return oid != _TYPE_OF_LABEL.get(item.label, oid)
        if item.label in _KNOWN_LABELS[kinds.CERTIFICATE]:
            certificate_reader.read(item.der, aux=item.aux)
        elif item.label in _KNOWN_LABELS[kinds.CRL]:
            crl_reader.read(item.der)
    except der.DerError:
        return True
    return False


def _quoted(label: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in label)
    return f'"{printable[:60]}"'


def _trusted(item: Item, slot: str, is_first: bool, where: str) -> Iterator[Finding]:
    if slot == CHAIN or (slot == CERTIFICATE and not is_first):
        said = "nginx passes over a TRUSTED CERTIFICATE block that is not the first certificate."
        yield Finding("format.wrong_kind", said, where)
    elif item.aux and not _is_aux(item.aux):
        yield Finding(
            "format.damaged", "The trust settings of a TRUSTED CERTIFICATE block are damaged.", where
        )
    elif item.aux:
        said = "The certificate is a TRUSTED CERTIFICATE block with trust settings of its own."
        yield Finding("format.trusted_certificate", said, where)


def _of_all(contents: Contents, slot: str, place: str) -> list[Finding]:
    certificates = contents.certificates()
    if slot == TRUST and certificates and all(item.label == _TRUSTED for item in certificates):
        said = (
            "All certificates of the file are TRUSTED CERTIFICATE blocks: nginx before 1.27.4 refuses that"
            " as ssl_client_certificate."
        )
        return [Finding("format.wrong_kind", said, certificates[0].place(place))]
    return []


def _is_aux(data: bytes) -> bool:
    """Whether d2i_X509_CERT_AUX reads it."""
    try:
        certificate_reader.read_aux(data)
    except der.DerError:
        return False
    return True
