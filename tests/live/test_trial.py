# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial nginx on real hosts: what it sees that ``nginx -t`` does not, and that nothing of it stays."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from pki import CLIENT, SERVER, Authority

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tlsconf import TlsSettings, tls_conf

NAME = "a1.test"
PORT = 8443
HOLD = "-C /lab PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 python3 try_out.py hold"
BASE = "/etc/nginx/mtls"
RUN = "cd /lab && PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 python3 try_out.py"
SITE = f"""
server {{
    listen {PORT} ssl;
    server_name {NAME};
    include @MTLS_RELEASE@/server/credentials/orders/tls.conf;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /.mtls/probe {{
        if ($ssl_client_verify != SUCCESS) {{ return 403; }}
        return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }}
    location / {{ return 200 "application\\n"; }}
}}
"""
UPSTREAM = "upstream up {{ server 127.0.0.1:{port}; }}"
LISTENER = """
server {
    listen 127.0.0.1:8082;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location %s {
        include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
        proxy_ssl_name %s;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        proxy_set_header Host %s;
        proxy_pass https://up%s;
    }
}
"""


class Pki:
    """Two authorities, each with an intermediate, and one that nobody trusts; files as bytes by name."""

    def __init__(self, folder: Path) -> None:
        clients, servers = Authority.make("CN=Clients"), Authority.make("CN=Servers")
        below, strange = clients.intermediate("CN=Clients 1"), Authority.make("CN=Strangers")
        server_ca = servers.intermediate("CN=Servers 1")
        self.roots = {"clients": clients.pem(), "servers": servers.pem(), "strangers": strange.pem()}
        self.folder = folder
        self.chain: dict[str, bytes] = {}
        for name, authority, usage, names, days in (
            ("client", below, CLIENT, (), (-1, 30)),
            ("purpose", below, SERVER, (), (-1, 30)),
            ("expired", below, CLIENT, (), (-9, -1)),
            ("stranger", strange, CLIENT, (), (-1, 30)),
            ("server", server_ca, SERVER, (NAME,), (-1, 30)),
            ("server-purpose", server_ca, CLIENT, (NAME,), (-1, 30)),
            ("server-expired", server_ca, SERVER, (NAME,), (-9, -1)),
            ("server-stranger", strange, SERVER, (NAME,), (-1, 30)),
            ("server-name", server_ca, SERVER, ("other.test",), (-1, 30)),
        ):
            authority.leaf(folder / name, f"CN={name}", usage, names, days)
            self.chain[name] = b"" if authority is strange else authority.pem()

    def credential(self, name: str, trust: str = "", part: str = "", whole: bool = True) -> dict[str, bytes]:
        """The files of a release's credential; *whole*: with its intermediate."""
        leaf = (self.folder / f"{name}.pem").read_bytes()
        found = {
            "fullchain.pem": leaf + (self.chain[name] if whole else b""),
            "privkey.pem": (self.folder / f"{name}.key").read_bytes(),
        }
        if trust:
            found["trust.pem"] = self.roots[trust]
            called = "orders" if part == "server" else "client"
            found["tls.conf"] = tls_conf(part, called, TlsSettings(), b"", b"").encode()
        return found


def laid(part: str, name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{part}/credentials/{name}/{file}": data for file, data in files.items()}


def server_of(
    pki: Pki, leaf: str = "server", trust: str = "clients", probe: str = "client", **more: Any
) -> Any:
    """The source of a Server A."""
    return {
        "server/sites/orders.conf": SITE.encode(),
        **laid("server", "orders", pki.credential(leaf, trust, "server", **more)),
        **(laid("server", "probe", pki.credential(probe, whole=probe == "client")) if probe else {}),
    }


def proxy_of(
    pki: Pki,
    leaf: str = "client",
    trust: str = "servers",
    whole: bool = True,
    ours: bool = True,
    port: int = PORT,
) -> Any:
    """The source of a Server B."""
    where, path = ("= /.mtls/probe/r", "/.mtls/probe") if ours else ("/", "")
    return {
        "proxy/listeners/1.conf": (LISTENER % (where, NAME, NAME, path)).encode(),
        "proxy/routes/r.conf": UPSTREAM.format(port=port).encode(),
        **laid("proxy", "client", pki.credential(leaf, trust, "proxy", whole)),
    }


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


class Tried:
    """One host on which releases are tried."""

    def __init__(self, host: Any) -> None:
        self.host = host
        host.write("/lab/try_out.py", (Path(__file__).parent / "try_out.py").read_text())

    def __call__(self, source: dict[str, bytes]) -> dict[str, Any]:
        text = json.dumps({path: base64.b64encode(data).decode() for path, data in source.items()})
        found: dict[str, Any] = json.loads(self.host.sh(f"{RUN} 2>&1", stdin=text).splitlines()[-1])
        assert self.left() == ""
        return found

    def left(self) -> str:
        """What is left of any trial: processes, files, sockets."""
        return self.host.sh(
            "pgrep -af '^nginx: .*mutual-tls|^python3 try_out';"
            "ls -d /run/mutual-tls* 2>/dev/null; grep '[m]utual-tls' /proc/net/unix",
            check=False,
        )

    def serve(self, source: dict[str, bytes]) -> None:
        """Let the host's own nginx serve the release's site, with no help of ours."""
        files = {path: data.replace(b"@MTLS_RELEASE@", b"/etc/nginx/a") for path, data in source.items()}
        for path, data in files.items():
            self.host.write(f"/etc/nginx/a/{path}", data.decode())
        self.host.write("/etc/nginx/conf.d/a.conf", "include /etc/nginx/a/server/sites/*.conf;\n")
        self.host.sh("nginx -t -q && systemctl reset-failed nginx && systemctl restart nginx")


@pytest.fixture(scope="module")
def tried(machine: Any) -> Tried:
    """One state for all: what is tried leaves nothing, and ``serve`` replaces what was served."""
    machine.reset()
    return Tried(machine)


def verdicts(found: dict[str, Any]) -> dict[str, set[str]]:
    assert found["rows"], found
    told: dict[str, set[str]] = {}
    for row in found["rows"]:
        told.setdefault(row["probe"], set()).add(row["verdict"])
    return told


def good(found: dict[str, Any]) -> list[str]:
    return sorted({row["got"] for row in found["rows"] if row["probe"] == "client accepted"})


A_CASES = {
    "right": ({}, "ok", ""),
    "no probe identity": ({"probe": ""}, "inconclusive", ""),
    "wrong trust": ({"trust": "strangers"}, "failed", "code 2"),
    "client leaf only": ({"probe": "client"}, "failed", "code 2"),
    "client of wrong purpose": ({"probe": "purpose"}, "failed", "code 2"),
    "client expired": ({"probe": "expired"}, "failed", "code 10"),
    "client of unknown CA": ({"probe": "stranger"}, "failed", "code 2"),
}


def a_source(pki: Pki, case: str) -> dict[str, bytes]:
    source = server_of(pki, **A_CASES[case][0])
    probe = A_CASES[case][0].get("probe")
    if probe:
        whole = case != "client leaf only"
        source.update(laid("server", "probe", pki.credential(probe, whole=whole)))
    return source


@pytest.mark.parametrize("case", A_CASES)
def test_each_kind_of_client_of_a(tried: Tried, pki: Pki, case: str) -> None:
    dummy, verdict, words = A_CASES[case]
    found = tried(a_source(pki, case))
    print(tried.host.image, "A", case, found["ms"], "ms", good(found), verdicts(found))
    told = verdicts(found)
    assert told["client accepted"] == {verdict}
    assert all(words in got for got in good(found))
    refused = {"inconclusive"} if verdict == "failed" else {"ok"}
    assert told["no certificate"] == told["foreign certificate"] == refused
    assert told["certificate served"] == {"ok"}


B_CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "right": ({}, {}, "ok", "SUCCESS"),
    "right, not ours": ({}, {"ours": False}, "inconclusive", "200"),
    "wrong trust": ({}, {"trust": "strangers"}, "failed", "server's certificate is not accepted, code"),
    "leaf only": ({}, {"whole": False}, "failed", "400"),
    "leaf only, not ours": ({}, {"whole": False, "ours": False}, "failed", "400"),
    "wrong purpose": ({}, {"leaf": "purpose"}, "failed", "400"),
    "expired": ({}, {"leaf": "expired"}, "failed", "400"),
    "unknown CA": ({}, {"leaf": "stranger"}, "failed", "400"),
    "A down": ({}, {"port": 8444}, "failed", "Connection refused"),
    "A of another name": ({"leaf": "server-name"}, {}, "failed", "another name"),
    "A of an unknown CA": ({"leaf": "server-stranger"}, {}, "failed", "code 2"),
    "A leaf only": ({"whole": False}, {}, "failed", "code 2"),
    "A expired": ({"leaf": "server-expired"}, {}, "failed", "code 10"),
    "A of wrong purpose": ({"leaf": "server-purpose"}, {}, "failed", "code 26"),
}


@pytest.mark.parametrize("case", B_CASES)
def test_each_fault_between_b_and_a(tried: Tried, pki: Pki, case: str) -> None:
    live, staged, verdict, words = B_CASES[case]
    tried.serve(server_of(pki, **live))
    found = tried(proxy_of(pki, **staged))
    print(tried.host.image, "B", case, found["ms"], "ms", [row["got"] for row in found["rows"]])
    assert verdicts(found) == {"server of the route": {verdict}}
    assert words in found["rows"][0]["got"]
    assert f"127.0.0.1:{staged.get('port', PORT)}" in found["rows"][0]["target"]


def test_what_nginx_cannot_load_is_said_and_is_no_pass(tried: Tried, pki: Pki) -> None:
    source = server_of(pki)
    source["server/credentials/orders/privkey.pem"] = b"-----BEGIN PRIVATE KEY-----\nAAAA\n"
    found = tried(source)
    assert found["code"] == "nginx.trial_not_run"
    assert "cannot load certificate key" in found["error"]
    assert "AAAA" not in json.dumps(found)


@pytest.mark.parametrize("part", ["server", "proxy"])
@pytest.mark.parametrize("whom", ["try_out.py", "guardian", "nginx: master", "nginx: worker"])
def test_nothing_outlives_a_killed_trial(tried: Tried, pki: Pki, part: str, whom: str) -> None:
    source = server_of(pki) if part == "server" else proxy_of(pki)
    text = json.dumps({path: base64.b64encode(data).decode() for path, data in source.items()})
    with subprocess.Popen(
        ["podman", "exec", "-i", tried.host.container, "timeout", "20", "bash", "-c", f"exec env {HOLD}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin and running.stdout
        running.stdin.write(text)
        running.stdin.close()
        assert running.stdout.readline() == "here\n"
        pids = tried.host.sh(
            "pgrep -f '^python3 try_out.py hold'; pgrep -f '^nginx: master.*mutual-tls'"
        ).split()
        module, guardian, master = [pid for pid in pids if pid]
        worker = tried.host.sh(f"pgrep -P {master}")
        assert tried.host.sh(f"stat -c %a /run/mutual-tls.{module}.0/mutual-tls.{module}.0") == "700"
        assert "www-data" in tried.host.sh(f"ps -o user= -p {worker}")
        victim = {
            "try_out.py": module,
            "guardian": guardian,
            "nginx: master": master,
            "nginx: worker": worker,
        }
        tried.host.sh(f"kill -KILL {victim[whom]}")
        time.sleep(0.3)
        # An orphan of a killed master ends with who asks; a master makes a worker anew. Zombies are none.
        states = tried.host.sh(f"ps -o stat= -p {guardian},{master},{worker}", check=False).split()
        if whom in ("try_out.py", "guardian"):
            assert [state for state in states if not state.startswith("Z")] == []
        tried.host.sh(f"kill -KILL {module}", check=False)
        running.wait()
    time.sleep(0.3)
    assert tried.host.sh("pgrep -af '^nginx.*mutual-tls'; pgrep -f '^python3 try_out.py'", check=False) == ""
    inner = tried.host.sh(f"ls /run/mutual-tls.{module}.0", check=False)
    assert "mutual-tls" not in inner or whom == "guardian"
    assert tried.host.sh("systemctl is-active nginx") == "active"
    tried.host.sh("rm -rf /run/mutual-tls.* /root/tmp*")


def given(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    """A credential as the module's option."""
    found: dict[str, Any] = {
        "name": name,
        "certificate_content": files["fullchain.pem"].decode(),
        "private_key_content": files["privkey.pem"].decode(),
    }
    if "trust.pem" in files:
        found["trust"] = {"sources": [{"content": files["trust.pem"].decode()}]}
    return found


def server_part(pki: Pki, trust: str = "clients", probe: bool = True) -> dict[str, Any]:
    credentials = [given("orders", pki.credential("server", trust, "server"))]
    credentials += [given("probe", pki.credential("client", whole=probe))]
    return {"server": {"credentials": credentials, "sites": [{"name": "orders", "content": SITE}]}}


def proxy_part(pki: Pki, whole: bool = True, port: int = PORT) -> dict[str, Any]:
    source = proxy_of(pki, port=port)
    return {
        "proxy": {
            "credentials": [given("client", pki.credential("client", "servers", "proxy", whole))],
            "routes": [{"name": "r", "content": source["proxy/routes/r.conf"].decode()}],
            "listeners": [{"name": "1", "content": source["proxy/listeners/1.conf"].decode()}],
        }
    }


@pytest.mark.parametrize("check", [False, True])
def test_a_call_stops_before_the_switch(host: Any, pki: Pki, check: bool) -> None:
    """Of both parts, also in check mode; nothing below the base is another one then."""
    mode = {"_ansible_check_mode": check}
    done = host.call(parts=server_part(pki))
    assert done.get("state") == "stable", done
    print(host.image, "A", done["seconds"])
    done = host.call(parts=proxy_part(pki))
    assert done.get("state") == "stable", done
    print(host.image, "B", done["seconds"])
    assert done["seconds"]["trial"] < 5
    before = host.sh(
        "cd /etc/nginx && find . -type f ! -name .lock -exec sha256sum {} + | sort; ls mtls mtls/releases"
    )
    for parts, words in (
        (server_part(pki, trust="strangers"), "the client is not accepted, code 2"),
        (server_part(pki, probe=False), "the client is not accepted, code 2"),
        (proxy_part(pki, whole=False), "400: the client certificate is not accepted"),
        (proxy_part(pki, port=8444), "Connection refused"),
    ):
        told = host.call(parts=parts, **mode)
        assert told.get("failed") and told["state"] == "checked", told
        assert "Nothing was switched" in told["msg"] and words in told["msg"]
        assert "failed" in {row["verdict"] for row in told["proof"]}
        assert "PRIVATE" not in json.dumps(told["msg"]) + json.dumps(told["proof"])
        after = host.sh(
            "cd /etc/nginx && find . -type f ! -name .lock -exec sha256sum {} + | sort; ls mtls mtls/releases"
        )
        assert after == before
    assert host.sh("ls -d /run/mutual-tls* 2>/dev/null", check=False) == ""


def test_check_mode_tries_what_a_first_install_would_serve(host: Any, pki: Pki) -> None:
    told = host.call(parts=server_part(pki, trust="strangers"), _ansible_check_mode=True)
    assert told.get("failed") and "the client is not accepted, code 2" in told["msg"], told
    fine = host.call(parts=server_part(pki), _ansible_check_mode=True)
    assert (fine.get("failed", False), fine["changed"], fine["state"]) == (False, True, "checked"), fine
    assert "trial" in fine["seconds"]
    assert host.sh(f"ls -d {BASE} /run/mutual-tls* 2>/dev/null", check=False) == ""
