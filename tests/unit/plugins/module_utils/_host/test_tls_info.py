# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of `nginx_tls_info` that touch the host: processes, files, logs, sockets."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.resolve import InForce
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import (
    conf_files,
    error_logs,
    file_state,
    handshake,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.handshake import Door
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.instances import Instances
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.named_files import NamedFiles
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Finished
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.processes import Processes
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.tls_files import TlsFiles
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus, made_up_nginx


class Proc:
    """A made-up /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "stat").write_text("cpu 1 2\nbtime 1000000000\n")

    def add(
        self, pid: int, parent: int, title: str, ticks: int = 0, cgroup: str = "0::/", exe: str = ""
    ) -> None:
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_text(title)
        fields = ["S", str(parent), *["0"] * 17, str(ticks)]
        (folder / "stat").write_text(f"{pid} (nginx) {' '.join(fields)} 0")
        (folder / "status").write_text(f"NSpid:\t{pid}\nUid:\t0 0 0 0\nGid:\t0 0 0 0\n")
        (folder / "cgroup").write_text(f"{cgroup}\n")
        if exe:
            (folder / "exe").symlink_to(exe)


@pytest.fixture(name="proc")
def _proc(tmp_path: Path) -> Proc:
    (tmp_path / "proc").mkdir()
    return Proc(tmp_path / "proc")


def instances(proc: Proc, program: str) -> Instances:
    def run(arguments: list[str], *dummy: Any, **more: Any) -> Finished:
        said = f"{made_up_nginx.VERSION}configure arguments: --prefix=/usr --conf-path=/etc/nginx/nginx.conf"
        return Finished(0, "", said if "-V" in arguments else "")

    return Instances(5, Processes(str(proc.root)), run, lambda: program)


def test_each_master_is_told_with_what_it_reads(proc: Proc, tmp_path: Path) -> None:
    program = tmp_path / "nginx"
    program.write_text("")
    hertz = os.sysconf("SC_CLK_TCK")
    unit = "0::/system.slice/nginx.service"
    proc.add(10, 1, "nginx: master process /usr/sbin/nginx -g daemon on;", 1, unit, str(program))
    proc.add(11, 10, "nginx: worker process", 30 * hertz)
    proc.add(12, 10, "nginx: worker process", 20 * hertz)
    proc.add(13, 10, "nginx: worker process is shutting down", 5 * hertz)
    proc.add(20, 1, "nginx: master process nginx -c /srv/o.conf", 1, exe=f"{program} (deleted)")
    first, second = instances(proc, str(program)).found()
    assert (first.pid, first.conf_path, first.unit, first.loaded) == (
        10, "/etc/nginx/nginx.conf", "nginx.service", 1000000020.0,
    )  # fmt: skip
    assert first.nginx is not None and first.nginx.built.openssl == "3.5.7"
    assert (second.pid, second.conf_path, second.unit, second.loaded) == (20, "/srv/o.conf", "", None)
    assert second.program == str(program), "the one that is there now"
    assert instances(proc, str(program)).orphans() == []


def test_a_prefix_begins_where_the_master_was_started(proc: Proc, tmp_path: Path) -> None:
    for pid, given in ((10, " -p run -c n.conf"), (20, f" -p {tmp_path}/abs -c n.conf"), (30, "")):
        proc.add(pid, 1, f"nginx: master process nginx{given}")
        (proc.root / str(pid) / "cwd").symlink_to(tmp_path)
    found = list(instances(proc, "/nginx").found())
    assert [one.conf_path for one in found[:2]] == [f"{tmp_path}/run/n.conf", f"{tmp_path}/abs/n.conf"]
    assert found[0].nginx is not None and found[0].nginx.started.prefix == f"{tmp_path}/run"
    assert found[2].conf_path == "/etc/nginx/nginx.conf"


@pytest.mark.parametrize(("root", "own"), [("/", False), ("..", True), ("nowhere", False)])
def test_one_in_a_chroot_is_not_taken_for_one_of_the_host(proc: Proc, root: str, own: bool) -> None:
    proc.add(10, 1, "nginx: master process nginx")
    (proc.root / "10" / "root").symlink_to(root)
    found = next(instances(proc, "/nginx").found())
    assert (found.nginx is None) is own and ("root directory of its own" in found.fault) is own


def test_one_that_does_not_run_is_told_once(proc: Proc, tmp_path: Path) -> None:
    (only,) = instances(proc, str(tmp_path / "nginx")).found()
    assert only.pid is None and only.conf_path == "/etc/nginx/nginx.conf"
    assert list(instances(proc, "").found()) == []


def test_masters_of_one_configuration_and_one_that_is_stopped(proc: Proc) -> None:
    for pid, conf in ((10, "/a.conf"), (20, "/b.conf"), (30, "/b.conf")):
        proc.add(pid, 1, f"nginx: master process nginx -c {conf}")
    stat = proc.root / "10" / "stat"
    stat.write_text(stat.read_text().replace(" S ", " T "))
    said = {one.pid: [finding.code for finding in one.findings] for one in instances(proc, "/nginx").found()}
    assert said == {10: ["nginx.master_stopped"], 20: [], 30: ["nginx.many_masters"], None: []}


def test_an_upgrade_in_flight_and_orphans(proc: Proc, tmp_path: Path) -> None:
    proc.add(10, 1, "nginx: master process nginx")
    proc.add(20, 10, "nginx: master process nginx")
    proc.add(31, 1, "nginx: worker process")
    found = instances(proc, "/nginx")
    assert [one.findings[0].code for one in found.found() if one.findings] == ["nginx.upgrade_in_flight"]
    assert [one.code for one in found.orphans()] == ["nginx.orphan_workers"]


def test_a_program_that_is_no_nginx_is_a_fault_and_stops_nothing(proc: Proc) -> None:
    proc.add(10, 1, "nginx: master process nginx")
    found = Instances(
        5, Processes(str(proc.root)), lambda *dummy, **more: Finished(1, "", "no"), lambda: "/x"
    )
    (only,) = found.found()
    assert only.nginx is None and "names no version" in only.fault


# -- files


def test_who_may_read_a_file_and_when_it_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    path.write_bytes(b"x")
    path.chmod(0o640)
    os.utime(path, (1000000000, 1000000000))
    changed = os.stat(path).st_ctime
    facts, data = file_state.state(str(path), changed + 5)
    assert data == b"x"
    assert facts == {
        "state": "ok", "mode": "0640", "owner": file_state.user_name(os.getuid()),
        "group": file_state.group_name(os.getgid()),
        "changed": "2001-09-09T01:46:40Z", "newer_than_loaded": False,
    }  # fmt: skip
    assert file_state.state(str(path), changed - 5)[0]["newer_than_loaded"], (
        "its inode is newer than its content"
    )
    assert file_state.state(str(path), None)[0]["newer_than_loaded"] is None


def test_a_link_that_was_switched_is_newer(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    (tmp_path / "live").symlink_to("one")
    link = os.lstat(tmp_path / "live").st_ctime
    assert file_state.is_newer(str(tmp_path / "live"), link - 2)
    assert not file_state.is_newer(str(tmp_path / "live"), link + 2)


def test_how_a_newer_file_is_newer(tmp_path: Path) -> None:
    """By chmod alone, or moved here with the time of its content: nobody can tell. By its content: told."""
    path = tmp_path / "a.pem"
    path.write_bytes(b"x")
    loaded = os.stat(path).st_ctime - 60
    assert file_state.how_newer(str(path), loaded).startswith("It was changed")
    os.utime(path, (1000000000, 1000000000))
    assert "owner or mode alone" in file_state.how_newer(str(path), loaded)
    assert "owner or mode alone" in file_state.how_newer(str(tmp_path / "gone"), loaded)


OWN = ["aa", "bb"]


@pytest.mark.parametrize(
    ("pairs", "rows", "fit", "newer"),
    [
        # (certificate, key) of each pair; chains that were served; files that are newer all the same
        ([("c", "k")], [OWN], True, set()),
        ([("c", "k")], [OWN, OWN], True, set()),
        ([("c", "k")], [OWN], False, {"k"}),
        ([("c", "k")], [["cc", "bb"]], True, {"c", "k"}),
        ([("c", "k")], [OWN, ["cc"]], True, {"c", "k"}),
        ([("c", "k")], [["aa"]], True, {"c", "k"}),  # the leaf alone is the same
        ([("c", "k")], [["aa", "bb", "dd"]], True, {"c", "k"}),
        ([("c", "k")], [[]], True, {"c", "k"}),  # no answer
        ([("c", "k")], [], True, {"c", "k"}),
        ([("c", "k"), ("d", "l")], [OWN], True, {"d", "l"}),  # of two kinds of key one was asked for
        ([("c", "k"), ("d", "l")], [["dd"]], True, {"c", "k"}),
    ],
)
def test_what_is_served_wins_over_the_times_of_its_file(
    tmp_path: Path, pairs: Any, rows: Any, fit: bool, newer: set[str]
) -> None:
    class Tools(made_up_nginx.NoTools):
        def contents(self, kind: str, data: bytes, *dummy: Any) -> Any:
            chain = {b"c": OWN, b"d": ["dd"]}.get(data, [])
            return type("Some", (), {"certificates": [{"sha256": one} for one in chain], "crls": []})

        def pair(self, *dummy: Any) -> list[dict[str, Any]]:
            said = {"code": "pair.key_mismatch", "place": str(tmp_path / "k"), "message": ""}
            return [] if fit else [said]

    def file(name: str) -> dict[str, Any]:
        (tmp_path / name).write_text(name)
        return {"path": str(tmp_path / name), "variable": False, "scheme": "", "text": "", "place": ""}

    server = {
        "certificates": [{"certificate": file(one), "key": file(key)} for one, key in pairs],
        "trust": file("t"), "trusted": None, "crl": None, "password": None, "session_ticket_keys": [],
        "tls": True, "verify": "on",
    }  # fmt: skip
    found = InForce([server], [], [], "")
    loaded = os.stat(tmp_path / "t").st_ctime - 60
    served = [[{"chain": chain} for chain in rows]]

    def newer_of(times: int) -> set[str]:
        files = NamedFiles(Tools())
        files.read([(found, loaded)] * times)
        files.served(found, served)
        shown = files.shown(False)
        told = {
            one["path"]
            for one in shown
            if "tls.file_newer_than_loaded" in {x["code"] for x in one["findings"]}
        }
        assert told == {one["path"] for one in shown if one["newer_than_loaded"]}
        return {Path(one).name for one in told}

    assert newer_of(1) == {*newer, "t"}  # by what it trusts nobody was let in
    assert newer_of(2) == {*(name for pair in pairs for name in pair), "t"}  # the other nginx was not asked


@pytest.mark.parametrize(
    ("name", "state"), [("gone", "missing"), ("folder", "other"), ("loop", "unreadable")]
)
def test_what_is_no_file(tmp_path: Path, name: str, state: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert file_state.state(str(tmp_path / name), 1.0)[0]["state"] == state


def test_files_that_include_each_other_are_read_once(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text("include a.conf; include sub/*.conf; http { include gone.conf; }")
    (tmp_path / "a.conf").write_text("include nginx.conf; include a.conf;")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.conf").write_text("include sub/c.bad;")
    (tmp_path / "sub" / "c.bad").write_text("server {")
    dump = conf_files.read(str(main))
    assert [os.path.relpath(path, tmp_path) for path in dump.files] == ["nginx.conf", "a.conf", "sub/b.conf"]
    assert dump.tree()


# -- logs

LINE = (
    "{} [info] 1#1: *4 client sent no required SSL certificate while reading client request headers,"
    " client: ::1, server: a"
)


def test_logs_are_read_from_their_end_and_over_a_rotation(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 13, 0, 0)  # noqa: DTZ001 local time, as in the log

    def lines(*minutes: int) -> str:
        times = [(now - timedelta(minutes=before)).strftime("%Y/%m/%d %H:%M:%S") for before in minutes]
        return "".join(LINE.format(time) + "\n" for time in times)

    log = tmp_path / "error.log"
    log.write_text(lines(3, 1))
    (tmp_path / "error.log.1").write_text(lines(90, 5))
    since = now - timedelta(minutes=10)
    paths = [str(log), str(log), "stderr", str(tmp_path / "gone")]
    found, failed = error_logs.events(paths, since)
    assert failed == []
    assert [one["time"][11:16] for one in found] == ["12:55", "12:57", "12:59"]
    assert {one["file"] for one in found} == {str(log)}
    log.write_text("x" * 5_000_000 + "\n" + lines(30, 2))
    assert [one["time"][11:16] for one in error_logs.events([str(log)], since)[0]] == ["12:58"]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert error_logs.events([str(fifo)], since) == ([], [])


@pytest.mark.parametrize(
    ("path", "to", "unit", "read_as"),
    [
        ("/var/log/e.log", "", "nginx.service", "/var/log/e.log"),
        ("stderr", "", "nginx.service", "journalctl _SYSTEMD_UNIT=nginx.service"),
        ("stderr", "", "", ""),  # somebody's terminal
        ("syslog", "unix:/dev/log", "web@1.service", "journalctl _SYSTEMD_UNIT=web@1.service"),
        ("syslog", "unix:/dev/log", "a b.service", "journalctl '_SYSTEMD_UNIT=a b.service'"),
        ("syslog", "unix:/dev/log", "", "journalctl _COMM=nginx"),
        ("syslog", "unix:/run/other", "nginx.service", ""),
        ("syslog", "logs.example.com:514", "nginx.service", ""),
        ("memory", "", "nginx.service", ""),
    ],
)
def test_what_shows_a_log(path: str, to: str, unit: str, read_as: str) -> None:
    assert error_logs.read_as({"path": path, "to": to}, unit) == read_as


def test_the_journal_is_a_log() -> None:
    now = datetime(2026, 11, 22, 13, 0, 0)  # noqa: DTZ001 local time, as in the log
    since = now - timedelta(minutes=10)
    times = [(now - timedelta(minutes=before)).strftime("%Y/%m/%d %H:%M:%S") for before in (1, 3, 90)]
    asked: list[Any] = []

    def run(arguments: list[str], timeout_s: float) -> Finished:
        asked.append(arguments)
        return Finished(
            0, "".join(f"{LINE.format(time)}\n" for time in times) + "Started nginx.\n" + "x" * 9999, ""
        )

    command = "journalctl _SYSTEMD_UNIT=nginx.service"
    found, failed = error_logs.events([command, command, ""], since, run)
    assert ([one["time"][11:16] for one in found], failed) == (["12:57", "12:59"], [])
    assert {one["file"] for one in found} == {command}
    assert asked == [
        ["journalctl", "_SYSTEMD_UNIT=nginx.service", "-q", "--no-pager", "-ocat", "-n5000",
         f"--since=@{since.timestamp():.0f}"]
    ]  # fmt: skip
    for answer in (lambda *dummy: Finished(1, "", "No journal files were found."), _absent):
        assert error_logs.events([command], since, answer) == ([], [command])


def _absent(*dummy: Any) -> Finished:
    raise FileNotFoundError("journalctl")


# -- what is served


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[tuple[int, bytes]]:
    given = corpus.good()
    (tmp_path / "a.pem").write_bytes(given["certificate"])
    (tmp_path / "a.key").write_bytes(given["private_key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "a.pem", tmp_path / "a.key")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def work() -> None:
        for _turn in range(2):
            try:
                with listener.accept()[0] as raw, context.wrap_socket(raw, server_side=True) as tls:
                    assert tls.recv(10) == b"", "not a word behind the handshake"
            except OSError:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield listener.getsockname()[1], given["certificate"]
    listener.close()


def test_one_handshake_tells_what_is_served(served: tuple[int, bytes]) -> None:
    port, certificate = served
    seen = handshake.knock(Door("127.0.0.1", port), "a.example.com", 10)
    assert (seen.error, seen.silent) == ("", False) and seen.protocol.startswith("TLSv1")
    leaf = TlsFiles(corpus.AT, Shelf()).leaf(certificate, "a.pem")
    assert hashlib.sha256(seen.chain[0]).hexdigest() == leaf


def test_nobody_there_silence_and_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        seen = handshake.knock(Door("127.0.0.1", port), "", 0.3)
        assert seen.silent and seen.error == "no end within 0.3 s"
    gone = handshake.knock(Door("127.0.0.1", port), "", 5)
    assert gone.silent and gone.error == "Connection refused"
    assert handshake.knock(Door("unix:/gone", 0), "", 5).error == "No such file or directory"
    assert Door("::1", 443).name == "[::1]:443" and Door("unix:/a", 0).name == "unix:/a"


# -- all of it


def test_a_key_that_a_password_file_opens() -> None:
    given = corpus.good()
    key = serialization.load_pem_private_key(given["private_key"], None)
    form = serialization.PrivateFormat.PKCS8
    locked = key.private_bytes(
        serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"second line")
    )
    spec = {"certificate": given["certificate"], "private_key": locked}
    tools = TlsFiles(corpus.AT, Shelf())

    def codes(*passphrases: bytes) -> set[str]:
        return {one["code"] for one in tools.pair(spec, passphrases, "client")}

    assert codes(b"first", b"second line", b"third") == set()
    assert codes() == codes(b"first") == {"pair.key_encrypted"}


def test_the_whole_result_of_a_stopped_nginx(tmp_path: Path) -> None:
    given = corpus.good()
    for name, slot in (("a.pem", "certificate"), ("a.key", "private_key"), ("ca.pem", "trust")):
        (tmp_path / name).write_bytes(given[slot])
    (tmp_path / "a.key").chmod(0o644)
    text = (
        f"http {{ server {{ listen 443 ssl; ssl_certificate {tmp_path}/a.pem;"
        f" ssl_certificate_key {tmp_path}/a.key;"
        f" ssl_client_certificate {tmp_path}/ca.pem; ssl_crl {tmp_path}/gone.crl; ssl_verify_client on; }} }}"
    )
    found = made_up_nginx.look("", text, TlsFiles(corpus.AT, Shelf()), pem=True)
    files = {os.path.basename(file["path"]): file for file in found["files"]}
    assert [files[name]["kind"] for name in sorted(files)] == ["key", "certificate", "trust", "crl"]
    assert files["gone.crl"]["state"] == "missing"
    assert {one["code"] for one in found["findings"]} == {
        "file.missing",
        "file.permissions",
        "purpose.server_auth_missing",  # it is a client's
    }
    assert "pem" not in files["a.key"] and files["ca.pem"]["pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in str(found)
    assert files["a.pem"]["certificates"][0]["subject"]
