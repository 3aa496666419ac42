# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's command openssl: how it is run. What it is asked stands beside (``openssl_verify`` about chains,
``openssl_key`` about keys, ``s_client`` about a server).

It is the judge where the rules or the library cannot tell: nginx is linked with the same library.
Nothing from outside ever stands in its environment, and in its arguments only what ``s_client`` has to send.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple, Protocol

# The distribution's own first: it is the one that nginx is linked with.
_SEARCHED = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin"
# Without OPENSSL_CONF, SSL_CERT_FILE and their like: the caller's environment shall change no verdict.
_ENVIRONMENT = {"PATH": _SEARCHED, "LC_ALL": "C", "HOME": "/"}
TIMEOUT_S = 5.0  # it takes some hundredths; a call of ours on hostile files shall end within 10
NO_ANSWER = -1


class Ended(NamedTuple):
    """How a command ended. *code* is its exit code, ``NO_ANSWER`` when it could not be started or was still
    running at the end of its time, negative too when a signal ended it."""

    code: int
    out: bytes
    err: bytes

    @property
    def ran(self) -> bool:
        """It came to an end of its own."""
        return self.code >= 0


class Run(Protocol):
    """``run``, or what a test puts in its place."""

    def __call__(
        self, arguments: Sequence[str], stdin: bytes = b"", pass_fds: Sequence[int] = (), cwd: str = "/"
    ) -> Ended: ...


def run(
    arguments: Sequence[str],
    stdin: bytes = b"",
    pass_fds: Sequence[int] = (),
    cwd: str = "/",
    timeout_s: float = TIMEOUT_S,
) -> Ended:
    """``openssl ARGUMENTS``, without terminal, for at most *timeout_s*.

    *stdin* is all it can read there (a secret may go that way); *pass_fds* are inherited by the same number
    and stay the caller's to close. Raises nothing: no such program is an answer like any other.
    """
    program = shutil.which("openssl", path=_SEARCHED)
    if program is None:
        return Ended(NO_ANSWER, b"", b"no such program")
    try:
        # Not run_command of AnsibleModule: this layer knows no Ansible.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [program, *arguments],
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            cwd=cwd,
            env=_ENVIRONMENT,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Ended(NO_ANSWER, b"", f"no end within {timeout_s:g} s".encode())
    except OSError as error:
        return Ended(NO_ANSWER, b"", (error.strerror or "cannot be started").encode())
    return Ended(done.returncode, done.stdout, done.stderr)


def engine(ask: Run = run) -> str:
    """`openssl 3.5.7`, as results name who gave a verdict; "" where there is no such command, or it is older
    than 3.0."""
    ended = ask(["version"])
    found = re.match(rb"OpenSSL (\d+\.\d+\.\d+)", ended.out)
    if not ended.ran or found is None or int(found.group(1).split(b".")[0]) < 3:
        return ""
    return f"openssl {found.group(1).decode('ascii')}"
