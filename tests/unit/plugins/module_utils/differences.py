# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of verdicts in which we differ from OpenSSL on purpose. docs/openssl.md shows it (generated
by docs/generate.py), and ``openssl.compare`` lets just these pass. The aim is an empty table.

Standard library only: docs/generate.py loads this file by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

# What is compared, in the order in which a run tells it.
AREAS = ("pairs", "chains", "purpose", "dates", "names", "hosts", "crls", "files")


@dataclass(frozen=True)
class Difference:
    """One case in which the verdicts differ.

    *case* is the name given to ``compare``; with an asterisk at its end it stands for all that begin so.
    *ours*, *theirs* and *reason* are sentences for docs/openssl.md. *since* and *before* bound the versions
    of OpenSSL that differ, as (3, 2); outside of them a difference is a failure, as everywhere else.
    """

    area: str
    case: str
    ours: str
    theirs: str
    reason: str
    since: tuple[int, ...] = ()
    before: tuple[int, ...] = ()

    def covers(self, area: str, case: str) -> bool:
        begins = self.case.endswith("*") and case.startswith(self.case[:-1])
        return area == self.area and (case == self.case or begins)

    def holds(self, version: tuple[int, ...]) -> bool:
        return version >= self.since and (not self.before or version < self.before)

    @property
    def versions(self) -> str:
        """For people: which versions of OpenSSL differ."""
        since, before = (".".join(map(str, bound)) for bound in (self.since, self.before))
        parts = [f"{since} and newer"] * bool(since) + [f"before {before}"] * bool(before)
        return ", ".join(parts) or "all"


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "files",
        "a list of more than 10,000 values in a certificate",
        "no certificate, or an extension that cannot be read",
        "all of it is read",
        "nobody's certificate has as many names, and a hostile one would cost time and memory",
    ),
    Difference(
        "files",
        "more than 10,000 values in a file",
        "`file.too_large`, an error; a PKCS#7 with more is not opened",
        "all of it is read",
        "the bundle of all public CAs has 150, and a hostile file would cost time and memory",
    ),
    Difference(
        "files",
        "reading of null of a long length at an end",
        "a certificate",
        "no certificate",
        "a fault of older versions: `05 81 00` is refused where nothing follows, `05 00` is not",
        before=(3, 5),
    ),
    Difference(
        "dates",
        "short: *",
        "a certificate with a date that cannot be read: `expiry.unreadable`, an error",
        "no certificate: the whole file is refused",
        "older versions read it, and no version compares such a date; the rules do not know the version",
        since=(3, 5),
    ),
    *(
        Difference(
            "hosts",
            f"'{text}' as an address",
            "no address, so it is looked for among the DNS names",
            "the IPv4 address that sscanf finds in it",
            "OpenSSL's newer versions refuse it, too; other programs read a leading zero as octal",
            before=(3, 5),
        )
        for text in ("10.0.0.01", "010.0.0.1", " 10.0.0.1", "10.0.0.1 ", "+10.0.0.1", "::010.0.0.1")
    ),
    Difference(
        "hosts",
        "':' as an address",
        "no address",
        "the address ::",
        "nobody means an address by it, and RFC 4291, 2.2 does not either",
    ),
    Difference(
        "crls",
        "delta instead of the complete one",
        "refused, with `crl.delta`",
        "taken for a complete CRL: who is on the complete one passes",
        "a fault of OpenSSL, mended in July 2026",
        before=(3, 6, 4),
    ),
    Difference(
        "crls",
        "algorithms: *",
        "refused, with `crl.signature_invalid`",
        "the algorithm inside the list is not looked at",
        "RFC 5280, 5.1.1.2; OpenSSL refuses it since July 2026",
        before=(3, 6, 4),
    ),
    Difference(
        "files",
        "an object identifier of more than 256 octets",
        "no certificate, or an extension that cannot be read",
        "an object identifier",
        "nobody has one, and its numbers would have thousands of digits",
    ),
)
