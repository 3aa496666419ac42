# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.mutual_tls.nginx.plugins.action import release as action
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import bytes_of, passphrase_of

KEY = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"


def read(path: str, option: str) -> bytes:
    return f"-----BEGIN {path} of {option}".encode()


def credential(**more: Any) -> dict[str, Any]:
    return {"parts": {"server": {"credentials": [{"name": "s", **more}]}}}


def only(arguments: dict[str, Any]) -> dict[str, Any]:
    (found,) = action.with_content(arguments, read)["parts"]["server"]["credentials"]
    return found


@pytest.mark.parametrize("what", ["certificate", "private_key", "chain"])
def test_a_controller_file_becomes_content(what: str) -> None:
    found = only(credential(**{f"{what}_src": "a.pem"}))
    assert found == {
        "name": "s",
        f"{what}_content": f"-----BEGIN a.pem of parts.server.credentials[s].{what}_src",
    }


def test_a_binary_file_survives() -> None:
    arguments = action.with_content(credential(certificate_src="x"), lambda path, option: b"\x30\x82\xff")
    assert bytes_of(arguments["parts"]["server"]["credentials"][0]["certificate_content"]) == b"\x30\x82\xff"


def test_sources_of_trust_and_crl() -> None:
    found = only(
        credential(trust={"sources": [{"src": "t"}, {"path": "/p"}]}, crl=[{"src": "c"}, {"content": "C"}])
    )
    assert found["trust"]["sources"][0]["content"].startswith(
        "-----BEGIN t of parts.server.credentials[s].trust"
    )
    assert found["trust"]["sources"][1] == {"path": "/p"}
    assert [sorted(one) for one in found["crl"]] == [["content"], ["content"]]


def test_a_passphrase_never_stands_in_the_arguments_as_it_is() -> None:
    assert passphrase_of(only(credential(private_key_passphrase="a"))["private_key_passphrase"]) == b"a"
    found = action.with_content(credential(private_key_passphrase_src="p"), lambda path, option: b"a b\r\n")
    (one,) = found["parts"]["server"]["credentials"]
    assert passphrase_of(one["private_key_passphrase"]) == b"a b"
    assert "private_key_passphrase_src" not in one


def test_what_is_no_source_is_handed_on() -> None:
    arguments = {
        "base": "/b",
        "parts": {"proxy": {"routes": [{"name": "r", "content": "x"}]}, "server": None},
    }
    assert action.with_content(arguments, read) == arguments
    assert action.with_content({}, read) == {}


@pytest.mark.parametrize(
    ("given", "private"),
    [
        ({"private_key_content": KEY}, True),
        ({"private_key_passphrase": "a"}, True),
        ({"certificate_content": "-----BEGIN CERTIFICATE-----\n" + KEY}, True),
        ({"trust": {"sources": [{"content": KEY}]}}, True),
        ({"crl": [{"content": KEY}]}, True),
        ({"private_key_path": "/k", "certificate_content": "-----BEGIN CERTIFICATE-----"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_private(given: dict[str, Any], private: bool) -> None:
    assert action.holds_private_content(credential(**given)) is private


def test_a_revoked_client_for_the_proof_comes_from_the_controller_too() -> None:
    found = only(
        credential(proof=[{"name": "r", "certificate_src": "c", "private_key_src": "k"}, {"name": "s"}])
    )
    assert found["proof"] == [
        {
            "name": "r",
            "certificate_content": "-----BEGIN c of parts.server.credentials[s].proof[r].certificate_src",
            "private_key_content": "-----BEGIN k of parts.server.credentials[s].proof[r].private_key_src",
        },
        {"name": "s"},
    ]


@pytest.mark.parametrize(
    ("pair", "private"),
    [
        ({"private_key_content": "base64 of DER"}, True),
        ({"private_key_passphrase": "a"}, True),
        ({"certificate_content": "-----BEGIN CERTIFICATE-----\n" + KEY}, True),
        ({"private_key_path": "/k"}, False),
    ],
)
def test_a_revoked_clients_key_is_private(pair: dict[str, Any], private: bool) -> None:
    assert action.holds_private_content(credential(proof=[{"name": "r", **pair}])) is private


# --- the plugin --------------------------------------------------------------------------------------------


def plugin(
    arguments: dict[str, Any], pipelining: bool, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[Any]]:
    calls: list[Any] = []
    task = SimpleNamespace(args=arguments, async_val=0, action="release", check_mode=False, diff=False)
    found = action.ActionModule.__new__(action.ActionModule)
    found._task = task
    found._loader = None
    monkeypatch.setattr(action.ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(found, "_is_pipelining_enabled", lambda style, wrap_async: pipelining)

    def execute(**options: Any) -> dict[str, Any]:
        calls.append(options)
        return {"changed": True}

    monkeypatch.setattr(found, "_execute_module", execute)
    return found, calls


def test_the_module_gets_only_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = credential(certificate_path="~/c", private_key_path="/k")
    found, calls = plugin(given, False, monkeypatch)
    assert found.run(None, {})["changed"]
    assert calls[0]["module_name"] == "mutual_tls.nginx.release"
    sent = calls[0]["module_args"]
    assert set(sent) == {"parts"}
    (one,) = sent["parts"]["server"]["credentials"]
    # A path of the host: its home is the host's.
    assert (one["certificate_path"], one["private_key_path"]) == ("~/c", "/k")
    assert "trust" not in one


def test_a_key_is_refused_without_pipelining(monkeypatch: pytest.MonkeyPatch) -> None:
    given = credential(private_key_content=KEY)
    found, calls = plugin(given, False, monkeypatch)
    with pytest.raises(AnsibleActionFail, match="ansible_pipelining"):
        found.run(None, {})
    assert calls == []
    found, calls = plugin(given, True, monkeypatch)
    found.run(None, {})
    assert len(calls) == 1


@pytest.mark.parametrize("place", ["parts.server.credentials[s]", "server credential s"])
def test_a_fault_of_a_content_names_the_controllers_files(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = credential(
        certificate_src="/c.pem", trust={"sources": [{"src": "/t.pem"}]}, crl=[{"src": "/r.crl"}]
    )
    found, _calls = plugin(given, True, monkeypatch)
    monkeypatch.setattr(found, "_reader", lambda variables: read)
    for failed, said in ((f"{place}: wrong.", True), ("server credential other: wrong.", False)):
        monkeypatch.setattr(
            found, "_execute_module", lambda failed=failed, **_: {"failed": True, "msg": failed}
        )
        message = found.run(None, {})["msg"]
        assert message.startswith(failed)
        assert message.endswith("certificate /c.pem, trust /t.pem, crl /r.crl.") is said


def test_a_passphrase_that_is_no_text_shows_none_of_it() -> None:
    with pytest.raises(MtlsError) as found:
        action.with_content(credential(private_key_passphrase_src="p"), lambda path, option: b"a\xe4b")
    assert "0xe4" not in str(found.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"parts": {"srever": {}}}, "srever"),
        (credential(certificate_scr="x"), "certificate_scr"),
        (credential(certificate_src="x", certificate_path="/y"), "mutually exclusive"),
        (credential(proof=[{}]), "name"),
        (credential(proof=[{"name": "r", "trust": {}}]), "trust"),
        (credential(trust={"sources": [{}]}), "one of the following is required"),
        (credential(sessions="always"), "sessions"),
        ({"keep": "many"}, "keep"),
        ({"parts": {"server": {"sites": [{"name": "a"}]}}}, "content"),
    ],
)
def test_a_wrong_argument_never_reaches_the_host(
    arguments: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, calls = plugin(arguments, True, monkeypatch)
    with pytest.raises(AnsibleActionFail, match=words):
        found.run(None, {})
    assert calls == []


def test_a_missing_file_names_the_option_and_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    found, _calls = plugin(credential(certificate_src="no.pem"), True, monkeypatch)
    with pytest.raises(AnsibleActionFail, match=r"certificate_src.*no\.pem") as error:
        found.run(None, {"inventory_dir": str(tmp_path)})
    assert str(tmp_path / "no.pem") in str(error.value)
