# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a run that are refused before anything is asked, and those beside them that are not."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import run_options

WINDOW = {"days": ["sat"], "start": "02:00", "hours": 4}


@pytest.mark.parametrize("name", ["rotate_batches", "site_batches"])
@pytest.mark.parametrize(
    "value",
    [
        *(0, "0", -1, "-1", "00", 1.5, True, "abc", "1,3", "[1, 3]", "", " ", {}, {"a": 1}),
        *([], ["0%"], ["-5%"], ["101%"], ["%"], [1, 0], [1, "abc"], [None], [[1]]),
    ],
    ids=repr,
)
def test_batches_of_nobody_or_of_everybody_at_once(name, value):
    (told,) = run_options.problems({name: value})
    assert told.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "value", [1, "1", 10, "25%", "100%", [1, "25%", "100%"], ["1", 3], None, ["1%"]], ids=repr
)
def test_batches_that_mean_what_they_say(value):
    assert run_options.problems({"rotate_batches": value, "site_batches": value}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("rotate_batch", "rotate_batches"),
        ("rotate_forced", "rotate_force"),
        ("rotate_dryrun", "rotate_dry_run"),
        ("rotate_dry", "rotate_dry_run"),
        ("rotate_ca_phases", "rotate_ca_phase"),
        ("rotate_ca_soak", "rotate_ca_soak_days"),
        ("revoke_hosts", "revoke_host"),
        ("revoke_expect_hosts", "revoke_expected_hosts"),
        ("site_batch", "site_batches"),
    ],
)
def test_a_name_that_is_misspelt(name, meant):
    (told,) = run_options.problems({name: "1"})
    assert told == f'{name}: There is no such option. Did you mean "{meant}"?'


@pytest.mark.parametrize(
    "name",
    [
        "rotate_logs",
        "rotate_ca_else",
        "site_name",
        "site_path",
        "revoke_all",
        "rotate_",
        "mtls_x",
        "rotate_w",
    ],
)
def test_somebody_elses_variable(name):
    assert run_options.problems({name: ""}) == []


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        # What a script gives whose own variable is empty: without it the whole fleet is meant.
        ("rotate_hosts", "", "rotate_hosts"),
        ("rotate_hosts", [], "rotate_hosts"),
        ("rotate_until", "", "rotate_until"),
        ("rotate_to", " ", "rotate_to"),
        ("rotate_window", {}, "rotate_window"),
        ("rotate_window", "sat", "rotate_window"),
        ("rotate_window", {**WINDOW, "days": []}, "rotate_window.days"),
        ("rotate_window", {**WINDOW, "timezone": "Europe/Belrin"}, "rotate_window.timezone"),
        ("rotate_dry_run", "yes please", "rotate_dry_run"),
        ("revoke_host", "", "revoke_host"),
    ],
)
def test_a_value_that_says_nothing(name, value, place):
    (told,) = run_options.problems({name: value})
    assert told.startswith(f"{place}: ")


def test_values_that_say_something():
    given = {"rotate_hosts": "b1", "rotate_dry_run": "yes", "rotate_window": WINDOW, "rotate_force": False}
    assert run_options.problems({**given, "rotate_min_days": 0, "rotate_to": None}) == []


def test_a_file_that_cannot_be_written(tmp_path):
    there = tmp_path / "table.json"
    assert run_options.problems({"rotate_json": str(there)}) == []
    assert "is a directory" in run_options.problems({"rotate_json": str(tmp_path)})[0]
    assert "no directory" in run_options.problems({"rotate_json": str(tmp_path / "x" / "y")})[0]
    (told,) = run_options.problems({"rotate_json": "t"}, lambda path: f"{path} is full.")
    assert told.startswith("rotate_json: t is full.")


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("audit_fail_on", "eror", "error"),
        ("audit_fail_on", True, "never"),
        ("audit_formats", "htm", "html"),
        ("audit_formats", ["html", "xml"], ["html", "json"]),
        ("audit_formats", "html,,json", "html, json"),
        ("audit_dir", "/dev/null/audit", "audit/of/today"),
        ("audit_dir", ["a"], "/tmp"),
    ],
    ids=str,
)
def test_what_no_audit_can_be_made_with(name, bad, good):
    (told,) = run_options.problems({name: bad})
    assert told.startswith(f"{name}: ")
    assert run_options.problems({name: good}) == []
