# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `make scan`: what ends it with 1."""

from __future__ import annotations

import pytest
import scan

EVERY = ["1.22.1/3.0.20", "1.26.3/3.5.7"]
ONE_CURVE = scan.Reason("sslyze", "modern", r"curves {'X448'}", "It is no weaker.")


def found(text: str, subject: str = "modern", tool: str = "sslyze") -> list[scan.Finding]:
    return [scan.Finding(tool, subject, text, "one", nginx) for nginx in EVERY]


@pytest.mark.parametrize(
    ("findings", "code", "line"),
    [
        (found("curves {'X448'}"), 0, "[1] curves {'X448'}"),
        (found("curves {'X448'}") + found("", "own"), 0, "none"),
        # One more in the same words, another profile, another tool, nothing at all.
        (found("curves {'X25519', 'X448'}"), 1, "UNEXPLAINED curves {'X25519', 'X448'}"),
        (found("curves {'X448'}", "own"), 1, "UNEXPLAINED curves {'X448'}"),
        (found("curves {'X448'}", tool="gixy"), 1, "UNEXPLAINED curves {'X448'}"),
        (found("curves {'X448'}") + found("early data is taken"), 1, "UNEXPLAINED early data is taken"),
        (found(""), 1, "STALE: nothing is found"),
    ],
)
def test_only_what_is_explained_passes(
    findings: list[scan.Finding],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(scan, "EXPLAINED", (ONE_CURVE,))
    assert scan.table(findings, EVERY) == code
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "said"),
    [("abcd", "all 4"), ("abc", "all but d"), ("ab", "a, b"), ("d", "d")],
)
def test_variants_in_few_words(names: str, said: str) -> None:
    assert scan.listed(set(names), set("abcd")) == said


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/etc/nginx/mtls/releases/0a1b/server/sites/orders-x.conf", ("server/sites", "orders-x")),
        ("/etc/nginx/mtls/releases/0a1b/server/default.conf", ("server/default", "default")),
        ("/etc/nginx/mtls/releases/0a1b/proxy/credentials/b1/tls.conf", ("proxy/credentials", "b1")),
        ("/etc/nginx/mtls/current/mtls.conf", ("release", "mtls")),
        ("/etc/nginx/conf.d/mtls.conf", ("release", "/etc/nginx/conf.d/mtls.conf")),
        ("/etc/nginx/conf.d/own.conf", (scan.OTHERS, "/etc/nginx/conf.d/own.conf")),
        ("<stdin>", (scan.OTHERS, "<stdin>")),
    ],
)
def test_which_template_made_a_file(path: str, template: tuple[str, str]) -> None:
    assert scan.template_of(path) == template


def test_a_row_is_of_the_versions_that_agree() -> None:
    there = [scan.Finding("gixy", "x", "", name, nginx) for name, nginx in ["a1", "b1", "b2", "a3", "b3"]]
    assert scan.alike(there) == {("a", "b"): ["1", "3"], ("b",): ["2"]}


def test_sets_have_one_order() -> None:
    assert scan.in_order("curves {'b', 'a'} and {'d', 'c'}") == "curves {'a', 'b'} and {'c', 'd'}"
