# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import (
    Desired,
    NotYet,
    Tools,
    build,
    complete,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import hide_passphrase
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tlsconf import settings_of
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.crl_cases import CA, LEAF, dead, of

CRL = "-----BEGIN X509 CRL-----\nX\n-----END X509 CRL-----"
SITE = {
    "name": "orders",
    "content": "server { listen 443 ssl; include @MTLS_RELEASE@/server/credentials/server/tls.conf; }",
}


@dataclass
class FakeBundle:
    pem: bytes
    verify_depth: int = 2
    findings: Sequence[Any] = field(default_factory=list)


def read(path: str) -> bytes:
    if "missing" in path:
        raise NotYet("It cannot be read.", path, "Wait.")
    return b"file " + path.encode()


def key(data: bytes, passphrase: bytes | None) -> bytes:
    return b"key " + data + (b" opened by " + passphrase if passphrase else b"")


TOOLS = Tools(
    read=read,
    assemble=lambda certificate, chain: b"full " + certificate + (b"+" + chain if chain else b""),
    normalise_key=key,
    bundle=lambda sources, trust: FakeBundle(b"".join(data for _label, data in sources)),
    decode=str.encode,
)


def credential(**more: Any) -> dict[str, Any]:
    return {
        "name": "server",
        "certificate_content": "C",
        "private_key_content": "K",
        "trust": {"sources": [{"content": "T"}]},
        **more,
    }


def made(
    parts: Mapping[str, Any], live: Mapping[str, bytes] | None = None, planning: bool = False
) -> Desired:
    desired = build(parts, live or {}, live or {}, TOOLS, planning)
    complete(desired, [], (1, 26), lambda path: path)
    return desired


FIRST = made({"server": {"credentials": [credential()], "sites": [SITE]}}).source
FOLDER = "server/credentials/server"


def files(desired: Desired) -> dict[str, bytes]:
    return release.credential_files(desired.source, "server", "server")


def test_a_first_install() -> None:
    assert set(FIRST) == {
        "mtls.conf",
        "server/default.conf",
        "server/sites/orders.conf",
        *(f"{FOLDER}/{name}" for name in ("fullchain.pem", "privkey.pem", "trust.pem", "tls.conf")),
    }
    assert FIRST[f"{FOLDER}/fullchain.pem"] == b"full C"
    assert settings_of(FIRST[f"{FOLDER}/tls.conf"].decode()).verify_depth == 2


def test_the_same_again_is_the_same() -> None:
    again = made({"server": {"credentials": [credential()], "sites": [SITE]}}, FIRST)
    assert release.release_id(again.source) == release.release_id(FIRST)
    assert not again.credentials[0].changed


@pytest.mark.parametrize(
    "part",
    [None, {}, {"credentials": [{"name": "server"}]}, {"sites": [SITE]}],
    ids=["no part", "nothing of the part", "a name alone", "the same sites"],
)
def test_what_is_not_given_is_kept(part: Any) -> None:
    assert made({"server": part} if part is not None else {}, FIRST).source == FIRST


@pytest.mark.parametrize("part", ["server", "proxy"])
@pytest.mark.parametrize("sessions", ["off", "shared"])
def test_sessions_are_kept(part: str, sessions: str) -> None:
    live = made({part: {"credentials": [credential(sessions=sessions)]}}).source
    kept, other = (
        made({part: {"credentials": [{"name": "server", **more}]}}, live).source
        for more in ({}, {"sessions": "off" if sessions == "shared" else "shared"})
    )
    path = f"{part}/credentials/server/tls.conf"
    assert kept[path] == live[path] != other[path]


def test_each_file_is_kept_by_itself() -> None:
    live = made(
        {"server": {"credentials": [credential(crl=[{"content": CRL}], sessions="shared")], "sites": [SITE]}}
    )
    new = made(
        {"server": {"credentials": [{"name": "server", "certificate_path": "/c", "private_key_path": "/k"}]}},
        live.source,
    )
    assert files(new)["fullchain.pem"] == b"full file /c"
    assert files(new)["privkey.pem"] == b"key file /k"
    for kept in ("trust.pem", "crl.pem", "tls.conf"):
        assert files(new)[kept] == files(live)[kept]
    assert new.credentials[0].changed
    other_trust = made(
        {"server": {"credentials": [{"name": "server", "trust": {"sources": [{"path": "/t"}]}}]}}, live.source
    )
    assert files(other_trust)["trust.pem"] == b"file /t"
    assert files(other_trust)["privkey.pem"] == files(live)["privkey.pem"]
    assert files(other_trust)["tls.conf"] != files(live)["tls.conf"], "the shared zone needs another name"


def test_a_crl_comes_and_goes() -> None:
    with_crl = made(
        {"server": {"credentials": [credential(crl=[{"content": CRL}, {"content": CRL}])]}}, FIRST
    )
    assert files(with_crl)["crl.pem"] == CRL.encode() + b"\n"
    assert b"crl.pem" in files(with_crl)["tls.conf"]
    assert "crl.pem" not in files(made({"server": {"credentials": [credential(crl=[])]}}, with_crl.source))


def test_trust_without_depth_gives_the_same_again_and_again() -> None:
    """As the roles send it: the trust each time, the depth never."""
    part = {"server": {"credentials": [credential()], "sites": [SITE]}}
    first = files(made(part))
    live = made(part).source
    for _run in range(2):
        again = made(part, live)
        assert files(again)["tls.conf"] == first["tls.conf"]
        live = again.source
    explicit = made({"server": {"credentials": [credential(verify_depth=5)], "sites": [SITE]}})
    assert files(made(part, explicit.source))["tls.conf"] == first["tls.conf"]


def test_an_explicit_depth_is_kept_with_the_trust() -> None:
    live = made({"server": {"credentials": [credential(verify_depth=5)], "sites": [SITE]}})
    kept = made({"server": {"credentials": [{"name": "server"}]}}, live.source)
    assert settings_of(files(kept)["tls.conf"].decode()).verify_depth == 5


def test_a_list_that_is_given_is_the_whole_list() -> None:
    gone = made({"server": {"credentials": [], "sites": []}}, FIRST)
    assert release.release_id(gone.source) == "empty"
    with pytest.raises(MtlsError, match="credential 'server'"):
        build({"server": {"credentials": []}}, FIRST, FIRST, TOOLS)


def test_the_other_part_is_carried_over() -> None:
    client = credential(name="client")
    both = made(
        {"proxy": {"credentials": [client], "listeners": [{"name": "1", "content": "server { }"}]}}, FIRST
    )
    assert release.part_of(both.source, "server") == release.part_of(FIRST, "server")
    assert release.texts(both.source, "listeners") == {"1": "server { }"}


def test_the_probe_identity_has_no_trust() -> None:
    probe = {"name": "probe", "certificate_content": "C", "private_key_content": "K"}
    found = made({"server": {"credentials": [credential(), probe], "sites": [SITE]}})
    assert set(release.credential_files(found.source, "server", "probe")) == {"fullchain.pem", "privkey.pem"}
    assert found.credentials[1].purpose == "client"


def test_a_passphrase_however_it_is_given() -> None:
    for option in ({"private_key_passphrase": "a"}, {"private_key_passphrase": hide_passphrase("a")}):
        found = made({"server": {"credentials": [credential(**option)], "sites": [SITE]}})
        assert files(found)["privkey.pem"] == b"key K opened by a"
    found = made({"server": {"credentials": [credential(private_key_passphrase_path="/p")], "sites": [SITE]}})
    assert files(found)["privkey.pem"] == b"key K opened by file /p"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"name": "server"}, "No certificate"),
        (
            {"name": "server", "certificate_content": "C", "trust": {"sources": [{"content": "T"}]}},
            "No private key",
        ),
        (credential(trust=None), "No trust"),
        (credential(trust={"sources": []}), r"trust\.sources is empty"),
        ({"name": "server", "chain_content": "I"}, "chain without its certificate"),
        (credential(crl=[{"content": "not one"}]), "no CRL in PEM"),
        (credential(name="../x"), "no name for a credential"),
        (credential(purpose="client"), "purpose is 'client'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(MtlsError, match=words) as found:
        build({"server": {"credentials": [spec]}}, {}, {}, TOOLS)
    assert found.value.place.startswith("parts")
    assert found.value.remedy


@pytest.mark.parametrize(
    "part",
    [{"credentials": [credential(), credential()]}, {"sites": [SITE, SITE]}],
    ids=["credential", "site"],
)
def test_a_name_that_stands_there_twice(part: dict[str, Any]) -> None:
    with pytest.raises(MtlsError, match="listed twice"):
        build({"server": part}, {}, {}, TOOLS)


def test_planning_tells_what_an_earlier_step_will_make() -> None:
    pending = credential(private_key_path="/missing", private_key_content=None)
    found = build({"server": {"credentials": [pending], "sites": [SITE]}}, {}, {}, TOOLS, planning=True)
    assert found.waiting == ["parts.server.credentials[server]: /missing: It cannot be read."]
    with pytest.raises(NotYet):
        build({"server": {"credentials": [pending], "sites": [SITE]}}, {}, {}, TOOLS)


def test_planning_does_not_hide_a_real_fault() -> None:
    with pytest.raises(MtlsError, match="no CRL in PEM"):
        build({"server": {"credentials": [credential(crl=[{"content": "x"}])]}}, {}, {}, TOOLS, planning=True)


# --- revoked clients for the proof -------------------------------------------------------------------------

REVOKED_CRL = {"content": raw.pem(of(CA, dead(LEAF.serial)), "X509 CRL").decode()}
LEAF_PEM = LEAF.pem.decode()
REAL = replace(TOOLS, assemble=lambda certificate, chain: certificate)


def given(*proof: dict[str, Any], **more: Any) -> Desired:
    spec = credential(proof=list(proof), **{"crl": [REVOKED_CRL], **more})
    return build({"server": {"credentials": [spec], "sites": [SITE]}}, {}, {}, REAL)


def pair(name: str = "r", **more: Any) -> dict[str, Any]:
    return {"name": name, "certificate_content": LEAF_PEM, "private_key_content": "SECRET", **more}


def test_a_revoked_client_is_for_the_proof_and_in_no_release() -> None:
    desired = given(pair(), pair("s"))
    assert {name: [one.name for one in several] for name, several in desired.revoked.items()} == {
        "server": ["r", "s"]
    }
    assert desired.revoked["server"][0].key == b"key SECRET"
    assert "SECRET" not in repr(desired.revoked)
    without = given()
    assert desired.source == without.source
    assert without.revoked == {}


def test_a_revoked_client_by_a_crl_that_is_kept() -> None:
    live = given().source
    spec = {"name": "server", "proof": [pair()]}
    found = build({"server": {"credentials": [spec]}}, live, live, REAL)
    assert [one.name for one in found.revoked["server"]] == ["r"]


@pytest.mark.parametrize(
    ("part", "spec", "words"),
    [
        ("server", credential(proof=[pair()]), "No CRL of this credential revokes"),
        (
            "server",
            credential(proof=[pair()], crl=[{"content": raw.pem(of(CA, dead(77)), "X509 CRL").decode()}]),
            "No CRL of this credential revokes",
        ),
        ("server", credential(proof=[pair(), pair()], crl=[REVOKED_CRL]), "listed twice"),
        ("server", credential(proof=[pair("../r")], crl=[REVOKED_CRL]), "no name for"),
        ("server", credential(proof=[pair(private_key_content=None)], crl=[REVOKED_CRL]), "No private key"),
        ("server", credential(proof=[pair(certificate_content="x")], crl=[REVOKED_CRL]), "cannot be read"),
        ("proxy", credential(proof=[pair()], crl=[REVOKED_CRL]), "Only a site of part server"),
        ("server", {**credential(proof=[pair()]), "name": "probe"}, "Only a site of part server"),
    ],
)
def test_a_revoked_client_that_would_prove_nothing(part: str, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(MtlsError, match=words) as found:
        build({part: {"credentials": [spec]}}, {}, {}, REAL)
    assert "SECRET" not in str(found.value)
