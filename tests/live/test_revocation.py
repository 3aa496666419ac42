# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs by which nginx refuses everybody, on a Server A without an identity to ask with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pki import CLIENT, DAY, SERVER, Authority, now

SITE = """
server {
    listen 8443 ssl;
    server_name site.example.com;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /.mtls/probe { return 200 "@MTLS_ID@ $ssl_client_verify\\n"; }
}
"""
ASK = """
import ssl, socket
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.load_cert_chain("/root/client.pem", "/root/client.key")
with socket.create_connection(("127.0.0.1", 8443)) as raw:
    with context.wrap_socket(raw, server_hostname="site.example.com") as tls:
        tls.sendall(b"GET /.mtls/probe HTTP/1.0\\r\\nHost: site.example.com\\r\\n\\r\\n")
        print(tls.recv(99).split()[1].decode())
"""


class Keys:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.others = Authority.make("CN=Ours"), Authority.make("CN=Others")
        self.ours.leaf(folder / "server", "CN=site", SERVER, names=("site.example.com",))
        self.ours.leaf(folder / "client", "CN=client", CLIENT)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def crl(self, start: int = -2, end: int = 9) -> str:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.ours.certificate.subject)
        builder = builder.last_update(now() + start * DAY).next_update(now() + end * DAY)
        key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ours.key.public_key())
        made = builder.add_extension(key, critical=False).sign(self.ours.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def part(self, *crls: str, trust: str = "") -> dict[str, Any]:
        credential = {
            "name": "server",
            "certificate_content": self.text("server.pem"),
            "private_key_content": self.text("server.key"),
            "trust": {"sources": [{"content": self.ours.pem().decode() + trust}]},
            "crl": [{"content": crl} for crl in crls],
        }
        return {"server": {"credentials": [credential], "sites": [{"name": "site", "content": SITE}]}}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: Any) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def test_a_crl_by_which_nobody_gets_in_does_not_go_live(host: Any, keys: Keys) -> None:
    for name in ("client.pem", "client.key"):
        host.write(f"/root/{name}", keys.text(name))
    good = host.call(parts=keys.part(keys.crl()))
    assert (good.get("state"), good["positive"]) == ("stable", "unproven"), good
    assert any("mtls_server_credentials[].probe" in one for one in good["warnings"]), good["warnings"]
    assert host.sh("python3 -", stdin=ASK) == "200"
    cases = {
        "crl.expired": keys.part(keys.crl(end=-1)),
        "crl.not_yet_valid": keys.part(keys.crl(start=1)),
        "crl.missing_for_ca": keys.part(keys.crl(), trust=keys.others.pem().decode()),
    }
    for code, parts in cases.items():
        done = host.call(parts=parts)
        assert (done.get("failed"), done["code"]) == (True, code), done
        assert host.current() == good["release"]
    assert host.sh("python3 -", stdin=ASK) == "200"


def test_what_nginx_makes_of_an_expired_crl(host: Any, keys: Keys) -> None:
    """Why that is refused: nginx -t passes, and a client of the authority gets 400."""
    for name in ("client.pem", "client.key"):
        host.write(f"/root/{name}", keys.text(name))
    done = host.call(parts=keys.part(keys.crl()))
    host.write(
        f"/etc/nginx/mtls/releases/{done['release']}/server/credentials/server/crl.pem", keys.crl(end=-1)
    )
    host.sh("nginx -t -q && systemctl reload nginx; sleep 1")
    assert host.sh("python3 -", stdin=ASK) == "400"
