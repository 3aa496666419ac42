# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared hosts while their authority is replaced: runs of rotate_ca.yml, who is issued by whom and whom a
host trusts, clients that the inventory does not know, and access logs of before.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from answers import Watch
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from live import headers_at_the_backend
from page import Page
from pki import CLIENT, Authority
from scene import BASE, NAMES, ROOT, TOOLS, Scene

A, B, C = "a.example.com", "b.example.com", "c.example.com"
PAGE = Page("replace-a-ca.md")
PLAYBOOK = "mutual_tls.nginx.rotate_ca"
NO_SOAK = ("-e", "rotate_ca_soak_days=0")
CHANGED = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) ", re.MULTILINE)
LOOK = f"""
cd {BASE}/current
for folder in server/credentials/* proxy/credentials/*; do
    test -d "$folder" || continue
    echo "= $folder"
    cat $folder/%s 2>/dev/null || true
done
"""
# Lines of our own access logs, as if they were so many days older. None gets longer: nginx appends meanwhile.
OLDER = r"""
import datetime, glob, re, sys
ago = datetime.timedelta(days=float(sys.argv[1]))
def older(found):
    return found[1] + (datetime.datetime.fromisoformat(found[2]) - ago).isoformat() + '"'
for path in glob.glob("/var/log/nginx/mtls-*.access.log"):
    with open(path, "r+", errors="surrogateescape", newline="") as file:
        text = re.sub(r'(?m)^(\{"time":")([^"]+)"', older, file.read())
        file.seek(0)
        file.write(text)
"""


# -- runs


class Run(NamedTuple):
    """What came of a run: *said* is what it printed, on one line; *changed* how many tasks changed things."""

    code: int
    output: str

    @property
    def said(self) -> str:
        return " ".join(self.output.replace("\\n", " ").split())

    @property
    def changed(self) -> int:
        return sum(int(count) for dummy, count in CHANGED.findall(self.output))

    def held_back(self, phase: str) -> set[str]:
        """The hosts that hold the phase back; fails where it was not refused as a phase is."""
        assert self.code != 0, self.output
        begin = f"rotate_ca_phase={phase} may not begin."
        assert begin in self.said, self.output
        message = self.said.partition(begin)[2].partition("PLAY ")[0]
        return set(re.findall(r"(?<!\S)(\S+\.example\.com): ", message))


def rotate_ca(scene: Scene, phase: str, *arguments: str) -> Run:
    code, output = scene.ansible("ansible-playbook", PLAYBOOK, "-e", f"rotate_ca_phase={phase}", *arguments)
    return Run(code, output)


def as_documented(scene: Scene, command: str, *more: str) -> Run:
    """A run by a command of the page, with how the hosts are reached."""
    code, output = scene.ansible(*PAGE.words(command), *more)
    return Run(code, output)


def finished(scene: Scene) -> None:
    """No replacement is under way: what another test has begun and not ended is brought to its end."""
    if len(roots(scene)) == 1:
        return
    for phase in ("trust", "issue", "retire"):
        if phase != "trust" or newest(scene) != signing(scene):
            run = rotate_ca(scene, phase, *NO_SOAK)
            assert run.code == 0, run.output
    assert len(roots(scene)) == 1


def anew(scene: Scene, inventory: str = "inventory.yml") -> None:
    """The hosts as they are when a scenario begins, with a new private CA."""
    scene.inventory = inventory
    for program in (str(ROOT / "molecule" / "resources" / "cleanup.yml"), "mutual_tls.nginx.site"):
        code, output = scene.ansible("ansible-playbook", program, MOLECULE_PROJECT_DIRECTORY=str(ROOT))
        assert code == 0, output
    scene.lay_tools()


def begun(scene: Scene, phase: str, *arguments: str) -> Any:
    return scene.begun("ansible-playbook", PLAYBOOK, "-e", f"rotate_ca_phase={phase}", *arguments)


def killed_behind(scene: Scene, name: str, phase: str, *arguments: str) -> None:
    """A run that is killed as soon as that host is done."""
    before = scene.live(name)
    process = begun(scene, phase, *arguments)
    try:
        while scene.live(name) == before or scene.state(name)["step"] != "stable":
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.2)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextlib.contextmanager
def unreachable(scene: Scene, name: str) -> Iterator[None]:
    """Nobody gets in by ssh, also not over a connection that is open."""
    scene.run(name, "systemctl stop ssh.socket ssh; pkill -KILL -u operator; true")
    try:
        yield
    finally:
        scene.run(name, "systemctl start ssh")


# -- the private CA's directory


def generations(scene: Scene) -> dict[int, Path]:
    return {int(path.name): path for path in (scene.project / "private_ca" / "generations").iterdir()}


def newest(scene: Scene) -> int:
    return max(generations(scene))


def roots(scene: Scene) -> dict[int, str]:
    """{generation: SHA-256 of its root} of those that are not retired."""
    return {
        number: sha256((path / "root.pem").read_bytes())
        for number, path in generations(scene).items()
        if not (path / "retired").exists()
    }


def signing(scene: Scene) -> int:
    """The generation that signs."""
    path = scene.project / "private_ca" / "issuing"
    return int(path.read_text().split()[0]) if path.exists() else min(roots(scene))


def everything(scene: Scene) -> tuple[Any, ...]:
    """What a run that is refused must leave as it is: releases of all hosts, and the private CA."""
    folder = scene.project / "private_ca"
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return (*(scene.snapshot(name) for name in "abc"), files)


# -- what hosts have


def sha256(pem: bytes) -> str:
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def files(scene: Scene, name: str) -> dict[str, str]:
    """{"a server/server": text} of all live credentials that have a file of that name, the user's own
    authority's left out."""
    found = {}
    for host in "abc":
        for block in scene.run(host, LOOK % name).split("= ")[1:]:
            folder, dummy, text = block.partition("\n")
            if text and not folder.endswith("/legacy"):
                found[f"{host} {folder.replace('/credentials', '')}"] = text
    return found


def trusted(scene: Scene) -> dict[str, set[str]]:
    """Place to the SHA-256 of each authority that it trusts."""
    return {
        place: {
            one.fingerprint(hashes.SHA256()).hex() for one in x509.load_pem_x509_certificates(text.encode())
        }
        for place, text in files(scene, "trust.pem").items()
    }


def issued_by(scene: Scene) -> dict[str, str]:
    """Place to the name of the issuer of its certificate."""
    return {
        place: x509.load_pem_x509_certificate(text.encode()).issuer.rfc4514_string()
        for place, text in files(scene, "fullchain.pem").items()
    }


def served_by(scene: Scene) -> dict[str, str]:
    """{"a": …, "c": …}: the issuer of what each A serves; {"b": …, "c as client": …}: that of each client as
    its A sees it."""
    return _served(scene, "issuer", "x-ssl-client-i-dn")


def serials(scene: Scene) -> dict[str, str]:
    """The serial numbers of the same."""
    return _served(scene, "serial", "x-ssl-client-serial")


def _served(scene: Scene, field: str, header: str) -> dict[str, str]:
    found = {}
    for name, server_name in NAMES.items():
        found[name] = scene.run(
            "stranger",
            f"openssl s_client -connect {scene.full(name)}:443 -servername {server_name} </dev/null"
            f" 2>/dev/null | openssl x509 -noout -{field} -nameopt RFC2253",
        )
        found[name] = found[name].strip().removeprefix(f"{field}=")
    for name, key in (("b", "b"), ("c", "c as client")):
        answer = scene.lab.ask(scene.full(name), host="127.0.0.1", port=8080, tls=False)
        (found[key],) = headers_at_the_backend(answer)[header]
    return found


def watched(scene: Scene) -> contextlib.AbstractContextManager[Watch]:
    """Asks through each B, and each A directly, while the body runs."""
    of_b, of_c = scene.questions("b"), scene.questions("c")
    direct = {f"{key} (c)": one for key, one in of_c["stranger"].items() if "certificate" in one}
    return scene.meanwhile(
        {
            "stranger": {**of_b["stranger"], **direct},
            "b": of_b["b"],
            "c": {f"{key} (c)": one for key, one in of_c["c"].items()},
        }
    )


# -- clients that the inventory does not know


class Caller(NamedTuple):
    """A client of its own, whose pair lies on the stranger's host."""

    subject: str
    serial: str
    pair: dict[str, str]


def of_generation(scene: Scene, number: int) -> Authority:
    folder = generations(scene)[number]
    return Authority.read(folder / "root.pem", folder / "root.key")


def caller(scene: Scene, authority: Authority, name: str, *along: Authority) -> Caller:
    """A new one, which sends those certificates along."""
    folder = scene.pki / "rotate_ca"
    folder.mkdir(exist_ok=True)
    authority.leaf(folder / name, f"CN={name}.example.net", CLIENT)
    with (folder / f"{name}.pem").open("ab") as file:
        file.writelines(one.pem() for one in along)
    return laid(scene, folder / f"{name}.pem", folder / f"{name}.key")


def laid(scene: Scene, certificate: Path, key: Path) -> Caller:
    """The client whose pair this is."""
    pair = {kind: f"{TOOLS}/{path.name}" for kind, path in (("certificate", certificate), ("key", key))}
    for path in (certificate, key):
        scene.lab.copy(path, scene.full("stranger"), f"{TOOLS}/{path.name}")
    first = x509.load_pem_x509_certificate(certificate.read_bytes())
    return Caller(first.subject.rfc4514_string(), serial(first), pair)


def serial(certificate: x509.Certificate) -> str:
    """As nginx writes it."""
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def admitted(scene: Scene, who: Caller) -> list[int]:
    """What a and c answer to that client."""
    asked = [
        {"host": scene.full(name), "sni": server_name, **who.pair} for name, server_name in NAMES.items()
    ]
    return [answer["status"] for answer in scene.lab.ask_all(scene.full("stranger"), asked)]


# -- access logs


def older_logs(scene: Scene, days: float) -> None:
    """All that A's logs hold by now was so many days earlier."""
    for name in NAMES:
        scene.write(name, f"{TOOLS}/older.py", OLDER)
        scene.run(name, f"python3 {TOOLS}/older.py {days}")
