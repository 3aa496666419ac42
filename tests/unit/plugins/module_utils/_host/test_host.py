# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.account import ROOT, Account
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import read_dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.host import Host
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Finished, Invocation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.service import Service

NO_PROCESSES: Any = SimpleNamespace(
    all=list,
    master=lambda pid_file, _ours: SimpleNamespace(pid=pid_file),
    open_files=lambda _pid: (0, 0),
    account=lambda _pid: ROOT,
)


class Etc:
    """A configuration directory, and an nginx that dumps what *files* says of the path it is given."""

    def __init__(self, root: Path) -> None:
        self.root = root / "nginx"
        for name in ("conf.d", "modules-enabled", "mtls/releases/empty"):
            (self.root / name).mkdir(parents=True)
        (self.root / "nginx.conf").touch()
        self.scratch = root / "run"
        self.scratch.mkdir()
        self.files: dict[str, str] = {"nginx.conf": "http { }"}
        self.absolute: dict[str, str] = {}
        self.code, self.err = 0, ""

    def run(self, arguments: list[str], _timeout: float, environment: Any = None) -> Finished:
        if arguments[1] == "-V":
            paths = f"--conf-path={self.root}/nginx.conf --pid-path=/p"
            text = f"nginx version: nginx/1.26.3\nconfigure arguments: {paths}"
            return Finished(0, "", text)
        folder = Path(arguments[-1]).parent
        files = {f"{folder}/{name}": text for name, text in self.files.items()}
        files.update(self.absolute)
        out = "".join(f"# configuration file {name}:\n{text}\n" for name, text in files.items())
        return Finished(
            self.code, out if arguments[1] == "-T" else "", self.err.replace("SHADOW", str(folder))
        )

    def host(self, base: str = "") -> Host:
        return Host(base or f"{self.root}/mtls", "nginx", NO_PROCESSES, 5, str(self.scratch), self.run)


@pytest.fixture(name="etc")
def _etc(tmp_path: Path) -> Etc:
    return Etc(tmp_path)


@pytest.mark.parametrize("base", ["/elsewhere/mtls", "{root}", "{root}x/mtls"])
def test_a_base_outside_of_the_configuration(etc: Etc, base: str) -> None:
    with pytest.raises(MtlsError, match="does not lie below"):
        etc.host(base.format(root=etc.root))


def test_the_include_is_one_relative_line(etc: Etc) -> None:
    host = etc.host(f"{etc.root}/a/b")
    assert host.write_include()
    path = etc.root / "conf.d" / "mtls.conf"
    assert path.read_text() == "include a/b/current/mtls.conf;\n"
    inode = path.stat().st_ino
    assert not host.write_include()
    assert path.stat().st_ino == inode


def test_what_a_killed_run_was_writing_beside_its_two_files_goes(etc: Etc) -> None:
    (etc.root / "modules-enabled").mkdir(exist_ok=True)
    left = [etc.root / folder / "mtls.conf.new-17" for folder in ("conf.d", "modules-enabled")]
    other = etc.root / "conf.d" / "other.conf.new-17"
    for path in (*left, other):
        path.write_text("half")
    assert etc.host().write_include()
    assert [path.exists() for path in (*left, other)] == [False, False, True]


def test_a_foreign_file_in_its_place_is_left_alone(etc: Etc) -> None:
    path = etc.root / "conf.d" / "mtls.conf"
    path.write_text("server { }\n")
    with pytest.raises(MtlsError, match="not the file that release writes"):
        etc.host().write_include()
    assert path.read_text() == "server { }\n"


def test_an_nginx_without_conf_d(etc: Etc) -> None:
    (etc.root / "conf.d").rmdir()
    with pytest.raises(MtlsError) as found:
        etc.host().write_include()
    assert found.value.code == "include.missing"


def test_a_test_in_the_shadow_speaks_of_the_real_files(etc: Etc) -> None:
    etc.err = "nginx: [emerg] unknown directive in SHADOW/conf.d/x.conf:1"
    etc.code = 1
    tested = etc.host().test_with(str(etc.root))
    assert tested.lines == [f"nginx: [emerg] unknown directive in {etc.root}/conf.d/x.conf:1"]
    etc.code = 0
    dump = etc.host().test_with(str(etc.root)).dump
    assert dump is not None
    assert dump.main == f"{etc.root}/nginx.conf"
    assert list(etc.scratch.iterdir()) == []


def test_a_configuration_that_is_broken_without_us(etc: Etc) -> None:
    etc.code, etc.err = 1, "nginx: [emerg] theirs"
    with pytest.raises(MtlsError, match=r"even without any block of ours.*\[emerg\] theirs"):
        etc.host().configuration_without_us(str(etc.root))


@pytest.mark.parametrize("credential", ["web", "gone"])
def test_a_block_of_the_users_may_include_a_credential_of_the_live_release(
    etc: Etc, monkeypatch: pytest.MonkeyPatch, credential: str
) -> None:
    live = etc.root / "mtls" / "releases" / "0123456789abcdef"
    (live / "server" / "credentials" / "web").mkdir(parents=True)
    (live / "server" / "credentials" / "web" / "tls.conf").write_text("web")
    (live / "mtls.conf").write_text("include blocks;\n")
    seen = []

    def run(arguments: list[str], timeout: float, environment: Any = None) -> Finished:
        current = Path(arguments[-1]).parent / "mtls" / "current"
        if arguments[1] == "-T":
            block = current / "server" / "credentials" / credential / "tls.conf"
            seen.append((block.exists(), "include" in (current / "mtls.conf").read_text()))
            seen.append((current / "server").is_symlink())
        return Etc.run(etc, arguments, timeout)

    monkeypatch.setattr(etc, "run", run)
    etc.host().configuration_without_us(str(live))
    assert seen == [(credential == "web", False), True], "no block of ours, and nothing copied"
    assert (live / "server" / "credentials" / "web").is_dir(), "the live release stays"
    assert list(etc.scratch.iterdir()) == []


def test_a_timeout_that_the_user_set_after_us_is_told_from_a_broken_configuration(etc: Etc) -> None:
    ours = etc.root / "modules-enabled" / "mtls.conf"
    etc.code = 1
    etc.err = f'nginx: [emerg] "worker_shutdown_timeout" directive is duplicate in {etc.root}/nginx.conf:2'
    with pytest.raises(MtlsError, match="even without any block of ours"):
        etc.host().configuration_without_us(str(etc.root))
    ours.parent.mkdir(exist_ok=True)
    ours.write_text("worker_shutdown_timeout 60s;\n")
    with pytest.raises(MtlsError, match=r"nginx\.conf:2 Remove this file") as found:
        etc.host().configuration_without_us(str(etc.root))
    assert found.value.place == str(ours)


def pid_file_of(host: Host) -> Any:
    master: Any = host.master()
    return master.pid


def test_pid_file_and_error_log_are_those_of_the_configuration(etc: Etc, tmp_path: Path) -> None:
    host = etc.host()
    assert pid_file_of(host) == "/p"
    etc.files["nginx.conf"] = (
        f"pid other.pid; error_log {tmp_path}/e.log warn; error_log stderr; "
        "http { error_log /var/log/h.log; }"
    )
    host.configuration_without_us(str(etc.root))
    assert pid_file_of(host) == "/usr/local/nginx/other.pid"
    # The compiled-in one as well: the master's last load may have been before the line was written.
    assert host.error_log().where == f"{tmp_path}/e.log and /usr/local/nginx/logs/error.log and stderr"


def with_processes(etc: Etc, *titles: str, **more: Any) -> Any:
    masters = [SimpleNamespace(pid=1, is_master=True, arguments=title.split()) for title in titles]
    return SimpleNamespace(**{**vars(NO_PROCESSES), "all": lambda: masters, **more})


def unit(line: str) -> Service:
    shown = f"ExecStart={{ path=/usr/sbin/nginx ; argv[]={line} ; ignore_errors=no ; start_time=[n/a] }}"
    return Service("nginx", lambda arguments, timeout: Finished(0, shown, ""), 5)


def started(etc: Etc, processes: Any, service: Service | None = None) -> Host:
    return Host(f"{etc.root}/mtls", "nginx", processes, 5, str(etc.scratch), etc.run, service)


def test_the_configuration_is_the_one_that_the_base_belongs_to(etc: Etc) -> None:
    """Running before unit before compiled in, and never that of another instance."""
    own, other = f"{etc.root}/own.conf", f"{etc.root}/other.conf"
    default = f"{etc.root}/nginx.conf"

    def chosen(*titles: str, line: str = "nginx") -> str:
        return started(etc, with_processes(etc, *titles), unit(line)).nginx.conf_path

    assert chosen() == default
    assert chosen(line=f"nginx -c {own}") == own
    assert chosen(f"nginx -c {other}", line=f"nginx -c {own}") == other
    assert chosen(f"nginx -c {other}", f"nginx -c {own}", line=f"nginx -c {own}") == own
    assert chosen("nginx -c /elsewhere/nginx.conf") == default
    assert chosen("nginx -c /elsewhere/nginx.conf", line=f"nginx -c {own}") == own
    with pytest.raises(MtlsError, match="does not lie below /elsewhere"):
        started_at("/other/mtls", etc, "nginx -c /elsewhere/nginx.conf")


def started_at(base: str, etc: Etc, line: str) -> Host:
    return Host(base, "nginx", NO_PROCESSES, 5, str(etc.scratch), etc.run, unit(line))


def test_directives_of_the_command_line(etc: Etc) -> None:
    host = started(etc, NO_PROCESSES, unit("nginx -g daemon on; pid /g.pid; -p /srv -e logs/e"))
    assert pid_file_of(host) == "/g.pid"
    assert host.error_log().where == "/srv/logs/e and journalctl -u nginx"
    assert pid_file_of(started(etc, NO_PROCESSES, unit("nginx -g } -p /srv"))) == "/p"


@pytest.mark.parametrize(
    ("used", "limit", "line", "refused"),
    [
        (30, 1024, "", False),
        (12, 12, "", True),
        (30, 44, "", False),
        (30, 43, "", True),
        (30, 1024, "worker_rlimit_nofile 12;", True),
        (30, 1024, "worker_rlimit_nofile 38;", False),
        (0, 0, "worker_rlimit_nofile 1;", False),
    ],
)
def test_a_master_that_may_open_too_few_files(
    etc: Etc, used: int, limit: int, line: str, refused: bool
) -> None:
    processes = with_processes(
        etc, open_files=lambda _pid: (used, limit), workers=lambda _pid: (frozenset({1, 2}), frozenset({3}))
    )
    host = started(etc, processes)
    etc.files["nginx.conf"] = line
    host.configuration_without_us(str(etc.root))
    master = host.master()
    assert master is not None, "whether it can reload is another question"
    if refused:
        with pytest.raises(MtlsError) as found:
            host.refuse_few_files(master)
        assert found.value.code == "nginx.open_files"
    else:
        host.refuse_few_files(master)


def test_the_journal_of_a_service() -> None:
    asked: list[list[str]] = []

    def journalctl(arguments: list[str], _timeout: float) -> Finished:
        asked.append(arguments)
        return Finished(0, "one\ntwo\n", "")

    assert Service("nginx", journalctl, 5).journal(1.5) == ["one", "two"]
    assert "--since=@1.500000" in asked[0]
    assert "_SYSTEMD_UNIT=nginx.service" in asked[0]

    def missing(arguments: list[str], _timeout: float) -> Finished:
        raise FileNotFoundError(arguments[0])

    assert Service("nginx", missing, 5).journal(1.5) == []
    assert Service("nginx", missing, 5).invocation() == Invocation()


def judged(etc: Etc, text: str, expected: list[str]) -> str:
    dump = read_dump(f"# configuration file {etc.root}/nginx.conf:\n{text}\n")
    try:
        etc.host().judge_dump(dump, expected)
    except MtlsError as error:
        return error.code
    return ""


def test_a_blind_test_is_seen(etc: Etc) -> None:
    assert judged(etc, f"include {etc.root}/mtls/current/mtls.conf;", []) == "include.absolute"
    assert judged(etc, f"# include {etc.root}/mtls/current/mtls.conf;", []) == ""
    assert judged(etc, f'http {{ include "{etc.root}/mtls/current/mtls.conf"; }}', []) == "include.absolute"
    assert judged(etc, "include mtls/current/mtls.conf;", []) == ""
    assert judged(etc, "", [f"{etc.root}/mtls/current/mtls.conf"]) == "include.missing"
    assert judged(etc, "", [f"{etc.root}/nginx.conf"]) == ""


@pytest.mark.parametrize(
    "include",
    ["{root}/mtls/current/mtls.conf", "{root}/../nginx/mtls/current/mtls.conf", "{root}/*/current/mtls.conf"],
)
def test_the_live_release_read_by_another_way_is_seen(etc: Etc, include: str) -> None:
    live = include.format(root=etc.root).replace("*", "mtls")
    etc.absolute = {live: "# live"}
    # The relative one is as it should be.
    etc.files["mtls/current/mtls.conf"] = ""
    relative = "include mtls/current/mtls.conf;"
    etc.files["nginx.conf"] = f"http {{ {relative}\n include {include.format(root=etc.root)};\n}}"
    with pytest.raises(MtlsError) as found:
        etc.host().test_with(str(etc.root))
    assert found.value.code == "include.absolute"
    assert found.value.place == f"{etc.root}/nginx.conf:2"


def test_where_the_include_will_stand(etc: Etc) -> None:
    """Check mode before the first run: a block in sites-enabled comes behind conf.d and governs nothing."""
    entry = "http { include conf.d/*.conf; include sites-enabled/*; }"
    text = {
        "nginx.conf": entry,
        "conf.d/a.conf": "server { listen 1; }",
        "conf.d/z.conf": "server { listen 2; }",
    }
    text["sites-enabled/own"] = "server { listen 443 ssl; }"
    dump = read_dump("".join(f"# configuration file {etc.root}/{n}:\n{t}\n" for n, t in text.items()))
    host = etc.host()
    users = host.users(host.as_if_included(dump))
    assert [user.before for user in users] == [True, False, False]


READS = "include modules-enabled/*.conf;"


@pytest.mark.parametrize(
    ("main", "ours", "wanted", "after"),
    [
        (READS, None, "60s", "worker_shutdown_timeout 60s;\n"),
        (READS, "worker_shutdown_timeout 60s;\n", "60s", "same"),
        (READS, "worker_shutdown_timeout 60s;\n", "90s", "worker_shutdown_timeout 90s;\n"),
        (READS, "worker_shutdown_timeout 60s;\n", "", None),
        (READS + "worker_shutdown_timeout 5s;", None, "60s", "same"),
        (READS + "worker_shutdown_timeout 5s;", "worker_shutdown_timeout 60s;\n", "60s", None),
        ("", None, "60s", "same"),
        # Somebody else's file of that name
        (READS, "load_module x.so;\n", "", "same"),
        (READS + "worker_shutdown_timeout 5s;", "load_module x.so;\n", "60s", "same"),
        (READS, "load_module x.so;\n", "60s", "refused"),
    ],
)
def test_the_shutdown_timeout_is_set_once(
    etc: Etc, main: str, ours: str | None, wanted: str, after: str | None
) -> None:
    path = etc.root / "modules-enabled" / "mtls.conf"
    if ours is not None:
        path.write_text(ours)
    dump = read_dump(f"# configuration file {etc.root}/nginx.conf:\n{main}\n")
    if after == "refused":
        with pytest.raises(MtlsError, match="not the file that release writes"):
            etc.host().shutdown_timeout(dump, wanted)
        etc.host().remove_shutdown_timeout()
        assert path.read_text() == ours
        return
    change = etc.host().shutdown_timeout(dump, wanted)
    if after == "same":
        assert change is None
        return
    assert change is not None
    undo = change()
    assert (path.read_text() if path.exists() else None) == after
    undo()
    assert (path.read_text() if path.exists() else None) == ours


@pytest.mark.parametrize(("code", "enabled"), [(0, True), (1, False)])
def test_a_service(code: int, enabled: bool) -> None:
    assert Service("nginx", lambda arguments, timeout: Finished(code, "", ""), 5).enabled() is enabled


def test_a_host_without_systemd() -> None:
    def missing(_arguments: list[str], _timeout: float) -> Finished:
        raise FileNotFoundError

    service = Service("nginx", missing, 5)
    assert not service.enabled()
    assert not service.start()


@pytest.mark.parametrize(
    ("main", "wanted", "told"),
    [
        ("", "60s", True),
        ("", "", False),
        (READS, "60s", False),
        ("worker_shutdown_timeout 5s;", "60s", False),
    ],
)
def test_a_timeout_that_has_no_place_is_told(etc: Etc, main: str, wanted: str, told: bool) -> None:
    dump = read_dump(f"# configuration file {etc.root}/nginx.conf:\n{main}\n")
    assert etc.host().timeout_has_no_place(dump, wanted) == told


@pytest.mark.parametrize(
    ("main", "seconds"),
    [
        ("", None),
        ("worker_shutdown_timeout 0;", None),
        ("worker_shutdown_timeout 5s;", 5),
        ('worker_shutdown_timeout "1m 30s";', 90),
    ],
)
def test_when_an_old_worker_is_ended(etc: Etc, main: str, seconds: int | None) -> None:
    dump = read_dump(f"# configuration file {etc.root}/nginx.conf:\n{main}\n")
    assert etc.host().shutdown_timeout_s(dump) == seconds


# -- an nginx that runs as an ordinary user


WEB = Account(os.geteuid() + 7, os.getegid(), (os.getegid(),))


def of_user(etc: Etc, account: Account = WEB) -> Host:
    return started(etc, with_processes(etc, "nginx", account=lambda _pid: account))


def test_nginx_is_tested_as_the_user_whom_it_runs_as(etc: Etc) -> None:
    """And that one can look into each directory that the test reads, and write into none."""
    calls: list[list[str]] = []
    looked: list[int] = []

    def run(arguments: list[str], timeout: float, environment: Any = None) -> Finished:
        calls.append(arguments)
        if "-T" in arguments:
            begin = arguments.index("nginx")
            for folder, dummy, dummy_too in os.walk(etc.scratch):
                looked.append(stat.S_IMODE(os.stat(folder).st_mode))
            return etc_run(arguments[begin:], timeout, environment)
        return etc_run(arguments, timeout, environment)

    etc_run = etc.run
    # The real one, seen from outside: what it was given, and what it could have opened.
    etc.run = run  # type: ignore[method-assign]  # what is called is noted, and then called
    host = of_user(etc)
    assert (host.tester, host.account) == (WEB, WEB)
    host.configuration_without_us(str(etc.root))
    host.test_live()
    for arguments in calls[1:]:
        assert Path(arguments[0]).name == "setpriv"
        assert f"--reuid={WEB.uid}" in arguments[: arguments.index("--")]
    assert set(looked) == {0o750}
    # The twin: root's nginx, and nobody may look.
    calls.clear()
    looked.clear()
    started(etc, with_processes(etc, "nginx")).configuration_without_us(str(etc.root))
    assert all(arguments[0] == "nginx" for arguments in calls)
    assert 0o750 not in {stat.S_IMODE(os.stat(path).st_mode) for path in etc.scratch.iterdir()}


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("bind() to 0.0.0.0:443 failed (13: Permission denied)", "AmbientCapabilities=CAP_NET_BIND_SERVICE"),
        ('open() "/var/log/x.log" failed (13: Permission denied)', "which must be able to open it"),
        ('unknown directive "x"', ""),
    ],
)
def test_what_an_ordinary_user_lacks_is_told(etc: Etc, said: str, hint: str) -> None:
    etc.code, etc.err = 1, f"nginx: [emerg] {said}"
    told = of_user(etc).test_live()
    assert (hint in told.hint, bool(told.hint)) == (True, bool(hint))
    assert started(etc, with_processes(etc, "nginx")).test_live().hint == ""


def test_a_directory_of_its_own_that_is_there_while_it_runs(etc: Etc) -> None:
    etc.code, etc.err = 1, 'nginx: [emerg] open() "/run/web/nginx.pid" failed (2: No such file or directory)'
    stopped = of_user(etc)
    assert stopped.test_live().hint == ""
    stopped._runs = False
    assert "systemctl start nginx" in stopped.test_live().hint


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to somebody else")
@pytest.mark.parametrize(
    ("owner", "mode", "refused"),
    [(0, 0o755, False), (7, 0o755, True), (0, 0o775, True), (0, 0o777, True), (0, 0o1777, False)],
)
def test_where_that_user_may_lead_root_elsewhere(etc: Etc, owner: int, mode: int, refused: bool) -> None:
    os.chmod(etc.root, mode)
    os.chown(etc.root, owner, -1)
    account = Account(7, os.getegid(), (os.getegid(),))
    if not refused:
        assert of_user(etc, account).account == account
        return
    with pytest.raises(MtlsError, match="could lead root elsewhere") as found:
        of_user(etc, account)
    assert found.value.place == str(etc.root)
    assert "chmod go-w" in found.value.remedy
