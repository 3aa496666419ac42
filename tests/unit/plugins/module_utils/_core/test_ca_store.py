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
        ([".gitignore", "issued.jsonl"], [], "keys and certificates are gone"),
    ],
)
def test_entries(entries: list[str], generations: list[int], refusal: str) -> None:
    if not refusal:
        ca_store.check_entries(entries, generations, "/srv/ca")
        return
    with pytest.raises(MtlsError, match=refusal):
        ca_store.check_entries(entries, generations, "/srv/ca")


STEPS = [
    # newest, files, intermediate wanted, generation, what is made, whether the intermediate signs
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
    ],
)
def test_what_only_a_backup_mends(files: str, wanted: bool, lost: str) -> None:
    with pytest.raises(MtlsError, match=f"/srv/ca/generations/1 has no {lost}") as caught:
        ca_store.next_step(1, files.split(), wanted, "/srv/ca")
    assert f"Restore {lost} from the backup" in caught.value.remedy


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
