# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

pytest.importorskip("cryptography", minversion="38")
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import (
    Credential,
    Desired,
    NotYet,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import foreign
from ansible_collections.mutual_tls.nginx.plugins.modules import release as module
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> tuple[bytes, bytes]:
    paths = foreign.foreign_identity(
        str(tmp_path), "client", AT, lambda path, data: files.write_new(path, data, 0o600)
    )
    return Path(paths[0]).read_bytes(), Path(paths[1]).read_bytes()


def examined(certificate: bytes, key: bytes, at: datetime = AT, purpose: str = "client") -> dict[str, Any]:
    one = Credential("proxy", "client", purpose, {"fullchain.pem": certificate, "privkey.pem": key})
    (found,) = module.examiner(at)(Desired({}, [one]), {})
    return found


@pytest.mark.parametrize(
    ("part", "purpose", "told"), [("server", "server", True), ("proxy", "client", False)]
)
def test_a_servers_chain_is_compared_with_the_live_one(part: str, purpose: str, told: bool) -> None:
    root = builders.root()
    issuing = builders.intermediate(root)
    live, new = builders.server(issuing), builders.server(issuing)
    one = Credential(part, "own", purpose, {"fullchain.pem": new.pem, "privkey.pem": new.key_pem})
    before = {f"{part}/credentials/own/fullchain.pem": live.pem + issuing.pem}
    (found,) = module.examiner(AT)(Desired({}, [one]), before)
    assert ("chain.missing_intermediate" in codes(found)) is told


ROOT = builders.root()
ISSUING = builders.intermediate(ROOT)


def lists(*issuers: builders.Issued, **more: Any) -> bytes:
    return b"".join(builders.revoke(issuer, **more).public_bytes(Encoding.PEM) for issuer in issuers)


CRLS: dict[str, tuple[bytes, Optional[bytes], set[str]]] = {
    "of each authority": (ROOT.pem + ISSUING.pem, lists(ROOT, ISSUING), set()),
    "of one of two": (ROOT.pem + ISSUING.pem, lists(ROOT), {"crl.missing_for_ca"}),
    "past its end": (ROOT.pem, lists(ROOT, end=builders.AT), {"crl.expired"}),
    "near its end": (ROOT.pem, lists(ROOT, end=builders.AT + builders.DAY), set()),
    "of tomorrow": (ROOT.pem, lists(ROOT, start=builders.AT + builders.DAY), {"crl.not_yet_valid"}),
    "of another authority": (ROOT.pem, lists(builders.root("CN=Other")), {"crl.missing_for_ca"}),
    "empty": (ROOT.pem, b"", {"crl.missing_for_ca", "format.unreadable"}),
    "none": (ROOT.pem + ISSUING.pem, None, set()),
}


@pytest.mark.parametrize(("part", "purpose"), [("server", "server"), ("proxy", "client")])
@pytest.mark.parametrize("case", CRLS)
def test_a_crl_by_which_nginx_would_refuse_everybody(case: str, part: str, purpose: str) -> None:
    trust, crl, expected = CRLS[case]
    own = (builders.server if purpose == "server" else builders.client)(ROOT)
    given = {"fullchain.pem": own.pem, "privkey.pem": own.key_pem, "trust.pem": trust}
    if crl is not None:
        given["crl.pem"] = crl
    (found,) = module.examiner(builders.AT)(Desired({}, [Credential(part, "own", purpose, given)]), {})
    assert codes(found) == expected


def codes(found: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in found["findings"] if finding["severity"] == "error"}


def test_a_credential_as_the_result_shows_it(pair: tuple[bytes, bytes]) -> None:
    found = examined(*pair)
    assert (found["part"], found["name"], found["subject"], found["trust"]) == (
        "proxy",
        "client",
        "CN=client",
        [],
    )
    assert codes(found) == set()
    assert b"PRIVATE" not in repr(found).encode()


def test_faults_of_a_credential_are_findings(pair: tuple[bytes, bytes], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = foreign.foreign_identity(
        str(tmp_path / "other"), "x", AT, lambda path, data: files.write_new(path, data, 0o600)
    )
    assert codes(examined(pair[0], Path(other[1]).read_bytes())) == {"pair.key_mismatch"}
    assert codes(examined(*pair, at=AT + timedelta(days=30))) == {"expiry.expired"}
    wrong = examined(*pair, purpose="server")
    assert "purpose.server_auth_missing" in {finding["code"] for finding in wrong["findings"]}


def test_the_diff_of_a_key_is_its_public_half(pair: tuple[bytes, bytes]) -> None:
    decoder = module.decoder()
    digest = decoder.key_sha256(pair[1])
    assert len(digest) == 64
    assert digest != hashlib.sha256(pair[1]).hexdigest()
    assert [one["subject"] for one in decoder.certificates(pair[0])] == ["CN=client", "CN=mtls foreign CA"]


def test_a_pending_file_is_another_steps_work_any_other_is_missing(tmp_path: Path) -> None:
    read = module.reader(str(tmp_path))
    with pytest.raises(NotYet):
        read(f"{tmp_path}/pending/server/s/privkey.pem")
    for path in (f"{tmp_path}/x", f"{tmp_path}/pending"):
        (tmp_path / "pending").mkdir(exist_ok=True)
        with pytest.raises(MtlsError) as found:
            read(path)
        assert not isinstance(found.value, NotYet)
        assert found.value.place == path


def test_a_file_that_cannot_be_read_equals_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert module.file_digest(str(tmp_path / "a")) == module.file_digest(str(tmp_path / "b"))
    assert module.file_digest(str(tmp_path / "c")) != module.file_digest(str(tmp_path / "d"))


@pytest.mark.parametrize(
    ("params", "state", "parts"),
    [
        ({"state": "present", "parts": {"server": {"sites": []}, "proxy": None}}, "present", {"server"}),
        ({"state": "absent", "parts": None}, "absent", set()),
    ],
)
def test_a_part_that_is_not_given_is_no_part(params: dict[str, Any], state: str, parts: set[str]) -> None:
    intent = module.intent_of({"to": None, "until": "stable", **params})
    assert (intent.state, set(intent.parts), intent.to) == (state, parts, "")


def test_a_bare_host_gets_a_plan() -> None:
    outcome = module.bare(None)
    assert (outcome.changed, outcome.state) == (True, "checked")
    assert any("nginx is not installed yet" in line for line in outcome.plan)


@pytest.mark.parametrize("name", ["/etc/nginx/mtls/.lock", None])
def test_a_fault_of_the_file_system_has_a_place_and_a_remedy(name: Optional[str]) -> None:
    said = module.unforeseen(OSError(30, "Read-only file system", name), "/etc/nginx/mtls")
    assert said.startswith(f"{name or '/etc/nginx/mtls'}: Read-only file system.")
    assert "nginx_mtls_base" in said


class _Failed(Exception):
    pass


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("base", "binary", "cleared"), [(True, "nginx", False), (False, "nginx", True), (False, None, False)]
)
def test_absent_without_a_base_looks_for_what_else_was_left(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: bool,
    binary: Optional[str],
    cleared: bool,
    check_mode: bool,
) -> None:
    asked = []

    class Remains:
        def __init__(self, *ports: object) -> None:
            pass

        def clear(self, intent: Any, planning: bool) -> Any:
            asked.append((intent.state, planning))
            return module.Outcome(state="absent", changed=True)

    def machine(*given: object) -> Any:
        return None, None

    def call(*given: object) -> Any:
        raise MtlsError("the transaction's own work")

    def fail_json(**result: object) -> None:
        raise _Failed

    monkeypatch.setattr(module, "Remains", Remains)
    monkeypatch.setattr(module, "Preview", call)
    monkeypatch.setattr(module, "Transaction", call)
    monkeypatch.setattr(module, "machine", machine)
    monkeypatch.setattr(module.nginx, "locate", lambda: binary)
    monkeypatch.setattr(module.shadow, "sweep", lambda: None)
    monkeypatch.setattr(module.shadow, "scratch", lambda: contextlib.nullcontext(str(tmp_path)))
    if base:
        (tmp_path / "mtls").mkdir()
    params = {"base": f"{tmp_path}/mtls", "parts": None, "state": "absent", "to": None, "until": "stable"}
    params["worker_shutdown_timeout"] = ""
    made: Any = SimpleNamespace(
        params=params, check_mode=check_mode, fail_json=fail_json, _diff=False, warn=print
    )
    if base:
        with pytest.raises(_Failed):
            module.run(made)
    else:
        assert module.run(made).changed is cleared
    assert asked == ([("absent", check_mode)] if cleared else [])


@pytest.mark.parametrize(
    ("text", "refused"), [("1 minute", True), ("60s;", True), ("60s", False), ("", False)]
)
def test_what_is_no_time_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, refused: bool
) -> None:
    told: list[Any] = []

    def fail_json(**result: Any) -> None:
        told.append(result["msg"])
        raise _Failed

    def machine(*given: object) -> Any:
        raise MtlsError("what comes next")

    monkeypatch.setattr(module, "machine", machine)
    monkeypatch.setattr(module.nginx, "locate", lambda: "nginx")
    monkeypatch.setattr(module.shadow, "sweep", lambda: None)
    monkeypatch.setattr(module.shadow, "scratch", lambda: contextlib.nullcontext(str(tmp_path)))
    params = {"base": f"{tmp_path}/mtls", "parts": None, "state": "present", "to": None, "until": "stable"}
    params["worker_shutdown_timeout"] = text
    made: Any = SimpleNamespace(params=params, check_mode=False, fail_json=fail_json, _diff=False, warn=print)
    with pytest.raises(_Failed):
        module.run(made)
    assert told[0].startswith("worker_shutdown_timeout: " if refused else "what comes next")
    assert list(tmp_path.iterdir()) == []
