# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private CA on a host of its own, and what is on the hosts."""

from __future__ import annotations

import datetime

import pytest
from alternative import BASE
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

AUTHORITY = "/srv/authority"
PASSPHRASE = "correct horse battery"
LIVE = f"{BASE}/current"


def leaf(project, host, path):
    return x509.load_pem_x509_certificates(project.host(host).file(f"{LIVE}/{path}/fullchain.pem").content)


@pytest.mark.parametrize(
    ("host", "path", "kind", "names"),
    [
        (
            "a1",
            "server/credentials/ledger",
            ec.EllipticCurvePublicKey,
            ["ledger.example.com", "*.ledger.example.com", "balanced.example.com", "open.example.com"],
        ),
        (
            "b1",
            "proxy/credentials/client",
            rsa.RSAPublicKey,
            ["b1.example.com", "b1.internal.example.com"],
        ),
        ("a2", "proxy/credentials/a2", ed25519.Ed25519PublicKey, []),
    ],
)
def test_what_the_private_ca_issued(project, host, path, kind, names):
    own, issuer = leaf(project, host, path)
    assert own.issuer.rfc4514_string() == issuer.subject.rfc4514_string() == "CN=Shop CA 1 issuing"
    assert issuer.issuer.rfc4514_string() == "CN=Shop CA 1"
    assert isinstance(own.public_key(), kind)
    alternative = x509.SubjectAlternativeName
    has = [one.value for one in own.extensions if isinstance(one.value, alternative)]
    assert [name for one in has for name in one.get_values_for_type(x509.DNSName)] == names
    lifetime = own.not_valid_after_utc - own.not_valid_before_utc
    assert datetime.timedelta(days=30) <= lifetime <= datetime.timedelta(days=30, hours=2)
    if kind is ec.EllipticCurvePublicKey:
        assert own.public_key().curve.name == "secp384r1"


def test_where_the_private_ca_is(project):
    """Encrypted, on the host that was named, and nowhere else."""
    app = project.host("app")
    keys = app.run_expect([0], f"find {AUTHORITY} -name '*.key' -printf '%f %m %u\\n'").stdout.split("\n")[
        :-1
    ]
    assert sorted(keys) == ["intermediate.key 600 root", "root.key 600 root"]
    unlock = f"openssl pkey -in {AUTHORITY}/generations/1/%s -noout -passin %s"
    for name in ("root.key", "intermediate.key"):
        app.run_expect([0], unlock, name, f"pass:{PASSPHRASE}")
        app.run_expect([1], unlock, name, "pass:another passphrase")
    assert not (project.folder / "private_ca").exists()
    for host in ("a1", "a2", "b1", "caller"):
        assert not project.host(host).file(AUTHORITY).exists


@pytest.mark.parametrize("host", ["a1", "a2", "b1", "app"])
def test_the_passphrase_is_in_no_journal(project, host):
    assert PASSPHRASE not in project.host(host).run_expect([0], "journalctl --no-pager --quiet").stdout


@pytest.mark.parametrize("host", ["a1", "a2", "b1"])
def test_a_base_and_a_service_of_ones_own(project, host):
    found = project.host(host)
    assert found.file("/etc/nginx/conf.d/mtls.conf").content_string.split("\n")[-2:] == [
        "include edge/mtls/current/mtls.conf;",
        "",
    ]
    assert not found.file("/etc/nginx/mtls").exists
    assert (found.service("edge").is_running, found.service("nginx").is_running) == (True, False)
    assert "worker_shutdown_timeout 7s;" in found.run_expect([0], "nginx -T").stdout


@pytest.mark.parametrize(("host", "installed"), [("a1", True), ("a2", False)])
def test_packages_of_ones_own(project, host, installed):
    assert project.host(host).package("ssl-cert").is_installed is installed


@pytest.mark.parametrize("host", ["a1", "a2", "b1"])
def test_keys_are_of_root_alone(project, host):
    listed = (
        project.host(host).run_expect([0], f"find {BASE} -name 'privkey.pem' -printf '%m %u:%g\\n'").stdout
    )
    assert set(listed.split("\n")[:-1]) == {"600 root:root"}
