# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue keeps its promises: codes, severities, and where a severity may be lowered."""

from __future__ import annotations

import re

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import findings
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding

# Public: users compare with them. One may be added, none may go. Of the area endpoint only what is raised is
# published: a row that nothing raises is a promise that nobody keeps, so the others come with their code.
PUBLISHED = """
pair.key_mismatch pair.key_encrypted pair.swapped_files chain.missing_intermediate chain.wrong_order
chain.signature_invalid chain.too_deep purpose.client_auth_missing purpose.server_auth_missing name.mismatch
expiry.expired expiry.soon expiry.not_yet_valid format.der format.bom format.glued_blocks key.weak
signature.weak bundle.private_key bundle.leaf bundle.not_a_ca bundle.same_subject_other_key
chain.no_key_identifier crl.expired crl.missing_for_ca crl.no_key_identifier crl.signature_invalid
file.permissions server.default_governs include.absolute include.missing rollback.trust_older
nginx.upgrade_in_flight nginx.orphan_workers endpoint.served_differs_from_file
""".split()


@pytest.mark.parametrize("code", PUBLISHED)
def test_published_codes_stay(code) -> None:
    assert code in findings.CATALOGUE


@pytest.mark.parametrize("code", findings.CATALOGUE)
def test_each_row_is_whole(code) -> None:
    entry = findings.CATALOGUE[code]
    assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code)
    assert entry.severity in findings.SEVERITIES
    assert entry.title and not entry.title.endswith(".")
    assert entry.remedy


def test_dict_is_what_modules_return() -> None:
    told = Finding("expiry.soon", "It ends.", "a.pem:3").to_dict()
    assert told == {
        "code": "expiry.soon",
        "severity": "warning",
        "message": "It ends.",
        "place": "a.pem:3",
        "remedy": findings.CATALOGUE["expiry.soon"].remedy,
    }


LOWERED = [
    ("chain.missing_intermediate", "warning"),
    ("purpose.client_auth_missing", "warning"),
    ("crl.expired", "warning"),
    ("format.glued_blocks", "warning"),
    # fixed by the code
    ("pair.key_mismatch", "error"),
    ("expiry.expired", "error"),
    ("name.mismatch", "error"),
    # never raised by being harmless
    ("bundle.leaf", "warning"),
]


@pytest.mark.parametrize(("code", "severity"), LOWERED)
def test_harmless(code, severity) -> None:
    assert Finding(code, "x", harmless=True).severity == severity
    assert Finding(code, "x").severity == findings.CATALOGUE[code].severity


def test_unknown_code() -> None:
    with pytest.raises(KeyError):
        Finding("pair.unheard_of", "x")
