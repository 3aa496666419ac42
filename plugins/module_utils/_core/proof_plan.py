# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests prove a release: read from its own blocks, since a rotation sends none.

Where a block does not follow the roles' conventions there is less to ask, and what cannot be asked is
inconclusive, never passed.
"""

from __future__ import annotations

from collections.abc import Mapping

from .probes import Probe
from .proxy_probes import proxy_probes
from .server_probes import server_probes


def plan(
    source: Mapping[str, bytes],
    identity: str,
    rounds: int = 3,
    quick: bool = False,
) -> list[Probe]:
    """All probes for a release.

    *quick*: one round, the newest TLS version only; for a release that is live and proven already.
    """
    rounds = 1 if quick else rounds
    return server_probes(source, identity, rounds, quick) + proxy_probes(source, identity, rounds)
