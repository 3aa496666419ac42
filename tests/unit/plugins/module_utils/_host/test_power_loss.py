# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts at every instant of whole transactions: nginx starts from what is left, with one whole release,
and the same call made again ends as if nothing had happened. Each fsync that is left out is caught.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.host import Host
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Finished
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import power
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.test_engine import (
    World,
    apply,
)

pytestmark = pytest.mark.once


def parts(text: str = "") -> dict[str, Any]:
    listener = (
        f'server {{ listen 127.0.0.1:8080; location = /.mtls/proxy {{ return 200 "@MTLS_ID@"; }} {text} }}'
    )
    return {"proxy": {"credentials": [], "routes": [], "listeners": [{"name": "1", "content": listener}]}}


NGINX_CONF = "include modules-enabled/*.conf; events {} http { include conf.d/*.conf; }"
OLD, NEW = parts(), parts("deny all;")
#: Rows of the recovery table that only a hand leads to, never a cut.
BY_HAND = re.compile("by hand|leads nowhere|not what was written|unreadable")


class EmergError(Exception):
    """nginx does not start."""


def start(root: Path, without: str = "") -> dict[str, str]:
    """All files that nginx reads at its start. Raises EmergError for a missing or cut one, as nginx does.

    *without*: a directory in whose place a shadow has nothing.
    """
    files: dict[str, str] = {}

    def read(path: str) -> None:
        if without and path.startswith(without):
            return
        try:
            text = files[path] = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise EmergError(f"open() {path} failed") from error
        code = re.sub("(?m)^#.*", "", text).strip()
        if code and not code.endswith((";", "}")):
            raise EmergError(f"unexpected end of {path}")
        for name in re.findall(r"include ([^;]+);", code):
            wanted = name if name.startswith("/") else f"{root}/{name}"
            for one in sorted(glob.glob(wanted)) if "*" in wanted else [wanted]:
                read(one)

    read(f"{root}/nginx.conf")
    return files


class Disk(World):
    """A host whose include and main-level file are real, too, and whose nginx starts from disk."""

    def __init__(self, root: Path, base: str = "mtls") -> None:
        super().__init__(root)
        self.store = Store(f"{root}/{base}")
        self.root = root
        processes: Any = type("None", (), {"all": lambda _self: []})()
        self.real = Host(self.store.base, "nginx", processes, 5, str(root), self.built)
        self.recorder: power.Recorder | None = None

    def built(self, _arguments: list[str], _timeout: float) -> Finished:
        return Finished(0, "", f"nginx version: nginx/1.26.3 --conf-path={self.root}/nginx.conf")

    def write_include(self) -> bool:
        return self.real.write_include()

    def remove_include(self) -> None:
        self.real.remove_include()

    def configuration_without_us(self, _empty: str) -> Dump:
        return Dump(start(self.root, self.store.base))

    def shutdown_timeout(self, dump: Dump, wanted: str) -> Any:
        return self.real.shutdown_timeout(dump, wanted)

    def remove_shutdown_timeout(self) -> None:
        self.real.remove_shutdown_timeout()

    def reload(self, *given: Any) -> bool:
        """What a client may have seen once must last."""
        if self.recorder:
            self.recorder.promise("reload", start(self.root))
        return super().reload(*given)

    def begin(self) -> None:
        """nginx starts from disk, and serves what its configuration leads to."""
        files = start(self.root)
        entry = f"{self.store.base}/current/mtls.conf"
        self.serves = ""
        if entry in files:
            self.serves = os.path.basename(os.path.realpath(os.path.dirname(entry)))
            read = {path for path in files if path.startswith(self.store.releases)}
            identity = {Path(path).relative_to(self.store.releases).parts[0] for path in read}
            assert identity <= {self.serves}, "two releases at once"
            assert not set(self.store.damaged(self.serves)) - {release.MANIFEST}, "not whole"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "nginx"
    for name in ("conf.d", "modules-enabled"):
        (root / name).mkdir(parents=True)
    (root / "nginx.conf").write_text(NGINX_CONF)
    return root


Call = Callable[[Disk], Any]


def first_install(world: Disk) -> Any:
    return apply(world, OLD)


def change(world: Disk) -> Any:
    return apply(world, NEW)


def rollback(world: Disk) -> Any:
    """A change that its proof refuses, and the way back."""
    origin = release_id(OLD)
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    with pytest.raises((MtlsError, OSError)) as found:
        apply(world, NEW)
    world.answers = None
    return str(found.value)


def taken_back(world: Disk) -> Any:
    return apply(world, {}, state="rolled_back", to=release_id(OLD))


def prepare(world: Disk) -> Any:
    return apply(world, NEW, until="checked")


def to_prepared(world: Disk) -> Any:
    return apply(world, {}, to="prepared")


def absent(world: Disk) -> Any:
    return apply(world, {}, state="absent") if world.store.exists() else None


def release_id(wanted: Any) -> str:
    listener = wanted["proxy"]["listeners"][0]["content"].encode()
    return release.release_id(release.with_entry({"proxy/listeners/1.conf": listener}))


#: Name → calls before, the call that is cut, what may serve after the cut, what serves after the call again.
CALLS: dict[str, tuple[list[Call], Call, list[str], str]] = {
    "first install": ([], first_install, ["", "empty", release_id(OLD)], release_id(OLD)),
    "change": ([first_install], change, [release_id(OLD), release_id(NEW)], release_id(NEW)),
    "rollback": ([first_install], rollback, [release_id(OLD), release_id(NEW)], release_id(OLD)),
    "rolled_back": ([first_install, change], taken_back, [release_id(OLD), release_id(NEW)], release_id(OLD)),
    "checked": ([first_install], prepare, [release_id(OLD)], release_id(OLD)),
    "prepared": ([first_install, prepare], to_prepared, [release_id(OLD), release_id(NEW)], release_id(NEW)),
    "absent": ([first_install], absent, [release_id(OLD), "empty", ""], ""),
}


def cuts(
    root: Path, name: str, lost: Callable[[power.Site], bool], base: str = "mtls", kill_at: int = 0
) -> power.Recorder:
    """All that cuts may leave of a call; with *kill_at* of one that was killed there, and made again."""
    before, call, _allowed, _end = CALLS[name]
    world = Disk(root, base)
    for one in before:
        one(world)
    recorder = world.recorder = power.Recorder(root, lost, kill_at)
    with recorder.active():
        with contextlib.suppress(power.KilledError):
            told = call(world)
            assert call is not rollback or "is not proven" in str(told)
        if recorder.kill_at and recorder.events == recorder.kill_at:
            world.begin()
            call(world)
        recorder.promise("the end", start(root))
    return recorder


def judge(root: Path, name: str, left: power.Left, base: str = "mtls") -> None:
    """Raises whatever is wrong with a host after this cut."""
    _before, call, allowed, end = CALLS[name]
    power.lay_down(left.tree, root)
    world = Disk(root, base)
    world.begin()
    assert world.serves in allowed, "what serves is neither old nor new"
    if left.promised is not None:
        assert dict(left.promised) == start(root), "what was served, or said to be done, did not last"
    if (name, left.after.split(": ")[-1]) == ("absent", "the end"):
        assert not world.store.exists(), "what was taken away is back"
    laid_down = world.serves in ("", "empty")
    outcome = call(world)
    for line in getattr(outcome, "log", ()):
        assert laid_down or not BY_HAND.search(line), line
    world.begin()
    assert world.serves == end
    if name == "absent":
        assert sorted({*os.listdir(root)} - {"a"}) == ["conf.d", "modules-enabled", "nginx.conf"]
        assert not world.store.exists()


def faults(root: Path, name: str, recorder: power.Recorder, enough: int, base: str = "mtls") -> list[str]:
    found: list[str] = []
    for left in recorder.found.values():
        try:
            judge(root, name, left, base)
        except (AssertionError, EmergError, MtlsError, OSError, pytest.fail.Exception) as error:
            found.append(f"{name}, after {left.after}: {type(error).__name__}: {error}")
            if len(found) == enough:
                break
    return found


@pytest.mark.parametrize("name", CALLS)
def test_whatever_a_cut_leaves_is_whole_and_mended(root: Path, name: str) -> None:
    recorder = cuts(root, name, lambda site: False)
    assert len(recorder.found) > 10
    print(f"{name}: {recorder.events} events, {len(recorder.found)} trees")
    assert faults(root, name, recorder, 5) == []


KILLED = ("first install", "change", "absent")


def killed_and_cut(root: Path, name: str, missing: power.Site = ()) -> list[str]:
    """Killed after each event in turn, the call made again, and power cut during that."""

    def lost(site: power.Site) -> bool:
        return short(site) == missing

    reset(root)
    events = cuts(root, name, lost, "a/mtls").events
    seen: set[object] = set()
    for kill_at in range(1, events):
        reset(root)
        recorder = cuts(root, name, lost, "a/mtls", kill_at)
        recorder.found = {key: left for key, left in recorder.found.items() if key not in seen}
        seen |= set(recorder.found)
        found = faults(root, name, recorder, 3, "a/mtls")
        if found:
            return [f"killed after event {kill_at}, made again: {one}" for one in found]
    print(f"{name}: {events} kills, {len(seen)} trees")
    return []


@pytest.mark.parametrize(
    "name", [*(name for name in KILLED if name != "absent"), pytest.param("absent", marks=pytest.mark.whole)]
)
def test_a_killed_run_and_a_cut_during_the_next(root: Path, name: str) -> None:
    """What the killed run left is read from memory by the next one; it may not be on the disk."""
    assert killed_and_cut(root, name) == []


def short(site: power.Site) -> power.Site:
    """The site up to the first function that is not of files.py: what the fsync is for."""
    outer = [number for number, name in enumerate(site) if not name.startswith("files.")]
    return (*site[: outer[0]], site[outer[0]].split(":")[0]) if outer else site


@pytest.mark.whole
def test_every_fsync_that_is_left_out_is_caught(root: Path) -> None:
    """The table of mutations; a site is the function that asks for the fsync, and the one it is for."""
    used: dict[power.Site, dict[str, bool]] = {}
    for name in CALLS:
        reset(root)
        events = cuts(root, name, lambda site: False).events
        for kill_at in range(events if name in KILLED else 1):
            reset(root)
            for site in cuts(root, name, lambda site: False, kill_at=kill_at).sites:
                # True: only what a killed run left needs it.
                used.setdefault(short(site), {}).setdefault(name, bool(kill_at))
    caught: dict[power.Site, str] = {}
    for site, names in used.items():
        for name, after_kill in names.items():
            found = killed_and_cut(root, name, site) if after_kill else plainly_cut(root, name, site)
            if found:
                caught[site] = found[0].replace(str(root), "")
                break
        print(" < ".join(site), "|", caught.get(site, "NOT CAUGHT").replace("\n", " ")[:150])
    assert set(used) == set(caught)
    assert len(used) >= 13


def plainly_cut(root: Path, name: str, lost: power.Site) -> list[str]:
    reset(root)
    return faults(root, name, cuts(root, name, lambda site: short(site) == lost), 1)


def reset(root: Path) -> None:
    tree: power.Tree = {"nginx.conf": NGINX_CONF.encode(), "conf.d": None, "modules-enabled": None}
    power.lay_down(tree, root)
