# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs as files: rotated, compressed, torn, moved while they are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import client_log
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.installations import (
    credential,
    install,
    listener,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.access_logs import (
    NOW,
    at,
    line,
)

SITE = """server {
    listen 443 ssl;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    access_log LOG mtls_server_orders;
    location = /ours { return 200 "@MTLS_ID@ x"; }
}
"""
SERVER = credential("server", "server", fullchain=b"C", privkey=b"K", trust=b"T")
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class Place:
    """A host with one site, and the folder of its logs."""

    def __init__(self, folder: Path) -> None:
        self.base = str(folder / "mtls")
        self.folder = folder / "log"
        self.folder.mkdir()
        self.log = self.folder / "mtls-orders.access.log"
        self.files: dict[str, bytes] = {**SERVER, **self.site("orders")}

    def site(self, name: str) -> dict[str, bytes]:
        path = str(self.folder / f"mtls-{name}.access.log")
        return {f"server/sites/{name}.conf": SITE.replace("LOG", path).encode()}

    def install(self, *files: dict[str, bytes], **more: Any) -> str:
        return install(self.base, *(files or (self.files,)), **more)

    def write(self, name: str, *lines: bytes, pack: Callable[[bytes], bytes] = bytes) -> Path:
        """A file called like the log with *name* behind it."""
        path = Path(f"{self.log}{name}")
        path.write_bytes(pack(b"".join(lines)))
        return path

    def look(self, **options: Any) -> dict[str, Any]:
        usual = {
            "base": self.base,
            "sites": None,
            "paths": None,
            "since": "",
            "days": 7,
            "at": "",
            "clients": None,
        }
        return client_log.look({**usual, **options}, NOW)

    def one(self, **options: Any) -> dict[str, Any]:
        (found,) = self.look(**options)["sites"]
        return dict(found)


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.install()
    return place


def names(found: dict[str, Any]) -> dict[str, int]:
    return {one["subject"]: one["requests"] for one in found["clients"]}


def files(found: dict[str, Any]) -> list[str]:
    return [path.rpartition(".access.log")[2] for path in found["paths"]]


OLD, MID, NEW = line(time=at(days=8)), line(time=at(days=3), subject="CN=mid"), line(subject="CN=new")


@pytest.mark.parametrize("packing", PACK)
def test_a_log_with_what_was_rotated(place: Place, packing: str) -> None:
    place.write("", NEW)
    place.write(".1", MID)
    place.write(f".2{packing}", OLD, MID, pack=PACK[packing])
    place.write(f".3{packing}", OLD, pack=PACK[packing])
    found = place.look()
    (one,) = found["sites"]
    assert (one["site"], one["complete"], one["unknown"]) == ("orders", True, [])
    assert (found["complete"], found["unknown"], found["since"]) == (True, [], "2026-11-15T12:00:00Z")
    assert files(one) == [f".2{packing}", ".1", ""]
    assert names(one) == {"CN=mid": 2, "CN=new": 1}
    assert (one["lines"], one["covers_since"], one["covers_until"]) == (
        4, "2026-11-14T12:00:00Z", "2026-11-22T11:00:00Z",
    )  # fmt: skip


def test_what_a_file_is_called_is_not_what_it_is(place: Place) -> None:
    place.write("", NEW)
    place.write(".1.gz", MID)
    place.write(".2", OLD, pack=gzip.compress)
    assert (place.one()["complete"], names(place.one())) == (True, {"CN=mid": 1, "CN=new": 1})


def test_dates(place: Place) -> None:
    place.write("", NEW)
    place.write("-20261121", MID)
    place.write("-20261114.gz", OLD, pack=gzip.compress)
    place.write("-20261113.gz", b"x")
    assert (place.one()["complete"], files(place.one())) == (True, ["-20261114.gz", "-20261121", ""])


def test_no_more_is_read_than_is_needed(place: Place) -> None:
    place.write("", NEW)
    place.write(".1", OLD, MID)
    place.write(".2.gz", OLD, pack=lambda data: gzip.compress(data)[:-9])
    place.write(".3.zst", b"\x28\xb5\x2f\xfd")
    found = place.one()
    assert (found["complete"], files(found)) == (True, [".1", ""])


def test_a_log_that_does_not_reach_back(place: Place) -> None:
    place.write("", NEW)
    place.write(".1", MID)
    found = place.look()
    said = "orders: The log begins at 2026-11-19T12:00:00Z. Who asked between 2026-11-15T12:00:00Z and then"
    assert found["unknown"] == [f"{said} is not known."]
    assert not found["complete"]
    assert place.look(days=3)["complete"]
    assert place.look(since="2026-11-19T12:00:00Z")["complete"]
    assert place.look(at="2026-11-26T12:00:00Z")["complete"]
    assert names(place.one(days=2)) == {"CN=new": 1}


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda place: place.log.unlink(), "It cannot be read: No such file or directory."),
        (lambda place: place.write(""), ""),
        (lambda place: (place.log.unlink(), os.mkfifo(place.log)), "It is no regular file."),
        (lambda place: (place.log.unlink(), place.log.mkdir()), "It is no regular file."),
        (lambda place: Path(f"{place.log}.2.gz").unlink(), "Rotated files are missing between others: 2."),
        (lambda place: place.write(".1", b"\x28\xb5\x2f\xfd..."), "compressed with zstd, not read here."),
        (lambda place: place.write(".1", MID, pack=lambda data: gzip.compress(data)[:-9]), "cannot be read"),
        (lambda place: place.write(".1", MID, pack=lambda data: lzma.compress(data)[:-9]), "cannot be read"),
        (lambda place: place.write(".1", b"BZh9 is no bzip2"), "cannot be read"),
        (lambda place: place.write(".1", b"\xfd7zXZ\0 is no xz"), "cannot be read"),
        (lambda place: place.write(".1", b"\x1f\x8b is no gzip"), "cannot be read"),
        (lambda place: place.write(".1", MID[:-9]), "Lines that cannot be read: 1"),
        (lambda place: place.write(".1", line(time=at(hours=0.5))), "It begins later than what follows it"),
    ],
)  # fmt: skip
def test_what_keeps_a_log_from_telling_everything(
    place: Place, harm: Callable[[Place], object], word: str
) -> None:
    place.write("", NEW)
    place.write(".1", MID)
    place.write(".2.gz", MID, pack=gzip.compress)
    place.write(".3.gz", OLD, pack=gzip.compress)
    assert place.one()["complete"]
    harm(place)
    found = place.one()
    assert word in " ".join(found["unknown"])
    assert found["complete"] is (word == "")


def test_what_can_be_read_of_a_torn_file_counts(place: Place) -> None:
    many = b"".join(line(time=at(days=3), subject="CN=mid", request=str(index)) for index in range(3000))
    place.write("", NEW)
    place.write(".1", pack=lambda _none: gzip.compress(OLD + many)[:-99])
    found = place.one()
    assert 0 < names(found)["CN=mid"] <= 3000
    assert not found["complete"]


def test_no_log_at_all(place: Place) -> None:
    found = place.one()
    assert (found["complete"], found["covers_since"], found["clients"]) == (False, None, [])
    assert len(found["unknown"]) == 2


def test_no_folder_of_logs(place: Place) -> None:
    os.rmdir(place.folder)
    assert place.one()["unknown"][0] == f"{place.log}: It cannot be read: No such file or directory."


def test_a_line_that_nginx_is_writing(place: Place) -> None:
    place.write("", OLD, NEW, NEW[:99])
    assert (place.one()["complete"], names(place.one())) == (True, {"CN=new": 1})
    place.write(".1", OLD, MID[:99])
    assert place.one()["unreadable_lines"]["places"] == []
    place.write("", NEW)
    assert place.one()["unreadable_lines"]["places"] == [f"{place.log}.1:2"]


def test_what_is_written_while_it_is_read_is_not_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a busy log has no end."""
    place.write("", OLD, NEW * 2000)

    class Growing(client_log.File):
        def read(self, size: int) -> bytes:
            with open(self.path, "ab") as file:
                file.write(NEW)
            return super().read(size)

    monkeypatch.setattr(client_log, "File", Growing)
    assert names(place.one()) == {"CN=new": 2000}


def test_a_log_that_is_rotated_while_it_is_opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the folder and the opening: nothing is lost or read twice."""
    place.write("", OLD, NEW)
    looked = os.scandir
    rotations = iter([1, 2])

    def scandir(path: str) -> Any:
        if path != str(place.folder):
            return looked(path)
        found = list(looked(path))
        for dummy in rotations:
            if os.path.exists(f"{place.log}.1"):
                os.rename(f"{place.log}.1", f"{place.log}.2")
            os.rename(place.log, f"{place.log}.1")
            place.write("", MID)
            break
        return iter(found)

    monkeypatch.setattr(client_log.os, "scandir", scandir)
    found = place.one()
    assert names(found) == {"CN=mid": 2, "CN=new": 1}
    assert not list(rotations)


def test_a_log_that_is_rotated_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("", OLD, NEW)
    looked = os.scandir

    def scandir(path: str) -> Any:
        if path != str(place.folder):
            return looked(path)
        found = list(looked(path))
        os.unlink(place.log)
        Path(f"{place.folder}/other").write_bytes(b"")  # takes the inode
        place.write("", OLD, NEW)
        os.rename(f"{place.folder}/other", f"{place.log}.9")
        return iter(found)

    monkeypatch.setattr(client_log.os, "scandir", scandir)
    assert "rotated again and again" in place.one()["unknown"][0]


def test_files_are_closed(place: Place) -> None:
    place.write("", NEW)
    for number in range(1, 20):
        place.write(f".{number}.gz", OLD, pack=gzip.compress)
    os.mkfifo(f"{place.log}.20")
    Path(f"{place.log}.21").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    place.look()
    assert len(os.listdir("/proc/self/fd")) == before


# -- which logs


def test_the_sites_of_the_live_release(place: Place) -> None:
    place.install(place.files, place.site("stock"), {"server/sites/plain.conf": b"server { listen 80; }"})
    place.write("", OLD, NEW)
    (place.folder / "mtls-stock.access.log").write_bytes(OLD + MID)
    found = place.look()
    assert [(one["site"], names(one)) for one in found["sites"]] == [
        ("orders", {"CN=new": 1}),
        ("stock", {"CN=mid": 1}),
    ]
    assert found["complete"]
    assert [one["site"] for one in place.look(sites=["stock"])["sites"]] == ["stock"]
    assert place.look(sites=[])["sites"] == []


def test_the_probe_path_is_that_of_the_block(place: Place) -> None:
    place.write("", OLD, line(request="GET /ours HTTP/1.1"))
    assert [one["only_probes"] for one in place.one()["clients"]] == [True]
    place.write("", OLD, line(request="GET /.mtls/probe HTTP/1.1"))
    assert [one["only_probes"] for one in place.one()["clients"]] == [False]


def test_a_site_that_there_is_not(place: Place) -> None:
    place.write("", OLD, NEW)
    found = place.look(sites=["orders", "nobody"])
    assert [one["complete"] for one in found["sites"]] == [True, False]
    assert found["unknown"][0] == "nobody: The live release has no such site with TLS."
    assert not found["complete"]


def test_a_name_that_is_a_path_is_refused(place: Place) -> None:
    with pytest.raises(MtlsError):
        place.look(sites=["../../etc/passwd"])


def test_a_site_that_logs_elsewhere(place: Place) -> None:
    text = place.files["server/sites/orders.conf"].replace(b"access_log", b"access_log off; # ")
    place.install({**place.files, "server/sites/orders.conf": text})
    place.write("", OLD, NEW)
    assert place.look()["unknown"][0] == "orders: The site's block has no access_log in the role's format."
    assert place.one()["clients"] == []


def test_a_text_that_cannot_be_read(place: Place) -> None:
    identity = place.install()
    for text in (b"server {", b"server { # \xff"):
        Path(f"{place.base}/releases/{identity}/server/sites/orders.conf.in").write_bytes(text)
        found = place.look()
        assert ([one["site"] for one in found["sites"]], found["complete"]) == (["orders"], False)


def test_a_host_without_a_site(tmp_path: Path) -> None:
    place = Place(tmp_path)
    client = credential("proxy", "client", fullchain=b"C", privkey=b"K", trust=b"T")
    place.install(client, listener("1", 8080))
    assert (place.look()["sites"], place.look()["complete"]) == ([], True)


def test_a_host_without_a_release(tmp_path: Path) -> None:
    place = Place(tmp_path)
    found = place.look()
    assert (found["release"], found["sites"], found["complete"]) == (None, [], False)
    assert found["unknown"] == [f"There is no live release below {place.base}."]


def test_paths_that_are_given(tmp_path: Path) -> None:
    """Whatever they are called, in the order in which they stand; nothing beside is read."""
    place = Place(tmp_path)
    first = place.write(".b", OLD, pack=lzma.compress)
    second = place.write(".a", MID, line(request="GET /.mtls/probe HTTP/1.1"))
    place.write(".1", NEW)
    found = place.look(paths=[str(first), str(second)])
    assert found["complete"]
    (one,) = found["sites"]
    assert (one["site"], one["paths"]) == ("", [str(first), str(second)])
    assert names(one) == {"CN=mid": 1, "CN=b1.example.com": 1}
    assert [client["only_probes"] for client in one["clients"]] == [False, True]
    wrong = place.look(paths=[str(second), str(first)])
    assert "The time goes back there" in wrong["unknown"][0]
    assert not place.look(paths=[str(first), "/nonexistent\n"])["complete"]
    assert not place.look(paths=["a\0b"])["complete"]


# -- a site that is younger than the time


def age(path: str, **before: float) -> None:
    moment = (NOW - timedelta(**before)).timestamp()
    os.utime(path, (moment, moment))


@pytest.fixture(name="young")
def _young(place: Place) -> Iterator[Place]:
    """Its log begins three days ago."""
    place.write("", MID, NEW)
    assert not place.one()["complete"]
    yield place


def since(**before: float) -> str:
    return (NOW - timedelta(**before)).isoformat()


@pytest.mark.parametrize(
    ("born", "whole"),
    [
        ({"days": 3}, True),
        ({"days": 3, "minutes": -5}, True),
        ({"days": 3, "minutes": 5}, True),
        ({"days": 3, "minutes": 15}, False),
        ({"days": 3, "minutes": -15}, False),
        ({"days": 6}, False),
    ],
)
def test_a_site_that_came_with_the_live_release(young: Place, born: dict[str, float], whole: bool) -> None:
    store = Store(young.base)
    live, before = store.current(), young.install(SERVER, young.site("stock"))
    assert live
    store.switch(live)
    store.write_state(State("stable", before, live, since(**born)))
    assert young.one(sites=["orders"])["complete"] is whole


@pytest.mark.parametrize("step", ["switched", "rolled_back"])
def test_a_release_that_is_not_stable_tells_nothing(young: Place, step: str) -> None:
    store = Store(young.base)
    live, before = store.current(), young.install(SERVER, young.site("stock"))
    assert live
    store.switch(live)
    store.write_state(State(step, before, live, since(days=3)))
    assert not young.one(sites=["orders"])["complete"]


def test_a_release_before_that_is_gone_tells_nothing(young: Place) -> None:
    store = Store(young.base)
    live = store.current()
    assert live
    store.write_state(State("stable", "0123456789abcdef", live, since(days=3)))
    assert not young.one()["complete"]


def test_a_site_that_the_release_before_had(young: Place) -> None:
    store = Store(young.base)
    live, before = store.current(), young.install(young.files, young.site("stock"))
    assert live
    store.switch(live)
    store.write_state(State("stable", before, live, since(days=3)))
    assert not young.one(sites=["orders"])["complete"]


@pytest.mark.parametrize(
    ("born", "whole"),
    [({"days": 3, "minutes": 1}, True), ({"days": 3, "minutes": 15}, False), ({"days": 2}, False)],
)
def test_a_host_whose_first_release_is_so_young(young: Place, born: dict[str, float], whole: bool) -> None:
    """When nothing was installed is when the release `empty` was live."""
    store = Store(young.base)
    empty = store.directory("empty")
    os.makedirs(empty, exist_ok=True)
    age(empty, **born)
    live = store.current()
    assert live
    store.write_state(State("stable", live, live, NOW.isoformat()))
    assert young.one()["complete"] is whole
