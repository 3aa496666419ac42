# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's chain in the place of the live one."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import succession
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

ROOT = builders.root()
ISSUING, SECOND = builders.intermediate(ROOT), builders.intermediate(ROOT, "CN=Second")
BELOW = builders.intermediate(ISSUING, "CN=Below")
OTHER = builders.root("CN=Other")
NAMESAKE = builders.root()
LIVE, RENEWED = builders.server(ISSUING), builders.server(ISSUING)
DEEP = builders.server(BELOW)
LOST, ELSE = "chain.missing_intermediate", "chain.authority_changed"


def codes(live: list[builders.Issued], new: list[builders.Issued]) -> list[str]:
    found = succession.examine(*(b"".join(one.pem for one in chain) for chain in (live, new)))
    return [finding["code"] for finding in found]


@pytest.mark.parametrize(
    ("live", "new", "told"),
    [
        ([LIVE, ISSUING], [RENEWED], [LOST]),
        ([LIVE, ISSUING], [RENEWED, ISSUING], []),
        ([LIVE, ISSUING], [RENEWED, SECOND], [LOST]),
        ([LIVE, ISSUING, ROOT], [RENEWED, ISSUING], []),
        ([LIVE, ROOT, ISSUING], [RENEWED], [LOST]),
        # The same certificate without what was sent with it.
        ([LIVE, ISSUING], [LIVE], [LOST]),
        ([LIVE, ISSUING], [LIVE, ISSUING], []),
        # Who has served without it so far has clients that hold it.
        ([LIVE], [RENEWED], []),
        ([LIVE], [RENEWED, ISSUING], []),
        # A root need not be sent.
        ([builders.server(ROOT), ROOT], [builders.server(ROOT)], []),
        ([DEEP, BELOW, ISSUING], [DEEP, BELOW], [LOST]),
        ([DEEP, BELOW, ISSUING], [builders.server(ROOT)], []),
        ([LIVE, ISSUING], [builders.server(SECOND), SECOND], []),
        ([LIVE, ISSUING], [builders.server(OTHER)], [ELSE]),
        ([LIVE, ISSUING], [builders.server(SECOND)], [ELSE]),
        # One of the same name with another key.
        ([builders.server(ROOT)], [builders.server(NAMESAKE)], [ELSE]),
        ([], [LIVE], []),
    ],
)
def test_what_clients_would_miss(
    live: list[builders.Issued], new: list[builders.Issued], told: list[str]
) -> None:
    assert codes(live, new) == told


def test_the_words() -> None:
    (found,) = succession.examine(LIVE.pem + ISSUING.pem, RENEWED.pem)
    assert found["message"] == (
        'The issuer of "CN=orders.example.com", "CN=Issuing", is sent to clients today and is not in the new '
        "chain."
    )
    (found,) = succession.examine(LIVE.pem, builders.server(OTHER).pem)
    assert found["message"] == 'It comes from "CN=Other", the live one from "CN=Issuing".'
