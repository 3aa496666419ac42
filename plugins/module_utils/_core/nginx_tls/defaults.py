# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx does where nobody says anything, by its version."""

from __future__ import annotations

#: One intermediate, for ssl_verify_depth and its kin.
DEPTH = 1
#: From here on http2 is a directive of its own, and ``ssl on`` is none any more.
HTTP2_DIRECTIVE = (1, 25, 1)
_TLS13 = (1, 23, 4)
_NO_OLD_TLS = (1, 27, 3)
_KEEPALIVE = (1, 29, 7)
#: From here on workers share the keys of tickets by the zone of a shared session cache, and change them.
_SHARED_TICKETS = (1, 23, 2)


def protocols(version: tuple[int, ...]) -> list[str]:
    """ssl_protocols, proxy_ssl_protocols. What OpenSSL's own security level leaves of them may be less."""
    if version >= _NO_OLD_TLS:
        return ["TLSv1.2", "TLSv1.3"]
    return ["TLSv1", "TLSv1.1", "TLSv1.2", *(["TLSv1.3"] if version >= _TLS13 else [])]


def keepalive(version: tuple[int, ...]) -> int:
    """Idle connections that an ``upstream`` of http keeps: since 1.29.7 32, each location its own."""
    return 32 if version >= _KEEPALIVE else 0


def tickets_outlive_a_reload(version: tuple[int, ...]) -> bool:
    """Whether a ticket of before a reload is taken after it, where the session cache is shared."""
    return version >= _SHARED_TICKETS
