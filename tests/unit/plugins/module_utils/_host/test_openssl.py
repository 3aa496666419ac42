# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command openssl: how it is started, what it may see, and that no start of it raises."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import openssl


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A shell script in the command's place: ``program(lines)`` writes it."""
    monkeypatch.setattr(openssl, "_SEARCHED", str(tmp_path))

    def write(lines: str) -> None:
        path = tmp_path / "openssl"
        path.write_text("#!/bin/sh\n" + lines, encoding="ascii")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


def test_output_and_exit_code(program) -> None:
    program('printf "%s." "$@"; cat; echo no >&2; exit 3\n')
    assert openssl.run(["a b", "$c"], b"in") == (3, b"a b.$c.in", b"no\n")
    assert openssl.run([]).ran


def test_nothing_of_the_environment_reaches_it(program, monkeypatch) -> None:
    for name in ("OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_MODULES", "LD_PRELOAD_NOT"):
        monkeypatch.setenv(name, "/nowhere")
    program("env\n")
    names = {line.split(b"=")[0] for line in openssl.run([]).out.splitlines()}
    assert names <= {b"PATH", b"LC_ALL", b"HOME", b"PWD", b"SHLVL", b"_", b"OLDPWD"}


def test_it_has_no_input_but_the_given(program) -> None:
    program("cat; tty <&0 || exit 4\n")
    assert openssl.run([]).code == 4


def test_a_descriptor_is_handed_on_only_where_asked(program) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"secret")
    os.close(theirs)
    try:
        program(f"cat /dev/fd/{ours}\n")  # dash has no <&10
        assert openssl.run([]).out == b""
        assert openssl.run([], pass_fds=[ours]).out == b"secret"
    finally:
        os.close(ours)


def test_the_time_is_limited(program) -> None:
    program("exec sleep 60\n")
    ended = openssl.run([], timeout_s=0.05)
    assert ended == (openssl.NO_ANSWER, b"", b"no end within 0.05 s")
    assert not ended.ran


def test_a_signal_is_no_answer(program) -> None:
    program("kill -9 $$\n")
    assert not openssl.run([]).ran


def test_no_such_program(program) -> None:
    assert openssl.run(["version"]) == (openssl.NO_ANSWER, b"", b"no such program")
    assert openssl.engine() == ""


def test_a_program_that_cannot_be_started(program) -> None:
    program("")
    ended = openssl.run([], cwd="/nowhere")
    assert not ended.ran


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("OpenSSL 3.5.7 1 Jan 2026 (Library: OpenSSL 3.5.7 1 Jan 2026)", "openssl 3.5.7"),
        ("OpenSSL 3.6.0-dev  (Library: OpenSSL 3.6.0-dev )", "openssl 3.6.0"),
        ("OpenSSL 1.1.1w  11 Sep 2023", ""),
        ("LibreSSL 3.8.2", ""),
        ("", ""),
    ],
)
def test_engine(program, said: str, expected: str) -> None:
    program(f"echo '{said}'\n")
    assert openssl.engine() == expected


def test_a_failing_command_is_no_engine(program) -> None:
    program("echo OpenSSL 3.5.7; kill -9 $$\n")
    assert openssl.engine() == ""
