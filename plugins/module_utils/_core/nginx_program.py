# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an nginx was built with and started with, and which configuration it therefore reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import MtlsError


@dataclass(frozen=True)
class Built:
    """What ``nginx -V`` says. *version* as numbers, the paths as compiled in: they may be relative.

    *without*: the http modules that were left out, such as ``scgi``. *openssl*: the version that it runs
    with, "" where it does not say. *user*: of the workers, where no directive names one.
    """

    version: tuple[int, ...]
    prefix: str
    conf_path: str
    pid_path: str
    error_log: str
    without: frozenset[str] = frozenset()
    openssl: str = ""
    user: str = "nobody"


def built(said: str, binary: str) -> Built:
    """Of what ``nginx -V`` has *said*. Raises MtlsError where that names no version."""
    version = re.search(r"nginx version: \S*?/(\d+(?:\.\d+)*)", said)
    if not version:
        raise MtlsError("'nginx -V' names no version.", binary, "Is this nginx?")

    openssl = re.findall(r"(?:built|running) with OpenSSL (\S+)", said)

    def option(name: str, default: str) -> str:
        found = re.search(rf"--{name}=(\S+)", said)
        return found.group(1) if found else default

    return Built(
        tuple(int(number) for number in version.group(1).split(".")),
        option("prefix", "/usr/local/nginx"),
        option("conf-path", "conf/nginx.conf"),
        option("pid-path", "logs/nginx.pid"),
        option("error-log-path", "logs/error.log"),
        frozenset(re.findall(r"--without-http_(\w+?)_module", said)),
        # Where it runs with another one than it was built with, it says both.
        openssl[-1] if openssl else "",
        option("user", "nobody"),
    )


@dataclass(frozen=True)
class Invocation:
    """What an nginx was started with: ``-p``, ``-c``, ``-g`` and ``-e``, "" where it was not given."""

    prefix: str = ""
    conf: str = ""
    directives: str = ""
    error_log: str = ""

    def arguments(self) -> list[str]:
        """The arguments that a test needs to see what the master sees; ``-c`` is the caller's."""
        given = (("-p", self.prefix), ("-g", self.directives), ("-e", self.error_log))
        return [word for option, value in given if value for word in (option, value)]


def invocation(words: Sequence[str]) -> Invocation:
    """Of a master's argv, its program first, as ngx_get_options() reads it (nginx: src/core/nginx.c).

    Quotes are lost in a process title and in what systemd prints: the directives of ``-g`` reach up to the
    next word that begins with a dash.
    """
    values = dict.fromkeys("pcges", "")
    waiting = ""
    for word in words[1:]:
        if word.startswith("-") and len(word) > 1 and (not waiting or waiting == "g"):
            waiting = next((letter for letter in word[1:] if letter in values), "")
            rest = word[1:].partition(waiting)[2] if waiting else ""
            if rest:
                values[waiting] = rest
                waiting = waiting if waiting == "g" else ""
        elif waiting == "g":
            values["g"] = f"{values['g']} {word}".strip()
        elif waiting:
            values[waiting], waiting = word, ""
    return Invocation(values["p"], values["c"], values["g"], values["e"])


def configuration_path(built: Built, started: Invocation) -> str:
    """The main file of a master with these arguments, else the compiled-in one; a relative one is completed
    with the prefix (nginx: ngx_process_options)."""
    return posixpath.normpath(
        posixpath.join("/", started.prefix or built.prefix, started.conf or built.conf_path)
    )


def below(base: str, directory: str) -> bool:
    return base != directory and posixpath.commonpath([directory, base]) == directory


def started(base: str, program: Built, running: Sequence[Invocation], unit: Invocation) -> Invocation:
    """What the nginx that *base* belongs to was, or will be, started with.

    What runs counts more than what the unit says. Other instances, whose configuration lies elsewhere, are
    not ours.
    """
    paths = {one: configuration_path(program, one) for one in (*running, unit, Invocation())}
    fitting = [one for one, path in paths.items() if below(base, posixpath.dirname(path))]
    if unit in fitting and (unit in running or len({paths[one] for one in running}) > 1):
        return unit
    return fitting[0] if fitting else unit
