# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a private nginx is asked with a release's own tls.conf files, before anything of it is live.

``nginx -t`` passes a missing intermediate, wrong trust and a wrong purpose, and Python's ssl completes a
chain from its trust; only nginx itself answers as nginx will. Everything here is derived from the release's
texts; each server block has a socket of its own, because the default server of a socket governs the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .answers import Row
from .nginx_conf import Directive
from .trial_questions import Question, line, word
from .trial_routes import ROUTE_LINES, route_questions
from .trial_sites import SITE_LINES, site_questions

#: Of the main level: under whom it runs and what OpenSSL finds its keys by.
_MAIN_LINES = ("user", "load_module", "ssl_engine", "env")
ALIVE = "/.mtls/alive"


@dataclass(frozen=True)
class Trial:
    """*server*: the good client, and those to refuse. *proxy*: one for each server of each route.

    *unasked*: rows for what a trial cannot tell. *blocks*: nginx's server and upstream blocks, with
    ``@MTLS_RELEASE@`` for the release's directory, ``@MTLS_ID@`` for its id and ``@TRIAL@`` for the trial's.
    """

    server: tuple[Question, ...]
    proxy: tuple[Question, ...]
    unasked: tuple[Row, ...]
    blocks: str

    @property
    def empty(self) -> bool:
        return not self.server and not self.proxy


@dataclass(frozen=True)
class Surroundings:
    """What the trial takes from the live configuration: directives of its main and of its http level."""

    main: tuple[Directive, ...] = ()
    http: tuple[Directive, ...] = ()
    prefix: str = "/"
    without: frozenset[str] = frozenset()


def surroundings(
    tree: Sequence[Directive], prefix: str, without: frozenset[str] = frozenset()
) -> Surroundings:
    """*tree*: the dump of the live configuration; *prefix*: where relative module paths begin; *without*:
    http modules that nginx was built without, such as ``scgi``."""
    main = tuple(item for item in tree if item.name in _MAIN_LINES and item.block is None)
    http = [child for item in tree if item.name == "http" for child in item.block or ()]
    wanted = (*SITE_LINES[1:], *ROUTE_LINES)
    return Surroundings(main, tuple(item for item in http if item.name in wanted), prefix, without)


def trial(source: Mapping[str, bytes], identity: str, touched: frozenset[tuple[str, str]]) -> Trial:
    """The trial of a release. *touched*: what a call changes (``changes.changed_things``); the rest is not
    asked. Raises MtlsError for unreadable text."""
    server, blocks = site_questions(source, identity, touched)
    proxy, unasked, more = route_questions(source, touched, len(blocks))
    return Trial(tuple(server), tuple(proxy), tuple(unasked), "".join([*blocks, *more]))


def configuration(found: Trial, around: Surroundings, folder: str, directory: str, identity: str) -> str:
    """The whole text of the trial's nginx.conf. *folder*: its own directory; *directory*: the release's."""
    # Each listening socket takes a connection, each proxied request two.
    room = 2 * len(found.server) + 4 * len(found.proxy) + 128
    main = "".join(_main_line(item, around.prefix) for item in around.main)
    temporary = "".join(
        f"{name}_temp_path {word(f'{folder}/{name}')};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        if name not in around.without
    )
    text = (
        f"{main}daemon off;\nmaster_process on;\nworker_processes 1;\n"
        + (f"worker_rlimit_nofile {2 * room};\n" if room > 500 else "")
        + f"pid {word(folder + '/pid')};\nerror_log {word(folder + '/error.log')} info;\n"
        f"events {{ worker_connections {room}; }}\n"
        f"http {{\naccess_log off;\n{temporary}"
        + "".join(line(item) for item in around.http)
        + f"server {{ listen unix:@TRIAL@/alive.sock; location = {ALIVE} {{ return 204; }} }}\n"
        + found.blocks
        + "}\n"
    )
    text = text.replace("@MTLS_RELEASE@", directory).replace("@MTLS_ID@", identity)
    return text.replace("@TRIAL@", folder)


def _main_line(item: Directive, prefix: str) -> str:
    if item.name == "load_module" and item.args and not item.args[0].startswith("/"):
        return f"load_module {word(prefix.rstrip('/') + '/' + item.args[0])};\n"
    return line(item)
