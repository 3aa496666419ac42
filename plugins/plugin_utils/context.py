# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading the variables of one host needs beside them, and where its problems go."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import Problems, suggest


class Context:
    """What reading one host needs: its name, where relative paths begin, and where problems go."""

    def __init__(self, host: str, inventory_dir: str | None) -> None:
        self.host = host
        #: Other names by which a route may call the host.
        self.aliases: set[str] = set()
        #: Where each route stands.
        self.route_places: list[str] = []
        self.inventory_dir = inventory_dir
        self.problems = Problems()
        self.warnings: list[str] = []

    def parse(self, form: Callable[..., Any], value: Any, place: str, fallback: Any = None) -> Any:
        """``form(value)``, or *fallback* and a problem at *place*."""
        try:
            return form(value)
        except MtlsError as error:
            self.problems.add_error(place, error)
            return fallback

    def each(self, form: Callable[..., Any], values: list[Any], place: str) -> list[Any]:
        """The good ones of *values* by *form*; a bad or repeated one is a problem."""
        good: dict[Any, None] = {}
        for index, value in enumerate(values):
            parsed = self.parse(form, value, f"{place}[{index}]")
            if parsed in good:
                self.problems.add(f"{place}[{index}]", f"{value!r} stands there twice.")
            elif parsed is not None:
                good[parsed] = None
        return list(good)

    def count(self, value: Any, place: str, word: Any, most: int) -> Any:
        """A whole number from 0 to *most*, or *word* for ``auto``."""
        if value == "auto":
            return word
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or int(text) > most:
            self.problems.add(place, f'{value!r} is neither "auto" nor a whole number from 0 to {most}.')
            return word
        return int(text)

    def file(self, value: str | None, place: str, secret: bool = False) -> str | None:
        """A controller path made absolute: beside the inventory, or in the working directory if it is there.

        Whether the file can be read is not checked: who reads it says where it looked. Content in place of a
        path is refused without showing it, and so is a *secret* that is neither absolute nor a file.
        """
        if value is None:
            return None
        if "-----BEGIN" in value or "\n" in value or not value.strip():
            self.problems.add(place, "must be the path of a file on the controller (the value is not shown).")
            return None
        path = os.path.expanduser(value)
        if os.path.isabs(path):
            return os.path.normpath(path)
        if not self.inventory_dir:
            self.problems.add(
                place,
                "is a relative path, and the inventory has no directory.",
                "Use an inventory file or an absolute path.",
            )
            return None
        looked = [os.path.normpath(os.path.join(base, path)) for base in (self.inventory_dir, os.getcwd())]
        there = [candidate for candidate in looked if os.path.exists(candidate)]
        if secret and not there:
            self.problems.add(
                place,
                "names no file (the value is not shown, it may be the passphrase itself).",
                "Put the passphrase into a file beside the inventory, vault-encrypted.",
            )
            return None
        return there[0] if there else looked[0]


def check_names(entries: list[dict[str, Any]], variable: str, what: str, context: Context) -> None:
    """Each element's name is one, and no two are the same."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name, place = entry["name"], f"{variable}[{index}].name"
        if name is None:
            continue
        context.parse(forms.name, name, place)
        if name in seen:
            context.problems.add(place, f"there are two {what}s called {name!r}.")
        seen.add(name)


def check_ids(entries: list[dict[str, Any]], variable: str, what: str, context: Context) -> None:
    """No two names are one to nginx, which ignores case in variables and upstreams (ngx_strncasecmp)."""
    seen: dict[str, str] = {}
    for index, entry in enumerate(entries):
        name = entry["name"] or ""
        other = seen.setdefault(name.replace("-", "d"), name)  # as the templates write it, but in lower case
        if other != name:
            context.problems.add(
                f"{variable}[{index}].name",
                f"{name!r} and {other!r} are one name to nginx, for which the - of a {what} is a D.",
                "Choose another name.",
            )


def choose(wanted: str, names: list[str], usual: str, place: str, context: Context) -> str:
    """The credential of a site or route: the one named, else the only one, else the one called *usual*."""
    if wanted in names:
        return wanted
    if wanted:
        context.problems.add(
            place,
            f"there is no credential {wanted!r}.",
            suggest(wanted, names) or f"There is: {_listed(names)}.",
        )
        return ""
    if len(names) == 1:
        return names[0]
    if usual in names:
        return usual
    context.problems.add(
        place,
        f"must be given: there are several credentials and none called {usual!r}."
        if names
        else "there is no credential at all.",
    )
    return ""


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
