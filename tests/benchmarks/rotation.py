# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation costs: requests lost under constant load through Server B to the backend of Server A, while
both sides rotate, their private CA is replaced, and another client is revoked.

Run from the checkout: ``.venv/bin/python tests/benchmarks/rotation.py [OPTIONS]``.
For each version of nginx site.yml brings up one A and one B of it. They go through `steps` while the callers
of tests/lab/steady.py ask by GET and POST over kept connections. Each POST has a mark that A's backend notes
when the body was whole, so that one that was lost or done twice is seen. The code is not 0 where a step fails
or changes nothing, or where a promise does not hold:

    every version           no GET is lost by a caller that sends it once more over a new connection, no POST
                            is done twice
    nginx 1.27.4 and newer  no GET needs that, and no POST is lost
    "keepalive 0"           on an older nginx, a route without idle connections to A: no POST is lost behind B
    "broken"                without keepalive_min_timeout requests are lost, else this tool could not fail
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB_TOOLS = ROOT / "tests" / "lab"
WORK = Path(os.environ.get("LAB_STATE", ROOT / ".cache")) / "rotation"
LAB, A, B = "rotation", "a1.example.com", "b1.example.com"
#: Image of A and B → what is tried with it.
RUNS = {
    "bookworm": ("default", "keepalive 0"),
    "trixie": ("default", "keepalive 0"),
    "sid": ("default", "broken"),
}
EVERY = ("default", "keepalive 0", "broken")
#: What the hosts go through; "default" alone goes through more than rotations.
STEPS = ("rotations", "ca", "revocation")
#: The version from which nginx has keepalive_min_timeout.
PATIENT = (1, 27, 4)
PROTECTS = "keepalive_min_timeout 10s;"
CALLERS = {"GET": 8, "POST": 8}
PAUSE_S = 0.01
TICK_S = 0.0001
ENOUGH = 1_000_000
#: What is no outcome of a request, in the counts of steady.py.
BESIDES = ("repeated", "noticed")
# The second route is there for an identity that can be revoked while the load goes on.
ROUTES = """
mtls_proxy_routes:
  - name: orders
    keepalive: {keepalive}
  - name: other
    listen: 127.0.0.1:8081
    credential: other
mtls_proxy_credentials:
  - name: client
  - name: other
"""
# Body and mark of each POST are compared where the request has gone through both nginx.
BACKEND = """
worker_processes 1;
pid /run/rotation-backend.pid;
error_log /var/log/nginx/rotation-backend.log;
events { worker_connections 1024; }
http {
    keepalive_requests 1000000;
    map "$uri $request_body" $done {
        default "broken $uri";
        "~^/(?<mark>[A-Z]+-[0-9]+-[0-9]+) \\k<mark> x{1000}$" $mark;
    }
    log_format done "$done";
    map $request_method $posted { default 0; POST 1; }
    server {
        listen 127.0.0.1:8000;
        access_log /var/log/nginx/rotation.log done if=$posted;
        location / { proxy_pass http://127.0.0.1:8001; }
    }
    server {
        listen 127.0.0.1:8001;
        access_log off;
        location / { return 200 "$uri\\n"; }
    }
}
"""


class Step(NamedTuple):
    """A run of a playbook of the collection with these variables; which hosts have another release then, and
    how A answers B's identity `other`."""

    name: str
    playbook: str
    variables: dict[str, Any]
    changes: tuple[str, ...]
    other: str = "200"


class Posts(NamedTuple):
    """What A's backend says of the POSTs that were sent."""

    undone: int = 0
    twice: int = 0
    #: The caller has an answer, and nobody did it; the other way round; bodies that were not whole.
    untrue: int = 0
    unheard: int = 0
    broken: int = 0


class Outcome(NamedTuple):
    """One run: what was tried on which nginx, how many steps there were, the one that failed, the counts."""

    nginx: str
    what: str
    steps: int
    fault: str
    told: dict[str, Any]
    posts: Posts


def steps(kinds: Collection[str], rotations: int, project: Path) -> Iterator[Step]:
    """Each is made when its turn comes: the last one looks at what was issued by then."""
    both = (A, B)
    if "rotations" in kinds:
        forced = {"rotate_force": True, "rotate_batches": ["100%"]}
        for count in range(1, rotations + 1):
            yield Step(f"rotation {count}", "rotate", forced, both)
    if "ca" in kinds:
        for phase in ("trust", "issue", "retire"):
            given = {"rotate_ca_phase": phase, "rotate_ca_soak_days": 0}
            yield Step(f"CA, {phase}", "rotate_ca", given, both)
    if "revocation" in kinds:
        store = project / "private_ca" / "issued.jsonl"
        issued = [json.loads(line) for line in store.read_text().splitlines()]
        other = [one["serial"] for one in issued if (one["host"], one["credential"]) == (B, "other")]
        yield Step("revocation", "revoke", {"revoke_serial": other[-1]}, (A,), other="400")


def judge(sent: dict[str, int], failed: Collection[str], done: Counter[str]) -> Posts:
    """*sent*: caller → its POSTs; *failed*: marks without a good answer; *done*: marks at the backend."""
    marks = {f"{name}-{number}" for name, count in sent.items() for number in range(count)}
    undone = marks - done.keys()
    return Posts(
        undone=len(undone),
        twice=sum(count > 1 for count in done.values()),
        untrue=len(undone.difference(failed)),
        unheard=len(set(failed) & done.keys()),
        broken=len(done.keys() - marks),
    )


def failures(counts: dict[str, int]) -> dict[str, int]:
    """What came of the requests that did not end well."""
    return {what: count for what, count in sorted(counts.items()) if what not in ("ok", *BESIDES)}


def faults(outcome: Outcome) -> list[str]:
    """The promises that do not hold."""
    told, posts = outcome.told, outcome.posts
    lost = {method: failures(told[method]["counts"]) for method in CALLERS}
    repeated = told["GET"]["counts"].get("repeated", 0)
    found = [outcome.fault] if outcome.fault else []
    if outcome.what == "broken":
        return found if lost["POST"] or repeated else [*found, "nothing is lost without what protects"]
    if lost["GET"]:
        found.append(f"GET lost: {listed(lost['GET'])}")
    for name in ("twice", "untrue", "broken"):
        if getattr(posts, name):
            found.append(f"POST {name}: {getattr(posts, name)}")
    if number(outcome.nginx) >= PATIENT:
        if repeated:
            found.append(f"GET repeated: {repeated}")
        if lost["POST"]:
            found.append(f"POST lost: {listed(lost['POST'])}")
    elif outcome.what == "keepalive 0" and set(lost["POST"]) - {"closed"}:
        found.append(f"POST lost on the way to A: {listed(lost['POST'])}")
    return found


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def listed(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in kinds.items()) or "0"


def quantile(ticks: dict[str, int], share: float) -> float:
    """Seconds within which that share of the requests had their answer."""
    left = math.ceil(share * sum(ticks.values()))
    for tick, count in sorted((int(tick), count) for tick, count in ticks.items()):
        left -= count
        if left <= 0:
            return (tick + 1) * TICK_S
    return 0.0


COLUMNS = (
    "nginx", "run", "steps", "method", "requests", "repeated", "failed", "not done", "twice",
    "p50 s", "p99 s", "max s",
)  # fmt: skip


def table(outcomes: list[Outcome]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for outcome in outcomes:
        for method in CALLERS:
            told = outcome.told[method]
            counts, posts = told["counts"], outcome.posts
            rows.append(
                (
                    outcome.nginx, outcome.what, str(outcome.steps), method, f"{told['sent']:,}",
                    f"{counts.get('repeated', 0):,}" if method == "GET" else "",
                    listed(failures(counts)),
                    *((f"{posts.undone:,}", f"{posts.twice:,}") if method == "POST" else ("", "")),
                    *(f"{quantile(told['ticks'], share):.4f}" for share in (0.5, 0.99, 1)),
                )
            )  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


class World:
    """One A and one B in containers, and the user's project beside them."""

    def __init__(self, image: str, what: str) -> None:
        self.what = what
        self.project = WORK / "project"
        self.collections = copied(protected=what != "broken")
        definition = WORK / "hosts.yml"
        shutil.rmtree(self.project, ignore_errors=True)  # there may be none
        shutil.copytree(
            ROOT / "examples" / "simple", self.project, ignore=shutil.ignore_patterns("private_ca")
        )
        routes = ROUTES.format(keepalive=0 if what == "keepalive 0" else "auto")
        (self.project / "group_vars" / "mtls_proxies.yml").write_text(f"---{routes}")
        definition.write_text(yaml.safe_dump({name: {"image": image} for name in (A, B)}))
        lab("down", LAB)
        lab("up", LAB, "--definition", str(definition))
        inventory = lab("inventory", LAB, "--definition", str(definition))
        (self.project / "lab.json").write_text(inventory)
        self.hosts = json.loads(inventory)["all"]["hosts"]
        self.nginx = re.findall(r"nginx/([0-9.]+)", self.on(A, "sh", "-c", "nginx -v 2>&1"))[0]
        self.write(A, "/root/backend.conf", BACKEND)
        self.on(A, "systemd-run", "--quiet", "--unit=rotation-backend",
                "nginx", "-c", "/root/backend.conf", "-g", "daemon off;")  # fmt: skip
        self.write(B, "/root/steady.py", (LAB_TOOLS / "steady.py").read_text())
        self.client = (LAB_TOOLS / "client.py").read_text()
        fault = self.play("site.yml", {})
        if fault:
            sys.exit(fault)

    def command(self, host: str, *command: str) -> list[str]:
        return ["podman", "exec", "--interactive", self.hosts[host]["lab_container"], *command]

    def on(self, host: str, *command: str, stdin: str = "") -> str:
        """What *command* prints on *host*."""
        done = subprocess.run(
            self.command(host, *command), input=stdin, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def write(self, host: str, path: str, text: str) -> None:
        self.on(host, "tee", path, stdin=text)

    def play(self, playbook: str, variables: dict[str, Any]) -> str:
        """Runs a playbook as a user does; the end of what it printed where it fails."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        inventory = ("-i", "inventory.yml", "-i", "lab.json")
        done = subprocess.run(
            [program, *inventory, playbook, "-e", json.dumps(variables)],
            cwd=self.project,
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(self.collections)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return f"{done.stdout[-4000:]}\n{playbook} failed" if done.returncode else ""

    def releases(self) -> dict[str, str]:
        return {host: self.on(host, "readlink", "/etc/nginx/mtls/current") for host in (A, B)}

    def step(self, step: Step) -> str:
        """What is wrong with it: it failed, or has changed nothing."""
        before = self.releases()
        fault = self.play(f"mutual_tls.nginx.{step.playbook}", step.variables)
        after = self.releases()
        same = [host for host in step.changes if before[host] == after[host]]
        if fault or same:
            return fault or f"nothing is new on {', '.join(same)}"
        got = self.other()
        return "" if got == step.other else f"identity `other` gets {got}, not {step.other}"

    def other(self) -> str:
        """How A answers B's second identity."""
        question = json.dumps({"host": "127.0.0.1", "port": 8081, "tls": False, "path": "/other"})
        answer = json.loads(self.on(B, "python3", "-", question, stdin=self.client))
        return str(answer.get("status") or answer["error"])

    def run(self, kinds: Collection[str], rotations: int, seconds: float) -> Outcome:
        """The steps under load, each at least so many seconds long."""
        given = json.dumps({"port": 8080, "callers": CALLERS, "pause_s": PAUSE_S})
        load = subprocess.Popen(
            self.command(B, "nice", "python3", "/root/steady.py", given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert load.stdin and load.stdout
        assert load.stdout.readline() == "asking\n"
        began: list[tuple[float, str]] = []
        fault = ""
        for step in steps(kinds, rotations, self.project):
            if not (ROOT / "playbooks" / f"{step.playbook}.yml").exists():
                print(f"  {step.name}: left out, there is no {step.playbook}.yml")
                continue
            began.append((time.time(), step.name))
            fault = self.step(step)
            spent = time.time() - began[-1][0]
            print(f"  {step.name}: {spent:.1f} s", flush=True)
            if fault:
                fault = f"{step.name}: {fault}"
                break
            time.sleep(max(0.0, seconds - spent))
        told = json.loads(load.communicate()[0])
        for method in CALLERS:
            outcomes = {what: n for what, n in told[method]["counts"].items() if what not in BESIDES}
            assert sum(outcomes.values()) == told[method]["sent"], told[method]
        tell(began, told["failed"])
        time.sleep(1)  # what was on its way without its caller
        done = Counter(self.on(A, "cat", "/var/log/nginx/rotation.log").splitlines())
        failed = [mark for dummy, mark, dummy in told["failed"] if mark.startswith("POST")]
        posts = judge(told["posts"], failed, done)
        return Outcome(self.nginx, self.what, len(began), fault, told, posts)


def tell(began: list[tuple[float, str]], failed: list[list[Any]]) -> None:
    """In which step requests failed, and when in it."""
    found: dict[str, list[str]] = {}
    for at, mark, what in failed:
        step = [one for one in began if one[0] <= at][-1:] or [(at, "before the first step")]
        found.setdefault(step[0][1], []).append(f"{mark.split('-')[0]} {what} at {at - step[0][0]:.1f} s")
    for name, events in found.items():
        print(f"  {name}: {len(events)} failed: {'; '.join(events[:8])}{'; …' * (len(events) > 8)}")


def copied(protected: bool) -> Path:
    """A copy of the collection, since the checkout may change in an hour; not *protected*, nginx closes idle
    connections at once when it reloads."""
    place = WORK / "collections"
    copy = place / "ansible_collections" / "mutual_tls" / "nginx"
    shutil.rmtree(place, ignore_errors=True)  # there may be none
    for name in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, copy / name)
    shutil.copy(ROOT / "galaxy.yml", copy)
    for template in ("mtls_server/templates/site.conf.j2", "mtls_proxy/templates/listener.conf.j2"):
        path = copy / "roles" / template
        text = path.read_text()
        assert text.count(PROTECTS) == 1, path
        if not protected:
            path.write_text(text.replace(PROTECTS, "keepalive_min_timeout 0;"))
    return place


def lab(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(LAB_TOOLS / "hosts.py"), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--runs", nargs="+", choices=EVERY, help="all of an image")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="all of them")
    parser.add_argument("--rotations", type=int, default=20, help="of both sides (20)")
    parser.add_argument("--seconds", type=float, default=15.0, help="that each step lasts at least (15)")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    outcomes, wrong = [], 0
    for image in given.images:
        for what in RUNS[image]:
            if given.runs and what not in given.runs:
                continue
            print(f"{image}, {what}", flush=True)
            try:
                kinds = [kind for kind in given.steps if what == "default" or kind == "rotations"]
                outcome = World(image, what).run(kinds, given.rotations, given.seconds)
            finally:
                lab("down", LAB)
            print(table([outcome]), flush=True)
            for fault in faults(outcome):
                wrong += 1
                print(f"NOT AS PROMISED: nginx {outcome.nginx}, {what}: {fault}", flush=True)
            outcomes.append(outcome)
    print(f"\n{table(outcomes)}")
    requests = sum(outcome.told[method]["sent"] for outcome in outcomes for method in CALLERS)
    print(f"{requests:,} requests, {wrong} promises broken")
    all_of_it = set(given.images) == set(RUNS) and set(given.steps) == set(STEPS) and not given.runs
    few = requests < ENOUGH and all_of_it
    if few:
        print(f"fewer than {ENOUGH:,} requests")
    return int(bool(wrong or few))


if __name__ == "__main__":
    sys.exit(main())
