# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names and IP addresses of a certificate as OpenSSL matches them, and where nginx does otherwise.

The rules are those of X509_check_host and X509_check_ip (crypto/x509/v3_utl.c) without any flag, which is how
nginx calls the first; it never calls the second. Names are compared as octets: what a person writes is UTF-8.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import names
from .asn1 import general_names
from .certificate import CertificateFacts
from .findings import Finding

# What a message lists of a certificate's names before it says how many more there are.
_LISTED = 8
_LONGEST_NAME = 253  # RFC 1035, 2.3.4, as text

_OCTET = r"(?:0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_HEX_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_WILDCARD_LETTERS = re.compile(rb"[A-Za-z0-9.*-]+")
_STANDS_FOR = re.compile(rb"\*|[A-Za-z0-9-]*")


def address(text: str) -> bytes | None:
    """The 4 or 16 octets of an IP address as OpenSSL reads it (ossl_a2i_ipadd), None for any other text.

    Without brackets, zone or prefix length. Numbers with leading zeros are no address, as in OpenSSL 3.5 and
    newer (3.0 takes them for decimal, other programs for octal).
    """
    if ":" in text:
        return _ipv6(text)
    return _ipv4(text)


def _ipv4(text: str) -> bytes | None:
    return bytes(int(part) for part in text.split(".")) if _IPV4.fullmatch(text) else None


def _ipv6(text: str) -> bytes | None:
    front, gap, back = text.partition("::")
    before = _groups(front, last=not gap)
    after = _groups(back, last=True)
    if before is None or after is None:
        return None
    missing = 16 - len(before) - len(after)
    if (missing < 2) if gap else missing:
        return None
    return before + bytes(missing) + after


def _groups(text: str, last: bool) -> bytes | None:
    """The octets of groups of an IPv6 address; only its *last* group may be an IPv4 address."""
    octets = b""
    parts = text.split(":") if text else []
    for position, part in enumerate(parts, start=1):
        if _HEX_GROUP.fullmatch(part):
            octets += int(part, 16).to_bytes(2, "big")
            continue
        dotted = _ipv4(part) if last and position == len(parts) else None
        if dotted is None:
            return None
        octets += dotted
    return octets


def as_ip(name: str) -> str:
    """The address in its shortest form, or "" for what is no IP address (brackets around IPv6 allowed)."""
    octets = _person_address(name)
    return "" if octets is None else str(ipaddress.ip_address(octets))


def _person_address(name: str) -> bytes | None:
    """As ``address``, and IPv6 in brackets, as nginx writes it."""
    if name.startswith("[") and name.endswith("]"):
        return _ipv6(name[1:-1])
    return address(name)


def name_set(hostnames: Iterable[str]) -> frozenset[str]:
    """Host names for comparison as sets: lower case, addresses in their shortest form."""
    return frozenset(as_ip(name) or name.rstrip(".").lower() for name in hostnames)


@dataclass(frozen=True)
class Identities:
    """What a certificate may be called by, as octets: its DNS names, addresses and common names, the last in
    UTF-8. A common name that OpenSSL cannot convert ends the search and stands here no more."""

    dns: tuple[bytes, ...] = ()
    addresses: tuple[bytes, ...] = ()
    common: tuple[bytes, ...] = ()


def identities(cert: CertificateFacts) -> Identities:
    """Of an extension that cannot be read OpenSSL sees nothing, so the common name counts beside it."""
    kinds: dict[str, list[bytes]] = {general_names.DNS: [], general_names.IP: []}
    for one in cert.general_names:
        kinds.get(one.kind, []).append(one.value)
    return Identities(tuple(kinds[general_names.DNS]), tuple(kinds[general_names.IP]), _common(cert.subject))


def _common(subject: names.Rdns) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for oid, value in (attribute for rdn in subject for attribute in rdn):
        if oid == names.COMMON_NAME:
            if isinstance(value, names.Text) and not value.is_text:
                break
            found.append(value.encode("utf-8", "surrogatepass"))
    return tuple(found)


def check_host(held: Identities, name: str) -> bool:
    """X509_check_host: the common name counts only where there is no DNS name at all, not even an empty one.

    An address is a name like any other here, as for nginx. A name with NUL matches nothing.
    """
    wanted = name.encode("utf-8", "surrogatepass")
    if not wanted or b"\0" in wanted:
        return False
    return any(pattern and _matches(pattern, wanted) for pattern in (held.dns or held.common))


def check_ip(held: Identities, octets: bytes) -> bool:
    """X509_check_ip: addresses are compared with addresses only, octet by octet."""
    return octets in held.addresses


def _matches(pattern: bytes, name: bytes) -> bool:
    """equal_wildcard; a *name* that begins with a dot stands for everything that ends with it."""
    if len(name) > 1 and name.startswith(b"."):
        prefix, pattern = pattern[: -len(name)], pattern[-len(name) :]
        return b"\0" not in prefix and _equal(pattern, name)
    parts = _around_star(pattern) if b"*" in pattern else None
    return _equal(pattern, name) if parts is None else _wildcard(*parts, name)


def _equal(one: bytes, other: bytes) -> bool:
    # bytes.lower() knows ASCII only, as equal_nocase does
    return b"\0" not in one and one.lower() == other.lower()


def _around_star(pattern: bytes) -> tuple[bytes, bytes] | None:
    """What stands before and after a star that is a wildcard (valid_star), None where there is none: it is
    the only one, first or last in the first of at least three labels, and that is no IDNA label."""
    labels = pattern.split(b".")
    first = labels[0]
    if len(labels) < 3 or pattern.count(b"*") > 1 or not _WILDCARD_LETTERS.fullmatch(pattern):
        return None
    if any(not label or label.startswith(b"-") or label.rstrip(b"*").endswith(b"-") for label in labels):
        return None
    if not (first.startswith(b"*") or (first.endswith(b"*") and not _is_idna(first))):
        return None
    before, _star, after = pattern.partition(b"*")
    return before, after


def _is_idna(label: bytes) -> bool:
    return label[:4].lower() == b"xn--"


def _wildcard(before: bytes, after: bytes, name: bytes) -> bool:
    """wildcard_match: the star stands for letters, digits and hyphens, for at least one when it is the whole
    label, and for no part of an IDNA label."""
    if len(name) < len(before) + len(after):
        return False
    end = len(name) - len(after)
    middle = name[len(before) : end]
    if not (_equal(before, name[: len(before)]) and _equal(after, name[end:])):
        return False
    whole_label = not before and after.startswith(b".")
    if not (middle if whole_label else not _is_idna(name)):
        return False
    return _STANDS_FOR.fullmatch(middle) is not None


def examine(cert: CertificateFacts, wanted: Sequence[str]) -> tuple[dict[str, bool], list[Finding]]:
    """Per wanted name whether OpenSSL finds it in *cert*, and what to say of it.

    An IP address is looked for among the addresses; where nginx, which as a client compares every name as a
    DNS name, comes to another verdict, that is a finding of its own.
    """
    held = identities(cert)
    result: dict[str, bool] = {}
    findings: list[Finding] = []
    for name in wanted:
        if name in result:
            continue
        octets = _person_address(name)
        result[name] = check_host(held, name) if octets is None else check_ip(held, octets)
        if octets is not None:
            findings += _about_address(cert, held, name, result[name])
        if not result[name]:
            findings.append(_mismatch(cert, held, name))
        elif octets is None and not held.dns:
            said = f'"{cert.subject_text}" has {printable(name)} in the common name only.'
            findings.append(Finding("name.common_name_only", said, cert.place))
    return result, findings


def _about_address(cert: CertificateFacts, held: Identities, name: str, valid: bool) -> Iterator[Finding]:
    by_nginx = check_host(held, _as_nginx_writes(name))
    if by_nginx == valid:
        return
    if valid:
        said = f"has {printable(name)} as an IP address, which nginx as a client does not look at."
    else:
        where = "a DNS name" if held.dns else "its common name"
        said = f"has {printable(name)} as {where}: nginx as a client accepts that, OpenSSL does not."
    yield Finding("name.ip_address", f'"{cert.subject_text}" {said}', cert.place)


def _as_nginx_writes(name: str) -> str:
    """nginx cuts a name at its first colon unless that stands in brackets (ngx_http_upstream_ssl_name)."""
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _mismatch(cert: CertificateFacts, held: Identities, name: str) -> Finding:
    shown = [printable(one.decode("utf-8", "surrogateescape")) for one in held.dns]
    shown += [_address_text(one) for one in held.addresses]
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    has = ", ".join(shown[:_LISTED]) + more or "none"
    said = f'"{cert.subject_text}" is not valid for {printable(name)} (it has: {has}){_hint(held, name)}.'
    return Finding("name.mismatch", said, cert.place)


def _hint(held: Identities, name: str) -> str:
    """How the name would have matched, where only its spelling is wrong."""
    bare = name.rstrip(".")
    if bare != name and check_host(held, bare):
        return "; it is written there without the dot at the end"
    ascii_form = _idna(name)
    if ascii_form and check_host(held, ascii_form):
        return f"; it is written there as {ascii_form}"
    return ""


def _idna(name: str) -> str:
    """The ASCII form of a name with other letters, "" where there is none."""
    if name.isascii() or len(name) > _LONGEST_NAME:
        return ""
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _address_text(octets: bytes) -> str:
    return (
        str(ipaddress.ip_address(octets)) if len(octets) in (4, 16) else f"an address of {len(octets)} octets"
    )


def printable(name: str) -> str:
    """*name* for a message: control characters, surrogates and the like escaped, at most 253 characters."""
    shown = "".join(char if char.isprintable() else _escape(char) for char in name[: _LONGEST_NAME + 1])
    return shown if len(name) <= _LONGEST_NAME else f"{shown}…"


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # an octet that is no UTF-8
        return f"\\{ord(char) - 0xDC00:02X}"
    return "".join(f"\\{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))
