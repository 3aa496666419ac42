# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCSP response that a server stapled to its handshake (RFC 6960, 4.2.1)."""

from __future__ import annotations

from typing import Optional

from .asn1 import der, times
from .asn1.der import CONTEXT, DerError, Element, Fields

NONE, GOOD, REVOKED, UNKNOWN, ERROR = "none", "good", "revoked", "unknown", "error"
_STATUSES = {CONTEXT | 0: GOOD, CONTEXT | 1: REVOKED, CONTEXT | 2: UNKNOWN}
_SUCCESSFUL = 0


def read(staple: bytes, leaf: bytes) -> dict[str, Optional[str]]:
    """``status``, ``this_update`` and ``next_update`` (RFC 3339, or None) of *staple* about *leaf* (both DER;
    b"": none was sent).

    ``error``: the responder had no answer, it is about another certificate (told by the serial number), or it
    cannot be read. Not checked: its signature, its time, and whether nginx took it from the right responder.
    """
    if not staple:
        return _row(NONE)
    try:
        serial = _serial(leaf)
        for response in _responses(staple):
            fields = Fields(response)
            about = der.sequence(fields.need(der.SEQUENCE))
            status = _STATUSES.get(fields.need().tag, ERROR)
            this_update = times.read(fields.need()).text
            next_update = fields.maybe(CONTEXT | 0)
            if der.integer(about[-1]) == serial:
                until = times.read(der.explicit(next_update)).text if next_update else None
                return _row(status, this_update or None, until or None)
    except (DerError, IndexError):
        pass
    return _row(ERROR)


def _row(
    status: str, this_update: Optional[str] = None, next_update: Optional[str] = None
) -> dict[str, Optional[str]]:
    return {"status": status, "this_update": this_update, "next_update": next_update}


def _responses(staple: bytes) -> list[Element]:
    fields = Fields(der.only(staple))
    outer = fields.maybe() if der.integer(fields.need(der.ENUMERATED)) == _SUCCESSFUL else None
    if outer is None:
        return []
    octets = der.sequence(der.explicit(outer))[1]
    data = Fields(der.sequence(der.only(der.string(octets)))[0])
    data.maybe(CONTEXT | 0)  # the version
    data.need()  # the responder's id
    data.need(der.GENERALIZED_TIME)
    return der.sequence(data.need(der.SEQUENCE))


def _serial(certificate: bytes) -> int:
    body = Fields(der.sequence(der.only(certificate))[0])
    body.maybe(CONTEXT | 0)
    return der.integer(body.need(der.INTEGER))
