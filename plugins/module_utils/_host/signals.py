# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a signal may do to a transaction that is between its switch and its commit."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Callable

from .._core.errors import MtlsError


@contextlib.contextmanager
def signals_ignored() -> Iterator[Callable[[], None]]:
    """A lost connection (SIGHUP, SIGPIPE) must not cut a transaction between switch and commit.

    Who is told to end (SIGTERM, SIGINT) fails, and so goes back; after what this yields was called, nothing
    stops it any more.
    """
    endings = (signal.SIGTERM, signal.SIGINT)

    def end_no_more() -> None:
        for number in endings:
            signal.signal(number, signal.SIG_IGN)

    def end(number: int, _frame: object) -> None:
        end_no_more()
        raise MtlsError(f"The run was told to end by {signal.Signals(number).name}.")

    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGHUP, signal.SIGPIPE)]
    before += [(number, signal.signal(number, end)) for number in endings]
    try:
        yield end_no_more
    finally:
        for number, handler in before:
            signal.signal(number, handler)
