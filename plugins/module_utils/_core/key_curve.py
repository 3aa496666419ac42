# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a site take a client's key? Up to TLS 1.2 the key must be on one of the server's curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from .findings import Finding

#: Other names that ssl_ecdh_curve takes for the names of certificates.
_SAME = {"secp256r1": "prime256v1", "p-256": "prime256v1", "p-384": "secp384r1", "p-521": "secp521r1"}


def refusal(curve: str, protocols: Collection[str], curves: Sequence[str]) -> Optional[Finding]:
    """Why nginx ends the handshake with a client whose key is on *curve* ("" for no elliptic curve).

    *protocols* and *curves*: ``ssl_protocols`` and ``ssl_ecdh_curve`` of the site, empty for nginx's own.
    With TLS 1.3, which Server B has, the key may be on any (tls12_check_peer_sigalg, ssl/t1_lib.c).
    """
    listed = {_SAME.get(one.lower(), one.lower()) for one in curves}
    if not curve or not protocols or "TLSv1.3" in protocols or not listed or "auto" in listed:
        return None
    if curve.lower() in listed:
        return None
    said = f"The client's key is on {curve}, and without TLS 1.3 the site takes {', '.join(curves)} only."
    return Finding("edge.curve", said, "ssl_ecdh_curve")
