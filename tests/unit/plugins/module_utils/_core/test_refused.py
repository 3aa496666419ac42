# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import Credential, Desired
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.refused import refuse_errors


def finding(code: str = "pair.key_mismatch", severity: str = "error", place: str = "") -> dict[str, str]:
    return {"code": code, "severity": severity, "message": "m.", "remedy": "r", "place": place}


def test_the_first_of_several_is_told_with_its_place() -> None:
    with pytest.raises(MtlsError) as told:
        refuse_errors(
            Desired({}, [Credential("server", "own", "server", {}, True)]),
            [
                {"part": "proxy", "name": "own", "findings": [finding("expiry.expired")]},
                {"part": "server", "name": "own", "findings": [finding(place="x.pem:3"), finding()]},
            ],
        )
    assert told.value.code == "pair.key_mismatch"
    assert str(told.value).startswith("server credential own: x.pem:3: m. (1 more errors in ")
