# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would have to be known to say more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from . import doubts
from . import vocabulary as codes
from .case import CLIENT, SERVER, Case, Cause

#: Levels of error_log at which the cause of a 400 is written.
_TELLS = ("info", "debug")
#: Causes that name no cause.
_VAGUE = ("endpoint.client_refused", "endpoint.bad_gateway", codes.ISSUER_UNKNOWN)


def missing(case: Case, found: list[Cause]) -> Iterator[str]:
    """Of a case for which these causes were *found*."""
    changed = next(doubts.configuration_changed(case.server, SERVER, ()), None)
    if changed is not None and not found:
        name = case.called(SERVER)
        yield f"What is in force at {name}: {changed.place} was changed and is not loaded."
    if not found or found[0].code not in _VAGUE:
        return
    # By 502 it is the client that refuses the server.
    which = CLIENT if case.through is not None and case.through.status == 502 else SERVER
    judge, name = case.side(which), case.called(which)
    if judge.judged is None:
        yield f"The trust, CRL and verify depth of {name} (nginx_tls_info there)."
    if judge.log is None:
        yield f"The error log of {name}."
    elif not judge.log:
        yield from _log_of(name, judge.instance)


def _log_of(name: str, instance: Optional[object]) -> Iterator[str]:
    """What would have to be done for a line of the log, where there is none."""
    logs = instance.get("error_logs", ()) if isinstance(instance, dict) else ()
    away = next((one for one in logs if not one.get("read_as", one["path"])), None)
    if away is not None:
        where = f"{away['path']} at {away['to']}" if away["to"] else away["path"]
        yield f"The error log of {name} goes to {where} ({away['place']}), and is not read: look there."
    quiet = next((one for one in logs if one["level"] not in _TELLS), None)
    if quiet is not None:
        value = quiet["path"] if quiet["path"].startswith("/") else "…"
        yield (
            f"A line of the error log of {name} at level info: its level is {quiet['level']}"
            f" ({quiet['place'] or 'the default'}). Set `error_log {value} info;`, reload, ask again."
        )
