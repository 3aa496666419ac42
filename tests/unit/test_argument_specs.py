# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs against what stands beside them: a role's defaults and tasks, a module's DOCUMENTATION."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mutual_tls.nginx.tests.unit._repository import (
    PLUGINS,
    ROLES,
    ROOT,
    VARIABLE_PREFIXES,
    documentation,
    entry_points,
    files_below,
    given_variables,
    load_yaml,
    module_arguments,
    role_options,
)

MODULES = sorted(path for path in PLUGINS.glob("modules/[a-z]*.py"))
UNSET = "(not set)"


def same(one: Any, other: Any) -> bool:
    """Equal in type, too: `0`, `false` and `"0"` are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# --- roles: defaults ---------------------------------------------------------------------------------------


def default_faults(options: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> list[str]:
    """Where the spec and defaults/main.yml differ, in keys or in values."""
    wanted = {name: option["default"] for name, option in options.items() if "default" in option}
    return [
        f"{name}: spec {wanted.get(name, UNSET)!r}, defaults {defaults.get(name, UNSET)!r}"
        for name in sorted({*wanted, *defaults})
        if not same(wanted.get(name, UNSET), defaults.get(name, UNSET))
    ]


def role_defaults(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    return (load_yaml(path) or {}) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES)
def test_spec_and_defaults_are_equal(role: str) -> None:
    assert default_faults(role_options(role), role_defaults(role)) == []


@pytest.mark.parametrize(
    ("options", "defaults", "found"),
    [
        ({"a": {"type": "int", "default": 1}}, {"a": 1}, 0),
        ({"a": {"type": "str"}}, {}, 0),
        ({"a": {"type": "int", "default": 1}}, {"a": 2}, 1),
        ({"a": {"type": "int", "default": 1}}, {}, 1),
        ({"a": {"type": "str"}}, {"a": ""}, 1),
        ({}, {"a": 1}, 1),
        ({"a": {"type": "int", "default": 0}}, {"a": False}, 1),
    ],
)
def test_a_difference_is_found(options: dict[str, Any], defaults: dict[str, Any], found: int) -> None:
    assert len(default_faults(options, defaults)) == found


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_literals(role: str) -> None:
    """What depends on the host is computed by the model; a template could not equal the spec's value."""
    assert [name for name, value in role_defaults(role).items() if "{{" in repr(value)] == []


def description_faults(options: dict[str, Any], place: str) -> list[str]:
    """Options, at any depth, without a description or a type."""
    found: list[str] = []
    for name, option in options.items():
        if not option.get("description") or not option.get("type"):
            found.append(f"{place}{name}")
        found += description_faults(option.get("options") or {}, f"{place}{name}.")
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_described(role: str) -> None:
    for name, options in entry_points(role).items():
        assert description_faults(options, "") == [], name


@pytest.mark.parametrize("role", ROLES)
def test_an_entry_point_has_tasks(role: str) -> None:
    named = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}
    assert set(entry_points(role)) <= named


def test_an_option_without_a_description_is_found() -> None:
    nested = {"a": {"type": "dict", "description": "x", "options": {"b": {"type": "str"}}}}
    assert description_faults(nested, "") == ["a.b"]


# --- roles: variables used ---------------------------------------------------------------------------------

# What `release` answered, for the report and for tasks of the user's own after a role.
RESULTS = {"mtls_server_result", "mtls_proxy_result"}
# `__mtls_server_x` is internal and `mtls_servers` a group: neither matches.
USED = re.compile(
    r"(?<![\w/@-])(?<!mutual_tls\.nginx\.)"
    rf"(?:{'|'.join(VARIABLE_PREFIXES)})[a-z0-9_]+(?!\w|\.(?:j2|ya?ml|conf)\b)"
)


def used_variables(text: str) -> set[str]:
    """Names with a role's prefix, comments left out (a line that begins with #)."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return set(USED.findall("\n".join(lines)))


def role_files(role: str) -> list[Path]:
    folders = [f"roles/{role}/{folder}" for folder in ("tasks", "templates", "handlers", "vars")]
    return files_below(*[folder for folder in folders if (ROOT / folder).is_dir()])


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_used_is_in_a_spec(role: str) -> None:
    known = given_variables() | RESULTS
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in role_files(role)
        for name in used_variables(path.read_text(encoding="utf-8")) - known
    }
    assert sorted(unknown) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_tasks(role: str) -> None:
    """Without this the test above would pass on an empty folder."""
    assert (ROOT / "roles" / role / "tasks" / "main.yml") in role_files(role)


def test_playbooks_use_known_variables() -> None:
    known = given_variables()
    used = {
        name
        for path in files_below("playbooks", "site.yml", suffixes=(".yml", ".j2"))
        for name in used_variables(path.read_text(encoding="utf-8"))
    }
    assert used - known - RESULTS == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("when: mtls_server_sitez | length > 0", {"mtls_server_sitez"}),
        ("{{ hostvars[h].private_ca_dirr }}", {"private_ca_dirr"}),
        ("register: __mtls_server_result", set()),
        ("hosts: mtls_servers:mtls_proxies", set()),
        ("  # mtls_server_old is gone", set()),
        ("src: mtls_server_site.conf.j2", set()),
        ("name: mutual_tls.nginx.mtls_server", set()),
        ("mutual_tls.nginx.private_ca_store:", set()),
        ("var: mtls_private_ca", set()),
        ("nginx_mtls_base ~ '/x'", {"nginx_mtls_base"}),
    ],
)
def test_which_names_count_as_variables(text: str, names: set[str]) -> None:
    assert used_variables(text) == names


# --- modules -----------------------------------------------------------------------------------------------

SECRET = re.compile(r"(_content|passphrase)$")
PLACE = re.compile(r"(_path|_uri)$")
COMPARED = ("type", "elements", "default", "required", "choices")


def option_faults(documented: dict[str, Any], spec: dict[str, Any], place: str = "") -> list[str]:
    """Where DOCUMENTATION and the argument spec differ, at any depth."""
    found = [f"{place}{name}: only in one of the two" for name in sorted(documented.keys() ^ spec.keys())]
    for name in sorted(documented.keys() & spec.keys()):
        for key in COMPARED:
            absent = {"type": "str", "required": False}.get(key)
            said, real = documented[name].get(key, absent), spec[name].get(key, absent)
            if not same(said, real):
                found.append(f"{place}{name}.{key}: documented {said!r}, real {real!r}")
        nested = documented[name].get("suboptions") or {}, spec[name].get("options") or {}
        found += option_faults(*nested, f"{place}{name}.")
    return found


def secrecy_faults(spec: dict[str, Any], place: str = "") -> list[str]:
    """`no_log: true` on content and passphrases; said explicitly, `false`, on what only names a place."""
    found: list[str] = []
    for name, option in spec.items():
        # `content` beside `path` is a source; beside `name` alone it is the text of a server block.
        secret = SECRET.search(name) or (name == "content" and "path" in spec)
        if secret and option.get("no_log") is not True:
            found.append(f"{place}{name}: no_log must be true")
        if PLACE.search(name) and option.get("no_log") is not False:
            found.append(f"{place}{name}: no_log must be false, explicitly")
        found += secrecy_faults(option.get("options") or {}, f"{place}{name}.")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_documentation_is_the_spec(path: Path) -> None:
    documented = documentation(path, "DOCUMENTATION")["options"]
    assert option_faults(documented, module_arguments(path.stem)["argument_spec"]) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_what_is_secret_is_marked(path: Path) -> None:
    assert secrecy_faults(module_arguments(path.stem)["argument_spec"]) == []


def test_there_are_modules() -> None:
    assert MODULES


@pytest.mark.parametrize(
    ("documented", "spec", "found"),
    [
        ("{a: {type: int, default: 1}}", {"a": {"type": "int", "default": 1}}, 0),
        ("{a: {type: str}}", {"a": {}}, 0),
        ("{a: {type: int, default: 1}}", {"a": {"type": "int", "default": 2}}, 1),
        ("{a: {type: int}}", {"a": {"type": "str"}}, 1),
        ("{a: {type: str}, b: {type: str}}", {"a": {}}, 1),
        ("{a: {type: dict, suboptions: {b: {type: str}}}}", {"a": {"type": "dict", "options": {}}}, 1),
        ("{a: {type: bool, default: false}}", {"a": {"type": "bool", "default": 0}}, 1),
    ],
)
def test_a_wrong_documentation_is_found(documented: str, spec: dict[str, Any], found: int) -> None:
    assert len(option_faults(yaml.safe_load(documented), spec)) == found


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"certificate_content": {"no_log": True}, "certificate_path": {"no_log": False}}, 0),
        ({"certificate_content": {}}, 1),
        ({"certificate_content": {"no_log": False}}, 1),
        ({"private_key_path": {}}, 1),
        ({"private_key_passphrase_path": {"no_log": False}}, 0),
        ({"a": {"options": {"private_key_passphrase": {}}}}, 1),
        ({"path": {}, "content": {}}, 1),
        ({"name": {}, "content": {}}, 0),
    ],
)
def test_a_bare_secret_is_found(spec: dict[str, Any], found: int) -> None:
    assert len(secrecy_faults(spec)) == found


# --- filters -----------------------------------------------------------------------------------------------

FILTERS = sorted(path for path in PLUGINS.glob("filter/[a-z]*.py"))


def filter_faults(function: Callable[..., Any], options: dict[str, Any]) -> list[str]:
    """Where a filter's parameters and its documented options differ. The first parameter is `_input`."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    real = {parameter.name: parameter.default for parameter in parameters}
    documented = {name: option for name, option in options.items() if name != "_input"}
    found = [f"{name}: only in one of the two" for name in sorted(real.keys() ^ documented.keys())]
    for name in sorted(real.keys() & documented.keys()):
        required = real[name] is inspect.Parameter.empty
        if required != documented[name].get("required", False):
            found.append(f"{name}: required differs")
        if not required and not same(real[name], documented[name].get("default")):
            found.append(f"{name}: default differs")
    return found


@pytest.mark.parametrize("path", FILTERS, ids=lambda p: p.stem)
def test_a_filter_has_a_page_of_its_own(path: Path) -> None:
    module = importlib.import_module(f"ansible_collections.mutual_tls.nginx.plugins.filter.{path.stem}")
    filters = module.FilterModule().filters()
    assert list(filters) == [path.stem]
    page = load_yaml(path.with_suffix(".yml"))
    assert filter_faults(filters[path.stem], page["DOCUMENTATION"]["options"]) == []
    assert f"mutual_tls.nginx.{path.stem}" in page["EXAMPLES"]
    assert yaml.safe_load(page["EXAMPLES"])


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("{_input: {}, side: {required: true}, at: {default: now}}", 0),
        ("{_input: {}, side: {required: true}}", 1),
        ("{_input: {}, side: {}, at: {default: now}}", 1),
        ("{_input: {}, side: {required: true}, at: {default: never}}", 1),
        ("{_input: {}, side: {required: true}, at: {default: now}, more: {}}", 1),
    ],
)
def test_a_wrong_page_of_a_filter_is_found(options: str, found: int) -> None:
    def example(value: str, side: str, at: str = "now") -> None:
        """A filter."""

    assert len(filter_faults(example, yaml.safe_load(options))) == found
