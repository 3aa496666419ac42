# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must stand in every file, and what must stand in none."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT, files_below

TEXT = files_below(".")
PYTHON = files_below("plugins", "tests", "molecule", "docs", suffixes=(".py",))
HEADER = """\
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
MOST_LINES = 400

# Addresses that a reader may be sent to. Everything else, a package mirror above all, belongs to a machine.
KNOWN_HOSTS = re.compile(
    r"""(?:.*\.)?(?:example(?:\.(?:com|org|net|internal))?|internal|test|invalid|localhost)
    |(?:docs|www)?\.?(?:ansible\.com|debian\.org|gnu\.org|ietf\.org|nginx\.org|openssl\.org|python\.org|cryptography\.io)
    |(?:www|datatracker)\.(?:rfc-editor\.org|ietf\.org|w3\.org|fsf\.org)|docs\.openssl\.org|keepachangelog\.com
    |json-schema\.org|prometheus\.io|semver\.org|wiki\.mozilla\.org|man7\.org|github\.com""",
    re.VERBOSE | re.IGNORECASE,
)
URL = re.compile(r"\bhttps?://(\[[0-9a-f:]+\]|[A-Za-z0-9.-]*[A-Za-z0-9])")
MACHINE_PATH = re.compile(r"(?<![\w.}>])/(?:work|home/(?!USER|\$)\w+|Users|root/\.pyenv|opt/pyenv)(?:/|\b)")


def host_faults(text: str) -> list[str]:
    """Hosts in addresses that no reader is meant to visit. IP addresses and templates are left alone."""
    hosts = {host for host in URL.findall(text) if not re.fullmatch(r"[\d.]+|\[.*", host) and "." in host}
    return sorted(host for host in hosts if not KNOWN_HOSTS.fullmatch(host))


def read(path: Path) -> str:
    if not path.exists():  # the files of a lab that runs beside the tests come and go
        return ""
    return path.read_bytes().decode("utf-8", errors="replace")


def test_no_address_of_a_machine() -> None:
    found = {str(path.relative_to(ROOT)): host_faults(read(path)) for path in TEXT if path.name != "COPYING"}
    assert {path: hosts for path, hosts in found.items() if hosts} == {}


def test_no_path_of_a_machine() -> None:
    found = {str(path.relative_to(ROOT)): MACHINE_PATH.findall(read(path)) for path in TEXT}
    assert {path: paths for path, paths in found.items() if paths} == {}


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert "://" not in lock and "--index" not in lock


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://www.rfc-editor.org/rfc/rfc5280", 0),
        ("https://nginx.org/en/docs/", 0),
        ("http://127.0.0.1:8000 https://[::1]/ https://orders.example.com/x http://backend", 0),
        ("https:" + "//mirror.somewhere.net/simple", 1),
        ("deb http:" + "//deb.a.b.c/debian sid main", 1),
    ],
)
def test_which_addresses_are_found(text: str, found: int) -> None:
    assert len(host_faults(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/etc/nginx", 0),
        ("x/wor" + "k/y", 0),
        ("in /" + "work/main", 1),
        ("'/" + "home/me/x'", 1),
        ("/root/.ansible", 0),
    ],
)
def test_which_paths_are_found(text: str, found: int) -> None:
    assert len(MACHINE_PATH.findall(text)) == found


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_source_file_begins_as_it_should(path: Path) -> None:
    text = read(path)
    body = text.split("\n", 1)[1] if text.startswith("#!") else text
    if not text.strip():
        return
    assert body.startswith(HEADER)
    code = [line for line in body.splitlines() if line and not line.startswith("#")]
    assert not code or "from __future__ import annotations" in body or len(code) < 3


def code_lines(source: str) -> int:
    """Lines that hold code: no blank ones, comments, docstrings, or documentation in YAML."""
    kinds = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.type == tokenize.STRING and token.string.lstrip("rR").startswith('"""')
        if not text and token.type not in kinds and token.string:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


@pytest.mark.parametrize("path", files_below("plugins", suffixes=(".py",)), ids=lambda p: p.name)
def test_no_file_has_grown_too_long(path: Path) -> None:
    """A file is one noun."""
    assert code_lines(read(path)) <= MOST_LINES


def test_which_lines_count() -> None:
    assert code_lines('"""Doc.\n\nMore.\n"""\n# why\n\nx = [\n    1,\n]\n') == 3
