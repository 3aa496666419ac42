# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server A with every variable changed: who gets in where, and what the application is told."""

from __future__ import annotations

import json
import re

import pytest
from alternative import BALANCED, BASE, HASTY, LEDGER, LIVE, OPEN, ORDERS, ORDERS_2, acceptable
from live import headers_at_the_backend, reload_nginx

# What a load balancer says before TLS begins.
BALANCER = "PROXY TCP4 192.0.2.7 192.0.2.8 4711 9443\r\n"
SUBJECTS = {
    "by-sha1": "CN=by-sha1,O=Shop",
    "by-name": "CN=by-name\\, Inc.,O=Shop",
    "by-serial": "CN=by-serial,O=Shop",
}


def told(answer):
    """Of an identity, what the application was told."""
    headers = headers_at_the_backend(answer)
    return {name: headers[name] for name in headers if name.startswith(("x-ssl-client-", "x-caller"))}


@pytest.mark.parametrize("name", SUBJECTS)
def test_each_kind_of_entry_of_the_allowlist_lets_its_caller_in(ask, name):
    """And two intermediates are within the depth."""
    headers = headers_at_the_backend(ask(name, **ORDERS))
    assert headers["x-caller"] == [SUBJECTS[name]]
    assert headers["x-by"] == ["TLS"]  # the application's other host, by TLS


@pytest.mark.parametrize("path", ["/", "/version", "/internal/probe"])
def test_who_is_not_on_the_allowlist_gets_403_and_no_reason(ask, path):
    answer = ask("uninvited", **ORDERS, path=path)
    *told, software = re.sub(r"<[^>]*>", " ", answer["body"]).split()
    assert (answer["status"], told) == (403, ["403", "Forbidden"] * 2)
    assert software.startswith("nginx")
    if path == "/":
        assert ask("uninvited", **ORDERS_2)["status"] == 200  # a site without one


def test_the_application_learns_who_called_by_names_of_ones_own(ask):
    headers = told(ask("by-serial", **ORDERS))
    assert headers.pop("x-caller-certificate")[0].startswith("-----BEGIN%20CERTIFICATE-----")
    assert len(headers.pop("x-caller-fingerprint")[0]) == 40
    assert headers == {
        "x-caller-verified": ["SUCCESS"],
        "x-caller": [SUBJECTS["by-serial"]],
        "x-caller-issuer": ["CN=Partners issuing,O=Shop"],
        "x-caller-serial": ["0A1F"],
    }


def test_nobody_else_speaks_of_identity(ask):
    usual = ["X-SSL-Client-S-DN", "X-SSL-Client-Verify", "X-SSL-Client-Serial", "X-SSL-Client-Cert"]

    def forged(*names):
        return {twin: "CN=admin" for name in names for twin in (name, name.replace("-", "_"))}

    headers = told(ask("by-serial", **ORDERS, headers=forged("X-Caller", "X-Caller-Serial", *usual)))
    assert {name: value for name, value in headers.items() if "CN=admin" in value} == {}
    assert headers["x-caller"] == [SUBJECTS["by-serial"]]
    assert told(ask(None, **LEDGER, headers=forged(*usual))) == {}


@pytest.mark.parametrize(
    ("site", "refused"),
    [(ORDERS, "this certificate is not accepted"), (ORDERS_2, "The SSL certificate error")],
    ids=["a1", "a2"],
)
@pytest.mark.parametrize("name", ["revoked", "deep", "pinned-client", "stranger"])
def test_who_is_refused(ask, site, refused, name):
    """In the list of revoked ones; below one intermediate more than the depth; of nobody's authority."""
    answer = ask(name, **site)
    assert (answer["status"], refused in answer["body"]) == (400, True)


def test_pages_of_ones_own_say_why(ask):
    """By nginx's codes for it; the status stays what it was, and other sites have nginx's own pages."""
    answer = ask(None, **ORDERS)
    assert (answer["status"], answer["headers"]["content-type"]) == (400, "text/html")
    assert 'Ask "partners" for a certificate, it costs $0.' in answer["body"]
    answer = ask("stranger", **ORDERS)
    assert (answer["status"], answer["headers"]["content-type"]) == (400, "application/json")
    assert json.loads(answer["body"]) == {"error": "this certificate is not accepted"}
    answer = ask("by-serial", **ORDERS, headers={"Content-Length": "x"})
    assert (answer["status"], answer["body"]) == (400, "This is no request.")
    assert "No required SSL certificate" in ask(None, **ORDERS_2)["body"]


def test_headers_of_answers(ask):
    for answer in (ask("by-serial", **ORDERS), ask(None, **ORDERS)):
        assert answer["headers"]["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "strict-transport-security" not in ask("by-serial", **ORDERS_2)["headers"]


def test_the_profile_of_a_port(project, ask):
    assert "error" in ask("by-serial", **ORDERS_2, version="TLSv1_2")
    assert "error" in ask("by-serial", **BALANCED, first=BALANCER, version="TLSv1_3")
    assert ask("by-serial", **BALANCED, first=BALANCER)["protocol"] == "TLSv1.2"
    for site in (ORDERS, OPEN):
        assert ask("by-serial", **site, version="TLSv1_2")["status"] == 200


def test_a_profile_of_ones_own(project):
    """Ciphers, their order, curves. The twin is a port with one of ours."""
    ours = "ECDHE-ECDSA-AES128-GCM-SHA256"
    strict = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    for site, asked, chosen in (
        (ORDERS, f"-cipher {ours}", "(NONE)"),
        (LEDGER, f"-cipher {ours}", ours),
        (ORDERS, f"-cipher {strict}", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (LEDGER, f"-cipher {strict}", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ):
        assert f"Cipher is {chosen}\n" in project.shown(site, "-tls1_2", asked), (site, asked)
    for site, reached in ((ORDERS, False), (LEDGER, True)):
        assert ("New, TLSv1.3" in project.shown(site, "-tls1_3 -curves X25519")) is reached


def test_http_2_where_it_was_asked_for(project):
    assert "ALPN protocol: h2" in project.shown(ORDERS, "-alpn h2,http/1.1")
    assert "ALPN protocol: http/1.1" in project.shown(ORDERS_2, "-alpn h2,http/1.1")


def test_names_of_a_site(ask):
    assert ask("by-serial", **{**ORDERS, "sni": "orders-old.example.com"})["status"] == 200
    assert ask("by-serial", **ORDERS, http_host="ledger.example.com")["status"] == 421


def test_lines_of_the_users_own(ask):
    assert ask("by-serial", **ORDERS, path="/version")["body"] == "version 7 for SUCCESS"
    assert ask("by-serial", **ORDERS_2, path="/version")["body"] != "version 7 for SUCCESS"


def test_lines_of_the_users_own_for_the_application(project, ask):
    """They verify it: with another certificate of its name it is told nothing."""
    app, pair = project.host("app"), "/etc/ssl/private/{app.pem,app.key}"
    assert ask("by-serial", **ORDERS)["status"] == 200
    app.run_expect([0], f"bash -c 'mkdir /root/kept && cp -p {pair} /root/kept'")
    try:
        app.run_expect(
            [0],
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=app.example.com"
            " -addext subjectAltName=DNS:app.example.com -keyout /etc/ssl/private/app.key"
            " -out /etc/ssl/private/app.pem",
        )
        reload_nginx(app)
        assert ask("by-serial", **ORDERS)["status"] == 502
    finally:
        app.run_expect([0], "bash -c 'cp -p /root/kept/* /etc/ssl/private/ && rm -r /root/kept'")
        reload_nginx(app)
    assert ask("by-serial", **ORDERS)["status"] == 200


def test_the_probe_path_of_ones_own(project, ask):
    release = project.live("a1").rpartition("/")[2]
    assert ask("by-serial", **ORDERS, path="/internal/probe")["body"].startswith(f"{release} SUCCESS ")
    answer = ask("by-serial", **ORDERS, path="/.mtls/probe")
    assert json.loads(answer["body"])["path"] == "/.mtls/probe"  # a page like any other


def test_a_probe_identity_may_only_probe(project, ask):
    folder = f"{BASE}/current/server/credentials/probe"
    pair = {"certificate": f"{folder}/fullchain.pem", "key": f"{folder}/privkey.pem"}
    for site in (ORDERS, ORDERS_2):
        for path in ("/", "/version"):  # a location of the user's own on the first
            assert project.lab.ask("a2.example.com", **site, **pair, path=path)["status"] == 403
        answer = project.lab.ask("a2.example.com", **site, **pair, path="/internal/probe")
        assert answer["status"] == 200
    assert project.lab.ask("a1.example.com", **LEDGER, **pair)["status"] == 403


def test_verify_optional(ask):
    """Who comes without a certificate is nobody; one that is not trusted is refused all the same."""
    answer = ask(None, **LEDGER, path="/2026")
    assert (json.loads(answer["body"])["path"], told(answer)) == ("/books/2026", {})
    assert told(ask("pinned-client", **LEDGER))["x-ssl-client-s-dn"] == ["CN=pinned-client,O=Shop"]
    assert ask("stranger", **LEDGER)["status"] == 400
    assert ask("deep", **LEDGER)["status"] == 400
    assert ask("revoked", **LEDGER)["status"] == 200  # no list of revoked ones here


def test_verify_optional_no_ca(ask):
    """Everybody gets in, and is nobody unless verified."""
    for name in ("stranger", None):
        assert told(ask(name, **OPEN)) == {}
    assert told(ask("by-name", **OPEN))["x-ssl-client-s-dn"] == [SUBJECTS["by-name"]]


def test_trust_names_its_authorities(project):
    names = acceptable(project.shown(LEDGER))
    assert names == {
        "CN=Shop CA 1",
        "CN=Partners,O=Shop",
        "CN=Partners of yesterday,O=Shop",
        "CN=pinned-client,O=Shop",
    }
    assert acceptable(project.shown(ORDERS)) == {"CN=Partners,O=Shop"}


def test_how_long_the_application_may_take(ask):
    """Two seconds: too long for a site that waits for one."""
    assert ask("by-serial", **HASTY, path="/slow")["status"] == 504
    assert ask("by-serial", **LIVE, path="/slow")["status"] == 200


def test_behind_a_load_balancer(ask):
    headers = headers_at_the_backend(ask("pinned-client", **BALANCED, first=BALANCER))
    assert headers["x-by"] == ["socket"]
    assert "error" in ask("pinned-client", **BALANCED)
    assert ask(None, **BALANCED, first=BALANCER)["status"] == 400


def test_by_ipv6(ask):
    address = "fd6d:746c:7300::a1"
    headers = headers_at_the_backend(ask("by-serial", **{**ORDERS, "host": address}))
    assert headers["x-real-ip"] == ["fd6d:746c:7300::ca"]
    assert ask("uninvited", **{**ORDERS, "host": address})["status"] == 403
    assert told(ask(None, **{**LEDGER, "host": address})) == {}


def test_sessions_where_they_were_asked_for(ask):
    assert ask("by-serial", **ORDERS, again=True)["resumed"] is True
    assert ask("by-serial", **ORDERS_2, again=True)["resumed"] is False
