# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`state: absent` after `rm -rf` of the base."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import Intent
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Options, Outcome
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.entry import Entry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.remains import Remains
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.made_up_host import ports_of

INCLUDE = "include mtls/current/mtls.conf;\n"
TIMEOUT = "worker_shutdown_timeout 60s;\n"


class World(Entry):
    """An nginx that reads what is in the two files, and counts its reloads."""

    test_seconds = 0.0

    def __init__(self, root: Path, running: bool = True) -> None:
        super().__init__(f"{root}/mtls", f"{root}/nginx.conf")
        self.root, self.running, self.reloads = root, running, 0
        self.processes = self
        for path in (self.include_file, self.main_file):
            Path(path).parent.mkdir()

    def lay(self, include: str = INCLUDE, timeout: str = TIMEOUT) -> World:
        for path, text in ((self.include_file, include), (self.main_file, timeout)):
            if text:
                Path(path).write_text(text)
        return self

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    def master(self) -> Any:
        return SimpleNamespace(pid=1) if self.running else None

    def reload(self, *_given: object) -> bool:
        assert self.files() == [], "nginx is to load what is left without us"
        self.reloads += 1
        return True

    def error_log(self) -> Any:
        return SimpleNamespace(urgent=list, gave_up=lambda: False)

    def start(self) -> bool:
        raise AssertionError("a stopped nginx stays stopped")


def clear(world: World, planning: bool = False, **more: str) -> Outcome:
    call = Remains(ports_of(Store(f"{world.root}/mtls"), world, lambda: False), Options(lock_timeout_s=1))
    return call.clear(Intent("absent", **more), planning)


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(("include", "timeout"), [(INCLUDE, TIMEOUT), (INCLUDE, ""), ("", TIMEOUT)])
def test_what_is_left_beside_the_base_goes(tmp_path: Path, include: str, timeout: str, running: bool) -> None:
    world = World(tmp_path, running).lay(include, timeout)
    outcome = clear(world)
    assert (outcome.changed, outcome.state, outcome.release) == (True, "absent", "")
    assert world.files() == [] and not (tmp_path / "mtls").exists()
    assert world.reloads == int(running)
    assert not clear(world).changed


@pytest.mark.parametrize(
    ("include", "timeout"), [("", ""), ("server { }\n", ""), ("include other.conf;\n", "load_module x;\n")]
)
def test_where_nothing_of_ours_is_left_nothing_is_done(tmp_path: Path, include: str, timeout: str) -> None:
    world = World(tmp_path).lay(include, timeout)
    before = world.files()
    outcome = clear(world)
    assert (outcome.changed, outcome.state) == (False, "absent")
    assert (world.files(), world.reloads) == (before, 0)


def test_check_mode_says_it_and_touches_nothing(tmp_path: Path) -> None:
    world = World(tmp_path).lay()
    before = world.files()
    outcome = clear(world, planning=True)
    assert outcome.changed and world.include_file in outcome.plan[0]
    assert (world.files(), world.reloads) == (before, 0)


def test_an_edited_include_is_the_users_to_take_away(tmp_path: Path) -> None:
    world = World(tmp_path).lay(INCLUDE + "server { }\n")
    with pytest.raises(MtlsError) as found:
        clear(world)
    assert found.value.place == world.include_file
    assert Path(world.include_file).exists()


def test_options_that_say_nothing_together_are_refused_here_too(tmp_path: Path) -> None:
    with pytest.raises(MtlsError):
        clear(World(tmp_path), to="0123456789abcdef")


def test_a_release_that_another_run_has_begun_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path).lay()
    create = Store.create

    def created(store: Store) -> None:
        create(store)
        (tmp_path / "mtls" / "current").symlink_to("releases/empty")

    monkeypatch.setattr(Store, "create", created)
    with pytest.raises(MtlsError, match="Another run"):
        clear(world)
    assert Path(world.include_file).exists()
