# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the project itself (layers, specs, docs) have in common: where things are."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
ROLES = ("nginx", "mtls_server", "mtls_proxy", "private_ca")
# The prefix of a role's public variables. `nginx_*` alone would collide with the popular nginx roles.
VARIABLE_PREFIXES = ("nginx_mtls_", "mtls_server_", "mtls_proxy_", "private_ca_")
# What is not part of the project although it lies in the checkout.
NOT_OURS = {".git", ".venv", ".cache", ".ansible", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"}


def load_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def files_below(*starts: str, suffixes: tuple[str, ...] = ()) -> list[Path]:
    """All files of the project below *starts* (folders or files, relative to the root), sorted.

    Not asked of git: the tests also run in the unpacked tarball.
    """
    found: list[Path] = []
    for start in starts:
        path = ROOT / start
        candidates = [path] if path.is_file() else path.rglob("*")
        for candidate in candidates:
            parts = candidate.relative_to(ROOT).parts
            if NOT_OURS.intersection(parts) or parts[:2] == ("tests", "output") or not candidate.is_file():
                continue
            if not suffixes or candidate.suffix in suffixes:
                found.append(candidate)
    return sorted(found)


def entry_points(role: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The options of each entry point of the role, as meta/argument_specs.yml has them."""
    specs = load_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")
    return {name: entry["options"] for name, entry in specs["argument_specs"].items()}


def role_options(role: str) -> dict[str, dict[str, Any]]:
    """The options of the entry point `main`: what a user sets in the inventory."""
    return entry_points(role)["main"]


def all_role_variables() -> set[str]:
    return {name for role in ROLES for name in role_options(role)}


def given_variables() -> set[str]:
    """Of all entry points. Those of the others are given by who includes the role, a user sets none."""
    return {name for role in ROLES for options in entry_points(role).values() for name in options}


def documentation(path: Path, variable: str) -> Any:
    """The YAML of DOCUMENTATION, EXAMPLES or RETURN of a plugin file, read without importing it."""
    import ast

    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == variable for t in node.targets):
            return yaml.safe_load(ast.literal_eval(node.value))
    return None


class SpecCaught(Exception):
    """Carries the arguments of AnsibleModule() out of main()."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments


@cache
def module_arguments(name: str) -> dict[str, Any]:
    """All with which the module *name* really calls AnsibleModule, or a class derived from it."""

    def caught(*_: object, **arguments: Any) -> None:
        raise SpecCaught(**arguments)

    module = importlib.import_module(f"ansible_collections.mutual_tls.nginx.plugins.modules.{name}")
    with mock.patch("ansible.module_utils.basic.AnsibleModule.__init__", caught):
        try:
            module.main()
        except SpecCaught as found:
            return found.arguments
    raise AssertionError(f"{name} has not called AnsibleModule")
