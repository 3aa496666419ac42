# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a throw-away host, started by fault.py: kills real calls of `release` at chosen events.

    fault_host.py SCENARIO whole MORE OFFSET     a kill at each step of the call, and at MORE events of it
    fault_host.py SCENARIO sample CASES OFFSET   at as many steps as there are cases

Prints the steps of the call, then a line of JSON for each case: where, of what, what came of it. An event is
a change of a file, a command, a signal or a connection, as Python's audit hooks tell it before it happens;
the product has no line of code for this. Each case begins at the same disk with a running nginx.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter, namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
ETC, STOCK, SNAPSHOT = "/etc/nginx", f"{HERE}/stock", f"{HERE}/snapshot"
BASE = f"{ETC}/mtls"
PORT_A, PORT_B = 8443, 8080
SHADOWED = ("os.remove", "os.rmdir", "os.symlink")
NOTHING = {("", "", "")}
IN_FOLDER = ("os.remove", "os.rmdir")
#: Who is hit, in turn: at each step; at the events besides; in the sample.
KILLS = ("module", "both", "nginx")
MORE = ("connection", "module", "nginx", "clock", "both")
SAMPLED = (*KILLS, "connection", *KILLS, *KILLS, "clock")
TEN_YEARS_S = 315360000
EVENTS = (
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.symlink",
    "os.chmod",
    "os.kill",
    "fcntl.flock",
    "subprocess.Popen",
    "socket.connect",
)
SITE = """server {
    listen 127.0.0.1:%d ssl; server_name a.test;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3;
    location = /.mtls/probe {
        if ($ssl_client_verify != SUCCESS) { return 403; }
        return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }
    location / { return 200 "%s"; }
}
"""
LISTENER = """server {
    listen 127.0.0.1:%d; server_name _; %s
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location = /.mtls/probe/r { %s proxy_pass https://up/.mtls/probe; }
    location / { %s proxy_pass https://up; }
}
"""
# nginx accepts it, and its proof fails: it answers with the id of no release.
BROKEN = 'if ($uri = "/.mtls/proxy") { return 200 "not-@MTLS_ID@"; }'
ROUTE = """include @MTLS_RELEASE@/proxy/credentials/client/tls.conf; proxy_ssl_name a.test;
    proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_set_header Host a.test;"""


def credential(name, which):
    own, other = ("server", "clients") if name == "server" else ("client", "servers")
    return {
        "name": name,
        "certificate_path": f"{HERE}/{own}{which}.pem",
        "private_key_path": f"{HERE}/{own}{which}.key",
        "trust": {"sources": [{"path": f"{HERE}/{other}.pem"}]},
    }


def server(which, text="ok"):
    probe = {
        "name": "probe",
        "certificate_path": f"{HERE}/probe.pem",
        "private_key_path": f"{HERE}/probe.key",
    }
    return {
        "credentials": [credential("server", which), probe],
        "sites": [{"name": "a", "content": SITE % (PORT_A, text)}],
    }


def proxy(which, prefix=""):
    return {
        "credentials": [credential("client", which)],
        "routes": [{"name": "r", "content": f"upstream up {{ server 127.0.0.1:{PORT_A} max_fails=0; }}\n"}],
        "listeners": [{"name": "1", "content": LISTENER % (PORT_B, prefix, ROUTE, ROUTE)}],
    }


OLD_A, OLD_B = {"parts": {"server": server(1)}}, {"parts": {"proxy": proxy(1)}}
OLD = [OLD_A, OLD_B]
NEW_A, NEW_B = {"parts": {"server": server(2)}}, {"parts": {"proxy": proxy(2)}}
#: Scenario → calls before it, the call that is killed, which of "old", "new", "none" the rerun ends with.
SCENARIOS = {
    "first install": ([], OLD_A, "new"),
    "B beside A": ([OLD_A], OLD_B, "new"),
    "change of A": (OLD, NEW_A, "new"),
    "change of B": (OLD, NEW_B, "new"),
    "rollback of B": (OLD, {"parts": {"proxy": proxy(1, BROKEN)}}, "old"),
    "rollback of A": (OLD, {"parts": {"server": server(2, "ok"), "proxy": proxy(2, BROKEN)}}, "old"),
    "rolled_back": ([*OLD, NEW_A], {"state": "rolled_back"}, "new"),
    "until checked": (OLD, {**NEW_A, "until": "checked"}, "old"),
    "to prepared": ([*OLD, {**NEW_A, "until": "checked"}], {"to": "prepared"}, "new"),
    "absent B": (OLD, {"state": "absent", "parts": {"proxy": {}}}, "new"),
    "absent": (OLD, {"state": "absent"}, "none"),
}


class Watch:
    """Counts the events of a call; *labels* has the step and the event of each.

    *point*: (step, n) where *target* is hit, at the n-th event of that step; what is open at *said* is told.
    """

    def __init__(self, point=("", 0), target=""):
        self.point, self.target, self.labels, self.steps, self.done = point, target, [], [], False
        self.left, self.said = point[1], -1

    def hook(self, event, given):
        if self.done or not (event in EVENTS or (event == "open" and self.writes(given))):
            return
        if event == "os.kill" and given[1] == 0:
            return
        what = given[0] if event != "subprocess.Popen" else " ".join(given[1][:2])
        folder = os.readlink(f"/proc/self/fd/{given[-1]}") if event in IN_FOLDER and given[-1] != -1 else ""
        # The shadow is hundreds of links in a folder that no reboot keeps: its beginning and end are enough.
        paths = (f"{folder}/{what}", given[1] if event == "os.symlink" else "")
        if event in SHADOWED and any(path.startswith("/run/mutual-tls.") for path in paths):
            return
        text = os.path.basename(what) if isinstance(what, str) else ""
        self.labels.append((self.steps[-1] if self.steps else "between", f"{event} {text}".strip()))
        self.left -= self.labels[-1][0] == self.point[0]
        if self.left == 0 and self.target:
            self.done = True
            self.strike()

    def strike(self):
        mark = {"at": len(self.labels), "label": self.labels[-1], "master": 0}
        if self.target in ("nginx", "both"):
            mark["master"] = self.kill_master()
        os.write(self.said, json.dumps(mark).encode() + b"\n")
        if self.target in ("module", "both"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.target == "connection":
            self.hang_up()
        elif self.target == "clock":
            self.turn_back()

    @staticmethod
    def kill_master():
        """The pid of the master that was killed; 0 where none ran."""
        try:
            with open("/run/nginx.pid") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/comm") as file:
                if file.read() != "nginx\n":
                    return 0
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            return 0
        return pid

    @staticmethod
    def hang_up():
        """As when sshd dies: nobody reads any more, and the session is told so."""
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.kill(os.getpid(), signal.SIGHUP)

    @staticmethod
    def turn_back():
        """As when the clock is set: the call sees another time, and what lies there comes from the future."""
        from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import wiring

        class Earlier(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.datetime.now(tz) - datetime.timedelta(seconds=TEN_YEARS_S)

        now = time.time
        time.time = lambda: now() - TEN_YEARS_S
        wiring.datetime = Earlier
        for folder, folders, _names in os.walk(BASE):
            for name in folders:
                os.utime(f"{folder}/{name}", (now() + TEN_YEARS_S,) * 2, follow_symlinks=False)

    @staticmethod
    def writes(given):
        path, _mode, flags = given
        return (
            isinstance(path, str)
            and path.startswith((ETC, "/run/mutual-tls."))
            and flags & (os.O_WRONLY | os.O_RDWR)
        )


#: *result* is None where there is none, *signal* what ended the module, *mark* what `strike` told, None where
#: the event never came; then *labels* has all events, and where the module lived on.
Ended = namedtuple("Ended", "result labels mark signal")


def call(options, watch=None):
    """One call of the module, in a process of its own."""
    from ansible.module_utils import basic

    from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import call as calls
    from ansible_collections.mutual_tls.nginx.plugins.modules import release

    out, said = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(out[1], 1)
        given = {
            "proof_rounds": 1,
            "timeout_s": 10,
            "lock_timeout_s": 5,
            **options,
            "_ansible_remote_tmp": "/tmp",
        }
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        if watch:
            watch.said = said[1]
            timed = calls.Call.timed

            def labelled(self, step):
                manager = timed(self, step)
                enter, leave = type(manager).__enter__, type(manager).__exit__

                class Both:
                    def __enter__(self):
                        watch.steps.append(step)
                        return enter(manager)

                    def __exit__(self, *error):
                        watch.steps.pop()
                        return leave(manager, *error)

                return Both()

            calls.Call.timed = labelled
            sys.addaudithook(watch.hook)
        code = 1
        try:
            release.main()
        except SystemExit as end:
            code = end.code
        finally:
            with contextlib.suppress(OSError):  # the connection is lost, too
                sys.stdout.flush()
            os.write(said[1], json.dumps(watch.labels if watch else []).encode() + b"\n")
            os._exit(code or 0)
    for end in (out[1], said[1]):
        os.close(end)
    with open(out[0]) as file:
        text = file.read()
    with open(said[0]) as file:
        told = [json.loads(line) for line in file]
    _pid, status = os.waitpid(child, 0)
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    lines = text.strip().splitlines()
    return Ended(
        json.loads(lines[-1]) if lines and not ended_by else None,
        next((one for one in told if isinstance(one, list)), []),
        next((one for one in told if isinstance(one, dict)), None),
        ended_by,
    )


def ask(port, path, tls):
    """The first word of the answer; "" where nothing listens; the fault otherwise."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            connection = plain
            if tls:
                context = ssl.create_default_context(cafile=f"{HERE}/servers.pem")
                # Python 3.13 asks for a key usage in a CA; nobody here does.
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                context.load_cert_chain(f"{HERE}/client1.pem", f"{HERE}/client1.key")
                connection = context.wrap_socket(plain, server_hostname="a.test")
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: a.test\r\n\r\n".encode())
            answer = b""
            while True:
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
    except ConnectionRefusedError:
        return ""
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    head, dummy, body = answer.partition(b"\r\n\r\n")
    words = body.decode("utf-8", "replace").split()
    return (
        words[0].replace("not-", "")
        if b" 200 " in head.split(b"\r\n")[0] and words
        else head[:40].decode("utf-8", "replace")
    )


def served(times=3):
    """Every (id that A serves, id that B serves, id of A that B saw)."""
    return {
        (
            ask(PORT_A, "/.mtls/probe", True),
            ask(PORT_B, "/.mtls/proxy", False),
            ask(PORT_B, "/.mtls/probe/r", False),
        )
        for _time in range(times)
    }


def systemctl(*words):
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.returncode == 0 or (done.stdout + done.stderr).strip()


def lay(source):
    systemctl("stop", "nginx")
    shutil.rmtree(ETC)
    shutil.copytree(source, ETC, symlinks=True)
    systemctl("start", "nginx")


def leftovers():
    found = [name for name in os.listdir("/run") if name.startswith("mutual-tls.")]
    for folder, folders, names in os.walk(ETC):
        found += [f"{folder}/{name}" for name in folders + names if ".new-" in name]
    return found


def whole():
    from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store

    store = Store(BASE)
    return [name for name in store.names() if store.damaged(name)] if store.exists() else []


def hit(options, step, number, target):
    """The call with *target* hit there. Events vary between runs, as some wait for nginx: where the step had
    fewer, amid those that it had."""
    for _time in range(3):
        lay(SNAPSHOT)
        run = call(options, Watch((step, number), target))
        if run.mark:
            break
        number = max(1, (sum(label[0] == step for label in run.labels) + 1) // 2)
    return run


def struck(target, run):
    """What was not done that the case is counted for."""
    if not run.mark:
        return ["the event never came"]
    found = []
    if target in ("nginx", "both") and not run.mark["master"]:
        found.append("no master of nginx was there to be killed")
    if target in ("module", "both") and (run.result is not None or run.signal != signal.SIGKILL):
        found.append("the module was not killed")
    if target in ("nginx", "clock") and run.result is None:
        found.append(f"the module has no result, signal {run.signal}")
    return found


def settle(master):
    """Wait until systemd has seen that this master is dead, and has ended what it left."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        shown = subprocess.run(
            ["systemctl", "show", "-p", "MainPID", "-p", "ActiveState", "nginx"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        workers = subprocess.run(["pgrep", "-x", "nginx"], capture_output=True, check=False).returncode == 0
        if f"MainPID={master}" not in shown and ("ActiveState=active" in shown or not workers):
            return
        time.sleep(0.05)


def claims(scenario, target, run, found, old, new):
    """What the result says that is not so; *found* serves before anybody restarts nginx.

    Where nginx was killed nothing may serve. But who says stable has proven it: then it was killed in the
    proof or behind it, or the run has started nginx again, and the release serves.
    """
    told, wrong = run.result, []
    state, failed = told.get("state"), bool(told.get("failed"))
    dead = target == "nginx"
    if scenario.startswith("rollback") and not failed:
        wrong.append("what cannot be proven is told as good")
    if target == "clock" and failed != scenario.startswith("rollback"):
        wrong.append("it does not end as without the clock")
    if not failed:
        proven = any(label[0] == "prove" for label in run.labels[: run.mark["at"]])
        mute = dead and (state == "checked" or proven)
        allowed = [new, *([NOTHING] if mute else [])]
    elif state == "rolled_back" or told.get("release") == told.get("previous"):
        allowed = [old, *([NOTHING] if dead else [])]
    else:
        allowed = [old, new, NOTHING]
    if found not in allowed:
        wrong.append(f"{sorted(found)} serve")
    live = os.path.basename(os.path.realpath(f"{BASE}/current"))
    if told.get("release") and live != told["release"]:
        wrong.append(f"current names {live}, the result says {told['release']}")
    return [f"it ends {state!r}, {told.get('msg') or 'well'}: {one}" for one in wrong]


def one(scenario, options, point, target, old, new):
    end = SCENARIOS[scenario][2]
    run = hit(options, *point, target)
    step, event = run.mark["label"] if run.mark else (point[0], f"no event {point[1]}")
    case = {
        "scenario": scenario,
        "hit": bool(run.mark),
        "target": target,
        "step": step,
        "event": event,
        "bad": struck(target, run),
    }
    # A dead master serves nothing; otherwise nobody has touched nginx but the module.
    if target == "nginx" and run.mark:
        settle(run.mark["master"])
    if target in ("module", "connection"):
        judge(case, "before the restart", served(1), old, new)
    elif run.result and run.mark:
        case["bad"] += claims(scenario, target, run, served(1), old, new)
    restarted = systemctl("restart", "nginx")
    if restarted is not True:
        case["bad"].append(f"nginx does not restart: {restarted}")
    case["whole"] = judge(case, "after the restart", served(), old, new)
    again = call(options).result or {}
    wanted = {"old": old, "new": new, "none": NOTHING}[end]
    states = (
        {"rolled_back"}
        if scenario.startswith("rollback")
        else {"absent"}
        if "absent" in scenario
        else {"stable", "checked"}
    )
    if again.get("state") not in states:
        case["bad"].append(f"the rerun ends {again.get('state')!r}: {again.get('msg')}")
    if served() != wanted:
        case["bad"].append(f"after the rerun {sorted(served())} serve, not {sorted(wanted)}")
    case["mended"] = not case["bad"]
    last = call(options).result or {"failed": True}
    if not scenario.startswith("rollback") and (last.get("changed") or last.get("failed")):
        case["bad"].append(f"a third run is no rest: {last.get('msg') or last.get('log')}")
    case["bad"] += [f"left over: {path}" for path in leftovers()]
    case["bad"] += [f"not whole: {name}" for name in whole()]
    return case


def judge(case, when, found, old, new):
    if found == old:
        return "old"
    if found == new:
        return "new"
    if case["scenario"] in ("first install", "absent") and found == NOTHING:
        return "none"
    case["bad"].append(f"{when} {sorted(found)} serve")
    return "mixed"


def points(labels, sample, number, offset):
    """[((step, n), target)] for the events of a call, of each of which its label is given."""
    steps, counts, events = [label[0] for label in labels], Counter(), []
    for step in steps:
        counts[step] += 1
        events.append((step, counts[step]))
    names = list(counts)
    if sample:
        turns = [offset * number + turn for turn in range(number)]
        chosen = [(turn, names[turn % len(names)]) for turn in turns]
        return [((step, 1 + 7 * turn % counts[step]), SAMPLED[turn % len(SAMPLED)]) for turn, step in chosen]
    found = [
        ((step, (counts[step] + 1) // 2), KILLS[(turn + offset) % len(KILLS)])
        for turn, step in enumerate(names)
    ]
    free = [one for one in events if one not in dict(found)]
    spread = [free[(2 * turn + 1) * len(free) // (2 * number)] for turn in range(number)]
    return found + [(one, MORE[(turn + offset) % len(MORE)]) for turn, one in enumerate(spread)]


def main():
    scenario, sample, number, offset = sys.argv[1], sys.argv[2] == "sample", *map(int, sys.argv[3:])
    before, options, end = SCENARIOS[scenario]
    if not os.path.isdir(STOCK):
        os.makedirs("/etc/systemd/system/nginx.service.d", exist_ok=True)
        with open("/etc/systemd/system/nginx.service.d/often.conf", "w") as file:
            file.write("[Unit]\nStartLimitIntervalSec=0\n")
        systemctl("daemon-reload")
        shutil.copytree(ETC, STOCK, symlinks=True)
    lay(STOCK)
    for given in before:
        done = call(given).result
        assert not done.get("failed"), done
        origin = done["previous"]
    old = served()
    if scenario == "rolled_back":
        options = {**options, "to": origin}
    systemctl("stop", "nginx")
    shutil.rmtree(SNAPSHOT, ignore_errors=True)  # there may be none
    shutil.copytree(ETC, SNAPSHOT, symlinks=True)
    systemctl("start", "nginx")
    clean = call(options, Watch())
    counted, labels = clean.result, clean.labels
    assert bool(counted.get("failed")) == scenario.startswith("rollback"), counted
    new = served() if end == "new" else NOTHING if end == "none" else old
    if scenario.startswith("rollback"):
        new = {(counted["msg"].split("Release ")[1].split()[0],) * 3}
        assert served() == old, served()
    assert len(labels) > 10, counted
    steps = Counter(label[0] for label in labels)
    print(json.dumps({"scenario": scenario, "steps": steps}), flush=True)
    for point, target in points(labels, sample, number, offset):
        print(json.dumps(one(scenario, options, point, target, old, new)), flush=True)


if __name__ == "__main__":
    main()
