# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of others, as the logs of both ends tell of them: each as if it had been one of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from . import connection
from .case import Case, Seen, name_sent

#: What a client got whom the server's log speaks of.
_TOLD = {
    "client_verify": Seen(status=400, body_class="certificate_error", sent=True),
    "client_no_certificate": Seen(status=400, body_class="no_certificate"),
    "misdirected": Seen(status=421, body_class="misdirected"),
    "plain_http": Seen(status=400, body_class="plain_http_to_tls", tls=False),
}
#: OpenSSL's words for a fault that it answers by an alert (ssl/statem/statem_srvr.c, statem_lib.c).
_ALERTED = {
    "unsupported protocol": connection.PROTOCOL_VERSION,
    "no shared cipher": connection.HANDSHAKE_FAILURE,
    "no suitable signature algorithm": connection.HANDSHAKE_FAILURE,
}
#: What the client's nginx says of its own request, and the phase in which that ended.
PHASES = {
    "upstream_handshake": "handshake",
    "upstream_connect": "connect",
    "upstream_resolve": "resolve",
    "upstream_timeout": "response",
    "upstream_closed": "response",
}


def by_server(case: Case) -> Optional[Seen]:
    """What a client got, by the server's log."""
    for event in case.server.events(*_TOLD, "handshake", "worker_file"):
        client = event.get("client") or "a client"
        if event["kind"] == "worker_file":
            return Seen(
                target=f"by {client}", phase="handshake", error=event["text"], alert=connection.INTERNAL_ERROR
            )
        if event["kind"] in _TOLD:
            return replace(_TOLD[event["kind"]], target=f"by {client}")
        alert = next((number for words, number in _ALERTED.items() if words in event["text"]), None)
        if alert is not None:
            return Seen(target=f"by {client}", phase="handshake", error=event["text"], alert=alert)
    return None


def by_client(case: Case) -> Optional[Seen]:
    """What the client's nginx has logged of its request, as if that had been one of ours."""
    for event in case.client.events(*PHASES):
        target = event["upstream"] or (case.direct.target if case.direct else "")
        sni = bool((case.client.config or {}).get("sni", True))
        name = name_sent(str((case.client.config or {}).get("name", ""))) if sni else ""
        phase = PHASES[event["kind"]]
        sent = bool((case.client.config or {}).get("certificate"))
        return Seen(target, name, sent=sent, phase=phase, error=event["text"], alert=event["alert"])
    return None
