# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: what was compared with OpenSSL. With xdist each worker hands over what it counted."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl

# Of xdist's workers: each sends [[area, what, number], …], as only plain values cross.
_FROM_WORKERS: Counter[tuple[str, str]] = Counter()


def pytest_sessionfinish(session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["compared"] = [[*key, number] for key, number in openssl.COUNTS.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    for area, what, number in getattr(node, "workeroutput", {}).get("compared", []):
        _FROM_WORKERS[area, what] += number


def pytest_terminal_summary(terminalreporter) -> None:
    lines = openssl.summary(openssl.COUNTS + _FROM_WORKERS)
    if lines:
        terminalreporter.section("compared with " + ".".join(map(str, openssl.version())))
        for line in lines:
            terminalreporter.write_line(line)
