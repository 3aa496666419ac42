# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`openssl s_client`: what it is asked, and what its `-msg` shows.

It is asked for what Python's ssl keeps to itself: the server's CertificateRequest and its OCSP staple. Both
come before the client's own certificate, so none is given: no key, no passphrase, no prompt.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from . import names, ocsp_staple, tls_messages
from .asn1 import der
from .asn1.der import DerError
from .tls_alert import alert_name
from .tls_messages import Flight, TlsError

#: Names below the folder that it runs in.
SOCKET, MESSAGES = "socket", "messages"

# apps/lib/s_cb.c, msg_cb: "<<< TLS 1.3, Handshake [length 0089], CertificateRequest", then 16 octets a line.
# The same from 1.1.1 to 3.6.
_RECEIVED = re.compile(r"<<< .*, (Handshake|Alert) \[length [0-9a-f]{4,}\]")
_OCTETS = re.compile(r" *(?: [0-9a-f]{2})+ *")
_FATAL = 2
# "…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…"; 3.0 and later leave the function out
# at times.
_ERROR = re.compile(r"error:[0-9A-F]+:[^:]*:[^:]*:([^:]*)")


class Heard(NamedTuple):
    """*flight* is what the server said. *why* is empty where that is whole, else the reason for people."""

    flight: Flight
    why: str


def arguments(server_name: str, tls_version: str, alpn: Sequence[str]) -> list[str]:
    """For `openssl`, in a folder where SOCKET leads to the server. *server_name*: as sent, "" for none.

    *server_name* and *alpn* are the only words from outside, each the value of an option. A certificate is
    not verified, so no store is loaded. Input that has ended makes it leave after the handshake.
    """
    found = ["s_client", "-unix", SOCKET, "-msg", "-msgfile", MESSAGES, "-status", "-no-CAfile", "-no-CApath"]
    found += ["-servername", server_name] if server_name else ["-noservername"]
    if tls_version:
        found.append(f"-tls{tls_version.replace('.', '_')}")
    if alpn:
        found += ["-alpn", ",".join(alpn)]
    return found


def version(said: str) -> str:
    """`3.5.7`, or `1.1.1w`, of what `openssl version` said; "" for another program."""
    found = re.match(r"OpenSSL (\d+\.\d+\.\d+[a-z]*)", said)
    return found[1] if found else ""


def hear(dumped: str, errors: str) -> Heard:
    """What the server said, of the file MESSAGES and of stderr."""
    handshake, alert = _received(dumped)
    try:
        flight = tls_messages.read(handshake)
    except TlsError as error:
        return Heard(Flight(), f"what the server sent to openssl s_client cannot be read: {error}")
    if flight.whole:
        return Heard(flight, "")
    reason = _reason(alert, errors)
    return Heard(flight, f"the handshake of openssl s_client did not come to its end: {reason}")


def requested(flight: Flight) -> dict[str, Any]:
    """What a whole *flight* asks of a client, as plain values."""
    asked = flight.request
    return {
        "certificate": asked is not None,
        "names": [_name(name) for name in asked.names] if asked else [],
        "names_der": [base64.b64encode(name).decode("ascii") for name in asked.names] if asked else [],
        "signature_algorithms": list(asked.signature_algorithms) if asked else [],
    }


def staple(flight: Flight) -> dict[str, Optional[str]]:
    """What a whole *flight* says of its own certificate by OCSP: ``ocsp_staple.read``."""
    return ocsp_staple.read(flight.staple, flight.certificates[0] if flight.certificates else b"")


def _name(encoded: bytes) -> str:
    try:
        return names.text(names.read(der.only(encoded)))
    except DerError:
        return ""


def _received(dumped: str) -> tuple[list[bytes], Optional[int]]:
    """The handshake messages, and the last fatal alert."""
    messages: list[bytes] = []
    alert: Optional[int] = None
    kind, octets = "", bytearray()
    for line in [*dumped.splitlines(), ""]:
        if kind and _OCTETS.fullmatch(line):
            octets += bytes.fromhex(line)
            continue
        if kind == "Handshake":
            messages.append(bytes(octets))
        elif kind == "Alert" and octets[:1] == bytes([_FATAL]) and len(octets) == 2:
            alert = octets[1]
        found = _RECEIVED.match(line)
        kind, octets = found[1] if found else "", bytearray()
    return messages, alert


def _reason(alert: Optional[int], errors: str) -> str:
    if alert is not None:
        return f"the server sent TLS alert {alert} ({alert_name(alert)})"
    found = _ERROR.search(errors)
    return found[1] if found else "no more came"
