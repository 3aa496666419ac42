# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request of one identity of Server B reaches A as another's, by pool or by session: under load, while
both reload all the time. And where identities share an upstream, as tutorials have it, they do.

MTLS_LEAK_SECONDS is how long the load lasts (`make leaks`); `make live` takes a sample.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rendered
from cryptography.hazmat.primitives import hashes
from pki import CLIENT, SERVER, Authority

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import fleet

LAB = Path(__file__).resolve().parents[1] / "lab"
SECONDS = int(os.environ.get("MTLS_LEAK_SECONDS", "15"))
TWIN_SECONDS = 5
B = "b.test"
#: Protocol → port of the one A.
PORTS = {"12": 1443, "13": 2443}
PROTOCOLS = {"12": "TLSv1.2", "13": "TLSv1.3"}
#: Identity → where its routes are, and the pool: two by path on one listener, two by port.
IDENTITIES: dict[str, tuple[int, str, Any]] = {
    "one": (8080, "/one/", "auto"),
    "two": (8080, "/two/", "auto"),
    "three": (8081, "/", 0),
    "four": (8082, "/", 2),
}
A_HOST = {
    "mtls_server_sites": [
        {"name": f"tls{key}", "server_names": ["a.test"], "listen": [str(port)]}
        for key, port in PORTS.items()
    ]
}
# With all that makes sessions last: whoever resumes one is taken for the one that began it.
A_CONF = """
user www-data;
worker_processes 2;
pid /run/far-a.pid;
error_log /var/log/nginx/far-a.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000;
    ssl_session_cache shared:far:2m;
    ssl_certificate /root/pki/a.pem;
    ssl_certificate_key /root/pki/a.key;
    ssl_client_certificate /root/pki/clients.pem;
    ssl_verify_client on;
"""
A_SERVER = """
    server {
        listen PORT ssl;
        server_name a.test;
        ssl_protocols PROTOCOL;
        location = /.mtls/probe {
            return 200 "a $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
        }
        location / {
            return 200 "$ssl_client_fingerprint $ssl_session_reused $connection_requests $ssl_protocol\\n";
        }
    }
"""


def routes() -> list[dict[str, Any]]:
    return [
        {
            "name": f"{name}-{key}",
            "listen": f"127.0.0.1:{listen}",
            "path": f"{path}{key}/",
            "server_name": "a.test",
            "servers": [f"a.test:{port}"],
            "credential": name,
            "keepalive": keepalive,
        }
        for key, port in PORTS.items()
        for name, (listen, path, keepalive) in IDENTITIES.items()
    ]


class World:
    """B on a host with one A beside it, an nginx of its own."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.machine = machine
        clients, servers = Authority.make("CN=Clients CA"), Authority.make("CN=Servers CA")
        self.sha1 = {
            name: clients.leaf(folder / name, f"CN={name}", CLIENT).fingerprint(hashes.SHA1()).hex()
            for name in IDENTITIES
        }
        servers.leaf(folder / "a", "CN=a", SERVER, names=("a.test",))
        for name, text in (
            ("a.pem", (folder / "a.pem").read_text()),
            ("a.key", (folder / "a.key").read_text()),
            ("clients.pem", clients.pem().decode()),
        ):
            machine.write(f"/root/pki/{name}", text)
        blocks = [
            A_SERVER.replace("PORT", str(port)).replace("PROTOCOL", PROTOCOLS[key])
            for key, port in PORTS.items()
        ]
        machine.write("/root/far-a.conf", A_CONF + "".join(blocks) + "}\n")
        machine.write("/root/load.py", (LAB / "load.py").read_text())
        machine.sh("grep -q a.test$ /etc/hosts || echo '127.0.0.1 a.test' >>/etc/hosts")
        machine.sh("systemctl stop far-a 2>/dev/null; systemd-run --quiet --collect --unit far-a"
                   " nginx -c /root/far-a.conf -g 'daemon off;'; sleep 1")  # fmt: skip
        variables = {
            "mtls_proxy_routes": routes(),
            "mtls_proxy_credentials": [{"name": name} for name in IDENTITIES],
        }
        model = fleet(folder, {"a.test": A_HOST}, {B: variables})
        version = machine.sh("nginx -v 2>&1").split("/")[1].split()[0]
        self.blocks = rendered.proxy_blocks(folder, model, B, version)
        credentials = [
            {
                "name": name,
                "certificate_content": (folder / f"{name}.pem").read_text(),
                "private_key_content": (folder / f"{name}.key").read_text(),
                "trust": {"sources": [{"content": servers.pem().decode()}]},
            }
            for name in IDENTITIES
        ]
        done = machine.call(parts={"proxy": {"credentials": credentials, **self.blocks}}, timeout_s=15)
        assert done.get("state") == "stable", done["msg"]
        assert {row["verdict"] for row in done["proof"]} == {"ok"}
        self.release = done["release"]

    def share(self, owner: str, more: int) -> None:
        """Beside the release its listeners, *more* ports up, where all lead to the upstreams of *owner*."""
        for block in self.blocks["listeners"]:
            text = re.sub(
                r"https://mtls_proxy_[a-z]+(D1[23])", rf"https://mtls_proxy_{owner}\1", block["content"]
            )
            text = re.sub(
                r"listen 127\.0\.0\.1:(\d+)", lambda at: f"listen 127.0.0.1:{int(at[1]) + more}", text
            )
            text = text.replace("$mtls_proxy_", f"$mtls_twin_{more}_")
            text = text.replace("@MTLS_RELEASE@", f"/etc/nginx/mtls/releases/{self.release}")
            self.machine.write(f"/etc/nginx/conf.d/twin-{more}-{block['name']}.conf", text)
        self.machine.sh("nginx -t -q && systemctl reload nginx && sleep 1")

    def load(
        self, seconds: int, more: int = 0, names: tuple[str, ...] = tuple(IDENTITIES), reloads: bool = True
    ) -> dict[str, Any]:
        asked = [
            (listen + more, f"{path}{key}/", self.sha1[name])
            for key in PORTS
            for name, (listen, path, _keepalive) in IDENTITIES.items()
            if name in names
        ]
        pids = ["/run/far-a.pid", "/run/nginx.pid"] if reloads else []
        given = {"seconds": seconds, "routes": asked, "pids": pids}
        told: dict[str, Any] = json.loads(self.machine.sh(f"python3 /root/load.py '{json.dumps(given)}'"))
        return told


@pytest.fixture(name="world", scope="module")
def _world(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    machine.reset()
    yield World(machine, tmp_path_factory.mktemp("leaks"))
    machine.sh("systemctl stop far-a")


def told(capsys: Any, world: World, what: str, found: dict[str, Any]) -> None:
    with capsys.disabled():
        print(f"\n{world.machine.image}, {what}: {found.pop('requests')} requests,", end=" ")
        print(f"{found.pop('wrong')} wrong identities, {json.dumps(found)}")


def test_no_identity_is_taken_for_another(world: World, capsys: Any) -> None:
    found = world.load(SECONDS)
    requests, wrong, kinds = found["requests"], found["wrong"], found["kinds"]
    told(capsys, world, "an upstream for each identity", found)
    assert wrong == 0
    assert requests > 50 * SECONDS
    assert found["reloads"] > SECONDS / 2
    # All the ways on which an identity might go astray were taken.
    for protocol in PROTOCOLS.values():
        for how in ("new", "resumed", "pooled"):
            assert kinds.get(f"{protocol} {how}", 0) > 10, kinds


@pytest.mark.parametrize(("owner", "more"), [("one", 100), ("three", 200)])
def test_identities_that_share_an_upstream_are_taken_for_another(
    world: World, capsys: Any, owner: str, more: int
) -> None:
    """With idle connections, and without any, by sessions alone."""
    world.share(owner, more)
    found = world.load(TWIN_SECONDS, more)
    requests, wrong = found["requests"], found["wrong"]
    told(capsys, world, f"one upstream, {'pool' if owner == 'one' else 'sessions'}", found)
    assert wrong > requests / 100


def test_a_pool_that_is_smaller_than_the_load_keeps_few_connections(world: World, capsys: Any) -> None:
    """Why a keepalive below auto is a warning. B closes what is beyond, so its host has the remains."""
    made, remains = {}, {}
    for name in ("one", "four"):
        before = time_wait(world)
        found = world.load(3, names=(name,), reloads=False)
        requests, kinds = found["requests"], found["kinds"]
        told(capsys, world, f"keepalive {IDENTITIES[name][2]}", found)
        made[name] = 1 - sum(count for kind, count in kinds.items() if kind.endswith("pooled")) / requests
        remains[name] = time_wait(world) - before
    assert made["one"] < 0.02
    # How many more depends on how many of the callers a busy machine lets ask at once.
    assert made["four"] > 10 * made["one"]
    assert remains["four"] > 10 * max(1, remains["one"])


def time_wait(world: World) -> int:
    """What `ss` counts on B towards A."""
    return int(world.machine.sh("ss -Htn state time-wait '( dport = :1443 or dport = :2443 )' | wc -l"))
