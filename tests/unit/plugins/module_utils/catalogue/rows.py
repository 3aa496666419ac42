# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the catalogue's test: for each code what raises it, and a near miss that stays silent.

A new code gets a function in the file of its area (HOMES), which returns both as findings or their dicts:

    @row("pair.key_mismatch")
    def key_mismatch():
        '''another key of the same kind | the certificate's own'''
        return examined(private_key=OTHER.key_pem), examined(private_key=LEAF.key_pem)

The two differ in one thing, which the docstring names: the raising one, then the silent one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus

# Where the rows of an area are, below tests/unit/plugins/module_utils/catalogue.
HOMES = {
    **dict.fromkeys(
        ["pair", "chain", "purpose", "name", "expiry", "serial", "key", "signature"], "credentials.py"
    ),
    **dict.fromkeys(["format", "file"], "files.py"),
    **dict.fromkeys(["bundle", "crl"], "trust.py"),
    **dict.fromkeys(["proxy", "tls"], "configurations.py"),
    **dict.fromkeys(["server", "include", "rollback", "nginx", "edge", "audit"], "hosts.py"),
    "endpoint": "endpoints.py",
}

Said = Iterable[Union[Finding, Mapping[str, Any]]]
Build = Callable[[], "tuple[Said, Said]"]

ROWS: dict[str, Build] = {}


def row(code: str) -> Callable[[Build], Build]:
    """Registers the function below it as the row of *code*."""

    def register(build: Build) -> Build:
        assert code not in ROWS, f"two rows for {code}"
        ROWS[code] = build
        return build

    return register


def examined(**changes: Any) -> list[dict[str, Any]]:
    """What is found in a sound credential with *changes*; `at` is one of them."""
    at = changes.pop("at", corpus.AT)
    return credential.examine({**corpus.good(), **changes}, at)["findings"]


def caught(work: Callable[[], object]) -> list[Finding]:
    """The MtlsError that *work* raises, as a finding; nothing when it raises none."""
    try:
        work()
    except MtlsError as error:
        return [Finding(error.code, error.message, error.place)]
    return []
