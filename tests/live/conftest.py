# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`release` on throw-away hosts with real nginx under systemd, one for each image of MTLS_LIVE_IMAGES."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible
import pytest

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ROOT / "tests" / "lab" / "hosts.py"
IMAGES = os.environ.get("MTLS_LIVE_IMAGES", "trixie").split()
BASE = "/etc/nginx/mtls"
PORT = 8081
#: The smallest part in which one sees what is served: no credential, one listener that says its release.
LISTENER = """
server {
    listen 127.0.0.1:%d;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    # %s
}
"""
_ENVIRONMENT = "cd /lab && PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1"


_SAID = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """A line for the end of the run."""
    lines = pytestconfig.stash.setdefault(_SAID, [])
    return lines.append


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(_SAID, []):
        terminalreporter.write_line(line)


class Machine:
    """One throw-away host; `running` starts it and takes it away."""

    container = ""

    def __init__(self, image: str, lab: str) -> None:
        self.image, self.lab, self.name = image, lab, f"r-{image}.example.com"

    def start(self) -> None:
        """A host that an earlier run left is used again (MTLS_LIVE_KEEP), with the product as it is now."""
        command = [sys.executable, str(HOSTS), "start", "--lab", self.lab, self.name, self.image]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        self.container = done.stdout.split()[-1]
        self.sh("rm -rf /lab")
        self._copy(Path(ansible.__path__[0]).parent, ["ansible/__init__.py", "ansible/release.py"], "/lab")
        self._copy(Path(ansible.__path__[0]).parent, ["ansible/module_utils", "ansible/_vendor"], "/lab")
        self._copy(ROOT, ["plugins"], "/lab/ansible_collections/mutual_tls/nginx")
        self._copy(ROOT / "tests" / "live", ["run.py"], "/lab")
        self.sh(
            "[ -e /root/nginx.pristine ] || cp -a /etc/nginx /root/nginx.pristine;"
            " systemctl mask --now --runtime apt-daily.timer || true"
        )

    def _copy(self, root: Path, names: list[str], target: str) -> None:
        self.sh(f"mkdir -p {target}")
        pack = ["tar", "-C", str(root), "--exclude=__pycache__", "-c", *names]
        unpack = ["podman", "exec", "-i", self.container, "tar", "-C", target, "-x"]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packed:
            subprocess.run(unpack, stdin=packed.stdout, check=True)

    def sh(self, script: str, check: bool = True, stdin: str = "") -> str:
        """What a shell script on the host printed."""
        done = subprocess.run(
            ["podman", "exec", "-i", self.container, "bash", "-c", script],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        self.sh(f"mkdir -p $(dirname {path}); cat > {path}", stdin=text)

    def release(self, text: str = "one", port: int = PORT, **options: Any) -> dict[str, Any]:
        """The result of one call; *seconds_in_all* is its wall time. *text* makes a release another one."""
        content = LISTENER % (port, text)
        parts = {"proxy": {"credentials": [], "routes": [], "listeners": [{"name": "1", "content": content}]}}
        return self.call(**{"parts": parts, **options})

    def call(self, **options: Any) -> dict[str, Any]:
        """One call of `release` with these options."""
        given = {"base": BASE, "timeout_s": 6, "lock_timeout_s": 5, "proof_rounds": 3, **options}
        begin = time.monotonic()
        done = self.module("release", **given)
        # Newer versions of ansible-core hand warnings to the controller as objects.
        warnings = [one["event"]["msg"] if isinstance(one, dict) else one for one in done.get("warnings", [])]
        return {**done, "warnings": warnings, "seconds_in_all": time.monotonic() - begin}

    def module(self, name: str, **options: Any) -> dict[str, Any]:
        """The result of one call of any module."""
        out = self.sh(f"{_ENVIRONMENT} python3 run.py {name} 2>&1", check=False, stdin=json.dumps(options))
        assert out.startswith("{"), f"no result: {out}"
        found: dict[str, Any] = json.loads(out)
        return found

    def served(self, port: int = PORT) -> str:
        """The release that the listener says it is; empty without an answer."""
        script = (
            "import urllib.request as r\n"
            f"print(r.urlopen('http://127.0.0.1:{port}/.mtls/proxy', timeout=3).read().decode())"
        )
        return self.sh("python3 - 2>/dev/null", check=False, stdin=script)

    def current(self) -> str:
        """The release that the link names."""
        return self.sh(f"basename $(readlink {BASE}/current)", check=False)

    def reset(self) -> None:
        """The host as its image made it: no base, the pristine configuration, nginx started by its unit."""
        self.sh(
            """
            if [ -e /root/away ]; then cp -a /root/away/. /usr/bin; rm -rf /root/away; fi
            # Never `systemctl stop` first: it signals whatever process the pid file names.
            rm -f /run/nginx.pid*
            pkill -CONT nginx; pkill -KILL nginx; pkill -KILL -f '^python3 .* taker'; pkill -KILL sleep
            systemctl unmask nginx; systemctl stop nginx
            rm -rf /etc/systemd/system/nginx.service* /run/systemd/system/nginx.service* /run/nginx.pid*
            rm -rf /etc/nginx /srv/nginx; cp -a /root/nginx.pristine /etc/nginx
            rm -rf /var/log/nginx; mkdir /var/log/nginx; chown www-data:adm /var/log/nginx
            systemctl daemon-reload; systemctl enable nginx; systemctl reset-failed; systemctl start nginx
            """,
            check=False,
        )
        assert self.sh("systemctl is-active nginx") == "active"

    def remove(self) -> None:
        subprocess.run([sys.executable, str(HOSTS), "stop", "--lab", self.lab, self.name], check=True)


@contextlib.contextmanager
def running(image: str, lab: str) -> Iterator[Machine]:
    """A host that goes at the end, and when it does not even start, unless MTLS_LIVE_KEEP is set."""
    found = Machine(image, lab)
    try:
        found.start()
        yield found
    finally:
        if not os.environ.get("MTLS_LIVE_KEEP"):
            found.remove()


@pytest.fixture(scope="session", params=IMAGES)
def machine(request: Any) -> Iterator[Machine]:
    with running(request.param, os.environ.get("MTLS_LIVE_LAB", "live")) as found:
        yield found


@pytest.fixture
def host(machine: Machine) -> Machine:
    """The host in its first state, with nginx running and no release of ours."""
    machine.reset()
    return machine


@pytest.fixture
def stable(host: Machine) -> Machine:
    """The host with release one live and served."""
    done = host.release("one")
    assert done.get("state") == "stable", done
    assert host.served() == host.current() == done["release"]
    return host
