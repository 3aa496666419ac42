# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locations of a site in which a client could say by itself who it is.

The site's text sets each identity header, or clears it. nginx lets a location inherit these lines only where
it has no ``proxy_set_header`` of its own (ngx_http_proxy_merge_loc_conf), and ``fastcgi_pass`` and its like
know nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from .nginx_conf import Directive

_SET = "proxy_set_header"
_OF_THE_CONNECTION = frozenset(("connection", "upgrade"))
_OTHER_PASSES = frozenset(("fastcgi_pass", "grpc_pass", "scgi_pass", "uwsgi_pass"))


def dropping(block: Directive, above: frozenset[str] = frozenset()) -> Iterator[Directive]:
    """The first ``proxy_set_header`` of each block that by it loses lines which set or clear identity, and
    asks a backend."""
    own = block.children(_SET)
    names = frozenset(item.args[0].lower() for item in own if item.args)
    if own and not above <= names and _asks(block):
        yield own[0]
    kept = frozenset(item.args[0].lower() for item in own if _speaks_of_identity(item)) if own else above
    for item in block.block or ():
        if item.block is not None:
            yield from dropping(item, kept | above)


def past(block: Directive) -> Iterator[Directive]:
    """Each way to a backend which takes the client's headers as they come."""
    for item in block.block or ():
        if item.name in _OTHER_PASSES:
            yield item
        yield from past(item)


def _asks(block: Directive) -> bool:
    return any(item.name == "proxy_pass" or _asks(item) for item in block.block or ())


def _speaks_of_identity(item: Directive) -> bool:
    """As the role writes them: cleared, or a variable of the site's."""
    if len(item.args) != 2 or item.args[0].lower() in _OF_THE_CONNECTION:
        return False
    return item.args[1] == "" or item.args[1].startswith("$mtls_server_")
