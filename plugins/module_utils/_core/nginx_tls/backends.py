# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server block passes requests on to, and which headers tell there who the client is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from ..nginx_conf import Directive
from .locations import BLOCKS, KINDS, Kind, Locations
from .scope import Scope
from .values import VARIABLE, variable_of

_OF_CLIENTS = "ssl_client_"
_HEADER = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SETS = {"proxy_pass": "proxy_set_header", "grpc_pass": "grpc_set_header", "uwsgi_pass": "uwsgi_param"}


class Identity:
    """Which variables of one ``http`` block tell who the client is: nginx's own, and what ``map`` and ``set``
    make of them."""

    def __init__(self, http: Directive) -> None:
        made_into: dict[str, set[str]] = {}
        for made, texts in _made(http):
            for name in (name for text in texts for name in _variables(text)):
                made_into.setdefault(name, set()).add(made)
        todo = [name for name in made_into if name.startswith(_OF_CLIENTS)]
        self._known: set[str] = set()
        while todo:
            fresh = made_into.get(todo.pop(), set()) - self._known
            self._known |= fresh
            todo.extend(fresh)

    def is_told_by(self, text: str) -> bool:
        return any(name.startswith(_OF_CLIENTS) or name in self._known for name in _variables(text))


def _variables(text: str) -> Iterator[str]:
    for found in VARIABLE.finditer(text):
        yield variable_of(found)


def _made(http: Directive) -> Iterator[tuple[str, list[str]]]:
    """Each variable that is made, with the texts that it is made of."""
    todo = [http]
    while todo:
        for item in todo.pop().block or ():
            if item.name == "map" and len(item.args) == 2:
                texts = [item.args[0], *(text for one in item.block or () for text in one.args)]
                yield item.args[1].lstrip("$"), texts
            elif item.name == "set" and len(item.args) == 2:
                yield item.args[0].lstrip("$"), [item.args[1]]
            elif item.block is not None:
                todo.append(item)


def backends(scope: Scope, locations: Locations, identity: Identity) -> Iterator[dict[str, Any]]:
    """BACKEND for each place of a server block of ``http`` that passes requests on. None where the block
    answers by itself before that (``return``)."""
    if not scope.inmost.named("return"):
        yield from _below(scope, "", locations, identity)


def _below(scope: Scope, path: str, locations: Locations, identity: Identity) -> Iterator[dict[str, Any]]:
    for item in scope.inmost.block.block or ():
        if item.name not in BLOCKS or item.block is None:
            continue
        inner, at = scope.inside(item), " ".join(item.args) if item.name == "location" else path
        for kind in KINDS:
            told = [one for one in inner.inmost.named(kind.directive) if one.args]
            if told and not inner.inmost.named("return"):
                yield _described(inner, told[-1], kind, at, locations, identity)
        yield from _below(inner, at, locations, identity)


def _described(
    scope: Scope, item: Directive, kind: Kind, path: str, locations: Locations, identity: Identity
) -> dict[str, Any]:
    servers, host = locations.asked(scope, item, kind)
    name = _SETS[kind.directive]
    told = scope.all(name)
    levels = [level.named(name) for level in scope.levels]
    outer = [one for level in levels for one in level if one not in told]
    said = {one.args[0].lower() for one in told}
    lost = [one for one in _telling(outer, identity) if one.args[0].lower() not in said]
    return {
        "place": item.place,
        "path": path,
        "servers": servers,
        "host": host,
        "guarded": locations.is_guarded(scope) or _asks_first(scope),
        "identity": _names(_telling(told, identity)),
        "dropped": _names(lost),
        "dropped_place": lost[0].place if lost else "",
    }


def _telling(items: Iterable[Directive], identity: Identity) -> list[Directive]:
    found = [one for one in items if len(one.args) == 2]
    return [one for one in found if _HEADER.fullmatch(one.args[0]) and identity.is_told_by(one.args[1])]


def _names(items: Iterable[Directive]) -> list[str]:
    return list(dict.fromkeys(one.args[0] for one in items))


def _asks_first(scope: Scope) -> bool:
    """Does an ``if`` answer some of the requests?"""
    ifs = [one for level in scope.levels[1:] for one in level.named("if")]
    return any(inner.name == "return" for one in ifs for inner in one.block or ())


def taking(found: Iterable[Mapping[str, Any]], path: str) -> Optional[Mapping[str, Any]]:
    """The BACKEND that gets a request of that path, as far as prefixes tell: a regular expression, or a
    location that passes nothing on, may come before it."""
    best: Optional[Mapping[str, Any]] = None
    size = -1
    for one in found:
        modifier, prefix = split(one["path"])
        fits = path == prefix if modifier == "=" else modifier in ("", "^~") and path.startswith(prefix)
        weight = len(prefix) + (modifier == "=")
        if fits and weight > size:
            best, size = one, weight
    return best


def split(written: str) -> tuple[str, str]:
    """(modifier, path) of a ``location`` as it is written."""
    modifier, dummy, path = written.rpartition(" ")
    return modifier, path
