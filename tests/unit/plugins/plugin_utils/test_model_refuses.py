# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model refuses, by the table in refusals.yml."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import (
    PREFIXES,
    Problems,
    read,
    role_options,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import (
    A,
    B,
    fleet,
    load,
    write,
)

ROWS = yaml.safe_load(Path(__file__).with_name("refusals.yml").read_text(encoding="utf-8"))
rows = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


def expand(short):
    """The variables that a row's `bad` or `good` stands for."""
    variables = dict(short)
    sites = variables.pop("sites", None) or [variables.pop(key) for key in ["site"] if key in variables]
    if sites:
        variables["mtls_server_sites"] = [
            {"name": name, "server_names": [f"{name}.example.com"], **site}
            for name, site in zip(["orders", "billing"], sites)
        ]
    if "credential" in variables:
        variables["mtls_server_credentials"] = [{"name": "server", **variables.pop("credential")}]
    if "route" in variables:
        variables["mtls_proxy_routes"] = [{"name": "orders", **variables.pop("route")}]
    return variables


def model(folder, row, which):
    """Server A alone, or B beside an A without variables, or both with the same."""
    side, variables = row.get("side", "server"), expand(row[which])
    (folder / "a.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    if side == "server":
        return fleet(folder, {A: variables})
    return fleet(folder, {A: variables if side == "both" else {}}, {B: variables})


@rows
def test_bad_is_refused(row, tmp_path):
    with pytest.raises(MtlsError) as caught:
        model(tmp_path, row, "bad")
    host = B if row.get("side") == "proxy" else A
    missing = [word for word in [*row["says"], host] if word not in str(caught.value)]
    assert not missing, str(caught.value)


@rows
def test_near_miss_passes(row, tmp_path):
    assert model(tmp_path, row, "good")["hosts"][A]["host"] == A


@rows
def test_what_the_model_takes_passes_the_roles_own_validation(row, tmp_path):
    """Ansible validates a role's variables against the same specs; it must take what the model takes."""
    hostvars, _groups = load(write(tmp_path, {"mtls_servers": {A: expand(row["good"])}}))
    for role in PREFIXES:
        options = copy.deepcopy(role_options()[role])  # the validator of core 2.18 writes into its spec
        given = {name: read(hostvars[A], name, Problems()) for name in options if name in hostvars[A]}
        assert ArgumentSpecValidator(options).validate(given).error_messages == []


def test_names_are_unique():
    assert len({row["name"] for row in ROWS}) == len(ROWS) >= 60
