# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for names: what a release says at http level where nginx's own tables are too small for it.

nginx keeps variables and server names in hash tables (ngx_hash_init, src/core/ngx_hash.c). A name that is
longer than a bucket is an error. Where some bucket stays too small in a table of any size, each test warns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from . import release
from .errors import MtlsError
from .nginx_conf import Directive, parse

#: With nginx's own buckets of 64 bytes, two pointers, and the length before the name.
LONGEST = 46
#: Up to so many names of ours nginx is left alone, so that a small host's release says nothing of this.
MANY = {"variables_hash": 24, "server_names_hash": 40}
#: Enough for 2,000 sites.
ROOM = {"max_size": 16384, "bucket_size": 512}


def room(source: Mapping[str, bytes], taken: Collection[str]) -> list[str]:
    """The directives that the blocks of *source* need at http level.

    *taken*: names of those that somebody else's configuration has; a second one would be an error.
    """
    tree = [
        item
        for kind in release.FOLDERS
        for text in release.texts(source, kind).values()
        for item in _read(text)
    ]
    names = {"variables_hash": set(_variables(tree)), "server_names_hash": set(_server_names(tree))}
    return [
        f"{table}_{size} {value}"
        for table, found in names.items()
        if len(found) > MANY[table] or max(map(len, found), default=0) > LONGEST
        for size, value in ROOM.items()
        if f"{table}_{size}" not in taken
    ]


def said(tree: Sequence[Directive]) -> set[str]:
    """The names of all directives at http level of a dump."""
    return {item.name for http in tree if http.name == "http" for item in http.block or ()}


def _read(text: str) -> tuple[Directive, ...]:
    try:
        return parse(text)
    except MtlsError:
        return ()  # nginx will name what is wrong with it


def _all(tree: Iterable[Directive]) -> Iterator[Directive]:
    for item in tree:
        yield item
        yield from _all(item.block or ())


def _variables(tree: Iterable[Directive]) -> Iterator[str]:
    for item in _all(tree):
        if item.name in ("map", "geo", "split_clients") and item.args:
            yield item.args[-1].lstrip("$")
        elif item.name == "set" and item.args:
            yield item.args[0].lstrip("$")


def _server_names(tree: Iterable[Directive]) -> Iterator[str]:
    return (name for item in _all(tree) if item.name == "server_name" for name in item.args)
