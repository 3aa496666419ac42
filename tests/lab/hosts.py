#!/usr/bin/env python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and removes hosts for demo, Molecule and benchmarks: podman containers that run systemd.

A lab is a name and a definition (hosts.yml beside this file, or --definition):

    a1.example.com: {image: bare, backend: true}     # of images.sh; the echo backend on 127.0.0.1:8000
    b[1:5].example.com: {image: sid, aliases: [b.example.com]}

    hosts.py up demo                     starts what the definition names and is not there yet
    hosts.py start x1.example.com sid    one throw-away host in the lab `scratch`; prints the container's name
    hosts.py stop x1.example.com         removes it, and with the last one of its lab the network
    hosts.py inventory demo              how Ansible reaches them, as an inventory (JSON is YAML)
    hosts.py down demo | --all           removes containers and network of one lab, or of all of this checkout

Hosts of one lab resolve each other by their full names. Needs root, podman and mmdebstrap (`make setup`).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "lab"
# As in env.sh: part of each name, so that two checkouts on one machine never meet.
PREFIX = "mtls-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
# Sockets of ssh's kept connections, a directory for each lab: a path below .cache may be too long for one
# (108 bytes, unix(7)).
CONTROL = Path("/run") / PREFIX
CGROUP = Path("/sys/fs/cgroup")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# A container with systemd takes five to six; the kernel's default of 128 ends at about 25 hosts, and the next
# ones hang in "initializing" without a word.
INOTIFY_PER_HOST = 8
# As many hardware addresses are kept for all network namespaces together, and each host may ask each other;
# beyond it a connection ends with "No route to host" or a time-out.
NEIGHBOURS = Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
CONNECTIONS = ("podman", "ssh")
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 60

if "CONTAINERS_CONF" not in os.environ and not (CGROUP / "cgroup.controllers").exists():
    os.environ["CONTAINERS_CONF"] = str(ROOT / ".config" / "containers.conf")

Host = dict[str, Any]


def fail(message: str) -> NoReturn:
    sys.exit(f"hosts.py: {message}")


def say(message: str) -> None:
    print(f"lab: {message}", file=sys.stderr, flush=True)


def podman(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Returns what podman printed, stripped; with check=False a failure returns what there is."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, input=stdin, check=False)
    if check and done.returncode:
        fail(f"podman {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def container_name(lab: str, host: str) -> str:
    return f"{PREFIX}-{lab}-{host}"


@contextlib.contextmanager
def alone(lab: str) -> Iterator[None]:
    """One process at a time makes or removes network and containers of this lab."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{lab}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_definition(path: Path) -> dict[str, Host]:
    """Returns {host name: {image, aliases, backend}} with ranges expanded."""
    import yaml  # not needed for a throw-away host, so that it starts without .venv, too

    hosts: dict[str, Host] = {}
    for name, given in (yaml.safe_load(path.read_text()) or {}).items():
        unknown = set(given) - {"image", "aliases", "backend"}
        if unknown or "image" not in given:
            fail(f"{path}: {name}: wants `image`, knows `aliases` and `backend`, got {sorted(given)}")
        for each in expand(name):
            hosts[each] = {"aliases": [], "backend": False, **given}
    return hosts


def expand(name: str) -> list[str]:
    """Returns the names of an Ansible range: a[1:3].example.com is three hosts."""
    found = re.fullmatch(r"(.*)\[(\d+):(\d+)\](.*)", name)
    if not found:
        return [name]
    before, first, last, after = found.groups()
    return [f"{before}{n:0{len(first)}d}{after}" for n in range(int(first), int(last) + 1)]


def up(lab: str, hosts: dict[str, Host]) -> None:
    subprocess.run(
        [str(HERE / "images.sh"), *sorted({h["image"] for h in hosts.values()})],
        check=True,
        stdout=sys.stderr,
    )
    allow_many(len(hosts))
    network = f"{PREFIX}-{lab}"
    with alone(lab):
        # Of several that begin at once in one lab; podman has `network create --ignore` from 4.4 on only.
        if subprocess.run(["podman", "network", "exists", network], check=False).returncode:
            podman("network", "create", "--label", f"mutual_tls.checkout={PREFIX}", network)
        running = set(podman("ps", "--format", "{{.Names}}").split())
        for name, host in hosts.items():
            if container_name(lab, name) not in running:
                start(lab, network, name, host)
    for name, host in hosts.items():
        wait(lab, name)
        if host["backend"]:
            install_backend(container_name(lab, name))


def start(lab: str, network: str, name: str, host: Host) -> None:
    container = container_name(lab, name)
    podman("rm", "--force", "--ignore", "--time=1", container)
    arguments = ["--name", container, "--hostname", name, "--systemd=always", "--stop-timeout=2"]
    arguments += ["--label", f"mutual_tls.checkout={PREFIX}", "--label", f"mutual_tls.lab={lab}"]
    arguments += ["--network", network]
    for alias in (name, *host["aliases"]):
        arguments += ["--network-alias", alias]
    if (CGROUP / "unified" / "cgroup.procs").exists():
        # systemd 258 and newer wants cgroup v2: on a hybrid machine it is there, one directory deeper.
        arguments += ["--cgroupns=host", "--volume", f"{CGROUP}/unified:{CGROUP}:rw"]
    podman("run", "--detach", *arguments, f"localhost/{PREFIX}-{host['image']}")


def allow_many(more: int) -> None:
    hosts = len(podman("ps", "--quiet").split()) + more
    for limit, wanted, at_least in (
        (INOTIFY, hosts * INOTIFY_PER_HOST, 2048),
        (NEIGHBOURS, hosts * hosts, 1024),
    ):
        if int(limit.read_text()) < wanted:
            limit.write_text(f"{max(wanted, at_least)}\n")
            name = ".".join(limit.parts[3:])
            say(f"{name} raised to {limit.read_text().strip()} (until the next boot of this machine)")


def wait(lab: str, name: str) -> None:
    """Returns when systemd on the host is up; units that failed are named, a host that hangs is an error."""
    container, until = container_name(lab, name), time.monotonic() + START_TIMEOUT_S
    state = ""
    while time.monotonic() < until:
        # Without a bus yet it fails at once; with one it waits for the end of the start-up.
        state = podman("exec", container, "systemctl", "is-system-running", "--wait", check=False)
        if state in ("running", "degraded"):
            break
        time.sleep(0.2)
    if state == "degraded":
        failed = podman(
            "exec", container, "systemctl", "list-units", "--failed", "--plain", "--no-legend", check=False
        )
        say(f"{name}: degraded, failed units:\n{failed}")
    elif state != "running":
        fail(f"{name}: systemd is '{state or 'silent'}' after {START_TIMEOUT_S} s: podman logs {container}")


def install_backend(container: str) -> None:
    podman("cp", str(HERE / "backend.py"), f"{container}:/usr/local/bin/lab-backend")
    podman("cp", str(HERE / "lab-backend.service"), f"{container}:/etc/systemd/system/lab-backend.service")
    podman("exec", container, "systemctl", "daemon-reload")
    podman("exec", container, "systemctl", "enable", "--now", "lab-backend.service")


def inventory(lab: str, hosts: dict[str, Host], connection: str) -> dict[str, Any]:
    """Returns an inventory that says how to reach the hosts, and nothing else: groups are the user's."""
    reach = reach_by_ssh if connection == "ssh" else reach_by_podman
    return {"all": {"hosts": {name: reach(lab, container_name(lab, name)) for name in hosts}}}


def reach_by_podman(dummy: str, container: str) -> dict[str, Any]:
    return {
        "lab_container": container,
        "ansible_connection": "containers.podman.podman",
        "ansible_host": container,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def reach_by_ssh(lab: str, container: str) -> dict[str, Any]:
    """As a user who is not root, with sudo: what most real fleets have. The key never leaves .cache."""
    key = CACHE / "ssh" / "id_ed25519"
    if not key.exists():
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", PREFIX, "-f", str(key)], check=True
        )
    install = "umask 077; cd ~operator; mkdir -p .ssh; cat >.ssh/authorized_keys; chown -R operator .ssh"
    podman("exec", "--interactive", container, "sh", "-c", install, stdin=key.with_suffix(".pub").read_text())
    addresses = podman(
        "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", container
    )
    return {
        "lab_container": container,
        "ansible_control_path_dir": str(CONTROL / lab),
        "ansible_connection": "ssh",
        "ansible_host": addresses.split()[0],
        "ansible_user": "operator",
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(key),
        # Containers come and go, their addresses are used again; nothing secret is sent to them.
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        "-o LogLevel=ERROR",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def stop(lab: str, name: str) -> None:
    with alone(lab):
        remove("--filter", f"name=^{re.escape(container_name(lab, name))}$")
        # Without --force it fails where another container uses it.
        podman("network", "rm", f"{PREFIX}-{lab}", check=False)


def remove(*filters: str) -> int:
    """Removes the containers that `podman ps` finds by *filters*; returns how many there were."""
    containers = podman("ps", "--all", "--format", "{{.Names}}", *filters).split()
    left, until = containers, time.monotonic() + STOP_TIMEOUT_S
    # podman stops at the first container that something else is still busy with, and leaves the rest.
    while left and time.monotonic() < until:
        podman("rm", "--force", "--ignore", "--volumes", "--time=1", *left, check=False)
        left = podman("ps", "--all", "--format", "{{.Names}}", *filters).split()
    if left:
        fail(f"podman does not remove {', '.join(left)}; see: podman rm --force {left[0]}")
    return len(containers)


def down(lab: str | None) -> None:
    """Removes containers and networks that carry this checkout's label; None is every lab of it."""
    filters = ["--filter", f"label=mutual_tls.checkout={PREFIX}"]
    networks = set(podman("network", "ls", "--format", "{{.Name}}", *filters).split())
    if lab:
        filters += ["--filter", f"label=mutual_tls.lab={lab}"]
        networks &= {f"{PREFIX}-{lab}"}
    # A kept connection would lead to a host that is gone, under an address that is used again. Another lab's
    # are in use.
    shutil.rmtree(CONTROL / lab if lab else CONTROL, ignore_errors=True)  # there may be none
    removed = remove(*filters)
    for network in networks:
        podman("network", "rm", "--force", network)
    say(f"removed {removed} hosts, {len(networks)} networks")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "inventory"):
        command = commands.add_parser(name)
        command.add_argument("lab")
        command.add_argument("--definition", type=Path, default=HERE / "hosts.yml")
        if name == "inventory":
            command.add_argument("--connection", choices=CONNECTIONS, default="podman")
    for name in ("start", "stop"):
        command = commands.add_parser(name)
        command.add_argument("name")
        if name == "start":
            command.add_argument("image")
        command.add_argument("--lab", default="scratch")
    command = commands.add_parser("down")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("lab", nargs="?")
    which.add_argument("--all", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.command == "up":
        up(given.lab, read_definition(given.definition))
    elif given.command == "start":
        up(given.lab, {given.name: {"image": given.image, "aliases": [], "backend": False}})
        print(container_name(given.lab, given.name))
    elif given.command == "stop":
        stop(given.lab, given.name)
    elif given.command == "inventory":
        found = inventory(given.lab, read_definition(given.definition), given.connection)
        print(json.dumps(found, indent=2))
    else:
        down(None if given.all else given.lab)


if __name__ == "__main__":
    main()
