# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both parts of a trial have in common (``_core/trial.py``): the question, and how text is written."""

from __future__ import annotations

from dataclasses import dataclass

from .nginx_conf import Directive
from .probes import Probe

#: What a question's path begins with; its number ends it.
PATH = "/.mtls/trial/"
#: A socket of a path has none; a Probe has one all the same.
SOME_PORT = 443


@dataclass(frozen=True)
class Question:
    """*asked*: the request to the trial nginx.

    *shown*: the same question as people read it, with a key that is the same for another release. *number*:
    what the request's path ends with, by which its lines in the error log are found.
    """

    asked: Probe
    shown: Probe
    number: int


def line(item: Directive) -> str:
    return " ".join([item.name, *map(word, item.args)]) + ";\n"


def word(text: str) -> str:
    """One argument in quotes, so that nothing in it ends the directive."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
