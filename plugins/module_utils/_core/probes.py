# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A question that proves something of a release, and the words for its kinds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Optional

from .forms.pem import ders

UNKNOWN_NAME = "mtls-unknown.invalid"
#: No credential can have this name.
FOREIGN = "foreign:"
#: What is expected of a server that is not ours: TLS on both sides, and any answer that is not worse.
ANY = "an answer no worse than before"
#: unrecognized_name (RFC 6066, 3): what ssl_reject_handshake answers a name, or none, that no site has.
UNRECOGNIZED_NAME = 112
SESSION = "session from before"
GOOD, NO_CERTIFICATE, FOREIGN_CERTIFICATE = "client accepted", "no certificate", "foreign certificate"
ROUTE, SERVER = "route", "server of the route"
REVOKED = "revoked"
DEFAULT = "default"
NO_SNI, UNKNOWN_SNI, NOBODYS_HOST = "no SNI", "unknown SNI", "Host of nobody"


@dataclass(frozen=True)
class Leaf:
    """The fingerprints of a credential's own certificate, lower-case hex as nginx prints its SHA-1."""

    sha1: str
    sha256: str


def leaf_of(fullchain: bytes) -> Optional[Leaf]:
    """The fingerprints of the first certificate of a PEM file; None where it has none."""
    der = next(ders(fullchain), None)
    return Leaf(hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest()) if der is not None else None


@dataclass(frozen=True)
class Probe:
    """One row: a request, asked *rounds* times, and what must come back.

    *identity*: "" sends no certificate, ``probe`` A's own, ``foreign:`` one of a CA made for the run,
    ``revoked:CREDENTIAL/NAME`` one that was given for this proof, anything else is a credential of part
    proxy. *trust*: the proxy credential whose trust the server's chain is verified by. *unwanted*: what must
    not stand in the body, whatever else is answered. *refused*: the site must refuse this client. *resumes*:
    a session from before the switch is offered. *without*: why it cannot be asked; *rounds* is 0 then.
    """

    kind: str
    part: str
    subject: str
    credential: str
    address: str
    port: int
    expected: str
    tls: bool = True
    server_name: str = ""
    http_host: str = ""
    path: str = "/"
    tls_version: str = ""
    proxy_protocol: bool = False
    identity: str = ""
    trust: str = ""
    rounds: int = 1
    want_status: tuple[int, ...] = ()
    want_words: tuple[str, ...] = ()
    want_leaf: str = ""
    want_alert: Optional[int] = None
    unwanted: str = ""
    refused: bool = False
    resumes: bool = False
    without: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, int, str, str]:
        """The same question asked of another release has the same key."""
        # The default server is the same whichever site lends its name.
        name = "" if self.subject == DEFAULT else self.server_name
        if self.kind in (ROUTE, SERVER):
            # Two locations may lead to one upstream, each with an identity of its own.
            name = f"{name}{self.path}"
        return self.kind, self.part, self.subject, self.address, self.port, self.tls_version, name

    @property
    def revoked(self) -> bool:
        return self.identity.startswith(f"{REVOKED}:")

    @property
    def target(self) -> str:
        if not self.address:
            return f"{self.part} {self.subject}"
        host = (
            f"[{self.address}]"
            if ":" in self.address and not self.address.startswith("unix:")
            else self.address
        )
        where = host if host.startswith("unix:") else f"{host}:{self.port}"
        version = f" TLS {self.tls_version}" if self.tls_version else ""
        return f"{self.part} {self.subject} at {where}{version}"
