# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an explanation is made of: what was seen of a connection, what is known of each end, and what is said.

The *client* is whoever asks (Server B, or a person), the *server* is Server A. What is not known is None, and
an explanation says what it would need instead of guessing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..findings import CATALOGUE, Finding

CLIENT, SERVER = "client", "server"
OTHER = {CLIENT: SERVER, SERVER: CLIENT}
#: How a side is called in a sentence.
NAMED = {CLIENT: "the client", SERVER: "the server"}


def name_sent(name: str) -> str:
    """The server name in a handshake: an address is never sent (RFC 6066, 3), by us or by nginx."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name
    return ""


@dataclass(frozen=True)
class Seen:
    """One request as it was made, and what came back: an element of ``endpoint_info`` and its options.

    *sent*: whether a client certificate was given. *asked_for_certificate*, *accepted_names*: whether the
    server asked for one, and by which authorities, as RFC 4514 text; None where that was not seen.
    *address*: which one of the target's was reached.
    """

    target: str = ""
    server_name: str = ""
    path: str = "/"
    tls: bool = True
    sent: bool = False
    phase: str = "done"
    status: Optional[int] = None
    body_class: str = ""
    error: str = ""
    alert: Optional[int] = None
    served: Sequence[Mapping[str, Any]] = ()
    resumed: bool = False
    asked_for_certificate: Optional[bool] = None
    address: str = ""
    accepted_names: Optional[Sequence[str]] = None

    @classmethod
    def of(cls, asked: Mapping[str, Any], seen: Mapping[str, Any]) -> Seen:
        """Of the options of one probe of ``endpoint_info`` and its result."""
        requested = seen.get("requested") or {}
        return cls(
            target=seen["target"],
            server_name=name_sent(asked.get("server_name") or ""),
            path=asked.get("path") or "/",
            tls=asked.get("tls") is not False,
            sent=bool(asked.get("certificate_path") or asked.get("certificate_content")),
            phase=seen["phase"],
            status=seen["status"],
            body_class=seen["body_class"],
            error=seen["error"],
            alert=seen["alert"],
            served=seen["served"],
            resumed=seen["session_reused"],
            address=seen.get("address", ""),
            asked_for_certificate=requested.get("certificate"),
            accepted_names=requested.get("names"),
        )


@dataclass(frozen=True)
class Side:
    """What is known of one end.

    *name*: its host, or "" for a person. *config*: its server block or location (``nginx_tls_info``), None
    where it was not read; *instance*: its nginx. *own*: findings about the certificate and key that it
    presents, *chain* subject and issuer of each certificate of it; *judged*: findings about the other end's
    certificate by this end's trust, CRL, depth and clock, [] where it is accepted, None where that could not
    be asked; *truly*: the same by the controller's clock. *log*: events of its error log, newest last, None
    where it was not read. *clock_s*: how far its clock is ahead of the controller's, in seconds. *stale*:
    whether it serves another certificate than its file has.
    """

    name: str = ""
    config: Optional[Mapping[str, Any]] = None
    instance: Optional[Mapping[str, Any]] = None
    own: Sequence[Mapping[str, Any]] = ()
    chain: Sequence[Mapping[str, Any]] = ()
    judged: Optional[Sequence[Mapping[str, Any]]] = None
    truly: Optional[Sequence[Mapping[str, Any]]] = None
    log: Optional[Sequence[Mapping[str, Any]]] = None
    files: Sequence[Mapping[str, Any]] = ()
    clock_s: Optional[float] = None
    stale: bool = False

    def place(self, directive: str) -> str:
        """Where the value that is in force was written, "" where that is not known."""
        return str((self.config or {}).get("places", {}).get(directive, ""))

    def finding(self, code: str) -> Optional[Mapping[str, Any]]:
        """What ``nginx_tls_info`` says of the server block or location under this code."""
        said = (self.config or {}).get("findings", ())
        return next((one for one in said if one["code"] == code), None)

    def events(self, *kinds: str) -> list[Mapping[str, Any]]:
        """Events of these kinds, the newest first."""
        return [one for one in reversed(self.log or ()) if one["kind"] in kinds]


def host_of(side: Side, which: str) -> str:
    """For which host a command is."""
    return side.name or NAMED[which]


@dataclass(frozen=True)
class Case:
    """*direct*: the request that the client's host made with the client's certificate, past its nginx.
    *through*: the one by its nginx, None where there is none. *named*: whether the certificate that the
    server has for the name fits, where the client sends no name; None where that was not asked.
    *meant*: the host that the target names, where the certificate that came is none of its."""

    direct: Optional[Seen] = None
    through: Optional[Seen] = None
    client: Side = field(default_factory=Side)
    server: Side = field(default_factory=Side)
    named: Optional[bool] = None
    meant: str = ""

    def side(self, which: str) -> Side:
        return self.client if which == CLIENT else self.server

    def called(self, which: str) -> str:
        """How a side is called in a sentence."""
        return f"{NAMED[which]} {self.side(which).name}".rstrip()

    @property
    def target(self) -> str:
        """The address that was asked, the server's where that is known."""
        asked = self.direct or self.through
        return asked.target if asked else ""


@dataclass(frozen=True)
class Cause:
    """One cause. *code* is of the catalogue; *message* says who does what and why, *evidence* by what that
    is known, *remedy* what to do in this case ("" takes the catalogue's), *confirm* a command that shows it,
    with the host that it is for before a colon."""

    code: str
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    confirm: str = ""
    place: str = ""

    def to_dict(self) -> dict[str, Any]:
        told = Finding(self.code, self.message[:1].upper() + self.message[1:], self.place).to_dict()
        told["remedy"] = self.remedy or CATALOGUE[self.code].remedy
        return {**told, "evidence": list(self.evidence), "confirm": self.confirm}


@dataclass(frozen=True)
class Explanation:
    """*causes*: the most specific first. *missing*: what would have to be known to say more."""

    causes: tuple[Cause, ...] = ()
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"findings": [one.to_dict() for one in self.causes], "missing": list(self.missing)}
