# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of directives as nginx uses them, and what of them may leave the host.

A value goes out only in a shape in which it can be no secret: a path, a name, an address, a word of nginx's
own.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..nginx_conf import Directive

#: An element FILE of the result; the module's documentation says what it holds.
File = dict[str, Any]
#: What a value begins with that is no path (ngx_ssl_load_certificate_key, src/event/ngx_event_openssl.c). To
#: nginx ``pkcs11:`` and one in capitals are names of files; whoever wrote it meant none, and gave a PIN.
_SCHEME = re.compile(r"(?i:(engine|store|data|pkcs11)):")
_HOST = re.compile(r"[A-Za-z0-9._*-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_WITH_VARIABLES = re.compile(r"(?:[A-Za-z0-9._*:\[\]-]|\$\w+|\$\{\w+\})*")
#: A name, with wildcards or without, or a regular expression.
_NAME = re.compile(r"~\S+|\.?[\w*-][\w.*-]*|\$hostname|\[[0-9A-Fa-f:.]+\]")
_NO_NAME = re.compile(
    r"(?:add|auth|error|fastcgi|grpc|js|lua|memcached|more|perl|proxy|rewrite|scgi|secure|ssl|sub|uwsgi)_[a-z_]+"
    r"|return"
)
_SECURE = re.compile(r"(?i:https)(?:://|\Z)")
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


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
    schemed = _SCHEME.match(text)
    scheme = schemed.group(1).lower() if schemed else ""
    found: File = {"path": "", "variable": "$" in text, "scheme": scheme, "place": item.place, "text": ""}
    if scheme:
        return found  # a PIN or a whole key may stand behind it
    if found["variable"]:
        found["text"] = text
    else:
        found["path"] = _plain(posixpath.join(program.directory, text))
    return found


def _plain(path: str) -> str:
    """*path* in one spelling. A ``..`` stays, for behind a link it leads out of where the link leads."""
    return "/" + "/".join(step for step in path.split("/") if step not in ("", "."))


def host_text(text: str) -> str:
    """*text* where it is a host, with a port or without, else ""."""
    return text if _HOST.fullmatch(text) else ""


def is_address(text: str) -> bool:
    """Of IPv4, or of IPv6 with its brackets or without."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def name_text(text: str) -> str:
    """The same where variables may be part of it."""
    return text if _WITH_VARIABLES.fullmatch(text) else ""


def server_names(words: Sequence[str]) -> list[str]:
    """The names of one ``server_name``, in lower case. Where its semicolon is missing, nginx takes the next
    directive for names as well, and that may hold a secret: from it on nothing is told."""
    found: list[str] = []
    for word in words:
        if word and (not _NAME.fullmatch(word) or _NO_NAME.fullmatch(word)):
            break
        found.append(word.lower())
    return [name for name in found if name]


def plain_variables(server: Directive) -> dict[str, str]:
    """The variables to which ``set`` gives one and the same plain value wherever the server block says it."""
    return {name: next(iter(values)) for name, values in _set(server).items() if _is_plain(values)}


def _set(server: Directive) -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    todo = [server]
    while todo:
        for item in todo.pop().block or ():
            if item.name == "set" and len(item.args) == 2:
                known.setdefault(item.args[0].lstrip("$"), set()).add(item.args[1])
            elif item.block is not None:
                todo.append(item)
    return known


def secure_by_set(server: Directive) -> set[str]:
    """The variables that may be ``https``, or a URL of it, as one of the values that ``set`` gives them."""
    return _secure(_set(server))


def secure_by_map(outer: Directive) -> set[str]:
    """The same of those that ``map``, ``geo`` and ``split_clients`` give."""
    values: dict[str, set[str]] = {}
    for item in outer.block or ():
        if item.name in ("map", "geo", "split_clients") and item.args:
            told = {one.args[0] for one in item.block or () if one.args}
            values.setdefault(item.args[-1].lstrip("$"), set()).update(told)
    return _secure(values)


def _secure(values: Mapping[str, set[str]]) -> set[str]:
    return {name for name, told in values.items() if any(_SECURE.match(value) for value in told)}


def variable_of(found: re.Match[str]) -> str:
    """The name of what VARIABLE has found."""
    return found.group(1) or found.group(2)


def _is_plain(values: set[str]) -> bool:
    return len(values) == 1 and "$" not in next(iter(values))


def expanded(text: str, known: Mapping[str, str]) -> str:
    """*text* with the variables of *known* in place."""
    return VARIABLE.sub(lambda found: known.get(variable_of(found), found.group()), text)
