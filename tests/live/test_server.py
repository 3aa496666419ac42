# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of a site of Server A, from the variables to what a client and the backend see.

The variables go through the model and the role's own templates into one release, which proves itself; then
all questions are asked at once (ask.py). The twin of most is the same question to `orders`.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import rendered
from pki import CLIENT, SERVER, Authority

ROOT = Path(__file__).resolve().parents[2]
KEYS = "/srv/keys"
FAMILY = (
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-I-DN",
    "X-SSL-Client-Serial",
    "X-SSL-Client-Fingerprint",
    "X-SSL-Client-Cert",
)
OWN_NAMES = {
    "verify": "X-Verified",
    "subject": "X-Who",
    "issuer": "X-By",
    "serial": "X-Number",
    "fingerprint": "X-Print",
    "certificate": "X-Cert",
}
ONLY_PRINT = {**dict.fromkeys(OWN_NAMES, ""), "fingerprint": "X-Only-Print"}
PAGES = {
    "400": ("odd.txt", "That is no request.\n"),
    "495": ("bad.html", '<p class="x">Not this one: $5 \\ $host;</p>\n'),
    "496": ("none.json", '{"error": "no certificate"}\n'),
}
PROFILES = {
    "mine": {"protocols": ["TLSv1.2"], "ciphers": ["ECDHE-ECDSA-AES256-GCM-SHA384"]},
    "curve": {"protocols": ["TLSv1.3"], "curves": ["secp384r1"]},
    # TLS 1.2 holds the keys of both certificates against the curves, too; ours are P-256.
    "no-p256": {"protocols": ["TLSv1.2"], "curves": ["secp384r1"]},
}


WAYS = ("by-certificate", "by-sha1", "by-dn", "by-serial")
#: Nothing listens there, and two servers that take no connection and read no body (far_side.py).
DEAD, DEAF, MUTE = 8997, 8998, 8999


class Pki:
    """Clients of two authorities that sites trust, and of one that nobody does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clients, others = Authority.make("CN=Clients,O=Shop"), Authority.make("CN=Others,O=Shop")
        servers, strangers = Authority.make("CN=Servers"), Authority.make("CN=Strangers")
        for name, trusted in (("clients", [clients]), ("others", [others]), ("wide", [clients, others])):
            (folder / f"{name}-ca.pem").write_bytes(b"".join(one.pem() for one in trusted))
        first = clients.intermediate("CN=Below")
        second = first.intermediate("CN=Below that")
        chain = first.pem() + second.pem()
        (folder / "deep-ca.pem").write_bytes(clients.pem() + chain)
        second.leaf(folder / "deep", "CN=deep", CLIENT)
        with (folder / "deep.pem").open("ab") as file:
            file.write(chain)
        revoked = clients.leaf(folder / "revoked", "CN=revoked", CLIENT)
        (folder / "clients.crl").write_bytes(clients.revocation_list(revoked))
        servers.leaf(folder / "server", "CN=server", SERVER, names=("*.a.test",))
        self.b1 = clients.leaf(folder / "b1", "CN=b1,O=Shop", CLIENT, serial=0x1FAB)
        clients.leaf(folder / "b2", "CN=b2,O=Shop", CLIENT)
        clients.leaf(folder / "b1-old", "CN=b1,O=Shop", CLIENT, days=(-9, -1))
        clients.leaf(folder / "probe", "CN=mtls-probe.a1", CLIENT)
        clients.leaf(folder / "probe-a2", "CN=mtls-probe.a2.example.com,O=Shop", CLIENT)
        clients.leaf(folder / "probe-file", "CN=plain", CLIENT)
        clients.leaf(folder / "no-probe", "CN=x-mtls-probe.a1", CLIENT)
        others.leaf(folder / "x1", "CN=b1,O=Shop", CLIENT, serial=0x1FAB)
        strangers.leaf(folder / "forged", "CN=b1,O=Shop", CLIENT, serial=0x1FAB)

    def pair(self, name: str) -> dict[str, str]:
        return {
            "certificate": str(self.folder / f"{name}.pem"),
            "private_key": str(self.folder / f"{name}.key"),
        }

    def credential(self, name: str, trust: str = "clients", probe: str = "", **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "issuer": "files",
            "files": self.pair("server"),
            "hostnames": ["*.a.test"],
            "trust": {"sources": [{"src": str(self.folder / f"{trust}-ca.pem")}]},
            **({"probe": self.pair(probe)} if probe else {}),
            **more,
        }


def site(name: str, port: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "server_names": [f"{name}.a.test"],
        "listen": [str(port), f"[::]:{port}"],
        "credential": "server",
        **more,
    }


def allowed(port: int, pki: Pki) -> list[dict[str, Any]]:
    """A site for each way to name b1; those of *-wide* verify x1, too."""
    ways: dict[str, list[dict[str, Any]]] = {
        "by-certificate": [{"certificate": {"src": pki.pair("b1")["certificate"]}}],
        "by-sha1": [{"sha1": fingerprint(pki.b1)}],
        "by-dn": [{"dn": "CN=b1,O=Shop"}],
        "by-serial": [{"issuer": "CN=Clients,O=Shop", "serial": "1fab"}],
        "by-probe": [{"dn": "CN=mtls-probe.a1"}, {"dn": "CN=mtls-probe.a2.example.com,O=Shop"}],
    }
    return [
        *(site(name, port, allow=allow) for name, allow in ways.items()),
        *(site(f"{name}-wide", port, allow=ways[name], credential="wide") for name in WAYS),
    ]


def local(port: int) -> str:
    return f"127.0.0.1:{port}"


def fingerprint(certificate: Any) -> str:
    from cryptography.hazmat.primitives import hashes

    found: str = certificate.fingerprint(hashes.SHA1()).hex()
    return found


def variables(pki: Pki) -> dict[str, Any]:
    """What a user writes for the host."""
    pages = {code: {"src": str(pki.folder / name)} for code, (name, _text) in PAGES.items()}
    for name, text in PAGES.values():
        (pki.folder / name).write_text(text)
    return {
        "mtls_server_tls_profiles": PROFILES,
        "mtls_server_credentials": [
            pki.credential("server", probe="probe"),
            pki.credential("others", trust="others"),
            pki.credential("kept", sessions="shared"),
            pki.credential("revoking", crl=[{"src": str(pki.folder / "clients.crl")}]),
            pki.credential("deep", trust="deep"),
            pki.credential("shallow", trust="deep", verify_depth=1),
            pki.credential("root-deep", verify_depth=2),
            pki.credential("wide", trust="wide"),
        ],
        "mtls_server_sites": [
            site("orders", 443),
            site("stock", 443),
            site("billing", 443, credential="others"),
            site("optional", 8001, verify="optional"),
            site("noca", 8002, verify="optional_no_ca"),
            site("noca-list", 8002, verify="optional_no_ca", allow=[{"dn": "CN=b1,O=Shop"}]),
            *allowed(8003, pki),
            site(
                "named",
                8004,
                headers=OWN_NAMES,
                extra_server="location = /own { return 200 own; }",
                extra_location="add_header X-Extra location always;",
            ),
            site("print", 8004, headers=ONLY_PRINT),
            site("pages", 8005, error_pages=pages),
            site("pages-list", 8005, error_pages=pages, allow=[{"dn": "CN=b1,O=Shop"}]),
            site("h2", 8006, http2=True),
            site("h2-others", 8006, http2=True, credential="others"),
            site("modern", 8007, tls_profile="modern"),
            site("mine", 8008, tls_profile="mine"),
            site("curve", 8014, tls_profile="curve"),
            site(
                "limits",
                8009,
                max_body_size="1k",
                timeouts={"read": "1s"},
                response_headers={"Strict-Transport-Security": "max-age=63072000", "X-Quote": 'a "b" \\ c'},
            ),
            site("ws", 8010, websocket=True),
            site("extra", 8010, extra_server=EXTRA),
            site("stream", 8011, streaming=True),
            site("unix", 8012, backend="unix:/run/app.sock"),
            site("kept", 8013, credential="kept"),
            site("kept-noca", 8013, credential="kept", verify="optional_no_ca"),
            site("kept-list", 8013, credential="kept", allow=[{"dn": "CN=b1,O=Shop"}]),
            site("proxied", 8015, proxy_protocol=True),
            *(site(name, 8016, credential=name) for name in ("revoking", "deep", "root-deep")),
            # The same socket in other words: nginx has one default server for both.
            {**site("shallow", 8016, credential="shallow"), "listen": ["8016", "[0::0]:8016"]},
            site("ports", 8017, listen=["8017", "8018", "127.0.0.1:8017"]),
            *(
                site(name, 8019, backend=backend, timeouts=timeouts, max_body_size="32m")
                for end, timeouts in (("", {}), ("-1s", {"connect": "1s", "send": "1s"}))
                for name, backend in (
                    (f"deaf{end}", f"http://{local(DEAF)}"),
                    (f"mute{end}", f"http://{local(MUTE)}"),
                )
            ),
            *(
                site(name, 8021, http2=True, backend={"servers": [local(DEAD), local(8000)], **more})
                for name, more in (("counts", {"max_fails": 1}), ("tries", {"max_fails": 0, "keepalive": 0}))
            ),
        ],
    }


EXTRA = """
location /in { proxy_pass http://127.0.0.1:8000; }
location /cached { proxy_pass http://127.0.0.1:8000; proxy_buffering on; proxy_cache answers; }
"""


# -- the questions

#: In the error of a handshake that fails, whoever says so.
REFUSED = "Error"
PROXY = "PROXY TCP4 192.0.2.9 192.0.2.1 4711 8015\r\n"
V12, V13 = {"version": "TLSv1_2"}, {"version": "TLSv1_3"}


def spellings(name: str) -> list[str]:
    """The name with - and _ in every mixture: WSGI, CGI and Rack take them for one."""
    words = name.split("-")
    return [
        "".join(f"{word}{joint}" for word, joint in zip(words, (*joints, "")))
        for joints in product("-_", repeat=len(words) - 1)
    ]


FORGERY = [
    [spelt, "forged"]
    for name in (*FAMILY, *OWN_NAMES.values(), "X-Only-Print")
    # PHP takes a dot for an underscore, and others whatever is no letter.
    for spelt in (*spellings(name), name.replace("-", "."), name.replace("-", "~", 1))
]
WEBSOCKET = [["Upgrade", "websocket"], ["Connection", "Upgrade"], ["Sec-WebSocket-Key", "eA=="]]


def question(to: str, who: str = "", **more: Any) -> dict[str, Any]:
    return {"to": to, "sni": f"{to}.a.test", **({"who": who} if who else {}), **more}


#: What is asked, and the status that is the answer, or a word of the error with which the handshake fails.
TABLE: dict[str, tuple[dict[str, Any], Any]] = {
    # verify
    "on: nobody": (question("orders"), 400),
    "on: forged": (question("orders", "forged"), 400),
    "on: expired": (question("orders", "b1-old"), 400),
    "on: of another site's authority": (question("orders", "x1"), 400),
    "on: good": (question("orders", "b1"), 200),
    "optional: nobody": (question("optional", headers=FORGERY), 200),
    "optional: forged": (question("optional", "forged"), 400),
    "optional: good": (question("optional", "b1", headers=FORGERY), 200),
    "optional: nobody on the probe path": (question("optional", path="/.mtls/probe"), 403),
    "no_ca: nobody": (question("noca", headers=FORGERY), 200),
    "no_ca: forged": (question("noca", "forged", headers=FORGERY), 200),
    "no_ca: expired": (question("noca", "b1-old"), 400),
    "no_ca: good": (question("noca", "b1", headers=FORGERY), 200),
    "no_ca: forged on the probe path": (question("noca", "forged", path="/.mtls/probe"), 403),
    "no_ca: forged with a name of the list": (question("noca-list", "forged"), 403),
    "no_ca: nobody beside a list": (question("noca-list"), 403),
    "no_ca: good of the list": (question("noca-list", "b1"), 200),
    # by which address, and whom else a credential refuses
    "IPv6: good": (question("orders", "b1", address="::1"), 200),
    "IPv6: nobody": (question("orders", address="::1"), 400),
    "PROXY protocol: good": (question("proxied", "b1", before=PROXY), 200),
    "PROXY protocol: without its word": (question("proxied", "b1"), REFUSED),
    "PROXY protocol: not asked for": (question("orders", "b1", before=PROXY), REFUSED),
    "revoked": (question("revoking", "revoked"), 400),
    "revoked: another client": (question("revoking", "b1"), 200),
    "revoked: no list": (question("orders", "revoked"), 200),
    "depth auto: two intermediates": (question("deep", "deep"), 200),
    "depth 1: two intermediates": (question("shallow", "deep"), 400),
    "depth 1: none": (question("shallow", "b1"), 200),
    "depth auto: two intermediates that the client alone has": (question("orders", "deep"), 400),
    "depth 2: two intermediates that the client alone has": (question("root-deep", "deep"), 200),
    # the allowlist
    **{
        f"allow {way}: {who}": (question(way, who), status)
        for way in WAYS
        for who, status in (("b1", 200), ("b2", 403), ("x1", 400))
    },
    # b1's name and serial by another issuer that the site verifies by, too
    **{
        f"allow {way}: {who} where both issuers count": (question(f"{way}-wide", who), status)
        for way in WAYS
        for who, status in (("b1", 200), ("x1", 200 if way == "by-dn" else 403))
    },
    # probe identities
    **{
        f"{who} at {to}{path}": (question(to, who, path=path), status)
        for to in ("orders", "stock", "optional", "noca", "by-probe", "pages", "h2")
        for who in ("probe", "probe-a2", "probe-file")
        for path, status in (
            ("/", 403),
            ("/.mtls/probe/", 403),
            ("/.mtls/page/496", 403),
            *([("/.mtls/probe", 200)] if to != "by-probe" or who != "probe-file" else []),
        )
    },
    "almost a probe identity": (question("orders", "no-probe"), 200),
    # several sites on one address and port
    "same trust: another's Host": (question("orders", "b1", host="stock.a.test"), 421),
    "other trust: another's Host": (question("orders", "b1", host="billing.a.test"), 421),
    "nobody's Host": (question("orders", "b1", host="nobody.a.test"), 421),
    "other trust: its own client": (question("billing", "x1"), 200),
    "other trust: a client of orders": (question("billing", "b1"), 400),
    **{
        f"{sni or 'no name'}, {host} ({who}, {key['version']})": (
            {"to": "orders", "who": who, "host": host, **key, **({"sni": sni} if sni else {})},
            "UNRECOGNIZED_NAME",
        )
        for key in (V12, V13)
        for who, host in (("b1", "orders.a.test"), ("x1", "billing.a.test"), ("b1", "billing.a.test"))
        for sni in ("", "nobody.a.test")
    },
    # several listens: two ports, and an address beside all addresses on one of them
    **{
        f"{to} at {address}:{port}, {sni or 'no name'}: {who or 'nobody'}": (
            {**question("ports", who), "sni": sni, "host": "ports.a.test", "address": address, "port": port},
            wanted,
        )
        for to, address, port in (
            ("the address", "127.0.0.1", 8017),
            ("all addresses", "127.0.0.2", 8017),
            ("the other port", "127.0.0.1", 8018),
        )
        for sni, who, wanted in (
            ("ports.a.test", "b1", 200),
            ("ports.a.test", "", 400),
            (None, "b1", "UNRECOGNIZED_NAME"),
        )
    },
    # TLS profiles
    "intermediate: TLS 1.1": (
        question("orders", "b1", version="TLSv1_1", ciphers="DEFAULT@SECLEVEL=0"),
        "ALERT_PROTOCOL_VERSION",
    ),
    "intermediate: TLS 1.2": (question("orders", "b1", **V12), 200),
    "intermediate: TLS 1.3": (question("orders", "b1", **V13), 200),
    "intermediate: a suite with CBC": (
        question("orders", "b1", ciphers="ECDHE-ECDSA-AES128-SHA", **V12),
        "ALERT_HANDSHAKE_FAILURE",
    ),
    "intermediate: another suite": (
        question("orders", "b1", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", **V12),
        200,
    ),
    "modern: TLS 1.2": (question("modern", "b1", **V12), "ALERT_PROTOCOL_VERSION"),
    "modern: TLS 1.3": (question("modern", "b1", **V13), 200),
    "mine: TLS 1.2": (question("mine", "b1", **V12), 200),
    "mine: TLS 1.3": (question("mine", "b1", **V13), "ALERT_PROTOCOL_VERSION"),
    "mine: another suite": (
        question("mine", "b1", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", **V12),
        "ALERT_HANDSHAKE_FAILURE",
    ),
    "curve: its own": (question("curve", "b1", curve="secp384r1"), 200),
    "curve: another": (question("curve", "b1", curve="prime256v1"), "ALERT_HANDSHAKE_FAILURE"),
    "intermediate: that curve": (question("orders", "b1", curve="prime256v1", **V13), 200),
    # requests and answers
    "limits: 1024 bytes": (question("limits", "b1", method="POST", body="x" * 1024), 200),
    "limits: 1025 bytes": (question("limits", "b1", method="POST", body="x" * 1025), 413),
    "orders: 1025 bytes": (question("orders", "b1", method="POST", body="x" * 1025), 200),
    "limits: slow": (question("limits", "b1", path="/slow"), 504),
    "orders: slow": (question("orders", "b1", path="/slow"), 200),
    "limits: nobody": (question("limits"), 400),
    **{
        f"{name}, {end or 'the usual time'}": (question(f"{name}{end}", "b1", timeout=5, **more), wanted)
        for name, more in (("deaf", {}), ("mute", {"method": "POST", "body": "x" * 8_000_000}))
        for end, wanted in (("", "timed out"), ("-1s", 504))
    },
    "unix": (question("unix", "b1"), 200),
    # pages of one's own
    "pages: nobody": (question("pages"), 400),
    "pages: forged": (question("pages", "forged"), 400),
    "pages: no request": (question("pages", "b1", raw="GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400),
    "pages: no target": (question("pages", "b1", raw="GET\r\n\r\n"), 400),
    "pages: good": (question("pages", "b1"), 200),
    "pages: nobody by POST": (question("pages", method="POST", body="x"), 400),
    "pages: asked for from outside": (question("pages", "b1", path="/.mtls/page/496"), 404),
    "pages with a list: nobody": (question("pages-list"), 400),
    "pages with a list: forged": (question("pages-list", "forged"), 400),
    "pages with a list: another client": (question("pages-list", "b2"), 403),
    "pages with a list: good": (question("pages-list", "b1"), 200),
}
#: Asked the same way; each has a test of its own.
OTHERS: dict[str, dict[str, Any]] = {
    "named": question("named", "b1", headers=FORGERY),
    "named: own": question("named", "b1", path="/own"),
    "named: own, nobody": question("named", path="/own"),
    "print": question("print", "b1", headers=FORGERY),
    "told": question("orders", "b1", headers=FORGERY),
    "extra: good": question("extra", "b1", headers=FORGERY, path="/in"),
    "h2": question(
        "h2", "b1", how="h2", path="/", hosts=["h2.a.test", "h2-others.a.test", "nobody.a.test", "h2.a.test"]
    ),
    "h2: nobody": question("h2", how="h2", path="/", hosts=["h2.a.test"]),
    "h2: a client of the other site": question("h2", "x1", how="h2", path="/", hosts=["h2.a.test"]),
    "h2: the other site": question("h2-others", "x1", how="h2", path="/", hosts=["h2-others.a.test"]),
    "h2: not asked for": question("orders", "b1", how="h2", path="/", hosts=["orders.a.test"]),
    "ws": question("ws", "b1", how="upgrade", path="/ws", headers=WEBSOCKET, body="hello"),
    "ws: nobody": question("ws", how="upgrade", path="/ws", headers=WEBSOCKET, body="hello"),
    "ws: another protocol": question(
        "ws", "b1", how="upgrade", headers=[["Upgrade", "h2c"], *WEBSOCKET[1:]], body="hello"
    ),
    "ws: not asked for": question("orders", "b1", how="upgrade", path="/ws", headers=WEBSOCKET, body="hello"),
    "stream": question("stream", "b1", how="stream", path="/stream"),
    "stream: not asked for": question("orders", "b1", how="stream", path="/stream"),
    **{
        name: question(name, "b1", how="h2", path="/", hosts=[f"{name}.a.test"] * 6)
        for name in ("counts", "tries")
    },
    "upload": question("stream", "b1", how="upload", method="POST", path="/upload", body="x" * 2000),
    "upload: not asked for": question(
        "orders", "b1", how="upload", method="POST", path="/upload", body="x" * 2000
    ),
    **{
        f"session: {name} ({key['version']})": question(
            to, who, how="resume", first={**question(first, who), **key}, **key
        )
        for key in (V12, V13)
        for name, to, who, first in (
            ("kept", "kept", "b1", "kept"),
            ("of itself", "orders", "b1", "orders"),
            ("of the same trust", "stock", "b1", "orders"),
            ("of another trust", "billing", "b1", "orders"),
            ("of another port", "orders", "b1", "kept"),
            ("kept, of another trust", "billing", "b1", "kept"),
            ("of another trust, the other way", "orders", "x1", "billing"),
            ("kept, of one without a verified certificate", "kept", "forged", "kept-noca"),
            ("kept, of one whom the list lacks", "kept-list", "b2", "kept"),
        )
    },
    **{
        f"session: without a name ({key['version']})": {
            "to": "orders",
            "who": "b1",
            "host": "billing.a.test",
            "how": "resume",
            "first": {**question("orders", "b1"), **key},
            **key,
        }
        for key in (V12, V13)
    },
}


class Scene:
    """A host with the release of `variables`, and what was answered."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.machine = machine
        self.pki = Pki(folder)
        machine.reset()
        for path in sorted([*folder.glob("*.pem"), *folder.glob("*.key")]):
            machine.write(f"{KEYS}/{path.name}", path.read_text())
        for name, place in (("ask.py", ROOT / "tests" / "live"), ("far_side.py", ROOT / "tests" / "lab")):
            machine.write(f"/lab/{name}", (place / name).read_text())
        # The socket is what a killed nginx leaves behind.
        machine.sh("systemctl stop far-side; rm -f /run/app.sock", check=False)
        machine.sh(
            f"systemd-run --quiet --unit=far-side python3 /lab/far_side.py 8000 --deaf {DEAF} --mute {MUTE}"
        )
        version = machine.sh("nginx -v 2>&1 | sed 's|.*/||; s| .*||'")
        http2 = "http2 on;\n" if tuple(map(int, version.split("."))) >= (1, 25, 1) else ""
        machine.write("/etc/nginx/conf.d/00-own.conf", OWN + http2)
        machine.write("/etc/nginx/snippets/own.conf", "gzip off;\n")
        machine.write("/etc/nginx/snippets/cache.conf", "ssl_session_cache shared:own:1m;\n")
        machine.write("/etc/nginx/snippets/old.conf", "ssl_protocols TLSv1 TLSv1.1;\n")
        machine.sh("nginx -t -q && systemctl reload nginx")
        given = variables(self.pki)
        hosts = {
            "a1": given,
            "a2": {
                "mtls_server_credentials": [self.pki.credential("server", probe="probe-file")],
                "mtls_server_sites": [site("orders", 443)],
            },
            "three": {**given, "mtls_server_sites": given["mtls_server_sites"][:3]},
            "optional": {**given, "mtls_server_sites": [site("optional", 8001, verify="optional")]},
            **{
                name: {**given, "mtls_server_sites": [site("orders", 443, **more)]}
                for name, more in (
                    *((name, more) for name, (more, _code, _word) in REFUSED_BY_RELEASE.items()),
                    ("harmless", HARMLESS),
                )
            },
        }
        found = rendered.server_parts(folder, version, hosts)
        self.parts, self.warnings = found["parts"], found["warnings"]
        self.done = machine.call(parts=self.parts["a1"], timeout_s=30)
        bad = [row for row in self.done.get("proof", []) if row["verdict"] != "ok"]
        assert self.done.get("state") == "stable", f"{self.done.get('msg')} {bad}"
        self.said = machine.sh("nginx -t 2>&1")
        ports = {one["name"]: int(one["listen"][0]) for one in given["mtls_server_sites"]}
        asked = {**{name: one for name, (one, _wanted) in TABLE.items()}, **OTHERS}
        self.answers = self.ask(asked, ports)

    def ask(self, asked: dict[str, Any], ports: dict[str, int]) -> dict[str, Any]:
        given = {name: placed(one, ports) for name, one in asked.items()}
        found: dict[str, Any] = json.loads(
            self.machine.sh(f"python3 /lab/ask.py {KEYS}", stdin=json.dumps(given))
        )
        return found


def placed(one: dict[str, Any], ports: dict[str, int]) -> dict[str, Any]:
    more = {"first": placed(one["first"], ports)} if "first" in one else {}
    return {"port": ports[one["to"]], **one, **more}


#: Header names of all kinds pass, a backend behind a unix socket, and what no site may inherit.
OWN = """
underscores_in_headers on;
ignore_invalid_headers off;
proxy_cache_path /var/cache/own keys_zone=answers:1m;
proxy_cache answers;
proxy_cache_key $uri;
proxy_cache_valid any 9m;
proxy_buffering off;
proxy_request_buffering off;
server { listen unix:/run/app.sock; return 200 "unix $http_x_ssl_client_verify"; }
"""


@pytest.fixture(scope="module")
def scene(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    yield Scene(machine, tmp_path_factory.mktemp("server"))
    machine.sh("systemctl stop far-side", check=False)


@pytest.mark.parametrize("name", TABLE)
def test_status(scene: Scene, name: str) -> None:
    wanted, answer = TABLE[name][1], scene.answers[name]
    if isinstance(wanted, int):
        assert answer.get("status") == wanted, answer
    else:
        assert "status" not in answer
        assert wanted in answer["error"], answer


def told(answer: dict[str, Any], own: Iterable[str] = ()) -> dict[str, list[str]]:
    """Of what the backend received: each header of an identity, by its name as CGI would read it.

    *own*: names that only this site has.
    """
    assert answer.get("status") == 200, answer
    names = {name.lower() for name in (*FAMILY, *own)}
    found: dict[str, list[str]] = {}
    for name, value in json.loads(answer["body"])["headers"]:
        plain = re.sub("[^a-z0-9]", "-", name.lower())
        if plain in names:
            found.setdefault(plain, []).append(value)
    return found


@pytest.mark.parametrize("name", ["optional: nobody", "no_ca: nobody", "no_ca: forged"])
def test_nobody_has_an_identity_but_by_success(scene: Scene, name: str) -> None:
    assert told(scene.answers[name]) == {}


def identity(pki: Pki) -> dict[str, str]:
    return {
        "verify": "SUCCESS",
        "subject": "CN=b1,O=Shop",
        "issuer": "CN=Clients,O=Shop",
        "serial": "1FAB",
        "fingerprint": fingerprint(pki.b1),
    }


@pytest.mark.parametrize("name", ["told", "optional: good", "no_ca: good", "extra: good"])
def test_a_verified_client_has_one_of_each(scene: Scene, name: str) -> None:
    values = identity(scene.pki).values()
    wanted = {header.lower(): [value] for header, value in zip(FAMILY, values)}
    assert told(scene.answers[name]) == wanted


def test_the_http_level_caches_no_answer_for_another_client(scene: Scene) -> None:
    """Only where the user says so in that very place."""
    for site_name, path, second in (
        ("orders", "/twice", "CN=b2,O=Shop"),
        ("extra", "/cached", "CN=b1,O=Shop"),
    ):
        for who, wanted in (("b1", "CN=b1,O=Shop"), ("b2", second)):
            asked = question(site_name, who, path=path)
            answer = scene.ask({"it": asked}, {"orders": 443, "extra": 8010})["it"]
            found = dict(json.loads(answer["body"])["headers"])
            assert found["X-SSL-Client-S-DN"] == wanted, (site_name, who)


def test_the_backend_learns_the_address_that_the_balancer_names(scene: Scene) -> None:
    for name, address in (("PROXY protocol: good", "192.0.2.9"), ("told", "127.0.0.1")):
        found = dict(json.loads(scene.answers[name]["body"])["headers"])
        assert (found["X-Real-IP"], found["X-Forwarded-For"]) == (address, address), name


def test_headers_with_names_of_ones_own(scene: Scene) -> None:
    found = told(scene.answers["named"], OWN_NAMES.values())
    (escaped,) = found.pop("x-cert")
    assert urllib.parse.unquote(escaped) == (scene.pki.folder / "b1.pem").read_text()
    assert escaped.isprintable()
    assert found == {OWN_NAMES[key].lower(): [value] for key, value in identity(scene.pki).items()}


def test_the_fingerprint_alone(scene: Scene) -> None:
    wanted = {"x-only-print": [fingerprint(scene.pki.b1)]}
    assert told(scene.answers["print"], ["X-Only-Print"]) == wanted


def test_what_a_site_has_no_name_for_is_not_its_business(scene: Scene) -> None:
    """The twin: nginx passes a header on in each of the spellings that are sent."""
    found = told(scene.answers["told"], ["X-Only-Print"])
    assert found["x-only-print"] == ["forged"] * 4


def test_so_many_headers_have_room(scene: Scene) -> None:
    """nginx's own hash is too small for all spellings, and it would say so at each reload."""
    assert "is successful" in scene.said
    assert "headers_hash" not in scene.said


def test_403_says_nothing_more(scene: Scene) -> None:
    """Whoever is refused, by whichever rule, gets one answer."""
    refused = [scene.answers[name] for name, (_one, wanted) in TABLE.items() if wanted == 403]
    assert len(refused) > 20
    assert len({one["body"] for one in refused}) == 1
    assert refused[0]["body"].count("403 Forbidden") == 2
    headers = {name for one in refused for name, _value in one["headers"]}
    assert headers == {"server", "date", "content-type", "content-length", "connection"}


def test_forged_certificates_get_in_with_a_loud_warning(scene: Scene) -> None:
    for warnings in (scene.warnings, scene.done["warnings"]):
        found = [one for one in warnings if "optional_no_ca" in one]
        assert len(found) == 3, warnings
        assert all("forged" in one and "noca" in one for one in found)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("of itself", 200),
        ("of the same trust", 200),
        ("of another trust", 400),
        ("of another trust, the other way", 400),
        ("of another port", 200),
        ("kept, of another trust", 400),
    ],
)
def test_no_session_opens_a_site(scene: Scene, name: str, status: int, version: str) -> None:
    """A client that the site accepts is verified anew."""
    answer = scene.answers[f"session: {name} ({version})"]
    assert (answer["first"], answer["status"], answer["resumed"]) == (200, status, False)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_kept_where_that_is_asked_for(scene: Scene, version: str) -> None:
    """The twin: by this client a session can be resumed."""
    answer = scene.answers[f"session: kept ({version})"]
    assert (answer["first"], answer["status"], answer["resumed"]) == (200, 200, True)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_session_opens_a_site_without_its_name(scene: Scene, version: str) -> None:
    answer = scene.answers[f"session: without a name ({version})"]
    assert (answer["first"], "status" in answer) == (200, False)
    assert "UNRECOGNIZED_NAME" in answer["error"]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("name", ["of one without a verified certificate", "of one whom the list lacks"])
def test_a_kept_session_opens_no_other_site_of_its_port(scene: Scene, name: str, version: str) -> None:
    """nginx before 1.30 ends some of these handshakes, and answers 421 to others."""
    answer = scene.answers[f"session: kept, {name} ({version})"]
    assert answer["first"] == 200
    assert answer.get("status") in (None, 400, 403, 421), answer


def test_the_suite_of_a_profile_is_the_one_spoken(scene: Scene) -> None:
    assert scene.answers["mine: TLS 1.2"]["cipher"] == PROFILES["mine"]["ciphers"][0]


def test_http2(scene: Scene) -> None:
    """On one connection each request is judged by itself, and another site wants a connection of its own."""
    found = scene.answers["h2"]
    assert found["alpn"] == "h2", found
    assert [one["status"] for one in found["answers"]] == [200, 421, 421, 200]
    seen = dict(json.loads(found["answers"][0]["body"])["headers"])
    assert seen["X-SSL-Client-S-DN"] == "CN=b1,O=Shop"
    for name, status in (("nobody", 400), ("a client of the other site", 400), ("the other site", 200)):
        assert scene.answers[f"h2: {name}"]["answers"][0]["status"] == status, name
    assert scene.answers["h2: not asked for"]["alpn"] in (None, "http/1.1")


def test_a_websocket_and_no_other_protocol(scene: Scene) -> None:
    assert (scene.answers["ws"]["status"], scene.answers["ws"]["body"]) == (101, "hello")
    assert scene.answers["ws: nobody"]["status"] == 400
    for name in ("another protocol", "not asked for"):
        answer = scene.answers[f"ws: {name}"]
        assert answer["status"] == 200
        assert "upgrade" not in {header.lower() for header, _value in json.loads(answer["body"])["headers"]}


def test_streaming(scene: Scene) -> None:
    for name, early in (("stream", True), ("stream: not asked for", False)):
        assert (scene.answers[name]["early"], scene.answers[name]["whole"]) == (early, True), name
    for name, early in (("upload", 1000), ("upload: not asked for", 0)):
        answer = scene.answers[name]
        assert (answer["early"], answer["status"], json.loads(answer["body"])["bytes"]) == (early, 200, 2000)


def test_servers_of_a_backend_that_fail(scene: Scene) -> None:
    """max_fails 1: the first request finds out for the next ten seconds; 0: none does."""
    refused = {}
    for name in ("counts", "tries"):
        assert [one["status"] for one in scene.answers[name]["answers"]] == [200] * 6, name
        refused[name] = int(
            scene.machine.sh(
                f"grep -c 'refused.*{local(DEAD)}.*{name}[.]a[.]test' /var/log/nginx/error.log || true"
            )
        )
    assert (refused["counts"], refused["tries"] >= 3) == (1, True), refused


def test_connections_to_the_backend_are_kept_unless_that_is_not_wanted(scene: Scene) -> None:
    for name, wanted in (("counts", []), ("tries", ["close"])):
        headers = json.loads(scene.answers[name]["answers"][0]["body"])["headers"]
        assert [value for header, value in headers if header.lower() == "connection"] == wanted, name


def test_headers_of_every_answer(scene: Scene) -> None:
    for name in ("limits: 1024 bytes", "limits: 1025 bytes", "limits: nobody", "limits: slow"):
        found = dict(scene.answers[name]["headers"])
        assert found["strict-transport-security"] == "max-age=63072000", name
        assert found["x-quote"] == 'a "b" \\ c'
    assert "strict-transport-security" not in dict(scene.answers["on: good"]["headers"])


def test_a_backend_on_a_unix_socket(scene: Scene) -> None:
    assert scene.answers["unix"]["body"] == "unix SUCCESS"


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("pages: nobody", "496", "application/json"),
        ("pages: nobody by POST", "496", "application/json"),
        ("pages: forged", "495", "text/html"),
        ("pages: no request", "400", "text/plain"),
        ("pages: no target", "400", "text/plain"),
        ("pages with a list: nobody", "496", "application/json"),
        ("pages with a list: forged", "495", "text/html"),
    ],
)
def test_pages_of_ones_own(scene: Scene, name: str, code: str, kind: str) -> None:
    answer = scene.answers[name]
    assert answer["body"] == PAGES[code][1].rstrip()
    assert dict(answer["headers"])["content-type"] == kind
    assert PAGES[code][1].rstrip() not in scene.answers["on: nobody"]["body"]


#: What would undo tls.conf or shut everybody out: the model does not see into a user's file, nor whom nginx
#: lets in; the shadow and the trial do. Options of a site, the code, and a word of the message.
REFUSED_BY_RELEASE: dict[str, tuple[dict[str, Any], str, str]] = {
    "server": ({"extra_server": "include snippets/cache.conf;"}, "server.tls_repeated", "ssl_session_cache"),
    "older protocols": (
        {"extra_server": "include snippets/old.conf;"},
        "server.tls_repeated",
        "/etc/nginx/snippets/old.conf:1",
    ),
    "another authority": (
        {"extra_server": "ssl_conf_command VerifyCAFile /etc/ssl/certs/ca-certificates.crt;"},
        "server.tls_command",
        "ssl_conf_command",
    ),
    "forgeable": (
        {"extra_server": "location /out { proxy_set_header A b; proxy_pass http://127.0.0.1:8000; }"},
        "server.headers_dropped",
        "proxy_set_header",
    ),
    "forgeable by FastCGI": (
        {"extra_server": "location /out { fastcgi_pass 127.0.0.1:9000; }"},
        "server.headers_passed",
        "fastcgi_pass",
    ),
    "location": ({"extra_location": "include snippets/cache.conf;"}, "", "/etc/nginx/snippets/cache.conf:1"),
    "unknown": ({"extra_server": "no_such_directive on;"}, "", "server/sites/orders.conf:"),
    "curves": ({"tls_profile": "no-p256", "listen": ["8020"]}, "", "client accepted"),
}
HARMLESS = {"extra_server": "include snippets/own.conf;", "extra_location": "send_timeout 9s;"}


@pytest.mark.parametrize("name", REFUSED_BY_RELEASE)
def test_what_would_undo_a_site_is_refused(scene: Scene, name: str) -> None:
    before, (_more, code, word) = scene.machine.current(), REFUSED_BY_RELEASE[name]
    done = scene.machine.call(parts=scene.parts[name], _ansible_check_mode=True)
    assert (done.get("failed"), done.get("code", "")) == (True, code), done
    assert word in done["msg"]
    assert scene.machine.current() == before


def test_extra_lines_of_a_site_and_of_its_location(scene: Scene) -> None:
    """Each in its place, and of this site only."""
    for name, status, extra, own in (
        ("named", 200, "location", False),
        ("print", 200, None, False),
        ("named: own", 200, None, True),
        ("named: own, nobody", 400, None, False),
    ):
        answer = scene.answers[name]
        found = answer["status"], dict(answer["headers"]).get("x-extra"), answer["body"] == "own"
        assert found == (status, extra, own), name


def test_extra_lines_that_undo_nothing_are_taken(scene: Scene) -> None:
    done = scene.machine.call(parts=scene.parts["harmless"], _ansible_check_mode=True)
    assert (done.get("failed", False), done["changed"]) == (False, True), done


# -- beside a default server of the user's on the same address and port

USERS_DEFAULT = f"""
server {{
    listen 443 ssl DEFAULT;
    server_name own.a.test;
    ssl_certificate {KEYS}/server.pem;
    ssl_certificate_key {KEYS}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ignore_invalid_headers HEADERS;
    SESSIONS
    return 200 "own $ssl_client_verify";
}}
"""
#: Of orders, stock and billing on 443: what is asked, the status, and whether the user's block answers.
BESIDE: dict[str, tuple[dict[str, Any], int, bool]] = {
    "the user's name": ({"to": "orders", "sni": "own.a.test"}, 200, True),
    "no name": ({"to": "orders", "host": "own.a.test"}, 200, True),
    **{
        f"{sni or 'no name'} and the Host of {host}, {who}": (
            {"to": "orders", "host": f"{host}.a.test", "who": who, **({"sni": sni} if sni else {})},
            status,
            False,
        )
        # Without a name the site itself answers: the default asked for no certificate.
        for sni, status in (("own.a.test", 421), ("", 400))
        for host, who in (("orders", "b1"), ("orders", "x1"), ("billing", "b1"))
    },
    "good": (question("orders", "b1"), 200, False),
    "forged": (question("orders", "forged"), 400, False),
    "other trust: good": (question("billing", "x1"), 200, False),
    "other trust: a client of orders": (question("billing", "b1"), 400, False),
}


#: A client with its session of another block, and what it gets. The user's block hands out tickets even
#: without a session cache; with one nginx before 1.30 answers 421 or ends the handshake.
OWN_NAME: dict[str, Any] = {"to": "orders", "sni": "own.a.test"}
NOT_IN = (None, 400, 421)
SESSIONS_BESIDE: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int | None, ...]]] = {
    "own to orders": (OWN_NAME, question("orders"), NOT_IN),
    "own to billing": (OWN_NAME, question("billing"), NOT_IN),
    "orders to billing": (question("orders", "b1"), question("billing", "b1"), NOT_IN),
    "billing to orders": (question("billing", "x1"), question("orders", "x1"), NOT_IN),
    "own to own": (OWN_NAME, OWN_NAME, (200,)),
    "orders to orders": (question("orders", "b1"), question("orders", "b1"), (200,)),
}


@pytest.mark.parametrize(("default", "sessions"), [("default_server", "ssl_session_cache off;"), ("", "")])
def test_beside_a_default_server_of_the_user(scene: Scene, default: str, sessions: str) -> None:
    """Marked, or first in the configuration without the word: it stays the default, and lets nobody in."""
    machine = scene.machine
    assert machine.call(state="absent")["state"] == "absent"
    users = USERS_DEFAULT.replace("DEFAULT", default)
    block = users.replace("HEADERS", "on")
    path = "/etc/nginx/conf.d/a.conf"
    machine.write(path, block.replace("SESSIONS", sessions))
    machine.sh("nginx -t -q && systemctl reload nginx")
    done = machine.call(parts=scene.parts["three"])
    assert done.get("state") == "stable", done
    assert not [row for row in done["proof"] if row["verdict"] not in ("ok", "inconclusive")]
    asked = {name: one for name, (one, _status, _own) in BESIDE.items()}
    for name, (first, then, _statuses) in SESSIONS_BESIDE.items():
        for key in (V12, V13):
            asked[f"{name} {key}"] = {**then, "how": "resume", "first": {**first, **key}, **key}
    answers = scene.ask(asked, {"orders": 443, "billing": 443})
    for name, (_one, status, own) in BESIDE.items():
        assert (answers[name].get("status"), answers[name]["body"].startswith("own")) == (status, own), name
    for name, (_first, _then, statuses) in SESSIONS_BESIDE.items():
        for key in (V12, V13):
            answer = answers[f"{name} {key}"]
            assert (answer["first"], answer.get("status") in statuses) == (200, True), (name, answer)
            if statuses == (200,):
                assert answer["resumed"] == (name == "own to own"), (name, answer)
    # Its sessions would be those of every site there.
    before = machine.current()
    machine.write(path, block.replace("SESSIONS", "ssl_session_cache shared:own:1m;"))
    done = machine.call(parts=scene.parts["three"], _ansible_check_mode=True)
    assert (done["code"], f"{path}:3" in done["msg"]) == ("server.default_governs", True), done
    # It reads the headers of whoever names no server.
    machine.write(path, users.replace("SESSIONS", sessions).replace("HEADERS", "off"))
    done = machine.call(parts=scene.parts["three"], _ansible_check_mode=True)
    assert (done["code"], "ignore_invalid_headers" in done["msg"]) == ("server.default_governs", True), done
    assert machine.current() == before
    machine.sh(f"rm {path}; nginx -t -q && systemctl reload nginx")


def test_the_default_server_reads_the_headers_of_who_names_no_server(scene: Scene) -> None:
    """So a site that asks for no certificate would pass on what its own block drops."""
    machine = scene.machine
    assert machine.call(state="absent")["state"] == "absent"
    path = "/etc/nginx/conf.d/a.conf"
    block = USERS_DEFAULT.replace("DEFAULT", "").replace("SESSIONS", "").replace("443", "8001")
    machine.write(path, block.replace("HEADERS", "on"))
    machine.sh("nginx -t -q && systemctl reload nginx")
    assert machine.call(parts=scene.parts["optional"]).get("state") == "stable"
    # nginx goes on by the site's rules once it has read Host.
    lines = ["GET / HTTP/1.1", *map(": ".join, FORGERY), "Host: optional.a.test", "Connection: close", "", ""]
    unnamed = {"to": "optional", "raw": "\r\n".join(lines)}
    named = {**unnamed, "sni": "optional.a.test"}
    seen = []
    for ignore in ("on", "off"):
        machine.write(path, block.replace("HEADERS", ignore))
        machine.sh("nginx -t -q && systemctl reload nginx; sleep 1")
        answers = scene.ask({"named": named, "unnamed": unnamed}, {"optional": 8001})
        seen.append([any(map(any, told(answers[who]).values())) for who in ("named", "unnamed")])
    machine.sh(f"rm {path}; nginx -t -q && systemctl reload nginx")
    assert seen == [[False, False], [False, True]]


@pytest.mark.parametrize("marked", [True, False])
def test_behind_the_release_only_a_marked_default_server_stays(scene: Scene, marked: bool) -> None:
    """Read after conf.d, as Debian's sites-enabled is: without the word ours takes its place, and says so."""
    machine = scene.machine
    assert machine.call(state="absent")["state"] == "absent"
    path = "/etc/nginx/sites-enabled/zz"
    block = USERS_DEFAULT.replace("DEFAULT", "default_server" if marked else "")
    machine.write(path, block.replace("SESSIONS", "").replace("HEADERS", "on"))
    machine.sh("nginx -t -q && systemctl reload nginx")
    done = machine.call(parts=scene.parts["three"])
    assert done.get("state") == "stable", done
    assert any(f"{path}:3" in one for one in done["warnings"]) is not marked, done["warnings"]
    asked = {
        "no name": {"to": "orders", "host": "own.a.test"},
        "its name": {"to": "orders", "sni": "own.a.test"},
        "good": question("orders", "b1"),
        "nobody": question("orders"),
    }
    answers = scene.ask(asked, {"orders": 443})
    got = {name: answer.get("status", REFUSED) for name, answer in answers.items()}
    assert got == {"no name": 200 if marked else REFUSED, "its name": 200, "good": 200, "nobody": 400}
    machine.sh(f"rm {path}; nginx -t -q && systemctl reload nginx")
