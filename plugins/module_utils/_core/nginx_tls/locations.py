# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each place that leads to an upstream by TLS, or with a client certificate: who is asked, as whom, and what
of the answer is verified."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from ..nginx_conf import Directive
from . import defaults
from .scope import Scope
from .servers import ciphers, places, protocols
from .values import VARIABLE, Program, expanded, file_of, host_text, name_text, variable_of

_NAMES = (
    "certificate certificate_key trusted_certificate crl verify verify_depth name server_name protocols"
    " ciphers session_reuse password_file conf_command"
).split()  # fmt: skip
BLOCKS = ("location", "if", "limit_except")
#: Who stands before a location and lets in some callers only.
_GUARDS = ("allow", "deny", "auth_basic", "auth_request", "auth_jwt", "auth_oidc", "auth_delay")
#: Variables that begin with the path of a request, and what follows a port.
_PATH = re.compile(r"\$\{?(?:request_uri|uri|document_uri)\b.*|(?<=:)(\d+)\$.*", re.DOTALL)
_EVERYBODY = ("allow", ("all",))
_URL = re.compile(r"\A(?:([A-Za-z]+|\$\w+|\$\{\w+\})://)?(unix:[^:]+|[^/?#]*)")


@dataclass(frozen=True)
class Kind:
    """One module that proxies: its *directive*, the *prefix* of those about TLS, the scheme that means TLS,
    what is told of it without, and the port where none is written."""

    directive: str
    prefix: str
    secure: str
    plain: str
    ports: tuple[int, int]


KINDS = (
    Kind("proxy_pass", "proxy", "https", "http", (443, 80)),
    Kind("grpc_pass", "grpc", "grpcs", "grpc", (443, 80)),
    Kind("uwsgi_pass", "uwsgi", "suwsgi", "uwsgi", (0, 0)),
)
STREAM = Kind("proxy_pass", "proxy", "tls", "tcp", (0, 0))


@dataclass(frozen=True)
class Upstreams:
    """The ``upstream`` blocks of one module by name."""

    blocks: Mapping[str, Directive]

    def servers(self, name: str, default_port: int) -> list[str]:
        """Addresses as nginx connects to them; those that say no port have *default_port*, 0 for none."""
        found = [item.args[0] for item in self.blocks[name].children("server") if item.args]
        return [_with_port(address, default_port) for address in found if _is_address(address)]

    def keepalive(self, name: str, version: tuple[int, ...]) -> tuple[int, bool]:
        """(idle connections that are kept, whether several locations share them)."""
        told = [item.args for item in self.blocks[name].children("keepalive") if item.args]
        if not told:
            return defaults.keepalive(version), False
        size = int(told[-1][0]) if told[-1][0].isdecimal() else 0
        return size, "local" not in told[-1] and size > 0


def _is_address(text: str) -> bool:
    return text.startswith("unix:") or bool(host_text(text))


def _with_port(address: str, port: int) -> str:
    if address.startswith("unix:") or not port or re.search(r":\d+$", re.sub(r"^\[.*\]", "", address)):
        return address
    return f"{address}:{port}"


@dataclass(frozen=True)
class Pass:
    """The argument of proxy_pass and its kin, without user, path and query. *scheme* is a variable where only
    that one tells it, "" where the whole argument begins with one."""

    scheme: str
    authority: str

    @property
    def host(self) -> str:
        if self.authority.startswith("unix:"):
            return "localhost"  # ngx_parse_unix_domain_url's caller: u.host of a socket
        return re.sub(r":\d+$", "", self.authority)


def parse_pass(text: str, kind: Kind) -> Pass:
    [(scheme, authority)] = _URL.findall(text)
    authority = _PATH.sub(r"\1", authority.rpartition("@")[2])
    if not scheme:
        unknown = text.startswith("$") and kind.prefix == "proxy" and kind is not STREAM
        scheme = "" if unknown else kind.plain
    return Pass(scheme.lower(), name_text(authority) or host_text(authority) or _socket(authority))


def _socket(authority: str) -> str:
    return authority if authority.startswith("unix:/") else ""


def names_of(locations: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names, no addresses, by which *locations* ask, each once."""
    hosts = (re.sub(r":\d+$", "", server) for one in locations for server in one["servers"])
    named = (host for host in hosts if not host.startswith(("[", "unix:")) and re.search("[A-Za-z]", host))
    return list(dict.fromkeys(named))


class Locations:
    """All of one server block. *known*: variables with a plain value; *secure*: those that may say https;
    *server*: its SERVER."""

    def __init__(
        self,
        module: str,
        program: Program,
        upstreams: Upstreams,
        server: Mapping[str, Any],
        known: Mapping[str, str],
        secure: Set[str] = frozenset(),
    ) -> None:
        self._module = module
        self._program = program
        self._upstreams = upstreams
        self._server = server
        # One location may be reached by both: then it is what it is by TLS.
        scheme = "https" if any(listen["tls"] for listen in server["listens"]) else "http"
        self._known = {"scheme": scheme, **known}
        self._secure = secure

    def found(self, server: Scope) -> Iterator[dict[str, Any]]:
        if self._module == "mail":
            return  # asks its upstreams without TLS
        if self._module == "stream":
            told = next(iter(server.inmost.named("proxy_pass")), None)
            if told and told.args and server.flag("proxy_ssl", False):
                yield self._described(server, told, STREAM, "")
            return
        yield from self._below(server, "")

    def _below(self, scope: Scope, path: str) -> Iterator[dict[str, Any]]:
        for item in scope.inmost.block.block or ():
            if item.name not in BLOCKS or item.block is None:
                continue
            inner, at = scope.inside(item), " ".join(item.args) if item.name == "location" else path
            for kind in KINDS:
                told = [one for one in inner.inmost.named(kind.directive) if one.args]
                if told and self._is_tls(inner, told[-1], kind):
                    yield self._described(inner, told[-1], kind, at)
            yield from self._below(inner, at)

    def _is_tls(self, scope: Scope, item: Directive, kind: Kind) -> bool:
        with_certificate = file_of(scope.last(f"{kind.prefix}_ssl_certificate"), self._program) is not None
        return with_certificate or self._is_secure(expanded(item.args[0], self._known), kind)

    def _is_secure(self, text: str, kind: Kind) -> bool:
        """Whether that argument of *kind*'s directive leads to TLS, or may do so."""
        first = VARIABLE.match(text)
        told = parse_pass(text, kind).scheme
        if first is not None and (not told or told.startswith("$")):
            return variable_of(first) in self._secure
        return told == kind.secure

    def _described(self, scope: Scope, item: Directive, kind: Kind, path: str) -> dict[str, Any]:
        program, prefix = self._program, f"{kind.prefix}_ssl_"
        shown = parse_pass(item.args[0], kind)
        asked = parse_pass(expanded(item.args[0], self._known), kind)
        secure = kind is STREAM or self._is_secure(expanded(item.args[0], self._known), kind)
        upstream = asked.authority if asked.authority in self._upstreams.blocks else ""
        named = scope.last(prefix + "name")
        name = expanded(named.args[0], self._known) if named else asked.host
        size, shared = self._keepalive(upstream)
        return {
            "place": item.place,
            "module": self._module,
            "path": path,
            "server_place": self._server["place"],
            "server_names": self._server["names"],
            "listens": self._server["listens"],
            "ours": program.is_ours(item),
            "protocol": kind.secure if secure else asked.scheme.partition("$")[0],
            "pass": self._pass(shown, kind),
            "upstream": upstream,
            "servers": self._servers(asked, upstream, kind.ports[not secure]),
            "certificate": file_of(scope.last(prefix + "certificate"), program),
            "key": file_of(scope.last(prefix + "certificate_key"), program),
            "trust": file_of(scope.last(prefix + "trusted_certificate"), program),
            "crl": file_of(scope.last(prefix + "crl"), program),
            "verify": scope.flag(prefix + "verify", False),
            "depth": scope.number(prefix + "verify_depth", defaults.DEPTH),
            "name": name_text(name),
            "name_variable": "$" in name,
            "sni": scope.flag(prefix + "server_name", False),
            "host": self._host(scope, asked, kind),
            "protocols": protocols(scope.last(prefix + "protocols"), program),
            "ciphers": ciphers(scope.last(prefix + "ciphers")),
            "session_reuse": scope.flag(prefix + "session_reuse", True),
            "keepalive": size,
            "keepalive_shared": shared,
            "guarded": self.is_guarded(scope),
            "password": file_of(scope.last(prefix + "password_file"), program),
            "places": places(scope, [prefix + name for name in _NAMES]),
        }

    def asked(self, scope: Scope, item: Directive, kind: Kind) -> tuple[list[str], str]:
        """(addresses, Host) of one proxy_pass and its kin, as LOCATION has them."""
        to = parse_pass(expanded(item.args[0], self._known), kind)
        upstream = to.authority if to.authority in self._upstreams.blocks else ""
        secure = self._is_secure(expanded(item.args[0], self._known), kind)
        return self._servers(to, upstream, kind.ports[not secure]), self._host(scope, to, kind)

    def _pass(self, shown: Pass, kind: Kind) -> str:
        bare = kind is STREAM or not shown.scheme
        return shown.authority if bare else f"{shown.scheme}://{shown.authority}"

    def _servers(self, asked: Pass, upstream: str, port: int) -> list[str]:
        if upstream:
            # An upstream's own default is 80, whatever leads to it (ngx_http_upstream_server).
            return self._upstreams.servers(upstream, 80 if self._module == "http" else 0)
        return [] if "$" in asked.authority or not asked.authority else [_with_port(asked.authority, port)]

    def _keepalive(self, upstream: str) -> tuple[int, bool]:
        if not upstream or self._module == "stream":
            return 0, False
        return self._upstreams.keepalive(upstream, self._program.version)

    def _host(self, scope: Scope, asked: Pass, kind: Kind) -> str:
        """The Host that is sent; "" where only a request tells."""
        if kind is STREAM or kind.prefix == "uwsgi":
            return ""
        default = f"${kind.prefix}_host"
        told = [item.args for item in scope.all(f"{kind.prefix}_set_header") if len(item.args) == 2]
        values = [args[1] for args in told if args[0].lower() == "host"]
        value = expanded(values[-1] if values else default, self._known)
        name = next(iter(self._server["names"]), "")
        value = expanded(value, {default[1:]: asked.authority, "server_name": name})
        return "" if "$" in value else host_text(value)

    def is_guarded(self, scope: Scope) -> bool:
        """Does somebody stand before it who lets in some callers only?"""
        found = [item for item in map(scope.last, _GUARDS) if item]
        return any(item.args[0].lower() != "off" and (item.name, item.args) != _EVERYBODY for item in found)
