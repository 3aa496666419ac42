# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call says of the proof, beside its rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import proof_plan
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer, Row, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Options, Outcome
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.serving import Serving

SITE = """server {
    listen 443 ssl; server_name a.test;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client VERIFY; ssl_protocols TLSv1.3;
    location = /p { return 200 "WORDS $ssl_client_verify"; }
}"""
PROBE = {"server/credentials/probe/fullchain.pem": b""}


def source(verify: str = "on", words: str = "@MTLS_ID@") -> dict[str, bytes]:
    text = SITE.replace("VERIFY", verify).replace("WORDS", words)
    return {"server/sites/orders.conf": text.encode(), "server/credentials/server/fullchain.pem": b""}


def reported(given: dict[str, bytes], *answers: Answer) -> Outcome:
    ports: Any = SimpleNamespace(host=SimpleNamespace(master=lambda: None))
    call = Serving(ports, Options())
    rows: list[Row] = [
        judge(probe, answers if probe.kind == "client accepted" else [Answer("done", 400)])
        for probe in proof_plan.plan(given, "ID")
    ]
    call._report(rows, SimpleNamespace(source=given))
    return call.outcome


NO_ROUTES: dict[str, bytes] = {"proxy/listeners/1.conf": b"server { listen 80; }"}


@pytest.mark.parametrize(
    ("given", "answers", "positive", "words"),
    [
        (source(), (), "unproven", "mtls_server_credentials[].probe"),
        ({**source(words="hello"), **PROBE}, (Answer("done", 200, "hello"),), "unproven", "a probe path"),
        (
            {**source(), **PROBE},
            (Answer("not here", error="no such address"),),
            "unproven",
            "no such address",
        ),
        # The error, or the warning about what failed before, says it better.
        ({**source(), **PROBE}, (Answer("done", 400),), "unproven", ""),
        ({**source(), **PROBE}, (Answer("done", 200, "ID SUCCESS"),), "proven", ""),
        (source("off"), (), "proven", ""),
        (NO_ROUTES, (), "proven", ""),
    ],
)
def test_that_nobody_saw_a_good_client_get_in_is_a_warning(
    given: dict[str, bytes], answers: tuple[Answer, ...], positive: str, words: str
) -> None:
    outcome = reported(given, *answers)
    assert outcome.positive == positive
    assert len(outcome.warnings) == int(bool(words))
    assert all(words in one and "positive: unproven" in one for one in outcome.warnings)
    assert all("server orders at 127.0.0.1:443" in one for one in outcome.warnings)
