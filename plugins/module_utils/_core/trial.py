# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a private nginx is asked with a release's own tls.conf files, before anything of it is live.

``nginx -t`` passes a missing intermediate, wrong trust and a wrong purpose, and Python's ssl completes a
chain from its trust; only nginx itself answers as nginx will. Everything here is derived from the release's
texts; each server block has a socket of its own, because the default server of a socket governs the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from . import proof, proof_plan, release
from .blocks import ROUTE_PROBE, credentials_in, sites, upstream_servers
from .desired import PROBE
from .listen import first_name
from .nginx_conf import Directive, parse
from .proof_plan import Probe

#: Of a site's block, beside its tls.conf: what decides who is let in, and how.
_SITE_LINES = (
    "ssl_verify_client",
    "ssl_protocols",
    "ssl_ciphers",
    "ssl_prefer_server_ciphers",
    "ssl_ecdh_curve",
    "ssl_conf_command",
)
_ROUTE_LINES = ("proxy_ssl_protocols", "proxy_ssl_ciphers", "proxy_ssl_conf_command")
#: Of the main level: under whom it runs and what OpenSSL finds its keys by.
_MAIN_LINES = ("user", "load_module", "ssl_engine", "env")
#: What a route's own request says in its row; the same words as the proof's.
SERVER_OF_ROUTE = "server of the route"
ALIVE = "/.mtls/alive"
_PATH = "/.mtls/trial/"
_NAMELESS = "mtls-trial.invalid"
#: nginx's page for a refused client; a backend's own 400 has not got it (ngx_http_special_response.c).
_REFUSED_PAGE = "SSL certificate"
_WORDS_LIMIT = 200
#: A socket of a path has none; a Probe has one all the same.
_SOME_PORT = 443


@dataclass(frozen=True)
class Question:
    """*asked*: the request to the trial nginx.

    *shown*: the same question as people read it, with a key that is the same for another release. *number*:
    what the request's path ends with, by which its lines in the error log are found.
    """

    asked: Probe
    shown: Probe
    number: int


@dataclass(frozen=True)
class Trial:
    """*server*: the good client, and those to refuse. *proxy*: one for each server of each route.

    *unasked*: rows for what a trial cannot tell. *blocks*: nginx's server and upstream blocks, with
    ``@MTLS_RELEASE@`` for the release's directory, ``@MTLS_ID@`` for its id and ``@TRIAL@`` for the trial's.
    """

    server: tuple[Question, ...]
    proxy: tuple[Question, ...]
    unasked: tuple[proof.Row, ...]
    blocks: str

    @property
    def empty(self) -> bool:
        return not self.server and not self.proxy


@dataclass(frozen=True)
class Surroundings:
    """What the trial takes from the live configuration: directives of its main and of its http level."""

    main: tuple[Directive, ...] = ()
    http: tuple[Directive, ...] = ()
    prefix: str = "/"
    without: frozenset[str] = frozenset()


def surroundings(
    tree: Sequence[Directive], prefix: str, without: frozenset[str] = frozenset()
) -> Surroundings:
    """*tree*: the dump of the live configuration; *prefix*: where relative module paths begin; *without*:
    http modules that nginx was built without, such as ``scgi``."""
    main = tuple(item for item in tree if item.name in _MAIN_LINES and item.block is None)
    http = [child for item in tree if item.name == "http" for child in item.block or ()]
    wanted = (*_SITE_LINES[1:], *_ROUTE_LINES)
    return Surroundings(main, tuple(item for item in http if item.name in wanted), prefix, without)


def trial(
    source: Mapping[str, bytes], identity: str, touched: Optional[frozenset[tuple[str, str]]] = None
) -> Trial:
    """The trial of a release. *touched*: what a call changes (``changes.changed_things``); the rest is not
    asked. None asks everything. Raises MtlsError for unreadable text."""
    server, blocks = _sites(source, identity, touched)
    proxy, unasked, more = _routes(source, touched, len(blocks))
    return Trial(tuple(server), tuple(proxy), tuple(unasked), "".join([*blocks, *more]))


def configuration(found: Trial, around: Surroundings, folder: str, directory: str, identity: str) -> str:
    """The whole text of the trial's nginx.conf. *folder*: its own directory; *directory*: the release's."""
    # Each listening socket takes a connection, each proxied request two.
    room = 2 * len(found.server) + 4 * len(found.proxy) + 128
    main = "".join(_main_line(item, around.prefix) for item in around.main)
    temporary = "".join(
        f"{name}_temp_path {_word(f'{folder}/{name}')};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        if name not in around.without
    )
    text = (
        f"{main}daemon off;\nmaster_process on;\nworker_processes 1;\n"
        + (f"worker_rlimit_nofile {2 * room};\n" if room > 500 else "")
        + f"pid {_word(folder + '/pid')};\nerror_log {_word(folder + '/error.log')} info;\n"
        f"events {{ worker_connections {room}; }}\n"
        f"http {{\naccess_log off;\n{temporary}"
        + "".join(_line(item) for item in around.http)
        + f"server {{ listen unix:@TRIAL@/alive.sock; location = {ALIVE} {{ return 204; }} }}\n"
        + found.blocks
        + "}\n"
    )
    text = text.replace("@MTLS_RELEASE@", directory).replace("@MTLS_ID@", identity)
    return text.replace("@TRIAL@", folder)


def _main_line(item: Directive, prefix: str) -> str:
    if item.name == "load_module" and item.args and not item.args[0].startswith("/"):
        return f"load_module {_word(prefix.rstrip('/') + '/' + item.args[0])};\n"
    return _line(item)


def _line(item: Directive) -> str:
    return " ".join([item.name, *map(_word, item.args)]) + ";\n"


def _word(text: str) -> str:
    """One argument in quotes, so that nothing in it ends the directive."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- part server


def _sites(
    source: Mapping[str, bytes], identity: str, touched: Optional[frozenset[tuple[str, str]]]
) -> tuple[list[Question], list[str]]:
    """One server block for each credential and each way in which sites use it."""
    blocks: dict[tuple[str, ...], tuple[str, str]] = {}
    for name, block, credential in _site_blocks(source):
        lines = "".join(_line(item) for item in block.block or () if item.name in _SITE_LINES)
        mine = {("server", credential), ("server", PROBE), ("server block", name)}
        if touched is None or mine & touched:
            # A block that changes itself gives its name to the row: then the row is known to be its doing.
            first = touched is not None and ("server block", name) in touched
            known = blocks.get((credential, lines))
            if known is None or (first and ("server block", known[0]) not in (touched or ())):
                blocks[credential, lines] = (name, first_name(_args(block, "server_name")) or _NAMELESS)
    texts = [
        _site_text(number, credential, lines, host)
        for number, ((credential, lines), (dummy, host)) in enumerate(blocks.items())
    ]
    questions: list[Question] = []
    for number, (text, (name, dummy)) in enumerate(zip(texts, blocks.values())):
        alone = {path: data for path, data in source.items() if path.startswith("server/credentials/")}
        alone[f"server/sites/{number}.conf"] = text.encode()
        for probe in proof_plan.plan(alone, identity, rounds=1):
            # What the default server of a socket answers is the proof's to ask.
            if probe.subject == str(number):
                shown = replace(probe, subject=name, address="unix:trial", port=_SOME_PORT)
                questions.append(Question(replace(probe, port=_SOME_PORT), shown, number))
    return questions, texts


def _site_blocks(source: Mapping[str, bytes]) -> Iterator[tuple[str, Directive, str]]:
    for name, text in sorted(release.texts(source, "sites").items()):
        facts = iter(sites({name: text}))
        for block in parse(text, f"site {name}"):
            if block.name != "server" or not _takes_tls(block):
                continue
            site = next(facts, None)
            if site is not None and site.credential:
                yield name, block, site.credential


def _takes_tls(block: Directive) -> bool:
    return any({"ssl", "quic"} & set(item.args) for item in block.children("listen"))


def _args(block: Directive, name: str) -> list[str]:
    return [word for item in block.children(name) for word in item.args]


def _site_text(number: int, credential: str, lines: str, host: str) -> str:
    guard = "" if not _verifies(lines) else "if ($ssl_client_verify != SUCCESS) { return 403; }\n"
    return (
        f"server {{\nlisten unix:@TRIAL@/{number}.sock ssl;\nserver_name {_word(host)};\n"
        f"include @MTLS_RELEASE@/{release.credential_path('server', credential, 'tls.conf')};\n{lines}"
        f"location = {_PATH}{number} {{\n{guard}"
        'return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint";\n}\n'
        "location / { return 404; }\n}\n"
    )


def _verifies(lines: str) -> bool:
    found = re.findall(r'^ssl_verify_client "(\w+)";$', lines, re.MULTILINE)
    return bool(found) and found[-1] != "off"


# -- part proxy


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


def _routes(
    source: Mapping[str, bytes], touched: Optional[frozenset[tuple[str, str]]], number: int
) -> tuple[list[Question], list[proof.Row], list[str]]:
    servers = upstream_servers(release.texts(source, "routes"))
    questions: list[Question] = []
    unasked: list[proof.Row] = []
    blocks: list[str] = []
    locations: list[str] = []
    for target in _targets(source):
        mine = {
            ("proxy", target.credential),
            ("proxy block", target.route),
            ("proxy block", target.listener),
        }
        if touched is not None and not mine & touched:
            continue
        reason = _cannot_ask(target, servers)
        if reason:
            unasked.append(proof.Row(_route_probe(source, target, "", 0), reason, proof.INCONCLUSIVE))
            continue
        for host, port in dict.fromkeys(servers[target.upstream]):
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            blocks.append(f"upstream mtls_trial_{number} {{ server {address} max_fails=0; }}\n")
            locations.append(_location(number, target))
            shown = _route_probe(source, target, host, port)
            asked = replace(
                shown,
                address="unix:@TRIAL@/proxy.sock",
                port=_SOME_PORT,
                path=f"{_PATH}{number}",
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
    name = f"proxy_ssl_name {_word(target.name)};\n" if target.name else ""
    return (
        f"location = {_PATH}{number} {{\ninclude @MTLS_RELEASE@/{tls_conf};\n{name}{target.lines}"
        'proxy_http_version 1.1;\nproxy_set_header Connection "close";\n'
        f"proxy_set_header Host {_word(target.host)};\n"
        f"proxy_pass {_word(f'https://mtls_trial_{number}{target.path}')};\n}}\n"
    )


def _route_probe(source: Mapping[str, bytes], target: _Target, address: str, port: int) -> Probe:
    leaf = proof_plan.leaf_of(
        release.credential_files(source, "proxy", target.credential).get("fullchain.pem", b"")
    )
    return Probe(
        kind=SERVER_OF_ROUTE,
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
    for directive in _ROUTE_LINES:
        level = next((one for one in levels if one.children(directive)), None)
        lines += "".join(_line(item) for item in (level.children(directive) if level else ()))
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


# -- judging

_CERTIFICATE, _UNREACHABLE, _REFUSED = "certificate", "unreachable", "refused"
_LINE = re.compile(
    r'\[(?:info|error|crit|warn)\] \d+#\d+: (?:\*\d+ )?(.*?), client: .*request: "GET ' + _PATH + r"(\d+) "
)
_VERIFY = re.compile(r"SSL certificate verify error: \((\d+):([^)]*)\)")
_ALERT = re.compile(r"SSL alert number (\d+)")


def said(log: str) -> dict[int, str]:
    """Question number → what nginx's error log says last of it, without the request's own words."""
    found: dict[int, str] = {}
    for line in log.splitlines():
        match = _LINE.search(line)
        if match:
            found[int(match.group(2))] = match.group(1)
    return found


def with_cause(row: proof.Row, line: str) -> proof.Row:
    """A failed row with the cause that the error log gives. *line* is from ``said``, "" for nothing."""
    if row.verdict != proof.FAILED or not line:
        return row
    cause, words = _cause(line)
    status = row.statuses[0] if row.statuses else None
    return replace(row, cause=cause or row.cause, got=f"{status}: {words}" if status else words)


def judge_route(probe: Probe, answer: proof.Answer, line: str) -> proof.Row:
    """The row of one server of a route. *line*: what the trial's error log says of it, "" for nothing.

    A server that is not ours is known as far as TLS goes: what it answers behind that is its own backend's.
    """
    if probe.want_words:
        return with_cause(proof.judge(probe, [answer]), line)
    statuses = (answer.status,)
    if answer.status is None:
        words = f"no answer ({answer.phase}: {answer.error})"
        return with_cause(proof.Row(probe, words, proof.FAILED, "other", statuses), line)
    if line and not ("timed out" in line and "while reading response header" in line):
        return with_cause(proof.Row(probe, f"{answer.status}", proof.FAILED, "upstream", statuses), line)
    if line:
        return proof.Row(probe, "TLS is accepted, no answer in time", proof.INCONCLUSIVE, "", statuses)
    if answer.status == 400 and _REFUSED_PAGE in answer.body:
        got = "400: the client certificate is not accepted"
        return proof.Row(probe, got, proof.FAILED, _REFUSED, statuses)
    got = f"{answer.status}, an answer that is not ours to read"
    return proof.Row(probe, got, proof.INCONCLUSIVE, "", statuses)


def _cause(line: str) -> tuple[str, str]:
    verify = _VERIFY.search(line)
    if verify:
        whose = "the client" if line.startswith("client") else "the server's certificate"
        cause = _REFUSED if line.startswith("client") else _CERTIFICATE
        return cause, f"{whose} is not accepted, code {verify.group(1)}, {verify.group(2)}"
    alert = _ALERT.search(line)
    if alert:
        return _REFUSED, f"the server refuses, alert {alert.group(1)}"
    if "upstream SSL certificate does not match" in line:
        return _CERTIFICATE, "the server's certificate has another name"
    if "SSL_do_handshake() failed" in line:
        return _CERTIFICATE, "the TLS handshake failed"
    reached = "while connecting" not in line and "while SSL handshaking" not in line
    if "timed out" in line or (not reached and re.search(r"connect\(\) |prematurely|reset by peer", line)):
        return _UNREACHABLE, line[:_WORDS_LIMIT]
    return "", line[:_WORDS_LIMIT]
