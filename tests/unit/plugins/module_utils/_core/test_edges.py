# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run breaks, by the answers before, during and after it, and how it is told."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import edges
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.edges import Answer

EDGE = {"proxy": "b1", "route": "orders", "server": "a1", "site": "shop"}
SHORT = {"a": edges.ACCEPTED, "r": edges.REFUSED, "u": edges.UNKNOWN, "n": edges.NEW}


def answer(letter: str, **more: str) -> Answer:
    return Answer(SHORT[letter], **{"message": "So it is.", "code": "x.y", "remedy": "Do.", **more})


def judged(letters: str, side: str = edges.CLIENT, edge=None, **more: str) -> edges.Verdict:
    now, during, after = (answer(letter, **more) for letter in letters)
    return edges.judge(edge or EDGE, side, now, during, after)


@pytest.mark.parametrize(
    ("letters", "outcome", "time"),
    [
        ("aaa", "works", "after"),
        ("ara", "breaks", "during"),
        ("aar", "breaks", "after"),
        ("arr", "breaks", "after"),
        ("nnr", "breaks", "after"),
        ("nna", "works", "after"),
        ("rrr", "broken", "after"),
        ("rar", "broken", "after"),
        ("raa", "works", "after"),
        ("rra", "works", "after"),
        ("uur", "doubtful", "after"),
        ("urr", "doubtful", "after"),
        ("uuu", "unknown", "after"),
        ("aau", "unknown", "after"),
        ("aua", "unknown", "during"),
        ("ura", "unknown", "now"),
        ("uaa", "works", "after"),
        ("rua", "works", "after"),
        ("nnn", "absent", "after"),
        ("aan", "absent", "after"),
        ("arn", "breaks", "during"),
        ("rrn", "absent", "after"),
    ],
)
def test_what_becomes_of_an_edge(letters, outcome, time):
    found = judged(letters)
    assert (found.outcome, found.time) == (outcome, time)


def test_a_run_breaks_only_what_worked_or_was_not_there():
    for letters in itertools.product("arun", "arun", "arun"):
        found = judged("".join(letters))
        if found.outcome == edges.BREAKS:
            assert letters[0] in "an"
            assert "r" in letters[1:]
        if letters[0] == "r":
            assert found.outcome != edges.BREAKS


@pytest.mark.parametrize(
    ("letters", "outcome", "time"),
    [
        ("uur", "breaks", "after"),
        ("ura", "breaks", "during"),
        ("urn", "breaks", "during"),
        ("uaa", "works", "after"),
        ("uuu", "unknown", "after"),
    ],
)
def test_who_verified_before_and_may_have_been_let_in_is_taken_for_one_that_was(letters, outcome, time):
    now, during, after = (answer(letter) for letter in letters)
    found = edges.judge(EDGE, edges.CLIENT, replace(now, verified=True), during, after)
    assert (found.outcome, found.time) == (outcome, time)


@pytest.mark.parametrize(
    ("letters", "outcome"), [("aar", "revoked"), ("ara", "revoked"), ("nnr", "revoked"), ("rrr", "broken")]
)
def test_what_a_crl_ends_is_meant_to_end(letters, outcome):
    assert judged(letters, code="crl.revoked").outcome == outcome
    assert judged(letters, code="crl.expired").outcome in ("breaks", "broken")


def test_the_sentence_names_edge_time_reason_and_remedy():
    (told,) = edges.summary([judged("ara")])["breaking"]
    assert told == (
        "b1 (route orders) to a1 (site shop): a1 would refuse the client certificate while this run goes,"
        " when Server A is done and Server B is not: So it is. [x.y] Do."
    )
    (told,) = edges.summary([judged("aar", edges.SERVER)])["breaking"]
    assert "b1 would refuse the certificate of a1 after this run: So it is." in told
    (told,) = edges.summary([judged("rrr")])["broken"]
    assert "after this run as before it" in told
    (told,) = edges.summary([judged("uur")])["doubtful"]
    assert "refuse the client certificate after this run, and what it did before is not known: So" in told


def test_equal_reasons_are_told_once_and_others_each():
    others = [{**EDGE, "proxy": f"b{number}"} for number in range(5)]
    found = edges.summary(
        [
            *(judged("aar", edge=edge) for edge in others),
            judged("aar", edges.SERVER, others[0]),
            judged("aar", edge=others[0], code="x.z"),
        ]
    )
    assert len(found["breaking"]) == 3
    named = [f"b{number} (route orders) to a1 (site shop)" for number in range(5)]
    assert found["breaking"][0].startswith(f"{named[0]}: ")
    assert f" The same: {named[1]}, {named[2]}, {named[3]} and 1 more. " in found["breaking"][0]
    assert "The same" not in found["breaking"][1]
    (two,) = edges.summary([judged("aar", edge=edge) for edge in others[:2]])["breaking"]
    assert f" The same: {named[1]}. Do." in two
    assert (found["edges"], found["working"]) == (5, 0)


def test_an_edge_works_when_both_directions_do():
    both = [judged("aaa"), judged("aaa", edges.SERVER)]
    assert edges.summary(both)["working"] == 1
    assert edges.summary([both[0], judged("aau", edges.SERVER)])["working"] == 0


def test_what_is_not_there_after_the_run_is_not_counted():
    absent = [judged("aan"), judged("aan", edges.SERVER)]
    found = edges.summary([*absent, judged("aaa", edge={**EDGE, "proxy": "b2"})])
    assert (found["edges"], found["working"]) == (1, 1)


def test_a_site_that_is_gone_is_told_in_its_own_words():
    (told,) = edges.summary([judged("aar", code="edge.no_site")])["breaking"]
    assert told == (
        "b1 (route orders) to a1 (site shop): a1 would not answer there after this run: So it is."
        " [edge.no_site] Do."
    )


def test_unknown_edges_are_counted_with_whom_it_is_about():
    listed = [{**EDGE, "proxy": f"b{number}"} for number in range(5)]
    found = edges.summary([judged("uuu", edge=edge, subject=edge["proxy"]) for edge in listed])
    assert found["unknown"] == ["5 edges are unknown: b0, b1, b2, b3 and 1 more: So it is."]
    # Both directions of one edge are one edge.
    found = edges.summary([judged("uuu", side, subject="b1") for side in (edges.CLIENT, edges.SERVER)])
    assert found["unknown"] == ["1 edge is unknown: b1: So it is."]


def test_plain_values():
    assert judged("ara").to_dict() == {
        "now": "accepted",
        "during": "refused",
        "after": "accepted",
        "outcome": "breaks",
        "reason": {"code": "x.y", "message": "So it is.", "remedy": "Do."},
    }
    assert judged("aaa").to_dict()["reason"] is None


def test_what_to_do_about_an_authority():
    kept = edges.authority_remedy(edges.CLIENT, ["CN=Old"])
    assert kept.startswith('Keep "CN=Old" in trust.sources of Server A (mtls_server_credentials)')
    new = edges.authority_remedy(edges.SERVER, [])
    assert new.startswith(
        "Put the new authority into trust.sources of Server B (mtls_proxy_credentials) first"
    )
    assert "rotate_ca.yml" in kept and "rotate_ca.yml" in new
