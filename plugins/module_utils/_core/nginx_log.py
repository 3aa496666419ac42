# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of nginx's error log about TLS, without a word that a client or a configuration has chosen.

A line is taken whole by one of the expressions here, or not at all. What nginx quotes (names, requests,
values) is cut out; its own words, OpenSSL's, numbers and addresses stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

#: Element EVENT of the result of ``nginx_tls_info``.
Event = dict[str, Any]

#: What may stand in quotes: an absolute path, a directive about TLS or servers, a mark of the syntax.
_MAY_STAND = re.compile(
    r"/[A-Za-z0-9._/+@:-]*|(?:proxy_|grpc_|uwsgi_)?(?:ssl_|pass)[a-z_]*|listen|server(?:_name)?|include|user|pid"
    r"|[;{}]"
)
_LINE = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d) \[(\w+)\] \d+#\d+: (\*\d+ )?(.*)", re.DOTALL)
#: What nginx says of a connection ends with whose it is; the server's name is its own, the rest a client's.
_OF_A_CLIENT = re.compile(
    r"(?P<said>.*?)(?:,? while (?P<phase>[A-Za-z ]+))?, client: (?P<client>[0-9A-Fa-f.:]+|unix:),"
    r" server: (?P<server>[^,]*)(?P<rest>,.*)?",
    re.DOTALL,
)
_SERVER = re.compile(r"[A-Za-z0-9_*-][A-Za-z0-9._*-]*")
_UPSTREAM = re.compile(r'upstream: "(?:([a-z]+)://)?([0-9.]+:\d+|\[[0-9A-Fa-f:.]+\]:\d+|unix:[^":]+)?')
_ALERT = re.compile(r"SSL alert number (\d{1,3})\b")
_FOPEN = re.compile(r"calling fopen\([^()]*\)")

_OF_LUA = re.compile(r"(\b(?:\w+_by_lua\w*|Lua code)\b[^:]*:).*", re.DOTALL)

_VERIFY = r"verify error: \((?P<code>\d{1,3}):[A-Za-z0-9 ,.'/-]+\)"
#: ngx_ssl_error(): the queue of OpenSSL, whose texts are constants.
_SSL = r"\((?:\d+: [A-Za-z /-]+)?(?:SSL: [A-Za-z0-9 ,.:/_()=\[\]-]{1,600})?\)"
_ERRNO = r"\(\d+: [A-Za-z /-]+\)"
_HANDSHAKE = (
    rf"SSL_(?:do_handshake|read|write)\(\) failed {_SSL}"
    rf"|peer closed connection in SSL handshake(?: {_ERRNO})?"
)
_TO_UPSTREAM = r".*\bupstream"


#: What there is none of any more: connections, open files, memory, room on a disk (errno(3)).
_EXHAUSTED = re.compile(
    r"(?P<own>\d+ worker_connections are not enough)(?:,? (?:while|client:) .*)?"
    r"|(?P<call>[a-z0-9_]+\(\))(?: to)?(?: \"[^\"]*\")? failed"
    r" \((?P<why>\d+: (?:Too many open files(?: in system)?|No space left on device"
    r"|Cannot allocate memory))\)(?:,? (?:while|client:) .*)?",
    re.DOTALL,
)


class _Rule(NamedTuple):
    """*said* is the whole message, *phase* what nginx was doing. *tls*: only where the upstream is asked by
    TLS. *text*: what is told in the place of what a client may have chosen."""

    kind: str
    said: re.Pattern[str]
    phase: re.Pattern[str] = re.compile(r".*")
    tls: bool = False
    text: str = ""


def _rule(kind: str, said: str, phase: str = r"(?!.*upstream).*", tls: bool = False, text: str = "") -> _Rule:
    return _Rule(kind, re.compile(said), re.compile(phase), tls, text)


_RULES = (
    _rule("client_verify", rf"client SSL certificate {_VERIFY}"),
    _rule("client_no_certificate", r"client sent no required SSL certificate"),
    _rule(
        "misdirected",
        r"client attempted to request the server name different from the one that was negotiated",
    ),
    _rule("plain_http", r"client sent plain HTTP request to HTTPS port"),
    _rule("access_denied", r"access forbidden by rule"),
    _rule("limited", r'limiting requests, excess: [\d.]+ by zone "[^"]*"', text="limiting requests"),
    _rule("limited", r'limiting connections by zone "[^"]*"', text="limiting connections"),
    _rule("rejected", r"handshake rejected", r"SSL handshaking"),
    _rule("handshake", rf"client timed out {_ERRNO}", r"SSL handshaking"),
    _rule("handshake", _HANDSHAKE),
    _rule("upstream_verify", rf"upstream SSL certificate {_VERIFY}", _TO_UPSTREAM),
    _rule(
        "upstream_name",
        r'upstream SSL certificate does not match "[^"]*"',
        _TO_UPSTREAM,
        text="upstream SSL certificate does not match the name that it is asked by",
    ),
    _rule("upstream_handshake", _HANDSHAKE, _TO_UPSTREAM),
    _rule("upstream_connect", rf"connect\(\) failed {_ERRNO}", _TO_UPSTREAM, True),
    _rule("upstream_connect", r"no live upstreams", _TO_UPSTREAM, True),
    _rule(
        "upstream_connect",
        rf"connect\(\) to \S+ failed (?P<why>{_ERRNO})",
        _TO_UPSTREAM,
        True,
        text="connect() failed {why}",
    ),
    _rule("upstream_timeout", rf"upstream timed out {_ERRNO}", _TO_UPSTREAM, True),
    _rule("upstream_closed", r"upstream prematurely closed connection", _TO_UPSTREAM, True),
    _rule("upstream_closed", rf"(?:recv|send|readv|writev)\(\) failed {_ERRNO}", _TO_UPSTREAM, True),
    _rule(
        "upstream_resolve",
        rf"\S+ could not be resolved {_ERRNO}",
        r".*",
        text="the name of the upstream could not be resolved",
    ),
    _rule(
        "upstream_resolve",
        r"no resolver defined to resolve \S+",
        r".*",
        text="no resolver is defined, and the name of the upstream has to be resolved",
    ),
    _rule(
        "worker_file",
        rf'cannot load certificate(?: key)? "[^"]*": \w+\(\) failed {_SSL}',
        r".*",
    ),
)
_TLS = ("https", "grpcs", "suwsgi", "")


def event(line: str, file: str = "") -> Optional[Event]:
    """What a line says of TLS, None for any other. *file*: the log it stands in."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    year, month, day, clock, level, connection, message = found.groups()
    plain = {"time": f"{year}-{month}-{day}T{clock}", "level": level, "file": file}
    if level == "emerg" and not connection:
        return {**plain, **_empty("emerg", own_line(message))}
    if level in ("alert", "crit") and (out := _EXHAUSTED.fullmatch(message)):
        return {**plain, **_empty("exhausted", out["own"] or f"{out['call']} failed ({out['why']})")}
    whose = _OF_A_CLIENT.fullmatch(message)
    return _of_client(plain, whose.groupdict("")) if connection and whose else None


def _empty(kind: str, text: str) -> Event:
    return {
        "kind": kind, "code": None, "alert": None, "text": text, "client": "", "server": "", "upstream": "",
    }  # fmt: skip


def _of_client(plain: Mapping[str, str], whose: Mapping[str, str]) -> Optional[Event]:
    scheme, upstream = _upstream(whose["rest"])
    for rule in _RULES:
        said = rule.said.fullmatch(whose["said"])
        if said and rule.phase.fullmatch(whose["phase"]) and not (rule.tls and scheme not in _TLS):
            text = rule.text.format(**said.groupdict()) or own_line(
                _FOPEN.sub("calling fopen()", said.group()), paths=False
            )
            code, alert = said.groupdict().get("code"), _ALERT.search(said.group())
            return {
                **plain,
                **_empty(rule.kind, text),
                "code": int(code) if code else None,
                "alert": int(alert.group(1)) if alert else None,
                "client": whose["client"],
                # While it shakes hands nginx tells the socket instead.
                "server": whose["server"] if _SERVER.fullmatch(whose["server"]) else "",
                "upstream": upstream if rule.kind.startswith("upstream_") else "",
            }
    return None


def _upstream(rest: str) -> tuple[str, str]:
    """(scheme, address). A client may write the same into its request: then neither is told."""
    found = _UPSTREAM.findall(rest)
    return found[0] if len(found) == 1 else ("", "")


def own_line(line: str, paths: bool = True) -> str:
    """A line that nginx wrote about itself, with what it quotes of a configuration left out. Not *paths*:
    these are left out as well."""
    # What Lua says of its code quotes that in marks of its own.
    parts = _OF_LUA.sub(r"\1 …", line).split('"')
    for position in range(1, len(parts), 2):
        if not paths or not _MAY_STAND.fullmatch(parts[position]) or len(parts) % 2 == 0:
            # Up to the last mark, for what is quoted may hold some itself.
            rest = _FOPEN.sub("calling fopen()", parts[-1]) * (len(parts) % 2)
            return '"'.join(parts[:position]) + '"…"' + rest
    return '"'.join(parts)
