# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong between Server B and Server A, one case each, and its twin where all is well.

A case changes the usual values of both configurations. *code* is the finding that explains it, "" for a twin.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from typing import Any, Callable, Union

from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import DAY

NOW = datetime.now(timezone.utc).replace(microsecond=0)
WEAK = builders.slow_key("rsa1024")
NAME, DIRECTORY = "orders.example.com", "/srv/case"
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
Text = Union[bytes, Callable[[], bytes]]


def _times(start: float = -10, end: float = 60) -> dict[str, Any]:
    return {"start": NOW + start * DAY, "end": NOW + end * DAY}


@cache
def ca(name: str) -> builders.Issued:
    """An authority by its name: root, other, int1 below root, int2 below int1, …"""
    above = {"int1": "root", "int2": "int1", "other-int": "other", "x2-by-x1": "x1", "short-int": "root"}
    keys = {"rsa": builders.slow_key("rsa2048"), "short-int": WEAK}
    same = {
        "roll-a": "CN=Roll",
        "roll-b": "CN=Roll",
        "nokid-a": "CN=No identifiers",
        "nokid-b": "CN=No identifiers",
    }
    subject = same.get(name, f"CN=Test {name}")
    if name == "x2-by-x1":
        return builders.intermediate(ca("x1"), "CN=Test x2", key=ca("x2").key, **_times(-90, 900))
    key = keys.get(name)
    if name in above:
        return builders.intermediate(ca(above[name]), subject, key=key, **_times(-90, 900))
    end = -1 if name == "old" else 900
    return builders.root(subject, identifiers=not name.startswith("nokid"), key=key, **_times(-90, end))


def leaf(side: str, by: str = "root", **more: Any) -> builders.Issued:
    build = builders.client if side == "client" else builders.server
    if by.startswith("nokid"):
        more["identifiers"] = False
    return build(ca(by) if by else None, **{**_times(), **more})


def crl(by: str, *revoked: builders.Issued, start: float = -1, end: float = 7) -> bytes:
    return builders.revoke(ca(by), *revoked, start=NOW + start * DAY, end=NOW + end * DAY).public_bytes(PEM)


def weakly(issued: builders.Issued, by: str, digest: str) -> bytes:
    """The certificate of *issued*, signed again by *by* with a digest that nobody should use."""
    parts = raw.parts(raw.parts(issued.der)[0])
    parts[2] = raw.algorithm(ca(by).key, digest)
    return raw.pem(raw.sign(raw.seq(*parts), ca(by).key, digest))


def pems(*names: str) -> bytes:
    return b"".join(ca(name).pem for name in names)


@dataclass(frozen=True)
class Pair:
    """What one side sends, and its key."""

    certificate: bytes
    key: bytes


def sends(issued: builders.Issued, *above: str) -> Pair:
    return Pair(issued.pem + pems(*above), issued.key_pem)


CLIENT = leaf("client")
SERVER = leaf("server")
GOOD = sends(CLIENT)


@dataclass(frozen=True)
class Case:
    """*a*, *b*: what differs from ``USUAL``; *unit*: whose nginx is the system's (`a`, or `b` where that one
    does not start). *remark*: what the configurations do besides; *proof*: commands that show it."""

    name: str
    code: str
    a: dict[str, Any] = field(default_factory=dict)
    b: dict[str, Any] = field(default_factory=dict)
    unit: str = "a"
    steps: tuple[str, ...] = ()
    also: dict[str, bytes] = field(default_factory=dict)
    remark: str = ""
    proof: tuple[str, ...] = ()


USUAL_A: dict[str, Any] = {
    "pair": sends(SERVER), "trust": pems("root"), "trusted": None, "crl": None, "depth": 1, "verify": "on",
    "protocols": "TLSv1.2 TLSv1.3", "http": "", "server": "", "others": "", "listen": "127.0.0.1:8443 ssl",
    "names": NAME, "answer": "return 200 \"OK $ssl_client_verify\";", "down": False, "certificate": None,
}  # fmt: skip
USUAL_B: dict[str, Any] = {
    "pair": GOOD, "trust": pems("root"), "crl": None, "depth": 1, "verify": "on", "name": NAME, "sni": "on",
    "host": NAME, "protocols": "TLSv1.2 TLSv1.3", "pass": "https://a", "to": "127.0.0.1:8443", "http": "",
    "location": "", "certificate": None, "upstream": "",
}  # fmt: skip


def _files(side: str, given: dict[str, Any]) -> dict[str, bytes]:
    found = {
        f"{DIRECTORY}/{side}/{name}.pem": given[name]
        for name in ("trust", "trusted", "crl")
        if given.get(name)
    }
    if given["pair"] is not None:
        found[f"{DIRECTORY}/{side}/cert.pem"] = given["pair"].certificate
        found[f"{DIRECTORY}/{side}/key.pem"] = given["pair"].key
    return found


def _line(directive: str, value: object) -> str:
    return f"    {directive} {value};\n" if value not in (None, "") else ""


def _a(given: dict[str, Any]) -> str:
    here = f"{DIRECTORY}/a"
    text = "error_log /var/log/nginx/case.log info;\n" + given["http"] + "\n"
    if given["down"]:
        return text
    text += (
        given["others"]
        + "server {\n"
        + _line("listen", given["listen"])
        + _line("server_name", given["names"])
    )
    if " ssl" in given["listen"]:
        text += _line("ssl_certificate", given["certificate"] or f"{here}/cert.pem")
        text += _line("ssl_certificate_key", f"{here}/key.pem")
        text += _line("ssl_client_certificate", given["trust"] and f"{here}/trust.pem")
        text += _line("ssl_trusted_certificate", given["trusted"] and f"{here}/trusted.pem")
        text += _line("ssl_crl", given["crl"] and f"{here}/crl.pem") + _line(
            "ssl_verify_depth", given["depth"]
        )
        text += _line("ssl_verify_client", given["verify"]) + _line("ssl_protocols", given["protocols"])
    return text + given["server"] + "\n    location / { " + given["answer"] + " }\n}\n"


def _b(given: dict[str, Any]) -> str:
    here = f"{DIRECTORY}/b"
    text = given["http"] + "\nupstream a { server " + given["to"] + "; " + given["upstream"] + " }\n"
    text += "server {\n    listen 127.0.0.1:8080;\n    server_name b.example.com;\n    location / {\n"
    text += _line("proxy_pass", given["pass"]) + _line("proxy_set_header", f"Host {given['host']}")
    if given["pair"] is not None:
        text += _line("proxy_ssl_certificate", given["certificate"] or f"{here}/cert.pem")
        text += _line("proxy_ssl_certificate_key", f"{here}/key.pem")
    text += _line("proxy_ssl_trusted_certificate", given["trust"] and f"{here}/trust.pem")
    text += _line("proxy_ssl_crl", given["crl"] and f"{here}/crl.pem")
    text += _line("proxy_ssl_verify_depth", given["depth"]) + _line("proxy_ssl_verify", given["verify"])
    text += _line("proxy_ssl_name", given["name"]) + _line("proxy_ssl_server_name", given["sni"])
    text += _line("proxy_ssl_protocols", given["protocols"]) + _line("proxy_connect_timeout", "2s")
    return text + _line("proxy_read_timeout", "2s") + given["location"] + "    }\n}\n"


_HAND = """
user www-data;
pid /srv/hand/nginx.pid;
error_log /srv/hand/error.log;
events {{}}
http {{
access_log off;
{}
}}
"""


def order(case: Case) -> dict[str, Any]:
    """The case for explain_host.py."""
    a, b = {**USUAL_A, **case.a}, {**USUAL_B, **case.b}
    files = {**_files("a", a), **_files("b", b), **case.also}
    texts = {"a": _a(a), "b": _b(b)}
    other = "b" if case.unit == "a" else "a"
    texts[other] = _HAND.format(texts[other])
    encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
    return {"name": case.name, "files": encoded, "unit": case.unit, **texts, "steps": list(case.steps),
            "proof": list(case.proof)}  # fmt: skip


_OTHERS = """server {
    listen 127.0.0.1:8443 ssl default_server;
    server_name elsewhere.example.com;
    ssl_certificate /srv/case/a/elsewhere.pem;
    ssl_certificate_key /srv/case/a/elsewhere.key;
    %s
    return 200 "elsewhere";
}
"""
_ELSEWHERE = leaf("server", names=("elsewhere.example.com",), subject="CN=elsewhere.example.com")
_ALSO = {"/srv/case/a/elsewhere.pem": _ELSEWHERE.pem, "/srv/case/a/elsewhere.key": _ELSEWHERE.key_pem}
_SAME_PROTOCOLS = "ssl_protocols TLSv1.2 TLSv1.3;"
_VERIFIES = f"{_SAME_PROTOCOLS} ssl_client_certificate /srv/case/a/trust.pem; ssl_verify_client on;"
_ENCRYPTED = builders.key_pem(SERVER.key, b"a long passphrase")
_ENCRYPTED_B = builders.key_pem(CLIENT.key, b"a long passphrase")
_DEFAULT = "server { listen 127.0.0.1:8443 ssl default_server; ssl_reject_handshake on; %s }\n"
_REJECTS = _DEFAULT % _SAME_PROTOCOLS
_SESSIONS = "ssl_session_cache shared:case:1m; ssl_session_tickets off;"


_ANY_LEVEL = "ssl_ciphers DEFAULT@SECLEVEL=0;"


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def _replaced(path: str, content: bytes) -> str:
    """A step that puts another file in its place, some seconds younger than nginx."""
    encoded = base64.b64encode(content).decode()
    return f"sleep 1.1; echo {encoded} | base64 -d > {path}.new && mv {path}.new {path}"


_ASK = "python3 -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:8080/\").read()'"
_FORGOTTEN = "truncate -s 0 /var/log/nginx/case.log"
_RELOAD = "systemctl reload nginx; sleep 0.5"
INT1 = leaf("client", "int1")
INT2 = leaf("client", "int2")
_S1, _S2 = leaf("server", "int1"), leaf("server", "int2")
_OLD_CRL = crl("root", start=-9, end=-1)


_ASKS_FOR_IT = 'if ($ssl_client_verify != SUCCESS) { return 403; } return 200 "OK";'


def client_cases() -> list[Case]:
    """Server A refuses the client, and its twins."""
    bare = {"pair": sends(leaf("client", "other"))}
    chained = {"pair": sends(leaf("client", "other"), "other")}
    lists = crl("root") + crl("int1")
    short, of_rsa, alone = leaf("client", key=WEAK), leaf("client", "rsa"), leaf("client", "")
    any_level = f"proxy_{_ANY_LEVEL}"
    return [
        Case("all is well", ""),
        Case("no client certificate", "client_cert_not_sent", b={"pair": None}),
        Case("unknown CA", "issuer_unknown", b=bare),
        Case("unknown CA, sent along", "client_ca_not_accepted", b=chained),
        Case("unknown CA, twin", "", {"trust": pems("root", "other")}, bare),
        Case("self-signed", "self_signed", b={"pair": sends(leaf("client", ""))}),
        Case("expired", "expired", b={"pair": sends(leaf("client", **_times(-9, -1)))}),
        Case("not yet valid", "not_yet_valid", b={"pair": sends(leaf("client", **_times(1, 9)))}),
        Case("missing intermediate", "issuer_unknown", b={"pair": sends(INT1)}),
        Case(
            "missing intermediate that A has itself",
            "intermediate_missing",
            {"pair": sends(_S1, "int1")},
            {"pair": sends(INT1)},
        ),
        Case("intermediate sent", "", b={"pair": sends(INT1, "int1")}),
        Case("two intermediates sent", "", {"depth": 2}, {"pair": sends(INT2, "int2", "int1")}),
        Case("two intermediates in reverse", "", {"depth": 2}, {"pair": sends(INT2, "int1", "int2")}),
        Case("intermediate in A's trust", "", {"trust": pems("root", "int1")}, {"pair": sends(INT1)}),
        Case(
            "only an intermediate in A's trust",
            "root_missing",
            {"trust": pems("int1")},
            {"pair": sends(INT1)},
        ),
        Case(
            "only an intermediate in A's trust, chain sent",
            "root_missing",
            {"trust": pems("int1")},
            {"pair": sends(INT1, "int1")},
        ),
        Case("a server's certificate", "purpose", b={"pair": sends(leaf("client", uses=("server",)))}),
        Case("no extended key usage", "", b={"pair": sends(leaf("client", uses=None))}),
        Case("revoked", "revoked", {"crl": crl("root", CLIENT)}),
        Case("somebody else revoked", "", {"crl": crl("root", SERVER)}),
        Case("CRL has ended", "crl_expired", {"crl": _OLD_CRL}),
        Case("CRL from the future", "crl_not_yet_valid", {"crl": crl("root", start=1, end=9)}),
        Case("an old CRL and a new one", "", {"crl": _OLD_CRL + crl("root")}),
        Case(
            "no CRL of the intermediate", "crl_missing", {"crl": crl("root")}, {"pair": sends(INT1, "int1")}
        ),
        Case("no CRL of the root", "crl_missing", {"crl": crl("int1")}, {"pair": sends(INT1, "int1")}),
        Case("CRLs of both", "", {"crl": lists}, {"pair": sends(INT1, "int1")}),
        Case(
            "the intermediate is revoked",
            "revoked",
            {"crl": crl("root", ca("int1")) + crl("int1")},
            {"pair": sends(INT1, "int1")},
        ),
        Case("CRL of another issuer", "crl_missing", {"crl": crl("other")}),
        Case("too deep", "depth", {"depth": 1}, {"pair": sends(INT2, "int2", "int1")}),
        Case("too deep at 0", "depth", {"depth": 0}, {"pair": sends(INT1, "int1")}),
        Case("a leaf below the root at 0", "", {"depth": 0}),
        Case("the default depth", "", {"depth": None}, {"pair": sends(INT1, "int1")}),
        Case(
            "two CAs of one name, no identifiers",
            "signature",
            {"trust": pems("nokid-a", "nokid-b")},
            {"pair": sends(leaf("client", "nokid-b"))},
        ),
        Case(
            "the first of them",
            "",
            {"trust": pems("nokid-a", "nokid-b")},
            {"pair": sends(leaf("client", "nokid-a"))},
        ),
        Case(
            "two CAs of one name",
            "",
            {"trust": pems("roll-a", "roll-b")},
            {"pair": sends(leaf("client", "roll-b"))},
        ),
        Case(
            "of a CA that has expired",
            "expired",
            {"trust": pems("root", "old")},
            {"pair": sends(leaf("client", "old"))},
        ),
        Case(
            "cross-signed, not sent",
            "issuer_unknown",
            {"trust": pems("x1")},
            {"pair": sends(leaf("client", "x2"))},
        ),
        Case(
            "cross-signed, sent", "", {"trust": pems("x1")}, {"pair": sends(leaf("client", "x2"), "x2-by-x1")}
        ),
        Case(
            "only a cross certificate in A's trust",
            "root_missing",
            {"trust": pems("x2-by-x1")},
            {"pair": sends(leaf("client", "x2"))},
        ),
        Case(
            "a leaf in A's trust does not pin",
            "leaf_trusted",
            {"trust": pems("root") + bare["pair"].certificate},
            bare,
        ),
        Case("ssl_trusted_certificate lets in, too", "", {"trusted": pems("other")}, bare),
        Case(
            "a key that is too short for A",
            "weak_key",
            b={"pair": sends(short), "location": any_level},
        ),
        Case(
            "such a key, and A allows it",
            "",
            {"server": _ANY_LEVEL},
            {"pair": sends(short), "location": any_level},
        ),
        Case(
            "a key of the intermediate that is too short for A",
            "weak_key",
            b={"pair": sends(leaf("client", "short-int"), "short-int"), "location": any_level},
        ),
        Case(
            "signed with SHA-1",
            "weak_digest",
            b={"pair": Pair(weakly(CLIENT, "root", "sha1"), CLIENT.key_pem), "location": any_level},
        ),
        Case(
            "signed with SHA-1, and A allows it",
            "",
            {"server": _ANY_LEVEL},
            {"pair": Pair(weakly(CLIENT, "root", "sha1"), CLIENT.key_pem), "location": any_level},
        ),
        Case(
            "signed with MD5",
            "weak_digest",
            {"trust": pems("rsa")},
            {"pair": Pair(weakly(of_rsa, "rsa", "md5"), of_rsa.key_pem), "location": any_level},
        ),
        Case(
            "an intermediate signed with SHA-1",
            "weak_digest",
            b={
                "pair": Pair(INT1.pem + weakly(ca("int1"), "root", "sha1"), INT1.key_pem),
                "location": any_level,
            },
        ),
        Case(
            "an intermediate signed with SHA-1 in A's trust",
            "weak_digest",
            {"trust": pems("root") + weakly(ca("int1"), "root", "sha1")},
            {"pair": sends(INT1)},
        ),
        Case("the root signed with SHA-1", "", {"trust": weakly(ca("root"), "root", "sha1")}),
        Case("A's trust is the client's certificate alone", "leaf_trusted", {"trust": CLIENT.pem}),
        Case("A's trust is the client's certificate, and the root", "", {"trust": CLIENT.pem + pems("root")}),
        Case(
            "A's trust is a self-signed certificate of the client",
            "",
            {"trust": alone.pem},
            {"pair": sends(alone)},
        ),
        Case("verify optional, another CA", "issuer_unknown", {"verify": "optional"}, bare),
        Case("verify optional, no certificate", "", {"verify": "optional"}, {"pair": None}),
        Case("verify optional_no_ca, another CA", "not_verified", {"verify": "optional_no_ca"}, bare),
        Case("verify off", "not_verified", {"verify": "off"}, bare),
        Case(
            "a page of one's own for 495",
            "issuer_unknown",
            {"server": "error_page 495 =403 @no; location @no { return 403 no; }"},
            bare,
        ),
        Case(
            "a page of one's own for 496",
            "client_cert_not_sent",
            {"server": "error_page 496 =401 @no; location @no { return 401 no; }"},
            {"pair": None},
        ),
        Case("not allowed", "client_not_allowed", {"answer": "return 403;"}),
        Case("not found", "", {"answer": "return 404;"}),
        Case(
            "verify optional, and asked for in the site", "", {"verify": "optional", "answer": _ASKS_FOR_IT}
        ),
        Case(
            "denied by its address", "address_denied", {"answer": "deny all; proxy_pass http://127.0.0.1:1;"}
        ),
        Case("maintenance", "error_answer", {"answer": "return 503;"}),
        Case("a redirect", "", {"answer": "return 301 https://elsewhere.example.com/;"}),
        Case(
            "another CA of the same name",
            "client_ca_not_accepted",
            {"trust": pems("nokid-a")},
            {"pair": sends(leaf("client", "nokid-b"))},
        ),
    ]


def server_cases() -> list[Case]:
    """Server B refuses A's certificate, and its twins."""
    other = leaf("server", "other")
    return [
        Case("A of an unknown CA", "issuer_unknown", {"pair": sends(other)}),
        Case("A of an unknown CA, sent along", "server_ca_not_accepted", {"pair": sends(other, "other")}),
        Case("A of an unknown CA, twin", "", {"pair": sends(other)}, {"trust": pems("root", "other")}),
        Case("A of an unknown CA, nobody verifies", "", {"pair": sends(other)}, {"verify": "off"}),
        Case("A self-signed", "self_signed", {"pair": sends(leaf("server", ""))}),
        Case("A expired", "expired", {"pair": sends(leaf("server", **_times(-9, -1)))}),
        Case("A not yet valid", "not_yet_valid", {"pair": sends(leaf("server", **_times(1, 9)))}),
        Case("A has a client's certificate", "purpose", {"pair": sends(leaf("server", uses=("client",)))}),
        Case("A's intermediate is missing", "issuer_unknown", {"pair": sends(_S1)}),
        Case(
            "A's intermediate is missing, B has it itself",
            "intermediate_missing",
            {"pair": sends(_S1)},
            {"pair": sends(INT1, "int1")},
        ),
        Case("A's intermediate", "", {"pair": sends(_S1, "int1")}),
        Case(
            "A signed with SHA-1",
            "weak_digest",
            {"pair": Pair(weakly(SERVER, "root", "sha1"), SERVER.key_pem), "server": _ANY_LEVEL},
        ),
        Case(
            "A signed with SHA-1, and B allows it",
            "",
            {"pair": Pair(weakly(SERVER, "root", "sha1"), SERVER.key_pem), "server": _ANY_LEVEL},
            {"location": f"proxy_{_ANY_LEVEL}"},
        ),
        Case(
            "A's key is too short for B",
            "weak_key",
            {"pair": sends(leaf("server", key=WEAK)), "server": _ANY_LEVEL},
        ),
        Case("B's trust is A's certificate alone", "leaf_trusted", b={"trust": SERVER.pem}),
        Case("B's trust is A's certificate, and the root", "", b={"trust": SERVER.pem + pems("root")}),
        Case("A too deep", "depth", {"pair": sends(_S2, "int2", "int1")}),
        Case("A as deep as allowed", "", {"pair": sends(_S2, "int2", "int1")}, {"depth": 2}),
        Case("A revoked", "revoked", b={"crl": crl("root", SERVER)}),
        Case("B's CRL has ended", "crl_expired", b={"crl": _OLD_CRL}),
        Case(
            "B has no CRL of A's intermediate",
            "crl_missing",
            {"pair": sends(_S1, "int1")},
            {"crl": crl("root")},
        ),
        Case(
            "B trusts the intermediate only",
            "root_missing",
            {"pair": sends(_S1, "int1")},
            {"trust": pems("int1")},
        ),
        Case("A has another name", "server_name", {"pair": sends(leaf("server", names=("x.example.com",)))}),
        Case(
            "A has another name, nobody verifies",
            "",
            {"pair": sends(leaf("server", names=("x.example.com",)))},
            {"verify": "off"},
        ),
        Case("A has a wildcard", "", {"pair": sends(leaf("server", names=("*.example.com",)))}),
        Case("A has a common name only", "", {"pair": sends(leaf("server", names=()))}),
        Case("the upstream's name", "server_name", b={"name": None, "sni": "off"}),
    ]


def _silent(port: int) -> str:
    """A step: somebody listens there, and says nothing."""
    program = f'import socket, time; s = socket.create_server(("127.0.0.1", {port})); time.sleep(20)'
    return f"python3 -c '{program}' >/dev/null 2>&1 & sleep 0.5"


def connection_cases() -> list[Case]:
    """Which server, which words, and whether anybody is there."""
    elsewhere = {"others": _OTHERS % _SAME_PROTOCOLS}
    ends = "for n in range(9): s.accept()[0].close()"
    program = f'import socket; s = socket.create_server(("127.0.0.1", 8448))\n{ends}'
    closes = f"timeout 20 python3 -c '{program}' >/dev/null 2>&1 & sleep 0.5"
    return [
        Case("no server name, another default server", "sni_missing", elsewhere, {"sni": "off"}, also=_ALSO),
        Case("a server name, another default server", "", elsewhere, also=_ALSO),
        Case(
            "no server name, the default server rejects", "sni_missing", {"others": _REJECTS}, {"sni": "off"}
        ),
        Case(
            "an unknown server name, the default server rejects",
            "sni_unknown",
            {"others": _REJECTS},
            {"name": "x.example.com", "host": "x.example.com"},
        ),
        Case("a server name, the default server rejects", "", {"others": _REJECTS}),
        Case(
            "another Host",
            "misdirected",
            {"others": _OTHERS % _VERIFIES},
            {"host": "elsewhere.example.com"},
            also=_ALSO,
        ),
        Case("no common version", "protocol_version", {"protocols": "TLSv1.3"}, {"protocols": "TLSv1.2"}),
        Case(
            "no common version the other way",
            "protocol_version",
            {"protocols": "TLSv1.2"},
            {"protocols": "TLSv1.3"},
        ),
        Case("one common version", "", {"protocols": "TLSv1.3"}),
        Case(
            "no common cipher",
            "no_shared_cipher",
            {"protocols": "TLSv1.2", "server": "ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;"},
            {"location": "proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"},
        ),
        Case(
            "ciphers for another kind of key",
            "no_shared_cipher",
            {"protocols": "TLSv1.2", "server": "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;"},
        ),
        Case("nobody listens", "connection_refused", {"down": True}),
        Case("nginx of A is stopped", "nginx_down", steps=("systemctl stop nginx",)),
        Case("A speaks plain HTTP", "plain_on_tls_port", {"listen": "127.0.0.1:8443"}),
        Case("B speaks plain HTTP", "tls_on_plain_port", b={"pass": "http://a"}),
        Case("A is silent", "timed_out", b={"to": "127.0.0.1:8444"}, steps=(_silent(8444),)),
        Case("A's backend is down", "backend_down", {"answer": "proxy_pass http://127.0.0.1:1;"}),
        Case(
            "A's backend is silent",
            "backend_down",
            {"answer": "proxy_pass http://127.0.0.1:8445; proxy_read_timeout 1s;"},
            steps=(_silent(8445),),
        ),
        Case(
            "A is silent behind the handshake",
            "timed_out",
            {"answer": "proxy_pass http://127.0.0.1:8446;"},
            steps=(_silent(8446),),
        ),
        Case("somebody closes at once", "closed", b={"to": "127.0.0.1:8448"}, steps=(closes,)),
        Case(
            "A's name does not resolve when it is asked",
            "name_unresolved",
            b={
                "pass": "https://$whom",
                "http": "map $host $whom { default nobody.invalid; }\n"
                "resolver 127.0.0.1:1; resolver_timeout 1s;",
            },
        ),
        Case(
            "A expects the PROXY protocol", "proxy_protocol", {"listen": "127.0.0.1:8443 ssl proxy_protocol"}
        ),
        Case(
            "an address for a server name",
            "sni_missing",
            {"others": _REJECTS},
            {"name": "127.0.0.1"},
        ),
        Case("A's name does not resolve", "name_unresolved", unit="b", b={"to": "nobody.invalid:8443"}),
        Case(
            "a key that the worker cannot read",
            "worker_cannot_read",
            b={"http": "map $host $who { default cert; }", "certificate": f"{DIRECTORY}/b/$who.pem"},
            remark="proxy.identity_shared",
        ),
        Case(
            "a key that A's worker cannot read",
            "worker_cannot_read",
            {"http": "map $ssl_server_name $who { default cert; }", "certificate": f"{DIRECTORY}/a/$who.pem"},
        ),
        Case(
            "files that A's worker can read",
            "",
            {"http": "map $ssl_server_name $who { default cert; }", "certificate": f"{DIRECTORY}/a/$who.pem"},
            steps=(f"chown -R www-data {DIRECTORY}/a",),
        ),
    ]


def file_cases() -> list[Case]:
    """nginx does not load them, or has not loaded them yet."""
    wrong = Pair(SERVER.pem, CLIENT.key_pem)
    root = pems("root")
    damaged = SERVER.key_pem.replace(b"\nM", b"\n!")
    return [
        Case("A's key is another one's", "pair.key_mismatch", {"pair": wrong}),
        Case(
            "B's key is another one's",
            "pair.key_mismatch",
            unit="b",
            b={"pair": Pair(CLIENT.pem, SERVER.key_pem)},
        ),
        Case("A's key is encrypted", "pair.key_encrypted", {"pair": Pair(SERVER.pem, _ENCRYPTED)}),
        Case(
            "A's key is encrypted, with its passphrase",
            "",
            {"pair": Pair(SERVER.pem, _ENCRYPTED), "server": "ssl_password_file /srv/case/a/pass;"},
            also={"/srv/case/a/pass": b"a long passphrase\n"},
        ),
        Case(
            "A's key is encrypted, with a wrong passphrase",
            "pair.key_encrypted",
            {"pair": Pair(SERVER.pem, _ENCRYPTED), "server": "ssl_password_file /srv/case/a/pass;"},
            also={"/srv/case/a/pass": b"a wrong passphrase\n"},
        ),
        Case(
            "B's key is encrypted", "pair.key_encrypted", unit="b", b={"pair": Pair(CLIENT.pem, _ENCRYPTED_B)}
        ),
        Case(
            "A's leaf is not first", "chain.wrong_order", {"pair": Pair(pems("int1") + _S1.pem, _S1.key_pem)}
        ),
        Case("A's key is too short", "key.weak", {"pair": sends(leaf("server", key=WEAK))}),
        Case("A's key is damaged", "format.damaged", {"pair": Pair(SERVER.pem, damaged)}),
        Case("B's key is damaged", "format.damaged", unit="b", b={"pair": Pair(CLIENT.pem, damaged)}),
        Case("A's trust is DER", "format.der", {"trust": _der(root)}),
        Case("A's trust is glued", "format.glued_blocks", {"trust": root.strip() + pems("other")}),
        Case("A's trust is indented", "format.indented", {"trust": b"  " + root.replace(b"\n", b"\n  ")}),
        Case("A's trust is empty", "format.unreadable", {"trust": b"\n"}),
        Case("A's trust has a BOM", "", {"trust": b"\xef\xbb\xbf" + root}),
        Case("A's trust has CRLF", "", {"trust": root.replace(b"\n", b"\r\n")}),
        Case("A's CRL is DER", "format.der", {"crl": _der(crl("root"))}),
        Case("A's CRL is missing", "file.missing", {"server": "ssl_crl /srv/case/a/none.pem;"}),
        Case(
            "the new trust is not loaded",
            "not_reloaded",
            {"trust": pems("other")},
            steps=(_replaced("/srv/case/a/trust.pem", root),),
        ),
        Case(
            "the new trust is loaded",
            "",
            {"trust": pems("other")},
            steps=(_replaced("/srv/case/a/trust.pem", root), _RELOAD),
        ),
        Case(
            "A's new certificate is not loaded",
            "not_reloaded",
            {"pair": sends(leaf("server", **_times(-9, -1)))},
            steps=(
                _replaced("/srv/case/a/cert.pem", SERVER.pem),
                _replaced("/srv/case/a/key.pem", SERVER.key_pem),
            ),
        ),
        Case(
            "A's new certificate is refused",
            "pair.key_mismatch",
            {"pair": sends(leaf("server", **_times(-9, -1)))},
            steps=(
                _replaced("/srv/case/a/cert.pem", SERVER.pem),
                "kill -HUP $(cat /run/nginx.pid); sleep 0.5",
            ),
        ),
        Case(
            "a reload that was lost",
            "not_reloaded",
            {"pair": sends(leaf("server", **_times(-9, -1)))},
            steps=(
                _replaced("/srv/case/a/cert.pem", SERVER.pem),
                _replaced("/srv/case/a/key.pem", SERVER.key_pem),
                _silent(8447),
                "echo 'server { listen 127.0.0.1:8447; }' >>/etc/nginx/conf.d/case.conf",
                "systemctl reload nginx; sleep 3.5",
            ),
        ),
        Case(
            "a server name that is not loaded",
            "not_reloaded",
            {"names": "x.example.com", "others": _REJECTS},
            steps=(f"sleep 1.1; sed -i 's/x.example.com/{NAME}/' /etc/nginx/conf.d/case.conf",),
        ),
        Case(
            "a configuration that is not loaded, and all is well",
            "",
            steps=("sleep 1.1; sed -i 's/verify_client on/verify_client off/' /etc/nginx/conf.d/case.conf",),
        ),
        Case(
            "a session from before the revocation",
            "session_outlives_trust",
            {"crl": crl("root"), "server": _SESSIONS},
            steps=(_ASK, _replaced("/srv/case/a/crl.pem", crl("root", CLIENT)), _RELOAD),
        ),
        Case(
            "a session from before the CRL was renewed",
            "refusal_remembered",
            # nginx 1.22 makes new keys of tickets with each reload.
            {"crl": _OLD_CRL, "server": "ssl_session_ticket_key /srv/case/a/ticket.key;"},
            steps=(_ASK, _replaced("/srv/case/a/crl.pem", crl("root")), _RELOAD, _FORGOTTEN),
            also={"/srv/case/a/ticket.key": bytes(80)},
        ),
        Case(
            "no session from before the CRL was renewed",
            "",
            {"crl": _OLD_CRL, "server": "ssl_session_cache off; ssl_session_tickets off;"},
            steps=(_ASK, _replaced("/srv/case/a/crl.pem", crl("root")), _RELOAD, _FORGOTTEN),
        ),
        Case(
            "no session from before the revocation",
            "revoked",
            {"crl": crl("root"), "server": "ssl_session_cache off; ssl_session_tickets off;"},
            steps=(_ASK, _replaced("/srv/case/a/crl.pem", crl("root", CLIENT)), _RELOAD),
        ),
    ]


def _gets(
    words: str, tls: bool = True, sni: str = "", host: str = NAME, pair: str = "", path: str = "/"
) -> str:
    """A command: who asks A, or B without *tls*, gets an answer with these words. *pair*: below DIRECTORY."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nX-Client: CN=forged\r\n\r\n"
    loads = f'c.load_cert_chain("{DIRECTORY}/{pair}.pem", "{DIRECTORY}/{pair}.key")' if pair else ""
    wraps = f"s = c.wrap_socket(s, server_hostname={sni or None!r})" if tls else ""
    program = f"""
import socket, ssl
c = ssl._create_unverified_context()
{loads}
s = socket.create_connection(("127.0.0.1", {8443 if tls else 8080}), 5)
{wraps}
s.sendall({request!r}.encode())
got = b""
while part := s.recv(9999):
    got += part
assert {words!r} in got.decode(), got
"""
    return f"echo {base64.b64encode(program.encode()).decode()} | base64 -d | python3 -"


def _beside(lines: str, name: str = "elsewhere.example.com", mark: str = "default_server") -> str:
    """A server block on the port of A."""
    return f"""server {{
    listen 127.0.0.1:8443 ssl {mark};
    server_name {name};
    ssl_certificate {DIRECTORY}/a/elsewhere.pem;
    ssl_certificate_key {DIRECTORY}/a/elsewhere.key;
    {_SAME_PROTOCOLS}
    {lines}
}}
"""


_BACKEND = """server {
    listen 127.0.0.1:8450;
    %s
    return 200 "for $http_x_client";
}
"""
_WANTS_IDENTITY = _BACKEND % 'if ($http_x_client = "") { return 403; }'
_PASSES = "proxy_pass http://127.0.0.1:8450;"
_TELLS = "proxy_set_header X-Client $ssl_client_s_dn;"
_B2 = leaf("client", subject="CN=b2.example.com")
_ALIEN = leaf("client", "other")
_PAIRS = {
    f"{DIRECTORY}/b/b2.pem": _B2.pem,
    f"{DIRECTORY}/b/b2.key": _B2.key_pem,
    f"{DIRECTORY}/b/alien.pem": _ALIEN.pem,
    f"{DIRECTORY}/b/alien.key": _ALIEN.key_pem,
    f"{DIRECTORY}/b/own.pem": CLIENT.pem,
    f"{DIRECTORY}/b/own.key": CLIENT.key_pem,
    f"{DIRECTORY}/a/other.pem": pems("other"),
    f"{DIRECTORY}/a/theirs.pem": crl("other"),
    **_ALSO,
}


def header_cases() -> list[Case]:
    """The backend of A does not learn who the client is."""
    wants = {"others": _WANTS_IDENTITY, "server": _TELLS}
    drops = f"{_PASSES} proxy_set_header X-More 1;"
    lost = "server.identity_lost"
    return [
        Case("the backend knows the client", "", {**wants, "answer": _PASSES}),
        Case("a location drops the header", "identity_lost", {**wants, "answer": drops}, remark=lost),
        Case("a location repeats the header", "", {**wants, "answer": f"{drops} {_TELLS}"}),
        Case(
            "a location drops the header, and the backend says 401",
            "identity_lost",
            {"others": _WANTS_IDENTITY.replace("403", "401"), "server": _TELLS, "answer": drops},
            remark=lost,
        ),
        Case(
            "a location drops the header, and the backend believes what callers say",
            "",
            {"others": _BACKEND % "", "server": _TELLS, "answer": drops},
            remark=lost,
            also=_PAIRS,
            proof=(_gets("for CN=forged", sni=NAME, pair="b/own"),),
        ),
        Case(
            "a location repeats the header, and callers say what they like",
            "",
            {"others": _BACKEND % "", "server": _TELLS, "answer": f"{drops} {_TELLS}"},
            also=_PAIRS,
            proof=(_gets("for CN=b1.example.com", sni=NAME, pair="b/own"),),
        ),
        Case(
            "a header with an underscore",
            "identity_lost",
            {**wants, "server": _TELLS.replace("X-Client", "X_Client"), "answer": _PASSES},
        ),
        Case(
            "a header with an underscore, and the backend takes it",
            "",
            {
                "others": _BACKEND % 'underscores_in_headers on; if ($http_x_client = "") { return 403; }',
                "server": _TELLS.replace("X-Client", "X_Client"),
                "answer": _PASSES,
            },
        ),
        Case(
            "a header that is empty, as nobody verifies",
            "identity_lost",
            {**wants, "answer": _PASSES, "verify": None},
            remark=lost,
        ),
        Case(
            "a header by a map",
            "identity_lost",
            {
                **wants,
                "http": "map $ssl_client_verify $who { default ''; SUCCESS $ssl_client_s_dn; }",
                "server": "proxy_set_header X-Client $who;",
                "answer": drops,
            },
            remark=lost,
        ),
        Case(
            "the backend knows the client, and does not allow it",
            "client_not_allowed",
            {"others": _BACKEND % "return 403;", "server": _TELLS, "answer": _PASSES},
        ),
    ]


def leak_cases() -> list[Case]:
    """Requests succeed that should not, or by the identity of another one; http-level settings leak in."""
    own = f"ssl_client_certificate {DIRECTORY}/a/other.pem; ssl_verify_client on; return 200 elsewhere;"
    as_b2 = f"""proxy_ssl_certificate {DIRECTORY}/b/b2.pem; proxy_ssl_certificate_key {DIRECTORY}/b/b2.key;
    proxy_ssl_trusted_certificate {DIRECTORY}/b/trust.pem; proxy_ssl_verify on; proxy_ssl_name {NAME};
    proxy_ssl_server_name on; proxy_set_header Host {NAME}; proxy_ssl_protocols TLSv1.2 TLSv1.3;"""
    kept = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_ssl_session_reuse off;'
    second = "upstream b2 { server 127.0.0.1:8443; keepalive 4; }\n"

    def b2(lines: str = "", to: str = "a") -> str:
        location = f"location /b2/ {{ {as_b2} {lines} proxy_pass https://{to}; }}"
        return f"server {{ listen 127.0.0.1:8081; {location} }}"

    asks_b2 = _ASK.replace("8080/", "8081/b2/")
    only_b1 = 'if ($ssl_client_s_dn != "CN=b1.example.com") { return 403; } return 200 OK;'
    names = 'return 200 "for $ssl_client_s_dn";'
    shared, unguarded = "proxy.identity_shared", "server.backend_unguarded"
    inherited, admitted = "server.trust_inherited", "server.other_trust_admitted"
    behind = {"others": _BACKEND % "", "server": _TELLS, "answer": _PASSES}

    def beside(lines: str, **more: str) -> dict[str, Any]:
        return {**behind, "others": _BACKEND % "" + _beside(lines, **more)}

    same = f"location / {{ {_PASSES} }}"
    anonymous = _gets("for CN=forged", host="elsewhere.example.com")
    chained = {"pair": sends(INT1, "int1")}
    return [
        # One identity of B for another one.
        Case(
            "a session of another identity",
            "identity_shared",
            {"answer": only_b1},
            {"http": b2()},
            steps=(asks_b2,),
            also=_PAIRS,
            remark=shared,
        ),
        Case(
            "a connection of another identity",
            "identity_shared",
            {"answer": only_b1},
            {"http": b2(kept), "upstream": "keepalive 4;", "location": kept},
            steps=(asks_b2,),
            also=_PAIRS,
            remark=shared,
        ),
        Case(
            "a connection of another identity, which is let in, too",
            "",
            {"answer": names},
            {"http": b2(kept), "upstream": "keepalive 4;", "location": kept},
            steps=(asks_b2,),
            also=_PAIRS,
            remark=shared,
            proof=(_gets("for CN=b2.example.com", tls=False),),
        ),
        Case(
            "an upstream for each identity",
            "",
            {"answer": names},
            {"http": second + b2(kept, "b2"), "upstream": "keepalive 4;", "location": kept},
            steps=(asks_b2,),
            also=_PAIRS,
            proof=(_gets("for CN=b1.example.com", tls=False),),
        ),
        # By the default server.
        Case(
            "the default server trusts another CA",
            "",
            {"others": _beside(own)},
            also=_PAIRS,
            remark=admitted,
            proof=(_gets("OK SUCCESS", pair="b/alien"),),
        ),
        Case(
            "the default server trusts the same CA",
            "",
            {"others": _beside(own.replace("other.pem", "trust.pem"))},
            also=_PAIRS,
            proof=(_gets("The SSL certificate error", pair="b/alien"),),
        ),
        Case(
            "the default server leads to the same backend",
            "",
            beside(same),
            also=_PAIRS,
            remark=unguarded,
            proof=(anonymous,),
        ),
        Case(
            "a server block beside it leads to the same backend",
            "",
            beside(same, mark=""),
            also=_PAIRS,
            remark=unguarded,
            proof=(_gets("for CN=forged", sni="elsewhere.example.com", host="elsewhere.example.com"),),
        ),
        Case(
            "the default server answers 421",
            "",
            beside(f"return 421; {same}"),
            also=_PAIRS,
            proof=(_gets("421 Misdirected", host="elsewhere.example.com"),),
        ),
        Case(
            "the default server rejects, whatever it leads to",
            "",
            beside(f"ssl_reject_handshake on; {same}"),
            also=_PAIRS,
            proof=(f"! {anonymous}",),
        ),
        Case(
            "the default server requires a certificate, too",
            "",
            beside(f"{_VERIFIES.partition(';')[2]} {same}"),
            also=_PAIRS,
            proof=(_gets("No required SSL certificate", host="elsewhere.example.com"),),
        ),
        Case(
            "the default server leads elsewhere",
            "",
            beside("location / { proxy_pass http://127.0.0.1:8451; }"),
            also=_PAIRS,
            proof=(f"! {anonymous}",),
        ),
        Case(
            "no server name, and the default server asks for no certificate",
            "sni_missing",
            {"others": _OTHERS % _SAME_PROTOCOLS},
            {"sni": "off", "verify": "off"},
            also=_ALSO,
        ),
        Case(
            "a server name, and the default server asks for no certificate",
            "",
            {"others": _OTHERS % _SAME_PROTOCOLS},
            {"verify": "off"},
            also=_ALSO,
        ),
        Case(
            "an unknown server name, and the default server asks for no certificate",
            "sni_unknown",
            {"others": _OTHERS % _SAME_PROTOCOLS},
            {"name": "x.example.com", "verify": "off"},
            also=_ALSO,
        ),
        Case(
            "the server name of another site, of another trust",
            "client_ca_not_accepted",
            {"others": _beside(own)},
            {"name": "elsewhere.example.com", "host": "elsewhere.example.com"},
            also=_PAIRS,
        ),
        Case(
            "the server name of another site, of the same trust",
            "",
            {"others": _beside(own.replace("other.pem", "trust.pem"))},
            {"name": "elsewhere.example.com", "host": "elsewhere.example.com"},
            also=_PAIRS,
        ),
        # Of the http level.
        Case(
            "a CRL of the http level",
            "trust_inherited",
            {"http": f"ssl_crl {DIRECTORY}/a/theirs.pem;"},
            also=_PAIRS,
            remark=inherited,
        ),
        Case(
            "a CRL of the http level, and one of its own",
            "",
            {"http": f"ssl_crl {DIRECTORY}/a/theirs.pem;", "crl": crl("root")},
            also=_PAIRS,
        ),
        Case(
            "a CRL of the http level, and none of its own",
            "",
            {"http": f"ssl_crl {DIRECTORY}/a/theirs.pem;", "server": 'ssl_crl "";'},
            also=_PAIRS,
        ),
        Case(
            "a depth of the http level",
            "trust_inherited",
            {"http": "ssl_verify_depth 0;", "depth": None},
            chained,
        ),
        Case("a depth of the http level, and one of its own", "", {"http": "ssl_verify_depth 0;"}, chained),
        Case(
            "a CA of the http level lets in others",
            "",
            {"http": f"ssl_trusted_certificate {DIRECTORY}/a/other.pem;"},
            {"pair": sends(_ALIEN)},
            also=_PAIRS,
            remark=inherited,
        ),
        Case(
            "a CA of the http level, closed in the block",
            "client_ca_not_accepted",
            {
                "http": f"ssl_trusted_certificate {DIRECTORY}/a/other.pem;",
                "server": 'ssl_trusted_certificate "";',
            },
            {"pair": sends(_ALIEN)},
            also=_PAIRS,
        ),
        Case(
            "the trust of the http level",
            "client_ca_not_accepted",
            {"http": f"ssl_client_certificate {DIRECTORY}/a/other.pem;", "trust": None},
            {"pair": sends(CLIENT, "root")},
            also=_PAIRS,
        ),
        Case(
            "the trust of the http level, and its own",
            "",
            {"http": f"ssl_client_certificate {DIRECTORY}/a/other.pem;"},
            {"pair": sends(CLIENT, "root")},
            also=_PAIRS,
        ),
    ]


def cases() -> list[Case]:
    return [
        *client_cases(),
        *server_cases(),
        *connection_cases(),
        *file_cases(),
        *header_cases(),
        *leak_cases(),
    ]
