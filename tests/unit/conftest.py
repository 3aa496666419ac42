# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run tells what it counted (tally.py); with xdist each worker hands over its part, and
all of them must have the same names for the cases."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl, tally

# Of xdist's workers: each sends [[what, of what, number], …], as only plain values cross.
_FROM_WORKERS: Counter[tuple[str, str]] = Counter()


def pytest_make_parametrize_id(val, argname) -> str | None:
    """Certificates and keys are made anew by each worker: no part of a name."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


def pytest_sessionfinish(session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["counted"] = [[*key, number] for key, number in tally.COUNTS.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    for what, of_what, number in getattr(node, "workeroutput", {}).get("counted", []):
        _FROM_WORKERS[what, of_what] += number


def pytest_terminal_summary(terminalreporter) -> None:
    lines = tally.summary(tally.COUNTS + _FROM_WORKERS)
    if lines:
        terminalreporter.section("counted, with OpenSSL " + ".".join(map(str, openssl.version())))
        for line in lines:
            terminalreporter.write_line(line)
