# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""meta/runtime.yml and galaxy.yml against the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mutual_tls.nginx.tests.unit._repository import PLUGINS, ROOT, load_yaml


def module_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def group_faults(runtime: dict[str, Any], modules: list[str]) -> list[str]:
    """Modules with `base` that action_groups.all lacks, others that it names, names given twice."""
    group = list(runtime.get("action_groups", {}).get("all", []))
    missing = [f"{name}: not in action_groups.all" for name in modules if name not in group]
    unknown = [f"{name}: no module that takes base" for name in group if name not in modules]
    twice = [f"{name}: twice" for name in sorted(set(group)) if group.count(name) > 1]
    return missing + unknown + twice


def takes_base(name: str) -> bool:
    text = (PLUGINS / "modules" / f"{name}.py").read_text()
    return "base" in yaml.safe_load(text.split('DOCUMENTATION = r"""')[1].split('"""')[0])["options"]


def test_the_action_group_lists_exactly_the_modules_that_take_base() -> None:
    """`module_defaults: {group/mutual_tls.nginx.all: {base: …}}` reaches each of them and fails no other."""
    modules = [name for name in module_names(PLUGINS / "modules") if takes_base(name)]
    assert "release" in modules
    assert group_faults(load_yaml(ROOT / "meta" / "runtime.yml"), modules) == []


@pytest.mark.parametrize(
    ("group", "found"),
    [(["a", "b"], 0), (["a"], 1), (["a", "b", "c"], 1), (["a", "b", "b"], 1), ([], 2)],
)
def test_a_difference_is_found(group: list[str], found: int) -> None:
    assert len(group_faults({"action_groups": {"all": group}}, ["a", "b"])) == found


def test_each_action_plugin_has_a_module_of_its_name() -> None:
    """The module carries the documentation of the pair."""
    actions = {path.stem for path in PLUGINS.glob("action/[a-z]*.py")}
    assert actions - set(module_names(PLUGINS / "modules")) == set()


def test_galaxy_names_files_that_exist() -> None:
    galaxy = load_yaml(ROOT / "galaxy.yml")
    assert (ROOT / galaxy["readme"]).is_file()
    assert (ROOT / "COPYING").is_file()
    assert galaxy["license"] == ["GPL-3.0-or-later"]
