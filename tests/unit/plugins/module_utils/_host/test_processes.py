# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as a table: a made-up /proc, in which a HUP does what the case says."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import processes as module
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.processes import Processes

MASTER = "nginx: master process /usr/sbin/nginx -g daemon on;"
WORKER = "nginx: worker process"


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.pid_file = root / "nginx.pid"

    def add(self, pid: int, title: str, parent: int, namespaces: int = 1) -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "cmdline").write_bytes(title.encode() + b"\0\0")
        (folder / "stat").write_text(f"{pid} (nginx: (x) y) S {parent} 1 1")
        (folder / "status").write_text("Name:\tnginx\nNSpid:" + "\t7" * namespaces + "\n")

    def drop(self, pid: int) -> None:
        for path in (self.root / str(pid)).iterdir():
            path.unlink()
        (self.root / str(pid)).rmdir()

    def processes(self, on_hup: Callable[[], None] = lambda: None) -> Processes:
        def kill(pid: int, number: int) -> None:
            assert (pid, number) == (10, signal.SIGHUP)
            on_hup()

        return Processes(str(self.root), kill)


@pytest.fixture(name="world")
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "_SETTLE_S", 0.05)
    monkeypatch.setattr(module, "_LOOK_AGAIN_S", 0.001)
    world = World(tmp_path)
    world.add(10, MASTER, 1)
    world.add(11, WORKER, 10)
    world.add(12, "nginx: cache manager process", 10)
    world.add(13, f"{WORKER} is shutting down", 10)
    world.add(99, "vim nginx: master process", 1)
    world.pid_file.write_text("10\n")
    return world


def test_master_and_workers(world: World) -> None:
    found = world.processes()
    master = found.master(str(world.pid_file))
    assert master is not None
    assert master.pid == 10
    assert master.arguments == ["/usr/sbin/nginx", "-g", "daemon", "on;"]
    assert found.workers(10) == (frozenset({11}), frozenset({13}))


@pytest.mark.parametrize("text", ["", "nonsense", "12", "4711"])
def test_a_pid_file_that_names_no_master(world: World, text: str) -> None:
    world.pid_file.write_text(text)
    world.add(20, MASTER, 1)
    assert world.processes().master(str(world.pid_file)) is None


def test_a_lone_master_without_pid_file_is_ours(world: World) -> None:
    world.pid_file.unlink()
    master = world.processes().master(str(world.pid_file))
    assert master is not None
    assert master.pid == 10


def test_nginx_of_a_container_is_not_ours(world: World) -> None:
    world.add(30, MASTER, 1, namespaces=2)
    world.add(31, WORKER, 30, namespaces=2)
    assert {one.pid for one in world.processes().all()} == {10, 11, 12, 13}


def test_orphaned_workers_are_a_finding(world: World) -> None:
    world.drop(10)
    with pytest.raises(MtlsError) as found:
        world.processes().master(str(world.pid_file))
    assert found.value.code == "nginx.orphan_workers"
    assert "11" in found.value.message


def test_what_passes_in_an_instant_is_no_finding(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was just forked bears its master's title; one that is ending may have lost its master."""
    world.add(20, MASTER, 10)
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: world.add(20, WORKER, 10))
    master = world.processes().master(str(world.pid_file))
    assert master is not None
    assert master.pid == 10


def test_a_process_that_is_gone_between_two_reads_is_no_orphan(world: World) -> None:
    (world.root / "11" / "stat").unlink()
    assert world.processes().master(str(world.pid_file)) is not None
    assert world.processes().workers(10)[0] == frozenset()


def test_a_zombie_is_no_worker(world: World) -> None:
    (world.root / "11" / "cmdline").write_bytes(b"")
    assert world.processes().workers(10)[0] == frozenset()


def test_orphans_that_end_by_themselves_are_none(world: World) -> None:
    world.drop(10)
    world.drop(11)
    assert world.processes().master(str(world.pid_file)) is None


def test_a_binary_upgrade_is_a_finding(world: World) -> None:
    world.add(20, MASTER, 10)
    with pytest.raises(MtlsError) as found:
        world.processes().master(str(world.pid_file))
    assert found.value.code == "nginx.upgrade_in_flight"


def replaced(world: World) -> None:
    world.add(11, f"{WORKER} is shutting down", 10)
    world.add(14, WORKER, 10)


def test_a_reload_is_done_when_the_workers_are_new(world: World) -> None:
    assert world.processes(lambda: replaced(world)).reload(10, 1, 0, lambda: False)


def test_old_workers_that_stay_are_no_reload(world: World) -> None:
    assert not world.processes().reload(10, 0.2, 0, lambda: False)


def test_new_workers_beside_old_ones_are_no_reload(world: World) -> None:
    assert not world.processes(lambda: world.add(14, WORKER, 10)).reload(10, 0.2, 0, lambda: False)


def test_no_worker_at_all_is_no_reload(world: World) -> None:
    assert not world.processes(lambda: world.drop(11)).reload(10, 0.2, 0, lambda: False)


def test_a_refusal_in_the_log_ends_the_wait(world: World) -> None:
    calls: list[int] = []

    def gave_up() -> bool:
        calls.append(1)
        return len(calls) > 2

    assert not world.processes().reload(10, 60, 0, gave_up)


def test_a_set_that_still_changes_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's reload in flight: the first new workers serve the old release."""
    found = world.processes(lambda: replaced(world))
    sets: list[int] = []
    real = found.workers

    def workers(master: int) -> tuple[frozenset[int], frozenset[int]]:
        sets.append(1)
        if len(sets) == 4:
            world.add(14, f"{WORKER} is shutting down", 10)
            world.add(15, WORKER, 10)
        return real(master)

    monkeypatch.setattr(found, "workers", workers)
    assert found.reload(10, 5, 0, lambda: False)
    assert real(10)[0] == {15}
