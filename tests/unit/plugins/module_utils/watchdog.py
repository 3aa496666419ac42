# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit on the work that one hostile example may cause: processor time, not the clock."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
from collections.abc import Iterator

LIMIT_S = 10
# By the clock, for what waits instead of working: a blocked call cannot be failed, so the process ends.
STUCK_S = 300


class _TooLongError(BaseException):
    """No Exception: the code under test must not be able to catch it."""


def _bark(signum, frame) -> None:
    raise _TooLongError


@contextlib.contextmanager
def limited(limit_s: float = LIMIT_S) -> Iterator[None]:
    """Raises AssertionError when the block takes more than *limit_s* of processor time, at once where it runs
    Python and on return where it is in a library. For the main thread only."""
    before = signal.signal(signal.SIGPROF, _bark)
    faulthandler.dump_traceback_later(STUCK_S, exit=True)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    except _TooLongError:
        raise AssertionError(f"more than {limit_s} s of processor time") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)
