# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that several scenarios share: calls as a user makes them, and what a user sees meanwhile.

a.example.com  Server A on nginx 1.22          c.example.com  both, on nginx 1.30, beside an A of the user's
b.example.com  Server B on nginx 1.26          stranger.example.com  somebody else
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from answers import Watch
from live import HERE, Lab
from pki import CLIENT, Authority

ROOT = HERE.parent.parent
COLLECTIONS = ROOT / ".cache"
BASE = "/etc/nginx/mtls"
TOOLS = "/root/lab"
# Who asks the A directly: a client of the private CA that no release holds.
CALLER = {"certificate": f"{TOOLS}/caller.pem", "key": f"{TOOLS}/caller.key"}
NAMES = {"a": "orders.example.com", "c": "stock.example.com"}
# Everything below the base but the transaction's own memory, and our two files outside of it.
SNAPSHOT = f"""
cd {BASE} || exit 1
find . ! -name state.json ! -name .lock -printf '%p %M %u:%g %l\\n' | LC_ALL=C sort
find . -type f ! -name state.json ! -name .lock -exec sha256sum {{}} + | LC_ALL=C sort
sha256sum /etc/nginx/conf.d/mtls.conf /etc/nginx/modules-enabled/mtls.conf 2>&1
"""


@dataclass
class Result:
    """What a user got: the exit code, the module's result, and all that stood on the terminal."""

    code: int
    told: dict[str, Any]
    output: str

    @property
    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {one["code"] for credential in self.told["credentials"] for one in credential["findings"]}


class Side(NamedTuple):
    """Where a credential lives, and which others its part has."""

    host: str
    part: str
    credential: str
    others: tuple[str, ...] = ()


SIDES = {
    "server": Side("a", "server", "server", ("probe",)),
    "probe": Side("a", "server", "probe", ("server",)),
    "proxy": Side("b", "proxy", "client"),
    "legacy": Side("c", "proxy", "legacy", ("client",)),
}


def parts(side: str, given: dict[str, Any]) -> dict[str, Any]:
    """The option `parts`, by which one credential of SIDES changes and everything else is kept."""
    found = SIDES[side]
    listed = [{"name": found.credential, **given}, *({"name": name} for name in found.others)]
    return {found.part: {"credentials": listed}}


def pair(folder: str, certificate: str, key: str = "", **more: Any) -> dict[str, Any]:
    """A credential's certificate and key in the user's project; of one name where *key* is not given."""
    return {
        "certificate_src": f"{folder}/{certificate}.pem",
        "private_key_src": f"{folder}/{key or certificate}.key",
        **more,
    }


def listening(blocks: list[dict[str, str]], port: int) -> list[dict[str, str]]:
    """The blocks, the first of which listens on that port, too."""
    first, *others = blocks
    ssl = " ssl" if "ssl_verify_client" in first["content"] else ""
    more = f"    listen {port}{ssl};\n    server_name "
    return [{**first, "content": first["content"].replace("    server_name ", more, 1)}, *others]


def cases(table: Collection[str], sample: Collection[str]) -> list[Any]:
    """The rows of a table, for parametrize; those outside the sample are for `make molecule` alone."""
    assert set(sample) <= set(table), set(sample) - set(table)
    return [pytest.param(name, marks=() if name in sample else pytest.mark.whole) for name in table]


class Scene:
    """The shared hosts, by their first letter, or those of another lab; the user's project beside them."""

    def __init__(self, project: Path, names: Collection[str] = ("a", "b", "c", "stranger")) -> None:
        self.project = project
        self.pki = project / "pki"
        self.inventory = "inventory.yml"
        self.lab = Lab(project / "lab.json")
        self.hosts = {name: self.lab.connect(self.full(name)) for name in names}

    def full(self, name: str) -> str:
        return f"{name}.example.com"

    def run(self, name: str, command: str, stdin: str = "") -> str:
        """What a shell on that host prints; fails where it does."""
        container = self.lab.container(self.full(name))
        done = subprocess.run(
            ["podman", "exec", "--interactive", container, "sh", "-c", command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (name, command, done.stdout, done.stderr)
        return done.stdout

    def write(self, name: str, path: str, text: str) -> None:
        container = self.lab.container(self.full(name))
        command = ["podman", "exec", "--interactive", container, "sh", "-c", f"cat >{path}"]
        subprocess.run(command, input=text, text=True, check=True)

    # -- the authority

    def authority(self) -> Authority:
        """The private CA of the project."""
        generations = self.project / "private_ca" / "generations"
        newest = max(generations.iterdir(), key=lambda path: int(path.name))
        return Authority.read(newest / "root.pem", newest / "root.key")

    def legacy(self) -> Authority:
        return Authority.read(self.pki / "legacy-ca.pem", self.pki / "legacy-ca.key")

    # -- calls

    def ansible(self, program: str, *arguments: str, **variables: str) -> tuple[int, str]:
        """Runs one of Ansible's programs in the user's project; its exit code and all that it printed."""
        done = subprocess.run(check=False, **self._call(program, *arguments, **variables))
        return done.returncode, done.stdout

    def begun(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """The same while it runs, as the leader of a process group that can be killed."""
        return subprocess.Popen(start_new_session=True, **self._call(program, *arguments))

    def _call(self, program: str, *arguments: str, **variables: str) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name(program)), "-i", self.inventory, "-i", "lab.json"]
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",  # Molecule's, which outranks the other one
            **variables,
        }
        return {
            "args": [*command, *arguments],
            "cwd": self.project,
            "env": {**os.environ, **settings},
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def release(
        self, name: str, *flags: str, environment: dict[str, str] | None = None, **options: Any
    ) -> Result:
        """One call of the module on that host, as a person makes it."""
        code, output = self.ansible(
            "ansible",
            *(self.full(name), "-m", "mutual_tls.nginx.release", "-a", json.dumps({"keep": 3, **options})),
            *flags,
            ANSIBLE_LOAD_CALLBACK_PLUGINS="true",
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
            **(environment or {}),
        )
        start = re.search(r"^\{$", output, re.MULTILINE)
        assert start, output
        data = json.JSONDecoder().raw_decode(output[start.start() :])[0]
        return Result(code, data["plays"][0]["tasks"][0]["hosts"][self.full(name)], output)

    def change(self, name: str, parts: dict[str, Any], **options: Any) -> str:
        """A call that must go through; gives the id of the release that it made."""
        result = self.release(name, parts=parts, **options)
        assert (result.code, result.told["state"]) == (0, "stable"), result.told.get("msg")
        made: str = result.told["release"]
        return made

    def site(self, *arguments: str) -> tuple[int, str]:
        return self.ansible("ansible-playbook", "mutual_tls.nginx.site", *arguments)

    @contextlib.contextmanager
    def taken(self, name: str, port: int) -> Iterator[None]:
        """Another process listens on that port."""
        self.run(name, f"systemd-run --quiet --unit=squatter python3 -m http.server {port}")
        try:
            self.run(name, f"until ss -Hltn sport = {port} | grep -q .; do sleep 0.1; done")
            yield
        finally:
            self.run(name, "systemctl stop squatter")

    @contextlib.contextmanager
    def disk_full(self, name: str) -> Iterator[None]:
        """Nothing more can be written below the base; what is there then is forgotten at the end."""
        self.run(name, f"cp -a {BASE} /root/base.before")
        self._mount(name, f"mount -t tmpfs -o mode=0755 tmpfs {BASE}")
        try:
            self.run(name, f"cp -a /root/base.before/. {BASE}")
            self._mount(
                name, f"mount -o remount,size=$(df --output=used -k {BASE} | tail -1 | tr -d ' ')k {BASE}"
            )
            yield
        finally:
            self._mount(name, f"umount {BASE}; rm -r /root/base.before")

    def _mount(self, name: str, command: str) -> None:
        container = self.lab.container(self.full(name))
        subprocess.run(["podman", "exec", "--privileged", container, "sh", "-ec", command], check=True)

    # -- what is there

    def live(self, name: str) -> str:
        return self.run(name, f"basename $(readlink {BASE}/current)").strip()

    def state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(name, f"cat {BASE}/state.json"))
        return found

    def releases(self, name: str) -> set[str]:
        return set(self.run(name, f"ls -A {BASE}/releases").split())

    def snapshot(self, name: str) -> str:
        return self.run(name, SNAPSHOT)

    def blocks(self, name: str, kind: str) -> list[dict[str, str]]:
        """Blocks of the live release as they were given: kind is server/sites, proxy/routes or such."""
        listed = self.blocks_listed(name, kind)
        return [
            {
                "name": file.removesuffix(".conf.in"),
                "content": self.run(name, f"cat {BASE}/current/{kind}/{file}"),
            }
            for file in listed
        ]

    def blocks_listed(self, name: str, kind: str) -> list[str]:
        return self.run(
            name, f"find {BASE}/current/{kind}/ -name '*.in' -printf '%f\\n' 2>/dev/null || true"
        ).split()

    # -- what a user sees

    def lay_tools(self, authority: Authority | None = None) -> None:
        """The prober and its client certificate, by default of the private CA, onto every host."""
        (authority or self.authority()).leaf(self.pki / "caller", "CN=caller.example.com", CLIENT)
        for name in self.hosts:
            container = self.lab.container(self.full(name))
            subprocess.run(["podman", "exec", container, "mkdir", "-p", TOOLS], check=True)
            for path in (
                HERE / "client.py",
                HERE / "prober.py",
                self.pki / "caller.pem",
                self.pki / "caller.key",
            ):
                subprocess.run(["podman", "cp", str(path), f"{container}:{TOOLS}/{path.name}"], check=True)

    def questions(self, name: str) -> dict[str, dict[str, dict[str, Any]]]:
        """{asker: {question: request}}: what callers of that host's services, or of the A behind it, ask."""
        server = name if name in NAMES else "a"
        direct = {"host": self.full(server), "sni": NAMES[server]}
        asked: dict[str, dict[str, dict[str, Any]]] = {
            "stranger": {
                "A": {**direct, **CALLER, "path": "/.mtls/probe"},
                "A's backend": {**direct, **CALLER},
                "A, no certificate": direct,
            }
        }
        if name in ("a", "b"):
            asked["b"] = {"B": {"host": "127.0.0.1", "port": 8080, "tls": False}}
        else:
            asked["c"] = {
                "B": {"host": "127.0.0.1", "port": 8080, "tls": False},
                "B to the user's own A": {"host": "127.0.0.1", "port": 8081, "tls": False},
            }
        return asked

    def watched(self, name: str) -> contextlib.AbstractContextManager[Watch]:
        """Asks what there is to ask of that host while the body runs."""
        return self.meanwhile(self.questions(name))

    @contextlib.contextmanager
    def meanwhile(self, asked: dict[str, dict[str, dict[str, Any]]]) -> Iterator[Watch]:
        """Asks ten times a second while the body runs; the answers are there when it has ended."""
        watch = Watch(question for questions in asked.values() for question in questions)
        running = []
        for asker, questions in asked.items():
            container = self.lab.container(self.full(asker))
            command = ["podman", "exec", "--interactive", container, "python3", f"{TOOLS}/prober.py"]
            running.append(
                subprocess.Popen(
                    [*command, json.dumps(questions)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "asking\n"
        try:
            yield watch
        finally:
            for one in running:
                watch.add(json.loads(one.communicate(timeout=60)[0]))


# For the conftest.py of a scenario: what it imports from here is its own.
SEEN: list[str] = []


@pytest.fixture(scope="session")
def scene() -> Scene:
    found = Scene(Path(os.environ["MTLS_PROJECT"]).resolve())
    found.lay_tools()
    return found


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Result, Watch], None]:
    """note(result, watch): one line for the table at the end of the run."""

    def add(result: Result, watch: Watch) -> None:
        told = result.told
        spent = sum(told.get("seconds", {}).values())
        says = (
            f"{told.get('state') or '-'}, code {told.get('code') or '-'}, exit {result.code}, {spent:.1f} s"
        )
        SEEN.append(f"{request.node.name}: {says}\n    {watch}")

    return add


@pytest.fixture
def watched_release(
    scene: Scene, note: Callable[[Result, Watch], None]
) -> Callable[..., tuple[Result, Watch]]:
    """watched_release(host, **options): one call under the prober, with its line in the table."""

    def release(name: str, **options: Any) -> tuple[Result, Watch]:
        with scene.watched(name) as watch:
            result = scene.release(name, **options)
        note(result, watch)
        return result, watch

    return release


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("what the prober saw, ten times a second")
    for line in SEEN:
        terminalreporter.write_line(line)
