# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part proxy of a trial: each route's identity, put to each of its servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import release
from .answers import Row, judge
from .blocks import Route, inmost, upstream_servers
from .probes import Probe
from .proxy_probes import identities, server_probe
from .trial_questions import PATH, SOME_PORT, Question, line, word

ROUTE_LINES = ("proxy_ssl_protocols", "proxy_ssl_ciphers", "proxy_ssl_conf_command")


def route_questions(
    source: Mapping[str, bytes], touched: frozenset[tuple[str, str]], number: int
) -> tuple[list[Question], list[Row], list[str]]:
    servers = upstream_servers(release.texts(source, "routes"))
    questions: list[Question] = []
    unasked: list[Row] = []
    blocks: list[str] = []
    locations: list[str] = []
    for target in identities(source):
        mine = {
            ("proxy", target.credential or ""),
            ("proxy block", target.name),
            ("proxy block", target.listener),
        }
        if not mine & touched:
            continue
        nowhere = _shown(source, target, "", 0)
        without = nowhere.without or _no_servers(target, servers)
        if without:
            unasked.append(judge(replace(nowhere, rounds=0, without=without), []))
            continue
        for host, port in dict.fromkeys(servers[target.upstream]):
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            blocks.append(f"upstream mtls_trial_{number} {{ server {address} max_fails=0; }}\n")
            locations.append(_location(number, target))
            shown = _shown(source, target, host, port)
            asked = replace(
                shown,
                address="unix:@TRIAL@/proxy.sock",
                port=SOME_PORT,
                path=f"{PATH}{number}",
                tls=False,
                server_name="",
                http_host="localhost",
                identity="",
                trust="",
            )
            questions.append(Question(asked, shown, number))
            number += 1
    if locations:
        blocks.append(
            "server {\nlisten unix:@TRIAL@/proxy.sock;\nproxy_max_temp_file_size 0;\n"
            "proxy_connect_timeout 4s;\nproxy_send_timeout 4s;\nproxy_read_timeout 4s;\n"
            + "".join(locations)
            + "location / { return 404; }\n}\n"
        )
    return questions, unasked, blocks


def _no_servers(target: Route, servers: Mapping[str, Sequence[object]]) -> str:
    if target.upstream not in servers:
        return f"the release has no upstream {target.upstream}"
    return "" if servers[target.upstream] else "its servers are no network addresses"


def _location(number: int, target: Route) -> str:
    tls_conf = release.credential_path("proxy", target.credential or "", "tls.conf")
    return (
        f"location = {PATH}{number} {{\ninclude @MTLS_RELEASE@/{tls_conf};\n"
        f"proxy_ssl_name {word(target.server_name)};\n{_lines(target)}"
        'proxy_http_version 1.1;\nproxy_set_header Connection "close";\n'
        f"proxy_set_header Host {word(target.host)};\n"
        f"proxy_pass {word(f'https://mtls_trial_{number}{target.path}')};\n}}\n"
    )


def _shown(source: Mapping[str, bytes], target: Route, address: str, port: int) -> Probe:
    probe = server_probe(source, target, address, port)
    return probe if target.ours else replace(probe, expected="the client accepted, the server verified")


def _lines(target: Route) -> str:
    """What else is said of TLS where the route leads on, each at the inmost level that says it."""
    return "".join(line(item) for name in ROUTE_LINES for item in inmost(target.levels, name))
