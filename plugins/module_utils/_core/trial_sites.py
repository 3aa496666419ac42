# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part server of a trial: each credential, in each way in which sites use it, and every kind of client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from . import proof_plan, release
from .blocks import sites
from .desired import PROBE
from .trial_questions import PATH, SOME_PORT, Question, line, word

#: Of a site's block, beside its tls.conf: what decides who is let in, and how.
SITE_LINES = (
    "ssl_verify_client",
    "ssl_protocols",
    "ssl_ciphers",
    "ssl_prefer_server_ciphers",
    "ssl_ecdh_curve",
    "ssl_conf_command",
)
_NAMELESS = "mtls-trial.invalid"


def site_questions(
    source: Mapping[str, bytes], identity: str, touched: frozenset[tuple[str, str]]
) -> tuple[list[Question], list[str]]:
    """One server block for each credential and each way in which sites use it."""
    blocks: dict[tuple[str, ...], tuple[str, str]] = {}
    for site in sites(release.texts(source, "sites")):
        if not site.credential:
            continue
        name, credential = site.name, site.credential
        lines = "".join(line(item) for item in site.block.block or () if item.name in SITE_LINES)
        mine = {("server", credential), ("server", PROBE), ("server block", name)}
        if mine & touched:
            # A block that changes itself gives its name to the row: then the row is known to be its doing.
            first = ("server block", name) in touched
            known = blocks.get((credential, lines))
            if known is None or (first and ("server block", known[0]) not in touched):
                blocks[credential, lines] = (name, site.host_name or _NAMELESS)
    texts = [
        _site_text(number, credential, lines, host)
        for number, ((credential, lines), (dummy, host)) in enumerate(blocks.items())
    ]
    questions: list[Question] = []
    credentials = {path: data for path, data in source.items() if path.startswith("server/credentials/")}
    for number, (text, (name, dummy)) in enumerate(zip(texts, blocks.values())):
        alone = {**credentials, f"server/sites/{number}.conf": text.encode()}
        for probe in proof_plan.plan(alone, identity, rounds=1):
            # What the default server of a socket answers is the proof's to ask.
            if probe.subject == str(number):
                shown = replace(probe, subject=name, address="unix:trial", port=SOME_PORT)
                questions.append(Question(replace(probe, port=SOME_PORT), shown, number))
    return questions, texts


def _site_text(number: int, credential: str, lines: str, host: str) -> str:
    guard = "" if not _verifies(lines) else "if ($ssl_client_verify != SUCCESS) { return 403; }\n"
    return (
        f"server {{\nlisten unix:@TRIAL@/{number}.sock ssl;\nserver_name {word(host)};\n"
        f"include @MTLS_RELEASE@/{release.credential_path('server', credential, 'tls.conf')};\n{lines}"
        f"location = {PATH}{number} {{\n{guard}"
        'return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint";\n}\n'
        "location / { return 404; }\n}\n"
    )


def _verifies(lines: str) -> bool:
    found = re.findall(r'^ssl_verify_client "(\w+)";$', lines, re.MULTILINE)
    return bool(found) and found[-1] != "off"
