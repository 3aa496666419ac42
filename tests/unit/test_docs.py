# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read: commands, links, variables and examples must be true, generated pages current."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import (
    ca_rotation_options,
    diagnosis_run,
    revocation_run,
    rotation_options,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import options as audit_options
from ansible_collections.mutual_tls.nginx.tests.unit._repository import (
    PLUGINS,
    ROLES,
    ROOT,
    VARIABLE_PREFIXES,
    all_role_variables,
    documentation,
    files_below,
    load_yaml,
)

PAGES = files_below("README.md", "CONTRIBUTING.md", "docs", "examples", suffixes=(".md",))
GALAXY = load_yaml(ROOT / "galaxy.yml")
COLLECTION = f"{GALAXY['namespace']}.{GALAXY['name']}"
TARBALL = f"{GALAXY['namespace']}-{GALAXY['name']}-{GALAXY['version']}.tar.gz"
# Where a command of a page is run, tried in this order: a clone, or a project copied from an example.
PROJECTS = (ROOT, ROOT / "examples" / "simple", ROOT / "examples" / "fleet")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


pages = pytest.mark.parametrize("page", PAGES, ids=name_of)

# --- commands ----------------------------------------------------------------------------------------------

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The lines of all `sh` and `console` blocks without prompt, comment and output."""
    found: list[str] = []
    for language, block in FENCE.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        if language == "console":
            lines = [line[2:] for line in lines if line.startswith(("$ ", "# "))]
        elif language != "sh":
            continue
        found += [line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    return found


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9_-]*):(?!=)", makefile, re.MULTILINE))


def exists_in_a_project(path: str) -> bool:
    installed = f"ansible_collections/{GALAXY['namespace']}/{GALAXY['name']}/"
    path = path.split(installed)[-1]
    return any((project / path).exists() for project in PROJECTS)


def command_fault(command: str, targets: set[str]) -> str:
    """What in this command does not exist; says nothing of programs that it does not know."""
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    program, arguments = words[0], [word for word in words[1:] if not word.startswith("-")]
    if program == "make":
        unknown = {word for word in arguments if "=" not in word} - targets
        return f"no target {unknown}" if unknown else ""
    if program == "ansible-playbook":
        books = [word for word in arguments if word.endswith(".yml")]
        return next((f"no file {book}" for book in books if not exists_in_a_project(book)), "")
    if program == "ansible-galaxy":
        archives = [word for word in arguments if word.endswith(".tar.gz")]
        return next((f"{a} is not {TARBALL}" for a in archives if Path(a).name != TARBALL), "")
    if program == "ansible-doc":
        known = {f"{COLLECTION}.{name}" for name in [*ROLES, *plugin_names()]}
        return next((f"no {word}" for word in arguments if "." in word and word not in known), "")
    if program == "cp":
        return "" if exists_in_a_project(arguments[0]) else f"no {arguments[0]}"
    return ""


def plugin_names() -> list[str]:
    return [path.stem for path in files_below("plugins/modules", "plugins/filter", suffixes=(".py", ".yml"))]


@pages
def test_commands_exist(page: Path) -> None:
    targets = make_targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    found = commands(page.read_text(encoding="utf-8"))
    faults = {command: command_fault(command, targets) for command in found}
    assert {command: fault for command, fault in faults.items() if fault} == {}


def test_the_readme_has_the_two_commands() -> None:
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert {"make demo", "make test"} <= set(found)


@pytest.mark.parametrize(
    ("command", "good"),
    [
        ("make demo", True),
        ("make demmo", False),
        ("make demo HOSTS=3", True),
        ("ansible-playbook site.yml", True),
        ("ansible-playbook --check --diff site.yml", True),
        ("ansible-playbook no-such-playbook.yml", False),
        (f"ansible-galaxy collection install {TARBALL}", True),
        ("ansible-galaxy collection install mutual_tls-nginx-9.9.9.tar.gz", False),
        (f"ansible-doc -t role {COLLECTION}.mtls_server", True),
        (f"ansible-doc -t role {COLLECTION}.mtls_sever", False),
        ("cp -r ~/x/ansible_collections/mutual_tls/nginx/examples/simple fleet", True),
        ("cp -r ~/x/ansible_collections/mutual_tls/nginx/examples/simpel fleet", False),
    ],
)
def test_which_commands_are_found_wrong(command: str, good: bool) -> None:
    assert (command_fault(command, {"demo"}) == "") is good


def test_commands_are_read_from_blocks_only() -> None:
    text = "make no\n```sh\n# say\nmake a # why\ncp \\\n  x y\n```\n```console\n$ make b\nout\n```\n"
    assert commands(text) == ["make a", "cp    x y", "make b"]
    assert commands("```yaml\nmake: c\n```\n") == []


# --- links -------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def anchors(text: str) -> set[str]:
    """Anchors of the headings as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_faults(text: str, place: Path) -> list[str]:
    """Links to files or headings that do not exist. Not checked: addresses of other sites."""
    found: list[str] = []
    for pair in LINK.findall(FENCE.sub("", text)):
        link = pair[0] or pair[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, dummy, anchor = link.partition("#")
        target = (place.parent / path).resolve() if path else place
        if path and not target.exists():
            found.append(link)
        elif anchor and target.suffix == ".md":
            page = text if target == place else target.read_text(encoding="utf-8")
            found += [link] if anchor not in anchors(page) else []
    return found


@pages
def test_links_resolve(page: Path) -> None:
    assert link_faults(page.read_text(encoding="utf-8"), page) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](galaxy.yml)", 0),
        ("[a](no-such-file.md)", 1),
        ("# One two\n[a](#one-two)", 0),
        ("# One two\n[a](#one-three)", 1),
        ("[a](https://www.gnu.org/x)", 0),
        ("```sh\n[a](no-such-file.md)\n```", 0),
        ('<img src="no-such.svg">', 1),
    ],
)
def test_a_dead_link_is_found(text: str, found: int) -> None:
    assert len(link_faults(text, ROOT / "page.md")) == found


# --- variables ---------------------------------------------------------------------------------------------

# Extra vars of one run; each must be read by a playbook.
RUN_OPTIONS = (
    {"site_batches"}
    | {f"rotate_{name}" for name in rotation_options.NAMES}
    | {f"rotate_ca_{name}" for name in ca_rotation_options.NAMES}
    | {f"revoke_{name}" for name in revocation_run.NAMES}
    | {f"audit_{name}" for name in audit_options.NAMES}
    | {f"diagnose_{name}" for name in diagnosis_run.NAMES}
)
NAMED = re.compile(
    rf"(?<![\w/@.-])(?:{'|'.join(VARIABLE_PREFIXES)}|site_|rotate_|revoke_|audit_|diagnose_)[a-z0-9_]+"
)


def unknown_variables(text: str, known: set[str]) -> list[str]:
    return sorted(set(NAMED.findall(text)) - known)


@pages
def test_pages_name_only_documented_variables(page: Path) -> None:
    known = all_role_variables() | RUN_OPTIONS | set(plugin_names()) | {"rotate_ca"}
    assert unknown_variables(page.read_text(encoding="utf-8"), known) == []


def test_run_options_are_refused_in_the_inventory() -> None:
    (task,) = (
        task for task in load_yaml(ROOT / "roles" / "nginx" / "tasks" / "run_options.yml") if "loop" in task
    )
    listed = task["vars"]["__nginx_mtls_run_options"]
    assert sorted(listed) == sorted(RUN_OPTIONS)
    assert {name for name, value in task["vars"].items() if value is None} == RUN_OPTIONS


def test_every_public_variable_is_on_the_page_of_variables() -> None:
    page = (ROOT / "docs" / "variables.md").read_text(encoding="utf-8")
    assert [name for name in sorted(all_role_variables()) if f"`{name}`" not in page] == []


def test_an_undocumented_variable_is_found() -> None:
    text = "set `mtls_server_sitez`, `nginx_mtls_base` and rotate_everything; mtls_servers is a group"
    assert unknown_variables(text, {"nginx_mtls_base"}) == ["mtls_server_sitez", "rotate_everything"]


# --- generated pages and the changelog ---------------------------------------------------------------------


def stale_pages(root: Path) -> tuple[int, str]:
    """What `docs/generate.py --check` says below *root*."""
    run = subprocess.run(
        [sys.executable, str(root / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_generated_pages_are_current() -> None:
    """`python docs/generate.py` writes them anew."""
    assert stale_pages(ROOT) == (0, "")


@pytest.mark.parametrize(
    ("source", "before", "after", "page"),
    [
        ("plugins/modules/release.py", "short_description: Install", "short_description: Put", "modules.md"),
        ("plugins/doc_fragments/attributes.py", "Can run in check mode", "Can check", "modules.md"),
        ("plugins/action/release.py", "Brings the controller's", "Takes the controller's", "modules.md"),
        ("plugins/filter/mtls_model.yml", "short_description: The", "short_description: A", "filters.md"),
        ("roles/nginx/meta/argument_specs.yml", "default: 3", "default: 4", "variables.md"),
        ("plugins/module_utils/_core/findings.py", "The private key", "The key", "findings.md"),
        ("docs/openssl.md", "OpenSSL", "openssl", "openssl.md"),
    ],
)
def test_a_stale_page_is_found(tmp_path: Path, source: str, before: str, after: str, page: str) -> None:
    differences = "tests/unit/plugins/module_utils/differences.py"
    (tmp_path / differences).parent.mkdir(parents=True)
    shutil.copy(ROOT / differences, tmp_path / differences)
    for folder in ("docs", "plugins", "roles"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
        )
    text = (tmp_path / source).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / source).write_text(text.replace(before, after), encoding="utf-8")
    assert stale_pages(tmp_path) == (1, f"docs/{page} is stale: run python docs/generate.py\n")


def option_paths(options: dict[str, Any], inner: str, parent: str = "") -> list[str]:
    found: list[str] = []
    for name, option in options.items():
        place = f"{parent}{name}{'[]' if option['type'] == 'list' else ''}."
        found += [f"{parent}{name}", *option_paths(option.get(inner) or {}, inner, place)]
    return found


def section(page: str, name: str) -> str:
    """What stands on a page of docs/ below the heading *name*."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.split(r"^## ", text.split(f"\n## {name}\n")[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("modules/[a-z]*.py")), ids=lambda p: p.stem)
def test_the_page_of_a_module_has_all_that_it_takes_and_returns(path: Path) -> None:
    text = section("modules.md", path.stem)
    options = documentation(path, "DOCUMENTATION")["options"]
    named = [
        *option_paths(options, "suboptions"),
        *option_paths(documentation(path, "RETURN"), "contains"),
    ]
    # A set of keys is told once, where it stands first.
    same = re.findall(r"^\| `([^`]+)` .* The same keys as `[^`]+`\. \|$", text, re.MULTILINE)
    below = tuple(end for name in same for end in (f"{name}.", f"{name}[]."))
    missing = [name for name in named if f"\n| `{name}` |" not in text and not name.startswith(below or "-")]
    assert missing == []


@pytest.mark.parametrize("page", ["filters.md", "modules.md", "variables.md"])
def test_no_markup_of_ansible_is_left(page: str) -> None:
    """What is written as O(option) or M(module) has become Markdown."""
    text = FENCE.sub("", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert re.findall(r"\b(?:[CEMOPVBI]|RV)\([^)]*\)", text) == []


def changelog_fault(fragments: list[Any], releases: dict[str, Any], version: str) -> str:
    if version in releases:
        return ""
    said = [line for fragment in fragments for lines in (fragment or {}).values() for line in lines]
    return "" if said else f"{version} is not released and no fragment says what is in it"


def test_the_changelog_says_what_is_in_this_version() -> None:
    fragments = [load_yaml(path) for path in files_below("changelogs/fragments", suffixes=(".yml", ".yaml"))]
    releases = load_yaml(ROOT / "changelogs" / "changelog.yaml")["releases"]
    assert changelog_fault(fragments, releases, GALAXY["version"]) == ""


def test_a_missing_fragment_is_found() -> None:
    assert changelog_fault([], {}, "0.1.0") and changelog_fault([None], {}, "0.1.0")
    assert not changelog_fault([{"minor_changes": ["x"]}], {}, "0.1.0")
    assert not changelog_fault([], {"0.1.0": {}}, "0.1.0")
