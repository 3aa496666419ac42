# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of nginx as values: what they mean, without an nginx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls import judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.judge import Known
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.resolve import InForce, resolve
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.values import Program

MAIN = "/etc/nginx/nginx.conf"
NEW, OLD = (1, 30, 6), (1, 22, 1)


def in_force(text: Union[str, Mapping[str, str]], version: tuple[int, ...] = NEW) -> InForce:
    """*text*: that of nginx.conf, or of several files by path, the main one first."""
    dump = Dump({MAIN: text} if isinstance(text, str) else dict(text))
    return resolve(
        dump.tree(), Program(version, "/etc/nginx", "/etc/nginx/mtls"), "/usr/share/nginx", "error.log"
    )


def http(text: str, version: tuple[int, ...] = NEW) -> InForce:
    return in_force(f"http {{ {text} }}", version)


def server(text: str, outer: str = "", version: tuple[int, ...] = NEW) -> dict[str, Any]:
    """The one server block of that text."""
    (found,) = http(f"{outer} server {{ {text} }}", version).servers
    return found


def location(text: str, outer: str = "", version: tuple[int, ...] = NEW, listen: str = "") -> dict[str, Any]:
    """The one location of that text."""
    block = f"server {{ listen {listen or '127.0.0.1:80'}; location /api/ {{ {text} }} }}"
    (found,) = http(f"{outer} {block}", version).locations
    return found


def judged(
    text: str,
    version: tuple[int, ...] = NEW,
    known: Known = Known(),  # noqa: B008 it is frozen
) -> list[Finding]:
    """All findings of a text of the http level."""
    found = http(text, version)
    lists = [
        *judge.of_servers(found.servers, version, known),
        *judge.of_locations(found.locations),
    ]
    return [finding for one in lists for finding in one]
