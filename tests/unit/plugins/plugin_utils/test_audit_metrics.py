# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mtls.prom, the alerts and the dashboard: promtool accepts them, and each names metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from audited_fleet import AT
from audited_fleet import report as made_up

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import metrics
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import report
from ansible_collections.mutual_tls.nginx.tests.unit._repository import ROOT, load_yaml

MONITORING = ROOT / "docs" / "monitoring"
CASES = ROOT / "tests" / "unit" / "monitoring" / "alerts_test.yml"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
RULES = load_yaml(MONITORING / "alerts.yml")["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
#: What follows a name of ours in PromQL.
NAME = re.compile(r"\b(?:x509|mtls)_[a-z0-9_]+\b")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(?=\s*(?:=~|!~|!=|=)\s*\")")
#: Words of PromQL that no parenthesis follows.
WORDS = frozenset("and or unless bool offset by without on ignoring group_left group_right inf nan".split())
SAMPLE = re.compile(r'([a-z0-9_]+)(\{(?:[a-zA-Z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?\d+)')


def promtool(*arguments: str, stdin: str | None = None) -> str:
    """What it printed; fails with it."""
    program = shutil.which("promtool") or str(ROOT / ".cache" / "lab" / "promtool")
    if not Path(program).exists():
        pytest.skip("no promtool here: tests/lab/setup.sh checkers")
    done = subprocess.run([program, *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def samples(text: str) -> list[tuple[str, str, int]]:
    """Each line that is no comment, matched whole."""
    found = []
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found.append((match[1], match[2] or "", int(match[3])))
    return found


@pytest.mark.parametrize("size", [1, 5, 100, 500])
def test_promtool_accepts_the_metrics(size: int) -> None:
    assert promtool("check", "metrics", stdin=metrics.text(made_up(size))) == ""


def test_promtool_finds_what_is_no_metric() -> None:
    with pytest.raises(AssertionError):
        promtool("check", "metrics", stdin='a{b="\n"} 1\n')


def test_promtool_accepts_the_alerts() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(MONITORING / "alerts.yml"))


def test_each_alert_fires_where_it_should_and_not_beside_it(tmp_path: Path) -> None:
    for path in (MONITORING / "alerts.yml", CASES):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / CASES.name))


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases: dict[str, set[bool]] = {}
    for test in load_yaml(CASES)["tests"]:
        for one in test["alert_rule_test"]:
            cases.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))
    assert cases == {rule["alert"]: {True, False} for rule in RULES}


def faults(query: str, legend: str = "") -> list[str]:
    """What promtool cannot see: names of metrics, and labels, that mtls.prom does not have."""
    labels: dict[str, set[str]] = {name: set() for name in metrics.METRICS}
    for name, text, dummy in samples(metrics.text(made_up(100))):
        labels[name].update(LABEL.findall(text))
    found = []
    bare = re.sub(r'"[^"]*"', '""', query)
    for name, selectors in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}", bare):
        found += [
            f"{name}: no label {one}" for one in LABEL.findall(selectors) if one not in labels.get(name, ())
        ]
    groups = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
    grouped = re.findall(r"\w+", " ".join(re.findall(groups, bare)))
    rest = re.sub(groups, " ", re.sub(r"\{[^}]*\}", " ", bare))
    names = [one for one in re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", rest) if one not in WORDS]
    names = [one for one in names if not re.fullmatch(r"\d*[smhdwy]", one)]
    found += [f"no metric {one}" for one in names if one not in metrics.METRICS]
    every = set().union(*(labels.get(one, set()) for one in names))
    told = [*grouped, *re.findall(r"\{\{\s*(\w+)\s*\}\}", legend)]
    found += [f"no label {one}" for one in told if one not in every]
    return found if names else ["no metric at all"]


def answered(queries: list[str], folder: Path, found: Any = None) -> None:
    """Fails where promtool cannot read one of the queries, or where it answers nothing of *found*, by default
    a fleet that has of everything."""
    series = [
        # promtool reads U+FFFD in a series as what could not be decoded.
        {"series": f"{name}{labels}".replace("\ufffd", "?"), "values": str(value)}
        for name, labels, value in samples(metrics.text(found or made_up(100)))
    ]
    asked = [
        {
            "expr": f"count({query.replace('$host', '.*')}) > bool 0",
            "eval_time": "0s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for query in queries
    ]
    path = folder / "queries.yml"
    path.write_text(
        json.dumps({"tests": [{"input_series": series, "promql_expr_test": asked}]}), encoding="utf-8"
    )
    assert "SUCCESS" in promtool("test", "rules", str(path))


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_each_query_names_metrics_and_labels_that_exist(query: str, tmp_path: Path) -> None:
    assert faults(query) == []
    rule = {"record": "a:b:c", "expr": query.replace("$host", "a1")}
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}), encoding="utf-8")
    promtool("check", "rules", str(path))


def test_legends_and_the_choice_of_a_host_name_labels_that_exist() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert faults(target["expr"], target.get("legendFormat", "")) == []
    (choice,) = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    [(name, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", choice["definition"])
    assert faults(f'{name}{{{label}="x"}}') == [] and choice["query"]["query"] == choice["definition"]


def test_each_query_of_the_dashboard_has_an_answer(tmp_path: Path) -> None:
    answered(QUERIES, tmp_path)


def test_a_number_is_shown_also_where_there_is_nothing_to_count(tmp_path: Path) -> None:
    """Of a host without TLS, which this collection does not manage."""
    stats = [one for one in DASHBOARD["panels"] if one["type"] == "stat"]
    found = report(
        {"www": {"mtls_audit_tls": {"instances": [], "files": [], "findings": []}}}, {"all": ["www"]}, AT
    )
    answered([target["expr"] for one in stats for target in one["targets"]], tmp_path, found)


@pytest.mark.parametrize(
    "query",
    [
        "sum(mtls_findings",  # no PromQL
        'mtls_findings{severity="eror"}',
        "mtls_served_differs + on (address) mtls_trust_info",
        "mtls_nothing",
        "sum(mtls_findings) + mtl_edges",
    ],
)
def test_a_query_without_an_answer_is_found(query: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        answered([*QUERIES, query], tmp_path)


@pytest.mark.parametrize(
    ("query", "legend", "fault"),
    [
        ("sum(mtls_nothing) / x509_cert_not_after", "", "no metric mtls_nothing"),
        ("sum(mtls_findings) or mtl_edges", "", "no metric mtl_edges"),
        ('mtls_edges{host="a1"} or mtls_findings', "", "mtls_edges: no label host"),
        ("sum by (hots) (mtls_findings)", "", "no label hots"),
        ("mtls_edges + on (host) mtls_edges", "", "no label host"),
        ("sum by (host) (mtls_findings)", "{{ hots }}", "no label hots"),
        ("time()", "", "no metric at all"),
        ('sum by (host) (mtls_findings{severity="error", host=~"a|b"}) > bool 8 or vector(0)', "{{host}}",
         ""),
        ("mtls_edges[1h] offset 2d", "{{state}}", ""),
    ],
)  # fmt: skip
def test_what_a_query_does_wrong_is_named(query: str, legend: str, fault: str) -> None:
    assert faults(query, legend) == ([fault] if fault else [])


def test_the_dashboard_asks_for_every_metric_of_ours() -> None:
    shown = {name for query in QUERIES for name in NAME.findall(query)}
    # What an alert or another dashboard wants, or an arithmetic of shown ones.
    left = {"x509_cert_not_before", "x509_cert_expired", "x509_crl_this_update", "x509_crl_stale"}
    assert set(metrics.METRICS) - shown == left


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        own = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & own and max(x for x, dummy in own) < 24
        cells |= own


def test_every_metric_is_exported_with_its_help() -> None:
    text = metrics.text(made_up(100))
    assert {name for name, *dummy in samples(text)} == set(metrics.METRICS)
    for name in metrics.METRICS:
        assert f"# TYPE {name} gauge\n{name}" in text


def test_each_series_once() -> None:
    series = [(name, labels) for name, labels, dummy in samples(metrics.text(made_up(100)))]
    assert len(set(series)) == len(series)


def one(**changes: Any) -> str:
    found = made_up(5)
    found["hosts"] = found["hosts"][:1]
    found["hosts"][0].update(changes)
    return metrics.text(found)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        ('\\"\n', r"\\\"\n"),
        ("Größe", "Größe"),
        ("\udc80", "?"),
        ('x"} 1\nmtls_edges{state="', r"x\"} 1\nmtls_edges{state=\""),
    ],
)
def test_labels_are_escaped(name: str, escaped: str) -> None:
    text = one(name=name)
    assert f'mtls_audit_read_error{{host="{escaped}"}} 0\n' in text
    samples(text)
    promtool("check", "metrics", stdin=text)


def test_a_path_stays_the_same_from_one_release_to_the_next() -> None:
    assert "/releases/" not in metrics.text(made_up(5))


def test_the_generation_of_trust_is_the_same_for_the_same_authorities() -> None:
    def generation(*digests: str) -> str:
        certificates = made_up(5)["hosts"][0]["certificates"]
        (trust,) = (cert for cert in certificates if cert["role"] == "trust")
        text = one(certificates=[{**trust, "sha256": digest} for digest in digests])
        return re.findall(r'generation="([0-9a-f]{12})"', text)[0]

    assert generation("aa", "bb") == generation("bb", "aa") != generation("aa")


def test_a_serial_number_is_decimal_as_the_exporter_has_it() -> None:
    certificates = [dict(cert, serial="0A") for cert in made_up(5)["hosts"][0]["certificates"]]
    assert 'serial_number="10"' in one(certificates=certificates)
