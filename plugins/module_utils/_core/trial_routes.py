# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part proxy of a trial: each route's identity, put to each of its servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from . import release
from .answers import INCONCLUSIVE, Row
from .blocks import ROUTE_PROBE, credentials_in, upstream_servers
from .nginx_conf import Directive, parse
from .probes import SERVER, Probe, leaf_of
from .trial_questions import PATH, SOME_PORT, Question, line, word

ROUTE_LINES = ("proxy_ssl_protocols", "proxy_ssl_ciphers", "proxy_ssl_conf_command")


@dataclass(frozen=True)
class _Target:
    """Where one location leads: what nginx is told there, and whether its path is A's probe path."""

    route: str
    listener: str
    credential: str
    upstream: str
    path: str
    name: str
    host: str
    lines: str
    ours: bool


def route_questions(
    source: Mapping[str, bytes], touched: frozenset[tuple[str, str]], number: int
) -> tuple[list[Question], list[Row], list[str]]:
    servers = upstream_servers(release.texts(source, "routes"))
    questions: list[Question] = []
    unasked: list[Row] = []
    blocks: list[str] = []
    locations: list[str] = []
    for target in _targets(source):
        mine = {
            ("proxy", target.credential),
            ("proxy block", target.route),
            ("proxy block", target.listener),
        }
        if not mine & touched:
            continue
        reason = _cannot_ask(target, servers)
        if reason:
            unasked.append(Row(_route_probe(source, target, "", 0), reason, INCONCLUSIVE))
            continue
        for host, port in dict.fromkeys(servers[target.upstream]):
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            blocks.append(f"upstream mtls_trial_{number} {{ server {address} max_fails=0; }}\n")
            locations.append(_location(number, target))
            shown = _route_probe(source, target, host, port)
            asked = replace(
                shown,
                address="unix:@TRIAL@/proxy.sock",
                port=SOME_PORT,
                path=f"{PATH}{number}",
                tls=False,
                server_name="",
                http_host="localhost",
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


def _cannot_ask(target: _Target, servers: Mapping[str, Sequence[object]]) -> str:
    if "$" in target.name or "$" in target.path:
        return "not asked: its name or path is a variable"
    if target.upstream not in servers:
        return f"not asked: the release has no upstream {target.upstream}"
    return "" if servers[target.upstream] else "not asked: its servers are no network addresses"


def _location(number: int, target: _Target) -> str:
    tls_conf = release.credential_path("proxy", target.credential, "tls.conf")
    name = f"proxy_ssl_name {word(target.name)};\n" if target.name else ""
    return (
        f"location = {PATH}{number} {{\ninclude @MTLS_RELEASE@/{tls_conf};\n{name}{target.lines}"
        'proxy_http_version 1.1;\nproxy_set_header Connection "close";\n'
        f"proxy_set_header Host {word(target.host)};\n"
        f"proxy_pass {word(f'https://mtls_trial_{number}{target.path}')};\n}}\n"
    )


def _route_probe(source: Mapping[str, bytes], target: _Target, address: str, port: int) -> Probe:
    leaf = leaf_of(release.credential_files(source, "proxy", target.credential).get("fullchain.pem", b""))
    return Probe(
        kind=SERVER,
        part="proxy",
        subject=target.route,
        credential=target.credential,
        address=address,
        port=port,
        server_name=target.name,
        http_host=target.host,
        path=target.path,
        want_status=(200,),
        want_words=("*", "SUCCESS", leaf.sha1 if leaf else "") if target.ours else (),
        expected="200, SUCCESS, the certificate of this release"
        if target.ours
        else "the client accepted, the server verified",
    )


def _targets(source: Mapping[str, bytes]) -> list[_Target]:
    """Each identity towards each upstream once: by A's probe path where there is one, else by the route's."""
    owners = {
        block.args[0]: name
        for name, text in sorted(release.texts(source, "routes").items())
        for block in parse(text, f"route {name}")
        if block.name == "upstream" and block.args
    }
    found: dict[tuple[str, str, str], _Target] = {}
    for listener, text in sorted(release.texts(source, "listeners").items()):
        for block in parse(text, f"listener {listener}"):
            if block.name != "server":
                continue
            for location, above in _locations(block, ()):
                target = _target(listener, location, (location, *above), owners)
                if target is None:
                    continue
                key = (target.credential, target.upstream, target.name)
                if key not in found or (target.ours and not found[key].ours):
                    found[key] = target
    return list(found.values())


def _locations(
    block: Directive, above: tuple[Directive, ...]
) -> Iterator[tuple[Directive, tuple[Directive, ...]]]:
    inside = (block, *above)
    for item in block.children("location"):
        yield item, inside
        yield from _locations(item, inside)


def _target(
    listener: str, location: Directive, levels: Sequence[Directive], owners: Mapping[str, str]
) -> Optional[_Target]:
    match = re.fullmatch(r"https://([^/]+)(/.*)?", location.value("proxy_pass") or "")
    credential = next(
        (
            name
            for level in levels
            for item in level.children("include")
            for part, name in credentials_in(" ".join(item.args))
            if part == "proxy"
        ),
        None,
    )
    if not match or credential is None:
        return None
    upstream, uri = match.group(1), match.group(2) or ""
    exact = location.args[1] if len(location.args) == 2 and location.args[0] == "=" else ""
    ours = exact.startswith(ROUTE_PROBE) and bool(uri)
    name = _inherited("proxy_ssl_name", levels) or upstream
    told = next((level for level in levels if level.children("proxy_set_header")), None)
    hosts = [
        item.args[1]
        for item in (told.children("proxy_set_header") if told else ())
        if len(item.args) == 2 and item.args[0].lower() == "host"
    ]
    lines = ""
    for directive in ROUTE_LINES:
        level = next((one for one in levels if one.children(directive)), None)
        lines += "".join(line(item) for item in (level.children(directive) if level else ()))
    return _Target(
        route=owners.get(upstream, exact[len(ROUTE_PROBE) :] if ours else upstream),
        listener=listener,
        credential=credential,
        upstream=upstream,
        path=uri or _path_of(location),
        name=name,
        # nginx's own default is $proxy_host; what a caller would send stands for the name that A is asked by.
        host=name if hosts and "$" in hosts[-1] else (hosts[-1] if hosts else upstream),
        lines=lines,
        ours=ours,
    )


def _inherited(name: str, levels: Sequence[Directive]) -> str:
    return next((value for level in levels for value in [level.value(name)] if value), "")


def _path_of(location: Directive) -> str:
    prefixed = len(location.args) == 1 or location.args[0] in ("=", "^~")
    path = location.args[-1] if location.args and prefixed else "/"
    return path if path.startswith("/") else "/"
