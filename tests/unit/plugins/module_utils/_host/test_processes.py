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
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.processes import Process, Processes

MASTER = "nginx: master process /usr/sbin/nginx -g daemon on;"
WORKER = "nginx: worker process"


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.pid_file = root / "nginx.pid"

    def add(self, pid: int, title: str, parent: int, namespaces: int = 1, state: str = "S") -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "cmdline").write_bytes(title.encode() + b"\0\0")
        (folder / "stat").write_text(f"{pid} (nginx: (x) y) {state} {parent} 1 1")
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


USELESS = ["", "nonsense", "12", "4711"]


@pytest.mark.parametrize("text", USELESS)
def test_a_pid_file_that_names_no_master_says_nothing(world: World, text: str) -> None:
    """Stale, empty, or the number of another process: what serves is what counts."""
    world.pid_file.write_text(text)
    master = world.processes().master(str(world.pid_file))
    assert master is not None
    assert master.pid == 10


@pytest.mark.parametrize("text", USELESS)
def test_two_masters_of_one_configuration_and_no_word_which(world: World, text: str) -> None:
    world.pid_file.write_text(text)
    world.add(20, MASTER, 1)
    with pytest.raises(MtlsError) as found:
        world.processes().master(str(world.pid_file))
    assert found.value.code == "nginx.many_masters"
    world.pid_file.write_text("20")
    master = world.processes().master(str(world.pid_file))
    assert master is not None
    assert master.pid == 20


def test_a_master_of_another_configuration_is_not_ours(world: World) -> None:
    world.add(20, f"{MASTER} -c /other.conf", 1)
    found = world.processes()

    def ours(process: Process) -> bool:
        return "-c" not in process.arguments

    # Even where the pid file names it.
    for text in ("20", ""):
        world.pid_file.write_text(text)
        master = found.master(str(world.pid_file), ours)
        assert master is not None
        assert master.pid == 10
    assert found.master(str(world.pid_file), lambda process: not ours(process)) is not None
    assert found.master(str(world.pid_file), lambda dummy: False) is None


def test_a_stopped_master_is_a_finding(world: World) -> None:
    world.add(10, MASTER, 1, state="T")
    with pytest.raises(MtlsError) as found:
        world.processes().master(str(world.pid_file))
    assert found.value.code == "nginx.master_stopped"
    assert "kill -CONT 10" in found.value.remedy
    world.add(10, MASTER, 1, state="D")
    assert world.processes().master(str(world.pid_file)) is not None


def test_open_files_and_their_limit(world: World) -> None:
    assert world.processes().open_files(10) == (0, 0)
    (world.root / "10" / "limits").write_text(
        "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024   4096   files\n"
    )
    assert world.processes().open_files(10) == (0, 0)
    (world.root / "10" / "fd").mkdir()
    (world.root / "10" / "fd" / "3").touch()
    assert world.processes().open_files(10) == (1, 1024)


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


@pytest.mark.parametrize("named", [10, 20])
def test_a_binary_upgrade_is_a_finding(world: World, named: int) -> None:
    """nginx renames the old pid file at once: the usual name is the new master's."""
    world.add(20, MASTER, 10)
    world.pid_file.write_text(f"{named}\n")
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
