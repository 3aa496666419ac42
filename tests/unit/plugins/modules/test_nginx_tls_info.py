# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx_tls_info as Ansible runs it, and its result beside its documentation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import nginx_corpus
import pytest
import yaml

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.handshake import Door, Presented
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.tls_files import TlsFiles
from ansible_collections.mutual_tls.nginx.plugins.modules import nginx_tls_info
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus, made_up_nginx
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner

DOCUMENTED = yaml.safe_load(nginx_tls_info.RETURN)


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(nginx_tls_info.main, monkeypatch, capsys)


def undocumented(value: Any, documented: Optional[dict[str, Any]], path: str = "") -> list[str]:
    """Keys that one has and the other has not; ``pem`` is there on demand."""
    if isinstance(value, list):
        return [fault for one in value for fault in undocumented(one, documented, path)]
    if not isinstance(value, dict) or documented is None:
        return []
    differing = (set(value) ^ set(documented)) - {"pem"}
    return [f"{path}.{name}" for name in differing] + [
        fault
        for name, inner in value.items()
        if name in documented
        for fault in undocumented(inner, documented[name].get("contains"), f"{path}.{name}")
    ]


@pytest.mark.parametrize("name", nginx_corpus.CORPUS)
def test_the_result_is_the_one_that_is_documented(name: str, tmp_path: Path) -> None:
    given = corpus.good()
    pki = tmp_path / "pki"
    pki.mkdir()
    for stem in ("server", "b", "old", "clients-ca", "servers-ca", "others-ca"):
        (pki / f"{stem}.pem").write_bytes(given["trust" if stem.endswith("ca") else "certificate"])
        (pki / f"{stem}.key").write_bytes(given["private_key"])
    text = nginx_corpus.CORPUS[name]["nginx.conf"].replace(nginx_corpus.PKI, str(pki))
    found = made_up_nginx.look("", text, TlsFiles(corpus.AT, Shelf()), pem=True)
    assert undocumented({**found, "at": "", "why": ""}, DOCUMENTED) == []


def test_a_row_of_what_is_served_and_an_event_are_as_documented() -> None:
    server = DOCUMENTED["instances"]["contains"]["servers"]["contains"]
    row = made_up_nginx.row(Door("127.0.0.1", 443), Presented())
    assert set(row) == set(server["served"]["contains"])
    assert set(made_up_nginx.event()) == set(DOCUMENTED["log"]["contains"])


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_host_without_nginx(run: Runner, monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = run(check_mode, probe=False)
    assert found["changed"] is False and isinstance(found["instances"], list)
    assert set(found) == {*DOCUMENTED, "changed", "invocation"}


def test_who_is_not_root(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = run()
    assert found["failed"] and "Run it as root (become: true)." in found["msg"]


def test_a_time_that_is_none(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "is not a time of RFC 3339" in run(at="yesterday")["msg"]


def test_a_silent_socket_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def knock(door: Door, name: str, timeout_s: float) -> Presented:
        asked.append(name)
        return Presented(error="no end", silent=True)

    servers = [
        {"module": "http", "names": [name], "reject_handshake": False, "listens": [
            {"address": "*", "port": 443, "tls": True, "quic": False, "default": name == "a.x",
             "proxy_protocol": False}
        ]}
        for name in ("a.x", "b.x")
    ]  # fmt: skip
    rows = made_up_nginx.served(servers, knock)
    assert asked == ["a.x"] and [row[0]["error"] for row in rows] == ["no end", "no end"]
