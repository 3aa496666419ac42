# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a connection that a cause is about."""

from __future__ import annotations

from typing import Optional

from .case import CLIENT, Case, Cause, Seen, host_of
from .refusal import seen


class End:
    """The side of *case* that *answers*, and what the one who *asked* got of it."""

    def __init__(self, case: Case, asked: Optional[Seen], answers: str) -> None:
        self._case, self._asked, self._side = case, asked or Seen(), case.side(answers)
        self._who = case.called(answers)
        self._on = host_of(self._side, answers)
        self._evidence = (seen(asked),) if asked else ()
        self._mine = answers == CLIENT

    def cause(self, code: str, message: str, remedy: str = "", confirm: str = "", *more: str) -> Cause:
        return Cause(code, message, (*self._evidence, *more), remedy, confirm)

    def tls_wanted(self) -> Cause:
        return self.cause(
            "endpoint.tls_on_plain_port",
            f"Plain HTTP was sent to {self._asked.target}, which speaks TLS.",
        )
