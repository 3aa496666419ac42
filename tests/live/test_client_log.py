# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx writes into the access log of a site, and what `client_log_info` reads there: as many requests
as were made, by whom they were made, through rotation and compression."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rendered
from cryptography.hazmat.primitives import hashes, serialization
from pki import CLIENT, SERVER, Authority

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate

ROOT = Path(__file__).resolve().parents[2]
KEYS = "/srv/keys"
LOG = "/var/log/nginx/mtls-orders.access.log"
STATE = "/etc/nginx/mtls/state.json"
#: A name in which everything is escaped that nginx and JSON escape.
OLD = 'CN=Old \\"CA\\"\\, \\\\1,O=Gr\u00f6\u00dfe'
PROBE = "/.mtls/probe"


class Pki:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        old, new, none = Authority.make(OLD), Authority.make("CN=New CA"), Authority.make("CN=Nobody's")
        (folder / "both.pem").write_bytes(old.pem() + new.pem())
        self.made = {
            "old-1": old.leaf(folder / "old-1", 'CN=b1\\"\\,\\\\\u00fc', CLIENT, serial=0x0A),
            "old-2": old.leaf(folder / "old-2", "CN=b2", CLIENT),
            "new-1": new.leaf(folder / "new-1", 'CN=b1\\"\\,\\\\\u00fc', CLIENT, serial=0x0A),
            "proves": old.leaf(folder / "proves", "CN=b3", CLIENT),
            "stranger": none.leaf(folder / "stranger", "CN=b1", CLIENT),
        }
        new.leaf(folder / "probe", "CN=mtls-probe.a1", CLIENT)
        new.leaf(folder / "server", "CN=a1", SERVER, names=("orders.a.test",))

    def facts(self, name: str) -> dict[str, Any]:
        """What `credential_info` says of a client."""
        return dict(certificate.describe(self.made[name].public_bytes(serialization.Encoding.DER)))

    def variables(self, **more: Any) -> dict[str, Any]:
        def pair(name: str) -> dict[str, str]:
            return {
                "certificate": str(self.folder / f"{name}.pem"),
                "private_key": str(self.folder / f"{name}.key"),
            }

        site = {
            "name": "orders",
            "server_names": ["orders.a.test"],
            "listen": ["443"],
            "credential": "server",
            "extra_server": "location = /own { return 200 own; }",
        }
        return {
            "mtls_server_credentials": [
                {
                    "name": "server",
                    "issuer": "files",
                    "files": pair("server"),
                    "hostnames": ["orders.a.test"],
                    "trust": {"sources": [{"src": str(self.folder / "both.pem")}]},
                    "probe": pair("probe"),
                }
            ],
            "mtls_server_sites": [{**site, **more}],
        }


class Scene:
    """A Server A with one site, and who asked it how often."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host, self.pki = host, Pki(folder)
        self.asked: Counter[str] = Counter()
        for path in sorted([*folder.glob("*.pem"), *folder.glob("*.key")]):
            host.write(f"{KEYS}/{path.name}", path.read_text())
        host.write("/lab/ask.py", (ROOT / "tests" / "live" / "ask.py").read_text())
        version = host.sh("nginx -v 2>&1 | sed 's|.*/||; s| .*||'")
        silent = "access_log off;"
        hosts = {"a1": self.pki.variables(), "silent": self.pki.variables(extra_location=silent)}
        self.parts = rendered.server_parts(folder, version, hosts)["parts"]
        done = host.call(parts=self.parts["a1"])
        assert done.get("state") == "stable", done

    def ask(self, who: str, times: int = 1, **more: Any) -> list[Any]:
        """The answers' statuses; "" for nobody."""
        given = {"port": 443, "sni": "orders.a.test", "path": "/own", **({"who": who} if who else {}), **more}
        asked = {str(number): given for number in range(times)}
        found = json.loads(self.host.sh(f"python3 /lab/ask.py {KEYS}", stdin=json.dumps(asked)))
        self.asked[who] += times
        return [one.get("status") for one in found.values()]

    def rotate(self, module: str = "", suffix: str = "") -> None:
        """As logrotate: the older ones move on, nginx opens its log anew, the newest is compressed."""
        self.host.sh(f"""
            for number in 9 8 7 6 5 4 3 2 1; do
                for file in {LOG}.$number*; do
                    [ ! -e $file ] || mv $file {LOG}.$((number + 1))${{file#{LOG}.$number}}
                done
            done
            mv {LOG} {LOG}.1
            nginx -s reopen
            while [ ! -e {LOG} ]; do sleep 0.05; done
        """)
        if module:
            self.host.sh(
                f"python3 - {LOG}.1",
                stdin=f"import {module}, pathlib, sys\nlog = pathlib.Path(sys.argv[1])\n"
                f"pathlib.Path(f'{{log}}.{suffix}').write_bytes({module}.compress(log.read_bytes()))\nlog.unlink()\n",
            )

    def look(self, **options: Any) -> dict[str, Any]:
        found = self.host.module("client_log_info", **options)
        assert not found.get("failed"), found
        return dict(found)

    def clients(self, **options: Any) -> dict[str, dict[str, Any]]:
        """By their names in `Pki`; probe identities by their subject."""
        prints = {made.fingerprint(hashes.SHA1()).hex(): name for name, made in self.pki.made.items()}
        (site,) = self.look(**options)["sites"]
        return {prints.get(one["sha1"], one["subject"]): one for one in site["clients"]}

    def counts(self, **options: Any) -> dict[str, int]:
        return {name: one["requests"] for name, one in self.clients(**options).items()}


@pytest.fixture(scope="module")
def scene(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    machine.reset()
    return Scene(machine, tmp_path_factory.mktemp("clients"))


def test_as_many_requests_as_were_made(scene: Scene) -> None:
    """Through three rotations with a compression each: nothing is lost, nothing counted twice."""
    assert scene.ask("old-1", 7) == [200] * 7
    assert scene.ask("", 2) == [400] * 2
    assert scene.ask("stranger") == [400]
    scene.rotate("gzip", "gz")
    assert scene.ask("old-2", 3) == [200] * 3
    scene.rotate("bz2", "bz2")
    assert scene.ask("new-1", 5) == [200] * 5
    assert scene.ask("proves", 2, path=PROBE) == [200] * 2
    scene.rotate("lzma", "xz")
    assert scene.ask("old-1", 4) == [200] * 4
    scene.rotate()
    assert scene.ask("old-1", 1, path="/nothing-there") == [502]

    old = scene.pki.facts("old-1")["issuer"]
    found = scene.look(clients=[{"issuer": old}])
    (site,) = found["sites"]
    assert (found["complete"], found["unknown"]) == (True, []), found
    assert [Path(path).suffix for path in site["paths"]] == [".gz", ".bz2", ".xz", ".1", ".log"]
    # verified or not, each request is one line; the rest is the release's own proof
    refused = site["not_verified"]["reasons"]
    assert sum(count for reason, count in refused.items() if reason.startswith("FAILED:")) >= 1
    assert refused["NONE"] >= 2
    assert site["lines"] == sum(one["requests"] for one in site["clients"]) + site["not_verified"]["requests"]
    seen = scene.clients(clients=[{"issuer": old}])
    counts = {name: one["requests"] for name, one in seen.items() if not name.startswith("CN=mtls-probe.")}
    assert counts == {name: scene.asked[name] for name in ("old-1", "old-2", "new-1", "proves")}
    assert {name: one["matched"] for name, one in seen.items()} == {
        "old-1": True, "old-2": True, "new-1": False, "proves": True, "CN=mtls-probe.a1": False,
    }  # fmt: skip
    assert {name for name, one in seen.items() if one["only_probes"]} == {"proves", "CN=mtls-probe.a1"}
    assert seen["old-1"]["addresses"] == ["127.0.0.1"]
    # one name, one serial number, another issuer
    for name in ("old-1", "new-1"):
        facts = scene.pki.facts(name)
        assert {key: seen[name][key] for key in ("issuer", "serial", "subject")} == {
            key: facts[key] for key in ("issuer", "serial", "subject")
        }
    only = scene.clients(clients=[{"issuer": old, "serial": scene.pki.facts("old-1")["serial"]}])
    assert {name for name, one in only.items() if one["matched"]} == {"old-1"}

    scene.host.sh(f"mv {LOG}.3.bz2 /root/3")
    assert "missing between others: 3" in scene.look()["unknown"][0]
    assert "old-2" not in scene.clients()
    # as if the site had come two hours ago
    scene.host.sh(f"mv {LOG}.4.gz /root/4; cp -p {STATE} /root/state")
    scene.host.sh(f'sed -i \'s/"since": "[^"]*"/"since": "\'$(date -d \'-2 hours\' -Iseconds)\'"/\' {STATE}')
    assert "The log begins at" in scene.look()["unknown"][0]
    assert scene.counts()["old-1"] == 5
    scene.host.sh(f"mv /root/3 {LOG}.3.bz2; mv /root/4 {LOG}.4.gz; mv /root/state {STATE}")
    assert scene.look()["complete"]


def test_what_a_client_sends_stays_one_line(scene: Scene) -> None:
    """Quotation marks, fields, line feeds and bytes of a request do not leave their place."""
    forged = '/own","verify":"SUCCESS","serial":"FF","sha1":"00","issuer":"CN=forged","subject":"CN=forged'
    raw = "GET {} HTTP/1.1\r\nHost: orders.a.test\r\nConnection: close\r\n\r\n"
    lines, before = int(scene.host.sh(f"wc -l <{LOG}")), scene.look()["sites"][0]["lines"]
    scene.ask("old-1", raw=raw.format(forged))
    scene.ask("old-1", raw=raw.format("/\u00ff\\\u20ac\\"))
    scene.ask("old-1", raw=raw.format("/" + "x" * 7000))
    scene.ask("old-1", raw="GET /\x01 HTTP/1.1\r\n\r\n")
    scene.ask("old-1", raw="\x16\x03\x01 no request\r\n\r\n")
    scene.ask("", raw=raw.format(forged))
    assert int(scene.host.sh(f"wc -l <{LOG}")) == lines + 6
    (site,) = scene.look()["sites"]
    assert (site["complete"], site["unreadable_lines"]["count"], site["lines"]) == (True, 0, before + 6)
    assert scene.counts()["old-1"] == scene.asked["old-1"]
    assert "CN=forged" not in {one["subject"] for one in site["clients"]}


def test_a_stranger_with_a_long_name_is_a_line_as_any_other(scene: Scene) -> None:
    nobody = Authority.make("CN=Nobody's")
    nobody.leaf(scene.pki.folder / "long", ",".join(f"OU={'ü' * 60}{index}" for index in range(99)), CLIENT)
    for end in ("pem", "key"):
        scene.host.write(f"{KEYS}/long.{end}", (scene.pki.folder / f"long.{end}").read_text())
    before = scene.look()["sites"][0]["lines"]
    assert scene.ask("long") == [400]
    (site,) = scene.look()["sites"]
    assert (site["complete"], site["unreadable_lines"]["count"], site["lines"]) == (True, 0, before + 1)


def test_a_site_that_does_not_log_all(scene: Scene) -> None:
    assert scene.look()["complete"]
    done = scene.host.call(parts=scene.parts["silent"])
    assert done.get("state") == "stable", done
    lines = int(scene.host.sh(f"wc -l <{LOG}"))
    scene.ask("new-1", path="/elsewhere")
    scene.asked["new-1"] -= 1
    assert int(scene.host.sh(f"wc -l <{LOG}")) == lines
    found = scene.look()
    assert not found["complete"]
    assert "`location /` are logged elsewhere (access_log off)" in found["unknown"][0]
    assert scene.host.call(parts=scene.parts["a1"]).get("state") == "stable"
    assert scene.look()["complete"]
