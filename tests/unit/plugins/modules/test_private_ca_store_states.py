# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""private_ca_store with several generations: what signs, what is retired, what is revoked, and its CRLs.

The module's own `run` is called, with a clock of the test's, on real directories; the command openssl gives a
second opinion.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store
from ansible_collections.mutual_tls.nginx.plugins.modules import private_ca_store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, openssl

# Of the threads of pytest's own workers; what is forked here uses none of theirs.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
VALID: dict[str, Any] = {"start": NOW - 2 * DAY, "end": NOW + 900 * DAY}
PASSPHRASE = "a passphrase of the test"


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest's own directory is a temporary folder; the refusal has tests of its own.
    monkeypatch.setattr(ca_store, "temporary_folders", lambda environment: ["/var/tmp"])


class Ca:
    """A directory with generations that were made by the library, and certificates of theirs."""

    def __init__(self, path: Path, intermediate: bool = False, passphrase: str = "") -> None:
        self.path = path
        self.options: dict[str, Any] = {"intermediate": intermediate, "passphrase": passphrase}
        self.signers: dict[tuple[int, str], builders.Issued] = {}

    def make(self, number: int) -> None:
        root = builders.root(f"CN=shop CA {number}", path_length=1, **VALID)
        self.put(number, "root", root)
        if self.options["intermediate"]:
            issuing = builders.intermediate(root, f"CN=shop CA {number} issuing", path_length=0, **VALID)
            self.put(number, "intermediate", issuing)

    def put(self, number: int, stem: str, issued: builders.Issued) -> None:
        self.signers[number, stem] = issued
        folder = self.generation(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.pem").write_bytes(issued.pem)
        key = folder / f"{stem}.key"
        key.write_bytes(builders.key_pem(issued.key, self.options["passphrase"].encode()))
        key.chmod(0o600)

    def generation(self, number: int) -> Path:
        return self.path / "generations" / str(number)

    def leaf(self, number: int, stem: str, host: str = "b1", serial: int = 0, **more: Any) -> builders.Issued:
        """Signed and recorded."""
        leaf = builders.client(
            self.signers[number, stem], f"CN={host}", serial=serial or None, **{**VALID, **more}
        )
        self.run("recorded", host=host, generation=number, certificates={"proxy/client": leaf.pem.decode()})
        return leaf

    def run(self, state: str, at: datetime = NOW, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        spec = private_ca_store.argument_spec()
        defaults = {name: option.get("default") for name, option in spec.items()}
        params = {
            **defaults,
            "path": str(self.path),
            "name": "shop",
            **self.options,
            "state": state,
            **options,
        }
        return private_ca_store.run(params, check_mode, at)

    def revoke(self, *leaves: builders.Issued, **options: Any) -> dict[str, Any]:
        digests = [leaf.certificate.fingerprint(hashes.SHA256()).hex() for leaf in leaves]
        return self.run("revoked", sha256=digests, **options)

    def files(self) -> dict[str, bytes]:
        """All but the lock, by name."""
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and path.name not in (".lock", ".gitignore")
        }

    def crl_numbers(self) -> dict[str, int]:
        return {one["issuer"]: one["number"] for one in self.run("read")["store"]["crls"]}

    def openssl_accepts(self, leaf: builders.Issued) -> bool:
        """`openssl verify -crl_check_all`, with what the module says that hosts trust."""
        store = self.run("read")["store"]
        issuing = [issued.pem for (dummy, stem), issued in self.signers.items() if stem != "root"]
        files = {
            "roots.pem": "".join(one["certificate"] for one in store["roots"]).encode(),
            "crls.pem": "".join(one["pem"] for one in store["crls"]).encode(),
            "int.pem": b"".join(issuing) or self.signers[1, "root"].pem,
            "leaf.pem": leaf.pem,
        }
        command = "verify -crl_check_all -CAfile roots.pem -CRLfile crls.pem -untrusted int.pem leaf.pem"
        said = openssl.ask(*command.split(), files=files)
        assert said.ok or "certificate revoked" in said.out + said.err, said
        return said.ok


@pytest.fixture(name="ca")
def _ca(tmp_path: Path) -> Ca:
    """Two generations beside each other."""
    ca = Ca(tmp_path / "ca")
    ca.make(1)
    ca.make(2)
    return ca


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- what signs, and what is retired ---


def test_from_one_generation_to_the_next(ca: Ca) -> None:
    store = ca.run("read")["store"]
    assert (store["issuing"], store["issuer"]["generation"]) == (1, 1)
    assert [(one["generation"], one["retired"]) for one in store["roots"]] == [(1, False), (2, False)]

    moved = ca.run("issuing", generation=2)
    assert (moved["changed"], moved["store"]["issuing"], moved["store"]["issuer"]["generation"]) == (
        True,
        2,
        2,
    )
    assert (ca.path / "issuing").read_text(encoding="ascii") == "2\n"
    assert mode(ca.path / "issuing") == 0o600
    assert ca.run("issuing", generation=2)["changed"] is False

    retired = ca.run("retired", generation=1)
    assert retired["changed"] is True
    assert [one["generation"] for one in retired["store"]["roots"]] == [2]
    assert ca.run("retired", generation=1)["changed"] is False
    everything = ca.run("read", with_retired=True)["store"]["roots"]
    assert [(one["generation"], one["retired"]) for one in everything] == [(1, True), (2, False)]
    assert ca.run("read")["store"] == retired["store"]


@pytest.mark.parametrize(
    ("state", "options"),
    [
        ("issuing", {"generation": 2}),
        ("retired", {"generation": 2}),
        ("crl", {"force": True}),
        ("revoked", {"serials": [{"serial": "0B", "issuer": "CN=shop CA 1"}]}),
    ],
)
def test_check_mode_says_what_would_change_and_writes_nothing(
    ca: Ca, state: str, options: dict[str, Any]
) -> None:
    before = sorted(ca.path.rglob("*"))
    planned = ca.run(state, check_mode=True, **options)
    assert planned["changed"] is True
    assert sorted(ca.path.rglob("*")) == before, "not even the lock"
    assert planned["store"] == ca.run("read")["store"]
    ca.run(state, **options)
    if not options.get("force"):
        assert ca.run(state, check_mode=True, **options)["changed"] is False


REFUSALS = [
    ("issuing", 3, "has no generation 3"),
    ("issuing", 2, "generations/2 is retired"),
    ("retired", 1, "generations/1 is the one that signs"),
    ("retired", 3, "has no generation 3"),
]


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(("state", "number", "refusal"), REFUSALS)
def test_refused(ca: Ca, state: str, number: int, refusal: str, check_mode: bool) -> None:
    (ca.generation(2) / "retired").touch()
    before = ca.files()
    with pytest.raises(MtlsError, match=refusal):
        ca.run(state, generation=number, check_mode=check_mode)
    assert ca.files() == before


def test_a_generation_that_cannot_sign_does_not_begin_to(ca: Ca) -> None:
    expired = builders.root("CN=shop CA 2", start=NOW - 3 * DAY, end=NOW)
    ca.put(2, "root", expired)
    with pytest.raises(MtlsError, match="expired on"):
        ca.run("issuing", generation=2)
    ca.make(2)
    (ca.generation(2) / "root.key").write_bytes((ca.generation(1) / "root.key").read_bytes())
    with pytest.raises(MtlsError, match="not the key of the certificate"):
        ca.run("issuing", generation=2)
    assert not (ca.path / "issuing").exists()


def test_a_generation_takes_over_from_one_that_has_expired(ca: Ca) -> None:
    ca.put(1, "root", builders.root("CN=shop CA 1", start=NOW - 3 * DAY, end=NOW))
    with pytest.raises(MtlsError, match="expired on"):
        ca.run("read")
    assert ca.run("issuing", generation=2)["store"]["issuer"]["generation"] == 2
    assert ca.run("retired", generation=1)["changed"] is True


@pytest.mark.parametrize("state", ["issuing", "retired", "revoked", "crl"])
def test_where_there_is_no_ca(tmp_path: Path, state: str) -> None:
    with pytest.raises(MtlsError, match="holds no CA yet"):
        Ca(tmp_path / "ca").run(state, generation=1, host="b1", force=True)
    assert not (tmp_path / "ca").exists()


def test_nothing_is_recorded_of_a_generation_that_signed_before(ca: Ca) -> None:
    """Another controller moved on between the look and the signature."""
    leaf = ca.leaf(1, "root")
    ca.run("issuing", generation=2)
    before = ca.files()
    with pytest.raises(MtlsError, match="another run has moved on") as caught:
        ca.leaf(1, "root")
    assert caught.value.remedy == "Run again."
    assert ca.files() == before
    ca.leaf(2, "root")
    assert ca.revoke(leaf)["revoked"][0]["generation"] == 1, "what it signed is still known"


NEXT = [
    # generation that signs, what is asked, intermediate, what is to be made of which generation
    ("generation", False, {}, {"generation": 2, "directory": None, "files": ["root.key", "root.pem"]}),
    (
        "generation",
        True,
        {},
        {
            "generation": 2,
            "directory": None,
            "files": ["root.key", "root.pem", "intermediate.key", "intermediate.pem"],
        },
    ),
    (
        "intermediate",
        True,
        {},
        {
            "generation": 1,
            "directory": "{path}/generations/1",
            "files": ["intermediate-2.key", "intermediate-2.pem"],
        },
    ),
]


@pytest.mark.parametrize(("what", "intermediate", "options", "make"), NEXT)
def test_what_is_to_be_made_next(
    tmp_path: Path, what: str, intermediate: bool, options: dict[str, Any], make: dict[str, Any]
) -> None:
    ca = Ca(tmp_path / "ca", intermediate)
    ca.make(1)
    store = ca.run("read", next=what, **options)["store"]
    if make["directory"]:
        make = {**make, "directory": make["directory"].format(path=ca.path)}
    assert store["make"] == make
    assert store["issuer"]["generation"] == 1
    assert ca.run("read")["store"]["make"] is None


def test_nothing_is_to_be_made_while_the_newest_does_not_sign(ca: Ca) -> None:
    assert ca.run("read", next="generation")["store"]["make"] is None
    ca.run("issuing", generation=2)
    assert ca.run("read", next="generation")["store"]["make"]["generation"] == 3


def test_the_next_one_of_a_ca_that_has_expired(ca: Ca) -> None:
    ca.put(1, "root", builders.root("CN=shop CA 1", start=NOW - 3 * DAY, end=NOW))
    store = ca.run("read", next="generation")["store"]
    assert [one["generation"] for one in store["roots"]] == [1, 2]


def test_the_newest_is_what_signs_until_there_is_a_newer_one(ca: Ca) -> None:
    def newest() -> Any:
        return ca.run("read")["store"]["newest"]

    number = max(number for number, stem in ca.signers)
    assert newest()["generation"] == number
    ca.make(number + 1)
    root = ca.signers[number + 1, "root"].pem.decode()
    assert newest() == {"generation": number + 1, "certificate": root, "root": root}
    ca.run("retired", generation=number + 1)
    assert newest()["generation"] == number


def test_the_newest_intermediate_with_its_root(tmp_path: Path) -> None:
    ca = Ca(tmp_path / "ca", intermediate=True)
    ca.make(1)
    second = builders.intermediate(ca.signers[1, "root"], "CN=shop CA 1 issuing 2", path_length=0, **VALID)
    ca.put(1, "intermediate-2", second)
    root = ca.signers[1, "root"].pem.decode()
    assert ca.run("read")["store"]["newest"] == {
        "generation": 1,
        "certificate": second.pem.decode(),
        "root": root,
    }


def test_what_is_issued_is_told_until_it_has_expired(ca: Ca) -> None:
    ca.leaf(1, "root", "b1", serial=17)
    ca.leaf(1, "root", "b2", serial=18, end=NOW - DAY)
    assert "issued" not in ca.run("read")["store"]
    (one,) = ca.run("read", with_issued=True)["store"]["issued"]
    assert (one["serial"], one["generation"], one["host"]) == ("11", 1, "b1")


def test_a_wrong_passphrase_makes_no_next_generation(tmp_path: Path) -> None:
    ca = Ca(tmp_path / "ca", passphrase=PASSPHRASE)
    ca.make(1)
    with pytest.raises(MtlsError, match="cannot be opened"):
        ca.run("read", next="generation", passphrase="another passphrase")


# --- a new intermediate under the old root ---


def test_a_new_intermediate_signs_when_it_is_told_to(tmp_path: Path) -> None:
    ca = Ca(tmp_path / "ca", intermediate=True)
    ca.make(1)
    old = ca.leaf(1, "intermediate")
    second = builders.intermediate(ca.signers[1, "root"], "CN=shop CA 1 issuing 2", path_length=0, **VALID)
    ca.put(1, "intermediate-2", second)
    before = ca.run("read")["store"]
    assert before["issuer"]["subject"] == "CN=shop CA 1 issuing"
    moved = ca.run("issuing", generation=1)
    assert (moved["changed"], moved["store"]["issuer"]["subject"]) == (True, "CN=shop CA 1 issuing 2")
    assert moved["store"]["chain"] == second.pem.decode()
    assert moved["store"]["roots"] == before["roots"]
    assert ca.run("issuing", generation=1)["changed"] is False
    new = ca.leaf(1, "intermediate-2", host="b2")
    ca.revoke(old)
    assert sorted(ca.crl_numbers()) == ["CN=shop CA 1", "CN=shop CA 1 issuing", "CN=shop CA 1 issuing 2"]
    assert (ca.openssl_accepts(old), ca.openssl_accepts(new)) == (False, True)


# --- revoking ---


def test_no_crl_before_the_first_revocation(ca: Ca) -> None:
    ca.leaf(1, "root")
    before = ca.files()
    assert ca.run("crl")["changed"] is False
    assert ca.run("crl")["store"]["crls"] == []
    assert ca.files() == before


def test_the_first_revocation_makes_all_crls(ca: Ca) -> None:
    leaf = ca.leaf(1, "root", serial=0xB)
    result = ca.revoke(leaf)
    assert result["changed"] is True
    store = result["store"]
    assert result["revoked"] == store["revoked"]
    assert [(one["serial"], one["generation"], one["issuer"]) for one in store["revoked"]] == [
        ("0B", 1, "CN=shop CA 1")
    ]
    assert [(one["host"], one["side"], one["credential"]) for one in store["revoked"]] == [
        ("b1", "proxy", "client")
    ]
    assert [(one["generation"], one["issuer"]) for one in store["crls"]] == [
        (1, "CN=shop CA 1"),
        (2, "CN=shop CA 2"),
    ]
    for one in store["crls"]:
        assert one["this_update"] == (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert one["next_update"] == (NOW + 30 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {name: mode(ca.path / name) for name in ca.files() if name.endswith(("crl.pem", "jsonl"))} == {
        "generations/1/root-crl.pem": 0o644,
        "generations/2/root-crl.pem": 0o644,
        "issued.jsonl": 0o600,
        "revoked.jsonl": 0o600,
    }
    before = ca.files()
    again = ca.revoke(leaf, at=NOW + DAY)
    assert (again["changed"], again["revoked"]) == (False, result["revoked"])
    assert ca.files() == before


@pytest.mark.parametrize("intermediate", [False, True])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_openssl_refuses_the_revoked_one_alone(tmp_path: Path, intermediate: bool, passphrase: str) -> None:
    ca = Ca(tmp_path / "ca", intermediate, passphrase)
    ca.make(1)
    ca.make(2)
    stem = "intermediate" if intermediate else "root"
    good, bad = ca.leaf(1, stem), ca.leaf(1, stem, host="b2", serial=0xB)
    ca.run("issuing", generation=2)
    other = ca.leaf(2, stem, host="b3", serial=0xB)
    result = ca.revoke(bad)
    assert [ca.openssl_accepts(leaf) for leaf in (good, bad, other)] == [True, False, True]
    assert PASSPHRASE not in json.dumps(result)
    for one in result["store"]["crls"]:
        signer = ca.signers[
            one["generation"], "intermediate" if one["issuer"].endswith("issuing") else "root"
        ]
        other_signer = ca.signers[3 - one["generation"], "root"]
        for issuer, says in ((signer, True), (other_signer, False)):
            files = {"crl.pem": one["pem"].encode(), "ca.pem": issuer.pem}
            said = openssl.ask("crl", "-verify", "-noout", "-CAfile", "ca.pem", "-in", "crl.pem", files=files)
            assert ("verify OK" in said.out + said.err) is says
    ca.revoke(other)
    assert [ca.openssl_accepts(leaf) for leaf in (good, bad, other)] == [True, False, False]
    ca.run("retired", generation=1)
    issuers = {one["issuer"] for one in ca.run("read")["store"]["crls"]}
    assert issuers == ({"CN=shop CA 2", "CN=shop CA 2 issuing"} if intermediate else {"CN=shop CA 2"})


def test_each_revocation_makes_every_crl_but_those_of_retired_generations(ca: Ca) -> None:
    leaves = [ca.leaf(1, "root", host=f"b{number}") for number in range(3)]
    ca.revoke(leaves[0])
    first = ca.crl_numbers()
    ca.revoke(leaves[1])
    second = ca.crl_numbers()
    assert {issuer: number + 1 for issuer, number in first.items()} == second, "in one second"
    ca.run("retired", generation=2)
    before = (ca.generation(2) / "root-crl.pem").read_bytes()
    ca.revoke(leaves[2])
    ca.run("crl", at=NOW + 60 * DAY)
    assert (ca.generation(2) / "root-crl.pem").read_bytes() == before
    assert list(ca.crl_numbers()) == ["CN=shop CA 1"]
    both = ca.run("read", with_retired=True)["store"]["crls"]
    assert [one["generation"] for one in both] == [1, 2]


def test_what_the_intermediate_did_not_sign_is_on_the_roots_list(tmp_path: Path) -> None:
    """A leaf of the root from before there was an intermediate."""
    ca = Ca(tmp_path / "ca", intermediate=True)
    ca.make(1)
    old = ca.leaf(1, "root")
    new = ca.leaf(1, "intermediate", host="b2")
    ca.revoke(old)
    assert (ca.openssl_accepts(old), ca.openssl_accepts(new)) == (False, True)
    entries = {one["issuer"]: one["serial"] for one in ca.run("read")["store"]["revoked"]}
    assert list(entries) == ["CN=shop CA 1"]


def test_one_serial_in_two_generations(ca: Ca) -> None:
    first = ca.leaf(1, "root", serial=0xB)
    ca.run("issuing", generation=2)
    second = ca.leaf(2, "root", serial=0xB)
    before = ca.files()
    with pytest.raises(MtlsError, match=r"serial 0B is in generation 1 .* and generation 2 .*: say which"):
        ca.run("revoked", serials=[{"serial": "0B"}])
    assert ca.files() == before
    ca.run("revoked", serials=[{"serial": "b", "generation": 2}])
    assert (ca.openssl_accepts(first), ca.openssl_accepts(second)) == (True, False)


def test_one_that_the_record_does_not_know(ca: Ca) -> None:
    stranger = builders.client(ca.signers[2, "root"], serial=0xB, **VALID)
    with pytest.raises(MtlsError, match="serial 0B is not in issued") as caught:
        ca.run("revoked", serials=[{"serial": "0B"}])
    assert "its issuer" in caught.value.remedy
    assert not (ca.path / "revoked.jsonl").exists()
    ca.run("revoked", serials=[{"serial": "0B", "issuer": "CN=shop CA 2"}])
    assert ca.openssl_accepts(stranger) is False


def test_a_host_and_one_credential_of_it(ca: Ca) -> None:
    texts = {
        name: builders.client(ca.signers[1, "root"], serial=number, **{**VALID, "end": end}).pem.decode()
        for name, number, end in (
            ("proxy/client", 0xB, NOW + DAY),
            ("proxy/billing", 0xC, NOW + DAY),
            ("server/old", 0xD, NOW),
        )
    }
    ca.run("recorded", host="b1", generation=1, certificates=texts)
    one = ca.run("revoked", host="b1", credential="billing")
    assert [entry["serial"] for entry in one["revoked"]] == ["0C"]
    rest = ca.run("revoked", host="b1")
    assert sorted(entry["serial"] for entry in rest["revoked"]) == ["0B", "0C"]
    assert [entry["serial"] for entry in rest["store"]["revoked"]] == ["0C", "0B"]
    assert ca.run("revoked", host="b1")["changed"] is False


# --- renewing ---


def test_a_crl_is_renewed_in_time(ca: Ca) -> None:
    ca.revoke(ca.leaf(1, "root"), crl_days=9)
    first = ca.crl_numbers()
    assert ca.run("crl", at=NOW + 6 * DAY - timedelta(seconds=1), crl_days=9)["changed"] is False
    assert ca.run("crl", at=NOW + 2 * DAY, crl_days=9, renew_before_days=7)["changed"] is True
    assert ca.run("crl", at=NOW + 9 * DAY, crl_days=9)["changed"] is True
    assert all(number > first[issuer] for issuer, number in ca.crl_numbers().items())
    with pytest.raises(MtlsError, match="less than crl_days"):
        ca.run("crl", crl_days=9, renew_before_days=9)


def test_a_new_generation_gets_its_crl_where_crls_are_in_use(ca: Ca) -> None:
    ca.revoke(ca.leaf(1, "root"))
    before = ca.crl_numbers()
    ca.make(3)
    assert ca.run("crl", at=NOW + DAY)["changed"] is True
    after = ca.crl_numbers()
    assert sorted(after) == ["CN=shop CA 1", "CN=shop CA 2", "CN=shop CA 3"]
    assert {issuer: after[issuer] for issuer in before} == before, "the others are good"


def test_crls_that_were_asked_for_before_the_first_revocation(ca: Ca) -> None:
    """They are renewed from then on: a host that has one refuses everybody when it ends."""
    assert ca.run("crl", force=True)["changed"] is True
    assert len(ca.crl_numbers()) == 2
    assert ca.run("read")["store"]["revoked"] == []
    assert ca.run("crl")["changed"] is False
    assert ca.run("crl", at=NOW + 25 * DAY)["changed"] is True
    assert ca.run("crl", at=NOW + 25 * DAY, force=True)["changed"] is True


def test_a_number_grows_when_the_clock_goes_back(ca: Ca) -> None:
    """And what a clock that was ahead has made is made anew: it is not valid yet."""
    leaf = ca.leaf(1, "root")
    ca.revoke(leaf, at=NOW + 300 * DAY)
    ahead = ca.crl_numbers()
    assert ca.run("crl")["changed"] is True
    back = ca.crl_numbers()
    assert all(back[issuer] == number + 1 for issuer, number in ahead.items())
    for one in ca.run("read")["store"]["crls"]:
        assert one["this_update"] < NOW.strftime("%Y-%m-%dT%H:%M:%SZ") < one["next_update"]
    assert ca.openssl_accepts(leaf) is False
    ca.run("crl", force=True)
    assert all(number > back[issuer] for issuer, number in ca.crl_numbers().items())


def test_an_old_backup_does_not_take_the_number_back(ca: Ca) -> None:
    ca.revoke(ca.leaf(1, "root"))
    before = ca.crl_numbers()
    for number in (1, 2):
        (ca.generation(number) / "root-crl.pem").unlink()
    assert ca.run("read")["store"]["crls"] == []
    ca.run("crl", at=NOW + timedelta(seconds=1))
    assert all(number > before[issuer] for issuer, number in ca.crl_numbers().items())


def test_a_crl_that_is_damaged_or_of_another_key_is_made_anew(ca: Ca) -> None:
    ca.revoke(ca.leaf(1, "root"))
    (ca.generation(1) / "root-crl.pem").write_text("nonsense", encoding="ascii")
    (ca.generation(2) / "root-crl.pem").write_bytes(
        builders.revoke(builders.root("CN=shop CA 2"), start=NOW - DAY, end=NOW + 30 * DAY).public_bytes(
            serialization.Encoding.PEM
        )
    )
    assert ca.run("read")["store"]["crls"] == []
    assert ca.run("crl")["changed"] is True
    assert len(ca.run("read")["store"]["crls"]) == 2


def test_a_revocation_that_a_killed_call_noted_comes_to_the_crl(ca: Ca) -> None:
    leaf, other = ca.leaf(1, "root"), ca.leaf(1, "root", host="b2")
    ca.revoke(other)
    crls = {name: data for name, data in ca.files().items() if name.endswith("crl.pem")}
    ca.revoke(leaf)
    for name, data in crls.items():
        (ca.path / name).write_bytes(data)
    assert ca.openssl_accepts(leaf) is True
    assert ca.revoke(leaf)["changed"] is True
    assert ca.openssl_accepts(leaf) is False


def test_a_damaged_list_of_what_is_revoked_is_told(ca: Ca) -> None:
    ca.revoke(ca.leaf(1, "root"))
    with (ca.path / "revoked.jsonl").open("a", encoding="ascii") as stream:
        stream.write("nonsense\n")
    for state in ("read", "crl", "revoked"):
        with pytest.raises(MtlsError, match=r"revoked\.jsonl, line 2, cannot be read"):
            ca.run(state, host="b1")


# --- keys that are away, or do not open ---


@pytest.fixture(name="off_line")
def _off_line(tmp_path: Path) -> Ca:
    """The intermediate signs, and the root's key is in a safe."""
    ca = Ca(tmp_path / "ca", intermediate=True)
    ca.make(1)
    return ca


def test_a_root_key_that_is_away(off_line: Ca) -> None:
    leaf, other = off_line.leaf(1, "intermediate"), off_line.leaf(1, "intermediate", host="b2")
    key = off_line.generation(1) / "root.key"
    safe = key.read_bytes()
    key.unlink()
    before = off_line.files()
    with pytest.raises(
        MtlsError, match=r"the CRL of .*/1/root\.pem is not there, and .*/1/root\.key"
    ) as caught:
        off_line.revoke(leaf)
    assert "Put" in caught.value.remedy
    assert "private_ca_crl_days" in caught.value.remedy
    assert off_line.files() == before, "nothing is half done"

    key.write_bytes(safe)
    key.chmod(0o600)
    off_line.revoke(leaf, crl_days=365)
    key.unlink()
    roots = off_line.generation(1) / "root-crl.pem"
    before_crl = roots.read_bytes()
    assert off_line.revoke(other, at=NOW + 100 * DAY)["changed"] is True, "the intermediate's alone"
    assert off_line.run("crl", at=NOW + 119 * DAY)["changed"] is False
    assert off_line.run("crl", at=NOW + 125 * DAY)["changed"] is True
    assert off_line.run("crl", at=NOW + 126 * DAY, force=True)["changed"] is True
    assert roots.read_bytes() == before_crl
    assert off_line.openssl_accepts(other) is False
    with pytest.raises(MtlsError, match=r"root\.pem ends at .*, and .*root\.key, which has to sign it"):
        off_line.run("crl", at=NOW + 360 * DAY)
    # Due, but still good: a revocation does not wait for the safe to be opened.
    third = off_line.leaf(1, "intermediate", host="b3")
    assert off_line.revoke(third, at=NOW + 360 * DAY)["changed"] is True
    fourth = off_line.leaf(1, "intermediate", host="b4")
    with pytest.raises(MtlsError, match=r"root\.pem ends at"):
        off_line.revoke(fourth, at=NOW + 366 * DAY)


def lose(ca: Ca, number: int) -> None:
    """As after an old backup: of that generation only the root is left, which hosts have."""
    ca.run("issuing", generation=2)
    (ca.generation(number) / "root.key").unlink()


def test_the_list_of_a_generation_whose_key_is_lost_is_kept(ca: Ca) -> None:
    leaf, other = ca.leaf(1, "root"), ca.leaf(1, "root", host="b2")
    ca.revoke(leaf)
    assert ca.run("read")["store"]["warnings"] == []
    lose(ca, 1)
    last = (ca.generation(1) / "root-crl.pem").read_bytes()
    before = ca.crl_numbers()
    made = ca.run("crl", at=NOW + 25 * DAY)
    assert made["changed"] is True, "the list of the other one"
    after = ca.crl_numbers()
    assert (ca.generation(1) / "root-crl.pem").read_bytes() == last
    assert after["CN=shop CA 2"] > before["CN=shop CA 2"]
    (said,) = made["store"]["warnings"]
    end = (NOW + 30 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"1/root.pem has lost its key, so its CRL is kept as it is. It ends at {end}" in said
    assert "rotate_ca.yml" in said
    assert ca.run("crl", at=NOW + 25 * DAY)["changed"] is False
    # Of the other one somebody can be revoked, of this one nobody.
    assert ca.run("revoked", serials=[{"serial": "0A", "issuer": "CN=shop CA 2"}])["changed"] is True
    files = ca.files()
    with pytest.raises(MtlsError, match=r"1/root\.pem does not list what is revoked") as caught:
        ca.revoke(other)
    assert "backup" in caught.value.remedy
    assert ca.files() == files
    assert ca.openssl_accepts(other) is True
    assert ca.openssl_accepts(leaf) is False


def test_the_list_of_a_lost_generation_comes_from_a_host(ca: Ca) -> None:
    """In crl.pem several stand one after the other; without any, hosts would refuse all its clients."""
    leaf = ca.leaf(1, "root")
    ca.revoke(leaf)
    place = ca.generation(1) / "root-crl.pem"
    own = place.read_bytes()
    place.unlink()
    lose(ca, 1)
    with pytest.raises(MtlsError, match=r"root\.pem is not there") as caught:
        ca.run("crl")
    assert "any crl.pem" in caught.value.remedy
    place.write_bytes((ca.generation(2) / "root-crl.pem").read_bytes() + own)
    # Who was revoked since the backup stands on the list, and not in revoked.jsonl.
    (ca.path / "revoked.jsonl").unlink()
    assert ca.run("crl", at=NOW + DAY)["store"]["warnings"] != []
    assert sorted(ca.crl_numbers()) == ["CN=shop CA 1", "CN=shop CA 2"]
    assert ca.openssl_accepts(leaf) is False
    place.write_bytes((ca.generation(2) / "root-crl.pem").read_bytes())
    with pytest.raises(MtlsError, match="is of another key"):
        ca.run("crl", at=NOW + DAY)


@pytest.mark.parametrize("signs", [1, 2])
def test_the_last_list_of_a_lost_generation_has_ended(ca: Ca, signs: int) -> None:
    """Nobody accepts it any more: it counts as retired as soon as another one signs."""
    ca.revoke(ca.leaf(1, "root"))
    lose(ca, 1)
    (ca.path / "issuing").write_text(f"{signs}\n", encoding="ascii")
    end = NOW + 30 * DAY
    before, store = [ca.run("read", at=at, unable=True)["store"] for at in (end - timedelta(seconds=1), end)]
    assert ([one["generation"] for one in before["roots"]], before["ended"]) == ([1, 2], [])
    assert store["ended"] == [1]
    assert [one["generation"] for one in store["roots"]] == ([1, 2] if signs == 1 else [2])
    assert (store["unable"] is None) is (signs == 2)
    made = ca.run("crl", at=end)
    assert made["changed"] is True
    if signs == 1:
        assert "has ended at" in made["store"]["warnings"][0]
        assert "Run rotate.yml" in made["store"]["warnings"][0]
        store = ca.run("issuing", generation=2, at=end)["store"]
    assert [one["generation"] for one in store["roots"]] == [2]
    assert {one["generation"] for one in ca.run("read", at=end)["store"]["crls"]} == {2}


@pytest.mark.parametrize("given", ["", "another passphrase"])
def test_a_passphrase_that_does_not_open(tmp_path: Path, given: str) -> None:
    ca = Ca(tmp_path / "ca", passphrase=PASSPHRASE)
    ca.make(1)
    leaf = ca.leaf(1, "root")
    before = ca.files()
    for state in ("revoked", "crl"):
        with pytest.raises(MtlsError, match=r"root\.key") as caught:
            ca.run(state, host="b1", force=True, passphrase=given)
        assert caught.value.place == "private_ca_passphrase"
    assert ca.files() == before
    assert ca.revoke(leaf)["changed"] is True


def test_another_generation_with_another_passphrase(ca: Ca) -> None:
    """Its CRL is needed, too: refused before anything is noted."""
    ca.options["passphrase"] = PASSPHRASE
    ca.make(3)
    ca.options["passphrase"] = ""
    leaf = ca.leaf(1, "root")
    before = ca.files()
    with pytest.raises(MtlsError, match=r"generations/3/root\.key"):
        ca.revoke(leaf)
    assert ca.files() == before


# --- many at once, and killed ---


def start(doing: Callable[[], Any]) -> int:
    """Does it in a process of its own, which ends with 0 when it could; its number."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # hangs no test run
        try:
            doing()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def test_two_processes_at_once(ca: Ca) -> None:
    """Each revokes ten of its own: all are noted, and all are on the list."""
    for number in range(1, 21):
        ca.leaf(1, "root", host=f"h{number % 2}-{number}", serial=number)

    def revoke_each(first: int) -> None:
        for number in range(first, 21, 2):
            ca.run("revoked", serials=[{"serial": f"{number:02X}"}])

    children = [start(functools.partial(revoke_each, first)) for first in (1, 2)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    store = ca.run("read")["store"]
    assert sorted(int(one["serial"], 16) for one in store["revoked"]) == list(range(1, 21))
    assert ca.run("crl")["changed"] is False, "the list has them all"


EFFECTS = ("open", "write", "fsync", "fchmod", "rename", "close", "unlink")


def killed_at(effect: int, doing: Callable[[], Any]) -> bool:
    """Does it in a process of its own, which is killed before its file operation of this number; whether it
    was."""
    left = [effect]

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call

    def do_it() -> None:
        for name in EFFECTS:
            setattr(os, name, watched(getattr(os, name)))
        doing()

    status = os.waitpid(start(do_it), 0)[1]
    assert status in (0, signal.SIGKILL)
    return status != 0


@pytest.mark.once
@pytest.mark.parametrize(
    ("state", "options"),
    [
        ("issuing", {"generation": 2}),
        ("retired", {"generation": 2}),
        ("revoked", {"host": "b1"}),
        ("crl", {"force": True}),
    ],
)
def test_killed_before_each_file_operation(tmp_path: Path, state: str, options: dict[str, Any]) -> None:
    """Each file is the old one or the new one, and the next call does what is left."""
    may_change = ("revoked.jsonl", "generations/1/root-crl.pem", "generations/2/root-crl.pem")
    ca = Ca(tmp_path / "before")
    ca.make(1)
    ca.make(2)
    leaf = ca.leaf(1, "root")
    ca.revoke(ca.leaf(1, "root", host="b2"))
    before = ca.files()
    effect, kills = 0, 0
    while True:
        effect += 1
        ca.path = shutil.copytree(tmp_path / "before", tmp_path / str(effect))
        if not killed_at(effect, functools.partial(ca.run, state, **options)):
            break
        kills += 1
        left = ca.files()
        assert all(left[name] == data for name, data in before.items() if not name.startswith(may_change))
        found = ca.run("read")["store"]
        assert len(found["crls"]) == len(found["roots"])
        assert len(found["revoked"]) in (1, 2), "the old file or the new one"
        after = ca.run(state, **options)["store"]
        assert after["issuing"] == (2 if state == "issuing" else 1)
        assert [one["generation"] for one in after["roots"]] == ([1] if state == "retired" else [1, 2])
        assert len(after["revoked"]) == (2 if state == "revoked" else 1)
        if state == "revoked" and effect % 5 == 0:
            assert ca.openssl_accepts(leaf) is False
        assert [name for name in ca.files() if name.endswith(".new")] == []
    assert kills >= 8


def make_what_follows(ca: Ca) -> int:
    """As the role does after `make` of the result; the generation that signs then."""
    number = ca.run("read", next="generation")["store"]["make"]["generation"]
    ca.make(number)
    ca.run("crl", generation=number)
    return ca.run("issuing", generation=number)["store"]["issuer"]["generation"]


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda ca: (ca.generation(1) / "root.key").unlink(), "generations/1 has no root.key"),
        (
            lambda ca: ca.put(1, "root", builders.root("CN=shop CA 1", start=NOW - 3 * DAY, end=NOW)),
            "root.pem expired on",
        ),
    ],
    ids=["lost", "expired"],
)
def test_what_cannot_sign_is_told_and_followed(tmp_path: Path, harm: Any, why: str) -> None:
    ca = Ca(tmp_path / "ca")
    ca.make(1)
    ca.revoke(ca.leaf(1, "root"))
    assert ca.run("read", unable=True)["store"]["unable"] is None
    harm(ca)
    with pytest.raises(MtlsError, match=why):
        ca.run("read")
    before = ca.files()
    store = ca.run("read", unable=True)["store"]
    assert why in store["unable"]["why"]
    assert store["unable"]["next"] == "generation"
    assert (store["known"], [one["generation"] for one in store["roots"]]) == ([1], [1])
    assert ca.files() == before
    assert make_what_follows(ca) == 2
    store = ca.run("read")["store"]
    trusted = [one["generation"] for one in store["roots"]]
    assert (store["unable"], trusted) == (None, [1, 2] if "no root.key" in why else [2])
    assert store["crls"][-1]["generation"] == 2, "the new one comes with its list"


def test_an_intermediate_that_cannot_sign_is_followed_below_its_root(tmp_path: Path) -> None:
    ca = Ca(tmp_path / "ca", intermediate=True)
    ca.make(1)
    (ca.generation(1) / "intermediate.key").unlink()
    assert ca.run("read", unable=True)["store"]["unable"]["next"] == "intermediate"
    (ca.generation(1) / "root.key").unlink()
    assert ca.run("read", unable=True)["store"]["unable"]["next"] == "generation"


def test_a_root_whose_key_is_lost_stays_trusted_and_never_signs(ca: Ca) -> None:
    """Its certificate was put back from a host; the lower generation came out of a backup."""
    (ca.generation(2) / "root.key").unlink()
    roots = [(ca.generation(number) / "root.pem").read_bytes() for number in (1, 2)]
    (ca.generation(2) / "root.pem").write_bytes(b"".join(roots))  # as trust.pem of a host has them
    store = ca.run("read")["store"]
    assert (store["issuer"]["generation"], store["newest"]["generation"]) == (1, 1)
    assert [one["generation"] for one in store["roots"]] == [1, 2]
    assert make_what_follows(ca) == 3
    assert ca.run("retired", generation=2)["changed"] is True
