# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that systemd gives a service, read from what ``systemctl show`` prints.

A token's engine or provider is found by ``OPENSSL_CONF`` in the process's environment. The running master
cannot be asked: nginx writes its title over its environment, so ``/proc/PID/environ`` is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_C_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FILE = re.compile(r"(.*) \(ignore_errors=(?:yes|no)\)")
#: Of one process and no other: sockets that a binary upgrade hands on, and what systemd gives the service.
_NEVER = frozenset(("NGINX", "NGINX_VAR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"))


@dataclass(frozen=True)
class UnitEnvironment:
    """What a unit says. *files* are names or glob patterns, in their order."""

    values: Mapping[str, str]
    files: tuple[str, ...]
    unset: tuple[str, ...]


def words(text: str) -> list[str]:
    """Words as systemd prints lists of strings: bare, in double quotes, or as ``$'…'`` with escapes of C."""
    found: list[str] = []
    word, position, inside = "", 0, False
    while position < len(text):
        char = text[position]
        if char in " \t\n":
            if inside:
                found.append(word)
            word, inside = "", False
            position += 1
            continue
        inside = True
        if text.startswith("$'", position):
            part, position = _quoted(text, position + 2, "'", c_escapes=True)
        elif char in "\"'":
            part, position = _quoted(text, position + 1, char)
        elif char == "\\" and position + 1 < len(text):
            part, position = text[position + 1], position + 2
        else:
            part, position = char, position + 1
        word += part
    return [*found, word] if inside else found


def _quoted(text: str, position: int, quote: str, c_escapes: bool = False) -> tuple[str, int]:
    out = ""
    while position < len(text) and text[position] != quote:
        char, following = text[position], text[position + 1 : position + 2]
        if char == "\\" and following and (quote == '"' or c_escapes):
            out += _C_ESCAPES.get(following, following) if c_escapes else following
            position += 2
        else:
            out += char
            position += 1
    return out, position + 1


def assignments(found: Iterable[str]) -> dict[str, str]:
    """``NAME=value`` words as a mapping; what is no assignment is left out, the last one of a name wins."""
    pairs = (word.partition("=") for word in found)
    return {name: value for name, sign, value in pairs if sign and _NAME.fullmatch(name)}


def unit_environment(shown: str) -> UnitEnvironment:
    """Of ``systemctl show UNIT -p Environment -p EnvironmentFiles -p UnsetEnvironment``."""
    values: dict[str, str] = {}
    files: list[str] = []
    unset: list[str] = []
    for line in shown.splitlines():
        name, dummy, text = line.partition("=")
        if name == "Environment":
            values = assignments(words(text))
        elif name == "EnvironmentFiles":
            match = _FILE.fullmatch(text)
            files.append(match.group(1) if match else text)
        elif name == "UnsetEnvironment":
            unset = words(text)
    return UnitEnvironment(values, tuple(file for file in files if file), tuple(unset))


def file_assignments(text: str) -> dict[str, str]:
    """Of an ``EnvironmentFile`` (systemd.exec(5)): comments by ``#`` and ``;``, a backslash joins lines."""
    found: list[str] = []
    for line in text.replace("\\\n", "").splitlines():
        name, sign, value = line.strip().partition("=")
        if sign and not name.startswith(("#", ";")):
            # Blanks inside an unquoted value belong to it.
            found.append(f"{name.strip()}={' '.join(words(value))}")
    return assignments(found)


def expanded(command: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """The words of an ``ExecStart`` with its variables (systemd.service(5), "Command lines"): ``${NAME}`` in
    a word is its value, ``$NAME`` as a word of its own is the words of it."""
    found: list[str] = []
    for word in command:
        alone = re.fullmatch(rf"\$({_NAME.pattern})", word)
        if alone:
            found += words(environment.get(alone.group(1), ""))
        else:
            found.append(
                re.sub(rf"\$\{{({_NAME.pattern})\}}", lambda one: environment.get(one.group(1), ""), word)
            )
    return found


def merged(manager: str, unit: UnitEnvironment, files: Iterable[str]) -> dict[str, str]:
    """The whole environment: *manager* is ``systemctl show-environment``, *files* the texts of the unit's."""
    found = assignments(word for line in manager.splitlines() for word in [" ".join(words(line))])
    found.update(unit.values)
    for text in files:
        found.update(file_assignments(text))
    for entry in unit.unset:
        name, sign, value = entry.partition("=")
        if not sign or found.get(name) == value:
            found.pop(name, None)
    return {name: value for name, value in found.items() if name not in _NEVER}
