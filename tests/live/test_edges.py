# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `mtls_edges` says without asking anybody, and what nginx says to the same files.

Each row is a site with a client of its own, or a route with a Server A of its own, on one host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pki import CLIENT, SERVER, Authority, now
from rendered import proxy_blocks, server_parts

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import edges
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils import test_edges as offline
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import fleet

ROOT = Path(__file__).resolve().parents[2]
KEYS = "/srv/keys"
A, B, NAME = "a1.example.com", "b1.example.com", offline.NAME
DN, SERIAL = "CN=b1,O=Shop", 0x1FAB
LISTED = {"issuer": "CN=Root,O=Shop", "serial": "1fab"}
USUAL: dict[str, Any] = {
    "client": "client",
    "server": "server",
    **{f"{side}_trust": ["root"] for side in ("client", "server")},
    **{f"{side}_crl": None for side in ("client", "server")},
    **{f"{side}_depth": 1 for side in ("client", "server")},
    "allow": [],
    "verify": "on",
}
#: Who is refused, by what, and a twin that is not. Names are those of files (`Files`).
ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "unknown CA": ("client", {"client": "client-other"}, {"client": "client"}),
    "unknown root": ("client", {"client": "client-other-root"}, {"client": "client-root"}),
    "missing intermediate": ("client", {"client": "client-middle"}, {"client": "client-middle-chain"}),
    "depth": ("client", {"client": "client-deep"}, {"client": "client-deep", "server_depth": 2}),
    "purpose": ("client", {"client": "client-purpose"}, {"client": "client"}),
    "expired": ("client", {"client": "client-expired"}, {"client": "client"}),
    "revoked": ("client", {"server_crl": "client.crl"}, {"server_crl": "client-twin.crl"}),
    "allowlist, dn": ("client", {"allow": [{"dn": "CN=b1"}]}, {"allow": [{"dn": DN}]}),
    "allowlist, serial": ("client", {"allow": [{**LISTED, "serial": "1fac"}]}, {"allow": [LISTED]}),
    "allowlist, issuer": ("client", {"allow": [{**LISTED, "issuer": "CN=Root"}]}, {"allow": [LISTED]}),
    "probe identity": ("client", {"client": "client-probe"}, {"client": "client-no-probe"}),
    "optional": (
        "client",
        {"client": "client-other", "verify": "optional"},
        {"client": "client-other", "verify": "optional_no_ca"},
    ),
    "optional_no_ca, expired": (
        "client",
        {"client": "client-expired", "verify": "optional_no_ca"},
        {"client": "client", "verify": "optional_no_ca"},
    ),
    "optional_no_ca, unknown CA and expired": (
        "client",
        {"client": "client-other-expired", "verify": "optional_no_ca"},
        {"client": "client-other", "verify": "optional_no_ca"},
    ),
    "optional_no_ca, allowlist": (
        "client",
        {"client": "client-other", "verify": "optional_no_ca", "allow": [{"dn": DN}]},
        {"client": "client", "verify": "optional_no_ca", "allow": [{"dn": DN}]},
    ),
    "A's name": ("server", {"server": "server-name"}, {"server": "server-names"}),
    "A of an unknown CA": ("server", {"server": "server-other"}, {"server": "server"}),
    "A's purpose": ("server", {"server": "server-purpose"}, {"server": "server"}),
    "A's intermediate": ("server", {"server": "server-middle"}, {"server": "server-middle-chain"}),
    "A's depth": ("server", {"server": "server-deep"}, {"server": "server-deep", "client_depth": 2}),
    "A expired": ("server", {"server": "server-expired"}, {"server": "server"}),
    "A revoked": (
        "server",
        {"client_crl": "server.crl", "server": "server"},
        {"client_crl": "server-twin.crl", "server": "server"},
    ),
}
CASES = [(name, kind) for name in ROWS for kind in ("bad", "good")]


def wanted(name: str, kind: str) -> dict[str, Any]:
    _side, bad, good = ROWS[name]
    return {**USUAL, **(bad if kind == "bad" else good)}


class Files:
    """Clients and servers, each with what is sound and what is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root, other = Authority.make("CN=Root,O=Shop"), Authority.make("CN=Other,O=Shop")
        middle = root.intermediate("CN=Middle")
        lower = middle.intermediate("CN=Lower")
        (folder / "root.pem").write_bytes(root.pem())
        for side, usage, wrong, subject, names in (
            ("client", CLIENT, SERVER, DN, ()),
            ("server", SERVER, CLIENT, "CN=a", (NAME,)),
        ):
            self.leaf(other, f"{side}-other", subject, usage, names)
            self.leaf(other, f"{side}-other-root", subject, usage, names, other)
            self.leaf(root, f"{side}-root", subject, usage, names, root)
            self.leaf(middle, f"{side}-middle", subject, usage, names)
            self.leaf(middle, f"{side}-middle-chain", subject, usage, names, middle)
            self.leaf(lower, f"{side}-deep", subject, usage, names, lower, middle)
            self.leaf(root, f"{side}-purpose", subject, wrong, names)
            root.leaf(folder / f"{side}-expired", subject, usage, names=names, days=(-9, -1))
            found = root.leaf(folder / side, subject, usage, names=names, serial=SERIAL + (side == "server"))
            twin = root.leaf(folder / f"{side}-twin", subject, usage, names=names)
            (folder / f"{side}.crl").write_bytes(root.revocation_list(found))
            (folder / f"{side}-twin.crl").write_bytes(root.revocation_list(twin))
        other.leaf(folder / "client-other-expired", DN, CLIENT, days=(-9, -1))
        self.leaf(root, "client-probe", "CN=mtls-probe.a1", CLIENT)
        self.leaf(root, "client-no-probe", "CN=probe.a1", CLIENT)
        self.leaf(root, "server-name", "CN=a", SERVER, ("stock.example.com",))
        self.leaf(root, "server-names", "CN=a", SERVER, ("stock.example.com", NAME))

    def leaf(
        self,
        issuer: Authority,
        name: str,
        subject: str,
        usage: Any,
        names: tuple[str, ...] = (),
        *chain: Authority,
    ) -> None:
        issuer.leaf(self.folder / name, subject, usage, names=names)
        with (self.folder / f"{name}.pem").open("ab") as file:
            file.write(b"".join(one.pem() for one in chain))

    def pem(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def pair(self, name: str) -> dict[str, str]:
        return {end: str(self.folder / f"{name}.{end}") for end in ("pem", "key")}


class Offline(offline.World):
    def judged(self, model: dict[str, Any], hosts: Any = None) -> dict[str, Any]:
        return edges.judge(model, self.variables, hosts, {}, now())


def said_offline(files: Files, folder: Path, name: str, kind: str) -> str:
    """``accepted`` or ``refused``, of what is wanted and installed."""
    given = wanted(name, kind)
    for side in ("client", "server"):
        given[side] = files.pem(f"{given[side]}.pem")
        given[f"{side}_trust"] = b"".join(files.pem(f"{one}.pem") for one in given[f"{side}_trust"])
        given[f"{side}_crl"] = given[f"{side}_crl"] and files.pem(given[f"{side}_crl"])
    (edge,) = Offline(folder).run(given, before=given)["edges"]
    found: str = edge[f"{ROWS[name][0]}_accepted"]["after"]
    return found


SERVER_A = """
server {
    listen 127.0.0.1:PORT ssl;
    server_name NAME;
    ssl_certificate FOLDER/CERTIFICATE.pem;
    ssl_certificate_key FOLDER/CERTIFICATE.key;
    ssl_client_certificate FOLDER/root.pem;
    ssl_verify_client on;
    location = /.mtls/probe {
        return 200 "a $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }
    location / { return 200 "a"; }
}
"""


class Scene:
    """A host that is A in the rows of clients and B in those of servers, and the statuses of all."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.files = Files(folder)
        machine.reset()
        for path in sorted([*folder.glob("*.pem"), *folder.glob("*.key")]):
            machine.write(f"{KEYS}/{path.name}", path.read_text())
        for name, place in (("ask.py", "live"), ("caller.py", "lab"), ("far_side.py", "lab")):
            machine.write(f"/lab/{name}", (ROOT / "tests" / place / name).read_text())
        machine.sh("systemctl stop far-side", check=False)
        machine.sh("systemd-run --quiet --unit=far-side python3 /lab/far_side.py 8000")
        version = machine.sh("nginx -v 2>&1 | sed 's|.*/||; s| .*||'")
        self.ports = {case: 8100 + number for number, case in enumerate(CASES)}
        (folder / "a").mkdir()
        parts = server_parts(folder / "a", version, {A: self.sites()})["parts"][A]
        servers = [case for case in CASES if ROWS[case[0]][0] == "server"]
        routes = [
            {
                "name": f"r{self.ports[case]}",
                "listen": "127.0.0.1:8080",
                "path": f"/{self.ports[case]}/",
                "server_name": NAME,
                "servers": [f"127.0.0.1:{self.ports[case]}"],
                "credential": f"r{self.ports[case]}",
            }
            for case in servers
        ]
        names = [{"name": route["credential"]} for route in routes]
        (folder / "b").mkdir()
        model = fleet(
            folder / "b", {A: {}}, {B: {"mtls_proxy_routes": routes, "mtls_proxy_credentials": names}}
        )
        parts["proxy"] = {
            "credentials": [self.credential(case) for case in servers],
            **proxy_blocks(folder / "b", model, B, version),
        }
        self.serve(machine, dict.fromkeys(servers, "server-root"))
        done = machine.call(parts=parts, timeout_s=30)
        assert done.get("state") == "stable", done.get("msg")
        self.serve(machine, {case: wanted(*case)["server"] for case in servers})
        asked = {
            json.dumps(case): {
                "port": self.ports[case],
                "sni": NAME,
                "who": wanted(*case)["client"],
            }
            for case in CASES
            if case not in servers
        }
        told = json.loads(machine.sh(f"python3 /lab/ask.py {KEYS}", stdin=json.dumps(asked)))
        self.statuses = {tuple(json.loads(case)): answer.get("status") for case, answer in told.items()}
        questions = [{"port": 8080, "path": f"/{self.ports[case]}/"} for case in servers]
        answers = json.loads(machine.sh("python3 /lab/caller.py", stdin=json.dumps(questions)))
        self.statuses.update({case: answer.get("status") for case, answer in zip(servers, answers)})

    def sites(self) -> dict[str, Any]:
        """A's variables."""
        sites, credentials = [], []
        for case in CASES:
            given, name = wanted(*case), f"s{self.ports[case]}"
            if ROWS[case[0]][0] != "client":
                continue
            pair = self.files.pair("server")
            crl = (
                {"crl": [{"src": str(self.files.folder / given["server_crl"])}]}
                if given["server_crl"]
                else {}
            )
            credentials.append(
                {
                    "name": name,
                    "issuer": "files",
                    "files": {"certificate": pair["pem"], "private_key": pair["key"]},
                    "trust": {"sources": [{"src": str(self.files.folder / "root.pem")}]},
                    "verify_depth": given["server_depth"],
                    **crl,
                }
            )
            sites.append(
                {
                    "name": name,
                    "server_names": [NAME],
                    "listen": [str(self.ports[case])],
                    "credential": name,
                    "allow": given["allow"],
                    "verify": given["verify"],
                }
            )
        return {"mtls_server_sites": sites, "mtls_server_credentials": credentials}

    def credential(self, case: tuple[str, str]) -> dict[str, Any]:
        """B's for a route."""
        given, pair = wanted(*case), self.files.pair("client")
        crl = (
            {"crl": [{"content": self.files.pem(given["client_crl"]).decode()}]}
            if given["client_crl"]
            else {}
        )
        return {
            "name": f"r{self.ports[case]}",
            "certificate_content": Path(pair["pem"]).read_text(),
            "private_key_content": Path(pair["key"]).read_text(),
            "trust": {"sources": [{"content": self.files.pem("root.pem").decode()}]},
            "verify_depth": given["client_depth"],
            **crl,
        }

    def serve(self, machine: Any, certificates: dict[tuple[str, str], str]) -> None:
        text = "".join(
            SERVER_A.replace("PORT", str(self.ports[case]))
            .replace("NAME", NAME)
            .replace("FOLDER", KEYS)
            .replace("CERTIFICATE", name)
            for case, name in certificates.items()
        )
        machine.write("/etc/nginx/conf.d/a.conf", text)
        machine.sh("nginx -t -q && systemctl reload nginx && sleep 1")


@pytest.fixture(scope="module")
def scene(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    yield Scene(machine, tmp_path_factory.mktemp("edges"))
    machine.sh("systemctl stop far-side", check=False)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nginx_says_what_the_filter_says(scene: Scene, tmp_path: Path, name: str, kind: str) -> None:
    outcome = said_offline(scene.files, tmp_path, name, kind)
    assert outcome == {"bad": "refused", "good": "accepted"}[kind]
    refusals = (400, 403) if ROWS[name][0] == "client" else (502,)
    status = scene.statuses[name, kind]
    assert (status == 200) == (outcome == "accepted"), status
    assert status == 200 or status in refusals
