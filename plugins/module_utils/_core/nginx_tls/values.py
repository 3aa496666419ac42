# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of directives as nginx uses them, and what of them may leave the host.

A value goes out only in a shape in which it can be no secret: a path, a name, an address, a word of nginx's
own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..nginx_conf import Directive

#: An element FILE of the result; the module's documentation says what it holds.
File = dict[str, Any]
#: What a value begins with that is no path (ngx_ssl_load_certificate_key, src/event/ngx_event_openssl.c).
SCHEMES = ("engine", "store", "data")
_HOST = re.compile(r"[A-Za-z0-9._*-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_WITH_VARIABLES = re.compile(r"(?:[A-Za-z0-9._*:\[\]-]|\$\w+|\$\{\w+\})*")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclass(frozen=True)
class Program:
    """What of an nginx decides how its configuration is read. *directory*: where relative paths of the
    directives of TLS start. *base*: that of our releases, "" where there are none."""

    version: tuple[int, ...]
    directory: str = "/etc/nginx"
    base: str = ""

    def is_ours(self, item: Directive) -> bool:
        """Whether it is of the text of a release."""
        return bool(self.base) and item.file.startswith((f"{self.base}/current/", f"{self.base}/releases/"))


def file_of(item: Optional[Directive], program: Program) -> Optional[File]:
    """The file that a directive names; None without one, and for ``""``, which closes the directive."""
    text = item.args[0] if item else ""
    if not item or not text:
        return None
    scheme = next((one for one in SCHEMES if text.startswith(f"{one}:")), "")
    found: File = {"path": "", "variable": "$" in text, "scheme": scheme, "place": item.place, "text": ""}
    if scheme:
        return found  # a PIN or a whole key may stand behind it
    if found["variable"]:
        found["text"] = text
    else:
        found["path"] = posixpath.normpath(posixpath.join(program.directory, text))
    return found


def host_text(text: str) -> str:
    """*text* where it is a host, with a port or without, else ""."""
    return text if _HOST.fullmatch(text) else ""


def name_text(text: str) -> str:
    """The same where variables may be part of it."""
    return text if _WITH_VARIABLES.fullmatch(text) else ""


def plain_variables(server: Directive) -> dict[str, str]:
    """The variables to which ``set`` gives one and the same plain value wherever the server block says it."""
    known: dict[str, set[str]] = {}
    todo = [server]
    while todo:
        for item in todo.pop().block or ():
            if item.name == "set" and len(item.args) == 2:
                known.setdefault(item.args[0].lstrip("$"), set()).add(item.args[1])
            elif item.block is not None:
                todo.append(item)
    return {name: next(iter(values)) for name, values in known.items() if _is_plain(values)}


def _is_plain(values: set[str]) -> bool:
    return len(values) == 1 and "$" not in next(iter(values))


def expanded(text: str, known: Mapping[str, str]) -> str:
    """*text* with the variables of *known* in place."""
    return _VARIABLE.sub(lambda found: known.get(found.group(1) or found.group(2), found.group()), text)
