# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that people copy, of EXAMPLES and of pages, holds against what is really there.

A task of ours is put to the argument spec by which its module calls AnsibleModule, a filter in an expression
to the function's parameters, variables and inventories to the model. Those of credential_info, ca_bundle,
crl_bundle and the README run in test_through_ansible.py.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2 import nodes

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.fleet import fleet_model
from ansible_collections.mutual_tls.nginx.tests.unit._repository import (
    PLUGINS,
    ROOT,
    VARIABLE_PREFIXES,
    documentation,
    files_below,
    load_yaml,
    module_arguments,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, fleet, load

OURS = "mutual_tls.nginx."
GROUPS = ("mtls_servers", "mtls_proxies")
MODULES = sorted(path.stem for path in PLUGINS.glob("modules/[a-z]*.py"))
FILTERS = sorted(path.stem for path in PLUGINS.glob("filter/[a-z]*.py"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Pages whose blocks are EXAMPLES.
GENERATED = ("modules.md", "filters.md")
PAGES = [
    path
    for path in files_below("README.md", "CONTRIBUTING.md", "docs", "examples", suffixes=(".md",))
    if path.name not in GENERATED
]
#: What stands for a value that is a template.
STAND_INS: dict[str, Any] = {"list": [], "dict": {}, "int": 1, "float": 1, "bool": True}


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def plain(value: Any, option: dict[str, Any]) -> Any:
    """*value* with something of the right type for each template in it."""
    if is_template(value):
        return STAND_INS.get(option.get("type", "str"), option.get("choices", ["x"])[0])
    inner = option.get("options")
    if isinstance(value, list):
        return [plain(item, {**option, "type": option.get("elements", "str")}) for item in value]
    if isinstance(value, dict) and inner:
        return {name: plain(item, inner.get(name, {})) for name, item in value.items()}
    return value


def task_faults(task: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a task of one of our modules, and with the filters in any task."""
    for key, given in task.items():
        if key.startswith(OURS):
            name = key[len(OURS) :]
            if name not in MODULES:
                yield f"no module {key}"
                continue
            rules = module_arguments(name)
            wanted = {"argument_spec", "mutually_exclusive", "required_together", "required_one_of"}
            wanted |= {"required_if", "required_by"}
            validator = ArgumentSpecValidator(**{rule: rules[rule] for rule in wanted & rules.keys()})
            arguments = plain(given or {}, {"options": rules["argument_spec"]})
            yield from validator.validate(arguments).error_messages
    for text in texts(task):
        yield from filter_faults(text)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def filter_faults(text: str) -> Iterator[str]:
    """Filters of ours that do not exist, or that take other arguments."""
    if OURS not in text:
        return
    tree = jinja2.Environment(autoescape=True).parse(text if is_template(text) else "{{" + text + "}}")
    for found in tree.find_all(nodes.Filter):
        if not found.name.startswith(OURS):
            continue
        name = found.name[len(OURS) :]
        if name not in FILTERS:
            yield f"no filter {found.name}"
            continue
        given = {argument.key: argument.value for argument in found.kwargs}
        try:
            inspect.signature(filter_of(name)).bind(None, *found.args, **given)
        except TypeError as error:
            yield f"{found.name}: {error}"


def filter_of(name: str) -> Callable[..., Any]:
    module = importlib.import_module(f"ansible_collections.mutual_tls.nginx.plugins.filter.{name}")
    found: Callable[..., Any] = module.FilterModule().filters()[name]
    return found


def tasks_of(content: Any) -> list[dict[str, Any]]:
    """The tasks of a list of tasks or of plays."""
    found: list[dict[str, Any]] = []
    for entry in content:
        inner = [entry.get(part) or [] for part in ("pre_tasks", "tasks", "block", "rescue", "always")]
        below = [task for tasks in inner for task in tasks]
        found += tasks_of(below) if below else [entry]
    return found


def block_faults(content: Any, folder: Path) -> list[str]:
    """What is wrong with a block of a page: plays, tasks, variables, or an inventory."""
    if isinstance(content, list):
        return [fault for task in tasks_of(content) for fault in task_faults(task)]
    try:
        if set(content) & {*GROUPS, "all"}:
            (folder / "inventory.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
            hostvars, groups = load(str(folder / "inventory.yml"))
            fleet_model(hostvars, None, groups)
        elif all(name.startswith(VARIABLE_PREFIXES) for name in content):
            fleet(folder, {A: content}, {B: content})
        else:
            return [f"neither tasks nor variables of ours nor an inventory: {', '.join(content)}"]
    except MtlsError as error:
        return [str(error)]
    return []


def example_faults(name: str, examples: Any) -> list[str]:
    found = [fault for task in tasks_of(examples) for fault in task_faults(task)]
    uses = any(f"{OURS}{name}" in key for task in examples for key in [*task, *texts(task)])
    return found if uses else [*found, f"none of them uses {name}"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name: str) -> None:
    examples = documentation(PLUGINS / "modules" / f"{name}.py", "EXAMPLES")
    assert example_faults(name, examples) == []


@pytest.mark.parametrize("name", FILTERS)
def test_the_examples_of_a_filter(name: str) -> None:
    page = load_yaml(PLUGINS / "filter" / f"{name}.yml")
    assert example_faults(name, yaml.safe_load(page["EXAMPLES"])) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert [fault for block in blocks for fault in block_faults(yaml.safe_load(block), tmp_path)] == []


def test_pages_have_blocks() -> None:
    counts = [
        len(BLOCK.findall((ROOT / page).read_text(encoding="utf-8")))
        for page in ("README.md", "docs/operations.md")
    ]
    assert min(counts) >= 2


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("mutual_tls.nginx.release: {state: absent}", ""),
        ("mutual_tls.nginx.release: {state: gone}", "state must be one of"),
        ("mutual_tls.nginx.release: {stat: absent}", "stat. Supported parameters"),
        ("mutual_tls.nginx.relaese: {state: absent}", "no module mutual_tls.nginx.relaese"),
        ("mutual_tls.nginx.release: {parts: {proxy: {credentials: [{name: client, purpos: x}]}}}", "purpos"),
        ('mutual_tls.nginx.release: {parts: {proxy: {credentials: "{{ mine }}"}}}', ""),
        ("mutual_tls.nginx.release: {keep: many}", "int"),
        ('mutual_tls.nginx.release: {keep: "{{ many }}"}', ""),
        ("mutual_tls.nginx.ca_bundle: {sources: []}", "path"),
        ("mutual_tls.nginx.ca_bundle: {path: /x, sources: [{path: /a, content: b}]}", "mutually exclusive"),
        ("ansible.builtin.debug: {var: anything}", ""),
        ('ansible.builtin.debug: {msg: "{{ a | mutual_tls.nginx.mtls_model(groups=b) }}"}', ""),
        ('ansible.builtin.debug: {msg: "{{ a | mutual_tls.nginx.mtls_model(group=b) }}"}', "group"),
        ("ansible.builtin.debug: {var: a | mutual_tls.nginx.mtls_site_report}", "missing"),
        ('ansible.builtin.debug: {msg: "{{ a | mutual_tls.nginx.mtls_modle }}"}', "no filter"),
    ],
)
def test_a_wrong_task_is_found(task: str, says: str) -> None:
    faults = block_faults([yaml.safe_load(task)], Path())
    assert (says in " ".join(faults) and len(faults) == 1) if says else faults == []


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("mtls_server_sites: [{name: orders}]", ""),
        ("mtls_server_sites: [{nam: orders}]", "mtls_server_sites[0].nam"),
        ("mtls_server_sitez: []", "no such variable"),
        ("mtls_servers: {hosts: {a1: {}}}", ""),
        ("mtls_servers: {hosts: {a1: {mtls_server_sites: [{name: UPPER}]}}}", "UPPER"),
        ("[{hosts: a1, tasks: [{mutual_tls.nginx.release: {too: prepared}}]}]", "too"),
        ("[{hosts: a1, tasks: [{mutual_tls.nginx.release: {to: prepared}}]}]", ""),
        ("server: {listen: 443}", "neither"),
    ],
)
def test_a_wrong_block_is_found(block: str, says: str, tmp_path: Path) -> None:
    faults = block_faults(yaml.safe_load(block), tmp_path)
    assert (says in " ".join(faults) and len(faults) == 1) if says else faults == []
