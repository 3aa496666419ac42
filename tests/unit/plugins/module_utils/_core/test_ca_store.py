# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the private CA may lie, and what its files ask for next."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_store
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

TEMPORARY = ["/tmp", "/var/tmp", "/scratch/tmp"]
COLLECTIONS = ["/usr/share/ansible/collections", "/srv/project"]
NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)

HOMES = [
    # written, real, project, a word of the refusal or nothing
    ("/srv/shop/private_ca", "/srv/shop/private_ca", "/srv/shop", ""),
    ("/srv/tmp/private_ca", "/srv/tmp/private_ca", "", ""),
    ("/tmpfiles/private_ca", "/tmpfiles/private_ca", "", ""),
    ("/var/lib/ansible_collections.old/ca", "/var/lib/ansible_collections.old/ca", "", ""),
    # a project that is itself a collections path
    ("/srv/project/private_ca", "/srv/project/private_ca", "/srv/project", ""),
    ("/srv/project/private_ca", "/srv/project/private_ca", "/srv/project/inventories/a", ""),
    ("/srv/project/private_ca", "/srv/project/private_ca", "/srv/projects", "collections are installed"),
    ("/srv/project/private_ca", "/srv/project/private_ca", "", "collections are installed"),
    ("", "/srv", "", "no directory is named"),
    ("private_ca", "/srv/private_ca", "", "not an absolute path"),
    ("/tmp/private_ca", "/tmp/private_ca", "", "temporary folder /tmp,"),
    ("/tmp", "/tmp", "", "temporary folder /tmp,"),
    ("/var/tmp/a/b", "/var/tmp/a/b", "/var/tmp/a", "temporary folder /var/tmp,"),
    ("/scratch/tmp/ca", "/scratch/tmp/ca", "", "temporary folder /scratch/tmp,"),
    ("/srv/link/ca", "/tmp/ca", "", "really /tmp/ca"),
    ("/srv/link/ca", "/x/ansible_collections/a/b/ca", "", "really /x/ansible_collections"),
    (
        "/x/ansible_collections/a/b/playbooks/ca",
        "/x/ansible_collections/a/b/playbooks/ca",
        "",
        "next upgrade",
    ),
    # also where the project lies there
    ("/srv/project/ansible_collections/ca", "/srv/project/ansible_collections/ca", "/srv/project", "upgrade"),
    ("/usr/share/ansible/collections/ca", "/usr/share/ansible/collections/ca", "", "next upgrade"),
]


@pytest.mark.parametrize(("written", "real", "project", "refusal"), HOMES)
def test_home(written: str, real: str, project: str, refusal: str) -> None:
    if not refusal:
        ca_store.check_home(written, real, TEMPORARY, COLLECTIONS, project)
        return
    with pytest.raises(MtlsError, match=refusal) as caught:
        ca_store.check_home(written, real, TEMPORARY, COLLECTIONS, project)
    assert caught.value.place == "private_ca_dir"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("entries", "generations", "refusal"),
    [
        ([], [], ""),
        ([".gitignore", ".lock"], [], ""),
        (["generations", "lost+found"], [], ""),
        (["generations", "issued.jsonl", "notes.txt"], [1], ""),
        (["ca.pem", "ca.key"], [], "holds no private CA, but ca.key, ca.pem"),
        ([".gitignore", "issued.jsonl"], [], "holds issued.jsonl of a CA, but its keys and certificates are"),
        (["revoked.jsonl", "issuing"], [], "holds issuing, revoked.jsonl of a CA, but its keys"),
        (["revoked.jsonl", "issuing", "issued.jsonl"], [1], ""),
    ],
)
def test_entries(entries: list[str], generations: list[int], refusal: str) -> None:
    if not refusal:
        ca_store.check_entries(entries, generations, "/srv/ca")
        return
    with pytest.raises(MtlsError, match=refusal):
        ca_store.check_entries(entries, generations, "/srv/ca")


STEPS = [
    # generation, files, intermediate wanted, generation, what is made, which intermediate signs
    (0, "", False, 1, "root.key root.pem", False),
    (0, "", True, 1, "root.key root.pem intermediate.key intermediate.pem", True),
    (2, "", False, 2, "root.key root.pem", False),
    (1, "root.key", False, 1, "root.pem", False),
    (1, "root.key", True, 1, "root.pem intermediate.key intermediate.pem", True),
    (1, "root.key intermediate.key", True, 1, "root.pem intermediate.pem", True),
    (1, "root.key root.pem", False, 1, "", False),
    (1, "root.key root.pem", True, 1, "intermediate.key intermediate.pem", True),
    (1, "root.key root.pem intermediate.key", True, 1, "intermediate.pem", True),
    (1, "root.key root.pem intermediate.key intermediate.pem", True, 1, "", True),
    # no longer wanted: the root signs again
    (1, "root.key root.pem intermediate.key intermediate.pem", False, 1, "", False),
    (1, "root.key root.pem intermediate.pem", False, 1, "", False),
    # the root's key is off line
    (3, "root.pem intermediate.key intermediate.pem", True, 3, "", True),
    # a second intermediate under the old root
    (
        1,
        "root.key root.pem intermediate.key intermediate.pem",
        2,
        1,
        "intermediate-2.key intermediate-2.pem",
        2,
    ),
    (1, "root.key root.pem intermediate-2.key", 2, 1, "intermediate-2.pem", 2),
    (1, "root.pem intermediate-2.key intermediate-2.pem", 2, 1, "", 2),
    # what else is in it
    (1, "root.key root.pem retired root-crl.pem intermediate-crl.pem", False, 1, "", False),
]


@pytest.mark.parametrize(("newest", "files", "wanted", "generation", "makes", "signs"), STEPS)
def test_step(newest: int, files: str, wanted: bool, generation: int, makes: str, signs: bool) -> None:
    step = ca_store.next_step(newest, files.split(), wanted, "/srv/ca")
    assert step == ca_store.Step(generation, tuple(makes.split()), signs)


@pytest.mark.parametrize(
    ("files", "wanted", "lost"),
    [
        ("root.pem", False, "root.key"),
        ("root.pem", True, "root.key"),
        ("root.pem intermediate.key", True, "root.key"),
        ("intermediate.key intermediate.pem", True, "root.pem"),
        ("root.key intermediate.pem", True, "root.pem"),
        ("root.key root.pem intermediate.pem", True, "intermediate.key"),
        ("root.pem intermediate.key intermediate.pem", False, "root.key"),
        ("root.key root.pem intermediate-2.pem", 2, "intermediate-2.key"),
        ("root.pem intermediate.key intermediate.pem", 2, "root.key"),
    ],
)
def test_what_only_a_backup_mends(files: str, wanted: bool, lost: str) -> None:
    with pytest.raises(MtlsError, match=f"/srv/ca/generations/1 has no {lost}") as caught:
        ca_store.next_step(1, files.split(), wanted, "/srv/ca")
    assert f"Restore {lost} from the backup" in caught.value.remedy
    # A key that is lost for good can be followed by another one; a certificate is still on the hosts.
    assert isinstance(caught.value, ca_store.CannotSignError) is lost.endswith(".key")


def test_the_remedy_where_the_intermediate_could_sign() -> None:
    files = ["root.pem", "intermediate.key", "intermediate.pem"]
    with pytest.raises(MtlsError) as caught:
        ca_store.next_step(1, files, False, "/srv/ca")
    assert "private_ca_intermediate: true" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("1", True), ("12", True), ("0", False), ("01", False), (".new-x", False), ("", False)],
)
def test_names_of_generations(name: str, is_one: bool) -> None:
    assert ca_store.is_generation(name) is is_one


def test_each_generation_has_its_own_subject() -> None:
    ca_store.check_subject("CN=shop CA 2", "shop", 2, "/srv/ca")
    for name, generation in (("mtls", 2), ("shop", 1)):
        with pytest.raises(MtlsError, match="is 'CN=shop CA 2'") as caught:
            ca_store.check_subject("CN=shop CA 2", name, generation, "/srv/ca")
        assert caught.value.place == "private_ca_name"


def test_an_issuer_that_has_expired() -> None:
    ca_store.check_time(NOW + timedelta(seconds=1), NOW, "root.pem")
    with pytest.raises(MtlsError, match="expired on 2026-11-21"):
        ca_store.check_time(NOW, NOW, "root.pem")


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o100600, True), (0o100400, True), (0o100640, False), (0o100604, False)]
)
def test_mode_of_a_key(mode: int, fine: bool) -> None:
    if fine:
        ca_store.check_mode_of_key("/srv/ca/root.key", mode)
        return
    with pytest.raises(MtlsError, match=f"mode {mode & 0o777:04o}"):
        ca_store.check_mode_of_key("/srv/ca/root.key", mode)


def test_a_key_that_signs_nothing() -> None:
    for encrypted, passphrase in ((True, True), (False, False)):
        ca_store.check_key("/srv/ca/root.key", encrypted, passphrase, fits=True)
    with pytest.raises(MtlsError, match=r"root\.key is not encrypted") as caught:
        ca_store.check_key("/srv/ca/root.key", encrypted=False, passphrase=True, fits=True)
    assert caught.value.place == "private_ca_passphrase"
    with pytest.raises(MtlsError, match="not the key of the certificate"):
        ca_store.check_key("/srv/ca/root.key", encrypted=True, passphrase=True, fits=False)


def test_what_signs() -> None:
    assert ca_store.issuer_names(False) == ("root.pem", "root.key")
    assert ca_store.issuer_names(True) == ("intermediate.pem", "intermediate.key")
    assert ca_store.issuer_names(2) == ("intermediate-2.pem", "intermediate-2.key")


@pytest.mark.parametrize(
    ("files", "intermediates", "authorities"),
    [
        ("", [], []),
        ("root.key root.pem root-crl.pem retired", [], ["root"]),
        (
            "root.pem intermediate.pem intermediate-10.pem intermediate-2.pem intermediate-2-crl.pem",
            [1, 2, 10],
            ["root", "intermediate", "intermediate-2", "intermediate-10"],
        ),
        ("root.pem intermediate-2.key", [2], ["root"]),
        (
            "root.pem intermediate-1.pem intermediate-02.pem intermediate-2.pem.bak xintermediate.pem",
            [],
            ["root"],
        ),
    ],
)
def test_certificates_of_a_generation(files: str, intermediates: list[int], authorities: list[str]) -> None:
    assert ca_store.intermediates(files.split()) == intermediates
    assert ca_store.authorities(files.split()) == authorities


GENERATIONS = {1: {"root.key", "root.pem"}, 2: {"root.key", "root.pem"}, 10: {"root.key", "root.pem"}}
RETIRED = {**GENERATIONS, 1: {"root.pem", "retired"}}


@pytest.mark.parametrize(
    ("written", "generations", "signs"),
    [
        ("", {}, (0, 1)),
        ("", GENERATIONS, (1, 1)),
        ("", RETIRED, (2, 1)),
        ("1", GENERATIONS, (1, 1)),
        ("10\n", GENERATIONS, (10, 1)),
        ("2 3\n", GENERATIONS, (2, 3)),
    ],
)
def test_what_signs_now(written: str, generations: dict[int, set[str]], signs: tuple[int, int]) -> None:
    now = ca_store.signing(written, generations, "/srv/ca")
    assert (now.generation, now.intermediate) == signs
    if generations:
        assert ca_store.signing(ca_store.signing_text(now), generations, "/srv/ca") == now


@pytest.mark.parametrize(
    ("written", "generations", "refusal"),
    [
        ("3\n", GENERATIONS, "/srv/ca/issuing names generation 3, which is not there"),
        ("1\n", RETIRED, "/srv/ca/issuing names generation 1, which is retired"),
        ("\n", GENERATIONS, "is no number of a generation"),
        ("01", GENERATIONS, "holds '01', which is no number"),
        ("1 x", GENERATIONS, "is no number of a generation"),
        ("", {1: {"retired"}, 2: {"retired"}}, "every generation is retired"),
    ],
)
def test_what_cannot_sign(written: str, generations: dict[int, set[str]], refusal: str) -> None:
    with pytest.raises(MtlsError, match=refusal) as caught:
        ca_store.signing(written, generations, "/srv/ca")
    assert "backup" in caught.value.remedy


@pytest.mark.parametrize(
    ("now", "generations", "what", "follows"),
    [
        ((1, 1), {1: {"root.pem"}}, "generation", (2, 1)),
        ((1, 1), GENERATIONS, "generation", (10, 1)),
        ((10, 1), GENERATIONS, "generation", (11, 1)),
        ((1, 1), {1: set(), 2: {"retired"}}, "generation", (3, 1)),
        ((1, 1), {1: {"root.pem"}, 2: {"root.pem"}}, "generation", (3, 1)),
        ((1, 1), {1: {"root.pem"}, 2: {"root.pem", "root.key"}}, "generation", (2, 1)),
        ((1, 1), {1: {"root.pem"}, 2: {"root.pem", "intermediate.key"}}, "generation", (2, 1)),
        ((1, 1), {1: {"intermediate.pem"}}, "intermediate", (1, 2)),
        ((1, 1), {1: {"intermediate.pem", "intermediate-2.key"}}, "intermediate", (1, 2)),
        ((1, 2), {1: {"intermediate.pem", "intermediate-2.pem"}}, "intermediate", (1, 3)),
        ((1, 1), {1: {"root.pem"}}, "intermediate", (1, 1)),
    ],
)
def test_what_signs_next(
    now: tuple[int, int], generations: dict[int, set[str]], what: str, follows: tuple[int, int]
) -> None:
    """The same answer until it signs, however often it is asked."""
    found = ca_store.following(ca_store.Signing(*now), generations, what, True, "/srv/ca")
    assert found == ca_store.Signing(*follows)


def test_nothing_follows_nothing() -> None:
    with pytest.raises(MtlsError, match="holds no CA yet"):
        ca_store.following(ca_store.Signing(0), {}, "generation", True, "/srv/ca")
    with pytest.raises(MtlsError, match="the root signs") as caught:
        ca_store.following(ca_store.Signing(1), GENERATIONS, "intermediate", False, "/srv/ca")
    assert caught.value.place == "private_ca_intermediate"


def test_letting_a_generation_sign() -> None:
    whole = {"root.key", "root.pem", "intermediate.key", "intermediate.pem"}
    newer = {*whole, "intermediate-2.key", "intermediate-2.pem"}
    assert ca_store.check_issuing(2, whole, True, "/srv/ca") == ca_store.Signing(2, 1)
    assert ca_store.check_issuing(2, newer, True, "/srv/ca") == ca_store.Signing(2, 2)
    assert ca_store.check_issuing(2, newer, False, "/srv/ca") == ca_store.Signing(2, 2)
    for files, refusal in (
        (None, "has no generation 2"),
        ({*whole, "retired"}, "generations/2 is retired"),
        ({"root.key"}, r"generations/2 has no root\.pem"),
        ({"root.key", "root.pem"}, r"has no intermediate\.key, intermediate\.pem yet"),
        (newer - {"intermediate-2.pem"}, r"has no intermediate-2\.pem yet"),
        (newer - {"intermediate-2.key"}, r"has no intermediate-2\.key, so"),
    ):
        with pytest.raises(MtlsError, match=refusal):
            ca_store.check_issuing(2, files, True, "/srv/ca")


def test_retiring_a_generation() -> None:
    ca_store.check_retired(1, GENERATIONS, ca_store.Signing(2), "/srv/ca")
    for number, refusal in ((2, "generations/2 is the one that signs"), (3, "has no generation 3")):
        with pytest.raises(MtlsError, match=refusal):
            ca_store.check_retired(number, GENERATIONS, ca_store.Signing(2), "/srv/ca")


def test_a_generation_that_does_not_sign_any_more() -> None:
    ca_store.check_signed(2, ca_store.Signing(2, 5))
    with pytest.raises(MtlsError, match="Generation 1 signed, and now it is generation 2") as caught:
        ca_store.check_signed(1, ca_store.Signing(2))
    assert caught.value.remedy == "Run again."
