# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_program import Built, Invocation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import (
    ErrorLog,
    Finished,
    Nginx,
    build_of,
    locate,
    own_lines,
    run,
)

VERSION = (
    "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.11\nconfigure arguments: --prefix=/usr/share/nginx "
    "--conf-path=/etc/nginx/nginx.conf --pid-path=/run/nginx.pid --error-log-path=stderr\n"
)
BUILT = Built(
    (1, 22, 1), "/usr/share/nginx", "/etc/nginx/nginx.conf", "/run/nginx.pid", "stderr", openssl="3.0.11"
)


def test_what_is_compiled_in() -> None:
    assert build_of("nginx", 5, lambda arguments, timeout: Finished(0, "", VERSION)) == BUILT
    with pytest.raises(MtlsError):
        build_of("/bin/true", 5, lambda arguments, timeout: Finished(0, "", ""))


def test_a_test_sees_what_the_master_sees() -> None:
    seen: list[Any] = []

    def runner(arguments: list[str], _timeout: float, **more: Any) -> Finished:
        seen.append((arguments, more))
        return Finished(0, "", "")

    started = Invocation(prefix="/srv", directives="pid /p;")
    environment = {"OPENSSL_CONF": "/o"}
    Nginx("nginx", BUILT, "/n.conf", 5, runner, started, environment).test()
    assert seen == [
        (["nginx", "-t", "-q", "-p", "/srv", "-g", "pid /p;", "-c", "/n.conf"], {"environment": environment})
    ]


def test_an_environment_is_laid_over_our_own() -> None:
    script = "import os; print(os.environ['X_TEST'], 'PATH' in os.environ)"
    assert run([sys.executable, "-c", script], 10, {"X_TEST": "1"}).out == "1 True\n"


def test_it_is_found_outside_path_too() -> None:
    assert locate(lambda name: name if name == "/usr/sbin/nginx" else None) == "/usr/sbin/nginx"
    assert locate(lambda name: None) is None


def test_only_nginx_own_lines_leave_it() -> None:
    text = "nginx: [warn] w\nproxy_set_header Authorization secret;\n2026/01/01 00:00:00 [emerg] 1#1: e\n"
    assert own_lines(text) == ["nginx: [warn] w", "2026/01/01 00:00:00 [emerg] 1#1: e"]


def verdict_of(code: int, out: str, err: str, dump: bool = True) -> Any:
    def runner(arguments: list[str], _timeout: float, environment: Any) -> Finished:
        assert arguments == ["nginx", "-T" if dump else "-t", "-q", "-c", "/s/nginx.conf"]
        return Finished(code, out, err)

    return Nginx("nginx", BUILT, "/etc/nginx/nginx.conf", 5, runner).test("/s/nginx.conf", dump)


def test_a_good_configuration_gives_its_dump() -> None:
    found = verdict_of(0, "# configuration file /s/nginx.conf:\nevents {}\n", "")
    assert found.ok
    assert list(found.dump.files) == ["/s/nginx.conf"]


def test_a_bad_one_gives_lines_and_no_dump() -> None:
    found = verdict_of(1, "secret\n", "nginx: [emerg] unknown directive\nsecret too\n")
    assert not found.ok
    assert found.dump is None
    assert found.lines == ["nginx: [emerg] unknown directive"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        # Once its log is open nginx says when and which process: no two runs would say the same.
        ("2026/11/22 16:00:00 [emerg] 123#123: bind() failed", "nginx: [emerg] bind() failed"),
        ("2026/11/22 16:00:01 [emerg] 9#9: bind() failed", "nginx: [emerg] bind() failed"),
        ("nginx: [emerg] bind() failed", "nginx: [emerg] bind() failed"),
        (
            "nginx: [emerg] 2026/11/22 16:00:00 [emerg] 1#1: is quoted",
            "nginx: [emerg] 2026/11/22 16:00:00 [emerg] 1#1: is quoted",
        ),
    ],
)
def test_a_refusal_is_the_same_at_each_time_and_of_each_process(written: str, told: str) -> None:
    assert verdict_of(1, "", f"{written}\n").lines == [told]


def test_a_refusal_is_told_before_and_without_many_warnings() -> None:
    err = "nginx: [warn] conflicting server name\n" * 500 + "nginx: [emerg] bad\n"
    assert verdict_of(1, "", err).lines == ["nginx: [emerg] bad"]
    assert len(verdict_of(1, "", "nginx: [emerg] bad\n" * 500).lines) == 5


def test_the_empty_pid_file_of_a_test_goes(tmp_path: Path) -> None:
    pid = tmp_path / "nginx.pid"

    def runner(_arguments: list[str], _timeout: float, environment: Any) -> Finished:
        pid.touch()
        return Finished(0, "", "")

    nginx = Nginx("nginx", BUILT, "/n.conf", 5, runner)
    nginx.test(pid_file=str(pid))
    assert not pid.exists()
    pid.write_text("")
    nginx.test(pid_file=str(pid))
    assert pid.exists(), "it was there before"


def test_a_program_gets_no_terminal_and_no_endless_time() -> None:
    read = run([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"], 10)
    assert (read.code, read.out) == (0, "''\n")
    assert run([sys.executable, "-c", "import time; time.sleep(60)"], 0.1).code == -1


EMERG = "2026/01/01 00:00:00 [emerg] 1#1: "


@pytest.mark.parametrize(
    ("lines", "gave_up"),
    [
        ([], False),
        ([EMERG + "bind() to 0.0.0.0:443 failed (98: Address already in use)"], False),
        ([EMERG + "bind() to 0.0.0.0:443 failed", EMERG + "still could not bind()"], True),
        ([EMERG + "cannot load certificate"], True),
        (["2026/01/01 00:00:00 [error] 1#1: x"], False),
    ],
)
def test_when_nginx_will_not_load(tmp_path: Path, lines: list[str], gave_up: bool) -> None:
    path = tmp_path / "error.log"
    path.write_text(EMERG + "from yesterday\n")
    log = ErrorLog([str(path)])
    with path.open("a") as file:
        file.write("".join(line + "\n" for line in lines))
    assert log.gave_up() is gave_up


def test_each_line_is_told_once_and_only_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(EMERG + "old\n")
    log = ErrorLog([str(path)])
    with path.open("a") as file:
        file.write((EMERG + "again\n") * 5 + "2026 [info] 1#1: chat\n")
    assert log.urgent() == [EMERG + "again"]
    path.write_text(EMERG + "r\n")
    assert log.urgent() == [EMERG + "r"], "a rotated log is read from its start"
    assert ErrorLog([str(tmp_path / "none")]).urgent() == []


def test_a_line_about_a_request_is_not_told(tmp_path: Path) -> None:
    """It quotes what others ask for, and many of them would hide the one line that says why."""
    path = tmp_path / "error.log"
    path.write_text("")
    log = ErrorLog([str(path)], lambda _since: [EMERG + "of the journal"])
    about = '2026 [crit] 7#7: *%d connect() to unix:/app failed, request: "GET /reset?token=%d"\n'
    path.write_text("".join(about % (number, number) for number in range(20)))
    assert log.urgent() == [EMERG + "of the journal"]
    with path.open("a") as file:
        file.write(EMERG + "the cause\n")
        file.writelines(f"2026 [alert] 1#1: worker process {number} exited\n" for number in range(20))
        file.write(about % (21, 21))
    said = log.urgent()
    assert said[0] == EMERG + "the cause"
    assert said[1:] == [f"2026 [alert] 1#1: worker process {number} exited" for number in range(16, 20)]


def test_all_logs_are_read(tmp_path: Path) -> None:
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    log = ErrorLog([*map(str, paths), "/dev/null", str(tmp_path)])
    paths[1].write_text(EMERG + "second\n")
    assert log.urgent() == [EMERG + "second"]
    assert log.gave_up()


@pytest.mark.parametrize("path", ["stderr", "syslog:server=unix:/dev/log,tag=x", "memory:32m"])
def test_the_journal_is_the_second_source(path: str) -> None:
    asked: list[float] = []

    def journal(since: float) -> list[str]:
        asked.append(since)
        return ["Started nginx.", EMERG + "of the journal"]

    log = ErrorLog([path], journal, "nginx")
    assert log.gave_up()
    assert log.gave_up()
    assert len(asked) == 1, "it is a program: not at each look"
    assert log.urgent() == [EMERG + "of the journal"]
    assert log.where == f"{path.split(',')[0]} and journalctl -u nginx"
    assert ErrorLog([path]).urgent() == []


def test_the_journal_is_not_asked_for_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    asked: list[float] = []

    def journal(since: float) -> list[str]:
        asked.append(since)
        return [EMERG + "of the journal"]

    log = ErrorLog([str(path)], journal, "nginx")
    assert not log.gave_up()
    assert asked == []
    path.write_text(EMERG + "of the file\n")
    assert log.urgent() == [EMERG + "of the file"]
    assert asked == []
