# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up fleet as the audit reads it: what the modules and `mtls_edges` would say of so many hosts.

audited_fleet.py HOSTS FILE.html     writes the page of such a fleet

Always the same for the same number. It has of everything: Server A and B, hosts that nobody manages, one
without nginx, one unreachable, one that failed, one outside the run; expired, soon ending and hostile
certificates; refused edges.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import CATALOGUE

AT = datetime(2026, 11, 22, 13, tzinfo=timezone.utc)
BASE = "/etc/nginx/mtls"
NAMES = ("orders", "billing", "stock", "ledger", "search")
#: What a subject may hold: HTML, the end of a script, a template, quotes, text that runs backwards.
HOSTILE = (
    "CN=<img src=x onerror=alert(1)></script><script>alert(2)</script>{{ 7*7 }}\"'&\\, \\E2\\80\\AE,O=<b>"
)


def time(days: float) -> str:
    return (AT + timedelta(days=days)).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def finding(code: str, message: str, place: str) -> dict[str, str]:
    entry = CATALOGUE[code]
    said = {"code": code, "severity": entry.severity, "message": message}
    return {**said, "remedy": entry.remedy, "place": place}


class Fleet:
    """*hostvars*, *groups* and *edges* are what the filter takes."""

    def __init__(self, size: int) -> None:
        self._random = random.Random(size)
        self.hostvars: dict[str, dict[str, Any]] = {}
        self.edges: list[dict[str, Any]] = []
        odd = (
            ["db1.example.com", "down.example.com", "stuck.example.com", "aside.example.com"]
            if size > 9
            else []
        )
        odd = odd or ["down.example.com"]
        legacy = [f"legacy{n:02}.example.com" for n in range(1, size // 12 + 1)]
        ours = size - len(odd) - len(legacy)
        servers = [f"a{n:02}.example.com" for n in range(1, max(2, ours // 10) + 1)]
        proxies = [f"b{n:03}.example.com" for n in range(1, ours - len(servers) + 1)]
        self.groups = {
            "all": [*servers, *proxies, *legacy, *odd],
            "mtls_servers": servers,
            "mtls_proxies": proxies,
        }
        for number, name in enumerate(servers):
            self._server(name, NAMES[number % len(NAMES)])
        for number, name in enumerate(proxies):
            self._proxy(name, number, servers)
        for number, name in enumerate(legacy):
            # The first asks a Server A without a certificate, the others the first one and somebody outside.
            beside = [f"{legacy[0]}:443", "partner.example.org:443"]
            self._legacy(name, beside if number else [f"{servers[0]}:443"])
        self._odd(odd)

    def certificate(
        self, subject: str, issuer: str, days: float, life: float = 90, **more: Any
    ) -> dict[str, Any]:
        return {
            "subject": subject,
            "issuer": issuer,
            "serial": f"{self._random.getrandbits(64):016X}",
            "sha256": f"{self._random.getrandbits(256):064x}",
            "not_before": time(days - life),
            "not_after": time(days),
            "days_left": int(days // 1),
            "is_ca": False,
            "san": {"dns": more.get("names", []), "ip": [], "uri": [], "email": []},
        }

    @property
    def root(self) -> dict[str, Any]:
        """The same of every host."""
        if not hasattr(self, "_root"):
            self._root = self.certificate("CN=mtls 1,O=Shop", "CN=mtls 1,O=Shop", 2100, 3650)
        return self._root

    def _days(self) -> float:
        """Most have time, a few are late."""
        chance = self._random.random()
        return self._random.uniform(-9, 3) if chance < 0.02 else self._random.uniform(18, 90)

    def _host(self, name: str, **parts: Any) -> dict[str, Any]:
        files = [
            {"path": path, "kind": kind, "state": "ok", "mode": "0600" if kind == "key" else "0644",
             "owner": "root", "group": "root", "changed": time(-30), **what}
            for path, kind, what in parts["files"]
        ]  # fmt: skip
        instance = {
            "pid": 700, "program": "/usr/sbin/nginx", "conf_path": "/etc/nginx/nginx.conf",
            "version": self._random.choice(["1.22.1", "1.26.3", "1.26.3", "1.30.6"]), "openssl": "3.5.7",
            "unit": "nginx.service", "user": "www-data", "ok": True, "emerg": [], "loaded": time(-12),
            "servers": parts.get("servers", []), "locations": parts.get("locations", []),
        }  # fmt: skip
        said = parts.get("findings", [])
        tls = {"instances": [instance], "files": files, "findings": said, "failed": False}
        installed = {"credentials": [], "findings": [], "installed": {"base": BASE, "exists": False}}
        if "release" in parts:
            installed["installed"] = {
                "base": BASE, "exists": True, "release": parts["release"], "parts": parts["parts"],
                "sites": [], "routes": [], "state": {"step": parts.get("step", "stable")},
                "prepared": None, "next_run": "",
            }  # fmt: skip
        self.hostvars[name] = {"mtls_audit_tls": tls, "mtls_installed": installed}
        return tls

    def _release(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _server(self, name: str, site: str) -> None:
        release, domain = self._release(), f"{site}.example.com"
        where = f"{BASE}/releases/{release}/server/credentials/server"
        leaf = self.certificate(f"CN={domain}", "CN=mtls 1,O=Shop", self._days(), names=[domain])
        differs = self._random.random() < 0.06
        served = {
            "address": "127.0.0.1:443", "server_name": domain, "error": "", "protocol": "TLSv1.3",
            "sha256": "0" * 64 if differs else leaf["sha256"], "subject": leaf["subject"],
            "not_after": leaf["not_after"],
        }  # fmt: skip
        crl = {"issuer": "CN=mtls 1,O=Shop", "number": 12, "this_update": time(-4), "next_update": time(26),
               "days_left": 26, "revoked": 3}  # fmt: skip
        said = []
        if differs:
            said.append(
                finding("endpoint.served_differs_from_file", "nginx serves another one than this file has.",
                        f"{where}/fullchain.pem:1")
            )  # fmt: skip
        self._host(
            name,
            release=release,
            parts=["server"],
            step="switched" if self._random.random() < 0.02 else "stable",
            files=[
                (f"{where}/fullchain.pem", "certificate", {"certificates": [leaf]}),
                (f"{where}/privkey.pem", "key", {}),
                (f"{where}/trust.pem", "trust", {"certificates": [self.root]}),
                (f"{where}/crl.pem", "crl", {"crls": [crl]}),
            ],
            servers=[self._block(domain, where, [served])],
            findings=said + self._late(leaf, f"{where}/fullchain.pem:1"),
        )

    def _block(
        self, domain: str, where: str, served: list[dict[str, Any]], verify: str = "on"
    ) -> dict[str, Any]:
        def file(name: str) -> dict[str, Any]:
            return self._file(f"{where}/{name}")

        trust = file("trust.pem") if verify != "off" else None
        return {
            "place": "/etc/nginx/conf.d/site.conf:1", "module": "http", "names": [domain],
            "ours": verify == "on",
            "listens": [{"address": "*", "port": 443, "tls": True, "default": verify == "off"}],
            "tls": True, "verify": verify, "depth": 1, "protocols": ["TLSv1.2", "TLSv1.3"],
            "certificates": [{"certificate": file("fullchain.pem"), "key": file("privkey.pem")}],
            "trust": trust, "trusted": None, "crl": file("crl.pem") if verify == "on" else None,
            "reject_handshake": False, "served": served,
        }  # fmt: skip

    def _late(self, leaf: dict[str, Any], place: str) -> list[dict[str, str]]:
        days = leaf["days_left"]
        if days < 0:
            message = (
                f"The certificate of {leaf['subject']} expired {-days} days ago, at {leaf['not_after']}."
            )
            return [finding("expiry.expired", message, place)]
        if days < 30:
            message = f"The certificate of {leaf['subject']} expires in {days} days, at {leaf['not_after']}."
            return [finding("expiry.soon", message, place)]
        return []

    def _proxy(self, name: str, number: int, servers: list[str]) -> None:
        release = self._release()
        where = f"{BASE}/releases/{release}/proxy/credentials/client"
        subject = HOSTILE if number == 1 else f"CN={name}"
        leaf = self.certificate(subject, "CN=mtls 1,O=Shop", self._days())
        asked = NAMES[number % min(len(NAMES), len(servers))]
        site = f"{asked}.example.com"
        of_site = [one for position, one in enumerate(servers) if NAMES[position % len(NAMES)] == asked]
        location = {
            **self._location(f"{where}/fullchain.pem", site, [f"{one}:443" for one in of_site]),
            "ours": True,
            "trust": self._file(f"{where}/trust.pem"),
            "verify": True,
        }
        self._host(
            name,
            release=release,
            parts=["proxy"],
            files=[
                (f"{where}/fullchain.pem", "certificate", {"certificates": [leaf]}),
                (f"{where}/privkey.pem", "key", {}),
                (f"{where}/trust.pem", "trust", {"certificates": [self.root]}),
            ],
            locations=[location],
            findings=self._late(leaf, f"{where}/fullchain.pem:1"),
        )
        fails = self._random.random() < 0.01 or number == 1
        for server in of_site:
            self._edge(name, asked, server, "refused" if fails else "accepted")

    def _file(self, path: str) -> dict[str, Any]:
        return {"path": path, "variable": False, "scheme": "", "place": "x.conf:3", "text": ""}

    def _location(self, certificate: str, name: str, servers: list[str]) -> dict[str, Any]:
        sent = self._file(certificate) if certificate else None
        return {
            "place": "/etc/nginx/conf.d/proxy.conf:20", "module": "http", "path": "/", "ours": False,
            "server_names": ["localhost"], "protocol": "https", "pass": f"https://{name}", "servers": servers,
            "certificate": sent, "key": sent, "trust": None, "crl": None, "verify": False, "depth": 1,
            "name": name, "name_variable": False, "sni": True, "host": name, "protocols": ["TLSv1.3"],
        }  # fmt: skip

    def _edge(self, proxy: str, route: str, server: str, state: str) -> None:
        entry = CATALOGUE["chain.root_not_trusted"]
        reason = {"code": "chain.root_not_trusted", "remedy": entry.remedy,
                  "message": "the chain ends at CN=Old CA, which the bundle does not hold."}  # fmt: skip
        times = {"now": state, "during": state, "after": state}
        well = {**dict.fromkeys(times, "accepted"), "outcome": "works", "reason": None}
        own = {**times, "outcome": "broken", "reason": reason} if state == "refused" else well
        self.edges.append(
            {
                "proxy": proxy, "route": route, "credential": "client", "server": server, "site": route,
                "server_name": f"{route}.example.com", "address": f"{server}:443", "external": False,
                "client_accepted": own, "server_accepted": well,
            }
        )  # fmt: skip

    def _legacy(self, name: str, asked: list[str]) -> None:
        leaf = self.certificate(f"CN={name}", "CN=R11,O=Let's Encrypt,C=US", self._days(), names=[name])
        middle = self.certificate("CN=R11,O=Let's Encrypt,C=US", "CN=ISRG Root X1,C=US", 400, 1095)
        where = f"/etc/letsencrypt/live/{name}"
        served = {"address": "127.0.0.1:443", "server_name": name, "error": "", "sha256": leaf["sha256"]}
        self._host(
            name,
            files=[
                (f"{where}/fullchain.pem", "certificate", {"certificates": [leaf, middle]}),
                (f"{where}/privkey.pem", "key", {"mode": "0644"}),
            ],
            servers=[self._block(name, where, [served], "off")],
            locations=[self._location("", asked[0].partition(":")[0], asked)],
            findings=[
                finding("file.permissions", "The private key can be read by everybody (mode 0644).",
                        f"{where}/privkey.pem"),
                *self._late(leaf, f"{where}/fullchain.pem:1"),
            ],
        )  # fmt: skip

    def _odd(self, names: list[str]) -> None:
        down = {"unreachable": True, "msg": "Failed to connect to the host via ssh: Connection timed out"}
        stuck = {"failed": False, "msg": "Missing sudo password"}
        known = {
            "db1": {
                "mtls_audit_tls": {"instances": [], "files": [], "findings": []},
                "mtls_installed": {"credentials": [], "findings": [], "installed": {"exists": False}},
            },
            "down": {"mtls_audit_tls": down, "mtls_installed": down},
            "stuck": {"mtls_audit_tls": stuck, "mtls_installed": stuck},
            "aside": {},
        }  # fmt: skip
        self.hostvars.update({name: known[name.split(".")[0]] for name in names})


def report(size: int) -> dict[str, Any]:
    from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import report as reports

    fleet = Fleet(size)
    return reports.report(fleet.hostvars, fleet.groups, AT, {"edges": fleet.edges})


def main() -> None:
    from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import page

    Path(sys.argv[2]).write_text(page.html(report(int(sys.argv[1]))), encoding="utf-8")


if __name__ == "__main__":
    main()
