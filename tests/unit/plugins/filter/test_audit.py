# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of audit.yml, with hostvars as Ansible gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mutual_tls.nginx.plugins.filter.audit_output import audit_output
from ansible_collections.mutual_tls.nginx.plugins.filter.audit_refusal import audit_refusal
from ansible_collections.mutual_tls.nginx.plugins.filter.audit_report import audit_report
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, load, write

AT = "2026-11-22T13:00:00Z"
SITE = {"mtls_server_sites": [{"name": "orders", "server_names": ["orders.example.com"]}]}


def report(folder: Path, **groups: Any) -> dict[str, Any]:
    hostvars, listed = load(write(folder, groups))
    return audit_report(hostvars, listed, AT)


def codes(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["findings"]]


def test_an_inventory_without_anything_of_ours(tmp_path: Path) -> None:
    found = report(tmp_path, web={"www": {"audit_level": 3}})
    assert [one["name"] for one in found["hosts"]] == ["www"]
    assert (found["edges"], codes(found)) == ([], ["audit.not_asked"])


def test_edges_of_hosts_that_were_not_read_are_unknown(tmp_path: Path) -> None:
    found = report(tmp_path, mtls_servers={A: SITE}, mtls_proxies={B: {}})
    (edge,) = found["edges"]
    assert (edge["proxy"], edge["server"], edge["state"]) == (B, A, "unknown")
    assert {one["name"]: one["sides"] for one in found["hosts"]} == {A: ["server"], B: ["proxy"]}


def test_an_inventory_that_is_refused_is_told_and_the_hosts_are_read(tmp_path: Path) -> None:
    found = report(tmp_path, mtls_servers={A: {"mtls_server_sitez": []}}, mtls_proxies={B: {}})
    assert codes(found) == ["audit.inventory_refused", "audit.not_asked", "audit.not_asked"]
    assert "mtls_server_sitez" in found["findings"][0]["message"]


def test_a_time_that_is_none() -> None:
    with pytest.raises(AnsibleFilterError, match="RFC 3339"):
        audit_report({}, {"all": []}, "noon")


@pytest.mark.parametrize(
    ("form", "begin"), [("html", "<!DOCTYPE html>"), ("json", '{\n "schema": 1'), ("prometheus", "# HELP ")]
)
def test_each_form(form: str, begin: str) -> None:
    found = audit_report({}, {"all": ["a1"]}, AT)
    assert audit_output(found, form).startswith(begin)
    assert audit_output(found, "lines")[0].startswith("1 host at ")
    assert audit_refusal(found) == ""


def test_a_form_that_is_none() -> None:
    with pytest.raises(AnsibleFilterError, match="Give one of html, json, prometheus, lines"):
        audit_output({}, "pdf")
