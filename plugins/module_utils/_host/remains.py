# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to go is gone by hand already, base and all: nginx must not be left with an include that leads
nowhere, since it could not start any more."""

from __future__ import annotations

from .._core.errors import MtlsError
from .._core.intent import Intent
from .call import Outcome
from .lock import locked
from .serving import Serving


class Remains(Serving):
    """A call with ``state: absent`` on a host without the base."""

    def clear(self, intent: Intent, planning: bool) -> Outcome:
        """Take away what is left beside the base, and reload an nginx that runs.

        *planning*: only say it. Raises MtlsError for options that say nothing together, and for a file that
        includes us and is not ours.
        """
        intent.check()
        host, store, outcome = self.ports.host, self.ports.store, self.outcome
        outcome.state = "absent"
        left = host.left()
        if not left:
            return outcome
        outcome.changed = True
        told = f"{store.base} is gone, and nginx still reads {' and '.join(left)}"
        if planning:
            outcome.plan.append(f"{told}: removed.")
            return outcome
        store.create()
        with locked(store.lock_file, self.options.lock_timeout_s, store.create):
            if store.has_link() or store.has_state():
                raise MtlsError("Another run has begun a release meanwhile.", store.base, "Run again.")
            outcome.log.append(told)
            host.remove_left()
            store.remove_all()
            master = host.master()
            if master is not None:
                self._reload(master)
        return outcome
