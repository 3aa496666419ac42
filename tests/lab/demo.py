# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: bare hosts, site.yml from examples/simple, and the proof as a table.

Exit code 0 only if every row of the table is as expected. `-v` runs site.yml with -vvv.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import strangers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEMO = Path(os.environ.get("LAB_STATE", ROOT / ".cache")) / "demo"
PROJECT = DEMO / "project"
BIN = ROOT / ".venv" / "bin"
LAB = "demo"
A, B, STRANGER = "a1.example.com", "b1.example.com", "stranger.example.com"
SITE = "orders.example.com"
BASE = "/etc/nginx/mtls"
CLIENT = f"{BASE}/current/proxy/credentials/client"
PROBE = f"{BASE}/current/server/credentials/probe"
STRANGERS = "/root/strangers"
FORGED = {"X-SSL-Client-Verify": "SUCCESS", "X-SSL-Client-S-DN": "CN=admin", "X_SSL_Client_S_DN": "CN=admin"}


@dataclass
class Table:
    """The proof: a row for each thing that was tried."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, tried: str, where: str, expected: str, got: str) -> None:
        self.rows.append((tried, where, expected, got))

    def failed(self) -> int:
        return sum(expected != got for _tried, _where, expected, got in self.rows)

    def show(self) -> None:
        head = ("tried", "from", "expected", "got")
        widths = [max(len(row[column]) for row in [head, *self.rows]) for column in range(4)]
        for row in [head, tuple("-" * width for width in widths), *self.rows]:
            mark = (
                "    " if row == head or row[0].startswith("--") else "ok  " if row[2] == row[3] else "FAIL"
            )
            print(
                mark, "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )


class Step:
    """Says what is done, and how long it took."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __enter__(self) -> None:
        print(f"\n== {self.words}", flush=True)
        self.start = time.monotonic()

    def __exit__(self, *_unused: object) -> None:
        seconds = time.monotonic() - self.start
        print(f"== {self.words}: {seconds:.1f} s", flush=True)
        with (ROOT / ".cache" / "timings.tsv").open("a") as out:
            out.write(f"{self.words}\t{seconds:.1f}\t0\t\n")


def lab(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, HERE / "hosts.py", *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def container(host: str) -> str:
    reach: str = json.loads((PROJECT / "lab.json").read_text())["all"]["hosts"][host]["lab_container"]
    return reach


def on(host: str, *command: str, stdin: str | None = None) -> str:
    """What *command* prints on *host*, whatever its exit code."""
    done = subprocess.run(
        ["podman", "exec", "--interactive", container(host), *command],
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()


def ansible(program: str, *arguments: str, log: Path | None = None, **variables: str) -> tuple[int, str]:
    """Runs an Ansible program in the user's project; with *log* its output goes there and to the screen."""
    variables = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_FORCE_COLOR": "0", **variables}
    inventory = ["--inventory", "inventory.yml", "--inventory", "lab.json"]
    command = [str(BIN / program), *inventory, *arguments]
    run = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if log else None,
        text=True,
    )
    assert run.stdout
    lines = []
    for line in run.stdout:
        lines.append(line)
        if log:
            print("   ", line, end="", flush=True)
    output = "".join(lines)
    if log:
        log.write_text(output)
    return run.wait(), output


def site(name: str, *arguments: str) -> tuple[int, str]:
    """site.yml, as a user runs it; most verbose into a log of its own is the test of secrets."""
    return ansible("ansible-playbook", "site.yml", *arguments, log=DEMO / f"{name}.log")


def changed(output: str) -> dict[str, int]:
    return {
        host: int(count)
        for host, count in re.findall(r"^ *(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)
    }


def ask(host: str, *probes: dict[str, Any]) -> list[dict[str, Any]]:
    """Probes of one host in one call of endpoint_info."""
    arguments = json.dumps({"probes": [{"return_body": True, **probe} for probe in probes]})
    code, output = ansible(
        "ansible", host, "--become", "--module-name", "mutual_tls.nginx.endpoint_info", "--args", arguments,
        ANSIBLE_LOAD_CALLBACK_PLUGINS="1", ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
    )  # fmt: skip
    result = json.loads(output[output.index("{") :])["plays"][0]["tasks"][0]["hosts"][host]
    if code or "probes" not in result:
        sys.exit(f"endpoint_info on {host}: {result.get('msg', result)}")
    found: list[dict[str, Any]] = result["probes"]
    return found


def status(probe: dict[str, Any]) -> str:
    """What a client saw: the HTTP status and nginx's reason, or the alert that ended the handshake."""
    if probe["status"]:
        return f"{probe['status']} {probe['body_class'] if probe['status'] != 200 else ''}".strip()
    if probe["alert"]:
        return f"refused, TLS alert {probe['alert']}"
    refused = probe["phase"] == "connect" and "refused" in probe["error"].lower()
    return "connect refused" if refused else f"{probe['phase']}: {probe['error']}"


def seen(probe: dict[str, Any]) -> str:
    """Which identity the backend saw: all values of all headers that may carry one."""
    if probe["status"] != 200:
        return status(probe)
    headers = json.loads(probe["body"])["headers"]
    said = {name.lower().replace("_", "-"): [] for name in FORGED}
    for name, value in headers:
        said.setdefault(name.lower().replace("_", "-"), []).append(value)
    verified, subject = said["x-ssl-client-verify"], said["x-ssl-client-s-dn"]
    return f"200, backend saw {'+'.join(verified)} {'+'.join(subject)}"


def live_client(**more: Any) -> dict[str, Any]:
    """A request from B's host straight to A with B's own certificate."""
    return {
        "host": A, "server_name": SITE,
        "certificate_path": f"{CLIENT}/fullchain.pem", "private_key_path": f"{CLIENT}/privkey.pem", **more,
    }  # fmt: skip


def stranger(name: str | None = None, **more: Any) -> dict[str, Any]:
    """A request from the stranger's host to A, with a stranger's certificate or with none."""
    probe = {"host": A, "server_name": SITE, **more}
    if name:
        probe |= {
            "certificate_path": f"{STRANGERS}/{name}.pem",
            "private_key_path": f"{STRANGERS}/{name}.key",
        }
    return probe


def own_probe(**more: Any) -> dict[str, Any]:
    """A request from A's host to A with A's own probe identity."""
    pair = {"certificate_path": f"{PROBE}/fullchain.pem", "private_key_path": f"{PROBE}/privkey.pem"}
    return {"host": A, "server_name": SITE, **pair, **more}


Row = tuple[str, dict[str, Any], str, Callable[[dict[str, Any]], str]]
CALLER = {"host": "127.0.0.1", "port": 8080, "tls": False}
UNKNOWN = {"server_name": "unknown.example.com", "http_host": SITE}
IDENTITY = f"200, backend saw SUCCESS CN={B}"
REFUSED = "400 certificate_error"
NO_NAME = "refused, TLS alert 112"
PROOF: dict[str, list[Row]] = {
    B: [
        ("caller → B → A → backend", CALLER, IDENTITY, seen),
        ("the same with forged identity headers", {**CALLER, "headers": FORGED}, IDENTITY, seen),
        ("A asked with B's certificate, TLS 1.2", live_client(tls_version="1.2"), IDENTITY, seen),
        ("A asked with B's certificate, TLS 1.3", live_client(tls_version="1.3"), IDENTITY, seen),
        ("the same with forged identity headers", live_client(headers=FORGED), IDENTITY, seen),
        ("a Host that is not the site's", live_client(http_host="x.example.com"), "421 misdirected", status),
    ],
    STRANGER: [
        ("no certificate", stranger(), "400 no_certificate", status),
        ("no certificate, forged identity headers", stranger(headers=FORGED), "400 no_certificate", status),
        ("a foreign CA's certificate", stranger("foreign"), REFUSED, status),
        ("an expired certificate", stranger("expired"), REFUSED, status),
        ("a server-only certificate", stranger("server-only"), REFUSED, status),
        ("no SNI", stranger("foreign", server_name="", http_host=SITE), NO_NAME, status),
        ("an unknown SNI", stranger("foreign", **UNKNOWN), NO_NAME, status),
        ("B's listener from outside", {**CALLER, "host": B}, "connect refused", status),
    ],
    A: [
        ("A's probe identity, probe path", own_probe(path="/.mtls/probe"), "200", status),
        ("A's probe identity, any other path", own_probe(), "403 forbidden", status),
    ],
}


def prove(table: Table) -> None:
    for host, rows in PROOF.items():
        answers = ask(host, *(probe for _tried, probe, _expected, _judge in rows))
        for (tried, _probe, expected, judge), answer in zip(rows, answers, strict=True):
            table.add(tried, host.split(".", 1)[0], expected, judge(answer))


def prove_files(table: Table) -> None:
    for host in (A, B):
        files = on(host, "find", BASE, "-name", "privkey.pem", "-printf", "%m %u:%g\n")
        table.add(
            "private keys' mode and owner",
            host.split(".", 1)[0],
            "600 root:root",
            "+".join(sorted(set(files.split("\n")))),
        )
    served = on(STRANGER, "openssl", "s_client", "-connect", f"{A}:443", "-servername", SITE, stdin="")
    served_print = on(STRANGER, "openssl", "x509", "-noout", "-fingerprint", "-sha256", stdin=served)
    file = on(A, "cat", f"{BASE}/current/server/credentials/server/fullchain.pem")
    file_print = on(STRANGER, "openssl", "x509", "-noout", "-fingerprint", "-sha256", stdin=file)
    table.add("certificate served by A (openssl)", "stranger", file_print[-29:], served_print[-29:])


def prove_impostor(table: Table) -> None:
    """B's host is told that A is where the impostor waits, asks, and is told the truth again."""
    address = on(STRANGER, "hostname", "--ip-address").split()[0]
    impostor = ("python3", f"{STRANGERS}/impostor.py", SITE, "--report", "/run/impostor.jsonl")
    on(STRANGER, "systemd-run", "--unit=impostor", *impostor)
    hosts = on(B, "cat", "/etc/hosts")
    try:
        on(B, "tee", "/etc/hosts", stdin=f"{address} {A}\n{hosts}\n")
        on(B, "systemctl", "reload", "nginx")
        time.sleep(1.5)
        (answer,) = ask(B, {"host": "127.0.0.1", "port": 8080, "tls": False, "path": "/secret"})
    finally:
        on(B, "tee", "/etc/hosts", stdin=f"{hosts}\n")
        on(B, "systemctl", "reload", "nginx")
    table.add("an impostor in A's place", "b1", "502 bad_gateway", status(answer))
    met = [json.loads(line) for line in on(STRANGER, "cat", "/run/impostor.jsonl").splitlines()]
    got = f"{'was asked' if met else 'never asked'}, {sum(one['application_bytes'] for one in met)} bytes"
    table.add("what the impostor got", "stranger", "was asked, 0 bytes", got)


def prove_secrets(table: Table) -> None:
    """No line of any private key, here or on the hosts, in anything that was printed."""
    keys = [path.read_text() for path in (PROJECT / "private_ca").rglob("*.key")]
    keys += [on(host, "find", BASE, "-name", "privkey.pem", "-exec", "cat", "{}", "+") for host in (A, B)]
    secrets = {line for key in keys for line in key.splitlines() if len(line) > 30 and "-----" not in line}
    logs = sorted(DEMO.glob("*.log"))
    found = sum(secret in log.read_text() for log in logs for secret in secrets)
    found += sum("PRIVATE KEY" in log.read_text() for log in logs)
    for host in (A, B):
        journal = on(host, "journalctl", "--no-pager", "--quiet")
        found += sum(secret in journal for secret in secrets)
    table.add(
        f"secrets in {len(logs)} logs and 2 journals",
        "controller",
        f"0 of {len(secrets)}",
        f"{found} of {len(secrets)}",
    )


def inventory_of(host: str) -> str:
    """What is installed and what lies in /etc: a check run must not change it."""
    packages = on(host, "dpkg-query", "--show")
    return packages + on(host, "find", "/etc", "-printf", "%p %m %u %l %T@\\n")


def write_project() -> None:
    """A copy of examples/simple, as a user makes one, and beside its inventory how to reach the hosts."""
    shutil.rmtree(DEMO, ignore_errors=True)  # there may be none
    shutil.copytree(ROOT / "examples" / "simple", PROJECT, ignore=shutil.ignore_patterns("private_ca"))
    (PROJECT / "lab.json").write_text(lab("inventory", LAB))


def run_site(table: Table) -> bool:
    """site.yml four times: check and real on bare hosts, then both again; false where the real one failed."""
    verbose = ["-vvv"] if "-v" in sys.argv else []
    with Step("site.yml --check --diff on bare hosts"):
        before = [inventory_of(host) for host in (A, B)]
        code, output = site("1-check", "--check", "--diff", *verbose)
        announced = "announced" if all(changed(output).get(host) for host in (A, B)) else "silent"
        kept = "nothing changed" if before == [inventory_of(host) for host in (A, B)] else "CHANGED"
        got = f"rc {code}, {announced}, {kept}"
        table.add(
            "site.yml --check --diff, bare hosts", "controller", "rc 0, announced, nothing changed", got
        )
    with Step("site.yml"):
        code, output = site("2-site", "--diff", *verbose)
        table.add("site.yml", "controller", "rc 0", f"rc {code}")
        if code:
            return False
    for name, arguments in (("3-again", ["--diff"]), ("4-check", ["--check", "--diff"])):
        with Step(f"site.yml {' '.join(arguments)} again"):
            code, output = site(name, *arguments, *verbose)
            got = f"rc {code}, changed={sum(changed(output).values())}"
            table.add(f"site.yml {' '.join(arguments)} again", "controller", "rc 0, changed=0", got)
    return True


def main() -> int:
    table = Table()
    with Step("hosts: a1 and b1 bare, a stranger"):
        lab("down", LAB)
        lab("up", LAB)
        write_project()
    if run_site(table):
        with Step("proof by real requests"):
            strangers.make(DEMO / "strangers", PROJECT / "private_ca")
            shutil.copy(HERE / "impostor.py", DEMO / "strangers")
            copy = ["podman", "cp", str(DEMO / "strangers"), f"{container(STRANGER)}:{STRANGERS}"]
            subprocess.run(copy, check=True)
            prove(table)
            prove_files(table)
            prove_impostor(table)
            prove_secrets(table)
    print()
    table.show()
    failed = table.failed()
    print(f"\n{len(table.rows) - failed} as expected, {failed} not. The hosts stay up (`make clean`).")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
