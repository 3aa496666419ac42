# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`crl_bundle` and nginx: whom a built file refuses, and whom the file would refuse that is not built."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pki import CLIENT, DAY, SERVER, Authority, now

KEYS = "/srv/keys"
SITE = f"""
server {{
    listen 8443 ssl;
    ssl_certificate {KEYS}/server.pem;
    ssl_certificate_key {KEYS}/server.key;
    ssl_client_certificate {KEYS}/trust.pem;
    ssl_crl {KEYS}/crl.pem;
    ssl_verify_client on;
    ssl_verify_depth 2;
    location / {{ return 200 "$ssl_client_verify"; }}
}}
"""
ASK = Path(__file__).with_name("ask.py").read_text()
ENCODING = serialization.Encoding


class Pki:
    """Roots One and Two, and another Two; Below is an intermediate of One. Each has a good client, and one
    that is revoked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        one = Authority.make("CN=One")
        self.cas = {
            "one": one,
            "below": one.intermediate("CN=Below"),
            "two": Authority.make("CN=Two"),
            "twin": Authority.make("CN=Two"),
        }
        self.revoked = {
            name: ca.leaf(folder / f"{name}-revoked", f"CN=revoked by {name}", CLIENT)
            for name, ca in self.cas.items()
        }
        for name, ca in self.cas.items():
            ca.leaf(folder / name, f"CN=client of {name}", CLIENT)
        one.leaf(folder / "server", "CN=site", SERVER, names=("site.example.com",))

    def trust(self, *names: str) -> str:
        return b"".join(self.cas[name].pem() for name in names).decode()

    def crl(
        self,
        name: str,
        start: int = -1,
        end: int = 9,
        number: int = 2,
        told: bool = True,
        empty: bool = False,
    ) -> x509.CertificateRevocationList:
        """*told*: with an authority key identifier."""
        ca = self.cas[name]
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        builder = builder.last_update(now() + start * DAY).next_update(now() + end * DAY)
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        if told:
            key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
            builder = builder.add_extension(key, critical=False)
        if not empty:
            entry = x509.RevokedCertificateBuilder().serial_number(self.revoked[name].serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now() - DAY).build())
        return builder.sign(ca.key, hashes.SHA256())

    def pem(self, name: str, **more: Any) -> str:
        return self.crl(name, **more).public_bytes(ENCODING.PEM).decode()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: Any) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def site(host: Any, pki: Pki) -> Any:
    """The host with the clients' files and the site, whose trust and CRLs are still to be written."""
    host.sh(f"rm -rf {KEYS}")
    for path in pki.folder.iterdir():
        host.write(f"{KEYS}/{path.name}", path.read_text())
    host.write("/etc/nginx/conf.d/site.conf", SITE)
    host.write("/srv/ask.py", ASK)
    return host


def statuses(host: Any, *names: str) -> dict[str, int]:
    """Of each of these clients, with nginx as it is configured now."""
    host.sh("nginx -t -q && systemctl restart nginx")
    asked = {name: {"port": 8443, "host": "site.example.com", "who": name} for name in names}
    answers = json.loads(host.sh(f"python3 /srv/ask.py {KEYS}", stdin=json.dumps(asked)))
    return {name: answers[name].get("status", 0) for name in names}


def build(host: Any, *sources: str, **more: Any) -> dict[str, Any]:
    given = {"trust": [{"path": f"{KEYS}/trust.pem"}], "sources": [{"content": text} for text in sources]}
    done: dict[str, Any] = host.module("crl_bundle", path=f"{KEYS}/crl.pem", **given, **more)
    return done


def test_the_revoked_are_refused_and_the_others_pass(site: Any, pki: Pki) -> None:
    """From files of all kinds: DER, which nginx does not read, several in one, older ones, an ended one."""
    site.write(f"{KEYS}/trust.pem", pki.trust("one", "below", "two", "twin"))
    der = base64.b64encode(pki.crl("one").public_bytes(ENCODING.DER)).decode()
    older = pki.pem("one", start=-2, number=1, empty=True)
    ended = pki.pem("twin", start=-5, end=-1, number=1)
    sources = [older, der, pki.pem("below") + pki.pem("two"), ended, pki.pem("twin")]
    done = build(site, *sources, mode="0640")
    assert done.get("changed") is True, done
    assert [one["revoked"] for one in done["crls"]] == [1, 1, 1, 1]
    assert {one["reason"] for one in done["dropped"]} == {"crl.superseded", "crl.expired"}
    good = ["one", "below", "two", "twin"]
    assert statuses(site, *good) == dict.fromkeys(good, 200)
    bad = [f"{name}-revoked" for name in good]
    assert statuses(site, *bad) == dict.fromkeys(bad, 400)
    assert build(site, *sources[::-1])["changed"] is False
    assert site.sh(f"stat -c %a {KEYS}/crl.pem") == "640"


CASES = [
    # what is refused, the bundle, the CRLs, and what nginx answers with them
    ("crl.missing_for_ca", ("one", "two"), [("one", {})], {"one": 200, "two": 400}),
    ("crl.missing_for_ca", ("one", "below"), [("below", {})], {"one": 400, "below": 400}),
    ("crl.expired", ("one",), [("one", {"start": -5, "end": -1})], {"one": 400}),
    ("crl.not_yet_valid", ("one",), [("one", {"start": 1})], {"one": 400}),
    (
        "crl.no_key_identifier",
        ("two", "twin"),
        [("two", {"told": False}), ("twin", {"told": False})],
        {"two": 200, "twin": 400},
    ),
]


@pytest.mark.parametrize(("code", "trust", "crls", "answers"), CASES)
def test_what_is_refused_would_shut_good_clients_out(
    site: Any, pki: Pki, code: str, trust: Any, crls: Any, answers: Any
) -> None:
    """The twin: the same clients pass with CRLs that it takes."""
    site.write(f"{KEYS}/trust.pem", pki.trust(*trust))
    lists = [pki.pem(name, **more) for name, more in crls]
    done = build(site, *lists)
    assert (done.get("failed"), done["code"]) == (True, code), done
    assert site.sh(f"ls {KEYS}/crl.pem", check=False) == ""
    site.write(f"{KEYS}/crl.pem", "".join(lists))
    assert statuses(site, *answers) == answers
    assert build(site, *(pki.pem(name) for name in trust)).get("changed") is True
    assert statuses(site, *answers) == dict.fromkeys(answers, 200)


def test_what_nginx_does_not_load(site: Any, pki: Pki) -> None:
    site.write(f"{KEYS}/trust.pem", pki.trust("one"))
    assert build(site, "no list at all\n")["code"] == "format.unreadable"
    der = base64.b64encode(pki.crl("one").public_bytes(ENCODING.DER)).decode()
    site.write(f"{KEYS}/crl.pem", "no list at all\n")
    assert "[emerg]" in site.sh("nginx -t 2>&1", check=False)
    site.sh(f"base64 -d > {KEYS}/crl.pem", stdin=der)
    assert "[emerg]" in site.sh("nginx -t 2>&1", check=False)
    assert build(site, der).get("changed") is True  # it is given as PEM then
    assert statuses(site, "one", "one-revoked") == {"one": 200, "one-revoked": 400}
