# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layer may import what (docs/architecture.md, "Layers"), read from the syntax tree of every file.

Not caught: an import hidden in a string given to exec, and side effects of a standard library function that
is on the list of the harmless modules.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit._repository import PLUGINS, ROOT, files_below

OURS = "ansible_collections.mutual_tls.nginx.plugins."
# A module of the standard library that is not named here needs a thought: does it read, write or look at the
# clock? urllib.parse and the POSIXPATH_PURE functions of posixpath are allowed besides: string work.
PURE = frozenset(
    """__future__ abc base64 binascii bisect collections contextlib copy dataclasses datetime difflib enum
    fnmatch functools hashlib heapq hmac html ipaddress itertools json math operator posixpath re shlex string
    struct textwrap types typing unicodedata""".split()
)
POSIXPATH_PURE = frozenset("basename commonpath dirname isabs join normpath split splitext".split())
IMPURE_CALLS = frozenset("open input print exec eval __import__ breakpoint".split())
CLOCK_METHODS = frozenset("now utcnow today".split())


@dataclass(frozen=True)
class Layer:
    """*ours*: layers it may import. *others*: packages from outside, or more of the standard library for a
    *pure* layer: one without I/O and clock.
    """

    ours: tuple[str, ...]
    others: tuple[str, ...] = ()
    pure: bool = False


EVERY = ("_core", "_x509", "_host", "_ansible")
LAYERS = {
    "module_utils/_core": Layer(ours=("_core",), pure=True),
    # warnings: cryptography announces there what it will refuse one day.
    "module_utils/_x509": Layer(ours=("_core", "_x509"), others=("warnings",), pure=True),
    "module_utils/_host": Layer(ours=("_core", "_host")),
    "module_utils/_ansible": Layer(ours=("_core", "_ansible"), others=("ansible",)),
    "plugin_utils": Layer(ours=("_core", "_x509", "plugin_utils"), others=("ansible", "jinja2", "yaml")),
    # A module runs on the managed host, where plugin_utils does not exist.
    "modules": Layer(ours=EVERY, others=("ansible",)),
    "doc_fragments": Layer(ours=()),
    "action": Layer(ours=(*EVERY, "plugin_utils"), others=("ansible",)),
    "filter": Layer(ours=(*EVERY, "plugin_utils"), others=("ansible",)),
}
# The one guarded import of a library that the host may not have.
GUARDED = {"module_utils/_x509/_deps.py": ("cryptography", "sys")}


def layer_of(relative: str) -> str:
    for name in LAYERS:
        if relative.startswith(f"{name}/"):
            return name
    return ""


def imported_names(tree: ast.AST, relative: str) -> list[tuple[int, str]]:
    """(line, full dotted name) of each import; `from x import y` gives x.y, relative ones are resolved."""
    package = (OURS + relative).replace("/", ".").split(".")[:-2]
    names: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names += [(node.lineno, f"{stem}.{alias.name}") for alias in node.names]
    return names


def import_fault(name: str, relative: str, layer: Layer) -> str:
    """Why this import is against the table, or nothing."""
    if name.startswith(OURS):
        inside = name[len(OURS) :].split(".")
        ours = inside[1] if inside[0] == "module_utils" and len(inside) > 1 else inside[0]
        return "" if ours in layer.ours else f"imports {ours}"
    top = name.split(".")[0]
    if top in (*layer.others, *GUARDED.get(relative, ())):
        return ""
    if top in sys.stdlib_module_names:
        if not layer.pure or top in PURE or f"{name}.".startswith("urllib.parse."):
            return ""
        return f"imports {top}, which may do I/O or look at the clock"
    return f"imports {top}"


def impure_fault(node: ast.AST) -> str:
    """A call that reads, writes or looks at the clock without an import that would show it."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
        return f"calls {node.func.id}()"
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in CLOCK_METHODS:
            return f"calls .{node.func.attr}(): the time comes in as an argument"
        of = getattr(node.func.value, "id", "")
        if of == "posixpath" and node.func.attr not in POSIXPATH_PURE:
            return f"calls posixpath.{node.func.attr}(), which asks the file system"
    return ""


def faults(source: str, relative: str) -> list[str]:
    """All faults of one file. *relative* is its path below plugins/."""
    name = layer_of(relative)
    if not name:
        return [f"{relative}: belongs to no layer; add it to the table or move it"]
    layer = LAYERS[name]
    tree = ast.parse(source)
    found = [
        f"{relative}:{line}: {name} {fault}"
        for line, imported in imported_names(tree, relative)
        if (fault := import_fault(imported, relative, layer))
    ]
    if layer.pure:
        found += [
            f"{relative}:{node.lineno}: {name} {fault}"
            for node in ast.walk(tree)
            if (fault := impure_fault(node))
        ]
    return found


def source_files() -> list[Path]:
    return [p for p in files_below("plugins", suffixes=(".py",)) if p.read_text(encoding="utf-8").strip()]


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(PLUGINS)))
def test_imports_follow_the_table(path: Path) -> None:
    relative = path.relative_to(PLUGINS).as_posix()
    if relative in ("module_utils/__init__.py", "plugin_utils/__init__.py"):
        assert not ast.parse(path.read_text(encoding="utf-8")).body[1:], "a package file holds no code"
        return
    assert faults(path.read_text(encoding="utf-8"), relative) == []


PLANTED = [
    ("module_utils/_core/x.py", "import os"),
    ("module_utils/_core/x.py", "import socket as s"),
    ("module_utils/_core/x.py", "from pathlib import Path"),
    ("module_utils/_core/x.py", "def f():\n    import time"),
    ("module_utils/_core/x.py", "import urllib.request"),
    ("module_utils/_core/x.py", "import random"),
    ("module_utils/_core/x.py", "import ansible.module_utils.basic"),
    ("module_utils/_core/x.py", "from cryptography import x509"),
    ("module_utils/_core/x.py", "from .._x509 import key"),
    ("module_utils/_core/x.py", "from .._x509._deps import x509"),
    ("module_utils/_core/x.py", f"from {OURS}module_utils._host import files"),
    ("module_utils/_core/x.py", f"from {OURS}module_utils import _host"),
    ("module_utils/_core/x.py", "text = open('/etc/hosts').read()"),
    ("module_utils/_core/x.py", "from datetime import datetime\nat = datetime.now()"),
    ("module_utils/_core/x.py", "import datetime\nat = datetime.datetime.utcnow()"),
    ("module_utils/_core/x.py", "import posixpath\nposixpath.exists('/etc')"),
    ("module_utils/_x509/x.py", "from cryptography import x509"),
    ("module_utils/_x509/x.py", "import subprocess"),
    ("module_utils/_x509/x.py", "from .._host import files"),
    ("module_utils/_host/x.py", "import cryptography"),
    ("module_utils/_host/x.py", "from ansible.module_utils.basic import AnsibleModule"),
    ("module_utils/_host/x.py", "from .._x509 import key"),
    ("module_utils/_ansible/x.py", "from .._host import files"),
    ("module_utils/_ansible/x.py", "import requests"),
    ("plugin_utils/x.py", "from ..module_utils._host import files"),
    ("modules/x.py", "from ..plugin_utils import model"),
    ("modules/x.py", "import yaml"),
    ("action/x.py", "import requests"),
    ("lookup/x.py", ""),
]


@pytest.mark.parametrize(("relative", "source"), PLANTED)
def test_a_planted_fault_is_found(relative: str, source: str) -> None:
    assert len(faults(source, relative)) == 1


ALLOWED = [
    (
        "module_utils/_core/x.py",
        "from datetime import datetime\nimport re, hashlib\nfrom .errors import MtlsError",
    ),
    (
        "module_utils/_core/x.py",
        "import posixpath\nposixpath.join('a')\nfrom urllib.parse import urlsplit",
    ),
    ("module_utils/_x509/_deps.py", "from cryptography import x509"),
    ("module_utils/_x509/x.py", "from ._deps import x509\nfrom .._core.pem import blocks"),
    ("module_utils/_host/x.py", "import os, ssl, fcntl, time\nfrom .._core import errors"),
    (
        "module_utils/_ansible/x.py",
        "from ansible.module_utils import basic\nfrom .._core import errors",
    ),
    ("plugin_utils/x.py", "import yaml, jinja2\nfrom ..module_utils._core import errors"),
    ("modules/x.py", f"from {OURS}module_utils._host.probe import probe"),
    ("action/x.py", "from ..plugin_utils.sources import read\nfrom ansible.plugins.action import ActionBase"),
]


@pytest.mark.parametrize(("relative", "source"), ALLOWED)
def test_what_the_table_allows_is_not_a_fault(relative: str, source: str) -> None:
    assert faults(source, relative) == []


def main_lines(source: str) -> int:
    """Lines of the function main(); 0 where there is none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            return (node.end_lineno or node.lineno) - node.lineno + 1
    return 0


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("modules/[a-z]*.py")), ids=lambda p: p.stem)
def test_a_module_is_one_call(path: Path) -> None:
    """main() wires; what wants more lines is a rule and belongs into a layer below."""
    assert 0 < main_lines(path.read_text(encoding="utf-8")) < 40


def test_a_long_main_would_be_seen() -> None:
    assert main_lines("def main():\n" + "    x = 1\n" * 40) == 41


def test_the_page_has_the_same_layers() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in LAYERS if f"`{name}`" not in page and name != "doc_fragments"] == []
