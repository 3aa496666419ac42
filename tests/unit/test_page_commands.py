# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command of a page is run by the tests of its scenario, as it stands there."""

from __future__ import annotations

import pytest
from page import Page

from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT

PAGES = {
    "diagnosis.md": "diagnose",
    "replace-a-ca.md": "rotate_ca",
    "revocation.md": "revoke",
    "rotation.md": "rotate",
}


@pytest.mark.parametrize(("name", "scenario"), PAGES.items())
def test_each_command_is_run_by_a_test(name, scenario):
    page = Page(name)
    tests = sorted((ROOT / "molecule" / scenario / "tests").glob("test_*.py"))
    assert len(page.commands) >= 3
    assert page.left_out(tests) == []


def test_a_command_that_no_test_runs(tmp_path):
    page = Page("replace-a-ca.md")
    test = tmp_path / "test_it.py"
    line = 'run({}"rotate_ca -e rotate_ca_phase={}")\n'
    test.write_text(line.format("", "trust") + line.format("f", "{PHASE}"))
    left = page.left_out([test])
    assert "ansible-playbook mutual_tls.nginx.rotate_ca -e rotate_ca_phase=trust" not in left
    assert "ansible-playbook mutual_tls.nginx.rotate_ca -e rotate_ca_phase=issue" in left


def test_a_command_that_no_page_has():
    page = Page("recovery.md")
    command = next(one for one in page.commands if one.startswith("mkdir"))
    assert page.words(command)[0] == "mkdir"
    assert page.words("rotate") == ["ansible-playbook", "mutual_tls.nginx.rotate"]
    with pytest.raises(AssertionError, match="has no such command: rotate -e rotate_forced=true"):
        page.words("rotate -e rotate_forced=true")


def test_what_a_command_names_by_way_of_example():
    page = Page("rotation.md")
    command = "rotate -e rotate_hosts=b1,b2 -e rotate_force=true"
    assert page.arguments(command) == ["-e", "rotate_hosts=b1,b2", "-e", "rotate_force=true"]
    assert page.arguments(command, {"b1,b2": "b"}) == ["-e", "rotate_hosts=b", "-e", "rotate_force=true"]
    with pytest.raises(AssertionError, match="has no b3"):
        page.arguments(command, {"b3": "b"})


def test_what_a_command_is(tmp_path, monkeypatch):
    text = "```sh\none -a \\\n  two   # why\n\n```\n```\nno command\n```\n```sh\nthree >four\n```\n"
    (tmp_path / "x.md").write_text(text)
    monkeypatch.setattr("page.DOCS", tmp_path)
    assert Page("x.md").commands == ["one -a two", "three >four"]
