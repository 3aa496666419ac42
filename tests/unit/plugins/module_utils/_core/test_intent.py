# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import (
    Intent,
    intent_of,
    prepared_release,
    refuse_older_trust,
    rollback_target,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State

A, B = "a" * 16, "b" * 16


def test_an_absent_part_is_one_with_nothing_in_it() -> None:
    assert Intent("absent", {"server": {}}).given == {"server": {"credentials": [], "sites": []}}
    assert not Intent("absent", {"server": {}}).takes_all
    assert Intent("absent").takes_all
    assert Intent("absent", {"server": {}, "proxy": {}}).takes_all
    assert not Intent("present").takes_all


@pytest.mark.parametrize(
    ("to", "state", "target"),
    [
        (B, None, B),
        ("", State("stable", B, A), B),
        (B, State("rolled_back", A, A), B),
        # The same call once more.
        (A, State("stable", B, A), A),
        ("", State("stable", B, A, back=True), A),
        ("", State("rolled_back", A, B, back=True), B),
    ],
)
def test_where_to_go_back(to: str, state: State | None, target: str) -> None:
    assert rollback_target(Intent("rolled_back", to=to), state, A, frozenset({A, B})) == target


@pytest.mark.parametrize(
    ("to", "state"),
    [
        ("", None),
        ("", State("stable", A, A)),
        ("", State("rolled_back", A, B)),
        ("", State("stable", "empty", A)),
        ("c" * 16, None),
    ],
)
def test_nowhere_to_go_back(to: str, state: State | None) -> None:
    with pytest.raises(MtlsError):
        rollback_target(Intent("rolled_back", to=to), state, A, frozenset({A, B, "empty"}))


@pytest.mark.parametrize(
    ("intent", "place"),
    [
        (Intent(parts={"server": {}}, to="prepared"), "to: prepared"),
        (Intent("rolled_back", to="prepared"), "to: prepared"),
        (Intent("absent", to="prepared"), "to: prepared"),
        (Intent(to=B), "to"),
        (Intent("rolled_back", until="checked"), "until: checked"),
        (Intent("absent", until="checked"), "until: checked"),
        (Intent(to="prepared", until="checked"), "until: checked"),
        (Intent("rolled_back", {"server": {}}), "parts"),
    ],
)
def test_options_that_say_nothing_together(intent: Intent, place: str) -> None:
    with pytest.raises(MtlsError) as found:
        intent.check()
    assert found.value.place == place


@pytest.mark.parametrize(
    "intent",
    [
        Intent(),
        Intent(parts={"server": {}}, until="checked"),
        Intent(to="prepared"),
        Intent("rolled_back"),
        Intent("rolled_back", to=B),
        Intent("absent", {"server": {}}),
    ],
)
def test_options_that_go_together(intent: Intent) -> None:
    intent.check()


def test_the_prepared_release_must_be_there_whole() -> None:
    waiting = State("stable", A, A, prepared=B)
    assert prepared_release(waiting, frozenset({A, B})) is waiting
    for state, whole in ((None, {A, B}), (State("stable", A, A), {A, B}), (waiting, {A})):
        with pytest.raises(MtlsError) as found:
            prepared_release(state, frozenset(whole))
        assert found.value.place == "to: prepared"
        assert "until: checked" in found.value.remedy


def pem(*cas: bytes) -> bytes:
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(ca) + b"\n-----END CERTIFICATE-----\n"
        for ca in cas
    )


def source(*cas: bytes, crl: bytes = b"", name: str = "s") -> dict[str, bytes]:
    found = {f"server/credentials/{name}/trust.pem": pem(*cas)}
    return {**found, f"server/credentials/{name}/crl.pem": crl} if crl else found


CASES: list[Any] = [
    (source(b"1"), source(b"1"), False),
    (source(b"1", b"2"), source(b"1"), False),
    (source(b"1"), source(b"1", b"2"), True),
    (source(b"1"), source(b"2"), True),
    (source(b"1", crl=b"C"), source(b"1"), True),
    (source(b"1", crl=b"C"), source(b"1", crl=b"older"), True),
    (source(b"1", crl=b"C"), source(b"1", crl=b"C"), False),
    (source(b"1"), source(b"1", crl=b"C"), False),
    # A credential that the live release has no more is held against what the part trusts at all.
    (source(b"1"), source(b"1", name="gone"), False),
    (source(b"1"), source(b"2", name="gone"), True),
    ({}, source(b"1"), False),
    # One that was renamed since must not lose its CRL by that.
    (source(b"1", crl=b"C"), source(b"1", name="old"), True),
    (source(b"1", crl=b"C"), source(b"1", crl=b"older", name="old"), True),
    (source(b"1", crl=b"C"), source(b"1", crl=b"C", name="old"), False),
    (source(b"1"), source(b"1", crl=b"C", name="old"), False),
    (source(b"1", b"2", crl=b"C"), source(b"2", name="old"), True),
    ({**source(b"1", crl=b"C"), **source(b"2", name="t")}, source(b"2", name="old"), False),
    ({**source(b"1", crl=b"C"), **source(b"1", name="t")}, source(b"1", name="old"), True),
    ({"server/credentials/probe/fullchain.pem": b""}, source(b"1"), False),
]


@pytest.mark.parametrize(("live", "target", "refused"), CASES)
def test_never_back_to_older_trust(live: dict[str, bytes], target: dict[str, bytes], refused: bool) -> None:
    if not refused:
        refuse_older_trust(live, target)
        return
    with pytest.raises(MtlsError) as found:
        refuse_older_trust(live, target)
    assert found.value.code == "rollback.trust_older"


@pytest.mark.parametrize(
    ("params", "state", "parts"),
    [
        ({"state": "present", "parts": {"server": {"sites": []}, "proxy": None}}, "present", {"server"}),
        ({"state": "absent", "parts": None}, "absent", set()),
    ],
)
def test_a_part_that_is_not_given_is_no_part(params: dict[str, Any], state: str, parts: set[str]) -> None:
    intent = intent_of({"to": None, "until": "stable", **params})
    assert (intent.state, set(intent.parts), intent.to) == (state, parts, "")
