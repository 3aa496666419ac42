# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""crl_bundle as a whole: what it writes, how, and what it never writes. What is chosen and refused stands in
module_utils/_x509/test_crl_bundle.py, how a file is replaced in test_ca_bundle.py."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any, Optional

import pytest

pytest.importorskip("ansible", reason="the module itself imports ansible")

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files
from ansible_collections.mutual_tls.nginx.plugins.modules import crl_bundle
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner

NOW = "2026-06-01T12:00:00Z"
ONE, TWO = builders.root("CN=One"), builders.root("CN=Two")
FORM = builders.serialization.Encoding


def crl(ca: builders.Issued, *revoked: builders.Issued, **more: Any) -> bytes:
    return builders.revoke(ca, *revoked, **more).public_bytes(FORM.PEM)


OF_ONE, OF_TWO = crl(ONE, builders.client(ONE)), crl(TWO)
OLD = crl(ONE, start=AT - 9 * DAY, end=AT - DAY)
LINE = "CN={}, number 1, 2026-05-31T12:00:00Z to 2026-06-08T12:00:00Z, {} revoked\n"


def text(*blocks: bytes) -> list[dict[str, str]]:
    return [{"content": block.decode()} for block in blocks]


TRUST = text(ONE.pem, TWO.pem)


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(crl_bundle.main, monkeypatch, capsys)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    (tmp_path / "out").mkdir()
    return str(tmp_path / "out" / "crl.pem")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    return folder


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def names(path: str) -> list[str]:
    return sorted(os.listdir(os.path.dirname(path)))


def test_a_new_file(run: Runner, path: str) -> None:
    result = run(path=path, trust=TRUST, sources=text(OF_TWO, OLD, OF_ONE), at=NOW)
    assert read(path) == OF_ONE + OF_TWO == result["content"].encode()
    assert (stat.S_IMODE(os.stat(path).st_mode), names(path)) == (0o644, ["crl.pem"])
    assert result["changed"] is True and "backup_file" not in result
    assert [(one["issuer"], one["number"], one["revoked"]) for one in result["crls"]] == [
        ("CN=One", 1, 1),
        ("CN=Two", 1, 0),
    ]
    (dropped,) = result["dropped"]
    assert (dropped["issuer"], dropped["place"], dropped["reason"]) == (
        "CN=One",
        "sources[1].content:1",
        "crl.expired",
    )
    assert [one["code"] for one in result["findings"]] == ["crl.expired"]
    assert result["earliest_next_update"] == "2026-06-08T12:00:00Z"
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"] == LINE.format("One", 1) + LINE.format("Two", 0)


def test_the_second_run_changes_nothing(run: Runner, path: str, folder: Path) -> None:
    run(path=path, trust=TRUST, sources=text(OF_ONE, OF_TWO), at=NOW)
    before = os.stat(path)
    (folder / "two").write_bytes(OF_TWO)
    again = [{"directory": str(folder)}, *text(OF_ONE, OLD)]
    result = run(path=path, trust=TRUST, sources=again, at=NOW)
    after = os.stat(path)
    assert result["changed"] is False and result["diff"]["before"] == result["diff"]["after"]
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_newer_list_is_a_change_by_rename(run: Runner, path: str) -> None:
    run(path=path, trust=TRUST, sources=text(OF_ONE, OF_TWO), at=NOW, mode="0640")
    inode = os.stat(path).st_ino
    newer = crl(TWO, builders.client(TWO), start=AT)
    result = run(path=path, trust=TRUST, sources=text(OF_ONE, OF_TWO, newer), at=NOW, backup=True)
    assert result["changed"] is True and read(path) == OF_ONE + newer
    assert os.stat(path).st_ino != inode and stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert read(result["backup_file"]) == OF_ONE + OF_TWO
    assert result["diff"]["after"].endswith("2026-06-01T12:00:00Z to 2026-06-08T12:00:00Z, 1 revoked\n")


def test_every_form_and_place(run: Runner, path: str, folder: Path) -> None:
    (folder / "one.crl").write_bytes(builders.x509.load_pem_x509_crl(OF_ONE).public_bytes(FORM.DER))
    (folder / "one.crt").write_bytes(ONE.der)
    (folder / "README").write_bytes(b"From our CAs\n")
    (folder / "deeper").mkdir()
    der = builders.x509.load_pem_x509_crl(OF_TWO).public_bytes(FORM.DER)
    sources = [{"directory": str(folder)}, {"content": base64.b64encode(der).decode()}]
    (folder.parent / "two.pem").write_bytes(TWO.pem)
    trust = [{"path": str(folder.parent / "two.pem")}, *text(ONE.pem)]
    result = run(path=path, trust=trust, sources=sources, at=NOW)
    assert read(path) == OF_ONE + OF_TWO
    assert sorted((os.path.basename(one["place"]), one["reason"]) for one in result["dropped"]) == [
        ("README", "format.unreadable"),
        ("deeper", "file.not_regular"),
        ("one.crt", "format.wrong_kind"),
    ]


@pytest.mark.parametrize("there", [False, True])
def test_check_mode_writes_nothing(run: Runner, path: str, there: bool) -> None:
    if there:
        run(path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)
    result = run(True, path=path, trust=TRUST, sources=text(OF_ONE, OF_TWO), at=NOW, backup=True)
    assert result["changed"] is True and "backup_file" not in result
    assert result["content"].encode() == OF_ONE + OF_TWO
    assert names(path) == (["crl.pem"] if there else [])
    assert not there or read(path) == OF_ONE
    assert (
        not there or run(True, path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)["changed"] is False
    )


def test_whole_with_its_mode_from_the_first_moment(
    run: Runner, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, Optional[bytes]]] = []
    rename = os.rename

    def watched(old: str, new: str) -> None:
        seen.append((stat.S_IMODE(os.stat(old).st_mode), read(old)))
        rename(old, new)

    monkeypatch.setattr(files.os, "rename", watched)
    run(path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW, mode="0600")
    assert seen == [(0o600, OF_ONE)]


def test_nothing_is_written_when_anything_is_refused(run: Runner, path: str) -> None:
    run(path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)
    sources = [*text(crl(TWO, end=AT)), {"path": "/no/such"}, *text(OF_ONE + ONE.pem)]
    result = run(path=path, trust=TRUST, sources=sources, at=NOW, backup=True)
    assert result["failed"] is True and read(path) == OF_ONE and names(path) == ["crl.pem"]
    assert [(one["code"], one["place"]) for one in result["findings"]] == [
        ("file.missing", "/no/such"),
        ("format.wrong_kind", f"sources[2].content:{OF_ONE.count(10) + 1}"),
        ("crl.expired", "sources[0].content:1"),
    ]
    assert all(one["remedy"] for one in result["findings"])
    assert all(one["message"] in result["msg"] for one in result["findings"])
    assert (result["code"], result["place"]) == ("file.missing", "/no/such")


def test_policies_reach_the_rules(run: Runner, path: str) -> None:
    given = {"path": path, "trust": TRUST[:1], "at": NOW}
    assert run(**given, sources=text(OF_ONE, OF_TWO))["code"] == "crl.foreign"
    assert "failed" not in run(**given, sources=text(OF_ONE, OF_TWO), on_foreign="drop")
    assert run(**given, sources=text(OF_ONE, OLD), on_expired="refuse")["code"] == "crl.expired"
    assert run(**given, sources=text(OF_ONE), min_hours=7 * 24 + 1)["code"] == "crl.ends_soon"
    assert run(**given, sources=text(OF_ONE), min_hours=-1)["place"] == "min_hours"
    assert run(**{**given, "at": "2026-06-08T12:00:00Z"}, sources=text(OF_ONE))["code"] == "crl.expired"
    assert run(**{**given, "at": "soon"}, sources=text(OF_ONE))["place"] == "at"


@pytest.mark.parametrize("option", ["trust", "sources"])
@pytest.mark.parametrize("kind", ["path", "directory"])
def test_it_is_never_its_own_source(run: Runner, path: str, option: str, kind: str) -> None:
    Path(path).write_bytes(OF_ONE)
    given = {"trust": TRUST[:1], "sources": text(OF_ONE)}
    own = {kind: path if kind == "path" else os.path.dirname(path)}
    result = run(path=path, at=NOW, **{**given, option: [*given[option], own]})
    assert result["failed"] is True and "source" in result["msg"] and read(path) == OF_ONE


def test_absent(run: Runner, path: str) -> None:
    run(path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)
    assert run(True, path=path, state="absent")["changed"] is True and os.path.exists(path)
    result = run(path=path, state="absent", backup=True)
    assert result["changed"] is True and not os.path.exists(path) and read(result["backup_file"]) == OF_ONE
    assert (result["diff"]["before"], result["diff"]["after"]) == (LINE.format("One", 1), "")
    assert run(path=path, state="absent")["changed"] is False


@pytest.mark.parametrize("missing", ["trust", "sources"])
def test_both_are_needed(run: Runner, path: str, missing: str) -> None:
    given = {"trust": TRUST, "sources": text(OF_ONE), "at": NOW}
    given.pop(missing)
    assert missing in run(path=path, **given)["msg"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_key_at_the_path_stays(run: Runner, path: str, state: str) -> None:
    Path(path).write_bytes(ONE.key_pem)
    result = run(path=path, state=state, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)
    assert (result["code"], result["place"]) == ("bundle.private_key", path) and read(path) == ONE.key_pem


def test_a_key_among_the_lists_is_never_told(run: Runner, path: str) -> None:
    result = run(path=path, trust=TRUST[:1], sources=text(OF_ONE + ONE.key_pem), at=NOW)
    assert result["code"] == "bundle.private_key" and not os.path.exists(path)
    secret = ONE.key_pem.splitlines()[1].decode()
    assert secret not in run.text and not any(secret in line for line in run.log)


def test_foreign_text_is_never_in_the_diff(run: Runner, path: str) -> None:
    Path(path).write_bytes(b"password=swordfish\n")
    result = run(path=path, trust=TRUST[:1], sources=text(OF_ONE), at=NOW)
    assert result["diff"]["before"] == "(no CRL)\n" and "swordfish" not in run.text
