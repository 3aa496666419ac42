# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task that names ``release``: which kind of call its options ask for on this host, and that call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import MtlsError
from .._core.intent import Intent, intent_of
from . import nginx, shadow
from .call import Options, Outcome
from .engine import Transaction
from .preview import Preview
from .remains import Remains
from .store import Store
from .wiring import Library, machine


class Task:
    """*params*: the module's. After an MtlsError *outcome* holds what is known."""

    def __init__(self, params: Mapping[str, Any], planning: bool, library: Library) -> None:
        """*planning*: only say what would be done."""
        self.outcome = Outcome()
        self._params = params
        self._planning = planning
        self._library = library
        self._base: str = params["base"].rstrip("/")

    def run(self) -> None:
        """Raises MtlsError for whatever goes wrong, with a place and a remedy."""
        intent = intent_of(self._params)
        binary = nginx.locate()
        # Where somebody has removed the base by hand, two small files beside it may be left.
        gone = intent.state == "absent" and not Store(self._base).exists()
        if gone and binary is None:
            self.outcome = Outcome(state="absent")
        elif self._planning and not gone and not (binary and self._library.available()):
            self.outcome = bare(binary is not None, self._library.available())
        else:
            try:
                self._call(intent, binary, gone)
            except OSError as error:
                raise unforeseen(error, self._base) from error

    def _call(self, intent: Intent, binary: Optional[str], gone: bool) -> None:
        options = Options.of(self._params)
        if not gone:
            self._library.require()
        if binary is None:
            raise MtlsError("nginx is not installed on this host.", "nginx", "Install the package nginx.")
        shadow.sweep()
        with shadow.scratch() as scratch:
            ports = machine(self._base, self._params["service"], options, binary, scratch, self._library)
            if gone:
                remains = Remains(ports, options)
                self.outcome = remains.outcome
                remains.clear(intent, self._planning)
            elif self._planning:
                preview = Preview(ports, options)
                self.outcome = preview.outcome
                preview.show(intent)
            else:
                transaction = Transaction(ports, options)
                self.outcome = transaction.outcome
                transaction.apply(intent)


def bare(nginx_there: bool, library_there: bool) -> Outcome:
    """The plan for a host on which nothing can be tested yet."""
    missing = [
        f"{name} is not installed yet: the release is built and tested when it is."
        for name, there in (("nginx", nginx_there), ("python3-cryptography", library_there))
        if not there
    ]
    return Outcome(changed=True, state="checked", plan=missing)


def unforeseen(error: OSError, base: str) -> MtlsError:
    """A fault of the file system that no step expected, with its place."""
    return MtlsError(
        f"{error.strerror or error}.",
        error.filename or base,
        f"See that root can write below {base} (nginx_mtls_base), and run again.",
    )
