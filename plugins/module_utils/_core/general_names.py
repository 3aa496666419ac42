# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""General names of certificates (RFC 5280, 4.2.1.6) and name constraints, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .names import Rdns

DNS = "dns"
IP = "ip"
URI = "uri"
EMAIL = "email"
DIRECTORY = "directory"
OTHER = "other"
X400 = "x400"
EDI = "edi"
RID = "rid"


@dataclass(frozen=True)
class GeneralName:
    """*kind* is one of the constants above; *value* is the content as written (4 or 16 octets of an address,
    8 or 32 in a constraint; the ASCII of a DNS name; the DER of anything structured); *text* is for people,
    everything not printable escaped; *directory* is the name of a `directory`, *oid* the type of an `other`
    or the value of a `rid`."""

    kind: str
    value: bytes
    text: str
    directory: Rdns | None = None
    oid: str = ""


class Subtree(NamedTuple):
    """One entry of name constraints; OpenSSL refuses any *minimum* but 0 and any *maximum* at all."""

    name: GeneralName
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True)
class NameConstraints:
    permitted: tuple[Subtree, ...] = ()
    excluded: tuple[Subtree, ...] = ()
