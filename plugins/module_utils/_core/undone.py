# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines by which a whole configuration undoes what a release says, as the dump of ``nginx -T`` shows them.

``nginx -t`` passes all of them: of two ``ssl_certificate`` or ``ssl_session_cache`` the last one wins in
silence, a location below overrides each directive by itself, a name that an earlier block has never reaches a
later one (nginx-facts: "What leaks into a server block"). Only blocks of the release are judged, and what
touches them: a user's own blocks are the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Optional

from . import conf_command, forgeable
from .errors import MtlsError
from .findings import ERROR, Finding
from .listen import Listen, parse_listen
from .nginx_conf import Directive

_OURS = re.compile(r"(.*)/(?:server/(?:default|sites/[^/]+)|proxy/(?:listeners|routes)/[^/]+)\.conf")
_TLS_CONF = re.compile(r"/(server|proxy)/credentials/[^/]+/tls\.conf")
_KINDS = {"sites": "site", "listeners": "listener", "routes": "route"}
#: What a block below may set otherwise without letting anybody in: it only costs time.
_HARMLESS_BELOW = {("proxy_ssl_session_reuse", ("off",))}
_VERIFY = "ssl_verify_client"
#: Said once by a site's own text; nginx joins two ``ssl_protocols`` (NGX_CONF_BITMASK).
_ONCE = ("ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_ecdh_curve")


def undone(tree: Sequence[Directive], entry: str) -> list[Finding]:
    """Findings about the release whose blocks *entry* (the path of our mtls.conf) brought into *tree*.

    They quote names of directives, server names and addresses, never another argument.
    """
    return _Reader(tree, entry).findings()


def refuse(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are no error. Raises MtlsError for the first one that is."""
    errors = [one for one in findings if one.severity == ERROR]
    if errors:
        more = f" ({len(errors) - 1} more errors like it.)" if len(errors) > 1 else ""
        first = errors[0]
        raise MtlsError(f"{first.message}{more}", first.place, first.remedy, first.code)
    return list(findings)


class _Reader:
    def __init__(self, tree: Sequence[Directive], entry: str) -> None:
        self._http = [item for item in tree if item.name == "http" and item.block is not None]
        self._directory = next(self._directories(tree, entry), None)

    @staticmethod
    def _directories(tree: Sequence[Directive], entry: str) -> Iterator[str]:
        for item in _everything(tree):
            if item.name == "include" and item.file == entry and item.args:
                found = _OURS.fullmatch(item.args[0])
                if found:
                    yield found.group(1)

    def findings(self) -> list[Finding]:
        if self._directory is None:
            return []
        found: list[Finding] = []
        for http in self._http:
            servers = [item for item in http.block or () if item.name == "server" and item.block is not None]
            for server in servers:
                if self._is_ours(server):
                    found += self._of_server(server, http)
            found += self._names(servers)
        return found

    # -- places

    def _is_ours(self, item: Directive) -> bool:
        return item.file.startswith(f"{self._directory}/")

    def _place(self, item: Directive) -> str:
        """A file and line; of a block of ours the name under which it was given."""
        if self._is_ours(item):
            kind, dummy, name = item.file[len(self._directory or "") :].rpartition("/")
            kind = _KINDS.get(kind.rpartition("/")[2], "")
            if kind:
                return f"{kind} {name[: -len('.conf')]}, line {item.line}"
        return item.place

    # -- what tls.conf says

    def _of_server(self, server: Directive, http: Directive) -> list[Finding]:
        found = list(self._scope([http, server], ()))
        if any(_TLS_CONF.search(item.file) and "/server/" in item.file for item in server.block or ()):
            found += self._verify(server, http)
            found += self._said_twice(server)
            found += self._conf_commands("ssl_conf_command", [http, server])
            found += self._forgeable(server)
        return found

    def _scope(self, blocks: Sequence[Directive], above: tuple[str, ...]) -> Iterator[Finding]:
        """Of the last of *blocks*, which lie in each other. *above*: the names that a tls.conf in an outer
        one has set."""
        block = blocks[-1]
        sealed = tuple(dict.fromkeys(item.name for item in block.block or () if _TLS_CONF.search(item.file)))
        for item in block.block or ():
            if item.block is not None:
                yield from self._scope([*blocks, item], sealed or above)
            elif _TLS_CONF.search(item.file) or item.name == "include":
                continue
            elif item.name in sealed:
                yield Finding(
                    "server.tls_repeated",
                    f"The tls.conf of this block has {item.name} already, and of two the last one wins.",
                    self._place(item),
                )
            elif not sealed and item.name in above and (item.name, item.args) not in _HARMLESS_BELOW:
                yield Finding(
                    "server.tls_overridden",
                    f"This {item.name} overrides the one of tls.conf in the block around it.",
                    self._place(item),
                )
        if "proxy_ssl_certificate" in (sealed or (above if block.children("proxy_ssl_conf_command") else ())):
            yield from self._conf_commands("proxy_ssl_conf_command", blocks)

    def _conf_commands(self, name: str, blocks: Sequence[Directive]) -> Iterator[Finding]:
        for item in conf_command.governing(name, blocks):
            if not conf_command.harmless(item):
                yield Finding(
                    "server.tls_command",
                    f"This {name} governs a block of the release, and may replace what its tls.conf says.",
                    self._place(item),
                )

    def _said_twice(self, server: Directive) -> Iterator[Finding]:
        for name in _ONCE:
            for item in server.children(name)[1:]:
                yield Finding(
                    "server.tls_repeated",
                    f"The site has {name} already, and this one changes it.",
                    self._place(item),
                )

    def _forgeable(self, server: Directive) -> Iterator[Finding]:
        for item in forgeable.dropping(server):
            yield Finding(
                "server.headers_dropped",
                "With this proxy_set_header the location loses the lines by which no client can forge the "
                "headers that tell who it is.",
                self._place(item),
            )
        for item in forgeable.past(server):
            yield Finding(
                "server.headers_passed",
                f"What a client sends under the names of the identity headers passes this {item.name}.",
                self._place(item),
            )

    def _verify(self, server: Directive, http: Directive) -> Iterator[Finding]:
        """Does the site ask for certificates as its own text says, whatever is included or inherited?"""
        said = [item for item in server.children(_VERIFY) if item.file == server.file]
        own = said[-1] if said else None
        all_said = server.children(_VERIFY) or http.children(_VERIFY)
        effective = all_said[-1] if all_said else None
        if effective is own and _value(own) == "optional_no_ca":
            yield Finding(
                "server.unverified_clients",
                f"With {_VERIFY} optional_no_ca certificates of any issuer, forged ones too, get in.",
                self._place(own or server),
            )
        elif _value(effective) != _value(own):
            yield Finding(
                "server.verify_changed",
                f"This {_VERIFY} {_value(effective)} governs a site whose own text says "
                f"{_value(own) if own else 'nothing of it'}.",
                self._place(effective or server),
            )

    # -- names

    def _names(self, servers: Sequence[Directive]) -> Iterator[Finding]:
        """Of two blocks with one address and one name the first answers, the second never does."""
        first: dict[tuple[str, str], Directive] = {}
        told: set[tuple[str, int]] = set()
        for server in servers:
            for key in _sockets(server):
                for name in _server_names(server):
                    other = first.setdefault((key, name), server)
                    if other is server or (server.file, server.line) in told:
                        continue
                    if self._is_ours(server) or self._is_ours(other):
                        told.add((server.file, server.line))
                        yield self._taken(server, other, f"{name} on {key}")

    def _taken(self, server: Directive, other: Directive, what: str) -> Finding:
        if self._is_ours(server):
            return Finding(
                "server.name_taken",
                f"This block never answers for {what}: the one at {self._place(other)} has the name already.",
                self._place(server),
            )
        return Finding(
            "server.name_hidden",
            f"This block never answers for {what}: {self._place(other)} of the release has the name already.",
            self._place(server),
        )


def _everything(tree: Sequence[Directive]) -> Iterator[Directive]:
    for item in tree:
        yield item
        yield from _everything(item.block or ())


def _value(item: Optional[Directive]) -> str:
    return " ".join(item.args) if item is not None else "off"


def _sockets(server: Directive) -> list[str]:
    found = []
    for item in server.children("listen"):
        try:
            found.append(parse_listen(item.args, item.place).key)
        except MtlsError:  # nginx reads it, so it is some form that no site of ours has
            continue
    return found or ([] if server.children("listen") else [Listen("*", 80).key])


def _server_names(server: Directive) -> list[str]:
    """Names as nginx's hash has them: without case, and ``.name`` is both ``name`` and ``*.name``."""
    found = []
    for item in server.children("server_name"):
        for name in item.args:
            if name.startswith("."):
                found += [name[1:].lower(), f"*{name.lower()}"]
            elif name:
                found.append(name if name.startswith("~") else name.lower())
    return found
