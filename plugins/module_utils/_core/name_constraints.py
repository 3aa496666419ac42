# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name constraints as OpenSSL applies them (crypto/x509/v3_ncons.c), which is not quite RFC 5280, 4.2.1.10.

What its versions read differently (URIs with user or query, several @ in one address, NUL inside a name) is
no verdict here but ``UNSURE``: the caller asks the host's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import names
from .asn1.general_names import DIRECTORY, DNS, EMAIL, IP, OTHER, URI, GeneralName, NameConstraints, Subtree
from .certificate import CertificateFacts
from .names import Rdns

OBEYED = "obeyed"
VIOLATED = "violated"
UNSURE = "unsure"

_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"
MAX_COMPARISONS = 1 << 20  # NAME_CHECK_MAX
# What every version takes apart in one way: scheme, host, port, a path without any mark of another part.
_PLAIN_URI = re.compile(
    rb"[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9.-]+)(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~/-]*)?", re.DOTALL
)
_WORDS = {
    DNS: "DNS name",
    IP: "IP address",
    URI: "URI",
    EMAIL: "e-mail address",
    DIRECTORY: "name",
}


@dataclass(frozen=True)
class Outcome:
    """*verdict*: OBEYED, VIOLATED or UNSURE; *said* is what about which name, as what follows the
    certificate in a sentence."""

    verdict: str
    said: str = ""


_OBEYED = Outcome(OBEYED)


def comparisons(cert: CertificateFacts, constraints: NameConstraints) -> int:
    """How many there may be: names times subtrees."""
    entries = sum(len(rdn) for rdn in cert.subject) + len(cert.general_names)
    return entries * (len(constraints.permitted) + len(constraints.excluded))


def check(cert: CertificateFacts, constraints: NameConstraints, is_leaf: bool) -> Outcome:
    """NAME_CONSTRAINTS_check, and for the leaf NAME_CONSTRAINTS_check_CN as X509_verify_cert calls it."""
    if comparisons(cert, constraints) > MAX_COMPARISONS:
        return Outcome(VIOLATED, "has more names than OpenSSL compares with so many name constraints")
    unsure = _OBEYED
    for name in _named(cert, is_leaf):
        found = name if isinstance(name, Outcome) else _match(name, constraints)
        if found.verdict == VIOLATED:
            return found
        if found.verdict == UNSURE:
            unsure = found
    return unsure


def _named(cert: CertificateFacts, is_leaf: bool) -> Iterator[GeneralName | Outcome]:
    """The names to be compared, in OpenSSL's order; an Outcome for one that cannot be."""
    if any(cert.subject):
        yield GeneralName(DIRECTORY, b"", cert.subject_text, cert.subject)
    for address in names.values(cert.subject, _EMAIL_ADDRESS):
        if names.string_type(address) != names.IA5_STRING:
            yield Outcome(VIOLATED, "has an e-mail address in its subject that is no IA5String")
        else:
            yield GeneralName(EMAIL, address.encode("latin-1", "replace"), str(address))
    yield from cert.general_names
    if is_leaf and not any(name.kind == DNS for name in cert.general_names):
        yield from _common_names(cert.subject)


def _common_names(subject: Rdns) -> Iterator[GeneralName | Outcome]:
    """Those that look like a DNS name of two labels or more (cn2dnsid)."""
    for value in names.common_names(subject):
        bare = value.rstrip("\0")
        if "\0" in bare:
            yield Outcome(VIOLATED, "has a common name with a NUL inside")
        elif _like_dns(bare):
            yield GeneralName(DNS, bare.encode("ascii"), bare)


def _like_dns(text: str) -> bool:
    """Letters, digits and underscores; hyphens inside; dots between labels that no hyphen touches."""
    if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", text) is None:
        return False
    return "." in text and not re.search(r"\.\.|-\.|\.-", text)


def _match(name: GeneralName, constraints: NameConstraints) -> Outcome:
    """nc_match: of the permitted ones of this kind one must fit, of the excluded ones none may."""
    kind = EMAIL if name.kind == OTHER and name.oid == _SMTP_UTF8_MAILBOX else name.kind
    permitted = _of_kind(constraints.permitted, kind)
    excluded = _of_kind(constraints.excluded, kind)
    label = f'the {_WORDS.get(kind, "alternative name")} "{name.text}"'
    if any(_bounded(one, name) for one in [*permitted, *excluded]):
        return Outcome(VIOLATED, f"has {label}, and a constraint on such names has a minimum or maximum")
    results = [_fits(name, one.name) for one in permitted]
    allowed = results.index(True) if True in results else len(results)
    if _BROKEN in results[:allowed]:
        return Outcome(VIOLATED, f"has {label}, which cannot be compared with name constraints")
    sure = _UNSURE not in results[:allowed]
    if permitted and allowed == len(results) and sure:
        return Outcome(VIOLATED, f"has {label}, which is not permitted")
    for one in excluded:
        fits = _fits(name, one.name)
        if fits is True:
            return Outcome(VIOLATED, f"has {label}, which is excluded")
        if fits == _BROKEN:
            return Outcome(VIOLATED, f"has {label}, which cannot be compared with name constraints")
        sure = sure and fits != _UNSURE
    return _OBEYED if sure else Outcome(UNSURE, f"has {label}, which OpenSSL's versions compare differently")


def _bounded(one: Subtree, name: GeneralName) -> bool:
    """Newer versions do not come to look at the bounds of an `other` of another type."""
    return (one.minimum != 0 or one.maximum is not None) and one.name.oid == name.oid


def _of_kind(subtrees: Iterable[Subtree], kind: str) -> Sequence[Subtree]:
    return [one for one in subtrees if one.name.kind == kind]


# Beside True and False: OpenSSL calls it a fault of syntax, or its versions disagree.
_BROKEN = "broken"
_UNSURE = "unsure"


def _fits(name: GeneralName, base: GeneralName) -> bool | str:
    """nc_match_single: whether *name* lies in the subtree *base* of the same kind."""
    if name.kind == OTHER:
        # Newer versions pass over those of another type, older ones refuse; SmtpUTF8Mailbox wants IDNA.
        return _BROKEN if base.kind == OTHER and base.oid == name.oid else _UNSURE
    if name.kind == DIRECTORY:
        return _fits_directory(name.directory or (), base.directory or ())
    if name.kind == IP:
        return _fits_ip(name.value, base.value)
    compare = {DNS: _fits_dns, EMAIL: _fits_email, URI: _fits_uri}.get(name.kind)
    if compare is None:
        return _BROKEN
    if b"\0" in name.value or b"\0" in base.value:
        return _UNSURE
    return compare(name.value.lower() if name.kind != EMAIL else name.value, base.value)


def _fits_directory(name: Rdns, base: Rdns) -> bool:
    wanted = names.canonical(base)
    return names.canonical(name)[: len(wanted)] == wanted


def _fits_dns(name: bytes, base: bytes) -> bool | str:
    base = base.lower()
    if not name.endswith(base):
        return False
    return len(name) == len(base) or base[:1] in (b"", b".") or name[-len(base) - 1 :][:1] == b"."


def _fits_email(name: bytes, base: bytes) -> bool | str:
    if b"@" not in name:
        return _BROKEN
    if name.count(b"@") > 1 or base.count(b"@") > 1:
        return _UNSURE
    if b"@" not in base and base.startswith(b"."):
        return len(name) > len(base) and name.lower().endswith(base.lower())
    local, _at, host = name.partition(b"@")
    base_local, _at, base_host = base.rpartition(b"@")
    return base_local in (b"", local) and host.lower() == base_host.lower()


def _fits_uri(name: bytes, base: bytes) -> bool | str:
    if b"://" not in name:
        return _BROKEN
    plain = _PLAIN_URI.fullmatch(name)
    if plain is None:
        return _UNSURE
    host, base = plain.group(1), base.lower()
    if base.startswith(b"."):
        return len(host) > len(base) and host.endswith(base)
    return host == base


def _fits_ip(address: bytes, base: bytes) -> bool | str:
    if len(address) not in (4, 16) or len(base) not in (8, 32):
        return _BROKEN
    if 2 * len(address) != len(base):
        return False
    network, mask = base[: len(address)], base[len(address) :]
    return all(one & bits == two & bits for one, two, bits in zip(address, network, mask))
