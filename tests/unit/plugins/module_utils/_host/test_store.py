# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.account import ROOT, Account
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store

SOURCE = release.with_entry(
    {"server/sites/a.conf": b"root @MTLS_RELEASE@;", "server/credentials/s/privkey.pem": b"KEY"}
)
ID = release.release_id(SOURCE)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "etc" / "mtls"))
    store.create()
    return store


def path(store: Store, name: str = "") -> Path:
    return Path(store.directory(ID), name)


def test_a_staged_release_is_whole_closed_and_named(store: Store) -> None:
    assert store.stage(ID, SOURCE, {"made": "now"})
    assert store.names() == [ID]
    assert store.whole() == {ID}
    assert stat.S_IMODE(path(store).stat().st_mode) == 0o700
    assert stat.S_IMODE(path(store, "server/credentials/s/privkey.pem").stat().st_mode) == 0o600
    assert path(store, "server/sites/a.conf").read_text() == f"root {store.directory(ID)};"
    assert path(store, "manifest.json").exists()


def test_what_is_there_already_is_compared_not_trusted(store: Store) -> None:
    store.stage(ID, SOURCE, {})
    inode = path(store).stat().st_ino
    assert not store.stage(ID, SOURCE, {"another": "manifest"})
    assert path(store).stat().st_ino == inode
    path(store, "server/sites/a.conf").write_text("edited")
    # It may be the live release: its directory must not be gone for an instant.
    assert not store.stage(ID, SOURCE, {})
    assert path(store).stat().st_ino == inode
    assert path(store, "server/sites/a.conf").read_text() != "edited"
    path(store, "server/credentials/s/privkey.pem").write_bytes(b"OTHER")
    assert store.stage(ID, SOURCE, {})
    assert store.whole() == {ID}


def test_a_release_with_other_bytes_is_not_whole(store: Store) -> None:
    store.stage(ID, SOURCE, {})
    path(store, "server/credentials/s/privkey.pem").write_bytes(b"OTHER")
    assert store.whole() == frozenset()


def test_an_edited_text_is_written_again(store: Store) -> None:
    store.stage(ID, SOURCE, {})
    path(store, "server/sites/a.conf").write_text("edited")
    path(store, "stray").write_text("x")
    wrong = store.damaged(ID)
    assert wrong == ["server/sites/a.conf", "stray"]
    store.repair(ID, wrong)
    assert store.damaged(ID) == []


@pytest.mark.parametrize(("mode", "mended"), [(0o644, True), (0o660, True), (0o600, False), (0o400, False)])
def test_a_key_that_others_may_read_is_written_again(store: Store, mode: int, mended: bool) -> None:
    store.stage(ID, SOURCE, {})
    key = path(store, "server/credentials/s/privkey.pem")
    key.chmod(mode)
    wrong = store.damaged(ID)
    assert wrong == ["server/credentials/s/privkey.pem"] * mended
    store.repair(ID, wrong)
    assert stat.S_IMODE(key.stat().st_mode) == (0o600 if mended else mode)
    assert key.read_bytes() == b"KEY"


@pytest.mark.parametrize("folder", ["", "server", "server/credentials/s"])
@pytest.mark.parametrize(
    ("mode", "owner", "mended"), [(0o755, 0, True), (0o702, 0, True), (0o700, 1, True), (0o500, 0, False)]
)
def test_a_folder_that_others_may_enter_is_closed(
    store: Store, folder: str, mode: int, owner: int, mended: bool
) -> None:
    if owner and os.geteuid():
        pytest.skip("only root gives files away")
    store.stage(ID, SOURCE, {})
    path(store, folder).chmod(mode)
    if owner:
        os.chown(path(store, folder), owner, -1)
    assert store.damaged(ID) == [f"{folder or '.'}/"] * mended
    inode = path(store).stat().st_ino
    assert not store.stage(ID, SOURCE, {}), "it is used"
    assert path(store).stat().st_ino == inode
    assert store.damaged(ID) == []
    assert stat.S_IMODE(path(store, folder).stat().st_mode) == (0o700 if mended else mode)
    assert path(store, folder).stat().st_uid == os.geteuid()


def test_a_release_of_links_is_written_anew(store: Store, tmp_path: Path) -> None:
    """Whoever owns what they lead to could change it after it was compared."""
    store.stage(ID, SOURCE, {})
    os.rename(path(store, "server"), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path(store, "server"))
    assert store.whole() == frozenset()
    assert store.stage(ID, SOURCE, {})
    assert not path(store, "server").is_symlink()
    assert store.whole() == {ID}


def test_a_release_that_cannot_be_written_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MtlsError, match="No space left"):
        store.stage(ID, SOURCE, {})
    assert os.listdir(store.releases) == []


def test_the_link(store: Store) -> None:
    assert (store.current(), store.has_link()) == (None, False)
    store.stage(ID, SOURCE, {})
    store.switch(ID)
    assert os.readlink(store.link) == f"releases/{ID}"
    assert store.current() == ID
    store.remove(ID)
    assert (store.current(), store.has_link()) == (None, True)


@pytest.mark.parametrize("target", ["releases/../../x", "/etc", "releases/zzz"])
def test_a_link_to_something_else_is_no_release(store: Store, target: str) -> None:
    os.symlink(target, store.link)
    assert store.current() is None


def test_a_link_to_a_release_of_the_same_id_elsewhere_is_none(store: Store, tmp_path: Path) -> None:
    store.stage(ID, SOURCE, {})
    (tmp_path / ID).mkdir()
    os.symlink(f"{tmp_path}/{ID}", store.link)
    assert store.current() is None
    os.unlink(store.link)
    os.symlink(store.directory(ID), store.link)
    assert store.current() == ID


@pytest.mark.parametrize("which", ["base", "releases"])
def test_a_directory_that_others_may_write_to_is_refused(store: Store, which: str) -> None:
    store.create()
    os.chmod(getattr(store, which), 0o777)
    with pytest.raises(MtlsError, match="chmod go-w"):
        store.create()
    os.chmod(getattr(store, which), 0o750)
    store.create()


def test_modes_do_not_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(str(tmp_path / "mtls"))
        store.create()
        store.stage(ID, SOURCE, {})
        store.write_state(State("stable", "empty", ID))
    finally:
        os.umask(before)
    found = {str(one.relative_to(tmp_path)): stat.S_IMODE(one.stat().st_mode) for one in tmp_path.rglob("*")}
    folders = {name: mode for name, mode in found.items() if (tmp_path / name).is_dir()}
    assert folders.pop("mtls") == 0o755
    assert set(folders.values()) == {0o700}
    assert {name for name, mode in found.items() if mode == 0o600} == {
        f"mtls/releases/{ID}/server/credentials/s/privkey.pem",
        "mtls/state.json",
    }
    assert {mode for name, mode in found.items() if name not in folders and name != "mtls"} == {0o600, 0o644}


@pytest.fixture(name="trace")
def _trace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each fsync and rename in its order, by the name of what it is done to."""
    found: list[str] = []
    fsync, rename = os.fsync, os.rename

    def traced_fsync(descriptor: int) -> None:
        found.append(f"fsync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        fsync(descriptor)

    def traced_rename(source: str, target: str) -> None:
        found.append(f"rename {os.path.basename(target)}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "rename", traced_rename)
    return found


def test_a_release_gets_its_name_when_all_of_it_lasts(store: Store, trace: list[str]) -> None:
    store.stage(ID, SOURCE, {})
    before, after = trace[: trace.index(f"rename {ID}")], trace[trace.index(f"rename {ID}") :]
    written = list(Path(store.directory(ID)).rglob("*"))
    assert {path.name for path in written} <= {line[len("fsync ") :] for line in before}
    assert before[-1].startswith("fsync .new-"), "the directory itself comes last"
    assert after == [f"rename {ID}", "fsync releases"]


def test_the_link_and_the_state_last_once_they_are_written(store: Store, trace: list[str]) -> None:
    store.switch(ID)
    assert trace == ["rename current", "fsync mtls"]
    trace.clear()
    store.write_state(State("switched", "empty", ID))
    assert trace == [f"fsync state.json.new-{os.getpid()}", "rename state.json", "fsync mtls"]


def test_a_directory_in_the_links_place_is_refused(store: Store) -> None:
    os.mkdir(store.link)
    with pytest.raises(MtlsError, match="not a link"):
        store.switch(ID)


def test_the_state(store: Store) -> None:
    assert (store.state(), store.has_state()) == (None, False)
    state = State("switched", "empty", ID, "now", "why")
    store.write_state(state)
    assert store.state() == state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": "stable"}', "\xff", "[" * 100000])
def test_a_torn_state_is_none_but_there(store: Store, text: str) -> None:
    Path(store.base, "state.json").write_text(text, encoding="latin-1")
    assert (store.state(), store.has_state()) == (None, True)


def test_what_a_killed_run_was_writing_goes(store: Store) -> None:
    os.mkdir(f"{store.releases}/.new-{ID}-1")
    Path(store.releases, f".new-{ID}-1", "key").write_bytes(b"k")
    Path(store.base, "state.json.new-1").write_bytes(b"")
    os.symlink("releases/x", f"{store.base}/current.new-1")
    store.stage(ID, SOURCE, {})
    store.drop_unfinished()
    assert os.listdir(store.releases) == [ID]
    assert sorted(os.listdir(store.base)) == ["releases"]


def test_a_pending_key_goes_with_its_empty_folders(store: Store) -> None:
    for name in ("a", "b"):
        os.makedirs(f"{store.base}/pending/server/{name}")
        Path(store.base, "pending", "server", name, "privkey.pem").write_bytes(b"k")
    store.drop_pending("server", "a")
    assert os.listdir(f"{store.base}/pending/server") == ["b"]
    store.drop_pending("server", "b")
    assert not os.path.exists(f"{store.base}/pending")


def test_what_was_live_last_counts_as_newest(store: Store) -> None:
    other = release.with_entry({"server/sites/a.conf": b"root /;"})
    identities = [ID, release.release_id(other)]
    for identity, source in zip(identities, (SOURCE, other)):
        store.stage(identity, source, {})
    for age, identity in enumerate(identities):
        os.utime(store.directory(identity), (1e9 + age, 1e9 + age))
    assert store.names() == identities[::-1]
    store.switch(ID)
    assert store.names() == identities


# -- for an nginx that runs as an ordinary user; only root can give files away


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to somebody else")
WEB = Account(65534, 65533)


def modes(store: Store) -> set[tuple[str, int, int, int]]:
    found = set()
    for folder, dummy, names in os.walk(store.releases):
        for kind, one in (("directory", folder), *(("file", f"{folder}/{name}") for name in names)):
            kind = "key" if one.endswith("privkey.pem") else kind
            status = os.lstat(one)
            found.add((kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))
    return found


OF_ROOT = {("directory", 0o700, 0, 0), ("key", 0o600, 0, 0), ("file", 0o644, 0, 0)}
OF_WEB = {("directory", 0o750, 0, 65533), ("key", 0o400, 65534, 0), ("file", 0o644, 0, 0)}


@needs_root
def test_a_release_follows_the_user_whom_nginx_runs_as(tmp_path: Path) -> None:
    """Nothing is written anew: whoever nginx runs as, it is the same release."""
    root, web = (Store(str(tmp_path / "mtls"), account) for account in (ROOT, WEB))
    root.create()
    root.stage(ID, SOURCE, {})
    assert (modes(root), root.let_read(ID), root.damaged(ID)) == (OF_ROOT, [], [])
    key = "server/credentials/s/privkey.pem"
    assert key in web.damaged(ID)
    web.create()
    assert key in web.let_read(ID)
    assert (modes(web), web.damaged(ID), web.let_read(ID), web.whole()) == (OF_WEB, [], [], {ID})
    assert root.damaged(ID)
    root.create()
    assert not root.stage(ID, SOURCE, {})
    assert (modes(root), root.damaged(ID)) == (OF_ROOT, [])


@needs_root
@pytest.mark.parametrize(
    ("name", "owner", "group", "mode"),
    [
        ("server/credentials/s/privkey.pem", 0, 0, 0o400),
        ("server/credentials/s/privkey.pem", 65534, 0, 0o440),
        ("server/credentials/s/privkey.pem", 65534, 0, 0o000),
        ("server/credentials", 0, 0, 0o750),
        ("server/credentials", 0, 65533, 0o710),
        ("server/credentials", 65534, 65533, 0o750),
        ("server/sites/a.conf", 0, 0, 0o600),
        ("server/sites/a.conf", 65534, 0, 0o644),
    ],
)
def test_what_that_user_cannot_read_or_may_change_is_mended(
    tmp_path: Path, name: str, owner: int, group: int, mode: int
) -> None:
    store = Store(str(tmp_path / "mtls"), WEB)
    store.create()
    store.stage(ID, SOURCE, {})
    assert modes(store) == OF_WEB
    os.chown(path(store, name), owner, group)
    os.chmod(path(store, name), mode)
    slash = "/" if path(store, name).is_dir() else ""
    assert store.damaged(ID) == [name + slash]
    store.repair(ID, store.damaged(ID))
    assert (modes(store), store.damaged(ID)) == (OF_WEB, [])
