# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's report of made-up fleets: every host has its row, and the schema fits."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from audited_fleet import AT, Fleet
from audited_fleet import report as made_up

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import host, matrix, summary, timeline
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import _reading as reading_of
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import failing, report
from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
INSTALLED = {"credentials": [], "findings": [], "installed": {"base": "/etc/nginx/mtls", "exists": False}}
TLS = {"instances": [], "files": [], "findings": []}
LOST = {"unreachable": True, "msg": "no route to host"}
BROKEN = {"failed": False, "msg": "No module named 'cryptography'."}


def of_one(**facts: Any) -> dict[str, Any]:
    """The only host of a report, and its findings."""
    found = report({"a1": facts}, {"all": ["a1"]}, AT)
    return {**found["hosts"][0], "said": [one["code"] for one in found["findings"]]}


# --- the schema --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 100])
def test_the_report_fits_its_schema(size: int) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(made_up(size))))


def test_another_shape_does_not_fit() -> None:
    found = made_up(5)
    found["hosts"][0]["state"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(found)


def undocumented(value: Any, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Keys that the schema does not name: it lets them pass, since keys may be added."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if value is not None and "anyOf" in schema:
        schema = schema["anyOf"][1]
    if isinstance(value, dict):
        for key, more in value.items():
            if key not in schema.get("properties", {}):
                yield f"{place}/{key}"
            else:
                yield from undocumented(more, schema["properties"][key], f"{place}/{key}")
    elif isinstance(value, list):
        for one in value:
            yield from undocumented(one, schema.get("items", {}), place)


def test_each_key_is_documented() -> None:
    assert sorted(set(undocumented(made_up(100), SCHEMA))) == []
    assert list(undocumented({"surprise": 1}, SCHEMA)) == ["/surprise"]


def test_equal_input_gives_equal_output() -> None:
    assert json.dumps(made_up(20)) == json.dumps(made_up(20))


# --- hosts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "state", "said"),
    [
        ({"mtls_audit_tls": TLS, "mtls_installed": INSTALLED}, "read", []),
        ({"mtls_audit_tls": LOST}, "unreachable", ["audit.unreachable"]),
        ({"mtls_audit_tls": LOST, "mtls_installed": {"skipped": True}}, "unreachable", ["audit.unreachable"]),
        ({"mtls_audit_tls": BROKEN, "mtls_installed": BROKEN}, "failed", ["audit.failed"]),
        ({"mtls_audit_tls": BROKEN, "mtls_installed": INSTALLED}, "partly", ["audit.failed"]),
        ({"mtls_audit_tls": TLS, "mtls_installed": LOST}, "partly", ["audit.failed"]),
        ({}, "not_asked", ["audit.not_asked"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_came_of_a_host(facts: dict[str, Any], state: str, said: list[str]) -> None:
    found = of_one(**facts)
    assert (found["state"], found["said"]) == (state, said)
    assert bool(found["error"]) is (state not in ("read", "not_asked"))


def test_each_host_of_the_inventory_has_its_row() -> None:
    fleet = Fleet(40)
    found = report({}, fleet.groups, AT)
    assert [one["name"] for one in found["hosts"]] == sorted(fleet.groups["all"])
    assert found["summary"]["hosts"]["not_asked"] == 40


@pytest.mark.parametrize(
    ("step", "proven"), [("stable", True), ("rolled_back", True), ("switched", False), (None, True)]
)
def test_a_release_that_is_not_proven(step: str | None, proven: bool) -> None:
    installed = {**INSTALLED["installed"], "exists": True, "release": "1", "state": step and {"step": step}}
    found = of_one(mtls_audit_tls=TLS, mtls_installed={**INSTALLED, "installed": installed})
    assert found["release"]["proven"] is proven
    assert found["said"] == ([] if proven else ["audit.unproven"])


def test_files_of_the_release_are_read_without_the_other_module() -> None:
    """By `credential_info` alone, of the PEM that it returns."""
    root = builders.root()
    leaf, crl = builders.server(root), builders.revoke(root)
    pem = {
        "certificate": (leaf.pem + root.pem).decode(),
        "trust": root.pem.decode(),
        "crl": crl.public_bytes(builders.serialization.Encoding.PEM).decode(),
    }
    installed = {
        "base": "/etc/nginx/mtls", "exists": True, "release": "0a", "state": {"step": "stable"},
    }  # fmt: skip
    told = {
        "installed": installed,
        "credentials": [{"part": "server", "name": "orders", "pem": pem}],
        "findings": [],
    }
    found = of_one(mtls_audit_tls=BROKEN, mtls_installed=told)
    rows = [(one["role"], one["credential"], one["file"]) for one in found["certificates"]]
    live = "/etc/nginx/mtls/current/server/credentials/orders/"
    assert rows == [
        ("leaf", "server/orders", live + "fullchain.pem"),
        ("chain", "server/orders", live + "fullchain.pem"),
        ("trust", "server/orders", live + "trust.pem"),
    ]
    assert [one["file"] for one in found["crls"]] == [live + "crl.pem"]
    assert found["crls"][0]["next_update"]


def test_what_is_served_is_compared_with_its_file() -> None:
    def served(sha256: str | None) -> bool | None:
        files = [{"path": "/c.pem", "kind": "certificate", "certificates": [{"sha256": "aa"}]}]
        block = {
            "certificates": [{"certificate": {"path": "/c.pem"}}],
            "served": [{"address": "x", "sha256": sha256}],
        }
        tls = {"instances": [{"servers": [block]}], "files": files}
        differs: bool | None = of_one(mtls_audit_tls=tls, mtls_installed=INSTALLED)["served"][0]["differs"]
        return differs

    assert (served("aa"), served("bb"), served(None)) == (False, True, None)


def test_a_finding_that_both_modules_tell_is_told_once() -> None:
    one = {"code": "expiry.expired", "severity": "error", "message": "m", "remedy": "r", "place": "p"}
    both = {**TLS, "findings": [one]}, {**INSTALLED, "findings": [{**one, "credential": "server"}]}
    found = of_one(mtls_audit_tls=both[0], mtls_installed=both[1])
    assert found["said"] == ["expiry.expired"]
    assert found["findings"] == {"error": 1, "warning": 0, "info": 0}


@pytest.mark.parametrize(
    ("name", "common"),
    [
        ("CN=a1,O=Shop", "a1"),
        ("O=Shop,CN=a\\,b", "a,b"),
        ("CN=Gr\\C3\\B6\\C3\\9Fe", "Größe"),
        ("OCN=no,O=Shop", ""),
        ("CN=\\E2\\80\\AEx", "\ufffdx"),
        ("CN=\\FFx", "\ufffdx"),
        ("CN=a\\", "a"),
        ("", ""),
        (None, ""),
    ],
)
def test_common_names(name: str | None, common: str) -> None:
    assert host.common_name(name) == common


@pytest.mark.parametrize(
    ("life", "left", "word"),
    [
        (90, 31, "ok"), (90, 30, "soon"), (90, 7, "critical"), (90, 0, "expired"), (3650, 31, "ok"),
        (1, 0.5, "ok"), (1, 0.3, "soon"), (1, 0.1, "critical"), (1, 2, "not_yet_valid"),
    ],
)  # fmt: skip
def test_how_near_an_end_is(life: float, left: float, word: str) -> None:
    end = AT + builders.DAY * left
    assert audit.validity(end - builders.DAY * life, end, AT) == word


def test_no_end_is_not_known() -> None:
    assert audit.validity(AT, None, AT) == "unknown"


# --- edges -------------------------------------------------------------------------------------------------


def test_edges_as_they_are_now() -> None:
    found = made_up(5)["edges"]
    assert {one["proxy"]: one["state"] for one in found} == {
        "b001.example.com": "works",
        "b002.example.com": "refused",
    }
    refused = next(one for one in found if one["state"] == "refused")
    assert refused["client_accepted"]["code"] == "chain.root_not_trusted"
    assert refused["server_accepted"]["state"] == "accepted"


def test_an_inventory_that_is_refused_is_told_and_stops_nothing() -> None:
    found = report({"a1": {}}, {"all": ["a1"]}, AT, None, "mtls_server_sites: no such credential.")
    assert [one["code"] for one in found["findings"]] == ["audit.inventory_refused", "audit.not_asked"]


def test_rows_that_look_alike_are_one_in_a_large_fleet() -> None:
    small, large = matrix.matrix(made_up(20)["edges"]), matrix.matrix(made_up(300)["edges"])
    assert all(len(row["names"]) == 1 for row in small["rows"])
    assert len(large["rows"]) < 30 < sum(len(row["names"]) for row in large["rows"])
    assert "refused" in large["rows"][0]["cells"]  # what is wrong comes first


def test_the_time_line_has_everything_once() -> None:
    found = made_up(100)
    lanes = {one["name"]: one["total"] for one in timeline.lanes(found)["lanes"]}
    assert lanes["Certificates"] == found["summary"]["certificates"]["leaves"]
    assert lanes["CRLs"] == 1


# --- console and exit code ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("fail_on", "fails"), [("error", 2), ("warning", 3), ("never", 0)])
def test_what_makes_a_run_fail(fail_on: str, fails: int) -> None:
    found = made_up(5)
    assert len(failing(found, fail_on)) == fails
    assert bool(summary.refusal(found, fail_on)) is bool(fails)


def test_a_well_fleet_never_fails() -> None:
    found = report({"a1": {"mtls_audit_tls": TLS, "mtls_installed": INSTALLED}}, {"all": ["a1"]}, AT)
    assert summary.refusal(found, "warning") == ""


def test_the_console_says_equal_findings_once() -> None:
    lines = summary.lines(made_up(500))
    assert lines[0].startswith(
        "500 hosts at 2026-11-22T13:00:00Z: 497 read, 1 unreachable, 1 failed, 1 not asked"
    )
    assert sum("chain.root_not_trusted" in line for line in lines) == 1
    assert len(lines) < 30


def test_the_report_is_not_changed_by_what_is_made_of_it() -> None:
    found = made_up(20)
    before = copy.deepcopy(found)
    summary.lines(found)
    timeline.lanes(found)
    assert found == before


def test_the_blocks_of_a_host_are_taken_out_of_hostvars_once() -> None:
    """Measured with 5,000 blocks on one host: a run of two and a half minutes; before, more than six."""

    class Slow(dict[str, Any]):
        """As ansible-core's, that look for templates."""

    told = Slow(instances=[Slow(servers=[Slow(names=["a"])])])
    reading = reading_of({"mtls_audit_tls": told})["tls"]
    (instance,) = reading["instances"]
    assert reading == told and {type(reading), type(instance), type(instance["servers"][0])} == {dict}
