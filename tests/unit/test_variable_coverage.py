# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each variable is changed from its default in a scenario: `make coverage-variables` says in which.

A credential's option counts wherever it stands, in an element or in the defaults that are laid under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import sites
from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROLES, ROOT, load_yaml, role_options

# Scenario to the files and folders of what its user writes.
INVENTORIES = {
    "default": ["molecule/default/inventory.yml"],
    "fleet": ["examples/fleet", "molecule/fleet/host_vars"],
    "rollback": ["molecule/resources/inventory.yml"],
    "recover": ["molecule/resources/inventory.yml"],
    "recover_fleet": ["molecule/resources/inventory.yml"],
    "diagnose": ["molecule/resources/inventory.yml"],
    "rotate": ["molecule/resources/inventory.yml"],
    "revoke": ["molecule/resources/inventory.yml"],
    "rotate_ca": ["molecule/resources/inventory.yml"],
    "multi": ["molecule/multi/inventory.yml"],
    "package": ["examples/simple"],
    "alternative": ["molecule/alternative/project"],
    "stop": ["molecule/stop/inventory.yml"],
}
# Option to why no scenario can change it. Keep it nearly empty.
REASONS: dict[str, str] = {}
Options = Mapping[str, Mapping[str, Any]]


# In the place of a name that the user chooses.
ANY = "*"


def below(path: str, option: Mapping[str, Any]) -> str:
    """What the paths of an option's own options begin with."""
    return f"{path}[]." if option.get("type") == "list" else f"{path}."


def paths(options: Options, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each option at any depth, with its path as docs/variables.md writes it."""
    for name, option in options.items():
        path = f"{place}{name}"
        yield path, option
        yield from paths(option.get("options") or {}, below(path, option))


def changed(options: Options, given: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """The paths of the options that are given, and not as their default is."""
    for name, value in given.items():
        if (key := name if name in options else ANY) not in options:
            continue
        option, path = options[key], f"{place}{key}"
        # YAML has true for on and false for off.
        if option.get("type") == "str" and isinstance(value, bool):
            value = "on" if value else "off"
        if value is not None and ("default" not in option or value != option["default"]):
            yield path
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from changed(option.get("options") or {}, item, below(path, option))


def of_elements(path: str) -> str:
    """The defaults that are laid under each credential have the options of a credential."""
    return path.replace("_credential_defaults.", "_credentials[].")


def can_change(option: Mapping[str, Any]) -> bool:
    """Not where there is but one choice."""
    return option.get("choices") != [option.get("default")]


def sets_of_variables(source: Path) -> Iterator[Mapping[str, Any]]:
    """All that an inventory sets: in group_vars and host_vars, and `vars` and hosts of its own file."""
    files = [source] if source.is_file() else sorted(source.rglob("*.yml"))
    for file in files:
        content = load_yaml(file)
        if {"group_vars", "host_vars"} & set(file.parts):
            yield content
        elif file.name == "inventory.yml":
            yield from _of_groups(content)


def _of_groups(groups: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in groups.values():
        yield (group or {}).get("vars") or {}
        yield from ((group or {}).get("hosts") or {}).values()
        yield from _of_groups((group or {}).get("children") or {})


def covered(options: Options, inventories: Mapping[str, list[Path]]) -> dict[str, list[str]]:
    """Each option that can be changed: the scenarios that do so."""
    found: dict[str, list[str]] = {
        of_elements(path): [] for path, option in paths(options) if can_change(option)
    }
    for scenario, sources in inventories.items():
        given = [variables for source in sources for variables in sets_of_variables(source) if variables]
        for path in {of_elements(path) for variables in given for path in changed(options, variables)}:
            found[path].append(scenario)
    return found


def all_options() -> dict[str, dict[str, Any]]:
    """Those of the specs, and what lies below two of them, which the model reads by itself."""
    options = {name: option for role in ROLES for name, option in role_options(role).items()}
    options["mtls_server_tls_profiles"]["options"] = {ANY: {"type": "dict", "options": sites._PROFILE}}
    options["mtls_server_sites"]["options"]["error_pages"]["options"] = sites._ERROR_PAGES
    return options


@pytest.fixture(scope="module")
def table() -> dict[str, list[str]]:
    inventories = {name: [ROOT / source for source in sources] for name, sources in INVENTORIES.items()}
    return covered(all_options(), inventories)


def test_each_variable_is_changed_in_a_scenario(table: dict[str, list[str]]) -> None:
    for path, scenarios in table.items():
        print(f"{path:<58} {', '.join(scenarios) or REASONS.get(path, '-')}")
    assert [path for path, scenarios in table.items() if not scenarios and path not in REASONS] == []


def test_a_reason_is_given_where_one_is_needed(table: dict[str, list[str]]) -> None:
    assert [path for path in REASONS if table.get(path, ["unknown"])] == []


def test_all_scenarios_are_read() -> None:
    assert {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")} == set(INVENTORIES)
    assert all((ROOT / source).exists() for sources in INVENTORIES.values() for source in sources)


SPEC = {
    "mtls_server_sites": {
        "type": "list",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "verify": {"type": "str", "default": "on"},
            "backend": {
                "type": "raw",
                "default": "http://x",
                "options": {"keepalive": {"type": "int", "default": 64}},
            },
        },
    },
    "mtls_server_credential_defaults": {
        "type": "dict",
        "default": {},
        "options": {"depth": {"type": "int", "default": 1}},
    },
    "mtls_server_credentials": {
        "type": "list",
        "default": [],
        "options": {
            "depth": {"type": "int", "default": 1},
            "store": {"type": "str", "choices": ["file"], "default": "file"},
        },
    },
    "profiles": {
        "type": "dict",
        "default": {},
        "options": {ANY: {"type": "dict", "options": {"curves": {"type": "list", "default": []}}}},
    },
}
WHOLE = """
all:
  vars:
    profiles: {mine: {curves: [P-256]}}
    mtls_server_sites:
      - {name: x, verify: optional, backend: {keepalive: 8}}
  children:
    mtls_servers:
      hosts:
        a1:
          mtls_server_credentials: [{store: file}]
          mtls_server_credential_defaults: {depth: 2}
"""


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("", "", []),
        ("depth: 2", "depth: 1", ["mtls_server_credentials[].depth"]),
        ("verify: optional, ", "", ["mtls_server_sites[].verify"]),
        ("verify: optional", "verify: on", ["mtls_server_sites[].verify"]),
        ("{keepalive: 8}", "http://y", ["mtls_server_sites[].backend.keepalive"]),
        ("keepalive: 8", "keepalive: 64", ["mtls_server_sites[].backend.keepalive"]),
        ("[{store: file}]", "[]", ["mtls_server_credentials"]),
        ("depth: 2", "depth: null", ["mtls_server_credentials[].depth"]),
        ("[P-256]", "[]", ["profiles.*.curves"]),
    ],
)
def test_one_that_is_changed_nowhere_is_named(old: str, new: str, missing: list[str], tmp_path: Path) -> None:
    """Each row but the first leaves one out, or gives it its default."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(WHOLE.replace(old, new))
    found = covered(SPEC, {"one": [inventory]})
    assert [path for path, scenarios in found.items() if not scenarios] == missing


def test_group_vars_and_host_vars_are_read(tmp_path: Path) -> None:
    for name, text in (("group_vars/all", "depth: 2"), ("host_vars", "depth: 1"), ("tasks", "depth: 3")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a1.yml").write_text(text)
    options = {"depth": {"type": "int", "default": 1}}
    assert covered(options, {"one": [tmp_path]}) == {"depth": ["one"]}
    assert covered(options, {"one": [tmp_path / "host_vars"]}) == {"depth": []}
