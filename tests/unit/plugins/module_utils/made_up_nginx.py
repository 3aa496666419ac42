# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx that does not run, made of one text, for `nginx_tls_info`."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import nginx_log
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.instances import Instances
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Finished
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.processes import Processes
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.tls_info import Look, Options

VERSION = """\
nginx version: nginx/1.26.3
built with OpenSSL 3.5.6 1 Apr 2026 (running with OpenSSL 3.5.7 9 Jun 2026)
"""


class NoTools:
    """Reads nothing out of files."""

    def contents(self, *dummy: Any) -> Any:
        return type("Empty", (), {"certificates": [], "crls": []})

    def pair(self, *dummy: Any) -> list[dict[str, Any]]:
        return []

    peers = names = pair

    def leaf(self, *dummy: Any) -> None:
        return None

    def described(self, *dummy: Any) -> dict[str, Any]:
        return {}


def look(emerg: str = "", text: str = "", tools: Any = None, **options: Any) -> dict[str, Any]:
    """The result where `nginx -T` says *emerg*, or dumps *text*; *text* also lies on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/proc")
        conf = f"{folder}/nginx.conf"
        with open(conf, "w", encoding="utf-8") as file:
            file.write(text)

        def run(arguments: list[str], *dummy: Any, **more: Any) -> Finished:
            if "-V" in arguments:
                return Finished(0, "", f"{VERSION}configure arguments: --prefix={folder} --conf-path={conf}")
            if "-T" in arguments:
                return Finished(int(bool(emerg)), f"# configuration file {conf}:\n{text}\n", emerg)
            return Finished(1, "", "")

        processes = Processes(f"{folder}/proc")
        instances = Instances(5, processes, run, lambda: f"{folder}/nginx")
        return Look(Options(**options), tools or NoTools(), instances).result()


def told(emerg: str, text: str = "") -> list[dict[str, Any]]:
    return list(look(emerg, text)["findings"])


def row(door: Any, seen: Any) -> dict[str, Any]:
    return Look(Options(), NoTools())._row(door, "", seen)


def served(servers: list[dict[str, Any]], knock: Any) -> list[list[dict[str, Any]]]:
    return Look(Options(), NoTools(), knock=knock)._served(servers)


def event() -> dict[str, Any]:
    found = nginx_log.event("2026/11/22 13:00:00 [emerg] 1#1: no events")
    assert found is not None
    return found
