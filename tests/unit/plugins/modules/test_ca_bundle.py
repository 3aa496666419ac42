# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ca_bundle as a whole: what it writes, how, and what it never writes."""

from __future__ import annotations

import base64
import grp
import itertools
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

pytest.importorskip("ansible", reason="the module itself imports ansible")

from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import (
    files,
    intake,
    target,
    trust_sources,
)
from ansible_collections.mutual_tls.nginx.plugins.modules import ca_bundle
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, forms
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.modules.running import Runner, as_process

ONE = builders.root("CN=One")
TWO = builders.root("CN=Two")
OLD = builders.root("CN=Old", end=AT - DAY)
LEAF = builders.client(ONE)
NOW = "2026-06-01T12:00:00Z"
WRITERS = ("_put", "write_new")
STORE = pkcs12.serialize_key_and_certificates(
    b"x", ONE.key, ONE.certificate, None, builders.serialization.NoEncryption()
)


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(ca_bundle.main, monkeypatch, capsys)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    (tmp_path / "out").mkdir()
    return str(tmp_path / "out" / "trust.pem")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cas"
    folder.mkdir()
    return folder


def text(*certificates: builders.Issued) -> dict[str, str]:
    return {"content": "".join(one.pem.decode() for one in certificates)}


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def digest(one: builders.Issued) -> str:
    return one.certificate.fingerprint(builders.hashes.SHA256()).hex()


def line(one: builders.Issued) -> str:
    return f"{one.certificate.subject.rfc4514_string()} {digest(one)}\n"


def subjects(result: dict[str, Any]) -> list[str]:
    return [one["subject"] for one in result["certificates"]]


def killed(run: Runner, step: int, **options: Any) -> bool:
    """Runs the module in a process of its own, which dies before its *step*-th line of writing; whether it
    came to its end before."""
    child = os.fork()
    if child == 0:
        lines = itertools.count(1)

        def trace(frame: Any, event: str, _argument: Any) -> Any:
            if (
                frame.f_code.co_filename in (files.__file__, target.__file__)
                and frame.f_code.co_name in WRITERS
            ):
                if event == "line" and next(lines) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return trace
            return None

        sys.settrace(trace)
        try:
            run(**options)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def nothing_beside(path: str) -> bool:
    return os.listdir(os.path.dirname(path)) in ([], [os.path.basename(path)])


# -- what is written


def test_a_new_bundle(run: Runner, path: str) -> None:
    result = run(path=path, sources=[text(TWO, ONE, OLD)], at=NOW)
    assert read(path) == ONE.pem + TWO.pem
    assert (mode_of(path), nothing_beside(path)) == (0o644, True)
    assert result["changed"] is True and "backup_file" not in result
    assert [(one["subject"], one["sha256"], one["is_ca"]) for one in result["certificates"]] == [
        ("CN=One", digest(ONE), True),
        ("CN=Two", digest(TWO), True),
    ]
    (dropped,) = result["dropped"]
    assert (dropped["subject"], dropped["reason"]) == ("CN=Old", "bundle.expired")
    assert dropped["place"] == f"sources[0].content:{TWO.pem.count(10) + ONE.pem.count(10) + 1}"
    assert (result["verify_depth"], result["earliest_expiry"]) == (1, "2028-03-12T12:00:00Z")
    assert [one["code"] for one in result["findings"]] == ["bundle.expired"]
    assert result["diff"]["before"] == "" and result["diff"]["after"] == line(ONE) + line(TWO)


def test_the_second_run_changes_nothing(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE)], at=NOW)
    before = os.stat(path)
    result = run(path=path, sources=[text(ONE, ONE)], at=NOW)
    after = os.stat(path)
    assert result["changed"] is False and result["diff"]["before"] == result["diff"]["after"]
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_form_and_order_never_change_the_bytes(run: Runner, path: str, folder: Path) -> None:
    (folder / "one.crt").write_bytes(ONE.der)
    (folder / "two").write_bytes(b"# Two\n" + TWO.pem.replace(b"\n", b"\r\n"))
    forms = [
        {"path": str(folder / "one.crt")},
        {"content": base64.b64encode(TWO.der).decode()},
        text(ONE, TWO, ONE),
        {"directory": str(folder)},
    ]
    made = set()
    for order in itertools.permutations(forms):
        run(path=path, sources=list(order), at=NOW)
        made.add(read(path))
    assert made == {ONE.pem + TWO.pem}


@pytest.mark.parametrize(
    "joined",
    [
        ONE.pem + TWO.der,
        ONE.der + TWO.pem,
        ONE.pem + TWO.pem.decode().encode("utf-16"),
        forms.pkcs7([ONE.der]) + TWO.pem,
    ],
)
def test_no_ca_is_lost_of_files_joined_by_cat(run: Runner, path: str, folder: Path, joined: bytes) -> None:
    (folder / "all").write_bytes(joined)
    for source in ({"path": str(folder / "all")}, {"directory": str(folder)}):
        run(path=path, sources=[source], at=NOW)
        assert read(path) == ONE.pem + TWO.pem
        (folder / "all").write_bytes(joined + ONE.key_pem)
        assert run(path=path, sources=[source], at=NOW)["failed"]
        (folder / "all").write_bytes(joined)


def test_a_gone_source_leaves_the_bundle(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE, TWO)], at=NOW)
    result = run(path=path, sources=[text(TWO)], at=NOW)
    assert result["diff"]["before"] == line(ONE) + line(TWO) and result["diff"]["after"] == line(TWO)
    assert read(path) == TWO.pem


@pytest.mark.parametrize("there", [False, True])
def test_check_mode_writes_nothing(run: Runner, path: str, there: bool) -> None:
    if there:
        run(path=path, sources=[text(ONE)], at=NOW)
    before = os.stat(path).st_ino if there else None
    result = run(True, path=path, sources=[text(TWO)], at=NOW, backup=True)
    assert result["changed"] is True and result["diff"]["after"] == line(TWO)
    assert os.listdir(os.path.dirname(path)) == (["trust.pem"] if there else [])
    assert (os.stat(path).st_ino if there else None) == before
    assert "backup_file" not in result


def test_check_mode_says_when_nothing_would_change(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE)], at=NOW)
    assert run(True, path=path, sources=[text(ONE)], at=NOW)["changed"] is False


def test_other_bytes_of_the_same_certificates_are_told(run: Runner, path: str) -> None:
    Path(path).write_bytes(b"# by hand\n" + ONE.pem)
    result = run(path=path, sources=[text(ONE)], at=NOW)
    assert result["changed"] and read(path) == ONE.pem
    assert result["diff"]["before"] == line(ONE) + "(the same certificates, written otherwise)\n"


def test_foreign_text_is_never_in_the_diff(run: Runner, path: str) -> None:
    Path(path).write_bytes(b"password=swordfish\n")
    result = run(path=path, sources=[text(ONE)], at=NOW)
    assert result["diff"]["before"] == "(no certificate)\n" and "swordfish" not in run.text


def test_a_name_with_a_line_break_stays_on_its_line(run: Runner, path: str) -> None:
    odd = builders.root("CN=a\nCN=Root ff")
    result = run(path=path, sources=[text(odd)], at=NOW)
    assert result["diff"]["after"].count("\n") == 1 and "\n" not in subjects(result)[0]


# -- owner, mode, atomicity


@pytest.mark.parametrize("mode", ["0640", "640", 0o640, "0o640"])
def test_mode(run: Runner, path: str, mode: Any) -> None:
    assert run(path=path, sources=[text(ONE)], at=NOW, mode=mode)["changed"] is True
    assert mode_of(path) == 0o640
    assert run(path=path, sources=[text(ONE)], at=NOW, mode=mode)["changed"] is False
    # a new bundle keeps it
    run(path=path, sources=[text(TWO)], at=NOW)
    assert mode_of(path) == 0o640


def test_another_mode_alone_is_a_change_by_rename(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE)], at=NOW)
    inode = os.stat(path).st_ino
    result = run(path=path, sources=[text(ONE)], at=NOW, mode="0600")
    assert result["changed"] is True and mode_of(path) == 0o600 and os.stat(path).st_ino != inode
    assert "mode 0644" in result["diff"]["before_header"] and "mode 0600" in result["diff"]["after_header"]


# 400, 440 and 444 without quotes are 0620, 0670 and 0674; True is 1.
@pytest.mark.parametrize(
    "mode", [644, 400, 440, 444, True, False, "rw-r--r--", "1644", "abc", "9", -1, "preserve"]
)
def test_what_is_no_mode(run: Runner, path: str, mode: Any) -> None:
    result = run(path=path, sources=[text(ONE)], at=NOW, mode=mode)
    assert result["failed"] and result["place"] == "mode" and not os.path.exists(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_group(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE)], at=NOW, owner="1234", group="daemon")
    found = os.stat(path)
    assert (found.st_uid, found.st_gid) == (1234, grp.getgrnam("daemon").gr_gid)
    # not asked for again, they stay
    run(path=path, sources=[text(TWO)], at=NOW)
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (found.st_uid, found.st_gid)
    again = run(path=path, sources=[text(TWO)], at=NOW, owner="1234", group="daemon")
    assert again["changed"] is False


@pytest.mark.parametrize("option", ["owner", "group"])
def test_an_unknown_owner(run: Runner, path: str, option: str) -> None:
    # chown(2) takes the largest number of 32 bits for "leave it", and Python no larger one
    for unknown in ("nobody-of-that-name", "-1", "4294967295", "9" * 20):
        result = run(path=path, sources=[text(ONE)], at=NOW, **{option: unknown})
        assert result["failed"] and result["place"] == option and nothing_beside(path)


def test_whole_with_its_mode_from_the_first_moment(
    run: Runner, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is seen under the name is either absent or whole; before that nobody else can read it."""
    seen: list[tuple[str, Optional[int], int]] = []
    write, rename = os.write, os.rename

    def looked(step: str) -> None:
        here = [name for name in os.listdir(os.path.dirname(path)) if name != "trust.pem"]
        other = mode_of(f"{os.path.dirname(path)}/{here[0]}") if here else None
        seen.append((step, other, int(os.path.exists(path))))

    def watched_write(descriptor: int, data: Any) -> int:
        looked("write")
        return write(descriptor, data[:100])

    def watched_rename(old: str, new: str) -> None:
        looked("rename")
        rename(old, new)

    monkeypatch.setattr(files.os, "write", watched_write)
    monkeypatch.setattr(files.os, "rename", watched_rename)
    run(path=path, sources=[text(ONE)], at=NOW, mode="0666")
    monkeypatch.undo()
    assert {entry for entry in seen if entry[0] == "write"} == {("write", 0o600, 0)}
    assert len(seen) > 3 and seen[-1] == ("rename", 0o666, 0)
    assert mode_of(path) == 0o666 and read(path) == ONE.pem and nothing_beside(path)


def test_a_full_disk_leaves_the_old_bundle(run: Runner, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(path=path, sources=[text(ONE)], at=NOW)

    def full(_descriptor: int, _data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    result = run(path=path, sources=[text(TWO)], at=NOW)
    assert result["failed"] and "No space left on device" in result["msg"]
    assert read(path) == ONE.pem and nothing_beside(path)


def test_backup(run: Runner, path: str) -> None:
    assert "backup_file" not in run(path=path, sources=[text(ONE)], at=NOW, backup=True, mode="0600")
    result = run(path=path, sources=[text(TWO)], at=NOW, backup=True)
    assert (read(result["backup_file"]), mode_of(result["backup_file"])) == (ONE.pem, 0o600)
    assert "backup_file" not in run(path=path, sources=[text(TWO)], at=NOW, backup=True)
    gone = run(path=path, state="absent", backup=True)
    assert read(gone["backup_file"]) == TWO.pem and not os.path.exists(path)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_no_room_for_the_backup(run: Runner, path: str, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Nothing is replaced or removed, and no half of a copy stays."""
    run(path=path, sources=[text(ONE)], at=NOW)

    def full(_descriptor: int, _data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    result = run(path=path, sources=[text(TWO)], at=NOW, state=state, backup=True)
    assert result["failed"] and "No space left on device" in result["msg"] and result["remedy"]
    assert read(path) == ONE.pem and nothing_beside(path)


def test_no_name_for_the_backup(run: Runner, tmp_path: Path) -> None:
    path = str(tmp_path / ("x" * 250))
    run(path=path, sources=[text(ONE)], at=NOW)
    result = run(path=path, sources=[text(TWO)], at=NOW, backup=True)
    assert result["failed"] and "File name too long" in result["msg"] and read(path) == ONE.pem


def test_a_run_that_fails_after_it_leaves_no_backup(
    run: Runner, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is tried again every hour leaves a copy each time (chattr +i on the bundle)."""
    run(path=path, sources=[text(ONE)], at=NOW)
    rename, unlink = os.rename, os.unlink

    def immutable_rename(old: str, new: str) -> None:
        if new == path:
            raise PermissionError(1, "Operation not permitted")
        rename(old, new)

    def immutable_unlink(name: str) -> None:
        if name == path:
            raise PermissionError(1, "Operation not permitted")
        unlink(name)

    monkeypatch.setattr(files.os, "rename", immutable_rename)
    monkeypatch.setattr(files.os, "unlink", immutable_unlink)
    for state in ("present", "absent"):
        result = run(path=path, sources=[text(TWO)], at=NOW, state=state, backup=True)
        assert result["failed"] and "Operation not permitted" in result["msg"]
        assert read(path) == ONE.pem and nothing_beside(path)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_backup_stays_where_the_bundle_is_replaced_all_the_same(
    run: Runner, path: str, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The name has changed, and the disk cannot make it last."""
    run(path=path, sources=[text(ONE)], at=NOW)
    sync = files.fsync_directory

    def broken(folder: str) -> None:
        if not os.path.exists(path) or read(path) != ONE.pem:
            raise OSError(5, "Input/output error")
        sync(folder)

    monkeypatch.setattr(files, "fsync_directory", broken)
    result = run(path=path, sources=[text(TWO)], at=NOW, state=state, backup=True)
    assert result["failed"] and "Input/output error" in result["msg"]
    copies = [name for name in os.listdir(os.path.dirname(path)) if name.endswith("~")]
    assert [read(f"{os.path.dirname(path)}/{name}") for name in copies] == [ONE.pem]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child starts no thread
def test_killed_in_the_middle_it_leaves_nothing_for_ever(run: Runner, path: str) -> None:
    """After any step: the bundle is the old one or the new one, a backup is whole, and what else is left goes
    with the first run an hour later."""
    folder = os.path.dirname(path)
    steps = 0
    ended = False
    while not ended:
        run(path=path, sources=[text(ONE)], at=NOW, mode="0600")
        steps += 1
        ended = killed(run, steps, path=path, sources=[text(TWO)], at=NOW, mode="0644", backup=True)
        assert (read(path), mode_of(path)) in ((ONE.pem, 0o600), (TWO.pem, 0o644))
        assert all(read(f"{folder}/{name}") == ONE.pem for name in os.listdir(folder) if name[-1] == "~")
        for name in os.listdir(folder):
            if name != "trust.pem":
                os.utime(f"{folder}/{name}", (0, 0))
    assert steps > 10
    run(path=path, sources=[text(ONE, TWO)], at=NOW)
    assert [name for name in os.listdir(folder) if name[-1] != "~"] == ["trust.pem"]


def test_what_a_run_at_this_moment_writes_stays(run: Runner, path: str) -> None:
    folder = os.path.dirname(path)
    kept = [".mtls-new-1", ".mtls-new-", ".mtls-new-1x", "mtls-new-1"]
    for name in kept:
        Path(folder, name).write_bytes(b"")
        if name != kept[0]:
            os.utime(f"{folder}/{name}", (0, 0))
    os.mkdir(f"{folder}/.mtls-new-2")
    os.utime(f"{folder}/.mtls-new-2", (0, 0))
    run(path=path, sources=[text(ONE)], at=NOW)
    assert sorted(os.listdir(folder)) == sorted([*kept, ".mtls-new-2", "trust.pem"])


# -- absent


def test_absent(run: Runner, path: str) -> None:
    run(path=path, sources=[text(ONE)], at=NOW)
    planned = run(True, path=path, state="absent")
    assert planned["changed"] is True and os.path.exists(path)
    result = run(path=path, state="absent")
    assert result["changed"] is True and not os.path.exists(path)
    assert (result["diff"]["before"], result["diff"]["after"]) == (line(ONE), "")
    assert run(path=path, state="absent")["changed"] is False


def test_absent_needs_no_directory(run: Runner, tmp_path: Path) -> None:
    assert run(path=str(tmp_path / "no" / "trust.pem"), state="absent")["changed"] is False


# -- what is at the path


# Whatever form a key lies there in, nobody has a second one of it.
KEPT = {
    "key": ONE.pem + ONE.key_pem,
    "key behind a NUL": ONE.pem + b"\0" + ONE.key_pem,
    "key in base64": base64.encodebytes(ONE.key_pem),
    "store": STORE,
    "store in base64": base64.encodebytes(STORE),
}


def untouched(path: str) -> tuple[int, ...]:
    """What a change would change; to read a file changes its time of access."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo", *KEPT])
def test_what_is_no_bundle_stays(run: Runner, path: str, tmp_path: Path, kind: str, state: str) -> None:
    other = tmp_path / "other.pem"
    if kind in ("link", "dangling"):
        os.symlink(other, path)
    if kind == "link":
        other.write_bytes(TWO.pem)
    if kind == "directory":
        os.mkdir(path)
    if kind == "fifo":
        os.mkfifo(path)
    if kind in KEPT:
        Path(path).write_bytes(KEPT[kind])
    before = untouched(path)
    result = run(path=path, sources=[text(ONE)], at=NOW, state=state, backup=True)
    assert result["failed"] and result["place"].split(":")[0] == path and result["remedy"]
    assert untouched(path) == before and nothing_beside(path)
    assert other.exists() is (kind == "link")
    if kind == "link":
        assert other.read_bytes() == TWO.pem


def test_no_directory_for_it(run: Runner, tmp_path: Path) -> None:
    result = run(path=str(tmp_path / "no" / "trust.pem"), sources=[text(ONE)], at=NOW)
    assert result["failed"] and result["place"] == str(tmp_path / "no")


def test_a_path_whose_name_is_not_utf_8(path: str) -> None:
    """JSON carries such octets as lone surrogates, as Python does. Where the controller's half of Ansible is
    loaded as well, as by other tests, it refuses them: so this runs by itself, as on a host."""
    odd = f"{path}\udcff"
    result, printed = as_process("ca_bundle", path=odd, sources=[text(ONE)], at=NOW)
    assert result["changed"] is True and read(odd) == ONE.pem, printed
    result, printed = as_process("ca_bundle", path=odd, state="absent")
    assert result["changed"] is True and not os.path.exists(odd), printed


@pytest.mark.parametrize("name", ["trust.pem/", "trust.pem/.", "out/", ""])
def test_a_path_that_ends_as_one_of_a_directory(run: Runner, path: str, name: str) -> None:
    """A look at it finds nothing, and a run could not write: both say so."""
    Path(path).write_bytes(ONE.pem)
    wrong = f"{os.path.dirname(path)}/{name}" if name else ""
    for state, check in itertools.product(("present", "absent"), (True, False)):
        result = run(check, path=wrong, sources=[text(TWO)], at=NOW, state=state)
        assert result["failed"] and "no plain file" in result["msg"], result
    assert read(path) == ONE.pem and nothing_beside(path)


@pytest.mark.parametrize("wrong", ["/tmp/\0", "/" + "x" * 300, "/tmp/" + "x/" * 3000, ""])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_is_no_path(run: Runner, wrong: str, state: str) -> None:
    result = run(path=wrong, sources=[text(ONE)], at=NOW, state=state)
    assert result.get("failed") or (state == "absent" and not result["changed"])
    assert "Traceback" not in run.text


def test_a_file_that_no_bundle_is_as_large_as(
    run: Runner, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(path).write_bytes(b"x" * 5000)
    monkeypatch.setattr(intake, "LIMIT", 4999)
    for state in ("present", "absent"):
        result = run(path=path, sources=[text(ONE)], at=NOW, state=state)
        assert result["failed"] and result["code"] == "file.too_large" and read(path) == b"x" * 5000


def test_a_directory_that_lets_nothing_go(run: Runner, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(path).write_bytes(ONE.pem)

    def refused(_path: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files.os, "unlink", refused)
    result = run(path=path, state="absent")
    assert result["failed"] and "Operation not permitted" in result["msg"] and result["place"] == path


# -- what is refused


REFUSED = [
    ("leaf", text(LEAF), {}, "bundle.leaf"),
    ("key", {"content": (ONE.pem + ONE.key_pem).decode()}, {}, "bundle.private_key"),
    ("key before", {"content": (ONE.key_pem + ONE.pem).decode()}, {}, "bundle.private_key"),
    (
        "encrypted key",
        {"content": (ONE.pem + builders.key_pem(ONE.key, b"a")).decode()},
        {},
        "bundle.private_key",
    ),
    (
        "old encrypted key",
        {"content": (ONE.pem + builders.key_pem(ONE.key, b"a", "TraditionalOpenSSL")).decode()},
        {},
        "bundle.private_key",
    ),
    ("expired", text(OLD), {"on_expired": "refuse"}, "bundle.expired"),
    ("nothing left", text(OLD), {}, "bundle.empty"),
    ("truncated", {"content": TWO.pem[:-40].decode()}, {}, "format.damaged"),
    ("text", {"content": "hello"}, {}, "format.unreadable"),
    ("empty", {"content": ""}, {}, "format.unreadable"),
    ("missing", {"path": "/no/such.pem"}, {}, "file.missing"),
    ("directory as file", {"path": "/"}, {}, "file.not_regular"),
]


@pytest.mark.parametrize(
    ("source", "more", "code"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_writes_nothing(run: Runner, path: str, source: Any, more: Any, code: str) -> None:
    sources = [source] if code == "bundle.empty" else [text(TWO), source]
    result = run(path=path, sources=sources, at=NOW, **more)
    assert result["failed"] and result["code"] == code, result["msg"]
    assert result["remedy"] and not os.path.exists(path) and nothing_beside(path)
    assert not result["place"].startswith("trust")
    assert "PRIVATE" not in run.text.replace("PRIVATE_KEY", "").replace("bundle.private_key", "")


def test_all_keys_of_every_form_are_refused_whatever_the_policy(run: Runner, path: str, folder: Path) -> None:
    keep = {"on_expired": "keep", "on_leaf": "keep", "on_non_ca": "keep"}
    der = builders.serialization.Encoding.DER
    key = ONE.key.private_bytes(
        der, builders.serialization.PrivateFormat.PKCS8, builders.serialization.NoEncryption()
    )
    (folder / "README").write_bytes(key)
    (folder / "utf16").write_bytes((TWO.pem + ONE.key_pem[:-30]).decode().encode("utf-16"))
    for source in [
        {"directory": str(folder)},
        *({"path": str(folder / name)} for name in ("README", "utf16")),
    ]:
        result = run(path=path, sources=[text(ONE), source], at=NOW, **keep)
        assert result["failed"] and result["code"] == "bundle.private_key"
        assert not os.path.exists(path)


def test_every_offender_is_a_finding_too(run: Runner, path: str) -> None:
    result = run(path=path, sources=[text(LEAF), {"path": "/no/such.pem"}, text(OLD)], at=NOW)
    assert [one["code"] for one in result["findings"]] == ["file.missing", "bundle.leaf", "bundle.expired"]
    assert "/no/such.pem" in result["msg"] and "b1.example.com" in result["msg"]


def test_many_dropped_ones_and_nothing_left(run: Runner, path: str) -> None:
    leaves = [builders.client(ONE) for _number in range(25)]
    result = run(path=path, sources=[text(*leaves)], at=NOW, on_leaf="drop")
    assert result["failed"] and result["code"] == "bundle.empty"
    assert "no CA's" in result["msg"] and "; and 5 more)." in result["msg"]


def test_policies(run: Runner, path: str) -> None:
    kept = run(path=path, sources=[text(ONE, OLD, LEAF)], at=NOW, on_expired="keep", on_leaf="keep")
    assert sorted(subjects(kept)) == ["CN=Old", "CN=One", "CN=b1.example.com"]
    assert len(run(path=path, sources=[text(ONE, LEAF)], at=NOW, on_leaf="drop")["dropped"]) == 1


def test_pinned_peer(run: Runner, path: str) -> None:
    peer = builders.client(None, "CN=peer")
    result = run(path=path, sources=[text(peer)], at=NOW, allow_pinned=[digest(peer).upper()])
    assert subjects(result) == ["CN=peer"]
    for pin in ("", "ab", digest(peer)[:-1], digest(peer) + "0", "g" * 64):
        wrong = run(path=path, sources=[text(peer)], at=NOW, allow_pinned=[pin])
        assert wrong["failed"] and wrong["place"] == "allow_pinned"


# -- its own source


def test_it_is_never_its_own_source(run: Runner, path: str, folder: Path) -> None:
    Path(path).write_bytes(ONE.pem)
    os.symlink(path, folder / "link.pem")
    inside = os.path.dirname(path)
    for source in ({"path": path}, {"path": f"{inside}/../out/trust.pem"}, {"path": str(folder / "link.pem")},
                   {"directory": inside}, {"directory": str(folder)}):  # fmt: skip
        result = run(path=path, sources=[text(TWO), source], at=NOW)
        assert result["failed"] and "source" in result["msg"], source
        assert read(path) == ONE.pem
    new = f"{inside}/new.pem"
    assert run(path=new, sources=[{"directory": inside}], at=NOW)["failed"] and not os.path.exists(new)


# -- directories


def test_a_directory_as_people_have_them(run: Runner, path: str, folder: Path) -> None:
    (folder / "README").write_text("These are our CAs.\n")
    (folder / "notes.pem").write_text("ask Bob\n")
    (folder / "notes.txt").write_text("from Windows\r\n", encoding="utf-16")
    (folder / "one.txt").write_bytes(ONE.pem)
    (folder / "two").write_bytes(TWO.der)
    (folder / ".hidden").write_bytes(LEAF.pem + LEAF.key_pem)
    (folder / "empty").write_bytes(b"")
    (folder / "old").mkdir()
    (folder / "old" / "x.pem").write_bytes(LEAF.pem)
    os.mkfifo(folder / "pipe")
    os.symlink("/no/such", folder / "dangling")
    os.symlink("loop", folder / "loop")
    os.symlink("one.txt", folder / "1a2b3c4d.0")
    result = run(path=path, sources=[{"directory": str(folder)}], at=NOW)
    assert read(path) == ONE.pem + TWO.pem
    told = {os.path.basename(one["place"]): one["reason"] for one in result["dropped"]}
    assert told == {
        "README": "format.unreadable", "notes.pem": "format.unreadable", "empty": "format.unreadable",
        "notes.txt": "format.utf16", "old": "file.not_regular", "pipe": "file.not_regular",
        "dangling": "file.missing", "loop": told["loop"],
    }  # fmt: skip
    assert told["loop"].startswith("file.")
    assert all(set(one) == set(result["dropped"][0]) for one in result["dropped"])
    assert all(set(one) <= set(result["dropped"][0]) for one in result["certificates"])


@pytest.mark.parametrize(
    "data",
    [
        TWO.pem[:-40],
        TWO.pem.replace(b"M", b"!", 1),
        TWO.der[:-10],
        TWO.pem[:-40].decode().encode("utf-16"),
        TWO.der + b"\x30\x00" * 10_000,
    ],
)
def test_a_damaged_certificate_in_a_directory_is_not_passed_over(
    run: Runner, path: str, folder: Path, data: bytes
) -> None:
    (folder / "one.pem").write_bytes(ONE.pem)
    (folder / "two.pem").write_bytes(data)
    result = run(path=path, sources=[{"directory": str(folder)}], at=NOW)
    assert result["failed"] and str(folder / "two.pem") in result["msg"] and not os.path.exists(path)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\udcff"])
def test_a_name_of_a_file_is_shown_and_not_obeyed(run: Runner, path: str, folder: Path, name: str) -> None:
    (folder / name).write_bytes(OLD.pem)
    (folder / f"{name}2").write_bytes(b"text")
    (folder / "one").write_bytes(ONE.pem)
    result = run(path=path, sources=[{"directory": str(folder)}], at=NOW)
    assert len(result["dropped"]) == 2
    assert all(one["place"].isprintable() for one in result["dropped"] + result["findings"])


def test_a_store_that_may_hold_keys_is_refused_in_a_directory_too(
    run: Runner, path: str, folder: Path
) -> None:
    (folder / "one").write_bytes(ONE.pem)
    (folder / "ca.p12").write_bytes(STORE)
    for source in ({"directory": str(folder)}, {"path": str(folder / "ca.p12")}):
        result = run(path=path, sources=[text(TWO), source], at=NOW)
        assert result["failed"] and result["code"] in ("format.pkcs12", "bundle.private_key")
        assert not os.path.exists(path)


@pytest.mark.parametrize(("limit", "value"), [("_MOST_FILES", 1), ("_MOST_BYTES", 500)])
def test_an_archive_is_no_directory_of_cas(
    run: Runner, path: str, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    (folder / "one").write_bytes(ONE.pem)
    (folder / "two").write_bytes(TWO.pem)
    assert run(True, path=path, sources=[{"directory": str(folder)}], at=NOW)["changed"] is True
    monkeypatch.setattr(trust_sources, limit, value)
    result = run(path=path, sources=[{"directory": str(folder)}], at=NOW)
    assert result["failed"] and result["remedy"].startswith("Name the files") and not os.path.exists(path)


def test_a_crl_is_no_source_but_may_lie_in_a_directory(run: Runner, path: str, folder: Path) -> None:
    crl = builders.revoke(ONE).public_bytes(builders.serialization.Encoding.PEM)
    (folder / "crl.pem").write_bytes(crl)
    (folder / "one.pem").write_bytes(ONE.pem)
    result = run(path=path, sources=[{"directory": str(folder)}], at=NOW)
    assert read(path) == ONE.pem and len(result["dropped"]) == 1
    refused = run(path=path, sources=[text(ONE), {"path": str(folder / "crl.pem")}], at=NOW)
    assert refused["failed"] and str(folder / "crl.pem") in refused["msg"]
    both = run(path=path, sources=[{"content": (ONE.pem + crl).decode()}], at=NOW)
    assert both["changed"] is False


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_no_directory(run: Runner, path: str, folder: Path, kind: str) -> None:
    (folder / "file").write_bytes(ONE.pem)
    (folder / "empty").mkdir()
    result = run(path=path, sources=[{"directory": str(folder / kind)}], at=NOW)
    assert result["failed"] and result["remedy"] and not os.path.exists(path)


# -- options and secrets


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "sources"),
        ({"sources": [{}]}, "one of the following is required"),
        ({"sources": [{"path": "/x", "content": "y"}]}, "mutually exclusive"),
        ({"sources": [{"path": "/x", "file": "/x"}]}, "file"),
        ({"sources": [text(ONE)], "at": "yesterday"}, "RFC 3339"),
        ({"sources": [text(ONE)], "on_leaf": "ignore"}, "on_leaf"),
        ({"sources": []}, "No certificate is left"),
    ],
)
def test_wrong_options(run: Runner, path: str, options: dict[str, Any], words: str) -> None:
    result = run(path=path, **options)
    assert result["failed"] and words in result["msg"] and not os.path.exists(path)


def test_a_short_content_garbles_nothing(run: Runner, path: str) -> None:
    result = run(path=path, sources=[{"content": "e"}], at=NOW)
    assert "****" not in run.text and result["code"] == "format.unreadable"
    assert result["invocation"]["module_args"]["sources"][0]["content"] != "e"


def test_a_key_given_by_mistake_is_nowhere(path: str) -> None:
    secret = ONE.key_pem.decode()
    result, printed = as_process("ca_bundle", path=path, sources=[{"content": secret}])
    assert result["failed"] and result["code"] == "bundle.private_key"
    assert not [part for part in secret.split("\n")[1:-2] if part in printed]


def test_it_needs_no_library(path: str, tmp_path: Path) -> None:
    """A bundle is certificates read and sorted: nothing to compute."""
    (tmp_path / "cryptography.py").write_text("raise ImportError('none here')\n")
    result, printed = as_process("ca_bundle", tmp_path, path=path, sources=[text(TWO, ONE)], at=NOW)
    assert subjects(result) == ["CN=One", "CN=Two"], printed
    assert read(path) == ONE.pem + TWO.pem
