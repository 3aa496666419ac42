# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endpoint_info says of real nginx: its refusals and pages, what it asks for and staples, its sessions,
and a client that speaks something else than the port does."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pki import CLIENT, SERVER, Authority, now

FOLDER = "/etc/nginx/endpoint"
NAME = "a1.test"
DAY = datetime.timedelta(days=1)
TLS = f"""
    server_name {NAME};
    ssl_certificate {FOLDER}/server.pem;
    ssl_certificate_key {FOLDER}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
"""
VERIFY = f"ssl_client_certificate {FOLDER}/clients.pem; ssl_verify_client on;"
STAPLE = "ssl_stapling on; ssl_stapling_file {}/{}.der;"
KEPT = "error_page 495 =495 /own; error_page 496 =496 /own; error_page 497 =497 /own;"
OWN_PAGE = 'location = /own { return 200 "page of one\'s own"; }'
HELLO = 'location / { return 200 "$ssl_session_reused\\n"; }'
#: What each port has beside its certificate.
SITES = {
    8443: f"{VERIFY} {STAPLE.format(FOLDER, 'good')} {HELLO}",
    8444: f"{VERIFY} {KEPT} {OWN_PAGE} {HELLO}",
    8455: f"{VERIFY} error_page 495 496 497 /own; {OWN_PAGE} {HELLO}",
    8445: f"{VERIFY} error_page 495 496 =403 /own; {OWN_PAGE} {HELLO}",
    8446: f"""
        {STAPLE.format(FOLDER, "revoked")}
        location / {{ return 200 "open\\n"; }}
        location = /app500 {{ return 500 "ours"; }}
        location = /b500 {{
            proxy_ssl_certificate {FOLDER}/$host.pem; proxy_ssl_certificate_key {FOLDER}/$host.key;
            proxy_pass https://127.0.0.1:8443;
        }}
        location = /b502 {{ proxy_pass http://127.0.0.1:9; }}
        location = /b504 {{ proxy_read_timeout 1s; proxy_pass http://127.0.0.1:9999; }}
    """,
    8451: f"{VERIFY} ssl_session_cache shared:endpoint:1m; ssl_session_tickets on; {HELLO}",
    8452: f"{VERIFY} ssl_session_cache off; ssl_session_tickets off; {HELLO}",
    8453: f"{VERIFY} ssl_session_cache shared:endpoint2:1m; ssl_session_tickets off; {HELLO}",
    8454: f"{VERIFY} {HELLO}",
}
LISTENS = {
    8447: "listen 8447 ssl http2;",
    8449: "listen 8449 ssl proxy_protocol;",
    8450: "listen [::1]:8450 ssl; listen unix:/run/endpoint.sock ssl;",
}
SILENT = """
import socket, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 9999))
listener.listen()
time.sleep(600)
"""


def servers() -> str:
    text = [f"server {{ listen {port} ssl; {TLS} {rest} }}" for port, rest in SITES.items()]
    text += [f"server {{ {listens} {TLS} {VERIFY} {HELLO} }}" for listens in LISTENS.values()]
    text += [
        f"server {{ listen 8456 ssl; {TLS} {HELLO} }}",
        "server { listen 8456 ssl default_server; ssl_reject_handshake on; }",
        f"server {{ listen 8457 ssl; {TLS.replace(' TLSv1.3', '')} {HELLO} }}",
    ]
    text += ['server { listen 8080; location / { return 200 "plain\\n"; } }', "server { listen 8448 http2; }"]
    return "\n".join(text)


def staple(authority: Authority, leaf: Any, status: ocsp.OCSPCertStatus) -> bytes:
    revoked: Any = now() - DAY if status is ocsp.OCSPCertStatus.REVOKED else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf, authority.certificate, hashes.SHA1(), status, now() - DAY, now() + DAY, revoked, None
    )
    responder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, authority.certificate)
    return responder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(name="a", scope="module")
def _a(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("endpoint")
    clients, servers_of, strange = (
        Authority.make(f"CN={name}") for name in ("Clients,O=Ä", "Servers", "Strangers")
    )
    leaf = servers_of.leaf(folder / "server", f"CN={NAME}", SERVER, names=(NAME,))
    clients.leaf(folder / "good", "CN=good", CLIENT)
    strange.leaf(folder / "bad", "CN=bad", CLIENT)
    (folder / "clients.pem").write_bytes(clients.pem() + servers_of.pem())
    (folder / "servers.pem").write_bytes(servers_of.pem())
    for name in ("good", "revoked"):
        status = ocsp.OCSPCertStatus[name.upper()]
        (folder / f"{name}.der").write_bytes(staple(servers_of, leaf, status))
    machine.reset()
    for path in folder.iterdir():
        text = base64.b64encode(path.read_bytes()).decode()
        machine.sh(f"mkdir -p {FOLDER}; base64 -d > {FOLDER}/{path.name}", stdin=text)
    machine.sh(f"cd {FOLDER}; chmod 600 *.key; cp good.pem {NAME}.pem; cp -p good.key {NAME}.key")
    machine.write("/etc/nginx/conf.d/endpoint.conf", servers())
    machine.write("/root/silent.py", SILENT)
    machine.sh("rm -f /run/endpoint.sock; nginx -t && systemctl restart nginx")
    machine.sh("systemd-run --unit endpoint-silent --collect python3 /root/silent.py")
    yield machine
    machine.sh(
        "systemctl stop endpoint-silent; rm -f /etc/nginx/conf.d/endpoint.conf /run/endpoint.sock",
        check=False,
    )
    machine.reset()


GOOD = {"certificate_path": f"{FOLDER}/good.pem", "private_key_path": f"{FOLDER}/good.key"}
BAD = {"certificate_path": f"{FOLDER}/bad.pem", "private_key_path": f"{FOLDER}/bad.key"}


def ask(machine: Any, **probes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results by the probes' names."""
    listed = [{"name": name, **options} for name, options in probes.items()]
    done = machine.module(
        "endpoint_info", host="127.0.0.1", port=8443, server_name=NAME, return_body=True, probes=listed
    )
    assert not done.get("failed"), done
    return {seen["name"]: seen for seen in done["probes"]}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_who_is_refused_and_what_was_asked_for(a: Any, version: str) -> None:
    seen = ask(
        a,
        good={**GOOD, "tls_version": version},
        bad={**BAD, "tls_version": version},
        nobody={"tls_version": version},
    )
    assert {name: (one["status"], one["body_class"]) for name, one in seen.items()} == {
        "good": (200, ""),
        "bad": (400, "certificate_error"),
        "nobody": (400, "no_certificate"),
    }
    for one in seen.values():
        assert (one["phase"], one["protocol"], one["alpn"], one["why"]) == (
            "done",
            f"TLSv{version}",
            "http/1.1",
            "",
        )
        assert one["requested"]["certificate"] is True
        assert one["requested"]["names"] == ["CN=Clients,O=\\C3\\84", "CN=Servers"]
        assert "ecdsa_secp256r1_sha256" in one["requested"]["signature_algorithms"]
        assert one["ocsp"]["status"] == "good"
        assert one["ocsp"]["this_update"] < one["ocsp"]["next_update"]
        assert (len(one["served"]), one["served_complete"]) == (1, True)
        assert one["spoke"]["exchange"].startswith("python-ssl OpenSSL ")
        assert one["spoke"]["requested"] == "openssl s_client " + one["spoke"]["exchange"].split()[-1]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_asks_for_nothing(a: Any, version: str) -> None:
    (one,) = ask(a, open={"port": 8446, "tls_version": version}).values()
    assert (one["status"], one["requested"]["certificate"], one["requested"]["names"]) == (200, False, [])
    assert one["ocsp"]["status"] == "revoked"
    (one,) = ask(a, none={"port": 8451, "tls_version": version}).values()
    assert one["ocsp"] == {"status": "none", "this_update": None, "next_update": None}


def test_pages_of_errors(a: Any) -> None:
    seen = ask(
        a,
        own496={"port": 8444},
        own495={"port": 8444, **BAD},
        own497={"port": 8444, "tls": False},
        good={"port": 8444, **GOOD},
        hidden496={"port": 8455},
        hidden495={"port": 8455, **BAD},
        as403={"port": 8445, **BAD},
        app500={"port": 8446, "path": "/app500"},
        b500={"port": 8446, "path": "/b500"},
        b502={"port": 8446, "path": "/b502"},
        b504={"port": 8446, "path": "/b504"},
    )
    assert {name: (one["status"], one["body_class"]) for name, one in seen.items()} == {
        "own496": (496, "no_certificate"),
        "own495": (495, "certificate_error"),
        "own497": (497, "plain_http_to_tls"),
        "good": (200, ""),
        "hidden496": (400, "other"),
        "hidden495": (400, "other"),
        "as403": (403, "forbidden"),
        "app500": (500, "other"),
        "b500": (500, "internal_error"),
        "b502": (502, "bad_gateway"),
        "b504": (504, "gateway_timeout"),
    }
    assert seen["own495"]["body"] == "page of one's own"


def test_who_speaks_something_else(a: Any) -> None:
    seen = ask(
        a,
        plain={"port": 8443, "tls": False},
        tls={"port": 8080},
        h2_too={"port": 8447, **GOOD},
        h2={"port": 8447, "alpn": ["h2"], **GOOD},
        h2_unasked={"port": 8447, "alpn": [], **GOOD},
        not_h2={"port": 8443, "alpn": ["h2", "http/1.1"], **GOOD},
        no_h2={"port": 8443, "alpn": ["h2"], **GOOD},
    )
    assert {
        name: (one["phase"], one["status"], one["alpn"], one["body_class"]) for name, one in seen.items()
    } == {
        "plain": ("done", 400, "", "plain_http_to_tls"),
        "tls": ("handshake", None, "", "tls_to_plain_http"),
        "h2_too": ("done", 200, "http/1.1", ""),
        "h2": ("response", None, "h2", "http2"),
        "h2_unasked": ("done", 200, "", ""),
        "not_h2": ("done", 200, "http/1.1", ""),
        "no_h2": ("handshake", None, "", ""),
    }
    assert (seen["no_h2"]["alert"], seen["no_h2"]["requested"]["certificate"]) == (120, True)


def test_handshakes_that_nginx_ends(a: Any) -> None:
    seen = ask(
        a,
        no_name={"port": 8456, "server_name": ""},
        other_name={"port": 8456, "server_name": "other.test"},
        name={"port": 8456},
        old={"port": 8457, "tls_version": "1.3"},
        common={"port": 8457, "tls_version": "1.2"},
    )
    assert {name: (one["phase"], one["alert"], one["status"]) for name, one in seen.items()} == {
        "no_name": ("handshake", 112, None),
        "other_name": ("handshake", 112, None),
        "name": ("done", None, 200),
        "old": ("handshake", 70, None),
        "common": ("done", None, 200),
    }
    for one in seen.values():
        assert (one["requested"] is None) is (one["alert"] is not None)
        assert (f"TLS alert {one['alert']} (" in one["why"]) is (one["alert"] is not None)


def test_a_cleartext_port_of_http2(a: Any) -> None:
    """nginx speaks nothing else there before 1.25.1, and takes HTTP/1.1 as well since."""
    (one,) = ask(a, h2c={"port": 8448, "tls": False}).values()
    if a.image == "bookworm":
        assert (one["status"], one["body_class"]) == (None, "http2")
    else:
        assert one["status"] is not None


def test_the_ways_to_a_server(a: Any) -> None:
    seen = ask(
        a,
        header={"port": 8449, "proxy_protocol": True, **GOOD},
        no_header={"port": 8449, **GOOD},
        v6={"host": "::1", "port": 8450, **GOOD},
        unix={"host": "unix:/run/endpoint.sock", **GOOD},
    )
    assert {name: one["status"] for name, one in seen.items()} == {
        "header": 200,
        "no_header": None,
        "v6": 200,
        "unix": 200,
    }
    assert {name: (one["requested"] or {}).get("certificate") for name, one in seen.items()} == {
        "header": True,
        "no_header": None,
        "v6": True,
        "unix": True,
    }
    assert [one["address"] for one in seen.values()][2:] == ["[::1]:8450", "unix:/run/endpoint.sock"]
    assert seen["no_header"]["why"]


#: Which of them nginx resumes, by port: cache and tickets, none, cache alone, tickets alone (the default).
RESUMED = {
    8451: {"1.2": True, "1.3": True},
    8452: {"1.2": False, "1.3": False},
    8453: {"1.2": True, "1.3": True},
    8454: {"1.2": True, "1.3": True},
}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_reported_as_the_server_saw_them(a: Any, version: str) -> None:
    asked = {
        f"p{port}": {"port": port, "tls_version": version, "session": "resume", **GOOD} for port in RESUMED
    }
    seen = ask(a, **asked, once={"port": 8451, "tls_version": version, **GOOD})
    once = seen.pop("once")
    assert (once["session_reused"], once["body"]) == (False, ".\n")
    assert {name: one["session_reused"] for name, one in seen.items()} == {
        f"p{port}": by[version] for port, by in RESUMED.items()
    }
    for one in seen.values():
        assert (one["status"], one["body"]) == (200, "r\n" if one["session_reused"] else ".\n")
        assert (len(one["served"]), one["served_complete"]) == (1, True)
