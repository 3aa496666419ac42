# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""credential_info as a whole: files and contents in, facts and findings out, and no secret anywhere."""

from __future__ import annotations

import base64
import copy
import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the module itself imports ansible")

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import certificate_reader
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import content_of
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps
from ansible_collections.mutual_tls.nginx.plugins.modules import credential_info
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.installations import (
    credential,
    install,
    listener,
    site,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import tls_server
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner, as_process

ROOT = builders.root()
ISSUING = builders.intermediate(ROOT)
LEAF = builders.server(ISSUING)
OTHER = builders.server(ISSUING, "CN=other")
NOW = "2026-06-01T12:00:00Z"
PASSPHRASE = "a"
LOCKED = builders.key_pem(LEAF.key, PASSPHRASE.encode())
FILES = {
    "certificate": LEAF.pem + ISSUING.pem,
    "private_key": LEAF.key_pem,
    "trust": ROOT.pem,
}


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(credential_info.main, monkeypatch, capsys)


@pytest.fixture(name="paths")
def _paths(tmp_path: Path) -> dict[str, str]:
    return written(tmp_path, FILES)


def written(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """The options ``*_path`` for these files, each 0600."""
    for name, data in files.items():
        (folder / f"{name}.pem").write_bytes(data)
        (folder / f"{name}.pem").chmod(0o600)
    return {f"{name}_path": str(folder / f"{name}.pem") for name in files}


def contents(files: dict[str, bytes]) -> dict[str, str]:
    return {f"{name}_content": content_of(data) for name, data in files.items()}


def codes(element: dict[str, Any]) -> list[str]:
    return [one["code"] for one in element["findings"]]


# -- facts and verdicts


def test_a_good_credential(run: Runner, paths: dict[str, str]) -> None:
    names = ["orders.example.com", "10.0.0.1"]
    result = run(
        at=NOW, credentials=[{"name": "orders", **paths, "purpose": "server", "hostnames": names[:1]}]
    )
    (element,) = result["credentials"]
    assert result["changed"] is False and result["findings"] == [] and result["installed"] is None
    assert (element["name"], element["part"], element["served"]) == ("orders", None, None)
    assert (element["matches"], element["verifies"]) == (True, True)
    assert element["certificate"]["subject"] == "CN=orders.example.com"
    assert element["hostnames"] == {"orders.example.com": True}
    assert (element["private_key"]["type"], element["private_key"]["encrypted"]) == ("ec", False)
    assert element["chain"]["ordered"] is True
    wrong = run(at=NOW, credentials=[{"name": "orders", **paths, "hostnames": names}])
    assert codes(wrong["credentials"][0]) == ["name.mismatch"]


def test_what_is_documented_is_returned_and_nothing_else(run: Runner, paths: dict[str, str]) -> None:
    yaml = pytest.importorskip("yaml", reason="not in the images of managed hosts")
    documented = yaml.safe_load(credential_info.RETURN)
    result = run(at=NOW, credentials=[{"name": "orders", **paths, "hostnames": ["x.test"]}])
    assert set(result) - {"changed", "invocation"} == set(documented)
    element = result["credentials"][0]
    described = documented["credentials"]["contains"]
    assert set(element) == set(described)
    assert set(element["certificate"]) == set(described["certificate"]["contains"])
    assert set(element["chain"]) == set(described["chain"]["contains"])
    assert set(element["findings"][0]) == set(described["findings"]["contains"])


def test_the_order_is_that_of_the_call_and_one_never_stops_the_others(
    run: Runner, paths: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "garbage").write_bytes(os.urandom(3000))
    garbage = str(tmp_path / "garbage")
    hostile = {
        "garbage": {"certificate_path": garbage, "private_key_path": garbage},
        "directory": {"certificate_path": str(tmp_path), "trust_path": str(tmp_path)},
        "missing": {"certificate_path": "/no/cert", "crl_path": "/no/crl", "chain_path": "/no/chain"},
        "nul": {"certificate_path": "/tmp/\0", "private_key_passphrase_path": "/tmp/\0"},
        "empty": {"certificate_content": "", "private_key_content": "", "trust_content": ""},
        "text": {"certificate_content": "\u2028 -----BEGIN ", "private_key_content": "\0\u200b"},
        "nothing": {},
    }  # fmt: skip
    given = [{"name": name, **options} for name, options in hostile.items()]
    result = run(at=NOW, credentials=[*given, {"name": "good", **paths}])
    elements = {one["name"]: one for one in result["credentials"]}
    assert list(elements) == [*hostile, "good"]
    assert (elements["good"]["matches"], elements["good"]["verifies"]) == (True, True)
    for name in hostile:
        assert (elements[name]["matches"], elements[name]["certificate"]) == (None, None)
        assert bool(elements[name]["findings"]) is (name != "nothing"), name
    assert [one["credential"] for one in result["findings"]] == [
        one["name"] for one in result["credentials"] for _finding in one["findings"]
    ]
    assert codes(elements["missing"]).count("file.missing") == 3


@pytest.mark.parametrize(
    ("option", "verifies"), [("certificate_path", False), ("trust_path", False), ("crl_path", False)]
)
def test_what_cannot_be_read_is_never_accepted(
    run: Runner, paths: dict[str, str], option: str, verifies: bool
) -> None:
    """nginx would not start with it."""
    result = run(at=NOW, credentials=[{"name": "x", **paths, option: "/no/such"}])
    assert result["credentials"][0]["verifies"] is verifies
    assert "file.missing" in codes(result["credentials"][0])


def test_without_a_trust_bundle_there_is_no_verdict(run: Runner, paths: dict[str, str]) -> None:
    del paths["trust_path"]
    assert run(at=NOW, credentials=[{"name": "x", **paths}])["credentials"][0]["verifies"] is None


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (NOW, []),
        ("2026-07-31T11:59:59Z", ["expiry.soon"]),
        ("2026-07-31T12:00:00Z", ["expiry.expired"]),
        ("2026-05-02T11:59:59Z", ["expiry.not_yet_valid"]),
        ("2026-05-02T12:00:00Z", []),
        ("2026-05-02T14:00:00+02:00", []),
        ("9999-12-31T23:59:59Z", ["expiry.expired"]),
        ("0001-01-01T00:00:00Z", ["expiry.not_yet_valid"]),
    ],
)
def test_at(run: Runner, paths: dict[str, str], at: str, found: list[str]) -> None:
    del paths["trust_path"]
    (element,) = run(at=at, credentials=[{"name": "x", **paths}])["credentials"]
    assert codes(element) == found


@pytest.mark.parametrize(
    "options",
    [{"min_days": 10**12}, {"min_days": -(10**12)}, {"verify_depth": 10**30}, {"verify_depth": -1}],
)
def test_absurd_numbers(run: Runner, paths: dict[str, str], options: dict[str, int]) -> None:
    (element,) = run(at=NOW, credentials=[{"name": "x", **paths, **options}])["credentials"]
    assert element["verifies"] is (options.get("verify_depth", 1) > 0)
    assert ("expiry.soon" in codes(element)) is (options.get("min_days", 0) > 0)


def test_the_host_clock_counts_without_at(run: Runner) -> None:
    born = {"start": builders.AT - 9000 * builders.DAY, "end": builders.AT - 8000 * builders.DAY}
    old = builders.server(ROOT, **born)
    result = run(credentials=[{"name": "x", "certificate_content": old.pem.decode()}])
    assert codes(result["credentials"][0]) == ["expiry.expired"]


FORMS = [
    ("PEM", FILES),
    ("DER", {"certificate": LEAF.der, "private_key": LEAF.key_pem, "chain": ISSUING.der, "trust": ROOT.der}),
    ("wrong key", {**FILES, "private_key": OTHER.key_pem}),
    ("no intermediate", {**FILES, "certificate": LEAF.pem}),
    ("wrong CA", {**FILES, "trust": builders.root().pem}),
    ("swapped", {"certificate": LEAF.key_pem, "private_key": LEAF.pem}),
    ("empty", {"certificate": b"", "private_key": b"", "trust": b"", "crl": b"", "chain": b""}),
    ("binary", {"certificate": b"\0\xff\x80", "private_key": b"\0\xff\x80"}),
]


@pytest.mark.parametrize("files", [row[1] for row in FORMS], ids=[row[0] for row in FORMS])
def test_path_and_content_give_the_same(run: Runner, tmp_path: Path, files: dict[str, bytes]) -> None:
    given = [{"name": "x", **written(tmp_path, files)}, {"name": "x", **contents(files)}]
    by_path, by_content = run(at=NOW, credentials=given)["credentials"]
    for one in (by_path, by_content):
        for finding in one["findings"]:
            finding["place"] = finding["place"].rpartition("/")[2].replace("_content", ".pem")
            for text in (str(tmp_path) + "/", "_content", ".pem"):
                finding["message"] = finding["message"].replace(text, "")
    assert by_path == by_content


# -- fail_on


@pytest.mark.parametrize(
    ("found", "fail_on", "failed"),
    [
        ("error", "error", True),
        ("error", "warning", True),
        ("error", "never", False),
        ("warning", "error", False),
        ("warning", "warning", True),
        ("nothing", "warning", False),
    ],
)
def test_fail_on(run: Runner, paths: dict[str, str], found: str, fail_on: str, failed: bool) -> None:
    more = {"error": {"hostnames": ["no.test"]}, "warning": {"min_days": 61}, "nothing": {}}[found]
    result = run(at=NOW, fail_on=fail_on, credentials=[{"name": "orders", **paths, **more}])
    assert bool(result.get("failed")) is failed
    assert len(result["credentials"]) == 1 and len(result["findings"]) == (found != "nothing")
    if failed:
        assert (
            result["msg"].startswith(f"1 {found}. orders: ")
            and result["findings"][0]["remedy"] in result["msg"]
        )


def test_the_worst_is_told_first(run: Runner, paths: dict[str, str]) -> None:
    given = {"name": "orders", **paths, "min_days": 61, "hostnames": ["no.test", "nor.test"]}
    result = run(at=NOW, fail_on="warning", credentials=[given])
    assert result["msg"].startswith("2 errors and 1 warning. orders: ")
    assert "no.test" in result["msg"]


# -- secrets


def secrets(*keys: bytes) -> list[str]:
    return [line for key in keys for line in key.decode().splitlines() if line and "-----" not in line]


def test_a_short_passphrase_garbles_nothing(run: Runner, paths: dict[str, str], tmp_path: Path) -> None:
    locked = {**paths, **written(tmp_path, {"private_key": LOCKED})}
    (tmp_path / "secret").write_text(PASSPHRASE + "\nnot this\n")
    (tmp_path / "secret").chmod(0o600)
    by_path = {"private_key_passphrase_path": str(tmp_path / "secret")}
    for more in ({"private_key_passphrase": PASSPHRASE}, by_path):
        given = {"name": "a man", **locked, **more, "hostnames": ["a.test"]}
        result = run(at=NOW, credentials=[given])
        (element,) = result["credentials"]
        assert "***" not in run.text
        assert (element["name"], element["matches"], codes(element)) == ("a man", True, ["name.mismatch"])
        told = result["invocation"]["module_args"]["credentials"][0]
        assert told.get("private_key_passphrase") != PASSPHRASE
        assert told["private_key_path"] == locked["private_key_path"]
    wrong = run(at=NOW, credentials=[{"name": "a", **locked, "private_key_passphrase": "b"}])
    assert codes(wrong["credentials"][0]) == ["pair.key_encrypted"] and "***" not in run.text


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nsecond\n"])
def test_the_passphrase_is_the_first_line_of_its_file(
    run: Runner, tmp_path: Path, paths: dict[str, str], ending: str
) -> None:
    phrase = b"p\xe4ss w\xf6rd "  # no UTF-8
    key = builders.key_pem(LEAF.key, phrase)
    options = {**paths, **written(tmp_path, {"private_key": key, "secret": phrase + ending.encode()})}
    options["private_key_passphrase_path"] = options.pop("secret_path")
    (element,) = run(at=NOW, credentials=[{"name": "x", **options}])["credentials"]
    assert (element["matches"], codes(element)) == (True, [])


def test_a_file_of_a_secret_that_others_read_is_told(
    run: Runner, tmp_path: Path, paths: dict[str, str]
) -> None:
    options = {**paths, **written(tmp_path, {"private_key": LOCKED, "secret": PASSPHRASE.encode()})}
    options["private_key_passphrase_path"] = options.pop("secret_path")
    assert run(at=NOW, credentials=[{"name": "x", **options}])["findings"] == []
    for option, what in (("private_key_path", "private key"), ("private_key_passphrase_path", "passphrase")):
        os.chmod(options[option], 0o644)
        found = run(at=NOW, credentials=[{"name": "x", **options}])["findings"]
        assert [(one["code"], one["place"]) for one in found] == [("file.permissions", options[option])]
        assert found[0]["message"].startswith(f"The {what}'s file")
        os.chmod(options[option], 0o600)
    os.chmod(options["certificate_path"], 0o644)
    assert run(at=NOW, credentials=[{"name": "x", **options}])["findings"] == []


def test_no_secret_is_anywhere(run: Runner, tmp_path: Path) -> None:
    phrase = "correct horse battery"
    locked = builders.key_pem(LEAF.key, phrase.encode())
    wrong = builders.key_pem(LEAF.key, b"another")
    everywhere = {
        f"{slot}_content": LEAF.key_pem.decode() for slot in ("certificate", "chain", "trust", "crl")
    }
    given = [
        {"name": "good", **contents({**FILES, "private_key": locked}), "private_key_passphrase": phrase},
        {"name": "wrong", **contents({**FILES, "private_key": wrong}), "private_key_passphrase": phrase},
        {"name": "keys in all places", **everywhere, "private_key_content": LEAF.pem.decode()},
        {"name": "base64", "private_key_content": base64.b64encode(LEAF.key_pem).decode()},
    ]
    result = run(at=NOW, fail_on="never", credentials=given)
    assert result["credentials"][0]["matches"] is True
    failed = run(at=NOW, credentials=[{**given[0], "private_key_pasphrase": phrase}])
    assert failed["failed"] and "private_key_pasphrase" in failed["msg"]
    for text in (json.dumps(result), json.dumps(failed), "\n".join(run.log)):
        assert phrase not in text and "another" not in text
        assert not [line for line in secrets(LEAF.key_pem, locked, wrong) if line in text]
    assert run.log and set(run.log) == {"Invoked"}


def test_as_a_process(tmp_path: Path) -> None:
    given = {"name": "chain", **contents({**FILES, "private_key": LOCKED}), "private_key_passphrase": "a"}
    result, printed = as_process("credential_info", at=NOW, credentials=[given])
    assert result["credentials"][0]["matches"] is True and "***" not in printed
    assert not [line for line in secrets(LOCKED) if line in printed]


# -- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "one of the following is required: credentials, base"),
        ({"credentials": [{}]}, "name"),
        ({"credentials": [{"name": "x", "trust_path": "/x", "trust_content": "a"}]}, "mutually exclusive"),
        (
            {
                "credentials": [
                    {"name": "x", "private_key_passphrase": "a", "private_key_passphrase_path": "/x"}
                ]
            },
            "mutually exclusive",
        ),
        ({"credentials": [{"name": "x", "purpose": "mail"}]}, "purpose"),
        ({"credentials": [{"name": "x", "private_key_passphrase": "a", "pasphrase": "a"}]}, "pasphrase"),
        ({"credentials": [], "fail_on": "info"}, "fail_on"),
        ({"credentials": [], "at": "now"}, "'now' is not a time of RFC 3339"),
        ({"credentials": [], "at": "2026-06-01 12:00"}, "RFC 3339"),
    ],
)
def test_wrong_options(run: Runner, options: dict[str, Any], words: str) -> None:
    result = run(**options)
    assert result["failed"] and words in result["msg"]


def test_nothing_to_look_at_is_no_fault(run: Runner) -> None:
    result = run(credentials=[])
    assert (result["credentials"], result["findings"], result.get("failed")) == ([], [], None)


def test_without_the_library_the_package_is_named(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deps, "IMPORT_ERROR", "No module named 'cryptography'")
    result = run(credentials=[])
    assert result["failed"] and "apt install python3-cryptography" in result["msg"]


@pytest.mark.parametrize(
    "said",
    [
        "raise RuntimeError('the legacy provider failed to load')",
        "raise OSError('libssl.so.1.1: cannot open')",
        "raise AttributeError()",
        "__version__ = '2.6.1'",
    ],
)
def test_a_broken_library_is_told(tmp_path: Path, said: str) -> None:
    (tmp_path / "cryptography.py").write_text(said + "\n")
    result, printed = as_process("credential_info", tmp_path, credentials=[])
    assert result["failed"] and "apt install python3-cryptography" in result["msg"], printed
    assert "Traceback" not in printed


# -- many


def test_what_many_share_is_read_once(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear: the bundle's certificates are not read again for each credential."""
    bundle = ROOT.pem + b"".join(builders.root(f"CN=CA {number}").pem for number in range(20))
    shared = written(tmp_path, {"trust": bundle, "chain": ISSUING.pem})
    leaves = [LEAF, OTHER] + [builders.server(ISSUING, f"CN={number}") for number in range(28)]
    given = [
        {"name": str(number), "certificate_content": leaf.pem.decode(), **shared}
        for number, leaf in enumerate(leaves)
    ]
    reads: list[int] = []
    original = certificate_reader.read

    def counted(*arguments: Any) -> Any:
        reads.append(1)
        return original(*arguments)

    monkeypatch.setattr(certificate_reader, "read", counted)
    result = run(at=NOW, credentials=copy.deepcopy(given))
    assert {one["verifies"] for one in result["credentials"]} == {True}
    assert len(reads) == len(leaves) + 21 + 1


# -- installed


def installation(base: Path, port: int, server: builders.Issued) -> str:
    return install(
        str(base),
        credential(
            "server", "server", fullchain=server.pem, privkey=server.key_pem, trust=ROOT.pem + LEAF.pem
        ),
        site("orders", port, "orders.example.com"),
    )


def test_a_bare_host_is_no_fault(run: Runner, tmp_path: Path) -> None:
    result = run(base=str(tmp_path / "mtls"))
    assert (result["credentials"], result["findings"], result["installed"]["exists"]) == ([], [], False)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["fifo", "directory", "loop"])
def test_a_state_that_is_no_file_is_not_waited_for(run: Runner, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.json"
    {"fifo": os.mkfifo, "directory": os.mkdir, "loop": lambda one: os.symlink(one, one)}[kind](path)
    installed = run(base=str(tmp_path))["installed"]
    assert installed["exists"] and installed["state"] is None and installed["next_run"]


def test_what_is_installed_and_served(run: Runner, tmp_path: Path) -> None:
    """A real TLS server on the loopback serves the leaf on disk first, and another one after that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "served.pem").write_bytes(OTHER.pem + OTHER.key_pem)
    context.load_cert_chain(str(tmp_path / "served.pem"))
    with tls_server(context) as served:
        installation(tmp_path / "same", served.port, OTHER)
        same = run(at=NOW, base=str(tmp_path / "same"), credentials=[{"name": "listed"}])
        live = installation(tmp_path / "other", served.port, LEAF)
        other = run(at=NOW, base=str(tmp_path / "other"), fail_on="warning")
    listed, element = same["credentials"]
    assert (listed["name"], listed["part"], listed["trust"], listed["served"]) == ("listed", None, None, None)
    assert (element["name"], element["part"], element["matches"]) == ("server", "server", True)
    assert [one["subject"] for one in element["trust"]] == ["CN=Root", "CN=orders.example.com"]
    (row,) = element["served"]
    assert (row["address"], row["sha256"]) == (f"127.0.0.1:{served.port}", element["certificate"]["sha256"])
    assert (row["subject"], row["error"]) == ("CN=other", "")
    assert codes(element) == ["bundle.leaf"]
    assert other["failed"] and other["installed"]["release"] == live
    (element,) = other["credentials"]
    assert codes(element) == ["bundle.leaf", "endpoint.served_differs_from_file"]
    last = other["findings"][-1]
    assert "CN=other" in last["message"] and (last["credential"], last["part"]) == ("server", "server")


def test_what_may_not_be_read_is_a_finding_of_nobody(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation(tmp_path / "mtls", 1, LEAF)

    def refused(_self: Store) -> list[str]:
        raise PermissionError(13, "Permission denied", str(tmp_path / "mtls/releases"))

    monkeypatch.setattr(Store, "names", refused)
    result = run(base=str(tmp_path / "mtls"), fail_on="error")
    assert result["failed"] and "become: true" in result["msg"]
    assert [(one["code"], one["credential"]) for one in result["findings"]] == [("file.unreadable", "")]


def test_the_public_files_are_returned_when_asked_for(run: Runner, tmp_path: Path) -> None:
    installation(tmp_path / "mtls", 1, LEAF)
    without = run(at=NOW, base=str(tmp_path / "mtls"))
    asked = run(at=NOW, base=str(tmp_path / "mtls"), pem=True, credentials=[{"name": "listed"}])
    assert without["credentials"][0]["pem"] is None
    listed, element = asked["credentials"]
    assert (listed["pem"], element["pem"]["certificate"]) == (None, LEAF.pem.decode())
    assert element["pem"]["trust"] == (ROOT.pem + LEAF.pem).decode()
    assert "PRIVATE KEY" not in json.dumps(asked)


def test_a_bare_host_needs_no_library(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In check mode nothing has brought it yet. Where something is installed, it must be there."""
    monkeypatch.setattr(_deps, "IMPORT_ERROR", "No module named 'cryptography'")
    bare = run(base=str(tmp_path / "mtls"), pem=True)
    assert (bare["changed"], bare["installed"]["exists"]) == (False, False)
    installation(tmp_path / "mtls", 1, LEAF)
    assert "python3-cryptography" in run(base=str(tmp_path / "mtls"), pem=True)["msg"]


def test_nothing_documented_is_missing_from_the_installed(run: Runner, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="not in the images of managed hosts")
    documented = yaml.safe_load(credential_info.RETURN)
    route = {"proxy/routes/orders.conf": b"upstream orders { server a1:443; }"}
    install(
        str(tmp_path / "mtls"),
        credential("server", "server", fullchain=LEAF.pem, privkey=LEAF.key_pem, trust=ROOT.pem),
        credential("proxy", "client"),
        site("orders", 1, "orders.example.com"),
        listener("1", 2),
        route,
    )
    result = run(at=NOW, base=str(tmp_path / "mtls"), pem=True)
    assert set(result["installed"]) == set(documented["installed"]["contains"])
    element = result["credentials"][0]
    described = documented["credentials"]["contains"]
    assert set(element) == set(described)
    for name in ("served", "trust"):
        assert set(element[name][0]) == set(described[name]["contains"])
    for name in ("sites", "routes"):
        one = {key for entry in result["installed"][name] for key in entry}
        assert one == set(documented["installed"]["contains"][name]["contains"])
    assert set(element["pem"]) == set(described["pem"]["contains"])
    assert element["served"][0]["error"] == "Connection refused"
