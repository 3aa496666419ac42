# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a throw-away host, started by fault.py: kills real calls of `release` at chosen events.

    fault_host.py SCENARIO KILLS OFFSET  prints a line of JSON for each kill: where, of what, what came of it

An event is a change of a file, a command, a signal or a connection, as Python's audit hooks tell it before it
happens; the product has no line of code for this. Each case begins at the same disk with a running nginx.
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

HERE = os.path.dirname(os.path.abspath(__file__))
ETC, STOCK, SNAPSHOT = "/etc/nginx", f"{HERE}/stock", f"{HERE}/snapshot"
BASE = f"{ETC}/mtls"
PORT_A, PORT_B = 8443, 8080
SHADOWED = ("os.remove", "os.rmdir", "os.symlink")
NOTHING = {("", "", "")}
IN_FOLDER = ("os.remove", "os.rmdir")
TARGETS = ("module", "nginx", "both", "connection", "clock")
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
    """Counts the events of a call and kills at one of them; *labels* has the step and the event of each."""

    def __init__(self, kill_at=0, target=""):
        self.kill_at, self.target, self.labels, self.steps, self.done = kill_at, target, [], [], False

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
        if len(self.labels) == self.kill_at:
            self.done = True
            if self.target in ("connection", "clock"):
                (self.hang_up if self.target == "connection" else self.turn_back)()
                return
            if self.target != "module":
                try:
                    with open("/run/nginx.pid") as file:
                        os.kill(int(file.read()), signal.SIGKILL)
                except (OSError, ValueError):
                    pass
            if self.target != "nginx":
                os.kill(os.getpid(), signal.SIGKILL)

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
        from ansible_collections.mutual_tls.nginx.plugins.modules import release

        class Earlier(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.datetime.now(tz) - datetime.timedelta(seconds=TEN_YEARS_S)

        now = time.time
        time.time = lambda: now() - TEN_YEARS_S
        release.datetime = Earlier
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


def call(options, watch=None):
    """(result or None where it was killed, labels) of one call of the module, in a process of its own."""
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
            os.write(said[1], json.dumps(watch.labels if watch else []).encode())
            os._exit(code or 0)
    for end in (out[1], said[1]):
        os.close(end)
    with open(out[0]) as file:
        text = file.read()
    with open(said[0]) as file:
        labels = file.read()
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) or not text.strip():
        return None, []
    return json.loads(text.strip().splitlines()[-1]), json.loads(labels)


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


def one(scenario, options, kill_at, target, label, old, new):
    end = SCENARIOS[scenario][2]
    lay(SNAPSHOT)
    result, _labels = call(options, Watch(kill_at, target))
    case = {
        "scenario": scenario,
        "at": kill_at,
        "target": target,
        "step": label[0],
        "event": label[1],
        "bad": [],
    }
    # A master that was killed alone leaves what the module then made of it; otherwise nginx still serves.
    if target == "module":
        judge(case, "before the restart", served(1), old, new)
    if target == "clock" and bool(result.get("failed")) != scenario.startswith("rollback"):
        case["bad"].append(f"it ends {result.get('state')!r}: {result.get('msg')}")
    restarted = systemctl("restart", "nginx")
    if restarted is not True:
        case["bad"].append(f"nginx does not restart: {restarted}")
    found = served()
    case["whole"] = judge(case, "after the restart", found, old, new)
    again, _labels = call(options)
    wanted = {"old": old, "new": new, "none": NOTHING}[end]
    if scenario == "rolled_back" and again.get("failed") and found == new:
        again = {"state": "stable"}  # it was back already
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
    last, _labels = call(options)
    if not scenario.startswith(("rollback", "rolled_back")) and (last.get("changed") or last.get("failed")):
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


def main():
    scenario, kills, offset = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    before, options, end = SCENARIOS[scenario]
    if not os.path.isdir(STOCK):
        os.makedirs("/etc/systemd/system/nginx.service.d", exist_ok=True)
        with open("/etc/systemd/system/nginx.service.d/often.conf", "w") as file:
            file.write("[Unit]\nStartLimitIntervalSec=0\n")
        systemctl("daemon-reload")
        shutil.copytree(ETC, STOCK, symlinks=True)
    lay(STOCK)
    for given in before:
        done, _labels = call(given)
        assert not done.get("failed"), done
        origin = done["previous"]
    old = served()
    if scenario == "rolled_back":
        options = {**options, "to": origin}
    systemctl("stop", "nginx")
    shutil.rmtree(SNAPSHOT, ignore_errors=True)
    shutil.copytree(ETC, SNAPSHOT, symlinks=True)
    systemctl("start", "nginx")
    counted, labels = call(options, Watch())
    assert counted.get("failed", False) == scenario.startswith("rollback"), counted
    new = served() if end == "new" else NOTHING if end == "none" else old
    if scenario.startswith("rollback"):
        new = {(counted["msg"].split("Release ")[1].split()[0],) * 3}
        assert served() == old, served()
    assert len(labels) > 10, counted
    print(
        json.dumps({"scenario": scenario, "events": len(labels), "seconds": counted.get("seconds")}),
        flush=True,
    )
    points = sorted({1 + (2 * number + 1) * len(labels) // (2 * kills) for number in range(kills)})
    for number, kill_at in enumerate(points):
        target = TARGETS[(number + offset) % len(TARGETS)]
        case = one(scenario, options, kill_at, target, labels[kill_at - 1], old, new)
        print(json.dumps(case), flush=True)


if __name__ == "__main__":
    begin = time.monotonic()
    main()
    print(json.dumps({"seconds": round(time.monotonic() - begin, 1)}))
