# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release changes, in words that a person can read and that hold no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from . import release
from .blocks import called, listeners, upstream_owners
from .errors import MtlsError
from .nginx_conf import Directive

_NUMBERED = re.compile(r"\$mtls_proxy_\d+_")
_SHOWN = ("subject", "issuer", "serial", "not_after", "sha256")


@dataclass(frozen=True)
class Decoder:
    """*certificates*: the described certificates of a PEM file.

    *key_sha256*: of a private key's public half.
    """

    certificates: Callable[[bytes], list[dict[str, Any]]]
    key_sha256: Callable[[bytes], str]
    digest: Callable[[bytes], str]


def decoded(path: str, data: bytes, decoder: Decoder) -> str:
    """The text of one file for a diff: certificates by their facts, a key by its public key's digest only."""
    if path.endswith("privkey.pem"):
        return f"private key, its public key's SHA-256: {decoder.key_sha256(data)}\n"
    if path.endswith("crl.pem"):
        return f"CRL, SHA-256: {decoder.digest(data)}\n"
    if path.endswith(".pem"):
        certificates = decoder.certificates(data)
        return "".join("".join(f"{name}: {one.get(name)}\n" for name in _SHOWN) for one in certificates)
    return data.decode("utf-8", "replace")


def changes(
    before: Mapping[str, bytes], after: Mapping[str, bytes], decoder: Decoder
) -> list[dict[str, str]]:
    """One entry for each file that differs, in the shape that Ansible prints with ``--diff``."""
    return [
        {
            "before_header": path,
            "after_header": path,
            "before": decoded(path, before[path], decoder) if path in before else "",
            "after": decoded(path, after[path], decoder) if path in after else "",
        }
        for path in sorted(set(before) | set(after))
        if before.get(path) != after.get(path)
    ]


def changed_things(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> frozenset[tuple[str, str]]:
    """(part, credential) and (``part block``, name) of all that differs; see ``proof.settle``."""
    found = set()
    for path in set(before) | set(after):
        steps = path.split("/")
        if before.get(path) == after.get(path) or len(steps) < 2:
            continue
        if steps[1] == "credentials":
            found.add((steps[0], steps[2]))
        else:
            # server/default.conf is a block, too: ("server block", "default").
            found.add((f"{steps[0]} block", steps[-1][: -len(".conf")]))
    return frozenset(found | {("proxy block", route) for route in _led_otherwise(before, after)})


def _led_otherwise(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    """The routes that a listener leads to by another location than before: name, Host and certificate stand
    there, so a listener's text changes what a route answers."""
    old, new = _ways(before), _ways(after)
    return {route for route in set(old) | set(new) if old.get(route) != new.get(route)}


def _ways(source: Mapping[str, bytes]) -> dict[str, set[Any]]:
    """route → its locations as values, with what they inherit, and its upstream's text. Nothing of text that
    cannot be read."""
    try:
        routes = release.texts(source, "routes")
        owners = upstream_owners(routes)
        found = listeners(release.texts(source, "listeners"))
    except MtlsError:
        return {}
    ways: dict[str, set[Any]] = {}
    for way in (way for listener in found for way in (*listener.routes, *listener.ways)):
        inherited = tuple(
            _value(item) for level in way.levels[1:] for item in level.block or () if _lent(item)
        )
        upstream = routes.get(owners.get(way.upstream, ""))
        ways.setdefault(called(way, owners), set()).add((_value(way.levels[0]), inherited, upstream))
    return ways


def _lent(item: Directive) -> bool:
    return item.name == "include" or (item.name.startswith("proxy_") and item.name != "proxy_pass")


def _value(item: Directive) -> Any:
    """A directive without its place in the file, and without the number of the listener, which may move."""
    args = tuple(_NUMBERED.sub("$mtls_proxy_", one) for one in item.args)
    return item.name, args, item.block and tuple(_value(one) for one in item.block)
